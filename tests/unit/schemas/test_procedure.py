"""The register of procedures: what a code means on a day, what is near an unknown one, and what took the place of one
that has ended."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import CodeUnknownError, ConfigError
from schemas.procedure import Procedure, ProcedureField, ProcedureRegister

MERGED = date(2025, 7, 1)
BEFORE = date(2025, 6, 30)
BIRTH = {"code": "1.001193.H59", "name": "Đăng ký khai sinh", "valid_to": BEFORE, "successor": "1.001193.H61"}
HEIR = {"code": "1.001193.H61", "name": "Đăng ký khai sinh", "valid_from": MERGED}


def register(*rows: dict[str, Any]) -> ProcedureRegister:
    return ProcedureRegister.from_rows(rows)


def test_a_code_means_one_thing_before_a_merger_and_nothing_after_it() -> None:
    known = register(BIRTH, HEIR)
    assert known.resolve("1.001193.H59", BEFORE).code == "1.001193.H59"
    assert known.resolve(" 1.001193. h61", MERGED).code == "1.001193.H61"
    with pytest.raises(CodeUnknownError, match=r"until 2025-06-30; its successor is 1\.001193\.H61$"):
        known.resolve("1.001193.H59", MERGED)
    with pytest.raises(CodeUnknownError, match=r"means nothing on 2025-06-30: it is 1\.001193\.H61 from 2025-07-01$"):
        known.resolve("1.001193.H61", BEFORE)


def test_the_day_is_that_of_viet_nam() -> None:
    known = register(BIRTH, HEIR)
    late = datetime(2025, 6, 30, 17, 30, tzinfo=UTC)
    assert known.resolve("1.001193.H61", late).code == "1.001193.H61"


def test_an_alias_has_days_of_its_own() -> None:
    alias = {"code": "1.001193.000.00.00.H59", "valid_to": "2020-12-31"}
    known = register({**BIRTH, "aliases": [alias, "KS-01"]})
    assert known.resolve("1.001193.000.00.00.H59", date(2020, 12, 31)).code == "1.001193.H59"
    assert known.resolve("ks-01", date(2021, 1, 1)).code == "1.001193.H59"
    with pytest.raises(CodeUnknownError, match="until 2020-12-31"):
        known.resolve("1.001193.000.00.00.H59", date(2021, 1, 1))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("1.001193.000.00.00.H59", "1.001193.H59"),
        ("1.001198.H59", "1.001193.H59"),
        ("1.002193.H59", "1.001193.H59"),
        ("nothing-like-it", None),
    ],
)
def test_what_is_near_an_unknown_code_is_named(wrong: str, near: str | None) -> None:
    others = [{"code": f"2.{number:06}.H59", "name": "Khác"} for number in range(700, 900)]
    known = register({**BIRTH, "valid_to": None, "successor": None}, *others)
    assert known.nearest(wrong) == near
    with pytest.raises(CodeUnknownError, match=f"near: '{near}'" if near else "unknown procedure 'nothing-like-it'$"):
        known.resolve(wrong, MERGED)


def test_a_successor_that_has_ended_leads_on_to_its_own() -> None:
    middle = {**HEIR, "valid_to": "2025-12-31", "successor": "2.000001.H61"}
    known = register(BIRTH, middle, {"code": "2.000001.H61", "name": "Mới", "valid_from": "2026-01-01"})
    with pytest.raises(CodeUnknownError, match=r"its successor is 2\.000001\.H61$"):
        known.resolve("1.001193.H59", date(2026, 1, 1))


def test_a_successor_need_not_be_known_and_a_circle_ends() -> None:
    with pytest.raises(CodeUnknownError, match=r"its successor is 1\.001193\.H61$"):
        register(BIRTH).resolve("1.001193.H59", MERGED)
    circle = register(BIRTH, {**HEIR, "valid_from": None, "valid_to": BEFORE, "successor": "1.001193.H59"})
    with pytest.raises(CodeUnknownError, match=r"its successor is 1\.001193\.H61$"):
        circle.resolve("1.001193.H59", MERGED)


def test_the_name_of_a_field_may_stand_in_the_catalogue_of_fields() -> None:
    fields = [
        ProcedureField(code="HT", name="Hộ tịch", valid_to=BEFORE),
        ProcedureField(code="HT", name="Hộ tịch và quốc tịch", valid_from=MERGED),
    ]
    one, own = Procedure(code="1", name="A", field_code="ht"), Procedure(code="2", name="B", field_name="Riêng")
    known = ProcedureRegister([one, own], fields)
    assert [known.field_name(one, day) for day in (BEFORE, MERGED)] == ["Hộ tịch", "Hộ tịch và quốc tịch"]
    assert known.field_name(own, MERGED) == "Riêng"


@pytest.mark.parametrize(
    ("rows", "rule", "said"),
    [
        ([BIRTH, {**BIRTH, "name": "Khác"}], "procedure-twice", "is in two rows at one time"),
        ([BIRTH, {**HEIR, "aliases": ["1.001193.H59"]}], "", ""),
        ([{**BIRTH, "valid_from": "2025-07-02"}], "procedure-days", "is valid on no day"),
        ([{**BIRTH, "code": "1 2 3 ", "nmae": "x"}], "procedure-row", "procedure 1 (1 2 3 )"),
        ([{**BIRTH, "valid_to": "30/06/2025"}], "procedure-row", "Should be a day like 2025-07-01"),
    ],
)
def test_what_is_wrong_with_rows_is_named(rows: list[dict[str, Any]], rule: str, said: str) -> None:
    if not rule:
        register(*rows)
        return
    with pytest.raises(ConfigError) as caught:
        register(*rows)
    assert {problem.rule for problem in caught.value.problems} == {rule}
    assert any(said in problem.message for problem in caught.value.problems)


DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@given(cuts=st.lists(DAYS, min_size=1, max_size=5, unique=True).map(sorted), day=DAYS)
def test_rows_that_follow_each_other_mean_exactly_one_on_every_day(cuts: list[date], day: date) -> None:
    starts, ends = [None, *cuts], [*(date.fromordinal(cut.toordinal() - 1) for cut in cuts), None]
    rows = [
        {"code": "1.000001.H59", "name": str(number), "valid_from": first, "valid_to": last}
        for number, (first, last) in enumerate(zip(starts, ends, strict=True))
    ]
    found = ProcedureRegister.from_rows(rows).resolve("1.000001.H59", day)
    assert found.name == str(sum(cut <= day for cut in cuts))


@given(successors=st.lists(st.none() | st.integers(0, 7), min_size=8, max_size=8), living=st.sets(st.integers(0, 7)))
def test_an_heir_is_a_living_successor_whatever_leads_there(successors: list[int | None], living: set[int]) -> None:
    rows = [
        {
            "code": f"1.00000{number}.H59",
            "name": "A",
            "valid_to": None if number in living else BEFORE,
            "successor": None if after is None else f"1.00000{after}.H59",
        }
        for number, after in enumerate(successors)
    ]
    known = ProcedureRegister.from_rows(rows)
    for number, procedure in enumerate(known):
        chain, at = [], successors[number]
        while at is not None and at not in chain:
            chain.append(at)
            at = None if at in living else successors[at]
        expected = next((one for one in chain if one in living), None)
        heir = known.heir(procedure, MERGED)
        assert (None if heir is None else heir.code) == (None if expected is None else f"1.00000{expected}.H59")
