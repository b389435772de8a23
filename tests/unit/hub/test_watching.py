"""The watch over troubles: what it sees beside the ledger, and how often it looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.ledger import DestinationRules, Ledger
from hub.ledger.read import open_reader
from hub.ledger.values import from_us
from hub.ports import Bus
from hub.sections import AlertsSection, Deployment
from hub.settings import load
from hub.watching import SLOWLY_EVERY, Watching

Write = Any
SECOND = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.us = 1_772_413_200 * SECOND

    def __call__(self) -> int:
        return self.us


class Place:
    """A ledger, a bus that says what it is told, and the watch over both."""

    def __init__(self, ledger: Ledger, clock: Clock, deployment: Deployment) -> None:
        self.ledger, self.clock = ledger, clock
        self.state = "connected"
        bus = cast(Bus, SimpleNamespace(state=lambda: self.state))
        self.watching = Watching(ledger, bus, deployment, clock)

    async def look(self, after_s: float = 0) -> list[str]:
        """Look after so many seconds; returns the troubles that are open then."""
        self.clock.us += int(after_s * SECOND)
        await self.watching.look()
        with open_reader(self.ledger.url) as reader:
            return sorted(one.trouble for one in reader.alert_history(from_us(0)).open)


@asynccontextmanager
async def placed(write: Write, tmp_path: Path) -> AsyncIterator[Place]:
    deployment = replace(load(write(), environment={"HUB_PASSWORD": "x"}), alerts=AlertsSection())
    clock = Clock()
    ledger = Ledger(
        f"sqlite:///{tmp_path / 'hub.db'}", {"national": DestinationRules()}, sources=["so-tttt"], now_us=clock
    )
    await ledger.open(take_over=False)
    try:
        yield Place(ledger, clock, deployment)
    finally:
        await ledger.close()


def test_a_bus_that_is_away_is_a_trouble_once_it_lasts(write: Write, tmp_path: Path) -> None:
    async def main() -> None:
        async with placed(write, tmp_path) as place:
            place.state = "reconnecting: refused"
            assert await place.look() == []
            assert await place.look(59) == []
            place.state = "connected"
            assert await place.look(1) == []
            place.state = "blocked: low on disk"
            assert await place.look(1) == []
            assert await place.look(60) == ["bus-away"]
            place.state = "connected"
            assert await place.look(1) == []
            # A hub that is being stopped has not lost its bus.
            place.state = "stopped"
            assert await place.look(200) == []

    asyncio.run(main())


def test_a_ledger_with_a_problem_is_a_trouble_once_it_lasts(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with placed(write, tmp_path) as place:
            monkeypatch.setattr(place.ledger._writer, "problem", "the disk has 12 MB free")
            assert await place.look() == []
            assert await place.look(60) == ["ledger"]
            monkeypatch.setattr(place.ledger._writer, "problem", None)
            assert await place.look(1) == []

    asyncio.run(main())


def test_a_held_gate_is_seen_in_the_ledger(write: Write, tmp_path: Path) -> None:
    async def main() -> None:
        async with placed(write, tmp_path) as place:
            await place.ledger.set_gate("national", "held", "503 Nguyễn Thị Hạnh")
            assert await place.look(59) == []
            assert await place.look(1) == ["held"]
            with open_reader(place.ledger.url) as reader:
                [alert] = reader.alert_history(from_us(0)).open
            assert "Nguyễn" not in alert.text

    asyncio.run(main())


def test_a_forecast_is_asked_with_the_slow_look(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def forecast(_: Collection[str]) -> Mapping[str, int]:
        asked.append(1)
        return {"national": 7} if len(asked) == 2 else {"national": 0}

    async def main() -> None:
        async with placed(write, tmp_path) as place:
            monkeypatch.setattr(place.ledger, "forecast", forecast)
            for _ in range(SLOWLY_EVERY):
                assert await place.look(5) == []
            for _ in range(SLOWLY_EVERY):
                assert await place.look(5) == ["late"]
            assert await place.look(5) == []
        assert len(asked) == 3

    asyncio.run(main())
