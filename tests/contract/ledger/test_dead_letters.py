"""Dead letters searched, replayed, discarded and corrected: R6's "discarding releases them", R9 (6), R11."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from hub.ledger import correct as correcting
from hub.ledger import discard as discarding
from hub.ledger import replay as replaying
from hub.ledger.audit import By
from hub.ledger.correct import Correction
from hub.ledger.dead_letters import _narrowed, _with_last_fault
from hub.ledger.read import open_reader
from hub.ledger.tables import dispatch
from hub.ledger.values import Candidate, from_us
from hub.ledger.views import Corrected, DeadDetail, DeadFilter, DeadIndex, Happened
from hub.ports import Ticket
from schemas.errors import OperationRefused
from schemas.record import Counted
from tests.contract.ledger.bench import SECOND, START, Bench, Spec, books, dossier, step
from tests.contract.ledger.bench import _digest as digest_of

BY = By("lan", "the portal was mended")


def die(bench: Bench, *specs: Spec, **how: Any) -> list[int]:
    """Settle records that their portal refuses; returns the dead dispatches."""
    tickets = bench.settle(*specs).tickets
    bench.finish(bench.claim(tickets), "dead", **{"fault": "data", "code": "17", "text": "sai mã", **how})
    return [ticket.dispatch_id for ticket in tickets]


def find(bench: Bench, **wanted: Any) -> DeadIndex:
    with open_reader(bench.url) as reader:
        return reader.find_dead(DeadFilter(**wanted))


def detail(bench: Bench, id_: int) -> DeadDetail:
    with open_reader(bench.url) as reader:
        return reader.dead_letter(id_)


def correct(bench: Bench, id_: int, content: str, *, to: tuple[str, ...] = ("n",)) -> Corrected:
    """Correct a dead letter's record so that its content is another."""
    return corrected(bench, id_, content, to=to)[0]


def corrected(
    bench: Bench, id_: int, content: str, *, to: tuple[str, ...] = ("n",)
) -> tuple[Corrected, Sequence[Ticket]]:
    """As `correct`, with the tickets that are to be published."""
    found = detail(bench, id_)
    letter = found.letter
    body = b'{"%s": "%s"}' % (letter.kind.encode(), content.encode())
    event = letter.kind.startswith("dossier-step")
    lane = letter.key.partition("|")[0]
    candidate = Candidate(
        0, 0, letter.kind, letter.key, lane, event, None, digest_of(body), 0, body, to, "mended", None
    )
    made = Correction(id_, found.head_id, letter.revision, "corrected", candidate, ["status"])
    return bench.run(bench.ledger.correct(made, By("lan", "a wrong status")))


# --- search


def test_dead_letters_are_found_by_all_that_is_known_of_them(bench: Bench) -> None:
    counted = Counted("H59.15", "", 4, from_us(START).date(), None, None)
    die(bench, dossier("H59-1", counted=counted), text="Sai mã thủ tục ĐẶC BIỆT", path="data[0].MaTTHC")
    bench.clock.tick(3600)
    die(bench, dossier("H59-2"), fault="transient", code="99", text="bận", path="NgayTiepNhan")
    bench.rule("p")
    bench.settle(dossier("H59-3"), to=["p"])
    at = from_us(START + 3600 * SECOND)
    for wanted, ids in (
        ({}, [1, 2]),
        ({"destination": "n"}, [1, 2]),
        ({"destination": "p"}, []),
        ({"fault": "data"}, [1]),
        ({"code": "99"}, [2]),
        ({"source": "s"}, [1, 2]),
        ({"source": "other"}, []),
        ({"agency": "H59.15"}, [1]),
        ({"kind": "dossier.v1", "key": "H59-2"}, [2]),
        ({"field": "MaTTHC"}, [1]),
        ({"field": "data[0].MaTTHC"}, [1]),
        ({"field": "TTHC"}, []),
        ({"field": "NgayTiepNhan"}, [2]),
        ({"text": "đặc biệt"}, [1]),
        ({"text": "đặc biệt"}, [1]),
        ({"text": "dac biet"}, []),
        ({"since": at}, [2]),
        ({"until": at}, [1]),
        ({"since": at - timedelta(hours=2), "until": at + timedelta(hours=1), "text": "B"}, [1, 2]),
        ({"limit": 1}, [1]),
    ):
        assert list(find(bench, **wanted).ids) == ids, wanted
    found = find(bench, limit=1)
    assert found.total == 2
    assert {(one.fault, one.code, one.count) for one in found.causes} == {("data", "17", 1), ("transient", "99", 1)}


def test_a_search_uses_the_index_of_the_dead(on_sqlite: Bench) -> None:
    query = _narrowed(sa.select(dispatch.c.id).select_from(_with_last_fault()), DeadFilter("n", fault="data"))
    text = str(query.compile(on_sqlite.db, compile_kwargs={"literal_binds": True}))
    plan = " ".join(str(row["detail"]) for row in on_sqlite.rows(f"EXPLAIN QUERY PLAN {text}"))
    assert "dispatch_dead" in plan
    assert "fault_dispatch" in plan
    assert "SCAN fault" not in plan


def test_the_last_death_is_what_is_told(bench: Bench) -> None:
    (id_,) = die(bench, dossier())
    bench.replay(id_)
    bench.finish(bench.claim(bench.due()), "dead", fault="poison", code="", text="")
    (letter,) = [detail(bench, id_).letter]
    assert letter.fault == "poison"
    assert find(bench, fault="data").total == 0
    calls = detail(bench, id_).calls
    assert [call.fault for call in calls] == ["data", "poison"]


# --- R11


def test_r11_a_bulk_replay_enqueues_all_but_those_that_newer_deliveries_overtook(bench: Bench) -> None:
    """3,418 dead letters, 18 of them overtaken: 3,400 enqueued, 18 named."""
    bench.rule(window=10_000)
    dead = die(bench, *(dossier(f"H59-{i}") for i in range(3418)))
    overtaken = dead[100:1900:100]
    assert len(overtaken) == 18
    bench.gate("paused")
    lanes = [f"H59-{id_ - dead[0]}" for id_ in overtaken]
    bench.settle(*(dossier(lane, at=1, content="B") for lane in lanes))
    waiting = bench.rows("SELECT id, lane FROM dispatch WHERE state = 'waiting'")
    newer = {row["lane"]: row["id"] for row in waiting}
    # As when a newer revision was delivered while these were dying elsewhere.
    for to, phase in (("queued", 1), ("delivered", 3)):
        bench.execute(f"UPDATE dispatch SET state = '{to}', phase = {phase} WHERE id > {dead[-1]}")
    bench.gate("open")
    totals: Counter[str] = Counter()
    named: dict[int, int] = {}
    for at in range(0, len(dead), 500):
        done = bench.replay(*dead[at : at + 500])
        totals.update(shown=done.shown, enqueued=done.enqueued)
        named |= {one.dispatch_id: one.by for one in done.superseded}
    assert totals == {"shown": 3418, "enqueued": 3400}
    assert named == {id_: newer[lane] for id_, lane in zip(overtaken, lanes, strict=True)}
    assert Counter(bench.states()) == {"waiting": 3400, "superseded": 18, "delivered": 18}
    deeds = bench.rows("SELECT who, what, why, count FROM operation")
    assert sum(row["count"] for row in deeds) == 3418
    assert {(row["who"], row["what"], row["why"]) for row in deeds} == {("lan", "replay", "mended")}


def test_r11_what_was_pruned_is_named_and_left(bench: Bench) -> None:
    first, second = die(bench, dossier("H59-1"), dossier("H59-2"))
    third = die(bench, dossier("H59-3"))[0]
    bench.execute("UPDATE arrival SET records = NULL, body = NULL WHERE id = 1")
    done = bench.replay(first, second, third)
    assert (done.shown, done.enqueued, list(done.superseded), sorted(done.pruned)) == (1, 1, [], [first, second])
    assert bench.drain() == [third]
    assert bench.states() == ["dead", "dead", "delivered"]
    assert detail(bench, first).content is None


def test_a_replayed_letter_ages_from_its_replay(bench: Bench) -> None:
    (id_,) = die(bench, dossier())
    bench.clock.tick(86_400)
    bench.replay(id_)
    assert bench.row(id_)["aged_from_us"] == bench.clock()


def test_what_the_portal_may_have_is_told_before(bench: Bench) -> None:
    surely = die(bench, dossier("H59-1"))
    call = bench.claim(bench.settle(dossier("H59-2")).tickets)
    bench.finish(call, "unknown", fault="unknown")
    bench.resolve()
    bench.finish(bench.claim(bench.due()), "dead", fault="data")
    with open_reader(bench.url) as reader:
        ids = reader.find_dead(DeadFilter()).ids
        assert (len(ids), reader.doubtful(ids), reader.doubtful(surely)) == (2, 1, 0)


# --- R6, discarding


def test_r6_discarding_a_dead_event_releases_what_waits_behind_it(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    (dead,) = die(bench, step(at=1))
    bench.settle(step(at=2), step(at=3))
    assert bench.due() == []
    done = bench.discard(dead, why="entered by hand")
    assert (done.discarded, done.released) == (1, 1)
    assert bench.drain() == [3, 4]
    assert bench.states() == ["delivered", "discarded", "delivered", "delivered"]
    assert bench.row(dead)["reason"] == "discarded by lan: entered by hand"
    assert find(bench).total == 0


def test_r6_discarding_a_dossier_that_the_portal_never_got_releases_its_steps(bench: Bench) -> None:
    (dead,) = die(bench, dossier())
    bench.settle(step(at=1))
    assert bench.due() == []
    assert bench.discard(dead).released == 1
    assert bench.drain() == [2]
    # What comes later is new to the portal, as far as anybody knows.
    (ticket,) = bench.settle(dossier(at=5, content="B")).tickets
    assert ticket.standing != 1
    bench.deliver([ticket])
    bench.settle(step(at=6))
    assert bench.states() == ["discarded", "delivered", "delivered", "queued"]


def test_r6_steps_wait_on_while_another_revision_of_their_dossier_is_left(bench: Bench) -> None:
    (dead,) = die(bench, dossier())
    bench.settle(step(at=1))
    (newer,) = die(bench, dossier(at=2, content="B"))
    assert bench.discard(newer).released == 0
    assert bench.due() == []
    assert bench.replay(dead).enqueued == 1
    assert bench.drain() == [dead, 2]


def test_only_the_dead_are_discarded(bench: Bench) -> None:
    bench.settle(dossier("H59-1"))
    (dead,) = die(bench, dossier("H59-2"))
    assert bench.discard(1, dead, 99).discarded == 1
    assert bench.discard(dead).discarded == 0
    assert bench.states() == ["queued", "discarded"]
    assert len(bench.rows("SELECT * FROM operation")) == 1, "what did nothing is not written down"


# --- R9 (6), correcting


def test_r9_a_corrected_snapshot_is_a_revision_that_supersedes_its_dead(bench: Bench) -> None:
    (dead,) = die(bench, dossier(content="bad"))
    bench.settle(step(at=1))
    done, tickets = corrected(bench, dead, "good")
    assert (done.revision, list(done.sends), list(done.superseded), done.overridable) == (2, [3], [dead], False)
    assert bench.states() == ["superseded", "waiting", "queued"]
    assert bench.deliver(tickets).tickets[0].dispatch_id == 2
    (newest,) = bench.rows("SELECT cause, changed_us, tie FROM revision WHERE number = 2")
    assert (newest["cause"], newest["changed_us"], newest["tie"]) == ("corrected", START, 0)
    books(bench)


@pytest.mark.parametrize("tie", [False, True])
def test_r9_the_old_row_read_again_is_a_duplicate_and_a_newer_one_overrides(bench: Bench, tie: bool) -> None:
    if tie:
        bench.deliver(bench.settle(dossier(content="first")).tickets)
    (dead,) = die(bench, dossier(content="bad"))
    correct(bench, dead, "good")
    assert {state.value: n for state, n in bench.settle(dossier(content="bad")).counts.items()} == {"duplicate": 1}
    assert {state.value: n for state, n in bench.settle(dossier(content="good")).counts.items()} == {"duplicate": 1}
    assert {s.value: n for s, n in bench.settle(dossier(at=9, content="newer")).counts.items()} == {"accepted": 1}


def test_a_correction_goes_where_the_routes_say_and_to_its_own_destination(bench: Bench) -> None:
    bench.rule("p")
    bench.rule("q")
    bench.die()
    tickets = bench.settle(dossier(), to=["n", "p"]).tickets
    for ticket in tickets:
        call = bench.claim([ticket], ticket.destination)
        bench.finish(call, "dead" if ticket.destination == "n" else "delivered")
    done = correct(bench, 1, "good", to=("p", "q"))
    rows = bench.rows("SELECT id, destination, state FROM dispatch ORDER BY id")
    made = {row["destination"]: row["state"] for row in rows if row["id"] in done.sends}
    assert made == {"n": "queued", "p": "queued", "q": "queued"}
    assert list(done.superseded) == [1]


def test_a_process_that_sends_nothing_leaves_the_correction_waiting(bench: Bench) -> None:
    (dead,) = die(bench, dossier())
    bench.ledger.rules.clear()
    correct(bench, dead, "good")
    assert bench.states() == ["superseded", "waiting"]
    bench.ledger.rules.update(bench.rules)
    assert bench.drain() == [2]


def test_r6_a_corrected_event_keeps_its_place_and_is_sent_once_to_each(bench: Bench) -> None:
    bench.rule("p")
    bench.die()
    for ticket in bench.settle(dossier(), to=["n", "p"]).tickets:
        bench.finish(bench.claim([ticket], ticket.destination))
    for ticket in bench.settle(step(at=1), to=["n", "p"]).tickets:
        call = bench.claim([ticket], ticket.destination)
        bench.finish(call, "dead" if ticket.destination == "n" else "delivered")
    bench.settle(step(at=2), to=["n", "p"])
    (dead,) = find(bench).ids
    done = correct(bench, dead, "good", to=("n", "p"))
    assert (list(done.sends), list(done.superseded), list(done.sent_before)) == ([dead], [], ["p"])
    assert bench.row(dead)["number"] == 2
    sent = bench.drain()
    assert sent == [dead, sent[-1]]
    assert len(sent) == 2
    assert len(bench.rows("SELECT id FROM dispatch WHERE destination = 'p' AND event = 1")) == 2


def test_what_a_newer_revision_has_overtaken_is_not_corrected(bench: Bench) -> None:
    (dead,) = die(bench, dossier())
    bench.gate("paused")
    bench.settle(dossier(at=1, content="B"))
    with pytest.raises(OperationRefused, match="revision 2 has been read since"):
        correct(bench, dead, "good")
    assert bench.revisions() == 2


def test_a_correction_that_dies_is_told_with_the_page_that_it_was_read_from(bench: Bench) -> None:
    (dead,) = die(bench, dossier())
    _, tickets = corrected(bench, dead, "worse")
    bench.finish(bench.claim(tickets), "dead")
    (found,) = bench.run(bench.ledger.died([tickets[0].dispatch_id]))
    assert (found.label, found.mapping) == ("page 1", "mended")


def test_what_is_dead_no_more_is_not_corrected(bench: Bench) -> None:
    (dead,) = die(bench, dossier())
    found = detail(bench, dead)
    bench.replay(dead)
    candidate = Candidate(0, 0, "dossier.v1", "H59-1", "H59-1", False, None, "d", 0, b"{}", ("n",), "m")
    with pytest.raises(OperationRefused, match="is not dead any more, it is waiting"):
        bench.run(bench.ledger.correct(Correction(dead, found.head_id, 1, "corrected", candidate, []), BY))
    assert bench.revisions() == 1


def test_without_a_time_of_change_the_next_reading_overrides_and_that_is_said(bench: Bench) -> None:
    (dead,) = die(bench, dossier(at=None))
    assert correct(bench, dead, "good").overridable


# --- who and why


def test_a_trace_tells_who_corrected_replayed_and_discarded_and_why(bench: Bench) -> None:
    (dead,) = die(bench, dossier())
    bench.clock.tick(1)
    bench.replay(dead)
    bench.finish(bench.claim(bench.due()), "dead", fault="data")
    bench.clock.tick(1)
    done, tickets = corrected(bench, dead, "good")
    bench.finish(bench.claim(tickets), "dead", fault="data")
    bench.clock.tick(1)
    bench.discard(*done.sends)
    trace = bench.trace("H59-1")
    told = {(event.dispatch_id, event.what): event.why for event in trace.events}
    assert told[dead, Happened.REPLAYED] == "by lan: mended"
    assert told[dead, Happened.CORRECTED] == "by lan: a wrong status (status)"
    assert told[done.sends[0], Happened.DISCARDED] == "discarded by lan: not needed"
    assert [one.cause for one in trace.revisions] == ["new", "corrected"]
    assert trace.dispatches[0].superseded_by == done.sends[0]


def test_r12_a_deed_whose_commit_was_uncertain_is_done_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run again after a commit of unknown outcome it tells what the first run did."""
    first, second, third = die(bench, dossier("H59-1"), dossier("H59-2"), dossier("H59-3"))

    def twice(module: Any, name: str) -> None:
        once = getattr(module, name)

        def again(tx: Any, *args: Any) -> Any:
            before = once(tx, *args)
            tx.rerun = True
            after = once(tx, *args)
            assert after == before or (after[0] == before[0] and after[1] == [])
            return after

        monkeypatch.setattr(module, name, again)

    for module, name in ((replaying, "replay"), (discarding, "discard"), (correcting, "correct")):
        twice(module, name)
    assert bench.replay(first).enqueued == 1
    assert bench.discard(second).discarded == 1
    assert correct(bench, third, "good").revision == 2
    assert len(bench.rows("SELECT id FROM operation")) == 3
    assert bench.revisions("H59-3") == 2
