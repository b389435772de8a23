"""When a portal's operator has announced that it will be away: once, every day or every week. Pure.

Windows are local time of Viet Nam, which has no daylight saving; the moments that come out are aware. A window begins
at its start and is over at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

from schemas.local_time import LOCAL

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Window:
    """One time that a portal is away."""

    start_at: datetime
    end_at: datetime
    why: str = ""

    @property
    def reason(self) -> str:
        """For people: until when, in local time, and why."""
        until = f"until {self.end_at.astimezone(LOCAL):%Y-%m-%d %H:%M}"
        return f"{until}: {self.why}" if self.why else until


@dataclass(frozen=True, slots=True)
class Recurring:
    """A window of every day, or of one day of every week; where `end` is not after `start` it passes midnight.

    Raises: ValueError where it begins when it ends.
    """

    start: time
    end: time
    weekday: int | None = None
    """0 is Monday, on which it starts; None is every day."""
    why: str = ""

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("it begins when it ends")

    def on(self, day: date) -> Window | None:
        """The window that starts on a day."""
        if self.weekday is not None and day.weekday() != self.weekday:
            return None
        last = day if self.end > self.start else day + _DAY
        start_at, end_at = (datetime.combine(*at, tzinfo=LOCAL) for at in ((day, self.start), (last, self.end)))
        return Window(start_at, end_at, self.why)


Announced: TypeAlias = Window | Recurring
"""What a configuration says."""


def occurrences(announced: Announced, since: datetime, until: datetime) -> Iterator[Window]:
    """Yield the windows that touch the span, in order; `since` and `until` are aware."""
    if isinstance(announced, Window):
        if announced.start_at < until and announced.end_at > since:
            yield announced
        return
    day = since.astimezone(LOCAL).date() - _DAY
    while day <= until.astimezone(LOCAL).date():
        window = announced.on(day)
        if window is not None and window.start_at < until and window.end_at > since:
            yield window
        day += _DAY


def current(announced: Iterable[Announced], now: datetime, lead_s: float = 0.0) -> Window | None:
    """Return the window in which `now` lies, or that begins within `lead_s`.

    Where another begins as it ends, or sooner than `lead_s` after, it lasts until the end of that one, for a week at
    most.
    """
    lead, known = timedelta(seconds=lead_s), list(announced)
    found = _latest(known, now, lead)
    while found is not None and found.end_at < now + _WEEK:
        after = _latest(known, found.end_at, lead)
        if after is None:
            break
        found = Window(found.start_at, after.end_at, found.why or after.why)
    return found


def _latest(announced: Iterable[Announced], now: datetime, lead: timedelta) -> Window | None:
    found = [
        window
        for one in announced
        for window in occurrences(one, now, now + lead + timedelta.resolution)
        if window.start_at - lead <= now < window.end_at
    ]
    return max(found, key=lambda window: window.end_at, default=None)


def next_change(announced: Iterable[Announced], now: datetime, lead_s: float = 0.0) -> datetime | None:
    """Return the next moment after `now` at which `current` may say something else; None where there is none."""
    lead = timedelta(seconds=lead_s)
    moments: list[datetime] = []
    for one in announced:
        horizon = one.end_at if isinstance(one, Window) else now + lead + _WEEK + _DAY
        for window in occurrences(one, now, max(horizon, now)):
            moments += [window.start_at - lead, window.end_at]
    return min((moment for moment in moments if moment > now), default=None)


def announced(windows: Iterable[Announced], now: datetime, within: timedelta) -> list[Window]:
    """Return the windows that are going on or begin within a span from now, in order; for display."""
    found = {window for one in windows for window in occurrences(one, now, now + within)}
    return sorted(found, key=lambda window: (window.start_at, window.end_at))


def overlaps(windows: Sequence[Announced]) -> Iterator[tuple[int, int, datetime]]:
    """Yield (first, second, when) for each two of the windows that overlap, by their numbers."""
    for second, later in enumerate(windows):
        for first, earlier in enumerate(windows[:second]):
            when = _meeting(earlier, later)
            if when is not None:
                yield first, second, when


def _meeting(one: Announced, other: Announced) -> datetime | None:
    """A moment that lies in both."""
    if isinstance(one, Recurring) and isinstance(other, Window):
        one, other = other, one
    # Both recurring: whatever week shows it. Beyond eight days of a single window the recurring one only repeats.
    start_at = one.start_at if isinstance(one, Window) else datetime(2024, 1, 1, tzinfo=LOCAL)
    end_at = min(one.end_at, start_at + _WEEK + _DAY) if isinstance(one, Window) else start_at + _WEEK + _DAY
    for mine in occurrences(one, start_at, end_at):
        for theirs in occurrences(other, mine.start_at, mine.end_at):
            return max(mine.start_at, theirs.start_at)
    return None
