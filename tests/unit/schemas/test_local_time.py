"""Local days."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from schemas.local_time import LOCAL, local_date


def test_the_day_changes_at_17_utc() -> None:
    assert local_date(datetime(2017, 1, 25, 16, 59, 59, tzinfo=UTC)) == date(2017, 1, 25)
    assert local_date(datetime(2017, 1, 25, 17, 0, tzinfo=UTC)) == date(2017, 1, 26)
    assert local_date(datetime(2017, 1, 26, 0, 0, tzinfo=LOCAL)) == date(2017, 1, 26)


def test_a_time_without_zone_has_no_day() -> None:
    with pytest.raises(ValueError, match="without zone"):
        local_date(datetime(2017, 1, 1))  # noqa: DTZ001 - the naive time is the case
