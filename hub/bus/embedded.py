"""The bus that needs nothing installed: bounded queues in memory; what makes it durable is the ledger.

It promises what RabbitMQ promises, and is held to the same tests: what could not travel fails here too, a body that is
too large arrives as a reference, and what a consumer leaves behind is delivered again, in its order, to the next.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from operator import attrgetter

from hub.bus.letter import as_it_arrives
from hub.kill_points import kill_point
from hub.ports import Confirmed, Lease, Returned, Ticket
from schemas.errors import BusFault


@dataclass(slots=True)
class _Slot:
    """One message in a queue; `place` is its position in the order of publishing."""

    place: int
    ticket: Ticket
    redelivered: bool = False


class _Queue:
    """The messages of one destination: those ready, and how many are out with consumers."""

    def __init__(self) -> None:
        self.ready: deque[_Slot] = deque()
        self.out = 0
        self.consumers: set[_Consumer] = set()

    def wake(self) -> None:
        for consumer in self.consumers:
            consumer.wake.set()


class _Consumer:
    """One running `lease`: an iterator of batches of leases, and what it has not acknowledged."""

    def __init__(self, queue: _Queue, at_most: int, prefetch: int) -> None:
        self._queue, self._at_most, self._prefetch = queue, at_most, prefetch
        self._unacked: dict[int, _Slot] = {}
        self._ended = False
        self.wake = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Sequence[Lease]]:
        return self

    async def __anext__(self) -> Sequence[Lease]:
        while not self._ended:
            room = min(self._at_most, self._prefetch - len(self._unacked), len(self._queue.ready))
            if room > 0:
                return [self._take() for _ in range(room)]
            self.wake.clear()
            await self.wake.wait()
        raise StopAsyncIteration

    def _take(self) -> Lease:
        slot = self._queue.ready.popleft()
        self._queue.out += 1
        self._unacked[slot.place] = slot
        return Lease(slot.ticket, slot.redelivered, (self, slot.place))

    def ack(self, place: int) -> None:
        if self._unacked.pop(place, None) is not None:
            self._queue.out -= 1
            self.wake.set()

    def end(self) -> None:
        self._ended = True
        self.wake.set()

    def release(self) -> None:
        """Put back, in their order, the leases that nobody acknowledged."""
        self.end()
        self._queue.consumers.discard(self)
        left = sorted(self._unacked.values(), key=attrgetter("place"))
        for slot in left:
            slot.redelivered = True
        self._unacked.clear()
        self._queue.out -= len(left)
        self._queue.ready = deque(heapq.merge(left, self._queue.ready, key=attrgetter("place")))
        self._queue.wake()


class EmbeddedBus:
    """`hub.ports.Bus` in memory, for one process and one event loop."""

    durable = False

    def __init__(self, *, capacity: int = 10_000, prefetch: int = 500) -> None:
        """`capacity`: messages per destination, ready and unacknowledged; `prefetch`: unacknowledged per consumer."""
        for name, value in (("capacity", capacity), ("prefetch", prefetch)):
            if value < 1:
                raise BusFault(f"bus.{name}: must be at least 1 (found {value})")
        self._capacity, self._prefetch = capacity, prefetch
        self._queues: dict[str, _Queue] = {}
        self._places: Iterator[int] = count()
        self._running = False

    @property
    def foreign(self) -> Mapping[str, int]:
        """Messages per destination that were no tickets: nobody else can write here, so always none."""
        return {}

    async def start(self, destinations: Sequence[str]) -> None:
        """Make a queue for each destination. Raises: BusFault when it is running already."""
        if self._running:
            raise BusFault("the embedded bus is running already")
        self._queues = {name: _Queue() for name in destinations}
        self._running = True

    async def add(self, destinations: Sequence[str]) -> None:
        """Make a queue for each destination that has none."""
        for name in destinations:
            self._queues.setdefault(name, _Queue())

    async def publish(self, tickets: Sequence[Ticket]) -> Sequence[Confirmed | Returned]:
        """See `hub.ports.Bus`; Returned where the queue is full. Raises: ValueError for a ticket that cannot travel."""
        arriving = [as_it_arrives(ticket) for ticket in tickets]
        answers = [self._put(ticket, as_it) for ticket, as_it in zip(tickets, arriving, strict=True)]
        for name in {ticket.destination for ticket in tickets}:
            if queue := self._queues.get(name):
                queue.wake()
        kill_point("after-publish", (ticket.dispatch_id for ticket in tickets))
        await asyncio.sleep(0)  # the consumers' turn, also when a relay publishes without a pause
        return answers

    def _put(self, ticket: Ticket, as_it: Ticket) -> Confirmed | Returned:
        if not self._running:
            return Returned(ticket, "stopped")
        queue = self._queues.get(ticket.destination)
        if queue is None:
            return Returned(ticket, f"no queue for {ticket.destination!r}")
        if len(queue.ready) + queue.out >= self._capacity:
            return Returned(ticket, f"the queue of {ticket.destination!r} is full ({self._capacity})")
        queue.ready.append(_Slot(next(self._places), as_it))
        return Confirmed(ticket)

    @asynccontextmanager
    async def lease(self, destination: str, at_most: int) -> AsyncIterator[AsyncIterator[Sequence[Lease]]]:
        """See `hub.ports.Bus`. Raises: BusFault for a destination that the bus was not started with."""
        queue = self._queues.get(destination)
        if queue is None:
            raise BusFault(f"the bus was not started with a destination {destination!r}")
        if at_most < 1:
            raise BusFault(f"lease: at_most must be at least 1 (found {at_most})")
        consumer = _Consumer(queue, at_most, self._prefetch)
        queue.consumers.add(consumer)
        if not self._running:
            consumer.end()
        try:
            yield consumer
        finally:
            consumer.release()

    async def ack(self, leases: Sequence[Lease]) -> None:
        """Forget them; a lease whose consumer has ended is left alone, since it is on its way to another."""
        for lease in leases:
            consumer, place = lease.handle
            consumer.ack(place)

    async def depths(self) -> Mapping[str, int]:
        """Messages ready per destination."""
        return {name: len(queue.ready) for name, queue in self._queues.items()}

    def state(self) -> str:
        """`connected` or `stopped`."""
        return "connected" if self._running else "stopped"

    async def stop(self) -> None:
        """End every iterator and forget what is queued: the ledger publishes it again."""
        self._running = False
        for queue in self._queues.values():
            queue.ready.clear()
            for consumer in queue.consumers:
                consumer.end()
