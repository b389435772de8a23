"""A clock that is set back keeps nothing waiting for longer (R1, R2)."""

from __future__ import annotations

import pytest

from hub.ledger.clock import STEP_US, StepWatch
from tests.contract.ledger.bench import SECOND, Bench, Clock, dossier

HOUR_S = 3600


def test_what_waits_is_due_by_the_new_time_within_a_heartbeat(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    first, second = bench.settle(dossier(), dossier("H59-2")).tickets
    bench.finish(bench.claim([first]), "waiting", due_s=60)
    bench.clock.tick(-HOUR_S)
    bench.run(bench.ledger.beat())
    assert "the clock was set back by 36" in caplog.text
    bench.clock.tick(58)
    assert bench.due() == []
    bench.clock.tick(3)
    again, lost = bench.due()
    assert {again.dispatch_id, lost.dispatch_id} == {first.dispatch_id, second.dispatch_id}, "the lost ticket too"


def test_a_held_gate_is_probed_by_the_new_time(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "waiting", down="refused")
    bench.clock.tick(-HOUR_S)
    bench.run(bench.ledger.beat())
    bench.clock.tick(2)
    assert bench.probe()


def test_an_unknown_outcome_is_decided_by_the_new_time(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "unknown", due_s=10)
    bench.clock.tick(-HOUR_S)
    bench.run(bench.ledger.beat())
    bench.clock.tick(11)
    assert len(bench.unknowns()) == 1


def test_a_start_after_the_step_moves_it_too(on_sqlite: Bench) -> None:
    bench = on_sqlite
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "waiting", due_s=60)
    bench.run(bench.ledger.beat())
    bench.clock.tick(-HOUR_S)
    bench.die()
    bench.clock.tick(61)
    assert len(bench.due()) == 1
    before = bench.row(1)["queued_until_us"]
    bench.die()
    assert bench.row(1)["queued_until_us"] == before, "one step is answered once"


def test_a_step_forward_and_a_small_correction_move_nothing() -> None:
    clock = Clock()
    watch = StepWatch(clock)
    clock.tick(STEP_US / SECOND - 1)
    assert watch.step_us() == 0
    clock.tick(-1)
    assert watch.step_us() == 0
    clock.tick(HOUR_S)
    assert watch.step_us() == 0
    clock.tick(-HOUR_S)
    assert HOUR_S * SECOND <= watch.step_us() < (HOUR_S + 30) * SECOND
    assert watch.step_us() == 0
