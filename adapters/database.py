"""One query of somebody else's database, read page by page in transactions that can change nothing.

    pages = Database(url, password, query, moment="ngay_sua", key="so_ho_so", timeout_s=60)
    found = pages.read(since, edge, limit)     # blocks; for a thread
    pages.cancel()                             # from another thread: ends what `read` waits for

The query stays as it is written; it becomes a table to select from, in the order of its moment and key. A page begins
at the edge, the place of the last row of the page before, and holds that row again: so no row is between two pages,
whatever changed. The only module beside the ledger's that knows SQLAlchemy; it knows nothing of the hub's own database.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from schemas.errors import SourceFault

SINCE = "since"
"""The one parameter that a query may have."""
CONNECT_S = 10.0
BUFFERED_ROWS = 200
_LEADING = re.compile(r"\A(?:\s+|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_READ_ONLY = {
    "mysql": "SET TRANSACTION READ ONLY",
    "mariadb": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


class Edge(NamedTuple):
    """The place of a row: its moment and its key (None where rows have no key)."""

    moment: Any
    key: Any


@dataclass(frozen=True, slots=True)
class Page:
    """The names of the columns and the rows, as the driver gives their values."""

    columns: tuple[str, ...]
    rows: Iterator[Sequence[Any]]

    def distinct(self) -> None:
        """Raises: SourceFault where two columns have one name."""
        twice = next((name for name in self.columns if self.columns.count(name) > 1), None)
        if twice is not None:
            raise SourceFault(f"query: it gives two columns {twice!r} — give each a name of its own with AS")


class QueryError(ValueError):
    """A query or an address that cannot be used; the text says why, `mend` what to write."""

    def __init__(self, message: str, mend: str) -> None:
        self.mend = mend
        super().__init__(message)


def address(url: str) -> URL:
    """The parsed address of a database. Raises: QueryError, whose text never has a password."""
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        raise QueryError("is no address of a database", "write one like postgresql://hub@10.0.0.5/motcua") from None
    if made.password is not None:
        raise QueryError("has a password in it", "take it out and write it as `password`")
    if made.drivername == "postgresql":
        made = made.set(drivername="postgresql+psycopg")
    try:
        made.get_dialect()
    except (NoSuchModuleError, ImportError):
        known = "postgresql://…, sqlite:///…, or that of another database with its driver"
        raise QueryError(f"names {made.drivername!r}, which SQLAlchemy does not know here", f"write {known}") from None
    return made


def beside(url: str, folder: Path) -> str:
    """The address of a file of SQLite, relative to here, as one from `folder`; any other as it is."""
    made = address(url)
    if made.get_backend_name() != "sqlite" or not made.database or Path(made.database).is_absolute():
        return url
    return f"sqlite:///{os.path.relpath(Path(made.database).resolve(), folder.resolve())}"


def checked(query: str) -> str:
    """A query without its last semicolon. Raises: QueryError for what is not one query that reads."""
    text = query.strip().removesuffix(";").rstrip()
    if not re.match(r"(?i)(select|with)\b", _LEADING.sub("", text, count=1)):
        raise QueryError("is no query that reads", "begin with SELECT or WITH")
    if ";" in _QUOTED.sub("", text):
        raise QueryError("holds more than one statement", "write one SELECT, without a semicolon")
    others = sorted(parameters(text) - {SINCE})
    if others:
        mend = f"write :{SINCE}, or a colon that is none of a parameter as \\:"
        raise QueryError(f"has the parameter :{others[0]}, which nobody fills", mend)
    return text


def parameters(query: str) -> set[str]:
    """The names of a query's parameters."""
    return set(sa.text(query).compile().params)


class Database:
    """One query; a connection per page, so that a fragile system holds none for us between polls."""

    def __init__(
        self,
        url: URL,
        password: str | None,
        query: str,
        *,
        moment: str | None,
        key: str | None,
        folder: Path,
        timeout_s: float,
    ) -> None:
        """`folder` is where a relative path of an SQLite file begins; without a `moment` there is only `first`."""
        self._url = url if password is None else url.set(password=password)
        self._password, self._timeout_s, self._folder = password, timeout_s, folder
        self._moment, self._key = moment or "", key
        self._text = sa.text(f"{query}\n")
        self._with_since = SINCE in parameters(query)
        self._engine: sa.Engine | None = None
        self._raw: Any = None
        """The driver's connection, while a statement runs."""
        self._stopped = False

    @property
    def kind(self) -> str:
        """The name of the database's dialect: postgresql, sqlite, …"""
        return self._url.get_backend_name()

    @contextmanager
    def read(self, since: Any, edge: Edge | None, limit: int) -> Iterator[Page]:
        """At most `limit` rows at or behind `since` or, where there is one, at or behind the edge; in order.

        Raises: SourceFault; `down` where there is no connection.
        """
        table = self._table(self._moment, *([self._key] if self._key else []))
        moment = table.c[self._moment]
        wanted = sa.select(sa.text("*")).select_from(table).order_by(moment).limit(limit)
        if self._key is not None:
            wanted = wanted.order_by(table.c[self._key])
        if edge is not None:
            wanted = wanted.where(self._behind(moment, table, edge))
        elif since is not None:
            wanted = wanted.where(moment >= since)
        else:
            wanted = wanted.where(moment.is_not(None))
        with self._rows(wanted, since) as page:
            yield page

    @contextmanager
    def first(self, since: Any, limit: int) -> Iterator[Page]:
        """At most `limit` rows in the order in which they come. Raises: SourceFault."""
        with self._rows(sa.select(sa.text("*")).select_from(self._table()).limit(limit), since) as page:
            yield page

    def without_moment(self, since: Any) -> bool:
        """Whether some row has no moment, so that no page holds it. Raises: SourceFault."""
        table = self._table(self._moment)
        empty = sa.select(sa.text("*")).select_from(table).where(table.c[self._moment].is_(None)).limit(1)
        with self._rows(empty, since) as page:
            return next(page.rows, None) is not None

    def cancel(self) -> None:
        """End the statement that runs, from another thread; no more than a request, and nothing where none runs."""
        self._stopped = True
        raw = self._raw
        stop = getattr(raw, "interrupt", None) or getattr(raw, "cancel", None)
        if stop is not None:
            with suppress(Exception):
                stop()

    def _behind(self, moment: Any, table: Any, edge: Edge) -> Any:
        if self._key is None:
            return moment >= edge.moment
        key = table.c[self._key]
        return (moment > edge.moment) | ((moment == edge.moment) & ((key >= edge.key) | key.is_(None)))

    def _table(self, *columns: str) -> Any:
        return self._text.columns(*(sa.column(name) for name in dict.fromkeys(columns))).subquery("hub_page")

    @contextmanager
    def _rows(self, statement: Any, since: Any) -> Iterator[Page]:
        values = {SINCE: since} if self._with_since else {}
        self._stopped = False
        with self._connected() as connection:
            try:
                options = {"yield_per": BUFFERED_ROWS}
                with closing(connection.execute(statement, values, execution_options=options)) as found:
                    columns = tuple(found.keys())
                    self._look(columns)  # SQLite takes a column that it does not have for a text
                    yield Page(columns, (tuple(row) for row in found))
            except DBAPIError as error:
                said = self._said(error)
            except SQLAlchemyError as error:
                said = str(error).splitlines()[0][:200]
            else:
                return
        self._explain(said, values)

    def _explain(self, said: str, values: dict[str, Any]) -> None:
        """Say what is wrong with a statement that failed: the columns, where the query by itself can be run."""
        if self._stopped or "timeout" in said:
            raise SourceFault(f"query: the database gave no whole page within {self._timeout_s:g} s: {said}")
        with self._connected() as connection:
            try:
                alone = sa.select(sa.text("*")).select_from(self._table()).limit(1)
                columns = tuple(connection.execute(alone, values).keys())
            except SQLAlchemyError:
                raise SourceFault(f"query: the database refused it: {said} — mend `query`") from None
        self._look(columns)
        raise SourceFault(f"query: the database refused a page of it: {said} — mend `query` and `cursor`")

    def _look(self, columns: Sequence[str]) -> None:
        for setting, name in (("cursor.column", self._moment), ("key", self._key)):
            if name and name not in columns:
                has = ", ".join(columns)[:300]
                raise SourceFault(f"{setting}: the query gives no column {name!r}; it gives {has} — mend `{setting}`")

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            engine = self._engine = self._engine or self._made()
            opened = engine.connect()
        except ImportError as error:
            raise SourceFault(f"url: the driver is not installed: {error} — install it beside the hub") from None
        except DBAPIError as error:
            mend = "see that `url` and `password` are right and the database runs"
            raise SourceFault(f"the database cannot be reached: {self._said(error)} — {mend}", down=True) from None
        except (SQLAlchemyError, TypeError) as error:
            raise SourceFault(f"url: cannot be used: {str(error).splitlines()[0][:200]} — mend `url`") from None
        try:
            self._raw = opened.connection.driver_connection
            read_only = {"postgresql_readonly": True} if self.kind == "postgresql" else {}
            connection = opened.execution_options(**read_only)
            try:
                self._prepare(connection)
            except DBAPIError as error:
                raise SourceFault(f"the database refused to begin: {self._said(error)}") from None
            yield connection
        finally:
            self._raw = None
            with suppress(SQLAlchemyError):
                opened.rollback()
            with suppress(SQLAlchemyError):
                opened.close()

    def _prepare(self, connection: sa.Connection) -> None:
        if self.kind == "postgresql":
            # Local time where a moment has no zone; the limit holds even where this process is gone.
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(self._timeout_s * 1000)}")
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'Asia/Ho_Chi_Minh'")
        elif self.kind in _READ_ONLY:
            connection.exec_driver_sql(_READ_ONLY[self.kind])

    def _made(self) -> sa.Engine:
        if self.kind == "sqlite":
            place = f"file:{quote(str((self._folder / (self._url.database or '')).absolute()))}?mode=ro"
            wait_s = min(5.0, self._timeout_s)
            return sa.create_engine(
                "sqlite://", creator=lambda: sqlite3.connect(place, uri=True, timeout=wait_s), poolclass=NullPool
            )
        options: dict[str, Any] = {}
        if self._url.drivername == "postgresql+psycopg":
            wait_s = max(1, int(min(CONNECT_S, self._timeout_s)))
            options = {"connect_timeout": wait_s, "tcp_user_timeout": int(self._timeout_s * 1000)}
        return sa.create_engine(self._url, connect_args=options, poolclass=NullPool, hide_parameters=True)

    def _said(self, error: DBAPIError) -> str:
        lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
        said = lines[0][:300] if lines else type(error.orig).__name__
        return said.replace(self._password, "***") if self._password else said
