"""Claim and finish: the two commits around every request to a portal (R1, R2, R4, R7, R14).

The claim is written before the request is sent; after a kill it is the only trace of "perhaps sent". Finish records
what became of each member and lets the lanes go on. A ticket of an old generation, a result of an older call: both
find nothing to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Query, Tx, among, bound, insert_many, update_many
from hub.ledger.gates import free_probe, gate_of, hold, probe_of, set_gate
from hub.ledger.lane_locks import hold_lanes, queued_count, recount_dead, with_waiting
from hub.ledger.relay import bodies_of, promote
from hub.ledger.states import Phase, becomes
from hub.ledger.values import SECOND_US, Claim, Claimed, DestinationRules, Finished, GateState, Outcome
from hub.ports import Ticket

LARGEST_GEN = 2**31 - 1
"""What the column holds. A ticket that says more is nobody's, and must not fail the claim of those beside it."""


def with_bodies(tx: Tx, tickets: Sequence[Ticket]) -> list[Ticket]:
    """Read the records of tickets that travelled without; a ticket that is of an old generation by now is left out."""
    places = {(id_, gen): tuple(place) for id_, gen, *place in _PLACES.rows(tx, ids=[x.dispatch_id for x in tickets])}
    good = [(ticket, places[ticket.dispatch_id, ticket.gen]) for ticket in tickets
            if (ticket.dispatch_id, ticket.gen) in places]  # fmt: skip
    bodies = bodies_of(tx, {place for _, place in good})
    return [replace(ticket, body=bodies[place]) for ticket, place in good]


def _places(postgres: bool) -> sa.Select[Any]:
    d, r = t.dispatch.c, t.revision.c
    return (
        sa.select(d.id, d.gen, r.arrival_id, r.offset_bytes, r.size_bytes)
        .join_from(t.dispatch, t.revision, (r.head_id == d.head_id) & (r.number == d.number))
        .where(d.state == sa.literal_column("'queued'"), among(postgres, d.id, "ids"))
    )


_PLACES = Query(_places)


def claim(
    tx: Tx,
    destination: str,
    worker: str,
    claims: Sequence[Claim],
    at_most: Callable[[GateState], int] | None = None,
) -> Claimed:
    """Write the calls down and take their members; returns the dispatches that are now ours to send.

    Compares and sets on the generation, so that a ticket of an old one takes nothing. Behind a closed gate what is
    queued goes back to waiting, but for the gate's probe. `at_most` says, once the gate is seen, how many of the calls
    are to be looked at; the tickets of the others stay good.
    """
    gate = gate_of(tx, destination, share=True)
    if at_most is not None:
        claims = claims[: at_most(gate)]
    if tx.rerun and (mine := _claimed_before(tx, claims)):
        return Claimed(mine, len(claims), gate)
    members = [(claim.call_id, id_, gen) for claim in claims for id_, gen in claim.members if gen <= LARGEST_GEN]
    if not gate.open:
        passes = probe_of(tx, destination)
        shut = [(tx.now_us, f"gate {gate.state}: {gate.reason}", id_, gen) for _, id_, gen in members if id_ != passes]
        update_many(
            tx, t.dispatch, ("id", "gen"), ("due_us", "reason"), shut,
            fixed=f"{becomes('waiting')}, queued_until_us = NULL", where="t.state = 'queued'", exact=False,
        )  # fmt: skip
        members = [member for member in members if member[1] == passes]
    taken: set[int] = update_many(
        tx, t.dispatch, ("id", "gen"), ("call_id",), members,
        fixed=f"{becomes('sending', was='queued')}, tries = tries + 1, queued_until_us = NULL",
        where="t.state = 'queued'",
    )  # fmt: skip
    calls = []
    for entry in claims:
        count = sum(id_ in taken for id_, _ in entry.members)
        if count:
            calls.append(
                (entry.call_id, destination, worker, tx.now_us, entry.mode.value, count, entry.mapping, entry.payload)
            )
    insert_many(
        tx, t.call, ("id", "destination", "worker", "started_us", "mode", "members", "mapping", "payload"), calls
    )
    return Claimed(taken, len(claims), gate)


def _claimed_before(tx: Tx, claims: Sequence[Claim]) -> set[int]:
    d = t.dispatch.c
    ids = [entry.call_id for entry in claims]
    rows = tx.execute(
        sa.select(d.id).where(t.is_out, d.state == "sending", among(tx.postgres, d.call_id, "calls")),
        {"calls": bound(tx.postgres, ids)},
    )
    return set(rows.scalars())


def finish(
    tx: Tx,
    destination: str,
    outcomes: Sequence[Outcome],
    rules: DestinationRules,
    *,
    down: str = "",
    probe_in_s: float = 1.0,
) -> Finished:
    """Record what became of the members of calls, then let their lanes go on.

    `down` closes the gate with that reason. A success is believed whatever the state (R7), but where a newer call is
    being sent it is counted as possibly twice; a late failure is not believed. Returns the tickets that became free.
    """
    lanes = _lanes_of(tx, destination, outcomes)
    outcomes = _forgiven(tx, destination, outcomes, down)
    by_state: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_state[outcome.to].append(outcome)
    delivered = by_state["delivered"]
    done = _deliver(tx, delivered)
    late = [o for o in delivered if o.dispatch_id not in done]
    done |= _deliver_late(tx, late)
    failed = _fail(tx, [o for state in ("waiting", "dead", "unknown") for o in by_state[state]])
    _write_faults(tx, [o for o in outcomes if o.fault and o.dispatch_id in failed])
    _stand(tx, destination, lanes, done, outcomes)
    died = {o.dispatch_id for o in by_state["dead"]} & failed
    recount_dead(tx, destination, {lanes[id_][0] for id_ in died} | {lanes[o.dispatch_id][0] for o in late})
    # Of these the portal said nothing: the outcome is not known, or they were given back or refused without a call.
    silent = {o.dispatch_id for o in outcomes if _says_nothing(o)}
    unsent = {o.dispatch_id for o in outcomes if not o.sent}
    answered = done | failed - silent
    _move_gate(tx, destination, answered, done | failed, unsent, down, int(probe_in_s * SECOND_US))
    freed = sorted(
        {lanes[o.dispatch_id][0] for o in outcomes if o.dispatch_id in done | failed and o.to in ("delivered", "dead")}
    )
    again = sorted(
        {
            lanes[o.dispatch_id][0]
            for o in outcomes
            if o.dispatch_id in failed and o.to == "waiting" and (o.due_us or 0) <= tx.now_us
        }
    )
    going = with_waiting(tx, destination, sorted({*freed, *again}))
    if not going:
        return Finished([], len(late))
    room = rules.window - queued_count(tx, destination) if gate_of(tx, destination).open else 0
    newest = {lanes[id_][0]: (lanes[id_][1], id_) for id_ in sorted(done) if not lanes[id_][2]}
    tickets = promote(tx, destination, going, rules, room=room, delivered=newest)
    return Finished(tickets, len(late))


def _says_nothing(o: Outcome) -> bool:
    return o.to == "unknown" or o.possibly_twice or not o.sent or (o.to == "waiting" and not o.fault)


def _forgiven(tx: Tx, destination: str, outcomes: Sequence[Outcome], down: str) -> Sequence[Outcome]:
    """Let what failed beside a portal that was found to be down spend no attempt: none after it was classed down.

    The probe's failure is its own: the portal answered it.
    """
    spent = [o for o in outcomes if o.spend and o.fault in ("transient", "already-there")]
    if not spent or not (down or gate_of(tx, destination).state == "held"):
        return outcomes
    mine = {id(o) for o in spent} - {id(o) for o in spent if o.dispatch_id == probe_of(tx, destination)}
    return [
        o if id(o) not in mine
        else replace(o, spend=False, to="waiting", due_us=tx.now_us) if o.worn_out
        else replace(o, spend=False)
        for o in outcomes
    ]  # fmt: skip


def _move_gate(
    tx: Tx, destination: str, answered: set[int], ended: set[int], unsent: set[int], down: str, probe_in_us: int
) -> None:
    """Close the gate of a portal that is down; open a held one whose probe was answered, whatever the answer (R2).

    A probe that could not be sent proves nothing: the next may go at once.
    """
    if down:
        hold(tx, destination, down, probe_in_us, ended)
    elif ended and gate_of(tx, destination).state == "held":
        probe = probe_of(tx, destination)
        if probe in answered:
            set_gate(tx, destination, "open", "the probe was answered", was="held")
        elif probe in ended:
            free_probe(tx, destination, 0 if probe in unsent else probe_in_us)


def _lanes_of(tx: Tx, destination: str, outcomes: Sequence[Outcome]) -> dict[int, tuple[str, int, bool]]:
    """Read the members' lanes and lock these in sorted order, before any dispatch is touched (R5)."""
    rows = _MEMBERS.rows(tx, ids=[o.dispatch_id for o in outcomes])
    hold_lanes(tx, destination, [lane for _, lane, _, _ in rows])
    return {id_: (lane, head_id, bool(event)) for id_, lane, head_id, event in rows}


def _members(postgres: bool) -> sa.Select[Any]:
    d = t.dispatch.c
    return sa.select(d.id, d.lane, d.head_id, d.event).where(among(postgres, d.id, "ids"))


def _with_dead(postgres: bool) -> sa.Select[Any]:
    n = t.lane.c
    mine = n.destination == sa.bindparam("destination")
    return sa.select(n.lane).where(mine, among(postgres, n.lane, "lanes"), t.has_dead)


_MEMBERS = Query(_members)
_WITH_DEAD = Query(_with_dead)


def _deliver(tx: Tx, outcomes: Sequence[Outcome]) -> set[int]:
    rows = [(tx.now_us, o.dispatch_id, o.call_id) for o in outcomes]
    fixed = f"{becomes('delivered')}, reason = NULL, due_us = NULL"
    return update_many(tx, t.dispatch, ("id", "call_id"), ("ended_us",), rows, fixed=fixed, where="t.state = 'sending'")


def _deliver_late(tx: Tx, outcomes: Sequence[Outcome]) -> set[int]:
    """A late success: believed in any state but a newer `sending`, which may be sending it a second time."""
    rows = [(tx.now_us, o.dispatch_id) for o in outcomes]
    fixed = f"{becomes('delivered')}, reason = 'a late success', due_us = NULL, queued_until_us = NULL"
    done = update_many(
        tx, t.dispatch, ("id",), ("ended_us",), rows, fixed=fixed, where="t.state NOT IN ('sending', 'delivered')"
    )
    twice = [(1, o.dispatch_id) for o in outcomes if o.dispatch_id not in done]
    update_many(tx, t.dispatch, ("id",), ("possibly_twice",), twice, where="t.state = 'sending'", exact=False)
    return done


def _fail(tx: Tx, outcomes: Sequence[Outcome]) -> set[int]:
    failed: set[int] = set()
    for state in ("waiting", "dead", "unknown"):
        rows = [
            (o.due_us, o.reason, tx.now_us if state == "dead" else None, o.dispatch_id, o.call_id)
            for o in outcomes
            if o.to == state
        ]
        failed |= update_many(
            tx, t.dispatch, ("id", "call_id"), ("due_us", "reason", "ended_us"), rows,
            fixed=becomes(state, was="sending"), where="t.state = 'sending'",
        )  # fmt: skip
    # What an orphan or a halving has narrowed stays narrow, whatever fails in between (R4, R14).
    smaller = [(o.batch_limit, o.dispatch_id) for o in outcomes if o.batch_limit and o.dispatch_id in failed]
    update_many(tx, t.dispatch, ("id",), ("batch_limit",), smaller, exact=False)
    twice = [(1, o.dispatch_id) for o in outcomes if o.possibly_twice and o.dispatch_id in failed]
    update_many(tx, t.dispatch, ("id",), ("possibly_twice",), twice, exact=False)
    spent = [(o.dispatch_id,) for o in outcomes if o.spend and o.dispatch_id in failed]
    update_many(tx, t.dispatch, ("id",), (), spent, fixed="attempts = attempts + 1", exact=False)
    return failed


def _write_faults(tx: Tx, outcomes: Sequence[Outcome]) -> None:
    rows = [(o.dispatch_id, o.call_id, tx.now_us, o.fault, o.code, o.text, o.path, o.value, o.due_us) for o in outcomes]
    insert_many(
        tx, t.fault, ("dispatch_id", "call_id", "at_us", "fault", "code", "text", "path", "value", "until_us"), rows
    )


def stand(tx: Tx, destination: str, lanes: Mapping[int, tuple[str, int, bool]]) -> None:
    """Record that the portal has these dispatches, given with (lane, head, event) each; their lanes are locked."""
    _stand(tx, destination, lanes, set(lanes), [])


def _stand(
    tx: Tx, destination: str, lanes: Mapping[int, tuple[str, int, bool]], done: set[int], outcomes: Sequence[Outcome]
) -> None:
    """Record what is now known of the portal, and supersede the dead that a delivery overtook."""
    present = {lanes[id_][0] for id_ in done if not lanes[id_][2]}
    present |= {lanes[o.dispatch_id][0] for o in outcomes if o.portal_has_it and not lanes[o.dispatch_id][2]}
    open_ = {o.dispatch_id for o in outcomes if o.to == "unknown" or o.possibly_twice}
    unsure = {lanes[id_][0] for id_ in open_ if not lanes[id_][2]} - present
    update_many(
        tx, t.lane, ("destination", "lane"), ("standing",), [(1, destination, lane) for lane in sorted(present)],
        where="t.standing <> 1", exact=False,
    )  # fmt: skip
    update_many(
        tx, t.lane, ("destination", "lane"), ("standing",), [(2, destination, lane) for lane in sorted(unsure)],
        where="t.standing = 0", exact=False,
    )  # fmt: skip
    _supersede_dead(tx, destination, {(lanes[id_][0], lanes[id_][1], id_) for id_ in done if not lanes[id_][2]})


def _supersede_dead(tx: Tx, destination: str, delivered: set[tuple[str, int, int]]) -> None:
    """A dead snapshot that a newer one has overtaken needs nobody any more."""
    d = t.dispatch.c
    names = sorted({lane for lane, _, _ in delivered})
    with_dead = set(_WITH_DEAD.scalars(tx, destination=destination, lanes=names)) if names else set()
    if not with_dead:
        return
    for lane, head_id, id_ in sorted(delivered):
        if lane in with_dead:
            tx.execute(
                sa.update(t.dispatch)
                .where(d.destination == destination, d.lane == lane, d.head_id == head_id, t.is_dead, d.id < id_)
                .values(state="superseded", phase=int(Phase.ENDED), reason=f"superseded by #{id_}", ended_us=tx.now_us)
            )
    recount_dead(tx, destination, with_dead)
