"""Gates: what a portal in trouble costs (nothing), who closes and opens them, how it is begun anew (R2, R14)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from hub.ledger import Ledger, gates
from hub.ledger.aging import open_us
from hub.ledger.bulk import Tx
from hub.ledger.values import Claim, Outcome
from hub.ledger.writer import Priority
from hub.ports import Mode, Ticket
from tests.contract.ledger.bench import SECOND, START, Bench, dossier

HOUR = 3600.0


def many(bench: Bench, count: int, start: int = 0) -> list[Ticket]:
    return list(bench.settle(*(dossier(f"H59-{start + i}") for i in range(count))).tickets)


def gate(bench: Bench) -> str:
    return bench.run(bench.ledger.gate("n")).state


def attempts(bench: Bench) -> list[int]:
    return [row["attempts"] for row in bench.rows("SELECT attempts FROM dispatch ORDER BY id")]


def claims(bench: Bench, tickets: Sequence[Ticket]) -> list[Claim]:
    """Each ticket as a request of its own."""
    return [Claim(bench.ledger.next_call_id(), Mode.NEW, "m", "p", [(x.dispatch_id, x.gen)]) for x in tickets]


# --- nothing is spent, one probe at a time


@pytest.mark.parametrize("to", ["waiting", "dead"])
def test_r2_what_fails_beside_a_portal_that_was_found_down_spends_no_attempt(bench: Bench, to: str) -> None:
    down, beside, later = (bench.claim([ticket]) for ticket in many(bench, 3))
    bench.finish(down, "waiting", down="refused")
    bench.finish(beside, to, spend=True, worn_out=to == "dead")
    bench.finish(later, "delivered")
    assert attempts(bench) == [0, 0, 0]
    assert bench.states() == ["waiting", "waiting", "delivered"]
    assert bench.row(2)["due_us"] is not None


def test_r2_what_is_refused_for_its_data_is_dead_all_the_same(bench: Bench) -> None:
    down, beside = (bench.claim([ticket]) for ticket in many(bench, 2))
    bench.finish(down, "waiting", down="refused")
    bench.finish(beside, "dead", spend=True, fault="data")
    assert bench.states() == ["waiting", "dead"]


def test_r2_a_probe_that_fails_spends_since_the_portal_answered_it(bench: Bench) -> None:
    bench.finish(bench.claim(many(bench, 1)), "waiting", down="refused")
    bench.clock.tick(1)
    bench.finish(bench.claim(bench.probe()), "waiting", spend=True)
    assert attempts(bench) == [1]
    assert gate(bench) == "open"


def test_r2_what_was_on_the_wire_beside_the_probe_lets_no_second_one_go(bench: Bench) -> None:
    first, slow = (bench.claim([ticket]) for ticket in many(bench, 2))
    bench.finish(first, "waiting", down="refused")
    bench.clock.tick(1)
    probe = bench.claim(bench.probe())
    bench.finish(slow, "waiting", down="refused")
    bench.clock.tick(2)
    assert bench.probe() == [], "one probe at a time"
    bench.finish(probe)
    assert gate(bench) == "open", "and it is still the probe"


def test_r2_a_probe_that_cannot_be_rendered_proves_nothing_and_the_next_goes_at_once(bench: Bench) -> None:
    bench.finish(bench.claim(many(bench, 2)), "waiting", down="refused")
    bench.clock.tick(1)
    bench.finish(bench.claim(bench.probe()), "dead", sent=False, fault="data")
    assert gate(bench) == "held"
    assert [ticket.dispatch_id for ticket in bench.probe()] == [2]


def test_r2_a_probe_takes_as_long_as_a_request_may(bench: Bench) -> None:
    bench.rule(probe_s=70.0)
    bench.finish(bench.claim(many(bench, 2)), "waiting", down="refused")
    bench.clock.tick(1)
    assert len(bench.probe(for_s=30)) == 1
    bench.clock.tick(69)
    assert bench.probe() == [], "it is still on the wire"
    bench.clock.tick(2)
    assert len(bench.probe()) == 1


def test_r2_a_probe_whose_worker_has_died_frees_its_place(bench: Bench) -> None:
    bench.finish(bench.claim(many(bench, 2)), "waiting", down="refused")
    bench.clock.tick(1)
    bench.kill(bench.probe())
    assert [ticket.dispatch_id for ticket in bench.probe()] == [2]


def test_r2_a_probe_whose_ticket_was_lost_with_its_process_frees_its_place(bench: Bench) -> None:
    bench.finish(bench.claim(many(bench, 2)), "waiting", down="refused")
    bench.clock.tick(1)
    assert len(bench.probe(for_s=3600)) == 1
    bench.die(take_over=True)
    assert [ticket.dispatch_id for ticket in bench.probe()] == [2]


def test_what_dies_with_an_unknown_outcome_is_possibly_twice_and_opens_nothing(bench: Bench) -> None:
    bench.finish(bench.claim(many(bench, 1)), "waiting", down="refused")
    bench.clock.tick(1)
    bench.finish(bench.claim(bench.probe()), "dead", fault="unknown", possibly_twice=True, spend=True)
    assert gate(bench) == "held"
    row = bench.row(1)
    assert (row["state"], row["possibly_twice"]) == ("dead", 1)
    assert bench.rows("SELECT standing FROM lane") == [{"standing": 2}], "the portal may have it"


# --- after an opening


def test_after_a_gate_has_opened_again_a_single_call_is_taken_and_the_rest_stays_queued(bench: Bench) -> None:
    before = bench.run(bench.ledger.gate("n")).since_us
    bench.gate("paused")
    bench.clock.tick(1)
    bench.gate("open")
    tickets = many(bench, 4)
    took = bench.run(bench.ledger.claim("n", claims(bench, tickets[:2]), opened_us=before))
    assert (took.ids, took.calls) == ({1}, 1)
    beside = bench.run(bench.ledger.claim("n", claims(bench, tickets[2:]), opened_us=before))
    assert (beside.ids, beside.calls) == (set(), 0), "whoever claims at the same time"
    assert bench.states() == ["sending"] + ["queued"] * 3
    after = bench.run(bench.ledger.claim("n", claims(bench, tickets[1:]), opened_us=took.gate.since_us))
    assert (after.ids, after.calls) == ({2, 3, 4}, 3), "their tickets are as good as before"


# --- age


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], 10),
        ([(3, False)], 3),
        ([(3, False), (7, True)], 6),
        ([(-5, False)], 0),
        ([(-5, False), (4, True)], 6),
        ([(-5, False), (-3, True)], 10),
        ([(3, False), (4, False), (8, True), (12, False)], 5),
        ([(20, False)], 10),
        ([(8, False), (2, True)], 10),
    ],
)
def test_r14_only_the_time_of_an_open_gate_ages(changes: list[tuple[int, bool]], expected: int) -> None:
    assert open_us(changes, 0, 10) == expected


@pytest.mark.parametrize("state", ["held", "paused", "maintenance"])
def test_r14_the_time_behind_a_closed_gate_does_not_age(bench: Bench, state: str) -> None:
    bench.gate("paused")
    bench.clock.tick(HOUR)
    bench.gate("open")
    bench.clock.tick(60)
    bench.settle(dossier())
    bench.clock.tick(HOUR)
    bench.gate(state)
    bench.clock.tick(100 * HOUR)
    bench.gate("open")
    bench.clock.tick(HOUR)
    assert bench.run(bench.ledger.ages("n", [1, 99])) == {1: 2 * HOUR}
    bench.gate("paused")
    bench.clock.tick(HOUR)
    assert bench.run(bench.ledger.ages("n", [1])) == {1: 2 * HOUR}
    assert bench.run(bench.ledger.ages("n", [])) == {}


def test_r11_a_replayed_one_begins_its_life_anew(bench: Bench) -> None:
    bench.finish(bench.claim(many(bench, 1)), "dead")
    bench.clock.tick(HOUR)
    bench.replay(1)
    bench.clock.tick(60)
    assert bench.run(bench.ledger.ages("n", [1])) == {1: 60.0}


# --- maintenance


def maintain(bench: Bench, since_us: int) -> bool:
    return bench.run(bench.ledger.maintain("n", since_us, "until 2017-03-20 18:00"))


@pytest.mark.parametrize(("state", "closes"), [("open", True), ("held", True), ("paused", False)])
def test_maintenance_closes_what_nobody_has_paused_and_opens_only_what_it_closed(
    bench: Bench, state: str, closes: bool
) -> None:
    bench.gate(state)
    assert maintain(bench, START) is closes
    assert gate(bench) == ("maintenance" if closes else "paused")
    assert not maintain(bench, START), "once"
    bench.clock.tick(HOUR)
    assert bench.run(bench.ledger.end_maintenance("n")) is closes
    assert gate(bench) == ("open" if closes else "paused")


def test_what_a_person_pauses_or_resumes_in_a_maintenance_stays_theirs(bench: Bench) -> None:
    maintain(bench, START)
    bench.gate("paused")
    assert not bench.run(bench.ledger.end_maintenance("n"))
    bench.gate("open")
    assert not maintain(bench, START), "a person opened it"
    bench.clock.tick(HOUR)
    assert maintain(bench, START + int(HOUR) * SECOND), "the next one is another"


def test_of_several_processes_one_closes_for_maintenance(on_postgres: Bench) -> None:
    bench = on_postgres
    other = bench.start()
    try:
        changed = [maintain(bench, START), bench.run(other.maintain("n", START, "until later"))]
        assert changed == [True, False]
        opened = [bench.run(ledger.end_maintenance("n")) for ledger in (other, bench.ledger)]
        assert opened == [True, False]
    finally:
        bench.run(other.close())
    assert len(bench.rows("SELECT id FROM gate_change")) == 2


def test_a_held_portal_is_not_probed_in_its_maintenance(bench: Bench) -> None:
    bench.finish(bench.claim(many(bench, 2)), "waiting", down="refused")
    maintain(bench, START)
    bench.clock.tick(HOUR)
    assert bench.probe() == []
    assert bench.due() == []


# --- a pause (R2)


def calls(bench: Bench) -> int:
    return int(bench.rows("SELECT count(*) AS n FROM call")[0]["n"])


def test_r2_when_pause_returns_no_claim_is_newer_than_the_gate(bench: Bench) -> None:
    """Claims go on at full speed while a person pauses, on PostgreSQL from another process."""
    tickets = many(bench, 60)

    async def main(pausing: Ledger) -> None:
        taken: set[int] = set()

        async def claim_one(ticket: Ticket) -> None:
            taken.update((await bench.ledger.claim("n", claims(bench, [ticket]))).ids)

        claiming = [asyncio.create_task(claim_one(ticket)) for ticket in tickets[:30]]
        await asyncio.sleep(0)
        assert await pausing.set_gate("n", "paused", "by hand")
        at_return = calls(bench)
        claiming += [asyncio.create_task(claim_one(ticket)) for ticket in tickets[30:]]
        await asyncio.gather(*claiming)
        assert calls(bench) == at_return == len(taken), "a claim was committed after the pause had returned"

    pausing = bench.start() if bench.postgres else bench.ledger
    try:
        bench.run(main(pausing))
    finally:
        if bench.postgres:
            bench.run(pausing.close())
    assert set(bench.states()) <= {"sending", "waiting"}


def test_r2_a_pause_waits_for_the_claim_that_has_seen_the_gate_open(on_postgres: Bench) -> None:
    bench = on_postgres
    tickets = many(bench, 1)
    other = bench.start()
    seen, go_on, order = threading.Event(), threading.Event(), []

    def slow(tx: Tx) -> None:
        gates.gate_of(tx, "n", share=True)
        seen.set()
        go_on.wait(10)
        order.append("the claim commits")

    async def main() -> None:
        holding = asyncio.ensure_future(bench.ledger._writer.run(slow, Priority.CLAIM))
        await asyncio.to_thread(seen.wait, 10)
        pausing = asyncio.ensure_future(other.set_gate("n", "paused", "by hand"))
        pausing.add_done_callback(lambda _: order.append("the pause returns"))
        blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%gate%'"
        while not await asyncio.to_thread(bench.rows, blocked):
            assert not pausing.done(), "it did not wait"
        go_on.set()
        await asyncio.gather(holding, pausing)

    try:
        bench.run(main())
    finally:
        bench.run(other.close())
    assert order == ["the claim commits", "the pause returns"]
    assert bench.claim(tickets).ids == []


def test_a_late_result_moves_no_gate_that_a_person_paused(bench: Bench) -> None:
    call = bench.claim(many(bench, 1))
    bench.gate("paused")
    bench.run(bench.ledger.finish("n", [Outcome(1, call.call_id, "delivered")]))
    assert gate(bench) == "paused"


# --- who shares a limit


def test_each_process_that_sends_counts_and_one_that_has_left_does_not(on_postgres: Bench) -> None:
    bench = on_postgres

    async def sending() -> Ledger:
        ledger = Ledger(bench.url, bench.rules, now_us=bench.clock)
        ledger.delivers = True
        await ledger.open(take_over=False)
        return ledger

    first, second = bench.run(sending()), bench.run(sending())
    try:
        assert (first.sharers, second.sharers) == (1, 2)
        bench.run(first.beat())
        assert first.sharers == 2, "the bench's own does not send"
        bench.run(second.leave())
        bench.run(first.beat())
        assert first.sharers == 1
        bench.execute("UPDATE worker SET ended_us = NULL")
        bench.execute("UPDATE worker SET beat_us = 0 WHERE id = :id", id=second.worker)
        bench.run(first.beat())
        assert first.sharers == 1, "one that has died counts no more when its heartbeat has"
    finally:
        bench.run(first.close())
        bench.run(second.close())
