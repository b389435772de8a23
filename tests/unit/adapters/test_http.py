"""What the destination `http` puts on the wire, and what it makes of the answer; the rest is the contract suite's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.http import HttpDestination
from adapters.http_settings import HttpSettings
from hub.answers import AnswerTable
from hub.ports import AdapterContext, Fault, FaultClass, Mode, Outgoing, Receipt, Result, Unknown
from mappings.load import load
from mappings.outbound import OutboundMapping
from schemas.errors import DestinationFault, Problem
from tests.support.http_twin import CERTIFICATE, Asked, HttpTwin, Told, http_twin

DOSSIER, STEP = "dossier.v1", "dossier-step.v1"
ITEMS: Mapping[str, Any] = {
    "answers": "tinh",
    "format": "xml",
    "code": "KetQua.Ma",
    "message": "KetQua.ThongBao",
    "items": {"at": "KetQua.HoSo", "key": "So", "code": "Ma", "message": "ThongBao"},
    "rules": [{"when": {"status": 200, "code": "00"}, "is": "success"}, {"when": {"code": "17"}, "is": "data"}],
}


@pytest.fixture
def twin() -> Iterator[HttpTwin]:
    with http_twin(lambda asked: Told(b"{}")) as running:
        yield running


def destination(url: str, requests: Mapping[str, Any], table: Mapping[str, Any] | None = None, **more: Any) -> Any:
    settings = HttpSettings.model_validate({"url": url, "requests": requests, **more}, strict=False)
    answers = None if table is None else AnswerTable.from_data(dict(table), "tinh.yaml")
    return HttpDestination(settings, AdapterContext("tinh", Path(), answers))


def mapping(folder: Path, to: str, kind: str, fields: str) -> OutboundMapping:
    file = folder / "tinh" / "thu.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"mapping: tinh/thu\nfrom: {{record: {kind}}}\nto: {to}\nfields: {fields}\n", encoding="utf-8")
    made = load(file)
    assert isinstance(made, OutboundMapping)
    return made


def record(
    n: int, payload: Mapping[str, Any], written_by: OutboundMapping | None = None, mode: Mode = Mode.NEW
) -> Outgoing:
    kind = STEP if mode is Mode.EVENT else DOSSIER
    return Outgoing(n, kind, f"H-{n}|1", f"H-{n}", mode, payload, 0, written_by)


def send(one: HttpDestination, *records: Outgoing) -> list[Result]:
    async def main() -> list[Result]:
        found: list[Result] = []
        for batch in one.batches(records):
            found += await one.deliver(batch, 5.0)
        await one.close()
        return found

    return asyncio.run(main())


def asked_of(twin: HttpTwin) -> list[tuple[str, str, bytes]]:
    return [(one.method, one.target, one.body) for one in twin.asked]


def test_json_goes_to_the_address_that_the_payload_fills(twin: HttpTwin) -> None:
    requests = {DOSSIER: {"path": "/ho-so", "update": {"path": "/ho-so/{MaHoSo}?b={key}"}}}
    one = destination(f"{twin.url}/api/", requests, headers={"X-Don-Vi": "H59", "accept": "application/json"})
    payload = {"MaHoSo": "A/1 đ?#%", "n": 1}
    assert send(one, record(1, payload), record(2, payload, mode=Mode.UPDATE)) == [Receipt(1), Receipt(2)]
    body = orjson.dumps(payload)
    put = "/api/ho-so/A%2F1%20%C4%91%3F%23%25?b=H-2%7C1"
    assert asked_of(twin) == [("POST", "/api/ho-so", body), ("PUT", put, body)]
    headers = twin.asked[0].headers
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert (headers["x-don-vi"], headers["accept"]) == ("H59", "application/json")


@pytest.mark.parametrize("value", [None, "", ".", "..", {"a": 1}, []])
def test_an_address_that_cannot_be_filled_is_the_records_fault_and_nothing_is_sent(twin: HttpTwin, value: Any) -> None:
    one = destination(twin.url, {DOSSIER: {"path": "/ho-so/{MaHoSo}"}})
    [result] = send(one, record(1, {"MaHoSo": value}))
    assert isinstance(result, Fault)
    assert (result.fault, result.path, twin.asked) == (FaultClass.DATA, "MaHoSo", [])


def test_several_go_in_a_wrapper_and_a_path_with_fields_takes_one(twin: HttpTwin) -> None:
    request = {"path": "/ho-so", "wrap": '{"dv": "H59", "ds": [{records}]}', "batch": 2}
    one = destination(twin.url, {DOSSIER: {**request, "update": {"path": "/ho-so/{number}", "wrap": "{records}"}}})
    records = [record(n, {"n": n}) for n in (1, 2, 3)] + [record(n, {"n": n}, mode=Mode.UPDATE) for n in (4, 5)]
    assert [len(batch) for batch in one.batches(records)] == [2, 1, 1, 1]
    assert len(send(one, *records)) == 5
    assert [orjson.loads(body) for _, _, body in asked_of(twin)] == [
        {"dv": "H59", "ds": [{"n": 1}, {"n": 2}]},
        {"dv": "H59", "ds": [{"n": 3}]},
        {"n": 4},
        {"n": 5},
    ]
    assert [target for _, target, _ in asked_of(twin)][2:] == ["/ho-so/H-4", "/ho-so/H-5"]
    assert one.largest == 2


def test_xml_goes_in_an_envelope_and_each_result_is_read(twin: HttpTwin, tmp_path: Path) -> None:
    xml = mapping(tmp_path, '{portal: xml, root: "h:HoSo", namespaces: {h: "urn:h"}}', DOSSIER, '{"h:So": number}')
    wrap = '<e:Envelope xmlns:e="urn:e"><e:Body>{records}</e:Body></e:Envelope>'
    request = {"path": "/", "wrap": wrap, "batch": 9, "content_type": "text/xml", "headers": {"SOAPAction": "x"}}
    one = destination(twin.url, {DOSSIER: request}, ITEMS)
    told = "<HoSo><So>H-1</So><Ma>00</Ma></HoSo><HoSo><So>H-2</So><Ma>17</Ma><ThongBao>sai So</ThongBao></HoSo>"
    twin.answer = lambda asked: Told(f"<k:A xmlns:k='urn:k'><k:KetQua><Ma>00</Ma>{told}</k:KetQua></k:A>".encode())
    results = send(one, *(record(n, {"h:So": f"H-{n}"}, xml) for n in (1, 2, 3)))
    assert results[0] == Receipt(1)
    assert isinstance(results[1], Fault)
    assert (results[1].fault, results[1].code) == (FaultClass.DATA, "17")
    assert isinstance(results[2], Unknown)
    [(_, _, body)] = asked_of(twin)
    items = "".join(f'<h:HoSo xmlns:h="urn:h"><h:So>H-{n}</h:So></h:HoSo>' for n in (1, 2, 3))
    assert body.decode() == f"<?xml version='1.0' encoding='UTF-8'?>\n{wrap.replace('{records}', items)}"
    assert (twin.asked[0].headers["content-type"], twin.asked[0].headers["soapaction"]) == ("text/xml", "x")


def test_one_result_in_xml_is_a_list_of_one_and_an_xml_answer_without_its_code_is_no_success(twin: HttpTwin) -> None:
    one = destination(twin.url, {DOSSIER: {"path": "/"}}, ITEMS)
    twin.answer = lambda asked: Told(b"<A><KetQua><Ma>00</Ma><HoSo><So>H-1</So><Ma>17</Ma></HoSo></KetQua></A>")
    [result] = send(one, record(1, {}))
    assert isinstance(result, Fault)
    assert result.fault is FaultClass.DATA
    twin.answer = lambda asked: Told(b"<A><Loi>x</Loi></A>")
    [result] = send(one, record(1, {}))
    assert isinstance(result, Fault)
    assert (result.fault, result.code) == (FaultClass.TRANSIENT, "missing")


def test_a_form_is_content_and_a_query_stands_behind_the_address(twin: HttpTwin, tmp_path: Path) -> None:
    form = mapping(tmp_path, "{portal: form}", STEP, "{ma: number, nd: content}")
    query = mapping(tmp_path, "{portal: query}", STEP, "{ma: number}")
    one = destination(twin.url, {STEP: {"path": "/b"}})
    send(one, record(1, {"ma": "1", "nd": "đã & xong"}, form, Mode.EVENT))
    one = destination(twin.url, {STEP: {"path": "/b?v=2", "method": "GET"}})
    send(one, record(2, {"ma": "1 2"}, query, Mode.EVENT))
    assert asked_of(twin) == [("POST", "/b", b"ma=1&nd=%C4%91%C3%A3+%26+xong"), ("GET", "/b?v=2&ma=1+2", b"")]
    assert twin.asked[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert "content-type" not in twin.asked[1].headers


@pytest.mark.parametrize(
    ("told", "mode", "fault"),
    [
        (Told(b"", 204), Mode.NEW, None),
        (Told(b"<html>OK</html>", 200), Mode.NEW, None),
        (Told(b'{"code": "E1"}', 200), Mode.NEW, FaultClass.TRANSIENT),
        (Told(b"{}", 206), Mode.NEW, FaultClass.TRANSIENT),
        (Told(b"", 409), Mode.NEW, FaultClass.ALREADY_THERE),
        (Told(b"", 409), Mode.EVENT, FaultClass.DATA),
        (Told(b"", 302), Mode.NEW, FaultClass.DOWN),
        (Told(b"", 404), Mode.UPDATE, FaultClass.DOWN),
        (Told(b"", 415), Mode.NEW, FaultClass.DOWN),
        (Told(b"", 413), Mode.NEW, FaultClass.DATA),
        (Told(b"", 403), Mode.NEW, FaultClass.SESSION),
    ],
)
def test_without_a_table_of_ones_own_the_status_decides(
    twin: HttpTwin, told: Told, mode: Mode, fault: FaultClass | None
) -> None:
    one = destination(twin.url, {DOSSIER: {"path": "/"}, STEP: {"path": "/"}})
    twin.answer = lambda asked: told
    [result] = send(one, record(1, {}, mode=mode))
    assert (result.fault if isinstance(result, Fault) else None) is fault, result


def test_a_field_that_is_refused_by_name_is_told(twin: HttpTwin) -> None:
    one = destination(twin.url, {DOSSIER: {"path": "/"}})
    twin.answer = lambda asked: Told('{"message": "MaTTHC không hợp lệ"}'.encode(), 422)
    [result] = send(one, record(1, {"MaTTHC": "9.9"}))
    assert isinstance(result, Fault)
    assert (result.fault, result.path, result.value) == (FaultClass.DATA, "MaTTHC", "9.9")


def test_a_password_goes_with_each_request_and_a_refused_one_is_not_tried_twice(twin: HttpTwin) -> None:
    one = destination(twin.url, {DOSSIER: {"path": "/"}}, auth={"type": "basic", "username": "hub", "password": "đ"})
    twin.answer = lambda asked: Told(b"", 401)
    [result] = send(one, record(1, {}))
    assert isinstance(result, Fault)
    assert result.fault is FaultClass.SESSION
    assert [asked.headers["authorization"] for asked in twin.asked] == ["Basic aHViOsSR"]


def test_a_token_may_come_from_another_host_and_requests_are_signed(twin: HttpTwin) -> None:
    def token(asked: Asked) -> Told:
        assert (asked.target, asked.headers["authorization"]) == ("/oauth/token?x=1", "Basic Yzpz")
        return Told(b'{"access_token": "t1", "expires_in": 60}')

    with http_twin(token) as issuer:
        auth = {"type": "oauth2", "token_url": f"{issuer.url}/oauth/token?x=1", "client_id": "c", "client_secret": "s"}
        headers = {"X-Sign": "{signature}", "X-At": "{path}"}
        sign = {"secret": "k", "text": "{method} {path} {body_sha256}", "headers": headers}
        one = destination(twin.url, {DOSSIER: {"path": "/ho-so/{number}"}}, auth=auth, sign=sign)
        assert send(one, record(1, {}), record(2, {})) == [Receipt(1), Receipt(2)]
        assert len(issuer.asked) == 1
    said = [one.headers for one in twin.asked]
    assert {one["authorization"] for one in said} == {"Bearer t1"}
    assert [one["x-at"] for one in said] == ["/ho-so/H-1", "/ho-so/H-2"]
    assert len({one["x-sign"] for one in said}) == 2


def test_a_session_that_dies_with_http_200_is_had_anew(twin: HttpTwin) -> None:
    def answer(asked: Asked) -> Told:
        if asked.path == "/vao":
            return Told(b'{"token": "t%d"}' % sum(one.path == "/vao" for one in twin.asked))
        return Told(b"{}" if asked.headers["authorization"] == "Bearer t2" else "<p>Phiên đã hết hạn</p>".encode())

    twin.answer = answer
    auth = {"type": "login", "path": "/vao", "username": "u", "password": "p", "expired": "phiên đã HẾT hạn"}
    one = destination(twin.url, {DOSSIER: {"path": "/"}}, auth=auth)
    assert send(one, record(1, {})) == [Receipt(1)]


@pytest.mark.parametrize(
    ("settings", "told", "there"),
    [
        ({}, Told(b"", 200), True),
        ({}, Told(b"", 404), False),
        ({"there": [200, 302], "not_there": [204]}, Told(b"", 204), False),
        ({"at": "du_lieu"}, Told(b'{"du_lieu": []}'), False),
        ({"at": "du_lieu"}, Told(b'{"du_lieu": [{"a": 1}]}'), True),
        ({"at": "du_lieu"}, Told(b"<html>"), None),
        ({}, Told(b"", 410), None),
        ({}, Told(b"", 500), None),
    ],
)
def test_a_look_up_knows_there_not_there_and_not_known(
    twin: HttpTwin, settings: Mapping[str, Any], told: Told, there: bool | None
) -> None:
    twin.answer = lambda asked: told
    one = destination(twin.url, {DOSSIER: {"path": "/"}}, look_up={"path": "/co?so={number}", **settings})
    assert one.can_look_up

    async def main() -> Mapping[str, bool]:
        try:
            found: Mapping[str, bool] = await one.look_up(["A/1"], 5.0)
        finally:
            await one.close()
        return found

    if there is None:
        with pytest.raises(DestinationFault):
            asyncio.run(main())
    else:
        assert asyncio.run(main()) == {"A/1": there}
    assert twin.asked[0].target == "/co?so=A%2F1"


def test_a_private_authority_is_believed_and_the_certificate_of_nobody_is_not() -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)
    with http_twin(lambda asked: Told(b"{}"), tls) as twin:
        one = destination(twin.url, {DOSSIER: {"path": "/"}}, ca_file=str(CERTIFICATE))
        assert send(one, record(1, {})) == [Receipt(1)]
        [result] = send(destination(twin.url, {DOSSIER: {"path": "/"}}), record(1, {}))
        assert isinstance(result, Fault)
        assert result.fault is FaultClass.DOWN
        assert len(twin.asked) == 1


def test_a_kind_without_a_request_is_refused_and_a_probe_connects(twin: HttpTwin) -> None:
    one = destination(twin.url, {DOSSIER: {"path": "/"}})
    [result] = send(one, record(1, {}, mode=Mode.EVENT))
    assert isinstance(result, Fault)
    assert result.code == "unsupported-kind"

    async def probed(one: HttpDestination) -> Sequence[Problem]:
        try:
            return await one.probe()
        finally:
            await one.close()

    assert asyncio.run(probed(one)) == []
    [problem] = asyncio.run(probed(destination("http://127.0.0.1:9", {DOSSIER: {"path": "/"}})))
    assert problem.rule == "unreachable"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"requests": {DOSSIER: {"path": "ho-so"}}}, "is no path"),
        ({"requests": {DOSSIER: {"path": "/hồ-sơ"}}}, "is no path"),
        ({"requests": {DOSSIER: {"path": "/a{b"}}}, "is no path"),
        ({"requests": {DOSSIER: {"path": "/", "headers": {"Content-Type": "a"}}}}, "not written here"),
        ({"requests": {DOSSIER: {"path": "/", "content_type": "text/xml; charset=cp1258"}}}, "writes UTF-8"),
        ({"requests": {DOSSIER: {"path": "/", "batch": 2}}}, "something around them"),
        ({"requests": {DOSSIER: {"path": "/", "batch": 2, "wrap": '{"a": {records}}'}}}, "no JSON"),
        ({"requests": {DOSSIER: {"path": "/", "wrap": "[]"}}}, "0 times"),
        ({"look_up": {"path": "/co"}}, "asks for no dossier"),
        ({"look_up": {"path": "/co/{number}", "not_there": [200]}}, "cannot mean both"),
        ({"proxy": "https://p:1"}, "no TLS is spoken"),
        ({"requests": {}}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: Mapping[str, Any], said: str) -> None:
    own = {"url": "http://127.0.0.1:9", "requests": {DOSSIER: {"path": "/"}}}
    with pytest.raises(ValueError, match=said):
        HttpSettings.model_validate({**own, **settings}, strict=False)
