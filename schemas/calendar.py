"""The working-day calendar of an administration: which days and hours count towards a deadline.

National holidays, the days off in lieu of them and the Saturdays worked to make up for a swapped day come from the
package `holidays`; a province adds its own by data. For 2017 the package agrees with the days announced: 2 Jan, 26 Jan
to 1 Feb (Tết), 6 Apr, 1 and 2 May, 4 Sep. Hours count as in the rules of one-stop shops: what is received after closing
counts from the next working morning, and after a supplement the due time moves by the working time waited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import holidays as _holidays

from schemas.local_time import LOCAL, local_date

__all__ = ["DEFAULT_HOURS", "LOCAL", "NationalDays", "WorkingCalendar", "local_date", "national_days"]

DEFAULT_HOURS: tuple[tuple[time, time], ...] = ((time(7), time(11, 30)), (time(13, 30), time(17)))
"""07:00-11:30 and 13:30-17:00: eight hours make a day."""

_FIRST_YEAR, _LAST_YEAR = 1902, 2099
_DAY = timedelta(days=1)


class NationalDays(NamedTuple):
    """What the state decided for one year."""

    off: Mapping[date, str]
    """Public holidays and days off in lieu, with their Vietnamese names."""
    worked: frozenset[date]
    """Weekend days worked in exchange for a day off."""


@lru_cache(maxsize=256)
def national_days(year: int) -> NationalDays:
    """The public holidays of Viet Nam in a year. Raises: ValueError outside 1902-2099 (the lunar tables end there)."""
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"the calendar knows the years {_FIRST_YEAR}-{_LAST_YEAR}, not {year}")
    # The next year too: a swap announced with its holidays may be worked off in the December before.
    table = _holidays.country_holidays("VN", years=(year, year + 1), language="vi")
    off = {day: name for day, name in sorted(table.items()) if day.year == year}
    return NationalDays(MappingProxyType(off), frozenset(day for day in table.weekend_workdays if day.year == year))


class WorkingCalendar:
    """Working days and hours of one administration; immutable, safe to share. A day is the sum of its hours."""

    def __init__(
        self,
        hours: Sequence[tuple[time, time]] = DEFAULT_HOURS,
        holidays: Callable[[int], NationalDays] = national_days,
        days_off: Iterable[date] = (),
        working_days: Iterable[date] = (),
    ) -> None:
        """`hours` are local times of opening and closing in order; the two kinds of days go before `holidays`.

        Raises: ValueError for hours that are empty, touch or are out of order, or a day that is both off and worked.
        """
        edges = [edge for span in hours for edge in span]
        if not edges or any(earlier >= later for earlier, later in pairwise(edges)):
            raise ValueError(f"working hours should be spans in order that do not touch, are {_shown(hours)}")
        self._hours = tuple(hours)
        self._holidays = holidays
        self._off, self._worked = frozenset(days_off), frozenset(working_days)
        both = sorted(self._off & self._worked)
        if both:
            raise ValueError(f"{both[0]} is given as a day off and as a working day")
        self.day_length = sum((_length(span) for span in self._hours), timedelta())
        """The working time in one working day."""

    def is_working_day(self, day: date) -> bool:
        """Whether anybody works that day. Raises: ValueError for a year that the holidays do not know."""
        if day in self._worked:
            return True
        if day in self._off:
            return False
        national = self._holidays(day.year)
        return day in national.worked or (day.weekday() < 5 and day not in national.off)

    def add_working_days(self, day: date, working_days: int) -> date:
        """The n-th working day after `day` (before it where negative); 0 is `day` itself or the next working day."""
        if working_days == 0:
            while not self.is_working_day(day):
                day += _DAY
            return day
        step = _DAY if working_days > 0 else -_DAY
        for _ in range(abs(working_days)):
            day += step
            while not self.is_working_day(day):
                day += step
        return day

    def working_hours_between(self, start_at: datetime, end_at: datetime) -> float:
        """Working time between two aware times, in hours. Raises: ValueError where the end is before the start."""
        return self._between(start_at, end_at) / timedelta(hours=1)

    def due(self, received_at: datetime, working_days: float) -> datetime:
        """When a procedure of so many working days is due (aware UTC).

        Received outside working hours counts from the next opening; a day that ends at closing is due at closing. Three
        days from Monday 10:00 are due on Thursday 10:00. Raises: ValueError for negative days or a time without zone.
        """
        if working_days < 0:
            raise ValueError(f"a procedure cannot take {working_days} working days")
        return self._after(received_at, self.day_length * working_days)

    def moved(self, due_at: datetime, waited_from: datetime, waited_until: datetime) -> datetime:
        """The due time moved by the working time that an applicant was waited for (aware UTC)."""
        waited = self._between(waited_from, waited_until)
        return self._after(due_at, waited) if waited else due_at.astimezone(UTC)

    def _between(self, start_at: datetime, end_at: datetime) -> timedelta:
        start, end = _naive(start_at), _naive(end_at)
        if end < start:
            raise ValueError(f"{end_at.isoformat()} is before {start_at.isoformat()}")
        total = timedelta()
        for opens, closes in self._spans(start.date()):
            if opens >= end:
                break
            total += max(min(closes, end) - max(opens, start), timedelta())
        return total

    def _after(self, start_at: datetime, working_time: timedelta) -> datetime:
        start, left = _naive(start_at), working_time
        for opens, closes in self._spans(start.date()):
            begins = max(opens, start)
            if begins < closes and left <= closes - begins:
                return (begins + left).replace(tzinfo=LOCAL).astimezone(UTC)
            left -= max(closes - begins, timedelta())
        raise AssertionError("spans of working time do not end")

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        while True:
            if self.is_working_day(day):
                for opens, closes in self._hours:
                    yield datetime.combine(day, opens), datetime.combine(day, closes)
            day += _DAY


def _naive(at: datetime) -> datetime:
    # Arithmetic on the local clock: one zone, no summer time.
    if at.tzinfo is None:
        raise ValueError(f"a time without zone: {at.isoformat()}")
    return at.astimezone(LOCAL).replace(tzinfo=None)


def _length(span: tuple[time, time]) -> timedelta:
    return datetime.combine(date.min, span[1]) - datetime.combine(date.min, span[0])


def _shown(hours: Sequence[tuple[time, time]]) -> str:
    return ", ".join(f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in hours) or "empty"
