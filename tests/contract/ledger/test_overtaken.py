"""Dead letters that come back to life after a portal may have been told something newer, or the same (R4, R6, R11)."""

from __future__ import annotations

import pytest

from tests.contract.ledger.bench import Bench, dossier, step


def overtaken(bench: Bench) -> None:
    """A dossier died, its step waits behind it, and the next revision, which heals it, was sent."""
    bench.rule(resend_events=True)
    bench.finish(bench.claim(bench.settle(dossier(at=1)).tickets), "dead")
    bench.settle(step(at=2))
    newer = bench.claim([*bench.settle(dossier(at=3, content="B")).tickets, *bench.due()])
    assert list(newer.ids) == [3]
    bench.finish(newer, "unknown")


@pytest.mark.parametrize("can_look_up", [False, True])
@pytest.mark.parametrize("decided", [False, True])
def test_r11_a_replayed_snapshot_is_not_sent_after_a_newer_one_that_may_have_been_taken(
    bench: Bench, can_look_up: bool, decided: bool
) -> None:
    bench.rule(can_look_up=can_look_up)
    overtaken(bench)
    if decided:
        bench.resolve({"H59-1": True})
    result = bench.replay(1)
    assert result.shown == 1
    assert [one.by for one in result.superseded] == [3] * decided
    bench.resolve({"H59-1": True})
    sent = bench.drain()
    assert sorted(sent) == [2, 3]
    assert bench.states() == ["superseded", "delivered", "delivered"]


def test_r11_a_replayed_snapshot_is_sent_where_the_portal_shows_that_it_has_no_newer_one(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    overtaken(bench)
    bench.resolve({"H59-1": False})
    assert bench.replay(1).enqueued == 1
    assert bench.drain() == [1, 2, 3]


def test_r4_what_is_sent_again_after_it_died_as_poison_is_possibly_twice(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    tickets = bench.settle(dossier()).tickets
    for _ in range(3):
        bench.kill(tickets)
        bench.resolve({"H59-1": False})
        tickets = bench.due()
    assert bench.states() == ["dead"]
    bench.replay(1)
    assert bench.drain() == [1]
    assert bench.row(1)["possibly_twice"] == 1, "the portal may have taken the last of the three, which nobody asked"
