"""Two workers truly at once, one of them held in mid-transaction: no promotion is lost between them (R5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from hub.ledger.bulk import Tx
from hub.ledger.engine import open_engine
from hub.ledger.sending import claim, finish
from hub.ledger.settle import settle
from hub.ledger.values import Claim, Outcome
from hub.ports import Mode, Ticket
from tests.contract.ledger.bench import Bench, dossier, step

PATIENCE_S = 90.0


def while_held(bench: Bench, unit: Callable[[Tx], Any], other: Callable[[], Any]) -> tuple[Any, Any]:
    """Run `unit`, and before it commits begin `other`; commit once that waits for a lock, or has not needed any."""
    engine = open_engine(bench.url, writer=True)
    with ThreadPoolExecutor(1) as thread:
        with engine.begin() as connection:
            mine = unit(Tx(connection, bench.clock(), True))
            theirs: Future[Any] = thread.submit(other)
            give_up_at = time.monotonic() + PATIENCE_S
            while not theirs.done() and not waiting(bench):
                assert time.monotonic() < give_up_at
                time.sleep(0.01)
        result = theirs.result(PATIENCE_S)
    engine.dispose()
    return mine, result


def waiting(bench: Bench) -> bool:
    sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(bench.rows(sql))


def nobody_is_stranded(bench: Bench, tickets: Sequence[Ticket]) -> None:
    due = [ticket.dispatch_id for ticket in (*tickets, *bench.due())]
    assert due == [2], "#2 waits, nothing of its lane is out, and nobody will look for it"
    assert bench.run(bench.ledger.sweep("n")) == 0


def test_r5_a_finish_waits_for_a_settle_of_its_lane_and_promotes_what_that_brought(on_postgres: Bench) -> None:
    bench = on_postgres
    call = bench.claim(bench.settle(dossier()).tickets)
    page = bench.settlement(step(at=1))
    _, done = while_held(bench, lambda tx: settle(tx, page, bench.rules).tickets, lambda: bench.finish(call))
    nobody_is_stranded(bench, done.tickets)


def test_r5_a_settle_waits_for_a_finish_of_its_lane_and_finds_it_free(on_postgres: Bench) -> None:
    bench = on_postgres
    call = bench.claim(bench.settle(dossier()).tickets)
    page = bench.settlement(step(at=1))
    outcomes = [Outcome(1, call.call_id, "delivered")]
    _, settled = while_held(
        bench,
        lambda tx: finish(tx, "n", outcomes, bench.rules["n"]).tickets,
        lambda: bench.run(bench.ledger.settle(page)),
    )
    nobody_is_stranded(bench, settled.tickets)


def test_r1_of_two_workers_that_claim_the_same_ticket_at_once_one_gets_it(on_postgres: Bench) -> None:
    bench = on_postgres
    (ticket,) = bench.settle(dossier()).tickets
    members = [(ticket.dispatch_id, ticket.gen)]
    mine, theirs = while_held(
        bench,
        lambda tx: claim(tx, "n", "another", [Claim(1, Mode.NEW, "m", "p", members)]),
        lambda: bench.run(bench.ledger.claim("n", [Claim(2, Mode.NEW, "m", "p", members)])),
    )
    assert (mine.ids, theirs.ids) == ({1}, set())
    assert bench.row(1)["call_id"] == 1
