"""What holds for every workbook, archive and DataSet: it is read or refused, and nothing else happens."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from mappings.decode import SourceSpec, xlsx
from mappings.decode.packed import Archive
from mappings.document import decoder
from schemas.errors import UndecodableError
from tests.support.workbook import Cell, archive, parts, workbook

LIMIT = 50_000
WHOLE = workbook([["A", "B"], ["0001", 1.5], [True, "x"]])
CHANGES = st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8)
PIECES = st.lists(
    st.sampled_from(
        [
            *("<sheetData>", "</sheetData>", "<row>", "</row>", '<row r="2">', '<row r="99999999">', '<row r="x">'),
            *('<c r="A1">', "<c>", '<c t="s">', '<c t="inlineStr">', '<c r="AAAA1" t="?">', "</c>", "<v>", "</v>"),
            *("1", "-1", "1e400", "٣", "_x0000_", "_xD800_", "<is><t>a</t></is>", "<f/>"),
            *("<mergeCells>", '<mergeCell ref="A1:B2"/>', '<mergeCell ref="B9:A1"/>', "</mergeCells>"),
        ]
    ),
    max_size=25,
).map("".join)
DIFFGRAMS = st.lists(
    st.sampled_from(
        [
            *("<diffgram>", "</diffgram>", "<d:diffgram xmlns:d='urn:d'>", "</d:diffgram>", "<before>", "</before>"),
            *(
                "<T>",
                "</T>",
                "<T x:hasChanges='deleted' xmlns:x='urn:x'/>",
                "<_x0054_/>",
                "<_xD800_/>",
                "a",
                "<D>",
                "</D>",
            ),
            *("<schema>", "</schema>", "<element name='T'>", "<element ref='a:T'/>", "<element/>", "</element>"),
        ]
    ),
    max_size=14,
).map("".join)


def changed(changes: list[tuple[int, int]], cut: int) -> bytes:
    body = bytearray(WHOLE)
    for at, byte in changes:
        body[at] = byte
    return bytes(body[: len(body) - cut])


BODIES = st.one_of(
    st.binary(max_size=200).map(b"PK\x03\x04".__add__),
    st.builds(changed, CHANGES, st.sampled_from([0, 0, 0, 1, 30, 400])),
    PIECES.map(lambda content: archive(parts({"A": content, "B": ""}, shared=["<si><t>a</t></si>"]), packed=0)),
)


@given(BODIES, st.sampled_from(["", "1", "2", "A", "\x00"]), st.integers(0, 3))
@example(b"", "", 0)
def test_a_workbook_is_read_or_refused(body: bytes, sheet: str, header: int) -> None:
    with suppress(UndecodableError):
        table = xlsx.parse(body, sheet=sheet, header=header, limit=LIMIT)
        assert all(len(line.cells) == len(table.header) for line in table.lines)


@given(BODIES, st.integers(0, 300))
def test_an_archive_gives_no_more_than_was_allowed(body: bytes, limit: int) -> None:
    with suppress(UndecodableError):
        opened = Archive(body)
        for member in opened.members:
            with suppress(UndecodableError):
                assert len(opened.read(member, limit)) <= limit


@given(DIFFGRAMS, st.sampled_from(["T", "a", "D"]))
def test_a_dataset_is_read_or_refused(content: str, table: str) -> None:
    read = decoder(SourceSpec("xml", dataset=table, max_bytes=LIMIT))
    for body in (content, f"<a>{content}</a>", f"<a><diffgram>{content}</diffgram></a>"):
        with suppress(UndecodableError):
            assert all("hasChanges" not in str(row.attrib) for row in read(body.encode(), None).rows)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff_"), max_size=20)
CELLS: st.SearchStrategy[Cell] = st.none() | TEXTS | st.booleans() | st.integers(-(10**14), 10**14)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5))
def test_what_is_written_into_a_workbook_comes_back(rows: list[list[Cell]]) -> None:
    table = xlsx.parse(workbook([["x", "y", "z"], *rows]), sheet="Hồ sơ", header=1, limit=1 << 20)
    told = [tuple("" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in row) for row in rows]
    assert [line.cells for line in table.lines] == [cells for cells in told if any(map(str.strip, cells))]
