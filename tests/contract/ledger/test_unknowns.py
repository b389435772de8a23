"""R8: what a person says of an outcome that is not known, and what is shown of those that are open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from hub.ledger.audit import By
from hub.ledger.read import open_reader
from hub.ledger.unknowns import Verdict
from hub.ledger.values import from_us
from hub.ledger.views import Decided, NotUnknown, UnknownOutcome
from tests.contract.ledger.bench import START, Bench, dossier, step

BY = By("lan", "asked the portal's desk")


def decide(bench: Bench, verdict: Verdict, *ids: int) -> Decided:
    return bench.run(bench.ledger.decide(ids, verdict, BY))


def standing(bench: Bench, lane: str = "H59-1") -> int:
    (row,) = bench.rows("SELECT standing FROM lane WHERE lane = :lane", lane=lane)
    return int(row["standing"])


def lose(bench: Bench, *specs: object) -> None:
    """What is settled is sent, and nobody knows whether it arrived."""
    tickets = bench.settle(*specs).tickets  # type: ignore[arg-type]
    bench.finish(bench.claim(tickets), "unknown", due_s=0, fault="unknown", text="the connection broke")


def lose_an_event(bench: Bench) -> None:
    """Under `ask-operator`: #1 is a dossier that the portal has, #2 a step that waits for a person, #3 its follower."""
    bench.rule(resend_events=False)
    bench.deliver(bench.settle(dossier()).tickets)
    lose(bench, step(at=1))
    bench.resolve()
    bench.settle(step(at=2))


def outcomes(bench: Bench, destination: str | None = None, key: str | None = None) -> Sequence[UnknownOutcome]:
    with open_reader(bench.url) as reader:
        return reader.unknowns(destination, key)


def test_r8_delivered_ends_it_tells_the_lane_and_lets_its_followers_go(bench: Bench) -> None:
    lose(bench, dossier())
    bench.settle(step(at=1))
    assert decide(bench, "delivered", 1) == Decided("delivered", 1)
    row = bench.row(1)
    assert (row["state"], row["possibly_twice"], row["due_us"], row["ended_us"]) == ("delivered", 0, None, START)
    assert row["reason"] == "lan says that it was taken: asked the portal's desk"
    assert standing(bench) == 1
    assert bench.drain() == [2]


def test_r8_delivered_supersedes_older_states_that_are_dead_or_wait_again(bench: Bench) -> None:
    for at, key in ((0, "H59-1"), (0, "H59-2")):
        bench.finish(bench.claim(bench.settle(dossier(key, at)).tickets), "dead")
    lose(bench, dossier("H59-1", 1, "B"), dossier("H59-2", 1, "B"))
    assert bench.replay(1).enqueued == 1
    decide(bench, "delivered", 3, 4)
    assert bench.states() == ["superseded", "superseded", "delivered", "delivered"]
    assert [bench.row(id_)["reason"] for id_ in (1, 2)] == ["superseded by #3", "superseded by #4"]
    assert bench.due() == []


def test_r8_resend_sends_it_again_possibly_twice(bench: Bench) -> None:
    lose_an_event(bench)
    assert bench.states() == ["delivered", "unknown", "waiting"]
    assert decide(bench, "resend", 2).decided == 1
    assert (bench.row(2)["state"], bench.row(2)["possibly_twice"]) == ("waiting", 1)
    assert bench.drain() == [2, 3], "in the lane's order"


def test_r8_resend_of_a_snapshot_supersedes_an_older_one_that_waits_again(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "dead")
    lose(bench, dossier(at=1, content="B"))
    bench.replay(1)
    decide(bench, "resend", 2)
    assert bench.states() == ["superseded", "waiting"]
    assert bench.drain() == [2]


def test_r8_discard_sends_it_no_more_and_releases_its_followers(bench: Bench) -> None:
    lose_an_event(bench)
    assert decide(bench, "discard", 2).decided == 1
    assert (bench.row(2)["state"], bench.row(2)["reason"]) == ("discarded", "discarded by lan: asked the portal's desk")
    assert bench.drain() == [3]


def test_r8_after_a_discard_no_older_state_goes_since_the_portal_may_have_the_newer(bench: Bench) -> None:
    bench.finish(bench.claim(bench.settle(dossier()).tickets), "dead")
    lose(bench, dossier(at=1, content="B"))
    decide(bench, "discard", 2)
    result = bench.replay(1)
    assert (result.enqueued, [one.by for one in result.superseded]) == (0, [2])
    bench.settle(dossier(at=2, content="C"))
    assert (standing(bench), bench.states()) == (2, ["superseded", "discarded", "queued"])


def test_r8_a_discarded_create_leaves_its_steps_waiting_for_the_next_state(bench: Bench) -> None:
    lose(bench, dossier())
    bench.settle(step(at=1))
    decide(bench, "discard", 1)
    assert bench.due() == [], "a step never passes its dossier"
    tickets = bench.settle(dossier(at=2, content="B")).tickets
    (after,) = bench.deliver(tickets).tickets
    bench.deliver([after])
    assert (after.dispatch_id, bench.states()) == (2, ["discarded", "delivered", "delivered"])


@pytest.mark.parametrize("verdict", ["resend", "discard"])
def test_r8_a_late_success_is_believed_whatever_a_person_said(bench: Bench, verdict: Verdict) -> None:
    call = bench.claim(bench.settle(dossier()).tickets)
    bench.finish(call, "unknown", due_s=0)
    decide(bench, verdict, 1)
    bench.finish(call)
    assert (bench.states(), standing(bench)) == (["delivered"], 1)


def test_r8_what_is_known_by_then_is_left_alone_and_named(bench: Bench) -> None:
    lose(bench, dossier("H59-1"), dossier("H59-2"))
    bench.deliver(bench.settle(dossier("H59-3")).tickets)
    decide(bench, "delivered", 1)
    left = (NotUnknown(1, "delivered"), NotUnknown(3, "delivered"), NotUnknown(99, None))
    assert decide(bench, "discard", 1, 2, 3, 99, 2) == Decided("discard", 1, left)
    assert bench.states() == ["delivered", "discarded", "delivered"]


def test_r8_a_look_up_that_was_under_way_changes_nothing_that_a_person_decided(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    lose(bench, dossier("H59-1"), dossier("H59-2"))
    opened = bench.unknowns()
    decide(bench, "delivered", 1)
    decide(bench, "discard", 2)
    assert bench.run(bench.ledger.resolve("n", opened, {"H59-1": False, "H59-2": False})) == 0
    bench.run(bench.ledger.postpone(opened, 5, "late"))
    assert (bench.states(), standing(bench)) == (["delivered", "discarded"], 1)


def test_r8_who_decided_what_and_why_is_written_down_with_the_deed(bench: Bench) -> None:
    bench.rule("m")
    bench.die()
    lose(bench, dossier("H59-1"), dossier("H59-2"))
    bench.finish(bench.claim(bench.settle(dossier("H59-3"), to=["m"]).tickets, "m"), "unknown", due_s=0)
    decide(bench, "discard", 3, 2, 1)
    decide(bench, "discard", 3, 2, 1)
    done = bench.run(bench.ledger.operations())
    assert [(one.who, one.what, one.subject, one.why, one.count) for one in done] == [
        ("lan", "unknown discard", "m", BY.why, 1),
        ("lan", "unknown discard", "n", BY.why, 2),
    ]
    (detail, _) = bench.rows("SELECT detail FROM operation ORDER BY id DESC")
    assert detail["detail"] == '{"ids":[1,2]}'


def test_r5_two_who_decide_at_once_decide_once(on_postgres: Bench) -> None:
    bench = on_postgres
    lose(bench, *(dossier(f"H59-{n}") for n in range(20)))
    other = bench.start()
    ids = list(range(1, 21))

    async def both() -> tuple[Decided, Decided]:
        first = partial(bench.ledger.decide, ids, "resend", BY)
        second = partial(other.decide, ids[::-1], "discard", BY)
        return await asyncio.gather(first(), second())

    found = bench.run(both())
    bench.run(other.close())
    assert sorted(one.decided for one in found) == [0, 20]
    assert len(set(bench.states())) == 1


# --- what is shown


def test_r8_what_is_open_is_shown_with_what_is_known_and_for_whom_it_waits(bench: Bench) -> None:
    lose_an_event(bench)
    bench.clock.tick(60)
    bench.rule(can_look_up=True)
    lose(bench, dossier("H59-2"))
    opened = [one for one in bench.unknowns() if one.lane == "H59-2"]
    for _ in range(2):
        bench.run(bench.ledger.postpone(opened, 30, "the portal cannot be asked: HTTP 500"))
    event, create = outcomes(bench)
    assert (event.dispatch_id, event.waits_for, event.next_at, event.asked) == (2, "person", None, 0)
    assert (event.key, event.kind, event.mode, event.sent) == ("H59-1|1|An", "dossier-step.v1", "new", 1)
    assert event.since == from_us(START)
    assert "hub unknown show" in event.reason
    assert (create.dispatch_id, create.waits_for, create.asked) == (4, "hub", 2)
    assert create.next_at == from_us(bench.clock() + 30_000_000)
    assert create.reason == "the portal cannot be asked: HTTP 500"
    assert outcomes(bench, key="H59-2") == [create]
    assert outcomes(bench, destination="m") == []


def test_r8_one_is_shown_with_its_record_what_happened_and_who_waits_behind_it(bench: Bench) -> None:
    lose_an_event(bench)
    with open_reader(bench.url) as reader:
        found = reader.unknown(2)
        with pytest.raises(KeyError):
            reader.unknown(1)
    assert (found.outcome.dispatch_id, found.followers) == (2, 1)
    assert found.content == {"dossier-step.v1": "An"}
    assert [event.what.value for event in found.events][-1] == "unknown"
    assert found.events[-1].why == "the connection broke"


def test_r8_a_new_call_is_asked_for_anew(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    lose(bench, dossier())
    bench.run(bench.ledger.postpone(bench.unknowns(), 0, "no"))
    bench.resolve({"H59-1": False})
    bench.finish(bench.claim(bench.due()), "unknown", due_s=0)
    (one,) = outcomes(bench)
    assert (one.asked, one.sent) == (0, 2)
