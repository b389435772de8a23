"""A drill from start to verdict: twins and hub as processes, the script round by round, the books at the end."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from hub.check import check
from hub.drill.copying import Changes, copy, deadline_of, environment, portal, write
from hub.drill.hub_process import HubProcess
from hub.drill.looking import OPEN, Looking
from hub.drill.multiply import REVISIONS
from hub.drill.plan import BROKER, OF_THE_HUB, WORKER, Fault, Round, rounds
from hub.drill.prepare import Prepared, digest_of, file_of, prepare
from hub.drill.report import FaultResult, NotApplicable, Report
from hub.drill.serving import Page, Serving, serve
from hub.drill.stand_ins import DrillError, Twin
from hub.drill.verdict import Effect, judge
from hub.ledger.read import open_reader
from hub.sections import without_password
from schemas.errors import ConfigError, LedgerFault, Problem

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_S = 0.05
MEET_S = 20.0
"""How long a fault waits for somebody to meet it."""
RECOVER_S = 60.0
"""How long the hub may take to recover from one."""
PAGES = "pages.jsonl"
"""Where the source `recorded` finds what is shown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a drill is asked for."""

    config: Path
    bus: str = "embedded"
    """`embedded`, `rabbitmq` (a node of our own) or an `amqp://` address."""
    ledger: str | None = None
    """An empty ledger; None: a SQLite file of its own."""
    dossiers: int = 400
    limit_s: float = 300.0
    skipped: Sequence[str] = ()
    faults: Sequence[str] = ()
    """Names of faults; none is all of them."""
    keep: Path | None = None
    """An empty folder for everything; None: a temporary one."""


Say = Callable[[str, int, int], None]
"""Told what is being done, and which round of how many it is."""


async def drill(wanted: Wanted, say: Say = lambda text, done, total: None) -> Report:
    """Hold a drill. Raises: ConfigError, DrillError, BusFault, LedgerFault where it cannot be held."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        if wanted.keep is not None:
            folder = wanted.keep
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-drill-")))
        say("looking at the configuration and the samples", 0, 0)
        prepared = await prepare(wanted.config, wanted.skipped, wanted.faults)
        held = _Drill(wanted, prepared, folder, stack, say)
        try:
            async with asyncio.timeout(wanted.limit_s):
                await held.start()
                await held.play()
        except TimeoutError:
            await held.too_late()
        await held.strike()
        held.report.seconds = time.monotonic() - began
        return held.report


class _Drill:
    def __init__(self, wanted: Wanted, prepared: Prepared, folder: Path, stack: AsyncExitStack, say: Say) -> None:
        self.wanted, self.prepared, self.folder, self.stack, self.say = wanted, prepared, folder, stack, say
        self.twins: dict[str, Twin] = {}
        self.node: Any = None
        self.serving = Serving()
        self.shown: dict[str, int] = dict.fromkeys(prepared.templates, 0)
        self.ledger_url = wanted.ledger or f"sqlite:///{folder / 'hub.db'}"
        self.looking: Looking | None = None
        self.hub: HubProcess | None = None
        self.tick = 0
        bus = wanted.bus if wanted.bus in ("embedded", "rabbitmq") else without_password(wanted.bus)
        ledger = "sqlite" if self.ledger_url.startswith("sqlite") else "postgresql"
        self.report = Report(str(file_of(wanted.config)), bus, ledger)
        self.script = self._script()

    def _script(self) -> list[Round]:
        self.report.not_applicable = list(self.prepared.not_applicable)
        whole = [fault.name for fault in OF_THE_HUB if not self.wanted.faults or fault.name in self.wanted.faults]
        if BROKER in whole and self.wanted.bus != "rabbitmq":
            why = "the embedded bus" if self.wanted.bus == "embedded" else "not ours to restart"
            self.report.not_applicable.append(NotApplicable(BROKER, None, why))
            whole.remove(BROKER)
        return rounds(self.prepared.orders, whole)

    # --- the stage ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start twins, broker and hub."""
        self.say("starting the twins", 0, len(self.script))
        _must_be_empty(self.ledger_url)
        bus = await self._both()
        changes = Changes()
        given = self.prepared.given["destinations"]
        portals = {
            name: portal(name, given[name], said, self.twins[name].url, changes)
            for name, (_, said) in self.prepared.twins.items()
        }
        media = {name: found[0].sample.media for name, found in self.prepared.templates.items()}
        urls = {"ledger": {"url": self.ledger_url}, "bus": bus}
        data = copy(self.prepared.made.document, media, portals, urls, changes)
        file = write(data, self.prepared.file, self.folder / "config")
        self.report.changed = changes.said
        findings = await check(file, offline=True, environment=environment())
        findings.must_run()
        self.serving = await asyncio.to_thread(
            serve, self.prepared.templates, self.prepared.readers, self.wanted.dossiers, len(self.script) + REVISIONS
        )
        self._tell_of_sources()
        for name in self.shown:
            (self.folder / "recorded" / name).mkdir(parents=True)
        self.say("starting the hub", 0, len(self.script))
        self.hub = HubProcess(file, self.folder)
        self.stack.push_async_callback(self.hub.stop)
        await self.hub.start()
        self.looking = Looking(self.ledger_url)
        self.stack.callback(self.looking.close)

    async def _both(self) -> dict[str, Any]:
        """Start broker and twins side by side; every one that started is stopped with the stack."""
        started = await asyncio.gather(
            self._bus(), *(self._twin(name) for name in self.prepared.twins), return_exceptions=True
        )
        for one in started:
            if isinstance(one, BaseException):
                raise one
        bus = started[0]
        assert isinstance(bus, dict)
        return bus

    async def _twin(self, name: str) -> None:
        twin, _ = self.prepared.twins[name]
        self.twins[name] = await Twin.start(name, twin, self.prepared.options[name], self.folder)
        self.stack.push_async_callback(self.twins[name].stop)

    async def _bus(self) -> dict[str, Any]:
        if self.wanted.bus == "embedded":
            return {"url": "embedded:"}
        prefix = f"drill-{secrets.token_hex(4)}"
        if self.wanted.bus != "rabbitmq":
            self.stack.push_async_callback(
                asyncio.to_thread, _forget, self.wanted.bus, prefix, list(self.prepared.twins)
            )
            return {"url": self.wanted.bus, "prefix": prefix}
        from hub.bus.private_node import PrivateNode

        self.node = await asyncio.to_thread(PrivateNode.start, self.folder / "rabbitmq")
        self.stack.push_async_callback(asyncio.to_thread, self.node.stop)
        return {"url": self.node.amqp_url, "prefix": prefix}

    def _tell_of_sources(self) -> None:
        report, serving = self.report, self.serving
        for name, used in self.prepared.used.items():
            used.dossiers, used.once = serving.records.get(name, 0), serving.once.get(name, [])
        report.sources = list(self.prepared.used.values())
        report.dossiers = serving.dossiers
        for name, said in serving.served.items():
            report.snapshots += sum(map(len, said.snapshots.values()))
            report.events += len(said.events)
            if all(len(revisions) < 2 for revisions in said.snapshots.values()):
                text = f"{name}: no dossier has a second revision, so an older one after a newer one could not show"
                report.problems.append(f"{text} — give its sources samples with a time of change")

    # --- the play -----------------------------------------------------------------------------------------------------

    async def play(self) -> None:
        """Every round of the script, then what is left to show, until nothing is left to send."""
        self.say("seeing that everything goes well while nothing is wrong", 0, len(self.script))
        await self._show()
        if not await self._until(lambda: self._drained(*self.twins), RECOVER_S):
            self.report.problems.append(f"before any fault not everything was delivered{await self._why()}")
            return
        for number, one in enumerate(self.script, 1):
            words = ", ".join(f"{name}: {fault.words}" for name, fault in one.portals.items())
            self.say(one.hub.words if one.hub is not None else words, number, len(self.script))
            results = await (self._whole(one.hub) if one.hub is not None else self._portals(one.portals))
            self.report.faults += results
            await self._bury(f"round {number}")
            if any(result.recovered_after_s is None for result in results):
                self.report.problems.append(f"round {number}: not recovered within {RECOVER_S:g} s{await self._why()}")
                return
        self.say("showing the rest", len(self.script), len(self.script))
        while self.tick < len(self.serving.ticks):
            await self._show()
        if not await self._until(lambda: self._drained(*self.twins), RECOVER_S):
            self.report.problems.append(f"at the end not everything was delivered{await self._why()}")

    async def _bury(self, when: str) -> None:
        """Tell of what died, also where a newer revision will soon take its place."""
        report = self.report
        dead = await self._ask(Looking.dead)
        count = sum(map(len, dead.values()))
        if count <= report.dead:
            return
        report.dead = count
        for name, letters in dead.items():
            key, reason = letters[-1]
            why = reason.partition(" (found ")[0]  # what was found may be a person's
            many = "1 dispatch is" if len(letters) == 1 else f"{len(letters):,} dispatches are"
            said = f"{when}: {name}: {many} dead, {key} of: {why}"
            mend = f"mend its mapping or answer table, or raise destinations.{name}.retry.limit"
            report.problems.append(f"{said} — {mend}")

    async def _show(self) -> None:
        """Let every source show its pages of the next tick."""
        if self.tick < len(self.serving.ticks):
            pages = self.serving.ticks[self.tick]
            self.tick += 1
            await asyncio.to_thread(self._write, pages)

    def _write(self, pages: Sequence[Page]) -> None:
        lines: dict[str, list[str]] = {}
        for page in pages:
            self.shown[page.source] += 1
            file = f"{self.shown[page.source]:06d}"
            (self.folder / "recorded" / page.source / file).write_bytes(page.body)
            line = {"file": file, "label": page.label, "media": page.media, "charset": page.charset}
            lines.setdefault(page.source, []).append(json.dumps(line) + "\n")
        for source, written in lines.items():
            with (self.folder / "recorded" / source / PAGES).open("a", encoding="utf-8") as file_:
                file_.write("".join(written))

    async def _portals(self, faults: Mapping[str, Fault]) -> list[FaultResult]:
        """A fault at each of some portals, all at once."""
        since_us = time.time_ns() // 1000
        before = {
            name: _struck(await self.twins[name].state(), self._order(name, fault)) for name, fault in faults.items()
        }
        for name, fault in faults.items():
            await self.twins[name].order(self._order(name, fault))
        await self._show()
        met = [self._portal(name, fault, before[name], since_us) for name, fault in faults.items()]
        return list(await asyncio.gather(*met))

    def _order(self, name: str, fault: Fault) -> Mapping[str, Any]:
        return self.prepared.orders[name][fault.name]

    async def _portal(self, name: str, fault: Fault, before: int, since_us: int) -> FaultResult:
        twin, order = self.twins[name], self._order(name, fault)
        result = FaultResult(fault.name, name)

        async def met() -> bool:
            state = await twin.state()
            result.in_flight = max(
                _struck(state, order) - before, await self._ask(lambda look: look.faulted(name, since_us))
            )
            if not result.in_flight and not state["faults"] and "for_requests" in order:
                await twin.order(order)  # a log-in or a look-up has used it up: nothing of ours was in it
            return result.in_flight > 0

        async def met_or_over() -> bool:
            return await met() or await self._drained(name)

        await self._until(met_or_over, MEET_S)
        if result.in_flight:
            await asyncio.sleep(self._longest_s(name) if fault.outlasts else self._patient(name, fault.hold_s))
            await met()
        result.exercised = result.in_flight > 0
        await twin.well()
        result.recovered_after_s = await self._recovered(name)
        return result

    def _longest_s(self, name: str) -> float:
        """Longer than every timeout of a destination, and than the longest wait between two attempts."""
        given = self.prepared.given["destinations"][name]
        return 2.0 * deadline_of(given) + 1.0

    def _patient(self, name: str, hold_s: float) -> float:
        """A fault that spends attempts is over before a dispatch could die of the shortened waits alone."""
        return hold_s if self.prepared.made.destinations[name].retry.limit >= 6 else 0.0

    async def _whole(self, fault: Fault) -> list[FaultResult]:
        """A fault of the whole hub, while every portal keeps its calls open."""
        for name, twin in self.twins.items():
            await twin.order(self.prepared.orders[name]["linger"])
        before = {name: _struck(await twin.state(), {"mode": "linger"}) for name, twin in self.twins.items()}
        await self._show()

        async def open_or_over() -> bool:
            states = await asyncio.gather(*(twin.state() for twin in self.twins.values()))
            struck = zip(before.values(), states, strict=True)
            return any(_struck(now, {"mode": "linger"}) > was for was, now in struck) or await self._drained(
                *self.twins
            )

        await self._until(open_or_over, MEET_S)
        result = FaultResult(fault.name, None)
        began = time.monotonic()
        if fault.name == WORKER:
            assert self.hub is not None
            await self.hub.kill()
            result.in_flight = await self._ask(lambda look: look.in_states("sending"))
            await asyncio.gather(*(twin.well() for twin in self.twins.values()))
            await self.hub.start()
        else:
            result.in_flight = await self._ask(lambda look: look.in_states("queued", "sending"))
            await asyncio.to_thread(self.node.restart)
            await asyncio.gather(*(twin.well() for twin in self.twins.values()))
        result.exercised = result.in_flight > 0
        result.recovered_after_s = await self._recovered(*self.twins, since=began)
        return [result]

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def _recovered(self, *names: str, since: float | None = None) -> float | None:
        began = time.monotonic() if since is None else since
        if not await self._until(lambda: self._drained(*names), RECOVER_S):
            return None
        return round(time.monotonic() - began, 2)

    async def _drained(self, *names: str) -> bool:
        """Whether everything that was shown is read, and nothing is left that would go to these by itself."""

        def look(looking: Looking) -> bool:
            pages = looking.pages()
            return all(pages.get(name, 0) >= count for name, count in self.shown.items()) and not (
                looking.movable() & set(names)
            )

        return await self._ask(look)

    async def _ask(self, question: Callable[[Looking], T]) -> T:
        assert self.looking is not None
        return await asyncio.to_thread(question, self.looking)

    async def _until(self, holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
        """Wait for something; False where it does not come. Raises: DrillError where the hub has ended by itself."""
        give_up_at = time.monotonic() + within_s
        while not await holds():
            if self.hub is not None and not self.hub.running:
                raise DrillError(f"the hub has ended by itself: {self.hub.last_words()}")
            if time.monotonic() > give_up_at:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    # --- the end ------------------------------------------------------------------------------------------------------

    async def too_late(self) -> None:
        """The time is over: say what was still to be done."""
        reached = {(result.fault, result.destination) for result in self.report.faults}
        missing = [one for one in self._planned() if (one.fault, one.destination) not in reached]
        self.report.faults += missing
        why = await self._why() if self.looking is not None else ""
        said = f"not finished within {self.wanted.limit_s:g} s: {len(missing)} faults were not reached{why}"
        self.report.problems.append(f"{said} — give it more time (--minutes) or fewer dossiers (--dossiers)")

    def _planned(self) -> Iterator[FaultResult]:
        for one in self.script:
            for name, fault in one.portals.items():
                yield FaultResult(fault.name, name)
            if one.hub is not None:
                yield FaultResult(one.hub.name, None)

    async def _why(self) -> str:
        """What is still open, and what stands in its way."""

        def look(looking: Looking) -> str:
            states, held, troubles = looking.states(), looking.held(), looking.troubles()
            parts = [f"{states[state]} {state}" for state in OPEN if states.get(state)]
            parts += [f"{name} is {why}" for name, why in held.items()]
            parts += [f"source {name}: {why}" for name, why in troubles.items()]
            return "; still open: " + ", ".join(parts) if parts else ""

        return await self._ask(look)

    async def strike(self) -> None:
        """End the hub and hold what the portals logged against what was served."""
        self.say("striking the books", len(self.script), len(self.script))
        if self.hub is None or self.looking is None:
            return
        await self.hub.stop()
        report = self.report
        reached = {(one.fault, one.destination) for one in report.faults}
        report.faults += [one for one in self._planned() if (one.fault, one.destination) not in reached]
        twice = await self._ask(Looking.twice)
        for name, served in self.serving.served.items():
            effects = await asyncio.to_thread(
                _effects, self.folder / f"{name}.jsonl", self.prepared.twins[name][1].kinds
            )
            verdict = judge(name, served, effects, twice.get(name, {}))
            # An event's own key may name a person; the lane that it belongs to does not.
            lanes = served.lanes
            report.findings += [replace(one, key=lanes.get((one.kind, one.key), one.key)) for one in verdict.findings]
            report.possibly_twice += verdict.possibly_twice
        # Steps of dossiers that no source shows wait for them by name, as they should.
        known = {name: set(served.lanes.values()) for name, served in self.serving.served.items()}
        still = await self._ask(Looking.open)
        report.open = sum(lane in known.get(destination, ()) for destination, lane in still)
        await self._bury("at the end")


def _struck(state: Mapping[str, Any], order: Mapping[str, Any]) -> int:
    """How many messages a fault has struck so far."""
    return int(state["struck"].get(order["mode"], {}).get("messages", 0))


def _effects(path: Path, kinds: Mapping[str, str]) -> list[Effect]:
    """The lines of a twin's log."""
    with suppress(FileNotFoundError), path.open("rb") as lines:
        read = [json.loads(line) for line in lines if line.endswith(b"\n")]
        return [
            Effect(kinds.get(one["service"], one["service"]), digest_of(one["data"]), one["number"]) for one in read
        ]
    return []


def _must_be_empty(url: str) -> None:
    """Raises: ConfigError for a ledger that holds something: a drill would be mixed with it."""
    try:
        with open_reader(url) as reader:
            used = reader.tally()
    except LedgerFault as fault:
        if fault.down:
            raise
        return
    if used.newest_arrival or used.dispatches:
        said = f"--ledger: {without_password(url)} is not empty"
        raise ConfigError([Problem("not-empty", said, "name a new file or an empty database")])


def _forget(url: str, prefix: str, destinations: Sequence[str]) -> None:
    """Take the drill's own queues and exchange away from a broker that goes on."""
    import pika
    from pika.exceptions import AMQPError

    try:
        connection = pika.BlockingConnection(pika.URLParameters(url))
        channel = connection.channel()
        for name in destinations:
            channel.queue_delete(f"{prefix}.{name}")
        channel.exchange_delete(prefix)
        connection.close()
    except (AMQPError, OSError) as error:
        log.warning("the queues %s.* are left on the broker: %r", prefix, error)
