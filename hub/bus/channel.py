"""One open AMQP channel as something to await, and why channels and connections are lost, in words.

pika answers by callbacks; here an answer is awaited, and a channel that dies while one waits raises instead of hanging.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pika.exceptions
from pika.channel import Channel

T = TypeVar("T")
_CLOSE_S = 2.0
_CODE_AND_TEXT = re.compile(r"\((\d{3})\) '(.*)'")
_NOT_FOUND = 404
_REFUSED_FOR_GOOD = frozenset({402, 403, 405, 406, 530})
"""Reply codes of AMQP 0-9-1 that a second try does not mend: access, resource-locked, precondition, not-allowed."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a connection or a channel is gone."""

    text: str
    refused: bool = False
    """The broker said no, and will say so again."""
    missing: bool = False
    """The broker said that what was asked for is not there."""
    ours: bool = False
    """Nothing went wrong: we gave it up to open another, at once."""


class ChannelLost(Exception):  # noqa: N818 - it says what happened, and is always caught inside the bus
    """The channel, or the connection under it, is gone."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        super().__init__(loss.text)


def settle(future: asyncio.Future[T], value: T) -> None:
    """Resolve a future unless it is resolved, or cancelled, already."""
    if not future.done():
        future.set_result(value)


def explain(error: BaseException | None) -> Loss:
    """Return in one line why pika gave up; looks through its wrappers for the innermost cause."""
    inner = error
    while inner is not None:
        if isinstance(inner, (pika.exceptions.ConnectionClosed, pika.exceptions.ChannelClosed)):
            text, code = f"{inner.reply_text} ({inner.reply_code})", inner.reply_code
            return Loss(text, refused=code in _REFUSED_FOR_GOOD, missing=code == _NOT_FOUND)
        if isinstance(inner, pika.exceptions.StreamLostError):
            return Loss("the broker closed the connection")
        if isinstance(inner, OSError):
            return Loss(inner.strerror or str(inner) or type(inner).__name__)
        causes: Sequence[object] = [*getattr(inner, "exceptions", ()), getattr(inner, "exception", None), *inner.args]
        cause = next((each for each in causes[::-1] if isinstance(each, BaseException)), None)
        if cause is None:
            text = str(inner.args[0]) if inner.args else type(inner).__name__
            # What ends a log-in reaches us as text only: ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - ...'.
            if found := _CODE_AND_TEXT.search(text):
                return Loss(f"{found[2]} ({found[1]})", int(found[1]) in _REFUSED_FOR_GOOD)
            return Loss(text)
        inner = cause
    return Loss("the connection was closed")


class OpenChannel:
    """A channel from its opening to its loss; `lost` resolves, once, with the reason."""

    def __init__(self, raw: Channel) -> None:
        self.raw = raw
        self.lost: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
        raw.add_on_close_callback(lambda _, reason: self.abandon(explain(reason)))

    @property
    def alive(self) -> bool:
        """Whether frames may be sent."""
        return bool(self.raw.is_open) and not self.lost.done()

    async def call(self, method: Callable[..., Any], /, **arguments: Any) -> Any:
        """Call a method of the raw channel and return the broker's answer (a frame). Raises: ChannelLost."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            method(**arguments, callback=lambda frame: settle(answer, frame))
        except pika.exceptions.AMQPError as error:
            raise ChannelLost(self.lost.result() if self.lost.done() else explain(error)) from error
        await asyncio.wait({answer, self.lost}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ChannelLost(self.lost.result())
        return answer.result()

    def abandon(self, loss: Loss) -> None:
        """Declare the channel lost; the first reason stays."""
        settle(self.lost, loss)

    async def close(self) -> None:
        """Close it in good order: what was acknowledged is, the rest goes back; waits two seconds at most."""
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.raw.is_open:
            self.raw.add_on_close_callback(lambda *_: settle(gone, None))
            self.raw.close()
            await asyncio.wait({gone}, timeout=_CLOSE_S)
        self.abandon(Loss("stopped"))


async def open_channel(connection: Any) -> OpenChannel:
    """Open a channel on an open pika connection. Raises: ChannelLost."""
    opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    try:
        channel = OpenChannel(connection.channel(on_open_callback=lambda raw: settle(opened, raw)))
    except pika.exceptions.AMQPError as error:
        raise ChannelLost(explain(error)) from error
    waited: set[asyncio.Future[Any]] = {opened, channel.lost}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if channel.lost.done():
        raise ChannelLost(channel.lost.result())
    return channel
