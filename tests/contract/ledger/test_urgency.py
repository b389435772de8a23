"""R2 and R6: of a backlog, lanes of unfinished dossiers that are due soon go first."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from hub.ledger import urgency
from hub.ledger.bulk import Query
from hub.ledger.read import open_reader
from hub.ledger.urgency import RANKS_END_US, is_rank, rank_us
from hub.ledger.values import from_us
from hub.ledger.writer import Priority
from schemas.local_time import local_date
from schemas.record import Counted
from tests.contract.ledger.bench import START, Bench, Spec, dossier, step

TODAY = local_date(from_us(START))
HOUR_S = 3600


def due_in(days: int | None, *, finished: bool = False) -> dict[str, Any]:
    """A dossier's counted columns: due in so many days from the start of the clock."""
    due_on = None if days is None else TODAY + timedelta(days=days)
    return {"counted": Counted("A", "P", 9 if finished else 2, TODAY, due_on, TODAY if finished else None)}


def full(bench: Bench, *specs: Spec, window: int = 1) -> None:
    """A backlog: these wait, due in the order in which they are given, and the window takes few of them."""
    bench.rule(window=window)
    bench.gate("paused")
    for spec in specs:
        bench.settle(spec)
        bench.clock.tick(0.001)
    bench.gate("open")


def look(bench: Bench, destination: str = "n") -> int:
    return bench.run(bench.ledger.look_for_urgent(destination))


def ranks(bench: Bench) -> list[int]:
    """The dispatches that have a rank."""
    found = bench.rows("SELECT id FROM dispatch WHERE due_us < :end ORDER BY due_us, id", end=RANKS_END_US)
    return [row["id"] for row in found]


def keys(bench: Bench, ids: list[int]) -> list[str]:
    rows = bench.rows("SELECT d.id, h.key FROM dispatch d JOIN head h ON h.id = d.head_id")
    names = {row["id"]: row["key"] for row in rows}
    return [names[id_] for id_ in ids]


def test_r2_of_a_backlog_urgent_lanes_go_first_by_their_due_date_and_the_rest_by_due_time(bench: Bench) -> None:
    full(
        bench,
        dossier("none", **due_in(None)),
        dossier("overdue", **due_in(-1)),
        dossier("far", **due_in(3)),
        dossier("in two", **due_in(2)),
        dossier("today", **due_in(0)),
        dossier("finished", **due_in(0, finished=True)),
        dossier("tomorrow", **due_in(1)),
        dossier("unknown to counts"),
    )
    assert look(bench) == 3
    assert look(bench) == 0, "what has its rank is found no more"
    rest = ["none", "overdue", "far", "finished", "unknown to counts"]
    assert keys(bench, bench.drain()) == ["today", "tomorrow", "in two", *rest]


def test_r2_within_one_turn_the_earliest_due_date_is_published_first(bench: Bench) -> None:
    full(bench, *(dossier(f"H59-{n}", **due_in(2 - n)) for n in range(3)), dossier("H59-0a"), window=3)
    look(bench)
    assert [ticket.key for ticket in bench.due()] == ["H59-2", "H59-1", "H59-0"]


def test_r2_where_all_that_is_due_finds_room_nobody_is_looked_for(bench: Bench) -> None:
    full(bench, dossier("none"), dossier("today", **due_in(0)), window=2)
    assert look(bench) == 0
    bench.rule(window=1)
    assert look(bench) == 1


def test_r2_urgency_can_be_switched_off_and_widened(bench: Bench) -> None:
    full(bench, dossier("none"), dossier("today", **due_in(0)), dossier("in nine", **due_in(9)))
    bench.rule(urgent_days=0)
    assert look(bench) == 0
    bench.rule(urgent_days=9)
    assert look(bench) == 2


def test_r2_behind_a_closed_gate_urgent_ones_are_found_and_are_the_first_when_it_opens(bench: Bench) -> None:
    bench.rule(window=1)
    bench.gate("held")
    bench.settle(dossier("none"), dossier("today", **due_in(0)))
    assert look(bench) == 1
    bench.gate("open")
    assert [ticket.key for ticket in bench.due()] == ["today"]


def test_r2_a_backoff_is_kept_and_its_end_found(bench: Bench) -> None:
    full(bench, dossier("none"), dossier("today", **due_in(0)))
    look(bench)
    (ticket,) = bench.due()
    bench.finish(bench.claim([ticket]), "waiting", due_s=HOUR_S)
    assert (look(bench), bench.row(ticket.dispatch_id)["due_us"]) == (0, bench.clock() + HOUR_S * 1_000_000)
    bench.settle(dossier("another"))
    bench.clock.tick(HOUR_S)
    bench.settle(dossier("a third"))
    assert look(bench) == 1


def test_r2_a_day_later_the_next_are_urgent(bench: Bench) -> None:
    full(bench, dossier("none"), dossier("far", **due_in(3)))
    assert look(bench) == 0
    bench.clock.tick(24 * HOUR_S)
    assert look(bench) == 1


def test_r6_the_front_of_an_urgent_lane_goes_first_with_its_order_and_its_newest_state(bench: Bench) -> None:
    number = "H59-1"
    full(
        bench,
        dossier("none"),
        dossier(number, **due_in(0)),
        dossier(number, at=1, content="B", **due_in(1)),
        step(number, at=2),
    )
    assert look(bench) == 1, "the lane has one front"
    sent = bench.drain()
    assert keys(bench, sent) == [number, f"{number}|2|An", "none"]
    assert bench.states() == ["delivered", "superseded", "delivered", "delivered"]


def test_r6_a_step_is_as_urgent_as_its_dossier(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier(**due_in(1))).tickets)
    full(bench, dossier("none"), step(at=2))
    assert look(bench) == 1
    assert keys(bench, bench.drain()) == ["H59-1|2|An", "none"]


def test_r2_what_has_moved_on_since_it_was_found_is_left_alone(bench: Bench) -> None:
    full(bench, dossier("a", **due_in(0)), dossier("b", **due_in(0)), dossier("c", **due_in(0)))
    (ticket,) = bench.due()
    bench.finish(bench.claim([ticket]), "waiting", due_s=60)

    found = partial(urgency.rank, due_on=TODAY, ids=[1, 2, 3])
    assert bench.run(bench.ledger._writer.run(found, Priority.RELAY)) == 2
    assert ranks(bench) == [2, 3]


def test_r2_looks_go_on_where_the_last_one_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urgency, "_END", Query(lambda _: urgency._end(False, 2)))
    full(bench, *(dossier(f"H59-{n}", **due_in(0 if n in (1, 4) else None)) for n in range(5)))
    assert [look(bench) for _ in range(5)] == [1, 0, 1, 0, 0]
    assert keys(bench, ranks(bench)) == ["H59-1", "H59-4"]


def test_r2_a_clock_that_is_set_back_leaves_ranks_alone(bench: Bench) -> None:
    full(bench, dossier("none"), dossier("today", **due_in(0)))
    look(bench)
    bench.clock.tick(-HOUR_S)
    bench.run(bench.ledger.beat())
    assert ranks(bench) == [2]


def test_r2_a_rank_is_shown_to_nobody_as_a_time(bench: Bench) -> None:
    full(bench, dossier("none"), dossier("today", **due_in(0)))
    look(bench)
    with open_reader(bench.url) as reader:
        (state,) = reader.queues()
        (view,) = reader.trace("today").dispatches
    assert (state.urgent, view.due_at) == (1, None)
    assert state.next_due_at is not None
    assert state.next_due_at.year == 2017
    assert view.waits_for == "it is urgent: it goes before the others, as soon as there is room"


def test_ranks_order_days_and_lie_before_all_times() -> None:
    assert rank_us(date(2017, 3, 20)) < rank_us(date(2017, 3, 21)) <= rank_us(date.max) < RANKS_END_US
    assert is_rank(rank_us(date.max))
    assert not is_rank(START)


def test_r2_a_look_walks_along_the_indexes(bench: Bench) -> None:
    full(bench, dossier("none"), dossier("today", **due_in(0)))
    explain = "EXPLAIN" if bench.postgres else "EXPLAIN QUERY PLAN"
    given = {"destination": "n", "after_us": 0, "until_us": START, "first": "2017-03-20", "last": "2017-03-22"}
    sql, names, fixed = urgency._URGENT._compile(bench.postgres)
    values: Any = {**fixed, **given}
    with bench.db.connect() as connection:
        plan = connection.exec_driver_sql(
            f"{explain} {sql}", values if bench.postgres else tuple(values[name] for name in names)
        ).all()
    told = "\n".join(" ".join(map(str, row)) for row in plan)
    assert "head_key" in told
    # Of so few rows PostgreSQL may take any index.
    assert "dispatch_due" in told or bench.postgres
    assert "Seq Scan" not in told
    assert "SCAN" not in told
