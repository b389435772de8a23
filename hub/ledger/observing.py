"""Looks at the ledger for what people have to be told of; reads only, and by index alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from hub.alerts import DestinationSeen, Observed, SourceSeen
from hub.ledger import tables as t
from hub.ledger.bulk import Tx
from hub.ledger.tracing import came_right

NEWEST = 500
"""Faults that are looked at for the newest one of a destination."""


@dataclass(frozen=True, slots=True)
class Slow:
    """What takes a walk through what waits or was refused, and is therefore looked at less often."""

    oldest_us: Mapping[str, int] = field(default_factory=dict)
    """By destination."""
    parked: Mapping[str, int] = field(default_factory=dict)
    """By source: items that nothing has come right of since and nobody has dealt with."""
    unreadable: Mapping[str, int] = field(default_factory=dict)
    """By source."""


def observe(tx: Tx, destinations: Collection[str], sources: Collection[str], slow: Slow) -> Observed:
    """See how the named destinations and sources stand, together with what was seen at the last slow look."""
    gates = {row.destination: row for row in tx.execute(sa.select(t.gate))}
    d = t.dispatch.c
    counting = sa.select(d.destination, sa.func.count()).group_by(d.destination)
    dead = _by_name(tx, counting.where(t.is_dead))
    unknown = _by_name(tx, counting.where(t.is_out, d.state == "unknown", d.due_us.is_(None)))
    s = t.source.c
    failing = _by_name(tx, sa.select(s.name, s.failing_us).where(s.failing_us.isnot(None)))
    seen = []
    for name in sorted(destinations):
        gate = gates.get(name)
        fault, code = _newest_fault(tx, name) if gate is not None and gate.state == "held" else ("", "")
        seen.append(
            DestinationSeen(
                name=name,
                gate=gate.state if gate is not None else "open",
                gate_since_us=gate.since_us if gate is not None else 0,
                fault=fault,
                code=code,
                dead=dead.get(name, 0),
                unknown=unknown.get(name, 0),
                oldest_us=slow.oldest_us.get(name),
            )
        )
    read = [
        SourceSeen(name, failing.get(name), slow.parked.get(name, 0), slow.unreadable.get(name, 0))
        for name in sorted(sources)
    ]
    return Observed(seen, read)


def look_slowly(tx: Tx, destinations: Collection[str]) -> Slow:
    """See what takes longer: a few milliseconds for each ten thousand that wait or were refused."""
    oldest = {name: found for name in destinations if (found := _oldest_us(tx, name)) is not None}
    i, a, z = t.item.c, t.arrival.c, t.dismissal.c
    dealt_with = sa.select(z.row).where(z.arrival_id == i.arrival_id, z.row == i.row, z.part == i.part).exists()
    parked = (
        sa.select(a.source, sa.func.count())
        .join_from(t.item, t.arrival, a.id == i.arrival_id)
        # What was refused is found by the index of its digests.
        .where(i.raw_digest.isnot(None), i.state == "parked", ~came_right(), ~dealt_with)
        .group_by(a.source)
    )
    unreadable = sa.select(a.source, sa.func.count()).where(a.state == "parked").group_by(a.source)
    return Slow(oldest, _by_name(tx, parked), _by_name(tx, unreadable))


def _oldest_us(tx: Tx, destination: str) -> int | None:
    """Since when the oldest dispatch has been there that may go: not one behind another, nor one that asks a person."""
    d = t.dispatch.c
    oldest = sa.select(sa.func.min(sa.func.coalesce(d.aged_from_us, d.created_us))).where(d.destination == destination)
    found = [
        tx.execute(oldest.where(t.is_waiting, d.due_us.isnot(None))).scalar(),
        tx.execute(oldest.where(t.is_out, sa.or_(d.state != "unknown", d.due_us.isnot(None)))).scalar(),
    ]
    return min((int(one) for one in found if one is not None), default=None)


def _newest_fault(tx: Tx, destination: str) -> tuple[str, str]:
    """The class and the portal's code of a destination's newest fault; empty where there is none among the newest."""
    f, d = t.fault.c, t.dispatch.c
    newest = sa.select(f.id, f.dispatch_id, f.fault, f.code).order_by(f.id.desc()).limit(NEWEST).subquery().c
    query = sa.select(newest.fault, newest.code).join(t.dispatch, d.id == newest.dispatch_id)
    row = tx.execute(query.where(d.destination == destination).order_by(newest.id.desc()).limit(1)).first()
    return (row.fault, row.code or "") if row is not None else ("", "")


def _by_name(tx: Tx, query: sa.Select[Any]) -> dict[str, int]:
    rows: list[Any] = list(tx.execute(query))
    return {row[0]: int(row[1]) for row in rows}
