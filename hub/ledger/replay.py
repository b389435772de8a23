"""Replay of dead letters by the same rules as anything else (R11): N shown = enqueued + superseded, each named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.audit import By
from hub.ledger.bulk import Tx, among, bound, update_many
from hub.ledger.deeds import done_before, record
from hub.ledger.lane_locks import hold_lanes, recount_dead
from hub.ledger.states import becomes
from hub.ledger.views import ReplayResult, SupersededBy

AT_MOST = 500
"""Dead letters per transaction: more would keep receipts and claims waiting."""


def replay(tx: Tx, ids: Sequence[int], by: By, uid: str) -> ReplayResult:
    """Let dead dispatches wait again, in the order of their lanes; one that a newer delivery overtook is superseded.

    So is one whose newer revision the portal may have: were it sent now, the portal might go back in time. Attempts
    and age start anew. Ids that are not dead are left alone and not counted as shown; nor are those whose record has
    been pruned, which are named instead. `uid` is the deed's own.
    """
    before = done_before(tx, uid)
    if before is not None:
        named = [SupersededBy(*entry) for entry in before["superseded"]]
        return ReplayResult(before["shown"], before["shown"] - len(named), named, before["pruned"])
    rows = dead_under_lock(tx, ids)
    pruned = [row.id for row in rows if row.pruned]
    rows = [row for row in rows if not row.pruned]
    overtaken = _overtaken(tx, [row.id for row in rows if not row.event])
    go = [row for row in rows if row.id not in overtaken]
    revive(tx, [row.id for row in go], "replayed")
    update_many(
        tx, t.dispatch, ("id",), ("reason", "ended_us"),
        [(f"superseded by #{by_id}", tx.now_us, id_) for id_, by_id in overtaken.items()],
        fixed=becomes("superseded"), where="t.state = 'dead'", exact=False,
    )  # fmt: skip
    recount(tx, rows)
    named = [SupersededBy(row.id, overtaken[row.id], row.key) for row in rows if row.id in overtaken]
    if rows:
        # The keys of steps name people, so they stay out of what is kept for good.
        detail = {"shown": len(rows), "superseded": [[one.dispatch_id, one.by] for one in named], "pruned": pruned}
        record(tx, by, "replay", subject(rows), [row.id for row in rows], uid=uid, detail=detail)
    return ReplayResult(len(rows), len(go), named, pruned)


def revive(tx: Tx, ids: Iterable[int], reason: str) -> None:
    """Let dead dispatches wait and be due, as if they had never been tried; what is to go alone still does (R4)."""
    update_many(
        tx, t.dispatch, ("id",), ("due_us", "aged_from_us", "reason"),
        [(tx.now_us, tx.now_us, reason, id_) for id_ in ids],
        fixed=f"{becomes('waiting')}, attempts = 0, tries = 0, orphans = 0, ended_us = NULL",
        where="t.state = 'dead'", exact=False,
    )  # fmt: skip


def dead_under_lock(tx: Tx, ids: Sequence[int]) -> Sequence[Any]:
    """Lock the lanes of these dispatches in sorted order (R5), then read those that are dead, in their lanes' order.

    Of each: id, destination, lane, kind, head_id, number, event, key, and whether its record was pruned.
    """
    d, h, r, a = t.dispatch.c, t.head.c, t.revision.c, t.arrival.c
    given = {"ids": bound(tx.postgres, sorted(set(ids)))}
    mine = among(tx.postgres, d.id, "ids")
    lanes: dict[str, set[str]] = defaultdict(set)
    for place in tx.execute(sa.select(d.destination, d.lane).where(mine), given):
        lanes[place.destination].add(place.lane)
    for destination in sorted(lanes):
        hold_lanes(tx, destination, lanes[destination])
    query = (
        sa.select(
            d.id, d.destination, d.lane, d.kind, d.head_id, d.number, d.event, h.key,
            a.records.is_(None).label("pruned"),
        )
        .join_from(t.dispatch, t.head, h.id == d.head_id)
        .join(t.revision, (r.head_id == d.head_id) & (r.number == d.number))
        .join(t.arrival, a.id == r.arrival_id)
        .where(mine, d.state == "dead")
    )  # fmt: skip
    return tx.execute(query.order_by(d.destination, d.lane, d.id), given).all()


def _overtaken(tx: Tx, ids: Sequence[int]) -> dict[int, int]:
    """By dead snapshot, the first newer one of the same record that the portal has or may have."""
    other = t.dispatch.alias("newer")
    d = t.dispatch.c
    newer = other.c
    same = (newer.head_id == d.head_id) & (newer.destination == d.destination) & (newer.id > d.id)
    query = (
        sa.select(d.id, sa.func.min(newer.id).label("by"))
        .join_from(t.dispatch, other, same)
        .where(among(tx.postgres, d.id, "ids"), sa.or_(newer.state == "delivered", newer.possibly_twice == 1))
        .group_by(d.id)
    )
    return {row.id: row.by for row in tx.execute(query, {"ids": bound(tx.postgres, ids)})}


def recount(tx: Tx, rows: Iterable[Any]) -> dict[str, set[str]]:
    """Count the dead of these rows' lanes anew; returns the lanes by destination."""
    lanes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        lanes[row.destination].add(row.lane)
    for destination in sorted(lanes):
        recount_dead(tx, destination, lanes[destination])
    return lanes


def subject(rows: Sequence[Any]) -> str:
    """What a deed was about, for people: `#17 at national`, `500 dead letters at national, provincial`."""
    where = ", ".join(sorted({row.destination for row in rows}))
    return f"#{rows[0].id} at {where}" if len(rows) == 1 else f"{len(rows)} dead letters at {where}"
