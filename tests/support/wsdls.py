"""Small WSDLs of every kind, for tests."""

from __future__ import annotations

from typing import Literal

SPACE = "urn:mot-cua"
ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
ENCODING12 = "http://www.w3.org/2003/05/soap-encoding"

_ARRAY = """
<xsd:import namespace="http://schemas.xmlsoap.org/soap/encoding/"{location}/>
<xsd:import namespace="http://schemas.xmlsoap.org/wsdl/"/>
<xsd:complexType name="Rows"><xsd:complexContent><xsd:restriction base="enc:Array">
<xsd:attribute ref="enc:arrayType" wsdl:arrayType="tns:Row[]"/></xsd:restriction></xsd:complexContent></xsd:complexType>
<xsd:complexType name="Numbers"><xsd:complexContent><xsd:restriction base="enc:Array">
<xsd:attribute ref="enc:arrayType" wsdl:arrayType="xsd:string[]"/></xsd:restriction></xsd:complexContent>
</xsd:complexType>"""
_ROW = """<xsd:complexType name="Row"><xsd:sequence><xsd:element name="SoHoSo" type="xsd:string"/>
<xsd:element name="Ngay" type="xsd:string"/></xsd:sequence></xsd:complexType>"""


def wsdl(
    address: str,
    *,
    style: Literal["document", "rpc"] = "document",
    use: Literal["literal", "encoded"] = "literal",
    soap: Literal["1.1", "1.2"] = "1.1",
    location: str = "",
    extra: str = "",
    more: str = "",
    service: bool = True,
) -> str:
    """A WSDL with the operation Lay(tuNgay, trang); `extra` stands in its schema, `more` before its types."""
    old = soap == "1.1"
    space = "http://schemas.xmlsoap.org/wsdl/soap/" if old else "http://schemas.xmlsoap.org/wsdl/soap12/"
    encoded = f' encodingStyle="{ENCODING if old else ENCODING12}"' if use == "encoded" else ""
    body = f'<soap:body use="{use}" namespace="{SPACE}"{encoded}/>' if style == "rpc" else '<soap:body use="literal"/>'
    schema = _ARRAY.format(location=f' schemaLocation="{location}"' if location else "") if use == "encoded" else ""
    parts = '<wsdl:part name="tuNgay" type="xsd:string"/><wsdl:part name="trang" type="xsd:int"/>'
    numbers = '<wsdl:part name="so" type="tns:Numbers"/>' if use == "encoded" else ""
    given = '<wsdl:part name="return" type="tns:Rows"/>' if use == "encoded" else '<wsdl:part name="x" type="tns:Row"/>'
    if style == "document":
        parts, numbers, given = '<wsdl:part name="p" element="tns:Lay"/>', "", '<wsdl:part name="p" element="tns:Tra"/>'
        schema += (
            '<xsd:element name="Lay"><xsd:complexType><xsd:sequence><xsd:element name="tuNgay" type="xsd:string" '
            'minOccurs="0"/><xsd:element name="trang" type="xsd:int"/></xsd:sequence></xsd:complexType></xsd:element>'
            '<xsd:element name="Tra" type="tns:Row"/>'
        )
    port = f'<wsdl:service name="MotCua"><wsdl:port name="Cong" binding="tns:Noi"><soap:address location="{address}"/>'
    return f"""<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="{space}" xmlns:tns="{SPACE}"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:enc="{ENCODING}" targetNamespace="{SPACE}">{more}
<wsdl:types><xsd:schema targetNamespace="{SPACE}" elementFormDefault="qualified">
{schema}{_ROW}{extra}</xsd:schema></wsdl:types>
<wsdl:message name="Hoi">{parts}{numbers}</wsdl:message><wsdl:message name="Dap">{given}</wsdl:message>
<wsdl:portType name="Loai"><wsdl:operation name="Lay"><wsdl:input message="tns:Hoi"/>
<wsdl:output message="tns:Dap"/></wsdl:operation></wsdl:portType>
<wsdl:binding name="Noi" type="tns:Loai"><soap:binding style="{style}"
 transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="Lay"><soap:operation soapAction="urn:lay"/>
<wsdl:input>{body}</wsdl:input><wsdl:output>{body}</wsdl:output></wsdl:operation></wsdl:binding>
{f"{port}</wsdl:port></wsdl:service>" if service else ""}</wsdl:definitions>"""


def answer(numbers: list[str]) -> bytes:
    """An envelope with rows, as an rpc/encoded service writes it."""
    rows = "".join(f"<item><SoHoSo>{number}</SoHoSo><Ngay>2017-01-03</Ngay></item>" for number in numbers)
    return (
        '<?xml version="1.0" encoding="utf-8"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<t:LayResponse xmlns:t="{SPACE}"><return>{rows}</return></t:LayResponse></e:Body></e:Envelope>'
    ).encode()
