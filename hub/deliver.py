"""The loop of one destination: lease, render, claim, send, finish, acknowledge (docs/architecture.md).

The claim is committed before a request is sent and the result before the bus is acknowledged, so a crash at any point
leads to a step done again or to an outcome known to be unknown, never to a step skipped. A failure of one destination
stops no other.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from hub.deaths import tell_deaths
from hub.kill_points import kill_point
from hub.ledger import Ledger
from hub.ledger.lanes import Standing
from hub.ledger.restored import ahead
from hub.ledger.sending import LARGEST_GEN
from hub.ledger.unknowns import Open
from hub.ledger.values import Claim, Outcome
from hub.ports import Bus, Destination, Fault, FaultClass, Lease, Mode, Outgoing, Receipt, Result, Ticket, Unknown
from hub.publish import to_the_end
from hub.rate import Rate
from hub.retry import RetryPolicy, Sent, backoff_s, holds, serves, verdict
from hub.suspects import Suspects
from hub.turns import Turns
from mappings.inbound import InboundMapping
from mappings.outbound import OutboundMapping
from mappings.rows import RenderContext
from schemas.errors import DestinationFault, RefusedValueError
from schemas.record import KINDS

log = logging.getLogger(__name__)

LEASED = 200
"""Tickets taken from the bus at a time: few enough that a kill leaves few claims open. A portal that takes larger
batches has as many taken as fill one."""

UNDER_WAY = 3
"""Groups of leases under way at a time, so that one is rendered while another is being sent."""

GRACE_S = 5.0
"""Beyond the deadline that the adapter itself keeps, after which the loop gives up on the adapter."""

ASK_AGAIN_S = 1.0

ASKED_TOGETHER = 10
"""Look-ups under one deadline: portals answer one record per call."""

ALONE_AT_MOST = 3
"""Look-ups of a group that may fail alone before the fault is taken to be the portal's."""


@dataclass(slots=True)
class _Call:
    """One request with its members, as it was claimed."""

    claim: Claim
    batch: Sequence[Outgoing]
    refused: RefusedValueError | None = None
    """Set where the record cannot be rendered: then nothing is sent and the dispatch is dead."""
    leases: Sequence[Lease] = ()
    """Of the members that are ours to send."""
    closings: int = 0
    """How often the gate had closed when it was claimed."""

    def keep(self, taken: Collection[int], known: Mapping[int, Lease]) -> None:
        """Keep the members that the claim took."""
        self.leases = [known[id_] for id_, _ in self.claim.members if id_ in taken]
        if len(self.leases) < len(self.batch):
            self.batch = [outgoing for outgoing in self.batch if outgoing.dispatch_id in taken]


@dataclass(slots=True)
class Deliver:
    """Delivers to one destination until it is cancelled."""

    name: str
    destination: Destination
    ledger: Ledger
    bus: Bus
    mappings: Mapping[str, OutboundMapping]
    context: RenderContext
    policy: RetryPolicy
    publish: Callable[[Sequence[Ticket]], Awaitable[None]]
    now_us: Callable[[], int]
    inbound: Mapping[str, Sequence[InboundMapping]] = field(default_factory=dict)
    """The mappings of every source, by which a dead letter is told with the agency's own field."""
    parallel: int = 4
    deadline_s: float = 30.0
    probe_every_s: float = 1.0
    rate_per_s: float | None = None
    """Requests a second at most, of all processes together."""
    delivered: int = 0
    _requests: asyncio.Semaphore = field(init=False)
    _sending: set[asyncio.Task[Sequence[Result]]] = field(default_factory=set)
    may_send: Callable[[], bool] = lambda: True
    """Asked right before each request: False once this worker may have lost its claims, or is to end (R7)."""
    _said_ahead: bool = False
    _asked: dict[int, int] = field(default_factory=dict)
    _suspects: Suspects = field(default_factory=Suspects)
    _turns: Turns = field(default_factory=lambda: Turns(Rate(), 1))
    _opened_us: int | None = None
    """When the gate last opened, as far as this loop has seen; 0 where it has only seen it closed."""
    _closings: int = 0
    """How often this loop has seen the gate close."""
    retired: bool = False
    """Whether it was told to end, for another loop to take its place."""
    _pulling: asyncio.Task[None] | None = None
    _results: asyncio.Queue[tuple[_Call, Sequence[Outcome], str, asyncio.Future[None]]] = field(
        default_factory=asyncio.Queue
    )

    async def run(self) -> None:
        """Serve the destination's queue until the bus is stopped, or it is retired."""
        self._requests = asyncio.Semaphore(self.parallel)
        self._turns = Turns(Rate(self.rate_per_s, self.ledger.sharers), self.parallel)
        if self._opened_us is None:
            gate = await self.ledger.gate(self.name)
            self._opened_us = gate.since_us if gate.open else 0
        groups = asyncio.Semaphore(UNDER_WAY)
        leased = max(LEASED, self.destination.largest)
        async with asyncio.TaskGroup() as tasks, self.bus.lease(self.name, leased) as leases:
            finishing = tasks.create_task(self._finish_all())
            resolving = tasks.create_task(self._resolve_unknowns())

            async def pull() -> None:
                async for group in leases:
                    await groups.acquire()
                    task = tasks.create_task(self._serve(group))
                    task.add_done_callback(lambda _: groups.release())

            self._pulling = tasks.create_task(pull())
            if self.retired:
                self._pulling.cancel()
            await asyncio.wait({self._pulling})
            # The bus was stopped, or we are retired: what is under way comes to its end and is recorded.
            self.end()
            for _ in range(UNDER_WAY):
                await groups.acquire()
            finishing.cancel()
            resolving.cancel()

    def let_go(self) -> None:
        """Close the sockets of everything that is being sent; its outcome is then unknown (R7)."""
        for task in self._sending:
            task.cancel()

    def end(self) -> None:
        """Let nothing wait for its turn any more, before the bus is stopped: what is not claimed stays queued."""
        self._turns.end()

    def retire(self) -> None:
        """Take nothing more from the bus: `run` ends once what is on the wire has ended and is recorded. What was taken
        and not claimed is on the bus again, for the next."""
        self.retired = True
        self.end()
        if self._pulling is not None:
            self._pulling.cancel()

    def gate_closed(self, state: str) -> None:
        """Give back what is claimed and not sent yet: the gate was seen closed, whoever closed it."""
        self._closings += 1
        if state != "held":  # there a probe passes, in its turn
            self._turns.shut()

    async def _serve(self, leases: Sequence[Lease]) -> None:
        """Take a group of leases from the bus to their end."""
        known: dict[int, Lease] = {}
        for lease in leases:
            if self._ours(lease.ticket):
                # Of one dispatch the newest generation alone can be good, and it is sent once.
                other = known.get(lease.ticket.dispatch_id)
                if other is None or other.ticket.gen < lease.ticket.gen:
                    known[lease.ticket.dispatch_id] = lease
        waiting = self._calls(await self.ledger.with_bodies([lease.ticket for lease in known.values()]))
        claimed: set[int] = set()
        async with asyncio.TaskGroup() as tasks:
            while waiting:
                calls = await self._next(waiting)
                if not calls:
                    # We are to end: what is queued still goes out again, here or in another process.
                    return
                taken = await self._claim(calls, known)
                waiting = waiting[taken:]
                for call in calls[:taken]:
                    claimed.update(map(id, call.leases))
                    if call.batch:
                        if call.refused is None:
                            self._turns.begins()
                        tasks.create_task(self._send(call))
            # The rest is of an old generation, a repeat, or waits behind a closed gate: the bus may forget it.
            if len(claimed) < len(leases):
                await self.bus.ack([lease for lease in leases if id(lease) not in claimed])
                await self._look_ahead([lease.ticket for lease in known.values() if id(lease) not in claimed])

    async def _next(self, calls: Sequence[_Call]) -> Sequence[_Call]:
        """Wait until something may be sent; what cannot be rendered is at the end and needs no turn."""
        wanted = sum(call.refused is None for call in calls)
        if not wanted:
            return calls
        self._turns.share(self.ledger.sharers)
        given = await self._turns.take(wanted)
        return calls if given == wanted else calls[:given]

    async def _claim(self, calls: Sequence[_Call], known: Mapping[int, Lease]) -> int:
        """Claim calls; each keeps the members that are ours to send. Returns how many calls were looked at."""
        kill_point("before-claim", (call.claim.call_id for call in calls))
        took = await self.ledger.claim(self.name, [call.claim for call in calls], opened_us=self._opened_us)
        for call in calls[: took.calls]:
            call.keep(took.ids, known)
            call.closings = self._closings
        kill_point("after-claim", (call.claim.call_id for call in calls if call.leases))
        self._turns.give_back(sum(call.refused is None and not call.leases for call in calls))
        if took.gate.open and took.gate.since_us != self._opened_us:
            self._opened_us = took.gate.since_us
            self._turns.reopened()
        elif took.gate.open:
            # Whoever saw it closed may say so late.
            self._turns.unshut()
        return took.calls

    async def _look_ahead(self, unclaimed: Sequence[Ticket]) -> None:
        """Say once where the bus knows more than the ledger: that one was restored from a backup (R17)."""
        tickets = [(ticket.dispatch_id, ticket.gen) for ticket in unclaimed]
        if tickets and not self._said_ahead and await self.ledger.ask(lambda tx: ahead(tx, tickets)):
            self._said_ahead = True
            said = "%s: the bus holds tickets that this ledger has not made yet: it was restored from a backup; "
            log.error(said + "stop the hub and run `hub recover`", self.name)

    def _ours(self, ticket: Ticket) -> bool:
        if ticket.ledger == self.ledger.identity and ticket.gen <= LARGEST_GEN:
            return True
        said = "%s: a ticket that this ledger did not write (dispatch %d) was dropped"
        log.warning(said, self.name, ticket.dispatch_id)
        return False

    def _calls(self, tickets: Sequence[Ticket]) -> list[_Call]:
        """Render what is to be sent and group it into the portal's requests."""
        outgoing: list[Outgoing] = []
        refused: list[_Call] = []
        gens = {ticket.dispatch_id: ticket.gen for ticket in tickets}
        for ticket in tickets:
            base = (ticket.dispatch_id, ticket.kind, ticket.key, ticket.lane, _mode(ticket))
            try:
                payload = self._render(ticket)
            except RefusedValueError as error:
                claim = Claim(self.ledger.next_call_id(), base[-1], "", "", [(ticket.dispatch_id, ticket.gen)])
                refused.append(_Call(claim, [Outgoing(*base, {})], error))
            else:
                outgoing.append(Outgoing(*base, payload, ticket.batch_limit, self.mappings[ticket.kind]))
        calls = []
        for batch in self.destination.batches(outgoing):
            digest = blake2b(orjson.dumps([one.payload for one in batch]), digest_size=16).hexdigest()
            members = [(one.dispatch_id, gens[one.dispatch_id]) for one in batch]
            mapping = self.mappings[batch[0].kind]
            calls.append(
                _Call(Claim(self.ledger.next_call_id(), batch[0].mode, mapping.digest[:16], digest, members), batch)
            )
        return calls + refused

    def _render(self, ticket: Ticket) -> Mapping[str, Any]:
        """Render one record with the mapping now in force. Raises: RefusedValueError, whatever is wrong with it."""
        mapping = self.mappings.get(ticket.kind)
        if mapping is None:
            raise RefusedValueError(f"{self.name} has no mapping for {ticket.kind} any more", verdict="park")
        assert ticket.body is not None
        try:
            return mapping.render_body(ticket.body, self.context)
        except RefusedValueError:
            raise
        except Exception as error:
            # One record that this version cannot read must not stop the others; its dead letter says why.
            log.exception("%s: dispatch %d cannot be rendered", self.name, ticket.dispatch_id)
            said = f"cannot be rendered: {type(error).__name__}"
            raise RefusedValueError(said, mapping=mapping.name, verdict="park") from error

    async def _send(self, call: _Call) -> None:
        """Send one request, hand its results over to be recorded, then acknowledge its members."""
        chance = random.random()
        results: Sequence[Result]
        blamed: Collection[int] = ()
        if call.refused is not None:
            results = [_unrenderable(call.batch[0], call.refused)]
        else:
            results = ()
            try:
                async with self._requests:
                    results, blamed = await self._request(call)
            finally:
                self._turns.ends(well=serves(results))
            kill_point("after-receipt", (call.claim.call_id,))
        outcomes = await self._outcomes(call, results, blamed, chance)
        recorded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._results.put_nowait((call, outcomes, holds(results), recorded))
        await recorded
        await self.bus.ack(call.leases)

    async def _request(self, call: _Call) -> tuple[Sequence[Result], Collection[int]]:
        """Send a request; returns its results, none where it was not sent, and the dispatches that are to blame
        themselves."""
        if not self.may_send() or call.closings != self._closings:
            return (), ()
        found = await self._deliver(call.batch)
        if self.may_send():  # else it was we who let them go
            found = self._suspects.heard(found)
        judged = [self._suspects.judged(result, self.delivered, alone=len(found) == 1) for result in found]
        results = [result for result, _ in judged]
        if holds(results):
            self._closings += 1
        return results, [result.dispatch_id for result, blamed in judged if blamed]

    async def _outcomes(
        self, call: _Call, results: Sequence[Result], blamed: Collection[int], chance: float
    ) -> list[Outcome]:
        """What the ledger is to record. One chance for the whole request: what failed together is due together, and can
        travel together again."""
        call_id, mode, members = call.claim.call_id, call.claim.mode, len(call.batch)
        now_us = self.now_us()
        if not results:
            said = "given back, not sent"
            return [Outcome(one.dispatch_id, call_id, "waiting", now_us, reason=said) for one in call.batch]
        failed = [result.dispatch_id for result in results if not isinstance(result, Receipt)]
        ages = await self.ledger.ages(self.name, failed) if failed and self.policy.ages else {}
        past = {lease.ticket.dispatch_id: lease.ticket for lease in call.leases}
        outcomes = []
        for result in results:
            id_ = result.dispatch_id
            if isinstance(result, Receipt):
                outcomes.append(Outcome(id_, call_id, "delivered"))
                continue
            ticket = past[id_]
            sent = Sent(call_id, mode, members, ticket.tries, ticket.attempts, ages.get(id_, 0.0), id_ in blamed)
            outcome = verdict(result, sent, self.policy, now_us, chance)
            outcome.sent = call.refused is None
            outcomes.append(outcome)
        return outcomes

    async def _deliver(self, batch: Sequence[Outgoing]) -> list[Result]:
        """Send a request; every member gets exactly one result, what has none is unknown (R14)."""
        text = f"the adapter gave no answer within {self.deadline_s + GRACE_S:g} s"
        results: Sequence[Result] = ()
        sending = asyncio.ensure_future(self.destination.deliver(batch, self.deadline_s))
        self._sending.add(sending)
        try:
            done, _ = await asyncio.wait({sending}, timeout=self.deadline_s + GRACE_S)
            if not done:
                log.error("%s: %s", self.name, text)
            elif sending.cancelled():
                text = "the worker let it go: it could not renew its heartbeat"
            elif (error := sending.exception()) is not None:
                log.error("%s: the adapter failed; what it was sending is unknown", self.name, exc_info=error)
                text = f"the adapter failed: {error!r}"
            else:
                results = sending.result()
                text = "the answer does not name this record"
        finally:
            self._sending.discard(sending)
            sending.cancel()
        if len(results) == len(batch) and [r.dispatch_id for r in results] == [one.dispatch_id for one in batch]:
            return list(results)
        by_id: dict[int, list[Result]] = {}
        for result in results:
            by_id.setdefault(result.dispatch_id, []).append(result)
        return [
            found[0] if len(found := by_id.get(one.dispatch_id, [])) == 1 else Unknown(one.dispatch_id, text)
            for one in batch
        ]

    async def _finish_all(self) -> None:
        """Record results: whatever has gathered while the last commit ran goes into one finish."""
        while True:
            gathered = [await self._results.get()]
            while not self._results.empty():
                gathered.append(self._results.get_nowait())
            outcomes = [outcome for _, found, _, _ in gathered for outcome in found]
            down = next((reason for _, _, reason, _ in gathered if reason), "")
            await to_the_end(self._finish([call.claim.call_id for call, _, _, _ in gathered], outcomes, down))
            delivered = sum(outcome.to == "delivered" for outcome in outcomes)
            self.delivered += delivered
            if delivered < len(outcomes) and (dead := [outcome for outcome in outcomes if outcome.to == "dead"]):
                sent = {one.dispatch_id: one.payload for call, _, _, _ in gathered for one in call.batch}
                await tell_deaths(self.name, self.ledger, dead, sent, self.mappings, self.inbound)
            for _, _, _, recorded in gathered:
                if not recorded.done():
                    recorded.set_result(None)

    async def _finish(self, calls: Sequence[int], outcomes: Sequence[Outcome], down: str) -> None:
        """One finish, and the tickets of what became free by it."""
        kill_point("before-finish", calls)
        finished = await self.ledger.finish(self.name, outcomes, down=down, probe_in_s=self.probe_every_s)
        kill_point("after-finish", calls)
        if finished.tickets:
            await self.publish(finished.tickets)

    async def _resolve_unknowns(self) -> None:
        """Look up or decide what may have been taken (R8)."""
        rules = self.ledger.rules[self.name]
        while True:
            await asyncio.sleep(ASK_AGAIN_S)
            opened = await self.ledger.open_unknowns(self.name)
            asked = [one for one in opened if one.asks(rules)]
            decided = [one for one in opened if one not in asked]
            if decided:
                await self.ledger.resolve(self.name, decided, {})
            for at in range(0, len(asked), ASKED_TOGETHER):
                await self._look_up(asked[at : at + ASKED_TOGETHER])

    async def _look_up(self, asked: Sequence[Open]) -> None:
        """Ask the portal for a few records, one by one where that fails: the fault may be one record's.

        One that cannot be asked for waits longer each time, and holds nobody. Where several fail alone it is the
        portal's fault, and the others are not asked for now.
        """
        fault = await self._ask(asked)
        if fault is None:
            return
        left = list(asked)
        alone = 0 if fault.down or len(asked) == 1 else ALONE_AT_MOST
        while left and alone:
            one = left.pop(0)
            failed = await self._ask([one])
            if failed is not None:
                await self._postpone([one], failed)
                alone = 0 if failed.down else alone - 1
        await self._postpone(left, fault)

    async def _ask(self, asked: Sequence[Open]) -> DestinationFault | None:
        """Ask for a few records and decide by the answer; returns why they could not be asked for."""
        try:
            shown = await self.destination.look_up(sorted({one.lane for one in asked}), self.deadline_s)
        except DestinationFault as fault:
            return fault
        for one in asked:
            self._asked.pop(one.dispatch_id, None)
        await self.ledger.resolve(self.name, asked, shown)
        return None

    async def _postpone(self, asked: Sequence[Open], fault: DestinationFault) -> None:
        for one in asked:
            tries = self._asked[one.dispatch_id] = self._asked.get(one.dispatch_id, 0) + 1
            wait_s = backoff_s(self.policy.of("unknown"), tries, 0.5 + random.random() / 2)
            reason = f"its outcome is not known, and the portal cannot be asked: {fault}"
            await self.ledger.postpone([one], max(wait_s, ASK_AGAIN_S), reason)


def _mode(ticket: Ticket) -> Mode:
    kind = KINDS.get(ticket.kind)
    if kind is not None and kind.event:
        return Mode.EVENT
    return Mode.UPDATE if ticket.standing == Standing.PRESENT else Mode.NEW


def _unrenderable(outgoing: Outgoing, error: RefusedValueError) -> Fault:
    return Fault(outgoing.dispatch_id, FaultClass.DATA, "not-sent", str(error), path=error.field, value=error.value)
