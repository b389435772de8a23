"""What only a broker can do to a bus: go away, block, lose a queue, hold what somebody else wrote.

No test here starts its bus object again: whatever happens to the broker, the bus comes back by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from hub.bus import RabbitBus, declare, describe
from hub.bus.private_node import PrivateNode
from hub.ports import Confirmed, Lease, Returned
from schemas.errors import BusFault
from tests.services.rabbitmq import Run, by_hand, confirmed, numbers, reasons, take, ticket, until


@pytest.fixture(autouse=True)
def node_is_left_running(rabbitmq: PrivateNode) -> Iterator[None]:
    """Whatever a failing test did to the node, the next one finds it running."""
    yield
    if not rabbitmq.running:
        rabbitmq.restart()


QUICK: dict[str, Any] = {"reconnect_first_s": 0.05, "reconnect_cap_s": 0.5, "watch_s": 1.0}


async def publish_until_confirmed(bus: RabbitBus, number: int, destination: str = "a") -> list[str]:
    """Publish as the relay does, each time with the next gen; return the reasons of the returns before the confirm."""
    found: list[str] = []
    async with asyncio.timeout(90):
        for gen in range(1, 10_000):
            (answer,) = await bus.publish([ticket(number, destination, gen=gen)])
            if isinstance(answer, Confirmed):
                break
            found.append(answer.reason)
            await asyncio.sleep(0.02)
    return found


# --- what travels -----------------------------------------------------------------------------------------------------


def test_a_subscriber_sees_an_ordinary_persistent_message(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix)
        await bus.start(["a"])
        await bus.publish([ticket(7, gen=3, body=b'{"number": "1"}'), ticket(8, body=None)])
        await bus.stop()

    run(main)
    with by_hand(rabbitmq.amqp_url) as channel:
        _, record, body = channel.basic_get(f"{prefix}.a", auto_ack=True)
        _, reference, nothing = channel.basic_get(f"{prefix}.a", auto_ack=True)
    assert record is not None
    assert reference is not None
    assert (record.message_id, record.type, record.delivery_mode) == ("a:7", "dossier.v1", 2)
    assert (record.content_type, body) == ("application/json", b'{"number": "1"}')
    headers = {name: value for name, value in (record.headers or {}).items() if not name.startswith("x-")}
    assert headers == {
        "dispatch": 7,
        "gen": 3,
        "destination": "a",
        "key": "000.00.05.H59-170102-0007",
        "lane": "lane 7",
        "ledger": "",
    }
    assert (reference.content_type, nothing) == ("application/vnd.hub.reference", b"")


def test_foreign_messages_are_logged_once_counted_and_removed(
    rabbitmq: PrivateNode, prefix: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix)
        await bus.start(["a", "b"])
        await bus.publish([ticket(1), ticket(2, "b")])
        with by_hand(rabbitmq.amqp_url) as channel:
            channel.basic_publish("", f"{prefix}.a", b"Nguyen Van A, 0912345678")
            channel.basic_publish("", f"{prefix}.a", b"\xff", pika.BasicProperties(headers={"dispatch": "7"}))
            _, properties, body = channel.basic_get(f"{prefix}.b", auto_ack=True)
            channel.basic_publish("", f"{prefix}.a", body or b"", properties)  # moved by hand to another queue
        await bus.publish([ticket(3)])
        async with bus.lease("a", 10) as leases:
            found = await take(leases, 2)
            assert numbers(found) == [1, 3]
            await bus.ack(found)
        assert bus.foreign == {"a": 3}
        assert await bus.depths() == {"a": 0, "b": 0}
        await bus.stop()

    with caplog.at_level(logging.WARNING):
        run(main)
    warnings = [record.getMessage() for record in caplog.records if "is no ticket" in record.getMessage()]
    assert len(warnings) == 1
    assert "0912345678" not in caplog.text


def test_a_message_whose_headers_the_client_cannot_read_ends_no_connection(
    rabbitmq: PrivateNode, prefix: str, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A timestamp in milliseconds where seconds are meant is the year 50,000, and pika gives up on it."""
    milliseconds = 1_700_000_000_000

    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        await bus.start(["a"])
        with by_hand(rabbitmq.amqp_url) as channel, monkeypatch.context() as careless:
            careless.setattr("pika.data.calendar.timegm", lambda _: milliseconds)
            headers = {"at": datetime.now(UTC)}
            for body in (b"", b"x", b"y" * 300_000):
                channel.basic_publish("", f"{prefix}.a", body, pika.BasicProperties(headers=headers))
        await bus.publish([ticket(1)])
        async with bus.lease("a", 10) as leases:
            assert numbers(await take(leases, 1)) == [1]
        assert bus.foreign == {"a": 3}
        await bus.stop()

    run(main)
    assert "lost" not in caplog.text


# --- starting ---------------------------------------------------------------------------------------------------------


def test_a_queue_of_another_type_is_refused_in_words(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    with by_hand(rabbitmq.amqp_url) as channel:
        channel.queue_declare(f"{prefix}.a", durable=True)

    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix)
        with pytest.raises(BusFault, match=f"inequivalent arg 'x-queue-type' for queue '{prefix}.a'") as caught:
            await bus.start(["a"])
        assert not caught.value.down
        assert bus.state() == "stopped"
        with pytest.raises(BusFault, match="inequivalent arg"):
            await declare(rabbitmq.amqp_url, ["a"], prefix=prefix)

    run(main)


@pytest.mark.parametrize(("user", "vhost"), [("intruder:secret", "%2F"), (None, "nowhere")])
def test_a_broker_that_refuses_us_is_said_at_once_without_the_password(
    rabbitmq: PrivateNode, run: Run, user: str | None, vhost: str
) -> None:
    parts = urlsplit(rabbitmq.amqp_url)
    url = f"amqp://{user or f'{parts.username}:{parts.password}'}@{parts.hostname}:{parts.port}/{vhost}"

    async def main() -> None:
        async with asyncio.timeout(90):
            with pytest.raises(BusFault, match="refused") as caught:
                await RabbitBus(url).start(["a"])
        assert not caught.value.down
        assert "secret" not in str(caught.value)
        assert str(parts.password) not in str(caught.value)

    run(main)


def test_a_refusal_that_comes_after_the_start_is_said_once_per_connection(
    rabbitmq: PrivateNode, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    parts = urlsplit(rabbitmq.amqp_url)

    async def main() -> None:
        bus = RabbitBus(f"amqp://intruder:secret@{parts.hostname}:{parts.port}/%2F", start_s=0, **QUICK)
        await bus.start(["a"])
        await until(lambda: said("publish to a", "consume", "topology"))
        assert bus.state().startswith("reconnecting: ACCESS_REFUSED")
        await bus.stop()

    async def said(*purposes: str) -> bool:
        found = sorted(record.getMessage() for record in caplog.records if "refused: " in record.getMessage())
        assert len(found) <= len(purposes)
        return [line.partition(": refused: ACCESS_REFUSED")[0] for line in found] == sorted(
            f"bus {purpose}" for purpose in purposes
        )

    run(main)


def test_no_broker_is_a_fault_that_says_down(run: Run, unused_port: int) -> None:
    url = f"amqp://hub:secret@127.0.0.1:{unused_port}/"

    async def main() -> None:
        with pytest.raises(
            BusFault, match=f"no broker at 127.0.0.1:{unused_port} in 0.3 s: Connection refused"
        ) as caught:
            await RabbitBus(url, start_s=0.3, **QUICK).start(["a"])
        assert caught.value.down
        with pytest.raises(BusFault, match="Connection refused") as caught:
            await declare(url, ["a"], timeout_s=0.3)
        assert caught.value.down

    run(main)


def test_declaring_is_repeatable_and_makes_what_is_described(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        for _ in range(2):
            assert await declare(rabbitmq.amqp_url, ["a", "b"], prefix=prefix) == describe(["a", "b"], prefix=prefix)

    run(main)
    with by_hand(rabbitmq.amqp_url) as channel:
        for row in describe(["a", "b"], prefix=prefix):
            if row["what"] == "queue":
                channel.queue_declare(row["name"], durable=row["durable"], arguments=row["arguments"])
            else:
                channel.exchange_declare(row["name"], row["type"], durable=row["durable"])


# --- queues that somebody touches -------------------------------------------------------------------------------------


def test_a_deleted_queue_returns_the_publish_and_is_made_again(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        await bus.start(["a", "b"])
        with by_hand(rabbitmq.amqp_url) as channel:
            channel.queue_delete(f"{prefix}.a")
        answers = await bus.publish([ticket(1, "b"), *(ticket(n) for n in range(2, 50)), ticket(50, "b")])
        assert confirmed(answers) == [1, 50]
        assert set(reasons(answers)) == {"unroutable: NO_ROUTE (312)"}
        await publish_until_confirmed(bus, 2)
        async with bus.lease("a", 1) as leases:
            assert numbers(await take(leases, 1)) == [2]
        await bus.stop()

    run(main)


def test_a_consumer_survives_the_deletion_of_its_queue(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        await bus.start(["a"])
        await bus.publish([ticket(1)])
        async with bus.lease("a", 1) as leases:
            lost = await take(leases, 1)
            for round_ in range(2):
                with by_hand(rabbitmq.amqp_url) as channel:
                    channel.queue_delete(f"{prefix}.a")
                await publish_until_confirmed(bus, 10 + round_)
                found = await take(leases, 1)
                assert numbers(found) == [10 + round_]
                await bus.ack([*lost, *found])
        await bus.stop()

    run(main)


def test_a_consumer_that_the_broker_forgot_subscribes_again(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    """A queue that is deleted and made again at once says nothing to its old consumers, and gives them nothing."""

    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **{**QUICK, "watch_s": 0.1})
        await bus.start(["a"])
        await bus.publish([ticket(1)])
        async with bus.lease("a", 1) as leases:
            await bus.ack(await take(leases, 1))
            with by_hand(rabbitmq.amqp_url) as channel:
                channel.queue_delete(f"{prefix}.a")
                for row in describe(["a"], prefix=prefix)[1:]:
                    channel.queue_declare(row["name"], durable=row["durable"], arguments=row["arguments"])
                    channel.queue_bind(row["name"], row["bound_to"], row["routing_key"])
            await publish_until_confirmed(bus, 2)
            assert numbers(await take(leases, 1)) == [2]
        await bus.stop()

    run(main)


def test_a_deleted_exchange_is_made_again(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        await bus.start(["a"])
        with by_hand(rabbitmq.amqp_url) as channel:
            channel.exchange_delete(prefix)
        found = await publish_until_confirmed(bus, 1)
        assert f"no exchange '{prefix}'" in found[0]
        await bus.stop()

    run(main)


def test_a_purged_queue_is_only_empty(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, prefetch=1)
        await bus.start(["a"])
        await bus.publish([ticket(n) for n in range(20)])
        async with bus.lease("a", 1) as leases:
            held = await take(leases, 1)
            with by_hand(rabbitmq.amqp_url) as channel:
                channel.queue_purge(f"{prefix}.a")
            await bus.publish([ticket(99)])
            await bus.ack(held)
            assert numbers(await take(leases, 1)) == [99]
        await bus.stop()

    run(main)


def test_a_queue_that_owes_confirms_delays_no_other_and_is_made_anew(
    rabbitmq: PrivateNode, prefix: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """A suspended queue process behaves like a queue that was killed right after it had been declared."""

    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, confirm_s=0.5, **QUICK)
        await bus.start(["a", "b"])
        async with bus.lease("a", 10) as leases:
            assert confirmed(await bus.publish([ticket(1), ticket(2, "b")])) == [1, 2]
            await bus.ack(await take(leases, 1))
            await asyncio.to_thread(rabbitmq.ctl, "eval", f"sys:suspend(whereis('%2F_{prefix}.a')).")
            # So many that the broker stops reading from who publishes them.
            many = [ticket(n, body=bytes(2000)) for n in range(1000, 1450)]
            owed = asyncio.create_task(bus.publish([*many, ticket(5, "b")]))
            for n in range(10, 20):
                assert confirmed(await bus.publish([ticket(n, "b")])) == [n]
                assert not owed.done()
            answers = await owed
            assert (reasons(answers), confirmed(answers)) == (["not confirmed in 0.5 s"] * 450, [5])
            assert bus.state() == "connected", "the other destination can be published to"
            assert await publish_until_confirmed(bus, 6)
            assert numbers(await take(leases, 1)) == [6]
        await bus.stop()

    with caplog.at_level(logging.WARNING):
        run(main)
    said = [record.getMessage() for record in caplog.records if "bus: " in record.getMessage()]
    assert said == [
        *["bus: the queue of a has confirmed nothing for 0.5 s"] * 2,
        "bus: the queue of a answers no more, deleting it and making it again",
    ]


def test_a_queue_that_is_deleted_again_and_again_is_made_again(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        await bus.start(["a", "b"])
        async with bus.lease("a", 1) as leases:
            for number in range(4):
                with by_hand(rabbitmq.amqp_url) as channel:
                    channel.queue_delete(f"{prefix}.a")
                # A broker may close a connection that publishes into a queue that is being deleted.
                await publish_until_confirmed(bus, 100 + number, "b")
                await publish_until_confirmed(bus, number)
                while not (found := await take(leases, 1)) or numbers(found) != [number]:
                    await bus.ack(found)
                await bus.ack(found)
        await bus.stop()

    run(main)


def test_a_queue_whose_name_the_broker_holds_has_a_stand_in(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    """A queue that is deleted while it is being made may leave a process behind that keeps it from being made again."""
    process = f"'%2F_{prefix}.a'"

    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        other = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        await bus.start(["a", "b"])
        await other.start(["a", "b"])
        async with bus.lease("a", 1) as leases, other.lease("a", 1) as others:
            # As soon as the queue's process is gone, another has its name.
            hold = (
                f"spawn(fun() -> (fun Hold() -> case catch register({process}, self()) of"
                " true -> receive stop -> ok end; _ -> timer:sleep(1), Hold() end end)() end)."
            )
            await asyncio.to_thread(rabbitmq.ctl, "eval", hold)
            with by_hand(rabbitmq.amqp_url) as channel:
                channel.queue_delete(f"{prefix}.a")
            await publish_until_confirmed(bus, 1)
            assert 1 in numbers(await taken_by_either(leases, others))
            await asyncio.to_thread(rabbitmq.ctl, "eval", f"exit(whereis({process}), kill).")
            await asyncio.to_thread(rabbitmq.ctl, "close_all_connections", "a test")
            await until(lambda: connected(bus, other))
            await publish_until_confirmed(other, 2)
            assert 2 in numbers(await taken_by_either(leases, others))
            with by_hand(rabbitmq.amqp_url) as channel:
                channel.queue_declare(f"{prefix}.a", passive=True)
                with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="no queue"):
                    channel.queue_declare(f"{prefix}.a.stand-in", passive=True)
        await asyncio.gather(bus.stop(), other.stop())

    run(main)


async def taken_by_either(*consumers: AsyncIterator[Sequence[Lease]]) -> list[Lease]:
    """What comes first to one of several."""
    waiting = [asyncio.ensure_future(take(leases, 1)) for leases in consumers]
    done, late = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in late:
        one.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [lease for one in done for lease in one.result()]


# --- connections and brokers that go away -----------------------------------------------------------------------------


def test_what_was_not_acknowledged_comes_again_after_a_reconnect(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, **QUICK)
        await bus.start(["a"])
        await bus.publish([ticket(n) for n in range(4)])
        async with bus.lease("a", 2) as leases:
            first = await take(leases, 2)  # two more are waiting inside the bus
            await bus.ack(first[:1])
            await asyncio.to_thread(rabbitmq.ctl, "close_all_connections", "a test")
            again = await take(leases, 3)
            assert numbers(again) == [1, 2, 3]
            assert again[0].redelivered
            await bus.ack(first)
            await bus.ack(again)
            await publish_until_confirmed(bus, 9)
            assert numbers(await take(leases, 1)) == [9]
        await bus.stop()

    run(main)


def test_stopping_the_broker_is_an_outage_and_no_restart(
    rabbitmq: PrivateNode, prefix: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """`rabbitmqctl stop_app`, then `start_app`, while one consumer and one publisher are at work."""

    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, wait_s=0.2, **QUICK)
        await bus.start(["a"])
        seen: set[int] = set()
        taken: set[int] = set()
        states: set[str] = set()
        over = asyncio.Event()

        async def consume() -> None:
            async with bus.lease("a", 10) as leases:
                async for some in leases:
                    seen.update(numbers(some))
                    await bus.ack(some)

        async def publish() -> None:
            number = 0
            while not over.is_set():
                taken.update(confirmed(await bus.publish([ticket(number + n) for n in range(10)])))
                states.add(bus.state().partition(":")[0])
                number += 10
                await asyncio.sleep(0.005)

        async def caught_up() -> bool:
            return bool(taken) and taken <= seen

        workers = [asyncio.create_task(consume()), asyncio.create_task(publish())]
        await until(caught_up)
        await asyncio.to_thread(rabbitmq.ctl, "stop_app")
        before = len(taken)
        await asyncio.to_thread(rabbitmq.ctl, "start_app")

        async def more() -> bool:
            return len(taken) > before + 20

        await until(more)
        over.set()
        await workers[1]
        await until(caught_up)
        assert states == {"connected", "reconnecting"}
        await bus.stop()
        await workers[0]

    with caplog.at_level(logging.WARNING):
        run(main)
    assert len([record for record in caplog.records if "lost:" in record.getMessage()]) == 3, "one per connection"


def test_killing_the_node_returns_the_unconfirmed_and_keeps_the_confirmed(
    rabbitmq: PrivateNode, prefix: str, run: Run
) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, window=200, wait_s=0.2, **QUICK)
        await bus.start(["a"])
        # A broker saves its registers half a second late: of a queue that is younger than that nothing survives a kill,
        # whatever was confirmed in it. (Then the lease on the tickets, `queued_until`, publishes them again.)
        await asyncio.to_thread(rabbitmq.ctl, "eval", "[dets:sync(T) || T <- dets:all()], mnesia:sync_log().")
        some = await bus.publish([ticket(n) for n in range(100)])
        publishing = asyncio.create_task(bus.publish([ticket(n) for n in range(100, 20_000)]))
        await until(lambda: anything_ready(bus))
        await asyncio.to_thread(rabbitmq.kill)
        answers = await publishing
        assert len(answers) == 19_900
        assert [answer.ticket.dispatch_id for answer in answers] == list(range(100, 20_000))
        returned = [answer for answer in answers if isinstance(answer, Returned)]
        assert returned, "the kill came too late to find anything unconfirmed"
        assert bus.state().startswith("reconnecting: ")
        assert reasons(await bus.publish([ticket(1)]))[0].startswith("reconnecting: ")

        late = RabbitBus(rabbitmq.amqp_url, prefix=prefix, start_s=0, wait_s=0.1, **QUICK)
        await late.start(["a"])  # a hub may start while its broker is away
        assert reasons(await late.publish([ticket(1)])) == ["reconnecting: Connection refused"]

        await asyncio.to_thread(rabbitmq.restart)
        kept = {*confirmed(some), *confirmed(answers)}
        await until(lambda: connected(bus, late))
        seen: set[int] = set()
        async with bus.lease("a", 500) as leases:
            while not kept <= seen:
                found = await take(leases, 1)
                seen.update(numbers(found))
                await bus.ack(found)
        assert isinstance((await late.publish([ticket(1)]))[0], Confirmed)
        await asyncio.gather(bus.stop(), late.stop())

    run(main)


async def anything_ready(bus: RabbitBus) -> bool:
    return (await bus.depths()).get("a", 0) > 500


async def connected(*buses: RabbitBus) -> bool:
    return all(bus.state() == "connected" for bus in buses)


def test_a_blocked_connection_is_back_pressure_and_then_a_return(rabbitmq: PrivateNode, prefix: str, run: Run) -> None:
    async def main() -> None:
        bus = RabbitBus(rabbitmq.amqp_url, prefix=prefix, wait_s=0.3, confirm_s=0.5, **QUICK)
        patient = RabbitBus(rabbitmq.amqp_url, prefix=prefix, wait_s=20, confirm_s=20, **QUICK)
        await bus.start(["a"])
        await patient.start(["a"])
        await bus.publish([ticket(n) for n in range(3)])
        async with bus.lease("a", 1) as leases:
            held = await take(leases, 1)
            await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "absolute", "1000000")
            try:
                assert reasons(await bus.publish([ticket(10)])) == ["not confirmed in 0.5 s"]
                assert bus.state() == "blocked: low on memory"
                assert reasons(await bus.publish([ticket(11), ticket(12)])) == ["blocked: low on memory"] * 2
                waiting = asyncio.create_task(patient.publish([ticket(n) for n in range(20, 25)]))
                await bus.ack(held)  # workers go on: only those who publish are blocked
                assert len(await take(leases, 2)) == 2
                blocked = RabbitBus(rabbitmq.amqp_url, prefix=prefix, wait_s=0.1, confirm_s=0.1, **QUICK)
                await blocked.start(["a"])
                await blocked.publish([ticket(30)])
                await until(lambda: is_blocked(blocked))
                async with asyncio.timeout(2):
                    await blocked.stop()  # a broker that does not read cannot keep us
            finally:
                await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0.4")
            assert confirmed(await waiting) == [20, 21, 22, 23, 24]
            assert await publish_until_confirmed(bus, 40) == []
        assert bus.state() == "connected"
        await asyncio.gather(bus.stop(), patient.stop())

    run(main)


async def is_blocked(bus: RabbitBus) -> bool:
    return bus.state().startswith("blocked")
