"""Heartbeats, the leases of sources, and clocks that step back (R7, R9, R13)."""

from __future__ import annotations

from dataclasses import replace

from hub.ledger.ledger import WORKER_TTL_S
from hub.ledger.values import SourceLease
from tests.contract.ledger.bench import SECOND, START, Bench, dossier


def leased(bench: Bench, source: str = "s") -> SourceLease:
    lease = bench.run(bench.ledger.lease_source(source))
    assert lease is not None
    return lease


def owner(bench: Bench, source: str = "s") -> tuple[str | None, int]:
    (row,) = bench.rows("SELECT owner, owner_until_us FROM source WHERE name = :n", n=source)
    return row["owner"], row["owner_until_us"]


def test_r13_a_heartbeat_extends_the_leases_of_the_sources_that_its_worker_owns(bench: Bench) -> None:
    leased(bench)
    # A lease that is nearly over, on the database's clock whichever that is.
    bench.execute("UPDATE source SET owner_until_us = owner_until_us - 10000000 WHERE name = 's'")
    _, before = owner(bench)
    bench.run(bench.ledger.beat())
    name, after = owner(bench)
    assert name == bench.ledger.worker
    assert after - before >= 10 * SECOND
    assert owner(bench, "other") == (None, 0), "what nobody reads stays so"


def test_r13_a_heartbeat_revives_no_lease_that_is_over_and_touches_nobody_elses(bench: Bench) -> None:
    leased(bench)
    bench.execute("UPDATE source SET owner_until_us = 1 WHERE name = 's'")
    bench.execute("UPDATE source SET owner = 'another', owner_until_us = 4000000000000000 WHERE name = 'other'")
    bench.run(bench.ledger.beat())
    assert owner(bench) == (bench.ledger.worker, 1)
    assert owner(bench, "other") == ("another", 4_000_000_000_000_000)


def test_r13_a_page_that_takes_longer_than_a_lease_is_settled_by_who_read_it(on_sqlite: Bench) -> None:
    made = on_sqlite.settlement(dossier(), cursor={"page": 1})
    for _ in range(4):
        on_sqlite.clock.tick(WORKER_TTL_S / 2)
        on_sqlite.run(on_sqlite.ledger.beat())
        on_sqlite.ledger.worker, mine = "another", on_sqlite.ledger.worker
        assert on_sqlite.run(on_sqlite.ledger.lease_source("s")) is None
        on_sqlite.ledger.worker = mine
    on_sqlite.run(on_sqlite.ledger.settle(made))
    assert on_sqlite.cursor() == {"page": 1}


def test_r9_the_end_of_a_poll_is_never_earlier_than_that_of_the_one_before(bench: Bench) -> None:
    ends = []
    for step_s in (0, 60, -3600, 1, 0):
        bench.clock.tick(step_s)
        bench.run(bench.ledger.polled(leased(bench)))
        ends.append(leased(bench).polled_us)
    assert ends[0] == START
    assert ends == sorted(set(ends))


def test_r9_a_poll_without_source_times_is_not_stale_after_the_clock_stepped_back(bench: Bench) -> None:
    bench.settle(dossier(at=None, content="A"))
    bench.run(bench.ledger.polled(leased(bench)))
    bench.clock.tick(-3600)
    newer = bench.settlement(dossier(at=None, content="B"))
    bench.run(bench.ledger.settle(replace(newer, poll_floor_us=leased(bench).polled_us + 1)))
    assert bench.items() == ["accepted", "accepted"]
    # Without the floor the wall clock alone would say that it is older.
    bench.settle(dossier(at=None, content="C"))
    assert bench.items()[-1] == "stale"


def test_r12_no_two_incarnations_give_a_call_the_same_id_whatever_their_clocks_say(bench: Bench) -> None:
    before = [bench.ledger.next_call_id() for _ in range(3)]
    bench.clock.tick(-3600)
    bench.die()
    after = [bench.ledger.next_call_id() for _ in range(3)]
    assert len({*before, *after}) == 6
    assert bench.ledger.next_call_id() - after[0] == 3, "numbered one after the other, not drawn"


def test_r12_two_workers_at_once_give_their_calls_ids_of_their_own(on_postgres: Bench) -> None:
    others = [on_postgres.start() for _ in range(3)]
    ids = [worker.next_call_id() for worker in (on_postgres.ledger, *others) for _ in range(100)]
    assert len(set(ids)) == 400
    assert max(ids) < 2**63
    for other in others:
        on_postgres.run(other.close())
