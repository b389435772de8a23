"""Two hubs on one PostgreSQL and one RabbitMQ, their pollers, relays and deliverers competing: killed, stopped and
continued under flow, the books are those of one hub that nothing happened to."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.sandbox.stage import StageEvent
from adapters.sandbox.tra_vinh import Stage
from hub.bus.private_node import PrivateNode
from hub.ledger.engine import migrate, open_engine
from tests.end_to_end.conftest import broker, make_town, prefix
from tests.end_to_end.test_kill import FIGURES, balanced, drained
from tests.end_to_end.town import Town, until
from tests.prove.hub_process import HubProcess
from tests.prove.short_year import ShortYear
from tests.support.proof import THOROUGH, record

__all__ = ["broker", "make_town", "prefix"]

SEEDS = range(1, 5) if THOROUGH else range(1, 2)
LONG_S = 180.0
"""For what a busy machine takes long for; a quiet one needs a few seconds."""

STRIKES = 8 if THOROUGH else 2
TTL_S = 6.0
"""Under flow, on a machine that is busy, a heartbeat may come late."""


async def play(folder: Path, ledger: str, bus: str, seed: int) -> dict[str, Any]:
    """Play the year with two hubs, one or the other of them struck at random. Returns what the books program says."""
    chance = random.Random(seed)
    stage = Stage(folder / "stage") if THOROUGH else ShortYear(folder / "stage")
    environment = await stage.start() | {"HUB_LEDGER_URL": ledger, "HUB_BUS_URL": bus}
    hubs = [HubProcess(stage.config, folder / f"hub-{n}.log", environment, patience=(TTL_S, 10)) for n in (1, 2)]
    struck_at = sorted(chance.sample(range(1, stage.ticks + 1), STRIKES))
    released: asyncio.Queue[int] = asyncio.Queue()
    still = 0

    def heard(event: StageEvent) -> None:
        if event.what == "tick":
            released.put_nowait(event.tick)

    async def strike() -> None:
        nonlocal still
        hub = chance.choice(hubs)
        await asyncio.sleep(chance.uniform(0.0, 0.6))
        if THOROUGH and chance.random() < 0.3:
            hub.stand_still()
            await asyncio.sleep(TTL_S * chance.uniform(0.5, 2.0))
            hub.go_on()
            still += 1
        else:
            await hub.kill()
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            hub.start()

    async def strikes() -> None:
        for at in struck_at:
            while await released.get() < at:
                pass
            await strike()

    striking = asyncio.create_task(strikes())
    try:
        for hub in hubs:
            hub.start()
        await stage.run(heard)
        await asyncio.wait_for(striking, 60)
        await drained(ledger)
        assert [await hub.stop() for hub in hubs] == [0, 0]
        books = await asyncio.to_thread(stage.books, ledger, "--json")
        assert books.stdout, books.stderr
        found: dict[str, Any] = json.loads(books.stdout)
        effects = sum(log.read_bytes().count(b"\n") for log in (stage.national_log, stage.provincial_log))
        kills = sum(hub.kills for hub in hubs)
        return found | {"status": books.returncode, "effects": effects, "kills": kills, "still": still}
    finally:
        striking.cancel()
        for hub in hubs:
            await hub.leave()
        await stage.stop()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_of_two_hubs_of_which_one_is_killed_at_random(
    tmp_path: Path, rabbitmq: PrivateNode, postgres_url: str, seed: int
) -> None:
    found = asyncio.run(play(tmp_path, postgres_url, rabbitmq.amqp_url, seed))
    record(
        "several",
        happened=f"killed at random, seed {seed}"
        + (f", {found['still']} times only stopped" if found["still"] else ""),
        hubs=2,
        kills=found["kills"],
        bus="rabbitmq",
        ledger="postgresql",
        effects=found["effects"],
        possibly_twice=found["possibly_twice"],
        books="balanced" if found["balanced"] else "not balanced",
    )
    balanced(found, FIGURES if THOROUGH else None)


# --- a hub that stands still


@pytest.fixture
def town(make_town: Any, postgres_url: str, broker: PrivateNode, prefix: str) -> Iterator[Town]:
    made: Town = make_town(dossiers=4, ticks=4, ledger=postgres_url, bus=broker.amqp_url, prefix=prefix)
    yield made
    made.leave()


WRITTEN = ("arrival", "item", "head", "revision", "dispatch", "source")


def written(town: Town) -> dict[str, int]:
    """How much there is of what settling writes, and the epochs of the sources."""
    counts = {table: int(town.one(f"SELECT count(*) FROM {table}")) for table in WRITTEN}
    return counts | {f"epoch of {row.name}": row.epoch for row in town.ask("SELECT name, epoch FROM source")}


def sending(town: Town) -> dict[int, int]:
    """What is being sent, each with its call."""
    return {row.id: row.call_id for row in town.ask("SELECT id, call_id FROM dispatch WHERE state = 'sending'")}


def test_r13_r7_a_hub_that_stood_still_for_longer_than_its_lease_writes_nothing(town: Town, tmp_path: Path) -> None:
    """It is stopped in the middle of a transaction that moves cursors, with requests on the wire."""
    hubs = [HubProcess(town.file, tmp_path / f"hub-{n}.log", patience=(3, 1)) for n in (1, 2)]
    first, second = hubs
    engine = open_engine(town.ledger, writer=True)
    migrate(engine)

    def settling() -> bool:
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO arrival%'"
        return bool(town.ask(waits))

    async def main() -> None:
        first.start()
        town.tick()
        await town.all_arrived(within_s=LONG_S)
        (one,) = {row[0] for row in town.ask("SELECT owner FROM source")}
        town.fault("national", "drip", interval_s=0.3)
        town.tick()
        await until(lambda: sending(town), LONG_S, show=town.standing)
        with engine.begin() as connection:
            connection.execute(sa.text("LOCK TABLE arrival IN EXCLUSIVE MODE"))
            town.tick()
            await until(settling, LONG_S, show=town.standing)
            on_the_wire = sending(town)
            first.stand_still()
        town.fault("national", "off")
        second.start()
        await until(lambda: {row[0] for row in town.ask("SELECT owner FROM source")}.isdisjoint({one, None}), LONG_S)
        await town.all_arrived(within_s=LONG_S)
        before, beat_us = written(town), town.one("SELECT beat_us FROM worker WHERE id = :id", id=one)
        faults = town.one("SELECT count(*) FROM fault")
        first.go_on()
        await until(lambda: "another worker reads it now" in first.said(), LONG_S, show=first.said)
        await until(lambda: town.one("SELECT beat_us FROM worker WHERE id = :id", id=one) > beat_us, LONG_S)
        assert written(town) == before
        assert town.one("SELECT count(*) FROM fault") == faults, "a late failure was believed"
        for id_, call in on_the_wire.items():
            row = town.ask("SELECT state, call_id, possibly_twice FROM dispatch WHERE id = :id", id=id_)[0]
            # A second call was made for it, or a late success ended it.
            assert row.state == "delivered"
            assert row.possibly_twice or row.call_id == call, row
        town.tick()
        await town.all_arrived(within_s=LONG_S)
        assert [await hub.stop() for hub in hubs] == [0, 0]

    async def guarded() -> None:
        try:
            await main()
        finally:
            for hub in hubs:
                await hub.leave()

    asyncio.run(guarded())
    engine.dispose()
    town.balance()
    record(
        "several",
        happened="stopped in mid-page for longer than its lease, then continued",
        hubs=2,
        kills=0,
        bus="rabbitmq",
        ledger="postgresql",
        effects=sum(len(town.log(portal)) for portal in town.portals),
        possibly_twice=int(town.one("SELECT count(*) FROM dispatch WHERE possibly_twice = 1")),
        books="balanced",
    )
