"""A running hub: makes what a configuration names, keeps its loops alive, and stops them cleanly.

    app.run(deployment, roles=frozenset(ROLES), once=False, stop=event)

A loop that fails by a defect is logged, what it was sending becomes unknown, and it starts again after a pause; the
others do not notice. The loops themselves are `hub.ingest`, `hub.publish` and `hub.deliver`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from hub import kill_points, registry
from hub.admission import let_in
from hub.answers import AnswerTable, load_answers
from hub.bus import open_bus
from hub.control import listening
from hub.daily import Daily
from hub.deliver import GRACE_S, Deliver
from hub.ingest import Ingest
from hub.ledger import DestinationRules, Ledger
from hub.ledger.gates import OPEN
from hub.ledger.ledger import HEARTBEAT_S, WORKER_TTL_S, wall_us
from hub.ledger.read import open_reader
from hub.maintaining import Calendar, keep_maintenance, keep_once
from hub.mend import redo_parked
from hub.operations import Place
from hub.ports import AdapterContext, Bus, Destination
from hub.publish import Relay
from hub.retry import RetryPolicy
from hub.rulebook import Rulebook, rulebook
from hub.sections import Deployment, DestinationSection, RetrySection
from hub.telling import Telling
from hub.version import numbered
from hub.watching import Watching
from mappings.rows import RenderContext
from schemas.errors import BusFault, LedgerFault

log = logging.getLogger(__name__)
gates_log = logging.getLogger("hub.gates")

ROLES = ("intake", "relay", "deliver")
"""What a process may do; one process on SQLite does all."""

RESTART_S = 1.0

SURE_S = WORKER_TTL_S * 0.6
"""For so long after a heartbeat that was written nobody can have taken this worker's claims."""

LOOK_S = 1.0
"""Between two looks at the gates."""

CODES_EVERY_S = 1.0
"""Between two tellings of codes that no answer table knows."""

LAST_WORDS_S = 5.0
"""How long an ending process tries to write down what it leaves, while the database is away."""
START_S = 1.0
"""How long a start waits for the broker, to be told where it refuses us; one that is away is not waited for."""

WAIT_S = 30.0
"""How long a run that is to end by itself waits behind a held gate."""

TROUBLE = RetryPolicy(first_s=1.0, cap_s=300.0)
"""How long a source in trouble is left alone."""


class App:
    """Everything of one process. `open`, then `serve` until cancelled, then `close`."""

    def __init__(self, deployment: Deployment, roles: frozenset[str] = frozenset(ROLES)) -> None:
        """Compile the configuration. Raises: ConfigError with every problem."""
        kill_points.check()
        self.deployment = deployment
        self.roles = roles
        self.rules: Rulebook = rulebook(deployment)
        self.destinations: dict[str, Destination] = {}
        self.answers: dict[str, AnswerTable] = {}
        self.ingests: list[Ingest] = []
        self.delivers: list[Deliver] = []
        self._daily: Daily | None = None
        self._opened = self._stopping = False
        self._good_until_s = _steady_s() + SURE_S

    async def open(self) -> None:
        """Open ledger, bus and adapters. Raises: LedgerFault, BusFault, ConfigError."""
        d = self.deployment
        settings: dict[str, Any] = {}
        settings["prefix"] = d.bus.prefix
        if d.bus.prefetch is not None:
            settings["prefetch"] = d.bus.prefetch
        self.bus: Bus = open_bus(d.bus.url, **settings, start_s=START_S)
        for name, section in d.destinations.items():
            answers = load_answers(section.answers or section.adapter, d.folder)
            self.answers[name] = answers
            context = AdapterContext(name, d.folder, answers)
            self.destinations[name] = registry.destination(section.adapter, section.settings, context)
        rules = {name: self._rules(name, section) for name, section in d.destinations.items()}
        self.ledger = Ledger(d.ledger.url, rules, sources=list(d.sources), reserve_mb=d.ledger.reserve_mb)
        self.ledger.delivers = "deliver" in self.roles
        if not self.bus.durable and self.roles != frozenset(ROLES):
            raise LedgerFault("the embedded bus carries tickets within one process: leave out --roles, or use RabbitMQ")
        # What a process before marked as queued and did not publish any more has no ticket, on whichever bus: all of it
        # is published again. Where a ticket is still there it is of an old generation now, and dropped.
        await self.ledger.open(take_over=True)
        self._opened = True
        self.rules = await numbered(self.rules, d, self.ledger)
        await self._start_bus(settings)
        self.relay = Relay(self.ledger, self.bus)
        self._make_loops()
        if "relay" in self.roles:
            # Before anything begins: a start in the middle of a maintenance sends nothing.
            for name in d.destinations:
                await keep_once(self.ledger, name, self._announced(name))

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
            can_look_up=self.destinations[name].can_look_up,
            rate_per_s=section.rate_per_s,
            urgent_days=section.urgent_days,
            # A probe may have to wait for a request that was on the wire before.
            probe_s=2 * (section.deadline_s + GRACE_S),
        )

    def _make_loops(self) -> None:
        d = self.deployment
        for name, section in d.sources.items():
            source = registry.source(section.adapter, section.settings, AdapterContext(name, d.folder))
            self.ingests.append(
                Ingest(
                    name,
                    source,
                    section.every_s,
                    self.ledger,
                    self.rules,
                    self.relay.publish,
                    TROUBLE,
                    sparing=section.sparing(),
                )
            )
        for name, to in d.destinations.items():
            self.delivers.append(
                Deliver(
                    name=name,
                    destination=self.destinations[name],
                    ledger=self.ledger,
                    bus=self.bus,
                    mappings=self.rules.outbound[name],
                    inbound=self.rules.inbound,
                    context=RenderContext(self.rules.agencies),
                    policy=_policy(to.retry),
                    publish=self.relay.publish,
                    now_us=wall_us,
                    parallel=to.parallel,
                    deadline_s=to.deadline_s,
                    rate_per_s=to.rate_per_s,
                    may_send=self._may_send,
                )
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
        place = Place(self.ledger, self.deployment.file, self.relay.publish)
        async with listening(self.deployment.ledger.url, place), asyncio.TaskGroup() as tasks:
            alive = tasks.create_task(self._heartbeat())
            codes = tasks.create_task(self._alive("count of unknown codes", self._tell_codes))
            running = [tasks.create_task(self.relay.publish(self.ledger.takeover))]
            sending = []
            if polling and "intake" in self.roles:
                running.append(tasks.create_task(self._mend()))
                running += [tasks.create_task(self._alive(f"source {i.name}", i.run)) for i in self.ingests]
                if (section := self.deployment.agency_files) is not None:
                    self._daily = Daily(self.ledger, self.deployment, section, self.rules, self.ledger.tell)
                    running.append(tasks.create_task(self._alive("agencies' error files", self._daily.run)))
            if "relay" in self.roles:
                telling = Telling(self.ledger, self.deployment.mail, self.deployment.alerts, wall_us)
                running.append(tasks.create_task(self._alive("telling people", telling.run)))
                watching = Watching(self.ledger, self.bus, self.deployment, wall_us)
                running.append(tasks.create_task(self._alive("watch for troubles", watching.run)))
            for deliver in self.delivers:
                if "relay" in self.roles:
                    turns = partial(self.relay.run, deliver.name)
                    running.append(tasks.create_task(self._alive(f"relay of {deliver.name}", turns)))
                    keep = partial(keep_maintenance, self.ledger, deliver.name, self._announced(deliver.name))
                    running.append(tasks.create_task(self._alive(f"maintenance of {deliver.name}", keep)))
                if "deliver" in self.roles:
                    watch = partial(self._watch_gate, deliver.name, deliver.gate_closed)
                    running.append(tasks.create_task(self._alive(f"watch of the gate of {deliver.name}", watch)))
                    sending.append(tasks.create_task(self._delivering(deliver)))
            await end
            # What is on the wire comes to its end, what is not is given back; the claims are renewed until then.
            self._stopping = True
            for deliver in self.delivers:
                deliver.end()
            for task in running:
                task.cancel()
            await self.bus.stop()
            if sending:
                longest_s = max(section.deadline_s for section in self.deployment.destinations.values())
                _, late = await asyncio.wait(sending, timeout=longest_s)
                for task in late:
                    task.cancel()
            alive.cancel()
            codes.cancel()
            with suppress(TimeoutError, LedgerFault):
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._keep_codes()

    async def _tell_codes(self) -> None:
        """Tell the ledger, once a second, the codes that no answer table knows, where there are new ones."""
        while True:
            await asyncio.sleep(CODES_EVERY_S)
            await self._keep_codes()

    async def _keep_codes(self) -> None:
        for name, table in self.answers.items():
            if seen := table.unknown.take():
                try:
                    await self.ledger.saw_codes(name, seen)
                except LedgerFault:
                    table.unknown.give_back(seen)
                    raise

    async def renew(self, rules: Rulebook) -> None:
        """Let all that is processed and rendered from now on go by other rules; between two pages of each source, and
        for all of them at once. Then what was parked is done again with them.

        `rules` name the same sources and destinations as before: a register was mended, nothing else.
        """
        async with AsyncExitStack() as between:
            for ingest in self.ingests:
                await between.enter_async_context(ingest.page)
            self.rules = rules
            for ingest in self.ingests:
                ingest.rules = rules
            for deliver in self.delivers:
                deliver.mappings, deliver.inbound = rules.outbound[deliver.name], rules.inbound
                deliver.context = RenderContext(rules.agencies)
            if self._daily is not None:
                self._daily.rules = rules
        if "intake" in self.roles:
            await self._mend()

    def _announced(self, name: str) -> Calendar:
        section = self.deployment.destinations[name]
        return Calendar([one.announced() for one in section.maintenance], section.deadline_s)

    async def _mend(self) -> None:
        try:
            await redo_parked(self.ledger, self.rules, self.relay.publish)
            if self.rules.start_from_us:
                await let_in(self.ledger, self.rules, self.relay.publish)
        except Exception:
            log.exception("parked rows could not be done again; they stay parked")

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

    async def _watch_gate(self, name: str, closed: Callable[[str], None] = lambda _: None) -> None:
        """Say when a gate closes and opens; `closed` is called when it has closed."""
        before = OPEN
        while True:
            now = await self.ledger.gate(name)
            if now.state != before.state:
                if now.open:
                    gates_log.info("%s open again after %.1f s", name, (now.since_us - before.since_us) / 1e6)
                else:
                    gates_log.warning("%s %s: %s", name, now.state, now.reason or "no reason given")
                    closed(now.state)
                before = now
            await asyncio.sleep(LOOK_S)

    async def _drained(self, stop: asyncio.Event, wait_s: float) -> None:
        if "intake" in self.roles:
            await asyncio.gather(self._mend(), *(self._poll_out(ingest, stop) for ingest in self.ingests))
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
        gates = {name: await self.ledger.gate(name) for name in self.destinations}
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
            return reader.movable(told_since_us=told_since_us) & self.destinations.keys()

    @staticmethod
    async def _poll_out(ingest: Ingest, stop: asyncio.Event) -> None:
        ingest.quiet = False
        while not ingest.quiet and not stop.is_set():
            await ingest.poll_once()

    async def _delivering(self, deliver: Deliver) -> None:
        async def turn() -> None:
            try:
                await deliver.run()
            except BaseException:
                # What this loop was sending has no owner any more: its outcome is unknown.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WORDS_S):
                        await asyncio.shield(self.ledger.abandon(deliver.name))
                raise

        await self._alive(f"destination {deliver.name}", turn)

    async def _alive(self, what: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a loop for ever: a defect is logged with its traceback and the loop starts again."""
        while True:
            try:
                await loop()
            except Exception:
                log.exception("%s failed and starts again in %g s", what, RESTART_S)
            if self._stopping:
                return
            await asyncio.sleep(RESTART_S)

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
                for deliver in self.delivers:
                    deliver.let_go()
            await asyncio.sleep(HEARTBEAT_S)

    def give_up(self) -> None:
        """Wait for no database any more."""
        if hasattr(self, "ledger"):
            self.ledger.give_up()

    async def close(self) -> None:
        """Give the sources back and close everything that was opened."""
        closing: list[Awaitable[Any]] = [ingest.source.close() for ingest in self.ingests]
        closing += [destination.close() for destination in self.destinations.values()]
        for step in closing:
            await step
        if self._opened:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    for ingest in self.ingests:
                        await self.ledger.release_source(ingest.name)
                    await self.ledger.leave()
        if hasattr(self, "bus"):
            await self.bus.stop()
        if hasattr(self, "relay"):
            await self.relay.close()
        if self._opened:
            self.ledger.give_up()
            await self.ledger.close()


def _policy(retry: RetrySection) -> RetryPolicy:
    classes = {name: RetryPolicy(**dict(retry.of(name))) for name in retry.classes}
    return RetryPolicy(retry.first_s, retry.cap_s, retry.limit, give_up_after_s=retry.give_up_after_s, classes=classes)


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
) -> None:
    """Run a hub until `stop` is set, or, with `once`, until all is polled and delivered.

    With `once`, what waits behind a gate that has been held for longer than `wait_s` is left.

    Raises: ConfigError, LedgerFault, BusFault where it cannot start.
    """
    app = App(deployment, roles)
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
