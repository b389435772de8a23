"""R7 one owner and an end, R8 unknown outcomes, R11 replay, R14 batches."""

from __future__ import annotations

from typing import Any

import pytest

from hub.ledger.lanes import Standing
from hub.ledger.values import Outcome
from hub.ports import Fault, FaultClass, Mode
from hub.retry import RetryPolicy, Sent, verdict
from tests.contract.ledger.bench import Bench, Call, dossier, step


def standing(bench: Bench, lane: str = "H59-1") -> Standing:
    return Standing(bench.rows("SELECT standing FROM lane WHERE lane = :lane", lane=lane)[0]["standing"])


# --- R7


def test_r7_an_orphaned_claim_becomes_unknown_and_its_lane_stays_shut(bench: Bench) -> None:
    bench.kill(bench.settle(dossier()).tickets)
    assert bench.states() == ["unknown"]
    assert standing(bench) is Standing.UNKNOWN
    assert bench.settle(dossier(at=1, content="B")).tickets == []
    bench.clock.tick(120)
    assert bench.due() == []
    assert bench.states() == ["unknown", "waiting"]


def test_r7_a_worker_that_gives_up_makes_its_own_claims_unknown(bench: Bench) -> None:
    bench.claim(bench.settle(dossier()).tickets)
    assert bench.run(bench.ledger.abandon("n")) == 1
    assert bench.states() == ["unknown"]


def test_r7_claims_are_held_by_a_heartbeat_on_the_databases_clock(on_postgres: Bench) -> None:
    bench = on_postgres
    other = bench.start()
    bench.clock.tick(3600)
    bench.claim(bench.settle(dossier()).tickets)
    assert bench.run(other.reap()) == 0, "only this machine's clock has moved"
    bench.execute("UPDATE worker SET beat_us = beat_us - 14000000 WHERE id = :id", id=bench.ledger.worker)
    assert bench.run(other.reap()) == 0
    bench.execute("UPDATE worker SET beat_us = beat_us - 2000000 WHERE id = :id", id=bench.ledger.worker)
    bench.run(bench.ledger.beat())
    assert bench.run(other.reap()) == 0, "it has renewed"
    bench.execute("UPDATE worker SET beat_us = beat_us - 16000000 WHERE id = :id", id=bench.ledger.worker)
    assert bench.run(other.reap()) == 1
    bench.run(other.close())
    assert bench.states() == ["unknown"]


def test_r7_a_late_success_is_believed(bench: Bench) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    bench.die()
    assert bench.finish(call).late == 1
    assert bench.states() == ["delivered"]
    assert standing(bench) is Standing.PRESENT
    assert bench.unknowns() == []


@pytest.mark.parametrize("to", ["dead", "waiting", "unknown"])
def test_r7_a_late_failure_is_not_believed(bench: Bench, to: str) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    bench.die()
    bench.finish(call, to)
    assert bench.states() == ["unknown"]
    assert bench.row(1)["attempts"] == 0
    bench.resolve()
    newer = bench.claim(bench.due())
    bench.finish(call, to, spend=True)
    assert bench.states() == ["sending"]
    bench.finish(newer)
    assert bench.states() == ["delivered"]


def test_r7_a_late_success_of_a_dead_event_lets_its_followers_go(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    call = bench.claim(bench.settle(step(at=1)).tickets)
    bench.settle(step(at=2))
    bench.finish(call, "dead")
    assert [t.dispatch_id for t in bench.finish(call).tickets] == [3]


# --- R8


def opened(bench: Bench, *, event: bool = False, present: bool = False, **rules: Any) -> None:
    """Make one dispatch of unknown outcome."""
    bench.rule(**rules)
    if event or present:
        bench.deliver(bench.settle(dossier()).tickets)
    settled = bench.settle(step(at=1) if event else dossier(at=2, content="B"))
    bench.finish(bench.claim(settled.tickets), "unknown")
    (one,) = bench.unknowns()
    assert one.asks(bench.rules["n"]) is (not event and not present and bench.rules["n"].can_look_up)


@pytest.mark.parametrize("can_look_up", [False, True])
def test_r8_an_update_is_sent_again_unasked(bench: Bench, can_look_up: bool) -> None:
    opened(bench, present=True, can_look_up=can_look_up)
    assert bench.resolve() == 1
    assert (bench.row(2)["state"], bench.row(2)["possibly_twice"]) == ("waiting", 1)
    assert standing(bench) is Standing.PRESENT
    assert [t.dispatch_id for t in bench.due()] == [2]


def test_r8_a_create_that_the_portal_does_not_show_is_sent_as_new_and_not_twice(bench: Bench) -> None:
    opened(bench, can_look_up=True)
    assert bench.resolve({"H59-1": False}) == 1
    assert (bench.row(1)["state"], bench.row(1)["possibly_twice"]) == ("waiting", 0)
    assert standing(bench) is Standing.ABSENT


def test_r8_a_create_that_the_portal_shows_is_sent_as_update(bench: Bench) -> None:
    opened(bench, can_look_up=True)
    assert bench.resolve({"H59-1": True}) == 1
    assert (bench.row(1)["state"], bench.row(1)["possibly_twice"]) == ("waiting", 1)
    assert standing(bench) is Standing.PRESENT


def test_r8_a_create_at_a_portal_that_cannot_be_asked_is_sent_again_as_new(bench: Bench) -> None:
    opened(bench)
    assert bench.resolve() == 1
    assert (bench.row(1)["state"], bench.row(1)["possibly_twice"]) == ("waiting", 1)
    assert standing(bench) is Standing.ABSENT
    call = bench.claim(bench.due())
    (ticket,) = bench.finish(call, "waiting", portal_has_it=True).tickets
    assert ticket.dispatch_id == 1
    assert standing(bench) is Standing.PRESENT, "`already-there` turns it into an update"


def test_r8_an_event_is_sent_again_and_counted_as_possibly_twice(bench: Bench) -> None:
    opened(bench, event=True)
    assert bench.resolve() == 1
    assert (bench.row(2)["state"], bench.row(2)["possibly_twice"]) == ("waiting", 1)


def test_r8_an_event_under_ask_operator_stays_unknown_and_shuts_its_lane(bench: Bench) -> None:
    opened(bench, event=True, resend_events=False)
    bench.settle(step(at=5))
    assert bench.resolve() == 0
    assert bench.unknowns() == [], "it is not asked about again"
    bench.clock.tick(3600)
    assert bench.due() == []
    assert bench.row(2)["state"] == "unknown"
    assert "an operator decides" in bench.row(2)["reason"]
    assert bench.run(bench.ledger.movable()) == 0


def test_r8_where_the_portal_cannot_be_asked_now_it_is_asked_later(bench: Bench) -> None:
    opened(bench, can_look_up=True)
    bench.run(bench.ledger.postpone(bench.unknowns(), 5, "the portal cannot be asked"))
    assert bench.unknowns() == []
    assert bench.states() == ["unknown"]
    bench.clock.tick(5)
    assert len(bench.unknowns()) == 1


def test_r8_an_unknown_outcome_is_left_to_settle_before_it_is_asked_about(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "unknown", due_s=1)
    assert bench.unknowns() == []
    bench.clock.tick(1)
    assert len(bench.unknowns()) == 1


def test_r8_a_success_that_comes_while_the_portal_is_asked_wins(bench: Bench) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    bench.finish(call, "unknown")
    asked = bench.unknowns()
    bench.finish(call)
    assert bench.run(bench.ledger.resolve("n", asked, {"H59-1": False})) == 0
    assert bench.states() == ["delivered"]
    assert standing(bench) is Standing.PRESENT


# --- R11


def test_r11_replay_counts_and_names_what_was_overtaken(bench: Bench) -> None:
    tickets = bench.settle(*(dossier(f"H59-{i}") for i in range(3))).tickets
    bench.finish(bench.claim(tickets), "dead")
    bench.gate("paused")
    bench.settle(dossier("H59-1", at=1, content="B"))
    # As when a newer revision was delivered while this one was dying elsewhere.
    bench.execute("UPDATE dispatch SET state = 'queued', phase = 1 WHERE id = 4")
    bench.execute("UPDATE dispatch SET state = 'delivered', phase = 3 WHERE id = 4")
    bench.gate("open")
    result = bench.replay(1, 2, 3, 4, 99)
    assert (result.shown, result.enqueued) == (3, 2)
    (named,) = result.superseded
    assert (named.dispatch_id, named.by, named.key) == (2, 4, "H59-1")
    assert bench.states() == ["waiting", "superseded", "waiting", "delivered"]
    assert bench.drain() == [1, 3]


def test_r11_attempts_begin_anew(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "dead", spend=True)
    assert bench.row(1)["attempts"] == 1
    assert bench.replay(1).enqueued == 1
    row = bench.row(1)
    assert (row["attempts"], row["tries"], row["orphans"], row["reason"]) == (0, 0, 0, "replayed")
    assert bench.replay(1).shown == 0, "it is dead no longer"


def test_r11_two_of_a_lane_go_in_its_order(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    bench.finish(bench.claim(bench.settle(dossier(at=1, content="B")).tickets), "dead")
    bench.finish(bench.claim(bench.settle(step(at=2)).tickets), "dead")
    bench.settle(step(at=3))
    assert bench.replay(3, 2).enqueued == 2
    assert bench.drain() == [2, 3, 4]


def test_r11_a_replayed_snapshot_is_not_sent_after_the_newer_one_that_is_out(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    bench.finish(bench.claim(bench.settle(dossier(at=1, content="B")).tickets), "dead")
    newer = bench.claim(bench.settle(dossier(at=2, content="C")).tickets)
    assert bench.replay(2).enqueued == 1
    bench.finish(newer)
    assert bench.drain() == []
    assert bench.states() == ["delivered", "superseded", "delivered"]
    assert bench.row(2)["reason"] == "superseded by #3"


def test_r11_a_dead_snapshot_is_superseded_by_a_newer_delivery(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "dead")
    bench.deliver(bench.settle(dossier(at=1, content="B")).tickets)
    assert bench.states() == ["superseded", "delivered"]
    assert bench.replay(1).shown == 0


# --- R14


def answer(bench: Bench, call: Call, culprit: int) -> list[Call]:
    """Refuse a request as a whole where the culprit is in it, and claim again what may go, by its batch limit."""
    whole = len(call.ids) > 1
    rows = {id_: bench.row(id_) for id_ in call.ids}
    outcomes = []
    for id_ in call.ids:
        if culprit not in call.ids:
            outcomes.append(Outcome(id_, call.call_id, "delivered"))
            continue
        sent = Sent(call.call_id, Mode.NEW, len(call.ids), rows[id_]["tries"] - 1, rows[id_]["attempts"])
        fault = Fault(id_, FaultClass.DATA, "-1", "refused", whole_batch=whole)
        outcomes.append(verdict(fault, sent, RetryPolicy(), bench.clock(), 0.5))
    tickets = bench.run(bench.ledger.finish("n", outcomes)).tickets
    limit = max((bench.row(t.dispatch_id)["batch_limit"] for t in tickets), default=0) or 1
    return [bench.claim(tickets[i : i + limit]) for i in range(0, len(tickets), limit)]


def test_r14_a_batch_refused_whole_is_halved_and_only_the_culprits_attempts_count(bench: Bench) -> None:
    calls = [bench.claim(bench.settle(*(dossier(f"H59-{i}") for i in range(16))).tickets)]
    requests = 0
    while calls:
        requests += 1
        calls += answer(bench, calls.pop(0), culprit=11)
    assert bench.states().count("delivered") == 15
    assert bench.row(11)["state"] == "dead"
    assert requests <= 1 + 2 * 4
    attempts = bench.rows("SELECT id, attempts FROM dispatch WHERE attempts > 0")
    assert [(row["id"], row["attempts"]) for row in attempts] == [(11, 1)]


def test_r14_a_smaller_limit_outlives_another_failure(bench: Bench) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    (ticket,) = bench.finish(call, "waiting", batch_limit=8).tickets
    (ticket,) = bench.finish(bench.claim([ticket]), "waiting").tickets
    assert ticket.batch_limit == 8


def test_r14_held_time_does_not_age_a_message(bench: Bench) -> None:
    tickets = bench.settle(dossier()).tickets
    for _ in range(30):
        call = bench.claim(tickets)
        row = bench.row(1)
        sent = Sent(call.call_id, Mode.NEW, 1, row["tries"] - 1, row["attempts"])
        outcome = verdict(Fault(1, FaultClass.DOWN, "", "refused"), sent, RetryPolicy(limit=2), bench.clock(), 0.5)
        bench.run(bench.ledger.finish("n", [outcome], down="refused"))
        bench.clock.tick(60)
        tickets = bench.probe()
    assert (bench.row(1)["state"], bench.row(1)["attempts"]) == ("queued", 0)


def test_r14_the_whole_outcome_is_kept_as_a_fault(bench: Bench) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    bench.finish(call, "dead", fault="data", code="-2", text="sai ngày", path="NgayTiepNhan", value="31/02/2017")
    (fault,) = bench.rows("SELECT * FROM fault")
    assert (fault["code"], fault["text"], fault["path"], fault["value"]) == (
        "-2", "sai ngày", "NgayTiepNhan", "31/02/2017",
    )  # fmt: skip
    bench.finish(call, "dead")
    assert len(bench.rows("SELECT * FROM fault")) == 1, "a late failure leaves no trace"
