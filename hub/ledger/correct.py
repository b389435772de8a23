"""A person's correction of a dead letter: a new revision of its record (R9, 6), and where it goes.

What is right is decided before (`hub.correction`): here it becomes an arrival of one item, a revision, and dispatches,
in one transaction with who did it and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.accept import Accepted, counted_columns
from hub.ledger.audit import By
from hub.ledger.bulk import Tx, allocate, insert_many, update_many
from hub.ledger.deeds import done_before, record
from hub.ledger.dispatch import dispatch
from hub.ledger.lane_locks import hold_lanes, recount_dead
from hub.ledger.pages import pack
from hub.ledger.replay import revive
from hub.ledger.states import becomes
from hub.ledger.values import Candidate, DestinationRules
from hub.ledger.views import Corrected
from hub.ports import Ticket
from schemas.errors import OperationRefused

UNKNOWN_HERE = DestinationRules(window=0)
"""For a process that sends nothing, or to a destination that this one does not know: what is made for it waits."""

_COUNTED = ("agency", "procedure", "status", "received_on", "due_on", "finished_on")


@dataclass(frozen=True, slots=True)
class Correction:
    """The corrected record, ready to be written."""

    dispatch_id: int
    head_id: int
    number: int
    """The revision that was corrected."""
    cause: str
    """`corrected` or `remapped`."""
    candidate: Candidate
    """The new content; its destinations are those of the routes."""
    fields: Sequence[str]
    configuration: int | None = None
    """The number of the configuration by whose rules it was made."""


def correct(
    tx: Tx, c: Correction, by: By, uid: str, rules: Mapping[str, DestinationRules]
) -> tuple[Corrected, list[Ticket]]:
    """Write the revision and let it go; the tickets are to be published after the commit.

    It stands where the head's newest stood: same source and lane, the same source's time, so that the old row read
    again is a duplicate and a later change of the source overrides it. A snapshot goes anew to every destination of
    its routes and to that of the dead letter, and its dead ones there are superseded. An event keeps its place in its
    lanes: what is dead or waiting carries the correction from now on; where it was sent, it is not sent twice.

    Raises: OperationRefused where it is not dead any more, or a newer revision has come.
    """
    before = done_before(tx, uid)
    if before is not None:
        return Corrected(**{name: value for name, value in before.items() if name != "uid"}), []
    h, d = t.head.c, t.dispatch.c
    head = tx.execute(tx.lock(sa.select(t.head).where(h.id == c.head_id))).one()
    dead = tx.execute(sa.select(d.destination).where(d.id == c.dispatch_id)).scalar_one()
    of_head = sa.select(d.destination).where(d.head_id == c.head_id).distinct()
    destinations = sorted({dead, *c.candidate.destinations})
    for destination in sorted({*destinations, *tx.execute(of_head).scalars()}):
        insert_many(tx, t.lane, ("destination", "lane"), [(destination, head.lane)], ignore=True)
        hold_lanes(tx, destination, [head.lane])
    state = tx.execute(sa.select(d.state).where(d.id == c.dispatch_id)).scalar_one()
    if state != "dead":
        raise OperationRefused(f"#{c.dispatch_id} is not dead any more, it is {state}")
    if head.number != c.number:
        raise OperationRefused(
            f"#{c.dispatch_id} carries revision {c.number}, and revision {head.number} has been read since: "
            "what has to be corrected is that one"
        )
    number = head.number + 1
    _write(tx, c, head, number, by, uid)
    tickets: list[Ticket] = []
    if c.candidate.event:
        done = _let_event_go(tx, c, number)
    else:
        done, tickets = _let_snapshot_go(tx, c, number, destinations, rules)
        done = replace(done, overridable=head.changed_us is None)
    detail = {name: getattr(done, name) for name in Corrected.__slots__}
    about = {c.dispatch_id, *done.sends, *done.superseded}
    record(tx, by, "correct" if c.cause == "corrected" else "remap", f"#{c.dispatch_id} at {dead}", about, uid=uid,
           detail=detail)  # fmt: skip
    return done, tickets


def _write(tx: Tx, c: Correction, head: Any, number: int, by: By, uid: str) -> None:
    """The arrival of one item, the revision, and the head as it is now."""
    body, candidate = c.candidate.body, c.candidate
    (arrival_id,) = allocate(tx, t.arrival, 1)
    arrival = {
        "id": arrival_id, "uid": uid, "source": head.source, "label": f"{c.cause} by {by.who}", "media": "json",
        "received_us": tx.now_us, "poll_us": head.poll_us, "settled_us": tx.now_us, "digest": candidate.digest,
        "records": pack(body), "state": "settled", "items": 1, "accepted": 1,
    }  # fmt: skip
    tx.execute(sa.insert(t.arrival).values(**arrival))
    tx.execute(
        sa.insert(t.item).values(
            arrival_id=arrival_id, row=0, part=0, kind=candidate.kind, state="accepted", head_id=c.head_id,
            number=number,
        )
    )  # fmt: skip
    tx.execute(
        sa.insert(t.revision).values(
            head_id=c.head_id, number=number, arrival_id=arrival_id, offset_bytes=0, size_bytes=len(body),
            digest=candidate.digest, changed_us=head.changed_us, poll_us=head.poll_us, tie=0, cause=c.cause,
            mapping=candidate.mapping, settled_us=tx.now_us, configuration=c.configuration,
        )
    )  # fmt: skip
    # No tie: by it the row as it was before would count as new when it is read again (R9, 1).
    counted = dict(zip(_COUNTED, counted_columns(candidate), strict=True))
    tx.execute(
        sa.update(t.head)
        .where(t.head.c.id == c.head_id)
        .values(number=number, digest=candidate.digest, tie=0, **counted)
    )


def _let_snapshot_go(
    tx: Tx, c: Correction, number: int, destinations: Sequence[str], rules: Mapping[str, DestinationRules]
) -> tuple[Corrected, list[Ticket]]:
    d = t.dispatch.c
    candidate = replace(c.candidate, destinations=tuple(destinations))
    known = {name: rules.get(name, UNKNOWN_HERE) for name in destinations}
    tickets = dispatch(tx, [Accepted(candidate, c.head_id, number)], known)
    made = {
        row.destination: row.id
        for row in tx.execute(sa.select(d.id, d.destination).where(d.head_id == c.head_id, d.number == number))
    }
    query = sa.select(d.id, d.destination).where(d.head_id == c.head_id, t.is_dead, d.destination.in_(destinations))
    dead = tx.execute(query.order_by(d.id)).all()
    update_many(
        tx, t.dispatch, ("id",), ("reason", "ended_us"),
        [(f"superseded by #{made[row.destination]}", tx.now_us, row.id) for row in dead],
        fixed=becomes("superseded"), where="t.state = 'dead'", exact=False,
    )  # fmt: skip
    for destination in destinations:
        recount_dead(tx, destination, [c.candidate.lane])
    needless = [row.id for row in dead]
    return Corrected(c.dispatch_id, number, c.cause, list(c.fields), sorted(made.values()), needless), tickets


def _let_event_go(tx: Tx, c: Correction, number: int) -> Corrected:
    d = t.dispatch.c
    query = sa.select(d.id, d.destination, d.lane, d.state).where(d.head_id == c.head_id, d.number == c.number)
    rows = tx.execute(query.order_by(d.id)).all()
    mine = [row for row in rows if row.state in ("dead", "waiting")]
    update_many(tx, t.dispatch, ("id",), ("number",), [(number, row.id) for row in mine], exact=False)
    revive(tx, [row.id for row in mine if row.state == "dead"], f"{c.cause} as revision {number}")
    for row in mine:
        recount_dead(tx, row.destination, [row.lane])
    sent = sorted({row.destination for row in rows if row.state in ("queued", "sending", "unknown", "delivered")})
    return Corrected(c.dispatch_id, number, c.cause, list(c.fields), [row.id for row in mine], [], sent)
