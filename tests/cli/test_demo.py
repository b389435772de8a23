"""`hub demo`: stage and hub side by side, the books at the end, and everything stopped whatever happens."""

from __future__ import annotations

import asyncio
import importlib.metadata
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, ClassVar

import pytest

from hub.ledger.views import QueueState
from schemas.errors import LedgerFault

CONFIGURATION = """\
hub: {name: tra-vinh, province: H59}
sources:
  a: {adapter: files, mappings: [one-stop-csv/dossier], settings: {folder: "${DROP}", pattern: "*.csv", media: csv}}
destinations:
  provincial:
    adapter: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings: {url: "http://127.0.0.1:9", client_id: hub, client_secret: "${SECRET}"}
routes: [{kinds: [dossier.v1], to: [provincial]}]
"""


@dataclass
class StageEvent:
    tick: int
    ticks: int
    text: str


class Stage:
    """A stage that plays nothing; `said` is what happened to it, in order."""

    said: ClassVar[list[str]] = []
    problem: ClassVar[str] = ""
    status: ClassVar[int] = 0
    outage_seconds = 4.5

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "hub.yaml"

    async def start(self) -> dict[str, str]:
        self.said.append("start")
        if self.problem == "start":
            raise RuntimeError("soap-one-stop did not start: no port")
        self.config.write_text(CONFIGURATION, encoding="utf-8")
        return {"DROP": "drop", "SECRET": "x"}

    async def run(self, progress: Callable[[StageEvent], None]) -> None:
        self.said.append("run")
        progress(StageEvent(1, 12, "the sources show tick 1"))
        if self.problem == "run":
            raise RuntimeError("tick 1: so-y-te not polled")
        if self.problem == "hub":
            await asyncio.Event().wait()

    def books(self, ledger_url: str, *options: str) -> CompletedProcess[str]:
        self.said.append(f"books {' '.join(options)}".strip())
        assert ledger_url == f"sqlite:///{self.folder / 'hub.db'}"
        out = json.dumps({"lost": 0}) if "--json" in options else "a table\n"
        return CompletedProcess([], self.status, out if self.problem != "books" else "", "the ledger has no table\n")

    async def stop(self) -> None:
        self.said.append("stop")


class Point:
    name = "tra-vinh-2017"

    def load(self) -> type[Stage]:
        return Stage


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Stage]:
    """The stage is ours; the hub waits to be stopped, or fails where the stage's problem is the hub's."""
    monkeypatch.setattr(Stage, "said", [])
    declared = importlib.metadata.entry_points

    def entry_points(*, group: str) -> Any:
        return [Point()] if group == "hub.demos" else declared(group=group)

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    monkeypatch.setattr("hub.cli.logs.log_to", lambda *args, **kwargs: None)
    left = itertools.cycle([3, 0])

    async def run(deployment: Any, *, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        on_ready()
        if Stage.problem == "hub":
            raise LedgerFault("the disk is full")
        await stop.wait()
        Stage.said.append("the hub has ended")

    class Reader:
        def queues(self) -> list[QueueState]:
            return [QueueState("national", "open", waiting=next(left))]

    @contextmanager
    def open_reader(url: str) -> Iterator[Reader]:
        yield Reader()

    monkeypatch.setattr("hub.app.run", run)
    monkeypatch.setattr("hub.cli.performance.open_reader", open_reader)
    monkeypatch.setattr("hub.cli.performance.LOOK_EVERY_S", 0.0)
    return Stage


def test_the_books_are_struck_when_all_is_delivered(hub: Any, stage: type[Stage]) -> None:
    ran = hub("demo")
    assert ran.status == 0
    assert stage.said == ["start", "run", "the hub has ended", "books", "stop"]
    assert "a table" in ran.out
    assert "outage 4.5 s" in ran.out


def test_json_is_the_books_with_the_seconds(hub: Any, stage: type[Stage]) -> None:
    told = hub("demo", "--json").json
    assert told["lost"] == 0
    assert told["outage_seconds"] == 4.5
    assert told["seconds"] > 0


def test_books_that_do_not_balance_are_status_1(hub: Any, stage: type[Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "status", 1)
    assert hub("demo").status == 1
    assert hub("demo", "--json").status == 1


@pytest.mark.parametrize(
    ("problem", "said", "ended"),
    [
        ("start", "soap-one-stop did not start: no port", ["start", "stop"]),
        ("run", "tick 1: so-y-te not polled", ["start", "run", "the hub has ended", "stop"]),
        ("hub", "the disk is full", ["start", "run", "stop"]),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_everything_is_stopped(
    hub: Any, stage: type[Stage], monkeypatch: pytest.MonkeyPatch, problem: str, said: str, ended: list[str]
) -> None:
    monkeypatch.setattr(Stage, "problem", problem)
    ran = hub("demo")
    assert ran.status == 1
    assert ran.err.startswith(f"error: {said}")
    assert stage.said == ended


def test_books_that_cannot_be_struck_are_one_line(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "problem", "books")
    ran = hub("demo", "--json")
    assert ran.status == 1
    assert "the books could not be struck: the ledger has no table" in ran.err


def test_what_is_kept_can_be_looked_at(hub: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    ran = hub("demo", "--keep", str(kept))
    assert ran.status == 0
    assert (kept / "hub.yaml").exists()
    assert f"--ledger sqlite:///{kept / 'hub.db'}" in ran.err
    again = hub("demo", "--keep", str(kept))
    assert (again.status, "is not an empty folder" in again.err) == (1, True)


def test_an_unknown_stage_is_named_with_the_known_ones(hub: Any) -> None:
    ran = hub("demo", "--stage", "tra-vinh-2018")
    assert ran.status == 1
    assert "did you mean 'tra-vinh-2017'?" in ran.err


def test_a_missing_broker_is_one_line_and_the_stage_is_stopped(
    hub: Any, stage: type[Stage], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HUB_RABBITMQ_HOME", str(tmp_path / "nowhere"))
    ran = hub("demo", "--bus", "rabbitmq")
    assert ran.status == 1
    assert "HUB_RABBITMQ_HOME" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert stage.said == ["start", "stop"]
