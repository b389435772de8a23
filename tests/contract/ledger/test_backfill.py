"""What was left out and is wanted after all: dispatches made later, on both databases."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from functools import partial
from typing import Any

from hub.ledger.backfill import Filled, fill, wait_for_their_turn
from hub.ledger.left_out import agencies_of, arrivals_with_left_out, before_start, let_in, needed
from hub.ledger.read import open_reader
from hub.ledger.states import ItemState
from hub.ledger.views import DeadFilter
from tests.contract.ledger.bench import START, Bench, dossier, figure, step

OLD = before_start(START)


def destination(bench: Bench, name: str) -> None:
    """Add a destination, as a restart with another configuration does."""
    bench.rule(name)
    bench.die()


def filled(bench: Bench, *to: str, after: int = 0, at_most: int = 100, start: dict[str, int] | None = None) -> Filled:
    def route(source: str, kind: str, agency: str | None) -> Collection[str]:
        return to

    return bench.run(bench.ledger.commit(lambda tx: fill(tx, to, route, start or {}, after, at_most)))


def test_the_newest_revision_of_all_goes_to_a_new_destination_the_dossier_first(bench: Bench) -> None:
    destination(bench, "late")
    bench.settle(step(at=5), dossier(at=10, content="A"))
    bench.settle(dossier(at=20, content="B"), step(at=3))
    assert filled(bench, "late").made == {"late": 3}
    rows = bench.rows("SELECT kind, number, state, due_us FROM dispatch WHERE destination = 'late' ORDER BY id")
    assert [(row["kind"], row["number"]) for row in rows] == [
        ("dossier.v1", 2), ("dossier-step.v1", 1), ("dossier-step.v1", 1),
    ]  # fmt: skip
    assert [row["state"] for row in rows] == ["waiting"] * 3
    assert [row["due_us"] is not None for row in rows] == [True, False, False]
    assert len(bench.drain("late")) == 3
    assert filled(bench, "late").made == {}, "run again it makes nothing"


def test_what_is_not_counted_is_routed_by_its_own_agency_and_is_in_no_report(bench: Bench) -> None:
    destination(bench, "late")
    bench.settle(figure("A|2017|H59.05", agency="H59.05"), figure("A|2017|H59.06", agency="H59.06"))
    asked: list[str | None] = []

    def route(source: str, kind: str, agency: str | None) -> Collection[str]:
        asked.append(agency)
        return ("late",) if agency == "H59.05" else ()

    made = bench.run(bench.ledger.commit(lambda tx: fill(tx, ("late",), route, {}, 0, 100)))
    assert made.made == {"late": 1}
    assert sorted(filter(None, asked)) == ["H59.05", "H59.06"]
    assert bench.rows("SELECT h.key FROM dispatch d JOIN head h ON h.id = d.head_id WHERE destination = 'late'") == [
        {"key": "A|2017|H59.05"}
    ]
    with open_reader(bench.url) as reader:
        assert reader.report(date(2017, 4, 1)) == []
        assert reader.dead(DeadFilter(agency="H59.05")) == []


def test_it_goes_on_where_it_stopped(bench: Bench) -> None:
    destination(bench, "late")
    bench.settle(*(dossier(f"H59-{n}") for n in range(5)))
    after, made, looked = 0, 0, 2
    while looked == 2:
        batch = filled(bench, "late", after=after, at_most=2)
        after, looked = batch.after, batch.looked
        made += batch.made.get("late", 0)
    assert made == 5


def test_a_revision_that_came_while_a_canary_was_narrow_goes_behind_what_was_sent(bench: Bench) -> None:
    destination(bench, "other")
    bench.deliver(bench.settle(dossier(at=0)).tickets)
    bench.settle(dossier(at=10, content="B"), to=("other",))
    assert filled(bench, "n").made == {"n": 1}
    bench.drain()
    assert bench.states() == ["delivered", "delivered"]


def test_what_start_from_leaves_out_is_not_made_but_for_a_dossier_that_something_late_needs(bench: Bench) -> None:
    destination(bench, "late")
    bench.settle(dossier("H59-1", at=-10), step("H59-1", at=-9), step("H59-1", at=5), dossier("H59-2", at=-10))
    assert filled(bench, "late", start={"s": START}).made == {"late": 2}


def left_out(bench: Bench, *specs: Any, source: str = "s") -> int:
    return bench.settle(*specs, source=source).arrival_id


def let(bench: Bench, arrival_id: int, *specs: Any) -> dict[ItemState, int]:
    settlement = bench.settlement(*specs)
    settled = bench.run(bench.ledger.commit(lambda tx: let_in(tx, arrival_id, settlement, wait_for_their_turn)))
    return dict(settled.counts)


def test_a_record_that_was_left_out_is_settled_from_its_arrival_and_the_books_balance(bench: Bench) -> None:
    first = left_out(bench, dossier("H59-1", no_route=OLD), dossier("H59-2"))
    assert bench.items() == ["no-route", "accepted"]
    assert let(bench, first, dossier("H59-1"), dossier("H59-2")) == {ItemState.ACCEPTED: 1}
    assert sorted(bench.items()) == ["accepted", "accepted"]
    assert let(bench, first, dossier("H59-1"), dossier("H59-2")) == {}, "run again it finds nothing"
    assert len(bench.drain()) == 1, "the other one is queued already"


def test_r9_an_older_state_that_is_let_in_late_is_stale(bench: Bench) -> None:
    first = left_out(bench, dossier(at=0, no_route=OLD))
    bench.settle(dossier(at=10, content="B"))
    assert let(bench, first, dossier(at=0)) == {ItemState.STALE: 1}


def test_a_dossier_is_needed_once_something_of_it_was_let_in(bench: Bench) -> None:
    first = left_out(bench, dossier("H59-1", no_route=OLD), dossier("H59-2", no_route=OLD))
    left_out(bench, step("H59-3", no_route=OLD), dossier("H59-4", no_route="canary: only H59.15"))
    assert bench.run(bench.ledger.ask(lambda tx: needed(tx, None))) == []
    bench.settle(step("H59-1", at=5))
    for lanes in (None, {"H59-1", "H59-9"}):
        found = bench.run(bench.ledger.ask(partial(needed, lanes=lanes)))
        assert [(one.arrival_id, one.row) for one in found] == [(first, 0)]
    assert bench.run(bench.ledger.ask(lambda tx: needed(tx, {"H59-2"}))) == []


def test_arrivals_whose_reason_still_holds_are_not_read_again(bench: Bench) -> None:
    first = left_out(bench, dossier("H59-1", no_route=OLD))
    second = left_out(bench, dossier("H59-2", no_route="canary: only H59.15"))
    third = left_out(bench, dossier("H59-3", no_route=OLD), source="other")

    def found(still: dict[str, str], after: int = 0) -> list[int]:
        return bench.run(bench.ledger.ask(lambda tx: arrivals_with_left_out(tx, ["s", "other"], still, after)))

    assert found({}) == [first, second, third]
    assert found({"s": OLD}) == [second, third]
    assert found({"s": OLD}, second) == [third]


def test_a_dossier_that_was_left_out_has_no_agency_that_is_known(bench: Bench) -> None:
    left_out(bench, dossier("H59-1", no_route="canary: only H59.15"))
    assert bench.run(bench.ledger.ask(lambda tx: agencies_of(tx, {"H59-1", "H59-2"}))) == {"H59-1": ""}
