"""The forecast of a destination, held against a model that serves one dispatch after the other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from hub.forecast import Backlog, Forecast, Work, closed, ends_at, forecast
from schemas.local_time import LOCAL, local_date

NOON = datetime(2017, 3, 20, 12, tzinfo=LOCAL)
TODAY = date(2017, 3, 20)

works = st.integers(1, 6).flatmap(lambda n: st.builds(Work, st.just(n), st.integers(n, 3 * n)))
days = st.none() | st.integers(-3, 4).map(lambda n: TODAY + timedelta(days=n))
backlogs = st.dictionaries(days, works)
rates = st.sampled_from([1e-5, 4e-5, 2.0**-16, 2.0**-15, 1e-4, 0.5, 1000.0])
moments = st.integers(0, 86_399).map(lambda s: datetime.combine(TODAY, datetime.min.time(), LOCAL) + timedelta(0, s))


def served(backlog: Backlog, per_s: float, now: datetime) -> tuple[Fraction, int]:
    """Every dispatch in its turn: seconds until the last one, and how many dossiers end after their due date."""
    today = local_date(now)
    line: list[tuple[date | None, int]] = []
    for due_on, work in sorted((d, w) for d, w in backlog.items() if d is not None and d >= today):
        # Of a day's dispatches each dossier has an even share; its last one is its turn.
        ends = [-(-n * work.dispatches // work.dossiers) for n in range(1, work.dossiers + 1)]
        line += [(due_on, ends.count(n)) for n in range(1, work.dispatches + 1)]
    line += [(None, 0)] * sum(w.dispatches for d, w in backlog.items() if d is None or d < today)
    took, late = Fraction(0), 0
    for day, dossiers in line:
        took += 1 / Fraction(per_s)
        if day is not None and took > (ends_at(day) - now) // timedelta(seconds=1):
            late += dossiers
    return took, late


@given(backlogs, rates, moments)
def test_it_says_what_serving_one_after_the_other_would(backlog: Backlog, per_s: float, now: datetime) -> None:
    took, late = served(backlog, per_s, now)
    said = forecast(backlog, per_s, now)
    assert said.drained_in_s is not None
    assert abs(said.drained_in_s - took) <= took * Fraction(1, 10**9)
    assert said.pass_due_date == late
    assert said.dispatches == sum(work.dispatches for work in backlog.values())


@given(backlogs, rates, moments, st.integers(1, 5))
def test_who_is_faster_has_fewer_that_pass_their_due_date(
    backlog: Backlog, per_s: float, now: datetime, times: int
) -> None:
    slow, fast = forecast(backlog, per_s, now), forecast(backlog, per_s * times, now)
    assert slow.pass_due_date is not None
    assert fast.pass_due_date is not None
    assert fast.pass_due_date <= slow.pass_due_date
    assert slow.pass_due_date + slow.overdue <= slow.dossiers


@given(backlogs, moments, st.integers(0, 6))
def test_a_closed_gate_lets_pass_whose_day_ends_before_it_opens(backlog: Backlog, now: datetime, later: int) -> None:
    until = now + timedelta(days=later)
    passed = [d for d in backlog if d is not None and d >= TODAY and ends_at(d) <= until]
    assert closed(backlog, now, until).pass_due_date == sum(backlog[d].dossiers for d in passed)


def test_what_is_not_known_is_not_said() -> None:
    backlog: Backlog = {TODAY: Work(1, 2), TODAY - timedelta(days=1): Work(3, 3)}
    assert forecast(backlog, None, NOON) == Forecast(4, 5, 3)
    assert forecast(backlog, 0.0, NOON) == Forecast(4, 5, 3)
    assert forecast({}, None, NOON) == Forecast(0, 0, 0, None, 0.0, 0)


def test_a_day_ends_at_midnight_in_viet_nam() -> None:
    assert ends_at(TODAY) == datetime(2017, 3, 20, 17, tzinfo=UTC)
    half_a_day: Backlog = {TODAY: Work(2, 2)}
    assert forecast(half_a_day, 2.001 / 43_200, NOON).pass_due_date == 0
    assert forecast(half_a_day, 1.9 / 43_200, NOON).pass_due_date == 1


def test_closed_until_tomorrow_where_nobody_says_how_long() -> None:
    backlog: Backlog = {TODAY: Work(2, 2), TODAY + timedelta(days=1): Work(5, 5)}
    said = closed(backlog, NOON)
    assert (said.pass_due_date, said.closed_until, said.drained_in_s) == (2, ends_at(TODAY), None)
