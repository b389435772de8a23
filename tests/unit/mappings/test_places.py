"""Places in a row: what paths name, what rows hold, and what an expression reads."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from lxml import etree

from mappings.places import Parts, bare, leaves, names_in, parts, place_of, written


@pytest.mark.parametrize(
    ("path", "holds", "found"),
    [
        ("SoHoSo", "xml", ("SoHoSo",)),
        ("QuaTrinh/Buoc/@ma", "xml", ("QuaTrinh", "Buoc", "@ma")),
        (".", "xml", ()),
        ("Buoc[1]", "xml", None),
        ("normalize-space(Ten)", "xml", None),
        ("lien_he[0].email", "json", ("lien_he", "email")),
        ("lien_he[].email", "json", ("lien_he", "email")),
        ('"ma-ho-so"."a b"', "json", ("ma-ho-so", "a b")),
        ("a || b", "json", None),
        ("", "json", None),
        ("MÃ HỒ SƠ; 2", "csv", ("MÃ HỒ SƠ; 2",)),
    ],
)
def test_a_path_of_names_has_parts(path: str, holds: str, found: Parts | None) -> None:
    assert parts(path, holds) == found


@pytest.mark.parametrize(
    ("path", "holds", "names"),
    [
        ("normalize-space(NguoiNop/Ten)", "xml", {"NguoiNop", "Ten"}),
        ("s:Buoc[@loai='chinh']/Ten", "xml", {"Buoc", "@loai", "Ten"}),
        ("following-sibling::Ten", "xml", {"Ten"}),
        ("starts_with(ten, 'moi') && \"a b\"", "json", {"ten", "a b"}),
    ],
)
def test_an_expression_has_the_names_in_it(path: str, holds: str, names: Collection[str]) -> None:
    assert names_in(path, holds) == names


def test_the_leaves_of_an_element_are_its_texts_and_attributes() -> None:
    row = etree.fromstring('<r xmlns="urn:x" id=" 1 "><a><b k=""> x </b><b/></a><c>y<d/></c><e> </e></r>')
    assert list(leaves(row, None)) == [
        (("@id",), "1"),
        (("a", "b", "@k"), None),
        (("a", "b"), "x"),
        (("a", "b"), None),
        (("c",), "y"),
        (("c", "d"), None),
        (("e",), None),
    ]
    assert place_of(row[0][1], row) == ("a", "b")
    assert place_of(row, row[0]) is None


def test_the_leaves_of_an_object_are_its_values_with_lists_marked() -> None:
    row = {"a": {"b c": 1}, "d": [{"e": True}, "x"], "f": [], "g": None, "h": {}}
    found = list(leaves(row, row))
    assert [(written(leaf, "json"), value) for leaf, value in found] == [
        ('a."b c"', "1"),
        ("d[].e", "true"),
        ("d[]", "x"),
        ("f", None),
        ("g", None),
        ("h", None),
    ]
    assert bare(found[1][0]) == ("d", "e")
