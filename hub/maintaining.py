"""Closes and opens gates by the calendar of maintenance that a configuration announces (`hub.maintenance`).

Several processes may do it at the same time: the ledger changes a gate once for each window, and only back from where
it was put. What a person pauses, or resumes in the middle of a window, stays theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.ledger import Ledger
from hub.ledger.values import to_us
from hub.maintenance import Announced, current

LOOK_S = 1.0
"""Between two looks at the calendar."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is announced for one destination, and how long before its beginning nothing may begin any more."""

    announced: Sequence[Announced]
    lead_s: float


def _now() -> datetime:
    return datetime.now(UTC)


async def keep_maintenance(
    ledger: Ledger, destination: str, calendar: Calendar, now: Callable[[], datetime] = _now
) -> None:
    """Keep one destination's calendar for ever; where there is none, a maintenance that is no more announced is
    ended."""
    while True:
        await keep_once(ledger, destination, calendar, now())
        if not calendar.announced:
            await asyncio.Event().wait()
        await asyncio.sleep(LOOK_S)


async def keep_once(ledger: Ledger, destination: str, calendar: Calendar, now: datetime | None = None) -> None:
    """Do what is to be done now: close the gate of a window that begins, open that of one that is over."""
    now = now or _now()
    window = current(calendar.announced, now, calendar.lead_s)
    gate = await ledger.gate(destination)
    if window is None:
        if gate.state == "maintenance":
            await ledger.end_maintenance(destination)
    elif gate.state in ("open", "held"):
        closes_at = window.start_at - timedelta(seconds=calendar.lead_s)
        await ledger.maintain(destination, to_us(closes_at), window.reason)
