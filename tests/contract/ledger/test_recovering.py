"""R17: after a restore everything open is treated as perhaps sent, by legal steps only, on both databases."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest

from hub.ledger.ledger import WORKER_TTL_S
from hub.ledger.recovering import Marked, begin, end, mark
from hub.ledger.restored import ahead
from schemas.errors import OperationRefused
from tests.contract.ledger.bench import START, Bench, dossier, step


def marked(bench: Bench) -> Marked:
    rules, ids = bench.rules["n"], bench.ledger.next_call_id
    return bench.run(bench.ledger.commit(lambda tx: mark(tx, "n", rules, ids)))


def begun(bench: Bench) -> int:
    if bench.postgres:
        bench.execute("UPDATE worker SET beat_us = beat_us - 20000000")
    return bench.run(bench.ledger.commit(lambda tx: begin(tx, "lan", bench.ledger.worker, WORKER_TTL_S)))


def test_r17_a_create_is_looked_up_and_an_update_is_sent_again(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    bench.deliver(bench.settle(dossier("H59-1", at=0)).tickets)
    bench.settle(dossier("H59-1", at=10, content="B"), dossier("H59-2"))
    assert marked(bench) == Marked(look_ups=1, updates=1)
    assert bench.states() == ["delivered", "waiting", "unknown"]
    assert [one.lane for one in bench.unknowns()] == ["H59-2"]
    assert bench.resolve({"H59-2": True}) == 1
    tickets = bench.due()
    assert [(ticket.lane, ticket.standing) for ticket in tickets] == [("H59-1", 1), ("H59-2", 1)]
    bench.deliver(tickets)
    assert [row["possibly_twice"] for row in bench.rows("SELECT possibly_twice FROM dispatch ORDER BY id")] == [0, 1, 1]


def test_r17_a_create_that_the_portal_does_not_show_is_sent_as_new_and_was_not_sent_before(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    bench.settle(dossier())
    marked(bench)
    bench.resolve({"H59-1": False})
    (ticket,) = bench.due()
    assert (ticket.standing, bench.row(ticket.dispatch_id)["possibly_twice"]) == (0, 0)


def test_r17_where_nobody_can_be_asked_it_goes_again_and_counts_as_possibly_twice(bench: Bench) -> None:
    bench.settle(dossier(), step(at=1), step(at=2))
    assert marked(bench) == Marked(creates=1, events=2)
    assert bench.states() == ["waiting"] * 3
    assert {row["possibly_twice"] for row in bench.rows("SELECT possibly_twice FROM dispatch")} == {1}
    assert bench.drain() == [1, 2, 3]


def test_r17_an_older_state_is_never_sent_behind_a_newer_one_not_even_across_an_event(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier(at=0)).tickets)
    bench.gate("paused")
    bench.settle(dossier(at=10, content="B"), step(at=15), dossier(at=20, content="C"))
    bench.gate("open")
    assert marked(bench) == Marked(updates=1, events=1, superseded=1)
    assert bench.states() == ["delivered", "superseded", "waiting", "waiting"]
    assert bench.drain() == [3, 4]


def test_r17_events_that_an_operator_decides_about_are_dead_letters(bench: Bench) -> None:
    bench.rule(resend_events=False, can_look_up=True)
    bench.settle(dossier("H59-1"), step("H59-1", at=1), step("H59-1", at=2), dossier("H59-2"), step("H59-2", at=3))
    assert marked(bench) == Marked(look_ups=2, to_decide=3)
    assert bench.states() == ["unknown", "dead", "dead", "unknown", "dead"]
    faults = bench.rows("SELECT fault, code FROM fault WHERE dispatch_id IN (2, 3, 5)")
    assert [(row["fault"], row["code"]) for row in faults] == [("unknown", "restored")] * 3
    bench.resolve({"H59-1": True, "H59-2": True})
    bench.drain()
    assert bench.replay(2, 3, 5).enqueued == 3
    assert bench.drain() == [2, 5, 3]


def test_r17_what_was_out_when_the_backup_was_made_is_out_no_more(bench: Bench) -> None:
    bench.rule(can_look_up=True)
    bench.claim(bench.settle(dossier("H59-1")).tickets)
    bench.settle(dossier("H59-2"))
    call = bench.claim(bench.settle(dossier("H59-3")).tickets)
    bench.finish(call, "unknown")
    assert marked(bench) == marked(bench) == Marked(look_ups=3), "run twice it marks the same again"
    assert bench.states() == ["unknown"] * 3


def test_r17_nothing_from_before_passes_for_anything_made_anew(bench: Bench) -> None:
    bench.settle(dossier())
    before, call_id = bench.ledger.identity, bench.ledger.next_call_id()
    begun(bench)
    assert bench.rows("SELECT state, reason FROM gate WHERE destination = 'n'") == [
        {"state": "paused", "reason": "recovering: lan"}
    ]
    bench.die()
    assert bench.ledger.identity != before
    assert bench.ledger.next_call_id() > call_id + (1 << 50)
    once = bench.ledger.identity
    bench.die()
    assert bench.ledger.identity == once, "only a recovery changes it"
    begun(bench)
    assert bench.run(bench.ledger.commit(lambda tx: end(tx, "lan"))) == ["n"]
    assert bench.rows("SELECT state FROM gate WHERE destination = 'n'") == [{"state": "open"}]


def test_r17_a_gate_that_a_person_paused_stays_paused(bench: Bench) -> None:
    bench.settle(dossier())
    bench.gate("paused")
    begun(bench)
    bench.run(bench.ledger.commit(lambda tx: end(tx, "lan")))
    assert bench.rows("SELECT reason FROM gate WHERE destination = 'n'") == [{"reason": "by hand"}]


def test_r17_a_gate_that_a_person_paused_meanwhile_stays_paused(bench: Bench) -> None:
    begun(bench)
    bench.gate("open")
    bench.gate("paused")
    assert bench.run(bench.ledger.commit(lambda tx: end(tx, "lan"))) == []
    assert bench.run(bench.ledger.gate("n")).state == "paused"


def test_r17_a_portal_in_maintenance_stays_in_it(bench: Bench) -> None:
    bench.run(bench.ledger.maintain("n", START, "until 18:00"))
    for _ in range(2):
        begun(bench)
    assert bench.run(bench.ledger.gate("n")).state == "paused"
    assert bench.run(bench.ledger.commit(lambda tx: end(tx, "lan"))) == []
    gate = bench.run(bench.ledger.gate("n"))
    assert (gate.state, gate.reason) == ("maintenance", "until 18:00")
    assert bench.run(bench.ledger.end_maintenance("n"))


def test_r17_a_ledger_that_others_have_open_is_not_recovered(postgres_ledger: str) -> None:
    bench = Bench(postgres_ledger)
    other = bench.start()
    with pytest.raises(OperationRefused, match="stop every hub"):
        bench.run(bench.ledger.commit(lambda tx: begin(tx, "lan", bench.ledger.worker, WORKER_TTL_S)))
    bench.run(other.close())
    bench.close()


def test_r17_a_ticket_that_the_ledger_has_not_made_yet_tells_of_a_restore(bench: Bench) -> None:
    (ticket,) = bench.settle(dossier()).tickets

    def newer(*tickets: tuple[int, int]) -> bool:
        return bench.run(bench.ledger.ask(lambda tx: ahead(tx, tickets)))

    assert not newer((ticket.dispatch_id, ticket.gen))
    assert newer((ticket.dispatch_id, ticket.gen), (ticket.dispatch_id + 1, 1))
    assert newer((ticket.dispatch_id, ticket.gen + 1))


def test_r17_a_sqlite_file_that_went_back_in_time_is_noticed(
    sqlite_ledger: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(sqlite_ledger)
    file = tmp_path / "hub.db"
    bench.die()
    assert not caplog.records
    bench.run(bench.ledger.close())
    shutil.copy(file, tmp_path / "backup.db")
    bench.ledger = bench.start()
    bench.clock.tick(600)
    bench.run(bench.ledger.beat())
    bench.run(bench.ledger.close())
    bench.db.dispose()
    for name in ("hub.db-wal", "hub.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    os.replace(tmp_path / "backup.db", file)
    for _ in range(2):
        caplog.clear()
        bench.ledger = bench.start()
        (said,) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
        assert "it was restored from a backup; stop the hub and run `hub recover`" in said
        assert "20/03/2017 16:03:20" in said
        bench.run(bench.ledger.close())
    bench.ledger = bench.start()
    begun(bench)
    caplog.clear()
    bench.die()
    assert not caplog.records
    bench.close()
