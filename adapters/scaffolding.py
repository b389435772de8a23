"""What a WSDL offers, read with zeep: for `hub new source --wsdl`.

It reads what the source `soap` reads, and calls one operation when it is told to. A schema that every SOAP toolkit
knows by heart (SOAP encoding) is not asked for over the network: closed networks do not reach it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import zeep
from lxml import etree
from requests import RequestException
from zeep.exceptions import Error as ZeepError

from adapters.standard_schemas import standard_schema
from hub.scaffold.service import Argument, Operation
from schemas.errors import ConfigError, Problem, SourceFault

ZEEP: Any = zeep
"""zeep, whose functions have no type hints."""

MAX_BYTES = 32 << 20


class _Transport(zeep.Transport):
    def __init__(self, timeout_s: float, auth: tuple[str, str] | None) -> None:
        ZEEP.Transport.__init__(self, timeout=timeout_s, operation_timeout=timeout_s)
        # A handful of requests in all: no connection outlives its answer, so there is nothing to close.
        self.session.headers["Connection"] = "close"
        if auth is not None:
            self.session.auth = (auth[0].encode(), auth[1].encode())

    def load(self, url: str) -> bytes:
        known = standard_schema(url)
        if known is not None:
            return known
        body: bytes = ZEEP.Transport.load(self, url)
        return body


class WsdlService:
    """Implements hub.scaffold.service.Service."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._operations = tuple(_operations(client.wsdl))

    @property
    def operations(self) -> Sequence[Operation]:
        return self._operations

    def call(self, operation: str, arguments: Mapping[str, Any], *, timeout_s: float) -> bytes:
        """The answer's envelope as it came. Raises: ConfigError for the arguments, SourceFault for the service."""
        found = next(one for one in self._operations if one.name == operation)
        known = {one.name for one in found.arguments}
        wrong = [name for name in arguments if name not in known]
        lacking = [one.name for one in found.arguments if one.required and one.name not in arguments]
        if wrong or lacking:
            said = f"{operation} takes {', '.join(sorted(known)) or 'no arguments'}"
            parts = ([f"not {', '.join(wrong)}"] if wrong else []) + (
                [f"needs {', '.join(lacking)}"] if lacking else []
            )
            mend = "write them as --argument NAME=VALUE, one for each"
            raise ConfigError([Problem("wrong-argument", f"{said}; {' and '.join(parts)}", mend, self._address)])
        self._client.transport.operation_timeout = timeout_s
        try:
            with self._client.settings(raw_response=True):
                answer = self._client.bind(found.service, found.port)[operation](**arguments)
        except (ZeepError, TypeError, ValueError, etree.LxmlError) as error:
            raise SourceFault(f"{operation} does not take these arguments: {error}") from error
        except RequestException as error:
            raise SourceFault(f"{operation}: the service did not answer: {error} — see that it runs") from error
        body: bytes = answer.content
        if len(body) > MAX_BYTES:
            raise SourceFault(f"{operation}: the answer has {len(body):,} bytes — ask for less by its arguments")
        fault = _fault(body)
        if fault is not None:
            raise SourceFault(f"{operation}: the service answered a fault: {fault[:500]}")
        if not 200 <= answer.status_code < 300:
            raise SourceFault(f"{operation}: the service answered HTTP {answer.status_code}")
        return body


def describe(address: str, *, timeout_s: float, auth: tuple[str, str] | None = None) -> WsdlService:
    """Read a WSDL at an address or in a file; `auth`: user and password (basic). Raises: ConfigError."""
    # zeep writes whole bodies to its log at DEBUG; they hold personal data.
    logging.getLogger("zeep").setLevel(logging.WARNING)
    remote = urlsplit(address).scheme in ("http", "https")
    place = address if remote else str(Path(address.removeprefix("file://")).resolve())
    limits = zeep.Settings(forbid_dtd=True, forbid_entities=True, xml_huge_tree=False)
    try:
        client = ZEEP.Client(place, transport=_Transport(timeout_s, auth), settings=limits)
    except (OSError, RequestException) as error:
        said = f"cannot be read: {error}"
        mend = "see that the address is right and the service runs" if remote else "check the path"
        raise ConfigError([Problem("wsdl", said, mend, address)]) from error
    except (ZeepError, etree.LxmlError, ValueError, KeyError, AttributeError, NotImplementedError) as error:
        said = f"cannot be used: {type(error).__name__}: {error}"
        mend = "open it in a browser: it must be a complete WSDL, with everything that it imports"
        raise ConfigError([Problem("wsdl", said, mend, address)]) from error
    made = WsdlService(client, address)
    if not made.operations:
        raise ConfigError([Problem("wsdl", "offers no SOAP operation", "is it the right WSDL?", address)])
    return made


def _operations(wsdl: Any) -> list[Operation]:
    """Each operation once, where it stands first: SOAP 1.1 and 1.2 ports mostly offer the same."""
    found: dict[str, Operation] = {}
    for service in wsdl.services.values():
        for port in service.ports.values():
            if "Soap" not in type(port.binding).__name__:
                continue
            for name, operation in port.binding._operations.items():
                if name not in found:
                    arguments = tuple(_arguments(operation.input))
                    found[name] = Operation(name, arguments, _result(operation), service.name, port.name)
    return list(found.values())


def _arguments(message: Any) -> list[Argument]:
    body = getattr(message, "body", None)
    kind = getattr(body, "type", body)
    elements = getattr(kind, "elements", []) if kind is not None else []
    return [
        Argument(
            name, _type(element), bool(getattr(element, "min_occurs", 1)) and not getattr(element, "nillable", False)
        )
        for name, element in elements
        if name and not name.startswith("_value")
    ]


def _type(element: Any) -> str:
    kind = getattr(element, "type", None)
    return getattr(kind, "name", None) or type(kind).__name__


def _result(operation: Any) -> str:
    parts = _arguments(operation.output) if operation.output is not None else []
    return ", ".join(part.kind for part in parts) or "nothing"


def _fault(body: bytes) -> str | None:
    """The text of a SOAP fault; None where it is none."""
    if b"Fault" not in body:
        return None
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.LxmlError:
        return None
    fault = root.find("./{*}Body/{*}Fault")
    if fault is None:
        return None
    return " ".join(" ".join(map(str, fault.itertext())).split()) or "without a text"
