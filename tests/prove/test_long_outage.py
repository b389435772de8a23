"""A portal is down for minutes while dossiers keep changing, and comes back: nobody restarts anything, people are told
twice, and the other portal gets each change as soon as before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.end_to_end.conftest import hasten
from tests.end_to_end.town import Town, until
from tests.support import proof
from tests.support.web_server import Receiver, receiver

OUTAGE_S = 180.0 if proof.THOROUGH else 2.5
AFTER_S = 60.0 if proof.THOROUGH else 1.0
"""After so long an outage is told."""
TICK_S = 1.0 if proof.THOROUGH else 0.4
AROUND = 20 if proof.THOROUGH else 2
"""Ticks before the outage, and after it."""
DRAINING = 60 if proof.THOROUGH else 4
"""Ticks at most while what has gathered goes out."""
TICKS = 2 * AROUND + DRAINING + int(OUTAGE_S / TICK_S) + 1
DOSSIERS = 10


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path, hook: Receiver) -> Iterator[Town]:
    def tell(configuration: dict[str, Any]) -> None:
        webhooks = [{"name": "truc-ban", "url": hook.url}]
        configuration["alerts"] = {"webhooks": webhooks, "after_s": AFTER_S, "settle_s": 1.0}

    with ExitStack() as stack:
        yield Town(tmp_path, stack, dossiers=DOSSIERS, ticks=TICKS, systems=("soap", "rest"), changes=tell)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """At length the hub has the pauses that it has in production."""
    if not proof.THOROUGH:
        hasten(monkeypatch)
        monkeypatch.setattr("hub.telling.LOOK_S", 0.1)
        monkeypatch.setattr("hub.watching.LOOK_S", 0.1)


def test_a_portal_that_is_down_for_minutes_comes_back_by_itself(town: Town, hook: Receiver) -> None:
    took_s: dict[str, list[float]] = {"before": [], "during": [], "after": []}

    async def tick(when: str, *portals: str) -> None:
        """One change of every dossier, read and delivered to `portals`; how long that took is kept."""
        began_s = time.monotonic()
        town.tick()
        await until(
            lambda: all(map(town.read_whole, town.systems)) and not any(map(town.open, portals)), 60, show=town.standing
        )
        took_s[when].append(time.monotonic() - began_s)
        await asyncio.sleep(max(0.0, began_s + TICK_S - time.monotonic()))

    async def main() -> float:
        async with town.hub():
            for _ in range(AROUND):
                await tick("before", "national", "provincial")
            town.fault("national", "refuse")
            down_s = time.monotonic()
            while time.monotonic() < down_s + OUTAGE_S and town.ticked < TICKS - DRAINING - AROUND:
                await tick("during", "provincial")
            assert town.gates("national") == ["held"]
            assert town.open("national")
            await until(lambda: len(hook.posted) == 1, AFTER_S + 10, show=town.standing)
            town.fault("national", "off")
            back_s = time.monotonic()
            # What has gathered by now is what drains; changes go on meanwhile.
            newest = town.one("SELECT max(id) FROM dispatch WHERE destination = 'national'")
            left = "SELECT count(*) FROM dispatch WHERE destination = 'national' AND id <= :newest AND phase < 2"
            while town.one(left, newest=newest) and town.ticked < TICKS - AROUND:
                await tick("during", "provincial")
            await until(lambda: not town.one(left, newest=newest), 120, show=town.standing)
            drained_s = time.monotonic() - back_s
            await until(lambda: not town.open("national"), 120, show=town.standing)
            for _ in range(AROUND):
                await tick("after", "national", "provincial")
            await until(lambda: len(hook.posted) == 2, 30, show=town.standing)
        return drained_s

    drained_s = asyncio.run(main())
    assert town.gates("national") == ["held", "open"]
    assert town.gates("provincial") == []
    assert town.one("SELECT max(attempts) FROM dispatch") == 0
    assert [(one["subject"], one["trouble"], one["state"]) for one in hook.alerts] == [
        ("national", "held", "opened"),
        ("national", "held", "ended"),
    ]
    town.balance()
    proof.record(
        "outage",
        down_s=round(OUTAGE_S),
        drained_s=round(drained_s, 1),
        changes=town.ticked * DOSSIERS * 2,
        other_before_s=round(median(took_s["before"]), 2),
        other_during_s=round(median(took_s["during"]), 2),
        other_after_s=round(median(took_s["after"]), 2),
        other_slowest_s=round(max(took_s["during"]), 1),
        messages=len(hook.posted),
    )
