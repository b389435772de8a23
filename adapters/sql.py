"""Source `sql`: a query of a legacy system's own database, read page by page behind a column that only grows.

Each page is an arrival: its rows as a JSON list of objects, a member per column, which a mapping of JSON reads. Rows
come in the order of the cursor's column, then of the key; a page begins where the one before ended, so that a row that
changes while pages are read moves to the end and is read there again, and none is missed. A poll begins `overlap`
before where the last one ended, for what was committed late; the ledger knows what it has.

The cursor, opaque to the hub: `{"since": value}` between polls; inside one also `at` and `key`, the place of the last
row, and `high`, the latest moment that is believed: one more than ten minutes ahead of now moves nothing (R9).

Only reads: one SELECT, in a transaction that the database is told is read-only and that is always rolled back.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from adapters import row_values
from adapters.database import SINCE, Database, Edge, QueryError, address, checked, parameters
from adapters.paging import AHEAD, Start
from hub.ports import AdapterContext, Arrival, Cursor
from schemas.errors import Problem, SourceFault
from schemas.local_time import LOCAL

T = TypeVar("T")
Kind = Literal["time", "number", "text"]
_OVERLAP = {"time": 60.0, "number": 100.0, "text": 0.0}
_NOUNS = {"time": "no time", "number": "no number", "text": "no text"}


def _refused(error: QueryError) -> PydanticCustomError:
    return PydanticCustomError("wrong-value", "{said}", {"said": str(error), "mend": error.mend})


def _address(url: str) -> str:
    try:
        address(url)
    except QueryError as error:
        raise _refused(error) from None
    return url


def _query(query: str) -> str:
    try:
        return checked(query)
    except QueryError as error:
        raise _refused(error) from None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class SqlCursor(_Part):
    """The column by which what changed is found: it grows with every change."""

    column: str
    """Its name in the query's result."""
    type: Kind = "time"
    """`time` for a time of change (a text in ISO 8601 is one), `number` for a version or an id."""
    start: Start | int = None
    """Where the first poll begins, an ISO date or time, or a number; without it, at the first row."""
    overlap: Annotated[float, Field(ge=0, le=86_400 * 366, allow_inf_nan=False)] | None = None
    """Read again each time, for what was committed late: seconds, or of a number so many; 60 s or 100."""

    @model_validator(mode="after")
    def _fits(self) -> SqlCursor:
        if self.start is not None and isinstance(self.start, int) != (self.type == "number"):
            raise ValueError("`start` is a time for type: time, a number for type: number, and nothing for type: text")
        if self.type == "text" and (self.overlap or self.start is not None):
            raise ValueError("type: text knows neither `overlap` nor `start`")
        return self

    @property
    def back(self) -> float:
        return _OVERLAP[self.type] if self.overlap is None else self.overlap


class SqlSettings(_Part):
    """Settings of a source with `adapter: sql`."""

    url: Annotated[str, AfterValidator(_address)]
    """An address of SQLAlchemy without its password: postgresql://hub@10.0.0.5/motcua, sqlite:///motcua.db."""
    password: SecretStr | None = None
    """From the environment; it stands in no address."""
    query: Annotated[str, AfterValidator(_query)]
    """One SELECT. It may ask for `:since`, where a database is too slow to look for it from outside."""
    cursor: SqlCursor
    key: str | None = None
    """A column that tells rows of the same moment apart; without it at most a page of rows may share one."""
    page: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Rows in one page."""
    timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 60.0
    """One page in all, from connecting to the last row."""
    max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 32 << 20
    """The largest page that is read, as JSON."""

    @model_validator(mode="after")
    def _begins(self) -> SqlSettings:
        if SINCE in parameters(self.query) and self.cursor.start is None:
            raise ValueError("query: it asks for :since, so `cursor` needs `start`, where the first poll begins")
        return self


@dataclass
class _Stand:
    """Where a poll stands."""

    since: Any
    """Where it began; None is the first row."""
    edge: Edge | None = None
    high: Any = None
    before: bytes | None = None
    """The last row that was handed on, as it was written; None at the start."""

    def cursor(self) -> dict[str, Any]:
        parts = {"since": self.since, "high": self.high}
        if self.edge is not None:
            parts |= {"at": self.edge.moment, "key": self.edge.key}
        return {name: row_values.written(value) for name, value in parts.items() if value is not None}

    def end(self) -> dict[str, Any]:
        value = self.high if self.high is not None else self.since
        with suppress(TypeError):
            # Never backwards: the rows of the overlap may be all that is there.
            value = max(value, self.since) if self.since is not None else value
        return {} if value is None else {"since": row_values.written(value)}


@dataclass
class _Read:
    """A page: its rows as JSON, where it ends, whether there is more, and what is wrong with its moments."""

    rows: list[bytes] = field(default_factory=list)
    edge: Edge | None = None
    high: Any = None
    more: bool = False
    trouble: str = ""


class SqlSource:
    """One query, polled; see the module."""

    role: ClassVar[Literal["source"]] = "source"
    Settings: ClassVar[type[BaseModel]] = SqlSettings
    summary: ClassVar[str] = "a query of a database (PostgreSQL, SQLite, others by their driver), only ever read"

    def __init__(self, settings: SqlSettings, context: AdapterContext) -> None:
        self.settings, self.name = settings, context.name
        self._database = Database(
            address(settings.url),
            settings.password.get_secret_value() if settings.password else None,
            settings.query,
            moment=settings.cursor.column,
            key=settings.key,
            folder=Path(context.folder),
            timeout_s=settings.timeout_s,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sql {self.name}")

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        """One poll, to the newest row; the body of each arrival is a JSON list of rows.

        Raises: SourceFault, after the pages that could be read where the settings do not fit them.
        """
        started = datetime.now(UTC)
        stand = self._stand(cursor)
        for number in range(1, 1 << 30):
            read = await self._in_thread(partial(self._page, stand))
            trouble = read.trouble
            if not trouble and read.more and read.edge == stand.edge:
                trouble = self._stuck(read)
            if read.rows:
                stand.before = read.rows[-1]
            stand.edge = read.edge or stand.edge
            stand.high = read.high if read.high is not None else stand.high
            last = bool(trouble) or not read.more
            following = None if trouble else stand.end() if last else stand.cursor()
            yield Arrival(
                uid=uuid.uuid4().hex,
                source=self.name,
                body=b"[" + b",\n".join(read.rows) + b"]",
                media="json",
                received_at=datetime.now(UTC),
                poll_started_at=started,
                label=f"query page {number}",
                cursor=following,
                last=last,
            )
            if trouble:
                raise SourceFault(trouble)
            if last:
                break
        if await self._in_thread(lambda: self._database.without_moment(self._lower(stand.since))):
            raise SourceFault(self._empty_moment())

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """The database is told nothing."""

    async def close(self) -> None:
        self._database.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def probe(self) -> Sequence[Problem]:
        """Connect and read the first page, for `hub check`; nothing is written."""
        try:
            stand = self._stand({})
            read = await self._in_thread(lambda: self._page(stand))
            if read.trouble:
                raise SourceFault(read.trouble)
            if await self._in_thread(lambda: self._database.without_moment(self._lower(stand.since))):
                raise SourceFault(self._empty_moment())
        except SourceFault as fault:
            text, _, mend = str(fault).partition(" — ")
            return [Problem("unreachable" if fault.down else "query", text, mend or "mend `query` and `cursor`")]
        return []

    def _stand(self, cursor: Cursor) -> _Stand:
        """Raises: SourceFault for a cursor that was not made here."""
        try:
            since, high, at, key = (
                row_values.read(cursor[name]) if name in cursor else None for name in ("since", "high", "at", "key")
            )
            odd = cursor.keys() - {"since", "high", "at", "key"}
            if odd or any(self._wrong(value) for value in (since, high, at) if value is not None):
                raise ValueError(f"{sorted(odd) or 'a value of another type'}")
        except (TypeError, ValueError) as error:
            raise SourceFault(
                f"the stored cursor {dict(cursor)!r} cannot be read: {error}; reset the cursor"
            ) from error
        edge = None if at is None else Edge(at, key)
        return _Stand(since if since is not None else self._start(), edge, high)

    def _start(self) -> Any:
        start = self.settings.cursor.start
        if not isinstance(start, datetime):
            return start
        local = start.astimezone(LOCAL).replace(tzinfo=None, microsecond=0)
        # SQLite has no times but texts, and these are compared letter by letter.
        return local.isoformat(" ") if self._database.kind == "sqlite" else local

    def _lower(self, since: Any) -> Any:
        return since if since == self._start() else row_values.earlier(since, self.settings.cursor.back)

    def _wrong(self, value: Any) -> bool:
        kind = self.settings.cursor.type
        if kind == "time":
            return row_values.moment(value) is None
        if kind == "number":
            return isinstance(value, bool) or not isinstance(value, int | float | Decimal)
        return not isinstance(value, str)

    def _page(self, stand: _Stand) -> _Read:
        """Read a page. Blocks. Raises: SourceFault."""
        settings, limit = self.settings, self.settings.page + 1 + (stand.edge is not None)
        read, size, now = _Read(), 2, datetime.now(UTC)
        with self._database.read(self._lower(stand.since), stand.edge, limit) as page:
            columns = page.columns
            page.distinct()
            moment_at = columns.index(settings.cursor.column)
            key_at = None if settings.key is None else columns.index(settings.key)
            for row in page.rows:
                made = row_values.row(columns, row)
                if made == stand.before and not read.rows:
                    continue  # the last row of the page before
                if len(read.rows) >= settings.page:
                    read.more = True
                    continue
                size += len(made) + 2
                if size > settings.max_bytes:
                    raise SourceFault(f"query: a page has more than {settings.max_bytes:,} bytes — lower `page`")
                read.rows.append(made)
                value, key = row[moment_at], None if key_at is None else row[key_at]
                if self._wrong(value):
                    read.trouble = read.trouble or self._wrong_moment(value)
                    continue
                at = row_values.moment(value) if settings.cursor.type == "time" else None
                if at is None or at <= now + AHEAD:
                    read.high = value
                read.edge = Edge(value, key)
        if read.more and settings.key is not None and read.edge is not None and read.edge.key is None:
            read.trouble = f"key: {settings.key!r} is empty in a row — name a column that every row has"
        return read

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Raises: SourceFault, also when the deadline passes; then the database is told to stop."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                return await loop.run_in_executor(self._thread, work)
        except TimeoutError:
            self._database.cancel()
            raise SourceFault(f"query: no whole page within {self.settings.timeout_s:g} s (timeout_s)") from None
        except asyncio.CancelledError:
            self._database.cancel()
            raise

    def _stuck(self, read: _Read) -> str:
        column, key = self.settings.cursor.column, self.settings.key
        what = f"the same {column!r}" + (f" and {key!r}" if key else "")
        return f"cursor: more than {self.settings.page} rows have {what} — " + (
            "name a `key` that is different in each row" if key else "name a `key`, or raise `page`"
        )

    def _wrong_moment(self, value: Any) -> str:
        column, kind = self.settings.cursor.column, self.settings.cursor.type
        found = "is empty in a row" if value is None else f"has {str(value)[:50]!r} ({type(value).__name__})"
        found += f", which is {_NOUNS[kind]}"
        return f"cursor.column: {column!r} {found} — convert it in `query`, or mend `cursor.type`"

    def _empty_moment(self) -> str:
        column = self.settings.cursor.column
        return f"cursor.column: {column!r} is empty in some rows, which no page holds — fill it in `query`: COALESCE(…)"
