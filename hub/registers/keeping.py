"""Keeps the registers of a running hub: looks at the portal when it is time, and puts in force what has changed.

One process of several looks; each puts in force for itself, by the versions in the ledger, whoever looked. Both go by
the configuration that is in force at the moment: a reload may add the section, change it or take it away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from hub.ledger import Ledger
from hub.ledger.values import REGISTER, Part
from hub.ports import Catalogues, Destination
from hub.registers.in_force import complete, parts
from hub.registers.syncing import due_at, sync
from hub.sections import RegistersSection
from schemas.errors import ConfigError, Problem
from schemas.local_time import LOCAL

if TYPE_CHECKING:
    from hub.configured import Configured

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at the versions in the ledger, and at the clock."""


def no_catalogues(section: RegistersSection, adapter: str) -> Problem:
    """What is wrong where the destination that is named shows no catalogues."""
    said = f"registers.from: the adapter {adapter} of {section.source!r} shows no catalogues"
    return Problem("no-catalogues", said, "name a destination whose portal does (adapter dvcqg)")


@dataclass(slots=True)
class Keeping:
    """Serves one process; `look` and `follow` run until they are cancelled."""

    ledger: Ledger
    runs: Callable[[], Configured]
    """The configuration in force."""
    portal: Callable[[str], Destination | None]
    """A destination's adapter; None while it is exchanged."""
    renew: Callable[[Callable[[Configured], Awaitable[Configured]]], Awaitable[None]]
    """Puts in force what is made of the configuration in force."""
    now: Callable[[], datetime] = lambda: datetime.now(LOCAL)
    _begun: set[str] = field(default_factory=set)
    """Registers that this process has begun to look at and not ended, such as when the adapter was exchanged."""

    async def look(self) -> None:
        """Look at the portal whenever it is time."""
        while True:
            await self.turn()
            await asyncio.sleep(LOOK_S)

    async def turn(self) -> None:
        """Look at what is due and nobody else looks at. Raises: ConfigError where the portal shows no catalogues."""
        deployment = self.runs().deployment
        section = deployment.registers
        catalogues = self.catalogues()
        if section is None or catalogues is None:
            return
        for register in section.take:
            now = self.now()
            state = await self.ledger.register_state(register)
            due = now if register in self._begun else due_at(section, state, now)
            if due > now:
                continue
            due_us = int(due.timestamp() * 1_000_000)
            if await self.ledger.take_register(register, due_us, section.deadline_s + 60.0):
                self._begun.add(register)
                today = now.astimezone(LOCAL).date()
                await sync(self.ledger, catalogues, deployment, section, register, today=today)
            self._begun.discard(register)

    def catalogues(self) -> Catalogues | None:
        """The portal that is looked at; None where there is none. Raises: ConfigError where it shows no catalogues."""
        deployment = self.runs().deployment
        section = deployment.registers
        portal = None if section is None else self.portal(section.source)
        if section is not None and portal is not None and not isinstance(portal, Catalogues):
            raise ConfigError([no_catalogues(section, deployment.destinations[section.source].adapter)])
        return portal if isinstance(portal, Catalogues) else None

    async def follow(self) -> None:
        """Put in force what has changed, without a restart, and have done again what was parked."""
        while True:
            await self.put_in_force()
            await asyncio.sleep(LOOK_S)

    async def put_in_force(self) -> None:
        """Go by the registers that the ledger has, where they are others than those in force."""
        section = self.runs().deployment.registers
        if section is None:
            return
        wanted = parts(section, await self.ledger.register_versions())
        if wanted != self._in_force():
            await self.renew(partial(complete, self.ledger))
            told = ", ".join(f"{one.name} {(one.text or '').strip()}" for one in self._in_force())
            log.info("registers put in force: %s", told)

    def _in_force(self) -> tuple[Part, ...]:
        return tuple(one for one in self.runs().version.parts if one.role == REGISTER)
