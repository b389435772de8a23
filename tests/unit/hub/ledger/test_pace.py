from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.pace import LEAST, LONGEST_S, SAFETY, Pace

SECOND = 1_000_000


def measured(per_s: float, rate_per_s: float | None = None) -> Pace:
    """A pace that has been measured at so many a second."""
    pace = Pace(2000, 60.0, rate_per_s)
    pace.finished(0, SECOND)
    assert pace.finished(int(per_s * 1000), 1001 * SECOND)
    return pace


def test_before_anything_is_measured_the_configured_window_holds() -> None:
    assert (Pace(2000, 60.0).window_now, Pace(2000, 60.0).queued_s) == (2000, 60.0)


def test_a_rate_is_measured_over_ten_seconds_of_work() -> None:
    pace = Pace(2000, 60.0)
    assert not pace.finished(50, 1 * SECOND)
    assert not pace.finished(50, 6 * SECOND)
    assert pace.finished(100, 11 * SECOND)
    assert pace.per_s == 20.0
    pace.finished(5, 12 * SECOND)
    pace.idle()
    assert not pace.finished(5, 100 * SECOND), "the hour without work is no slowness"


@pytest.mark.parametrize(
    ("per_s", "window", "queued_s"),
    [(1000, 2000, 60), (40, 2000, 100), (13.5, 2000, 296), (2, 300, 300), (0.1, LEAST, 300)],
)
def test_a_slow_portal_gets_a_smaller_window_and_no_ticket_lives_for_an_hour(
    per_s: float, window: int, queued_s: float
) -> None:
    pace = measured(per_s)
    assert pace.window_now == window
    assert pace.queued_s == pytest.approx(queued_s, rel=0.01)


@pytest.mark.parametrize(
    ("rate_per_s", "window", "queued_s"),
    [(100, 2000, 60), (10, 1500, 300), (1, 150, 300), (0.01, 1, 200), (0.001, 1, 2000)],
)
def test_a_configured_rate_cuts_the_window_before_anything_is_measured(
    rate_per_s: float, window: int, queued_s: float
) -> None:
    pace = Pace(2000, 60.0, rate_per_s)
    assert pace.window_now == window
    assert pace.queued_s == pytest.approx(queued_s)


def test_what_is_measured_is_believed_since_a_request_may_hold_many() -> None:
    assert measured(100.0, rate_per_s=1.0).window_now == 2000


@given(st.floats(0.0, 1e5), st.none() | st.floats(0.0001, 1e4), st.integers(1, 1_000_000))
def test_nothing_that_is_in_the_window_outlives_its_ticket(per_s: float, rate_per_s: float | None, window: int) -> None:
    pace = Pace(window, 60.0, rate_per_s, per_s=per_s)
    assert 1 <= pace.window_now <= window
    believed = per_s or rate_per_s
    longest_s = max(LONGEST_S, SAFETY / rate_per_s if rate_per_s else 0.0)
    assert 60.0 <= pace.queued_s <= longest_s
    if believed and pace.window_now > LEAST:
        assert pace.window_now / believed <= pace.queued_s / SAFETY + 1e-6
