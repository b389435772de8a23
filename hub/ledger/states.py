"""The states of items and dispatches, and the one table of which may follow which (docs/architecture.md, "States").

Pure: imported by everything in the ledger that changes a state, and by the tests that walk the table.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from types import MappingProxyType

from schemas.errors import IllegalTransition


class ItemState(StrEnum):
    """The end of one record inside an arrival."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    STALE = "stale"
    REJECTED = "rejected"
    PARKED = "parked"
    NO_ROUTE = "no-route"


class DispatchState(StrEnum):
    """Where one revision stands on its way to one destination."""

    WAITING = "waiting"
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"


_S = DispatchState

FOLLOWS = MappingProxyType(
    {
        _S.WAITING: frozenset({_S.QUEUED, _S.SUPERSEDED, _S.DISCARDED, _S.DELIVERED}),
        _S.QUEUED: frozenset({_S.QUEUED, _S.SENDING, _S.WAITING, _S.DELIVERED}),
        _S.SENDING: frozenset({_S.DELIVERED, _S.WAITING, _S.DEAD, _S.UNKNOWN}),
        _S.UNKNOWN: frozenset({_S.DELIVERED, _S.WAITING, _S.DEAD, _S.DISCARDED}),
        _S.DEAD: frozenset({_S.WAITING, _S.SUPERSEDED, _S.DISCARDED, _S.DELIVERED}),
        _S.DELIVERED: frozenset[DispatchState](),
        _S.SUPERSEDED: frozenset({_S.DELIVERED}),
        _S.DISCARDED: frozenset({_S.DELIVERED}),
    }
)
"""Which state may follow which. `delivered` follows each by a late success, which is believed (R7)."""


class Phase(IntEnum):
    """What the indexes know of a state.

    They cannot stand on the state itself: every claim changes it, and a database then writes each index of the row
    anew. A claim leaves the phase as it is.
    """

    WAITING = 0
    OUT = 1
    DEAD = 2
    ENDED = 3


PHASE = MappingProxyType(
    {
        _S.WAITING: Phase.WAITING,
        _S.QUEUED: Phase.OUT,
        _S.SENDING: Phase.OUT,
        _S.UNKNOWN: Phase.OUT,
        _S.DEAD: Phase.DEAD,
        _S.DELIVERED: Phase.ENDED,
        _S.SUPERSEDED: Phase.ENDED,
        _S.DISCARDED: Phase.ENDED,
    }
)


def becomes(after: str, *, was: str = "") -> str:
    """Return the SQL that sets a dispatch's state; the phase too, unless all rows come from `was`, of the same
    phase."""
    phase = PHASE[DispatchState(after)]
    same = was and PHASE[DispatchState(was)] == phase
    return f"state = '{after}'" if same else f"state = '{after}', phase = {int(phase)}"


def step(before: DispatchState, after: DispatchState) -> DispatchState:
    """Return `after`. Raises: IllegalTransition where the table does not have the step."""
    if after not in FOLLOWS[before]:
        raise IllegalTransition(f"a dispatch cannot go from {before} to {after}")
    return after
