"""What the simple types of XML Schema take, before a service is asked that takes anything."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.soap_values import typed, unfit


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int", ["1", 1, "-7", ["1", 2]], ["", "một", "1.0", 1.5, True, ["1", "x"]]),
        ("decimal", ["1.5", 2, "-.5", "1e3"], ["1,5", "một"]),
        ("boolean", [True, "false", "1"], ["có", "yes", 2]),
        ("dateTime", ["2026-03-01T00:00:00", "2026-03-01T00:00:00.5Z", "2026-03-01T00:00:00+07:00"], ["01/03/2026"]),
        ("date", ["2026-03-01"], ["2026-03-01T00:00:00", "20260301"]),
        ("string", ["một", 1], []),
        ("TrangHoSo", [{"a": 1}, "x"], []),
    ],
)
def test_a_value_fits_its_type_or_is_said_with_an_example(kind: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in [*good, None] if unfit(kind, value) is not None] == []
    for value in bad:
        said = unfit(kind, value)
        assert said is not None, value
        assert f"({kind}) such as " in said


def test_whole_numbers_are_numbers_in_a_configuration_and_all_else_is_text() -> None:
    assert [typed("int", one) for one in ("7", "-7", "007", "+7", "một", "9" * 30)] == [
        7, -7, "007", "+7", "một", "9" * 30
    ]  # fmt: skip
    assert typed("string", "7") == "7"
