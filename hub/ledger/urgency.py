"""Which waiting lanes go before all others: those of dossiers that are unfinished and due soon (R2, R6).

The relay takes what is due in the order of `dispatch.due_us`. An urgent front gets a rank there instead of a time: the
number of the day that its dossier is due on, which lies before every time and orders ranks among themselves. Whoever
shows a due time to people must know it: `is_rank`.

Nothing is added to what is done for each dispatch. A look reads the fronts that are due on the reading connection, at
most some `CHUNK` of them and only where there are more than the window takes; the writer changes by id what it found.
A rank is lost when its dispatch is queued, and a later due date takes back none: it went early, which harms nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Query, Tx, among, bound
from hub.ledger.lane_locks import queued_count
from hub.ledger.values import SECOND_US, DestinationRules, from_us
from schemas.dossier import Dossier
from schemas.local_time import local_date

RANKS_END_US = 10 * SECOND_US
"""A `due_us` below is a rank, the ordinal of a day (`date.toordinal`, 3,652,059 at most); all times lie above."""

CHUNK = 20_000
"""Due fronts that one look reads; the next goes on behind them."""

AT_ONCE = 1000
"""Fronts that one unit of the writer changes."""


def is_rank(due_us: int) -> bool:
    """Whether this is no time: an urgent dispatch that goes as soon as there is room."""
    return due_us < RANKS_END_US


def rank_us(due_on: date) -> int:
    """The `due_us` of an urgent front."""
    return due_on.toordinal()


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found."""

    urgent: Mapping[date, Sequence[int]] = field(default_factory=dict)
    """Fronts that are due and have no rank yet, by the day that their dossiers are due on."""
    until_us: int = 0
    """The next look begins behind this due time; 0 for the beginning."""


def look(tx: Tx, destination: str, rules: DestinationRules, after_us: int = 0) -> Look:
    """Find urgent fronts behind `after_us`; reads only. Nothing is urgent where all that is due goes at once anyway."""
    if not rules.urgent_days:
        return Look()
    if tx.postgres:
        # Left to itself PostgreSQL gathers and sorts all that is due, to know where a part of it ends.
        for way in ("seqscan", "bitmapscan", "sort"):
            tx.connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    if not _backlog(tx, destination, rules):
        return Look()
    span: dict[str, Any] = {"destination": destination, "after_us": max(after_us, RANKS_END_US - 1)}
    end_us = next(iter(_END.scalars(tx, **span, now_us=tx.now_us)), None)
    today = local_date(from_us(tx.now_us))
    last = today + timedelta(days=rules.urgent_days)
    until_us = tx.now_us if end_us is None else end_us
    rows = _URGENT.rows(tx, **span, until_us=until_us, first=today.isoformat(), last=last.isoformat())
    urgent: dict[date, list[int]] = {}
    for id_, due_on in rows:
        urgent.setdefault(date.fromisoformat(due_on), []).append(id_)
    return Look(urgent, end_us or 0)


def _backlog(tx: Tx, destination: str, rules: DestinationRules) -> bool:
    """Whether more is due than the window takes."""
    room = max(rules.window - queued_count(tx, destination), 0)
    return bool(_BEYOND.rows(tx, destination=destination, now_us=tx.now_us, room=room))


def rank(tx: Tx, due_on: date, ids: Sequence[int]) -> int:
    """Let fronts go before everybody else's; one that has moved on since it was found is left alone. Returns how many.

    One that another transaction holds is passed over: it is moving already, and nobody waits for the other.
    """
    d = t.dispatch.c
    still = (t.is_waiting, d.due_us >= RANKS_END_US, d.due_us <= tx.now_us)
    found = tx.lock(sa.select(d.id).where(among(tx.postgres, d.id, "ids"), *still), skip=True)
    mine = list(tx.execute(found, {"ids": bound(tx.postgres, ids)}).scalars())
    if mine:
        change = sa.update(t.dispatch).where(among(tx.postgres, d.id, "ids")).values(due_us=rank_us(due_on))
        tx.execute(change, {"ids": bound(tx.postgres, mine)})
    return len(mine)


def _due(*columns: Any) -> sa.Select[Any]:
    d = t.dispatch.c
    # Spelt as the index of due fronts has it, so that SQLite can prove that it serves.
    return sa.select(*columns).where(d.destination == sa.bindparam("destination"), t.is_waiting, d.due_us.isnot(None))


def _beyond(_: bool) -> sa.Select[Any]:
    d = t.dispatch.c
    due = _due(d.due_us).where(d.due_us <= sa.bindparam("now_us")).order_by(d.due_us)
    return due.offset(sa.bindparam("room")).limit(1)


def _end(_: bool, chunk: int = CHUNK) -> sa.Select[Any]:
    d = t.dispatch.c
    mine = _due(d.due_us).where(d.due_us > sa.bindparam("after_us"), d.due_us <= sa.bindparam("now_us"))
    return mine.order_by(d.due_us).offset(sa.literal_column(str(chunk - 1))).limit(1)


def _urgent(postgres: bool) -> sa.Select[Any]:
    d, h = t.dispatch.c, t.head.c
    due = _due(d.id, d.lane).where(d.due_us > sa.bindparam("after_us"), d.due_us <= sa.bindparam("until_us"))
    front = due.subquery("front")
    deadline = (
        h.key == front.c.lane,
        h.kind == Dossier.kind,
        h.finished_on.is_(None),
        h.due_on.between(sa.bindparam("first"), sa.bindparam("last")),
    )
    if not postgres:
        return sa.select(front.c.id, h.due_on).join_from(front, t.head, sa.and_(*deadline))
    # One look into the index per front, whatever PostgreSQL believes of the tables.
    found = sa.select(h.due_on).where(*deadline).offset(sa.literal_column("0")).lateral("found")
    return sa.select(front.c.id, found.c.due_on).select_from(front.join(found, sa.true()))


_BEYOND, _END, _URGENT = Query(_beyond), Query(_end), Query(_urgent)
