"""`hub report`: the figures of Trà Vinh 2017, agency by agency."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.ledger.views import AgencyFigures
from schemas.deadline import OnTimeFigures


@pytest.fixture(autouse=True)
def counted(reader: Any) -> None:
    reader.figures = [
        AgencyFigures("H59.15", "H59.15", OnTimeFigures(1000, 30, 950, 20)),
        AgencyFigures("H59.34", "H59.34", OnTimeFigures(1002, 35, 906, 61)),
    ]


def test_the_total_is_that_of_the_province(hub: Any, reader: Any) -> None:
    ran = hub("report", "--today", "2017-12-31", "--json")
    assert ran.status == 0
    assert ran.json["total"] == {
        "received": 2002,
        "on_due_date": 65,
        "early": 1856,
        "late": 81,
        "within_time": 0,
        "overdue": 0,
        "on_time_rate": 95.95,
    }
    assert reader.today == date(2017, 12, 31)


def test_agencies_are_named_as_the_configuration_names_them(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "agencies.yaml").write_text("- {code: H59.15, name: Sở Tư pháp, level: province}\n", encoding="utf-8")
    config = tmp_path / "hub.yaml"
    config.write_text("agencies: agencies.yaml\n", encoding="utf-8")
    out = hub("report", "--config", str(config)).out
    assert "Sở Tư pháp" in out
    assert "H59.34" in out
    assert "95.95 %" in out


def test_no_dossiers_have_no_rate(hub: Any, reader: Any) -> None:
    reader.figures = []
    assert hub("report", "--json").json["total"]["on_time_rate"] is None
    assert "–" in hub("report").out


def test_a_day_that_is_none_is_a_usage_error(hub: Any) -> None:
    refused = hub("report", "--today", "31/12/2017")
    assert (refused.status, "'31/12/2017' is no day; write it as 2017-12-31" in refused.err) == (2, True)


def test_in_eighty_columns_no_figure_is_cut(hub: Any, reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.figures = [AgencyFigures("H59.15", "Sở Thông tin và Truyền thông", OnTimeFigures(12345, 0, 12345, 0))]
    monkeypatch.setenv("COLUMNS", "80")
    lines = hub("report", "--today", "2017-12-31").out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert sum(line.rstrip().endswith("100.00 %") for line in lines) == 2
    assert sum("12,345       0  12,345     0" in line for line in lines) == 2
