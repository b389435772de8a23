"""R8: what a portal said of a call that is over says nothing of the one that followed it."""

from __future__ import annotations

import pytest

from tests.contract.ledger.bench import Bench, dossier


def lost_twice(bench: Bench) -> None:
    """Leaves `stale` open: the same dispatch, unknown again, under a newer call."""
    bench.rule(can_look_up=True)
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "unknown")


@pytest.mark.parametrize("shown", [True, False])
def test_r8_an_answer_about_an_older_call_decides_nothing(bench: Bench, shown: bool) -> None:
    lost_twice(bench)
    stale = bench.unknowns()
    assert bench.resolve({"H59-1": False}) == 1
    bench.finish(bench.claim(bench.due()), "unknown", due_s=5)
    before = bench.row(1)
    assert before["state"] == "unknown"
    assert bench.run(bench.ledger.resolve("n", stale, {"H59-1": shown})) == 0
    bench.run(bench.ledger.postpone(stale, 3600, "it cannot be asked"))
    assert bench.row(1) == before
    bench.clock.tick(5)
    assert bench.resolve({"H59-1": False}) == 1, "the answer about the newest call does"


def test_r8_a_postponed_one_goes_behind_those_that_have_waited_longer(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    bench.finish(bench.claim(bench.settle(*(dossier(f"H59-{n}") for n in range(3))).tickets), "unknown")
    first = bench.unknowns()[0]
    bench.run(bench.ledger.postpone([first], 2, "the portal cannot be asked: HTTP 500"))
    assert [one.lane for one in bench.unknowns()] == ["H59-1", "H59-2"]
    bench.clock.tick(2)
    assert [one.lane for one in bench.unknowns()] == ["H59-1", "H59-2", "H59-0"]
    assert bench.row(first.dispatch_id)["reason"] == "the portal cannot be asked: HTTP 500"


def test_r2_a_probe_that_was_given_back_unsent_leaves_the_gate_held(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "waiting", down="HTTP 503")
    bench.clock.tick(1)
    call = bench.claim(bench.probe())
    assert call.ids == [1]
    bench.finish(call, "waiting", fault="", reason="given back, not sent")
    assert bench.rows("SELECT state, probe_dispatch FROM gate")[0] == {"state": "held", "probe_dispatch": None}
    bench.clock.tick(1)
    bench.deliver(bench.probe())
    assert bench.rows("SELECT state FROM gate")[0] == {"state": "open"}
