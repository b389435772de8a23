from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.ledger.values import to_us
from hub.maintaining import Calendar, keep_maintenance, keep_once
from hub.maintenance import Window
from schemas.local_time import LOCAL
from tests.unit.hub.line import line, until

START = datetime(2026, 12, 1, 22, tzinfo=LOCAL)
WINDOW = Window(START, START + timedelta(hours=6), "nâng cấp máy chủ")
CALENDAR = Calendar([WINDOW], 30.0)


class Clock:
    """What both the ledger and the calendar take for now."""

    def __init__(self) -> None:
        self.now = START - timedelta(hours=1)

    def us(self) -> int:
        return to_us(self.now)


@pytest.mark.parametrize("before", ["open", "held"])
def test_a_gate_is_closed_a_deadline_early_and_opened_at_the_end(tmp_path: Path, before: str) -> None:
    async def main() -> None:
        clock = Clock()
        async with line(tmp_path, now_us=clock.us) as at:

            async def state(now: datetime) -> tuple[str, str]:
                clock.now = now
                await keep_once(at.ledger, "n", CALENDAR, now)
                gate = await at.ledger.gate("n")
                return gate.state, gate.reason

            if before == "held":
                await at.ledger.set_gate("n", "held", "sập")
            closed = ("maintenance", "until 2026-12-02 04:00: nâng cấp máy chủ")
            assert (await state(START - timedelta(seconds=31)))[0] == before
            assert await state(START - timedelta(seconds=30)) == closed
            assert await state(WINDOW.end_at - timedelta(seconds=1)) == closed
            assert await state(WINDOW.end_at) == ("open", "the maintenance is over")
            assert (await state(WINDOW.end_at + timedelta(days=1)))[0] == "open"

    asyncio.run(main())


def test_what_a_person_does_stays_theirs(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with line(tmp_path, now_us=clock.us) as at:

            async def state(hours: float) -> str:
                clock.now = START + timedelta(hours=hours)
                await keep_once(at.ledger, "n", CALENDAR, clock.now)
                return (await at.ledger.gate("n")).state

            await at.ledger.set_gate("n", "paused", "lan")
            assert await state(1) == "paused"
            await at.ledger.set_gate("n", "open", "lan")
            assert await state(2) == "maintenance", "goes on, but not into a maintenance"
            await at.ledger.set_gate("n", "open", "lan: xong sớm")
            assert await state(3) == "open"
            await at.ledger.set_gate("n", "held", "sập")
            assert await state(4) == "held", "open early means watched as ever"

    asyncio.run(main())


def test_the_calendar_is_kept_while_the_hub_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.maintaining.LOOK_S", 0.01)

    async def main() -> None:
        clock = Clock()
        async with line(tmp_path, now_us=clock.us) as at:
            # Two processes keep the same calendar.
            kept = [
                asyncio.create_task(keep_maintenance(at.ledger, "n", CALENDAR, lambda: clock.now)) for _ in range(2)
            ]
            try:
                clock.now = START
                await until(lambda: at.gates() == ["maintenance"])
                clock.now = WINDOW.end_at
                await until(lambda: at.gates() == ["maintenance", "open"])
            finally:
                for task in kept:
                    task.cancel()
                await asyncio.gather(*kept, return_exceptions=True)
            assert at.gates() == ["maintenance", "open"]

    asyncio.run(main())
