"""Opens the ledger's database: SQLite (one process, WAL, synchronous=FULL; R15) or PostgreSQL (several), and migrates
it."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from schemas.errors import LedgerFault

log = logging.getLogger(__name__)

BUSY_WAIT_S = 30.0
"""How long a statement waits for another program to unlock a SQLite file, before the writer says that it is locked."""

_SAID_BYTES = 1000
"""Kept in a SQLite ledger's lock file for what its owner says: written over in place, which needs no room."""

LOOKED_AT_S = 0.2
"""How long a start waits for the lock of a SQLite ledger, which a command that looks may hold for a moment."""

STALLED_S = 5.0
"""A worker that stands still within a transaction for so long (suspended, or its machine gone) loses it, and with it
the locks that all others wait for; PostgreSQL only."""


def is_postgres(engine: sa.Engine) -> bool:
    return engine.dialect.name == "postgresql"


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL, None for other databases.

    Raises: LedgerFault for a ledger in memory, or what is no URL of a database.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise LedgerFault("a ledger in memory would lose everything: give a file, such as sqlite:///var/hub.db")
    return Path(parsed.database)


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except sa.exc.ArgumentError as error:
        # The text may hold a password: it is not repeated.
        said = "write sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        raise LedgerFault(f"ledger.url is no address of a database; {said}") from error


def open_engine(url: str, *, writer: bool) -> sa.Engine:
    """Open an engine. A writer's transactions on SQLite begin IMMEDIATE; a reader's are snapshots.

    Raises: LedgerFault where the URL names no supported database.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        postgres = sa.create_engine(
            parsed,
            pool_pre_ping=not writer,
            isolation_level="READ COMMITTED",
            pool_size=4,
            connect_args={"connect_timeout": 10},
        )
        if writer:
            sa.event.listen(postgres, "connect", _durable)
            sa.event.listen(postgres, "connect", _bound_stalls)
            sa.event.listen(postgres, "connect", _look_up_by_key)
        return postgres
    if parsed.get_backend_name() != "sqlite":
        raise LedgerFault(f"ledger.url: {parsed.get_backend_name()} is not supported; use sqlite:/// or postgresql://")
    path = sqlite_path(url)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_WAIT_S, "check_same_thread": False})
    begin = "BEGIN IMMEDIATE" if writer else "BEGIN"

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA schema_version")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise LedgerFault(f"{path}: {error}; name another file, or put its backup in its place") from error
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
            "journal_size_limit=67108864",
            # Pages of the log that are written back together: what changes again before is written once (16 MB).
            "wal_autocheckpoint=4000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        if not writer:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _durable(connection: Any, _record: object) -> None:
    """What is committed is on the disk, whatever a role's or a database's defaults say."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.execute("SHOW fsync")
        if cursor.fetchone()[0] != "on":
            log.error("PostgreSQL runs with fsync = off: a power cut can destroy the ledger; switch it on")
    connection.commit()


def _look_up_by_key(connection: Any, _record: object) -> None:
    """Keep PostgreSQL from plans that read whole tables.

    Whatever the writer asks for it asks for by key. PostgreSQL plans a statement at its fifth run and keeps the plan;
    it then knows a new table as an empty one, which to read whole costs nothing, and so it goes on when the table has
    grown (measured: up to fifty times the work).
    """
    for way in ("seqscan", "hashjoin", "mergejoin"):
        connection.execute(f"SET enable_{way} = off")
    connection.commit()


def _bound_stalls(connection: Any, _record: object) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = {int(STALLED_S * 1000)}")
    connection.commit()


def _lock_file(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _lock(descriptor: int) -> None:
    """Raises: BlockingIOError where another process keeps the lock; one that only looks has it for a moment."""
    until_s = time.monotonic() + LOOKED_AT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_s:
                raise
        time.sleep(LOOKED_AT_S / 10)


@contextmanager
def sole_owner(url: str) -> Iterator[Callable[[str | None], None]]:
    """Hold a SQLite ledger's lock for one process; nothing to hold for PostgreSQL.

    Yields what is called with the state that `owner_says` tells other processes. Raises: LedgerFault where another
    process holds it. The lock dies with its process, so a kill leaves none behind.
    """
    path = sqlite_path(url)
    if path is None:
        yield lambda _: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_lock_file(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def say(problem: str | None) -> None:
        line = f"{os.getpid()}\n{problem or ''}".encode()[:_SAID_BYTES]
        try:
            os.pwrite(descriptor, line.ljust(_SAID_BYTES), 0)
        except OSError as error:  # a full disk that copies on write; the log has it
            log.warning("%s cannot tell other processes: %s", _lock_file(path), error)

    try:
        try:
            _lock(descriptor)
        except BlockingIOError as error:
            owner = os.read(descriptor, 32).decode("ascii", "replace").split("\n")[0].strip()
            raise LedgerFault(
                f"{path}: another hub (process {owner or 'unknown'}) has this ledger open; "
                "stop it, or use PostgreSQL for several processes"
            ) from error
        say(None)
        yield say
        say(None)
    finally:
        os.close(descriptor)


def owner_says(url: str) -> str | None:
    """Return what the running owner of a SQLite ledger says is wrong; None where it says nothing or does not run."""
    path = sqlite_path(url)
    if path is None:
        return None
    try:
        with _lock_file(path).open("rb") as file:
            try:
                # Not by the number of its process, which another program may have by now: who lives holds the lock.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().decode("utf-8", "replace")
            else:
                return None
    except OSError:
        return None
    return text.partition("\n")[2].strip() or None


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to the newest revision; quick where it is there already.

    Raises: LedgerFault where the database is of a newer version than this program, or cannot be reached.
    """
    from hub.ledger.migrations import HEAD, upgrade

    try:
        with engine.connect() as connection:
            present = None
            if sa.inspect(connection).has_table("alembic_version"):
                present = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        if present != HEAD:
            upgrade(engine)
    except sa.exc.OperationalError as error:
        raise LedgerFault(f"the ledger's database cannot be opened: {error.orig}", down=True) from error
