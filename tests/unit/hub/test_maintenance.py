from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.maintenance import Announced, Recurring, Window, announced, current, next_change, overlaps
from schemas.local_time import LOCAL

SUNDAY = Recurring(time(22), time(2), 6, "bảo trì định kỳ")
NIGHTLY = Recurring(time(23, 30), time(0, 30))
DECEMBER = Window(datetime(2026, 12, 1, 22, tzinfo=LOCAL), datetime(2026, 12, 2, 4, tzinfo=LOCAL), "nâng cấp máy chủ")


def at(text: str) -> datetime:
    """A local time, as the hub holds it."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL).astimezone(UTC)


moments = st.timedeltas(timedelta(), timedelta(days=7000)).map(lambda since: datetime(2020, 1, 1, tzinfo=LOCAL) + since)
clock_times = st.times()


@st.composite
def recurring(draw: st.DrawFn) -> Recurring:
    start, end = draw(clock_times), draw(clock_times)
    assume(start != end)
    return Recurring(start, end, draw(st.none() | st.integers(0, 6)))


@st.composite
def once(draw: st.DrawFn) -> Window:
    start_at = draw(moments)
    return Window(start_at, start_at + draw(st.timedeltas(timedelta(seconds=1), timedelta(days=20))))


windows: st.SearchStrategy[Announced] = st.one_of(recurring(), once())


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-29 21:59:59", None),
        ("2026-11-29 22:00", "2026-11-30 02:00"),
        ("2026-11-30 01:59:59", "2026-11-30 02:00"),
        ("2026-11-30 02:00", None),
        ("2026-11-30 23:00", None),
        ("2026-12-01 22:00", "2026-12-02 04:00"),
        ("2026-12-06 23:00", "2026-12-07 02:00"),
    ],
)
def test_a_window_lasts_from_its_beginning_to_its_end(now: str, until: str | None) -> None:
    found = current([SUNDAY, DECEMBER], at(now))
    assert (None if found is None else found.end_at) == (None if until is None else at(until))


def test_it_is_closed_a_lead_earlier_and_opens_at_its_end() -> None:
    assert current([DECEMBER], at("2026-12-01 21:59:29"), 30) is None
    assert current([DECEMBER], at("2026-12-01 21:59:30"), 30) == DECEMBER
    assert current([DECEMBER], at("2026-12-02 04:00"), 30) is None


def test_two_that_touch_are_one() -> None:
    after = Window(DECEMBER.end_at, DECEMBER.end_at + timedelta(hours=3))
    found = current([after, DECEMBER], at("2026-12-01 23:00"))
    assert found is not None
    assert (found.start_at, found.end_at, found.why) == (DECEMBER.start_at, after.end_at, DECEMBER.why)
    soon = Window(DECEMBER.end_at + timedelta(seconds=20), DECEMBER.end_at + timedelta(hours=3))
    found = current([soon, DECEMBER], at("2026-12-01 23:00"), 30)
    assert found is not None
    assert found.end_at == soon.end_at, "between them nothing could be sent"


def test_what_is_always_away_has_an_end_for_the_reader() -> None:
    found = current([Recurring(time(0), time(12)), Recurring(time(12), time(0))], at("2026-12-01 06:00"))
    assert found is not None
    assert found.end_at >= at("2026-12-08 00:00")


def test_the_reason_says_until_when_and_why() -> None:
    assert DECEMBER.reason == "until 2026-12-02 04:00: nâng cấp máy chủ"
    assert Window(at("2026-12-01 22:00"), at("2026-12-02 04:00")).reason == "until 2026-12-02 04:00"


def test_one_that_begins_when_it_ends_is_none() -> None:
    with pytest.raises(ValueError, match="begins when it ends"):
        Recurring(time(22), time(22))


def test_what_is_announced_within_a_day_is_shown_in_order() -> None:
    found = announced([SUNDAY, DECEMBER, NIGHTLY], at("2026-12-01 12:00"), timedelta(days=1))
    assert [window.end_at for window in found] == [at("2026-12-02 04:00"), at("2026-12-02 00:30")]
    assert announced([SUNDAY], at("2026-11-30 01:00"), timedelta()) == [SUNDAY.on(date(2026, 11, 29))]
    assert announced([SUNDAY], at("2026-11-30 02:00"), timedelta(days=6)) == []


@given(st.lists(windows, max_size=4), moments, st.floats(0, 3600))
def test_between_two_changes_nothing_changes(found: list[Announced], now: datetime, lead_s: float) -> None:
    change = next_change(found, now, lead_s)
    before = current(found, now, lead_s)
    assert before is None or change is not None, "what has begun ends"
    until = change if change is not None else now + timedelta(days=9)
    middle = now + (until - now) / 2
    assert (current(found, middle, lead_s) is None) == (before is None)
    assert (current(found, until - timedelta.resolution, lead_s) is None) == (before is None)


@given(recurring(), moments)
def test_local_hours_decide_whatever_the_day(found: Recurring, now: datetime) -> None:
    clock, today = now.time(), now.weekday()
    if found.end > found.start:
        inside = found.start <= clock < found.end and found.weekday in (None, today)
    else:
        evening = clock >= found.start and found.weekday in (None, today)
        inside = evening or (clock < found.end and found.weekday in (None, (today - 1) % 7))
    assert (current([found], now) is not None) == inside


@given(windows, windows)
def test_an_overlap_is_a_moment_that_lies_in_both(one: Announced, other: Announced) -> None:
    met = list(overlaps([one, other]))
    assert (list(overlaps([other, one])) == []) == (met == [])
    for first, second, when in met:
        assert (first, second) == (0, 1)
        assert current([one], when) is not None
        assert current([other], when) is not None


@given(recurring(), recurring(), moments)
def test_where_none_overlap_no_moment_lies_in_both(one: Recurring, other: Recurring, now: datetime) -> None:
    assume(not list(overlaps([one, other])))
    assert current([one], now) is None or current([other], now) is None


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (SUNDAY, Recurring(time(2), time(3), 0), False),
        (SUNDAY, Recurring(time(1, 59), time(3), 0), True),
        (SUNDAY, NIGHTLY, True),
        (NIGHTLY, Recurring(time(0, 30), time(1)), False),
        (SUNDAY, DECEMBER, False),
        (SUNDAY, Window(at("2026-12-06 23:00"), at("2026-12-06 23:01")), True),
        (Window(at("2026-12-01 00:00"), at("2026-12-31 00:00")), SUNDAY, True),
        (DECEMBER, DECEMBER, True),
        (DECEMBER, Window(DECEMBER.end_at, DECEMBER.end_at + timedelta(1)), False),
    ],
)
def test_overlaps(one: Announced, other: Announced, overlap: bool) -> None:
    assert bool(list(overlaps([one, other]))) == overlap
