"""What a portal has already from the time before the hub, recorded as such: day one need not send history again.

"The portal has it" proves nothing about the state it has: the person who adopts says until when the old link delivered
(`as_of`). What changed before counts as delivered, and so does all of a dossier that was finished before; what changed
since waits, and goes as an update.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, among, bound, update_many
from hub.ledger.lane_locks import lock_lanes
from hub.ledger.lanes import Standing
from hub.ledger.relay import wake
from hub.ledger.states import Phase, becomes
from hub.ledger.values import to_us
from schemas.local_time import LOCAL

REASON = "adopted: the portal has it"
FINISHED = (9, 10)
"""Statuses of a dossier that comes to its end: processed, and its result handed over."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A dossier that waits for a portal which is not known to have it."""

    number: str
    agency: str


@dataclass(frozen=True, slots=True)
class Row:
    """One dispatch of a lane that has not been sent, with what decides about it."""

    id: int
    lane: str
    head_id: int
    event: bool
    changed_us: int | None
    agency: str
    status: int | None
    finished_on: str | None


@dataclass(slots=True)
class Judged:
    """What is to become of the dispatches of dossiers that the portal has."""

    delivered: list[int] = field(default_factory=list)
    superseded: list[tuple[int, int]] = field(default_factory=list)
    """An older state, and the newest, which counts as delivered."""
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Per agency: dossiers that are `history` and those that are `updates`, and the `dispatches` delivered."""


def candidates(tx: Tx, destination: str, after: str, at_most: int) -> list[Asked]:
    """Read dossiers with something to send of which it is not known that the portal has them, by number."""
    n, d, h = t.lane.c, t.dispatch.c, t.head.c
    its_dossier = (h.key == n.lane) & (h.lane == h.key)
    mine = (d.destination == n.destination) & (d.lane == n.lane)
    unsent = sa.or_(sa.exists().where(mine, t.is_waiting), sa.exists().where(mine, t.is_out, d.state == "queued"))
    query = (
        sa.select(n.lane, h.agency)
        .join_from(t.lane, t.head, its_dossier)
        .where(n.destination == destination, n.lane > after, n.standing != int(Standing.PRESENT), unsent)
        .order_by(n.lane)
        .limit(at_most)
    )
    return [Asked(row.lane, row.agency or "") for row in tx.execute(query)]


def rows_of(tx: Tx, destination: str, lanes: Sequence[str]) -> list[Row]:
    """Read what has not been sent of some dossiers, in the order of their lanes."""
    d, r, h = t.dispatch.c, t.revision.c, t.head.c
    query = (
        sa.select(d.id, d.lane, d.head_id, d.event, r.changed_us, h.agency, h.status, h.finished_on)
        .join_from(t.dispatch, t.revision, (r.head_id == d.head_id) & (r.number == d.number))
        .join(t.head, (h.key == d.lane) & (h.lane == h.key))
        .where(d.destination == destination, d.state.in_(("waiting", "queued")), among(tx.postgres, d.lane, "lanes"))
        .order_by(d.lane, d.id)
    )
    return [
        Row(x.id, x.lane, x.head_id, bool(x.event), x.changed_us, x.agency or "", x.status, x.finished_on)
        for x in tx.execute(query, {"lanes": bound(tx.postgres, lanes)})
    ]


def judge(rows: Sequence[Row], as_of: date) -> Judged:
    """Decide what counts as delivered of dossiers that the portal has. Pure.

    Of a dossier's states the newest decides; older ones it overtakes. A dispatch without a time of its own waits.
    """
    until_us = to_us(datetime.combine(as_of, time(), LOCAL))
    lanes: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        lanes[row.lane].append(row)
    judged = Judged()
    for found in lanes.values():
        newest = {row.head_id: row for row in found}
        ended = found[0].status in FINISHED and (found[0].finished_on or "9") < as_of.isoformat()
        counts = judged.counts[found[0].agency]
        left = 0
        for row in found:
            last = newest[row.head_id]
            if not (ended or (last.changed_us is not None and last.changed_us < until_us)):
                left += 1
            elif row is last or row.event:
                judged.delivered.append(row.id)
                counts["dispatches"] += 1
            else:
                judged.superseded.append((row.id, last.id))
        counts["updates" if left else "history"] += 1
    return judged


def adopt(tx: Tx, destination: str, shown: Mapping[str, bool], as_of: date) -> dict[str, Counter[str]]:
    """Record what a portal said of some dossiers. Returns the counts per agency, as `Judged` has them."""
    lock_lanes(tx, destination, sorted(shown))
    known = [(int(Standing.PRESENT if there else Standing.ABSENT), destination, lane) for lane, there in shown.items()]
    update_many(tx, t.lane, ("destination", "lane"), ("standing",), sorted(known), where="t.standing <> 1", exact=False)
    there = sorted(lane for lane, has in shown.items() if has)
    if not there:
        return {}
    judged = judge(rows_of(tx, destination, there), as_of)
    ends: Any = "due_us = NULL, queued_until_us = NULL"
    update_many(
        tx, t.dispatch, ("id",), ("ended_us",), [(tx.now_us, id_) for id_ in judged.delivered],
        fixed=f"{becomes('delivered')}, reason = '{REASON}', {ends}", where="t.state IN ('waiting', 'queued')",
        exact=False,
    )  # fmt: skip
    overtaken = [(f"superseded by #{by}", tx.now_us, id_) for id_, by in judged.superseded]
    update_many(
        tx, t.dispatch, ("id",), ("reason", "ended_us"), overtaken,
        fixed=f"{becomes('superseded')}, {ends}", where="t.state = 'waiting'", exact=False,
    )  # fmt: skip
    wake(tx, destination, there)
    return judged.counts


def unwait_queued(tx: Tx, destination: str) -> None:
    """Let what is queued wait: behind the closed gate it may not go, and a state that was queued could not be
    overtaken."""
    queued = (t.dispatch.c.destination == destination) & t.is_out & (t.dispatch.c.state == "queued")
    waits = {"state": "waiting", "phase": int(Phase.WAITING), "queued_until_us": None, "due_us": tx.now_us}
    tx.execute(sa.update(t.dispatch).where(queued).values(**waits))
