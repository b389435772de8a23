"""A connection to the broker that comes back for ever, and channels on it that do the same; it knows no tickets.

A broker that is away is asked again after a pause that doubles up to a cap, with jitter, so that a hundred workers do
not come back in the same instant. One outage is one warning in the log, not one per attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection

from hub.bus.channel import ChannelLost, Loss, OpenChannel, explain, open_channel, settle
from schemas.errors import BusFault

log = logging.getLogger(__name__)
_STEADY_S = 30.0
"""A connection that lived this long has recovered: the next pause is the first again."""
_CLOSE_S = 3.0
_BODY_SIZE_AT = pika.spec.FRAME_HEADER_SIZE + 4
"""Where a content header says how long the body is (AMQP 0-9-1, section 4.2.6.1)."""


def parameters_of(url: str, purpose: str) -> pika.URLParameters:
    """Return pika's parameters of an `amqp[s]://` URL; `purpose` is shown in the broker's list of connections.

    Raises: BusFault, which never shows the password.
    """
    try:
        found = pika.URLParameters(url)
    except (ValueError, TypeError) as error:
        said = "no address of a broker" if isinstance(error, TypeError) else error
        raise BusFault(f"bus.url: {said} — write amqp://user:password@host:5672/vhost") from None
    if "heartbeat=" not in url:
        found.heartbeat = 30
    found.client_properties = {"connection_name": purpose}
    found.connection_attempts = 1
    found.socket_timeout, found.stack_timeout = 5, 10
    return found


class Backoff:
    """Pauses between attempts: `first_s`, doubled each time up to `cap_s`, each shortened by up to half at random."""

    def __init__(self, first_s: float, cap_s: float, chance: random.Random) -> None:
        self._first_s, self._cap_s, self._chance = first_s, cap_s, chance
        self._attempt = 0

    def next_s(self) -> float:
        """Return the next pause in seconds."""
        longest = min(self._cap_s, self._first_s * 2 ** min(self._attempt, 60))
        self._attempt += 1
        return float(longest * self._chance.uniform(0.5, 1.0))

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._attempt = 0


class _Wire(AsyncioConnection):
    """pika's connection, plus what it keeps to its adapters: an end without the broker's consent, or while opening."""

    def _on_connection_workflow_done(self, conn_or_exc: Any) -> None:
        # pika 1.4.4 reports an opening that was broken off by the class of the exception, and then trips over it.
        super()._on_connection_workflow_done(conn_or_exc() if isinstance(conn_or_exc, type) else conn_or_exc)

    def _read_frame(self) -> Any:
        try:
            return super()._read_frame()
        except (ValueError, OverflowError, OSError, struct.error, pika.exceptions.InvalidFieldTypeException):
            # A message whose properties pika cannot read (a timestamp in milliseconds is enough) would end the
            # connection, and every one after it: it comes without any instead, and is no ticket.
            kind, channel, size = struct.unpack_from(">BHL", self._frame_buffer)
            if kind != pika.spec.FRAME_HEADER:
                raise
            (body_size,) = struct.unpack_from(">Q", self._frame_buffer, _BODY_SIZE_AT)
            header = pika.frame.Header(channel, body_size, pika.spec.BasicProperties())
            return pika.spec.FRAME_HEADER_SIZE + size + pika.spec.FRAME_END_SIZE, header

    def abort(self) -> None:
        """Drop the socket now: a broker that has blocked us does not even read our wish to close."""
        if not self.is_closed:
            self._terminate_stream(pika.exceptions.ConnectionClosedByClient(320, "dropped"))


def background(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a task that should only end by being cancelled; anything else is reported to the loop at once."""
    task = asyncio.get_running_loop().create_task(work, name=name)

    def report(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            done.get_loop().call_exception_handler({"message": f"{name} failed", "exception": error, "task": done})

    task.add_done_callback(report)
    return task


async def cancelled(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait until it has ended."""
    if task is not None:
        task.cancel()
        await asyncio.wait({task})


class Link:
    """One connection, made again whenever it is lost, until it is closed."""

    def __init__(
        self, parameters: pika.URLParameters, purpose: str, backoff: Backoff, changed: Callable[[], None]
    ) -> None:
        """`purpose` is for the log; `changed` is called whenever `up`, `blocked` or `trouble` has changed."""
        self._parameters, self._purpose, self._backoff, self._changed = parameters, purpose, backoff, changed
        self._task: asyncio.Task[None] | None = None
        self._wire: _Wire | None = None
        self._gone: asyncio.Future[Loss] | None = None
        self._up = asyncio.Event()
        self.blocked: str | None = None
        """What the broker is short of, while it takes no messages from this connection."""
        self.trouble: Loss | None = Loss("not connected yet")
        """Why there is no connection, None while there is one."""

    @property
    def up(self) -> bool:
        return self._up.is_set()

    def open(self) -> None:
        """Begin to connect, and never stop until `close`."""
        self._task = background(self._run(), "bus connection")

    async def channel(self) -> OpenChannel:
        """Wait until there is a connection and open a channel on it. Raises: ChannelLost when it is lost meanwhile."""
        await self._up.wait()
        return await open_channel(self._wire)

    def drop(self) -> None:
        """Cut the connection, to make another: a broker that is stuck on it answers nothing any more."""
        if self._wire is not None:
            self._wire.abort()

    async def close(self) -> None:
        """Close the connection in good order; one that has blocked us, or does not answer in three seconds, is cut."""
        await cancelled(self._task)
        self._task = None
        wire, gone = self._wire, self._gone
        if wire is None or gone is None:
            return
        if not self.blocked:
            with contextlib.suppress(pika.exceptions.ConnectionWrongStateError):
                wire.close()
            await asyncio.wait({gone}, timeout=_CLOSE_S)
        if not gone.done():
            wire.abort()
            await asyncio.wait({gone}, timeout=_CLOSE_S)
        self._down(Loss("stopped"))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        refusals = 0
        while True:
            began = loop.time()
            loss = await self._live()
            refusals = refusals + 1 if loss.refused else 0
            if refusals == 2:  # the first is told to whoever waits for the start
                log.error("%s: refused: %s", self._purpose, loss.text)
            self._down(loss)
            if loop.time() - began > _STEADY_S:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next_s())

    async def _live(self) -> Loss:
        """Connect, stay connected, and return why that ended."""
        gone: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()

        def lost(_: object, error: BaseException) -> None:
            self._up.clear()  # at once: whoever asks for a channel now waits for the next connection
            settle(gone, explain(error))

        self._gone = gone
        self._wire = _Wire(
            self._parameters,
            on_open_callback=self._opened,
            on_open_error_callback=lost,
            on_close_callback=lost,
            custom_ioloop=asyncio.get_running_loop(),
        )
        await asyncio.wait({gone})
        return gone.result()

    def _opened(self, wire: Any) -> None:
        wire.add_on_connection_blocked_callback(lambda _, frame: self._block(str(frame.method.reason)))
        wire.add_on_connection_unblocked_callback(lambda *_: self._block(None))
        log.info("%s: connected", self._purpose)
        self.trouble = None
        self._up.set()
        self._changed()

    def _block(self, reason: str | None) -> None:
        self.blocked = reason
        self._changed()

    def _down(self, loss: Loss) -> None:
        if self.trouble is None and self._task is not None:
            log.warning("%s: lost: %s", self._purpose, loss.text)
        self._up.clear()
        self._wire = self._gone = None
        self.blocked, self.trouble = None, loss
        self._changed()


async def keep_channel(
    link: Link, backoff: Backoff, use: Callable[[OpenChannel], Awaitable[None]], gone: Callable[[Loss], None]
) -> None:
    """Open a channel, hand it to `use` (which sets it up), call `gone` when it is lost, and begin again; for ever.

    Ends by being cancelled, and then closes the channel in good order.
    """
    loop = asyncio.get_running_loop()
    while True:
        channel: OpenChannel | None = None
        began = loop.time()
        try:
            channel = await link.channel()
            await use(channel)
            began = loop.time()
            await asyncio.wait({channel.lost})
            loss = channel.lost.result()
        except ChannelLost as error:
            loss = error.loss
        finally:
            if channel is not None:
                await channel.close()
        gone(loss)
        if loop.time() - began > _STEADY_S:
            backoff.reset()
        if link.up and not loss.ours:  # without a connection the link itself makes the pause
            await asyncio.sleep(backoff.next_s())
