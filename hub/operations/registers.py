"""Taking over the registers from the portal at once, instead of waiting for the time that the configuration says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub import registry
from hub.answers import load_answers
from hub.check import check
from hub.operations.operation import Operation, Place
from hub.ports import AdapterContext, Catalogues
from hub.registers.keeping import no_catalogues
from hub.registers.syncing import Synced, sync
from hub.sections import Deployment
from schemas.errors import ConfigError, OperationRefused
from schemas.local_time import LOCAL


@dataclass(frozen=True, slots=True)
class RegistersSynced:
    """What came of each register."""

    registers: Sequence[Synced]


class SyncRegisters(Operation):
    """Look at the portal's catalogues now. A running hub puts what has changed in force within a second or two."""

    only: tuple[str, ...] = ()
    """Only these registers; all that the configuration takes over where none is named."""
    force: bool = False
    """Whether a great loss of entries is believed."""

    async def perform(self, place: Place) -> RegistersSynced:
        """Raises: ConfigError; OperationRefused where the configuration takes none over."""
        deployment = await asyncio.to_thread(_deployment, place.file)
        section = deployment.registers
        if section is None:
            raise OperationRefused("the configuration takes no registers over; add 'registers: {from: national}'")
        strange = [name for name in self.only if name not in section.take]
        if strange:
            raise OperationRefused(f"{', '.join(strange)} is not taken over; registers.take: {', '.join(section.take)}")
        destination = deployment.destinations[section.source]
        answers = load_answers(destination.answers or destination.adapter, deployment.folder)
        context = AdapterContext(section.source, deployment.folder, answers)
        portal = registry.destination(destination.adapter, destination.settings, context)
        try:
            if not isinstance(portal, Catalogues):
                raise ConfigError([no_catalogues(section, destination.adapter)])
            done = [
                await sync(
                    place.ledger, portal, deployment, section, name, today=datetime.now(LOCAL).date(),
                    force=self.force, by=self.by,
                )
                for name in self.only or section.take
            ]  # fmt: skip
        finally:
            await portal.close()
        return RegistersSynced(done)


def _deployment(file: Path) -> Deployment:
    """The configuration on disk. Blocks; for a thread. Raises: ConfigError with every problem."""
    return asyncio.run(check(file, offline=True)).must_run()
