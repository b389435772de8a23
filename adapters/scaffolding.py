"""What a WSDL offers, for `hub new source --wsdl`.

It is read as the source `soap` reads it, over the same way and within the same limits, and an operation is called by
that source itself: what answers here answers when the source is live.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.fetching import Fetched, client, fetch
from adapters.soap import SoapSource
from adapters.soap_settings import SoapSettings
from adapters.soap_values import typed, unfit
from adapters.standard_schemas import standard_schema
from adapters.wsdl import UNUSABLE, Documents, described
from hub.ports import AdapterContext
from hub.scaffold.service import Argument, Operation
from schemas.errors import ConfigError, Problem, SourceFault

MAX_BYTES = 32 << 20
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class WsdlService:
    """Implements hub.scaffold.service.Service."""

    def __init__(self, wsdl: Any, documents: Documents, auth: tuple[str, str] | None) -> None:
        self._documents, self._auth = documents, auth
        self._addresses: dict[str, str] = {}
        self._operations = tuple(self._found(wsdl))

    @property
    def operations(self) -> Sequence[Operation]:
        return self._operations

    def call(
        self, operation: str, arguments: Mapping[str, Any], *, timeout_s: float, endpoint: str | None = None
    ) -> bytes:
        """The answer's envelope as it came. Raises: ConfigError for the arguments, SourceFault for the service."""
        found = next(one for one in self._operations if one.name == operation)
        known = {one.name: one.kind for one in found.arguments}
        wrong = [name for name in arguments if name not in known]
        lacking = [one.name for one in found.arguments if one.required and one.name not in arguments]
        where = self._documents.wsdl
        if wrong or lacking:
            said = f"{operation} takes {', '.join(sorted(known)) or 'no arguments'}"
            parts = ([f"not {', '.join(wrong)}"] if wrong else []) + (
                [f"needs {', '.join(lacking)}"] if lacking else []
            )
            mend = "write them as --argument NAME=VALUE, one for each"
            raise ConfigError([Problem("wrong-argument", f"{said}; {' and '.join(parts)}", mend, where)])
        bad = {name: text for name, value in arguments.items() if (text := unfit(known[name], value)) is not None}
        if bad:
            mend = "write it so behind --argument"
            raise ConfigError([Problem("wrong-argument", f"{name} {text}", mend, where) for name, text in bad.items()])
        settings = SoapSettings.model_validate(
            {
                **self.settings(operation),
                "wsdl": where,
                "operation": operation,
                "endpoint": endpoint,
                "arguments": dict(arguments),
                "rows": {"each": "//*"},
                "operation_timeout_s": timeout_s,
                "load_timeout_s": timeout_s,
                **({} if self._auth is None else {"username": self._auth[0], "password": self._auth[1]}),
            }
        )

        async def once() -> bytes:
            source = SoapSource(settings, AdapterContext("wsdl", self._documents.folder))
            try:
                return (await source.first()).body
            finally:
                await source.close()

        try:
            return asyncio.run(once())
        except SourceFault as fault:
            address = self._addresses[operation]
            if endpoint is None and fault.down:
                said = str(fault).partition(" — ")[0]
                mend = f"the WSDL names this address ({address}); where the service is elsewhere: --endpoint URL"
                raise SourceFault(f"{said} — {mend}") from fault
            raise

    def settings(self, operation: str) -> Mapping[str, Any]:
        found = next(one for one in self._operations if one.name == operation)
        made: dict[str, Any] = {}
        if len({one.service for one in self._operations}) > 1:
            made |= {"service": found.service, "port": found.port}
        own = urlsplit(self._documents.wsdl).hostname
        hosts = {
            host
            for url in self._documents.loaded
            if (host := urlsplit(url).hostname) not in (None, own) and standard_schema(url) is None
        }
        return made | ({"import_hosts": sorted(filter(None, hosts))} if hosts else {})

    def value(self, operation: str, argument: str, text: str) -> Any:
        found = next(one for one in self._operations if one.name == operation)
        return next((typed(one.kind, text) for one in found.arguments if one.name == argument), text)

    def caution(self, operation: str) -> str | None:
        own, named = urlsplit(self._documents.wsdl).hostname, urlsplit(self._addresses[operation])
        if own is None or own in _LOOPBACK or named.hostname not in _LOOPBACK:
            return None
        return (
            f"the WSDL of {own} names {self._addresses[operation]}, which is this machine: --endpoint URL says better"
        )

    def _found(self, wsdl: Any) -> Sequence[Operation]:
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
                        self._addresses[name] = str(port.binding_options["address"])
        return list(found.values())


def describe(address: str, *, timeout_s: float, auth: tuple[str, str] | None = None) -> WsdlService:
    """Read a WSDL at an address or in a file; `auth`: user and password (basic). Raises: ConfigError."""
    # zeep writes whole bodies to its log at DEBUG; they hold personal data.
    logging.getLogger("zeep").setLevel(logging.WARNING)
    remote = urlsplit(address).scheme in ("http", "https")
    place = address if remote else str(Path(address.removeprefix("file://")).resolve())
    if not remote:
        try:
            Path(place).read_bytes()
        except OSError as error:
            text = f"cannot be read: {(error.strerror or 'an error').lower()}"
            raise ConfigError([Problem("wsdl", text, "check the path", address)]) from error

    def fetched(url: str) -> Fetched:
        async def one() -> Fetched:
            async with client() as http:
                mend = "see that the address is right and the service runs"
                if url != place:
                    mend = "keep the WSDL and what it imports in files that name each other, and give the file"
                return await fetch(
                    http, "GET", url, auth=auth, deadline_s=timeout_s, limit_bytes=MAX_BYTES, what="the WSDL", mend=mend
                )

        return asyncio.run(one())

    documents = Documents(place, fetched, Path.cwd(), hosts=None)
    try:
        made = WsdlService(described(documents).wsdl, documents, auth)
    except SourceFault as fault:
        text, _, mend = str(fault).partition(" — ")
        raise ConfigError([Problem("wsdl", text, mend or "see that it can be reached", address)]) from fault
    except UNUSABLE as error:
        said = f"cannot be used: {type(error).__name__}: {error}"
        mend = "open it in a browser: it must be a complete WSDL, with everything that it imports"
        raise ConfigError([Problem("wsdl", said, mend, address)]) from error
    if not made.operations:
        raise ConfigError([Problem("wsdl", "offers no SOAP operation", "is it the right WSDL?", address)])
    return made


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
