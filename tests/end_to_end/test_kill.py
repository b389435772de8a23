"""The hub is killed with SIGKILL in the middle of the year and started again: the same final figures, on both buses.

Sources and portals live in processes of their own and go on; the books are struck by the program that knows nothing
of the hub. What a portal was told twice must be announced by the ledger as possibly twice, and nothing else may differ.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path

from adapters.sandbox.stage import StageEvent
from adapters.sandbox.tra_vinh import Stage
from hub.bus.private_node import PrivateNode
from hub.ledger.read import open_reader
from tests.prove.hub_process import HubProcess
from tests.prove.short_year import ShortYear
from tests.support.proof import THOROUGH

KILLED_AT = {2: 0.2, 5: 0.5, 8: 0.05, 11: 0.3}
"""Tick and seconds after its release: in the flow, in the outage, after it with the backlog, near the end."""

DRAINED_S = 300.0
FIGURES = {"received": 2002, "on_due_date": 65, "early": 1856, "late": 81, "on_time_rate": 95.95}


async def play(stage: Stage, ledger: str, bus: str, killed_at: Mapping[int, float]) -> dict[str, object]:
    """Play the year with kills and return what the books program says."""
    environment = await stage.start() | {"HUB_LEDGER_URL": ledger, "HUB_BUS_URL": bus}
    hub = HubProcess(stage.config, stage.folder / "hub.log", environment)
    released: asyncio.Queue[int] = asyncio.Queue()

    def heard(event: StageEvent) -> None:
        if event.what == "tick":
            released.put_nowait(event.tick)

    async def kills() -> None:
        while True:
            tick = await released.get()
            if tick in killed_at:
                await asyncio.sleep(killed_at[tick])
                await hub.kill()
                hub.start()

    try:
        hub.start()
        killing = asyncio.create_task(kills())
        await stage.run(heard)
        killing.cancel()
        assert hub.kills == len(killed_at)
        await drained(ledger)
        assert await hub.stop() == 0
        books = await asyncio.to_thread(stage.books, ledger, "--json")
        assert books.stdout, books.stderr
        found: dict[str, object] = json.loads(books.stdout)
        return found | {"status": books.returncode}
    finally:
        await stage.stop()


async def drained(ledger: str) -> None:
    """Wait until no dispatch is open."""
    give_up_at = time.monotonic() + DRAINED_S
    with open_reader(ledger) as reader:
        while left := [queue for queue in await asyncio.to_thread(reader.queues) if queue.open]:
            assert time.monotonic() < give_up_at, left
            await asyncio.sleep(0.2)


def balanced(found: Mapping[str, object], figures: object = None) -> None:
    """The same figures at all four places: these, or whatever the sources show."""
    assert found["status"] == 0, found["findings"]
    for place in ("source", "ledger", "national_portal", "provincial_portal"):
        assert found[place] == (figures or found["source"]), place
    assert (found["lost"], found["doubled"], found["regressed"]) == (0, 0, 0)
    assert (found["rejected"], found["parked"]) == (2, 1)


def test_killed_on_the_embedded_bus_and_sqlite(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage") if THOROUGH else ShortYear(tmp_path / "stage")
    found = asyncio.run(play(stage, f"sqlite:///{tmp_path / 'hub.db'}", "embedded:", KILLED_AT))
    balanced(found, FIGURES if THOROUGH else None)


def test_killed_on_rabbitmq_and_postgresql(tmp_path: Path, rabbitmq: PrivateNode, postgres_url: str) -> None:
    stage = Stage(tmp_path / "stage")
    balanced(asyncio.run(play(stage, postgres_url, rabbitmq.amqp_url, {3: 0.3, 8: 0.1})), FIGURES)
