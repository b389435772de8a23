"""Notices a ledger that was restored from a backup: then it is unknown what was sent since (R17).

Two things outlive a ledger that goes back in time. Beside a SQLite file lies another that carries the time of the last
heartbeat (`hub.db.beat`) and is part of no backup. And tickets that a broker kept tell of dispatches which a restored
ledger has not made yet: nothing is published before it is committed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, among, bound
from hub.ledger.engine import sqlite_path
from hub.ledger.values import SECOND_US, from_us
from schemas.local_time import LOCAL

log = logging.getLogger(__name__)

MARK = "looks restored"
"""In `meta`: why this ledger looks older than what was done with it. Taken away by `hub recover`."""

LATER_US = 30 * SECOND_US
"""A heartbeat is noted right after its commit; a ledger whose newest is older by more than this is another state."""


class LastBeat:
    """When a SQLite ledger was last known to be alive, kept beside its file; of PostgreSQL nothing is kept."""

    def __init__(self, url: str) -> None:
        file = sqlite_path(url)
        self._path: Path | None = None if file is None else file.with_name(file.name + ".beat")

    def note(self, now_us: int) -> None:
        """Note a heartbeat that was committed."""
        if self._path is None:
            return
        try:
            self._path.touch(mode=0o640)
            os.utime(self._path, ns=(now_us * 1000, now_us * 1000))
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror)

    def read_us(self) -> int:
        """Return when the last one was; 0 where none was ever noted."""
        try:
            return 0 if self._path is None else self._path.stat().st_mtime_ns // 1000
        except OSError:
            return 0


def look(tx: Tx, seen: LastBeat) -> str | None:
    """Mark a ledger that is older than what was done with it; returns why it looks so, until `hub recover` was run."""
    m, w = t.meta.c, t.worker.c
    newest_us = tx.execute(sa.select(sa.func.max(w.beat_us))).scalar()
    seen_us = min(seen.read_us(), tx.now_us)
    if newest_us is not None and seen_us - newest_us > LATER_US:
        said = (
            f"its newest heartbeat is of {_shown(newest_us)}, but it was alive at {_shown(seen_us)}: "
            "it was restored from a backup"
        )
        tx.execute(sa.delete(t.meta).where(m.name == MARK))
        tx.execute(sa.insert(t.meta).values(name=MARK, value=said))
    why: str | None = tx.execute(sa.select(m.value).where(m.name == MARK)).scalar()
    return why


def ahead(tx: Tx, tickets: Sequence[tuple[int, int]]) -> bool:
    """Whether any (dispatch id, generation) is newer than what this ledger has made."""
    d = t.dispatch.c
    query = sa.select(d.id, d.gen).where(among(tx.postgres, d.id, "ids"))
    known = {row.id: row.gen for row in tx.execute(query, {"ids": bound(tx.postgres, [id_ for id_, _ in tickets])})}
    return any(known.get(id_, -1) < gen for id_, gen in tickets)


def _shown(at_us: int) -> str:
    return f"{from_us(at_us).astimezone(LOCAL):%d/%m/%Y %H:%M:%S}"
