"""Two hubs on one PostgreSQL and one RabbitMQ: each source is read by one of them, everything is delivered once, and
when one stops cleanly the other goes on at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from hub.bus.private_node import PrivateNode
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import QuickApp, Town, until

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def town(make_town: MakeTown, postgres_url: str, broker: PrivateNode, prefix: str) -> Iterator[Town]:
    made = make_town(dossiers=10, ticks=4, ledger=postgres_url, bus=broker.amqp_url, prefix=prefix)
    yield made
    made.leave()


def owners(town: Town) -> dict[str, str | None]:
    return {row[0]: row[1] for row in town.ask("SELECT name, owner FROM source")}


def test_two_hubs_share_the_work_and_one_takes_over(town: Town) -> None:
    async def main() -> None:
        second = QuickApp(town.deployment)
        async with town.hub() as first:
            async with town.hub(second):
                town.tick()
                await town.all_arrived()
                before = owners(town)
                assert set(before.values()) <= {first.ledger.worker, second.ledger.worker}
                town.tick()
                await until(lambda: len(town.log("national")) > 40, show=town.standing)
            # It has stopped in mid-flow. Its sources were given back, so that nobody waits for a lease to end.
            await until(lambda: set(owners(town).values()) == {first.ledger.worker}, 3, show=lambda: owners(town))
            await town.all_arrived()
            town.tick()
            await town.all_arrived()
            senders = {row[0] for row in town.ask("SELECT DISTINCT worker FROM call")}
            assert senders == {first.ledger.worker, second.ledger.worker}
        # The first ends too; another takes over from it.
        async with town.hub() as third:
            town.tick()
            await town.all_arrived()
            assert set(owners(town).values()) == {third.ledger.worker}

    asyncio.run(main())
    # One reader per source: a page is settled under one epoch after the other, and no record came twice in a row.
    assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1 OR state IN ('dead', 'unknown')")
    assert town.one("SELECT count(*) FROM item WHERE state IN ('parked', 'rejected', 'stale', 'no-route')") == 0
    for portal in town.portals:
        delivered = town.one("SELECT count(*) FROM dispatch WHERE destination = :to AND state = 'delivered'", to=portal)
        assert len(town.log(portal)) == delivered
    town.balance()
