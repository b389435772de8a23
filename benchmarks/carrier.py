"""How the floor's dispatches travel: a queue in memory, or RabbitMQ by pika, as little of either as does the work.

RabbitMQ as the hub uses it: two connections, one durable quorum queue per destination, persistent and mandatory
messages, confirms in a window, prefetch, acknowledged after the commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from itertools import takewhile
from typing import Any, Protocol

import pika
from pika.adapters.asyncio_connection import AsyncioConnection

from benchmarks.straight import DESTINATIONS, Ticket
from hub.bus.rabbitmq import RabbitBus
from hub.bus.topology import ARGUMENTS

_DEFAULTS = {name: found.default for name, found in signature(RabbitBus.__init__).parameters.items()}
WINDOW: int = _DEFAULTS["window"]
"""Unconfirmed messages, as for the hub."""
PREFETCH: int = _DEFAULTS["prefetch"]
"""Unacknowledged messages of a consumer, as for the hub."""

Taken = tuple[int, Ticket]
"""A ticket and what it is acknowledged by."""


class Carrier(Protocol):
    async def publish(self, tickets: Mapping[str, Sequence[Ticket]]) -> None:
        """Return once all of a page are taken."""

    async def take(self, destination: str, at_most: int) -> list[Taken]:
        """Wait for the next tickets."""

    def ack(self, destination: str, tags: Sequence[int]) -> None: ...

    async def close(self) -> None: ...


class Ready:
    """Tickets that are there, and somebody who waits for them."""

    def __init__(self) -> None:
        self.held: deque[Taken] = deque()
        self.wake = asyncio.Event()

    async def take(self, at_most: int) -> list[Taken]:
        while not self.held:
            self.wake.clear()
            await self.wake.wait()
        return [self.held.popleft() for _ in range(min(at_most, len(self.held)))]


class Memory:
    """No broker at all."""

    def __init__(self) -> None:
        self._queues = {name: Ready() for name in DESTINATIONS}

    async def publish(self, tickets: Mapping[str, Sequence[Ticket]]) -> None:
        for destination, mine in tickets.items():
            queue = self._queues[destination]
            queue.held.extend((0, ticket) for ticket in mine)
            queue.wake.set()

    async def take(self, destination: str, at_most: int) -> list[Taken]:
        return await self._queues[destination].take(at_most)

    def ack(self, destination: str, tags: Sequence[int]) -> None:
        """Nobody waits for it."""

    async def close(self) -> None:
        """Nothing is open."""


class _Consumed(Ready):
    """One consumer: what it has, and which of its tags are done."""

    def __init__(self, channel: Any) -> None:
        super().__init__()
        self.channel = channel
        self._done: set[int] = set()
        self._upto = 0

    def delivered(self, _: object, method: Any, properties: Any, body: bytes) -> None:
        self.held.append((method.delivery_tag, Ticket(int(properties.message_id), body)))
        self.wake.set()

    def ack(self, tags: Sequence[int]) -> None:
        self._done.update(tags)
        before = self._upto
        while self._upto + 1 in self._done:
            self._upto += 1
            self._done.discard(self._upto)
        if self._upto > before:
            self.channel.basic_ack(self._upto, multiple=True)


class Rabbit:
    """Both connections, open; made by `connect`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._channel: Any = None
        self._connections: list[Any] = []
        self._consumed: dict[str, _Consumed] = {}
        self._next = 1
        self._unconfirmed: dict[int, None] = {}
        self._room = asyncio.Event()
        self._room.set()

    @classmethod
    async def connect(cls, url: str, prefix: str) -> Rabbit:
        """Connect, and make the exchange and the queues."""
        made = cls(prefix)
        publish, consume = await made._connection(url), await made._connection(url)
        channel = made._channel = await _answered(publish.channel, "on_open_callback")
        await _answered(channel.exchange_declare, exchange=prefix, exchange_type="direct", durable=True)
        for name in DESTINATIONS:
            queue = f"{prefix}.{name}"
            await _answered(channel.queue_declare, queue=queue, durable=True, arguments=dict(ARGUMENTS))
            await _answered(channel.queue_bind, queue=queue, exchange=prefix, routing_key=name)
            made._consumed[name] = _Consumed(await _answered(consume.channel, "on_open_callback"))
        await _answered(channel.confirm_delivery, ack_nack_callback=made._confirmed)
        return made

    async def consume(self) -> None:
        """Begin to take messages."""
        for name, consumed in self._consumed.items():
            queue = f"{self._prefix}.{name}"
            await _answered(consumed.channel.basic_qos, prefetch_count=PREFETCH)
            await _answered(consumed.channel.basic_consume, queue=queue, on_message_callback=consumed.delivered)

    async def publish(self, tickets: Mapping[str, Sequence[Ticket]]) -> None:
        for destination, ticket in ((name, ticket) for name, mine in tickets.items() for ticket in mine):
            if len(self._unconfirmed) >= WINDOW:
                self._room.clear()
                await self._room.wait()
            properties = pika.BasicProperties(delivery_mode=2, message_id=str(ticket.id))
            self._channel.basic_publish(self._prefix, destination, ticket.body, properties, mandatory=True)
            self._unconfirmed[self._next] = None
            self._next += 1
        while self._unconfirmed:
            self._room.clear()
            await self._room.wait()

    async def take(self, destination: str, at_most: int) -> list[Taken]:
        return await self._consumed[destination].take(at_most)

    def ack(self, destination: str, tags: Sequence[int]) -> None:
        self._consumed[destination].ack(tags)

    async def close(self) -> None:
        for connection in self._connections:
            await _answered(partial(_close, connection))

    async def _connection(self, url: str) -> Any:
        made: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        AsyncioConnection(
            pika.URLParameters(url),
            on_open_callback=made.set_result,
            on_open_error_callback=lambda _, error: made.set_exception(RuntimeError(str(error))),
            custom_ioloop=asyncio.get_running_loop(),
        )
        self._connections.append(await made)
        return self._connections[-1]

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        if not isinstance(method, pika.spec.Basic.Ack):
            raise RuntimeError("the broker refused a message")
        if method.multiple:
            for tag in list(takewhile(lambda tag: tag <= method.delivery_tag, self._unconfirmed)):
                del self._unconfirmed[tag]
        else:
            del self._unconfirmed[method.delivery_tag]
        if len(self._unconfirmed) < WINDOW:
            self._room.set()


def _close(connection: Any, callback: Callable[[Any], None]) -> None:
    connection.add_on_close_callback(lambda _, reason: callback(reason))
    connection.close()


async def _answered(ask: Callable[..., Any], told_by: str = "callback", **arguments: Any) -> Any:
    """Call one of pika's methods and wait for what it tells its callback."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(found: Any) -> None:
        if not answer.done():
            answer.set_result(found)

    ask(**arguments, **{told_by: done})
    return await answer
