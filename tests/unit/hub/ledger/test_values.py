from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.values import from_us, to_us

MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(MOMENTS)
def test_a_time_comes_back_to_the_microsecond(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment
    assert from_us(to_us(moment)).tzinfo is UTC


@given(MOMENTS, MOMENTS)
def test_the_order_of_times_is_kept(one: datetime, other: datetime) -> None:
    assert (to_us(one) < to_us(other)) == (one < other)


def test_the_zone_does_not_matter() -> None:
    local = datetime(2017, 3, 20, 15, 0, tzinfo=timezone(timedelta(hours=7)))
    assert to_us(local) == to_us(datetime(2017, 3, 20, 8, 0, tzinfo=UTC)) == 1_489_996_800_000_000
