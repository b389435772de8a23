"""The twin of an old one-stop shop that speaks SOAP 1.1: one operation, whose answer is a string that holds XML.

`/<slug>/MotCua.asmx?wsdl` is a real WSDL (document/literal wrapped); `LayDanhSachHoSo(tuNgay, trang, kichThuoc)` at
`/<slug>/MotCua.asmx` answers rows changed at or after `tuNgay` (dd/MM/yyyy HH:mm:ss, local) by change time and number.
Options: `cdata` (list of slugs whose string is a CDATA section instead of escaped), `max_size` (rows of a page, 1000).
Fault modes beside the common ones: garbage, shape, fault (HTTP 500), fault-200, bomb, huge. Scopes: `<slug>` for rows,
`<slug>/wsdl` for the description.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.sandbox.faults import Fault, Faults, after_effect, common_answer
from adapters.sandbox.ticks import ALWAYS, Shape, Ticks
from adapters.sandbox.twin import TwinOptions, twin_app

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
NAMESPACE = "http://motcua.gov.vn/dichvu"
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "' + "ha" * 50 + '">'
    + "".join(f'<!ENTITY {n} "{("&" + p + ";") * 10}">' for p, n in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><b>&i;</b>"
)  # fmt: skip

WSDL = """<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:tns="{namespace}" targetNamespace="{namespace}">
  <wsdl:types>
    <s:schema elementFormDefault="qualified" targetNamespace="{namespace}">
      <s:element name="LayDanhSachHoSo"><s:complexType><s:sequence>
        <s:element minOccurs="0" maxOccurs="1" name="tuNgay" type="s:string"/>
        <s:element minOccurs="1" maxOccurs="1" name="trang" type="s:int"/>
        <s:element minOccurs="1" maxOccurs="1" name="kichThuoc" type="s:int"/>
      </s:sequence></s:complexType></s:element>
      <s:element name="LayDanhSachHoSoResponse"><s:complexType><s:sequence>
        <s:element minOccurs="0" maxOccurs="1" name="LayDanhSachHoSoResult" type="s:string"/>
      </s:sequence></s:complexType></s:element>
    </s:schema>
  </wsdl:types>
  <wsdl:message name="LayDanhSachHoSoSoapIn"><wsdl:part name="parameters" element="tns:LayDanhSachHoSo"/></wsdl:message>
  <wsdl:message name="LayDanhSachHoSoSoapOut">
    <wsdl:part name="parameters" element="tns:LayDanhSachHoSoResponse"/>
  </wsdl:message>
  <wsdl:portType name="MotCuaSoap">
    <wsdl:operation name="LayDanhSachHoSo">
      <wsdl:input message="tns:LayDanhSachHoSoSoapIn"/><wsdl:output message="tns:LayDanhSachHoSoSoapOut"/>
    </wsdl:operation>
  </wsdl:portType>
  <wsdl:binding name="MotCuaSoap" type="tns:MotCuaSoap">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="LayDanhSachHoSo">
      <soap:operation soapAction="{namespace}/LayDanhSachHoSo" style="document"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>
    </wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="MotCua">
    <wsdl:port name="MotCuaSoap" binding="tns:MotCuaSoap"><soap:address location="{address}"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""
ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{}</soap:Body></soap:Envelope>'
)
ANSWER = ENVELOPE.format(
    f'<LayDanhSachHoSoResponse xmlns="{NAMESPACE}"><LayDanhSachHoSoResult>'
    "{}</LayDanhSachHoSoResult></LayDanhSachHoSoResponse>"
)


def changed(row: Mapping[str, Any]) -> float:
    """The change time of a row in epoch seconds."""
    return moment(str(row.get("NgayCapNhat") or ""), ALWAYS)


def moment(text: str, otherwise: float) -> float:
    """`dd/MM/yyyy HH:mm:ss`, local, as epoch seconds; `otherwise` where it is not that."""
    try:
        return datetime.strptime(text.strip(), "%d/%m/%Y %H:%M:%S").replace(tzinfo=LOCAL).timestamp()
    except ValueError:
        return otherwise


def render(row: Mapping[str, Any]) -> str:
    """One `<HoSo>` as XML text; its steps are `<QuaTrinh><Buoc>…`."""
    steps = "".join(f"<Buoc>{_elements(step)}</Buoc>" for step in row.get("QuaTrinh") or ())
    fields = {name: value for name, value in row.items() if name != "QuaTrinh"}
    return f"<HoSo>{_elements(fields)}<QuaTrinh>{steps}</QuaTrinh></HoSo>"


def _elements(fields: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{escape('' if value is None else str(value))}</{name}>" for name, value in fields.items())


class OneStop:
    """The agencies behind one address."""

    def __init__(self, options: TwinOptions) -> None:
        self.ticks = Ticks(options, Shape("soap", "SoHoSo", changed, render))
        self.faults = Faults("garbage", "shape", "fault", "fault-200", "bomb", "huge")
        self.base_url = options.base_url
        self.cdata = frozenset(options.options.get("cdata", ()))
        self.max_size = int(options.options.get("max_size", 1000))

    async def describe(self, request: Request) -> Response:
        """The WSDL."""
        slug = request.path_params["slug"]
        if slug not in self.ticks.agencies:
            return PlainTextResponse("Không tìm thấy trang", 404)
        fault = self.faults.take(f"{slug}/wsdl")
        if (answer := await common_answer(fault, request)) is not None:
            return answer
        if fault is not None and fault.mode == "garbage":
            return Response("<html>Máy chủ đang bảo trì", media_type="text/html")
        wsdl = WSDL.format(namespace=NAMESPACE, address=f"{self.base_url}/{slug}/MotCua.asmx")
        return after_effect(fault, Response(wsdl, media_type="text/xml"))

    async def call(self, request: Request) -> Response:
        """`LayDanhSachHoSo`."""
        slug = request.path_params["slug"]
        agency = self.ticks.agencies.get(slug)
        if agency is None:
            return PlainTextResponse("Không tìm thấy trang", 404)
        body = await request.body()
        fault = self.faults.take(slug)
        if (answer := await common_answer(fault, request)) is not None:
            return answer
        if fault is not None and (wrong := _wrong(fault)) is not None:
            return wrong
        try:
            since, number, size = _asked(body)
        except ValueError as error:
            return soap_fault(str(error))
        rows, pages = agency.page(since, number, min(size, self.max_size))
        text = f'<DanhSachHoSo trang="{number}" tongTrang="{pages}">{"".join(rows)}</DanhSachHoSo>'
        if fault is None:
            agency.polled(since, number, pages)
        elif fault.mode == "shape":
            text = text.replace("DanhSachHoSo", "KetQua").replace("HoSo>", "MucHoSo>")
        held = f"<![CDATA[{text}]]>" if slug in self.cdata else escape(text)
        return after_effect(fault, _xml(ANSWER.format(held)))


def _asked(body: bytes) -> tuple[float, int, int]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        envelope = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"Yêu cầu không phải là XML: {error}") from error
    call = envelope.find(f".//{{{NAMESPACE}}}LayDanhSachHoSo")
    if call is None:
        raise ValueError("Không có phương thức này")
    given = {etree.QName(child).localname: (child.text or "").strip() for child in call}
    since = moment(given["tuNgay"], ALWAYS) if given.get("tuNgay") else 0.0
    if since == ALWAYS:
        raise ValueError(f"Từ ngày không hợp lệ: {given['tuNgay']}")
    try:
        number, size = int(given["trang"]), int(given["kichThuoc"])
    except (KeyError, ValueError) as error:
        raise ValueError("Thiếu trang hoặc kích thước trang") from error
    if number < 1 or size < 1:
        raise ValueError("Trang và kích thước trang bắt đầu từ 1")
    return since, number, size


def _wrong(fault: Fault) -> Response | None:
    match fault.mode:
        case "garbage":
            return Response("<html><body>Máy chủ đang bảo trì", media_type="text/html")
        case "fault":
            return soap_fault("Lỗi kết nối cơ sở dữ liệu: hết thời gian chờ")
        case "fault-200":
            return soap_fault("Phiên làm việc đã hết hạn", status=200)
        case "bomb":
            return _xml(BOMB)
        case "huge":
            return _xml(ANSWER.format("A" * int(fault.settings.get("bytes", 2_000_000))))
        case _:
            return None


def soap_fault(text: str, status: int = 500) -> Response:
    """A SOAP 1.1 fault with a text in Vietnamese only."""
    inner = f"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{escape(text)}</faultstring></soap:Fault>"
    return _xml(ENVELOPE.format(inner), status)


def _xml(text: str, status: int = 200) -> Response:
    return Response(text.encode(), status, media_type="text/xml")


def create(options: TwinOptions) -> Starlette:
    """Raises: ValueError for a data file that cannot be used."""
    one_stop = OneStop(options)
    routes = [
        Route("/{slug}/MotCua.asmx", one_stop.describe, methods=["GET"]),
        Route("/{slug}/MotCua.asmx", one_stop.call, methods=["POST"]),
    ]
    return twin_app(routes, faults=one_stop.faults, state=one_stop.ticks.state, tick=one_stop.ticks.tick)
