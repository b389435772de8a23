"""Hours of grace and pages a second."""

from __future__ import annotations

from datetime import datetime

import pytest

from hub.sections import SourceSection
from hub.sparing import Sparing, hours
from schemas.local_time import LOCAL


@pytest.mark.parametrize(
    ("clock", "alone"),
    [
        ("06:59", False),
        ("07:00", True),
        ("07:59", True),
        ("08:00", False),
        ("22:00", True),
        ("00:30", True),
        ("05:00", False),
    ],
)
def test_hours_of_grace_are_those_of_viet_nam(clock: str, alone: bool) -> None:
    spared = SourceSection(adapter="files", mappings=["x"], quiet=["07:00-08:00", "22:00-05:00"]).sparing()
    at = datetime.fromisoformat(f"2026-11-23T{clock}").replace(tzinfo=LOCAL)
    assert spared.left_alone(at) is alone


@pytest.mark.parametrize("text", ["7-8", "07:00", "07:00-07:00", "07:00-24:00"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="are no hours; write"):
        hours(text)


def test_turns_are_no_faster_than_the_rate() -> None:
    spared, now_s = Sparing(rate_per_s=2.0), 100.0
    for _ in range(10):
        now_s += spared.turn_s(now_s)
    assert now_s >= 104.0
    assert Sparing().turn_s(0.0) == 0.0
