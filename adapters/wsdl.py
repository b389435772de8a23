"""A WSDL and all that it imports, read with zeep, and the requests that zeep writes by it.

Nothing here sends anything: `Documents` asks its `fetch` for what lies on the WSDL's own host, answers for the standard
schemas of the Internet itself, and refuses every other address by name. All of it blocks, and belongs into a thread.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import zeep
from lxml import etree
from requests import RequestException
from zeep.exceptions import Error as ZeepError
from zeep.proxy import ServiceProxy
from zeep.wsdl.bindings import Soap11Binding, Soap12Binding
from zeep.wsse.username import UsernameToken
from zeep.wsse.utils import WSU

from adapters.fetching import Fetched
from adapters.soap_settings import SoapHeader, SoapSecurity, SoapSettings
from adapters.soap_values import unfit
from adapters.standard_schemas import SIMPLE_TYPES, SOAP12_ENCODING, SOAP_ENCODING, standard_address, standard_schema
from schemas.errors import SourceFault
from schemas.spelling import near

ZEEP: Any = zeep
"""zeep, whose functions have no type hints."""
_XSD = "http://www.w3.org/2001/XMLSchema"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_WEB = ("http", "https")
_WSDL_ADDRESS = "mend `wsdl`: the address of a WSDL mostly ends in ?wsdl"
UNUSABLE = (
    ZeepError, etree.LxmlError, RequestException, ValueError, LookupError, AttributeError, TypeError,
    NotImplementedError, RecursionError,
)  # fmt: skip
"""What zeep raises for a WSDL that it cannot read."""


@dataclass(frozen=True, slots=True)
class Built:
    """A request as zeep wrote it."""

    address: str
    message: bytes
    headers: dict[str, str]


@dataclass
class Documents:
    """Where the documents of one WSDL come from; `loaded` has those that were read, by address."""

    wsdl: str
    """An address on the web, or a file's absolute path."""
    fetch: Callable[[str], Fetched]
    """Reads an address on the web. Raises: SourceFault."""
    folder: Path
    imports: Mapping[str, str] = field(default_factory=dict)
    hosts: Sequence[str] | None = ()
    """Hosts beside the WSDL's own from which imports are fetched; None for every host."""
    loaded: dict[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that was read, in hex."""
        whole = hashlib.sha256()
        for body in self.loaded.values():
            whole.update(hashlib.sha256(body).digest())
        return whole.hexdigest()

    def load(self, url: str) -> bytes:
        """One document. Raises: SourceFault with the mend."""
        if url not in self.loaded:
            self.loaded[url] = self._read(url)
        return self._completed(self.loaded[url])

    def _read(self, url: str) -> bytes:
        parts, own = urlsplit(url), urlsplit(self.wsdl)
        remote = own.scheme in _WEB
        if (mapped := self.imports.get(url)) is not None:
            return self._file(self.folder / mapped, f"{mapped}, which `imports` names for {url},", "`imports`")
        if parts.scheme not in _WEB:
            if remote:
                raise SourceFault(
                    f"the WSDL {self.wsdl} imports {url}, which is not on the web — keep a mended copy in a file, "
                    "or name a file for it in `imports`"
                )
            path = Path(url2pathname(parts.path) if parts.scheme == "file" else url)
            mend = "`wsdl`" if url == self.wsdl else f'`imports: {{"{url}": file.xsd}}`'
            return self._file(path, f"the WSDL {url}", mend)
        at_home = remote and parts.hostname == own.hostname
        if not at_home and (standard := standard_schema(url)) is not None:
            return standard
        if not at_home and self.hosts is not None and parts.hostname not in self.hosts:
            raise SourceFault(
                f"the WSDL {self.wsdl} imports {url}, which lies on another host and is not fetched — keep it in a "
                f'file and write `imports: {{"{url}": file.xsd}}`, or allow the host: '
                f"`import_hosts: [{parts.hostname}]`"
            )
        fetched = self.fetch(url)
        if fetched.status != 200:
            mend = _WSDL_ADDRESS if url == self.wsdl else f'keep it in a file: `imports: {{"{url}": file.xsd}}`'
            raise SourceFault(f"the WSDL {url} is not there: HTTP {fetched.status}{fetched.elsewhere} — {mend}")
        if not fetched.body.strip():
            raise SourceFault(f"the WSDL {url} is empty — {_WSDL_ADDRESS}")
        if url == self.wsdl and b"<html" in fetched.body[:2000].lower():
            page = " ".join(_TAG.sub(" ", fetched.text[:4000]).split())[:200]
            raise SourceFault(f"the WSDL {url} is a web page: {page!r} — {_WSDL_ADDRESS}")
        return fetched.body

    def _file(self, path: Path, what: str, setting: str) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceFault(f"{what} cannot be read: {error.strerror} — mend {setting}") from error

    def _completed(self, body: bytes) -> bytes:
        """Give imports that name a namespace without an address the address of what is known for it."""
        if b"import" not in body:
            return body
        try:
            root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            return body  # zeep says what is wrong with it
        info: Any = root.getroottree().docinfo
        if info.doctype:
            return body  # refused by zeep; nothing of it may be touched before
        here = {one.get("targetNamespace") for one in root.iter(f"{{{_XSD}}}schema")}
        changed = False
        for one in root.iter(f"{{{_XSD}}}import"):
            namespace = one.get("namespace")
            if not namespace or namespace in here:
                continue
            if namespace in self.imports:
                one.set("schemaLocation", namespace)
            elif not one.get("schemaLocation") and (address := standard_address(namespace)) is not None:
                one.set("schemaLocation", address)
            else:
                continue
            changed = True
        return etree.tostring(root) if changed else body


class _Transport(zeep.Transport):
    """Sends nothing: hands back what would be sent."""

    def __init__(self, documents: Documents) -> None:
        ZEEP.Transport.__init__(self)
        self._documents = documents

    def load(self, url: str) -> bytes:
        return self._documents.load(url)

    def post_xml(self, address: str, envelope: etree._Element, headers: dict[str, str]) -> Built:
        message = etree.tostring(envelope, encoding="utf-8", xml_declaration=True)
        return Built(address, message, {name: str(value) for name, value in headers.items()})


def described(documents: Documents, security: Any = None) -> Any:
    """zeep's client for a WSDL; it sends nothing. Raises: SourceFault; what `UNUSABLE` has."""
    limits = ZEEP.Settings(forbid_dtd=True, forbid_entities=True, xml_huge_tree=False, raw_response=True)
    return ZEEP.Client(documents.wsdl, transport=_Transport(documents), settings=limits, wsse=security)


class Service:
    """One operation of a loaded WSDL. Raises, at its making: SourceFault; what zeep raises for a bad WSDL."""

    def __init__(self, settings: SoapSettings, documents: Documents) -> None:
        made = described(documents, None if settings.security is None else _Security(settings.security))
        self.digest = documents.digest
        self._binding, address = _chosen(made, settings)
        proxy: Any = ServiceProxy
        self._proxy = proxy(made, self._binding, address=settings.endpoint or address)
        if settings.operation not in self._binding.all():
            raise SourceFault(
                f"the WSDL {settings.wsdl} has no operation {settings.operation!r} in {self._binding.name.localname}, "
                f"which has {_listed(self._binding.all())} — mend `operation`, or name its `service` and `port`"
            )
        self._operation = self._binding.get(settings.operation)
        self._name = settings.operation
        self._style = _encoding_style(documents, settings.operation, self._binding.name)
        self._headers = [_element(one, self._binding.nsmap["soap-env"]) for one in settings.headers]

    @property
    def signature(self) -> str:
        """The operation with its arguments and its answer, for people."""
        taken = self._operation.input.signature() or ""
        given = self._operation.output.signature(as_output=True) if self._operation.output else ""
        return f"{self._name}({taken}) -> {given or 'nothing'}"

    def request(self, arguments: Mapping[str, Any]) -> Built:
        """Write one request. Raises: what zeep raises for arguments that the operation does not take."""
        given: dict[str, Any] = {}
        kinds, known = self._kinds, self._known
        for name, value in arguments.items():
            if known and name not in known:
                taken = ", ".join(f"{one}: {kinds[one]}" if one in kinds else one for one in known)
                meant = near(name, known)
                raise TypeError(f"it takes {taken}; not {name!r}{f', near: {meant!r}' if meant else ''}")
            if (said := unfit(kinds.get(name, ""), value)) is not None:
                raise TypeError(f"{name} {said}")
            listed = isinstance(value, list) and getattr(self._types.get(name), "_array_type", None) is not None
            given[name] = _items(value) if listed else value
        if self._headers:
            given["_soapheaders"] = self._headers
        built: Built = self._proxy[self._name](**given)
        return built if self._style is None else self._encoded(built, self._style)

    @property
    def _known(self) -> list[str]:
        """The names of the arguments; none where they cannot be told."""
        kind: Any = getattr(self._operation.input.body, "type", None)
        parts = [*(getattr(kind, "elements", None) or ()), *(getattr(kind, "attributes", None) or ())]
        return [str(name) for name, _ in parts if name]

    @property
    def _kinds(self) -> dict[str, str]:
        """The names of the arguments' types, of those that are simple types of XML Schema."""
        body: Any = self._operation.input.body
        kind: Any = getattr(body, "type", None)
        found = {}
        for name, one in getattr(kind, "elements", None) or ():
            plain: Any = getattr(one.type, "_default_qname", None)
            if name and plain is not None and plain.namespace == _XSD:
                found[str(name)] = str(plain.localname)
        return found

    @property
    def _types(self) -> dict[str, Any]:
        """The types of the parts of an rpc operation, by name."""
        body: Any = self._operation.input.body
        if body is None or self._style is None:
            return {}
        parts: Any = body.type.elements
        return {str(name): one.type for name, one in parts}

    def _encoded(self, built: Built, style: str) -> Built:
        """As `use="encoded"` wants it: the encoding's name, the type of each simple value, the sizes of arrays."""
        envelope = etree.fromstring(built.message)
        space = self._binding.nsmap["soap-env"]
        call = envelope.find(f"{{{space}}}Body/*")
        if call is None:
            return built
        call.set(f"{{{space}}}encodingStyle", style)
        types = self._types
        for one in call:
            kind: Any = types.get(etree.QName(one).localname)
            plain = getattr(kind, "_default_qname", None)
            typed = etree.Element(
                one.tag, {str(k): str(v) for k, v in one.attrib.items()}, nsmap={"xsd": _XSD, "xsi": _XSI, "enc": style}
            )
            if plain is not None and plain.namespace == _XSD and plain.localname in SIMPLE_TYPES:
                typed.set(f"{{{_XSI}}}type", f"xsd:{plain.localname}")
                typed.text = one.text
            elif getattr(kind, "_array_type", None) is not None:
                inner = [item[0] if len(item) else item for item in one]  # zeep puts each into one more element
                typed.extend([item for item in inner if item.tag != _NOTHING])
                held: Any = getattr(kind._array_type.array_type, "_default_qname", None)
                simple = held is not None and held.namespace == _XSD and held.localname in SIMPLE_TYPES
                item = f"xsd:{held.localname if simple else 'anyType'}"
                if style == SOAP12_ENCODING:
                    typed.set(f"{{{style}}}itemType", item)
                    typed.set(f"{{{style}}}arraySize", str(len(typed)))
                else:
                    typed.set(f"{{{style}}}arrayType", f"{item}[{len(typed)}]")
            else:
                continue
            call.replace(one, typed)
        message = etree.tostring(envelope, encoding="utf-8", xml_declaration=True)
        return Built(built.address, message, built.headers)


_TAG = re.compile(r"<[^>]*>")
_NOTHING = "nothing"
"""Stands in for an empty array, which zeep does not write."""


def _items(values: Sequence[Any]) -> list[etree._Element]:
    """The members of an array of simple values. Raises: TypeError for another value."""
    made = []
    for value in values:
        if not isinstance(value, str | int | float):
            raise TypeError(f"an array takes texts and numbers, not {value!r}")
        one = etree.Element("item")
        one.text = str(value).lower() if isinstance(value, bool) else str(value)
        made.append(one)
    return made or [etree.Element(_NOTHING)]


class _Security:
    """A UsernameToken, new for each request, and a Timestamp where one is wanted."""

    def __init__(self, settings: SoapSecurity) -> None:
        self._settings = settings

    def apply(self, envelope: Any, headers: Any) -> Any:
        settings, now = self._settings, datetime.now(UTC).replace(microsecond=0)
        stamp = None
        if settings.timestamp_s is not None:
            end = now + timedelta(seconds=settings.timestamp_s)
            stamp = WSU.Timestamp(WSU.Created(_zulu(now)), WSU.Expires(_zulu(end)))
        token: Any = UsernameToken
        made = token(
            settings.username,
            settings.password.get_secret_value(),
            use_digest=settings.digest,
            zulu_timestamp=True,
            timestamp_token=stamp,
        )
        return made.apply(envelope, headers)

    def verify(self, envelope: Any) -> None:
        """Answers are not signed."""


def difference(before: str, after: str) -> str:
    """What became of an operation's signature, for people."""
    return f"the operation is the same: {after}" if before == after else f"it was {before}, it is {after}"


def _zulu(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _chosen(made: Any, settings: SoapSettings) -> tuple[Any, str]:
    """The binding that is spoken, and the address of its port. Raises: SourceFault."""
    where = f"the WSDL {settings.wsdl}"
    both: dict[str | None, tuple[Any, ...]] = {"1.1": (Soap11Binding,), "1.2": (Soap12Binding,)}
    kinds = both.get(settings.version, (Soap11Binding, Soap12Binding))
    if settings.binding is not None or not made.wsdl.services:
        found = {etree.QName(name).localname: one for name, one in made.wsdl.bindings.items() if isinstance(one, kinds)}
        wanted = etree.QName(settings.binding).localname if settings.binding else next(iter(found), "")
        if wanted not in found:
            raise SourceFault(f"{where} has no binding {wanted!r}, it has {_listed(found)} — mend `binding`")
        if settings.endpoint is None:
            raise SourceFault(f"{where} names no service — write where it is called: `endpoint`")
        return found[wanted], settings.endpoint
    services = made.wsdl.services
    if settings.service is not None and settings.service not in services:
        raise SourceFault(f"{where} has no service {settings.service!r}, it has {_listed(services)} — mend `service`")
    ports = services[settings.service].ports if settings.service else _ports(services)
    if settings.port is not None and settings.port not in ports:
        raise SourceFault(f"{where} has no port {settings.port!r}, it has {_listed(ports)} — mend `port`")
    offered = [ports[settings.port]] if settings.port is not None else list(ports.values())
    spoken = [port for port in offered if isinstance(port.binding, kinds)]
    # Of several services and ports the first that has the operation.
    for port in [*(one for one in spoken if settings.operation in one.binding.all()), *spoken]:
        return port.binding, port.binding_options["address"]
    said = f"SOAP {settings.version}" if settings.version else "SOAP"
    raise SourceFault(f"{where} has no port that speaks {said}: it has {_listed(ports)} — mend `version` or `port`")


def _ports(services: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for service in services.values():
        for name, port in service.ports.items():
            found.setdefault(name, port)
    return found


def _encoding_style(documents: Documents, operation: str, binding: etree.QName) -> str | None:
    """The encoding that the operation's requests are written in; None for literal ones."""
    for body in documents.loaded.values():
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        path = f"./{{{_WSDL}}}binding[@name='{binding.localname}']/{{{_WSDL}}}operation[@name='{operation}']"
        for one in root.findall(f"{path}/{{{_WSDL}}}input/{{*}}body"):
            if one.get("use") == "encoded":
                return one.get("encodingStyle") or SOAP_ENCODING
    return None


def _element(header: SoapHeader, envelope: str) -> etree._Element:
    def tag(name: str) -> str:
        return f"{{{header.namespace}}}{name}" if header.namespace else name

    spaces: Any = {None: header.namespace} if header.namespace else None
    made = etree.Element(tag(header.name), nsmap=spaces)
    for name, value in header.attributes.items():
        made.set(name, value)
    if header.must_understand:
        made.set(f"{{{envelope}}}mustUnderstand", "1")
    made.text = None if header.text is None else header.text.get_secret_value()
    for name, secret in header.values.items():
        etree.SubElement(made, tag(name)).text = secret.get_secret_value()
    return made


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in sorted(names))[:500] or "none"
