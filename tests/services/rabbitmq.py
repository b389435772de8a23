"""What the bus suites say often: tickets, reading until enough has come, waiting for a broker, doing things by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import pika
from pika.adapters.blocking_connection import BlockingChannel

from hub.ports import Bus, Confirmed, Lease, Returned, Ticket

Main: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
Run: TypeAlias = Callable[[Main], None]


class MakeBus(Protocol):
    """Makes a bus that is not started yet; two made by one test share the broker's queues, as two processes would."""

    def __call__(self, **settings: Any) -> Bus: ...


def ticket(number: int, destination: str = "a", gen: int = 1, body: bytes | None = b"{}") -> Ticket:
    return Ticket(number, gen, destination, "dossier.v1", f"000.00.05.H59-170102-{number:04}", f"lane {number}", body)


def numbers(leases: Sequence[Lease]) -> list[int]:
    return [lease.ticket.dispatch_id for lease in leases]


def confirmed(answers: Sequence[Confirmed | Returned]) -> list[int]:
    return [answer.ticket.dispatch_id for answer in answers if isinstance(answer, Confirmed)]


def reasons(answers: Sequence[Confirmed | Returned]) -> list[str]:
    return [answer.reason for answer in answers if isinstance(answer, Returned)]


async def take(leases: AsyncIterator[Sequence[Lease]], count: int, within_s: float = 90.0) -> list[Lease]:
    """Read from a lease's iterator until `count` leases have come."""
    found: list[Lease] = []
    async with asyncio.timeout(within_s):
        while len(found) < count:
            found.extend(await anext(leases))
    return found


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 90.0) -> None:
    """Wait for something outside this process to become true."""
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110 - the condition lives in a broker, which sends no events
            await asyncio.sleep(0.02)


@contextmanager
def by_hand(url: str) -> Iterator[BlockingChannel]:
    """A plain channel, to do to a broker what an operator does."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        connection.close()
