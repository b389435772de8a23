"""Trà Vinh 2017 with every fourth dossier only: the same ticks, outage, repeated page and broken rows in less time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from adapters.sandbox.tra_vinh import REPEATED_PAGE, Stage
from adapters.sandbox.tra_vinh.dossiers import make
from adapters.sandbox.tra_vinh.truth import stage_data, truth

EVERY = 4


class ShortYear(Stage):
    """Its figures are its own; the books program says them."""

    def prepare(self) -> tuple[Path, Path]:
        course = make()
        special = {course.flipped, *(broken.dossier.number for broken in course.broken)}
        kept = [one for n, one in enumerate(course.dossiers) if n % EVERY == 0 or one.number in special]
        course = replace(course, dossiers=tuple(kept))
        data, true = self.folder / "stage.json", self.folder / "truth.json"
        for path, content in ((data, stage_data(course, self.ticks, *REPEATED_PAGE)), (true, truth(course))):
            path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return data, true
