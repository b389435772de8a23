"""`indicator.v1`: one figure of one period, exact to its last digit."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.indicator import Indicator
from schemas.period import last_day, month, quarter
from schemas.record import refusals
from schemas.sensitivity import Sensitivity, sensitivity


@pytest.fixture
def fields() -> dict[str, Any]:
    return {
        "code": "KTXH-0101",
        "name": "Tổng sản phẩm trên địa bàn (GRDP), giá so sánh 2010",
        "period": "2018-Q1",
        "agency": "H12",
        "value": "9865.25",
        "unit": "tỷ đồng",
        "changed_at": datetime(2018, 4, 5, 2, tzinfo=UTC),
    }


def test_code_period_and_agency_are_its_key_and_its_lane(fields: dict[str, Any]) -> None:
    figure = Indicator.model_validate(fields)
    assert figure.key == figure.lane == "KTXH-0101|2018-Q1|H12"
    assert Indicator.model_validate(fields | {"value": "1", "unit": "triệu đồng", "name": None}).key == figure.key
    assert figure.source_time == figure.changed_at
    assert figure.counted() is None
    assert Indicator.from_json(figure.to_json()) == figure


def test_the_time_of_change_is_no_fact(fields: dict[str, Any]) -> None:
    one = Indicator.model_validate(fields)
    assert one.facts() == Indicator.model_validate(fields | {"changed_at": None}).facts()
    assert one.facts() != Indicator.model_validate(fields | {"value": "9865.26"}).facts()


@pytest.mark.parametrize("value", ["0", "1", "-1", "0.1", "-0.05", "1234.5", "9" * 30, f"-{'9' * 15}.{'9' * 15}"])
def test_a_value_is_exact(fields: dict[str, Any], value: str) -> None:
    figure = Indicator.model_validate(fields | {"value": value})
    assert figure.amount == Decimal(value)
    assert json.loads(figure.to_json())["value"] == value


@pytest.mark.parametrize("value", ["", "1.0", "01", "-0", "+1", "1,5", ".5", "5.", "1e3", "NaN", "1 000", "٣", "1.50"])
def test_a_value_has_one_form(fields: dict[str, Any], value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Indicator.model_validate(fields | {"value": value})
    [refusal] = refusals(caught.value)
    assert refusal.field == "value"
    assert not value or refusal.reason.startswith("is no decimal number in canonical form, like '1234.5'")


@pytest.mark.parametrize("value", [1, 1.5, True, Decimal(1)])
def test_a_value_is_text_and_never_a_float(fields: dict[str, Any], value: object) -> None:
    with pytest.raises(ValidationError, match="valid string"):
        Indicator.model_validate(fields | {"value": value})


@pytest.mark.parametrize("period", ["2026", "2026-01", "2026-12", "2026-Q1", "2026-Q4", "1900", "2199-12"])
def test_periods(fields: dict[str, Any], period: str) -> None:
    assert Indicator.model_validate(fields | {"period": period}).period == period


@pytest.mark.parametrize(
    "period", ["2026-1", "2026-13", "2026-00", "2026-Q5", "2026-q1", "26", "1899", "2200", "3/2026", "2026-03-01"]
)
def test_what_is_no_period(fields: dict[str, Any], period: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Indicator.model_validate(fields | {"period": period})
    [refusal] = refusals(caught.value)
    assert refusal.field == "period"
    assert "period; the forms are" in refusal.reason or "at most 7 characters" in refusal.reason


@pytest.mark.parametrize("code", ["KT 01", "KT|01", ""])
def test_a_code_has_no_blank_and_no_bar(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError):
        Indicator.model_validate(fields | {"code": code})


def test_the_figure_alone_is_not_public() -> None:
    of = {name: sensitivity(Indicator, name) for name in Indicator.model_fields}
    assert of == dict.fromkeys(of, Sensitivity.PUBLIC) | {
        "value": Sensitivity.INTERNAL,
        "changed_at": Sensitivity.INTERNAL,
    }


@given(st.integers(1900, 2199), st.integers(1, 12))
def test_the_last_day_of_a_period(year: int, number: int) -> None:
    day = last_day(month(year, number))
    assert (day.year, day.month) == (year, number)
    assert day.day >= 28
    assert last_day(f"{year:04d}") == date(year, 12, 31)
    assert last_day(quarter(year, (number + 2) // 3)).month == (number + 2) // 3 * 3
