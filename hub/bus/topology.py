"""Which exchange and queues a broker holds for the hub, and how they are made; it publishes and consumes nothing.

One durable direct exchange, and per destination one durable quorum queue, bound by the destination's name. The
delivery limit is explicit and so large that it means nothing (R4): RabbitMQ 4 has a limit of 20 by default, and three
harmless disconnects at a limit of 3 dead-letter prefetched messages. Quorum queues have neither priorities nor
mirrors, and need neither.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from hub.bus.channel import ChannelLost, OpenChannel
from hub.bus.connection import Backoff, Link, parameters_of
from schemas.errors import BusFault

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

SETTLE_S = 0.5
"""How long a queue that is gone is left gone: of one that is made again within a tenth of a second (measured on 3.10)
the old consumers never hear that it was gone, and get nothing from it; one that is made while it is still being
deleted may leave a process behind that holds its name until the broker is restarted, see `STUCK`."""
STUCK = 5
"""After so many refusals in a row (541, "cluster_not_formed") the name of a queue counts as held."""
STAND_IN = ".stand-in"
_NOT_FORMED = "cluster_not_formed"
DELIVERY_LIMIT = 1_000_000_000
ARGUMENTS: Mapping[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}


def queue_name(prefix: str, destination: str) -> str:
    """Return the name of a destination's queue."""
    return f"{prefix}.{destination}"


def describe(destinations: Sequence[str], *, prefix: str = "hub") -> list[dict[str, Any]]:
    """Return what `set_up` makes, for people and for `--json`: one row for the exchange, then one per queue."""
    exchange: dict[str, Any] = {"what": "exchange", "name": prefix, "type": "direct", "durable": True, "arguments": {}}
    return [
        exchange,
        *(
            {
                "what": "queue",
                "name": queue_name(prefix, destination),
                "type": "quorum",
                "durable": True,
                "arguments": dict(ARGUMENTS),
                "bound_to": prefix,
                "routing_key": destination,
            }
            for destination in destinations
        ),
    ]


async def set_up(channel: OpenChannel, prefix: str, destinations: Sequence[str]) -> None:
    """Make the exchange, the queues and their bindings where they are missing.

    Raises: hub.bus.channel.ChannelLost, refused for good where something of that name exists and is another thing.
    """
    for destination in destinations:
        await _set_up(channel, prefix, destination, queue_name(prefix, destination))


async def _set_up(channel: OpenChannel, prefix: str, destination: str, queue: str) -> None:
    raw = channel.raw
    await channel.call(raw.exchange_declare, exchange=prefix, exchange_type="direct", durable=True)
    await channel.call(raw.queue_declare, queue=queue, durable=True, arguments=dict(ARGUMENTS))
    await channel.call(raw.queue_bind, queue=queue, exchange=prefix, routing_key=destination)


class Keeper:
    """Makes what a destination needs whenever somebody finds it missing, over a connection for this alone.

    A broker that cannot make a queue, as one that was deleted a moment ago (541, measured on 3.10), closes the whole
    connection that asked; those that publish and consume must not be lost with it.
    """

    def __init__(self, link: Link, prefix: str, anew: Callable[[str], None] = lambda _: None) -> None:
        """`anew(destination)` is called after a queue was deleted and made again."""
        self._link, self.prefix, self._anew = link, prefix, anew
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._made: dict[str, str] = {}
        self._refusals: Counter[str] = Counter()

    def queue(self, destination: str) -> str:
        """Return the queue that a destination has now."""
        return self._made.get(destination) or queue_name(self.prefix, destination)

    async def make(self, destination: str, *, anew: bool = False) -> str:
        """Make the exchange, the queue and its binding where they are missing; `anew` deletes the queue before.

        A queue that was there once and is gone is left gone for `SETTLE_S`. Where the broker cannot make it again
        (`STUCK`), one of another name stands in for it until it can. Returns the queue's name. Raises:
        hub.bus.channel.ChannelLost, as `set_up`.
        """
        own = queue_name(self.prefix, destination)
        async with self._locks[destination]:
            if anew:
                await self._ask(self._delete, self.queue(destination))
            if destination in self._made and not await self._ask(self._exists, self.queue(destination)):
                await asyncio.sleep(SETTLE_S)
            try:
                await self._ask(_set_up, self.prefix, destination, own)
            except ChannelLost as lost:
                if _NOT_FORMED not in lost.loss.text:
                    raise
                self._refusals[destination] += 1
                if self._refusals[destination] < STUCK:
                    raise
                made = f"{own}{STAND_IN}"
                if self.queue(destination) != made:
                    log.warning("bus: the broker cannot make %s, %s stands in until it is restarted", own, made)
                await self._ask(_set_up, self.prefix, destination, made)
            else:
                made = own
                self._refusals[destination] = 0
                # Whoever made a stand-in has left it bound, and nobody would ever empty it.
                await self._ask(self._delete, f"{own}{STAND_IN}")
            self._made[destination] = made
        if anew:
            self._anew(destination)
        return made

    async def _ask(
        self, ask: Callable[Concatenate[OpenChannel, P], Awaitable[T]], *args: P.args, **more: P.kwargs
    ) -> T:
        channel = await self._link.channel()
        try:
            return await ask(channel, *args, **more)
        finally:
            await channel.close()

    @staticmethod
    async def _delete(channel: OpenChannel, queue: str) -> None:
        await channel.call(channel.raw.queue_delete, queue=queue)

    @staticmethod
    async def _exists(channel: OpenChannel, queue: str) -> bool:
        try:
            await channel.call(channel.raw.queue_declare, queue=queue, passive=True)
        except ChannelLost as lost:
            if lost.loss.missing:
                return False
            raise
        return True


async def declare(
    url: str, destinations: Sequence[str], *, prefix: str = "hub", timeout_s: float = 15.0
) -> list[dict[str, Any]]:
    """Make on the broker at `url` what `describe` returns, and return that.

    Safe to repeat. Raises: BusFault when the broker refuses, or cannot be reached within `timeout_s`.
    """
    link = Link(
        parameters_of(url, f"{prefix} topology"), "bus topology", Backoff(0.2, 2.0, random.Random()), lambda: None
    )
    link.open()
    try:
        async with asyncio.timeout(timeout_s):
            channel = await link.channel()
            await set_up(channel, prefix, destinations)
            await channel.close()
    except ChannelLost as lost:
        raise BusFault(f"bus topology: {lost.loss.text}", down=not lost.loss.refused) from None
    except TimeoutError:
        text = link.trouble.text if link.trouble else "no answer"
        raise BusFault(f"bus topology: no broker in {timeout_s:g} s: {text}", down=True) from None
    finally:
        await link.close()
    return describe(destinations, prefix=prefix)
