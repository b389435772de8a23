"""Claims whose worker is gone: unknown, never waiting (R7); what workers die of goes alone, and at last dies (R4)."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, insert_many, update_many
from hub.ledger.gates import free_probe, probe_of
from hub.ledger.lane_locks import hold_lanes, recount_dead
from hub.ledger.relay import wake
from hub.ledger.states import becomes

POISON_ORPHANS = 3
"""Claims orphaned while alone after which a dispatch is dead (R4)."""


def orphan(tx: Tx, destination: str, owners: Sequence[str] | None, not_owner: str, at_most: int = 1000) -> int:
    """Make the claims of dead workers `unknown`, never `waiting` (R7). Returns how many.

    `owners` are the workers known to be dead; None takes every worker but `not_owner`, for a ledger of one process.
    An orphan goes alone from now on; the third time alone it is poison and dies (R4). Nobody asks whether the portal
    took that last one, so it counts as possibly twice, should it be replayed.
    """
    d, k = t.dispatch.c, t.call.c
    query = (
        sa.select(d.id, d.lane, d.event, d.orphans, d.call_id, k.members)
        .join_from(t.dispatch, t.call, k.id == d.call_id)
        .where(d.destination == destination, t.is_out, d.state == "sending")
    )
    query = query.where(k.worker != not_owner) if owners is None else query.where(k.worker.in_(owners))
    rows = tx.execute(query.order_by(d.lane).limit(at_most)).all()
    if not rows:
        return 0
    hold_lanes(tx, destination, [row.lane for row in rows])
    reason = "the worker that was sending it ended"
    lost, dead = [], []
    for row in rows:
        orphans = row.orphans + (1 if row.members == 1 else 0)
        if row.members == 1 and orphans >= POISON_ORPHANS:
            dead.append(
                (orphans, tx.now_us, f"poison: {orphans} workers ended while sending it alone", row.id, row.call_id)
            )
        else:
            lost.append((orphans, tx.now_us, reason, row.id, row.call_id))
    taken = update_many(
        tx, t.dispatch, ("id", "call_id"), ("orphans", "due_us", "reason"), lost,
        fixed=f"{becomes('unknown', was='sending')}, batch_limit = 1", where="t.state = 'sending'",
    )  # fmt: skip
    died = update_many(
        tx, t.dispatch, ("id", "call_id"), ("orphans", "ended_us", "reason"), dead,
        fixed=f"{becomes('dead')}, batch_limit = 1, due_us = NULL, possibly_twice = 1", where="t.state = 'sending'",
    )  # fmt: skip
    faults = [
        (row.id, row.call_id, tx.now_us, "poison" if row.id in died else "unknown", "", reason)
        for row in rows
        if row.id in taken | died
    ]
    insert_many(tx, t.fault, ("dispatch_id", "call_id", "at_us", "fault", "code", "text"), faults)
    unsure = [(2, destination, row.lane) for row in rows if row.id in taken and not row.event]
    update_many(tx, t.lane, ("destination", "lane"), ("standing",), unsure, where="t.standing = 0", exact=False)
    if probe_of(tx, destination) in taken | died:
        free_probe(tx, destination, 0)
    buried = sorted({row.lane for row in rows if row.id in died})
    recount_dead(tx, destination, buried)
    wake(tx, destination, buried)
    return len(taken) + len(died)
