"""R12 group commit, R15 SQLite with one process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from hub.ledger import Ledger
from hub.ledger.bulk import Tx
from hub.ledger.engine import open_engine
from hub.ledger.values import Claim, Settlement
from hub.ledger.writer import Priority, Unit, Writer
from hub.ports import Mode
from schemas.errors import LeaseLostError, LedgerFault
from tests.contract.ledger.bench import Bench, dossier, step

# --- R12


class Stalled:
    """Holds the writer's thread, so that what is submitted meanwhile goes into one commit."""

    def __init__(self, bench: Bench) -> None:
        self._begun, self._go = threading.Event(), threading.Event()
        self.writer = bench.ledger._writer
        self.future = self.writer.submit(self._wait, Priority.RECEIPT)

    def _wait(self, _: Tx) -> None:
        self._begun.set()
        self._go.wait(10)

    async def until_queued(self, count: int) -> None:
        """The writer has no event for this: only the test wants to know."""
        while len(self.writer._queue) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)

    def __enter__(self) -> Stalled:
        self._begun.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self.future.result(10)


async def at_once(bench: Bench, settlements: Sequence[Settlement]) -> list[Any]:
    """Settle all in one group."""
    with Stalled(bench) as stalled:
        tasks = [asyncio.ensure_future(bench.ledger.settle(one)) for one in settlements]
        await stalled.until_queued(len(settlements))
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def test_r12_what_queued_while_the_last_commit_ran_is_one_commit(bench: Bench) -> None:
    ours = [bench.settlement(dossier(f"H59-{i}")) for i in range(20)]
    before = bench.ledger._writer.commits
    bench.run(at_once(bench, ours))
    assert bench.ledger._writer.commits == before + 2, "the one that stalled, then all twenty"
    assert bench.items() == ["accepted"] * 20


def test_r12_receipts_go_before_claims_and_these_before_arrivals(bench: Bench) -> None:
    order: list[Priority] = []

    def noting(priority: Priority) -> Callable[[Tx], None]:
        return lambda _: order.append(priority)

    with Stalled(bench) as stalled:
        futures = [stalled.writer.submit(noting(priority), priority) for priority in reversed(Priority)]
    for future in futures:
        future.result(10)
    assert order == sorted(Priority)


def spoilt(settlement: Settlement, **change: Any) -> Settlement:
    (candidate,) = settlement.candidates
    return replace(settlement, candidates=[replace(candidate, **change)])


@pytest.mark.parametrize("where", [0, 3, 6])
def test_r12_a_unit_that_the_database_refuses_is_found_and_parked_alone(bench: Bench, where: int) -> None:
    ours = [bench.settlement(dossier(f"H59-{i}"), cursor=None) for i in range(7)]
    ours[where] = spoilt(ours[where], changed_us=-(1 << 70))
    results = bench.run(at_once(bench, ours))
    assert [result.parked for result in results] == [i == where for i in range(7)]
    assert bench.items() == ["accepted"] * 6
    (parked,) = bench.rows("SELECT problem, body, records FROM arrival WHERE state = 'parked'")
    assert parked["problem"].startswith("the database refuses the data")
    assert parked["body"] is not None, "its bytes are kept"


def test_r12_a_nul_byte_is_found_and_its_arrival_parked_alone(bench: Bench) -> None:
    ours = [bench.settlement(dossier(f"H59-{i}")) for i in range(4)]
    ours[2] = spoilt(ours[2], key="H59-\0", lane="H59-\0")
    results = bench.run(at_once(bench, ours))
    assert [result.parked for result in results] == [False, False, True, False]
    assert bench.items() == ["accepted"] * 3
    (parked,) = bench.rows("SELECT problem FROM arrival WHERE state = 'parked'")
    assert "NUL (0x00)" in parked["problem"]


def test_r12_a_parked_arrival_moves_no_cursor(bench: Bench) -> None:
    ours = spoilt(bench.settlement(dossier(), cursor={"page": 1}), changed_us=-(1 << 70))
    assert bench.run(bench.ledger.settle(ours)).parked
    assert bench.cursor() == {}


def test_r12_one_that_lost_its_lease_fails_alone(bench: Bench) -> None:
    ours = [bench.settlement(dossier(f"H59-{i}")) for i in range(5)]
    ours[1] = replace(ours[1], epoch=77)
    results = bench.run(at_once(bench, ours))
    assert [isinstance(result, LeaseLostError) for result in results] == [i == 1 for i in range(5)]
    assert bench.items() == ["accepted"] * 4


def test_r12_a_unit_is_committed_even_where_its_waiter_was_cancelled(bench: Bench) -> None:
    async def cancel() -> None:
        with Stalled(bench) as stalled:
            waiting = asyncio.ensure_future(bench.ledger.settle(mine))
            await stalled.until_queued(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    mine = bench.settlement(dossier())
    bench.run(cancel())
    bench.settle(dossier("H59-2"))
    assert bench.items() == ["accepted", "accepted"], "and the writer lives on"


class Forgetful:
    """Commits, then says that the connection was lost: the outcome of the commit is unknown to the writer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures = 0
        transaction = Writer._transaction

        def committed_and_lost(writer: Writer, group: Sequence[Unit]) -> list[Any]:
            results = transaction(writer, group)
            if self.failures:
                self.failures -= 1
                raise sa.exc.OperationalError("COMMIT", {}, ConnectionError("lost after the commit"))
            return results

        monkeypatch.setattr(Writer, "_transaction", committed_and_lost)


def test_r12_every_unit_may_be_run_again_after_a_commit_of_unknown_outcome(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = Forgetful(monkeypatch)
    mine = bench.settlement(dossier(), cursor={"page": 1})
    forgetful.failures = 1
    settled = bench.run(bench.ledger.settle(mine))
    assert settled.again
    assert settled.counts[next(iter(settled.counts))] == 1
    assert (bench.items(), bench.revisions(), bench.cursor()) == (["accepted"], 1, {"page": 1})
    bench.clock.tick(61)
    tickets = bench.due()
    forgetful.failures = 1
    call = bench.claim(tickets)
    assert call.ids == [1], "the claim is ours"
    assert len(bench.rows("SELECT * FROM call")) == 1
    forgetful.failures = 1
    bench.finish(call, "dead", spend=True)
    assert (bench.states(), bench.row(1)["attempts"], len(bench.rows("SELECT * FROM fault"))) == (["dead"], 1, 1)
    bench.deliver(bench.settle(dossier(at=1, content="B")).tickets)
    call = bench.claim(bench.settle(step(at=2)).tickets)
    forgetful.failures = 1
    bench.finish(call)
    assert (bench.states()[-1], bench.row(3)["possibly_twice"]) == ("delivered", 0)
    assert bench.ledger.problem is None


def test_r12_while_the_database_fails_operations_wait_and_then_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = Writer._transaction
    seen: list[str | None] = []

    def failing(writer: Writer, group: Sequence[Unit]) -> list[Any]:
        seen.append(bench.ledger.problem)
        if len(seen) < 3:
            raise sa.exc.OperationalError("BEGIN", {}, ConnectionError("the server went away"))
        return transaction(writer, group)

    mine = bench.settlement(dossier())
    monkeypatch.setattr(Writer, "_transaction", failing)
    bench.run(bench.ledger.settle(mine))
    assert seen == [None, "the server went away", "the server went away"]
    assert bench.ledger.problem is None


def test_r12_a_unit_that_always_collides_fails_alone(bench: Bench) -> None:
    class CollisionError(Exception):
        sqlstate = "40P01"

    def colliding(_: Tx) -> None:
        raise sa.exc.OperationalError("UPDATE", {}, CollisionError("deadlock detected"))

    with Stalled(bench) as stalled:
        good = stalled.writer.submit(lambda tx: tx.now_us, Priority.CONTROL)
        bad = stalled.writer.submit(colliding, Priority.CONTROL)
    assert good.result(10) == bench.clock()
    with pytest.raises(LedgerFault, match="keep colliding"):
        bad.result(10)


def test_r12_a_closed_ledger_says_so(bench: Bench) -> None:
    bench.run(bench.ledger.close())
    with pytest.raises(LedgerFault, match="the ledger is closed"):
        bench.due()


def test_r12_call_ids_are_made_before_the_commit_and_rise(bench: Bench) -> None:
    ids = [bench.ledger.next_call_id() for _ in range(100)]
    assert ids == sorted(set(ids))
    assert ids[-1] < 1 << 63


# --- R15


def test_r15_a_second_process_is_refused_and_told_why(on_sqlite: Bench) -> None:
    script = (
        "import asyncio, sys\nfrom hub.ledger import Ledger\nfrom schemas.errors import LedgerFault\n"
        "try:\n    asyncio.run(Ledger(sys.argv[1], {}).open(take_over=False))\nexcept LedgerFault as e:\n    print(e)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, on_sqlite.url], capture_output=True, text=True, check=True, timeout=180
    )
    assert "another hub (process " in told.stdout
    assert "use PostgreSQL for several processes" in told.stdout
    with pytest.raises(LedgerFault, match="another hub"):
        on_sqlite.start()


def test_r15_the_lock_ends_with_its_process(on_sqlite: Bench) -> None:
    on_sqlite.run(on_sqlite.ledger.close())
    on_sqlite.ledger = on_sqlite.start()


@pytest.mark.parametrize("writer", [True, False])
def test_r15_the_database_is_durable_and_has_a_log(on_sqlite: Bench, writer: bool) -> None:
    engine = open_engine(on_sqlite.url, writer=writer)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA query_only").scalar() == (not writer)
    engine.dispose()


def test_r15_a_reader_cannot_write(on_sqlite: Bench) -> None:
    engine = open_engine(on_sqlite.url, writer=False)
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError, match="readonly"):
        connection.exec_driver_sql("DELETE FROM gate")
    engine.dispose()


def test_r15_a_long_read_blocks_no_writer_and_sees_one_state(bench: Bench) -> None:
    bench.settle(dossier())
    engine = open_engine(bench.url, writer=False)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM item")).scalar() == 1
        bench.settle(dossier("H59-2"))
        if not bench.postgres:
            assert connection.execute(sa.text("SELECT count(*) FROM item")).scalar() == 1
    engine.dispose()
    assert len(bench.items()) == 2


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_r15_a_ledger_in_memory_is_refused(url: str) -> None:
    with pytest.raises(LedgerFault, match="in memory would lose everything"):
        asyncio.run(Ledger(url, {}).open(take_over=False))


@pytest.mark.parametrize(
    ("url", "said"), [("mysql://h/d", "mysql is not supported"), ("hub.db", "no address of a database")]
)
def test_r15_another_database_is_refused(url: str, said: str) -> None:
    with pytest.raises(LedgerFault, match=said):
        open_engine(url, writer=True)


def test_a_claim_that_nobody_waits_for_any_more_claims_nothing(bench: Bench) -> None:
    """It may wait long for room on the disk; its loop may have failed meanwhile and given up all that it claimed."""
    tickets = bench.settle(dossier()).tickets
    go_on = threading.Event()

    async def main() -> None:
        busy = bench.ledger._writer.submit(lambda _: go_on.wait(10), Priority.RECEIPT)
        members = [(ticket.dispatch_id, ticket.gen) for ticket in tickets]
        claim = Claim(bench.ledger.next_call_id(), Mode.NEW, "m", "p", members)
        claiming = asyncio.ensure_future(bench.ledger.claim("n", [claim]))
        await asyncio.sleep(0)
        claiming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claiming
        go_on.set()
        await asyncio.wrap_future(busy)
        assert await bench.ledger.abandon("n") == 0

    bench.run(main())
    assert bench.states() == ["queued"]
