"""A small town on the demo's stage: a few dossiers of two or three agencies, each of which changes at every tick.

Old systems and portals are the twins as processes of their own, which survive whatever happens to the hub; the truth is
written as the demo writes it, so that the books program can hold the portals' logs against it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import yaml

from adapters.sandbox import stage
from adapters.sandbox.stage import NATIONAL, PROVINCIAL
from adapters.sandbox.tra_vinh.agencies import AGENCIES
from adapters.sandbox.tra_vinh.course import IN_PROGRESS, PROCESSED, Dossier, Step, Version
from adapters.sandbox.tra_vinh.dossiers import Course
from adapters.sandbox.tra_vinh.people import applicant
from adapters.sandbox.tra_vinh.procedures import PROCEDURES
from adapters.sandbox.tra_vinh.truth import stage_data, truth
from schemas.local_time import LOCAL
from tests.support.json_lines import json_lines

BEGAN_AT = datetime(2017, 3, 1, 8, 0, tzinfo=LOCAL)
TWINS = {"soap": "soap-one-stop", "rest": "rest-one-stop", "csv": "csv-exporter"}
SLUGS = {"soap": "so-tttt", "rest": "so-y-te", "csv": "cau-ngang"}
SOURCES = {"soap": ("so-tttt",), "rest": ("so-y-te",), "csv": ("cau-ngang-hoso", "cau-ngang-buoc")}
SLOW: Mapping[str, Mapping[str, float]] = {
    NATIONAL: {"DongBoHoSoMC": 0.006, "CapNhatTienDoHoSoMC": 0.006},
    PROVINCIAL: {"SyncDocument": 0.017, "UpdateDocumentTraces": 0.017},
}
"""Seconds per byte of an answer, so that each takes about a quarter of a second; the effect is there when it begins."""


class SmallTown(stage.Stage):
    """Sources and portals; the hub is whoever asks them."""

    title = "a small town"
    outage_ticks = ()

    def __init__(self, folder: Path, *, ticks: int, dossiers: int, systems: Sequence[str] = ("rest", "csv")) -> None:
        """`dossiers` per system, each changed once and given one step at each of `ticks`."""
        super().__init__(folder)
        self.ticks, self.dossiers, self.systems = ticks, dossiers, tuple(systems)
        self.sources = [TWINS[one] for one in systems]
        self.ticked = dict.fromkeys(self.systems, 0)
        self.file = folder / "hub.yaml"
        self._http = httpx.Client(trust_env=False, verify=False)

    def prepare(self) -> tuple[Path, Path]:
        course = Course(tuple(self._dossiers()), (), "")
        data, true = self.folder / "stage.json", self.folder / "truth.json"
        held = stage_data(course, self.ticks, "", 0)
        data.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")
        true.write_text(json.dumps(truth(course), ensure_ascii=False), encoding="utf-8")
        return data, true

    @property
    def config(self) -> Path:
        """The demo's configuration, with this town's sources, polled ten times a second."""
        return self.file

    def configure(self, ledger: str, bus: str, prefix: str, batch: int) -> None:
        """Write the hub's configuration; `batch` is how many records the national portal gets in a request.

        Pages are of two records, so that one look at a source brings several.
        """
        said = yaml.safe_load(super().config.read_text(encoding="utf-8"))
        named = [name for one in self.systems for name in SOURCES[one]]
        said["sources"] = {name: {**said["sources"][name], "every_s": 0.1} for name in named}
        for source in said["sources"].values():
            if "page" in source["settings"]:
                source["settings"]["page"]["size"] = 2
        said["ledger"], said["bus"] = {"url": ledger}, {"url": bus, "prefix": prefix}
        said["agencies"] = str(super().config.with_name("agencies.yaml"))
        national = said["destinations"]["national"]
        national["parallel"] = 4
        national["settings"] |= {"batch": batch, "steps_batch": batch}
        self.file.write_text(yaml.safe_dump(said, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def _dossiers(self) -> list[Dossier]:
        rng = Random(2017)
        made = []
        for agency in AGENCIES:
            if agency.slug not in {SLUGS[one] for one in self.systems}:
                continue
            for n in range(1, self.dossiers + 1):
                procedure = PROCEDURES[agency.slug][0]
                number = f"{agency.old_code}-{BEGAN_AT:%y%m%d}-{n:04d}"
                versions = tuple(self._version(agency.expert, n, tick) for tick in range(1, self.ticks + 1))
                ended = versions[-1].changed_at
                made.append(
                    Dossier(
                        number, agency, procedure, applicant(rng, procedure.kinds), 1, BEGAN_AT, ended, ended, versions
                    )
                )
        return made

    def _version(self, post: Any, n: int, tick: int) -> Version:
        at = BEGAN_AT + timedelta(hours=tick, seconds=n)
        last = tick == self.ticks
        status = PROCESSED if last else IN_PROGRESS
        steps = (Step(at, post, f"bước {tick}", status),)
        return Version(tick, at, status, f"lần {tick}", at if last else None, None, steps)

    # --- orders to the twins

    def tick(self, *systems: str) -> None:
        """Release the next tick at these systems, all by default."""
        for one in systems or self.systems:
            self.ticked[one] += 1
            self._post(TWINS[one], "tick", {"tick": self.ticked[one]})

    def last_tick(self) -> None:
        """Release what is left."""
        for one in self.systems:
            self.ticked[one] = self.ticks
            self._post(TWINS[one], "tick", {"tick": self.ticks})

    def slow(self, slow: bool = True) -> None:
        """From now on the portals take about a quarter of a second for each answer, or no time."""
        for portal, services in SLOW.items():
            for service, interval_s in services.items():
                order = {"mode": "drip" if slow else "off", "scope": service, "interval_s": interval_s}
                self._post(portal, "fault", order)

    def leave(self) -> None:
        """End the twins."""
        self._http.close()
        asyncio.run(self.stop())

    def _post(self, name: str, what: str, order: Mapping[str, object]) -> None:
        answer = self._http.post(f"{self._twins[name].control}/_twin/{what}", json=dict(order))
        assert answer.status_code == 200, answer.text

    # --- what there must be in the end

    @staticmethod
    def changed_us(tick: int) -> int:
        """Before each change of that tick, after all of the one before; microseconds since 1970."""
        return int((BEGAN_AT + timedelta(hours=tick)).timestamp()) * 1_000_000

    def effects(self, portal: str) -> list[dict[str, Any]]:
        """What a portal has accepted so far."""
        log = self.national_log if portal == "national" else self.provincial_log
        return json_lines(log)
