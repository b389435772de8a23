"""The hub is killed with SIGKILL in the middle of the year and started again: the same final figures, on both buses.

Sources and portals live in processes of their own and go on; the books are struck by the program that knows nothing
of the hub. What a portal was told twice must be announced by the ledger as possibly twice, and nothing else may differ.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from adapters.sandbox.stage import StageEvent
from adapters.sandbox.tra_vinh import Stage
from hub.bus.private_node import PrivateNode
from hub.ledger.read import open_reader

KILLED_AT = {2: 0.2, 5: 0.5, 8: 0.05, 11: 0.3}
"""Tick and seconds after its release: in the flow, in the outage, after it with the backlog, near the end."""

DRAINED_S = 300.0
FIGURES = {"received": 2002, "on_due_date": 65, "early": 1856, "late": 81, "on_time_rate": 95.95}


class Victim:
    """`hub run` as a process of its own, killed and started again."""

    def __init__(self, stage: Stage, environment: Mapping[str, str], folder: Path) -> None:
        self._command = [sys.executable, "-c", "from hub.cli import main; main()", "run", str(stage.config)]
        self._environment = {**os.environ, **environment}
        self._log = folder / "hub.log"
        self.kills = 0

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """SIGKILL. Fails where the process had ended by itself: then nothing was proven."""
        assert self._process.returncode is None, self._log.read_text(encoding="utf-8")[-3000:]
        self._process.kill()
        await self._process.wait()
        self.kills += 1

    async def stop(self) -> int:
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), 90)


async def play(folder: Path, ledger: str, bus: str, killed_at: Mapping[int, float]) -> dict[str, object]:
    """Play the year with kills and return what the books program says."""
    stage = Stage(folder / "stage")
    environment = await stage.start() | {"HUB_LEDGER_URL": ledger, "HUB_BUS_URL": bus}
    hub = Victim(stage, environment, folder)
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
                await hub.start()

    try:
        await hub.start()
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


def balanced(found: Mapping[str, object]) -> None:
    assert found["status"] == 0, found["findings"]
    for place in ("source", "ledger", "national_portal", "provincial_portal"):
        assert found[place] == FIGURES, place
    assert (found["lost"], found["doubled"], found["regressed"]) == (0, 0, 0)
    assert (found["rejected"], found["parked"]) == (2, 1)


def test_killed_on_the_embedded_bus_and_sqlite(tmp_path: Path) -> None:
    balanced(asyncio.run(play(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}", "embedded:", KILLED_AT)))


def test_killed_on_rabbitmq_and_postgresql(tmp_path: Path, rabbitmq: PrivateNode, postgres_url: str) -> None:
    balanced(asyncio.run(play(tmp_path, postgres_url, rabbitmq.amqp_url, {3: 0.3, 8: 0.1})))
