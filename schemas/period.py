"""Reporting periods: months, quarters and years as text that sorts within its sort, `2026-03`, `2026-Q1`, `2026`."""

from __future__ import annotations

from calendar import monthrange
from datetime import date


def month(year: int, number: int) -> str:
    """`2026-03`."""
    return f"{year:04d}-{number:02d}"


def quarter(year: int, number: int) -> str:
    """`2026-Q1`."""
    return f"{year:04d}-Q{number}"


def last_day(period: str) -> date:
    """The last day of a period, as of which registers are asked about it. Raises: ValueError for what is none."""
    year, _, part = period.partition("-")
    last = 12 if not part else int(part[1:]) * 3 if part.startswith("Q") else int(part)
    return date(int(year), last, monthrange(int(year), last)[1])
