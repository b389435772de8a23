"""Agency codes in both forms, and the register that resolves them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from unicodedata import normalize

import pytest

from schemas.agency import Agency, AgencyRegister, ParsedCode, parse_code
from schemas.codes import AgencyLevel
from schemas.errors import CodeUnknownError, ConfigError, RefusedValueError

DAY = date(2017, 6, 1)


def rows() -> list[dict[str, Any]]:
    return [
        {
            "code": "H59.05",
            "name": "Sở Thông tin và Truyền thông",
            "level": "province",
            "aliases": ["000.00.05.H59", {"code": "Sở TT&TT", "valid_to": date(2025, 6, 30)}],
            "valid_to": "2025-06-30",
            "successor": "H61.07",
        },
        {"code": "H61.07", "name": "Sở Khoa học và Công nghệ", "level": "province", "valid_from": "2025-07-01"},
        {"code": "H59.CL.001", "name": "UBND thị trấn Càng Long", "level": "commune"},
    ]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("000.00.05.H59", ParsedCode("000.00.05.H59", "old", ("H59", "05"))),
        ("000.00.00.H49", ParsedCode("000.00.00.H49", "old", ("H49",))),
        ("005.00.03.H59", ParsedCode("005.00.03.H59", "old", ("H59", "03", "00", "005"))),
        ("000.12.09.H59", ParsedCode("000.12.09.H59", "old", ("H59", "09", "12"))),
        ("H59.12", ParsedCode("H59.12", "new", ("H59", "12"))),
        ("h37.dn.001", ParsedCode("H37.DN.001", "new", ("H37", "DN", "001"))),
        (" 000.00. 05.H59\u00a0", ParsedCode("000.00.05.H59", "old", ("H59", "05"))),
        ("G14", ParsedCode("G14", "new", ("G14",))),
    ],
)
def test_reads_both_forms(text: str, parsed: ParsedCode) -> None:
    assert parse_code(text) == parsed
    assert parse_code(parsed.text) == parsed
    assert parsed.root == parsed.parts[0]


@pytest.mark.parametrize("text", ["", " ", "H5", "59.H", "000.00.05", "H59..1", "H59.", "Sở Y tế", "H59." + "1" * 40])
def test_refuses_other_forms(text: str) -> None:
    with pytest.raises(RefusedValueError, match="is no agency code"):
        parse_code(text)


def test_resolves_codes_and_aliases() -> None:
    register = AgencyRegister.from_rows(rows())
    assert len(register) == 3
    for spelt in (
        "H59.05",
        "h59.05",
        "H59 .05",
        "000.00.05.H59",
        "000.00. 05.H59",
        "Sở TT&TT",
        "SỞ  tt&tt",
        "So\u031b\u0309 TT&TT",
    ):
        assert register.resolve(spelt, DAY).code == "H59.05", spelt
    agency = register.resolve("H59.CL.001", DAY)
    assert (agency.level, agency.name) == (AgencyLevel.COMMUNE, "UBND thị trấn Càng Long")
    assert [one.code for one in register] == ["H59.05", "H61.07", "H59.CL.001"]
    assert register.get("H59.05") is register.resolve("000.00.05.H59", DAY)
    assert register.get("000.00.05.H59") is None


def test_resolves_by_the_day_in_viet_nam() -> None:
    register = AgencyRegister.from_rows(rows())
    assert register.resolve("H59.05", date(2025, 6, 30)).code == "H59.05"
    assert register.resolve("H61.07", datetime(2025, 6, 30, 17, 0, tzinfo=UTC)).code == "H61.07"
    with pytest.raises(CodeUnknownError) as caught:
        register.resolve("000.00.05.H59", date(2025, 7, 1))
    assert str(caught.value) == (
        "agency code '000.00.05.H59' means nothing on 2025-07-01: "
        "it is H59.05 until 2025-06-30; its successor is H61.07"
    )
    with pytest.raises(CodeUnknownError, match=r"it is H61\.07 from 2025-07-01"):
        register.resolve("H61.07", DAY)


def test_a_code_may_pass_to_another_agency() -> None:
    moved = rows()
    moved[1]["aliases"] = [{"code": "000.00.05.H59", "valid_from": "2025-07-01"}]
    register = AgencyRegister.from_rows(moved)
    assert register.resolve("000.00.05.H59", date(2025, 6, 30)).code == "H59.05"
    assert register.resolve("000.00.05.H59", date(2025, 7, 1)).code == "H61.07"


def test_an_unknown_code_names_the_nearest() -> None:
    register = AgencyRegister.from_rows(rows())
    for _ in range(2):
        with pytest.raises(CodeUnknownError) as caught:
            register.resolve("000.00.06.H59", DAY)
        assert str(caught.value) == "unknown agency '000.00.06.H59'; near: '000.00.05.H59'"
    with pytest.raises(CodeUnknownError, match=r"^unknown agency 'zzz'$"):
        register.resolve("zzz", DAY)


def test_remembers_a_bounded_number_of_suggestions() -> None:
    register = AgencyRegister.from_rows(rows())
    for number in range(1100):
        with pytest.raises(CodeUnknownError, match="near: "):
            register.resolve(f"H59.{number}.05", DAY)


def test_an_empty_register_says_so() -> None:
    with pytest.raises(CodeUnknownError, match=r"^unknown agency 'H59\.05' \(no agencies are registered\)$"):
        AgencyRegister.empty().resolve("H59.05", DAY)


def test_a_name_is_found_where_it_is_one_agencys() -> None:
    twice: list[dict[str, Any]] = [
        {"code": "H59.01", "name": "Sở Y tế", "level": "province", "valid_to": "2025-06-30"},
        {"code": "H59.02", "name": "Sở Y tế", "level": "province", "valid_from": "2025-06-01"},
        {"code": "H59.03", "name": "Phòng Tư pháp", "level": "district"},
        {"code": "H59.04", "name": "phòng  tư pháp", "level": "district"},
        {"code": "H59.05", "name": "Sở Nội vụ", "level": "province", "valid_to": "2017-12-31"},
    ]
    register = AgencyRegister.from_rows(twice)
    for spelt in ("Sở Y tế", "SỞ Y  TẾ", normalize("NFD", "sở y tế")):
        assert register.resolve(spelt, date(2025, 5, 31)).code == "H59.01", spelt
    assert register.resolve("Sở Y tế", date(2025, 7, 1)).code == "H59.02"
    with pytest.raises(CodeUnknownError, match=r"is the name of H59\.01 and H59\.02 on 2025-06-15: use a code, or add"):
        register.resolve("Sở Y tế", date(2025, 6, 15))
    with pytest.raises(CodeUnknownError, match=r"is the name of H59\.03 and H59\.04 on"):
        register.resolve("Phòng Tư pháp", DAY)
    with pytest.raises(CodeUnknownError, match=r"means nothing on 2018-01-01: it is H59\.05 until 2017-12-31"):
        register.resolve("Sở Nội vụ", date(2018, 1, 1))
    for misspelt in ("Sở Y tê", "so y te"):
        with pytest.raises(CodeUnknownError, match="near: 'Sở Y tế'"):
            register.resolve(misspelt, DAY)
    twice[2]["aliases"] = ["Phòng Tư pháp"]
    assert AgencyRegister.from_rows(twice).resolve("Phòng Tư pháp", DAY).code == "H59.03"


def test_says_every_problem_of_every_row() -> None:
    bad: list[dict[str, Any]] = [
        {"code": "x", "level": "ward", "name": "A"},
        {"code": "H59.01", "level": "province"},
        {"code": "H59.02", "name": "B", "level": "province", "aliases": [{"code": "b", "valid_from": "1/7/2025"}]},
        {"code": "H59.03", "name": "C", "level": "province", "successor": "H60.03"},
        {"code": "H59.04", "name": "D", "level": "province", "aliases": ["H59 .03"], "tel": "1"},
        {"code": "H59.06", "name": "E", "level": "province", "aliases": ["h59.03"]},
        {"code": "H59.07", "name": "F", "level": "province", "valid_from": "2026-01-01", "valid_to": "2025-01-01"},
        {"code": 5901, "name": "G", "level": "province", "valid_from": datetime(2017, 1, 1, tzinfo=UTC)},
    ]
    with pytest.raises(ConfigError) as caught:
        AgencyRegister.from_rows(bad)
    assert [problem.message for problem in caught.value.problems] == [
        "agency 1 (x): code: is no agency code; the forms are 'H59.05' and '000.00.05.H59' (found 'x')",
        "agency 1 (x): level: Input should be 'central', 'province', 'district' or 'commune' (found 'ward')",
        "agency 2 (H59.01): name: is required",
        "agency 3 (H59.02): aliases.0.valid_from: Should be a day like 2025-07-01 (found '1/7/2025')",
        "agency 5 (H59.04): tel: is no field of Agency (found '1')",
        "agency 8 (5901): code: Input should be a valid string (found '5901')",
        "agency 8 (5901): valid_from: Should be a day, not a time (found '2017-01-01 00:00:00+00:00')",
        "H59.03: successor H60.03 is unknown",
        "'h59.03' is H59.06 and H59.03 at one time",
        "H59.07: 'H59.07' is valid on no day",
    ]


def test_a_row_that_is_no_mapping_is_named() -> None:
    with pytest.raises(ConfigError, match="agency 1: Agency: "):
        AgencyRegister.from_rows(["H59.05"])  # type: ignore[list-item]  # YAML may hold anything


def test_an_alias_outside_the_agencys_own_days_is_refused() -> None:
    row = rows()[1] | {"aliases": [{"code": "KHCN", "valid_to": "2025-06-30"}]}
    with pytest.raises(ConfigError, match="'KHCN' is valid on no day"):
        AgencyRegister.from_rows([row])


def test_a_code_twice_is_a_clash() -> None:
    with pytest.raises(ConfigError, match="at one time"):
        AgencyRegister([Agency(code="H59.05", name=name, level=AgencyLevel.PROVINCE) for name in ("A", "B")])
