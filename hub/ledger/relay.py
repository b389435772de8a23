"""What is due: marks dispatches as queued and returns their tickets, to be published after the commit (R1, R2, R5).

Mark, then publish: a confirm writes nothing, `queued` is itself a lease, and what is past it goes out again with the
next generation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Query, Tx, among, bound, update_many
from hub.ledger.gates import free_probe, gate_of, move_probe, probe_of, take_probe
from hub.ledger.lane_locks import commutative_kinds, lock_lanes, queued_count
from hub.ledger.lanes import Choice, Standing, choose
from hub.ledger.pages import unpack
from hub.ledger.states import Phase, becomes
from hub.ledger.urgency import is_rank
from hub.ledger.values import SECOND_US, DestinationRules
from hub.ports import Ticket


def due(tx: Tx, destination: str, rules: DestinationRules) -> list[Ticket]:
    """Queue what is due, as far as gate and window allow; what was lost on the way first. Returns the tickets to
    publish."""
    tickets = requeue_expired(tx, destination, rules)
    if not gate_of(tx, destination).open:
        return tickets
    room = rules.window - queued_count(tx, destination)
    if room <= 0:
        return tickets
    rows = _DUE.rows(tx, destination=destination, now_us=tx.now_us, room=room)
    promoted = promote(tx, destination, sorted({lane for lane, _ in rows}), rules, room=room, skip=True)
    if rows and is_rank(rows[0][1]):
        # Lanes are locked in the order of their names; urgent ones are published in that of their due dates.
        order = {lane: at for at, (lane, _) in enumerate(rows)}
        promoted.sort(key=lambda ticket: order[ticket.lane])
    return tickets + promoted


def _due(_: bool) -> sa.Select[Any]:
    d = t.dispatch.c
    return (
        sa.select(d.lane, d.due_us)
        .where(d.destination == sa.bindparam("destination"), t.is_waiting, d.due_us <= sa.bindparam("now_us"))
        .order_by(d.due_us)
        .limit(sa.bindparam("room"))
    )


_DUE = Query(_due)


def probe(tx: Tx, destination: str, rules: DestinationRules, probe_for_s: float) -> list[Ticket]:
    """Let one dispatch through a held gate, where it is time. Returns its ticket."""
    candidate = take_probe(tx, destination, int(probe_for_s * SECOND_US))
    if candidate is None:
        return []
    lane = tx.execute(sa.select(t.dispatch.c.lane).where(t.dispatch.c.id == candidate)).scalar_one()
    tickets = promote(tx, destination, [lane], rules, room=1, skip=True)
    if not tickets:
        free_probe(tx, destination, 0)
    elif tickets[0].dispatch_id != candidate:
        move_probe(tx, destination, tickets[0].dispatch_id)
    return tickets


def promote(
    tx: Tx,
    destination: str,
    lanes: Sequence[str],
    rules: DestinationRules,
    *,
    room: int,
    skip: bool = False,
    delivered: Mapping[str, tuple[int, int]] | None = None,
) -> list[Ticket]:
    """Let the next of each lane go: queued where there is room, else due now. Lanes with one out are left alone.

    `delivered` is given by a finish, which has just freed the lanes: their next has no due time yet, and what is
    older than the snapshot (head, dispatch) that the portal has now, such as a replayed one, is superseded.
    """
    if not lanes:
        return []
    go: list[tuple[str, Choice]] = []
    stuck: list[str] = []
    overtaken: list[tuple[str, int, int]] = []
    for name, lane in lock_lanes(tx, destination, lanes, skip=skip).items():
        head_id, newest = (delivered or {}).get(name, (0, 0))
        old = {row.id for row in lane.waiting if not row.event and row.head_id == head_id and row.id < newest}
        overtaken += [(f"superseded by #{newest}", tx.now_us, id_) for id_ in sorted(old)]
        waiting = [row for row in lane.waiting if row.id not in old]
        choice = Choice(None) if lane.busy else choose(waiting, lane.standing, dead_event=lane.dead_event)
        if choice.go is not None:
            go.append((name, choice))
        else:
            stuck.append(name)
    if delivered is not None:
        go = _not_held_back(tx, destination, go)
    elif stuck:
        _not_due(tx, destination, stuck)
    overtaken += [(f"superseded by #{choice.go}", tx.now_us, id_) for _, choice in go for id_ in choice.superseded]
    queued, later = go[: max(room, 0)], go[max(room, 0) :]
    if later:
        update_many(
            tx, t.dispatch, ("id",), ("due_us",), [(tx.now_us, c.superseded[0] if c.superseded else c.go) for _, c in
            later], where="t.state = 'waiting' AND t.due_us IS NULL", exact=False,
        )  # fmt: skip
        kept = {id_ for _, choice in later for id_ in choice.superseded}
        overtaken = [row for row in overtaken if row[2] not in kept]
    update_many(
        tx, t.dispatch, ("id",), ("reason", "ended_us"), overtaken,
        fixed=f"{becomes('superseded')}, due_us = NULL", where="t.state = 'waiting'", exact=False,
    )  # fmt: skip
    until_us = tx.now_us + int(rules.queued_s * SECOND_US)
    update_many(
        tx, t.dispatch, ("id",), ("queued_until_us",), [(until_us, choice.go) for _, choice in queued],
        fixed=f"{becomes('queued')}, gen = gen + 1, due_us = NULL", where="t.state = 'waiting'", exact=False,
    )  # fmt: skip
    return tickets_of(tx, [choice.go for _, choice in queued if choice.go is not None])


def _not_held_back(tx: Tx, destination: str, go: list[tuple[str, Choice]]) -> list[tuple[str, Choice]]:
    """Leave out lanes whose front waits for a later due time (a backoff that a newer snapshot must not shorten)."""
    ids = {id_: lane for lane, choice in go for id_ in (*choice.superseded, choice.go) if id_ is not None}
    if not ids:
        return go
    back = {ids[id_] for id_ in _LATER.scalars(tx, destination=destination, ids=list(ids), now_us=tx.now_us)}
    return [entry for entry in go if entry[0] not in back] if back else go


def _later(postgres: bool) -> sa.Select[Any]:
    d = t.dispatch.c
    return sa.select(d.id).where(
        d.destination == sa.bindparam("destination"),
        t.is_waiting,
        d.due_us > sa.bindparam("now_us"),
        among(postgres, d.id, "ids"),
    )


_LATER = Query(_later)


def _not_due(tx: Tx, destination: str, lanes: Sequence[str]) -> None:
    """Lanes that cannot go are due no longer, so that they take no room from others; what frees them makes them due."""
    d = t.dispatch.c
    tx.execute(
        sa.update(t.dispatch)
        .where(
            d.destination == destination, t.is_waiting, d.due_us <= tx.now_us, among(tx.postgres, d.lane, "lanes")
        )
        .values(due_us=None),
        {"lanes": bound(tx.postgres, lanes)},
    )  # fmt: skip


def requeue_expired(tx: Tx, destination: str, rules: DestinationRules, *, all_of_them: bool = False) -> list[Ticket]:
    """Queue again what has been queued for too long: its ticket, or the whole broker, was lost.

    `all_of_them` is for the start on a bus that keeps nothing: no ticket of the process before can still be under way.
    """
    until_us = FOREVER_US if all_of_them else tx.now_us
    rows = _EXPIRED.scalars(tx, destination=destination, now_us=until_us, room=rules.window)
    if not rows:
        return []
    open_gate = gate_of(tx, destination).open
    if not open_gate:
        # R2: behind a closed gate nothing is queued; it waits where pause and superseding reach it.
        update_many(
            tx, t.dispatch, ("id",), ("due_us",), [(tx.now_us, id_) for id_ in rows],
            fixed=f"{becomes('waiting')}, queued_until_us = NULL", where="t.state = 'queued'", exact=False,
        )  # fmt: skip
        if probe_of(tx, destination) in rows:
            free_probe(tx, destination, 0)
        return []
    until_us = tx.now_us + int(rules.queued_s * SECOND_US)
    update_many(
        tx, t.dispatch, ("id",), ("queued_until_us",), [(until_us, id_) for id_ in rows],
        fixed="gen = gen + 1", where="t.state = 'queued'", exact=False,
    )  # fmt: skip
    return tickets_of(tx, rows)


def _expired(postgres: bool) -> sa.Select[Any]:
    d = t.dispatch.c
    query = (
        sa.select(d.id)
        .where(
            d.destination == sa.bindparam("destination"),
            t.is_out,
            d.state == sa.literal_column("'queued'"),
            d.queued_until_us < sa.bindparam("now_us"),
        )
        .order_by(d.id)
        .limit(sa.bindparam("room"))
    )
    return query.with_for_update(skip_locked=True) if postgres else query


_EXPIRED = Query(_expired)
FOREVER_US = 2**62


def returned(tx: Tx, tickets: Sequence[Ticket], again_in_s: float) -> None:
    """What the broker nacked or returned waits, for `again_in_s`; another generation is left alone."""
    due_us = tx.now_us + int(again_in_s * SECOND_US)
    update_many(
        tx, t.dispatch, ("id", "gen"), ("due_us",), [(due_us, ticket.dispatch_id, ticket.gen) for ticket in tickets],
        fixed=f"{becomes('waiting')}, queued_until_us = NULL, reason = 'the bus returned it'",
        where="t.state = 'queued'", exact=False,
    )  # fmt: skip


def sweep(tx: Tx, destination: str, at_most: int = 1000) -> int:
    """Make due any lane that has waiting rows, none out, and none that is due (R5). Returns how many it found."""
    d, n = t.dispatch.c, t.lane.c
    other = t.dispatch.alias("other")
    same = (other.c.destination == d.destination) & (other.c.lane == d.lane)
    out = sa.exists().where(same, t.phased(other, Phase.OUT))
    dead_event = sa.exists().where(
        same, t.phased(other, Phase.DEAD), other.c.event == 1, other.c.id < d.id,
        other.c.kind.not_in(commutative_kinds()),
    )  # fmt: skip
    # Lanes that nothing could promote are left out here: they must not use up the limit.
    per_lane = (
        sa.select(d.lane)
        .join_from(t.dispatch, t.lane, (n.destination == d.destination) & (n.lane == d.lane))
        .where(d.destination == destination, t.is_waiting, ~out, sa.or_(n.dead == 0, ~dead_event))
        .group_by(d.lane)
        .having(
            sa.func.count(d.due_us) == 0,
            sa.or_(
                sa.func.max(n.standing).in_((int(Standing.PRESENT), int(Standing.RELEASED))), sa.func.min(d.event) == 0
            ),
        )
        .limit(at_most)
    )
    return wake(tx, destination, sorted(tx.execute(per_lane).scalars()), skip=True)


def wake(tx: Tx, destination: str, lanes: Sequence[str], *, skip: bool = False) -> int:
    """Make due the next of lanes that have just become free, where it has no due time. Returns how many it made due."""
    stranded = []
    for lane in lock_lanes(tx, destination, lanes, skip=skip).values() if lanes else ():
        choice = Choice(None) if lane.busy else choose(lane.waiting, lane.standing, dead_event=lane.dead_event)
        if choice.go is not None:
            stranded.append((tx.now_us, choice.superseded[0] if choice.superseded else choice.go))
    update_many(
        tx, t.dispatch, ("id",), ("due_us",), stranded, where="t.state = 'waiting' AND t.due_us IS NULL", exact=False
    )
    return len(stranded)


def tickets_of(tx: Tx, ids: Sequence[int]) -> list[Ticket]:
    """Build the tickets of queued dispatches, bodies and all, in the order of `ids`."""
    if not ids:
        return []
    rows = {row[0]: row for row in _TICKETS.rows(tx, ids=list(ids))}
    bodies = bodies_of(tx, {row[-3:] for row in rows.values()})
    tickets = []
    for id_ in ids:
        row = rows.get(id_)
        if row is not None:
            _, gen, to, kind, key, lane, standing, limit, tries, attempts, *_ = row
            tickets.append(
                Ticket(id_, gen, to, kind, key, lane, bodies[row[-3:]], tx.ledger, standing, limit, tries, attempts)
            )
    return tickets


def _tickets(postgres: bool) -> sa.Select[Any]:
    d, h, n, r = t.dispatch.c, t.head.c, t.lane.c, t.revision.c
    return (
        sa.select(
            d.id, d.gen, d.destination, d.kind, h.key, d.lane, n.standing, d.batch_limit, d.tries, d.attempts,
            r.arrival_id, r.offset_bytes, r.size_bytes,
        )
        .join_from(t.dispatch, t.head, h.id == d.head_id)
        .join(t.lane, (n.destination == d.destination) & (n.lane == d.lane))
        .join(t.revision, (r.head_id == d.head_id) & (r.number == d.number))
        .where(d.state == sa.literal_column("'queued'"), among(postgres, d.id, "ids"))
    )  # fmt: skip


def bodies_of(tx: Tx, places: set[tuple[int, int, int]]) -> dict[tuple[int, int, int], bytes]:
    """Read canonical bodies by (arrival, offset, size), unpacking each page once."""
    by_arrival: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for place in places:
        by_arrival[place[0]].append(place)
    found: dict[tuple[int, int, int], bytes] = {}
    for id_, packed in _PAGES.rows(tx, ids=list(by_arrival)) if places else ():
        page = unpack(packed)
        for place in by_arrival[id_]:
            found[place] = page[place[1] : place[1] + place[2]]
    return found


_TICKETS = Query(_tickets)
_PAGES = Query(
    lambda postgres: sa.select(t.arrival.c.id, t.arrival.c.records).where(among(postgres, t.arrival.c.id, "ids"))
)
