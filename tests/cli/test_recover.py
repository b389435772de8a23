"""`hub recover` as a command; what it does is shown end to end in tests/end_to_end/test_recover.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.ledger.recovering import Marked
from hub.recover import Recovered
from tests.cli.conftest import at
from tests.cli.test_adopt import config

__all__ = ["config"]


def answer(monkeypatch: pytest.MonkeyPatch, done: Recovered) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    async def recover(deployment: object, by: object, **how: Any) -> Recovered:
        asked.append(how)
        return done

    monkeypatch.setattr("hub.recover.recover", recover)
    return asked


def test_it_says_what_is_to_become_of_what_was_open(hub: Any, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    portals = {"national": Marked(look_ups=1200, updates=3), "provincial": Marked(creates=2, events=4, superseded=1)}
    answer(monkeypatch, Recovered(True, at(0), portals, {"s": 2}, {}, ["national"]))
    ran = hub("recover", config)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "the ledger's last sign of life before: 02/03/2026 08:00:00",
        "s: 2 files moved back to be read again",
        "national: 1,200 to look up before sent; 3 to send again as updates",
        "provincial: 2 to send again as new, the portal cannot be asked; 4 steps to send again, possibly twice; "
        "1 older states left out",
        "the ledger can be run again: hub run",
    ]


def test_a_source_that_cannot_be_read_keeps_everything_paused(
    hub: Any, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, Recovered(False, None, unread={"s": "the folder is not there"}))
    ran = hub("recover", config, "--without", "other")
    assert ran.status == 1
    assert "source s was not read to its newest: the folder is not there" in ran.err
    assert "leave one out by --without" in ran.err
    assert asked[0]["without"] == ["other"]
    assert hub("recover", config, "--json").json["complete"] is False


def test_a_ledger_with_nothing_in_it_and_a_source_that_there_is_not(hub: Any, config: str) -> None:
    ran = hub("recover", config, "--json")
    assert (ran.status, ran.json["complete"], ran.json["backup_at"]) == (0, True, None)
    ran = hub("recover", config, "--without", "nobody")
    assert ran.status == 1
    assert "has no source 'nobody'; it has: s" in ran.err


def test_a_hub_that_runs_is_to_be_stopped_first(hub: Any, config: str) -> None:
    from hub.ledger.engine import sole_owner
    from hub.settings import locate_ledger

    with sole_owner(locate_ledger(Path(config))):
        ran = hub("recover", config)
    assert ran.status == 1
    assert "another hub" in ran.err
