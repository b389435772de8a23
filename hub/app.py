"""A running hub: makes what a configuration names, keeps its loops alive, and stops them cleanly.

    app.run(deployment, roles=frozenset(ROLES), once=False, stop=event)

A loop that fails by a defect is logged, what it was sending becomes unknown, and it starts again after a pause; the
others do not notice. The loops themselves are `hub.ingest`, `hub.publish` and `hub.deliver`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from hub import kill_points
from hub.bus import open_bus
from hub.configured import Configured
from hub.control import listening
from hub.deliver import GRACE_S
from hub.ingest import Ingest
from hub.ledger import DestinationRules, Ledger
from hub.ledger.audit import By
from hub.ledger.ledger import HEARTBEAT_S, WORKER_TTL_S, wall_us
from hub.ledger.read import open_reader
from hub.ledger.values import Version
from hub.loops import Loops
from hub.operations import Place
from hub.ports import Bus
from hub.publish import Relay
from hub.registers.keeping import Keeping
from hub.reloading import Reloaded, Reloading, Renewing
from hub.rulebook import Rulebook, rulebook
from hub.sections import Deployment, DestinationSection
from hub.serving import LAST_WORDS_S, Serving
from schemas.errors import BusFault, HubError, LedgerFault, OperationRefused

log = logging.getLogger(__name__)

ROLES = ("intake", "relay", "deliver")
"""What a process may do; one process on SQLite does all."""

SURE_S = WORKER_TTL_S * 0.6
"""For so long after a heartbeat that was written nobody can have taken this worker's claims."""

LOOK_S = 1.0
"""Between two looks, of a run that is to end by itself, at what is left."""

CODES_EVERY_S = 1.0
"""Between two tellings of codes that no answer table knows."""

START_S = 1.0
"""How long a start waits for the broker, to be told where it refuses us; one that is away is not waited for."""

WAIT_S = 30.0
"""How long a run that is to end by itself waits behind a held gate."""


class App:
    """Everything of one process. `open`, then `serve` until cancelled, then `close`."""

    def __init__(
        self,
        deployment: Deployment,
        roles: frozenset[str] = frozenset(ROLES),
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        """Compile the configuration. `overrides` are those that it was read with: a reload reads it with them again.
        Raises: ConfigError with every problem."""
        kill_points.check()
        self.roles = roles
        self.overrides = dict(overrides or {})
        runs = Configured(deployment, rulebook(deployment), Version(str(deployment.file), "", ()))
        self.serving = Serving(runs, roles, self._rules, self._may_send, lambda: self._stopping)
        self._reloads = itertools.count(1)
        self.hang_up: asyncio.Event | None = None
        """Set by whoever wants a reload and no answer, such as SIGHUP; None where nobody can."""
        self._opened = self._stopping = False
        self._good_until_s = _steady_s() + SURE_S

    @property
    def deployment(self) -> Deployment:
        """The configuration in force."""
        return self.serving.runs.deployment

    @property
    def rules(self) -> Rulebook:
        """What it was compiled to."""
        return self.serving.runs.rules

    async def open(self) -> None:
        """Open ledger, bus and adapters. Raises: LedgerFault, BusFault, ConfigError."""
        d = self.deployment
        settings: dict[str, Any] = {}
        settings["prefix"] = d.bus.prefix
        if d.bus.prefetch is not None:
            settings["prefetch"] = d.bus.prefetch
        self.bus: Bus = open_bus(d.bus.url, **settings, start_s=START_S)
        rules = self.serving.make_portals()
        self.ledger = Ledger(d.ledger.url, rules, sources=list(d.sources), reserve_mb=d.ledger.reserve_mb)
        self.ledger.delivers = "deliver" in self.roles
        if not self.bus.durable and self.roles != frozenset(ROLES):
            raise LedgerFault("the embedded bus carries tickets within one process: leave out --roles, or use RabbitMQ")
        # What a process before marked as queued and did not publish any more has no ticket, on whichever bus: all of it
        # is published again. Where a ticket is still there it is of an old generation now, and dropped.
        await self.ledger.open(take_over=True)
        self._opened = True
        await self._start_bus(settings)
        self.relay = Relay(self.ledger, self.bus)
        self.reloading = Reloading(self.serving, self.ledger, self.bus, self.overrides)
        await self.reloading.begin()
        serving = self.serving
        serving.keeping = Keeping(self.ledger, lambda: serving.runs, lambda name: serving.portals.get(name), self.renew)
        serving.keeping.catalogues()  # said now, not at the first look
        await serving.open(self.ledger, self.bus, self.relay)

    async def _start_bus(self, settings: dict[str, Any]) -> None:
        """Start the bus. A broker that is away is waited for in the background, while the sources are read; one that
        refuses us is said at once. Raises: BusFault."""
        destinations = sorted(self.deployment.destinations)
        try:
            await self.bus.start(destinations)
        except BusFault as fault:
            if not fault.down:
                raise
            log.warning("%s; the hub runs without it and connects when it is there", fault)
            self.bus = open_bus(self.deployment.bus.url, **settings, start_s=0.0)
            await self.bus.start(destinations)

    def _rules(self, name: str, section: DestinationSection) -> DestinationRules:
        return DestinationRules(
            window=section.window,
            resend_events=section.unknown_events == "resend",
            rate_per_s=section.rate_per_s,
            urgent_days=section.urgent_days,
            # A probe may have to wait for a request that was on the wire before.
            probe_s=2 * (section.deadline_s + GRACE_S),
        )

    async def serve(self, stop: asyncio.Event) -> None:
        """Run every loop of this process's roles until `stop` is set, then let what is being sent come to its end."""
        await self._serve(self._until(stop))

    async def serve_once(self, stop: asyncio.Event, wait_s: float = WAIT_S) -> None:
        """Poll every source until it has nothing new, and deliver until nothing moves by itself any more.

        Ends too when all that is left waits behind gates that have been held for longer than `wait_s` of this run, or
        that a person closed, or for portals that were asked in vain what they took, as long.
        """
        await self._serve(self._unless(stop, self._drained(stop, wait_s)), polling=False)

    async def _serve(self, end: Coroutine[Any, Any, None], *, polling: bool = True) -> None:
        place = Place(self.ledger, self.deployment.file, self.relay.publish, self._reload if polling else None)
        async with listening(self.deployment.ledger.url, place), asyncio.TaskGroup() as tasks:
            alive = tasks.create_task(self._heartbeat())
            loops, sending, codes = (Loops(tasks, lambda: self._stopping) for _ in range(3))
            self._loops = loops
            codes.begin("count of unknown codes", self._tell_codes)
            loops.begin_once("takeover", self.relay.publish(self.ledger.takeover))
            self.serving.begin(loops, sending, polling=polling)
            if polling and self.ledger.postgres:
                loops.begin("requests to reload", self.reloading.listen)
            if polling and self.hang_up is not None:
                loops.begin("reload by signal", partial(self._hung_up, self.hang_up))
            await end
            # What is on the wire comes to its end, what is not is given back; the claims are renewed until then.
            self._stopping = True
            for deliver in self.serving.delivers:
                deliver.end()
            loops.cancel_all()
            await self.bus.stop()
            if last := sending.running:
                longest_s = max(section.deadline_s for section in self.deployment.destinations.values())
                _, late = await asyncio.wait(last, timeout=longest_s)
                for task in late:
                    task.cancel()
            alive.cancel()
            codes.cancel_all()
            with suppress(TimeoutError, LedgerFault):
                async with asyncio.timeout(LAST_WORDS_S):
                    await self.serving.keep_codes()

    async def _tell_codes(self) -> None:
        """Tell the ledger, once a second, the codes that no answer table knows, where there are new ones."""
        while True:
            await asyncio.sleep(CODES_EVERY_S)
            await self.serving.keep_codes()

    async def reload(self, by: By) -> Reloaded:
        """Take the configuration on disk, between two pages. Raises: ConfigError with every problem, OperationRefused;
        the hub then goes on with the one that it has."""
        return await self.reloading.reload(by)

    async def _reload(self, by: By) -> Reloaded:
        """`reload` in this process's own tasks: it goes on where who asked for it has gone."""
        ends = OperationRefused("the hub is about to end; its next start reads the configuration anyway")
        done: asyncio.Future[Reloaded] = asyncio.get_running_loop().create_future()

        async def reloading() -> None:
            found: Reloaded | Exception = ends
            try:
                found = await self.reload(by)
            except Exception as error:
                if not isinstance(error, HubError):
                    log.exception("a reload failed")
                found = error
            finally:
                if done.done():  # who asked has gone
                    pass
                elif isinstance(found, Exception):
                    done.set_exception(found)
                else:
                    done.set_result(found)

        if self._stopping:
            raise ends
        self._loops.begin_once(f"reload {next(self._reloads)}", reloading())
        return await done

    async def _hung_up(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            try:
                await self._reload(By("SIGHUP"))
            except HubError as error:
                log.error("asked to reload, goes on with configuration #%s: %s", self.rules.configuration, error)

    async def renew(self, renewing: Renewing) -> None:
        """Let all that is processed and rendered from now on go by what `renewing` makes of the configuration in force;
        between two pages of each source, and for all of them at once. Then what was parked is done again with it.

        The sources and destinations stay as they are: a register was mended, nothing else.
        """
        await self.reloading.renew(renewing)
        if "intake" in self.roles:
            await self.serving.mend()

    @staticmethod
    async def _until(stop: asyncio.Event) -> None:
        await stop.wait()

    @staticmethod
    async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
        """Wait for `work`, but not beyond `stop`: it may be waiting for a database that is away, or for room on its
        disk."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working in done:
                await working
        finally:
            working.cancel()
            stopping.cancel()

    async def _drained(self, stop: asyncio.Event, wait_s: float) -> None:
        if "intake" in self.roles:
            polls = [self._poll_out(ingest, stop) for ingest in self.serving.ingests]
            await asyncio.gather(self.serving.mend(), *polls)
        began_us = looked_us = wall_us()
        # What other processes deliver is seen in the database alone, so it is looked at again and again.
        while "deliver" in self.roles and not stop.is_set() and await self.ledger.movable():
            await asyncio.sleep(0.1)
            if wall_us() - looked_us >= min(LOOK_S, wait_s) * 1e6:
                looked_us = wall_us()
                if await self._stuck(began_us, wait_s):
                    return

    async def _stuck(self, began_us: int, wait_s: float) -> bool:
        """Whether nothing is left but what waits behind closed gates, or for a portal that does not tell what it took,
        for longer than anybody wants to wait."""
        gates = {name: await self.ledger.gate(name) for name in self.serving.portals}
        held_us = {
            name: wall_us() - max(gate.since_us, began_us) if gate.state == "held" else None
            for name, gate in gates.items()
            if not gate.open
        }
        closed = {name for name, since_us in held_us.items() if since_us is None or since_us > wait_s * 1e6}
        # What was sent before is given the same time, from the beginning of this run.
        since_us = wall_us() - int(wait_s * 1e6)
        told_since_us = since_us if since_us >= began_us else None
        if not closed and told_since_us is None:
            return False
        try:
            return await asyncio.to_thread(self._movable, told_since_us) <= closed
        except LedgerFault as fault:
            log.warning("%s", fault)
            return False

    def _movable(self, told_since_us: int | None) -> set[str]:
        with open_reader(self.deployment.ledger.url) as reader:
            return reader.movable(told_since_us=told_since_us) & self.serving.portals.keys()

    @staticmethod
    async def _poll_out(ingest: Ingest, stop: asyncio.Event) -> None:
        ingest.quiet = False
        while not ingest.quiet and not stop.is_set():
            await ingest.poll_once()

    def _may_send(self) -> bool:
        """Whether the claims are surely ours and we are not to end. On SQLite nobody else could take them."""
        return not self._stopping and (not self.ledger.postgres or _steady_s() < self._good_until_s)

    async def _heartbeat(self) -> None:
        """Renew this worker's claims. A worker that cannot closes its sockets before others may take them over (R7)."""
        while True:
            began_s = _steady_s()
            try:
                async with asyncio.timeout(SURE_S):
                    await self.ledger.beat()
                    self._good_until_s = began_s + SURE_S
                    await self.ledger.reap()
            except TimeoutError:
                log.error("no heartbeat for %g s", SURE_S)
            if self.ledger.postgres and _steady_s() >= self._good_until_s:
                for deliver in self.serving.delivers:
                    deliver.let_go()
            await asyncio.sleep(HEARTBEAT_S)

    def give_up(self) -> None:
        """Wait for no database any more."""
        if hasattr(self, "ledger"):
            self.ledger.give_up()

    async def close(self) -> None:
        """Give the sources back and close everything that was opened."""
        await self.serving.close()
        if self._opened:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    for ingest in self.serving.ingests:
                        await self.ledger.release_source(ingest.name)
                    await self.ledger.leave()
        if hasattr(self, "bus"):
            await self.bus.stop()
        if hasattr(self, "relay"):
            await self.relay.close()
        if self._opened:
            self.ledger.give_up()
            await self.ledger.close()


def _steady_s() -> float:
    """Seconds on a clock that no correction moves and that goes on while a machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


YOUNG = 20_000
"""Objects made, and not yet freed, between two looks of the garbage collector at the youngest; Python's default is
700."""


SWITCH_S = 0.0005
"""How long one thread computes while another waits for its turn; Python's default is ten times as long."""


def have_the_process() -> None:
    """Fit the interpreter to a hub; for a process that is one and nothing else (docs/performance.md).

    Libraries, WSDLs and mappings are some hundred thousand objects that never die, and a page makes thousands that soon
    do; the garbage collector walked through the former again and again. And the ledger's writer waits for the database
    many times in each transaction: back from there it should not wait for the threads that compute.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
    sys.setswitchinterval(SWITCH_S)


async def run(
    deployment: Deployment,
    *,
    roles: frozenset[str] = frozenset(ROLES),
    once: bool = False,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[], None] = lambda: None,
    wait_s: float = WAIT_S,
    overrides: Mapping[str, str] | None = None,
    hang_up: asyncio.Event | None = None,
) -> None:
    """Run a hub until `stop` is set, or, with `once`, until all is polled and delivered.

    `overrides` are those that the configuration was read with; each time that `hang_up` is set it is read again. With
    `once`, what waits behind a gate that has been held for longer than `wait_s` is left.

    Raises: ConfigError, LedgerFault, BusFault where it cannot start.
    """
    app = App(deployment, roles, overrides)
    app.hang_up = hang_up
    stopping = stop or asyncio.Event()
    try:
        await _open(app, stopping)
        on_ready()
        await (app.serve_once(stopping, wait_s) if once else app.serve(stopping))
    finally:
        await app.close()


async def _open(app: App, stop: asyncio.Event) -> None:
    """Open, or give up where one is told to stop while a database or its disk keeps one waiting. Raises: LedgerFault
    then."""
    opening, told = asyncio.ensure_future(app.open()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({opening, told}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            app.give_up()
        await opening
    finally:
        told.cancel()
