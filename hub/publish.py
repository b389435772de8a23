"""The relay: publishes what is due, what was lost on the way, and the probes of held destinations (R1, R2).

Tickets are marked in the ledger before they are published; what the bus does not take is set back to waiting. Nobody
who marks waits for the bus: each destination has a bounded outbox that is emptied beside the line, so that a broker, or
one queue, that owes its confirms holds up neither the reading of sources nor another destination.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from hub.kill_points import kill_point
from hub.ledger import Ledger
from hub.ports import Bus, Returned, Ticket

log = logging.getLogger(__name__)
T = TypeVar("T")

RETURNED_WAIT_S = 0.5
"""How long what a bus returned waits before it is tried again."""

SWEEP_EVERY = 50
"""Turns of a relay between two looks for stranded lanes (R5)."""

URGENCY_EVERY_S = 10.0
"""Between two looks for urgent lanes (R2); a deadline is a day."""

AT_A_TIME = 500
"""Tickets given to the bus in one call."""

CALLS = 4
"""Calls of the bus per destination at a time: some are written while the confirms of others are on their way."""

END_S = 5.0
"""How long what is to end may still wait for the database."""


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do work that marks tickets and hands them over; a cancellation waits until that is done, for `END_S` at most.

    What was marked and never published nobody could take before its lease ends (R1).
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=END_S)
        raise
    finally:
        task.cancel()


@dataclass(slots=True)
class _Outbox:
    """What one destination's tickets wait in."""

    waiting: deque[Ticket] = field(default_factory=deque)
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    given: int = 0
    """Tickets that the bus has and has not answered yet."""

    @property
    def size(self) -> int:
        return len(self.waiting) + self.given


@dataclass(slots=True)
class Relay:
    """Publishes for all destinations of one process."""

    ledger: Ledger
    bus: Bus
    turn_s: float = 0.2
    probe_s: float = 30.0
    published: int = 0
    _outboxes: dict[str, _Outbox] = field(default_factory=dict)

    async def publish(self, tickets: Sequence[Ticket]) -> None:
        """Take tickets that the ledger has marked, to publish them beside the line; waits for no bus.

        What finds no room is set back to waiting. A confirm writes nothing.
        """
        if not self._ready():
            await self._give_back(tickets)
            return
        surplus: list[Ticket] = []
        for destination, mine in _by_destination(tickets).items():
            box = self._outbox(destination)
            room = max(0, self._capacity(destination) - box.size)
            box.waiting.extend(mine[:room])
            surplus += mine[room:]
            if box.waiting and len(box.calls) < CALLS:
                box.calls.add(asyncio.create_task(self._empty(box), name=f"publishing to {destination}"))
        await self._give_back(surplus)

    async def close(self) -> None:
        """Give back what was not published, once the bus has stopped and takes nothing more."""
        calls = [call for box in self._outboxes.values() for call in box.calls]
        if calls:
            _, late = await asyncio.wait(calls, timeout=END_S)
            for call in late:
                call.cancel()
        for box in self._outboxes.values():
            left = list(box.waiting)
            box.waiting.clear()
            await self._give_back(left)

    async def run(self, destination: str) -> None:
        """Serve one destination for ever."""
        turns, looked_s = 0, -math.inf
        while True:
            # Where the bus takes nothing, nothing is marked only to be set back again.
            if not self._ready() or self._outbox(destination).size > self._capacity(destination) // 2:
                await asyncio.sleep(self.turn_s)
                continue
            if time.monotonic() - looked_s >= URGENCY_EVERY_S:
                await self.ledger.look_for_urgent(destination)
                looked_s = time.monotonic()
            found = await to_the_end(self._turn(destination))
            turns += 1
            if turns % SWEEP_EVERY == 0 and (stranded := await self.ledger.sweep(destination)):
                log.warning("%s: %d lanes waited with nothing out and were made due", destination, stranded)
            if found < 100:
                await asyncio.sleep(self.turn_s)

    async def _turn(self, destination: str) -> int:
        tickets = await self.ledger.due(destination)
        tickets = [*tickets, *await self.ledger.probe(destination, self.probe_s)]
        await self.publish(tickets)
        return len(tickets)

    def _ready(self) -> bool:
        """Whether the bus takes tickets now."""
        return self.bus.state() == "connected"

    def _outbox(self, destination: str) -> _Outbox:
        return self._outboxes.setdefault(destination, _Outbox())

    def _capacity(self, destination: str) -> int:
        """An outbox holds no more than may be queued (R2); what is published again after its lease comes on top."""
        return self.ledger.rules[destination].window

    async def _empty(self, box: _Outbox) -> None:
        try:
            while box.waiting:
                tickets = [box.waiting.popleft() for _ in range(min(len(box.waiting), AT_A_TIME))]
                box.given += len(tickets)
                try:
                    await self._send(tickets)
                except Exception:
                    log.exception("%s: %d tickets could not be published", tickets[0].destination, len(tickets))
                finally:
                    box.given -= len(tickets)
        finally:
            # At once, not by a callback a turn later: whoever puts tickets in meanwhile would start no call for them.
            box.calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _send(self, tickets: Sequence[Ticket]) -> None:
        if not self._ready():
            await self._give_back(tickets)
            return
        kill_point("before-publish", (ticket.dispatch_id for ticket in tickets))
        answers = await self.bus.publish(tickets)
        self.published += len(tickets)
        refused = [answer for answer in answers if isinstance(answer, Returned)]
        if refused:
            log.info("the bus returned %d of %d tickets: %s", len(refused), len(tickets), refused[0].reason)
            await self._give_back([answer.ticket for answer in refused])

    async def _give_back(self, tickets: Sequence[Ticket]) -> None:
        if tickets:
            await self.ledger.returned(tickets, RETURNED_WAIT_S)


def _by_destination(tickets: Sequence[Ticket]) -> dict[str, list[Ticket]]:
    found: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        found.setdefault(ticket.destination, []).append(ticket)
    return found
