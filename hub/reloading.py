"""Takes another configuration into a running hub: read whole, refused whole, or in force for every page from then on.

    done = await Reloading(serving, ledger, bus, file, overrides).reload(By("lan", "a new code"))

Until the one commit that says what this process runs, nothing is changed; after it the exchange awaits nothing. So a
process that is killed in the middle has run one configuration or the other, and the next start reads what is on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import sqlalchemy as sa

from hub.configured import Configured, Differences, configured, differences, needs_restart
from hub.kill_points import kill_point
from hub.ledger import Ledger
from hub.ledger import tables as t
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx
from hub.ledger.configurations import Asked, asked, in_files, refuses, remember, runs
from hub.ledger.values import Version
from hub.maintaining import Calendar, keep_once
from hub.ports import Bus
from hub.registers.in_force import complete
from hub.serving import Serving
from hub.version import version_of
from hub.yaml_lines import read
from schemas.errors import ConfigError, HubError, OperationRefused, Problem

log = logging.getLogger(__name__)

PAGE_S = 60.0
"""How long a reload waits for the pages that are being settled; a ledger that cannot be written holds them."""

LOOK_S = 1.0
"""Between two looks for a request to all processes."""

COPIED_S = 15.0
"""For so long a process waits for the files of the version that it was asked to run."""

Renewing: TypeAlias = Callable[[Configured], Awaitable[Configured]]
"""Makes of the configuration in force another one with the same sources and destinations."""


@dataclass(frozen=True, slots=True)
class Process:
    """What became of a reload in one process."""

    worker: str
    configuration: int | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did."""

    configuration: int
    before: int | None
    """The number of the configuration that ran before; the same where no text differs."""
    changes: Sequence[str] = ()
    """`changed mapping one-stop-rest/dossier`, `new source so-y-te`."""
    warnings: Sequence[str] = ()
    processes: Sequence[Process] = ()
    """Of several hubs on one ledger, what each of them runs now."""


@dataclass(slots=True)
class Reloading:
    """Reloads one process, one request after the other."""

    serving: Serving
    ledger: Ledger
    bus: Bus
    overrides: Mapping[str, str]
    heard: int = 0
    """The last request to all processes that this one dealt with."""
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self) -> None:
        """Number what this process starts with, and write down that it runs it."""
        self.heard = (await self.ledger.ask(asked)).request
        now = self.serving.runs
        version = await asyncio.to_thread(version_of, now.deployment, now.rules)
        now = await complete(self.ledger, replace(now, version=version))
        number = await self.ledger.commit(partial(self._runs, version=now.version))
        self.serving.runs = replace(now, rules=replace(now.rules, configuration=number))

    def _runs(self, tx: Tx, version: Version) -> int:
        number = remember(tx, version)
        runs(tx, self.ledger.worker, number, self.heard)
        return number

    async def reload(self, by: By | None, heard: int | None = None) -> Reloaded:
        """Take the configuration on disk. Raises: ConfigError with every problem, OperationRefused; the hub then goes
        on with the one that it has."""
        async with self._one:
            return await self._take(await self._on_disk(), by, heard)

    async def _on_disk(self) -> Configured:
        """The configuration on disk, with the registers that the ledger has. Raises: ConfigError."""
        found = await asyncio.to_thread(configured, self.serving.runs.deployment.file, self.overrides)
        return await complete(self.ledger, found)

    async def _take(self, found: Configured, by: By | None, heard: int | None) -> Reloaded:
        serving, now = self.serving, self.serving.runs
        needs_restart(now.deployment, found.deployment)
        differ = differences(now, found)
        await self.ledger.ask(partial(_nothing_open, removed=differ.destinations.removed, found=found))
        made = serving.make(
            found.deployment,
            (*differ.sources.new, *differ.sources.changed),
            (*differ.destinations.new, *differ.portals),
        )
        try:
            await self._prepare(found, differ)
            async with asyncio.timeout(PAGE_S) as limit, serving.between_pages():
                limit.reschedule(None)  # a commit cannot be taken back
                taking = partial(self._taking, found=found, differ=differ, by=by, heard=heard)
                kill_point("before-reload")
                number = await self.ledger.commit(taking)
                kill_point("after-reload")
                rules = replace(found.rules, configuration=number)
                ending = serving.exchange(replace(found, rules=rules), differ, made)
        except TimeoutError:
            await made.close()
            said = f"no page could be settled for {PAGE_S:g} s, see `hub queues`: the hub goes on with what it has"
            raise OperationRefused(said) from None
        except BaseException:
            await made.close()
            raise
        if heard is not None:
            self.heard = heard
        changes = _changes(differ)
        log.warning("configuration #%d is in force: %s", number, ", ".join(changes) or "no text differs")
        if "intake" in serving.roles:
            serving.begin_mending()
        await ending
        warnings = [str(problem) for problem in found.warnings]
        return Reloaded(number, now.rules.configuration, changes, warnings)

    async def _prepare(self, found: Configured, differ: Differences) -> None:
        """Make what new sources and destinations need; whoever does not know them yet takes no notice."""
        serving, d = self.serving, found.deployment
        await self.bus.add(differ.destinations.new)
        await self.ledger.make_room_for(differ.destinations.new, differ.sources.new)
        for name in differ.destinations.new if "relay" in serving.roles else ():
            section = d.destinations[name]
            announced = [one.announced() for one in section.maintenance]
            await keep_once(self.ledger, name, Calendar(announced, section.deadline_s))

    def _taking(self, tx: Tx, found: Configured, differ: Differences, by: By | None, heard: int | None) -> int:
        """The one commit: nothing is open at what is removed, and this process runs the version."""
        _nothing_open(tx, differ.destinations.removed, found)
        number = remember(tx, found.version)
        runs(tx, self.ledger.worker, number, self.heard if heard is None else heard)
        if by is not None:
            note(tx, by, "reload", f"configuration #{number}", detail={"changes": _changes(differ)})
        return number

    async def renew(self, renewing: Renewing) -> None:
        """Go by what `renewing` makes of the configuration in force, which no reload exchanges meanwhile."""
        async with self._one:
            found = await renewing(self.serving.runs)
            async with self.serving.between_pages():
                number = await self.ledger.commit(partial(self._runs, version=found.version))
                self.serving.runs = found
                self.serving.renew(replace(found.rules, configuration=number))

    # --- several processes --------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Do what all processes are asked to, for ever."""
        last = await self.ledger.ask(asked)
        if last.request and last.configuration != self.serving.runs.rules.configuration:
            await self._catch_up(last)
        while True:
            await asyncio.sleep(LOOK_S)
            request = await self.ledger.ask(asked)
            if request.request > self.heard:
                await self._obey(request)

    async def _catch_up(self, last: Asked) -> None:
        """What was asked while this process started, after it had read its files, it takes now."""
        wanted = await self.ledger.ask(partial(in_files, number=last.configuration))
        if wanted == self.serving.runs.version.in_files:
            return
        with suppress(ConfigError):
            if (await self._on_disk()).version.in_files == wanted:
                await self._obey(last)

    async def _obey(self, request: Asked) -> None:
        try:
            await self._have(request)
            await self.reload(None, request.request)
        except HubError as error:
            log.error("asked to run configuration #%d, goes on as before: %s", request.configuration, error)
            refusing = partial(refuses, worker=self.ledger.worker, heard=request.request, why=str(error))
            await self.ledger.commit(refusing)
            self.heard = request.request

    async def _have(self, request: Asked) -> None:
        """Wait until the files on this machine are those of the version. Raises: OperationRefused, ConfigError."""
        wanted = await self.ledger.ask(partial(in_files, number=request.configuration))
        file = self.serving.runs.deployment.file
        until_s = asyncio.get_running_loop().time() + COPIED_S
        while True:
            found = await self._on_disk()
            if found.version.in_files == wanted:
                return
            if asyncio.get_running_loop().time() > until_s:
                break
            await asyncio.sleep(LOOK_S)
        where = f"{file} on {found.version.host}"
        said = f"the files of {where} are not those of configuration #{request.configuration}"
        raise OperationRefused(f"{said}: copy them there, then ask again")


def _changes(differ: Differences) -> list[str]:
    said = [f"{text} differs" for text in differ.parts]
    for what, change in (("source", differ.sources), ("destination", differ.destinations)):
        for how in ("new", "changed", "removed"):
            said += [f"{how} {what} {name}" for name in getattr(change, how)]
    return said


def _nothing_open(tx: Tx, removed: Sequence[str], found: Configured) -> None:
    """Raises: ConfigError where something is still on its way to a destination that is to be removed."""
    d = t.dispatch.c
    problems = []
    for name in removed:
        mine = sa.select(sa.func.count()).select_from(t.dispatch).where(d.destination == name)
        count = sum(tx.execute(mine.where(phase)).scalar_one() for phase in (t.is_waiting, t.is_out))
        if count:
            said = f"destinations.{name} is gone from the file, and {count:,} dispatches to it are still open"
            mend = "put it back without a route to it, reload, and remove it once `hub queues` shows nothing open"
            document = read(found.deployment.file)
            where = document.line(("destinations",))
            problems.append(Problem("destination-in-use", said, mend, document.file, where))
    if problems:
        raise ConfigError(problems)
