"""CSV: header, quoting and the numbers of lines."""

from __future__ import annotations

import pytest

from mappings.decode import csv
from mappings.decode.source import MAX_BYTES
from schemas.errors import UndecodableError


def parse(body: bytes, charset: str | None = None) -> csv.Table:
    return csv.parse(body, charset, own="", delimiter=";", quote='"', limit=MAX_BYTES)


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    table = parse('A; B \r\n1;"x\r\ny"\r\n\r\n2;""\r\n;\r\n'.encode("utf-8-sig"))
    assert table.header == ("A", "B")
    assert [(line.number, line.cells) for line in table.lines] == [(2, ("1", "x\r\ny")), (5, ("2", "")), (6, ("", ""))]


def test_a_header_alone_has_no_lines() -> None:
    assert parse(b"A;B").lines == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is empty"),
        (b"\n;\n", "column 1 of the CSV has no name, line 2"),
        (b'A;B\n1;2\n3;"open', "in the row that starts at line 3"),
        (b'A;B\n1;"x"y\n', "in the row that starts at line 2"),
        (b"A;;C\n", "column 2 of the CSV has no name, line 1"),
        (b"A;B;A\n", "two columns 'A', line 1"),
        (b"A\n\x00\n", "a NUL character at line 2, column 1"),
        (b"A\n\xff\n", "byte 3 (line 2, byte 1 of it) is not valid"),
        (b'A;B\n1;"x\ny"\n2;"open\n3;4\n', 'a quote (") is opened in line 4 and never closed'),
        (b"A,B\n1,2\n", "the columns are separated by ';', this file uses ','"),
        (b"PK\x03\x04\x14\x00", "an Excel or zip file"),
        ("A\nHồ sơ đã nhận\n".encode("cp1258", "ignore"), "it looks like windows-1258"),
        ("A\ncafé\n".encode("cp1252"), "it looks like windows-1252"),
    ],
)
def test_broken_is_refused_with_its_place(body: bytes, said: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        parse(body)
    assert said in str(caught.value)


def test_a_long_cell_is_its_own_rows_problem() -> None:
    table = parse(b'A\n"' + b"x" * 200_000 + b'"\n1\n')
    assert [len(line.cells[0]) for line in table.lines] == [200_000, 1]


def test_cells_have_a_limit() -> None:
    with pytest.raises(UndecodableError, match="more than 2,000,000 cells"):
        parse(b";" * 2_000_001)
