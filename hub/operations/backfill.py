"""Making the dispatches that the routes now in force ask for and that were never made, a batch at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from hub.admission import again
from hub.ledger.audit import note
from hub.ledger.backfill import Filled, fill, wait_for_their_turn
from hub.ledger.bulk import Tx
from hub.ledger.left_out import arrivals_with_left_out, before_start, let_in
from hub.ledger.states import ItemState
from hub.ledger.values import Settlement, to_us
from hub.operations.operation import Operation, Place
from hub.registers.in_force import in_force
from hub.rulebook import Rulebook, rulebook
from hub.sections import Deployment
from hub.settings import load
from schemas.errors import OperationRefused

READ = 20
"""Arrivals read again per batch: each is a page of records."""


@dataclass(frozen=True, slots=True)
class BackfillBatch:
    """What one batch did, and where the next one goes on."""

    stage: int
    after: int
    done: bool
    let_in: int = 0
    """Records that were left out before, and are settled now."""
    made: dict[str, int] = field(default_factory=dict)
    """Dispatches of records that the ledger had already, per destination."""


class Backfill(Operation):
    """One batch of a backfill; begins with the defaults, goes on with the `stage` and `after` of the batch before.

    The first two stages read again what was left out (twice, since a step may stand before its dossier), the last goes
    through the records that the ledger has.
    """

    destination: str | None = None
    """Only what goes to this one; None is all."""
    stage: Annotated[int, Field(ge=0, le=2)] = 0
    after: int = 0
    at_most: Annotated[int, Field(ge=1, le=10_000)] = 500

    async def perform(self, place: Place) -> BackfillBatch:
        """Raises: ConfigError, OperationRefused where the configuration has no such destination."""
        # Compiling takes a while, and others are served meanwhile.
        deployment = await asyncio.to_thread(load, place.file)
        if self.destination is not None and self.destination not in deployment.destinations:
            named = ", ".join(sorted(deployment.destinations))
            raise OperationRefused(f"{place.file} has no destination {self.destination!r}; it has: {named}")
        if self.stage < 2:
            rules = await asyncio.to_thread(rulebook, deployment)
            return await self._read_again(place, await in_force(place.ledger, deployment, rules))
        return await self._fill(place, deployment)

    async def _read_again(self, place: Place, rules: Rulebook) -> BackfillBatch:
        still = {name: before_start(start_us) for name, start_us in rules.start_from_us.items()}
        ids = await place.ledger.ask(
            lambda tx: arrivals_with_left_out(tx, sorted(rules.inbound), still, self.after, READ)
        )
        let = 0
        for arrival_id in ids:
            settlement = await again(place.ledger, rules, arrival_id)
            if settlement is None:
                continue
            wanted = [c for c in settlement.candidates if self.destination in (None, *c.destinations)]
            let += await self._let_in(place, arrival_id, replace(settlement, candidates=wanted, refusals=()))
        if len(ids) < READ:
            return BackfillBatch(self.stage + 1, 0, False, let)
        return BackfillBatch(self.stage, ids[-1], False, let)

    async def _let_in(self, place: Place, arrival_id: int, settlement: Settlement) -> int:
        def letting(tx: Tx) -> int:
            count = let_in(tx, arrival_id, settlement, wait_for_their_turn).counts.get(ItemState.ACCEPTED, 0)
            if count:
                note(tx, self.by, "backfill", self.destination or "all", count=count, detail={"arrival": arrival_id})
            return count

        return await place.ledger.commit(letting)

    async def _fill(self, place: Place, deployment: Deployment) -> BackfillBatch:
        rules = Rulebook({}, {}, deployment.routes, deployment.agencies)
        start = {name: to_us(source.start_from) for name, source in deployment.sources.items() if source.start_from}
        to = [self.destination] if self.destination else sorted(deployment.destinations)

        def filling(tx: Tx) -> Filled:
            filled = fill(tx, to, rules.route, start, self.after, self.at_most)
            if filled.made:
                note(tx, self.by, "backfill", self.destination or "all", count=sum(filled.made.values()),
                     detail={"made": filled.made})  # fmt: skip
            return filled

        filled = await place.ledger.commit(filling)
        return BackfillBatch(2, filled.after, filled.looked < self.at_most, 0, filled.made)
