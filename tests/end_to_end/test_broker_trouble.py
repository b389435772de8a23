"""RabbitMQ away when the hub starts: the sources are read meanwhile, and everything arrives without a restart.

What happens to a broker in mid-flow: `tests/prove/test_broker_faults.py`.
"""

from __future__ import annotations

import asyncio

import pytest

from hub.bus.private_node import PrivateNode
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import Town, until

pytestmark = pytest.mark.usefixtures("impatient")


def read_whole(town: Town) -> bool:
    return all(town.read_whole(one) for one in town.systems)


def test_a_broker_that_is_away_at_the_start_and_then_comes(
    make_town: MakeTown, broker: PrivateNode, prefix: str
) -> None:
    town = make_town(bus=broker.amqp_url, prefix=prefix)

    async def main() -> None:
        await asyncio.to_thread(broker.stop)
        town.tick()
        async with town.hub() as app:
            # Nobody waits for the broker, neither at the start nor at each page.
            await until(lambda: read_whole(town), show=town.standing)
            town.tick()
            await until(lambda: read_whole(town), show=town.standing)
            assert app.bus.state().startswith("reconnecting")
            assert not town.log("national")
            await asyncio.to_thread(broker.restart)
            await town.all_arrived()

    asyncio.run(main())
    assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1")
    town.balance()
