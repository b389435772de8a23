"""Room on the ledger's disk that is kept for claims and receipts, so that a full disk is met in good order.

    reserve = Reserve(measure, wanted_mb=None)
    reserve.look()       Level.ROOM, RESERVE (arrivals wait) or LAST (claims wait too)

Below the reserve no arrival is settled: what stands in the ledger is still claimed, sent and recorded, which needs
little room and lessens what is open. Below the last eighth of it nothing new is claimed either, so that what portals
answer to the requests under way can be written. Beyond that the database itself refuses, and the writer waits.

Free space is measured, instead of a file of ballast that is given up when the disk is full. A ballast is met by an
error in the middle of a commit, after the disk was full for everybody; what it frees may be taken by whoever filled
the disk; it is no room at all where files are compressed or copied on write; and nothing then says when to make it
anew. A measure taken before each commit stops the intake before any error, however the disk was filled, and lets it
go on by itself. What it cannot see (a quota, a server on another host) shows as the database's own error, which the
writer treats like the end of the room.

SQLite: the free space of the database's file system, less what the file will grow by when the log is written back:
that much of the free space is owed. PostgreSQL: its data directory and the log in it, where the server is on this host
and lets this role and user see them. Looks at the disk only; writes nothing.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from hub.ledger.engine import open_engine, owner_says, sqlite_path

MB = 1_000_000
RESERVE_MB = 256
"""What is kept where nothing is configured; on a small disk a tenth of it."""

LAST_PART = 8
"""This part of the reserve is for receipts alone: several times what one answer to every open request takes."""

LOOK_S = 0.2
"""Between two measures; what is committed in between is far less than the reserve."""

SLACK = 1.1
"""So much more than where it stopped must be free before a level is left: else it would come and go with each page."""


class Level(IntEnum):
    """What there is room for."""

    ROOM = 0
    RESERVE = 1
    LAST = 2


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a file system is free, in bytes, to a user without privileges."""

    path: Path
    free: int
    total: int


Measure = Callable[[], Room | None]


class Reserve:
    """Says what there is room for. Not for use by several threads at a time."""

    def __init__(self, measure: Measure, wanted_mb: int | None = None) -> None:
        self._measure = measure
        self._wanted = None if wanted_mb is None else wanted_mb * MB
        self._look_at_s = 0.0
        self.level = Level.ROOM
        self.room: Room | None = None

    def look(self, *, now: bool = False) -> Level:
        """Measure if it is time (or `now`). A disk that cannot be measured counts as one with room."""
        at_s = time.monotonic()
        if now or at_s >= self._look_at_s:
            self._look_at_s = at_s + LOOK_S
            self.room = self._measure()
            self.level = Level.ROOM if self.room is None else self._level(self.room)
        return self.level

    def _level(self, room: Room) -> Level:
        for level in (Level.LAST, Level.RESERVE):
            kept = self.kept(room, level)
            if room.free < (kept * SLACK if self.level >= level else kept):
                return level
        return Level.ROOM

    def kept(self, room: Room, level: Level = Level.RESERVE) -> int:
        """Bytes below which a level begins."""
        reserve = min(RESERVE_MB * MB, room.total // 10) if self._wanted is None else self._wanted
        return reserve // LAST_PART if level is Level.LAST else reserve

    @property
    def problem(self) -> str | None:
        """What waits and why, in one sentence for people; None while there is room."""
        room = self.room
        if room is None or self.level is Level.ROOM:
            return None
        free = f"the disk of {room.path} has {shown(room.free)} free"
        if self.level is Level.RESERVE:
            return (
                f"{free} and {shown(self.kept(room))} are kept for claims and receipts: intake waits, deliveries go "
                "on; make room, it then goes on by itself"
            )
        return (
            f"{free}, too little to record what portals would answer: nothing is read and nothing is sent; make room, "
            "it then goes on by itself"
        )


def shown(size: int) -> str:
    """Bytes for people: `12 MB`, `0.4 MB`."""
    return f"{size / MB:,.0f} MB" if size >= 10 * MB else f"{max(size, 0) / MB:.1f} MB"


def nowhere() -> None:
    """The measure of what cannot be measured."""


def measure_of(url: str, wanted_mb: int | None = None) -> Measure:
    """Return what measures the disk of a ledger. Raises: sqlalchemy.exc.DBAPIError where the server is away."""
    path = sqlite_path(url)
    if path is not None:
        return partial(sqlite_room, path, max(RESERVE_MB, wanted_mb or 0))
    folder = _data_folder(url)
    return nowhere if folder is None else partial(_least, folder, folder / "pg_wal")


def problem_of(url: str, wanted_mb: int | None = None) -> str | None:
    """Say what is wrong with a ledger, for another process than the hub's: what its hub says, or else its disk."""
    said = owner_says(url)
    if said is not None:
        return said
    try:
        reserve = Reserve(measure_of(url, wanted_mb), wanted_mb)
    except sa.exc.DBAPIError:  # away: whoever reads the ledger says so
        return None
    reserve.look()
    return reserve.problem


def sqlite_room(path: Path, reserve_mb: int = RESERVE_MB) -> Room | None:
    """Return the free space for a SQLite file, less what it will grow by at the next checkpoint.

    That is exact where the space comes near the reserve, and at most what the log holds elsewhere.
    """
    room = _on_disk(path.parent)
    if room is None:
        return None
    try:
        log = path.with_name(path.name + "-wal").stat().st_size
        file = path.stat().st_size
    except OSError:  # not made yet
        return Room(path, room.free, room.total)
    # Never more is owed than the log holds. Only where that is not room enough it is asked how much it really is.
    owed = log
    if room.free - log < reserve_mb * MB * SLACK:
        owed = min(log, max(_size(path, file + log) - file, 0))
    return Room(path, room.free - owed, room.total)


def _size(path: Path, otherwise: int) -> int:
    """How large a SQLite file will be once its log is in it; `otherwise` where it does not say."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)) as asked:
            pages: int = asked.execute("PRAGMA page_count").fetchone()[0]
            size: int = asked.execute("PRAGMA page_size").fetchone()[0]
    except sqlite3.Error:
        return otherwise
    return pages * size


def _data_folder(url: str) -> Path | None:
    """Where the server on this host keeps its data; None on another host, or where this role may not know it."""
    here = "SELECT inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr()"
    engine = open_engine(url, writer=False)
    try:
        with engine.connect() as connection:
            if not connection.exec_driver_sql(here).scalar_one():
                return None
            return Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
    except sa.exc.ProgrammingError:  # for superusers and pg_read_all_settings
        return None
    finally:
        engine.dispose()


def _least(*folders: Path) -> Room | None:
    found = [room for folder in folders if (room := _on_disk(folder)) is not None]
    return min(found, key=lambda room: room.free, default=None)


def _on_disk(folder: Path) -> Room | None:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return Room(folder, disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
