"""Which of a lane's waiting dispatches goes next, and which it overtakes (R6). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Standing(IntEnum):
    """What the ledger knows of a portal: whether it has the snapshot that a lane is about."""

    ABSENT = 0
    PRESENT = 1
    UNKNOWN = 2
    RELEASED = 3
    """It has it not, and a person discarded what it should have got: the events of the lane go all the same (R6)."""


@dataclass(slots=True)
class Waiting:
    """One waiting dispatch of a lane."""

    id: int
    head_id: int
    event: bool


@dataclass(slots=True)
class Choice:
    """The dispatch that goes next (None: nobody may), and the older snapshots that it makes needless."""

    go: int | None
    superseded: tuple[int, ...] = ()


def choose(waiting: Sequence[Waiting], standing: Standing, *, dead_event: int | None) -> Choice:
    """Choose from `waiting`, given in the lane's order (that of settling).

    `dead_event` is the first dead event of the lane: what stands behind it may not go. Of snapshots of one record with
    no event between them the newest goes. Where the portal is not known to have the record, events wait and the first
    run of snapshots goes before them: a step never passes its dossier, and a dossier that died is healed by its next
    revision. In a lane that a person released they go in their order.
    """
    if dead_event is not None:
        waiting = [row for row in waiting if row.id < dead_event]
    if not waiting:
        return Choice(None)
    first = 0
    if standing is not Standing.PRESENT and standing is not Standing.RELEASED:
        first = next((i for i, row in enumerate(waiting) if not row.event), -1)
        if first < 0:
            return Choice(None)
    elif waiting[0].event:
        return Choice(waiting[0].id)
    last = first
    while (
        last + 1 < len(waiting) and not waiting[last + 1].event and waiting[last + 1].head_id == waiting[first].head_id
    ):
        last += 1
    return Choice(waiting[last].id, tuple(row.id for row in waiting[first:last]))
