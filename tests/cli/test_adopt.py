"""`hub adopt` as a command; what it does is shown end to end in tests/end_to_end/test_first_days.py."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.adopt import Adopted

COUNTS = {"H59.15": {"asked": 3, "history": 2, "updates": 1, "dispatches": 4}, "H59.34": {"asked": 1, "new": 1}}


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with a portal that can be asked and one that cannot."""
    portals = {
        "national": {"adapter": "dvcqg", "settings": {"url": "http://127.0.0.1:9", "username": "u", "password": "p",
                     "dstcode": "d", "madonvi": "m"}, "mappings": {"dossier.v1": "dvcqg/dossier"}},
        "provincial": {"adapter": "lgsp", "settings": {"url": "http://127.0.0.1:9", "client_id": "c",
                       "client_secret": "s"}, "mappings": {"dossier.v1": "lgsp/dossier"}},
    }  # fmt: skip
    (tmp_path / "drop").mkdir()
    source = {"adapter": "files", "mappings": ["one-stop-csv/dossier"],
              "settings": {"folder": "drop", "pattern": "hoso-*.csv", "media": "csv"}}  # fmt: skip
    written = {"hub": {"name": "h", "province": "H59"}, "sources": {"s": source}, "destinations": portals,
               "routes": [{"kinds": ["dossier.v1"], "to": ["national", "provincial"]}]}  # fmt: skip
    file = tmp_path / "hub.yaml"
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    return str(file)


def answer(monkeypatch: pytest.MonkeyPatch, adopted: Adopted) -> list[dict[str, Any]]:
    """Have every adoption come out so; what it was asked with."""
    asked: list[dict[str, Any]] = []

    async def adopt(deployment: object, destination: str, **how: Any) -> Adopted:
        asked.append(how)
        return adopted

    monkeypatch.setattr("hub.adopt.adopt", adopt)
    return asked


def test_the_counts_are_shown_per_agency(hub: Any, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, Adopted("national", date(2026, 3, 1), True, COUNTS, "open"))
    ran = hub("adopt", config, "national", "--as-of", "2026-03-01", "--who", "lan")
    assert ran.status == 0
    assert [line.split() for line in ran.out.splitlines() if line.strip()][-4:-1] == [
        ["H59.15", "3", "0", "2", "1", "4"], ["H59.34", "1", "1", "0", "0", "0"], ["all", "4", "1", "2", "1", "4"],
    ]  # fmt: skip
    assert ran.out.splitlines()[-1] == "national goes on"
    assert (asked[0]["as_of"], asked[0]["who"], asked[0]["read"]) == (date(2026, 3, 1), "lan", True)


def test_a_portal_in_maintenance_is_said_to_go_on_after_it(
    hub: Any, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, Adopted("national", date(2026, 3, 1), True, COUNTS, "maintenance"))
    ran = hub("adopt", config, "national")
    assert (ran.status, ran.out.splitlines()[-1]) == (0, "national goes on when its maintenance is over")


def test_a_run_that_is_not_complete_says_so(hub: Any, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, Adopted("national", date(2026, 3, 1), False, COUNTS, "paused", "stopped", {"s": "no folder"}))
    ran = hub("adopt", config, "national")
    assert ran.status == 1
    assert "stopped; run it again to go on" in ran.err
    assert "source s was not read to its end: no folder" in ran.err
    assert "national is paused" in ran.out
    assert hub("adopt", config, "national", "--json").json["complete"] is False


def test_a_portal_that_cannot_be_asked_is_refused_with_the_mend(hub: Any, config: str) -> None:
    ran = hub("adopt", config, "provincial")
    assert ran.status == 1
    assert "give the sources a start_from" in ran.err
    assert "has no destination 'nobody'; it has: national, provincial" in hub("adopt", config, "nobody").err


def test_a_rehearsal_needs_a_ledger(hub: Any, config: str) -> None:
    ran = hub("adopt", config, "national", "--dry-run")
    assert ran.status == 1
    assert "there is no ledger here yet" in ran.err


def test_where_nothing_waits_nobody_is_asked(hub: Any, config: str) -> None:
    ran = hub("adopt", config, "national", "--json")
    assert (ran.status, ran.json["complete"], ran.json["agencies"]) == (0, True, {})


@pytest.mark.parametrize("day", ["gestern", "2999-01-01"])
def test_a_day_that_is_none_or_has_not_come_is_asked_wrongly(hub: Any, config: str, day: str) -> None:
    assert hub("adopt", config, "national", "--as-of", day).status == 2
