"""Payloads of portals as members of a mapping: JSON, XML, a form, a query."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.scaffold.destination import propose
from hub.scaffold.payload import read
from mappings.load import load
from mappings.testing import run
from schemas.errors import ConfigError

XML = """<?xml version="1.0"?>
<s:DanhSach xmlns:s="urn:x" xmlns="urn:y" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="a b">
  <s:HoSo ma="1"><MaHoSo>H-1</MaHoSo><s:NguoiNop loai="CD"><HoTen>Lê Thị Sáu</HoTen></s:NguoiNop>
    <NgayNhan>02/03/2026</NgayNhan><NgayTra xsi:nil="true"/><Tep>a</Tep><Tep>b</Tep></s:HoSo>
  <s:HoSo ma="2"><MaHoSo>H-2</MaHoSo></s:HoSo>
</s:DanhSach>"""
READ: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        XML, "xml",
        {"portal": "xml", "root": "s:DanhSach", "namespaces": {"s": "urn:x", "": "urn:y"}},
        {"s:HoSo/@ma": "1", "s:HoSo/MaHoSo": "H-1", "s:HoSo/s:NguoiNop/@loai": "CD",
         "s:HoSo/s:NguoiNop/HoTen": "Lê Thị Sáu", "s:HoSo/NgayNhan": "02/03/2026", "s:HoSo/NgayTra": None,
         "s:HoSo/Tep": []},
    ),
    (
        '<a xmlns="urn:y"><b xmlns="">1</b></a>', "xml",
        {"portal": "xml", "root": "n1:a", "namespaces": {"n1": "urn:y"}}, {"b": "1"},
    ),
    ("<HoSo loai='x'>1</HoSo>", "xml", {"portal": "xml", "root": "HoSo"}, {"@loai": "x"}),
    ("ma=H-1&ten=C%E1%BA%A5p+ph%C3%A9p&tep=a&tep=b&ghi=", "form", {"portal": "form"},
     {"ma": "H-1", "ten": "Cấp phép", "tep": [], "ghi": ""}),
    ("GET /api/gui?ma=H-1&so=2 HTTP/1.1\r\nHost: h\r\n", "query", {"portal": "query"}, {"ma": "H-1", "so": "2"}),
    ("https://h/api?ma=H-1#x", "query", {"portal": "query"}, {"ma": "H-1"}),
    ('{"a": {"b c": 1, "d": {"e": "x"}}, "g-h": 2, "i.j": 3, "k": {}}', "json", {"portal": "json"},
     {'a."b c"': 1, "a.d.e": "x", "g-h": 2, '"i.j"': 3, "k": {}}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "portal", "to", "members"), READ)
def test_a_payload_is_told_by_its_signs_and_read(
    text: str, portal: str, to: dict[str, Any], members: dict[str, Any]
) -> None:
    found = read(text.encode(), "payload.txt")
    assert (found.portal, found.to, dict(found.members)) == (portal, to, members)


@pytest.mark.parametrize("text", [one[0] for one in READ])
def test_what_is_made_of_it_passes_its_own_test(text: str, tmp_path: Path) -> None:
    made = propose("cong", text.encode(), "payload.txt", "dossier.v1")
    for name, body in made.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    results = list(run(tmp_path / "mappings/cong/dossier_test.yaml"))
    assert [one.problems for one in results if not one.ok] == []


def test_the_values_say_how_they_are_written() -> None:
    made = propose("cong", XML.encode(), "p.xml", "dossier.v1")
    text = made.files["mappings/cong/dossier.yaml"].decode()
    assert 'to: {portal: xml, root: "s:DanhSach", namespaces: {s: "urn:x", "": "urn:y"}, empty: null}' in text
    assert '"s:HoSo/NgayNhan": {field: received_at, date: dd/MM/yyyy}' in text
    assert '"s:HoSo/s:NguoiNop/HoTen": applicant_name  # by name' in text
    assert '"s:HoSo/Tep": {const: []}' in text
    assert "    written: " in made.files["mappings/cong/dossier_test.yaml"].decode()


@pytest.mark.parametrize(
    ("text", "portal", "rule"),
    [
        ("<a", None, "undecodable"),
        ('<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', None, "undecodable"),
        ("", None, "undecodable"),
        ("ma", "form", "undecodable"),
        ("ma=%ff", "form", "undecodable"),
        ("&".join(f"a{n}=1" for n in range(3000)), "form", "undecodable"),
        ("<a/>", None, "no-payload"),
        ("[1]", None, "no-payload"),
        ("{}", "yaml", "wrong-format"),
    ],
)
def test_what_is_no_payload_is_refused_with_the_mend(text: str, portal: str | None, rule: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text.encode(), "payload.txt", portal)
    [problem] = raised.value.problems
    assert problem.rule == rule
    assert problem.mend


TREES = st.recursive(
    st.sampled_from(["", "H-1", "02/03/2026", "&#1;", "]]&gt;"]),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(["MaHoSo", "a:b", 'HoTen xmlns="u"', "c:d", "x.y-z"]), inner), max_size=4
    ).map(lambda parts: "".join(f"<{n} xmlns:a='u' xmlns:c='v' c:k='1'>{text}</{n.split()[0]}>" for n, text in parts)),
    max_leaves=15,
)
PAIRS = st.lists(st.tuples(st.text("ab=&%;+ é", max_size=4), st.text("ab=&%+ é", max_size=4)), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a."[ é', max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(TREES.map(lambda tree: f"<r>{tree}</r>") | PAIRS | VALUES.map(json.dumps))
@settings(max_examples=150, deadline=None)
def test_any_payload_ends_in_a_mapping_that_compiles_or_a_clear_error(text: str) -> None:
    try:
        made = propose("cong", text.encode(), "payload.txt", "dossier.v1")
    except ConfigError as error:
        lacking = [problem for problem in error.problems if not (problem.message and problem.mend)]
        made = None
    else:
        lacking = []
    assert lacking == []
    if made is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dossier.yaml"
        file.write_bytes(made.files["mappings/cong/dossier.yaml"])
        load(file)
