"""Local time of Viet Nam: what a date on a paper means. Times inside the hub are aware UTC, dates are local."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
"""The one legal time of Viet Nam, UTC+7, without summer time."""
OFFSET = timedelta(hours=7)
SETTLED = 1976
"""The first year in which `LOCAL` is `OFFSET` from UTC all the time; a sum is then ten times as fast as a zone."""


def local_date(at: datetime) -> date:
    """The calendar day in Viet Nam of an aware time. Raises: ValueError for a time without zone."""
    if at.tzinfo is UTC and at.year >= SETTLED:
        return (at + OFFSET).date()
    if at.tzinfo is None:
        raise ValueError(f"a time without zone has no local date: {at.isoformat()}")
    return at.astimezone(LOCAL).date()
