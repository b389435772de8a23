"""Guessing: names, dates and codes by tables of cases, and whatever a sample holds nothing but a clear error comes."""

from __future__ import annotations

import base64
import json
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.scaffold import shapes
from hub.scaffold.anonymise import Anonymiser, anonymous
from hub.scaffold.guess import guess
from hub.scaffold.mapping_file import mapping_text
from hub.scaffold.names import SYNONYMS, fold, rank
from hub.scaffold.sample import chosen, places, read
from hub.scaffold.words import WORDS, code_of
from hub.scaffold.workbook import workbook
from hub.scaffold.write import with_entry
from hub.scaffold.yaml_text import flow, key, quoted, scalar
from mappings.decode import xlsx
from mappings.inbound import InboundMapping
from mappings.load import CATALOGUE, load
from mappings.notation import Problems, parse
from mappings.rows import ReadContext, RowOk, RowRefused
from mappings.target import targets
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, Problem
from schemas.record import KINDS


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("MaHoSo", "number"),
        ("so_ho_so", "number"),
        ("SO-HO-SO", "number"),
        ("Số hồ sơ", "number"),
        ("strSoHoSo", "number"),
        ("ngayHenTra", "due_at"),
        ("NGAY_TIEP_NHAN", "received_at"),
        ("Ngày tiếp nhận hồ sơ", "received_at"),
        ("TrangThai", "status"),
        ("ten_thu_tuc", "procedure_name"),
        ("NguoiNop", "applicant_name"),
        ("Đơn vị", "agency"),
        ("don_vi_xu_ly", "agency"),
        ("DocCode", "number"),
    ],
)
def test_names_are_compared_without_diacritics_case_and_signs(name: str, field: str) -> None:
    ranks = {one: found for one in targets(KINDS["dossier.v1"]) if (found := rank(name, "dossier.v1", one)) is not None}
    assert min(ranks, key=lambda one: ranks[one]) == field


@pytest.mark.parametrize("kind", SYNONYMS)
def test_the_table_of_names_knows_every_field_and_no_other(kind: str) -> None:
    fields = set(targets(KINDS[kind])) - {"agency_level"}
    assert set(SYNONYMS[kind]) == fields
    for names in SYNONYMS[kind].values():
        assert len({fold(name) for name in names}) == len(names)


@pytest.mark.parametrize("field", WORDS)
def test_words_mean_codes_that_the_field_has(field: str) -> None:
    target = next(known[field] for model in KINDS.values() if field in (known := targets(model)))
    assert {str(code) for code in WORDS[field].values()} == set(target.members)


@pytest.mark.parametrize(
    ("field", "word", "code"),
    [
        ("status", "ĐANG XỬ LÝ", 4),
        ("status", "dang-xu-ly", 4),
        ("status", "releasing", 9),
        ("status", "05", 5),
        ("status", "Đã trả kết quả", 10),
        ("status", "Đang ngủ", None),
        ("channel", "truc_tuyen", "online"),
        ("applicant_kind", "Doanh nghiệp", "enterprise"),
        ("note", "x", None),
        ("priority", "Hoả tốc", "express"),
        ("priority", "2", "very-urgent"),
        ("medium", "điện tử + giấy", "parallel"),
    ],
)
def test_words_of_code_lists(field: str, word: str, code: Any) -> None:
    assert code_of(field, word) == code


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        (["13/02/2017 09:40:52"], ("dd/MM/yyyy HH:mm:ss",)),
        (["13/02/2017 09:40"], ("dd/MM/yyyy HH:mm",)),
        (["1/2/2017", "13/12/2017"], ("d/M/yyyy[ H:mm[:ss]]",)),
        (["20170213094052"], ("yyyyMMddHHmmss",)),
        (["/Date(1520000000000)/"], ("/Date(ms)/",)),
        (["2017-02-13T09:40:52+07:00", "2017-02-13"], ("iso",)),
        (["2017-02-13T09:40:52.123+0700"], ("iso",)),
        ([1520000000000], ("epoch-ms",)),
        (["43161.5"], ("excel",)),
        (["2017/02/13"], ("yyyy/MM/dd",)),
        (["12/31/2017"], ("MM/dd/yyyy",)),
        (["13/02/2017", "2017-02-13"], ("dd/MM/yyyy", "iso")),
        (["13/02/2017", "0001-01-01T00:00:00"], ("dd/MM/yyyy",)),
    ],
)
def test_dates_by_their_shape(values: list[Any], formats: tuple[str, ...]) -> None:
    found = shapes.dates(values)
    assert found is not None
    assert found.formats == formats


@pytest.mark.parametrize("values", [[], ["Đang xử lý"], ["13/02/2017", "sớm"], ["31/02/2017"], [None], [True], ["0"]])
def test_what_is_no_column_of_dates(values: list[Any]) -> None:
    assert shapes.dates(values) is None


@pytest.mark.parametrize(
    ("values", "sort"),
    [
        (["Tháng 3/2018", "Quý I/2018", "2018"], "any"),
        (["3/2018", "12/2018"], "month"),
        (["I/2018", "4/2018"], "month"),
        (["IV/2018", "Quý I/2018"], "quarter"),
        ([2017, "2018"], "any"),
        (["nay"], None),
        ([], None),
    ],
)
def test_periods_by_their_shape(values: list[Any], sort: str | None) -> None:
    assert shapes.period(values) == sort


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["1.234,5", "12"], ("vi", False)),
        (["1,234.5"], ("en", False)),
        (["1.234"], ("vi", True)),
        (["12", 1.5], ("vi", False)),
        ([1.5, 7], ("vi", False)),
        (["1.234,5", "1,234.5"], None),
        (["—"], None),
    ],
)
def test_notations_by_their_shape(values: list[Any], found: tuple[str, bool] | None) -> None:
    assert shapes.notation(values) == found


SENDERS = AgencyRegister.from_rows(
    [
        {"code": "H56.05", "name": "Sở Thông tin và Truyền thông", "level": "province", "aliases": ["000.00.05.H56"]},
        {"code": "H12.31", "name": "UBND huyện Năm Căn", "level": "district"},
    ]
)
CATALOGUE_SAMPLES = (
    ("td-office/samples/van-ban-di.json", "document.v1"),
    ("staff/samples/can-bo-2018.csv", "indicator.v1"),
)


@pytest.mark.parametrize(("file", "kind"), CATALOGUE_SAMPLES)
def test_a_list_of_documents_or_figures_becomes_a_mapping_that_compiles(file: str, kind: str, tmp_path: Path) -> None:
    body = (CATALOGUE / file).read_bytes()
    sample = read(body, places(body, file)[0])
    guesses = guess(sample, kind)
    assert guesses.lacking == ()
    made = tmp_path / "made.yaml"
    made.write_text(mapping_text(f"x/{kind.partition('.')[0]}", "x", sample, guesses), encoding="utf-8")
    compiled = load(made)
    assert isinstance(compiled, InboundMapping)
    rows = list(compiled.read(body, charset=None, context=ReadContext(SENDERS)))
    assert any(isinstance(row, RowOk) for row in rows), [str(row.error) for row in rows if isinstance(row, RowRefused)]


def test_days_that_two_ways_of_writing_share_are_said() -> None:
    doubtful, sure = shapes.dates(["05/06/2017"]), shapes.dates(["05/06/2017", "13/06/2017"])
    assert doubtful is not None
    assert doubtful.or_else == "MM/dd/yyyy"
    assert sure is not None
    assert sure.or_else == ""


HOSO = "<HoSo><SoHoSo>H-1</SoHoSo><TrangThai>Mới</TrangThai><NgayNhan>13/02/2017</NgayNhan></HoSo>"
INNER = f"<DanhSach><Tong>2</Tong>{HOSO}{HOSO}</DanhSach>"
ROW = {"so_ho_so": "H-1", "trang_thai": "new", "ngay_nhan": "13/02/2017", "nguoi_nop": {"ho_ten": "Lê Thị Sáu"}}
DIFFGRAM = (
    '<r><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"/></xs:schema>'
    '<d:diffgram xmlns:d="urn:schemas-microsoft-com:xml-diffgram-v1"><NewDataSet xmlns="">'
    + "".join(
        f'<Table d:id="T{n}"><SoHoSo>H-{n}</SoHoSo><TrangThai>1</TrangThai><HoTen>A</HoTen></Table>' for n in (1, 2)
    )
    + "</NewDataSet></d:diffgram></r>"
)


@pytest.mark.parametrize(
    ("body", "path", "count", "unwraps"),
    [
        (INNER, "/DanhSach/HoSo", 2, 0),
        (f"<e><r><![CDATA[{INNER}]]></r></e>", "/DanhSach/HoSo", 2, 1),
        (f"<e><r>{base64.b64encode(INNER.encode()).decode()}</r></e>", "/DanhSach/HoSo", 2, 1),
        (f"<e><r>{json.dumps({'data': [ROW, ROW]})}</r></e>", "data", 2, 1),
        (f"<D>{HOSO}</D>", "/D/HoSo", 1, 0),
        (DIFFGRAM, "/r/diffgram/NewDataSet/Table", 2, 0),
        (json.dumps([ROW, ROW, ROW]), ".", 3, 0),
        (json.dumps({"a": {"b-c": [ROW]}}), 'a."b-c"', 1, 0),
        (json.dumps({"d": json.dumps([ROW])}), ".", 1, 1),
        (json.dumps(ROW), ".", 1, 0),
        ("So ho so;Trang thai\nH-1;1\nH-2;1\n", ".", 2, 0),
        ("So ho so\tTrang thai\nH-1\t1\n", ".", 1, 0),
    ],
)
def test_where_the_rows_are(body: str, path: str, count: int, unwraps: int) -> None:
    found = places(body.encode(), "sample")
    assert (found[0].path, found[0].count, len(found[0].spec.unwrap)) == (path, count, unwraps)
    sample = read(body.encode(), found[0])
    assert len(sample.columns) >= 2
    assert all(len(column.values) == count for column in sample.columns)


def test_several_lists_are_told_apart_by_what_they_hold_or_by_a_person() -> None:
    body = json.dumps({"canh_bao": [{"ma": 1}, {"ma": 2}], "du_lieu": [ROW]}).encode()
    found = places(body, "x.json")
    assert chosen(found, None, "x.json").path == "du_lieu"
    assert chosen(found, "canh_bao", "x.json").count == 2


def test_fields_below_others_and_attributes_are_columns() -> None:
    body = b'<D><HoSo ma="1"><So>H</So><Nop loai="CD"><HoTen>L</HoTen></Nop></HoSo><HoSo ma="2"><So>K</So></HoSo></D>'
    sample = read(body, places(body, "x.xml")[0])
    assert {column.path: column.values for column in sample.columns} == {
        "@ma": ("1", "2"),
        "So": ("H", "K"),
        "Nop/@loai": ("CD", None),
        "Nop/HoTen": ("L", None),
    }


@pytest.mark.parametrize(
    ("text", "name", "made"),
    [
        ("Hồ Văn Giàu", "NguoiNop", "Nguyễn Văn An"),
        ("HỒ VĂN GIÀU", "NguoiNop", "NGUYỄN VĂN AN"),
        ("0912.345.678", "DienThoai", "0999.000.001"),
        ("334567890123", "CCCD", "999000000001"),
        ("giau@travinh.gov.vn", "la", "nguoi-nop-1@example.vn"),
        ("Đang xử lý", "TrangThai", "Đang xử lý"),
        ("13/02/2017", "la", "13/02/2017"),
        ("abc-very-secret", "SessionToken", "hồ"),
        ("12", "la", "12"),
        ("Giấy phép 77 mẫu", "SoHieu", "Hồ sơ mẫu của"),
    ],
)
def test_people_are_replaced_by_values_of_the_same_shape(text: str, name: str, made: str) -> None:
    anonymiser = Anonymiser()
    assert anonymiser.value(text, name, name) == made
    assert anonymiser.value(text, name, name) == made


# --- whatever comes ---------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["so_ho_so", "MaTTHC", "trang_thai", "ngay_nhan", "NguoiNop", "don_vi", "x y", 'q"', "a.b", ""])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.sampled_from(["13/02/2017", "/Date(1520000000000)/", "H-1", "[]", "{}", "<a/>", "Mới"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
ROWS = st.lists(st.dictionaries(NAMES | st.text(string.printable, max_size=6), SCALARS, max_size=8), max_size=5)


def scaffolded(body: bytes, name: str) -> None:
    """All of it as `hub new source` does it; only ConfigError may come, and what is made can be read again."""
    refused: list[Problem] = []
    try:
        place = chosen(places(body, name), None, name)
    except ConfigError as error:
        refused = error.problems
    assert all(problem.message and problem.mend for problem in refused)
    if refused:
        return
    sample = read(body, place)
    guesses = guess(sample, "dossier.v1")
    text = mapping_text("x/dossier", "thử", sample, guesses, head="# head")
    problems = Problems("x")
    assert parse(text, problems) is not None, text
    assert problems.found == []
    made_of = {one.column.path: one.field for one in guesses.fields if one.column is not None}
    recorded = anonymous(body, sample, made_of, "dossier.v1")
    assert places(recorded, name)
    if not guesses.problems:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "dossier.yaml"
            file.write_text(text, encoding="utf-8")
            load(file)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_any_json_ends_in_a_scaffold_or_a_clear_error(value: Any) -> None:
    scaffolded(json.dumps(value).encode(), "x.json")


@given(ROWS)
@settings(max_examples=150, deadline=None)
def test_any_rows_of_json_do(rows: list[Any]) -> None:
    scaffolded(json.dumps({"du_lieu": rows}).encode(), "x.json")


def test_a_line_of_csv_that_is_too_long_stays_so() -> None:
    body = "Số hồ sơ;Họ tên\nH-1;Hồ Văn Giàu;Hồ Văn Giàu\n".encode()
    sample = read(body, places(body, "x.csv")[0])
    assert anonymous(body, sample, {"Họ tên": "applicant_name"}, "dossier.v1").decode("utf-8-sig").splitlines() == [
        "Số hồ sơ;Họ tên",
        "H-1;Nguyễn Văn An;Nguyễn Văn An",
    ]


@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=5), min_size=1, max_size=5))
@example([["0"], ["", ""]])
@settings(max_examples=150, deadline=None)
def test_any_csv_does(lines: list[list[str]]) -> None:
    scaffolded("\n".join(";".join(cells) for cells in lines).encode("utf-8", "surrogatepass"), "x.csv")


CELLS = st.text(max_size=6) | st.sampled_from(
    ["43814", "43814.5", "0001", "-1.50", "#N/A", "_x000D_", "[B]", "Số hồ sơ"]
)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=5), st.sampled_from([1, 3]))
@settings(max_examples=60, deadline=None)
def test_any_workbook_does(rows: list[list[str]], first: int) -> None:
    scaffolded(workbook("Hồ sơ", rows, first=first), "x.xlsx")


def test_what_is_written_into_a_workbook_is_read_back() -> None:
    rows = [["a", "b", "c", "d"], ["0001", "43814.5", "-0.25", "1.50"], ["_x0041_", "<&>\x01\n", "#N/A", ""]]
    table = xlsx.parse(workbook('S "1"', rows, first=3), sheet='S "1"', header=3, limit=1 << 20)
    assert [list(table.header), *(list(line.cells) for line in table.lines)] == rows
    assert [line.number for line in table.lines] == [4, 5]
    assert workbook("x", rows) == workbook("x", rows)


TREES = st.recursive(
    st.sampled_from(["", "H-1", "13/02/2017", "Lê Thị Sáu", "&lt;a&gt;&lt;b c='1'/&gt;&lt;/a&gt;", "PGE+PGIvPjwvYT4="]),
    lambda inner: st.lists(st.tuples(st.sampled_from(["SoHoSo", "HoSo", "a:b", "Nop", "Ngay"]), inner), max_size=4).map(
        lambda parts: "".join(f'<{n} xmlns:a="u" k="1">{text}</{n}>' for n, text in parts)
    ),
    max_leaves=20,
)


@given(TREES)
@settings(max_examples=150, deadline=None)
def test_any_xml_does(tree: str) -> None:
    scaffolded(f"<r>{tree}</r>".encode(), "x.xml")


@given(st.binary(max_size=200), st.sampled_from(["x.json", "x.xml", "x.csv", "x"]))
@settings(max_examples=1500, deadline=None)
def test_any_bytes_do(body: bytes, name: str) -> None:
    scaffolded(body, name)


# --- text -------------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(["yes", "null", "0x1", "1e3"]))
@settings(max_examples=1500, deadline=None)
def test_a_text_is_read_back_as_it_was(text: str) -> None:
    problems = Problems("x")
    name = text or "x"
    root = parse(f"a: {scalar(text)}\nb: {flow({name: [text]})}\nc: {{{key(name)}: {quoted(text)}}}\n", problems)
    assert root is not None
    assert root.plain == {"a": text, "b": {name: [text]}, "c": {name: text}}


PARTS = "hub: {name: x, province: H59}\nsources:\n    # first\n    a:\n        adapter: files\n\n# end\nroutes: []\n"


@pytest.mark.parametrize("text", [PARTS, PARTS.replace("\n", "\r\n"), PARTS.rpartition("\n# end")[0]])
def test_an_entry_is_added_and_every_other_byte_stays(text: str) -> None:
    made = with_entry(text, "sources", "b", "  b:\n    adapter: rest  # so", "hub.yaml")
    assert yaml.safe_load(made)["sources"] == {"a": {"adapter": "files"}, "b": {"adapter": "rest"}}
    end = "\r\n" if "\r\n" in text else "\n"
    added = f"    b:{end}      adapter: rest  # so{end}"
    assert added in made
    assert made.replace(added, "", 1).rstrip() == text.rstrip()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (PARTS.replace("a:", "b:"), "name-taken"),
        ("sources: {a: {}}\n", "no-block"),
        ("routes: []\n", "no-block"),
    ],
)
def test_what_cannot_be_added_safely_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ConfigError) as raised:
        with_entry(text, "sources", "b", "  b:\n    adapter: rest", "hub.yaml")
    assert [problem.rule for problem in raised.value.problems] == [rule]
