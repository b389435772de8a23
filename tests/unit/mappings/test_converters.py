"""Each converter, alone: what it takes, what it refuses and with which verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.converters import CONVERTERS, Scope, Setting
from mappings.notation import Marked, Problems, parse
from mappings.refusal import RefusalError
from mappings.target import targets
from schemas import Dossier
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError
from schemas.procedure import ProcedureRegister
from schemas.spelling import near

FIELDS = targets(Dossier)
REGISTER = AgencyRegister.from_rows([{"code": "H59.05", "name": "Sở Tư pháp", "level": "province", "aliases": ["STP"]}])


PROCEDURES = ProcedureRegister.from_rows(
    [
        {"code": "1.001193.H59", "name": "Đăng ký khai sinh", "field_code": "HT", "aliases": ["1.001193.000.00.00.H59"],
         "valid_to": "2025-06-30", "successor": "1.001193.H61"},
        {"code": "1.001193.H61", "name": "Đăng ký khai sinh", "field_code": "HT", "valid_from": "2025-07-01"},
    ]
)  # fmt: skip


def convert(
    written: str,
    value: Any,
    *,
    field: str = "note",
    direction: Any = "in",
    values: Any = None,
    procedures: ProcedureRegister = PROCEDURES,
) -> Any:
    """Compile `name: options` as the only converter of a field, and apply it."""
    problems = Problems("m")
    node = parse(written, problems)
    assert node is not None
    assert isinstance(node.value, dict)
    ((name, options),) = node.value.items()
    tables = {"t": {"có": Marked("yes", 1), "1": Marked("one", 1)}, "s": {"x": Marked(4, 1)}}
    setting = Setting(direction, field, FIELDS[field], FIELDS, True, True, tables, set(), "received_at", problems)
    compiled = CONVERTERS[name].build(options, setting)
    problems.stop()
    assert compiled is not None
    received = {"received_at": datetime(2017, 3, 20, tzinfo=UTC)}
    return compiled.convert(value, Scope(REGISTER, received if values is None else values, procedures=procedures))


@pytest.mark.parametrize(
    ("written", "value", "found"),
    [
        ("text: {}", 7, "7"),
        ("text: {squeeze: true}", "a \n\t b", "a b"),
        ("text: {remove: ' -'}", "334 012-345", "334012345"),
        ("text: {remove: ' '}", "   ", None),
        ("text: {case: upper}", "đường", "ĐƯỜNG"),
        ("text: {case: lower}", "ĐƯỜNG", "đường"),
        ("text: {max: 3, over: cut}", "ab cd", "ab"),
        ("text: {max: 5}", "ab cd", "ab cd"),
        ("int: {}", "007", 7),
        ("int: {}", "-7", -7),
        ("int: {min: 1, max: 4}", 4, 4),
        ("bool: {}", "1", True),
        ("bool: {}", False, False),
        ("bool: {true: [Có], false: [không, K]}", "KHÔNG", False),
        ("present: {}", "x", True),
        ("present: true", None, False),
        ("present: {there: Y, absent: N}", None, "N"),
        ("table: t", "có", "yes"),
        ("table: t", 1, "one"),
        ("table: {name: t, unknown: keep}", "lạ", "lạ"),
        ("table: {name: t, unknown: none}", "lạ", None),
        ("table: {name: t, else: zero}", "lạ", "zero"),
        ("agency: code", "stp", "H59.05"),
        ("agency: code", "sở  tư pháp", "H59.05"),
        ("agency: name", "H59.05", "Sở Tư pháp"),
        ("agency: {give: code, unknown: keep}", "H59.77", "H59.77"),
        ("agency: {give: code, unknown: none}", "H59.77", None),
        ("match: '(.+)-[0-9]{6}-[0-9]+'", "H59.05-170320-0001", "H59.05"),
        ("match: '[0-9]+'", "12", "12"),
        ("match: {pattern: '[0-9]+', otherwise: keep}", "x", "x"),
        ("match: {pattern: '[0-9]+', otherwise: none}", "x", None),
        ("match: 'x(y)?'", "x", None),
    ],
)
def test_what_it_gives(written: str, value: Any, found: Any) -> None:
    given = convert(written, value)
    assert (given, type(given)) == (found, type(found))


VIETNAMESE = "aàảãáạăằẳẵắặâầẩẫấậeèẻẽéẹêềểễếệiìỉĩíịoòỏõóọôồổỗốộơờởỡớợuùủũúụưừửữứựyỳỷỹýỵđ"
TCVN3 = bytes.fromhex(
    "61 b5 b6 b7 b8 b9  a8 bb bc bd be c6  a9 c7 c8 c9 ca cb  65 cc ce cf d0 d1  aa d2 d3 d4 d5 d6  69 d7 d8 dc dd de"
    "6f df e1 e2 e3 e4  ab e5 e6 e7 e8 e9  ac ea eb ec ed ee  75 ef f1 f2 f3 f4  ad f5 f6 f7 f8 f9  79 fa fb fc fd fe"
    "ae"
)
"""The standard's table VN3, in the order of the alphabet above."""
VNI = (
    "a aø aû aõ aù aï aê aè aú aü aé aë aâ aà aå aã aá aä e eø eû eõ eù eï eâ eà eå eã eá eä i ì æ ó í ò "
    "o oø oû oõ où oï oâ oà oå oã oá oä ô ôø ôû ôõ ôù ôï u uø uû uõ uù uï ö öø öû öõ öù öï y yø yû yõ yù î ñ"
)
"""VNI's chart, in the same order."""


def test_old_fonts_are_read_over_the_whole_alphabet() -> None:
    assert convert("font: tcvn3", TCVN3.decode("latin-1")) == VIETNAMESE
    assert convert("font: {name: tcvn3, capitals: true}", TCVN3.decode("latin-1")) == VIETNAMESE.upper()
    assert convert("font: tcvn3", "¡¢§£¤¥¦") == "ĂÂĐÊÔƠƯ"
    assert [convert("font: vni", code) for code in VNI.split()] == list(VIETNAMESE)
    assert [convert("font: vni", code.upper()) for code in VNI.split()] == list(VIETNAMESE.upper())
    assert convert("font: vni", VNI.replace(" ", "")) == VIETNAMESE
    assert convert("font: vni", " ".join(code[0].upper() + code[1:] for code in VNI.split())) == " ".join(
        VIETNAMESE.upper()
    )


@pytest.mark.parametrize(
    ("font", "stored", "read"),
    [
        ("tcvn3", "Céng hßa x· héi chñ nghÜa ViÖt Nam", "Cộng hòa xã hội chủ nghĩa Việt Nam"),
        ("tcvn3", "§éc lËp - Tù do - H¹nh phóc", "Độc lập - Tự do - Hạnh phúc"),
        ("vni", "Coäng hoøa xaõ hoäi chuû nghóa Vieät Nam", "Cộng hòa xã hội chủ nghĩa Việt Nam"),
        ("vni", "Ñoäc laäp - Töï do - Haïnh phuùc", "Độc lập - Tự do - Hạnh phúc"),
        ("vni", "ÑÖÔØNG NGUYEÃN ÑÌNH CHIEÅU", "ĐƯỜNG NGUYỄN ĐÌNH CHIỂU"),
        ("tcvn3", "Đã đổi sang Unicode: Hồ sơ", "Đã đổi sang Unicode: Hồ sơ"),
        ("vni", "H59.15-170301-0001", "H59.15-170301-0001"),
    ],
)
def test_old_fonts_are_read_in_whole_sentences(font: str, stored: str, read: str) -> None:
    assert convert(f"font: {font}", stored) == read


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("dang xu li", "Đang xử lý"),
        ("ĐANG  XỬ LÝ", "Đang xử lý"),
        ("Đang xử lí", "Đang xử lý"),
        ("da xong", "Đã xong"),
        ("CỌC", "cọc"),
        ("cốc.", "cốc"),
        ("Ngủ", None),
        ("", None),
    ],
)
def test_the_word_that_was_meant_is_found_without_its_diacritics(word: str, meant: str | None) -> None:
    assert near(word, ["Đang xử lý", "Đã xong", "cọc", "cốc"]) == meant


@pytest.mark.parametrize(
    ("written", "value", "said", "verdict"),
    [
        ("text: {}", True, "text is expected", "reject"),
        ("text: {max: 3}", "abcd", "has 4 characters, at most 3", "reject"),
        ("int: {}", "1.5", "is no whole number", "reject"),
        ("int: {}", "٣", "is no whole number", "reject"),
        ("int: {}", "1" * 30, "is no whole number", "reject"),
        ("int: {min: 1}", "0", "is less than 1", "reject"),
        ("int: {max: 4}", "5", "is more than 4", "reject"),
        ("bool: {}", "có", "is none of the words true, 1, false, 0", "park"),
        ("table: t", "cóc", "is not in the table 't'; near: 'có'", "park"),
        ("table: {name: t, unknown: reject}", "lạ", "is not in the table 't'", "reject"),
        ("agency: code", "H59.06", "unknown agency 'H59.06'; near: 'H59.05'", "park"),
        ("agency: {give: code, unknown: reject}", "H59.06", "unknown agency", "reject"),
        ("match: '[0-9]+'", "12a", "does not look like [0-9]+", "reject"),
    ],
)
def test_what_it_refuses(written: str, value: Any, said: str, verdict: str) -> None:
    with pytest.raises(RefusalError) as caught:
        convert(written, value)
    assert (said in caught.value.reason, caught.value.verdict) == (True, verdict)


def test_numbers_become_codes_where_the_field_holds_codes() -> None:
    assert repr(convert("int: {}", "4", field="status")).startswith("<DossierStatus.IN_PROGRESS")
    assert repr(convert("table: s", "x", field="status")).startswith("<DossierStatus.IN_PROGRESS")
    with pytest.raises(RefusalError, match="is no code of status") as caught:
        convert("int: {}", "44", field="status")
    assert caught.value.verdict == "park"


@pytest.mark.parametrize(
    ("written", "value", "found"),
    [
        ("dd/MM/yyyy HH:mm:ss", "20/03/2017 08:00:00", "2017-03-20T01:00:00+00:00"),
        ("'dd/MM/yyyy[ HH:mm[:ss]]'", "20/03/2017", "2017-03-19T17:00:00+00:00"),
        ("'dd/MM/yyyy[ HH:mm[:ss]]'", "20/03/2017 08:30", "2017-03-20T01:30:00+00:00"),
        ("[dd/MM/yyyy HH:mm, yyyyMMdd]", "20170320", "2017-03-19T17:00:00+00:00"),
        ("d/M/yyyy", "1/3/2017", "2017-02-28T17:00:00+00:00"),
        ("yyyyMMddHHmmss", "20170320080000", "2017-03-20T01:00:00+00:00"),
        ("yyyyMMddHHmmss", 20170320080000, "2017-03-20T01:00:00+00:00"),
        ("\"yyyy-MM-dd'T'HH:mm:ss.SSSZ\"", "2017-03-20T08:00:00.123+0700", "2017-03-20T01:00:00.123000+00:00"),
        ("\"yyyy-MM-dd'T'HH:mm:ssXXX\"", "2017-03-20T08:00:00-01:30", "2017-03-20T09:30:00+00:00"),
        ("\"yyyy-MM-dd'T'HH:mm:ssXXX\"", "2017-03-20T08:00:00Z", "2017-03-20T08:00:00+00:00"),
        ("{format: dd/MM/yyyy HH:mm, zone: UTC}", "20/03/2017 08:00", "2017-03-20T08:00:00+00:00"),
        ("{format: dd/MM/yyyy, none: [01/01/0001, 00/00/0000]}", "00/00/0000", None),
        ("excel", 42814, "2017-03-19T17:00:00+00:00"),
        ("excel", "42814.354166666664", "2017-03-20T01:30:00+00:00"),
        ("excel", 42814.999988425923, "2017-03-20T16:59:59+00:00"),
        ("excel", "61", "1900-02-28T16:53:30+00:00"),
        ("iso", "2017-03-20", "2017-03-19T17:00:00+00:00"),
        ("iso", "2017-03-20 08:00", "2017-03-20T01:00:00+00:00"),
        ("iso", "2017-03-20T08:00:00.1234567", "2017-03-20T01:00:00.123456+00:00"),
        ("iso", "2017-03-20T08:00:00Z", "2017-03-20T08:00:00+00:00"),
        ("/Date(ms)/", "/Date(1489971600000)/", "2017-03-20T01:00:00+00:00"),
        ("/Date(ms)/", "\\/Date(1489971600000+0700)\\/", "2017-03-20T01:00:00+00:00"),
        ("epoch-ms", 1489971600000, "2017-03-20T01:00:00+00:00"),
    ],
)
def test_dates_that_are_read(written: str, value: Any, found: str | None) -> None:
    at = convert(f"date: {written}", value, field="due_at")
    assert (at and at.isoformat()) == found


@pytest.mark.parametrize(
    ("written", "value", "said"),
    [
        ("dd/MM/yyyy", "31/02/2017", "is no date of the calendar: day is out of range"),
        ("dd/MM/yyyy", "29/02/2017", "is no date of the calendar"),
        ("dd/MM/yyyy", "01/13/2017", "is no date of the calendar: month"),
        ("dd/MM/yyyy HH:mm", "01/12/2017 24:00", "is no date of the calendar: hour"),
        ("dd/MM/yyyy", "1/2/2017", "is no date written as dd/MM/yyyy"),
        ("[dd/MM/yyyy, iso]", "hôm qua", "is no date written as dd/MM/yyyy or iso"),
        ("dd/MM/yyyy", "٢٠/03/2017", "is no date written as"),
        ("dd/MM/yyyy", "01/01/0001", "is outside the years 1900-2199; what means 'no date' belongs under `none`"),
        ("dd/MM/yyyy", "02/01/0217", "is outside the years 1900-2199"),
        ("dd/MM/yyyy", "31/12/9999", "is outside the years 1900-2199"),
        ("/Date(ms)/", "/Date(-62135596800000)/", "is outside the years"),
        ("/Date(ms)/", "/Date(999999999999999)/", "is outside the years 1900-2199"),
        ("/Date(ms)/", "1489971600000", "is no date written as"),
        ("iso", "2017-03-20+07:00", "is no date written as iso"),
        ("iso", "2017-W12-1", "is no date written as iso"),
        ("\"yyyy-MM-dd'T'HHZ\"", "2017-03-20T08+9900", "is no date of the calendar"),
        ("dd/MM/yyyy", True, "is no date"),
    ],
)
def test_dates_that_are_refused(written: str, value: Any, said: str) -> None:
    with pytest.raises(RefusalError) as caught:
        convert(f"date: {written}", value, field="due_at")
    assert (said in caught.value.reason, caught.value.verdict) == (True, "reject")


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("yyyyMMddHHmmss", "20170320080009"),
        ("dd/MM/yyyy", "20/03/2017"),
        ("\"yyyy-MM-dd'T'HH:mm:ss.SSSZ\"", "2017-03-20T08:00:09.007+0700"),
        ("yyyy-MM-dd HH:mm:ssXXX", "2017-03-20 08:00:09+07:00"),
        ("\"'ngày' dd 'tháng' MM '100%' yyyy\"", "ngày 20 tháng 03 100% 2017"),
        ("{format: yyyyMMddHHmmss, zone: UTC}", "20170320010009"),
        ("iso", "2017-03-20T08:00:09.007000+07:00"),
        ("/Date(ms)/", "/Date(1489971609007)/"),
        ("epoch-ms", 1489971609007),
    ],
)
def test_dates_that_are_written(written: str, found: Any) -> None:
    at = datetime(2017, 3, 20, 1, 0, 9, 7000, tzinfo=UTC)
    assert convert(f"date: {written}", at, field="due_at", direction="out") == found


@pytest.mark.parametrize(
    ("written", "value", "found"),
    [
        ("procedure: code", "1.001193.000.00.00.h59", "1.001193.H59"),
        ("procedure: name", " 1.001193.H59", "Đăng ký khai sinh"),
        ("procedure: field_code", "1.001193.H59", "HT"),
        ("procedure: field_name", "1.001193.H59", None),
        ("procedure: {give: code, unknown: keep}", "9.9", "9.9"),
        ("procedure: {give: name, unknown: none}", "9.9", None),
    ],
)
def test_a_procedure_is_looked_up_as_of_the_day(written: str, value: str, found: str | None) -> None:
    assert convert(written, value, field="procedure_code") == found


@pytest.mark.parametrize(
    ("written", "value", "verdict", "said"),
    [
        ("procedure: code", "1.001198.H59", "park", "unknown procedure '1.001198.H59'; near: '1.001193.H59'"),
        ("procedure: {give: code, unknown: reject}", "1.001193.H61", "reject",
         "means nothing on 2017-03-20: it is 1.001193.H61 from 2025-07-01"),
        ("procedure: {give: code, register: optional}", "9.9", "park", "unknown procedure '9.9'"),
    ],
)  # fmt: skip
def test_a_procedure_that_is_not_known_refuses_the_row(written: str, value: str, verdict: str, said: str) -> None:
    with pytest.raises(RefusalError) as caught:
        convert(written, value, field="procedure_code")
    assert (caught.value.verdict, said in caught.value.reason) == (verdict, True)


def test_what_has_ended_is_told_with_what_took_its_place() -> None:
    with pytest.raises(RefusalError, match=r"until 2025-06-30; its successor is 1\.001193\.H61"):
        convert("procedure: code", "1.001193.H59", values={"received_at": datetime(2025, 7, 1, tzinfo=UTC)})


def test_without_procedures_an_optional_register_changes_nothing_and_needs_no_day() -> None:
    nobody = ProcedureRegister.empty()
    assert convert("procedure: {give: code, register: optional}", " 9.9 ", values={}, procedures=nobody) == " 9.9 "
    with pytest.raises(RefusalError, match="no procedures are registered"):
        convert("procedure: code", "9.9", procedures=nobody)


@pytest.mark.parametrize(
    ("written", "mend"),
    [
        ("procedure: {give: name, unknown: keep}", "leave out `unknown: keep`"),
        ("procedure: {give: name, register: optional}", "leave out `register: optional`"),
        ("procedure: {give: code, on: recieved_at}", "did you mean 'received_at'?"),
        ("procedure: nmae", "did you mean 'name'?"),
    ],
)
def test_a_wrong_look_up_of_a_procedure_is_a_problem_of_the_mapping(written: str, mend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(written, "1", field="procedure_code")
    assert mend in caught.value.problems[0].mend
