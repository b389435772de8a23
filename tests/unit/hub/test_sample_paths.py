"""`Seen`: which paths of a mapping lead to anything in the rows that were looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.sample_paths import Seen
from mappings.inbound import InboundMapping
from mappings.load import load

STEP = """\
mapping: quan/buoc
from: {{{source}}}
to: dossier-step.v1
fields:
  number: {{{number}}}
  at: {{path: {at}, date: dd/MM/yyyy}}
  person: {person}
  content: {content}
  status: {{const: 4}}
"""


def mapping(folder: Path, **parts: str) -> InboundMapping:
    file = folder / "buoc.yaml"
    file.write_text(STEP.format(**parts), encoding="utf-8")
    made = load(file)
    assert isinstance(made, InboundMapping)
    return made


def nowhere(made: InboundMapping, body: str) -> list[tuple[str, str, str]]:
    looked = Seen(made)
    document = made.decode(body.encode(), None)
    for index in range(len(document.rows)):
        looked.add(document.view(index))
    return list(looked.nowhere())


def test_json_by_name_and_by_place_in_a_list(tmp_path: Path) -> None:
    made = mapping(
        tmp_path, source="format: json", number="path: so", at="ngay", person="nguoi.ten", content="ghi_chu[0].chu"
    )
    assert nowhere(made, '[{"so": null, "ngay": "", "nguoi": {"ten": "A"}, "ghi_chu": []}]') == []
    assert nowhere(made, '[{"so": 1, "ngay": "", "nguoi": {"Ten": "A"}, "ghi_chu": {}}]') == [
        ("person", "nguoi.ten", "did you mean 'nguoi.Ten'?"),
        ("content", "ghi_chu[0].chu", "did you mean 'ghi_chu'?"),
    ]


def test_xml_by_name_attribute_and_expression_within_rows(tmp_path: Path) -> None:
    made = mapping(
        tmp_path,
        source="format: xml, each: HoSo, inner: QuaTrinh/Buoc",
        number="outer: SoHoSo",
        at='"@ngay"',
        person="Nguoi/Ten",
        content="\".//*[starts-with(local-name(), 'Noi')]\"",
    )
    whole = "<D><HoSo><SoHoSo/><QuaTrinh><Buoc ngay=''><Nguoi><Ten/></Nguoi><NoiDung/></Buoc></QuaTrinh></HoSo></D>"
    assert nowhere(made, whole) == []
    assert nowhere(made, whole.replace("Ten", "ten").replace("ngay", "luc").replace("SoHoSo", "So")) == [
        ("number", "SoHoSo", ""),
        ("at", "@ngay", ""),
        ("person", "Nguoi/Ten", "did you mean 'Nguoi/ten'?"),
    ]
    assert nowhere(made, whole.replace("NoiDung", "ChiTiet"))[0][0] == "content"


def test_rows_that_hold_no_rows_tell_the_way_to_them(tmp_path: Path) -> None:
    made = mapping(
        tmp_path,
        source="format: xml, each: HoSo, inner: Buoc",
        number="outer: So",
        at="Ngay",
        person="Ten",
        content="Noi",
    )
    assert nowhere(made, "<D><HoSo><So>1</So><buoc/></HoSo></D>") == [("inner", "Buoc", "")]


@pytest.mark.parametrize("source", ['format: csv, delimiter: ";"', "format: json"])
def test_nothing_is_said_where_there_is_no_row(tmp_path: Path, source: str) -> None:
    made = mapping(tmp_path, source=source, number="path: so", at="ngay", person="ten", content="noi")
    assert nowhere(made, "so;ngay;ten;noi\n" if "csv" in source else "[]") == []
