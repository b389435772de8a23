"""Schemas that WSDLs import from addresses on the Internet, in short: what is needed to read such a WSDL without it.

Written for this purpose from the published names and types; they describe no constraint that a request does not need.
Pure data: `standard_schema(address)` and `standard_address(namespace)`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

_XSD = "http://www.w3.org/2001/XMLSchema"
SOAP_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
SOAP12_ENCODING = "http://www.w3.org/2003/05/soap-encoding"
XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_SERIALIZATION = "http://schemas.microsoft.com/2003/10/Serialization/"
SIMPLE_TYPES = [
    "string",
    "normalizedString",
    "token",
    "language",
    "Name",
    "NCName",
    "NMTOKEN",
    "NMTOKENS",
    "ID",
    "IDREF",
    "IDREFS",
    "ENTITY",
    "ENTITIES",
    "QName",
    "boolean",
    "decimal",
    "integer",
    "nonPositiveInteger",
    "negativeInteger",
    "nonNegativeInteger",
    "positiveInteger",
    "long",
    "int",
    "short",
    "byte",
    "unsignedLong",
    "unsignedInt",
    "unsignedShort",
    "unsignedByte",
    "float",
    "double",
    "duration",
    "dateTime",
    "time",
    "date",
    "gYearMonth",
    "gYear",
    "gMonthDay",
    "gDay",
    "gMonth",
    "hexBinary",
    "base64Binary",
    "anyURI",
    "NOTATION",
]
"""The simple types of XML Schema, each of which SOAP's encodings have once more, with `id` and `href`."""


def _schema(namespace: str, content: str, form: str = "qualified") -> bytes:
    head = (
        f'<xs:schema xmlns:xs="{_XSD}" xmlns:t="{namespace}" targetNamespace="{namespace}" elementFormDefault="{form}">'
    )
    return f'<?xml version="1.0" encoding="utf-8"?>{head}{content}</xs:schema>'.encode()


def _encoding(namespace: str, reference: str, own: str) -> bytes:
    """The schema of one of SOAP's encodings: arrays, structures, and each simple type as an element and a type."""
    common = (
        '<xs:attributeGroup name="commonAttributes"><xs:attribute name="id" type="xs:ID"/>'
        f'<xs:attribute name="{reference}"/><xs:anyAttribute namespace="##other" processContents="lax"/>'
        "</xs:attributeGroup>"
    )
    anything = '<xs:any namespace="##any" minOccurs="0" maxOccurs="unbounded" processContents="lax"/>'
    groups = "".join(
        f'<xs:group name="{name}"><xs:sequence>{anything}</xs:sequence></xs:group>'
        f'<xs:element name="{name}" type="t:{name}"/>'
        f'<xs:complexType name="{name}"><xs:group ref="t:{name}" minOccurs="0"/>'
        f'<xs:attributeGroup ref="t:{attributes}"/><xs:attributeGroup ref="t:commonAttributes"/></xs:complexType>'
        for name, attributes in (("Array", "arrayAttributes"), ("Struct", "structAttributes"))
    )
    simple = "".join(
        f'<xs:element name="{name}" type="t:{name}"/><xs:complexType name="{name}"><xs:simpleContent>'
        f'<xs:extension base="xs:{name}"><xs:attributeGroup ref="t:commonAttributes"/></xs:extension>'
        "</xs:simpleContent></xs:complexType>"
        for name in SIMPLE_TYPES
    )
    return _schema(namespace, common + own + groups + simple)


_ENCODING = _encoding(
    SOAP_ENCODING,
    "href",
    '<xs:attribute name="arrayType" type="xs:string"/><xs:attribute name="offset" type="xs:string"/>'
    '<xs:attribute name="root" type="xs:boolean"/><xs:attribute name="position" type="xs:string"/>'
    '<xs:attributeGroup name="arrayAttributes"><xs:attribute ref="t:arrayType"/><xs:attribute ref="t:offset"/>'
    '</xs:attributeGroup><xs:attributeGroup name="arrayMemberAttributes"><xs:attribute ref="t:position"/>'
    '</xs:attributeGroup><xs:attributeGroup name="structAttributes"/>'
    '<xs:simpleType name="arrayCoordinate"><xs:restriction base="xs:string"/></xs:simpleType>'
    '<xs:simpleType name="base64"><xs:restriction base="xs:base64Binary"/></xs:simpleType>'
    '<xs:element name="anyType" type="xs:anyType"/>',
)
_ENCODING12 = _encoding(
    SOAP12_ENCODING,
    "ref",
    '<xs:attribute name="itemType" type="xs:QName"/><xs:attribute name="arraySize" type="xs:string"/>'
    '<xs:attribute name="nodeType" type="xs:string"/>'
    '<xs:attributeGroup name="arrayAttributes"><xs:attribute ref="t:itemType"/><xs:attribute ref="t:arraySize"/>'
    '</xs:attributeGroup><xs:attributeGroup name="structAttributes"><xs:attribute ref="t:nodeType"/>'
    '</xs:attributeGroup><xs:element name="anyType" type="xs:anyType"/>',
)
_XML = (
    _schema(
        XML_NAMESPACE,
        '<xs:attribute name="lang" type="xs:string"/><xs:attribute name="space" type="xs:string"/>'
        '<xs:attribute name="base" type="xs:anyURI"/><xs:attribute name="id" type="xs:ID"/>'
        '<xs:attributeGroup name="specialAttrs"><xs:attribute ref="t:lang"/><xs:attribute ref="t:space"/>'
        '<xs:attribute ref="t:base"/><xs:attribute ref="t:id"/></xs:attributeGroup>',
    )
    .replace(f' xmlns:t="{XML_NAMESPACE}"'.encode(), b"")
    .replace(b'"t:', b'"xml:')
)


def _mime(namespace: str) -> bytes:
    binary = "".join(
        f'<xs:complexType name="{name}"><xs:simpleContent><xs:extension base="xs:{name}">'
        '<xs:attribute ref="t:contentType"/></xs:extension></xs:simpleContent></xs:complexType>'
        for name in ("base64Binary", "hexBinary")
    )
    content = '<xs:attribute name="contentType" type="xs:string"/>'
    return _schema(namespace, f'{content}<xs:attribute name="expectedContentTypes" type="xs:string"/>{binary}')


def _addressing(namespace: str) -> bytes:
    anything = '<xs:any namespace="##any" minOccurs="0" maxOccurs="unbounded" processContents="lax"/>'
    texts = "".join(f'<xs:element name="{name}" type="xs:string"/>' for name in ("Action", "To", "MessageID"))
    ends = "".join(
        f'<xs:element name="{name}" type="t:EndpointReferenceType"/>'
        for name in ("EndpointReference", "ReplyTo", "From", "FaultTo")
    )
    return _schema(
        namespace,
        '<xs:attribute name="Action" type="xs:anyURI"/><xs:complexType name="EndpointReferenceType"><xs:sequence>'
        f'<xs:element name="Address" type="xs:anyURI"/>{anything}</xs:sequence></xs:complexType>{texts}{ends}',
    )


def _envelope(namespace: str) -> bytes:
    anything = '<xs:sequence><xs:any namespace="##any" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
    parts = "".join(
        f'<xs:complexType name="{name}">{anything}</xs:complexType><xs:element name="{name}" type="t:{name}"/>'
        for name in ("Envelope", "Header", "Body", "Fault")
    )
    return _schema(
        namespace,
        '<xs:attribute name="mustUnderstand" type="xs:string"/><xs:attribute name="encodingStyle" type="xs:string"/>'
        + parts,
    )


def _serialization() -> bytes:
    simple = {"char": "int", "duration": "duration", "guid": "string"}
    types = "".join(
        f'<xs:simpleType name="{name}"><xs:restriction base="xs:{base}"/></xs:simpleType>'
        for name, base in simple.items()
    )
    names = "anyType anyURI base64Binary boolean byte dateTime decimal double float int long QName short string"
    names += " unsignedByte unsignedInt unsignedLong unsignedShort"
    elements = "".join(f'<xs:element name="{name}" nillable="true" type="xs:{name}"/>' for name in names.split())
    elements += "".join(f'<xs:element name="{name}" nillable="true" type="t:{name}"/>' for name in simple)
    attributes = '<xs:attribute name="FactoryType" type="xs:QName"/><xs:attribute name="Id" type="xs:ID"/>'
    return _schema(_SERIALIZATION, f'{types}{elements}{attributes}<xs:attribute name="Ref" type="xs:IDREF"/>')


_INCLUDE = _schema(
    "http://www.w3.org/2004/08/xop/include",
    '<xs:complexType name="Include"><xs:attribute name="href" type="xs:anyURI"/></xs:complexType>'
    '<xs:element name="Include" type="t:Include"/>',
)
_REFERENCE = _schema(
    "http://ws-i.org/profiles/basic/1.1/xsd",
    '<xs:simpleType name="swaRef"><xs:restriction base="xs:anyURI"/></xs:simpleType>',
)
_NAMESPACES: dict[str, bytes] = {
    SOAP_ENCODING: _ENCODING,
    SOAP12_ENCODING: _ENCODING12,
    XML_NAMESPACE: _XML,
    "http://www.w3.org/2005/05/xmlmime": _mime("http://www.w3.org/2005/05/xmlmime"),
    "http://www.w3.org/2004/11/xmlmime": _mime("http://www.w3.org/2004/11/xmlmime"),
    "http://www.w3.org/2005/08/addressing": _addressing("http://www.w3.org/2005/08/addressing"),
    "http://schemas.xmlsoap.org/ws/2004/08/addressing": _addressing("http://schemas.xmlsoap.org/ws/2004/08/addressing"),
    "http://schemas.xmlsoap.org/soap/envelope/": _envelope("http://schemas.xmlsoap.org/soap/envelope/"),
    "http://www.w3.org/2003/05/soap-envelope": _envelope("http://www.w3.org/2003/05/soap-envelope"),
    "http://www.w3.org/2004/08/xop/include": _INCLUDE,
    "http://ws-i.org/profiles/basic/1.1/xsd": _REFERENCE,
    _SERIALIZATION: _serialization(),
    **{
        name: _schema(
            name, '<xs:attribute name="arrayType" type="xs:string"/><xs:attribute name="required" type="xs:boolean"/>'
        )
        for name in (
            "http://schemas.xmlsoap.org/wsdl/",
            "http://schemas.xmlsoap.org/wsdl/soap/",
            "http://schemas.xmlsoap.org/wsdl/soap12/",
            "http://schemas.xmlsoap.org/wsdl/http/",
            "http://schemas.xmlsoap.org/wsdl/mime/",
        )
    },
    _XSD: _schema(_XSD, ""),
}
_ELSEWHERE = {
    "www.w3.org/2001/xml.xsd": XML_NAMESPACE,
    "www.w3.org/2001/03/xml.xsd": XML_NAMESPACE,
    "www.w3.org/2004/10/xml.xsd": XML_NAMESPACE,
    "www.w3.org/2005/08/xml.xsd": XML_NAMESPACE,
    "www.w3.org/2007/08/xml.xsd": XML_NAMESPACE,
    "www.w3.org/2009/01/xml.xsd": XML_NAMESPACE,
    "www.w3.org/2001/xmlschema.xsd": _XSD,
    "www.w3.org/2006/03/addressing/ws-addr.xsd": "http://www.w3.org/2005/08/addressing",
    "www.w3.org/2005/08/addressing/ws-addr.xsd": "http://www.w3.org/2005/08/addressing",
    "schemas.xmlsoap.org/ws/2004/08/addressing/addressing.xsd": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "ws-i.org/profiles/basic/1.1/swaref.xsd": "http://ws-i.org/profiles/basic/1.1/xsd",
}
"""Addresses that do not read as their namespace."""


def _plain(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path}".lower().rstrip("/")


_ADDRESSES = {_plain(name): name for name in _NAMESPACES} | _ELSEWHERE


def standard_schema(address: str) -> bytes | None:
    """The schema that is published at an address on the Internet; None where it is none of these."""
    plain = _plain(address)
    return _NAMESPACES.get(_ADDRESSES.get(plain) or _ADDRESSES.get(plain.removesuffix(".xsd"), ""))


def standard_address(namespace: str) -> str | None:
    """Where the schema of a namespace is found, for an import that names no address; None where it is no standard."""
    return namespace if namespace in _NAMESPACES and namespace != _XSD else None
