"""Source `rest`: a JSON address, read page by page for what changed since.

Pages by number, by offset, by the source's own token for the next or by its links, each in time windows where the
source wants them. Who asks is in `adapters.rest_auth`. The arrival is the answer byte for byte; what is no success, or
cannot be paged through, is told by `adapters.paging`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urljoin, urlsplit

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adapters.fetching import Fetched, client, fetch_in_time
from adapters.moments import Reader, ReadFormat, WriteFormat, Writer
from adapters.paging import Answer, PageFacts, Paging, Stand, Start, whole_number
from adapters.rest_auth import Auth, LoginAuth, NoAuth, Session, SignSettings
from adapters.way import SourceWaySettings
from hub.ports import AdapterContext, Arrival, Cursor
from mappings.decode import json
from mappings.document import json_finder
from mappings.refusal import RefusalError
from mappings.shapes.json import JsonShape, kind
from mappings.shapes.path import PathError
from schemas.errors import Problem, SourceFault, UndecodableError

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[A-Za-z*-]+\s*(?:=\s*(?:"[^"]*"|[^",;\s]*))?)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]*))', re.IGNORECASE)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class RestSince(_Part):
    """The query parameter that asks for what changed since."""

    parameter: str
    """Its name."""
    format: WriteFormat = "iso"
    """How a time is written: `iso`, `/Date(ms)/`, or a pattern like `dd/MM/yyyy HH:mm:ss`."""
    overlap_s: Annotated[float, Field(ge=0, le=86_400 * 31, allow_inf_nan=False)] = 60.0
    """Asked for again each time, for what was committed late."""
    start: Start = None
    """Where the first poll begins, an ISO date or time; without it the parameter is left out at first."""
    until: str | None = None
    """The parameter of the time up to which is asked, where the source wants one."""
    window_h: Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False)] | None = None
    """At most so many hours are asked for at once; needs `until` and `start`."""

    @model_validator(mode="after")
    def _window(self) -> RestSince:
        if self.window_h is not None and (self.until is None or self.start is None):
            raise ValueError(
                "window_h needs `until`, the parameter of a window's end, and `start`, where the first begins"
            )
        return self


class RestPage(_Part):
    """The query parameters that ask for a page."""

    style: Literal["page", "cursor", "offset", "link"] = "page"
    """By a page's number, by the source's own token, by an offset, or by the header Link."""
    parameter: str = ""
    """Of the page's number, of the token, or of how many rows are passed over; none with `link`."""
    size_parameter: str | None = None
    """The parameter of how many rows a page has, where there is one."""
    size: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Rows in one page."""
    first: Annotated[int, Field(ge=0, le=1)] = 1
    """The number of the first page; with `cursor` the first request has an empty parameter."""
    next: str | None = None
    """With `cursor`: the path of the next page's token in the answer; null, empty or absent on the last page."""
    next_absent: bool = False
    """With `cursor`: the source leaves `next` out on its last page, however full that is."""
    overlap: Annotated[int, Field(ge=0, le=1000)] = 10
    """With `offset`: so many rows of a page are asked for again with the next, to see whether rows have moved."""

    @model_validator(mode="after")
    def _next(self) -> RestPage:
        if (self.style == "link") == bool(self.parameter):
            raise ValueError("`parameter` is needed, except with style: link, which has none")
        if self.style == "offset" and self.overlap >= self.size:
            raise ValueError(f"overlap ({self.overlap}) must be below size ({self.size})")
        if (self.style == "cursor") != (self.next is not None):
            raise ValueError("`next` belongs to style: cursor, and style: cursor needs it")
        return self


class RestRows(_Part):
    """Where the rows are, as in the mapping's `within`, and what paging reads of them. Paths have dots."""

    at: str = ""
    """The path of the list; empty where the answer is the list."""
    changed: str | None = None
    """The path, in a row, of when it was changed."""
    changed_format: ReadFormat = "iso"
    """How that time is written; several ways where rows differ."""
    pages: str | None = None
    """The path of how many pages there are; without it the first page without rows is the last."""


class RestSettings(SourceWaySettings):
    """Settings of a source with `adapter: rest`."""

    url: str
    """The base address; `path` and the log-in's path are added to it."""
    path: str
    """What is asked, below `url`."""
    query: dict[str, str | int] = Field(default_factory=dict)
    """Constants of the query."""
    headers: dict[str, str] = Field(default_factory=dict)
    """More headers of each request."""
    since: RestSince | None = None
    page: RestPage | None = None
    rows: RestRows = Field(default_factory=RestRows)
    auth: Annotated[Auth, Field(discriminator="type")] = Field(default_factory=NoAuth)
    """Who the hub is at the source."""
    sign: SignSettings | None = None
    timeout_s: Seconds = 30.0
    """For one request in all, from connecting to the last byte."""
    max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 32 << 20
    """The largest answer that is read."""

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("give an address like https://motcua.example.vn/api, without a query")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _paths(self) -> RestSettings:
        try:
            row_reader(self.rows, self.page, self.max_bytes)
            if isinstance(self.auth, LoginAuth):
                json_finder(self.auth.token)
                json_finder(self.auth.expires or "")
        except PathError as error:
            raise ValueError(f"{error}{f' — {error.mend}' if error.mend else ''}") from None
        since = self.since
        if since is not None and since.window_h is not None and since.overlap_s * 2 > since.window_h * 3600:
            raise ValueError(f"since: overlap_s ({since.overlap_s:g}) must be at most half of window_h")
        if self.since is not None and self.rows.changed is None:
            raise ValueError("rows: since needs `changed`, the path of a row's change time")
        return self


class RestSource:
    """One address, polled; see the module."""

    role: ClassVar[Literal["source"]] = "source"
    Settings: ClassVar[type[BaseModel]] = RestSettings
    summary: ClassVar[str] = "a JSON address, polled page by page, with a bearer token or a log-in"

    def __init__(self, settings: RestSettings, context: AdapterContext) -> None:
        self.settings, self.name = settings, context.name
        self._http = client(settings, context.folder)
        url, headers = settings.url, settings.headers
        self._session = Session(settings.auth, settings.sign, self._http, url, headers, timeout_s=settings.timeout_s)
        self._since = Writer(settings.since.format) if settings.since else None
        since, page = settings.since, settings.page
        self._paging = Paging(
            source=self.name,
            media="json",
            what=settings.path,
            start=since.start if since else None,
            overlap_s=since.overlap_s if since else 0.0,
            first=page.first if page else 1,
            style="single" if page is None else _STYLES[page.style],
            overlap=page.overlap if page and page.style == "offset" else 0,
            window=timedelta(hours=since.window_h) if since and since.window_h else None,
            ask=self._ask,
            read=row_reader(settings.rows, page, settings.max_bytes),
            dated=settings.rows.changed or "",
        )

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        """One poll; the body of each arrival is the whole answer. Raises: SourceFault."""
        async for arrival in self._paging.poll(cursor):
            yield arrival

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """The source is told nothing; the next page is asked for by what became of this one."""
        self._paging.settled(arrival, parked=parked)

    async def close(self) -> None:
        await self._http.aclose()

    async def probe(self) -> Sequence[Problem]:
        """Log in where there is a log-in and read a page, for `hub check`: where the source answers in pages, the
        first of all; otherwise what changed since now."""
        now = datetime.now(UTC)
        page, since = self.settings.page, self.settings.since
        asked = now if page is None else since.start if since else None
        try:
            answer = await self._ask(Stand(since=asked, began=now, page=page.first if page else 1), asked)
            facts = await asyncio.to_thread(self._paging.read, answer)
            if self.settings.rows.changed is not None and facts.rows and not facts.changed:
                raise UndecodableError(self._paging.undated(facts, facts.rows))
        except UndecodableError as error:
            text, _, mend = str(error).partition(" — ")
            return [Problem("rows", f"{self.settings.path}: {text}", mend or "mend `path`, `query` and `rows`")]
        except SourceFault as fault:
            text, _, mend = str(fault).partition(" — ")
            return [Problem("unreachable", text, mend or "mend `url`, `path`, `query` and `auth`")]
        return []

    async def _ask(self, stand: Stand, since: datetime | None) -> Answer:
        fetched = await self._page(stand, since)
        if stand.resumed and stand.token is not None and fetched.status in (400, 404, 410, 422):
            # The token of an earlier poll has died: this poll begins again, what it repeats is known as duplicate.
            fetched = await self._page(replace(stand, token=None), since)
        if not 200 <= fetched.status < 300:
            what = f"{self.settings.path}: the source answered HTTP {fetched.status}{fetched.elsewhere}"
            raise SourceFault(f"{what}: {fetched.excerpt}")
        return Answer(fetched.body, fetched.charset, self._linked(fetched, stand))

    def _linked(self, fetched: Fetched, stand: Stand) -> str | None:
        """Where the next page is, by the Link header. Raises: SourceFault for another host's."""
        if self.settings.page is None or self.settings.page.style != "link":
            return None
        for target, parameters in _LINK.findall(fetched.headers.get("link", "")):
            rels = [quoted or plain for quoted, plain in _REL.findall(parameters)]
            if rels and "next" in rels[0].lower().split():
                found: str = urljoin(stand.token or self._address, str(target))
                self._same_host(found)
                return found
        return None

    def _same_host(self, address: str) -> None:
        there, here = urlsplit(address), urlsplit(self._address)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise SourceFault(
                f"{self.settings.path}: the next page is linked at {there.scheme}://{there.netloc}, another host than "
                f"{here.scheme}://{here.netloc}: it is not followed — mend `url`, or let the source link to itself"
            )

    @property
    def _address(self) -> str:
        return self.settings.url + "/" + self.settings.path.lstrip("/")

    async def _page(self, stand: Stand, since: datetime | None) -> Fetched:
        query: dict[str, str | int] = dict(self.settings.query)
        asked = self.settings.since
        if asked is not None and self._since is not None and since is not None:
            query[asked.parameter] = self._since(since)
            if asked.until is not None:
                now = datetime.now(UTC)
                end = now if asked.window_h is None else min(now, since + timedelta(hours=asked.window_h))
                query[asked.until] = self._since(stand.until or end)
        page, address = self.settings.page, self._address
        if page is not None:
            if page.style == "link":
                if stand.token is not None:
                    self._same_host(stand.token)
                    address, query = stand.token, {}
            else:
                number = stand.page if page.style == "page" else stand.token or ("" if page.style == "cursor" else 0)
                query[page.parameter] = number
            if page.size_parameter is not None and (page.style != "link" or stand.token is None):
                query[page.size_parameter] = page.size
        fetched = await self._get(address, query)
        if not self._session.renewable or not self._session_died(fetched):
            return fetched
        self._session.forget()
        fetched = await self._get(address, query)
        if self._session_died(fetched):
            auth: Any = self.settings.auth
            who = auth.username if isinstance(auth, LoginAuth) else auth.client_id
            raise SourceFault(
                f"{self.settings.path}: the log-in of {who!r} was taken, but its token is refused "
                f"(HTTP {fetched.status}): {fetched.excerpt}"
            )
        return fetched

    def _session_died(self, fetched: Fetched) -> bool:
        auth = self.settings.auth
        if fetched.status == 401:
            return True
        if (
            not isinstance(auth, LoginAuth)
            or auth.expired is None
            or fetched.status != 200
            or auth.expired not in fetched.text
        ):
            return False
        # A dossier's own text may say the same: only an answer that is no page can be the end of a session.
        try:
            self._paging.read(Answer(fetched.body, fetched.charset))
        except UndecodableError:
            return True
        return False

    async def _get(self, address: str, query: Mapping[str, str | int]) -> Fetched:
        url = str(httpx.URL(address).copy_merge_params(query) if query else httpx.URL(address))
        own = await self._session.headers("GET", url)
        return await fetch_in_time(
            self._http,
            "GET",
            url,
            headers={"Accept": "application/json", **self.settings.headers, **own},
            deadline_s=self.settings.timeout_s,
            limit_bytes=self.settings.max_bytes,
            what=self.settings.path,
            mend="see that `url` is right and the service runs",
            cap_s=self.settings.retry_after_cap_s,
        )


_STYLES: dict[str, Literal["pages", "token", "offset"]] = {
    "page": "pages",
    "cursor": "token",
    "link": "token",
    "offset": "offset",
}


def row_reader(rows: RestRows, page: RestPage | None, max_bytes: int) -> Callable[[Answer], PageFacts]:
    """Compile what paging reads of a page: `Answer -> PageFacts`, which raises UndecodableError. Raises: PathError."""
    container = json_finder(rows.at)
    shape = JsonShape()
    changed = shape.getter(rows.changed) if rows.changed is not None else None
    reader = Reader(rows.changed_format)
    pages = json_finder(rows.pages) if rows.pages is not None else None
    following = json_finder(page.next) if page is not None and page.next is not None else None
    seen = following is None or (page is not None and page.next_absent)
    marked = page is not None and page.style == "offset" and page.overlap > 0

    def read(answer: Answer) -> PageFacts:
        nonlocal seen
        document = json.parse(answer.body, answer.charset, limit=max_bytes)
        found = container(document)
        held = _held(document)
        if not found:
            raise UndecodableError(f"rows.at: {rows.at!r} is not in the answer; {held} — mend `rows.at`")
        if not isinstance(found[0], list):
            raise UndecodableError(
                f"rows.at: {rows.at or 'the answer'!r} is {kind(found[0])}, not a list of rows; {held} — mend `rows.at`"
            )
        times: list[datetime] = []
        for row in found[0] if changed is not None else ():
            # A row that the mapping will refuse, or whose time cannot be read, does not move the cursor.
            at = _changed(shape, row, changed, reader) if changed is not None else None
            if at is not None:
                times.append(at)
        total = None if pages is None else whole_number(pages(document), rows.pages or "", held)
        given = [] if following is None else following(document)
        token = next(iter(given), None)
        seen = seen or bool(given)
        if not seen and found[0] and page is not None and (not page.size_parameter or len(found[0]) >= page.size):
            # Nothing shows yet that the path is right, and a page as full as this one hardly is the last.
            raise UndecodableError(
                f"page.next: {page.next!r} is not in the answer, whose {len(found[0])} rows may not be all; {held} — "
                "mend `page.next`, or write `next_absent: true` where the source leaves it out on its last page"
            )
        if token is not None and (isinstance(token, bool) or not isinstance(token, str | int)):
            raise UndecodableError(
                f"page.next: the next page's token cannot be read: found {kind(token)}; {held} — mend `page.next`"
            )
        instead = ""
        if changed is not None and found[0] and not times:
            instead = f"in the first row {_value(shape, found[0][0], changed)}"
        marks = [_mark(row) for row in found[0]] if marked else []
        link = answer.following if token is None else str(token)
        return PageFacts(len(found[0]), times, total, link, instead, marks)

    return read


def _mark(row: Any) -> bytes:
    """What tells a row from others, and from itself once it has changed."""
    return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).digest()[:16]


def _changed(shape: JsonShape, row: Any, changed: Callable[[Any], Any], reader: Reader) -> datetime | None:
    try:
        return reader(changed(shape.view(row)))
    except RefusalError:
        return None


def _value(shape: JsonShape, row: Any, changed: Callable[[Any], Any]) -> str:
    """What a row has where its change time should be, for people: personal data is not quoted beyond that value."""
    try:
        value = changed(shape.view(row))
    except RefusalError as error:
        return str(error)
    return f"it is {str(value)[:50]!r}" if value is not None else f"it is not there; {_held(row, 'the row')}"


def _held(document: Any, what: str = "it") -> str:
    if not isinstance(document, dict):
        return f"{what} is {kind(document)}"
    return f"{what} has the keys {', '.join(sorted(document))[:300] or 'none'}"
