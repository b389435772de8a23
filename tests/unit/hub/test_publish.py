from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hub.bus import EmbeddedBus
from hub.ports import Confirmed, Returned, Ticket
from hub.publish import CALLS, RETURNED_WAIT_S, Relay, to_the_end
from tests.unit.hub.line import Line, dossier, line, page, until


class Broker(EmbeddedBus):
    """A bus whose state the test says, and that may return some of what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.said = "connected"
        self.looked = 0
        self.published: list[Ticket] = []
        self.returns: set[str] = set()
        self.confirms = asyncio.Event()
        self.confirms.set()

    def state(self) -> str:
        self.looked += 1
        return self.said

    async def stop(self) -> None:
        self.said, self.returns = "stopped", {one.lane for one in self.published}
        self.confirms.set()
        await super().stop()

    async def publish(self, tickets: Sequence[Ticket]) -> Sequence[Confirmed | Returned]:
        self.published += tickets
        await self.confirms.wait()
        return [Returned(one, "full") if one.lane in self.returns else Confirmed(one) for one in tickets]


def relay(at: Line) -> tuple[Broker, Relay]:
    broker = Broker()
    return broker, Relay(at.ledger, broker, turn_s=0.005)


async def settled(at: Line, *numbers: str) -> Sequence[Ticket]:
    made = await at.ledger.settle(await at.processed(page(*(dossier(number) for number in numbers))))
    assert made.tickets
    return made.tickets


def test_a_ticket_says_whose_ledger_it_is_of(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            await one.publish(await settled(at, "H59-1"))
            await until(lambda: one.published)
            assert [ticket.ledger for ticket in broker.published] == [at.ledger.identity]
            assert len(at.ledger.identity) == 16
            assert (one.published, at.states()) == (1, ["queued"])

    asyncio.run(main())


def test_r1_what_the_bus_returned_waits_a_little_and_a_confirm_writes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            broker.returns = {"H59-2"}
            await one.publish(await settled(at, "H59-1", "H59-2"))
            await until(lambda: at.states() == ["queued", "waiting"])
            row = at.state("H59-2")
            assert (row.reason, row.gen) == ("the bus returned it", 1)
            assert row.due_us - row.created_us >= int(RETURNED_WAIT_S * 1_000_000)

    asyncio.run(main())


def test_tickets_of_a_settle_are_set_back_at_once_while_the_bus_is_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            broker.said = "reconnecting: connection refused"
            await one.publish(await settled(at, "H59-1", "H59-2"))
            assert (broker.published, one.published) == ([], 0)
            assert at.states() == ["waiting", "waiting"]
            await one.publish([])

    asyncio.run(main())


def test_a_relay_marks_nothing_while_the_bus_is_away_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            broker.said = "blocked: memory"
            await one.publish(await settled(at, "H59-1"))
            running = asyncio.create_task(one.run("n"))
            looked = broker.looked
            due_us = at.state("H59-1").due_us
            await until(lambda: at.ledger._now_us() > due_us and broker.looked >= looked + 20)
            assert (at.states(), at.state("H59-1").gen) == (["waiting"], 1), "its generation did not move"
            broker.said = "connected"
            await until(lambda: at.states() == ["queued"])
            await until(lambda: broker.published)
            assert [ticket.gen for ticket in broker.published] == [2]
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_r2_a_relay_publishes_the_probe_of_a_held_destination_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            await at.ledger.set_gate("n", "held", "HTTP 503")
            made = await at.ledger.settle(await at.processed(page(dossier("H59-1"), dossier("H59-2"))))
            assert made.tickets == []
            running = asyncio.create_task(one.run("n"))
            await until(lambda: broker.published)
            looked = broker.looked
            await until(lambda: broker.looked >= looked + 5)
            assert [ticket.lane for ticket in broker.published] == ["H59-1"]
            assert at.states() == ["queued", "waiting"]
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_bus_that_owes_its_confirms_holds_up_nobody_who_publishes(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            at.ledger.rules["n"] = replace(at.ledger.rules["n"], window=3)
            broker, one = relay(at)
            broker.confirms.clear()
            made = await settled(at, "H59-1", "H59-2", "H59-3")
            await one.publish(made)
            await until(lambda: len(broker.published) == 3)
            # Past its lease each is published again: what finds no room then is set back, and nothing else is marked.
            await one.publish(made[:1])
            assert len(broker.published) == 3
            running = asyncio.create_task(one.run("n"))
            looked = broker.looked
            await until(lambda: broker.looked >= looked + 5)
            assert at.states().count("waiting") == 1
            broker.confirms.set()
            await until(lambda: at.states() == ["queued"] * 3)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_what_is_not_confirmed_at_the_end_is_given_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            broker.confirms.clear()
            await one.publish(await settled(at, "H59-1"))
            await until(lambda: broker.published)
            await broker.stop()
            await one.close()
            assert at.states() == ["waiting"]

    asyncio.run(main())


def test_a_cancellation_waits_until_what_is_being_marked_is_handed_over(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            began, go_on = asyncio.Event(), asyncio.Event()

            async def marking() -> None:
                began.set()
                await go_on.wait()
                await one.publish(await settled(at, "H59-1"))

            working = asyncio.create_task(to_the_end(marking()))
            await began.wait()
            working.cancel()
            await broker.stop()
            go_on.set()
            (ended,) = await asyncio.gather(working, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError)
            assert at.states() == ["waiting"]

    asyncio.run(main())


def test_a_ticket_that_comes_while_all_calls_end_is_taken_by_another(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            broker, one = relay(at)
            *first, last = await settled(at, *(f"H59-{n}" for n in range(CALLS + 1)))
            broker.confirms.clear()
            for ticket in first:
                await one.publish([ticket])
            await until(lambda: len(broker.published) == CALLS)
            broker.confirms.set()
            await asyncio.sleep(0)
            await one.publish([last])
            await until(lambda: last in broker.published)

    asyncio.run(main())


def test_what_no_call_took_is_given_back_at_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            _, one = relay(at)
            (ticket,) = await settled(at, "H59-1")
            one._outbox(ticket.destination).waiting.append(ticket)
            await one.close()
            assert at.states() == ["waiting"]

    asyncio.run(main())


def test_r2_the_relay_looks_for_urgent_lanes_before_its_first_turn_and_then_now_and_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            _, one = relay(at)
            asked: list[str] = []

            async def look(destination: str) -> int:
                asked.append(f"look at {destination}")
                return 0

            async def due(destination: str) -> list[Ticket]:
                asked.append("due")
                return []

            at.ledger.look_for_urgent, at.ledger.due = look, due  # type: ignore[method-assign]
            running = asyncio.create_task(one.run("n"))
            await until(lambda: asked.count("due") > 2)
            running.cancel()
            await asyncio.wait({running})
            assert asked[:3] == ["look at n", "due", "due"]

    asyncio.run(main())
