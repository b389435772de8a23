"""Where a value comes from: fallbacks, texts joined, choices by a condition; in each format, and what is wrong told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import InboundMapping, ReadContext, RowOk, RowRefused, read_all
from mappings.catalogue import load
from mappings.notation import Keys, Problems, parse
from mappings.shapes.json import JsonShape
from mappings.whence import compile_whence
from schemas.errors import ConfigError, UndecodableError


def found(written: str, row: dict[str, Any]) -> Any:
    """What is found in a row that is a JSON object."""
    problems = Problems("m")
    node = parse(written, problems)
    assert node is not None
    place = compile_whence(Keys(node, "the field 'x'", problems), JsonShape(), problems)
    problems.stop()
    assert place is not None
    return place.get(JsonShape().view(row))


@pytest.mark.parametrize(
    ("written", "row", "value"),
    [
        ("first: [a, b]", {"a": "", "b": " x "}, "x"),
        ("first: [a, b]", {"a": 0, "b": 1}, 0),
        ("first: [a, b.c]", {"b": {"c": "y"}}, "y"),
        ("first: [a, b]", {}, None),
        ("join: [ho, dem, ten]", {"ho": "Nguyễn ", "dem": None, "ten": "An"}, "Nguyễn An"),
        ("join: {parts: [so, nam], with: '/'}", {"so": 12, "nam": 2017}, "12/2017"),
        ("join: [a, b]", {"a": " "}, None),
        ("choose: [{when: {path: s, is: [xong, trả]}, path: a}, {path: b}]", {"s": " xong", "a": "A", "b": "B"}, "A"),
        ("choose: [{when: {path: s, is: xong}, path: a}, {path: b}]", {"s": "đang", "a": "A", "b": "B"}, "B"),
        ("choose: [{when: {path: s, not: xong}, path: a}]", {"s": "xong", "a": "A"}, None),
        ("choose: [{when: {path: s, not: xong}, path: a}]", {"a": "A"}, "A"),
        ("choose: [{when: {path: s, empty: true}, const: counter}, {path: s}]", {"s": ""}, "counter"),
        ("choose: [{when: {path: s, empty: false}, path: s}, {const: 1}]", {}, 1),
        ("choose: [{when: {path: s, matches: 'H[0-9]+'}, const: 1}, {const: 2}]", {"s": "H59"}, 1),
        ("choose: [{when: {path: s, matches: 'H[0-9]+'}, const: 1}, {const: 2}]", {"s": "xH59"}, 2),
        ("choose: [{when: {path: s, is: 'true'}, join: [a, b]}, {first: [a, b]}]", {"s": True, "a": "1", "b": "2"},
         "1 2"),
        ("choose: [{when: {path: s, is: đã}, const: 1}, {const: 2}]", {"s": "đã"}, 1),
    ],
)  # fmt: skip
def test_what_is_found(written: str, row: dict[str, Any], value: Any) -> None:
    assert found(written, row) == value


MAPPING = """
mapping: t/steps
from: {%s}
to: dossier-step.v1
fields:
  number: {join: {parts: [MA, SO], with: "-"}}
  at: {first: [XONG, NHAN], date: dd/MM/yyyy}
  person: {choose: [{when: {path: LOAI, is: tu dong}, const: Hệ thống}, {path: TEN}]}
  content: {const: x}
  status: {choose: [{when: {path: XONG, empty: false}, const: 9}, {const: 4}], int: {}}
"""
ROWS = [
    {"MA": "H59", "SO": "1", "NHAN": "01/03/2017", "XONG": "", "LOAI": "tu dong", "TEN": ""},
    {"MA": "H59", "SO": "2", "NHAN": "01/03/2017", "XONG": "03/03/2017", "LOAI": "", "TEN": "Bình"},
]
BODIES = {
    "format: xml, within: /R, each: B": "<R>"
    + "".join(f"<B>{''.join(f'<{k}>{v}</{k}>' for k, v in row.items())}</B>" for row in ROWS)
    + "</R>",
    "format: json": json.dumps(ROWS),
    "format: csv": "\n".join([",".join(ROWS[0]), *(",".join(row.values()) for row in ROWS)]),
}


def own(folder: Path, text: str) -> InboundMapping:
    (folder / "t").mkdir(exist_ok=True)
    (folder / "t" / "steps.yaml").write_text(text, encoding="utf-8")
    mapping = load("t/steps", folders=[folder])
    assert isinstance(mapping, InboundMapping)
    return mapping


@pytest.mark.parametrize("source", BODIES)
def test_they_are_the_same_in_each_format(tmp_path: Path, context: ReadContext, source: str) -> None:
    rows = read_all([own(tmp_path, MAPPING % source)], BODIES[source].encode(), None, context)
    made = [row.record.model_dump() for row in rows if isinstance(row, RowOk)]
    assert [(one["number"], one["person"], int(one["status"])) for one in made] == [
        ("H59-1", "Hệ thống", 4),
        ("H59-2", "Bình", 9),
    ]


def test_a_table_lacks_every_column_that_is_read_anywhere(tmp_path: Path, context: ReadContext) -> None:
    with pytest.raises(UndecodableError, match="the header lacks SO, XONG, NHAN, LOAI, TEN"):
        read_all([own(tmp_path, MAPPING % "format: csv")], b"MA,KHAC\n1,2\n", None, context)


def test_a_refusal_names_all_the_places(tmp_path: Path, context: ReadContext) -> None:
    body = json.dumps([{**ROWS[1], "XONG": "không rõ"}]).encode()
    (row,) = read_all([own(tmp_path, MAPPING % "format: json")], body, None, context)
    assert isinstance(row, RowRefused)
    assert [(one.field, one.path, one.value) for one in row.error.problems] == [
        ("at", "XONG or NHAN", "không rõ"),
    ]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("{first: [a]}", "'first' of the field 'person' should be a list of two paths or more"),
        ("{first: a}", "should be a list of two paths or more"),
        ("{first: [a, '']}", "'first' of the field 'person' should have one source"),
        ("{first: [a, 'b[']}", "'b[' is no path"),
        ("{join: {with: '-'}}", "'join' of the field 'person' lacks 'parts'"),
        ("{join: {parts: [a, b], mit: x}}", "unknown key 'mit'"),
        ("{first: [a, b], path: c}", "should have one source"),
        ("{choose: []}", "'choose' of the field 'person' should be a list"),
        ("{choose: [{path: a}, {path: b}]}", "choice 1 of the field 'person' has no condition"),
        ("{choose: [{when: {path: a, is: x}}]}", "choice 1 of the field 'person' should have one source"),
        ("{choose: [{when: {path: a}, path: b}]}", "should have one of is, not, empty and matches"),
        ("{choose: [{when: {path: a, is: x, not: y}, path: b}]}", "should have one of is, not, empty and matches"),
        ("{choose: [{when: {is: x}, path: b}]}", "lacks 'path'"),
        ("{choose: [{when: {path: a, matches: '('}, path: b}]}", "is no regular expression"),
        ("{choose: [{when: {path: a, iss: x}, path: b}]}", "unknown key 'iss'"),
        ("{choose: [{when: x, path: b}]}", "should be a mapping"),
        ("{choose: [{when: {path: a, is: x}, choose: []}]}", "should have one source"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, field: str, said: str) -> None:
    text = (MAPPING % "format: json").splitlines()
    text[7] = f"  person: {field}"
    with pytest.raises(ConfigError) as caught:
        own(tmp_path, "\n".join(text))
    problems = [problem for problem in caught.value.problems if said in problem.message]
    assert [problem.line for problem in problems] == [8], caught.value.problems


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


@given(rows=st.lists(st.dictionaries(st.sampled_from(["MA", "SO", "NHAN", "XONG", "LOAI", "TEN"]), JSON), max_size=3))
def test_whatever_stands_there_is_a_record_or_refused(
    tmp_path_factory: pytest.TempPathFactory, context: ReadContext, rows: list[dict[str, Any]]
) -> None:
    mapping = own(tmp_path_factory.getbasetemp(), MAPPING % "format: json")
    assert len(read_all([mapping], json.dumps(rows).encode(), None, context)) == len(rows)
