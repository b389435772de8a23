"""The demo "Trà Vinh 2017": a year of dossiers of seven agencies, made so that the province's figures come out.

`Stage` is the entry point `tra-vinh-2017` in the group `hub.demos`. What is real and what is invented: `agencies.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

from adapters.sandbox import stage
from adapters.sandbox.tra_vinh.course import OUTAGE_TICKS, TICKS
from adapters.sandbox.tra_vinh.dossiers import SEED, make
from adapters.sandbox.tra_vinh.truth import stage_data, truth

REPEATED_PAGE = ("tp-tra-vinh", 4)
"""The agency and the tick of the page that is delivered twice."""


def generate(folder: Path, seed: int = SEED) -> tuple[Path, Path]:
    """Write `stage.json` (for the source twins) and `truth.json` (for the books) into `folder`; return their paths."""
    course = make(seed=seed)
    data, true = folder / "stage.json", folder / "truth.json"
    for path, content in ((data, stage_data(course, TICKS, *REPEATED_PAGE)), (true, truth(course))):
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return data, true


class Stage(stage.Stage):
    """The stage of Trà Vinh 2017: twelve ticks, the national portal closed while ticks 5 and 6 are released."""

    title = "Trà Vinh 2017"
    ticks = TICKS
    outage_ticks = OUTAGE_TICKS

    def prepare(self) -> tuple[Path, Path]:
        return generate(self.folder)


__all__ = ["Stage", "generate"]
