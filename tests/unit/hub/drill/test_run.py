"""The parts of a drill that need no process: reading a portal's log, and refusing a ledger that is in use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.drill.plan import FAULTS
from hub.drill.prepare import digest_of
from hub.drill.report import FaultResult, Report
from hub.drill.run import _effects, _must_be_empty
from hub.drill.verdict import Served, judge
from hub.ledger import tables as t
from hub.ledger.engine import migrate, open_engine
from schemas.errors import ConfigError

D = "dossier.v1"
FIRST, SECOND = {"MaHoSo": "a", "TrangThai": "2"}, {"TrangThai": "4", "MaHoSo": "a"}


def logged(path: Path, *payloads: dict[str, str]) -> Path:
    """A twin's log, with a line that it had not finished when it died."""
    lines = [
        json.dumps({"n": n, "service": "DongBo", "number": one["MaHoSo"], "data": one})
        for n, one in enumerate(payloads)
    ]
    path.write_text("\n".join([*lines, '{"n": 9, "serv']), encoding="utf-8")
    return path


def test_a_log_is_judged_by_what_it_shows_whatever_the_order_of_members(tmp_path: Path) -> None:
    served = Served({(D, "a"): [digest_of(FIRST), digest_of(dict(reversed(SECOND.items())))]}, {}, {(D, "a"): "a"})
    kinds = {"DongBo": D}

    def found(*payloads: dict[str, str]) -> list[str]:
        effects = _effects(logged(tmp_path / "a.jsonl", *payloads), kinds)
        return [finding.what for finding in judge("a", served, effects, {}).findings]

    assert found(FIRST, SECOND) == []
    assert found(FIRST) == ["lost"]
    assert found(FIRST, SECOND, SECOND) == ["doubled"]
    assert found(SECOND, FIRST) == ["regressed"]
    assert found(FIRST, SECOND, {"MaHoSo": "a", "TrangThai": "9"}) == ["altered"]


def test_a_twin_that_was_never_asked_has_no_log(tmp_path: Path) -> None:
    assert _effects(tmp_path / "none.jsonl", {}) == []


def test_a_ledger_that_holds_something_is_not_mixed_with_a_drill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    _must_be_empty(url)
    engine = open_engine(url, writer=True)
    migrate(engine)
    _must_be_empty(url)
    values = {"uid": "1", "source": "a", "label": "x", "media": "csv", "received_us": 1, "poll_us": 1, "settled_us": 1,
              "digest": "", "state": "settled"}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(t.arrival), values)
    engine.dispose()
    with pytest.raises(ConfigError, match="is not empty"):
        _must_be_empty(url)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_drill_is_passed_only_if_every_fault_was(fault: str) -> None:
    good = FaultResult(fault, "a", True, 3, 1.0)

    def ok(*faults: FaultResult) -> bool:
        report = Report("hub.yaml", "embedded", "sqlite", faults=list(faults))
        passed: bool = report.passed
        assert report.plain()["ok"] == passed
        return passed

    assert ok(good)
    assert not ok(good, FaultResult(fault, "b", False, 0, 0.0))
    assert not ok(good, FaultResult(fault, "b", True, 1, None))
