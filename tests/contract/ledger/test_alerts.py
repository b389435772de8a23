"""Alerts and messages in the ledger: one transaction, told once, whoever looks and whatever dies."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from hub.alerts import DestinationSeen, Judgement, Observed
from hub.ledger import Ledger
from hub.ledger.alerts import Audience, judge_and_tell, message_sent, take_messages
from hub.ledger.bulk import Tx
from hub.ledger.observing import Slow
from hub.ledger.states import ItemState
from hub.sections import AlertsSection
from tests.contract.ledger.bench import SECOND, START, Bench, dossier, refused, step

LIMITS = AlertsSection(after_s=60, settle_s=100)
AUDIENCE = Audience("tra-vinh", ["mail:truc@tinh.example.vn", "webhook:phong"])


def look(bench: Bench, observed: Observed, ledger: Ledger | None = None) -> Judgement | None:
    return bench.run((ledger or bench.ledger).judge_and_tell(observed, LIMITS, AUDIENCE))


def held() -> Observed:
    return Observed([DestinationSeen("n", "held", START)])


FINE = Observed([DestinationSeen("n")])


def messages(bench: Bench) -> list[str]:
    return [row["about"] for row in bench.rows("SELECT about FROM message ORDER BY id")]


def alerts(bench: Bench) -> list[tuple[str, str, bool]]:
    rows = bench.rows("SELECT subject, trouble, closed_us FROM alert ORDER BY id")
    return [(row["subject"], row["trouble"], row["closed_us"] is None) for row in rows]


def starts(id_: int) -> list[str]:
    return [f"alert {id_} start {channel}" for channel in AUDIENCE.channels]


def ends(id_: int) -> list[str]:
    return [f"alert {id_} end {channel}" for channel in AUDIENCE.channels]


# --- alerts -----------------------------------------------------------------------------------------------------------


def test_an_alert_and_what_tells_it_are_written_together(bench: Bench) -> None:
    look(bench, held())
    assert (alerts(bench), messages(bench)) == ([], [])
    bench.clock.tick(60)
    for _ in range(3):
        look(bench, held())
    assert (alerts(bench), messages(bench)) == ([("n", "held", True)], starts(1))
    bench.clock.tick(120)
    look(bench, FINE)
    look(bench, FINE)
    assert (alerts(bench), messages(bench)) == ([("n", "held", False)], starts(1) + ends(1))
    [row] = bench.rows("SELECT * FROM alert")
    assert (row["opened_us"], row["closed_us"]) == (START, START + 180 * SECOND)
    assert "the portal takes nothing, since 20/03/2017" in row["text"]
    assert "after 3 min" in row["end_text"]


def test_an_end_is_due_once_it_has_lasted_and_is_taken_back_where_it_did_not(bench: Bench) -> None:
    bench.clock.tick(60)
    look(bench, held())
    bench.clock.tick(10)
    look(bench, FINE)
    assert [channel for _, channel in bench.run(bench.ledger.due_messages())] == list(AUDIENCE.channels)
    bench.clock.tick(99)
    look(bench, held())
    assert (alerts(bench), messages(bench)) == ([("n", "held", True)], starts(1))
    assert bench.rows("SELECT end_text FROM alert")[0]["end_text"] is None
    look(bench, FINE)
    bench.clock.tick(100)
    assert len(bench.run(bench.ledger.due_messages())) == 4
    look(bench, held())
    assert alerts(bench) == [("n", "held", False), ("n", "held", True)]


def test_an_end_that_is_being_told_is_not_taken_back(bench: Bench) -> None:
    bench.clock.tick(60)
    look(bench, held())
    look(bench, FINE)
    bench.execute("UPDATE message SET due_us = 0 WHERE about LIKE '%end%'")
    ids = [row["id"] for row in bench.rows("SELECT id FROM message WHERE about LIKE '%end%'")]
    bench.run(bench.ledger.take_messages(ids, 60))
    look(bench, held())
    assert alerts(bench) == [("n", "held", False), ("n", "held", True)]
    assert messages(bench) == starts(1) + ends(1) + starts(2)


def test_a_count_grows_in_silence(bench: Bench) -> None:
    for dead in (1, 3, 2):
        look(bench, Observed([DestinationSeen("n", dead=dead)]))
    [row] = bench.rows("SELECT count, text FROM alert")
    assert (row["count"], messages(bench)) == (3, starts(1))
    assert "3 dead letters" in row["text"]


def test_what_a_later_version_wrote_is_left_alone(bench: Bench) -> None:
    bench.execute("INSERT INTO alert (subject, trouble, opened_us, text) VALUES ('n', 'new-trouble', 1, '')")
    look(bench, FINE)
    assert alerts(bench) == [("n", "new-trouble", True)]


@pytest.mark.parametrize("at", ["start", "end"])
def test_a_unit_that_is_run_again_writes_nothing_twice(bench: Bench, at: str) -> None:
    bench.clock.tick(60)
    if at == "end":
        look(bench, held())
    observed = held() if at == "start" else FINE
    for _ in range(2):
        with bench.db.begin() as connection:
            judge_and_tell(
                Tx(connection, bench.clock(), bench.postgres), bench.ledger.worker, observed, LIMITS, AUDIENCE
            )
    assert messages(bench) == starts(1) + (ends(1) if at == "end" else [])


def test_a_kill_before_the_commit_loses_nothing_and_one_after_it_doubles_nothing(bench: Bench) -> None:
    bench.clock.tick(60)
    with bench.db.connect() as connection:
        judge_and_tell(Tx(connection, bench.clock(), bench.postgres), "killed", held(), LIMITS, AUDIENCE)
        connection.rollback()
    assert (alerts(bench), messages(bench)) == ([], [])
    for observed, told in ((held(), 2), (FINE, 4)):
        look(bench, observed)
        bench.die()
        # The dead one led until its lease was over.
        bench.execute("UPDATE meta SET value = 'dead 0' WHERE name = 'alerts'")
        look(bench, observed)
        assert len(messages(bench)) == told


def test_of_two_hubs_one_judges_and_the_other_takes_over(on_postgres: Bench) -> None:
    bench = on_postgres
    bench.clock.tick(60)
    other = bench.start()
    assert look(bench, held()) is not None
    assert look(bench, FINE, other) is None
    bench.execute("UPDATE meta SET value = value || '0' WHERE name = 'alerts'")
    assert look(bench, FINE, other) is None
    bench.execute("UPDATE meta SET value = 'dead 0' WHERE name = 'alerts'")
    assert look(bench, FINE, other) is not None
    assert messages(bench) == starts(1) + ends(1)
    bench.run(other.close())


def test_two_hubs_that_judge_at_the_same_time_tell_once(on_postgres: Bench) -> None:
    bench = on_postgres
    bench.clock.tick(60)
    for round_ in range(1, 6):
        for observed in (held(), FINE):
            _both(bench, observed)
        assert messages(bench)[-4:] == starts(round_) + ends(round_)
        # Long enough for an end to be told, so that the next is another trouble.
        bench.clock.tick(101)
    assert len(messages(bench)) == 20


def _both(bench: Bench, observed: Observed) -> None:
    """Judge the same at the same time from two workers, neither of which leads."""
    bench.execute("DELETE FROM meta WHERE name = 'alerts'")
    gate = threading.Barrier(2)

    def work(worker: str) -> None:
        with bench.db.begin() as connection:
            gate.wait(10)
            judge_and_tell(Tx(connection, bench.clock(), True), worker, observed, LIMITS, AUDIENCE)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- messages ---------------------------------------------------------------------------------------------------------


def told(bench: Bench, about: str = "x", channel: str = "mail:a@b.vn") -> bool:
    return bench.run(bench.ledger.tell(channel, about, {"subject": "Lỗi trong ngày", "text": "…", "attachments": []}))


def test_what_is_told_twice_is_written_once(bench: Bench) -> None:
    assert [told(bench), told(bench), told(bench, "y")] == [True, False, True]
    assert messages(bench) == ["x", "y"]


def test_a_message_that_was_taken_is_nobody_elses_until_its_lease_ends(bench: Bench) -> None:
    told(bench)
    [(id_, _)] = bench.run(bench.ledger.due_messages())
    [message] = bench.run(bench.ledger.take_messages([id_], 50))
    assert (message.content["subject"], message.tries) == ("Lỗi trong ngày", 0)
    assert bench.run(bench.ledger.due_messages()) == []
    assert bench.run(bench.ledger.take_messages([id_], 50)) == []
    bench.die()  # while it is being sent
    bench.clock.tick(50)
    [again] = bench.run(bench.ledger.take_messages([id_], 50))
    assert (again.about, again.tries) == ("x", 1)
    # The first one's word comes late: whatever it is, it says nothing of the second try.
    bench.run(bench.ledger.message_failed(message, "too late", 5))
    assert bench.rows("SELECT problem FROM message") == [{"problem": None}]
    bench.run(bench.ledger.message_sent(again))
    assert bench.run(bench.ledger.due_messages()) == []
    assert bench.rows("SELECT sent_us FROM message")[0]["sent_us"] == bench.clock()


def test_a_message_that_failed_comes_again_until_it_is_given_up(bench: Bench) -> None:
    told(bench)
    for again_in_s in (30, None):
        [(id_, _)] = bench.run(bench.ledger.due_messages())
        [message] = bench.run(bench.ledger.take_messages([id_], 50))
        bench.run(bench.ledger.message_failed(message, "450 too busy", again_in_s))
        assert bench.run(bench.ledger.due_messages()) == []
        bench.clock.tick(30)
    [row] = bench.rows("SELECT due_us, sent_us, problem, tries FROM message")
    assert row == {"due_us": None, "sent_us": None, "problem": "450 too busy", "tries": 2}


def test_two_hubs_take_no_message_twice(on_postgres: Bench) -> None:
    bench = on_postgres
    for number in range(40):
        told(bench, f"message {number}")
    ids = [id_ for id_, _ in bench.run(bench.ledger.due_messages())]
    gate = threading.Barrier(2)
    taken: list[Sequence[int]] = []

    def work() -> None:
        with bench.db.begin() as connection:
            gate.wait(10)
            taken.append([one.id for one in take_messages(Tx(connection, bench.clock(), True), ids, 60)])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted([*taken[0], *taken[1]]) == ids


def test_what_went_is_not_sent_again_by_who_took_it_over(bench: Bench) -> None:
    told(bench)
    [(id_, _)] = bench.run(bench.ledger.due_messages())
    [message] = bench.run(bench.ledger.take_messages([id_], 1))
    bench.clock.tick(1)
    [again] = bench.run(bench.ledger.take_messages([id_], 50))
    with bench.db.begin() as connection:
        message_sent(Tx(connection, bench.clock(), bench.postgres), message)
    assert bench.run(bench.ledger.message_failed(again, "hung up", 5)) is None
    assert bench.run(bench.ledger.due_messages()) == []


def test_a_clock_that_is_set_back_keeps_no_message_waiting(bench: Bench) -> None:
    told(bench)
    [(id_, _)] = bench.run(bench.ledger.due_messages())
    [message] = bench.run(bench.ledger.take_messages([id_], 50))
    bench.run(bench.ledger.message_failed(message, "450 too busy", 10))
    bench.clock.tick(-3600)
    bench.run(bench.ledger.beat())
    bench.clock.tick(11)
    assert len(bench.run(bench.ledger.due_messages())) == 1


# --- looking ----------------------------------------------------------------------------------------------------------


def seen(bench: Bench, slow: Slow | None = None) -> Observed:
    return bench.run(bench.ledger.observe(["n"], ["s"], slow or bench.run(bench.ledger.look_slowly(["n"]))))


def test_a_quiet_ledger_shows_nothing(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier()).tickets)
    [destination], [source] = seen(bench).destinations, seen(bench).sources
    assert (destination.gate, destination.dead, destination.unknown, destination.oldest_us) == ("open", 0, 0, None)
    assert (source.failing_us, source.parked, source.unreadable) == (None, 0, 0)


def test_a_held_gate_shows_the_class_and_the_code_of_the_newest_fault(bench: Bench) -> None:
    settled = bench.settle(dossier())
    call = bench.claim(settled.tickets)
    bench.clock.tick(5)
    bench.finish(call, "waiting", fault="down", code="503", down="Service Unavailable")
    [one] = seen(bench).destinations
    assert (one.gate, one.gate_since_us, one.fault, one.code) == ("held", bench.clock(), "down", "503")


def test_dead_letters_and_outcomes_that_wait_for_a_person_are_counted(bench: Bench) -> None:
    bench.rule(resend_events=False)
    bench.deliver(bench.settle(dossier("H59-3")).tickets)
    bench.finish(bench.claim(bench.settle(dossier("H59-1"), dossier("H59-2")).tickets), "dead", fault="data")
    bench.finish(bench.claim(bench.settle(step("H59-3")).tickets), "unknown")
    assert [(one.dead, one.unknown) for one in seen(bench).destinations] == [(2, 0)]
    bench.resolve()
    assert [(one.dead, one.unknown) for one in seen(bench).destinations] == [(2, 1)]


def oldest(bench: Bench) -> int | None:
    found = seen(bench).destinations[0].oldest_us
    return None if found is None else (found - START) // SECOND


def test_the_oldest_is_what_may_go_tried_or_not(bench: Bench) -> None:
    tickets = bench.settle(dossier("H59-1")).tickets
    bench.clock.tick(10)
    bench.settle(dossier("H59-1", at=5, content="B"))  # behind the first
    assert oldest(bench) == 0  # on the bus
    bench.finish(bench.claim(tickets), "unknown", due_s=60)
    assert oldest(bench) == 0  # to be asked about
    bench.clock.tick(60)
    assert bench.resolve() == 1
    assert oldest(bench) == 0  # to be sent again
    bench.drain()
    bench.gate("paused")
    bench.settle(dossier("H59-2"))
    assert oldest(bench) == 70


def test_who_waits_behind_a_person_is_not_old(bench: Bench) -> None:
    tickets = bench.settle(dossier("H59-1"), step("H59-1")).tickets
    bench.finish(bench.claim(bench.deliver(tickets).tickets), "dead")
    bench.clock.tick(10)
    bench.settle(step("H59-1", at=20, who="Bình"))
    assert bench.states() == ["delivered", "dead", "waiting"]
    assert oldest(bench) is None


def test_a_source_fails_since_its_first_failure(bench: Bench) -> None:
    for problem in ("", "refused", "timed out", ""):
        lease = bench.run(bench.ledger.lease_source("s"))
        assert lease is not None
        bench.clock.tick(1)
        bench.run(bench.ledger.polled(lease, problem))
        expected = {"refused": bench.clock(), "timed out": bench.clock() - SECOND}.get(problem)
        assert [one.failing_us for one in seen(bench).sources] == [expected]


def test_parked_items_count_until_they_came_right_or_were_dealt_with(bench: Bench) -> None:
    bench.settle(
        refusals=[refused(n, f"raw{n}", ItemState.PARKED, key=f"H59-{n}") for n in (1, 2)] + [refused(3, "raw3")]
    )
    bench.settle(undecodable="not XML")
    [one] = seen(bench).sources
    assert (one.parked, one.unreadable) == (2, 1)
    bench.settle(dossier("H59-1", at=60))
    assert [one.parked for one in seen(bench).sources] == [1]
    bench.execute('INSERT INTO dismissal (arrival_id, "row", part, operation_id) VALUES (1, 2, 0, 1)')
    assert [one.parked for one in seen(bench).sources] == [0]


def test_a_look_that_nothing_follows_from_commits_nothing(on_sqlite: Bench) -> None:
    commits = on_sqlite.ledger._writer.commits

    async def looks() -> None:
        for _ in range(3):
            assert await on_sqlite.ledger.judge_and_tell(FINE, LIMITS, AUDIENCE) == Judgement()

    on_sqlite.run(asyncio.wait_for(looks(), 60))
    assert on_sqlite.ledger._writer.commits == commits
