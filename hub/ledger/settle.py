"""Settling: one arrival's items, revisions, dispatches and the source's cursor, in one transaction.

What is decided here is decided under the lock of the heads (R5): new, revision, duplicate, stale (R9); and then under
the lock of the lanes which dispatch is born queued (R1, R2) and which waits. Knows no bus: it returns the tickets to
publish.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.accept import accept
from hub.ledger.bulk import Tx, allocate
from hub.ledger.dispatch import dispatch
from hub.ledger.states import ItemState
from hub.ledger.values import DestinationRules, Settled, Settlement, to_us
from schemas.errors import LeaseLostError


def settle(tx: Tx, settlement: Settlement, rules: Mapping[str, DestinationRules]) -> Settled:
    """Settle one arrival. Raises: LeaseLostError where another worker has read on (R13); nothing is written then."""
    earlier = _settled_before(tx, settlement)
    if earlier is not None:
        return earlier
    _move_cursor(tx, settlement)
    if settlement.undecodable:
        return _park_arrival(tx, settlement)
    arrival_id = allocate(tx, t.arrival, 1)[0]
    page = accept(tx, settlement, arrival_id)
    counts = Counter(ItemState(item[4]) for item in page.items)
    tx.execute(
        sa.insert(t.arrival).values(**_arrival_row(settlement, arrival_id, tx.now_us, counts, bool(page.accepted)))
    )
    tickets = dispatch(tx, page.accepted, rules)
    _close_parked(tx, settlement)
    return Settled(arrival_id, counts, tickets, page.problems)


def _settled_before(tx: Tx, settlement: Settlement) -> Settled | None:
    arrival = settlement.arrival
    tests = []
    if tx.rerun:
        tests.append(t.arrival.c.uid == arrival.uid)
    if arrival.name is not None:
        tests.append(sa.and_(t.arrival.c.source == arrival.source, t.arrival.c.name == arrival.name))
    if not tests:
        return None
    row = tx.execute(sa.select(t.arrival).where(sa.or_(*tests))).mappings().first()
    if row is None:
        return None
    return Settled(row["id"], {s: row[s.value.replace("-", "_")] for s in ItemState}, again=True)


def _move_cursor(tx: Tx, settlement: Settlement) -> None:
    """Compare and set (cursor, owner epoch): a poller that lost its lease writes nothing (R13)."""
    arrival = settlement.arrival
    after = (
        settlement.cursor_before if settlement.undecodable or arrival.cursor is None else cursor_text(arrival.cursor)
    )
    moved = tx.execute(
        sa.update(t.source)
        .where(
            t.source.c.name == arrival.source,
            t.source.c.epoch == settlement.epoch,
            t.source.c.cursor == settlement.cursor_before,
        )
        # A page that was not read is never skipped as identical to the one before (R9, 8): a mapping may be mended.
        .values(cursor=after, page_digest=None if settlement.undecodable else settlement.digest)
    )
    if moved.rowcount != 1:
        raise LeaseLostError(f"source {arrival.source}: another worker reads it now; {arrival.label} was not settled")


def cursor_text(cursor: Mapping[str, Any]) -> str:
    """Return a cursor as the one text that it is compared by."""
    return json.dumps(dict(cursor), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _park_arrival(tx: Tx, settlement: Settlement) -> Settled:
    """Keep the bytes of what could not be decoded; equal bytes read again count up instead of piling up."""
    arrival = settlement.arrival
    same = (
        (t.arrival.c.source == arrival.source)
        & (t.arrival.c.state == "parked")
        & (t.arrival.c.digest == settlement.digest)
    )
    known = tx.execute(sa.select(t.arrival.c.id).where(same)).scalar()
    if known is not None:
        tx.execute(sa.update(t.arrival).where(t.arrival.c.id == known).values(reads=t.arrival.c.reads + 1))
        return Settled(known, {}, problems=[settlement.undecodable], parked=True)
    arrival_id = allocate(tx, t.arrival, 1)[0]
    tx.execute(sa.insert(t.arrival).values(**_arrival_row(settlement, arrival_id, tx.now_us, Counter(), False)))
    return Settled(arrival_id, {}, problems=[settlement.undecodable], parked=True)


def _close_parked(tx: Tx, settlement: Settlement) -> None:
    """A page that could not be decoded and was now read whole, from the same cursor, waits for nobody any more.

    Where there is no cursor, as with files, it is told by its label.
    """
    a = t.arrival.c
    arrival = settlement.arrival
    same = (a.source == arrival.source) & (a.state == "parked") & (a.cursor == settlement.cursor_before)
    if arrival.cursor is None:
        same &= a.label == arrival.label
    tx.execute(sa.update(t.arrival).where(same).values(state="reread"))


def _arrival_row(
    s: Settlement, arrival_id: int, now_us: int, counts: Counter[ItemState], records: bool
) -> dict[str, Any]:
    a = s.arrival
    return {
        "id": arrival_id, "uid": a.uid, "source": a.source, "name": a.name, "label": a.label, "media": a.media,
        "charset": a.charset, "received_us": to_us(a.received_at), "poll_us": to_us(a.poll_started_at), "settled_us":
        now_us, "digest": s.digest, "body": s.packed_body, "records": s.packed_records if records else None,
        "state": "parked" if s.undecodable else "settled", "cursor": s.cursor_before, "items": counts.total(),
        "problem": s.undecodable or None, **{state.value.replace("-", "_"): counts[state] for state in ItemState},
    }  # fmt: skip
