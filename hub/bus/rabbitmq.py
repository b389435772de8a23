"""The bus over RabbitMQ (3.10 to 4.x): what a province runs.

Publishing to each destination, consuming and making queues have connections of their own: a broker that is short of
memory or disk, or has a queue that takes nothing, stops reading from who publishes and must not keep workers from
acknowledging, and one that cannot make a queue closes the connection that asked. Everything runs on one event loop.
Losing the broker, a queue or a connection needs no restart: see `hub.bus.connection`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from hub.bus.channel import ChannelLost, Loss, OpenChannel
from hub.bus.connection import Backoff, Link, parameters_of
from hub.bus.consumer import Consumer, Session
from hub.bus.publisher import Outlet, Publisher
from hub.bus.topology import Keeper
from hub.bus.window import Window
from hub.kill_points import ARMED, kill_point
from hub.ports import Confirmed, Lease, Returned, Ticket
from schemas.errors import BusFault

log = logging.getLogger(__name__)
_WINDOW_BYTES = 32 * 1024 * 1024
_DEPTHS_S = 5.0


class RabbitBus:
    """`hub.ports.Bus` over RabbitMQ."""

    durable = True

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "hub",
        prefetch: int = 500,
        window: int = 500,
        start_s: float = 15.0,
        wait_s: float = 10.0,
        confirm_s: float = 10.0,
        watch_s: float = 10.0,
        reconnect_first_s: float = 0.2,
        reconnect_cap_s: float = 5.0,
    ) -> None:
        """Check the settings; connects nowhere yet.

        `prefix`: the exchange's name and the beginning of the queues'. `prefetch`: unacknowledged leases per consumer.
        `window`: unconfirmed publishes per destination. `start_s`: how long `start` waits for the broker; 0 does not
        wait, and the bus connects when it can. `wait_s`: how long a publish waits for a connection or a blocked broker.
        `confirm_s`: how long for its confirms; a queue that confirms nothing for twice as long is made anew. `watch_s`:
        a consumer that gets nothing for twice as long subscribes anew. `reconnect_*_s`: the first and the longest pause
        between attempts. Raises: BusFault naming the setting.
        """
        for name, value, least in (("prefetch", prefetch, 1), ("window", window, 1), ("start_s", start_s, 0)):
            if value < least:
                raise BusFault(f"bus.{name}: must be at least {least} (found {value})")
        if prefetch > 65_535:
            raise BusFault(f"bus.prefetch: must be at most 65535 (found {prefetch})")
        self._url, self._parameters = url, parameters_of(url, prefix)
        self._prefix, self._prefetch, self._window, self._start_s = prefix, prefetch, window, start_s
        self._wait_s, self._confirm_s, self._watch_s = wait_s, confirm_s, watch_s
        self._pauses = reconnect_first_s, reconnect_cap_s
        self._chance = random.Random()
        self._destinations: list[str] = []
        self._links: dict[str, Link] = {}
        self._publisher: Publisher | None = None
        self._keeper: Keeper
        self._consumers: set[Consumer] = set()
        self._changed = asyncio.Event()
        self._foreign: Counter[str] = Counter()

    @property
    def foreign(self) -> Mapping[str, int]:
        """Messages per destination that were no tickets of this hub; each was acknowledged and so removed."""
        return dict(self._foreign)

    async def start(self, destinations: Sequence[str]) -> None:
        """Connect and make sure that exchange and queues exist.

        Raises: BusFault when the broker refuses (credentials, a queue of another type), or cannot be reached within
        `start_s` (`down` is True then); nothing is left running, and `start` may be called again.
        """
        if self._publisher is not None:
            raise BusFault("the bus is running already")
        # pika logs several errors per attempt to connect; the bus says the same once per outage.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._destinations = list(dict.fromkeys(destinations))
        self._links = {what: self._link(what, self._changed.set) for what in ("consume", "topology")}
        self._keeper = Keeper(self._links["topology"], self._prefix, self._renew)
        self._publisher = Publisher([self._outlet(destination) for destination in self._destinations])
        for link in self._links.values():
            link.open()
        self._publisher.start()
        if self._start_s:
            try:
                async with asyncio.timeout(self._start_s):
                    await self._until_usable()
            except TimeoutError:
                text = self._trouble().text
                await self.stop()
                raise BusFault(f"bus: no broker at {self._where()} in {self._start_s:g} s: {text}", down=True) from None
            except BaseException:
                await self.stop()
                raise

    async def add(self, destinations: Sequence[str]) -> None:
        """Make exchange, queue and a publishing connection for each destination that has none, in the background."""
        for destination in destinations:
            if destination not in self._destinations:
                self._destinations.append(destination)
                if self._publisher is not None:
                    self._publisher.add(self._outlet(destination))

    async def publish(self, tickets: Sequence[Ticket]) -> Sequence[Confirmed | Returned]:
        """See `hub.ports.Bus`. Raises: ValueError for a ticket that cannot travel, before anything is published."""
        if self._publisher is None:
            return [Returned(ticket, "stopped") for ticket in tickets]
        return await self._publisher.publish(tickets)

    @asynccontextmanager
    async def lease(self, destination: str, at_most: int) -> AsyncIterator[AsyncIterator[Sequence[Lease]]]:
        """See `hub.ports.Bus`. Raises: BusFault for a destination that the bus was not started with."""
        if destination not in self._destinations:
            raise BusFault(f"the bus was not started with a destination {destination!r}")
        if at_most < 1:
            raise BusFault(f"lease: at_most must be at least 1 (found {at_most})")
        consumer = Consumer(
            self._links["consume"],
            self._backoff(),
            self._keeper,
            destination,
            at_most=at_most,
            prefetch=self._prefetch,
            watch_s=self._watch_s,
            foreign=self._note_foreign,
        )
        if self._publisher is None:
            consumer.end()
        else:
            consumer.start()
            self._consumers.add(consumer)
        try:
            yield consumer
        finally:
            self._consumers.discard(consumer)
            await consumer.close()

    async def ack(self, leases: Sequence[Lease]) -> None:
        """Acknowledge them; those of a lost connection, or of a lease that has ended, are on their way to another."""
        kill_point("before-ack", (lease.ticket.dispatch_id for lease in leases))
        by_session: dict[Session, list[int]] = {}
        for lease in leases:
            session, tag = lease.handle
            by_session.setdefault(session, []).append(tag)
        for session, tags in by_session.items():
            session.ack(tags)
        if ARMED:
            for _ in range(2):  # the connection writes at its next turn
                await asyncio.sleep(0)
            kill_point("after-ack", (lease.ticket.dispatch_id for lease in leases))

    async def depths(self) -> Mapping[str, int]:
        """Messages ready per destination; a queue that is missing, or all without a connection, are left out."""
        found: dict[str, int] = {}
        link = self._links.get("consume")
        if link is None or not link.up:
            return found
        try:
            async with asyncio.timeout(_DEPTHS_S):
                for destination in self._destinations:
                    await self._count(link, destination, found)
        except TimeoutError:
            log.warning("bus: the broker did not say how many messages wait in %g s", _DEPTHS_S)
        return found

    def state(self) -> str:
        """`connected`, `blocked: …`, `reconnecting: …` or `stopped`."""
        if self._publisher is None:
            return "stopped"
        blocked = self._publisher.blocked
        if blocked:
            return f"blocked: {blocked}"
        # One queue in trouble is its destination's alone, and while nothing has to be made nobody needs a maker.
        trouble = self._links["consume"].trouble or self._publisher.stuck or Loss("")
        return f"reconnecting: {trouble.text}" if trouble.text else "connected"

    async def stop(self) -> None:
        """End every iterator, return what is unconfirmed, and close all connections; a second call does nothing."""
        publisher, self._publisher = self._publisher, None
        if publisher is None:
            return
        for consumer in self._consumers:
            consumer.end()
        await publisher.stop()
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        await asyncio.gather(*(link.close() for link in self._links.values()))

    def _backoff(self) -> Backoff:
        return Backoff(*self._pauses, self._chance)

    def _link(self, what: str, changed: Callable[[], None]) -> Link:
        return Link(parameters_of(self._url, f"{self._prefix} {what}"), f"bus {what}", self._backoff(), changed)

    def _outlet(self, destination: str) -> Outlet:
        return Outlet(
            partial(self._link, f"publish to {destination}"),
            self._backoff(),
            self._keeper,
            destination,
            Window(self._window, _WINDOW_BYTES),
            wait_s=self._wait_s,
            confirm_s=self._confirm_s,
            changed=self._changed.set,
        )

    def _renew(self, destination: str) -> None:
        for consumer in self._consumers:
            if consumer.destination == destination:
                consumer.renew()

    def _trouble(self) -> Loss:
        """Return what keeps any part of the bus from working; without text when nothing does."""
        troubles = [link.trouble for link in self._links.values() if link.trouble is not None]
        troubles += [] if self._publisher is None else self._publisher.troubles
        return next(iter(troubles), Loss(""))

    async def _until_usable(self) -> None:
        """Wait until the connections and the topology are there. Raises: BusFault when the broker refuses."""
        while (trouble := self._trouble()).text:
            if trouble.refused:
                raise BusFault(f"bus: the broker at {self._where()} refused: {trouble.text}")
            self._changed.clear()
            await self._changed.wait()

    def _where(self) -> str:
        found = self._parameters
        return f"{found.host}:{found.port}{'' if found.virtual_host == '/' else '/' + found.virtual_host}"

    def _note_foreign(self, destination: str, why: str) -> None:
        if not self._foreign[destination]:
            log.warning(
                "bus: a message in the queue of %s is no ticket (%s); removed, further ones are counted",
                destination,
                why,
            )
        self._foreign[destination] += 1

    async def _count(self, link: Link, destination: str, found: dict[str, int]) -> None:
        channel: OpenChannel | None = None
        try:
            channel = await link.channel()
            answer = await channel.call(channel.raw.queue_declare, queue=self._keeper.queue(destination), passive=True)
            found[destination] = int(answer.method.message_count)
        except ChannelLost as lost:
            log.info("bus: depth of %s: %s", destination, lost.loss.text)
        finally:
            if channel is not None:
                await channel.close()
