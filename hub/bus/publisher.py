"""Publishing with confirms in a window: hundreds are on their way at a time, and each gets its answer.

Each destination has a connection and a window of its own: where a queue takes nothing, the broker stops reading from
the whole connection that publishes to it (measured on 3.10), and that must delay nobody else. Each waits, a bounded
time, for a connection, for a broker that has blocked us (back-pressure), and for room in the window; what could not be
sent or was not confirmed in time is Returned, and the ledger decides when it goes again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pika
from pika.exceptions import AMQPError

from hub.bus.channel import ChannelLost, Loss, OpenChannel
from hub.bus.connection import Backoff, Link, background, cancelled, keep_channel
from hub.bus.letter import Letter, encode
from hub.bus.topology import Keeper
from hub.bus.window import Batch, Window
from hub.kill_points import ARMED, kill_point
from hub.ports import Confirmed, Returned, Ticket

log = logging.getLogger(__name__)
_PERSISTENT = 2
_SILENCES = 2
"""After so many channels in a row on which a queue confirmed nothing, it is deleted and made again."""


class Publisher:
    """Publishes tickets, each by the outlet of its destination."""

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        self._outlets = {outlet.destination: outlet for outlet in outlets}

    @property
    def troubles(self) -> list[Loss]:
        """Why outlets cannot publish now, of those that cannot."""
        return [outlet.trouble for outlet in self._outlets.values() if outlet.trouble is not None]

    @property
    def blocked(self) -> str | None:
        """What the broker is short of, while it takes no messages."""
        return next((outlet.link.blocked for outlet in self._outlets.values() if outlet.link.blocked), None)

    @property
    def stuck(self) -> Loss | None:
        """Why nothing at all can be published now; None where some destination's can."""
        return self.troubles[0] if self._outlets and len(self.troubles) == len(self._outlets) else None

    def start(self) -> None:
        """Begin to connect and to make the topology, for ever."""
        for outlet in self._outlets.values():
            outlet.start()

    def add(self, outlet: Outlet) -> None:
        """Publish to another destination as well."""
        self._outlets[outlet.destination] = outlet
        outlet.start()

    async def stop(self) -> None:
        """Return what is unconfirmed or waits, and close the connections."""
        await asyncio.gather(*(outlet.stop() for outlet in self._outlets.values()))

    async def publish(self, tickets: Sequence[Ticket]) -> Sequence[Confirmed | Returned]:
        """See `hub.ports.Bus`. Raises: ValueError for a ticket that cannot travel, before anything is published."""
        letters = [encode(ticket) for ticket in tickets]
        places: dict[str, list[int]] = {}
        for place, ticket in enumerate(tickets):
            places.setdefault(ticket.destination, []).append(place)
        answers: list[Confirmed | Returned] = [
            Returned(ticket, f"no queue for {ticket.destination!r}") for ticket in tickets
        ]

        async def publish_by(outlet: Outlet, mine: Sequence[int]) -> None:
            found = await outlet.publish([tickets[place] for place in mine], [letters[place] for place in mine])
            for place, answer in zip(mine, found, strict=True):
                answers[place] = answer

        known = [(self._outlets[name], mine) for name, mine in places.items() if name in self._outlets]
        await asyncio.gather(*(publish_by(outlet, mine) for outlet, mine in known))
        return answers


class Outlet:
    """Publishes to one destination on a connection of its own, which comes back by itself."""

    def __init__(
        self,
        connect: Callable[[Callable[[], None]], Link],
        backoff: Backoff,
        keeper: Keeper,
        destination: str,
        window: Window,
        *,
        wait_s: float,
        confirm_s: float,
        changed: Callable[[], None],
    ) -> None:
        """`connect(changed)` makes the connection. `wait_s`: for a connection or for room; `confirm_s`: for the
        confirms of one call; after that, Returned. `changed` is called whenever `trouble` has changed.
        """
        self.destination = destination
        self.link = connect(self._link_changed)
        self._backoff, self._keeper = backoff, keeper
        self._window, self._wait_s, self._confirm_s, self._changed = window, wait_s, confirm_s, changed
        self._channel: OpenChannel | None = None
        self._task: asyncio.Task[None] | None = None
        self._healing: asyncio.Task[None] | None = None
        self._open = asyncio.Event()
        self._stopped = False
        self._answers = 0
        self._silences = 0
        self._trouble: Loss | None = Loss("not connected yet")

    @property
    def trouble(self) -> Loss | None:
        """Why nothing can be published now, None when all is well."""
        return self.link.trouble or self._trouble

    def start(self) -> None:
        """Begin to connect and to make the queue, for ever."""
        self.link.open()
        self._task = background(keep_channel(self.link, self._backoff, self._use, self._lost), "bus publisher")

    async def stop(self) -> None:
        """Return what is unconfirmed or waits, and close the connection."""
        self._stopped = True
        self._open.set()
        self._window.lost("stopped")
        if self.link.blocked:
            await self.link.close()  # at once: nothing that is asked on it is answered
        await cancelled(self._healing)
        await cancelled(self._task)
        await self.link.close()

    async def publish(self, tickets: Sequence[Ticket], letters: Sequence[Letter]) -> Sequence[Confirmed | Returned]:
        """Publish in order; answers in the same order, after `confirm_s` at the latest once all are sent."""
        complete = asyncio.Event()
        batch = Batch(tickets, complete.set)
        for index, letter in enumerate(letters):
            refused = None if self._open.is_set() and not self._stopped else await self._room()
            if refused is not None:
                batch.refuse(index, refused)
                break
            self._send(batch, index, letter)
        if ARMED:
            for _ in range(2):  # the connection writes at its next turn
                await asyncio.sleep(0)
            kill_point("after-publish", (ticket.dispatch_id for ticket in tickets))
        channel, before = self._channel, self._answers
        if batch.left:
            try:
                async with asyncio.timeout(self._confirm_s):
                    await complete.wait()
            except TimeoutError:
                self._window.forget(batch, f"not confirmed in {self._confirm_s:g} s")
                if self._answers == before:
                    self._give_up(channel)
                self._review()
        return batch.answers

    def _give_up(self, channel: OpenChannel | None) -> None:
        """Cut a connection on which nothing was confirmed for `confirm_s`, though the broker reads what we write."""
        if channel is None or channel is not self._channel or not channel.alive or self.link.blocked:
            return
        self._silences += 1
        log.warning("bus: the queue of %s has confirmed nothing for %g s", self.destination, self._confirm_s)
        channel.abandon(Loss(f"no confirm in {self._confirm_s:g} s", ours=True))
        self.link.drop()

    def _link_changed(self) -> None:
        self._changed()
        self._review()

    def _review(self) -> None:
        """Look again whether one may publish: the connection, the channel or the window has changed."""
        if self._stopped or self._channel is None or self.link.blocked or self._window.full:
            if not self._stopped:
                self._open.clear()
        elif self._window.roomy:
            self._open.set()

    async def _room(self) -> str | None:
        """Wait until one may publish; return why not, where it takes longer than `wait_s`."""
        while not self._stopped and not self._open.is_set():
            try:
                async with asyncio.timeout(self._wait_s):
                    await self._open.wait()
            except TimeoutError:
                return self._why()
        return "stopped" if self._stopped else None

    def _why(self) -> str:
        if self.link.blocked:
            return f"blocked: {self.link.blocked}"
        trouble = self.trouble
        return (
            f"reconnecting: {trouble.text}"
            if trouble
            else f"no confirm in {self._wait_s:g} s, {len(self._window)} waiting"
        )

    def _send(self, batch: Batch, index: int, letter: Letter) -> None:
        properties = pika.BasicProperties(
            content_type=letter.content_type,
            delivery_mode=_PERSISTENT,
            headers=dict(letter.headers),
            message_id=letter.message_id,
            type=letter.kind,
        )
        channel = self._channel
        if channel is None:
            batch.answer(index, self._why())
            return
        try:
            channel.raw.basic_publish(self._keeper.prefix, self.destination, letter.body, properties, mandatory=True)
        except AMQPError as error:
            batch.answer(index, f"reconnecting: {error!r}")
            return
        self._window.sent(batch, index, len(letter.body))
        if self._window.full:
            self._open.clear()

    async def _use(self, channel: OpenChannel) -> None:
        anew = self._silences >= _SILENCES
        if anew:
            # Measured on 3.10: a queue that a kill hit right after its first declaration takes messages, confirms
            # none and gives none to anybody, until it is deleted. It holds nothing that the ledger does not have.
            log.warning("bus: the queue of %s answers no more, deleting it and making it again", self.destination)
            self._silences = 0
        try:
            await self._keeper.make(self.destination, anew=anew)
        except ChannelLost as lost:
            if anew:
                self._silences = _SILENCES
            if lost.loss.refused:
                log.error("bus topology: %s", lost.loss.text)
            raise
        channel.raw.add_on_return_callback(self._bounced)
        await channel.call(channel.raw.confirm_delivery, ack_nack_callback=self._confirmed)
        self._channel, self._trouble = channel, None
        self._changed()
        self._review()

    def _lost(self, loss: Loss) -> None:
        if self._channel is not None and not loss.ours:
            self._silences = 0  # it was the connection that was silent
        self._channel, self._trouble = None, loss
        self._window.lost(loss.text if loss.ours else f"reconnecting: {loss.text}")
        self._changed()
        self._review()

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        kill_point("before-confirm")
        self._answers += 1
        self._silences = 0
        self._window.confirmed(
            method.delivery_tag, multiple=bool(method.multiple), taken=isinstance(method, pika.spec.Basic.Ack)
        )
        kill_point("after-confirm")
        if not self._open.is_set():
            self._review()

    def _bounced(self, _: object, method: Any, properties: Any, __: bytes) -> None:
        headers = properties.headers or {}
        self._window.bounced(
            int(headers.get("dispatch", -1)),
            int(headers.get("gen", -1)),
            f"unroutable: {method.reply_text} ({method.reply_code})",
        )
        if self._healing is None or self._healing.done():
            log.warning("bus: the queue of %s is gone, making it again", self.destination)
            self._healing = background(self._heal(), "bus topology")

    async def _heal(self) -> None:
        """Make the queue again beside the channel, without a loss for what is on its way."""
        try:
            await self._keeper.make(self.destination)
        except ChannelLost as lost:
            log.warning("bus topology: %s", lost.loss.text)
