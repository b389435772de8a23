"""`hub backfill` as a command; what it makes is shown end to end in tests/end_to_end/test_first_days.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.ledger.engine import migrate, open_engine
from hub.operations import Backfill, BackfillBatch


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Backfill]:
    """What the command has performed; three batches answer it, then nothing is missing."""
    seen: list[Backfill] = []
    batches = [
        BackfillBatch(1, 0, False, let_in=2),
        BackfillBatch(2, 0, False),
        BackfillBatch(2, 7, False, made={"national": 3}),
        BackfillBatch(2, 9, True, made={"national": 1, "provincial": 1}),
    ]

    def perform(operation: Backfill, result: type[Any], config: Path, ledger: str | None) -> BackfillBatch:
        seen.append(operation)
        return batches[len(seen) - 1]

    monkeypatch.setattr("hub.cli.backfill.perform", perform)
    return seen


def test_it_goes_on_until_nothing_is_missing(hub: Any, asked: list[Backfill]) -> None:
    ran = hub("backfill", "hub.yaml", "--who", "lan", "--why", "cả tỉnh", "--per-s", "1000000")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "2 records that had been left out are let in", "national: 4 made", "provincial: 1 made",
    ]  # fmt: skip
    assert [(one.stage, one.after) for one in asked] == [(0, 0), (1, 0), (2, 0), (2, 7)]
    assert {(one.who, one.why, one.destination) for one in asked} == {("lan", "cả tỉnh", None)}


def test_it_speaks_json(hub: Any, asked: list[Backfill]) -> None:
    ran = hub("backfill", "hub.yaml", "--per-s", "1000000", "--json")
    assert ran.json == {"done": True, "let_in": 2, "made": {"national": 4, "provincial": 1}}


def test_interrupted_it_says_how_to_go_on(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def perform(*_: object) -> BackfillBatch:
        raise KeyboardInterrupt

    monkeypatch.setattr("hub.cli.backfill.perform", perform)
    ran = hub("backfill", "hub.yaml")
    assert ran.status == 1
    assert "run it again to go on" in ran.err


def test_a_destination_that_there_is_not_is_refused(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEMO_FOLDER", "DEMO_CSV_FOLDER"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("SOAP", "REST", "NATIONAL", "PROVINCIAL"):
        monkeypatch.setenv(f"DEMO_{name}_URL", "http://127.0.0.1:9")
    engine = open_engine(f"sqlite:///{tmp_path}/hub.db", writer=True)
    migrate(engine)
    engine.dispose()
    ran = hub("backfill", "config/demo/hub.yaml", "--destination", "nobody")
    assert ran.status == 1
    assert "has no destination 'nobody'; it has: national, provincial" in ran.err
