"""Refused items done again after the mend: the same bytes, the mapping or the register now in force.

An item that is still refused stays refused, for what is wrong with it now. One that became a record goes the way of
any other: what it is to the ledger is decided under the lock of its head (R9), by the source's time, so a row that was
corrected meanwhile is found stale. Its row is replaced and the counts of its arrival move with it: the books balance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.accept import Accepted, accept
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx
from hub.ledger.dispatch import dispatch
from hub.ledger.items import WHOLE, Position, id_of, is_dismissed
from hub.ledger.pages import pack, unpack
from hub.ledger.states import ItemState
from hub.ledger.values import Candidate, DestinationRules, Refusal, Settled, Settlement, from_us
from hub.ports import Arrival, Media, Ticket

AT_MOST = 1000
"""Arrivals read per look."""

_REFUSED = frozenset({ItemState.PARKED, ItemState.REJECTED, ItemState.NO_ROUTE})

_NOT_SENT = DestinationRules(window=0)
"""For a destination that this process does not serve: what goes there waits for a hub that does."""


@dataclass(frozen=True, slots=True)
class Parked:
    """An arrival with refused items in it, as it came."""

    arrival_id: int
    arrival: Arrival


def parked(tx: Tx, sources: Sequence[str], after_id: int, at_most: int = AT_MOST) -> list[int]:
    """Return the ids of arrivals that hold parked items, in rising order beyond `after_id`."""
    a = t.arrival.c
    query = sa.select(a.id).where(a.source.in_(sources), a.parked > 0, a.body.isnot(None), a.id > after_id)
    return list(tx.execute(query.order_by(a.id).limit(at_most)).scalars())


def parked_arrival(tx: Tx, arrival_id: int) -> Parked | None:
    """Read one arrival's original bytes and what came with them; None where the bytes are pruned."""
    row = tx.execute(sa.select(t.arrival).where(t.arrival.c.id == arrival_id)).one()
    if row.body is None:
        return None
    media = cast(Media, row.media)
    at: datetime = from_us(row.received_us)
    arrival = Arrival(
        row.uid, row.source, unpack(row.body), media, at, from_us(row.poll_us), row.label, None, row.name, row.charset
    )
    return Parked(arrival_id, arrival)


def redo(
    tx: Tx,
    arrival_id: int,
    settlement: Settlement,
    rules: Mapping[str, DestinationRules],
    only: Collection[Position] | None = None,
    by: By | None = None,
) -> Settled:
    """Settle those of an arrival's refused items that are records now. Returns what became of them, and the tickets.

    Without `only` its parked items are meant, but for those that a person has dismissed; with it the items at these
    places, whatever they were refused for, or, with WHOLE in it, a page that could not be read. An item that is still
    refused is counted as what it is refused as. With `by`, what was changed is noted as that person's deed.
    """
    a = t.arrival.c
    row = tx.execute(tx.lock(sa.select(a.records, a.state).where(a.id == arrival_id))).one()
    if only is not None and WHOLE in only:
        return _whole(tx, arrival_id, settlement, rules, by) if row.state == "parked" else Settled(arrival_id, {})
    before = _refused(tx, arrival_id, only)
    chosen = [c for c in settlement.candidates if _meant(before, c) and not _nobodys(before, c)]
    refusals = [r for r in settlement.refusals if _meant(before, r)]
    became: Counter[ItemState] = Counter()
    moved: Counter[ItemState] = Counter()
    tickets: list[Ticket] = []
    problems: list[str] = []
    more = 0
    """Items of old numbers, which only a record can end."""
    changed = [r for r in refusals if _otherwise(before[r.row, r.part], r)]
    replaced: list[Candidate | Refusal] = [*chosen, *changed]
    for one in replaced:
        moved[ItemState(before[one.row, one.part].state)] -= 1
        tx.execute(sa.delete(t.item).where(*_at(arrival_id, one)))
    for r in changed:
        moved[r.state] += 1
        tx.execute(sa.insert(t.item).values(arrival_id=arrival_id, **_refusal(r)))
    became.update(r.state for r in refusals)
    became.update(ItemState.NO_ROUTE for c in settlement.candidates if _meant(before, c) and _nobodys(before, c))
    records = row.records
    if chosen:
        bodies = unpack(records) if records is not None else b""
        again = []
        for c in chosen:
            again.append(replace(c, offset_bytes=len(bodies)))
            bodies += c.body
        page = accept(tx, replace(settlement, candidates=again, refusals=()), arrival_id)
        fresh = Counter(ItemState(item[4]) for item in page.items)
        became.update(fresh)
        moved.update(fresh)
        more = len(page.items) - len(chosen)
        problems = page.problems
        records = pack(bodies)
        tickets = _dispatch(tx, page.accepted, rules)
    if replaced:
        columns: dict[str, Any] = {_column(state): a[_column(state)] + count for state, count in moved.items() if count}
        columns["items"] = a["items"] + more
        tx.execute(sa.update(t.arrival).where(a.id == arrival_id).values(records=records, **columns))
        if by is not None:
            _note(tx, by, arrival_id, [id_of(arrival_id, place) for place in before], became)
    return Settled(arrival_id, became, tickets, problems)


def _whole(
    tx: Tx, arrival_id: int, settlement: Settlement, rules: Mapping[str, DestinationRules], by: By | None
) -> Settled:
    """Settle a page that could not be read before. The source's cursor stays: what it shows again is a duplicate."""
    page = accept(tx, settlement, arrival_id)
    counts = Counter(ItemState(item[4]) for item in page.items)
    values = {_column(state): counts[state] for state in ItemState}
    tx.execute(
        sa.update(t.arrival)
        .where(t.arrival.c.id == arrival_id)
        .values(
            state="settled", problem=None, items=counts.total(),
            records=settlement.packed_records if page.accepted else None, **values,
        )
    )  # fmt: skip
    if by is not None:
        _note(tx, by, arrival_id, [str(arrival_id)], counts)
    return Settled(arrival_id, counts, _dispatch(tx, page.accepted, rules), page.problems)


def _note(tx: Tx, by: By, arrival_id: int, ids: Sequence[str], became: Mapping[ItemState, int]) -> None:
    detail = {"items": list(ids)[:1000], "became": {state.value: count for state, count in sorted(became.items())}}
    subject = ids[0] if len(ids) == 1 else f"{len(ids)} items of arrival {arrival_id}"
    note(tx, by, "redo", subject, count=len(ids), detail=detail)


def _refused(tx: Tx, arrival_id: int, only: Collection[Position] | None) -> dict[Position, Any]:
    """The refused items of an arrival that are meant, by their places."""
    i = t.item.c
    query = sa.select(t.item).where(i.arrival_id == arrival_id)
    if only is None:
        query = query.where(i.state == ItemState.PARKED.value, ~is_dismissed(i.arrival_id, i.row, i.part))
    else:
        query = query.where(i.state.in_(sorted(state.value for state in _REFUSED)))
    rows = tx.execute(query.order_by(i.row, i.part))
    return {(row.row, row.part): row for row in rows if only is None or (row.row, row.part) in only}


def _meant(before: Mapping[Position, Any], one: Candidate | Refusal) -> bool:
    """Whether it is one of the items; what is of another kind now is another item, after a mapping came or went."""
    was = before.get((one.row, one.part))
    return was is not None and was.kind in ("", one.kind)


def _nobodys(before: Mapping[Position, Any], c: Candidate) -> bool:
    return bool(c.no_route) and before[c.row, c.part].state == ItemState.NO_ROUTE.value


def _otherwise(was: Any, now: Refusal) -> bool:
    """Whether an item is refused for something else than before."""
    before = (was.state, was.key, was.reason, was.problems, was.raw_digest)
    return before != (now.state.value, now.key, now.reason, now.problems, now.raw_digest)


def _at(arrival_id: int, one: Candidate | Refusal) -> tuple[sa.ColumnElement[bool], ...]:
    i = t.item.c
    return i.arrival_id == arrival_id, i.row == one.row, i.part == one.part


def _refusal(r: Refusal) -> dict[str, Any]:
    return {
        "row": r.row, "part": r.part, "kind": r.kind, "state": r.state.value, "key": r.key, "reason": r.reason,
        "problems": r.problems, "raw_digest": r.raw_digest,
    }  # fmt: skip


def _dispatch(tx: Tx, accepted: Sequence[Accepted], rules: Mapping[str, DestinationRules]) -> list[Ticket]:
    named = {name for entry in accepted for name in entry.candidate.destinations}
    return dispatch(tx, accepted, {name: rules.get(name, _NOT_SENT) for name in named})


def _column(state: ItemState) -> str:
    return state.value.replace("-", "_")
