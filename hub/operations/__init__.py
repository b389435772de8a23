"""What people may do to a running hub, as values: each operation is a model that travels as JSON and can be performed.

    result = await Pause(who="lan", why="…", destination="national").perform(place)

A new operation is one class in a module here and one line in OPERATIONS. Commands make them and have them performed by
`hub.cli.operating`: by the running hub itself where it alone may write its ledger (`hub.control`), else on the spot.
"""

from __future__ import annotations

from types import MappingProxyType

from hub.operations.adopt import Adopting, BeginAdoption, EndAdoption, TellAdoption
from hub.operations.backfill import Backfill, BackfillBatch
from hub.operations.dead import Correct, Discard, Replay
from hub.operations.gates import GateChanged, Pause, Resume
from hub.operations.items import DismissItems, ItemsDismissed, ItemsRedone, RedoItems
from hub.operations.operation import Operation, Place
from hub.operations.registers import RegistersSynced, SyncRegisters
from hub.operations.reload import Reload
from hub.operations.unknown import DecideUnknown

__all__ = [
    "OPERATIONS",
    "Adopting",
    "Backfill",
    "BackfillBatch",
    "BeginAdoption",
    "Correct",
    "DecideUnknown",
    "Discard",
    "DismissItems",
    "EndAdoption",
    "GateChanged",
    "ItemsDismissed",
    "ItemsRedone",
    "Operation",
    "Pause",
    "Place",
    "RedoItems",
    "RegistersSynced",
    "Reload",
    "Replay",
    "Resume",
    "SyncRegisters",
    "TellAdoption",
]

_ALL: tuple[type[Operation], ...] = (
    Backfill,
    BeginAdoption,
    Correct,
    DecideUnknown,
    Discard,
    DismissItems,
    EndAdoption,
    Pause,
    RedoItems,
    Reload,
    Replay,
    Resume,
    SyncRegisters,
    TellAdoption,
)
OPERATIONS = MappingProxyType({one.__name__: one for one in _ALL})
"""Every operation by the name that it travels under."""
