"""Discarding dead letters, with a reason: nothing of them is sent any more, and what waited behind them goes (R6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.audit import By
from hub.ledger.bulk import Tx, among, bound, update_many
from hub.ledger.deeds import done_before, record
from hub.ledger.lanes import Standing
from hub.ledger.relay import wake
from hub.ledger.replay import dead_under_lock, recount, subject
from hub.ledger.states import becomes
from hub.ledger.views import DiscardResult


def discard(tx: Tx, ids: Sequence[int], by: By, uid: str) -> DiscardResult:
    """End dead dispatches for good and let their followers go. Ids that are not dead are left alone.

    Where the one that is discarded was the dossier that the portal never got, its steps go all the same: who discards
    it says that the portal has it otherwise, or shall tell what it thinks of them.
    """
    before = done_before(tx, uid)
    if before is not None:
        return DiscardResult(before["discarded"], before["released"])
    rows = dead_under_lock(tx, ids)
    reason = f"discarded by {by.who}: {by.why}" if by.why else f"discarded by {by.who}"
    update_many(
        tx, t.dispatch, ("id",), ("reason", "ended_us"), [(reason, tx.now_us, row.id) for row in rows],
        fixed=becomes("discarded"), where="t.state = 'dead'", exact=False,
    )  # fmt: skip
    lanes = recount(tx, rows)
    released = 0
    for destination in sorted(lanes):
        snapshots = {row.lane for row in rows if row.destination == destination and not row.event}
        release(tx, destination, snapshots)
        released += wake(tx, destination, sorted(lanes[destination]))
    if rows:
        detail = {"discarded": len(rows), "released": released}
        record(tx, by, "discard", subject(rows), [row.id for row in rows], uid=uid, detail=detail)
    return DiscardResult(len(rows), released)


def release(tx: Tx, destination: str, lanes: Collection[str]) -> None:
    """Let the events of lanes go whose snapshot was discarded, where no other one is left to go before them (R6).

    The lanes are locked. A later snapshot is sent as new all the same: what the portal has is as little known as
    before.
    """
    if not lanes:
        return
    d, kept = t.dispatch.c, set[str]()
    for phase in (t.is_out, t.is_waiting, t.is_dead):
        left = sa.select(d.lane).where(d.destination == destination, among(tx.postgres, d.lane, "lanes"), phase)
        given = {"lanes": bound(tx.postgres, sorted(lanes))}
        kept.update(tx.execute(left.where(d.event == 0), given).scalars())
    update_many(
        tx, t.lane, ("destination", "lane"), ("standing",),
        [(int(Standing.RELEASED), destination, lane) for lane in sorted(set(lanes) - kept)],
        where=f"t.standing <> {int(Standing.PRESENT)}", exact=False,
    )  # fmt: skip
