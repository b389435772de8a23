"""Mappings of a .NET DataSet and of a spreadsheet: which rows they find, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from mappings import InboundMapping, ReadContext, RowOk, RowRefused
from mappings.load import load
from schemas import DossierStep
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, UndecodableError
from tests.support.workbook import Cell, archive, parts, workbook

CONTEXT = ReadContext(agencies=AgencyRegister.empty())
FIELDS = """
to: dossier-step.v1
fields:
  number: {path: So, required: true}
  at: {path: Luc, date: FORMAT}
  person: Nguoi
  content: {path: NoiDung, default: Xử lý}
  status: {const: 4}
"""
DIFFGRAM = """<diffgr:diffgram xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"
 xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1"><DanhSach xmlns="">
 <Buoc diffgr:id="Buoc1" msdata:rowOrder="0"><So>H-1</So><Luc>2017-03-20T08:05:00+07:00</Luc><Nguoi>Bình</Nguoi></Buoc>
 <Buoc diffgr:id="Buoc2" msdata:rowOrder="1" diffgr:hasChanges="modified"><So>H-2</So>
  <Luc>2017-03-21T08:05:00+07:00</Luc><Nguoi>Mai</Nguoi></Buoc>
 <Buoc diffgr:id="Buoc4" msdata:rowOrder="3" diffgr:hasChanges="inserted"><So>H-4</So><Luc>hôm qua</Luc></Buoc>
 <Buoc diffgr:id="Buoc5" msdata:rowOrder="4" diffgr:hasChanges="deleted"><So>H-5</So></Buoc>
 <Tong diffgr:id="Tong1"><Dem>3</Dem></Tong></DanhSach>
 <diffgr:before><Buoc diffgr:id="Buoc2"><So>H-2</So><Nguoi>Ban</Nguoi></Buoc>
 <Buoc diffgr:id="Buoc3" msdata:rowOrder="2"><So>H-3</So></Buoc></diffgr:before>
 <diffgr:errors><Buoc diffgr:id="Buoc4" diffgr:Error="e"/></diffgr:errors></diffgr:diffgram>"""
SCHEMA = """<xs:schema id="DanhSach" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema"
 xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"><xs:element name="DanhSach" msdata:IsDataSet="true">
 <xs:complexType>
 <xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="Buoc"><xs:complexType><xs:sequence>
 <xs:element name="So" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
 <xs:element name="Ho_x0020_so"><xs:complexType><xs:sequence><xs:element name="So"/></xs:sequence></xs:complexType>
 </xs:element></xs:choice></xs:complexType></xs:element></xs:schema>"""
EMPTY = '<d:diffgram xmlns:d="urn:schemas-microsoft-com:xml-diffgram-v1"/>'


def mapping(tmp_path: Path, source: str, date: str = "iso") -> InboundMapping:
    file = tmp_path / "steps.yaml"
    file.write_text(f"mapping: steps\nfrom: {source}{FIELDS.replace('FORMAT', date)}", encoding="utf-8")
    made = load(str(file))
    assert isinstance(made, InboundMapping)
    return made


def soap(result: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><LayResponse xmlns="http://tempuri.org/">'
        f"<LayResult>{result}</LayResult></LayResponse></s:Body></s:Envelope>"
    ).encode()


def read(made: InboundMapping, body: bytes) -> list[tuple[str, str]]:
    found = []
    for row in made.read(body, charset=None, context=CONTEXT):
        if isinstance(row, RowOk):
            assert isinstance(row.record, DossierStep)
            found.append((row.record.number, row.record.person or ""))
        else:
            found.append(("refused", str(row.error)))
    return found


def test_a_dataset_gives_its_rows_as_they_are_now(tmp_path: Path) -> None:
    made = mapping(tmp_path, "{format: xml, dataset: Buoc}")
    rows = read(made, soap(SCHEMA + DIFFGRAM))
    assert rows[:2] == [("H-1", "Bình"), ("H-2", "Mai")]
    assert len(rows) == 3
    assert "hôm qua" in rows[2][1]


def test_a_dataset_inside_a_text_is_unwrapped_first(tmp_path: Path) -> None:
    made = mapping(
        tmp_path, "{format: xml, dataset: Buoc, unwrap: [{path: \"//*[local-name()='LayResult']\", holds: xml}]}"
    )
    assert read(made, soap(escape(f"<DataSet>{SCHEMA}{DIFFGRAM}</DataSet>")))[0] == ("H-1", "Bình")


def test_a_refused_row_is_the_same_row_when_it_only_moved(tmp_path: Path) -> None:
    made = mapping(tmp_path, "{format: xml, dataset: Buoc}")

    def refused(text: str) -> bytes:
        rows = list(made.read(soap(text), charset=None, context=CONTEXT))
        assert isinstance(rows[-1], RowRefused)
        assert [str(row.error) for row in made.reread(rows[-1].raw, CONTEXT) if isinstance(row, RowRefused)]
        return rows[-1].raw

    moved = DIFFGRAM.replace('"3" diffgr:hasChanges="inserted"', '"7"').replace("Buoc4", "Buoc8")
    assert refused(DIFFGRAM) == refused(moved)


def test_of_several_datasets_within_says_which(tmp_path: Path) -> None:
    two = soap(f"<A>{DIFFGRAM}</A><B>{EMPTY}</B>")
    with pytest.raises(UndecodableError, match="2 DataSets are there — say which by `within`"):
        read(mapping(tmp_path, "{format: xml, dataset: Buoc}"), two)
    assert len(read(mapping(tmp_path, "{format: xml, dataset: Buoc, within: \"//*[local-name()='A']\"}"), two)) == 3
    assert read(mapping(tmp_path, "{format: xml, dataset: Buoc, within: \"//*[local-name()='B']\"}"), two) == []


@pytest.mark.parametrize("table", ["Buoc", "Ho_x0020_so", '"Ho so"'])
def test_a_table_without_rows_is_no_rows_where_the_schema_has_it(tmp_path: Path, table: str) -> None:
    assert read(mapping(tmp_path, f"{{format: xml, dataset: {table}}}"), soap(SCHEMA + EMPTY)) == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (SCHEMA + EMPTY, "the DataSet has no table 'Khac'; it has Buoc, Ho_x0020_so — mend `dataset`"),
        (DIFFGRAM, "the DataSet has no table 'Khac'; it has Buoc, Tong — mend `dataset`"),
        ("<DanhSach/>", "a DataSet (diffgram) is not there"),
        ("<diffgram><A/><B/></diffgram>", "the diffgram holds 2 DataSets"),
        ("<diffgram" + "><A" * 300 + "/>", "not well-formed"),
    ],
)
def test_a_dataset_of_another_shape_is_refused_whole(tmp_path: Path, result: str, said: str) -> None:
    with pytest.raises(UndecodableError) as refused:
        read(mapping(tmp_path, "{format: xml, dataset: Khac}"), soap(result))
    assert said in str(refused.value)


def test_a_spreadsheet_gives_its_rows_with_dates_as_numbers(tmp_path: Path) -> None:
    made = mapping(tmp_path, "{format: xlsx, sheet: Hồ sơ, header: 1}", "[excel, dd/MM/yyyy]")
    table: list[list[Cell]] = [["So", "Luc", "Nguoi", "NoiDung"]]
    table += [["0001", 42814.336805555555, "Bình", None], [2.0, "21/03/2017", "Mai"], ["#N/A", 42814.0, "Sa"]]
    rows = list(made.read(workbook(table), charset=None, context=CONTEXT))
    assert [row.record.key for row in rows if isinstance(row, RowOk)] == [
        "0001|2017-03-20T01:05:00Z|Bình|4",
        "2|2017-03-20T17:00:00Z|Mai|4",
    ]
    wrong = rows[2]
    assert isinstance(wrong, RowRefused)
    assert wrong.where == "row 4"
    assert "number: is an error of the spreadsheet, not a value at So (found '#N/A')" in str(wrong.error)
    assert [type(row) for row in made.reread(wrong.raw, CONTEXT)] == [RowRefused]


def test_a_spreadsheet_without_a_column_that_is_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UndecodableError, match="the header lacks Nguoi, NoiDung; its columns are So, Luc"):
        read(mapping(tmp_path, "{format: xlsx}"), workbook([["So", "Luc"], ["1", "2"]]))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{format: xlsx, sheet: 0}", "'sheet' is the name of a sheet or its number from 1"),
        ("{format: xlsx, header: 0}", "header"),
        ("{format: xlsx, within: /A}", "within"),
        ("{format: csv, sheet: 1}", "sheet"),
        ("{format: xml, dataset: A, each: B}", "'from' has both 'dataset' and 'each'"),
        ("{format: json, dataset: A}", "dataset"),
    ],
)
def test_what_a_format_does_not_have_is_told(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mapping(tmp_path, source)


def test_the_archive_of_a_workbook_may_be_stored_unpacked(tmp_path: Path) -> None:
    cells = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in ("So", "Luc", "Nguoi", "NoiDung"))
    body = archive(parts({"A": f"<sheetData><row>{cells}</row></sheetData>"}), packed=0)
    assert read(mapping(tmp_path, "{format: xlsx}"), body) == []
