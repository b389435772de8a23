"""The converters that take texts apart, count and call: what they take, what they refuse, what is wrong with them."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.converters import CONVERTERS, Compiled, Scope, Setting
from mappings.notation import Marked, Problems, parse
from mappings.refusal import RefusalError
from mappings.shapes.json import JsonShape
from mappings.target import targets
from mappings.whence import whence
from schemas import Dossier
from schemas.agency import AgencyRegister
from schemas.codes import Channel
from schemas.errors import ConfigError

FIELDS = targets(Dossier)
MONDAY = datetime(2017, 3, 20, 3, tzinfo=UTC)
"""Ten o'clock in the morning of a Monday in Viet Nam."""
SCOPE = Scope(AgencyRegister.empty(), {"number": "H-1"})


def compiled(written: str, *, field: str = "note", direction: Any = "in", first: bool = True) -> Compiled:
    problems = Problems("m")
    node = parse(written, problems)
    assert node is not None
    assert isinstance(node.value, dict)
    ((name, options),) = node.value.items()

    def place(path: str, line: int, what: str) -> Any:
        return whence(path, line, what, JsonShape(), problems)

    tables: dict[str, dict[str, Marked]] = {}
    reading = place if direction == "in" else None
    setting = Setting(
        direction, field, FIELDS[field], FIELDS, True, first, tables, set(), "received_at", problems, reading
    )
    built = CONVERTERS[name].build(options, setting)
    problems.stop()
    assert built is not None
    return built


def convert(written: str, value: Any, **how: Any) -> Any:
    return compiled(written, **how).convert(value, SCOPE)


@pytest.mark.parametrize(
    ("written", "value", "found"),
    [
        ("split: {by: ',', take: 1}", "Lê Mai , 12 Lê Lợi", "Lê Mai"),
        ("split: {by: ',', take: -1}", "a,b, c ", "c"),
        ("split: {by: ' - ', take: 2}", "a - b - c", "b"),
        ("split: {by: ',', take: 2}", "a,,b", None),
        ("split: {by: ',', take: 3, otherwise: keep}", "a,b", "a,b"),
        ("split: {by: ',', take: -3, otherwise: none}", "a,b", None),
        ("split: {by: '2', take: 1}", 123, "1"),
        ("match: {pattern: '(?P<so>[0-9]+)/(?P<nam>[0-9]+)', take: nam}", "12/2017", "2017"),
        ("match: {pattern: '([0-9]+)/([0-9]+)', take: 2}", "12/2017", "2017"),
        ("match: {pattern: '([0-9]+)/([0-9]+)', take: 0}", "12/2017", "12/2017"),
        ("match: {pattern: 'x(?P<a>y)?', take: a}", "x", None),
        ("replace: [[P., 'Phòng '], ['–', '-']]", "P.1 – P.2", "Phòng 1 - Phòng 2"),
        ("replace: [[a, b], [b, a]]", "ab", "ba"),
        ("replace: [['.*', x]]", "a.*", "ax"),
        ("replace: [[' ', '']]", "   ", None),
        ("replace: [[ạ, a]]", "ạ", "a"),
        ("number: vi", "1.234,56", "1234.56"),
        ("number: vi", "1.234", "1234"),
        ("number: en", "1.234", "1.234"),
        ("number: en", "1,234,567.50", "1234567.5"),
        ("number: vi", "1 234,5", "1234.5"),
        ("number: vi", "007,00", "7"),
        ("number: vi", "-0,0", "0"),
        ("number: vi", "+1,5", "1.5"),
        ("number: vi", -12, "-12"),
        ("number: vi", 1.5, "1.5"),
        ("number: vi", 1e-7, "0.0000001"),
        ("number: {notation: vi, decimals: 1}", "1,50", "1.5"),
        *[
            ("period: month", written, "2026-03")
            for written in (
                "3/2026",
                "03-2026",
                "2026-3",
                "2026-03",
                "202603",
                "Tháng 3/2026",
                "THÁNG 03 năm 2026",
                "T3.2026",
            )
        ],
        *[
            ("period: quarter", written, "2026-Q1")
            for written in (
                "1/2026",
                "I/2026",
                "Quý I/2026",
                "quý 1, 2026",
                "Quý I năm 2026",
                "Q1-2026",
                "2026-Q1",
                "2026 Quý 1",
            )
        ],
        *[("period: year", written, "2026") for written in ("2026", 2026, "Năm 2026")],
        ("period: any", "Tháng 12/2026", "2026-12"),
        ("period: any", "2026-12", "2026-12"),
        ("period: any", "Quý IV/2026", "2026-Q4"),
        ("period: any", "2026", "2026"),
        ("period: month", MONDAY, "2017-03"),
        ("period: quarter", MONDAY, "2017-Q1"),
        ("period: year", MONDAY, "2017"),
        ("period: month", datetime(2017, 3, 31, 17, tzinfo=UTC), "2017-04"),
    ],
)
def test_what_it_gives(written: str, value: Any, found: Any) -> None:
    assert convert(written, value) == found


@pytest.mark.parametrize(
    ("written", "value", "said"),
    [
        ("split: {by: ',', take: 3}", "a,b", "has 2 parts by ',', part 3 is wanted"),
        ("split: {by: ',', take: 1}", True, "true or false"),
        ("number: vi", "1,234.56", "no number written like 1.234,56"),
        ("number: vi", "1.23", "no number"),
        ("number: vi", "12.34.567", "no number"),
        ("number: vi", "1.234 567", "no number"),
        ("number: vi", "١٢", "no number"),
        ("number: vi", "", "no number"),
        ("number: vi", "1" * 31, "more than 30 digits"),
        ("number: {notation: vi, decimals: 0}", "1,5", "has 1 digits after the ','"),
        ("number: vi", 1e300, "number with a fraction"),
        ("number: vi", True, "true or false"),
        ("working_days: {add: 1}", "20/03/2017", "is no time"),
        *[
            ("period: month", written, "is no month written like 3/2026")
            for written in ("13/2026", "0/2026", "2026", "Quý I/2026", "32026", "01/03/2026", "3/26", "", "3" * 5000)
        ],
        *[
            ("period: quarter", written, "is no quarter written like Quý I/2026")
            for written in ("5/2026", "V/2026", "03/2026", "2026-03", "202603", "Tháng 1/2026", "2026")
        ],
        ("period: year", "3/2026", "is no year written like 2026"),
        *[
            ("period: any", written, "is no period written like Tháng 3/2026 or Quý I/2026")
            for written in ("3/2026", "I/2026", "nay", "Quý 1")
        ],
        ("period: any", MONDAY, "is a day; say whether its month, quarter or year is meant"),
        ("period: year", 1.5, "text is expected"),
    ],
)
def test_what_it_refuses(written: str, value: Any, said: str) -> None:
    with pytest.raises(RefusalError, match=said):
        convert(written, value, first=False)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("split: ','", "split should be a mapping"),
        ("split: {by: ','}", "lacks 'take'"),
        ("split: {by: '', take: 1}", "'by' is empty"),
        ("split: {by: ',', take: 0}", "'take' is 0"),
        ("split: {by: ',', take: x}", "'take' is 'x'"),
        ("match: {pattern: '(?P<ngay>.)', take: ngya}", r"no group 'ngya' .* did you mean 'ngay'\?"),
        ("match: {pattern: '(.)', take: 2}", "no group 2"),
        ("match: {pattern: '.', take: a}", r"put the part into \(\?P<name>…\)"),
        ("match: '('", "no regular expression"),
        ("replace: {a: b}", "should be a list of pairs"),
        ("replace: []", "should be a list of pairs"),
        ("replace: [[a]]", "each pair should be two texts"),
        ("replace: [['', b]]", "nothing cannot be replaced"),
        ("replace: [[a, b], [a, c]]", "'a' stands twice"),
        ("number: de", "'notation' of number is 'de'"),
        ("number: {decimals: 2}", "lacks 'notation'"),
        ("working_days: {add: 1}", "note is no time here .* put `date` before it"),
        ("function: x", "names none"),
        ("function: 'no_such_module:f'", "no_such_module cannot be imported: ModuleNotFoundError"),
        ("function: 'json:nothing'", "json has no function 'nothing'"),
    ],
)
def test_what_is_wrong_with_it_is_told(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        compiled(written)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("period: week", "'period'"),
        ("working_days: {}", "one of add, subtract and add_from"),
        ("working_days: {add: 1, subtract: 1}", "one of add, subtract and add_from"),
        ("working_days: {add: -1}", "whole number from 0 on"),
        ("working_days: {add: 1000}", "at most 999"),
        ("working_days: {add_from: 'a b'}", "is no path"),
    ],
)
def test_what_is_wrong_with_working_days_is_told(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        compiled(written, field="due_at", first=False)


def test_writing_has_no_row_to_ask() -> None:
    with pytest.raises(ConfigError, match="`add_from` is for reading"):
        compiled("working_days: {add_from: x}", field="due_at", direction="out")
    with pytest.raises(ConfigError, match="note is no time here"):
        compiled("working_days: {add: 1}", direction="out")


@pytest.mark.parametrize(
    ("written", "at", "found"),
    [
        ("working_days: {add: 5}", MONDAY, datetime(2017, 3, 27, 3, tzinfo=UTC)),
        ("working_days: {add: 1}", datetime(2017, 3, 24, 10, 30, tzinfo=UTC), datetime(2017, 3, 27, 10, tzinfo=UTC)),
        ("working_days: {add: 0}", MONDAY, MONDAY),
        ("working_days: {subtract: 1}", MONDAY, datetime(2017, 3, 17, 3, tzinfo=UTC)),
        ("working_days: {add: 1}", datetime(2017, 4, 28, 3, tzinfo=UTC), datetime(2017, 5, 3, 3, tzinfo=UTC)),
    ],
)
def test_working_days_are_those_of_the_administration(written: str, at: datetime, found: datetime) -> None:
    assert convert(written, at, field="due_at", first=False) == found


def test_a_year_without_holidays_is_refused() -> None:
    with pytest.raises(RefusalError, match="the calendar knows the years 1902-2099"):
        convert("working_days: {add: 5}", datetime(2150, 1, 1, tzinfo=UTC), first=False)


@pytest.mark.parametrize(
    ("stands", "found"),
    [("5", datetime(2017, 3, 27, 3, tzinfo=UTC)), (5, datetime(2017, 3, 27, 3, tzinfo=UTC)), (None, None)],
)
def test_the_number_of_days_may_stand_in_the_row(stands: Any, found: Any) -> None:
    built = compiled("working_days: {add_from: so_ngay}", field="due_at", first=False)
    assert built.with_beside is not None
    assert built.beside is not None
    assert built.beside.paths == ("so_ngay",)
    assert built.with_beside(MONDAY, SCOPE, built.beside.get({"so_ngay": stands})) == found


@pytest.mark.parametrize("stands", ["-1", "1000", "x", "1.5", 1.5, True, "²"])
def test_a_number_of_days_that_is_none_is_refused(stands: Any) -> None:
    built = compiled("working_days: {add_from: so_ngay}", field="due_at", first=False)
    assert built.with_beside is not None
    with pytest.raises(RefusalError, match="is no number of working days, from 0 to 999") as refused:
        built.with_beside(MONDAY, SCOPE, stands)
    assert refused.value.found == stands


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An importable module of the deployment's own."""
    module = ModuleType("own_functions")
    monkeypatch.setitem(sys.modules, "own_functions", module)
    return module


def test_a_function_gets_value_and_scope(own: ModuleType) -> None:
    own.__dict__["f"] = lambda value, scope: f" {value} of {scope.values['number']} "
    assert convert("function: 'own_functions:f'", "x") == "x of H-1"


def test_a_function_cannot_change_the_record(own: ModuleType) -> None:
    def f(value: Any, scope: Scope) -> Any:
        scope.values["number"] = value  # type: ignore[index]

    own.__dict__["f"] = f
    with pytest.raises(RefusalError, match="makes the function own_functions:f fail: TypeError") as refused:
        convert("function: 'own_functions:f'", "x")
    assert refused.value.verdict == "park"


@pytest.mark.parametrize(
    ("given_back", "field", "found"),
    [
        ("online", "channel", Channel.ONLINE),
        (Channel.ONLINE, "channel", Channel.ONLINE),
        (4, "service_level", 4),
        ("4", "note", "4"),
        (MONDAY, "due_at", MONDAY),
        (" ", "note", None),
        (None, "note", None),
    ],
)
def test_what_a_function_gives_is_what_the_field_holds(
    own: ModuleType, given_back: Any, field: str, found: Any
) -> None:
    own.__dict__["f"] = lambda value, scope: given_back
    assert convert("function: 'own_functions:f'", "x", field=field) == found


@pytest.mark.parametrize(
    ("given_back", "field", "direction"),
    [
        ("fax", "channel", "in"),
        ([1], "note", "in"),
        (datetime(2017, 1, 1), "due_at", "in"),  # noqa: DTZ001
        ("2017", "due_at", "in"),
        ({}, "note", "out"),
        (float("nan"), "note", "out"),
    ],
)
def test_what_a_field_cannot_hold_parks(own: ModuleType, given_back: Any, field: str, direction: str) -> None:
    own.__dict__["f"] = lambda value, scope: given_back
    with pytest.raises(RefusalError, match="own_functions:f") as refused:
        convert("function: 'own_functions:f'", "x", field=field, direction=direction)
    assert refused.value.verdict == "park"


def test_a_module_that_fails_when_it_is_imported_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_at_import.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="broken_at_import cannot be imported: ZeroDivisionError"):
        compiled("function: 'broken_at_import:f'")


ANYTHING = [
    compiled(written, first=False)
    for written in (
        "split: {by: ',', take: -1}",
        "match: {pattern: '(?P<so>[0-9]+).*', take: so}",
        "replace: [[a, bb], [b, '']]",
        "number: vi",
        "number: {notation: en, decimals: 2}",
        "working_days: {add: 3}",
        "working_days: {subtract: 3}",
    )
]


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes(timezones=st.just(UTC)))
def test_every_value_is_converted_or_refused(value: Any) -> None:
    for one in ANYTHING:
        given_back = None
        with suppress(RefusalError):
            given_back = one.convert(value, SCOPE)
        assert given_back is None or type(given_back) in (str, datetime)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12))
def test_a_number_is_the_same_in_both_notations(number: Any) -> None:
    english = f"{number:,}"
    vietnamese = english.translate(str.maketrans(",.", ".,"))
    plain = convert("number: en", english)
    assert convert("number: vi", vietnamese) == plain
    assert type(number)(plain) == number
