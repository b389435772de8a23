"""What all operations share: who does it and why, and where it is done."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from hub.ledger import Ledger
from hub.ledger.audit import By
from hub.ports import Ticket


async def _published_later(_: Sequence[Ticket]) -> None:
    """For a place without a bus: what is queued goes out when its lease has passed; nothing is queued there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation is performed: a running hub, or a ledger that was opened for it."""

    ledger: Ledger
    file: Path
    """The configuration, read anew by operations that need it: a mapping may have been mended since the start."""
    publish: Callable[[Sequence[Ticket]], Awaitable[None]] = _published_later
    reload: Callable[[By], Awaitable[Any]] | None = None
    """Of a running hub: takes the configuration on disk (`hub.app.App.reload`)."""


class Operation(BaseModel):
    """One thing that a person does; frozen, and the same on either side of the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    who: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    why: Annotated[str, StringConstraints(max_length=2000)] = ""

    @property
    def by(self) -> By:
        """For the ledger's `operation` table."""
        return By(self.who, self.why)

    @abstractmethod
    async def perform(self, place: Place) -> Any:
        """Do it; returns the operation's own result, a frozen dataclass. Raises: HubError, which the person reads."""
