"""Everything that happened to one lane, put together from the ledger's tables for `hub trace`. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa

from hub.ledger import renumbered
from hub.ledger import tables as t
from hub.ledger.deeds import deeds
from hub.ledger.pages import unpack
from hub.ledger.urgency import is_rank
from hub.ledger.values import from_us
from hub.ledger.views import Deed, DispatchView, Event, Happened, Head, ItemProblem, Revision, Trace

_NUMBER_BITS = 20
_ENDS = {
    "delivered": Happened.CONFIRMED,
    "superseded": Happened.SUPERSEDED,
    "dead": Happened.DEAD,
    "discarded": Happened.DISCARDED,
}


def trace(connection: sa.Connection, key: str) -> Trace:
    """Raises: KeyError where neither a record, nor a refused row, nor a lane has this key."""
    h = t.head.c
    lane = connection.execute(sa.select(h.lane).where(h.key == key).limit(1)).scalar() or key
    # The second half is what the partial index serves.
    mine = sa.or_(sa.and_(h.key == lane, h.lane == lane), sa.and_(h.lane == lane, h.lane != h.key))
    heads = connection.execute(sa.select(t.head).where(mine).order_by(h.id)).all()
    problems = _problems(connection, {key, lane})
    before = renumbered.old_numbers(connection, lane)
    if not heads and not problems and not before:
        raise KeyError(key)
    revisions = _revisions(connection, heads)
    dispatches = _dispatches(connection, [row.id for row in heads])
    events = [
        Event(from_us(row.settled_us), Happened.READ, "accepted", revision_id=_revision_id(row.head_id, row.number))
        for row in revisions
    ]
    events += dispatch_events(connection, [row.id for row in dispatches])
    events += _gate_events(connection, dispatches)
    return Trace(
        key=key,
        lane=lane,
        heads=[_head(row) for row in heads],
        revisions=[_revision(connection, row) for row in revisions],
        dispatches=[_dispatch(row, dispatches) for row in dispatches],
        events=sorted(events, key=lambda event: (event.at, _ORDER[event.what])),
        problems=problems,
        renumbered_to=tuple(
            dict.fromkeys(new for one in problems if one.key == lane and (new := renumbered.new_number(one.reason)))
        ),
        renumbered_from=before,
    )


_ORDER: Mapping[Happened, int] = {what: place for place, what in enumerate(Happened)}


def _revision_id(head_id: int, number: int) -> int:
    return (head_id << _NUMBER_BITS) | number


def _head(row: Any) -> Head:
    at = None if row.changed_us is None else from_us(row.changed_us)
    return Head(row.kind, row.key, row.source, _revision_id(row.id, row.number), at)


def _revisions(connection: sa.Connection, heads: Sequence[Any]) -> Sequence[Any]:
    r, a, h, c = t.revision.c, t.arrival.c, t.head.c, t.configuration.c
    return connection.execute(
        sa.select(t.revision, a.source, a.label, a.received_us, h.kind, h.key, h.agency, c.first_us)
        .join_from(t.revision, t.arrival, a.id == r.arrival_id)
        .join(t.head, h.id == r.head_id)
        .outerjoin(t.configuration, c.id == r.configuration)
        .where(r.head_id.in_([row.id for row in heads]))
        .order_by(r.settled_us, r.arrival_id, r.offset_bytes)
    ).all()


def _revision(connection: sa.Connection, row: Any) -> Revision:
    return Revision(
        revision_id=_revision_id(row.head_id, row.number),
        kind=row.kind,
        key=row.key,
        number=row.number,
        source=row.source,
        arrival_label=row.label,
        read_at=from_us(row.received_us),
        source_time=None if row.changed_us is None else from_us(row.changed_us),
        content=content_of(connection, row.arrival_id, row.offset_bytes, row.size_bytes),
        cause="tie" if row.tie else "new" if row.cause == "arrived" else row.cause,
        agency=row.agency,
        configuration=row.configuration,
        configured_at=None if row.first_us is None else from_us(row.first_us),
    )


def content_of(connection: sa.Connection, arrival_id: int, offset: int, size: int) -> Mapping[str, Any] | None:
    """Read one canonical record; None where retention has pruned the body (R16)."""
    packed = connection.execute(sa.select(t.arrival.c.records).where(t.arrival.c.id == arrival_id)).scalar()
    if packed is None:
        return None
    found: Mapping[str, Any] = orjson.loads(unpack(packed)[offset : offset + size])
    return found


def place_of(connection: sa.Connection, arrival_id: int, head_id: int, number: int) -> tuple[int, int] | None:
    """Where in its arrival a revision was read: index of the row, index of the item within it."""
    i = t.item.c
    mine = (i.arrival_id == arrival_id) & (i.head_id == head_id) & (i.number == number)
    found = connection.execute(sa.select(i.row, i.part).where(mine)).first()
    return None if found is None else (found.row, found.part)


def _dispatches(connection: sa.Connection, heads: Sequence[int]) -> Sequence[Any]:
    d, h, g = t.dispatch.c, t.head.c, t.gate.c
    return connection.execute(
        sa.select(t.dispatch, h.key, g.state.label("gate"), g.reason.label("gate_reason"))
        .join_from(t.dispatch, t.head, h.id == d.head_id)
        .outerjoin(t.gate, g.destination == d.destination)
        .where(d.head_id.in_(heads))
        .order_by(d.id)
    ).all()


def _dispatch(row: Any, lane: Sequence[Any]) -> DispatchView:
    reason = row.reason or ""
    by = reason.removeprefix("superseded by #")
    return DispatchView(
        dispatch_id=row.id,
        destination=row.destination,
        revision_id=_revision_id(row.head_id, row.number),
        kind=row.kind,
        key=row.key,
        state=row.state,
        made_at=from_us(row.created_us),
        attempts=row.tries,
        due_at=from_us(row.due_us) if row.state == "waiting" and _is_time(row.due_us) else None,
        delivered_at=from_us(row.ended_us) if row.state == "delivered" and row.ended_us else None,
        waits_for=_waits_for(row, lane),
        superseded_by=int(by) if row.state == "superseded" and by.isdigit() else None,
        possibly_twice=bool(row.possibly_twice),
    )


def _is_time(due_us: int | None) -> bool:
    return due_us is not None and not is_rank(due_us)


def _waits_for(row: Any, lane: Sequence[Any]) -> str | None:
    """Why a dispatch is not moving, in the ledger's own words; None where it moves or has ended."""
    if row.state == "unknown":
        return str(row.reason)
    if row.state != "waiting":
        return None
    if row.gate not in (None, "open"):
        return f"gate {row.gate}: {row.gate_reason}"
    if row.due_us is not None:
        if is_rank(row.due_us):
            return "it is urgent: it goes before the others, as soon as there is room"
        return str(row.reason) if row.reason else None
    mine = [other for other in lane if other.destination == row.destination]
    before = next((o for o in reversed(mine) if o.id < row.id and o.state in ("dead", *t.OPEN)), None)
    if before is not None:
        return f"behind #{before.id} ({before.state})"
    if row.event and not any(not other.event for other in mine):
        return f"its dossier {row.lane} has not been accepted yet"
    return row.reason or "the next look of the relay"


def dispatch_events(connection: sa.Connection, ids: Sequence[int]) -> list[Event]:
    """What happened to these dispatches of one lane, in the order of time."""
    d, f, k = t.dispatch.c, t.fault.c, t.call.c
    rows = connection.execute(sa.select(t.dispatch).where(d.id.in_(ids)).order_by(d.id)).all()
    faults: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(sa.select(t.fault).where(f.dispatch_id.in_(ids)).order_by(f.id)):
        faults[row.dispatch_id].append(row)
    wanted = {row.call_id for row in rows} | {fault.call_id for found in faults.values() for fault in found}
    calls = {row.id: row for row in connection.execute(sa.select(t.call).where(k.id.in_(wanted - {None})))}
    closed = _closures(connection, {row.destination for row in rows})
    events: list[Event] = []
    for row in rows:
        events += _of_dispatch(row, rows, faults[row.id], calls, closed[row.destination])
    about = {row.id: row for row in rows}
    events += [_of_deed(deed, about[deed.dispatch_id]) for deed in deeds(connection, ids) if deed.what in _DEEDS]
    return sorted(events, key=lambda event: event.at)


_DEEDS = {"replay": Happened.REPLAYED, "correct": Happened.CORRECTED, "remap": Happened.CORRECTED}
"""What a person did; who discarded a dispatch, and why, stands in its reason."""


def _of_deed(deed: Deed, row: Any) -> Event:
    how = " by mapping its row again" if deed.what == "remap" else ""
    fields = ", ".join(deed.detail.get("fields", ()))
    why = f"by {deed.who}{how}{f': {deed.why}' if deed.why else ''}{f' ({fields})' if fields else ''}"
    revision = _revision_id(row.head_id, row.number)
    return Event(deed.at, _DEEDS[deed.what], why, revision, row.id, row.destination)


def _of_dispatch(
    row: Any,
    lane: Sequence[Any],
    faults: Sequence[Any],
    calls: Mapping[int, Any],
    closed: Sequence[tuple[int, int | None, str]],
) -> list[Event]:
    about = {
        "revision_id": _revision_id(row.head_id, row.number),
        "dispatch_id": row.id,
        "destination": row.destination,
    }
    made = {fault.call_id: fault for fault in faults}
    events = [Event(from_us(row.created_us), Happened.DISPATCHED, "", **about)]
    own = sorted({call_id for call_id in [*made, row.call_id] if call_id in calls}, key=_when(calls))
    if why := _first_wait(row, lane, min((calls[c].started_us for c in own), default=row.ended_us), closed):
        events.append(Event(from_us(row.created_us), Happened.WAITED, why, **about))
    for call_id in own:
        call = calls[call_id]
        sent = {"call_id": call_id, "mode": call.mode, "batch_size": call.members}
        events.append(Event(from_us(call.started_us), Happened.SENT, "", **about, **sent))
        if call_id in made:
            events += _of_fault(made[call_id], about)
        elif row.state == "delivered" and row.ended_us:
            took_s = (row.ended_us - call.started_us) / 1e6
            why = row.reason or ""
            events.append(
                Event(from_us(row.ended_us), Happened.CONFIRMED, why, **about, call_id=call_id, took_s=took_s)
            )
    if row.state in _ENDS and row.state != "delivered" and row.ended_us:
        events.append(Event(from_us(row.ended_us), _ENDS[row.state], row.reason or "", **about))
    return events


def _of_fault(fault: Any, about: Mapping[str, Any]) -> list[Event]:
    what = Happened.UNKNOWN if fault.fault == "unknown" else Happened.FAULT
    why = f"{fault.fault}: {fault.text}" if what is Happened.FAULT else fault.text or ""
    events = [Event(from_us(fault.at_us), what, why, **about, call_id=fault.call_id, code=fault.code or None)]
    if fault.until_us is not None and fault.until_us > fault.at_us:
        until = (fault.until_us - fault.at_us) / 1e6
        events.append(Event(from_us(fault.at_us), Happened.WAITED, f"backoff of {until:.1f} s", **about))
    return events


def _when(calls: Mapping[int, Any]) -> Callable[[int], tuple[int, int]]:
    """Order calls by their start: ids rise within one worker only."""
    return lambda call_id: (calls[call_id].started_us, call_id)


def _first_wait(
    row: Any, lane: Sequence[Any], until_us: int | None, closed: Sequence[tuple[int, int | None, str]]
) -> str:
    """Why a dispatch did not go at once: a closed gate, or another one of its lane that was still open."""
    for since_us, opened_us, reason in closed:
        if since_us <= row.created_us and (opened_us is None or opened_us > row.created_us):
            return f"gate {reason}"
    for other in reversed(lane):
        if other.id >= row.id or other.destination != row.destination:
            continue
        if other.ended_us is None or other.ended_us > row.created_us:
            return f"behind #{other.id}"
        break
    for since_us, _, reason in closed:
        if row.created_us < since_us and (until_us is None or since_us < until_us):
            return f"gate {reason}"
    return ""


def _closures(connection: sa.Connection, destinations: Iterable[str]) -> dict[str, list[tuple[int, int | None, str]]]:
    """When each gate was closed: (since, until, why)."""
    c = t.gate_change.c
    found: dict[str, list[tuple[int, int | None, str]]] = defaultdict(list)
    for row in connection.execute(sa.select(t.gate_change).where(c.destination.in_(list(destinations))).order_by(c.id)):
        spans = found[row.destination]
        if spans and spans[-1][1] is None:
            spans[-1] = (spans[-1][0], row.at_us, spans[-1][2])
        if row.state != "open":
            spans.append((row.at_us, None, f"{row.state}: {row.reason or 'closed by a person'}"))
    return found


def _gate_events(connection: sa.Connection, dispatches: Sequence[Any]) -> list[Event]:
    """The closings and openings of a gate that a dispatch of this lane met."""
    events = []
    for destination, spans in _closures(connection, {row.destination for row in dispatches}).items():
        mine = [row for row in dispatches if row.destination == destination]
        for since_us, until_us, reason in spans:
            met = any(
                (row.ended_us or 1 << 62) >= since_us and (until_us is None or row.created_us <= until_us)
                for row in mine
            )
            if not met:
                continue
            events.append(Event(from_us(since_us), Happened.GATE_CLOSED, reason, destination=destination))
            if until_us is not None:
                why = f"after {(until_us - since_us) / 1e6:.1f} s"
                events.append(Event(from_us(until_us), Happened.GATE_OPENED, why, destination=destination))
    return events


def _problems(connection: sa.Connection, keys: set[str]) -> list[ItemProblem]:
    """What was refused of these keys; what came right since asks nothing of anybody, so that it has no mend."""
    i, a = t.item.c, t.arrival.c
    query = (
        sa.select(t.item, a.source, a.label, a.received_us, came_right().label("came_right"))
        .join_from(t.item, t.arrival, a.id == i.arrival_id)
        .where(i.key.in_(keys), i.state.in_(("rejected", "parked", "no-route")))
        .order_by(i.arrival_id, i.row, i.part)
    )
    return [
        replace(item_problem(row), mend="") if row.came_right else item_problem(row)
        for row in connection.execute(query)
    ]


def came_right() -> sa.Exists:
    """Whether a later arrival brought the same key and it was accepted: then nobody has to do anything."""
    i, h, r = t.item.c, t.head.c, t.revision.c
    newest = sa.select(r.arrival_id).where(r.head_id == h.id, r.number == h.number).scalar_subquery()
    return sa.select(h.id).where(h.key == i.key, h.kind == i.kind, newest > i.arrival_id).exists()


def item_problem(row: Any) -> ItemProblem:
    """One refused item from its row, with its arrival's source, label and time."""
    problems = orjson.loads(row.problems) if row.problems else []
    first = problems[0] if problems else {}
    return ItemProblem(
        item_id=(row.arrival_id << 32) | (row.row << 12) | row.part,
        verdict=row.state,
        source=row.source,
        arrival_label=row.label,
        position=(row.row, row.part),
        read_at=from_us(row.received_us),
        reason=first.get("reason") or row.reason or "",
        mapping=first.get("mapping"),
        field=first.get("field"),
        path=first.get("path"),
        value=first.get("value"),
        key=row.key,
        kind=row.kind or None,
        mend=_mend(row.state, row.reason),
    )


def _mend(state: str, reason: str | None) -> str:
    new = renumbered.new_number(reason)
    if new is not None:
        return f"nothing: it goes on as {new}, see `hub trace {new}`"
    return _GONE if reason == "deleted at its source" else _MENDS[state]


_GONE = "nothing: its source says that it is no more"


_MENDS: Mapping[str, str] = {
    "rejected": "the agency corrects it in its own system; the corrected row is read by itself",
    "parked": "add what is missing to the mapping's code table or to the register",
    "no-route": "add a route for it",
}
