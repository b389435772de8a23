"""Reading: bad values stop no other row, every refusal says where and what, rows come in the order the ledger needs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from unicodedata import is_normalized, normalize

import pytest

from mappings import InboundMapping, ReadContext, RowOk, RowRefused, read_all
from mappings.catalogue import load
from mappings.decode import xml
from mappings.document import decoder
from schemas import Dossier
from schemas.agency import AgencyRegister
from schemas.codes import DossierStatus
from schemas.errors import UndecodableError
from tests.unit.mappings.legacy import REST_ROW, REST_STEP, SOAP_STEP, rest_page, soap_page, soap_row


def inbound(name: str, folder: Path | None = None) -> InboundMapping:
    found = load(name, folders=[folder] if folder else [])
    assert isinstance(found, InboundMapping)
    return found


DOSSIER, STEP = inbound("one-stop-soap/dossier"), inbound("one-stop-soap/step")


def own(folder: Path, source: str, fields: str = "") -> InboundMapping:
    """A step mapping of the test's own."""
    (folder / "t").mkdir(exist_ok=True)
    usual = "number: N, at: {path: T, date: iso}, person: P, content: C, status: {const: 1}"
    text = f"mapping: t/m\nfrom: {{{source}}}\nto: dossier-step.v1\nfields: {{{fields or usual}}}\n"
    (folder / "t" / "m.yaml").write_text(text, encoding="utf-8")
    return inbound("t/m", folder)


RENAMED = soap_page().replace(b"DanhSachHoSo trang", b"Loi trang").replace(b"/DanhSachHoSo&", b"/Loi&")
B = "<B><N>1</N><T>2017-03-20</T><P>Bình</P><C>x</C></B>"


def test_a_page_becomes_dossiers_and_steps_in_order(context: ReadContext) -> None:
    later = {**SOAP_STEP, "ThoiDiem": "22/03/2017 08:00:00"}
    body = soap_page(soap_row([later, SOAP_STEP]), soap_row([], SoHoSo="X-1"), soap_row(None, SoHoSo="X-2"))
    rows = read_all([STEP, DOSSIER], body, None, context)
    assert all(isinstance(row, RowOk) for row in rows)
    assert [row.record.kind for row in rows if isinstance(row, RowOk)] == [
        "dossier.v1", "dossier-step.v1", "dossier-step.v1", "dossier.v1", "dossier.v1",
    ]  # fmt: skip
    assert [row.position for row in rows] == [(0, 2), (0, 1), (0, 0), (1, 0), (2, 0)]


def test_cdata_and_escaped_answers_are_the_same(context: ReadContext) -> None:
    rows = [soap_row([SOAP_STEP])]
    plain, cdata = (read_all([DOSSIER, STEP], soap_page(*rows, cdata=c), None, context) for c in (False, True))
    assert plain == cdata


def test_what_a_source_decoded_ahead_is_not_decoded_again(context: ReadContext) -> None:
    body = soap_page(soap_row([SOAP_STEP]))
    decode = decoder(DOSSIER.spec)
    document = decode.ahead(body, "utf-8")
    assert decode(bytes(bytearray(body)), "utf-8") is not document  # equal, but another page
    assert decode(body, "utf-8") is document
    assert decode(body, "utf-8") is not document  # once
    assert decode.ahead(body, "utf-8") is not decode(body, None)
    for _ in range(9):
        decode.ahead(body := bytes(bytearray(body)), None)
    (row,) = read_all([DOSSIER], body, None, context)
    assert isinstance(row, RowOk)


def test_equal_sources_are_decoded_once(context: ReadContext, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []
    parse = xml.parse_utf8

    def counted(body: bytes) -> Any:
        bodies.append(body)
        return parse(body)

    monkeypatch.setattr(xml, "parse_utf8", counted)
    read_all([DOSSIER, STEP], soap_page(soap_row([SOAP_STEP])), None, context)
    assert len(bodies) == 2  # the answer, and the string inside it


def test_a_refused_dossier_keeps_its_steps(context: ReadContext) -> None:
    rows = read_all([DOSSIER, STEP], soap_page(soap_row([SOAP_STEP, SOAP_STEP], TrangThai="Đang ngủ")), None, context)
    assert [type(row) for row in rows] == [RowRefused, RowOk, RowOk]


def test_the_three_broken_versions_come_out_as_they_should(context: ReadContext) -> None:
    body = soap_page(
        soap_row(TrangThai="Đang ngủ"), soap_row(NgayTiepNhan="31/02/2017 08:00:00"), soap_row(SoHoSo=" "), soap_row()
    )
    status, date, number, sound = read_all([DOSSIER], body, None, context)
    assert isinstance(status, RowRefused)
    assert (status.verdict, status.key) == ("park", "000.00.05.H59-170320-0002")
    assert (status.error.mapping, status.error.field, status.error.path, status.error.value) == (
        "one-stop-soap/dossier", "status", "TrangThai", "Đang ngủ",
    )  # fmt: skip
    assert isinstance(date, RowRefused)
    assert (date.verdict, date.error.field, date.error.value) == ("reject", "received_at", "31/02/2017 08:00:00")
    assert isinstance(number, RowRefused)
    assert (number.verdict, number.key, number.error.path, number.error.value) == ("reject", None, "SoHoSo", " ")
    assert isinstance(sound, RowOk)
    assert str(date.error).startswith(
        "one-stop-soap/dossier: received_at: is no date of the calendar: day is out of range"
    )


def test_every_problem_of_a_row_is_told_at_once(context: ReadContext) -> None:
    (row,) = read_all(
        [DOSSIER], soap_page(soap_row(TrangThai="x", MucDo="9a", NgayHenTra="mai", NguoiNop="")), None, context
    )
    assert isinstance(row, RowRefused)
    assert [problem.field for problem in (row.error, *row.error.others)] == [
        "applicant_name", "service_level", "status", "due_at",
    ]  # fmt: skip
    assert row.verdict == "reject"
    assert [problem.verdict for problem in row.error.problems] == ["reject", "reject", "park", "reject"]


def test_what_a_record_refuses_is_told_with_its_source(context: ReadContext) -> None:
    body = soap_page(
        soap_row(TrangThai="Đã xử lý xong"), soap_row(MucDo="5"), soap_row(SoHoSo="a b", TenThuTuc="x" * 1001)
    )
    finish, level, number = read_all([DOSSIER], body, None, context)
    assert isinstance(finish, RowRefused)
    assert (finish.error.field, finish.error.path, finish.verdict) == ("finished_at", "NgayHoanThanh", "reject")
    assert isinstance(level, RowRefused)
    assert (level.error.path, level.error.value, level.key) == ("MucDo", "5", "000.00.05.H59-170320-0002")
    assert isinstance(number, RowRefused)
    assert (number.key, [problem.path for problem in number.error.problems]) == (None, ["SoHoSo", "TenThuTuc"])
    assert number.error.others[0].value == "x" * 200 + "… (1001 characters)"


def test_text_is_composed_and_trimmed_before_tables_look(context: ReadContext) -> None:
    body = normalize(
        "NFD", soap_page(soap_row(TrangThai="\u00a0Đã trả kết quả \n", NgayHoanThanh="30/03/2017 08:00:00")).decode()
    )
    (row,) = read_all([DOSSIER], body.encode(), None, context)
    assert isinstance(row, RowOk)
    assert isinstance(row.record, Dossier)
    assert row.record.status is DossierStatus.RETURNED
    assert is_normalized("NFC", row.record.applicant_name)


def test_an_unknown_agency_parks_and_a_date_that_is_refused_does_not_blame_it() -> None:
    nobody = ReadContext(agencies=AgencyRegister.empty())
    body = soap_page(soap_row(), soap_row(NgayTiepNhan="hôm qua"))
    unknown, undated = read_all([DOSSIER], body, None, nobody)
    assert isinstance(unknown, RowRefused)
    assert (unknown.verdict, [p.field for p in unknown.error.problems]) == ("park", ["agency", "agency_level"])
    assert isinstance(undated, RowRefused)
    assert (undated.verdict, [p.field for p in undated.error.problems]) == ("reject", ["received_at"])


def test_the_bytes_of_a_refused_row_are_canonical_and_can_be_read_again(context: ReadContext) -> None:
    nobody = ReadContext(agencies=AgencyRegister.empty())
    one = soap_page(soap_row([SOAP_STEP]))
    two = one.replace(b"&lt;GhiChu&gt;&lt;/GhiChu&gt;", b"&lt;GhiChu /&gt;")
    assert one != two
    (first,), (second,) = (read_all([DOSSIER], body, None, nobody) for body in (one, two))
    assert isinstance(first, RowRefused)
    assert isinstance(second, RowRefused)
    assert first.raw == second.raw
    assert read_all([DOSSIER], one, None, context) == DOSSIER.reread(first.raw, context)


@pytest.mark.parametrize(
    "body",
    ["<D xmlns='motcua'><B><N>1</N></B></D>", "<D><B " + " ".join(f"a{n}=''" for n in range(600)) + "/></D>"],
    ids=["a namespace that is no whole address", "more attributes than are sorted"],
)
def test_rows_that_have_no_canonical_form_are_refused_like_any(tmp_path: Path, body: str) -> None:
    one, nobody = own(tmp_path, "format: xml, each: B"), ReadContext(agencies=AgencyRegister.empty())
    [row], [again] = (read_all([one], body.encode(), None, nobody) for _ in range(2))
    assert isinstance(row, RowRefused)
    assert isinstance(again, RowRefused)
    assert row.raw == again.raw
    [read] = one.reread(row.raw, nobody)
    assert isinstance(read, RowRefused)
    assert str(read.error) == str(row.error)


def test_a_body_whose_refused_rows_grow_beyond_all_bounds_is_refused_whole(
    context: ReadContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = soap_page(soap_row([{**SOAP_STEP, "TrangThai": "x"} for _ in range(9)]))
    monkeypatch.setattr("mappings.inbound.MAX_REFUSED_BYTES", 2000)
    with pytest.raises(UndecodableError, match="the rows that are refused have more than 2,000 bytes, the first: "):
        read_all([STEP], body, None, context)


def test_the_bytes_of_a_refused_step_hold_it_alone(context: ReadContext) -> None:
    body = soap_page(soap_row([SOAP_STEP, {**SOAP_STEP, "TrangThai": "x"}, {**SOAP_STEP, "TrangThai": "y"}]))
    newer = body.replace(b"21/03/2017 09:15:00", b"23/03/2017 09:15:00")
    refused = [row for row in read_all([STEP], body, None, context) if isinstance(row, RowRefused)]
    again = [row for row in read_all([STEP], newer, None, context) if isinstance(row, RowRefused)]
    assert [row.raw for row in refused] == [row.raw for row in again]
    assert len({row.raw for row in refused}) == 2
    (row,) = STEP.reread(refused[0].raw, context)
    assert isinstance(row, RowRefused)
    assert (row.error.value, row.lane, row.key) == ("x", "000.00.05.H59-170320-0002", None)
    assert refused[1].where == "HoSo[1], QuaTrinh/Buoc[3]"


def test_json_steps_can_be_read_again_too(context: ReadContext) -> None:
    step = inbound("one-stop-rest/step")
    body = rest_page(
        {**REST_ROW, "qua_trinh": [REST_STEP, {**REST_STEP, "trang_thai": "x"}]}, {**REST_ROW, "qua_trinh": [7]}
    )
    sound, refused, odd = step.read(body, charset=None, context=context)
    assert isinstance(sound, RowOk)
    assert isinstance(refused, RowRefused)
    assert refused.raw.startswith(b'{"qua_trinh":[{"chuc_danh"')
    (again,) = step.reread(refused.raw, context)
    assert isinstance(again, RowRefused)
    assert str(again.error) == str(refused.error)
    assert isinstance(odd, RowRefused)
    assert (odd.error.value, odd.position) == ("7", (1, 0))


def test_positions_do_not_move_when_a_row_is_mended(context: ReadContext) -> None:
    late = {**SOAP_STEP, "ThoiDiem": "22/03/2017 08:00:00"}
    broken = read_all([DOSSIER, STEP], soap_page(soap_row([{**SOAP_STEP, "TrangThai": "?"}, late])), None, context)
    mended = read_all([DOSSIER, STEP], soap_page(soap_row([SOAP_STEP, late])), None, context)
    assert [row.position for row in broken] == [(0, 0), (0, 2), (0, 1)]
    assert [row.position for row in mended] == [(0, 0), (0, 1), (0, 2)]


def test_labels_choose_the_mapping() -> None:
    dossier, step = inbound("one-stop-csv/dossier"), inbound("one-stop-csv/step")
    assert dossier.applies("hoso-0001.csv")
    assert dossier.applies("drop/hoso-0001.csv")
    assert not step.applies("hoso-0001.csv")
    body = b"SO_HO_SO;THOI_DIEM;NGUOI_XU_LY;CHUC_DANH;PHONG_BAN;NOI_DUNG;TRANG_THAI\nX;20170320080000;A;;;b;2\n"
    context = ReadContext(agencies=AgencyRegister.empty(), label="buoc-0001.csv")
    (row,) = read_all([dossier, step], body, None, context)
    assert isinstance(row, RowOk)
    with pytest.raises(
        UndecodableError, match=r"no mapping reads 'x.csv': one-stop-csv/dossier \(label 'hoso-\*\.csv'\)"
    ):
        read_all([dossier, step], body, None, ReadContext(agencies=AgencyRegister.empty(), label="x.csv"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><body>Server Error</body></html>", "is not there; the document is <html>: Server Error"),
        (RENAMED, "/DanhSachHoSo is not there; the document is <Loi>"),
        (soap_page("<Khac/>"), "<Khac> stands among the rows <HoSo> of /DanhSachHoSo: the shape has changed"),
        (soap_page("<!DOCTYPE x>"), "inside //*[local-name()='LayDanhSachHoSoResult']: not well-formed XML"),
        (soap_page("<HoSo>"), "inside //*[local-name()='LayDanhSachHoSoResult']: not well-formed XML"),
        (b"<a><LayDanhSachHoSoResult/></a>", "the body is empty"),
        (b"<a><LayDanhSachHoSoResult/><LayDanhSachHoSoResult/></a>", "stands 2 times"),
        (b"<a><LayDanhSachHoSoResult><b/></LayDanhSachHoSoResult></a>", "holds <b> itself, not a text to unwrap"),
    ],
)  # fmt: skip
def test_a_body_of_another_shape_is_refused_at_once(context: ReadContext, body: bytes, said: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        DOSSIER.read(body, charset=None, context=context)
    assert said in str(caught.value)


def test_a_bomb_inside_the_string_is_refused(context: ReadContext) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "boom">]><DanhSachHoSo>&b;</DanhSachHoSo>'
    body = f"<a><LayDanhSachHoSoResult><![CDATA[{bomb}]]></LayDanhSachHoSoResult></a>".encode()
    with pytest.raises(UndecodableError, match=r"inside .*: a document type \(DOCTYPE\)"):
        read_all([DOSSIER], body, None, context)


def test_base64_json_in_xml_and_xml_in_json(tmp_path: Path, context: ReadContext) -> None:
    rows = b'{"d": [{"N": "1", "T": "2017-03-20", "P": "B", "C": "x"}]}'
    packed = base64.encodebytes(rows)
    mapping = own(tmp_path, "format: xml, unwrap: [{path: /R, holds: json, encoding: base64}], within: d")
    (row,) = mapping.read(b"<R>" + packed + b"</R>", charset=None, context=context)
    assert isinstance(row, RowOk)
    with pytest.raises(UndecodableError, match="inside /R: not base64"):
        mapping.read(b"<R>*</R>", charset=None, context=context)
    other = own(tmp_path, "format: json, unwrap: [{path: r, holds: xml, empty: no-rows}], within: /A, each: B")
    (row,) = other.read(f'{{"r": "<![CDATA[<A>{B}</A>]]>"}}'.encode(), charset=None, context=context)
    assert isinstance(row, RowOk)
    assert list(other.read(b'{"r": " "}', charset=None, context=context)) == []
    with pytest.raises(UndecodableError, match="r is a number, not a text to unwrap"):
        other.read(b'{"r": 1}', charset=None, context=context)


def test_an_error_inside_a_200_is_told(tmp_path: Path, context: ReadContext) -> None:
    mapping = own(tmp_path, 'format: json, within: d, error: {path: ma_loi, ok: ["0", "00"], text: thong_bao}')
    assert list(mapping.read(b'{"ma_loi": 0, "d": []}', charset=None, context=context)) == []
    assert list(mapping.read(b'{"d": []}', charset=None, context=context)) == []
    with pytest.raises(UndecodableError, match="the answer is an error: ma_loi is '99': Hết phiên"):
        mapping.read('{"ma_loi": "99", "thong_bao": "Hết phiên", "d": []}'.encode(), charset=None, context=context)
    loose = own(tmp_path, "format: xml, within: /A, each: B, error: {path: Loi}")
    with pytest.raises(UndecodableError, match="Loi is 'hỏng'"):
        loose.read("<A><Loi>hỏng</Loi></A>".encode(), charset=None, context=context)


@pytest.mark.parametrize("within", ["/s:A", "/A", "A/.."])
def test_namespaces_do_not_matter_to_names_and_do_to_expressions(
    tmp_path: Path, context: ReadContext, within: str
) -> None:
    source = f"format: xml, namespaces: {{s: urn:x}}, within: {within!r}, each: B"
    body = f'<A xmlns="urn:x">{B}</A>'.encode()
    if within == "A/..":
        with pytest.raises(UndecodableError, match="is not there"):
            own(tmp_path, source).read(body, charset=None, context=context)
    else:
        (row,) = own(tmp_path, source).read(body, charset=None, context=context)
        assert isinstance(row, RowOk)


@pytest.mark.parametrize(
    ("path", "row", "found"),
    [
        ("N/@ma", '<N ma=" 7 "/>', "7"),
        ("@ma", "", "8"),
        ("X/Y", "<X><Y>9</Y></X>", "9"),
        ("concat(N, '-', M)", "<N>1</N><M>2</M>", "1-2"),
        ("count(M)", "<M/><M/>", "2"),
        ("M[2]", "<M>1</M><M>2</M>", "2"),
        (".//Z/text()", "<M><Z>5</Z></M>", "5"),
    ],
)
def test_paths_of_xml(tmp_path: Path, context: ReadContext, path: str, row: str, found: str) -> None:
    fields = f'number: "{path}", at: {{const: null, path: T, date: iso}}, person: P, content: C, status: {{const: 1}}'
    fields = fields.replace("const: null, ", "")
    mapping = own(tmp_path, "format: xml, within: /A, each: B", fields)
    body = f"<A><B ma='8'>{row}<T>2017-03-20</T><P>B</P><C>x</C></B></A>"
    (made,) = mapping.read(body.encode(), charset=None, context=context)
    assert isinstance(made, RowOk)
    assert made.record.lane == found


@pytest.mark.parametrize(
    ("path", "row", "said", "verdict"),
    [
        ("N", "<N>1</N><N>2</N>", "stands 2 times in the row", "reject"),
        ("N", "<N>1<b/></N>", "holds <b>, not text", "park"),
        ("X/N", "<X><N/><N/></X>", "<N> stands 2 times", "reject"),
        (".//N", "<N>1</N><N>2</N>", "finds 2 values", "reject"),
        ("N = 1", "<N>1</N>", "is true or false; text is expected", "reject"),
        ("N div 2", "<N>1</N>", "a number with a fraction", "reject"),
        ("N div 0", "<N>0</N>", "is required and empty", "reject"),
    ],
)
def test_uncertain_values_of_xml_are_refused(
    tmp_path: Path, context: ReadContext, path: str, row: str, said: str, verdict: str
) -> None:
    fields = f'number: "{path}", at: {{path: T, date: iso}}, person: P, content: C, status: {{const: 1}}'
    mapping = own(tmp_path, "format: xml, within: /A, each: B", fields)
    (made,) = mapping.read(
        f"<A><B>{row}<T>2017-03-20</T><P>B</P><C>x</C></B></A>".encode(), charset=None, context=context
    )
    assert isinstance(made, RowRefused)
    assert (said in str(made.error), made.verdict) == (True, verdict)


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("N", '"N": 7', "7"),
        ("a.b", '"a": {"b": "7"}', "7"),
        ("'\"ma-ho-so\"'", '"ma-ho-so": "7"', "7"),
        ("'a[1].b'", '"a": [0, {"b": "7"}]', "7"),
        ("a.b", '"a": null', "is required and empty"),
        ("'a[3]'", '"a": []', "is required and empty"),
        ("a.b", '"a": 3', "a number where an object with 'b' was expected"),
        ("'a[0]'", '"a": {}', "an object where a list was expected"),
        ("a", '"a": {}', "is an object, one value is expected"),
        ("a", '"a": true', "is true or false; text is expected"),
        ("a", '"a": 1.5', "a number with a fraction, or too large to be exact; text is expected"),
    ],
)
def test_paths_of_json(tmp_path: Path, context: ReadContext, path: str, value: str, found: str) -> None:
    fields = f"number: {path}, at: {{path: T, date: iso}}, person: P, content: C, status: {{const: 1}}"
    mapping = own(tmp_path, "format: json, each: .", fields)
    body = f'{{{value}, "T": "2017-03-20", "P": "B", "C": "x"}}'
    (row,) = mapping.read(body.encode(), charset=None, context=context)
    assert found in (row.record.lane if isinstance(row, RowOk) else str(row.error))


def test_a_single_document_can_be_the_row(tmp_path: Path, context: ReadContext) -> None:
    mapping = own(tmp_path, "format: xml, within: /B, each: .")
    (row,) = mapping.read(B.encode(), charset=None, context=context)
    assert isinstance(row, RowOk)


def test_rows_by_an_expression_still_notice_a_changed_shape(tmp_path: Path, context: ReadContext) -> None:
    mapping = own(tmp_path, 'format: xml, within: /A, each: "B[N]", beside: Tong')
    assert len(list(mapping.read(f"<A>{B}<B/></A>".encode(), charset=None, context=context))) == 1
    assert list(mapping.read(b"<A><Tong>0</Tong></A>", charset=None, context=context)) == []
    with pytest.raises(UndecodableError, match="no row at B"):
        mapping.read(b"<A><C/></A>", charset=None, context=context)


def test_a_body_that_refuses_nearly_everything_is_refused_whole(tmp_path: Path, context: ReadContext) -> None:
    mapping = own(tmp_path, "format: xml, within: /A, each: B")
    with pytest.raises(
        UndecodableError, match=r"more than 20,000 rows are refused, the first: t/m: number: is required"
    ):
        read_all([mapping], b"<A>" + b"<B/>" * 20_001 + b"</A>", None, context)


@pytest.mark.parametrize("inner", ["S/B", "B"])
def test_thousands_of_refused_steps_of_one_row_take_no_thousands_of_copies(
    tmp_path: Path, context: ReadContext, inner: str
) -> None:
    fields = "number: {outer: N}, at: {path: T, date: iso}, person: P, content: C, status: {const: 1}"
    mapping = own(tmp_path, f"format: xml, within: /A, each: R, inner: {inner}", fields)
    steps = "<B><T>x</T></B>" * 3_000
    inside = f'<S k="2">{steps}</S>' if "/" in inner else steps
    body = f"<A><R ma='1'><N>7</N><M>other</M>{inside}</R></A>"
    rows = list(mapping.read(body.encode(), charset=None, context=context))
    assert len(rows) == 3_000
    row = rows[-1]
    assert isinstance(row, RowRefused)
    step = "<B><T>x</T></B>"
    kept = f'<S k="2">{step}</S>' if "/" in inner else step
    assert row.raw == f'<R ma="1"><N>7</N>{kept}</R>'.encode()
    (again,) = mapping.reread(row.raw, context)
    assert isinstance(again, RowRefused)
    assert str(again.error) == str(row.error)


def test_an_expression_around_the_row_keeps_what_it_may_read(tmp_path: Path, context: ReadContext) -> None:
    fields = "number: {outer: 'concat(N, M)'}, at: {path: T, date: iso}, person: P, content: C, status: {const: 1}"
    mapping = own(tmp_path, "format: xml, within: /A, each: R, inner: S/B", fields)
    (row,) = mapping.read(b"<A><R><N>7</N><M>8</M><S><B/></S></R></A>", charset=None, context=context)
    assert isinstance(row, RowRefused)
    assert row.raw == b"<R><N>7</N><M>8</M><S><B></B></S></R>"


def test_json_steps_deeper_in_the_row_can_be_read_again(tmp_path: Path, context: ReadContext) -> None:
    fields = "number: {outer: a.n}, at: {path: T, date: iso}, person: P, content: C, status: {const: 1}"
    mapping = own(tmp_path, "format: json, each: ., inner: a.b.s", fields)
    body = b'{"a": {"n": "7", "b": {"s": [{"T": "1"}, {"T": "2"}], "x": 1}}, "z": 1}'
    first, second = mapping.read(body, charset=None, context=context)
    assert isinstance(second, RowRefused)
    assert second.raw == b'{"a":{"b":{"s":[{"T":"2"}],"x":1},"n":"7"}}'
    (again,) = mapping.reread(second.raw, context)
    assert isinstance(again, RowRefused)
    assert (again.error.value, again.lane) == ("2", "7")
    assert isinstance(first, RowRefused)
    assert first.error.value == "1"
