"""Refused items: doing them again after a mend, and writing down that a person has dealt with them otherwise."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from hub.check import check
from hub.ledger.items import ID, ItemFilter, Position
from hub.mend import NOT_CONFIGURED, PRUNED, UNREADABLE, redo_arrival
from hub.operations.operation import Operation, Place
from hub.registers.in_force import in_force
from hub.rulebook import Rulebook, rulebook
from hub.sections import Deployment
from schemas.errors import OperationRefused

ItemId: TypeAlias = Annotated[str, StringConstraints(pattern=ID)]


@dataclass(frozen=True, slots=True)
class ItemsRedone:
    """What became of the items that were done again; items = all that is counted here."""

    items: int
    became: Mapping[str, int] = field(default_factory=dict)
    """By what an item is now: accepted, duplicate, stale, no-route; parked and rejected where it is still refused. A
    page that could not be read counts with the items in it."""
    unreadable: int = 0
    """Pages and files, and items in them, that cannot be decoded now."""
    pruned: int = 0
    """Items whose bytes are not kept any more."""
    not_configured: int = 0
    """Items of sources that the configuration does not name any more."""
    gone: int = 0
    """Items of which the mappings now make nothing: they stay as they are."""


class RedoItems(Operation):
    """Do refused items again, those named by `ids`, else all that `wanted` means, with the configuration on disk."""

    ids: tuple[ItemId, ...] = ()
    wanted: ItemFilter = ItemFilter()

    async def perform(self, place: Place) -> ItemsRedone:
        """Raises: ConfigError with every problem of the configuration; OperationRefused for an id that is not there."""
        rules = await rules_now(place)
        pages: dict[int, set[Position]] = defaultdict(set)
        for arrival_id, position in await place.ledger.refused(self.ids, self.wanted):
            pages[arrival_id].add(position)
        became: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        total = 0
        for arrival_id, positions in pages.items():
            done = await redo_arrival(place.ledger, rules, place.publish, arrival_id, positions, self.by)
            if isinstance(done, str):
                failed[done] += len(positions)
                total += len(positions)
                continue
            counted = sum(done.counts.values())
            became.update({state.value: count for state, count in done.counts.items()})
            failed["gone"] += max(0, len(positions) - counted)
            total += max(len(positions), counted)
        return ItemsRedone(
            total, dict(sorted(became.items())), failed[UNREADABLE], failed[PRUNED], failed[NOT_CONFIGURED],
            failed["gone"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ItemsDismissed:
    """How many items were dismissed; those that had been before are not counted."""

    items: int


class DismissItems(Operation):
    """Write down that a person has dealt with refused items, so that they are not listed any more."""

    ids: tuple[ItemId, ...] = ()
    wanted: ItemFilter = ItemFilter()

    async def perform(self, place: Place) -> ItemsDismissed:
        """Raises: OperationRefused without a reason, or for an id that is not there."""
        if not self.why.strip():
            raise OperationRefused("to dismiss items a reason is needed: what was done about them? (--why)")
        return ItemsDismissed(await place.ledger.dismiss(self.ids, self.wanted, self.by))


async def rules_now(place: Place) -> Rulebook:
    """The rules that the configuration on disk says at this moment, with their number. Raises: ConfigError with every
    problem."""

    def compiled() -> tuple[Deployment, Rulebook]:
        deployment = asyncio.run(check(place.file, offline=True)).must_run()
        return deployment, rulebook(deployment)

    deployment, rules = await asyncio.to_thread(compiled)
    return await in_force(place.ledger, deployment, rules)
