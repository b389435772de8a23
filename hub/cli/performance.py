"""A demo's play: the stage, the broker and the hub side by side, and the books when all is delivered.

The stage is what the entry point group `hub.demos` names: an object with `config`, `start`, `run`, `books` and `stop`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hub import app
from hub.check import check
from hub.cli.output import Steps, progress
from hub.ledger.read import open_reader
from hub.ledger.views import QueueState
from schemas.errors import HubError

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from hub.sections import Deployment

T = TypeVar("T")
U = TypeVar("U")

LOOK_EVERY_S = 0.1
DRAIN_S = 120.0
"""How long the hub may take to deliver the rest once the sources have shown everything."""


class DemoError(HubError):
    """The demo could not be played to its end."""


async def play(
    stage: Any, folder: Path, rabbitmq: bool, ledger: str | None, *, as_json: bool
) -> tuple[CompletedProcess[str], dict[str, float]]:
    """Set the stage, run the hub beside it, and strike the books; the seconds are those of the whole play.

    Raises: DemoError, ConfigError, BusFault, LedgerFault.
    """
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        steps = stack.enter_context(progress("setting the stage"))
        stack.push_async_callback(stage.stop)
        broker, environment = await _both(_broker(rabbitmq, folder, stack), _staged(stage.start()))
        overrides = {"ledger.url": ledger or f"sqlite:///{folder / 'hub.db'}", "bus.url": broker}
        findings = await check(stage.config, overrides, offline=True, environment=environment)
        await _perform(findings.must_run(), stage, steps)
        steps.say("striking the books")
        books = await asyncio.to_thread(stage.books, overrides["ledger.url"], *(["--json"] if as_json else []))
        seconds = {"outage_seconds": stage.outage_seconds, "seconds": round(time.monotonic() - began, 2)}
    return books, seconds


async def _both(one: Awaitable[T], other: Awaitable[U]) -> tuple[T, U]:
    """Await both to their end, also when one fails, so that what they started can be stopped."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    for result in (first, second):
        if isinstance(result, BaseException):
            raise result
    return cast("tuple[T, U]", (first, second))


async def _staged(doing: Awaitable[T]) -> T:
    """What the stage does. Its errors are RuntimeErrors, since a stage is no part of the hub. Raises: DemoError."""
    try:
        return await doing
    except RuntimeError as error:
        raise DemoError(str(error)) from error


async def _broker(rabbitmq: bool, folder: Path, stack: AsyncExitStack) -> str:
    """The bus's URL; for RabbitMQ that of a node of our own, stopped with `stack`. Raises: BusFault."""
    if not rabbitmq:
        return "embedded:"
    from hub.bus.private_node import PrivateNode

    node = await asyncio.to_thread(PrivateNode.start, folder / "rabbitmq")
    stack.push_async_callback(asyncio.to_thread, node.stop)
    return node.amqp_url


async def _perform(deployment: Deployment, stage: Any, steps: Steps) -> None:
    """Run the hub while the stage plays, until everything is polled and nothing is left to send. Raises: DemoError."""
    stop, ready = asyncio.Event(), asyncio.Event()

    def opened() -> None:
        app.have_the_process()
        ready.set()

    running = asyncio.create_task(app.run(deployment, stop=stop, on_ready=opened))

    def tell(event: Any) -> None:
        steps.say(f"tick {event.tick} of {event.ticks}: {event.text}", event.tick, event.ticks)

    async def act() -> None:
        await ready.wait()
        await _staged(stage.run(tell))
        await _drained(deployment, steps)

    playing = asyncio.create_task(act())
    try:
        await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            await running
            raise DemoError("the hub ended before the stage did")
        await playing
    finally:
        await _end(playing, running, stop)


async def _end(playing: asyncio.Task[None], running: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Let the hub end in good order, whatever happened before."""
    stop.set()
    playing.cancel()
    await asyncio.wait({playing, running})


async def _drained(deployment: Deployment, steps: Steps) -> None:
    """Wait until the ledger has no dispatch that is not ended. Raises: DemoError."""

    def open_queues() -> list[QueueState]:
        # A reader sees the ledger as it was when it was opened.
        with open_reader(deployment.ledger.url) as reader:
            return [queue for queue in reader.queues() if queue.open]

    give_up_at = time.monotonic() + DRAIN_S
    while queues := await asyncio.to_thread(open_queues):
        left = sum(queue.open for queue in queues)
        steps.say(f"{left:,} dispatches are still to be delivered")
        if time.monotonic() > give_up_at:
            why = "".join(f"; {one.destination} is {one.gate}: {one.gate_reason}" for one in queues if one.gate_reason)
            raise DemoError(f"{left:,} dispatches are not delivered within {DRAIN_S:g} s{why}")
        await asyncio.sleep(LOOK_EVERY_S)
