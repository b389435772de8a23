from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.identity import AHEAD_US, Head, Identity, identify, ordering_time_us

REVISION, TIE, DUPLICATE, STALE, FOREIGN = Identity


def head(digest: str = "A", changed_us: int | None = 10, *, poll_us: int = 5, tie: bool = False) -> Head:
    return Head("s", digest, changed_us, poll_us, tie)


def judged(
    before: Head | None,
    digest: str,
    changed_us: int | None,
    *,
    source: str = "s",
    poll_us: int = 5,
    known: frozenset[tuple[int | None, str]] = frozenset(),
) -> Identity:
    return identify(before, source, digest, changed_us, poll_us, lambda at, which: (at, which) in known)


@pytest.mark.parametrize(
    ("before", "digest", "changed_us", "verdict"),
    [
        (None, "A", 1, REVISION),
        (None, "A", None, REVISION),
        (head(), "A", 10, DUPLICATE),
        (head(), "A", 11, REVISION),
        (head(), "B", 11, REVISION),
        (head(), "B", 10, TIE),
        (head(), "A", 9, STALE),
        (head(tie=True), "A", 10, DUPLICATE),
        (head(changed_us=None), "A", None, DUPLICATE),
        (head(changed_us=None), "B", None, REVISION),
        (head(changed_us=None), "A", 10, DUPLICATE),
        (head(changed_us=None), "B", 10, REVISION),
        (head(), "A", None, DUPLICATE),
        (head(), "B", None, REVISION),
    ],
)
def test_r9_verdicts(before: Head | None, digest: str, changed_us: int | None, verdict: Identity) -> None:
    assert judged(before, digest, changed_us) is verdict


@pytest.mark.parametrize(
    ("before", "changed_us", "verdict"),
    [(head("B"), 9, DUPLICATE), (head("B"), 10, DUPLICATE), (head("B", tie=True), 10, TIE)],
)
def test_r9_1_any_earlier_revision_makes_a_duplicate_but_a_tie_looks_at_the_head_alone(
    before: Head, changed_us: int, verdict: Identity
) -> None:
    assert judged(before, "A", changed_us, known=frozenset({(changed_us, "A")})) is verdict


@pytest.mark.parametrize(("poll_us", "verdict"), [(4, STALE), (5, REVISION), (6, REVISION)])
def test_r9_4_without_times_the_polls_order(poll_us: int, verdict: Identity) -> None:
    assert judged(head(changed_us=None), "B", None, poll_us=poll_us) is verdict


def test_r9_7_a_key_has_one_owner() -> None:
    assert judged(head(), "A", 10, source="other") is FOREIGN


@given(st.none() | st.integers(0, 10**17), st.integers(0, 10**17))
def test_r9_5_a_time_orders_up_to_ten_minutes_ahead(changed_us: int | None, now_us: int) -> None:
    ordering = ordering_time_us(changed_us, now_us)
    assert ordering == (None if changed_us is None or changed_us > now_us + AHEAD_US else changed_us)


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 3), st.sampled_from("AB")), max_size=12),
)
def test_r9_what_was_just_read_is_a_duplicate_when_it_is_read_again(reads: list[tuple[int | None, str]]) -> None:
    current: Head | None = None
    seen: set[tuple[int | None, str]] = set()
    for changed_us, digest in reads:
        for again in (False, True):
            verdict = judged(current, digest, changed_us, known=frozenset(seen))
            assert not again or verdict in (DUPLICATE, STALE)
            if verdict in (REVISION, TIE):
                current = head(digest, changed_us, tie=verdict is TIE)
                seen.add((changed_us, digest))
