"""Source `soap`: an operation of a WSDL, called page by page for what changed since.

zeep reads the WSDL and writes each request, in a thread (`adapters.wsdl`); an httpx client sends it, so that every call
has a total deadline and can be cancelled, and the arrival is the answer's envelope byte for byte: reading it again
needs neither WSDL nor zeep. Of an answer with attachments it is the part with the envelope. SOAP faults become source
faults whatever the HTTP status. A WSDL that cannot be had is a fault of this poll; the next poll tries again, and no
other source notices. It is read again now and then, and after a fault; that it has changed is said once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import zeep
from lxml import etree
from pydantic import BaseModel

from adapters.fetching import Fetched, client, fetch, fetch_in_time
from adapters.moments import Writer
from adapters.multipart import is_multipart, root_part
from adapters.paging import Answer, Paging, Stand
from adapters.soap_settings import SoapSettings, row_reader
from adapters.wsdl import UNUSABLE, Built, Documents, Service, difference
from hub.ports import AdapterContext, Arrival, Cursor
from mappings.decode import xml
from schemas.errors import Problem, SourceFault, UndecodableError

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""After a fault the WSDL is read again, where it was read longer ago than this."""


class SoapSource:
    """One operation, polled; see the module."""

    role: ClassVar[Literal["source"]] = "source"
    Settings: ClassVar[type[BaseModel]] = SoapSettings
    summary: ClassVar[str] = "an operation of a SOAP service with a WSDL, polled page by page"

    def __init__(self, settings: SoapSettings, context: AdapterContext) -> None:
        self.settings, self.name = settings, context.name
        # zeep writes whole bodies and addresses to its log at DEBUG; they hold personal data.
        logging.getLogger("zeep").setLevel(logging.WARNING)
        remote = urlsplit(settings.wsdl).scheme in ("http", "https")
        self.wsdl = settings.wsdl if remote else str((context.folder / settings.wsdl.removeprefix("file://")).resolve())
        self._folder = context.folder
        secret = settings.password
        self._auth = (settings.username or "", secret.get_secret_value()) if secret is not None else None
        self._http = client(settings, context.folder)
        # zeep blocks while it waits for the loop to fetch: in a thread of its own, so that it takes none from others.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"zeep {self.name}")
        self._service: Service | None = None
        self._load_until = 0.0
        self._look_again = 0.0
        self._said_attachments = False
        self._since = Writer(settings.since.format) if settings.since else None
        since, page = settings.since, settings.page
        self._paging = Paging(
            source=self.name,
            media="xml",
            what=settings.operation,
            start=since.start if since else None,
            overlap_s=since.overlap_s if since else 0.0,
            first=page.first if page else 1,
            style="pages" if page else "single",
            ask=self._ask,
            read=row_reader(settings.rows, settings.max_bytes),
            dated=settings.rows.changed or "",
        )

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        """One poll; the body of each arrival is the whole envelope. Raises: SourceFault."""
        async for arrival in self._paging.poll(cursor):
            yield arrival

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """A SOAP service is told nothing; the next page is asked for by what became of this one."""
        self._paging.settled(arrival, parked=parked)

    async def close(self) -> None:
        await self._http.aclose()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _built(self, arguments: dict[str, Any]) -> Built:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._build, arguments, loop)

    async def probe(self) -> Sequence[Problem]:
        """Read the WSDL and write a request, for `hub check`; nothing is asked of the service itself."""
        now = datetime.now(UTC)
        try:
            arguments = self._arguments(Stand(since=now, began=now, page=1), now)
            await self._built(arguments)
        except SourceFault as fault:
            text, _, mend = str(fault).partition(" — ")
            return [Problem("wsdl", text, mend or "mend `operation`, `arguments`, `since` and `page`")]
        return []

    async def first(self) -> Answer:
        """What the operation answers to the first page, for who only looks at it. Raises: SourceFault."""
        now = datetime.now(UTC)
        since = self.settings.since.start if self.settings.since else None
        return await self._ask(Stand(since=since, began=now, page=self._paging.first), since)

    def _arguments(self, stand: Stand, since: datetime | None) -> dict[str, Any]:
        arguments = dict(self.settings.arguments)
        if self.settings.since is not None and self._since is not None and since is not None:
            arguments[self.settings.since.argument] = self._since(since)
        if (page := self.settings.page) is not None:
            arguments[page.argument] = stand.page
            if page.size_argument is not None:
                arguments[page.size_argument] = page.size
        return arguments

    async def _ask(self, stand: Stand, since: datetime | None) -> Answer:
        arguments = self._arguments(stand, since)
        built = await self._built(arguments)
        fetched = await fetch_in_time(
            self._http,
            "POST",
            built.address,
            content=built.message,
            headers=built.headers,
            auth=self._auth,
            deadline_s=self.settings.operation_timeout_s,
            limit_bytes=self.settings.max_bytes,
            what=self.settings.operation,
            mend="see that the service runs; where it is not where the WSDL says, write `endpoint`",
            cap_s=self.settings.retry_after_cap_s,
        )
        if is_multipart(fetched.content_type):
            fetched = await asyncio.to_thread(self._without_attachments, fetched)
        try:
            await asyncio.to_thread(refuse_fault, fetched, self.settings.operation)
        except SourceFault:
            # The service may be refused for a WSDL that is not its own any more.
            self._look_again = min(self._look_again, time.monotonic() + AGAIN_S)
            raise
        return Answer(fetched.body, fetched.charset)

    def _without_attachments(self, fetched: Fetched) -> Fetched:
        try:
            root = root_part(fetched.content_type, fetched.body)
        except UndecodableError as error:
            raise SourceFault(f"{self.settings.operation}: {error}") from error
        if root.attachments and not self._said_attachments:
            self._said_attachments = True
            inside = b"http://www.w3.org/2004/08/xop/include" in root.body
            log.warning(
                "source %s: %s answers with %d attachment(s), %d bytes: they are left alone, only the XML is kept%s",
                self.name,
                self.settings.operation,
                root.attachments,
                root.attached_bytes,
                "; values of it stand in them (xop:Include) and cannot be mapped" if inside else "",
            )
        return replace(fetched, body=root.body, content_type=root.content_type)

    def _build(self, arguments: dict[str, Any], loop: asyncio.AbstractEventLoop) -> Built:
        """Write one request; reads the WSDL first where that is to be done. Runs in a thread."""
        name = self.settings.operation
        try:
            return self._current(loop).request(arguments)
        except (TypeError, zeep.exceptions.ValidationError) as error:
            raise SourceFault(
                f"{name} does not take these arguments: {error} — mend `arguments`, `since` or `page`"
            ) from error
        except UNUSABLE as error:
            raise SourceFault(f"{name}: no request can be written: {type(error).__name__}: {error}") from error

    def _current(self, loop: asyncio.AbstractEventLoop) -> Service:
        """The WSDL's service, read anew where it is time to. Raises: SourceFault where it was never read."""
        before = self._service
        if before is not None and time.monotonic() < self._look_again:
            return before
        try:
            made = self._load(loop)
        except SourceFault as fault:
            if before is None:
                raise
            self._look_again = time.monotonic() + AGAIN_S
            log.warning("source %s: the WSDL was read before and is used on: %s", self.name, fault)
            return before
        self._look_again = time.monotonic() + self.settings.wsdl_every_s
        if before is None:
            log.info("source %s: the WSDL %s is read, sha256 %s", self.name, self.wsdl, made.digest)
        elif before.digest != made.digest:
            said = difference(before.signature, made.signature)
            log.warning("source %s: the WSDL %s has changed, sha256 %s; %s", self.name, self.wsdl, made.digest, said)
        self._service = made
        return made

    def _load(self, loop: asyncio.AbstractEventLoop) -> Service:
        self._load_until = time.monotonic() + self.settings.load_timeout_s

        def fetched(url: str) -> Fetched:
            return asyncio.run_coroutine_threadsafe(self._document(url), loop).result()

        settings = self.settings
        documents = Documents(self.wsdl, fetched, self._folder, settings.imports, settings.import_hosts)
        try:
            return Service(settings, documents)
        except SourceFault:
            raise
        except UNUSABLE as error:
            raise SourceFault(
                f"the WSDL {self.wsdl} cannot be used: {type(error).__name__}: {error} — open it in a browser: "
                "it must be a complete WSDL, with everything that it imports; what is missing is named in `imports`"
            ) from error

    async def _document(self, url: str) -> Fetched:
        return await fetch(
            self._http,
            "GET",
            url,
            auth=self._auth,
            deadline_s=max(round(self._load_until - time.monotonic(), 1), 0.1),
            limit_bytes=self.settings.max_bytes,
            what="the WSDL",
            mend="see that `wsdl` is right and the service runs",
        )


def refuse_fault(fetched: Fetched, operation: str) -> None:
    """Raises: SourceFault for a SOAP fault with any HTTP status, and for a status that is no success."""
    if b"Fault" in fetched.body:
        try:
            root = xml.parse(fetched.body, fetched.charset, limit=len(fetched.body))
        except UndecodableError:
            root = None
        fault = None if root is None else root.find("./{*}Body/{*}Fault")
        if fault is not None:
            names = ("faultstring", "Reason", "faultcode", "Code")
            found = {etree.QName(child).localname: " ".join(str(child.xpath("string()")).split()) for child in fault}
            said = next((found[name] for name in names if found.get(name)), "without a text")
            raise SourceFault(
                f"{operation}: the service answered a fault: {said[:500]} — see that `arguments`, `headers` and the "
                "log-in are what it wants; its own log says more"
            )
    if not 200 <= fetched.status < 300:
        raise SourceFault(
            f"{operation}: the service answered HTTP {fetched.status}{fetched.elsewhere}: {fetched.excerpt}"
        )
    if not fetched.body:
        raise SourceFault(f"{operation}: the service answered HTTP {fetched.status} with nothing in it")
