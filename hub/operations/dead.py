"""What people do about dead letters: send them again, discard them, correct their records."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from hub.correction import corrected, remapped
from hub.ledger.replay import AT_MOST
from hub.ledger.views import Corrected, DiscardResult, ReplayResult
from hub.operations.operation import Operation, Place
from hub.publish import to_the_end
from hub.registers.in_force import in_force
from hub.rulebook import rulebook
from hub.settings import load
from schemas.errors import OperationRefused

LARGEST_ID = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Ids = Annotated[tuple[Id, ...], Field(max_length=AT_MOST)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Replay(Operation):
    """Send dead letters again (R11). Numbers that are not dead are left alone."""

    ids: Ids

    async def perform(self, place: Place) -> ReplayResult:
        return await place.ledger.replay(self.ids, self.by)


class Discard(Operation):
    """End dead letters for good; what waited behind them goes (R6). Numbers that are not dead are left alone."""

    why: Reason
    ids: Ids

    async def perform(self, place: Place) -> DiscardResult:
        return await place.ledger.discard(self.ids, self.by)


class Correct(Operation):
    """Make a corrected revision of a dead letter's record: of given values, or by mapping its row again (R9, 6)."""

    why: Reason
    dispatch_id: Id
    changes: dict[str, str] = Field(default_factory=dict)
    """By field, as a person writes values; an empty text takes the value away."""
    remap: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Correct:
        if self.remap == bool(self.changes):
            raise ValueError("either changes or remap")
        return self

    async def perform(self, place: Place) -> Corrected:
        """Raises: OperationRefused; ConfigError where the mappings or the routes cannot be read."""
        try:
            found = await place.ledger.dead_letter(self.dispatch_id)
        except KeyError:
            raise OperationRefused(f"there is no dead letter #{self.dispatch_id}") from None
        key = place.ledger.digest_key
        # Read anew: a mapping may have been mended since the hub was started.
        deployment = await asyncio.to_thread(load, place.file)
        rules = await in_force(place.ledger, deployment, await asyncio.to_thread(rulebook, deployment))
        if self.remap:
            made = await asyncio.to_thread(remapped, found, rules, key)
        else:
            made = corrected(found, self.changes, rules, key)
        made = replace(made, configuration=rules.configuration)

        async def doing() -> Corrected:
            done, tickets = await place.ledger.correct(made, self.by)
            await place.publish(tickets)
            return done

        return await to_the_end(doing())
