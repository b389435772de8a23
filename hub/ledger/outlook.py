"""What is to come and what is open: forecasts, unknown outcomes, codes that no table knows, alerts. Reads only."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub.forecast import closed, forecast
from hub.ledger import tables as t
from hub.ledger.bulk import Tx
from hub.ledger.draining import backlog, present_pace
from hub.ledger.gates import gate_of
from hub.ledger.tracing import content_of, dispatch_events
from hub.ledger.values import from_us
from hub.ledger.views import OpenAlert, StrangeCode, UnknownDetail, UnknownOutcome

CODES_SHOWN = 20
"""Codes that no table knows, of one destination; a table that lacks more lacks everything."""


def outlook(connection: sa.Connection, destination: str, gate: str, now_us: int) -> dict[str, Any]:
    """The forecast of a destination and what moves it not by itself, as fields of `QueueState`."""
    moving, still = backlog(connection, destination)
    now = from_us(now_us)
    pace = present_pace(connection, destination, now_us)
    d, k = t.dispatch.c, t.call.c
    unknown = (
        sa.select(sa.func.min(k.started_us), sa.func.count(sa.case((d.due_us.is_(None), 1))))
        .join_from(t.dispatch, t.call, k.id == d.call_id)
        .where(d.destination == destination, t.is_out, d.state == "unknown")
    )
    since_us, undecided = connection.execute(unknown).one()
    return {
        "forecast": forecast(moving, pace, now) if gate == "open" else closed(moving, now),
        "stuck": still.dispatches - undecided,
        "undecided": undecided,
        "unknown_since": None if since_us is None else from_us(since_us),
    }


def too_late(tx: Tx, destination: str) -> int | None:
    """How many dossiers will pass their due date before their turn at the present rate; None where nobody can say: the
    gate is closed, or no pace was measured lately."""
    if not gate_of(tx, destination).open:
        return None
    moving, _ = backlog(tx.connection, destination)
    return forecast(moving, present_pace(tx.connection, destination, tx.now_us), from_us(tx.now_us)).pass_due_date


def strange_codes(connection: sa.Connection, destination: str) -> list[StrangeCode]:
    """Codes that the destination's table of answers does not know, the most frequent first."""
    c = t.answer_code.c
    many = c["count"]
    query = sa.select(t.answer_code).where(c.destination == destination).order_by(many.desc(), c.call, c.status, c.code)
    return [
        StrangeCode(
            row["call"], row["status"], row["code"], row["text"] or "", row["count"], from_us(row["first_us"]),
            from_us(row["last_us"]),
        )
        for row in connection.execute(query.limit(CODES_SHOWN)).mappings()
    ]  # fmt: skip


def open_alerts(connection: sa.Connection) -> list[OpenAlert]:
    """Troubles that are not over, the oldest first."""
    a = t.alert.c
    query = sa.select(t.alert).where(a.closed_us.is_(None)).order_by(a.opened_us, a.id)
    return [
        OpenAlert(row["subject"], row["trouble"], row["text"], from_us(row["opened_us"]), row["count"])
        for row in connection.execute(query).mappings()
    ]


def unknown_outcomes(
    connection: sa.Connection, destination: str | None, key: str | None, limit: int
) -> list[UnknownOutcome]:
    """Dispatches whose outcome is not known, the one sent first before the others."""
    query = _unknowns().order_by(t.call.c.started_us, t.dispatch.c.id).limit(limit)
    if destination is not None:
        query = query.where(t.dispatch.c.destination == destination)
    if key is not None:
        query = query.where(t.head.c.key == key)
    return [_outcome(row) for row in connection.execute(query)]


def unknown_detail(connection: sa.Connection, dispatch_id: int) -> UnknownDetail:
    """Raises: KeyError where the outcome of that dispatch is known, or there is none of that number."""
    d, r = t.dispatch.c, t.revision.c
    row = connection.execute(_unknowns().where(d.id == dispatch_id)).first()
    if row is None:
        raise KeyError(dispatch_id)
    followers = sa.select(sa.func.count()).where(
        d.destination == row.destination, d.lane == row.lane, t.is_waiting, d.id > row.id
    )
    place = sa.select(r.arrival_id, r.offset_bytes, r.size_bytes).where(
        r.head_id == row.head_id, r.number == row.number
    )
    return UnknownDetail(
        outcome=_outcome(row),
        content=content_of(connection, *connection.execute(place).one()),
        events=dispatch_events(connection, [row.id]),
        followers=connection.execute(followers).scalar_one(),
    )


def _unknowns() -> sa.Select[Any]:
    d, h, k, u = t.dispatch.c, t.head.c, t.call.c, t.look_up.c
    return (
        sa.select(
            d.id, d.destination, d.lane, d.kind, d.head_id, d.number, d.due_us, d.reason, d.tries, h.key, h.agency,
            k.started_us, k.mode, u.times,
        )
        .join_from(t.dispatch, t.head, h.id == d.head_id)
        .join(t.call, k.id == d.call_id)
        .outerjoin(t.look_up, (u.dispatch_id == d.id) & (u.call_id == d.call_id))
        .where(t.is_out, d.state == "unknown")
    )  # fmt: skip


def _outcome(row: Any) -> UnknownOutcome:
    return UnknownOutcome(
        dispatch_id=row.id,
        destination=row.destination,
        kind=row.kind,
        key=row.key,
        revision=row.number,
        agency=row.agency,
        since=from_us(row.started_us),
        reason=row.reason or "",
        waits_for="person" if row.due_us is None else "hub",
        next_at=None if row.due_us is None else from_us(row.due_us),
        asked=row.times or 0,
        sent=row.tries,
        mode=row.mode,
    )
