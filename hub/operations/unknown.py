"""Deciding what became of dispatches whose outcome is not known (R8)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from hub.ledger.unknowns import Verdict
from hub.ledger.views import Decided
from hub.operations.operation import Operation, Place


class DecideUnknown(Operation):
    """Say of dispatches what a portal did not: that it took them, that they go again, or that nobody needs them."""

    ids: Annotated[tuple[int, ...], Field(min_length=1)]
    verdict: Verdict
    why: Annotated[str, StringConstraints(min_length=1, max_length=2000)]

    async def perform(self, place: Place) -> Decided:
        """Those whose outcome was known by then are left as they are, and named."""
        return await place.ledger.decide(self.ids, self.verdict, self.by)
