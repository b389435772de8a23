"""`hub new source --sample FILE.xlsx`: the sheet and the header are found, and the recording is a workbook too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mappings.decode import xlsx
from tests.cli.new_project import know_agency, passes, start
from tests.support.workbook import Cell, archive, parts, workbook

HEADER = ["STT", "Số hồ sơ", "Mã TTHC", "Tên TTHC", "Đơn vị", "Đối tượng", "Họ tên", "Kênh", "Trạng thái",
          "Ngày nhận", "Ngày hẹn trả", "Điện thoại"]  # fmt: skip
TITLES: list[list[Cell]] = [["DANH SÁCH HỒ SƠ", None, "DANH SÁCH HỒ SƠ"], [None], ["Tháng 3/2026"]]
ROWS: list[list[Cell]] = [
    [1, "000.00.15.H59-260302-0001", "1.003560", "Cấp phép", "000.00.15.H59", "Cá nhân", "Lê Thị Sáu", "Trực tiếp",
     "Đang xử lý", 46083.34375, 46097, "0912345678", "ghi riêng"],
    [2, "000.00.15.H59-260302-0002", "1.003560", "Cấp phép", "000.00.15.H59", "Cá nhân", "Hồ Văn Giàu", "Trực tiếp",
     "Mới", 46084, "20/03/2026", "0912345679", "#N/A"],
]  # fmt: skip


@pytest.fixture(autouse=True)
def project(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return start(hub, tmp_path, monkeypatch)


def test_a_spreadsheet_with_titles_above_becomes_a_drop_folder(hub: Any) -> None:
    Path("so.xlsx").write_bytes(workbook([*TITLES, HEADER, *ROWS]))
    know_agency()
    ran = hub("new", "source", "so-tttt", "--sample", "so.xlsx", "--write")
    assert ran.status == 0, ran.err
    assert "2 rows at Hồ sơ, 13 columns" in ran.out
    assert "2 of 2 rows of the sample become dossier.v1" in ran.out
    mapping = Path("mappings/so-tttt/dossier.yaml").read_text(encoding="utf-8")
    assert "  format: xlsx\n  header: 4  # the row that names the columns\nto:" in mapping
    assert "received_at: {path: Ngày nhận, date: excel}" in mapping
    assert "due_at: {path: Ngày hẹn trả, date: [dd/MM/yyyy, excel]}" in mapping
    assert "#   [M] (1 of 2 rows have it)" in mapping
    assert '      pattern: "*.xlsx"\n      media: xlsx\n' in Path("hub.yaml").read_text(encoding="utf-8")
    told = passes(hub)
    assert (told["ok"], told["warnings"]) == (True, [])
    table = xlsx.parse(Path("samples/so-tttt-1.xlsx").read_bytes(), sheet="Hồ sơ", header=4, limit=1 << 20)
    assert table.header == (*HEADER, "[M]")
    assert [line.cells[10] for line in table.lines] == ["46097", "20/03/2026"]
    assert table.lines[1].cells[12] == "#N/A"
    said = repr(table)
    assert not any(one in said for one in ("Sáu", "Giàu", "0912345678", "ghi riêng"))


def test_what_was_written_takes_the_spreadsheet_that_it_was_made_of(hub: Any) -> None:
    Path("so.xlsx").write_bytes(workbook([*TITLES, HEADER, *ROWS]))
    know_agency()
    assert hub("new", "source", "so-tttt", "--sample", "so.xlsx", "--write").status == 0
    text = Path("hub.yaml").read_text(encoding="utf-8")
    Path("hub.yaml").write_text(text.replace("settle_s: 2 ", "settle_s: 0.1 "), encoding="utf-8")
    Path("so.xlsx").rename("drop/so-tttt/so.xlsx")
    done = hub("run", "hub.yaml", "--once", "--wait-s", "0", "--json")
    assert done.json["rows"]["accepted"] >= 2, done.out + done.err


def sheets(**named: list[list[Cell]]) -> bytes:
    """A workbook of several sheets, every cell a text."""
    made = {}
    for name, rows in named.items():
        lines = "".join(
            "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
        )
        made[name] = f"<sheetData>{lines}</sheetData>"
    return archive(parts(made))


def test_of_several_sheets_the_likeliest_is_taken_and_each_chooses_another(hub: Any) -> None:
    steps: list[list[Cell]] = [["Mã hồ sơ", "Người xử lý", "Thời điểm", "Nội dung", "Trạng thái"],
                               ["H-1", "Lê Thị Sáu", "03/03/2026", "Kiểm tra", "Đang xử lý"]]  # fmt: skip
    Path("so.xlsx").write_bytes(sheets(Bìa=[["Sở"]], Buoc=steps, Ghi=[["a", "b"], ["1", "2"]]))
    told = hub("new", "source", "x", "--sample", "so.xlsx", "--kind", "dossier-step.v1", "--json").json
    assert (told["rows_at"], told["accepted"]) == ("Buoc", 1)
    assert "  sheet: Buoc\n" in Path("mappings/x/step.yaml").read_text(encoding="utf-8")
    ran = hub("new", "source", "y", "--sample", "so.xlsx", "--each", "Ghi")
    assert "dossier.v1 needs number, and no column of the sample looks like it" in ran.err
    ran = hub("new", "source", "y", "--sample", "so.xlsx", "--each", "Thang3")
    assert "there are no rows at 'Thang3' [no-rows] — with their counts there are: Buoc (1), Ghi (1)" in ran.err


def test_sheets_that_are_alike_are_chosen_by_a_person(hub: Any) -> None:
    both: list[list[Cell]] = [[*HEADER], ["1", "H-1"]]
    Path("so.xlsx").write_bytes(sheets(Mot=both, Hai=both))
    ran = hub("new", "source", "x", "--sample", "so.xlsx")
    assert ran.status == 1
    assert "rows stand in 2 places" in ran.err
    assert "choose by --each, such as --each Mot" in ran.err


BROKEN = {
    b"\xd0\xcf\x11\xe0 old": "x.xlsx: an old .xls, or a workbook locked with a password [undecodable] — open it",
    b"MaHoSo;Ngay": "x.xlsx: the body is no XLSX, which is a ZIP archive [undecodable] — save it as",
    b"PK\x03\x04 broken": "x.xlsx: ",
    sheets(Bìa=[]): "x.xlsx: the sheet 'Bìa' is empty",
    sheets(Bìa=[["a"]]): "no list of rows was found in this XLSX",
}


def test_what_is_no_spreadsheet_with_rows_is_said(hub: Any) -> None:
    for body, said in BROKEN.items():
        Path("x.xlsx").write_bytes(body)
        ran = hub("new", "source", "x", "--sample", "x.xlsx", "--write")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert said in ran.err
        assert "charset" not in ran.err
    assert not Path("mappings/x").exists()
