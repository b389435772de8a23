"""XLSX: which sheet, which header, what a cell says, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from mappings.decode import csv, xlsx
from schemas.errors import UndecodableError
from tests.support.workbook import Cell, archive, parts, workbook

LIMIT = 1 << 20


def parse(body: bytes, sheet: str = "", header: int = 0) -> csv.Table:
    return xlsx.parse(body, sheet=sheet, header=header, limit=LIMIT)


def sheet(content: str, *, shared: tuple[str, ...] = (), settings: str = "") -> bytes:
    return archive(parts({"Hồ sơ": content}, shared=shared, settings=settings))


def test_a_workbook_that_another_program_wrote_is_read() -> None:
    body = (Path(__file__).parent / "recorded" / "openpyxl.xlsx").read_bytes()
    table = parse(body, "Hồ sơ 2017", 3)
    assert table.header == ("Số hồ sơ", "Họ tên", "Số CMND", "Ngày tiếp nhận", "Trực tuyến", "[F]")
    assert [(line.number, line.cells) for line in table.lines] == [
        (4, ("0001", "Nguyễn Thị Hạnh", "334455667", "42814.3368055555", "true", "")),
        (5, ("0002", "Thạch Sa\nRươl", "012345678", "42815", "false", "#CALC!")),
    ]
    assert parse(body, "2", 3) == table
    assert parse(body).header == ("Báo cáo",)


def test_text_stays_text_and_numbers_are_as_people_write_them() -> None:
    row: list[Cell] = ["0001", 1.0, 4.2e-2, -0.0, 123456789012, 0.1 + 0.2, 1e15, True, None]
    table = parse(workbook([list("ABCDEFGHI"), row, [], [None, " "]]))
    assert table.lines == [
        csv.Line(2, ("0001", "1", "0.042", "0", "123456789012", "0.3", "1000000000000000", "true", ""))
    ]


@pytest.mark.parametrize("text", ["", "1e999", "NaN", "1_000", "0x1", "٣", "1" * 500])
def test_what_is_no_number_stays_as_it_is(text: str) -> None:
    assert xlsx.number(text) == text


def test_texts_of_many_fonts_inline_texts_formulas_and_escapes() -> None:
    shared = (
        "<si><r><t>Hồ </t></r><r><rPr/><t>sơ</t></r><rPh><t>read aloud</t></rPh></si>",
        "<si><t>a_x000D__x0041__x0000_</t></si>",
    )
    cells = (
        '<c t="s"><v>0</v></c><c t="s"><v> 1 </v></c><c t="inlineStr"><is><t>tại chỗ</t></is></c>'
        '<c t="str"><f>A1</f><v>tính</v></c><c t="str"><f>""</f><v></v></c><c><f>1</f></c><c t="e"><v>#N/A</v></c>'
        '<c t="d"><v>2017-03-20T08:05:00</v></c><c r="K2"><v>7</v></c>'
    )
    names = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in "ABCDEFGH")
    table = parse(sheet(f"<sheetData><row>{names}</row><row>{cells}</row></sheetData>", shared=shared))
    assert table.header == (*"ABCDEFGH", "[K]")
    assert table.lines[0].cells == (
        *("Hồ sơ", "a\rA_x0000_", "tại chỗ", "tính", "", "#CALC!", "#N/A", "2017-03-20T08:05:00", "7"),
    )


def test_merged_cells_below_the_header_belong_to_every_row_of_theirs() -> None:
    data = (
        '<sheetData><row r="1"><c r="A1"><v>10</v></c><c r="B1"><v>20</v></c></row>'
        '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c></row><row r="3"><c r="B3"><v>3</v></c></row>'
        '<row r="9"><c r="B9"><v>4</v></c></row></sheetData><mergeCells><mergeCell ref="A2:A3"/></mergeCells>'
    )
    assert [line.cells for line in parse(sheet(data)).lines] == [("1", "2"), ("1", "3"), ("", "4")]


def test_macros_and_parts_that_nobody_needs_are_not_looked_at() -> None:
    made = parts({"A": '<sheetData><row><c t="inlineStr"><is><t>X</t></is></c></row></sheetData>'})
    made["xl/vbaProject.bin"] = "\0" * 100
    made["xl/styles.xml"] = "<!DOCTYPE a [<!ENTITY e 'boom'>]><a>&e;</a>"
    made["../../etc/passwd"] = "root"
    assert parse(archive(made)).header == ("X",)


BOMB = '<!DOCTYPE a [<!ENTITY e "boom">]><sst><si><t>&e;</t></si></sst>'
ROW = '<row r="1"><c r="A1"><v>1</v></c></row>'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no XLSX"),
        (b"A;B\n1;2\n", "no XLSX"),
        (b"PK\x03\x04", "the archive cannot be read"),
        (b"\xd0\xcf\x11\xe0rest", "locked with a password"),
        (workbook([["A"], [1]])[:-30], "the archive cannot be read"),
        (archive({"a.txt": "x"}), "it has no workbook"),
        (archive({"mimetype": "x", "content.xml": "<a/>"}), "OpenDocument"),
        (
            archive({**parts({"A": ""}), "xl/sharedStrings.xml": BOMB}),
            "sharedStrings.xml of the workbook: a document",
        ),
        (archive({**parts({"A": ""}), "xl/workbook.xml": "<a"}), "workbook.xml of the workbook: not well-formed"),
        (archive({**parts({"A": ""}), "xl/worksheets/sheet1.xml": "\0" * (LIMIT + 1)}), "more than 1,048,576 bytes"),
        (sheet("<sheetData/>"), "is empty, it has no header"),
        (sheet(f"<sheetData>{ROW}{ROW}</sheetData>"), "the row 1 twice"),
        (sheet('<sheetData><row><c r="A1"/><c r="A1"/></row></sheetData>'), "the column A, which cannot be, or twice"),
        (sheet('<sheetData><row><c r="ZZZ1"><v>1</v></c></row></sheetData>'), "the column ZZZ, which cannot be"),
        (sheet('<sheetData><row><c t="s"><v>9</v></c></row></sheetData>'), "a text that the workbook does not have"),
        (sheet("<sheetData/>", settings='<workbookPr date1904="1"/>'), "counts its days from 1904"),
        (workbook([["A", "B", "A"], [1]]), "two columns 'A', A and C of row 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(body: bytes, said: str) -> None:
    with pytest.raises(UndecodableError, match=said):
        parse(body)


def test_a_sheet_or_a_header_that_is_not_there_is_named() -> None:
    body = workbook([["A"], [1]])
    for wanted in ("Bìa", "0", "2", "99999999999999"):
        with pytest.raises(UndecodableError, match=f"no sheet '{wanted}'; the workbook has 'Hồ sơ' — mend `sheet`"):
            parse(body, wanted)
    with pytest.raises(UndecodableError, match="the header is to be in row 5 of the sheet 'Hồ sơ', which is empty"):
        parse(body, header=5)


def test_a_small_file_of_huge_width_or_of_merges_without_end_is_refused() -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(2, 2002))
    wide = "".join(f'<c r="{xlsx._letters(n)}1"><v>{n}</v></c>' for n in range(1, 2001))
    with pytest.raises(UndecodableError, match="more than 2,000,000 cells"):
        parse(sheet(f'<sheetData><row r="1">{wide}</row>{rows}</sheetData>'))
    merges = '<mergeCell ref="A2:A1048576"/>' * 2000
    with pytest.raises(UndecodableError, match="are merged"):
        parse(sheet(f"<sheetData>{ROW}{rows}</sheetData><mergeCells>{merges}</mergeCells>"))


def test_a_locked_member_and_one_that_lies_about_its_size() -> None:
    body = bytearray(workbook([["A"], [1]]))
    at = body.find(b"PK\x01\x02")
    body[at + 8] |= 1
    with pytest.raises(UndecodableError, match="locked with a password"):
        parse(bytes(body))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as made:
        for name, content in parts({"A": ""}).items():
            made.writestr(name, content)
    with pytest.raises(UndecodableError, match="packed in a way that is not read"):
        parse(out.getvalue())
