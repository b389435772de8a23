"""Payloads in every form: objects in one another, XML, forms and queries; what is wrong with them, and both ways."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.answers.naming import value_sent, without_values
from mappings import OutboundMapping, RefusedRowError, RenderContext
from mappings.catalogue import load
from mappings.testing import run
from schemas import Dossier
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError
from schemas.sensitivity import MASKED
from tests.property.test_quick_ways import AGENCIES, outcome
from tests.property.test_schemas import UNHURRIED, dossiers
from tests.unit.mappings.test_outbound import RECORD

XML = '{portal: xml, root: "s:HoSo", namespaces: {s: "urn:x", "": "urn:y"}}'


def mapping(folder: Path, to: str, fields: str) -> OutboundMapping:
    path = folder / "m.yaml"
    path.write_text(f"mapping: t/m\nfrom: {{record: dossier.v1}}\nto: {to}\nfields:\n{fields}\n", encoding="utf-8")
    found = load(path)
    assert isinstance(found, OutboundMapping)
    return found


def written(one: OutboundMapping, portal: RenderContext, record: Dossier = RECORD) -> str:
    payload = one.render(record, portal)
    assert one.render_body(record.to_json(), portal) == payload
    return one.body(payload).decode()


def test_dotted_members_make_objects(tmp_path: Path, portal: RenderContext) -> None:
    fields = """
  So: number
  ChuHoSo.Ten: applicant_name
  ChuHoSo.GiayTo.So: applicant_id
  "ChuHoSo.\\"loai-giay\\"": {const: [CCCD]}
  "\\"a.b\\"": {field: status, text: {}}
  Khac.Trong: {field: note, default: null}
"""
    one = mapping(tmp_path, "{portal: json, empty: omit}", fields)
    payload = one.render(RECORD, portal)
    assert payload == {
        "So": "000.00.05.H59-170320-0002",
        "ChuHoSo": {"Ten": "Hạnh", "loai-giay": ["CCCD"]},
        "a.b": "4",
        "Khac": {"Trong": None},
    }
    assert orjson.loads(written(one, portal)) == payload
    assert list(one.members(payload)) == ["So", "ChuHoSo.Ten", 'ChuHoSo."loai-giay"', '"a.b"', "Khac.Trong"]
    assert value_sent(payload, "ChuHoSo.Ten") == "Hạnh"
    assert value_sent(payload, "ChuHoSo.Ho", "-") == "-"
    assert without_values("Hạnh không hợp lệ", [payload]) == f"{MASKED} không hợp lệ"


def test_xml_has_namespaces_order_and_attributes(tmp_path: Path, portal: RenderContext) -> None:
    fields = """
  "@ma": number
  s:ChuHoSo/Ten: applicant_name
  TrangThai: status
  s:ChuHoSo/@loai: {field: applicant_kind, text: {}}
  s:ChuHoSo/DiaChi: applicant_address
  Nop: {const: [a, "b<"]}
  TraKetQua: {field: returned_at, present: {}}
"""
    assert written(mapping(tmp_path, XML, fields), portal) == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<s:HoSo xmlns:s="urn:x" xmlns="urn:y" ma="000.00.05.H59-170320-0002">'
        '<s:ChuHoSo loai="citizen"><Ten>Hạnh</Ten></s:ChuHoSo><TrangThai>4</TrangThai>'
        "<Nop>a</Nop><Nop>b&lt;</Nop><TraKetQua>false</TraKetQua></s:HoSo>"
    )


@pytest.mark.parametrize(
    ("empty", "found"),
    [
        ("omit", "<HoSo/>"),
        ("text", '<HoSo b=""><A/></HoSo>'),
        ("null", '<HoSo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><A xsi:nil="true"/></HoSo>'),
    ],
)
def test_what_is_absent_in_xml(tmp_path: Path, portal: RenderContext, empty: str, found: str) -> None:
    one = mapping(tmp_path, f"{{portal: xml, root: HoSo, empty: {empty}}}", '  A: note\n  "@b": summary')
    assert etree.tostring(etree.fromstring(written(one, portal).encode())).decode() == found


def test_what_xml_cannot_carry_is_refused(tmp_path: Path, portal: RenderContext) -> None:
    one = mapping(tmp_path, "{portal: xml, root: HoSo}", "  A: summary")
    record = RECORD.model_copy(update={"summary": "a\x01b"})
    with pytest.raises(RefusedRowError, match=r"has the character U\+0001, which XML cannot carry"):
        one.render(record, portal)


@pytest.mark.parametrize(("portal_", "media"), [("form", "application/x-www-form-urlencoded"), ("query", "")])
def test_pairs(tmp_path: Path, portal: RenderContext, portal_: str, media: str) -> None:
    fields = "  ten: applicant_name\n  a.b: status\n  nop: {const: [x, y]}\n  co: {const: true}\n  trong: note"
    one = mapping(tmp_path, f"{{portal: {portal_}}}", fields)
    assert one.layout.media == media
    text = written(one, portal)
    assert text == "ten=H%E1%BA%A1nh&a.b=4&nop=x&nop=y&co=true"
    assert parse_qsl(text) == [("ten", "Hạnh"), ("a.b", "4"), ("nop", "x"), ("nop", "y"), ("co", "true")]
    empty = mapping(tmp_path, f"{{portal: {portal_}, empty: text}}", "  trong: note")
    assert written(empty, portal) == "trong="


@pytest.mark.parametrize(
    ("to", "fields", "said"),
    [
        ("{portal: soap}", "  A: note", "'portal' of 'to' is 'soap'"),
        ("{portal: json, root: A}", "  A: note", "unknown key 'root'"),
        ("{portal: form, empty: 'null'}", "  A: note", "'empty' of 'to' is 'null'"),
        ("{portal: xml}", "  A: note", "'to' lacks 'root'"),
        ("{portal: xml, root: 'a b'}", "  A: note", "'a b' is no name in XML"),
        ("{portal: xml, root: 't:A', namespaces: {ts: 'urn:x'}}", "  A: note", "did you mean 'ts'"),
        ("{portal: xml, root: A, namespaces: {s: ''}}", "  A: note", "declares no namespace"),
        ("{portal: xml, root: A}", "  s:A: note", r"prefix 's' is not declared .* write namespaces: \{s: \"urn:…\"\}"),
        ("{portal: xml, root: A}", "  A//B: note", "'' is no name in XML"),
        ("{portal: xml, root: A}", "  A²: note", "Invalid tag name"),
        ("{portal: xml, root: A}", "  A: note\n  A/B: note", "'A/B' stands inside 'A', which has a value itself"),
        ("{portal: xml, root: A}", "  A: {const: {b: 1}}", "xml takes one value or a list of values"),
        ("{portal: form}", "  A: {field: note, default: [[1]]}", "form takes one value or a list of values"),
        ("{portal: json}", "  A: note\n  A.B: note", "'A.B' stands inside 'A', which has a value itself"),
        ("{portal: json}", "  A.B: note\n  'A.\"B\"': note", "are one"),
        ("{portal: json}", "  A..B: note", "names no member of an object"),
        ("{portal: json}", "  'A.B[0]': note", "names no member of an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, to: str, fields: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mapping(tmp_path, to, fields)


def test_a_test_of_a_mapping_may_say_what_is_written(tmp_path: Path) -> None:
    mapping(tmp_path, "{portal: query}", "  so: number")
    record = orjson.dumps(orjson.loads(RECORD.to_json())).decode()
    for text, problems in (("so=000.00.05.H59-170320-0002", 0), ("so=1", 1)):
        case = f"cases:\n  - name: x\n    record: {record}\n    payload: {{so: 000.00.05.H59-170320-0002}}\n"
        (tmp_path / "m_test.yaml").write_text(f"{case}    written: {text}\n", encoding="utf-8")
        (done,) = run(tmp_path / "m_test.yaml")
        assert len(done.problems) == problems


FIELDS = """
  So: number
  {a}Ten: applicant_name
  {a}DiaChi: {{field: applicant_address, text: {{max: 5, over: cut}}}}
  Nhan: {{field: received_at, date: yyyyMMddHHmmss}}
  {a}GhiChu: {{field: note, required: true}}
"""


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> list[OutboundMapping]:
    return [
        mapping(tmp_path_factory.mktemp("m"), to, FIELDS.format(a=inside))
        for to, inside in (
            ("{portal: json}", "ChuHoSo."),
            ("{portal: json, empty: omit}", "ChuHoSo."),
            ("{portal: xml, root: HoSo}", "ChuHoSo/"),
            ("{portal: xml, root: HoSo, empty: 'null'}", "ChuHoSo/"),
            ("{portal: form}", "ChuHoSo."),
        )
    ]


@UNHURRIED
@given(fields=dossiers())
def test_every_record_is_written_or_refused_in_both_ways(forms: list[OutboundMapping], fields: dict[str, Any]) -> None:
    record, context = Dossier.model_validate(fields), RenderContext(AGENCIES)
    for one in forms:
        careful = outcome(partial(one.render, record, context))
        assert outcome(partial(one.render_body, record.to_json(), context)) == careful
        if careful and not isinstance(careful[0], str):
            body = one.body(dict(careful))
            if one.layout.portal == "xml":
                found = etree.fromstring(body).findtext("So")
                assert found is not None
                assert found.strip() == record.number.strip()
            elif one.layout.portal == "form":
                assert dict(parse_qsl(body.decode()))["So"] == record.number
            else:
                assert orjson.loads(body)["So"] == record.number


@given(st.text(st.sampled_from("aA.:/@\"'[]²- ạ"), max_size=6))
def test_every_name_of_a_member_is_one_or_is_told(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    for to in ("{portal: json}", "{portal: xml, root: A}", "{portal: query}"):
        try:
            one = mapping(folder, to, f"  {orjson.dumps(name).decode()}: number")
        except ConfigError:
            continue
        assert one.body(one.render(RECORD, RenderContext(AgencyRegister.empty())))
