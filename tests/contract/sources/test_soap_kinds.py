"""SOAP of every kind, over real HTTP: styles, versions, imports, headers, security, TLS, attachments, drift."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pydantic import ValidationError

from adapters.soap import SoapSource
from adapters.soap_settings import SoapSettings
from adapters.standard_schemas import SOAP12_ENCODING, SOAP_ENCODING
from hub.ports import AdapterContext, Arrival
from schemas.errors import ConfigError, SourceFault
from tests.support.http_twin import CERTIFICATE, Asked, HttpTwin, Told, http_twin
from tests.support.wsdls import SPACE, answer, wsdl

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
ROWS = {"each": "//item", "changed": None}


def settings(url: str, /, **changes: Any) -> SoapSettings:
    made = {
        "wsdl": f"{url}/Cong.wsdl",
        "operation": "Lay",
        "arguments": {"tuNgay": "2017-01-01", "trang": 1},
        "rows": ROWS,
        "operation_timeout_s": 5.0,
        "load_timeout_s": 5.0,
    }
    return SoapSettings.model_validate(made | changes)


def served(text: Any, body: bytes | None = None, **headers: str) -> Any:
    """An answer function: the WSDL (a text, or documents by path) to GET, `body` to POST."""
    documents = text if isinstance(text, dict) else {"/Cong.wsdl": text}

    def told(asked: Asked) -> Told:
        if asked.method == "POST":
            return Told(body or answer(["1", "2"]), headers={"Content-Type": "text/xml; charset=utf-8", **headers})
        found = documents.get(asked.target)
        return Told(b"no such thing", 404) if found is None else Told(found.encode())

    return told


async def polled(made: SoapSettings, folder: Path, times: int = 1) -> list[Arrival]:
    source = SoapSource(made, AdapterContext("mot-cua", folder))
    try:
        return [arrival for _ in range(times) async for arrival in source.arrivals({})]
    finally:
        await source.close()


def poll(made: SoapSettings, folder: Path = Path(), times: int = 1) -> list[Arrival]:
    return asyncio.run(polled(made, folder, times))


def call(twin: HttpTwin) -> etree._Element:
    (posted,) = [asked for asked in twin.asked if asked.method == "POST"][-1:]
    return etree.fromstring(posted.body)


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
@pytest.mark.parametrize(("style", "use"), [("document", "literal"), ("rpc", "literal"), ("rpc", "encoded")])
def test_every_style_use_and_version(soap: Any, style: Any, use: Any) -> None:
    with http_twin(served("")) as twin:
        twin.answer = served(wsdl(f"{twin.url}/Cong", style=style, use=use, soap=soap))
        given = {"so": ["5", "6"]} if use == "encoded" else {}
        (arrival,) = poll(settings(twin.url, arguments={"tuNgay": "2017-01-01", "trang": 1} | given))
        assert arrival.body == answer(["1", "2"])
        assert {asked.path for asked in twin.asked} == {"/Cong.wsdl", "/Cong"}
        envelope = call(twin)
        kind = twin.asked[-1].headers["content-type"]
    space = SOAP11 if soap == "1.1" else SOAP12
    assert kind.startswith("text/xml" if soap == "1.1" else "application/soap+xml")
    asked = envelope.find(f"{{{space}}}Body/{{{SPACE}}}Lay")
    assert asked is not None
    assert [" ".join(one.text or "" for one in asked.iter("{*}trang"))] == ["1"]
    style_name = {"1.1": SOAP_ENCODING, "1.2": SOAP12_ENCODING}[soap]
    assert asked.get(f"{{{space}}}encodingStyle") == (style_name if use == "encoded" else None)
    if use == "encoded":
        (page,) = asked.iter("trang")
        assert page.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "xsd:int"
        assert [one.text for one in asked.iter("item")] == ["5", "6"]
        (array,) = asked.iter("so")
        size, kind = ("arraySize", "2") if soap == "1.2" else ("arrayType", "xsd:string[2]")
        assert array.get(f"{{{style_name}}}{size}") == kind


@pytest.mark.parametrize(
    "location", ["", "http://schemas.xmlsoap.org/soap/encoding/", "https://schemas.xmlsoap.org/soap/encoding"]
)
def test_standard_schemas_are_never_fetched(location: str) -> None:
    extra = """<xsd:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>
    <xsd:import namespace="http://www.w3.org/2005/05/xmlmime" schemaLocation="http://www.w3.org/2005/05/xmlmime"/>
    <xsd:import namespace="http://www.w3.org/2003/05/soap-encoding"/>
    <xsd:import namespace="http://www.w3.org/2001/XMLSchema" schemaLocation="http://www.w3.org/2001/XMLSchema.xsd"/>
    <xsd:import namespace="http://www.w3.org/2005/08/addressing" schemaLocation="http://www.w3.org/2006/03/addressing/ws-addr.xsd"/>
    <xsd:import namespace="http://schemas.microsoft.com/2003/10/Serialization/"/>
    <xsd:complexType name="Nhieu" xmlns:m="http://www.w3.org/2005/05/xmlmime" xmlns:d="http://www.w3.org/2003/05/soap-encoding"
      xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:z="http://schemas.microsoft.com/2003/10/Serialization/">
     <xsd:sequence><xsd:element name="tep" type="m:base64Binary"/><xsd:element name="s" type="d:string"/>
     <xsd:element ref="a:To"/><xsd:element name="g" type="z:guid"/></xsd:sequence>
     <xsd:attribute ref="xml:lang"/><xsd:attribute ref="m:contentType"/></xsd:complexType>"""
    with http_twin(served("")) as twin:
        twin.answer = served(wsdl(f"{twin.url}/Cong", style="rpc", use="encoded", location=location, extra=extra))
        (arrival,) = poll(settings(twin.url, arguments={"tuNgay": "x", "trang": 1, "so": []}))
    assert arrival.cursor == {}


def test_an_import_of_another_host_is_refused_by_name_and_mended_by_a_file(tmp_path: Path) -> None:
    address = "http://may-chu-cu.example:8080/kieu.xsd"
    extra = f'<xsd:import namespace="urn:kieu" schemaLocation="{address}"/>'
    extra += '<xsd:complexType name="T" xmlns:k="urn:kieu"><xsd:sequence><xsd:element ref="k:So"/></xsd:sequence>'
    extra += "</xsd:complexType>"
    (tmp_path / "kieu.xsd").write_text(
        '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:kieu">'
        '<s:element name="So" type="s:string"/></s:schema>'
    )
    with http_twin(served("")) as twin:
        twin.answer = served(wsdl(f"{twin.url}/Cong", extra=extra))
        with pytest.raises(
            SourceFault, match=r"lies on another host .*`imports: \{\"http://may-chu-cu.*\": file.xsd\}`"
        ):
            poll(settings(twin.url))
        for name in (address, "urn:kieu"):
            assert poll(settings(twin.url, imports={name: "kieu.xsd"}), tmp_path)
        with pytest.raises(SourceFault, match=r"which `imports` names .* cannot be read: No such file"):
            poll(settings(twin.url, imports={address: "khong-co.xsd"}), tmp_path)
        with pytest.raises(SourceFault, match=r"may-chu-cu.example.* cannot be reached"):
            poll(settings(twin.url, import_hosts=["may-chu-cu.example"]))
        problems = settings(twin.url, imports={address: "khong-co.xsd"}).lacking(tmp_path)
        assert [problem.rule for problem in problems] == ["unreadable-file"]


def test_an_import_of_the_same_host_is_fetched_and_one_that_is_gone_is_named() -> None:
    extra = '<xsd:import namespace="urn:kieu" schemaLocation="kieu.xsd"/>'
    kind = '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:kieu"/>'
    with http_twin(served("")) as twin:
        text = wsdl(f"{twin.url}/Cong", extra=extra)
        twin.answer = served({"/Cong.wsdl": text, "/kieu.xsd": kind})
        assert poll(settings(twin.url))
        twin.answer = served(text)
        with pytest.raises(SourceFault, match=r"/kieu.xsd is not there: HTTP 404 — keep it in a file: `imports:"):
            poll(settings(twin.url))


def test_ports_bindings_and_versions_are_chosen_by_name(tmp_path: Path) -> None:
    old, new = (wsdl("http://old.example/Cong", soap=soap) for soap in ("1.1", "1.2"))
    second = new[new.index("<wsdl:binding") : new.index("<wsdl:service")].replace('name="Noi"', 'name="Noi12"')
    space12 = 'xmlns:s12="http://schemas.xmlsoap.org/wsdl/soap12/"'
    second = second.replace("soap:", "s12:").replace("<wsdl:binding", f"<wsdl:binding {space12}")
    port = f'<wsdl:port name="Cong12" binding="tns:Noi12"><s12:address {space12} location="http://old.example/12"/>'
    port += "</wsdl:port></wsdl:service>"
    both = old.replace("<wsdl:service", second + "<wsdl:service").replace("</wsdl:service>", port)
    (tmp_path / "Cong.wsdl").write_text(both)
    (tmp_path / "none.wsdl").write_text(wsdl("", service=False))
    with http_twin(served("")) as twin:
        for changes, space in (
            ({}, SOAP11),
            ({"version": "1.2"}, SOAP12),
            ({"service": "MotCua", "port": "Cong12"}, SOAP12),
            ({"binding": "Noi12"}, SOAP12),
            ({"wsdl": "none.wsdl"}, SOAP11),
        ):
            made = settings(twin.url, **({"wsdl": "Cong.wsdl", "endpoint": f"{twin.url}/moi"} | changes))
            assert poll(made, tmp_path)
            assert call(twin).tag == f"{{{space}}}Envelope"
            assert twin.asked[-1].path == "/moi"
        for wrong, said in (
            ({"service": "Khac"}, "has no service 'Khac', it has MotCua — mend `service`"),
            ({"port": "Khac"}, "has no port 'Khac', it has Cong, Cong12 — mend `port`"),
            ({"port": "Cong", "version": "1.2"}, "has no port that speaks SOAP 1.2"),
            ({"binding": "Khac", "endpoint": twin.url}, "has no binding 'Khac', it has Noi, Noi12"),
            ({"wsdl": "none.wsdl"}, "names no service — write where it is called: `endpoint`"),
            ({"operation": "Xoa"}, "has no operation 'Xoa' in Noi, which has Lay"),
        ):
            with pytest.raises(SourceFault, match=said):
                poll(settings(twin.url, **({"wsdl": "Cong.wsdl"} | wrong)), tmp_path)
    with pytest.raises(ValidationError, match="binding stands alone"):
        settings("http://x", binding="Noi")


def test_headers_and_basic_authentication() -> None:
    header = {
        "name": "Xac",
        "namespace": "urn:xac",
        "values": {"Ten": "hub", "Khoa": "bi-mat"},
        "must_understand": True,
    }
    with http_twin(served("")) as twin:
        twin.answer = served(wsdl(f"{twin.url}/Cong"))
        made = settings(twin.url, headers=[header, {"name": "Ma", "text": "59"}], username="hub", password="mat-khau")
        assert "bi-mat" not in repr(made)
        poll(made)
        found = call(twin).find(f"{{{SOAP11}}}Header")
        assert twin.asked[-1].headers["authorization"] == "Basic " + base64.b64encode(b"hub:mat-khau").decode()
    assert found is not None
    one, two = found
    assert one.get(f"{{{SOAP11}}}mustUnderstand") == "1"
    assert {etree.QName(child).text: child.text for child in one} == {"{urn:xac}Ten": "hub", "{urn:xac}Khoa": "bi-mat"}
    assert (two.tag, two.text) == ("Ma", "59")
    with pytest.raises(ValidationError, match="give `values` or `text`, not both"):
        settings("http://x", headers=[header | {"text": "x"}])


@pytest.mark.parametrize("digest", [False, True])
def test_a_username_token_is_new_for_each_call(digest: bool) -> None:
    with http_twin(served("")) as twin:
        twin.answer = served(wsdl(f"{twin.url}/Cong"))
        security = {"username": "hub", "password": "mật-khẩu", "digest": digest, "timestamp_s": 300}
        poll(settings(twin.url, security=security), times=2)
        posted = [etree.fromstring(asked.body) for asked in twin.asked if asked.method == "POST"]
    tokens = [one.find(f".//{{{WSSE}}}UsernameToken") for one in posted]
    secrets: set[str | None] = set()
    for token in tokens:
        assert token is not None
        assert token.findtext(f"{{{WSSE}}}Username") == "hub"
        secret = token.findtext(f"{{{WSSE}}}Password")
        secrets.add(secret)
        if digest:
            nonce = base64.b64decode(token.findtext(f"{{{WSSE}}}Nonce") or "")
            created = token.findtext(f"{{{WSU}}}Created") or ""
            assert created.endswith("Z")
            whole = hashlib.sha1(nonce + created.encode() + "mật-khẩu".encode()).digest()
            assert base64.b64encode(whole).decode() == secret
        else:
            assert secret == "mật-khẩu"
    assert len(secrets) == (2 if digest else 1)
    assert posted[0].findtext(f".//{{{WSU}}}Timestamp/{{{WSU}}}Expires")


def server_tls(*, clients: bool = False, **limits: Any) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(CERTIFICATE)
    if clients:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(CERTIFICATE)
    for name, value in limits.items():
        setattr(made, name, value)
    return made


def test_a_private_authority_and_a_client_certificate(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CERTIFICATE.read_bytes())
    (tmp_path / "no.pem").write_text("nothing")
    mine = {"ca_file": "ca.pem"}
    with http_twin(served(""), server_tls(clients=True)) as twin:
        twin.answer = served(wsdl(f"{twin.url}/Cong"))
        with pytest.raises(SourceFault, match="— name the authority of its certificate in `ca_file`"):
            poll(settings(twin.url), tmp_path)
        with pytest.raises(SourceFault, match=r"wants to see a certificate.* name it in `client_certificate`"):
            poll(settings(twin.url, **mine), tmp_path)
        assert poll(settings(twin.url, **mine, client_certificate="ca.pem"), tmp_path)
    for wrong, said in (
        ({"ca_file": "khong-co.pem"}, "ca_file: khong-co.pem cannot be read"),
        ({"ca_file": "no.pem"}, "ca_file: cannot be used"),
        ({"ca_file": "no.pem", "client_certificate": "ca.pem"}, "ca_file: cannot be used"),
        ({"client_certificate": "no.pem"}, "client_certificate: cannot be used"),
    ):
        with pytest.raises(ConfigError, match=said):
            poll(settings("https://127.0.0.1:9", **wrong), tmp_path)
    with pytest.raises(ValidationError, match="client_key belongs to client_certificate"):
        settings("https://x", client_key="k.pem")


def test_an_old_server_needs_its_version_written(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CERTIFICATE.read_bytes())
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old = server_tls(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with http_twin(served(""), old) as twin:
        twin.answer = served(wsdl(f"{twin.url}/Cong"))
        with pytest.raises(SourceFault, match="an old server: write the version it speaks"):
            poll(settings(twin.url, ca_file="ca.pem"), tmp_path)
        made = settings(twin.url, ca_file="ca.pem", tls={"minimum": "1.0", "legacy": True})
        assert poll(made, tmp_path)
    assert [problem.rule for problem in made.cautions()] == ["weak-tls", "legacy-tls"]
    assert not settings(twin.url).cautions()


def test_a_proxy_is_asked_instead(tmp_path: Path) -> None:
    (tmp_path / "Cong.wsdl").write_text(wsdl("http://mot-cua.noi-bo/Cong"))
    with http_twin(served("")) as twin:
        assert poll(settings("", wsdl="Cong.wsdl", proxy=twin.url), tmp_path)
        assert [asked.target for asked in twin.asked] == ["http://mot-cua.noi-bo/Cong"]
    with pytest.raises(ValidationError, match="give an address like http://proxy"):
        settings("http://x", proxy="proxy:3128")


@pytest.mark.parametrize("inside", [False, True])
def test_attachments_are_left_alone_and_said_once(inside: bool, caplog: pytest.LogCaptureFixture) -> None:
    envelope = answer(["7"])
    if inside:
        part = b'<SoHoSo><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:a"/></SoHoSo>'
        envelope = envelope.replace(b"<SoHoSo>7</SoHoSo>", part)
    body = (
        b"--b1\r\nContent-Type: application/octet-stream\r\nContent-ID: <a>\r\n\r\n\x00--b1x\xff\r\n--b1\r\n"
        b"Content-Type: application/xop+xml; charset=utf-8\r\nContent-ID: <goc>\r\n\r\n" + envelope + b"\r\n--b1--\r\n"
    )
    kind = {"Content-Type": 'multipart/related; type="application/xop+xml"; start="<goc>"; boundary=b1'}
    with http_twin(served("")) as twin, caplog.at_level(logging.WARNING):
        twin.answer = served(wsdl(f"{twin.url}/Cong"), body, **kind)
        arrivals = poll(settings(twin.url), times=2)
        twin.answer = served(wsdl(f"{twin.url}/Cong"), body[:-8], **kind)
        with pytest.raises(SourceFault, match="Lay: an answer in parts that ends in the middle"):
            poll(settings(twin.url))
    assert {(arrival.body, arrival.charset) for arrival in arrivals} == {(envelope, "utf-8")}
    (said,) = [record.getMessage() for record in caplog.records if "attachment" in record.getMessage()]
    assert "1 attachment(s), 7 bytes: they are left alone" in said
    assert ("xop:Include" in said) is inside


def test_a_changed_wsdl_is_said_once_with_the_difference(caplog: pytest.LogCaptureFixture) -> None:
    with http_twin(served("")) as twin, caplog.at_level(logging.INFO):
        text = wsdl(f"{twin.url}/Cong")
        longer = text.replace(
            'name="trang" type="xsd:int"/>',
            'name="trang" type="xsd:int"/><xsd:element name="ma" type="xsd:string" minOccurs="0"/>',
        )
        twin.answer = served(text)

        async def main() -> None:
            source = SoapSource(settings(twin.url, wsdl_every_s=0.0001), AdapterContext("mot-cua", Path()))
            for one in (served(text), served(longer), served(longer), served({})):
                twin.answer = one
                assert [arrival async for arrival in source.arrivals({})]
            await source.close()

        asyncio.run(main())
    said = [record.getMessage() for record in caplog.records if record.name == "adapters.soap"]
    assert len(said) == 3
    assert "is read, sha256 " in said[0]
    assert "has changed" in said[1]
    assert "it was Lay(tuNgay: xsd:string, trang: xsd:int)" in said[1]
    assert "it is Lay(tuNgay: xsd:string, trang: xsd:int, ma: xsd:string)" in said[1]
    assert "was read before and is used on" in said[2]


def test_a_source_that_asks_for_patience_gets_it(caplog: pytest.LogCaptureFixture) -> None:
    with http_twin(served("")) as twin:
        plain = served(wsdl(f"{twin.url}/Cong"))
        left = [2]

        def busy(asked: Asked) -> Told:
            if asked.method == "POST" and left[0]:
                left[0] -= 1
                return Told(b"", 429, {"Retry-After": "0"})
            told: Told = plain(asked)
            return told

        twin.answer = busy
        assert poll(settings(twin.url))
        left[0] = 100
        with pytest.raises(
            SourceFault, match=r"HTTP 429 \(asked too often\), and still after 0.1 s — lower the source's"
        ):
            poll(settings(twin.url, retry_after_cap_s=0.1))
