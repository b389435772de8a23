"""What is the embedded bus's own: its bounds. What it shares with RabbitMQ is in tests/contract/bus."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.bus.embedded import EmbeddedBus
from hub.ports import Lease
from schemas.errors import BusFault
from tests.services.rabbitmq import confirmed, numbers, reasons, take, ticket


def test_a_full_queue_returns_until_something_is_acknowledged() -> None:
    async def main() -> None:
        bus = EmbeddedBus(capacity=3)
        await bus.start(["a", "b"])
        answers = await bus.publish([*(ticket(n) for n in range(5)), ticket(9, "b")])
        assert confirmed(answers) == [0, 1, 2, 9]
        assert reasons(answers) == ["the queue of 'a' is full (3)"] * 2
        async with bus.lease("a", 1) as leases:
            held = await take(leases, 1)
            assert reasons(await bus.publish([ticket(3)])), "a lease that may come back still has its place"
            await bus.ack(held)
            assert confirmed(await bus.publish([ticket(3)])) == [3]
        await bus.stop()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["capacity", "prefetch"])
def test_bounds_below_one_are_refused(name: str) -> None:
    with pytest.raises(BusFault, match=rf"bus\.{name}: must be at least 1 \(found 0\)"):
        EmbeddedBus(**{name: 0})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_consumers_that_come_and_go_lose_nothing_and_keep_the_order(data: st.DataObject) -> None:
    """Several consumers take some, acknowledge some and leave; what is left comes to the last one in its order."""

    async def main() -> None:
        bus = EmbeddedBus(prefetch=5)
        await bus.start(["a"])
        await bus.publish([ticket(n) for n in range(20)])
        done: set[int] = set()
        for _ in range(data.draw(st.integers(0, 4))):
            async with bus.lease("a", 5) as one, bus.lease("a", 3) as two:
                held: list[Lease] = []
                for leases in (one, two):
                    if len(done) + len(held) < 20:
                        held.extend(await anext(leases))
                finished = data.draw(st.lists(st.sampled_from(held), unique_by=id)) if held else []
                await bus.ack(finished)
                done.update(numbers(finished))
        rest = [n for n in range(20) if n not in done]
        seen: list[int] = []
        async with bus.lease("a", 4) as leases:
            while len(seen) < len(rest):
                some = await anext(leases)
                seen.extend(numbers(some))
                await bus.ack(some)
        assert seen == rest
        await bus.stop()

    asyncio.run(main())
