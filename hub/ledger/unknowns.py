"""Unknown outcomes: what may have been taken by a portal is looked up or decided, never forgotten (R8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx, among, bound, insert_many, update_many
from hub.ledger.lane_locks import hold_lanes
from hub.ledger.lanes import Standing
from hub.ledger.relay import promote
from hub.ledger.sending import stand
from hub.ledger.states import Phase, becomes
from hub.ledger.values import SECOND_US, DestinationRules
from hub.ledger.views import Decided, NotUnknown

Verdict = Literal["resend", "delivered", "discard"]
"""What a person may say of an unknown outcome."""


@dataclass(frozen=True, slots=True)
class Open:
    """One dispatch whose outcome is not known."""

    dispatch_id: int
    call_id: int
    lane: str
    event: bool
    standing: Standing

    def asks(self, rules: DestinationRules) -> bool:
        """Whether the portal is asked: for a create only, and where it can be (R8)."""
        return not self.event and self.standing is not Standing.PRESENT and rules.can_look_up


def open_unknowns(tx: Tx, destination: str, at_most: int = 200) -> list[Open]:
    """Read the unknown dispatches whose time has come, the one that has waited longest first."""
    d, n = t.dispatch.c, t.lane.c
    query = (
        sa.select(d.id, d.call_id, d.lane, d.event, n.standing)
        .join_from(t.dispatch, t.lane, (n.destination == d.destination) & (n.lane == d.lane))
        .where(d.destination == destination, t.is_out, d.state == "unknown", d.due_us <= tx.now_us)
        .order_by(d.due_us, d.id)
        .limit(at_most)
    )
    return [Open(r.id, r.call_id, r.lane, bool(r.event), Standing(r.standing)) for r in tx.execute(query)]


def resolve(
    tx: Tx, destination: str, unknowns: Sequence[Open], shown: Mapping[str, bool], rules: DestinationRules
) -> int:
    """Send again what R8 says to send again; `shown` is what the portal answered per lane. Returns how many wait now.

    A create that the portal does not show was not taken; everything else that goes again is counted as possibly
    twice. An event under the policy `ask-operator` stays unknown until a person decides.
    """
    hold_lanes(tx, destination, [u.lane for u in unknowns])
    again = []
    for u in unknowns:
        if u.event and not rules.resend_events:
            continue
        surely_not = u.asks(rules) and shown.get(u.lane) is False
        again.append((0 if surely_not else 1, tx.now_us, u.dispatch_id, u.call_id))
    asked = [u.dispatch_id for u in unknowns if u.event and not rules.resend_events]
    known = [
        (int(Standing.PRESENT if shown[u.lane] else Standing.ABSENT), destination, u.lane)
        for u in unknowns
        if u.lane in shown
    ]
    # Where nobody can be asked, a create goes again as new; `already-there` will turn it into an update.
    guessed = [
        (int(Standing.ABSENT), destination, u.lane)
        for u in unknowns
        if not u.event and u.lane not in shown and u.standing is Standing.UNKNOWN
    ]
    update_many(
        tx, t.lane, ("destination", "lane"), ("standing",), known + guessed, where="t.standing <> 1", exact=False
    )
    for id_ in asked:
        tx.execute(
            sa.update(t.dispatch)
            .where(t.dispatch.c.id == id_, t.dispatch.c.state == "unknown")
            .values(due_us=None, reason="its outcome is not known: an operator decides (hub unknown show)")
        )
    done = update_many(
        tx, t.dispatch, ("id", "call_id"), ("possibly_twice", "due_us"), again,
        fixed=f"{becomes('waiting')}, reason = 'sent again: the outcome of the call before is not known'",
        where="t.state = 'unknown'",
    )  # fmt: skip
    for u in unknowns:
        if u.dispatch_id in done and not u.event:
            _overtake(tx, destination, u)
    return len(done)


def _overtake(tx: Tx, destination: str, u: Open) -> None:
    """An older snapshot that was replayed meanwhile needs nobody where the portal may have the newer one already."""
    d, newer = t.dispatch.c, t.dispatch.alias("newer").c
    one = sa.select(newer.head_id).where(newer.id == u.dispatch_id, newer.possibly_twice == 1).scalar_subquery()
    older = (d.destination == destination) & (d.lane == u.lane) & (d.head_id == one) & (d.id < u.dispatch_id)
    tx.execute(
        sa.update(t.dispatch)
        .where(older, t.is_waiting)
        .values(
            state="superseded",
            phase=int(Phase.ENDED),
            reason=f"superseded by #{u.dispatch_id}",
            ended_us=tx.now_us,
            due_us=None,
        )
    )


def postpone(tx: Tx, unknowns: Sequence[Open], by_s: float, reason: str) -> None:
    """Ask again later: the portal could not be asked."""
    rows = [(tx.now_us + int(by_s * SECOND_US), reason, u.dispatch_id, u.call_id) for u in unknowns]
    update_many(tx, t.dispatch, ("id", "call_id"), ("due_us", "reason"), rows, where="t.state = 'unknown'", exact=False)
    asked = [(tx.now_us, u.dispatch_id, u.call_id) for u in unknowns]
    insert_many(tx, t.look_up, ("last_us", "dispatch_id", "call_id"), asked, ignore=True)
    update_many(tx, t.look_up, ("dispatch_id", "call_id"), ("last_us",), asked, fixed="times = times + 1", exact=False)


def decide(tx: Tx, ids: Sequence[int], verdict: Verdict, by: By) -> Decided:
    """Do what a person says of unknown outcomes, and write down who said so and why; their lanes go on.

    `delivered` believes that the portal took it. `resend` sends it again, possibly twice. `discard` sends it no more;
    since the portal may have it all the same, an older state of the same record is not sent after it. What is no longer
    unknown is left alone and named.
    """
    asked = list(dict.fromkeys(ids))
    places = _among(tx, asked, t.dispatch.c.destination, t.dispatch.c.lane)
    for destination in sorted({row.destination for row in places}):
        hold_lanes(tx, destination, [row.lane for row in places if row.destination == destination])
    d, n = t.dispatch.c, t.lane.c
    rows = _among(tx, asked, d.id, d.destination, d.lane, d.head_id, d.event, d.call_id, d.state)
    standings = {
        (row.destination, row.lane): Standing(row.standing)
        for row in tx.execute(
            sa.select(n.destination, n.lane, n.standing).where(among(tx.postgres, n.lane, "lanes")),
            {"lanes": bound(tx.postgres, sorted({row.lane for row in places}))},
        )
    }
    open_ones = [row for row in rows if row.state == "unknown"]
    for destination in sorted({row.destination for row in open_ones}):
        mine = [row for row in open_ones if row.destination == destination]
        found = [Open(row.id, row.call_id, row.lane, bool(row.event), standings[destination, row.lane]) for row in mine]
        if verdict == "resend":
            resolve(tx, destination, found, {}, DestinationRules())
        else:
            _end(tx, destination, mine, verdict, by)
            for one in found if verdict == "discard" else ():
                if not one.event:
                    _overtake(tx, destination, one)
            newest = {row.lane: (row.head_id, row.id) for row in mine if not row.event and verdict == "delivered"}
            lanes = sorted({row.lane for row in mine})
            # Due now, for the relay: whoever decides may have no bus.
            promote(tx, destination, lanes, DestinationRules(), room=0, delivered=newest)
        note(tx, by, f"unknown {verdict}", destination, count=len(mine), detail={"ids": [row.id for row in mine]})
    states = {row.id: row.state for row in rows}
    left = tuple(NotUnknown(id_, states.get(id_)) for id_ in asked if states.get(id_) != "unknown")
    return Decided(verdict, len(open_ones), left)


def _among(tx: Tx, ids: Sequence[int], *columns: Any) -> Sequence[Any]:
    d = t.dispatch.c
    query = sa.select(*columns).where(among(tx.postgres, d.id, "ids")).order_by(d.destination, d.lane)
    return tx.execute(query, {"ids": bound(tx.postgres, ids)}).all()


def _end(tx: Tx, destination: str, rows: Sequence[Any], verdict: Verdict, by: By) -> None:
    """End unknown dispatches of locked lanes; what is then known of the portal is recorded."""
    if verdict == "delivered":
        fixed, said = f"{becomes('delivered')}, due_us = NULL", f"{by.who} says that it was taken"
    else:
        fixed, said = f"{becomes('discarded')}, due_us = NULL, possibly_twice = 1", f"discarded by {by.who}"
    reason = f"{said}: {by.why}" if by.why else said
    ended = [(tx.now_us, reason, row.id, row.call_id) for row in rows]
    update_many(
        tx, t.dispatch, ("id", "call_id"), ("ended_us", "reason"), ended, fixed=fixed, where="t.state = 'unknown'",
        exact=False,
    )  # fmt: skip
    if verdict == "delivered":
        stand(tx, destination, {row.id: (row.lane, row.head_id, bool(row.event)) for row in rows})
