"""Makes the dispatches of what was accepted, under the lock of the lanes (R5): born queued where lane, gate and window
allow (R1, R2), else waiting. Returns the tickets to publish after the commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.ledger import tables as t
from hub.ledger.accept import Accepted
from hub.ledger.bulk import Tx, allocate, insert_many
from hub.ledger.gates import gate_of
from hub.ledger.lane_locks import LockedLane, lock_lanes, queued_count
from hub.ledger.lanes import Waiting, choose
from hub.ledger.states import Phase
from hub.ledger.values import SECOND_US, DestinationRules
from hub.ports import Ticket

_DISPATCH = ("id", "destination", "lane", "kind", "head_id", "number", "event", "state", "phase", "gen", "due_us",
             "queued_until_us", "reason", "created_us")  # fmt: skip

_WAITING, _OUT = int(Phase.WAITING), int(Phase.OUT)

_Numbered = tuple[int, Accepted]


def dispatch(tx: Tx, accepted: Iterable[Accepted], rules: Mapping[str, DestinationRules]) -> list[Ticket]:
    """Make one dispatch per record and destination, in the order of the records."""
    wanted: dict[str, list[Accepted]] = defaultdict(list)
    for entry in accepted:
        for destination in entry.candidate.destinations:
            wanted[destination].append(entry)
    tickets: list[Ticket] = []
    for destination in sorted(wanted):
        tickets += _of_destination(tx, destination, wanted[destination], rules[destination])
    return tickets


def _of_destination(tx: Tx, destination: str, entries: Sequence[Accepted], rules: DestinationRules) -> list[Ticket]:
    lanes: dict[str, list[_Numbered]] = defaultdict(list)
    locked = lock_lanes(tx, destination, sorted({entry.candidate.lane for entry in entries}), create=True)
    for id_, entry in zip(allocate(tx, t.dispatch, len(entries)), entries, strict=True):
        lanes[entry.candidate.lane].append((id_, entry))
    gate = gate_of(tx, destination)
    room = rules.window - queued_count(tx, destination) if gate.open else 0
    shut = None if gate.open else f"gate {gate.state}: {gate.reason}"
    until_us = tx.now_us + int(rules.queued_s * SECOND_US)
    tickets: list[Ticket] = []
    rows: list[tuple[Any, ...]] = []
    for lane, fresh in lanes.items():
        standing = int(locked[lane].standing)
        front = _front(locked[lane], fresh)
        for id_, entry in fresh:
            c = entry.candidate
            state, phase, gen, due_us, queued_us, reason = "waiting", _WAITING, 0, None, None, None
            if id_ == front and room > 0:
                room -= 1
                state, phase, gen, queued_us = "queued", _OUT, 1, until_us
                tickets.append(Ticket(id_, 1, destination, c.kind, c.key, lane, c.body, tx.ledger, standing))
            elif id_ == front:
                due_us, reason = tx.now_us, shut
            rows.append(
                (id_, destination, lane, c.kind, entry.head_id, entry.number, int(c.event), state, phase, gen, due_us,
                 queued_us, reason, tx.now_us)
            )  # fmt: skip
    insert_many(tx, t.dispatch, _DISPATCH, rows)
    return tickets


def _front(lane: LockedLane, fresh: Sequence[_Numbered]) -> int | None:
    """Which of the new dispatches may start: none where one is out, or an earlier one is already able to go."""
    if lane.busy:
        return None
    if len(fresh) == 1 and not lane.waiting and not fresh[0][1].candidate.event:
        # What `choose` says of one snapshot in an empty lane, for nearly every new dossier.
        return fresh[0][0] if lane.dead_event is None else None
    if choose(lane.waiting, lane.standing, dead_event=lane.dead_event).go is not None:
        return None
    new = [Waiting(id_, entry.head_id, entry.candidate.event) for id_, entry in fresh]
    chosen = choose(new, lane.standing, dead_event=lane.dead_event)
    # Of a run of snapshots in one page the oldest starts; the newest overtakes the rest when the lane is promoted.
    return chosen.superseded[0] if chosen.superseded else chosen.go
