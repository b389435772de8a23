"""R4 poison, R5 no lost promotion, R6 lanes and their order."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hub.ledger.values import Claim, Outcome
from hub.ports import Mode
from tests.contract.ledger.bench import Bench, dossier, refused, step

# --- R4


def test_r4_after_an_orphaned_claim_a_dispatch_goes_alone(bench: Bench) -> None:
    bench.kill(bench.settle(dossier("H59-1"), dossier("H59-2")).tickets)
    bench.resolve()
    assert [bench.row(id_)["batch_limit"] for id_ in (1, 2)] == [1, 1]
    assert [bench.row(id_)["orphans"] for id_ in (1, 2)] == [0, 0], "not alone, so perhaps innocent"


def test_r4_a_failure_in_between_does_not_let_it_travel_in_company_again(bench: Bench) -> None:
    bench.kill(bench.settle(dossier("H59-1"), dossier("H59-2")).tickets)
    bench.resolve()
    bench.finish(bench.claim(bench.due()), "waiting")
    assert bench.row(1)["batch_limit"] == 1


def test_r4_the_third_orphaned_claim_alone_is_dead(bench: Bench) -> None:
    tickets = bench.settle(dossier("H59-1"), dossier("H59-2")).tickets
    bench.deliver(tickets[1:])
    bench.kill(tickets[:1])
    for orphans in (1, 2):
        assert (bench.states()[0], bench.row(1)["orphans"]) == ("unknown", orphans)
        bench.resolve()
        bench.kill(bench.due())
    assert bench.states() == ["dead", "delivered"]
    assert bench.row(1)["reason"].startswith("poison: 3 workers ended")
    faults = bench.rows("SELECT fault FROM fault WHERE dispatch_id = 1 ORDER BY id")
    assert [row["fault"] for row in faults] == ["unknown", "unknown", "poison"]


def test_r4_the_follower_of_a_poisonous_snapshot_goes(bench: Bench) -> None:
    bench.kill(bench.settle(dossier()).tickets)
    bench.execute("UPDATE dispatch SET orphans = 2")
    bench.resolve()
    tickets = bench.due()
    bench.settle(dossier(at=1, content="B"))
    bench.kill(tickets)
    assert bench.drain() == [2]
    assert bench.states() == ["superseded", "delivered"]


# --- R5


def test_r5_settle_and_finish_at_once_strand_no_lane(on_postgres: Bench) -> None:
    """Two workers on PostgreSQL: one delivers each dispatch while the other settles its successor."""
    bench = on_postgres
    bench.rule(window=1_000_000)
    other = bench.start()
    lanes = [f"H59-{i}" for i in range(6)]
    bench.settle(*(dossier(lane) for lane in lanes))
    rounds = 12
    done = threading.Event()
    errors: list[BaseException] = []

    async def deliver_all() -> None:
        idle = 0
        while idle < 2:
            idle = idle + 1 if done.is_set() else 0
            due = await other.due("n")
            rows = bench.rows("SELECT id, gen FROM dispatch WHERE state = 'queued'")
            members = {(row["id"], row["gen"]) for row in rows} | {(one.dispatch_id, one.gen) for one in due}
            if not members:
                continue
            idle = 0
            claim = Claim(other.next_call_id(), Mode.NEW, "m", "p", sorted(members))
            taken = (await other.claim("n", [claim])).ids
            await other.finish("n", [Outcome(id_, claim.call_id, "delivered") for id_ in sorted(taken)])

    def work() -> None:
        try:
            asyncio.run(deliver_all())
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for turn in range(1, rounds + 1):
            bench.settle(*(dossier(lane, at=turn, content=str(turn)) for lane in lanes))
    finally:
        done.set()
        worker.join()
        bench.run(other.close())
    assert errors == []
    assert set(bench.states()) <= {"delivered", "superseded"}, "the sweep was never needed"
    assert len(bench.states()) == len(lanes) * (rounds + 1)


def test_r5_two_workers_that_settle_the_same_new_keys_make_one_revision_each(on_postgres: Bench) -> None:
    bench = on_postgres
    other = bench.start()
    records = [dossier(f"H59-{i}") for i in range(50)]
    ours = [bench.settlement(*records) for _ in range(4)]

    async def both() -> None:
        # The same source and cursor, so no lease stands between them: what decides is the lock of the heads.
        await asyncio.gather(*(ledger.settle(one) for one, ledger in zip(ours, [bench.ledger, other] * 2, strict=True)))

    bench.run(both())
    bench.run(other.close())
    assert sorted(bench.items()).count("accepted") == 50
    assert sorted(bench.items()).count("duplicate") == 150
    assert bench.states() == ["queued"] * 50


def test_r5_the_sweep_promotes_a_stranded_lane(bench: Bench) -> None:
    bench.rule(window=1)
    bench.settle(*(dossier(f"H59-{i}") for i in range(3)))
    assert bench.run(bench.ledger.sweep("n")) == 0
    bench.execute("UPDATE dispatch SET due_us = NULL")
    assert bench.run(bench.ledger.sweep("n")) == 2
    bench.rule(window=10)
    assert [t.dispatch_id for t in bench.due()] == [2, 3]


def test_r5_lanes_that_nobody_can_promote_do_not_blind_the_sweep(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the stranded lane stand one that is out, one behind a dead step, one whose dossier never came."""
    from hub.ledger import relay

    bench.settle(dossier("H59-1"))
    bench.settle(dossier("H59-1", at=1, content="B"))
    bench.deliver(bench.settle(dossier("H59-2")).tickets)
    bench.finish(bench.claim(bench.settle(step("H59-2", 1)).tickets), "dead")
    bench.settle(step("H59-2", 2))
    bench.settle(step("H59-3", 1))
    bench.gate("paused")
    bench.settle(dossier("H59-4"))
    bench.execute("UPDATE dispatch SET due_us = NULL")
    bench.gate("open")
    sweep = relay.sweep
    monkeypatch.setattr(relay, "sweep", lambda tx, destination: sweep(tx, destination, 1))
    assert bench.run(bench.ledger.sweep("n")) == 1
    assert [t.key for t in bench.due()] == ["H59-4"]


# --- R6


def test_r6_one_dispatch_of_a_lane_is_out_and_the_newest_snapshot_follows(bench: Bench) -> None:
    first = bench.settle(dossier())
    for turn in (1, 2, 3):
        assert bench.settle(dossier(at=turn, content=str(turn))).tickets == []
    (ticket,) = bench.deliver(first.tickets).tickets
    assert ticket.dispatch_id == 4
    bench.deliver([ticket])
    assert bench.states() == ["delivered", "superseded", "superseded", "delivered"]
    assert bench.row(2)["reason"] == "superseded by #4"


def test_r6_the_database_itself_refuses_a_second_one_out(bench: Bench) -> None:
    bench.settle(dossier())
    bench.settle(dossier(at=1, content="B"))
    with pytest.raises(Exception, match=r"dispatch_out|UNIQUE"):
        bench.execute("UPDATE dispatch SET state = 'queued', phase = 1 WHERE id = 2")


def test_r6_lanes_and_destinations_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.rule("p")
    settled = bench.settle(dossier("H59-1"), dossier("H59-2"), to=("n", "p"))
    assert sorted((t.destination, t.lane) for t in settled.tickets) == [
        ("n", "H59-1"), ("n", "H59-2"), ("p", "H59-1"), ("p", "H59-2"),
    ]  # fmt: skip


def test_r6_events_go_each_and_in_order_after_their_dossier(bench: Bench) -> None:
    bench.settle(dossier(), step(at=1), step(at=2), step(at=3))
    bench.clock.tick(61)
    assert bench.drain() == [1, 2, 3, 4]


def test_r6_a_snapshot_does_not_supersede_across_an_event(bench: Bench) -> None:
    first = bench.settle(dossier())
    bench.settle(dossier(at=1, content="B"))
    bench.settle(step(at=2))
    bench.settle(dossier(at=3, content="C"))
    bench.settle(dossier(at=4, content="D"))
    tickets = bench.deliver(first.tickets).tickets
    order = []
    while tickets:
        order += [t.dispatch_id for t in tickets]
        tickets = bench.deliver(tickets).tickets
    assert order == [2, 3, 5]
    assert bench.states() == ["delivered", "delivered", "delivered", "superseded", "delivered"]


def test_r6_an_earlier_step_that_arrives_late_is_no_regression(bench: Bench) -> None:
    bench.settle(dossier(), step(at=5))
    bench.settle(step(at=3))
    assert bench.items() == ["accepted"] * 3
    bench.clock.tick(61)
    assert bench.drain() == [1, 2, 3], "the order is that of settling"


def test_r6_a_step_before_its_dossier_waits_for_it_by_name(bench: Bench) -> None:
    assert bench.settle(step(at=1), step(at=2)).tickets == []
    assert bench.drain() == []
    assert bench.run(bench.ledger.sweep("n")) == 0
    assert bench.trace("H59-1").dispatches[0].waits_for == "its dossier H59-1 has not been accepted yet"
    (ticket,) = bench.settle(dossier()).tickets
    assert ticket.kind == "dossier.v1"
    more = bench.deliver([ticket]).tickets
    assert [t.dispatch_id for t in more] == [1]
    assert [t.dispatch_id for t in bench.deliver(more).tickets] == [2]


def test_r6_a_parked_or_rejected_step_holds_nobody(bench: Bench) -> None:
    bench.settle(dossier(), refusals=[refused(1, "bad", key="H59-1")])
    bench.settle(step(at=2))
    bench.clock.tick(61)
    assert bench.drain() == [1, 2]


def test_r6_a_dead_event_blocks_its_followers_with_the_reason(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    first = bench.settle(step(at=1))
    bench.settle(step(at=2))
    assert bench.finish(bench.claim(first.tickets), "dead").tickets == []
    assert bench.settle(dossier(at=3, content="B")).tickets == []
    assert bench.drain() == []
    views = bench.trace("H59-1").dispatches
    assert [view.waits_for for view in views[2:]] == ["behind #2 (dead)", "behind #3 (waiting)"]
    assert bench.settle(dossier("H59-2")).tickets, "other lanes go on"
    assert bench.replay(2).enqueued == 1
    bench.clock.tick(61)
    assert [id_ for id_ in bench.drain() if id_ < 5] == [2, 3, 4]


def test_r6_what_stands_before_a_dead_event_is_not_blocked_by_it(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    bench.finish(bench.claim(bench.settle(dossier(at=1, content="B")).tickets), "dead")
    bench.finish(bench.claim(bench.settle(step(at=2)).tickets), "dead")
    bench.replay(2)
    assert bench.drain() == [2]


def test_r6_a_dead_snapshot_that_the_portal_never_got_holds_its_steps_and_is_healed_by_the_next(bench: Bench) -> None:
    first = bench.settle(dossier())
    bench.settle(step(at=1))
    bench.finish(bench.claim(first.tickets), "dead")
    assert bench.drain() == []
    assert bench.trace("H59-1").dispatches[1].waits_for == "behind #1 (dead)"
    healing = bench.settle(dossier(at=2, content="B"))
    assert [t.dispatch_id for t in healing.tickets] == [3]
    followers = bench.deliver(healing.tickets).tickets
    assert [t.dispatch_id for t in followers] == [2]
    assert bench.states() == ["superseded", "queued", "delivered"]


def test_r6_a_step_goes_after_a_dead_update_of_a_dossier_that_the_portal_has(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    bench.finish(bench.claim(bench.settle(dossier(at=1, content="B")).tickets), "dead")
    assert bench.settle(step(at=2)).tickets


def test_r6_a_backoff_is_not_shortened_by_a_newer_snapshot_which_then_goes(bench: Bench) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    bench.finish(call, "waiting", due_s=30)
    assert bench.settle(dossier(at=1, content="B")).tickets == []
    assert bench.due() == []
    bench.clock.tick(30)
    assert bench.drain() == [2]


def test_r6_a_dispatch_that_is_sent_while_its_page_holds_two_snapshots_is_followed_by_the_newest(bench: Bench) -> None:
    settled = bench.settle(*(dossier(at=turn, content=str(turn)) for turn in range(3)))
    assert len(settled.tickets) == 1
    assert [t.dispatch_id for t in bench.deliver(settled.tickets).tickets] == [3]
    assert bench.states() == ["delivered", "superseded", "queued"]
