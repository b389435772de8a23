"""One portal is dead and the other at full rate: what is for the other arrives while the dead one's gate is held, and
nothing of the dead one's spends an attempt. The rates are printed and not judged (`pytest -s`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from hub.bus.private_node import PrivateNode
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import Town, until

pytestmark = pytest.mark.usefixtures("impatient")

DEAD, ALIVE = "national", "provincial"


@pytest.fixture(params=["sqlite-embedded", "postgresql-rabbitmq"])
def town(request: pytest.FixtureRequest, make_town: MakeTown) -> Iterator[Town]:
    settings = {}
    if request.param == "postgresql-rabbitmq":
        broker: PrivateNode = request.getfixturevalue("broker")
        settings = {"ledger": request.getfixturevalue("postgres_url"), "bus": broker.amqp_url}
        settings["prefix"] = request.getfixturevalue("prefix")
    made = make_town(dossiers=20, ticks=4, **settings)
    yield made
    made.leave()


@pytest.mark.parametrize("death", ["refuse", "hang"])
def test_one_dead_portal_never_delays_another(town: Town, death: str) -> None:
    async def round_s(number: int) -> float:
        """Release a tick and wait until the portal that lives has all of it; returns how many a second it got."""
        before, began_s = len(town.log(ALIVE)), time.monotonic()
        town.tick()
        await until(
            lambda: all(map(town.read_whole, town.systems)) and not town.open(ALIVE), within_s=90, show=town.standing
        )
        per_s = (len(town.log(ALIVE)) - before) / (time.monotonic() - began_s)
        print(f"{death}, round {number}: {ALIVE} took {per_s:.0f}/s, gate of {DEAD}: {town.gates(DEAD)[-1:]}")
        return per_s

    async def main() -> None:
        async with town.hub():
            await round_s(1)
            await town.all_arrived()
            town.fault(DEAD, death)
            await round_s(2)
            await until(lambda: town.gates(DEAD) == ["held"], show=town.standing)
            came = len(town.log(DEAD))
            for number in (3, 4):
                await round_s(number)
            # By the order of events: all of the other's has come while this gate has not opened once.
            assert town.gates(DEAD) == ["held"]
            assert town.open(DEAD)
            assert town.gates(ALIVE) == []
            assert len(town.log(DEAD)) == came
            assert not town.ask("SELECT id FROM dispatch WHERE attempts > 0")
            probes = town.ask(
                "SELECT c.started_us FROM call c, gate_change g WHERE c.destination = :to AND g.destination = :to"
                " AND c.started_us > g.at_us",
                to=DEAD,
            )
            print(f"{death}: {len(probes)} probes while the gate was held")
            town.fault(DEAD, "off")
            await town.all_arrived(within_s=90)

    asyncio.run(main())
    assert town.gates(DEAD) == ["held", "open"]
    assert not town.ask("SELECT id FROM dispatch WHERE attempts > 0 OR state = 'dead'")
    town.balance()
