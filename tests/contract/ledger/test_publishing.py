"""R1 mark, then publish; R2 the window, gates and probes; R3 is the bus's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.ledger import gates, sending
from hub.ledger.bulk import Tx
from hub.ledger.values import Claim
from hub.ports import Mode, Ticket
from tests.contract.ledger.bench import Bench, dossier, step


def many(bench: Bench, count: int, start: int = 0) -> list[Ticket]:
    return list(bench.settle(*(dossier(f"H59-{start + i}") for i in range(count))).tickets)


# --- R1


def test_r1_a_dispatch_is_marked_queued_before_its_ticket_exists(bench: Bench) -> None:
    (ticket,) = bench.settle(dossier()).tickets
    row = bench.row(ticket.dispatch_id)
    assert (row["state"], row["gen"], ticket.gen) == ("queued", 1, 1)
    assert row["queued_until_us"] == bench.clock() + 60_000_000
    assert (ticket.key, ticket.lane, ticket.body) == ("H59-1", "H59-1", b'{"dossier.v1": "A"}')


def test_r1_a_queued_dispatch_past_its_lease_goes_out_again_with_the_next_generation(bench: Bench) -> None:
    (lost,) = bench.settle(dossier()).tickets
    assert bench.due() == []
    bench.clock.tick(61)
    (again,) = bench.due()
    assert again == replace(lost, gen=2)
    assert bench.due() == [], "its lease has begun anew"


def test_r1_a_ticket_of_an_old_generation_takes_nothing(bench: Bench) -> None:
    (old,) = bench.settle(dossier()).tickets
    bench.clock.tick(61)
    (new,) = bench.due()
    assert bench.claim([old]).ids == []
    assert bench.claim([new]).ids == [new.dispatch_id]
    assert bench.claim([new]).ids == [], "a ticket delivered twice is claimed once"


def test_r1_a_ticket_of_a_generation_that_there_cannot_be_takes_nothing_from_those_beside_it(bench: Bench) -> None:
    (ticket,) = bench.settle(dossier()).tickets
    assert set(bench.claim([replace(ticket, gen=10**12), ticket]).ids) == {ticket.dispatch_id}


def test_r1_a_ticket_that_a_claim_holds_twice_is_claimed_once(bench: Bench) -> None:
    (ticket,) = bench.settle(dossier()).tickets
    member = (ticket.dispatch_id, ticket.gen)
    claims = [Claim(bench.ledger.next_call_id(), Mode.NEW, "m", "p", [member, member])]
    assert bench.run(bench.ledger.claim("n", claims)).ids == {ticket.dispatch_id}
    assert bench.row(ticket.dispatch_id)["tries"] == 1


def test_a_ticket_tells_what_became_of_its_dispatch_so_far(bench: Bench) -> None:
    (ticket,) = bench.settle(dossier()).tickets
    assert (ticket.standing, ticket.tries, ticket.attempts, ticket.batch_limit) == (0, 0, 0, 0)
    (ticket,) = bench.finish(bench.claim([ticket]), "waiting", spend=True, batch_limit=5).tickets
    assert (ticket.standing, ticket.tries, ticket.attempts, ticket.batch_limit) == (0, 1, 1, 5)
    bench.deliver([ticket])
    (ticket,) = bench.settle(dossier(at=1, content="B")).tickets
    assert (ticket.standing, ticket.tries, ticket.attempts, ticket.batch_limit) == (1, 0, 0, 0)
    assert ticket.ledger == bench.ledger.identity


def test_a_record_that_is_too_large_to_travel_is_read_where_it_is_needed(bench: Bench) -> None:
    here, bare = bench.settle(dossier("H59-1"), dossier("H59-2", content="B")).tickets
    bare = replace(bare, body=None)
    found = bench.run(bench.ledger.with_bodies([here, bare, replace(bare, gen=7)]))
    assert [ticket.body for ticket in found] == [here.body, b'{"dossier.v1": "B"}'], "an old generation is left out"
    bench.deliver([bare])
    assert bench.run(bench.ledger.with_bodies([bare])) == []


def test_r1_what_the_bus_returned_waits_and_goes_again(bench: Bench) -> None:
    (ticket,) = bench.settle(dossier()).tickets
    bench.run(bench.ledger.returned([replace(ticket, gen=7)], 0.5))
    assert bench.states() == ["queued"], "another generation is left alone"
    bench.run(bench.ledger.returned([ticket], 0.5))
    assert bench.states() == ["waiting"]
    assert bench.due() == []
    bench.clock.tick(0.5)
    assert [t.gen for t in bench.due()] == [2]


@pytest.mark.parametrize("later", ["unknown", "waiting", "queued", "dead"])
def test_r1_a_late_success_delivers_whatever_the_state(bench: Bench, later: str) -> None:
    first = bench.claim(bench.settle(dossier()).tickets)
    bench.finish(first, "dead" if later == "dead" else "unknown" if later == "unknown" else "waiting")
    if later == "waiting":
        bench.gate("paused")
        bench.clock.tick(61)
        bench.due()
    assert bench.states() == [later]
    assert bench.finish(first).late == 1
    row = bench.row(first.ids[0])
    assert (row["state"], row["possibly_twice"]) == ("delivered", 0)
    bench.gate("open")
    bench.clock.tick(61)
    assert bench.due() == []


def test_r1_a_late_success_sets_the_lane_free(bench: Bench) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    bench.settle(dossier(at=1, content="B"))
    bench.finish(call, "unknown")
    assert [t.dispatch_id for t in bench.finish(call).tickets] == [2]


def test_r1_a_late_success_while_a_newer_call_is_sending_is_possibly_twice(bench: Bench) -> None:
    first = bench.claim(bench.settle(dossier()).tickets)
    second = bench.claim(bench.finish(first, "waiting").tickets)
    bench.finish(first)
    row = bench.row(second.ids[0])
    assert (row["state"], row["possibly_twice"]) == ("sending", 1)
    bench.finish(second)
    row = bench.row(second.ids[0])
    assert (row["state"], row["possibly_twice"]) == ("delivered", 1)


def test_r1_a_bus_that_keeps_nothing_is_filled_again_at_the_start(bench: Bench) -> None:
    many(bench, 3)
    bench.die(take_over=True)
    assert [(t.dispatch_id, t.gen) for t in bench.ledger.takeover] == [(1, 2), (2, 2), (3, 2)]
    bench.die(take_over=False)
    assert bench.ledger.takeover == []


# --- R2


def test_r2_at_most_the_window_is_queued(bench: Bench) -> None:
    bench.rule(window=3)
    tickets = many(bench, 5)
    assert bench.states() == ["queued"] * 3 + ["waiting"] * 2
    assert bench.due() == []
    freed = bench.deliver(tickets[:1])
    assert not freed.tickets, "its own lane has nothing waiting"
    assert [t.dispatch_id for t in bench.due()] == [4]
    assert bench.states().count("queued") == 3


def test_r2_what_is_over_the_window_is_superseded_while_it_waits(bench: Bench) -> None:
    bench.rule(window=1)
    many(bench, 2)
    bench.settle(dossier("H59-1", at=1, content="B"))
    assert bench.drain() == []
    bench.clock.tick(61)
    assert bench.drain() == [1, 3]
    assert bench.states() == ["delivered", "superseded", "delivered"]


@pytest.mark.parametrize("state", ["held", "paused", "maintenance"])
def test_r2_behind_a_closed_gate_nothing_is_queued(bench: Bench, state: str) -> None:
    assert bench.gate(state)
    assert many(bench, 2) == []
    assert bench.due() == []
    assert bench.states() == ["waiting", "waiting"]
    assert bench.trace("H59-0").dispatches[0].waits_for == f"gate {state}: by hand"
    bench.gate("open")
    assert len(bench.due()) == 2


def test_r2_the_claim_tests_the_gate_and_lets_wait_what_it_finds(bench: Bench) -> None:
    tickets = many(bench, 2)
    bench.gate("paused")
    assert bench.claim(tickets).ids == []
    assert bench.states() == ["waiting", "waiting"]
    assert bench.rows("SELECT * FROM call") == []
    bench.gate("open")
    assert bench.drain() == [1, 2]


def test_r2_a_lost_ticket_behind_a_closed_gate_waits(bench: Bench) -> None:
    many(bench, 2)
    bench.gate("paused")
    bench.clock.tick(61)
    assert bench.due() == []
    assert bench.states() == ["waiting", "waiting"]


def test_r2_a_portal_that_is_down_closes_its_gate_and_every_change_is_kept(bench: Bench) -> None:
    call = bench.claim(many(bench, 1))
    bench.finish(call, "waiting", down="refused")
    assert bench.run(bench.ledger.gate("n")).state == "held"
    assert not bench.gate("held"), "no change"
    bench.gate("open")
    assert [r["state"] for r in bench.rows("SELECT state FROM gate_change ORDER BY id")] == ["held", "open"]


def hold(bench: Bench, count: int) -> None:
    """Let a portal be found down by the first of `count` dossiers."""
    tickets = many(bench, count)
    bench.finish(bench.claim(tickets), "waiting", down="refused")
    bench.clock.tick(1)


def test_r2_the_probe_takes_a_different_dispatch_each_time(bench: Bench) -> None:
    hold(bench, 3)
    tried: list[int] = []
    for _ in range(4):
        (ticket,) = bench.probe()
        assert bench.probe() == [], "the probe is a lease"
        call = bench.claim([ticket])
        tried += call.ids
        bench.finish(call, "waiting", down="refused")
        bench.clock.tick(1)
    assert tried == [1, 2, 3, 1]


def test_r2_only_the_probe_passes_a_held_gate(bench: Bench) -> None:
    tickets = many(bench, 3)
    bench.finish(bench.claim(tickets[:1]), "waiting", down="refused")
    bench.clock.tick(1)
    (probe,) = bench.probe()
    assert bench.claim([*tickets[1:], probe]).ids == [probe.dispatch_id]
    assert bench.states().count("waiting") == 2


def test_r2_a_probe_that_is_answered_opens_the_gate(bench: Bench) -> None:
    hold(bench, 3)
    bench.finish(bench.claim(bench.probe()), "dead")
    assert bench.run(bench.ledger.gate("n")).open
    assert len(bench.due()) == 2


def test_r2_a_probe_of_unknown_outcome_opens_nothing(bench: Bench) -> None:
    hold(bench, 2)
    bench.finish(bench.claim(bench.probe()), "unknown")
    assert bench.run(bench.ledger.gate("n")).state == "held"
    bench.clock.tick(1)
    assert len(bench.probe()) == 1


def test_r2_a_probe_that_finds_its_lane_shut_is_given_back(bench: Bench) -> None:
    hold(bench, 2)
    bench.finish(bench.claim(bench.probe()), "unknown")
    bench.settle(dossier("H59-0", at=1, content="B"))
    # By a race the follower of what is out seems due.
    bench.execute("UPDATE dispatch SET due_us = 1 WHERE id = 3")
    bench.execute("UPDATE gate SET probe_last = 2")
    bench.clock.tick(1)
    assert bench.probe() == []
    assert [t.dispatch_id for t in bench.probe()] == [2], "the next turn probes with another"


def test_r2_the_probe_goes_with_what_its_lane_chooses(bench: Bench) -> None:
    hold(bench, 1)
    bench.settle(dossier("H59-0", at=1, content="B"))
    (ticket,) = bench.probe()
    assert ticket.dispatch_id == 2, "the newer snapshot goes"
    assert bench.claim([ticket]).ids == [2]


def test_r2_a_persons_pause_is_not_opened_by_a_probe(bench: Bench) -> None:
    hold(bench, 2)
    call = bench.claim(bench.probe())
    bench.gate("paused")
    bench.finish(call)
    assert bench.run(bench.ledger.gate("n")).state == "paused"
    assert bench.probe() == []


def test_r2_a_persons_pause_is_not_turned_into_held(bench: Bench) -> None:
    call = bench.claim(many(bench, 1))
    bench.gate("paused")
    bench.finish(call, "waiting", down="refused")
    assert bench.run(bench.ledger.gate("n")).state == "paused"


def test_r2_a_pause_that_commits_while_a_finish_runs_wins(on_postgres: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finish has read the gate as held and its probe as answered when a person pauses it from another process."""
    bench = on_postgres
    hold(bench, 2)
    call = bench.claim(bench.probe())

    def paused_meanwhile(tx: Tx, destination: str) -> int | None:
        bench.execute("UPDATE gate SET state = 'paused', reason = 'by hand'")
        return gates.probe_of(tx, destination)

    monkeypatch.setattr(sending, "probe_of", paused_meanwhile)
    bench.finish(call)
    assert bench.run(bench.ledger.gate("n")).state == "paused"


def test_r2_due_lanes_that_cannot_go_take_no_room_from_others(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    first = bench.settle(step(at=1))
    bench.settle(step(at=2))
    bench.finish(bench.claim(first.tickets), "dead")
    bench.execute("UPDATE dispatch SET due_us = 1 WHERE state = 'waiting'")
    bench.gate("paused")
    many(bench, 1, start=50)
    bench.gate("open")
    bench.rule(window=1)
    assert bench.due() == []
    assert bench.row(3)["due_us"] is None, "behind the dead step it is not due"
    assert [t.key for t in bench.due()] == ["H59-50"]
