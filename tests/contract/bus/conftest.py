"""What the bus suites share: both buses behind one factory, and a strict event loop."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
from typing import Any

import pytest

from hub.bus import open_bus
from hub.ports import Bus
from tests.services.rabbitmq import Main, MakeBus, Run

_numbers = itertools.count()


@pytest.fixture
def prefix() -> str:
    """A name of its own for the exchange and the queues of each test."""
    return f"test{next(_numbers)}"


@pytest.fixture(params=["embedded", "rabbitmq"])
def make_bus(request: pytest.FixtureRequest, prefix: str) -> MakeBus:
    """A factory of either bus; without RabbitMQ on the machine the second half fails, with the line that mends it."""
    url = "embedded:" if request.param == "embedded" else request.getfixturevalue("rabbitmq").amqp_url

    def make(**settings: Any) -> Bus:
        return open_bus(url, prefix=prefix, **settings)

    return make


@pytest.fixture
def run() -> Run:
    """Run a test's coroutine; an error in the background, or a task that is left when it ends, fails the test."""

    def strictly(main: Main) -> None:
        accidents: list[dict[str, Any]] = []

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: accidents.append(context))
            async with asyncio.timeout(90):
                await main()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"still running: {left}"

        asyncio.run(watched())
        gc.collect()
        assert not accidents, accidents

    return strictly


@pytest.fixture
def unused_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
