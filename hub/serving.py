"""What a process serves: the sources and destinations of the configuration in force, with their adapters and loops.

`Serving` makes them, and exchanges them for those of another configuration while everything else goes on: between two
pages of every source, for all of them at once. A destination's loop ends with what it has on the wire before the next
one begins. Which configuration that is, and whether it may be, is decided by `hub.reloading`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from hub import registry
from hub.admission import let_in
from hub.answers import AnswerTable, load_answers
from hub.configured import Configured, Differences
from hub.daily import Daily
from hub.deliver import Deliver
from hub.gate_watch import watch_gate
from hub.ingest import Ingest
from hub.ledger import DestinationRules, Ledger
from hub.ledger.ledger import wall_us
from hub.loops import Loops
from hub.maintaining import Calendar, keep_maintenance, keep_once
from hub.mend import redo_parked
from hub.ports import AdapterContext, Bus, Destination, Source
from hub.publish import Relay
from hub.registers.keeping import Keeping
from hub.retry import RetryPolicy
from hub.rulebook import Rulebook
from hub.sections import Deployment, DestinationSection, RetrySection
from hub.telling import Telling
from hub.watching import Watching
from schemas.errors import LedgerFault

log = logging.getLogger(__name__)

LAST_WORDS_S = 5.0
"""How long an ending loop tries to write down what it leaves, while the database is away."""

LOOKING = "look at the catalogues"

TROUBLE = RetryPolicy(first_s=1.0, cap_s=300.0)
"""How long a source in trouble is left alone."""

RulesOf = Callable[[str, DestinationSection], DestinationRules]


@dataclass(slots=True)
class Adapters:
    """Adapters that were made and are not used yet."""

    sources: dict[str, Source] = field(default_factory=dict)
    answers: dict[str, AnswerTable] = field(default_factory=dict)
    portals: dict[str, Destination] = field(default_factory=dict)

    async def close(self) -> None:
        for source in self.sources.values():
            await source.close()
        for portal in self.portals.values():
            await portal.close()


class Serving:
    """The sources and destinations of one process. `open` once ledger and bus are there; `begin` starts the loops."""

    def __init__(
        self,
        runs: Configured,
        roles: frozenset[str],
        rules_of: RulesOf,
        may_send: Callable[[], bool],
        stopping: Callable[[], bool],
    ) -> None:
        """`rules_of` says what the ledger has to know of a destination, but for what its adapter knows."""
        self.runs = runs
        self.roles = roles
        self.ingests: list[Ingest] = []
        self.delivers: list[Deliver] = []
        self.portals: dict[str, Destination] = {}
        self.answers: dict[str, AnswerTable] = {}
        self._rules_of, self._may_send, self._stopping = rules_of, may_send, stopping
        self.keeping: Keeping | None = None
        self._daily: Daily | None = None
        self._watching: Watching | None = None

    # --- making -------------------------------------------------------------------------------------------------------

    def make_portals(self) -> dict[str, DestinationRules]:
        """Make the destinations' adapters; returns what the ledger has to know of each. Raises: ConfigError."""
        made = self.make(self.runs.deployment, (), tuple(self.runs.deployment.destinations))
        self.answers, self.portals = made.answers, made.portals
        return self.rules(self.runs.deployment, self.portals)

    def rules(self, deployment: Deployment, portals: Mapping[str, Destination]) -> dict[str, DestinationRules]:
        """What the ledger has to know of some destinations."""
        return {
            name: replace(self._rules_of(name, deployment.destinations[name]), can_look_up=portal.can_look_up)
            for name, portal in portals.items()
        }

    @staticmethod
    def make(deployment: Deployment, sources: Sequence[str], destinations: Sequence[str]) -> Adapters:
        """Make adapters; they hold no connection until they are used. Raises: ConfigError."""
        made = Adapters()
        for name in destinations:
            section = deployment.destinations[name]
            made.answers[name] = load_answers(section.answers or section.adapter, deployment.folder)
            context = AdapterContext(name, deployment.folder, made.answers[name])
            made.portals[name] = registry.destination(section.adapter, section.settings, context)
        for source in sources:
            reads = deployment.sources[source]
            context = AdapterContext(source, deployment.folder)
            made.sources[source] = registry.source(reads.adapter, reads.settings, context)
        return made

    async def open(self, ledger: Ledger, bus: Bus, relay: Relay) -> None:
        """Make the sources and the loops. Raises: ConfigError."""
        self.ledger, self.bus, self.relay = ledger, bus, relay
        d = self.runs.deployment
        self.ingests = [self._ingest(name, one) for name, one in self.make(d, tuple(d.sources), ()).sources.items()]
        self.delivers = [self._deliver(name) for name in d.destinations]
        if "relay" in self.roles:
            # Before anything begins: a start in the middle of a maintenance sends nothing.
            for name in d.destinations:
                await keep_once(ledger, name, self._announced(name))

    def _ingest(self, name: str, source: Source) -> Ingest:
        section = self.runs.deployment.sources[name]
        return Ingest(
            name, source, section.every_s, self.ledger, self.runs.rules, self.relay.publish, TROUBLE,
            sparing=section.sparing(),
        )  # fmt: skip

    def _deliver(self, name: str) -> Deliver:
        to, rules = self.runs.deployment.destinations[name], self.runs.rules
        return Deliver(
            name=name,
            destination=self.portals[name],
            ledger=self.ledger,
            bus=self.bus,
            mappings=rules.outbound[name],
            inbound=rules.inbound,
            context=rules.rendering,
            policy=_policy(to.retry),
            publish=self.relay.publish,
            now_us=wall_us,
            parallel=to.parallel,
            deadline_s=to.deadline_s,
            rate_per_s=to.rate_per_s,
            may_send=self._may_send,
        )

    def _announced(self, name: str) -> Calendar:
        section = self.runs.deployment.destinations[name]
        return Calendar([one.announced() for one in section.maintenance], section.deadline_s)

    # --- beginning ----------------------------------------------------------------------------------------------------

    def begin(self, loops: Loops, sending: Loops, *, polling: bool) -> None:
        """Start every loop of this process's roles; those that send have an end of their own."""
        self._loops, self._sending, self._polling = loops, sending, polling
        if polling and "intake" in self.roles:
            self.begin_mending()
            for ingest in self.ingests:
                loops.begin(f"source {ingest.name}", ingest.run)
            self._begin_daily()
        if "relay" in self.roles:
            self._begin_telling()
            self._watching = Watching(self.ledger, self.bus, self.runs.deployment, wall_us)
            loops.begin("watch for troubles", self._watching.run)
        if polling and self.keeping is not None:
            loops.begin("registers in force", self.keeping.follow)
            self._begin_looking()
        for deliver in self.delivers:
            self._begin_destination(deliver)

    def begin_mending(self) -> None:
        """Do again what is parked, by the rules now in force, beside everything else."""
        self._loops.cancel("mend")
        self._loops.begin_once("mend", self.mend())

    async def mend(self) -> None:
        """Do again what is parked, and let in what is needed now."""
        rules = self.runs.rules
        try:
            await redo_parked(self.ledger, rules, self.relay.publish)
            if rules.start_from_us:
                await let_in(self.ledger, rules, self.relay.publish)
        except Exception:
            log.exception("parked rows could not be done again; they stay parked")

    def _begin_daily(self) -> None:
        section = self.runs.deployment.agency_files
        if section is not None:
            self._daily = Daily(self.ledger, self.runs.deployment, section, self.runs.rules, self.ledger.tell)
            self._loops.begin("agencies' error files", self._daily.run)

    def _begin_looking(self) -> None:
        if self._polling and self.keeping is not None and "relay" in self.roles:
            self._loops.begin(LOOKING, self.keeping.look)

    def _begin_telling(self) -> None:
        telling = Telling(self.ledger, self.runs.deployment.mail, self.runs.deployment.alerts, wall_us)
        self._loops.begin("telling people", telling.run)

    def _begin_destination(self, deliver: Deliver) -> None:
        name = deliver.name
        if "relay" in self.roles:
            self._loops.begin(f"relay of {name}", partial(self.relay.run, name))
            self._begin_maintenance(name)
        if "deliver" in self.roles:
            self._begin_sending(deliver)

    def _begin_maintenance(self, name: str) -> None:
        keep = partial(keep_maintenance, self.ledger, name, self._announced(name))
        self._loops.begin(f"maintenance of {name}", keep)

    def _begin_sending(self, deliver: Deliver) -> None:
        name = deliver.name
        watch = partial(watch_gate, self.ledger, name, deliver.gate_closed)
        self._loops.begin(f"watch of the gate of {name}", watch)
        self._sending.begin(f"destination {name}", partial(self._delivering, deliver), lambda: deliver.retired)

    async def _delivering(self, deliver: Deliver) -> None:
        try:
            await deliver.run()
        except BaseException:
            # What this loop was sending has no owner any more: its outcome is unknown.
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await asyncio.shield(self.ledger.abandon(deliver.name))
            raise

    # --- exchanging ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def between_pages(self) -> AsyncIterator[None]:
        """Hold every source between two of its pages."""
        async with AsyncExitStack() as held:
            for ingest in list(self.ingests):
                await held.enter_async_context(ingest.page)
            yield

    def renew(self, rules: Rulebook) -> None:
        """Let everything that is made from now on go by other rules; to be called between two pages. At once: nothing
        is awaited, so that nobody sees half of it."""
        self.runs = replace(self.runs, rules=rules)
        for ingest in self.ingests:
            ingest.rules = rules
        for deliver in self.delivers:
            if deliver.name in rules.outbound:
                deliver.mappings, deliver.inbound = rules.outbound[deliver.name], rules.inbound
                deliver.context = rules.rendering
        if self._daily is not None:
            self._daily.rules = rules

    def exchange(self, wanted: Configured, differ: Differences, made: Adapters) -> Awaitable[None]:
        """Go by another configuration from now on; to be called between two pages. At once, like `renew`.

        Returns what is to be awaited after the pages go on: loops that end, and those that take their places.
        """
        before, self.runs = self.runs, replace(wanted, rules=self.runs.rules)
        ending: list[Awaitable[None]] = [
            self._ended(ingest)
            for ingest in self.ingests
            if ingest.name in (*differ.sources.changed, *differ.sources.removed)
        ]
        self.ingests = [
            one for one in self.ingests if one.name not in (*differ.sources.changed, *differ.sources.removed)
        ]
        self.renew(wanted.rules)
        known = (*differ.destinations.new, *differ.destinations.changed)
        portals = {name: made.portals.get(name) or self.portals[name] for name in known}
        self.ledger.know(self.rules(wanted.deployment, portals))
        for name, source in made.sources.items():
            ingest = self._ingest(name, source)
            self.ingests.append(ingest)
            if "intake" in self.roles:
                self._loops.begin(f"source {name}", ingest.run)
        for name in differ.destinations.new:
            self.answers[name], self.portals[name] = made.answers[name], made.portals[name]
            deliver = self._deliver(name)
            self.delivers.append(deliver)
            self._begin_destination(deliver)
        for deliver in list(self.delivers):
            if deliver.name in differ.destinations.removed:
                self.ledger.forget(deliver.name)
                self._loops.cancel(f"relay of {deliver.name}", f"maintenance of {deliver.name}")
                ending.append(self._replaced(deliver, None))
            elif deliver.name in differ.destinations.changed:
                ending.append(self._replaced(deliver, made))
        self._renew_rest(before.deployment, differ)
        return _all(ending)

    def _renew_rest(self, before: Deployment, differ: Differences) -> None:
        """What serves all sources and destinations together."""
        now = self.runs.deployment
        if "relay" in self.roles:
            for name, section in now.destinations.items():
                was = before.destinations.get(name)
                if was is not None and (was.maintenance, was.deadline_s) != (section.maintenance, section.deadline_s):
                    self._loops.cancel(f"maintenance of {name}")
                    self._begin_maintenance(name)
            if (before.mail, before.alerts) != (now.mail, now.alerts):
                self._loops.cancel("telling people")
                self._begin_telling()
            if self._watching is not None:
                self._watching.deployment = now
        if "intake" in self.roles and before.agency_files != now.agency_files:
            self._loops.cancel("agencies' error files")
            self._daily = None
            self._begin_daily()
        elif self._daily is not None:
            self._daily.deployment = now

    def _ended(self, ingest: Ingest) -> Awaitable[None]:
        """Have a source's loop end at once, since it is between two pages; its place stays in the ledger."""
        tasks = self._loops.cancel(f"source {ingest.name}")

        async def closed() -> None:
            await asyncio.gather(*tasks, return_exceptions=True)
            await _closed(ingest.name, ingest.source.close())
            if ingest.name not in self.runs.deployment.sources:
                await self.ledger.release_source(ingest.name)

        return closed()

    def _replaced(self, deliver: Deliver, made: Adapters | None) -> Awaitable[None]:
        """Have a destination's loop end with what it has on the wire; then the next one begins, if there is to be
        one."""
        name = deliver.name
        task = self._sending.of(f"destination {name}")
        deliver.retire()

        async def replacing() -> None:
            if task is not None:
                await asyncio.wait({task})
            if self._stopping():
                return
            for watching in self._loops.cancel(f"watch of the gate of {name}"):
                await asyncio.gather(watching, return_exceptions=True)
            self.delivers.remove(deliver)
            if made is None or name in made.portals:
                await _closed(name, self.keep_codes(name))
                old, _ = self.portals.pop(name), self.answers.pop(name)
                looking = self._loops.cancel(LOOKING)  # this portal may be asked for its catalogues
                await asyncio.gather(*looking, return_exceptions=True)
                await _closed(name, old.close())
                if made is not None:
                    self.answers[name], self.portals[name] = made.answers[name], made.portals[name]
                if looking:
                    self._begin_looking()
            if made is None:
                return
            following = self._deliver(name)
            self.delivers.append(following)
            if "deliver" in self.roles:
                self._begin_sending(following)

        return replacing()

    async def keep_codes(self, only: str | None = None) -> None:
        """Tell the ledger the codes that no answer table knows."""
        for name, table in list(self.answers.items()):
            if only in (None, name) and (seen := table.unknown.take()):
                try:
                    await self.ledger.saw_codes(name, seen)
                except LedgerFault:
                    table.unknown.give_back(seen)
                    raise

    async def close(self) -> None:
        """Close every adapter."""
        await Adapters({one.name: one.source for one in self.ingests}, {}, self.portals).close()


async def _closed(name: str, closing: Awaitable[None]) -> None:
    """Await the end of what was used before; where it fails, the next takes its place all the same."""
    try:
        await closing
    except Exception:
        log.exception("%s: what was exchanged did not end as it should", name)


async def _all(ending: Sequence[Awaitable[None]]) -> None:
    await asyncio.gather(*ending)


def _policy(retry: RetrySection) -> RetryPolicy:
    classes = {name: RetryPolicy(**dict(retry.of(name))) for name in retry.classes}
    return RetryPolicy(retry.first_s, retry.cap_s, retry.limit, give_up_after_s=retry.give_up_after_s, classes=classes)
