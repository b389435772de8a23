"""Dispatches that the routes now in force ask for and that were never made: for a destination that is new, or whose
canary was widened.

Of each record the newest revision goes, a dossier before its steps and these in the order of their times. Dispatches
are born waiting, whatever lane, gate and window allow: the relay takes them when it is their turn, so nothing is
published here. What has a dispatch, however it ended, is left alone: run again it makes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.accept import Accepted
from hub.ledger.bulk import Tx, allocate, among, bound, insert_many
from hub.ledger.gates import make_gates
from hub.ledger.lane_locks import lock_lanes
from hub.ledger.left_out import agencies_of, withdrawn
from hub.ledger.relay import wake
from hub.ledger.states import Phase
from hub.ports import Ticket
from schemas.record import KINDS

_DISPATCH = ("id", "destination", "lane", "kind", "head_id", "number", "event", "state", "phase", "created_us")

Routing = Callable[[str, str, str | None], Collection[str]]
"""The destinations of (source, kind, agency) by the routes now in force."""


@dataclass(frozen=True, slots=True)
class _Record:
    """The newest revision of one record."""

    id: int
    kind: str
    lane: str
    source: str
    number: int
    event: bool
    changed_us: int | None
    agency: str | None


@dataclass(frozen=True, slots=True)
class Filled:
    """What one batch made."""

    made: dict[str, int]
    """Dispatches per destination."""
    after: int
    """The last head that was looked at."""
    looked: int
    """How many heads that were; fewer than asked for is the end."""


def fill(
    tx: Tx,
    destinations: Sequence[str],
    route: Routing,
    start_from_us: dict[str, int],
    after: int,
    at_most: int,
) -> Filled:
    """Look at `at_most` records beyond the head `after` and make the dispatches that are missing at `destinations`."""
    h = t.head.c
    ids = list(tx.execute(sa.select(h.id).where(h.id > after).order_by(h.id).limit(at_most)).scalars())
    made: dict[str, int] = {}
    for destination in destinations if ids else ():
        lanes = _lanes_lacking(tx, destination, ids)
        count = _fill_lanes(tx, destination, _records(tx, lanes), route, start_from_us) if lanes else 0
        if count:
            made[destination] = count
    return Filled(made, ids[-1] if ids else after, len(ids))


def _lanes_lacking(tx: Tx, destination: str, ids: Sequence[int]) -> list[str]:
    """The lanes of those of some heads whose newest revision has no dispatch at a destination."""
    h, d = t.head.c, t.dispatch.c
    there = sa.exists().where(d.head_id == h.id, d.destination == destination, d.number == h.number, ~withdrawn(d))
    query = sa.select(h.lane).where(h.id.between(ids[0], ids[-1]), ~there).distinct()
    return sorted(tx.execute(query).scalars())


def _records(tx: Tx, lanes: Collection[str]) -> dict[str, list[_Record]]:
    """Every record of some lanes, per lane, snapshots first and then by time."""
    h = t.head.c
    columns = (h.id, h.kind, h.lane, h.source, h.number, h.changed_us, h.agency)
    given = {"lanes": bound(tx.postgres, sorted(lanes))}
    own = sa.select(*columns).where(among(tx.postgres, h.key, "lanes"), h.lane == h.key)
    others = sa.select(*columns).where(among(tx.postgres, h.lane, "lanes"), h.lane != h.key)
    found: dict[str, list[_Record]] = defaultdict(list)
    for query in (own, others):
        for r in tx.execute(query, given):
            event = KINDS[r.kind].event
            found[r.lane].append(_Record(r.id, r.kind, r.lane, r.source, r.number, event, r.changed_us, r.agency))
    for records in found.values():
        records.sort(key=lambda r: (r.event, r.changed_us or 0, r.id))
    return found


def _fill_lanes(
    tx: Tx, destination: str, lanes: dict[str, list[_Record]], route: Routing, start_from_us: dict[str, int]
) -> int:
    agencies = agencies_of(tx, lanes)
    wanted = {
        lane: [r for r in _late_enough(records, start_from_us)
               if destination in route(r.source, r.kind, r.agency or agencies.get(lane) or None)]
        for lane, records in lanes.items()
    }  # fmt: skip
    wanted = {lane: records for lane, records in wanted.items() if records}
    if not wanted:
        return 0
    make_gates(tx, [destination])
    lock_lanes(tx, destination, sorted(wanted), create=True)
    there = _dispatched(tx, destination, [r.id for records in wanted.values() for r in records])
    rows = [r for lane in sorted(wanted) for r in wanted[lane] if (r.id, r.number) not in there]
    return _insert(tx, destination, [(r.lane, r.kind, r.id, r.number, r.event) for r in rows])


def _late_enough(records: Sequence[_Record], start_from_us: dict[str, int]) -> list[_Record]:
    """Those that `start_from` does not leave out; an older dossier with them where anything of it is among them."""
    late = [r for r in records if r.changed_us is None or r.changed_us >= start_from_us.get(r.source, r.changed_us)]
    return [r for r in records if r in late or not r.event] if late else []


def _dispatched(tx: Tx, destination: str, heads: Sequence[int]) -> set[tuple[int, int]]:
    """Which revisions of some heads have a dispatch there by now, under the lock of their lanes."""
    d = t.dispatch.c
    query = sa.select(d.head_id, d.number).where(
        among(tx.postgres, d.head_id, "heads"), d.destination == destination, ~withdrawn(d)
    )
    return {(row.head_id, row.number) for row in tx.execute(query, {"heads": bound(tx.postgres, heads)})}


def wait_for_their_turn(tx: Tx, accepted: Iterable[Accepted]) -> Sequence[Ticket]:
    """Make the dispatches of records that were just accepted, all of them waiting. Returns no ticket."""
    wanted: dict[str, list[tuple[str, str, int, int, bool]]] = defaultdict(list)
    for entry in accepted:
        c = entry.candidate
        for destination in c.destinations:
            wanted[destination].append((c.lane, c.kind, entry.head_id, entry.number, c.event))
    make_gates(tx, sorted(wanted))
    for destination in sorted(wanted):
        lock_lanes(tx, destination, sorted({row[0] for row in wanted[destination]}), create=True)
        _insert(tx, destination, wanted[destination])
    return ()


def _insert(tx: Tx, destination: str, rows: Sequence[tuple[str, str, int, int, bool]]) -> int:
    """Insert (lane, kind, head, number, event) as waiting, in this order, and make the first of each free lane due."""
    made: list[tuple[Any, ...]] = [
        (id_, destination, lane, kind, head_id, number, int(event), "waiting", int(Phase.WAITING), tx.now_us)
        for id_, (lane, kind, head_id, number, event) in zip(allocate(tx, t.dispatch, len(rows)), rows, strict=True)
    ]
    insert_many(tx, t.dispatch, _DISPATCH, made)
    wake(tx, destination, sorted({row[0] for row in rows}))
    return len(made)
