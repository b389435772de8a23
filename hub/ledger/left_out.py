"""What was left out in the first days (`start_from`, canaries) and is wanted after all: found, and settled then.

A record that goes to nobody is an item and nothing more; its bytes are in its arrival. From these it is settled like
any other, so what it is to the ledger is decided under the lock of its head (R9): stale where a newer one came
meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.accept import Accepted, accept
from hub.ledger.bulk import Tx, among, bound
from hub.ledger.pages import pack, unpack
from hub.ledger.states import ItemState
from hub.ledger.values import Settled, Settlement, from_us
from hub.ports import Ticket
from schemas.local_time import LOCAL

_BEFORE = "before start_from"
CANARY = "canary: only "
"""How the reason begins of what a canary leaves out."""

AT_MOST = 200
"""Arrivals read per look."""


def before_start(start_us: int) -> str:
    """Return the reason of what a source's `start_from` leaves out."""
    return f"{_BEFORE} {from_us(start_us).astimezone(LOCAL):%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One item that went to nobody: where it stands."""

    arrival_id: int
    row: int
    part: int


def agencies_of(tx: Tx, lanes: Collection[str]) -> dict[str, str]:
    """Return the agency of each lane's dossier: empty where it was left out, absent where none was ever read."""
    h, i = t.head.c, t.item.c
    given = {"lanes": bound(tx.postgres, sorted(lanes))}
    out = sa.select(i.key).where(among(tx.postgres, i.key, "lanes"), i.state == ItemState.NO_ROUTE.value).distinct()
    found = dict.fromkeys(tx.execute(out, given).scalars(), "")
    known = sa.select(h.key, h.agency).where(among(tx.postgres, h.key, "lanes"), h.agency.isnot(None))
    return found | {row.key: row.agency for row in tx.execute(known, given)}


def waiting_in(tx: Tx, destination: str, lanes: Collection[str]) -> list[str]:
    """Of some lanes those in which something waits at a destination."""
    d = t.dispatch.c
    query = sa.select(d.lane).where(d.destination == destination, t.is_waiting, among(tx.postgres, d.lane, "lanes"))
    return sorted(set(tx.execute(query, {"lanes": bound(tx.postgres, sorted(lanes))}).scalars()))


def withdrawn(dispatches: Any) -> sa.ColumnElement[bool]:
    """Whether a dispatch was discarded by `withdraw`."""
    gone: sa.ColumnElement[bool] = (dispatches.state == "discarded") & dispatches.reason.startswith(CANARY)
    return gone


def needed(tx: Tx, lanes: Collection[str] | None) -> list[LeftOut]:
    """Find dossiers that `start_from` left out while something else of them was let in; None looks at all lanes."""
    i, h = t.item.c, t.head.c
    own = sa.exists().where(h.key == i.key)
    of_it = sa.exists().where(h.lane == i.key, h.lane != h.key)
    query = sa.select(i.arrival_id, i.row, i.part).where(
        i.key.isnot(None), i.state == ItemState.NO_ROUTE.value, i.reason.startswith(_BEFORE), sa.or_(own, of_it)
    )
    given: dict[str, Any] = {}
    if lanes is not None:
        query = query.where(among(tx.postgres, i.key, "lanes"))
        given["lanes"] = bound(tx.postgres, sorted(lanes))
    return [LeftOut(row.arrival_id, row.row, row.part) for row in tx.execute(query, given)]


def arrivals_with_left_out(
    tx: Tx, sources: Sequence[str], still: Mapping[str, str], after_id: int, at_most: int = AT_MOST
) -> list[int]:
    """Return arrivals beyond `after_id`, rising, that hold left out items, but for those whose reason is `still` the
    source's."""
    a, i = t.arrival.c, t.item.c
    same = sa.or_(sa.false(), *((a.source == name) & (i.reason == reason) for name, reason in still.items()))
    out = sa.exists().where(i.arrival_id == a.id, i.state == ItemState.NO_ROUTE.value, ~same)
    query = sa.select(a.id).where(a.source.in_(sources), a.no_route > 0, a.body.isnot(None), a.id > after_id, out)
    return list(tx.execute(query.order_by(a.id).limit(at_most)).scalars())


def let_in(
    tx: Tx, arrival_id: int, settlement: Settlement, make: Callable[[Tx, Sequence[Accepted]], Sequence[Ticket]]
) -> Settled:
    """Settle those of an arrival's left out items that `settlement` has a destination for.

    `make` makes the dispatches. Run twice it finds nothing left to do.
    """
    i, a = t.item.c, t.arrival.c
    row = tx.execute(tx.lock(sa.select(a.records).where(a.id == arrival_id))).one()
    out = sa.select(i.row, i.part).where(i.arrival_id == arrival_id, i.state == ItemState.NO_ROUTE.value)
    places = {(place.row, place.part) for place in tx.execute(out)}
    chosen = [c for c in settlement.candidates if (c.row, c.part) in places and not c.no_route]
    if not chosen:
        return Settled(arrival_id, {})
    bodies = unpack(row.records) if row.records is not None else b""
    moved = []
    for c in chosen:
        moved.append(replace(c, offset_bytes=len(bodies)))
        bodies += c.body
        tx.execute(sa.delete(t.item).where(i.arrival_id == arrival_id, i.row == c.row, i.part == c.part))
    page = accept(tx, replace(settlement, candidates=moved, refusals=()), arrival_id)
    counts = Counter(ItemState(item[4]) for item in page.items)
    columns: dict[str, Any] = {
        state.value.replace("-", "_"): a[state.value.replace("-", "_")] + count for state, count in counts.items()
    }
    columns["no_route"] = a.no_route - len(chosen) + counts[ItemState.NO_ROUTE]
    columns["items"] = a["items"] + len(page.items) - len(chosen)
    tx.execute(sa.update(t.arrival).where(a.id == arrival_id).values(records=pack(bodies), **columns))
    return Settled(arrival_id, counts, make(tx, page.accepted), page.problems)
