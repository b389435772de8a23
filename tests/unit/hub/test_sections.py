"""Retry, rate and maintenance of a destination: what may be written, and what each mistake is told as."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path

import pytest

from hub.maintenance import Recurring, Window
from hub.sections import DestinationSection
from hub.settings import load
from schemas.errors import ConfigError, Problem
from schemas.local_time import LOCAL

Write = Callable[..., Path]
ENVIRONMENT = {"HUB_PASSWORD": "mật khẩu"}
AT_LEAST, ABOVE = "write a number of at least 1", "write a number greater than 0.0"
BACKWARDS, TIME = "maintenance-backwards", "maintenance-time"
BEFORE = "    deadline_s: 20\n"


def made(write: Write, text: str) -> DestinationSection:
    return load(write((BEFORE, BEFORE + text)), environment=ENVIRONMENT).destinations["national"]


def problem(write: Write, text: str) -> Problem:
    path = write((BEFORE, BEFORE + text))
    with pytest.raises(ConfigError) as raised:
        load(path, environment=ENVIRONMENT)
    (found,) = raised.value.problems
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "HERE" in lines[found.line - 1], (found.line, lines[found.line - 1])
    return found


def test_each_class_takes_from_the_destination_what_it_does_not_say(write: Write) -> None:
    text = (
        "    retry: {first_s: 1, cap_s: 300, limit: 20, give_up_after_s: 604800, "
        "classes: {throttled: {first_s: 30}, transient: {limit: 5, give_up_after_s: null}, unknown: {cap_s: 600}}}\n"
    )
    retry = made(write, text).retry
    found = {name: retry.of(name) for name in ("transient", "throttled", "already-there", "unknown")}
    assert {name: (one.first_s, one.cap_s, one.limit, one.give_up_after_s) for name, one in found.items()} == {
        "transient": (1, 300, 5, None),
        "throttled": (30, 300, 20, 604800),
        "already-there": (1, 300, 20, 604800),
        "unknown": (1, 600, 20, 604800),
    }


@pytest.mark.parametrize("name", ["data", "down", "session", "dead"])
def test_a_class_that_is_not_tried_again_by_a_schedule_is_refused(write: Write, name: str) -> None:
    text = f"    retry:\n      classes:\n        {name}: {{first_s: 3}}  # HERE\n"
    found = problem(write, text)
    assert found.message == (
        f"destinations.national.retry.classes.{name}: what is refused as {name!r} is not tried again by a schedule"
    )
    assert found.mend == "write one of transient, throttled, already-there, unknown"


@pytest.mark.parametrize(
    ("text", "said", "mend"),
    [
        ("{first_s: 10, cap_s: 5}", "retry: cap_s (5) is below first_s (10)", "raise cap_s, or lower first_s"),
        (
            "{classes: {throttled: {first_s: 500}}}",
            "retry: classes.throttled.cap_s (300) is below first_s (500)",
            "raise classes.throttled.cap_s, or lower first_s",
        ),
        ("{limit: 0}", "retry.limit: input should be greater than or equal to 1 (found '0')", AT_LEAST),
        ("{give_up_after_s: -1}", "retry.give_up_after_s: input should be greater than 0 (found '-1')", ABOVE),
        (
            "{classes: {unknown: {wait: 3}}}",
            "retry.classes.unknown.wait is not a setting",
            "use one of: cap_s, first_s, give_up_after_s, limit",
        ),
    ],
)  # fmt: skip
def test_a_retry_that_cannot_be_kept_is_told_with_its_mend(write: Write, text: str, said: str, mend: str) -> None:
    found = problem(write, f"    retry: {text}  # HERE\n")
    assert (found.message, found.mend) == (f"destinations.national.{said}", mend)


def test_a_rate_is_a_number_above_zero(write: Write) -> None:
    assert made(write, "    rate_per_s: 0.5\n").rate_per_s == 0.5
    assert made(write, "").rate_per_s is None
    assert problem(write, "    rate_per_s: 0  # HERE\n").mend == "write a number greater than 0.0"


def test_maintenance_is_once_or_recurs(write: Write) -> None:
    text = """\
    maintenance:
      - {from: "2026-12-01 22:00", to: "2026-12-02 04:00", why: "nâng cấp máy chủ"}
      - {from: 2026-12-10T15:00:00Z, to: 2026-12-10T22:30:00+07:00}
      - {weekly: Sunday, from: "22:00", to: "02:00", why: "bảo trì định kỳ"}
      - {daily: true, from: 12:00, to: 12:30}
"""
    assert [one.announced() for one in made(write, text).maintenance] == [
        Window(datetime(2026, 12, 1, 22, tzinfo=LOCAL), datetime(2026, 12, 2, 4, tzinfo=LOCAL), "nâng cấp máy chủ"),
        Window(datetime(2026, 12, 10, 22, tzinfo=LOCAL), datetime(2026, 12, 10, 22, 30, tzinfo=LOCAL)),
        Recurring(time(22), time(2), 6, "bảo trì định kỳ"),
        Recurring(time(12), time(12, 30)),
    ]


@pytest.mark.parametrize(
    ("rule", "window", "said"),
    [
        (BACKWARDS, '{from: "2026-12-02 04:00", to: "2026-12-01 22:00"}', "to (2026-12-01 22:00) does not lie after"),
        (BACKWARDS, '{from: "2026-12-02 04:00", to: "2026-12-02 04:00"}', "to (2026-12-02 04:00) does not lie after"),
        (BACKWARDS, '{daily: true, from: "22:00", to: "22:00"}', "it begins when it ends (22:00)"),
        (TIME, '{from: "22:00", to: "23:00"}', "from (22:00) is no day and time"),
        (TIME, '{from: "2026-12-01", to: "2026-12-02 04:00"}', "from (2026-12-01) names no time of the day"),
        (TIME, '{weekly: monday, from: "2026-12-01 22:00", to: "23:00"}', "from (2026-12-01 22:00) is no time of"),
        (TIME, '{weekly: monday, from: "22:00+07:00", to: "23:00"}', "from (22:00+07:00) has an offset"),
        (TIME, '{weekly: monday, daily: true, from: "22:00", to: "23:00"}', "it is both daily and weekly"),
        ("missing-key", '{daily: true, from: "22:00"}', ""),
        ("wrong-value", '{weekly: chủ nhật, from: "22:00", to: "23:00"}', ""),
        ("unknown-key", '{monthly: 1, from: "2026-12-01 22:00", to: "2026-12-01 23:00"}', ""),
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_is_told_with_rule_line_and_mend(
    write: Write, rule: str, window: str, said: str
) -> None:
    found = problem(write, f"    maintenance:\n      - {window}  # HERE\n")
    assert found.rule == rule
    assert said in found.message
    assert found.message.startswith("destinations.national.maintenance.0")
    assert found.mend != "correct the value"


def test_windows_that_overlap_are_told_with_the_line_of_the_other(write: Write) -> None:
    text = """\
    maintenance:
      - {weekly: sunday, from: "22:00", to: "02:00"}
      - {from: "2026-12-01 22:00", to: "2026-12-02 04:00"}
      - {from: "2026-12-07 01:00", to: "2026-12-07 04:00"}  # HERE
"""
    found = problem(write, text)
    assert found.rule == "maintenance-overlap"
    assert found.message == (
        f"destinations.national.maintenance.2: it overlaps the one of line {found.line - 2} at 2026-12-07 01:00"
    )
    assert found.mend == "let one end before the other begins"
