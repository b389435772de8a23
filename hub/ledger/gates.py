"""Gates: whether a destination may be sent to, and the probe that finds out that it is back (R2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Query, Tx, insert_many
from hub.ledger.values import GateState

OPEN = GateState("open")


def gate_of(tx: Tx, destination: str, *, share: bool = False) -> GateState:
    """Read a gate; with `share` nobody closes it before this transaction has ended, so that `pause` sees every
    claim."""
    rows = (_SHARED if share else _READ).rows(tx, destination=destination)
    return GateState(rows[0][0], rows[0][1] or "", rows[0][2]) if rows else OPEN


def _reading(share: bool) -> Callable[[bool], sa.Select[Any]]:
    g = t.gate.c
    found = sa.select(g.state, g.reason, g.since_us).where(g.destination == sa.bindparam("destination"))
    return lambda postgres: found.with_for_update(read=True) if share and postgres else found


_READ, _SHARED = Query(_reading(False)), Query(_reading(True))


def probe_of(tx: Tx, destination: str) -> int | None:
    """Return the dispatch that may pass the closed gate as its probe."""
    return tx.execute(sa.select(t.gate.c.probe_dispatch).where(t.gate.c.destination == destination)).scalar()


def make_gates(tx: Tx, destinations: list[str]) -> None:
    """Make the rows that are missing, open."""
    rows = [(name, "open", tx.now_us) for name in sorted(destinations)]
    insert_many(tx, t.gate, ("destination", "state", "since_us"), rows, ignore=True)


def set_gate(tx: Tx, destination: str, state: str, reason: str = "", *, was: str | None = None) -> bool:
    """Open or close a gate; returns whether it changed. Every change is kept in `gate_change`.

    With `was`, only a gate that is in that state once it is locked: what a person has just set stays theirs.
    """
    g = t.gate.c
    current = tx.execute(tx.lock(sa.select(g.state).where(g.destination == destination))).scalar()
    if current == state or (was is not None and (current or OPEN.state) != was):
        return False
    values = {
        "state": state,
        "reason": reason or None,
        "since_us": tx.now_us,
        "probe_dispatch": None,
        "probe_until_us": 0,
    }
    if current is None:
        tx.execute(sa.insert(t.gate).values(destination=destination, **values))
    else:
        tx.execute(sa.update(t.gate).where(g.destination == destination).values(**values))
    tx.execute(
        sa.insert(t.gate_change).values(destination=destination, at_us=tx.now_us, state=state, reason=reason or None)
    )
    return True


def hold(tx: Tx, destination: str, reason: str, probe_in_us: int, ended: Collection[int]) -> bool:
    """Close an open gate because the portal is down, and let the first probe go in `probe_in_us`.

    A gate that a person closed stays theirs. In one that is held already only the end of the probe, if it is among
    what `ended`, lets another go: what was on the wire beside it says nothing new.
    """
    changed = set_gate(tx, destination, "held", reason, was="open")
    if changed or probe_of(tx, destination) in ended:
        free_probe(tx, destination, probe_in_us)
    return changed


def maintain(tx: Tx, destination: str, since_us: int, reason: str) -> bool:
    """Close an open or held gate for a maintenance that was announced; returns whether it changed.

    Once for each: where it was closed for one since `since_us`, it was a person who opened it, and it stays theirs,
    whichever process looks.
    """
    c = t.gate_change.c
    # Under the lock of the gate, so that of several processes one does it.
    state = tx.execute(tx.lock(sa.select(t.gate.c.state).where(t.gate.c.destination == destination))).scalar()
    before = sa.select(c.id).where(c.destination == destination, c.state == "maintenance", c.at_us >= since_us)
    if state not in ("open", "held") or tx.execute(before.limit(1)).first() is not None:
        return False
    return set_gate(tx, destination, "maintenance", reason)


def borrow(tx: Tx, destination: str, reason: str) -> list[str] | None:
    """Pause a gate for a work of the hub's own; returns the state and the reason that `give_back` needs.

    None where it is paused already: then it is somebody else's.
    """
    before = gate_of(tx, destination)
    return [before.state, before.reason] if set_gate(tx, destination, "paused", reason) else None


def give_back(tx: Tx, destination: str, before: Sequence[str], mine: str, reason: str) -> bool:
    """End what `borrow` began: back to the maintenance that it was in, which the calendar ends, or open.

    Only while the reason begins with `mine`: what a person has paused since stays theirs. Returns whether it changed.
    """
    if not borrowed(tx, destination, mine):
        return False
    state, why = ("maintenance", before[1]) if before[0] == "maintenance" else ("open", reason)
    return set_gate(tx, destination, state, why, was="paused")


def borrowed(tx: Tx, destination: str, mine: str) -> bool:
    """Whether a gate is paused by a work of the hub's own that gave a reason which begins with `mine`."""
    g = t.gate.c
    row = tx.execute(tx.lock(sa.select(g.state, g.reason).where(g.destination == destination))).first()
    return row is not None and row.state == "paused" and (row.reason or "").startswith(mine)


def take_probe(tx: Tx, destination: str, probe_for_us: int) -> int | None:
    """Lease the held gate's probe and return a dispatch to try, another one each time; None where it is not time."""
    g, d = t.gate.c, t.dispatch.c
    row = tx.execute(
        tx.lock(sa.select(t.gate).where(g.destination == destination, g.state == "held"), skip=True)
    ).first()
    if row is None or row.probe_until_us > tx.now_us:
        return None
    due = sa.select(sa.func.min(d.id)).where(d.destination == destination, t.is_waiting, d.due_us <= tx.now_us)
    candidate = tx.execute(due.where(d.id > row.probe_last)).scalar() or tx.execute(due).scalar()
    if candidate is None:
        return None
    tx.execute(
        sa.update(t.gate)
        .where(g.destination == destination)
        .values(probe_dispatch=candidate, probe_until_us=tx.now_us + probe_for_us, probe_last=candidate)
    )
    return int(candidate)


def move_probe(tx: Tx, destination: str, dispatch_id: int) -> None:
    """The lane chose another dispatch than the one that was taken for the probe: that one passes the gate."""
    tx.execute(sa.update(t.gate).where(t.gate.c.destination == destination).values(probe_dispatch=dispatch_id))


def free_probe(tx: Tx, destination: str, again_in_us: int) -> None:
    """End the lease of a held gate's probe; the next may go in `again_in_us`."""
    tx.execute(
        sa.update(t.gate)
        .where(t.gate.c.destination == destination, t.gate.c.state == "held")
        .values(probe_dispatch=None, probe_until_us=tx.now_us + again_in_us)
    )
