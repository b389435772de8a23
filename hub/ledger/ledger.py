"""The ledger as the loops see it: each operation one unit of the writer, or one short read (R12, R15)."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

import sqlalchemy as sa

from hub.alerts import Judgement, Limits, Observed, judge
from hub.answers.unknown import SeenCode
from hub.ledger import (
    alerts,
    daily,
    dead_letters,
    draining,
    observing,
    orphans,
    registers,
    relay,
    sending,
    sources,
    tables,
    unknowns,
    urgency,
)
from hub.ledger import correct as correcting
from hub.ledger import discard as discarding
from hub.ledger import redo as redoing
from hub.ledger import replay as replaying
from hub.ledger.aging import ages
from hub.ledger.answer_codes import remember
from hub.ledger.audit import By, Done, note, operations
from hub.ledger.bulk import Tx
from hub.ledger.clock import StepWatch, move_back, step_at_start
from hub.ledger.deaths import Died, died
from hub.ledger.engine import is_postgres, migrate, open_engine, sole_owner
from hub.ledger.gates import OPEN, gate_of, maintain, make_gates, set_gate
from hub.ledger.items import ItemFilter, Position, choose, dismiss
from hub.ledger.lane_locks import queued_count
from hub.ledger.outlook import too_late
from hub.ledger.pace import Pace
from hub.ledger.recovering import RESTORED
from hub.ledger.reserve import Reserve, measure_of
from hub.ledger.restored import LastBeat, look
from hub.ledger.settle import settle
from hub.ledger.values import (
    Claim,
    Claimed,
    DestinationRules,
    Finished,
    GateState,
    Outcome,
    Settled,
    Settlement,
    SourceLease,
)
from hub.ledger.views import Corrected, DeadDetail, Decided, DiscardResult, ReplayResult
from hub.ledger.writer import RECONNECT_CAP_S, Priority, UncommittableError, Writer, is_passing
from hub.ports import Ticket
from schemas.errors import LedgerFault

log = logging.getLogger(__name__)
T = TypeVar("T")

HEARTBEAT_S = 2.0
CALLS_PER_INCARNATION = 1 << 36
"""Call ids are numbered within a worker's incarnation, whatever clocks say; both fit into 63 bits."""

WORKER_TTL_S = 15.0
"""A worker without a heartbeat for so long has lost its claims and its sources."""


def wall_us() -> int:
    """Return the wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Ledger:
    """One process's access to the ledger. `open` before use, `close` after.

    Raises from every operation: LedgerFault once closed. While the database is away operations wait; nothing is lost.
    """

    def __init__(
        self,
        url: str,
        rules: Mapping[str, DestinationRules],
        *,
        sources: Sequence[str] = (),
        now_us: Callable[[], int] = wall_us,
        reserve_mb: int | None = None,
    ) -> None:
        """`reserve_mb` of its disk are kept for claims and receipts; None leaves it to `hub.ledger.reserve`."""
        self.url = url
        self._reserve_mb = reserve_mb
        self.rules = dict(rules)
        self._pace = {name: Pace(rule.window, rule.queued_s, rule.rate_per_s) for name, rule in rules.items()}
        for name, rule in rules.items():
            if rule.rate_per_s is not None:
                self._keep_pace(name)
        self.delivers = False
        """Whether this process sends: then it takes its share of what a destination allows to all."""
        self.sharers = 1
        """How many processes send, this one among them; as of the last heartbeat."""
        self._begun: dict[str, int] = {}
        """Per destination, the last opening of its gate that was begun with by a single call."""
        self._looked: dict[str, int] = {}
        """How far each destination's due fronts were looked through for urgent ones."""
        self._sources = list(sources)
        self._now_us = now_us
        self._steps = StepWatch(now_us)
        self._seen = LastBeat(url)
        self.worker = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._call_ids = itertools.count()
        self._open = ExitStack()
        self._closing = False
        self.digest_key = b""
        self.identity = ""
        """Names this ledger among all, whatever its URL; travels with every ticket."""
        self.takeover: list[Ticket] = []
        """Tickets of what a process before had queued, to be published at the start."""

    async def open(self, *, take_over: bool) -> None:
        """Lock, migrate and recover what a process before left. Raises: LedgerFault.

        With `take_over` all that is queued is queued anew, and its tickets stand in `takeover` to be published.
        """
        try:
            await asyncio.to_thread(self._start, take_over)
        except BaseException:
            await self.close()
            raise

    def _start(self, take_over: bool) -> None:
        say = self._open.enter_context(sole_owner(self.url))
        engine = open_engine(self.url, writer=True)
        self._open.callback(engine.dispose)
        migrate(engine)
        self._reader = open_engine(self.url, writer=False)
        self._open.callback(self._reader.dispose)
        self.postgres = is_postgres(engine)
        self._writer = Writer(
            engine, self._now_us, Reserve(measure_of(self.url, self._reserve_mb), self._reserve_mb), say
        )
        self._open.callback(self._writer.close)
        self._writer.submit(self._recover, Priority.CONTROL).result()
        self._seen.note(self._now_us())
        if take_over:
            self.takeover = self._writer.submit(self._requeue_all, Priority.CONTROL).result()

    def _recover(self, tx: Tx) -> None:
        key = tx.execute(sa.select(tables.meta.c.value).where(tables.meta.c.name == "digest_key")).scalar()
        if key is None:
            key = secrets.token_hex(32)
            tx.execute(sa.insert(tables.meta).values(name="digest_key", value=key))
        self.digest_key = bytes.fromhex(key)
        self._call_ids = itertools.count(sources.new_incarnation(tx) * CALLS_PER_INCARNATION + 1)
        # Another one after each recovery: tickets from before a restore are then those of another ledger (R17).
        restored = tx.execute(sa.select(tables.meta.c.value).where(tables.meta.c.name == RESTORED)).scalar() or ""
        self.identity = blake2b(self.digest_key + restored.encode(), digest_size=8, person=b"identity").hexdigest()
        self._writer.ledger = tx.ledger = self.identity
        if why := look(tx, self._seen):
            log.error("the ledger is not to be trusted: %s; stop the hub and run `hub recover`", why)
        move_back(tx, step_at_start(tx))
        self._beat(tx)
        make_gates(tx, list(self.rules))
        sources.make_sources(tx, self._sources, sole=not self.postgres)
        if not self.postgres:
            for destination in sorted(self.rules):
                while orphans.orphan(tx, destination, None, self.worker):
                    pass

    def _requeue_all(self, tx: Tx) -> list[Ticket]:
        tickets: list[Ticket] = []
        for destination, rules in sorted(self.rules.items()):
            tickets += relay.requeue_expired(tx, destination, rules, all_of_them=True)
        return tickets

    def give_up(self) -> None:
        """Wait for no database any more: what is asked while it is away fails. For the end of a process."""
        self._closing = True
        if hasattr(self, "_writer"):
            self._writer.give_up()

    async def close(self) -> None:
        """Commit what is queued and close. The sources are given back."""
        await asyncio.to_thread(self._open.close)

    @property
    def problem(self) -> str | None:
        """Why nothing can be committed at present, or not everything; None while all is well."""
        return self._writer.problem

    def next_call_id(self) -> int:
        """Return a new call id, unique among all workers and made before the commit (R12)."""
        return next(self._call_ids)

    async def _read(self, function: Callable[[Tx], T]) -> T:
        def reading() -> T:
            with self._reader.connect() as connection:
                return function(Tx(connection, self._now_us(), self.postgres))

        pause_s = 0.05
        while True:
            try:
                return await asyncio.to_thread(reading)
            except sa.exc.DBAPIError as error:
                if not is_passing(error) or self._closing:
                    raise LedgerFault(f"the ledger's database cannot be read: {error.orig}", down=True) from error
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RECONNECT_CAP_S)

    async def ask(self, question: Callable[[Tx], T]) -> T:
        """Answer a rare question, in one short read."""
        return await self._read(question)

    async def commit(self, unit: Callable[[Tx], T]) -> T:
        """Commit a rare deed, whole or not at all; it may be run again after a commit of unknown outcome (R12)."""
        return await self._writer.run(unit, Priority.CONTROL)

    async def make_room_for(self, destinations: Collection[str], sources_: Collection[str]) -> None:
        """Make what destinations and sources need that are not known yet; what is known stays as it is."""

        def making(tx: Tx) -> None:
            make_gates(tx, sorted(destinations))
            sources.make_sources(tx, sorted(sources_), sole=False)

        await self.commit(making)

    def know(self, rules: Mapping[str, DestinationRules]) -> None:
        """Go by other rules for these destinations from now on."""
        self.rules = {**self.rules, **rules}
        for name, rule in rules.items():
            self._pace[name] = Pace(rule.window, rule.queued_s, rule.rate_per_s)
            if rule.rate_per_s is not None:
                self._keep_pace(name)

    def forget(self, destination: str) -> None:
        """Queue nothing more for a destination that is served no more; what is made for it all the same waits."""
        self.rules[destination] = replace(self.rules[destination], window=0, rate_per_s=None)

    # --- reading sources

    async def lease_source(self, name: str, for_s: float = WORKER_TTL_S) -> SourceLease | None:
        """Take or renew the right to read a source; None while another worker has it."""
        return await self._writer.run(lambda tx: sources.lease_source(tx, name, self.worker, for_s), Priority.CONTROL)

    async def polled(self, lease: SourceLease, problem: str = "") -> None:
        """Record how a poll ended."""
        await self._writer.run(lambda tx: sources.polled(tx, lease.name, lease.epoch, problem), Priority.CONTROL)

    async def release_source(self, name: str) -> None:
        """Give a source back."""
        await self._writer.run(lambda tx: sources.release_source(tx, name, self.worker), Priority.CONTROL)

    async def settle(self, settlement: Settlement) -> Settled:
        """Commit an arrival and all it makes. Raises: LeaseLostError; what the database refuses is parked, not
        raised."""
        try:
            return await self._writer.run(lambda tx: settle(tx, settlement, self.rules), Priority.ARRIVAL)
        except UncommittableError as error:
            log.error("%s: %s cannot be committed: %s", settlement.arrival.source, settlement.arrival.label, error)
            parked = _parked_whole(settlement, str(error))
            return await self._writer.run(lambda tx: settle(tx, parked, self.rules), Priority.ARRIVAL)

    async def parked(self, sources: Sequence[str], after_id: int) -> list[int]:
        """Return arrivals that hold parked items, in rising order beyond `after_id`."""
        return await self._read(lambda tx: redoing.parked(tx, sources, after_id))

    async def parked_arrival(self, arrival_id: int) -> redoing.Parked | None:
        """Read an arrival as it came; None where its bytes are pruned."""
        return await self._read(lambda tx: redoing.parked_arrival(tx, arrival_id))

    async def redo(
        self, arrival_id: int, settlement: Settlement, *, only: Collection[Position] | None = None, by: By | None = None
    ) -> Settled:
        """Settle the refused items of an arrival that are records now, see `hub.ledger.redo`."""
        return await self._writer.run(
            lambda tx: redoing.redo(tx, arrival_id, settlement, self.rules, only, by), Priority.ARRIVAL
        )

    async def refused(self, ids: Sequence[str], wanted: ItemFilter) -> list[tuple[int, Position]]:
        """Return the refused items that ids, or without any a filter, mean. Raises: OperationRefused."""
        return await self._read(lambda tx: choose(tx.connection, ids, wanted))

    async def dismiss(self, ids: Sequence[str], wanted: ItemFilter, by: By) -> int:
        """Write down that a person has dealt with refused items; returns how many. Raises: OperationRefused."""
        return await self._writer.run(lambda tx: dismiss(tx, ids, wanted, by), Priority.CONTROL)

    # --- publishing

    async def due(self, destination: str) -> list[Ticket]:
        """Queue what is due and return its tickets, to be published."""

        def looking(tx: Tx) -> tuple[list[Ticket], int]:
            return relay.due(tx, destination, self.rules[destination]), queued_count(tx, destination)

        tickets, queued = await self._writer.run(looking, Priority.RELAY)
        if not queued:
            self._pace[destination].idle()
        return tickets

    async def look_for_urgent(self, destination: str) -> int:
        """Let urgent lanes go before the others, where there is a backlog; returns how many it found now.

        It reads beside the line and looks at a bounded number of lanes; the next look goes on where it ended.
        """
        rules, after_us = self.rules[destination], self._looked.get(destination, 0)
        found = await self._read(lambda tx: urgency.look(tx, destination, rules, after_us))
        self._looked[destination] = found.until_us
        ranked = 0
        for due_on, ids in sorted(found.urgent.items()):
            for at in range(0, len(ids), urgency.AT_ONCE):
                some = partial(urgency.rank, due_on=due_on, ids=ids[at : at + urgency.AT_ONCE])
                ranked += await self._writer.run(some, Priority.RELAY)
        return ranked

    async def probe(self, destination: str, for_s: float) -> list[Ticket]:
        """Let one dispatch through a held gate, where it is time."""
        rules = self.rules[destination]
        for_s = max(for_s, rules.probe_s)
        return await self._writer.run(lambda tx: relay.probe(tx, destination, rules, for_s), Priority.RELAY)

    async def returned(self, tickets: Sequence[Ticket], again_in_s: float) -> None:
        """Let what the bus did not take wait."""
        await self._writer.run(lambda tx: relay.returned(tx, tickets, again_in_s), Priority.CONTROL)

    async def sweep(self, destination: str) -> int:
        """Mend lanes that nobody promotes; returns how many there were."""
        return await self._writer.run(lambda tx: relay.sweep(tx, destination), Priority.RELAY)

    # --- sending

    async def with_bodies(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Return the tickets with the records of those that travelled without; what is gone by now is left out."""
        bare = [ticket for ticket in tickets if ticket.body is None]
        if not bare:
            return list(tickets)
        found = await self._read(lambda tx: sending.with_bodies(tx, bare))
        read = {(ticket.dispatch_id, ticket.gen): ticket for ticket in found}
        whole = (read.get((x.dispatch_id, x.gen)) if x.body is None else x for x in tickets)
        return [ticket for ticket in whole if ticket is not None]

    async def claim(self, destination: str, claims: Sequence[Claim], *, opened_us: int | None = None) -> Claimed:
        """Write calls down before they are sent; returns what is ours to send.

        `opened_us` is when, as far as the caller knows, the gate last opened. Where it has opened again since, a single
        call is taken, whoever of this process claims at the same time: the portal is begun with anew, slowly.
        """
        given_up = threading.Event()
        allowed: list[int] = []

        def at_most(gate: GateState) -> int:
            if not allowed:  # once: a claim that is run again after a commit of unknown outcome must find what it took
                again = opened_us is not None and gate.open and gate.since_us != opened_us
                first = self._begun.get(destination) != gate.since_us
                allowed.append(len(claims) if not again else int(first))
                if again:
                    self._begun[destination] = gate.since_us
            return allowed[0]

        def claiming(tx: Tx) -> Claimed:
            if given_up.is_set():
                return Claimed(frozenset(), 0, OPEN)
            return sending.claim(tx, destination, self.worker, claims, at_most)

        try:
            return await self._writer.run(claiming, Priority.CLAIM)
        except asyncio.CancelledError:
            # It may wait for room on the disk for long: claimed then, it would be sent by nobody.
            given_up.set()
            raise

    async def finish(
        self, destination: str, outcomes: Sequence[Outcome], *, down: str = "", probe_in_s: float = 1.0
    ) -> Finished:
        """Record what became of the members of calls."""
        rules = self.rules[destination]
        done = await self._writer.run(
            lambda tx: sending.finish(tx, destination, outcomes, rules, down=down, probe_in_s=probe_in_s),
            Priority.RECEIPT,
        )
        ended = sum(outcome.to in ("delivered", "dead") for outcome in outcomes)
        if self._pace[destination].finished(len(outcomes), self._now_us(), ended):
            self._keep_pace(destination)
        return done

    async def saw_codes(self, destination: str, seen: Sequence[SeenCode]) -> None:
        """Count codes that the destination's answer table does not know."""
        await self._writer.run(lambda tx: remember(tx, destination, seen), Priority.RELAY)

    def _keep_pace(self, destination: str) -> None:
        pace = self._pace[destination]
        self.rules[destination] = replace(self.rules[destination], queued_s=pace.queued_s, window=pace.window_now)

    async def ages(self, destination: str, ids: Sequence[int]) -> dict[int, float]:
        """Return for how many seconds each dispatch could have been sent (R14)."""
        return await self._read(lambda tx: ages(tx, destination, ids))

    async def died(self, ids: Sequence[int]) -> list[Died]:
        """Read whose those of the dispatches are that are dead."""
        return await self._read(lambda tx: died(tx, ids))

    async def open_unknowns(self, destination: str) -> list[unknowns.Open]:
        """Read the dispatches whose outcome is not known."""
        return await self._read(lambda tx: unknowns.open_unknowns(tx, destination))

    async def resolve(self, destination: str, opened: Sequence[unknowns.Open], shown: Mapping[str, bool]) -> int:
        """Decide unknown outcomes by R8; `shown` is what the portal answered per lane."""
        rules = self.rules[destination]
        return await self._writer.run(
            lambda tx: unknowns.resolve(tx, destination, opened, shown, rules), Priority.CONTROL
        )

    async def postpone(self, opened: Sequence[unknowns.Open], by_s: float, reason: str) -> None:
        """Ask about unknown outcomes later."""
        await self._writer.run(lambda tx: unknowns.postpone(tx, opened, by_s, reason), Priority.CONTROL)

    async def reap(self) -> int:
        """Take the claims of workers that have no heartbeat any more; returns how many."""

        def reaping(tx: Tx) -> int:
            dead = sources.dead_workers(tx, WORKER_TTL_S)
            return sum(orphans.orphan(tx, name, dead, self.worker) for name in sorted(self.rules)) if dead else 0

        return await self._writer.run(reaping, Priority.CONTROL)

    async def beat(self) -> None:
        """Renew this worker's heartbeat; move what waits where the clock was set back since."""
        step_us = self._steps.step_us()
        paces = {name: per_s for name, pace in self._pace.items() if (per_s := pace.fresh()) is not None}

        def beating(tx: Tx) -> int:
            move_back(tx, step_us)
            self._beat(tx)
            draining.write_paces(tx, self.worker, paces)
            return tx.now_us

        self._seen.note(await self._writer.run(beating, Priority.RECEIPT))

    def _beat(self, tx: Tx) -> None:
        sources.beat(tx, self.worker, WORKER_TTL_S, delivers=self.delivers)
        self.sharers = sources.sharers(tx, WORKER_TTL_S) if self.postgres else 1

    async def leave(self) -> None:
        """Say that this process sends no more, so that the others need not leave it its share."""
        await self._writer.run(lambda tx: sources.leave(tx, self.worker), Priority.CONTROL)

    # --- control

    async def gate(self, destination: str) -> GateState:
        """Read a gate."""
        return await self._read(lambda tx: gate_of(tx, destination))

    async def destinations(self) -> list[str]:
        """Return the names of all that were ever written to, in order."""
        query = sa.select(tables.gate.c.destination).order_by(tables.gate.c.destination)
        return await self._read(lambda tx: list(tx.execute(query).scalars()))

    async def daily_last(self, name: str) -> date | None:
        """Return the day for which a daily task was last done."""
        return await self._read(lambda tx: daily.last(tx, name))

    async def take_daily(self, name: str, day: date, for_s: float) -> bool:
        """Take a daily task of a day for this process; False where it is done, or another process is at it."""
        return await self._writer.run(lambda tx: daily.take(tx, name, day, self.worker, for_s), Priority.CONTROL)

    async def daily_done(self, name: str, day: date) -> None:
        """Record that a daily task of a day is done."""
        await self._writer.run(lambda tx: daily.done(tx, name, day), Priority.CONTROL)

    # --- registers

    async def register_versions(self) -> dict[str, int]:
        """Read the version of every register that was taken over."""
        return await self._read(registers.versions)

    async def register_entries(self, register: str | None = None) -> list[registers.Entry]:
        """Read what is kept of a portal's catalogues."""
        return await self._read(lambda tx: registers.entries(tx.connection, register))

    async def register_state(self, register: str) -> registers.RegisterState:
        """Read how a register stands."""
        return await self._read(lambda tx: registers.state(tx, register))

    async def take_register(self, register: str, due_us: int, for_s: float) -> bool:
        """Take the look at a register that is due since `due_us` for this process, see `hub.ledger.registers`."""
        return await self._writer.run(
            lambda tx: registers.take(tx, register, self.worker, due_us, for_s), Priority.CONTROL
        )

    async def keep_register(
        self, register: str, version: int, changes: Sequence[registers.Change], gone_on: date, by: By | None = None
    ) -> bool:
        """Write down what a look at a portal's catalogue brought; False where the register has changed since."""
        uid = secrets.token_hex(16)
        return await self._writer.run(
            lambda tx: registers.keep(tx, register, version, changes, gone_on, uid, by), Priority.CONTROL
        )

    async def register_failed(self, register: str, problem: str) -> None:
        """Record that a look brought nothing that could be believed."""
        await self._writer.run(lambda tx: registers.failed(tx, register, problem), Priority.CONTROL)

    async def operations(self) -> list[Done]:
        """Return what people did last, in its order."""
        return await self._read(operations)

    async def set_gate(self, destination: str, state: str, reason: str, *, by: By | None = None) -> bool:
        """Open or close a gate; returns whether it changed, once no claim is newer than the change."""

        def setting(tx: Tx) -> bool:
            changed = set_gate(tx, destination, state, reason)
            if changed and by is not None:
                note(tx, by, {"open": "resume", "paused": "pause"}.get(state, state), destination)
            return changed

        return await self._writer.run(setting, Priority.CONTROL)

    async def maintain(self, destination: str, since_us: int, reason: str) -> bool:
        """Close a gate for a maintenance whose closing was due at `since_us`, once; see `hub.ledger.gates.maintain`."""
        return await self._writer.run(lambda tx: maintain(tx, destination, since_us, reason), Priority.CONTROL)

    async def end_maintenance(self, destination: str) -> bool:
        """Open a gate that is closed for a maintenance; what a person did to it meanwhile stays theirs."""
        over = "the maintenance is over"
        return await self._writer.run(
            lambda tx: set_gate(tx, destination, "open", over, was="maintenance"), Priority.CONTROL
        )

    async def replay(self, ids: Sequence[int], by: By) -> ReplayResult:
        """Replay dead dispatches (R11), some hundred at a time."""
        uid = secrets.token_hex(16)
        return await self._writer.run(lambda tx: replaying.replay(tx, ids, by, uid), Priority.CONTROL)

    async def discard(self, ids: Sequence[int], by: By) -> DiscardResult:
        """Discard dead dispatches, some hundred at a time, and let go what waited behind them (R6)."""
        uid = secrets.token_hex(16)
        return await self._writer.run(lambda tx: discarding.discard(tx, ids, by, uid), Priority.CONTROL)

    async def dead_letter(self, dispatch_id: int) -> DeadDetail:
        """Read one dead letter. Raises: KeyError where there is none of that number."""
        return await self._read(lambda tx: dead_letters.detail(tx.connection, dispatch_id))

    async def dispatch_states(self, ids: Sequence[int]) -> dict[int, str]:
        """Read the states of dispatches; a number that there is none of is left out."""
        return await self._read(lambda tx: dead_letters.states(tx.connection, ids))

    async def correct(self, correction: correcting.Correction, by: By) -> tuple[Corrected, list[Ticket]]:
        """Make a corrected revision and let it go; its tickets are to be published. Raises: OperationRefused."""
        uid = secrets.token_hex(16)
        return await self._writer.run(
            lambda tx: correcting.correct(tx, correction, by, uid, self.rules), Priority.CONTROL
        )

    async def decide(self, ids: Sequence[int], verdict: unknowns.Verdict, by: By) -> Decided:
        """Do what a person says of unknown outcomes (R8)."""
        return await self._writer.run(lambda tx: unknowns.decide(tx, ids, verdict, by), Priority.CONTROL)

    async def abandon(self, destination: str) -> int:
        """Give up this worker's own claims on a destination whose loop failed: their outcome is unknown (R7)."""
        return await self._writer.run(lambda tx: orphans.orphan(tx, destination, [self.worker], ""), Priority.CONTROL)

    # --- telling people

    async def observe(self, destinations: Collection[str], sources: Collection[str], slow: observing.Slow) -> Observed:
        """See how destinations and sources stand."""
        return await self._read(lambda tx: observing.observe(tx, destinations, sources, slow))

    async def look_slowly(self, destinations: Collection[str]) -> observing.Slow:
        """See what takes longer."""
        return await self._read(lambda tx: observing.look_slowly(tx, destinations))

    async def forecast(self, destinations: Collection[str]) -> dict[str, int]:
        """Reckon, by destination, how many dossiers will pass their due date first; what nobody can say is left out."""
        found = {name: await self._read(partial(too_late, destination=name)) for name in destinations}
        return {name: late for name, late in found.items() if late is not None}

    async def judge_and_tell(self, observed: Observed, limits: Limits, audience: alerts.Audience) -> Judgement | None:
        """Write down which alerts begin and end, with the messages that tell it; None where another hub judges."""
        if not self.postgres:
            # One process: what nothing follows from needs no commit.
            known = await self._read(lambda tx: alerts.known_alerts(tx, limits.settle_s, audience.channels))
            if not judge(observed, known, limits, self._now_us()):
                return Judgement()
        return await self._writer.run(
            lambda tx: alerts.judge_and_tell(tx, self.worker, observed, limits, audience), Priority.CONTROL
        )

    async def tell(self, channel: str, about: str, content: Mapping[str, Any]) -> bool:
        """Have people told by `mail:ADDRESS` or `webhook:NAME`; `content` has `subject`, `text` and, for mails,
        `attachments`, a list of files. False where a message named `about` was written down before: it is told once."""
        return await self._writer.run(lambda tx: alerts.tell(tx, channel, about, content), Priority.CONTROL)

    async def due_messages(self) -> list[tuple[int, str]]:
        """Read the ids and channels of the messages that are due."""
        return await self._read(alerts.due_messages)

    async def take_messages(self, ids: Sequence[int], for_s: float) -> list[alerts.Message]:
        """Take messages to be sent, those of `ids` that nobody else took."""
        return await self._writer.run(lambda tx: alerts.take_messages(tx, ids, for_s), Priority.CONTROL)

    async def message_sent(self, message: alerts.Message) -> None:
        """Record that a message went."""
        await self._writer.run(lambda tx: alerts.message_sent(tx, message), Priority.RECEIPT)

    async def message_failed(self, message: alerts.Message, problem: str, again_in_s: float | None) -> None:
        """Record why a message did not go, and when it is tried again; None gives it up."""
        await self._writer.run(lambda tx: alerts.message_failed(tx, message, problem, again_in_s), Priority.CONTROL)

    async def movable(self) -> int:
        """Return how many dispatches are out or due: zero means that nothing moves by itself any more.

        Of the destinations that this process knows; what waits for another is not its own to move.
        """
        d = tables.dispatch.c
        mine = d.destination.in_(sorted(self.rules))

        def counting(tx: Tx) -> int:
            count = sa.select(sa.func.count()).select_from(tables.dispatch).where(mine)
            due = count.where(tables.is_waiting, d.due_us.isnot(None))
            out = count.where(tables.is_out, sa.or_(d.state != "unknown", d.due_us.isnot(None)))
            return int(tx.execute(due).scalar_one() + tx.execute(out).scalar_one())

        return await self._read(counting)


def _parked_whole(s: Settlement, reason: str) -> Settlement:
    """The same arrival as one whose content cannot be kept: its bytes stay, nothing else of it is written."""
    return replace(s, candidates=(), refusals=(), packed_records=None, undecodable=reason)


def cursor_of(text: str) -> dict[str, object]:
    """Return the cursor that `settle.cursor_text` wrote."""
    cursor: dict[str, object] = json.loads(text)
    return cursor
