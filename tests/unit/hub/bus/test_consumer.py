"""Acknowledgement frames: few, and never for a lease that was not named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.bus.consumer import acknowledgements


def test_a_run_from_the_oldest_is_one_frame() -> None:
    unacked = dict.fromkeys(range(1, 101))
    assert acknowledgements(unacked, range(1, 51)) == [(50, True)]
    assert acknowledgements(unacked, [51]) == [(51, False)]
    assert acknowledgements(unacked, [60, 53, 52, 58]) == [(53, True), (58, False), (60, False)]
    assert acknowledgements(unacked, [60, 1, 999]) == []


@given(st.sets(st.integers(1, 40)), st.lists(st.sets(st.integers(1, 40)), max_size=8))
def test_a_broker_that_follows_the_frames_settles_exactly_what_was_named(
    delivered: set[int], calls: list[set[int]]
) -> None:
    unacked = dict.fromkeys(sorted(delivered))
    at_the_broker = set(delivered)
    named: set[int] = set()
    for done in calls:
        named |= done
        for tag, multiple in acknowledgements(unacked, done):
            settled = {each for each in at_the_broker if each <= tag} if multiple else {tag}
            assert settled, "a tag that is unknown to the broker closes the channel"
            assert settled <= at_the_broker
            at_the_broker -= settled
        assert at_the_broker == delivered - named == set(unacked)
