from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rate import CATCH_UP_S, FIRST_PER_S, LIFTED_PER_S, Rate


@dataclass
class Sender:
    """Sends as fast as the rate lets it; requests succeed at once, or not."""

    rate: Rate
    now_s: float = 0.0

    def sends(self, count: int, *, well: bool = True) -> list[float]:
        """Return when each of the next requests goes."""
        sent: list[float] = []
        while len(sent) < count:
            if self.rate.take(self.now_s, 1):
                sent.append(self.now_s)
                if well:
                    self.rate.succeeded(self.now_s)
            else:
                self.now_s += self.rate.wait_s(self.now_s)
        return sent


def gaps(sent: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(sent)]


def test_without_a_limit_all_may_go_at_once() -> None:
    assert Rate().take(0.0, 10_000) == 10_000
    assert Rate().wait_s(0.0) == 0.0


def test_a_limit_is_kept() -> None:
    sent = Sender(Rate(10.0)).sends(50)
    assert gaps(sent) == pytest.approx([0.1] * 49)


def test_after_the_gate_has_opened_it_is_one_a_second_and_doubles_with_each_success_until_it_is_lifted() -> None:
    sender = Sender(Rate(), now_s=100.0)
    sender.rate.reopened(100.0, taken=1)
    assert sender.rate.take(100.0, 5) == 0, "one was let through already"
    assert sender.rate.per_s == FIRST_PER_S
    sent = sender.sends(10)
    assert gaps(sent) == pytest.approx([2.0**-n for n in range(1, 10)])
    assert not sender.rate.ramping
    assert sender.rate.take(sender.now_s, 10_000) == 10_000
    assert 2 ** (len(sent)) == LIFTED_PER_S


def test_a_ramp_ends_at_the_limit_of_the_destination() -> None:
    sender = Sender(Rate(5.0))
    sender.rate.reopened(0.0, taken=1)
    assert gaps([0.0, *sender.sends(8)]) == pytest.approx([1, 0.5, 0.25, *[0.2] * 5])
    assert not sender.rate.ramping


def test_a_limit_below_the_ramps_beginning_is_kept_too() -> None:
    sender = Sender(Rate(0.5))
    sender.rate.reopened(0.0, taken=1)
    assert gaps([0.0, *sender.sends(3)]) == pytest.approx([2.0] * 3)


def test_a_failure_does_not_raise_a_ramp() -> None:
    sender = Sender(Rate())
    sender.rate.reopened(0.0, taken=1)
    assert gaps([0.0, *sender.sends(5, well=False)]) == pytest.approx([1.0] * 5)


def test_a_success_shortens_the_wait_that_is_under_way() -> None:
    rate = Rate()
    rate.reopened(0.0, taken=1)
    assert rate.wait_s(0.2) == pytest.approx(0.8)
    rate.succeeded(0.2)
    assert rate.wait_s(0.2) == pytest.approx(0.4)


def test_each_process_takes_its_share() -> None:
    rate = Rate(10.0, sharers=4)
    assert gaps(Sender(rate).sends(3)) == pytest.approx([0.4] * 2)
    rate.sharers = 1
    assert rate.per_s == 10.0


def test_turns_that_nobody_used_are_no_turns() -> None:
    rate = Rate(1.0)
    assert rate.take(0.0, 1) == 1
    rate.give_back(1)
    assert rate.take(0.0, 1) == 1
    assert rate.take(0.0, 1) == 0


@given(
    st.floats(0.1, 500.0),
    st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(1, 300)), min_size=1, max_size=60),
    st.floats(0.01, 5.0),
)
def test_no_span_of_time_sees_more_than_the_limit(limit: float, asked: list[tuple[float, int]], span_s: float) -> None:
    rate, now_s = Rate(limit), 0.0
    given_at: list[tuple[float, int]] = []
    for pause_s, wanted in asked:
        now_s += pause_s
        given_at.append((now_s, rate.take(now_s, wanted)))
    for start_s, _ in given_at:
        within = sum(turns for at_s, turns in given_at if start_s <= at_s <= start_s + span_s)
        assert within <= 1 + limit * (span_s + CATCH_UP_S) + 1e-6


@given(st.floats(0.1, 500.0), st.lists(st.floats(0.0, 0.04), min_size=1, max_size=60))
def test_a_timer_that_rings_a_little_late_costs_no_turn(limit: float, late: list[float]) -> None:
    rate, now_s, turns = Rate(limit), 0.0, 0
    for lateness_s in late:
        now_s += rate.wait_s(now_s) + lateness_s
        turns += rate.take(now_s, 10_000)
    assert turns >= limit * now_s - 1e-6
