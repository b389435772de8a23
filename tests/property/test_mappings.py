"""What holds for every input: decoders read or refuse, nothing else; dates and text survive; no row is lost."""

from __future__ import annotations

import json as stdlib_json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from unicodedata import is_normalized, normalize
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mappings import InboundMapping, ReadContext, Row, RowOk, read_all
from mappings.catalogue import CATALOGUE, load, names
from mappings.converters.date_format import parser, renderer
from mappings.decode import csv, json, xml
from mappings.notation import Problems, parse
from mappings.testing import inputs, place_of_test
from schemas import DossierStep
from schemas.agency import AgencyRegister
from schemas.errors import UndecodableError
from schemas.local_time import LOCAL

LIMIT = 100_000
CONTEXT = ReadContext(agencies=AgencyRegister.empty(), label="buoc-1.csv")
AGENCIES = AgencyRegister.from_rows(
    {"code": code, "name": f"Đơn vị {code}", "level": "province", "aliases": [alias]}
    for code, alias in (
        ("H12", "000.00.00.H12"),
        ("H12.05", "Sở Thông tin và Truyền thông"),
        ("H12.12", "000.00.12.H12"),
        ("H12.31", "UBND huyện Năm Căn"),
        ("H56.05", "000.00.05.H56"),
        ("H59.31", "000.00.31.H59"),
        ("H59.05", "000.00.05.H59"),
    )
)
CHARSETS = st.sampled_from([None, "utf-8", "utf-16", "iso-8859-1", "windows-1258", "ascii", "utf-7", "\x00", "ạ"])
PIECES = (
    *(
        "<a>",
        "</a>",
        "<!DOCTYPE a [",
        "<!ENTITY e 'x'>",
        "]>",
        "&e;",
        "&#0;",
        "&#65;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
    ),
    *("<?x", "?>", "ạ", "\0", " xmlns='u'", "\ud800", "<?xml version='1.0' encoding='utf-16'?>"),
    *("{", "}", "[", "]", '"', ":", ",", "\\", "1e999", "-", "null", ";", "\n", "\r"),
)
MARKUP = st.lists(st.sampled_from(PIECES), max_size=40).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
)
BODIES = st.one_of(st.binary(max_size=200), MARKUP, st.text(max_size=100).map(lambda t: t.encode("utf-16", "replace")))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=60)
# Since 1976 Viet Nam has had one offset of whole hours; before, a local time without its offset may be two times.
FIRST, LAST = datetime(1976, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
SECONDS = st.integers(0, int((LAST - FIRST).total_seconds()) - 1).map(lambda s: FIRST + timedelta(seconds=s))
MILLIS = st.builds(lambda at, ms: at + timedelta(milliseconds=ms), SECONDS, st.integers(0, 999))


def inbound(name: str) -> InboundMapping:
    mapping = load(name)
    assert isinstance(mapping, InboundMapping)
    return mapping


SOAP = [inbound("one-stop-soap/dossier"), inbound("one-stop-soap/step")]
REST = [inbound("one-stop-rest/dossier"), inbound("one-stop-rest/step")]
CSV = inbound("one-stop-csv/step")


@given(BODIES, CHARSETS)
@example(b"<a>" * 300, None)
@example(b"\xff\xfe", None)
@example(b"\xfe\xff<", "utf-16")
def test_decoders_read_or_refuse_and_do_nothing_else(body: bytes, charset: str | None) -> None:
    for decode in (
        lambda: xml.parse(body, charset, limit=LIMIT),
        lambda: json.parse(body, charset, limit=LIMIT),
        lambda: csv.parse(body, charset, own="", delimiter=";", quote='"', limit=LIMIT),
    ):
        with suppress(UndecodableError):
            decode()


@given(BODIES, CHARSETS)
def test_mappings_read_or_refuse_and_do_nothing_else(body: bytes, charset: str | None) -> None:
    inside = b"<a><LayDanhSachHoSoResult><![CDATA[" + body + b"]]></LayDanhSachHoSoResult></a>"
    for mappings, given_body in ((SOAP, body), (SOAP, inside), (REST, body), ([CSV], body)):
        try:
            rows = read_all(mappings, given_body, charset, CONTEXT)
        except UndecodableError:
            continue
        assert len({row.position for row in rows}) == len(rows)


CATALOGUE_READS = [made for name in names() if isinstance(made := load(name), InboundMapping)]
"""Every mapping of the catalogue that reads; a new one is walked without a word here."""
OWN = {made.name: inputs(place_of_test(CATALOGUE / f"{made.name}.yaml")) for made in CATALOGUE_READS}
"""What their own tests read, by the mapping's name."""


@st.composite
def spoilt(draw: st.DrawFn, bodies: list[bytes]) -> bytes:
    """One of some bodies with pieces of it cut out, doubled, or put in place of others; or any bytes."""
    body = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(0, 3))):
        start, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        piece = draw(st.sampled_from([b"", body[start:end] * 2, b"0", b'"', b"<", b"\xff", b"\x00", b";"]) | BODIES)
        end = min(end, start + draw(st.sampled_from([0, 1, 8, 200])))
        body = body[:start] + piece + body[end:]
    return body


@pytest.mark.parametrize("mapping", CATALOGUE_READS, ids=lambda made: made.name)
@settings(max_examples=25)
@given(data=st.data())
def test_every_mapping_of_the_catalogue_reads_or_refuses_and_does_nothing_else(
    mapping: InboundMapping, data: st.DataObject
) -> None:
    own = OWN[mapping.name]
    body = data.draw(spoilt([one.body for one in own]) | BODIES)
    register = data.draw(st.sampled_from([AgencyRegister.empty(), AGENCIES]))
    label = next((one.label for one in own if one.label), "")
    try:
        rows = read_all([mapping], body, data.draw(CHARSETS | st.none()), ReadContext(register, label))
    except UndecodableError:
        return
    assert len({row.position for row in rows}) == len(rows)
    for row in rows:
        if isinstance(row, RowOk):
            assert type(row.record).from_json(row.record.to_json()) == row.record
            assert row.record.key
        else:
            assert row.error.problems
            assert all(str(problem) for problem in row.error.problems)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from([*(f.path for f in REST[0].fields), "qua_trinh"]), JSON_VALUES), max_size=5
)


@given(st.lists(JSON_VALUES | st.just({}), max_size=4) | ROWS)
def test_every_json_row_is_a_record_or_a_refusal_with_a_reason(values: list[object]) -> None:
    body = stdlib_json.dumps({"du_lieu": values}).encode()
    rows = list(REST[0].read(body, charset=None, context=CONTEXT))
    assert [row.position for row in rows] == [(number, 0) for number in range(len(values))]
    for row in rows:
        if not isinstance(row, RowOk):
            assert all(str(problem) for problem in row.error.problems)
            assert row.raw
            again = REST[0].reread(row.raw, CONTEXT)
            assert [refusal(one) for one in again] == [refusal(row)]


def refusal(row: Row) -> list[str]:
    return [] if isinstance(row, RowOk) else [str(problem) for problem in row.error.problems]


@given(st.dictionaries(TEXTS, TEXTS | st.integers(-(2**63), 2**64 - 1), max_size=5), st.booleans())
def test_json_without_repeated_keys_is_never_refused_and_with_them_always(
    value: dict[str, object], loose: bool
) -> None:
    text = stdlib_json.dumps(value, ensure_ascii=False, separators=(",", " : " if loose else ":"))
    assert json.parse(text.encode(), None, limit=LIMIT) == value
    for key in value:
        repeated = text[:-1] + "," + stdlib_json.dumps({key: 0})[1:]
        with pytest.raises(UndecodableError, match="twice"):
            json.parse(repeated.encode(), None, limit=LIMIT)


@given(TEXTS, TEXTS, st.sampled_from(["NFC", "NFD"]))
def test_text_comes_out_composed_and_trimmed_from_xml(person: str, content: str, form: str) -> None:
    step = f"<Buoc><ThoiDiem>20/03/2017 08:00:00</ThoiDiem><NguoiXuLy>{escape(person)}</NguoiXuLy>"
    step += f"<NoiDung>{escape(content)}</NoiDung><TrangThai>Đang xử lý</TrangThai></Buoc>"
    rows = f"<DanhSachHoSo><HoSo><SoHoSo>A-1</SoHoSo><QuaTrinh>{step}</QuaTrinh></HoSo></DanhSachHoSo>"
    body = f"<a><LayDanhSachHoSoResult>{escape(rows)}</LayDanhSachHoSoResult></a>"
    (row,) = SOAP[1].read(normalize("NFD" if form == "NFD" else "NFC", body).encode(), charset=None, context=CONTEXT)
    wanted = [normalize("NFC", text).strip() for text in (person, content)]
    if isinstance(row, RowOk):
        assert isinstance(row.record, DossierStep)
        assert [row.record.person, row.record.content] == wanted
        assert is_normalized("NFC", row.record.person)
        assert is_normalized("NFC", row.record.content)
    else:
        assert {problem.field for problem in row.error.problems} <= {"person", "content"}
        assert not all(wanted) or len(wanted[0]) > 50


@given(
    SECONDS, st.sampled_from(["dd/MM/yyyy HH:mm:ss", "yyyyMMddHHmmss", "iso", "/Date(ms)/", "yyyy-MM-dd HH:mm:ssXXX"])
)
def test_seconds_survive_writing_and_reading(at: datetime, written: str) -> None:
    back = parser(written, LOCAL)(str(renderer(written, LOCAL)(at)))
    assert back == at


@given(MILLIS, st.sampled_from(["yyyy-MM-dd'T'HH:mm:ss.SSSZ", "iso", "epoch-ms"]))
def test_milliseconds_survive_writing_and_reading(at: datetime, written: str) -> None:
    back = parser(written, UTC)(str(renderer(written, UTC)(at)))
    assert back == at


@given(st.text(max_size=200) | MARKUP.map(lambda body: body.decode("utf-8", "replace")))
def test_every_text_is_a_mapping_or_a_problem_with_a_line(text: str) -> None:
    problems = Problems("m.yaml")
    node = parse(text, problems)
    assert node is not None or problems.found
    assert all(problem.line >= 1 for problem in problems.found)
