"""Reads every source to its newest while nothing is sent: for commands that work on a ledger whose hub is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import sqlalchemy as sa

from hub import registry
from hub.ingest import Ingest
from hub.ledger import DestinationRules, Ledger, tables
from hub.ledger.bulk import Tx
from hub.ports import AdapterContext, Ticket
from hub.registers.in_force import in_force
from hub.rulebook import Rulebook
from hub.sections import Deployment
from hub.serving import TROUBLE


async def _nowhere(_: Sequence[Ticket]) -> None:
    """Nothing is queued, so there is nothing to publish."""


@asynccontextmanager
async def quiet_ledger(deployment: Deployment) -> AsyncIterator[Ledger]:
    """Open a ledger in which everything waits: no window, so nothing is born queued. Raises: LedgerFault."""
    rules = {name: DestinationRules(window=0) for name in deployment.destinations}
    ledger = Ledger(deployment.ledger.url, rules, sources=list(deployment.sources))
    await ledger.open(take_over=False)
    try:
        yield ledger
    finally:
        await ledger.close()


async def catch_up(
    deployment: Deployment,
    ledger: Ledger,
    rules: Rulebook,
    stopped: Callable[[], bool],
    *,
    leave: Sequence[str] = (),
) -> dict[str, str]:
    """Poll every source, but those to `leave`, until it has nothing new. Returns what is wrong with which source."""
    rules = await in_force(ledger, deployment, rules)
    names = [name for name in deployment.sources if name not in leave]
    found = await asyncio.gather(*(_read(deployment, ledger, rules, name, stopped) for name in names))
    return {name: problem for name, problem in zip(names, found, strict=True) if problem}


async def _read(deployment: Deployment, ledger: Ledger, rules: Rulebook, name: str, stopped: Callable[[], bool]) -> str:
    section = deployment.sources[name]
    source = registry.source(section.adapter, section.settings, AdapterContext(name, deployment.folder))
    ingest = Ingest(name, source, section.every_s, ledger, rules, _nowhere, TROUBLE)
    try:
        while not ingest.quiet and not stopped():
            if await ingest.poll_once():
                return await ledger.ask(partial(_problem, name=name)) or "its last poll failed"
        return "stopped before its end" if not ingest.quiet else ""
    finally:
        await source.close()
        await ledger.release_source(name)


def _problem(tx: Tx, name: str) -> str | None:
    found: str | None = tx.execute(sa.select(tables.source.c.problem).where(tables.source.c.name == name)).scalar()
    return found
