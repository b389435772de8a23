"""Pausing a destination, and letting it go on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hub.operations.operation import Operation, Place
from hub.yaml_lines import read
from schemas.errors import ConfigError, OperationRefused


@dataclass(frozen=True, slots=True)
class GateChanged:
    """How a gate stands after the operation; `changed` is False where it stood so before."""

    destination: str
    state: str
    changed: bool


class Pause(Operation):
    """Hold a destination until `Resume`. Performed once no claim is newer than the gate (R2).

    One that the configuration names may be paused before the hub was ever started.
    """

    destination: str

    async def perform(self, place: Place) -> GateChanged:
        """Raises: OperationRefused where neither the ledger nor the configuration knows such a destination."""
        return await _set(self, place, self.destination, "paused")


class Resume(Operation):
    """Open a destination's gate, whoever closed it: a portal that is still down is found out by the next request."""

    destination: str

    async def perform(self, place: Place) -> GateChanged:
        """Raises: OperationRefused where the ledger knows no such destination."""
        return await _set(self, place, self.destination, "open")


async def _set(operation: Operation, place: Place, destination: str, state: Literal["paused", "open"]) -> GateChanged:
    known = await place.ledger.destinations()
    if destination not in known and (state == "open" or destination not in configured(place.file)):
        named = ", ".join(known) or "none"
        raise OperationRefused(f"the ledger knows no destination {destination!r}; it knows: {named}")
    reason = f"{operation.who}: {operation.why}" if operation.why else operation.who
    changed = await place.ledger.set_gate(destination, state, reason, by=operation.by)
    return GateChanged(destination, state, changed)


def configured(file: Path) -> Collection[str]:
    """What the configuration names, whatever else is wrong with it."""
    try:
        found = read(file).data
    except ConfigError:
        return ()
    named = found.get("destinations") if isinstance(found, dict) else None
    return named if isinstance(named, dict) else ()
