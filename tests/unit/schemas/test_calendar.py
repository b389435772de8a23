"""Working days and hours around real holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from schemas.calendar import LOCAL, NationalDays, WorkingCalendar, national_days

CALENDAR = WorkingCalendar()


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=LOCAL)


def shown(at: datetime) -> str:
    assert at.tzinfo is UTC
    return f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M}"


def test_weekdays_off_of_2017_are_those_announced() -> None:
    """Announced: 2 Jan for New Year; Tết 26 Jan - 1 Feb; Hùng Kings 6 Apr; 2 May for 30 Apr; 4 Sep for 2 Sep."""
    off = [day for day in national_days(2017).off if day.weekday() < 5]
    tet = [date(2017, 1, 26) + timedelta(days=n) for n in (0, 1, 4, 5, 6)]
    assert off == [date(2017, 1, 2), *tet, date(2017, 4, 6), date(2017, 5, 1), date(2017, 5, 2), date(2017, 9, 4)]
    assert not national_days(2017).worked
    assert national_days(2017).off[date(2017, 1, 28)] == "Tết Nguyên Đán"


def test_working_days_of_2017() -> None:
    days = [date(2017, 1, 1) + timedelta(days=n) for n in range(365)]
    assert sum(CALENDAR.is_working_day(day) for day in days) == 260 - 10
    assert CALENDAR.is_working_day(date(2017, 1, 25))
    assert not any(CALENDAR.is_working_day(date(2017, 1, 26) + timedelta(days=n)) for n in range(7))
    assert CALENDAR.is_working_day(date(2017, 2, 2))


@pytest.mark.parametrize(
    ("off", "worked"),
    [
        (date(2018, 12, 31), date(2019, 1, 5)),
        (date(2019, 4, 29), date(2019, 5, 4)),
        (date(2015, 1, 2), date(2014, 12, 27)),
        (date(2024, 4, 29), date(2024, 5, 4)),
    ],
)
def test_swapped_days(off: date, worked: date) -> None:
    assert not CALENDAR.is_working_day(off)
    assert worked.weekday() == 5
    assert CALENDAR.is_working_day(worked)


def test_a_province_adds_its_own_days() -> None:
    saturday, friday = date(2017, 3, 4), date(2017, 3, 3)
    calendar = WorkingCalendar(days_off=[friday], working_days=[saturday, date(2017, 1, 26)])
    assert calendar.is_working_day(saturday)
    assert not calendar.is_working_day(friday)
    assert calendar.is_working_day(date(2017, 1, 26))
    with pytest.raises(ValueError, match="2017-03-03 is given as a day off and as a working day"):
        WorkingCalendar(days_off=[friday], working_days=[friday])


def test_holidays_can_be_given() -> None:
    calendar = WorkingCalendar(holidays=lambda year: NationalDays({date(year, 3, 8): "Lễ"}, frozenset()))
    assert not calendar.is_working_day(date(2017, 3, 8))
    assert calendar.is_working_day(date(2017, 1, 26))


@pytest.mark.parametrize(
    ("day", "working_days", "then"),
    [
        (date(2017, 1, 25), 1, date(2017, 2, 2)),
        (date(2017, 1, 23), 15, date(2017, 2, 20)),
        (date(2017, 1, 28), 0, date(2017, 2, 2)),
        (date(2017, 1, 25), 0, date(2017, 1, 25)),
        (date(2017, 1, 28), 1, date(2017, 2, 2)),
        (date(2017, 2, 2), -1, date(2017, 1, 25)),
        (date(2017, 12, 29), 1, date(2018, 1, 2)),
    ],
)
def test_adds_working_days(day: date, working_days: int, then: date) -> None:
    assert CALENDAR.add_working_days(day, working_days) == then


@pytest.mark.parametrize(
    ("received_at", "working_days", "due"),
    [
        (local(2017, 3, 6, 10), 3, "2017-03-09 10:00"),
        (local(2017, 3, 6, 7), 1, "2017-03-06 17:00"),
        (local(2017, 3, 6, 6), 1, "2017-03-06 17:00"),
        (local(2017, 3, 6, 12), 1, "2017-03-07 11:30"),
        (local(2017, 3, 6, 17), 1, "2017-03-07 17:00"),
        (local(2017, 3, 10, 18), 1, "2017-03-13 17:00"),
        (local(2017, 3, 11, 9), 0, "2017-03-13 07:00"),
        (local(2017, 3, 6, 11), 0.5, "2017-03-06 17:00"),
        (local(2017, 1, 23, 10), 5, "2017-02-06 10:00"),
        (local(2017, 3, 6, 10), 0, "2017-03-06 10:00"),
    ],
)
def test_due(received_at: datetime, working_days: float, due: str) -> None:
    assert shown(CALENDAR.due(received_at, working_days)) == due
    assert shown(CALENDAR.due(received_at.astimezone(UTC), working_days)) == due


def test_working_hours_between() -> None:
    assert CALENDAR.working_hours_between(local(2017, 3, 6, 7), local(2017, 3, 6, 17)) == 8
    assert CALENDAR.working_hours_between(local(2017, 3, 6, 11), local(2017, 3, 6, 14)) == 1
    assert CALENDAR.working_hours_between(local(2017, 1, 25, 16), local(2017, 2, 2, 7, 30)) == 1.5
    assert CALENDAR.working_hours_between(local(2017, 1, 28, 8), local(2017, 1, 29, 8)) == 0
    with pytest.raises(ValueError, match="is before"):
        CALENDAR.working_hours_between(local(2017, 3, 7), local(2017, 3, 6))


def test_a_supplement_moves_the_due_time_by_the_working_time_waited() -> None:
    due_at = local(2017, 3, 9, 10)
    assert shown(CALENDAR.moved(due_at, local(2017, 3, 7, 9), local(2017, 3, 8, 9))) == "2017-03-10 10:00"
    assert shown(CALENDAR.moved(due_at, local(2017, 3, 10, 17), local(2017, 3, 13, 7))) == "2017-03-09 10:00"


def test_other_hours() -> None:
    calendar = WorkingCalendar(hours=[(time(7, 30), time(11, 30))])
    assert calendar.day_length == timedelta(hours=4)
    assert shown(calendar.due(local(2017, 3, 6, 8), 2)) == "2017-03-08 08:00"


@pytest.mark.parametrize(
    "hours",
    [
        [],
        [(time(9), time(8))],
        [(time(7), time(12)), (time(11), time(17))],
        [(time(13), time(17)), (time(7), time(11))],
    ],
)
def test_refuses_hours_that_cannot_be(hours: list[tuple[time, time]]) -> None:
    with pytest.raises(ValueError, match="working hours should be spans in order"):
        WorkingCalendar(hours=hours)


def test_refuses_what_it_cannot_know() -> None:
    with pytest.raises(ValueError, match="cannot take -1 working days"):
        CALENDAR.due(local(2017, 3, 6), -1)
    with pytest.raises(ValueError, match="without zone"):
        CALENDAR.due(datetime(2017, 3, 6), 1)  # noqa: DTZ001 - the naive time is the case
    with pytest.raises(ValueError, match="the years 1902-2099, not 2100"):
        CALENDAR.is_working_day(date(2100, 3, 1))
