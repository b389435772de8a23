"""Asks a portal what it has already, a few dossiers at a time, and has the answers recorded (`hub adopt`).

The portal is asked from here; what it says goes to whoever may write the ledger: the running hub, or the ledger itself
where no hub runs. Then the sources are read first, to know what there is to ask about.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Protocol

from pydantic import TypeAdapter

from hub import registry
from hub.answers import load_answers
from hub.catch_up import catch_up, quiet_ledger
from hub.control import ask
from hub.ledger.adopting import Asked, candidates, judge, rows_of
from hub.ledger.bulk import Tx
from hub.ledger.engine import is_postgres, open_engine
from hub.ledger.ledger import wall_us
from hub.ledger.read import open_reader
from hub.operations import Adopting, BeginAdoption, EndAdoption, Operation, Place, TellAdoption
from hub.ports import AdapterContext, Destination
from hub.rulebook import rulebook
from hub.sections import Deployment
from schemas.errors import DestinationFault, OperationRefused

log = logging.getLogger(__name__)

TOGETHER = 10
"""Dossiers asked for under one deadline: portals answer one per call."""

PATIENCE_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Pauses before a portal that cannot be asked is asked again; then the run ends, to be gone on with."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a run did."""

    destination: str
    as_of: date
    complete: bool
    agencies: Mapping[str, Mapping[str, int]]
    """Per agency: dossiers `asked` about, `new` to the portal, `history` (all of it counts as delivered), `updates`
    (something of it is to be sent), and the `dispatches` that count as delivered."""
    gate: str
    problem: str = ""
    """Why it is not complete."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Sources that could not be read to their end, and why."""


class Ask(Protocol):
    """Has one operation performed; returns its result."""

    async def __call__(self, operation: Operation) -> Adopting: ...


async def adopt(
    deployment: Deployment,
    destination: str,
    *,
    as_of: date,
    per_s: float,
    who: str,
    why: str,
    read: bool = True,
    stopped: Callable[[], bool] = lambda: False,
    tell: Callable[[Mapping[str, Mapping[str, int]]], None] = lambda _: None,
) -> Adopted:
    """Ask about every dossier that waits for a portal which is not known to have it, and record the answers.

    `tell` hears the counts so far. Raises: OperationRefused for a portal that cannot be asked, LedgerFault,
    ConfigError.
    """
    portal = make(deployment, destination)
    try:
        async with _performing(deployment, read, stopped) as (perform, unread):
            at = await perform(BeginAdoption(who=who, why=why, destination=destination, as_of=as_of, at_most=TOGETHER))
            problem = ""
            try:
                deadline_s = deployment.destinations[destination].deadline_s
                while at.next and not stopped():
                    began_s = time.monotonic()
                    shown = await _shown(portal, at.next, deadline_s, stopped)
                    agencies = {one.number: one.agency for one in at.next}
                    said = TellAdoption(
                        who=who,
                        destination=destination,
                        shown=dict(shown),
                        agencies=agencies,
                        after=at.next[-1].number,
                        at_most=TOGETHER,
                    )
                    at = await perform(said)
                    tell(at.counts)
                    await asyncio.sleep(max(0.0, len(shown) / per_s - (time.monotonic() - began_s)))
            except DestinationFault as fault:
                problem = f"{destination} cannot be asked: {fault}"
            complete = not at.next and not problem
            at = await perform(EndAdoption(who=who, why=why, destination=destination, complete=complete))
            problem = problem or ("" if complete else "stopped")
            return Adopted(destination, as_of, complete, at.counts, at.gate, problem, unread)
    finally:
        await portal.close()


def make(deployment: Deployment, destination: str) -> Destination:
    """Make a portal's adapter. Raises: OperationRefused where it cannot be asked what it has; ConfigError."""
    section = deployment.destinations.get(destination)
    if section is None:
        named = ", ".join(sorted(deployment.destinations))
        raise OperationRefused(f"{deployment.file} has no destination {destination!r}; it has: {named}")
    answers = load_answers(section.answers or section.adapter, deployment.folder)
    portal = registry.destination(
        section.adapter, section.settings, AdapterContext(destination, deployment.folder, answers)
    )
    if not portal.can_look_up:
        mend = "leave history out instead: give the sources a start_from (docs/first-days.md)"
        raise OperationRefused(f"{destination} cannot be asked what it has; {mend}")
    return portal


async def rehearse(
    deployment: Deployment,
    destination: str,
    *,
    as_of: date,
    per_s: float,
    stopped: Callable[[], bool] = lambda: False,
    tell: Callable[[Mapping[str, Mapping[str, int]]], None] = lambda _: None,
) -> Adopted:
    """Ask as `adopt` does, from what the ledger has, and change nothing: what would become of it, per agency.

    Raises: OperationRefused for a portal that cannot be asked, LedgerFault where there is no ledger yet, ConfigError.
    """
    with open_reader(deployment.ledger.url):
        engine = open_engine(deployment.ledger.url, writer=False)
    portal = make(deployment, destination)
    counts: dict[str, Counter[str]] = {}
    after, problem, complete = "", "", False
    try:
        while not stopped():
            began_s = time.monotonic()
            with engine.connect() as connection:
                asked = candidates(Tx(connection, wall_us(), is_postgres(engine)), destination, after, TOGETHER)
            if not asked:
                complete = True
                break
            try:
                shown = await _shown(portal, asked, deployment.destinations[destination].deadline_s, stopped)
            except DestinationFault as fault:
                problem = f"{destination} cannot be asked: {fault}"
                break
            there = sorted(lane for lane, has in shown.items() if has)
            with engine.connect() as connection:
                rows = rows_of(Tx(connection, wall_us(), is_postgres(engine)), destination, there)
            for one in asked:
                of = counts.setdefault(one.agency, Counter())
                of["asked"] += 1
                of["new"] += not shown[one.number]
            for agency, found in judge(rows, as_of).counts.items():
                counts.setdefault(agency, Counter()).update(found)
            after = asked[-1].number
            tell(counts)
            await asyncio.sleep(max(0.0, len(asked) / per_s - (time.monotonic() - began_s)))
    finally:
        engine.dispose()
        await portal.close()
    plain = {agency: dict(of) for agency, of in counts.items()}
    return Adopted(destination, as_of, complete, plain, "", problem or ("" if complete else "stopped"))


async def _shown(
    portal: Destination, asked: Sequence[Asked], deadline_s: float, stopped: Callable[[], bool]
) -> Mapping[str, bool]:
    """Ask about a few dossiers, again and again for a while. Raises: DestinationFault."""
    for pause_s in (*PATIENCE_S, None):
        try:
            return await portal.look_up([one.number for one in asked], deadline_s)
        except DestinationFault as fault:
            if pause_s is None or stopped():
                raise
            log.warning("%s; asked again in %g s", fault, pause_s)
            await asyncio.sleep(pause_s)
    raise AssertionError("the last round returns or raises")


@asynccontextmanager
async def _performing(
    deployment: Deployment, read: bool, stopped: Callable[[], bool]
) -> AsyncIterator[tuple[Ask, Mapping[str, str]]]:
    """Reach whoever may write the ledger; without a running hub the sources are read first.

    With PostgreSQL a hub that runs keeps the lease of its sources: they are then left to it.
    """
    url = deployment.ledger.url
    result = TypeAdapter(Adopting)

    async def over_socket(operation: Operation) -> Adopting:
        answer: dict[str, Any] | None = await ask(url, operation)
        if answer is None:
            raise OperationRefused("the hub has just stopped: run it again to go on")
        return result.validate_python(answer)

    if await _somebody_listens(url):
        yield over_socket, {}
        return
    async with quiet_ledger(deployment) as ledger:
        unread = await catch_up(deployment, ledger, rulebook(deployment), stopped) if read else {}
        place = Place(ledger, deployment.file)

        async def here(operation: Operation) -> Adopting:
            return result.validate_python(asdict(await operation.perform(place)))

        yield here, unread


async def _somebody_listens(url: str) -> bool:
    from hub.control import socket_path

    path = socket_path(url)
    if path is None:
        return False
    with suppress(OSError):
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        return True
    return False
