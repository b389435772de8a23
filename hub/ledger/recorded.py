"""Arrivals as they were recorded, to be looked at again: one short read each, so that the log can be checkpointed while
somebody goes through many (R15). Writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.pages import unpack
from hub.ledger.values import from_us, to_us


@dataclass(frozen=True, slots=True)
class RecordedFilter:
    """Which arrivals are meant."""

    sources: Collection[str]
    since: datetime | None = None
    """Read at or after this."""
    until: datetime | None = None
    """Read before this."""
    limit: int | None = None
    """At most so many, the newest."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One page or file as it came. `body` is None where retention has pruned it."""

    id: int
    source: str
    label: str
    charset: str | None
    received_at: datetime
    body: bytes | None
    times: int
    """How often the same bytes came under the same name; this is the last time."""


def sources(connection: sa.Connection) -> list[str]:
    """The names of the sources of which anything was recorded."""
    a = t.arrival.c
    return list(connection.execute(sa.select(a.source).distinct().order_by(a.source)).scalars())


def stream(connection: sa.Connection, wanted: RecordedFilter) -> Iterator[Recorded]:
    """Yield what is meant, the newest first; the same bytes under the same name once. Memory for one body."""
    a = t.arrival.c
    newest = sa.func.max(a.id).label("newest")
    query = sa.select(newest, sa.func.count().label("times")).where(a.source.in_(sorted(wanted.sources)))
    if wanted.since is not None:
        query = query.where(a.received_us >= to_us(wanted.since))
    if wanted.until is not None:
        query = query.where(a.received_us < to_us(wanted.until))
    query = query.group_by(a.source, a.label, a.charset, a.digest).order_by(newest.desc()).limit(wanted.limit)
    chosen = [(int(row.newest), int(row.times)) for row in connection.execute(query)]
    connection.rollback()
    for id_, times in chosen:
        row = connection.execute(
            sa.select(a.source, a.label, a.charset, a.received_us, a.body).where(a.id == id_)
        ).one_or_none()
        connection.rollback()
        if row is not None:
            body = None if row.body is None else unpack(row.body)
            yield Recorded(id_, row.source, row.label, row.charset, from_us(row.received_us), body, times)
