"""When a fragile source may be asked: hours of grace, and at most so many pages a second. Pure: clocks are values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time

from hub.rate import Rate
from schemas.local_time import LOCAL

_HOURS = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9])")


def hours(text: str) -> tuple[time, time]:
    """Read `07:00-08:00`; where the end is not after the start, it is that of the next day. Raises: ValueError."""
    found = _HOURS.fullmatch(text)
    if found is None or found[1] == found[2]:
        raise ValueError('are no hours; write "07:00-08:00", in quotes')
    return time.fromisoformat(found[1]), time.fromisoformat(found[2])


@dataclass(slots=True)
class Sparing:
    """What one source is spared."""

    quiet: Sequence[tuple[time, time]] = ()
    """Hours of grace in Viet Nam: the source is not asked from the first up to the second."""
    rate_per_s: float | None = None
    _rate: Rate = field(init=False)

    def __post_init__(self) -> None:
        self._rate = Rate(self.rate_per_s)

    def left_alone(self, at: datetime) -> bool:
        """Whether the source is in its hours of grace."""
        now = at.astimezone(LOCAL).time()
        return any(start <= now < end if start < end else (now >= start or now < end) for start, end in self.quiet)

    def turn_s(self, now_s: float) -> float:
        """Take the next turn, and say how long it is until then; 0 where it is now."""
        if self._rate.take(now_s, 1):
            return 0.0
        wait_s = self._rate.wait_s(now_s)
        self._rate.take(now_s + wait_s, 1)
        return wait_s
