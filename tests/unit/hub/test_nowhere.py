"""A column that a whole page has nowhere is told as that, with what is near; a value that one row lacks is not."""

from __future__ import annotations

from pathlib import Path

import orjson

from hub.nowhere import told_nowhere
from hub.refusals import explain
from mappings.inbound import InboundMapping
from mappings.load import load
from mappings.rows import ReadContext, RowRefused
from schemas.agency import AgencyRegister

MAPPING = """mapping: x/step
from: {format: json}
to: dossier-step.v1
fields:
  number: {path: so_ho_so, required: true}
  at: {path: luc, date: iso, required: true}
  person: nguoi
  content: viec
  status: {const: 4}
"""
ROW = {"luc": "2026-03-02T08:00:00", "nguoi": "Lê Thị Sáu", "viec": "Tiếp nhận"}


def reasons(folder: Path, *rows: dict[str, str]) -> list[str]:
    file = folder / "step.yaml"
    file.write_text(MAPPING, encoding="utf-8")
    mapping = load(file)
    assert isinstance(mapping, InboundMapping)
    body = orjson.dumps(rows)
    found = list(mapping.read(body, charset=None, context=ReadContext(AgencyRegister.empty())))
    told = told_nowhere([mapping], body, None, list(found))
    assert [row.position for row in told] == [row.position for row in found]
    return [one.reason for row in told if isinstance(row, RowRefused) for one in row.error.problems]


def test_a_column_that_no_row_has_is_named_with_what_is_near(tmp_path: Path) -> None:
    said = "is required and empty: so_ho_so stands in no row of the page; did you mean 'soHoSo'?"
    assert reasons(tmp_path, ROW | {"soHoSo": "H-1"}, ROW | {"soHoSo": "H-2"}) == [said, said]
    told = explain(said, "rejected")
    assert told.vietnamese == "Bắt buộc, nhưng không dòng nào của trang có cột “so_ho_so”; có thể là “soHoSo”"
    assert told.mend_english.startswith("compare the mapping's path with what the system sends now")


def test_a_value_that_is_empty_is_the_senders(tmp_path: Path) -> None:
    assert reasons(tmp_path, ROW | {"so_ho_so": ""}, ROW) == ["is required and empty"] * 2
    assert reasons(tmp_path, ROW, ROW | {"so_ho_so": "H-2"}) == ["is required and empty"]
    assert explain("is required and empty", "rejected").mend_english.startswith("correct it in the agency's own")
