"""Keeps the registers of a running hub: looks at the portal when it is time, and puts in force what has changed.

One process of several looks; each puts in force for itself, by the versions in the ledger, whoever looked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from hub.ledger import Ledger
from hub.ports import Catalogues
from hub.registers.merging import Registers, merge
from hub.registers.syncing import due_at, sync
from hub.rulebook import Rulebook
from hub.sections import Deployment, RegistersSection
from schemas.errors import ConfigError, Problem
from schemas.local_time import LOCAL

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at the versions in the ledger, and at the clock."""


def no_catalogues(section: RegistersSection, adapter: str) -> Problem:
    """What is wrong where the destination that is named shows no catalogues."""
    said = f"registers.from: the adapter {adapter} of {section.source!r} shows no catalogues"
    return Problem("no-catalogues", said, "name a destination whose portal does (adapter dvcqg)")


def written(deployment: Deployment) -> Registers:
    """What is written by hand."""
    return Registers(deployment.agencies, deployment.procedures)


async def registered(ledger: Ledger, deployment: Deployment, rules: Rulebook) -> Rulebook:
    """The rules with the registers that the ledger has, where the configuration takes any over.

    What the configuration takes over no more is not in force, whatever is kept of it.
    """
    if deployment.registers is None:
        return rules
    taken = deployment.registers.take
    entries = [entry for entry in await ledger.register_entries() if entry.register in taken]
    try:
        merged, differ = await asyncio.to_thread(merge, written(deployment), entries)
    except ConfigError as error:
        log.error("what is kept of the portal's catalogues cannot be put in force, the files alone are: %s", error)
        return rules
    for one in differ:
        log.warning("%s", one)
    return replace(rules, agencies=merged.agencies, procedures=merged.procedures)


@dataclass(slots=True)
class Keeping:
    """Serves one process; `look` and `follow` run until they are cancelled."""

    ledger: Ledger
    deployment: Deployment
    catalogues: Catalogues
    rules: Callable[[], Rulebook]
    renew: Callable[[Rulebook], Awaitable[None]]
    now: Callable[[], datetime] = lambda: datetime.now(LOCAL)
    _in_force: dict[str, int] = field(default_factory=dict)

    async def begin(self) -> Rulebook:
        """The rules to begin with: what the ledger has, whether or not the portal can be asked."""
        self._in_force = await self.ledger.register_versions()
        return await registered(self.ledger, self.deployment, self.rules())

    async def look(self) -> None:
        """Look at the portal whenever it is time."""
        while True:
            await self.turn()
            await asyncio.sleep(LOOK_S)

    async def turn(self) -> None:
        """Look at what is due and nobody else looks at."""
        section = self.deployment.registers
        assert section is not None
        for register in section.take:
            now = self.now()
            due = due_at(section, await self.ledger.register_state(register), now)
            if due > now:
                continue
            due_us = int(due.timestamp() * 1_000_000)
            if await self.ledger.take_register(register, due_us, section.deadline_s + 60.0):
                today = now.astimezone(LOCAL).date()
                await sync(self.ledger, self.catalogues, self.deployment, section, register, today=today)

    async def follow(self) -> None:
        """Put in force what has changed, without a restart, and have done again what was parked."""
        while True:
            versions = await self.ledger.register_versions()
            if versions != self._in_force:
                await self.renew(await registered(self.ledger, self.deployment, self.rules()))
                self._in_force = versions
                log.info("registers put in force: %s", ", ".join(f"{n} {v}" for n, v in sorted(versions.items())))
            await asyncio.sleep(LOOK_S)
