"""Consuming one destination: leases that are acknowledged after the commit, across every loss of the connection.

A lease belongs to the channel it came by. When that is lost, the broker gives the message to somebody again, so that
what was not handed out yet is dropped here, and acknowledging what was handed out is done by nobody and harms nobody
(R1: an old gen).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from itertools import takewhile
from typing import Any

from pika.exceptions import AMQPError

from hub.bus.channel import ChannelLost, Loss, OpenChannel
from hub.bus.connection import Backoff, Link, background, cancelled, keep_channel
from hub.bus.letter import ForeignError, Letter, decode
from hub.bus.topology import Keeper
from hub.ports import Lease

log = logging.getLogger(__name__)


def acknowledgements(unacked: dict[int, None], done: Collection[int]) -> list[tuple[int, bool]]:
    """Take `done` out of `unacked` (delivery tags in order); return the fewest frames that say so: (tag, multiple).

    "Multiple" settles everything up to a tag, so it is used only as far as everything before is done too.
    """
    wanted = {tag for tag in done if tag in unacked}
    first = list(takewhile(wanted.__contains__, unacked))
    frames = [(first[-1], len(first) > 1)] if first else []
    frames.extend((tag, False) for tag in sorted(wanted.difference(first)))
    for tag in wanted:
        del unacked[tag]
    return frames


class Session:
    """What one channel has delivered and nobody has acknowledged."""

    def __init__(self, channel: OpenChannel) -> None:
        self._channel = channel
        self._unacked: dict[int, None] = {}
        self.last_tag = 0

    @property
    def alive(self) -> bool:
        return self._channel.alive

    @property
    def unacked(self) -> int:
        return len(self._unacked)

    def delivered(self, tag: int) -> None:
        self._unacked[tag] = None
        self.last_tag = tag

    def ack(self, tags: Collection[int]) -> None:
        """Acknowledge them; where the channel is gone, nothing."""
        for tag, multiple in acknowledgements(self._unacked, tags):
            if not self._channel.alive:
                return
            try:
                self._channel.raw.basic_ack(tag, multiple)
            except AMQPError as error:
                self._channel.abandon(Loss(repr(error)))


class Consumer:
    """One running `lease`: an iterator of batches of leases that ends when the bus is stopped."""

    def __init__(
        self,
        link: Link,
        backoff: Backoff,
        keeper: Keeper,
        destination: str,
        *,
        at_most: int,
        prefetch: int,
        watch_s: float,
        foreign: Callable[[str, str], None],
    ) -> None:
        """`watch_s`: after twice as long without a message it subscribes anew, see `_watch`.

        `foreign(destination, why)` is told of each message that is no ticket; it has been taken out of the queue."""
        self._link, self._backoff, self._keeper, self.destination = link, backoff, keeper, destination
        self._at_most, self._prefetch, self._watch_s, self._foreign = at_most, prefetch, watch_s, foreign
        self._buffer: deque[Lease] = deque()
        self._wake = asyncio.Event()
        self._ended = False
        self._channel: OpenChannel | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to consume, for ever."""
        self._task = background(keep_channel(self._link, self._backoff, self._use, self._lost), "bus consumer")

    def end(self) -> None:
        """Let the iterator end."""
        self._ended = True
        self._wake.set()

    def renew(self) -> None:
        """Subscribe anew: the queue is another one now, and the broker may not say so."""
        if self._channel is not None:
            self._channel.abandon(Loss("its queue was made again", ours=True))

    async def close(self) -> None:
        """End, and close the channel: the broker puts back, in order, what was not acknowledged."""
        self.end()
        await cancelled(self._task)
        await cancelled(self._watcher)
        self._buffer.clear()

    def __aiter__(self) -> AsyncIterator[Sequence[Lease]]:
        return self

    async def __anext__(self) -> Sequence[Lease]:
        while not self._ended:
            if self._buffer:
                return [self._buffer.popleft() for _ in range(min(self._at_most, len(self._buffer)))]
            self._wake.clear()
            await self._wake.wait()
        raise StopAsyncIteration

    async def _use(self, channel: OpenChannel) -> None:
        session, raw = Session(channel), channel.raw
        try:
            queue = await self._keeper.make(self.destination)
        except ChannelLost as lost:
            if lost.loss.refused:
                log.error("bus consumer of %s: %s", self.destination, lost.loss.text)
            raise
        await channel.call(raw.basic_qos, prefetch_count=self._prefetch)

        def cancelled_by_broker(_: object) -> None:
            channel.abandon(Loss("the broker cancelled the consumer: its queue is gone"))

        raw.add_on_cancel_callback(cancelled_by_broker)

        def deliver(_: object, method: Any, properties: Any, body: bytes) -> None:
            self._deliver(session, method, properties, body)

        await channel.call(raw.basic_consume, queue=queue, on_message_callback=deliver)
        self._channel = channel
        self._watcher = background(self._watch(channel, session), "bus consumer's watch")

    async def _watch(self, channel: OpenChannel, session: Session) -> None:
        """Give up a channel by which nothing has come for a while, so that another takes its place.

        A queue that is deleted and made again at once counts its deliveries from the beginning, and the broker drops
        on the way to its old consumers what looks like a repeat (measured on 3.10): no cancel, no error, no messages.
        """
        seen = -1
        while not (await asyncio.wait({channel.lost}, timeout=self._watch_s))[0]:
            if session.last_tag == seen and not session.unacked:
                channel.abandon(Loss("idle, subscribing anew", ours=True))
            seen = session.last_tag

    def _lost(self, loss: Loss) -> None:
        self._channel = None
        self._buffer.clear()
        log.log(logging.DEBUG if loss.ours else logging.INFO, "bus consumer of %s: %s", self.destination, loss.text)

    def _deliver(self, session: Session, method: Any, properties: Any, body: bytes) -> None:
        if not session.alive:
            return  # given up meanwhile: the broker gives it to the channel that follows
        session.delivered(method.delivery_tag)
        letter = Letter(
            properties.message_id or "",
            properties.type or "",
            properties.headers or {},
            properties.content_type or "",
            body,
        )
        try:
            ticket = decode(letter, self.destination)
        except ForeignError as error:
            # Taken out at once: put back it would come again for ever, and nothing is lost that the ledger does not
            # have.
            session.ack([method.delivery_tag])
            self._foreign(self.destination, str(error))
            return
        self._buffer.append(Lease(ticket, bool(method.redelivered), (session, method.delivery_tag)))
        self._wake.set()
