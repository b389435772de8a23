"""Locks lanes and reads what stands in them: the first step of settle, finish, replay and every promotion (R5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Query, Tx, among, bound, each, insert_many, update_many
from hub.ledger.lanes import Standing, Waiting
from schemas.record import KINDS


@dataclass(frozen=True, slots=True)
class LockedLane:
    """One lane of one destination, as it stands under its lock."""

    standing: Standing
    dead_event: int | None
    """The first dead event, behind which nothing goes."""
    busy: bool
    """A dispatch is out."""
    waiting: Sequence[Waiting]
    """In the lane's order."""


def lock_lanes(
    tx: Tx, destination: str, lanes: Sequence[str], *, create: bool = False, skip: bool = False
) -> Mapping[str, LockedLane]:
    """Lock lanes in sorted order and read them; with `skip`, those that another worker holds are left out."""
    if create:
        missing = [(destination, lane) for lane in lanes]
        if insert_many(tx, t.lane, ("destination", "lane"), missing, ignore=True) == len(lanes):
            # All are new, so nothing can stand in them, and their rows are ours until the commit.
            return dict.fromkeys(lanes, LockedLane(Standing.ABSENT, None, False, ()))
    rows = (_LOCK_FREE if skip else _LOCK).rows(tx, destination=destination, lanes=sorted(set(lanes)))
    if not rows:
        return {}
    names = [row[0] for row in rows]
    busy = set(_BUSY.scalars(tx, destination=destination, lanes=names))
    waiting: dict[str, list[Waiting]] = defaultdict(list)
    for lane, id_, head_id, event in _WAITING.rows(tx, destination=destination, lanes=names):
        waiting[lane].append(Waiting(id_, head_id, bool(event)))
    dead = _dead_events(tx, destination, [lane for lane, _, dead in rows if dead])
    return {
        lane: LockedLane(_STANDINGS[standing], dead.get(lane), lane in busy, waiting.get(lane, ()))
        for lane, standing, _ in rows
    }


_STANDINGS = tuple(Standing)
"""By their numbers, 0, 1, 2: an enumeration's own call costs more than reading the row."""


def hold_lanes(tx: Tx, destination: str, lanes: Iterable[str]) -> None:
    """Lock lanes in sorted order where several writers exist, without a look at what stands in them."""
    if tx.postgres:
        _LOCK.rows(tx, destination=destination, lanes=sorted(set(lanes)))


def _locking(skip: bool) -> Callable[[bool], sa.Select[Any]]:
    n = t.lane.c
    mine = sa.select(n.lane, n.standing, n.dead).where(n.destination == sa.bindparam("destination"))

    def make(postgres: bool) -> sa.Select[Any]:
        if not postgres:
            return mine.where(among(False, n.lane, "lanes"))
        # In the order in which the lanes are given, which is the same for all: sorted.
        given = each(n.lane, "lanes")
        found = mine.where(n.lane == given.c.value).with_for_update(skip_locked=skip).lateral("found")
        return sa.select(*found.c).select_from(given.join(found, sa.true()))

    return make


def _standing_in(phase: sa.ColumnElement[bool], *columns: Any) -> Callable[[bool], sa.Select[Any]]:
    """What stands in some lanes of a destination, in a phase; `columns` of dispatch, the lane first."""
    d = t.dispatch.c

    def make(postgres: bool) -> sa.Select[Any]:
        mine = d.destination == sa.bindparam("destination")
        if not postgres:
            return sa.select(*columns).where(mine, among(False, d.lane, "lanes"), phase)
        # One look into the index per lane. Left to itself PostgreSQL, which knows nothing of a table that is new, walks
        # through all that the destination has in this phase (measured: 12 ms for two hundred lanes).
        given = each(d.lane, "lanes")
        zero: sa.ColumnElement[int] = sa.literal_column("0")
        found = sa.select(*columns).where(mine, d.lane == given.c.value, phase).offset(zero).lateral("found")
        return sa.select(*found.c).select_from(given.join(found, sa.true()))

    return make


_LOCK, _LOCK_FREE = Query(_locking(False)), Query(_locking(True))
_BUSY = Query(_standing_in(t.is_out, t.dispatch.c.lane))
_WAITING = Query(
    lambda postgres: _standing_in(
        t.is_waiting, t.dispatch.c.lane, t.dispatch.c.id, t.dispatch.c.head_id, t.dispatch.c.event
    )(postgres).order_by(sa.literal_column("1"), sa.literal_column("2"))
)
_LANES_WITH_WAITING = Query(lambda postgres: _standing_in(t.is_waiting, t.dispatch.c.lane)(postgres).distinct())


def with_waiting(tx: Tx, destination: str, lanes: Sequence[str]) -> list[str]:
    """Of lanes that are locked, those in which somebody waits: mostly few, and only they need a closer look."""
    if not lanes or not _ANY_WAITING.rows(tx, destination=destination):
        return []
    return sorted(_LANES_WITH_WAITING.scalars(tx, destination=destination, lanes=list(lanes)))


_ANY_WAITING = Query(
    lambda _: (
        sa.select(t.dispatch.c.id).where(t.dispatch.c.destination == sa.bindparam("destination"), t.is_waiting).limit(1)
    )
)


def commutative_kinds() -> list[str]:
    """Kinds whose events may overtake a dead one (R6)."""
    return [name for name, kind in KINDS.items() if kind.commutative]


def _dead_events(tx: Tx, destination: str, lanes: Sequence[str]) -> dict[str, int]:
    """The first dead event of each lane that has one, of kinds that are not commutative (R6)."""
    if not lanes:
        return {}
    d = t.dispatch.c
    mine = (d.destination == destination) & among(tx.postgres, d.lane, "lanes")
    query = (
        sa.select(d.lane, sa.func.min(d.id).label("id"))
        .where(mine, t.is_dead, d.event == 1, d.kind.not_in(commutative_kinds()))
        .group_by(d.lane)
    )
    return {row.lane: row.id for row in tx.execute(query, {"lanes": bound(tx.postgres, lanes)})}


def recount_dead(tx: Tx, destination: str, lanes: Iterable[str]) -> None:
    """Count the dead of lanes anew, after any of them died or came back to life."""
    counted = (
        "(SELECT count(*) FROM dispatch d WHERE d.destination = t.destination AND d.lane = t.lane AND d.phase = 2)"
    )
    rows = [(destination, lane) for lane in sorted(set(lanes))]
    update_many(tx, t.lane, ("destination", "lane"), (), rows, fixed=f"dead = {counted}", exact=False)


_QUEUED = Query(
    lambda _: (
        sa.select(sa.func.count())
        .select_from(t.dispatch)
        .where(
            t.dispatch.c.destination == sa.bindparam("destination"),
            t.is_out,
            t.dispatch.c.state == sa.literal_column("'queued'"),
        )
    )
)


def queued_count(tx: Tx, destination: str) -> int:
    """How much of the window (R2) is taken."""
    return int(_QUEUED.scalars(tx, destination=destination)[0])
