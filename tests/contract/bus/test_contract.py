"""What every bus promises (`hub.ports.Bus`); one suite over the embedded bus and over RabbitMQ."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from hub.bus.letter import BODY_LIMIT_BYTES
from hub.ports import Confirmed, Lease, Returned, Ticket
from schemas.errors import BusFault
from tests.services.rabbitmq import MakeBus, Run, confirmed, numbers, reasons, take, ticket, until


def test_a_ticket_arrives_as_it_was_sent(make_bus: MakeBus, run: Run) -> None:
    sent = [
        Ticket(1, 1, "a", "dossier.v1", "000.00.05.H59-170102-0001", "Làn số 1", '{"tên": "Nguyễn Thị Đào"}'.encode()),
        Ticket(2**62, 7, "a", "dossier-step.v1", "k|2017-01-02T01:00:00Z|Trần Văn Ơn|4", "k", None),
        Ticket(0, 0, "a", "dossier.v1", "", "", b"[1]"),
    ]

    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        assert await bus.publish(sent) == [Confirmed(each) for each in sent]
        async with bus.lease("a", 10) as leases:
            found = await take(leases, 3)
        assert [lease.ticket for lease in found] == sent
        assert not any(lease.redelivered for lease in found)
        await bus.stop()

    run(main)


def test_a_body_up_to_the_limit_travels_and_a_larger_one_by_reference(make_bus: MakeBus, run: Run) -> None:
    largest, larger = b"7" * BODY_LIMIT_BYTES, b"7" * (BODY_LIMIT_BYTES + 1)

    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        answers = await bus.publish([ticket(1, body=largest), ticket(2, body=larger)])
        assert answers == [Confirmed(ticket(1, body=largest)), Confirmed(ticket(2, body=larger))]
        async with bus.lease("a", 10) as leases:
            assert [lease.ticket.body for lease in await take(leases, 2)] == [largest, None]
        await bus.stop()

    run(main)


def test_order_holds_and_a_lease_has_one_to_at_most(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus(window=50)
        await bus.start(["a"])
        assert confirmed(await bus.publish([ticket(n) for n in range(500)])) == list(range(500))
        seen: list[int] = []
        async with bus.lease("a", 7) as leases:
            async for some in leases:
                assert 1 <= len(some) <= 7
                seen.extend(numbers(some))
                await bus.ack(some)
                if len(seen) == 500:
                    break
        assert seen == list(range(500))
        await bus.stop()

    run(main)


def test_a_consumer_that_waits_gets_what_comes_at_once(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        async with bus.lease("a", 100) as leases:
            for n in range(3):
                waiting = asyncio.create_task(take(leases, 1))
                assert await bus.publish([ticket(n)]) == [Confirmed(ticket(n))]
                assert numbers(await waiting) == [n]
        await bus.stop()

    run(main)


def test_prefetch_bounds_what_is_unacknowledged(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus(prefetch=4)
        await bus.start(["a"])
        await bus.publish([ticket(n) for n in range(10)])
        async with bus.lease("a", 100) as leases:
            first = await take(leases, 4)
            assert numbers(first) == [0, 1, 2, 3]
            further = asyncio.create_task(take(leases, 2))
            done, _ = await asyncio.wait({further}, timeout=0.2)
            assert not done
            await bus.ack(first[:2])
            assert numbers(await further) == [4, 5]
        await bus.stop()

    run(main)


def test_acknowledging_the_later_ones_leaves_the_earlier_ones(make_bus: MakeBus, run: Run) -> None:
    """An acknowledgement never covers a lease that its caller did not name, whatever the frame on the wire can do."""

    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        await bus.publish([ticket(n) for n in range(8)])
        async with bus.lease("a", 100) as leases:
            found = await take(leases, 8)
            await bus.ack([found[n] for n in (7, 0, 1, 4)])
            await bus.ack([found[4], found[7]])
        async with bus.lease("a", 100) as leases:
            again = await take(leases, 4)
            assert numbers(again) == [2, 3, 5, 6]
            await bus.ack(again)
        await bus.publish([ticket(99)])
        async with bus.lease("a", 100) as leases:
            assert numbers(await take(leases, 1)) == [99]
        await bus.stop()

    run(main)


def test_what_a_consumer_leaves_comes_again_in_order_marked(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus(prefetch=6)
        await bus.start(["a"])
        await bus.publish([ticket(n) for n in range(10)])
        async with bus.lease("a", 3) as leases:
            held = await take(leases, 3)
            assert not held[0].redelivered
        await bus.ack(held)  # too late, and no error: they are on their way to another
        async with bus.lease("a", 100) as leases:
            again = await take(leases, 6)
            assert numbers(again) == [0, 1, 2, 3, 4, 5]
            assert all(lease.redelivered for lease in again[:3])
            await bus.ack(again)
            assert numbers(await take(leases, 4)) == [6, 7, 8, 9]
        await bus.stop()

    run(main)


def test_a_consumer_that_fails_loses_nothing(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        await bus.publish([ticket(1)])

        async def fails() -> None:
            async with bus.lease("a", 1) as leases:
                await take(leases, 1)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fails()
        async with bus.lease("a", 1) as leases:
            assert numbers(await take(leases, 1)) == [1]
        await bus.stop()

    run(main)


def test_two_consumers_share_without_doubling(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus(prefetch=10)
        await bus.start(["a"])
        seen: list[int] = []
        enough = asyncio.Event()

        async def work() -> None:
            async with bus.lease("a", 5) as leases:
                async for some in leases:
                    seen.extend(numbers(some))
                    await bus.ack(some)
                    if len(seen) == 200:
                        enough.set()

        workers = [asyncio.create_task(work()) for _ in range(2)]
        await bus.publish([ticket(n) for n in range(200)])
        async with asyncio.timeout(90):
            await enough.wait()
        await bus.stop()
        await asyncio.gather(*workers)
        assert sorted(seen) == list(range(200))

    run(main)


def test_one_destination_does_not_delay_another(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus(prefetch=1)
        await bus.start(["a", "b"])
        await bus.publish([ticket(n, "a") for n in range(5)] + [ticket(n, "b") for n in range(5)])
        async with bus.lease("a", 1) as stuck, bus.lease("b", 1) as flowing:
            await take(stuck, 1)
            found: list[Lease] = []
            while len(found) < 5:
                found.extend(some := await anext(flowing))
                await bus.ack(some)
        assert {lease.ticket.destination for lease in found} == {"b"}
        await bus.stop()

    run(main)


def test_a_destination_that_was_not_started_is_returned_and_not_leased(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        answers = await bus.publish([ticket(1, "nowhere"), ticket(2, "a"), ticket(3, "nowhere")])
        assert [type(answer) for answer in answers] == [Returned, Confirmed, Returned]
        assert reasons(answers)[0] == "no queue for 'nowhere'"
        async with AsyncExitStack() as stack:
            with pytest.raises(BusFault, match="not started with a destination 'nowhere'"):
                await stack.enter_async_context(bus.lease("nowhere", 1))
            with pytest.raises(BusFault, match="at_most must be at least 1"):
                await stack.enter_async_context(bus.lease("a", 0))
        await bus.stop()

    run(main)


def test_a_destination_that_is_added_later_is_served_as_the_others(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        assert await bus.publish([ticket(1, "a")]) == [Confirmed(ticket(1, "a"))]
        await bus.add(["a", "b"])
        assert await bus.publish([ticket(2, "b")]) == [Confirmed(ticket(2, "b"))]
        for name, number in (("a", 1), ("b", 2)):
            async with bus.lease(name, 10) as leases:
                assert numbers(await take(leases, 1)) == [number]
        await bus.stop()

    run(main)


def test_a_ticket_that_cannot_travel_raises_and_nothing_is_published(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        bad = Ticket(2, 1, "a", "dossier.v1", "\ud800", "lane", b"{}")
        with pytest.raises(ValueError, match=r"ticket\.key: cannot be written as UTF-8"):
            await bus.publish([ticket(1), bad])
        assert await bus.depths() == {"a": 0}
        assert await bus.publish([]) == []
        await bus.stop()

    run(main)


def test_depths_count_what_is_ready(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus(prefetch=2)
        assert await bus.depths() == {}
        await bus.start(["a", "b"])
        await bus.publish([ticket(n) for n in range(5)])

        async def five() -> bool:
            return await bus.depths() == {"a": 5, "b": 0}

        async def three() -> bool:
            return await bus.depths() == {"a": 3, "b": 0}

        await until(five)
        async with bus.lease("a", 1) as leases:
            await take(leases, 2)
            await until(three)
        await until(five)
        await bus.stop()

    run(main)


def test_stop_ends_iterators_and_later_publishes_are_returned(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        assert bus.state() == "stopped"
        assert reasons(await bus.publish([ticket(1)])) == ["stopped"]
        await bus.start(["a"])
        assert bus.state() == "connected"
        with pytest.raises(BusFault, match="running already"):
            await bus.start(["a"])

        async def work() -> list[int]:
            async with bus.lease("a", 10) as leases:
                return [number async for some in leases for number in numbers(some)]

        workers = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        await bus.stop()
        assert await asyncio.gather(*workers) == [[], [], []]
        assert bus.state() == "stopped"
        assert reasons(await bus.publish([ticket(1)])) == ["stopped"]
        async with bus.lease("a", 1) as leases:
            assert [some async for some in leases] == []
        await bus.stop()

    run(main)


def test_a_cancelled_wait_loses_nothing(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        await bus.start(["a"])
        async with bus.lease("a", 10) as leases:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await take(leases, 1, within_s=0.05)
            await bus.publish([ticket(5)])
            assert numbers(await take(leases, 1)) == [5]
        await bus.stop()

    run(main)


def test_the_bus_can_be_started_again(make_bus: MakeBus, run: Run) -> None:
    async def main() -> None:
        bus = make_bus()
        for n in range(2):
            await bus.start(["a"])
            assert confirmed(await bus.publish([ticket(n)])) == [n]
            async with bus.lease("a", 10) as leases:
                found = await take(leases, 1)
                assert numbers(found) == [n]
                await bus.ack(found)
            await bus.stop()

    run(main)
