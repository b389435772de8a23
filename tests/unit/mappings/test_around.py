"""Values from around the rows (the document, the arrival's label), and rows that are deleted at their source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import InboundMapping, ReadContext, Row, RowOk, RowRefused, read_all
from mappings.catalogue import load
from mappings.origins import of_field, values_at
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, UndecodableError

MAPPING = """
mapping: t/steps
from: %s
to: dossier-step.v1
fields:
  number: SO
  at: {path: LUC, date: iso}
  person: {%s}
  content: {const: x}
  status: {const: 4}
"""
XML = "{format: xml, within: /DanhSach, each: Buoc, beside: [DonVi]}"
SOAP = "{format: xml, unwrap: {path: //KetQua, holds: xml}, within: /DanhSach, each: Buoc, beside: [DonVi]}"
JSON = "{format: json, within: du_lieu}"
LUC = "2017-03-20T08:00:00Z"
ROW = f"<Buoc><SO>H-1</SO><LUC>{LUC}</LUC><PB>P</PB></Buoc>"
NAMES = "<Buoc><SO/><LUC/><PB/></Buoc>"
"""What is told of a row that stands where a value was expected: nothing of what is in it."""
INSIDE = f"<DanhSach ma='7'><DonVi> Sở  </DonVi>{ROW}{ROW}</DanhSach>"


def mapping(folder: Path, source: str, person: str) -> InboundMapping:
    path = folder / "steps.yaml"
    path.write_text(MAPPING % (source, person), encoding="utf-8")
    found = load(path)
    assert isinstance(found, InboundMapping)
    return found


def told(rows: list[Row]) -> list[Any]:
    """Of each row the person, or every problem."""
    return [
        getattr(row.record, "person", None)
        if isinstance(row, RowOk)
        else [(p.field, p.path, p.value, p.reason, p.verdict) for p in row.error.problems]
        for row in rows
    ]


def soap(inside: str) -> bytes:
    return f"<Goi><Dau><Nguon>Cầu Ngang</Nguon></Dau><KetQua><![CDATA[{inside}]]></KetQua></Goi>".encode()


@pytest.mark.parametrize(
    ("source", "body", "path", "found"),
    [
        (XML, INSIDE.encode(), "/DanhSach/DonVi", "Sở"),
        (XML, INSIDE.encode(), "DonVi", "Sở"),
        (XML, INSIDE.encode(), "/DanhSach/@ma", "7"),
        (XML, INSIDE.encode(), "count(//Buoc)", "2"),
        (SOAP, soap(INSIDE), "DonVi", "Sở"),
        (SOAP, soap(INSIDE), "/Goi/Dau/Nguon", "Cầu Ngang"),
        (
            JSON,
            json.dumps({"don_vi": {"ten": "Sở"}, "du_lieu": [{"SO": "1", "LUC": LUC}]}).encode(),
            "don_vi.ten",
            "Sở",
        ),
        (JSON, json.dumps({"dv": ["a", "b"], "du_lieu": [{"SO": "1", "LUC": LUC}]}).encode(), "join('-', dv)", "a-b"),
    ],
)
def test_a_value_stands_around_the_rows(
    tmp_path: Path, context: ReadContext, source: str, body: bytes, path: str, found: str
) -> None:
    one = mapping(tmp_path, source, f'envelope: "{path}"')
    people = told(read_all([one], body, None, context))
    assert people
    assert set(people) == {found}
    origin = of_field(one, "person")
    assert origin is not None
    assert origin.paths == (path,)
    standing = values_at([one], one, body, None, "", (0, 0), ["person"])
    assert standing is not None
    assert standing["person"].value is not None
    assert standing["person"].value.strip() == found


@pytest.mark.parametrize(
    ("inside", "path", "problem"),
    [
        (INSIDE, "MaDonVi", (None, "is required and empty", "reject")),
        (
            INSIDE,
            "//Buoc",
            (f"{NAMES}; {NAMES}", "stands 2 times around the rows, so its value is not certain", "reject"),
        ),
        (INSIDE.replace("Sở", "<Ten/>"), "DonVi", ("<DonVi><Ten/></DonVi>", "holds <Ten>, not text", "park")),
    ],
)
def test_what_is_not_certain_is_refused_row_by_row(
    tmp_path: Path, context: ReadContext, inside: str, path: str, problem: tuple[Any, str, str]
) -> None:
    rows = told(read_all([mapping(tmp_path, XML, f"envelope: {path}")], inside.encode(), None, context))
    assert rows == [[("person", path, *problem)]] * 2


CSV = f"SO,LUC\nH-1,{LUC}\n".encode()


@pytest.mark.parametrize(
    ("how", "label", "found"),
    [
        ("label: 'hoso-(?P<unit>[0-9]+)-.*'", "den/hoso-17-x.csv", "17"),
        ("label: '(hoso)-.*'", "hoso-17-x.csv", "hoso"),
        ("label: {pattern: '(?P<a>.)(?P<b>.)', take: b}", "xy", "y"),
        ("label: {pattern: 'x', otherwise: none}, default: An", "y", "An"),
        ("label: 'so-(.*)', text: {case: upper}", "C:\\\\den\\\\so-ạ", "Ạ"),
        ("label: 'x(.*)'", "y.csv", [("person", "the label", "y.csv", "does not look like x(.*)", "reject")]),
    ],
)
def test_a_part_of_the_label_is_a_value(tmp_path: Path, how: str, label: str, found: Any) -> None:
    context = ReadContext(agencies=AgencyRegister.empty(), label=label)
    assert told(read_all([mapping(tmp_path, "{format: csv}", how)], CSV, None, context)) == [found]


@pytest.mark.parametrize(
    ("source", "how", "said"),
    [
        ("{format: csv}", "envelope: DonVi", "around the rows of a csv file stands nothing"),
        (XML, "envelope: '/Danh Sach['", "is no XPath expression"),
        (JSON, "envelope: 'a b'", "'a b' is no path"),
        (XML, "envelope: DonVi, path: PB", "should have one source"),
        (XML, "envelope: DonVi, label: x", "should have one source"),
        (XML, "envelope: ''", "should have one source"),
        (XML, "envelope: DonVi, date: iso", "takes text, here it gets a time"),
        (XML, "label: '('", "no regular expression"),
        (XML, "label: {pattern: 'x(?P<unit>.)', take: unti}", r"did you mean 'unit'\?"),
        (XML, "path: PB, split: {by: ',', take: 1}, envelop: x", r"unknown key 'envelop' .* did you mean 'envelope'\?"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, source: str, how: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mapping(tmp_path, source, how)


DELETED = "{format: json, within: du_lieu, deleted: {path: DaXoa, is: ['1', 'true']}}"


def rows_of(one: InboundMapping, values: list[dict[str, Any]], context: ReadContext) -> list[Row]:
    return read_all([one], json.dumps({"du_lieu": values}).encode(), None, context)


def test_a_row_that_is_deleted_says_so(tmp_path: Path, context: ReadContext) -> None:
    one = mapping(tmp_path, DELETED, "const: An")
    full = {"SO": "1", "LUC": LUC}
    rows = rows_of(
        one, [{**full, "DaXoa": 1}, {**full, "DaXoa": True}, full, {"DaXoa": 1}, {**full, "DaXoa": []}], context
    )
    assert [row.deleted if isinstance(row, RowOk) else row.verdict for row in rows] == [
        True, True, False, "reject", "park",
    ]  # fmt: skip


def test_the_steps_of_a_deleted_dossier_are_deleted_with_it(tmp_path: Path, context: ReadContext) -> None:
    one = mapping(tmp_path, DELETED.replace("}}", "}, inner: buoc}"), "const: An")
    step = {"SO": "1", "LUC": LUC}
    rows = rows_of(one, [{"DaXoa": 1, "buoc": [step, step]}, {"buoc": [step]}], context)
    assert [isinstance(row, RowOk) and row.deleted for row in rows] == [True, True, False]


def test_a_csv_without_the_column_of_deletion_has_changed(tmp_path: Path, context: ReadContext) -> None:
    one = mapping(tmp_path, "{format: csv, deleted: {path: XOA, empty: false}}", "const: An")
    with pytest.raises(UndecodableError, match="the header lacks XOA"):
        read_all([one], CSV, None, context)


@pytest.mark.parametrize(
    ("deleted", "said"),
    [
        ("1", "'deleted' should be a mapping"),
        ("{is: ['1']}", "'deleted' lacks 'path'"),
        ("{path: DaXoa}", "'deleted' should have one of is, not, empty and matches"),
        ("{path: 'a b', is: x}", "'a b' is no path"),
    ],
)
def test_what_is_wrong_with_the_sign_of_deletion_is_told(tmp_path: Path, deleted: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mapping(tmp_path, f"{{format: json, deleted: {deleted}}}", "const: An")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["SO", "LUC", "DaXoa"]), inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[InboundMapping]:
    return [
        mapping(tmp_path_factory.mktemp("m"), DELETED, person)
        for person in ("envelope: dv", "label: {pattern: '(.)x', otherwise: none}, default: A")
    ]


@given(envelope=ANY, values=st.lists(ANY, max_size=3), label=st.text(max_size=3))
def test_whatever_stands_around_every_row_is_a_record_or_a_refusal(
    both: list[InboundMapping], envelope: Any, values: list[Any], label: str
) -> None:
    context = ReadContext(agencies=AgencyRegister.empty(), label=label)
    body = json.dumps({"dv": envelope, "du_lieu": values}).encode()
    for one in both:
        rows = read_all([one], body, None, context)
        assert len(rows) == len(values)
        assert all(isinstance(row, RowOk) or row.error.problems for row in rows)


RENUMBERED = "{format: json, within: du_lieu, renumbered: {%s: SO_KIA}}"


def test_a_step_under_the_old_number_is_for_nobody_and_one_under_the_new_says_nothing(
    tmp_path: Path, context: ReadContext
) -> None:
    step = {"SO": "1", "LUC": LUC}
    for way, told in (("to", [("1", "2"), None, None]), ("from", [None, None, None])):
        one = mapping(tmp_path, RENUMBERED % way, "const: An")
        rows = rows_of(one, [{**step, "SO_KIA": "2"}, {**step, "SO_KIA": " "}, {**step, "SO_KIA": "1"}], context)
        assert [row.renumbered if isinstance(row, RowOk) else row.verdict for row in rows] == told


def test_a_number_that_is_none_refuses_the_row(tmp_path: Path, context: ReadContext) -> None:
    one = mapping(tmp_path, RENUMBERED % "to", "const: An")
    [row] = rows_of(one, [{"SO": "1", "LUC": LUC, "SO_KIA": ["2"]}], context)
    assert isinstance(row, RowRefused)
    assert (row.verdict, row.error.path) == ("park", "SO_KIA")


def test_a_csv_without_the_column_of_the_other_number_has_changed(tmp_path: Path, context: ReadContext) -> None:
    one = mapping(tmp_path, "{format: csv, renumbered: {from: SO_CU}}", "const: An")
    with pytest.raises(UndecodableError, match="the header lacks SO_CU"):
        read_all([one], CSV, None, context)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("SoCu", "'renumbered' should be a mapping"),
        ("{}", "'renumbered' should have one of from and to"),
        ("{from: SoCu, to: SoMoi}", "'renumbered' should have one of from and to"),
        ("{form: SoCu}", r"unknown key 'form' .* did you mean 'from'\?"),
        ("{from: 'a b'}", "'a b' is no path"),
    ],
)
def test_what_is_wrong_with_renumbered_is_told(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mapping(tmp_path, f"{{format: json, renumbered: {written}}}", "const: An")
