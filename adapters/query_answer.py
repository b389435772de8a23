"""The first rows of a query, for `hub new source --sql`: as the source `sql` will hand them on, and only ever read.

The same way as the source's: one SELECT in a transaction that is told to be read-only and is rolled back, so many rows
and seconds at most.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from adapters import row_values
from adapters.database import SINCE, Database, QueryError, address, beside, checked, parameters
from hub.scaffold.service import QueryAnswer, QueryColumn
from schemas.errors import ConfigError, Problem, SourceFault
from schemas.local_time import LOCAL

MAX_BYTES = 32 << 20


def ask(
    url: str, query: str, *, password: str | None, since: str | None, folder: Path, rows: int, timeout_s: float
) -> QueryAnswer:
    """Run a query and take its first `rows` rows. `folder` is the configuration's; `since` an ISO time, or a number.

    Raises: ConfigError for what cannot be asked, SourceFault where the database does not answer.
    """
    try:
        place = address(url)
    except QueryError as error:
        mend = error.mend.replace("write it as `password`", "set it as NAME_PASSWORD in the environment")
        raise _wrong("--sql", error, mend) from None
    if place.get_backend_name() == "sqlite" and not place.database:
        raise ConfigError([Problem("wrong-value", "--sql: names no file", "write sqlite:///motcua.db")])
    try:
        text = checked(query)
    except QueryError as error:
        raise _wrong("--query", error, error.mend) from None
    asks = SINCE in parameters(text)
    if asks and since is None:
        mend = f"say where the first poll begins: --argument {SINCE}=2026-01-01"
        raise ConfigError([Problem("wrong-argument", f"--query: it asks for :{SINCE}", mend)])
    database = Database(place, password, text, moment=None, key=None, folder=Path(), timeout_s=timeout_s)
    made: list[bytes] = []
    found: list[Sequence[Any]] = []
    value = _start(since, database.kind) if asks and since is not None else None
    with _ended_after(database, timeout_s), database.first(value, rows) as page:
        page.distinct()
        size = 0
        for row in page.rows:
            made.append(row_values.row(page.columns, row))
            found.append(row)
            size += len(made[-1])
            if size > MAX_BYTES:
                raise SourceFault(f"query: {len(made)} rows have more than {MAX_BYTES:,} bytes — ask for fewer columns")
        columns = page.columns
    if not made:
        raise ConfigError([Problem("no-rows", "--query: gives no rows now", "ask for rows that are there: the hub "
                                   "learns from what stands in them")])  # fmt: skip
    facts = tuple(_column(name, [row[at] for row in found]) for at, name in enumerate(columns))
    return QueryAnswer(b"[" + b",\n".join(made) + b"]", facts, beside(url, folder))


@contextmanager
def _ended_after(database: Database, timeout_s: float) -> Iterator[None]:
    """Have the database stop what it does when the time is over, again and again until it has."""
    done = threading.Event()

    def watch() -> None:
        wait_s = timeout_s
        while not done.wait(wait_s):
            database.cancel()
            wait_s = 0.1

    thread = threading.Thread(target=watch, name="query time limit", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _start(since: str, kind: str) -> Any:
    """Raises: ConfigError."""
    if since.lstrip("-").isdecimal() and len(since) < 19 and len(since) != 8:
        return int(since)
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        said = f"--argument {SINCE}={since}: is no time and no number"
        raise ConfigError([Problem("wrong-argument", said, f"write {SINCE}=2026-01-01")]) from None
    local = (at if at.tzinfo else at.replace(tzinfo=LOCAL)).astimezone(LOCAL).replace(tzinfo=None, microsecond=0)
    return local.isoformat(" ") if kind == "sqlite" else local


def _column(name: str, values: Sequence[Any]) -> QueryColumn:
    filled = [value for value in values if value is not None and value != ""]
    holds: Literal["time", "number"] | None = None
    if filled and all(_is_time(value) for value in filled):
        holds = "time"
    elif filled and all(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in filled):
        holds = "number"
    written = [row_values.as_json(value) for value in filled]
    unique = len({str(value) for value in written}) == len(written)
    return QueryColumn(name, holds, len(filled) == len(values), unique)


def _is_time(value: Any) -> bool:
    if isinstance(value, str):
        return "-" in value[:5] and row_values.moment(value) is not None
    return isinstance(value, date)


def _wrong(option: str, error: QueryError, mend: str) -> ConfigError:
    return ConfigError([Problem("wrong-value", f"{option}: {error}", mend)])
