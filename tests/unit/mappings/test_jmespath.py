"""JMESPath where dotted names do not suffice: rows, rows inside rows and values; what it refuses, and its bounds."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import InboundMapping, ReadContext, RowOk, RowRefused
from mappings.catalogue import load
from mappings.refusal import RefusalError
from mappings.shapes.jmes import search
from mappings.shapes.json import JsonShape
from mappings.shapes.path import PathError
from schemas.errors import UndecodableError

ROW = {
    "lien_he": [{"loai": "dd", "so": "0912"}, {"loai": "cd", "so": "0294"}],
    "ten": "An",
    "ghi_chu": {"a": 1},
    "so": [3, 1, 2],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lien_he[?loai=='cd'].so | [0]", "0294"),
        ("lien_he[-1].so", "0294"),
        ("join(', ', lien_he[*].so)", "0912, 0294"),
        ("not_null(ten_goi, ten)", "An"),
        ("ten_goi || ten", "An"),
        ("length(lien_he)", 2),
        ("max(so)", 3),
        ("sort_by(lien_he, &loai)[0].loai", "cd"),
        ("ghi_chu.*|[0]", 1),
        ("lien_he[?loai=='xx'].so | [0]", None),
        ("contains(ten, 'A')", True),
    ],
)
def test_an_expression_finds_one_value(path: str, value: Any) -> None:
    shape = JsonShape()
    assert shape.getter(path)(shape.view(ROW)) == value
    assert shape.member(path) is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("lien_he[*].so", "is a list, one value is expected"),
        ("{a: ten}", "is an object, one value is expected"),
        ("sum(lien_he[*].so)", r"cannot be found by sum\(lien_he\[\*\]\.so\)"),
        ("length(ghi_chu.a)", "cannot be found by length"),
    ],
)
def test_what_is_no_single_value_is_refused(path: str, said: str) -> None:
    with pytest.raises(RefusalError, match=said) as refused:
        JsonShape().getter(path)(ROW)
    assert refused.value.verdict == "park"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a b", "'a b' is no path"),
        ("a..b", "'a..b' is no path"),
        ("a[?", "is no path"),
        ("(" * 400, "is no path"),
        ("x" * 501, "501 characters, at most 500"),
        ("lenght(a)", "there is no function 'lenght'"),
        ("length(a, b)", "length takes 1 values, here it gets 2"),
        ("a[*].join('-')", "join takes 2 values, here it gets 1"),
        ("|".join(["[@,@][]"] * 10), "1024 times as large"),
        ("|".join(["[@,@]"] * 10) + "|to_string(@)", "6144 times as large"),
        ("join(a, b)", "the separator of join"),
        ("map(&[@,@,@,@], map(&[@,@,@,@], map(&[@,@,@,@], map(&[@,@], a))))", "128 times as large"),
    ],
)
def test_what_is_no_expression_or_too_much_is_told(path: str, said: str) -> None:
    with pytest.raises(PathError, match=said):
        search(path)


DOSSIER = """
mapping: t/steps
from: {format: json, within: "ket_qua[?loai=='hs']", inner: "buoc[?!an]"}
to: dossier-step.v1
fields:
  number: {outer: "ma[0] || so"}
  at: {path: luc, date: iso}
  person: nguoi
  content: {const: x}
  status: {path: "length(tai_lieu)", int: {}}
"""


def mapping(folder: Path) -> InboundMapping:
    path = folder / "steps.yaml"
    path.write_text(DOSSIER, encoding="utf-8")
    found = load(path)
    assert isinstance(found, InboundMapping)
    return found


def body(*steps: dict[str, Any], **more: Any) -> bytes:
    row = {"loai": "hs", "ma": ["H-1"], "buoc": list(steps), **more}
    return json.dumps({"ket_qua": [{"loai": "khac"}, row]}).encode()


STEP = {"luc": "2017-03-20T08:00:00+07:00", "nguoi": "An", "tai_lieu": ["a", "b"], "an": False}


def test_rows_and_rows_inside_them_may_be_expressions(tmp_path: Path, context: ReadContext) -> None:
    steps = [STEP, {**STEP, "an": True}, {**STEP, "tai_lieu": 7}, {**STEP, "nguoi": None}]
    rows = list(mapping(tmp_path).read(body(*steps), charset=None, context=context))
    assert [type(row) for row in rows] == [RowOk, RowRefused, RowRefused]
    assert isinstance(rows[0], RowOk)
    assert rows[0].record.key == "H-1|2017-03-20T01:00:00Z|An|2"
    for row in rows[1:]:
        assert isinstance(row, RowRefused)
        (again,) = mapping(tmp_path).reread(row.raw, context)
        assert isinstance(again, RowRefused)
        assert str(again.error) == str(row.error)
    assert "buoc[?!an]" in str(getattr(rows[1], "error", ""))


def test_a_container_that_the_expression_does_not_find_is_a_changed_shape(tmp_path: Path, context: ReadContext) -> None:
    with pytest.raises(UndecodableError, match=r"ket_qua\[\?loai=='hs'\] is not there"):
        mapping(tmp_path).read(b'{"du_lieu": []}', charset=None, context=context)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)
PIECES = ("a", "b", ".", "[*]", "[]", "[?a]", "|", "@", "*", "(", ")", "&", ",", "join('-', ", "sort(", "`1`", "'x'")


@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join), JSON)
def test_every_expression_finds_something_or_is_refused(path: str, value: Any) -> None:
    with suppress(PathError):
        find = search(path)
        with suppress(RefusalError):
            find(value)
