"""Refused items: finding them, doing them again after a mend, dismissing them; the books balance at every end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from hub.ledger.audit import By
from hub.ledger.items import Found, ItemFilter, Position
from hub.ledger.items import search as searching
from hub.ledger.open_errors import refused_by_portals
from hub.ledger.read import open_reader
from hub.ledger.states import ItemState
from hub.ledger.values import Refusal, Settled, from_us
from hub.ledger.views import DeadFilter
from schemas.errors import OperationRefused
from schemas.record import Counted
from tests.contract.ledger.bench import Bench, Spec, dossier, refused, step

LAN = By("lan", "đã xử lý qua điện thoại")


def wrong(row: int, raw: str, state: ItemState = ItemState.REJECTED, key: str | None = None, **first: Any) -> Refusal:
    """A refused row with what was wrong in it."""
    problem = {"mapping": "m", "field": "status", "path": "TrangThai", "value": "Chờ", "reason": "bad", **first}
    return Refusal(row, 0, "dossier.v1", key, state, "bad", orjson.dumps([problem]).decode(), raw)


def search(bench: Bench, **wanted: Any) -> Found:
    with open_reader(bench.url) as reader:
        return reader.items(ItemFilter(**wanted))


def ids(bench: Bench, **wanted: Any) -> list[str]:
    return [item.id for item in search(bench, **wanted).items]


def again(
    bench: Bench, arrival: int, *specs: Spec, refusals: Sequence[Refusal] = (), only: set[Position] | None = None,
    source: str = "s", to: Sequence[str] = ("n",), by: By | None = LAN,
) -> Settled:  # fmt: skip
    """Do an arrival again, as if the mappings now made these records and refusals of it."""
    settlement = bench.settlement(*specs, refusals=refusals, source=source, to=to)
    return bench.run(bench.ledger.redo(arrival, settlement, only=only, by=by))


def deeds(bench: Bench) -> list[tuple[str, str, int]]:
    return [(one.what, one.subject, one.count) for one in bench.run(bench.ledger.operations())]


# --- finding ----------------------------------------------------------------------------------------------------------


def test_items_are_counted_by_cause_and_named_by_their_place(bench: Bench) -> None:
    first = bench.settle(refusals=[wrong(0, "a"), wrong(1, "b", ItemState.PARKED, field="agency", reason="unknown")])
    page = bench.settle(undecodable="no XML", label="hoso-0001.csv")
    bench.settle(dossier("H59-9", no_route="no route takes it"))
    found = search(bench)
    assert [item.id for item in found.items] == [f"{first.arrival_id}.0.0", f"{first.arrival_id}.1.0",
                                                 str(page.arrival_id)]  # fmt: skip
    assert [item.state for item in found.items] == ["rejected", "parked", "unreadable"]
    assert {(one.source, one.state, one.field, one.reason, one.count) for one in found.causes} == {
        ("s", "rejected", "status", "bad", 1),
        ("s", "parked", "agency", "unknown", 1),
        ("s", "unreadable", None, "no XML", 1),
    }
    assert search(bench, everything=True).total == 4
    assert [one.state for one in search(bench, state="no-route").items] == ["no-route"]


def test_everything_is_counted_and_no_more_kept_than_asked_for(bench: Bench) -> None:
    for page in range(3):
        bench.settle(refusals=[wrong(row, f"{page}-{row}") for row in range(400)])
    found = search(bench, limit=5)
    assert (found.total, len(found.items), found.causes[0].count) == (1200, 5, 1200)


def test_the_few_are_found_without_reading_what_was_accepted(on_sqlite: Bench) -> None:
    asked: list[str] = []
    end = from_us(on_sqlite.clock())
    with on_sqlite.db.connect() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *one: asked.append(one[2]))
        searching(connection, ItemFilter())
        refused_by_portals(connection, end)
    plans = [row["detail"] for sql in asked for row in on_sqlite.rows(f"EXPLAIN QUERY PLAN {plain(sql)}")]
    assert any("item_refused" in plan for plan in plans)
    assert [plan for plan in plans if plan.startswith("SCAN") and "dispatch_dead" not in plan] == []


def plain(sql: str) -> str:
    """A statement whose values do not matter, for its plan."""
    return sql.replace("?", "0")


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        ({"source": "other"}, [3]),
        ({"state": "parked"}, [1]),
        ({"kind": "dossier-step.v1"}, []),
        ({"field": "due_at"}, [2]),
        ({"path": "hẹntrả"}, [2]),
        ({"text": "CHỜ"}, [0, 1]),
        ({"text": "chờ".encode().decode() + "\u0300"}, []),
        ({"text": "cho\u031b\u0300"}, [0, 1]),
        ({"agency": "h59.15"}, [0, 1]),
        ({"agency": "H59.34"}, []),
        ({"key": "H59-1"}, [1]),
    ],
)
def test_what_narrows_a_search(bench: Bench, wanted: dict[str, Any], rows: list[int]) -> None:
    bench.settle(dossier("H59-1", counted=Counted("H59.15", "", 4, date(2017, 3, 20), None, None)))
    own = bench.settle(
        refusals=[
            wrong(0, "a", agency="H59.15", lane="H59-2"),
            wrong(1, "b", ItemState.PARKED, key="H59-1"),
            wrong(2, "c", field="due_at", path="NgàyHẹnTrả", value="31/02/2017"),
        ]
    )
    other = bench.settle(refusals=[wrong(3, "d", value="x", field=None)], source="other")
    where = {0: own, 1: own, 2: own, 3: other}
    assert ids(bench, **wanted) == [f"{where[row].arrival_id}.{row}.0" for row in rows]


def test_a_search_by_time(bench: Bench) -> None:
    early = bench.settle(refusals=[wrong(0, "a")])
    bench.clock.tick(3600)
    late = bench.settle(refusals=[wrong(0, "b")])
    noon = from_us(bench.clock()) - timedelta(minutes=30)
    assert ids(bench, since=noon) == [f"{late.arrival_id}.0.0"]
    assert ids(bench, until=noon) == [f"{early.arrival_id}.0.0"]


def test_a_row_of_another_sources_record_is_not_said_to_be_of_its_agency(bench: Bench) -> None:
    bench.settle(dossier("H59-1", counted=Counted("H59.15", "", 4, date(2017, 3, 20), None, None)))
    bench.settle(refusals=[wrong(0, "a", key="H59-1")], source="other")
    assert [item.agency for item in search(bench, source="other").items] == [None]


def test_what_a_later_row_has_put_right_is_not_listed_but_can_be_shown(bench: Bench) -> None:
    settled = bench.settle(refusals=[wrong(0, "a", key="H59-1")])
    bench.clock.tick(1)
    bench.settle(dossier("H59-1"))
    assert search(bench).total == 0
    with open_reader(bench.url) as reader:
        found = reader.item(f"{settled.arrival_id}.0.0")
        assert (found.came_right, found.item.key) == (True, "H59-1")
        with pytest.raises(KeyError):
            reader.item("99999.0.0")
        with pytest.raises(ValueError, match="is no item"):
            reader.item("4;DROP")


# --- doing again ------------------------------------------------------------------------------------------------------


def test_a_rejected_row_that_is_a_record_now_moves_the_counts_of_its_arrival(bench: Bench) -> None:
    settled = bench.settle(dossier("H59-1"), refusals=[wrong(1, "a"), wrong(2, "b")])
    bench.deliver(settled.tickets)
    bench.clock.tick(1)
    done = again(bench, settled.arrival_id, dossier("H59-1"), dossier("H59-2"), only={(1, 0)})
    assert done.counts == {ItemState.ACCEPTED: 1}
    assert [ticket.key for ticket in done.tickets] == ["H59-2"]
    assert bench.items() == ["accepted", "accepted", "rejected"]
    [row] = bench.rows("SELECT items, accepted, rejected, parked FROM arrival")
    assert tuple(row.values()) == (3, 2, 1, 0)
    assert deeds(bench) == [("redo", f"{settled.arrival_id}.1.0", 1)]
    assert [content.content for content in bench.trace("H59-2").revisions] == [{"dossier.v1": "A"}]


def test_without_places_only_what_is_parked_and_not_dismissed_is_done_again(bench: Bench) -> None:
    parked = ItemState.PARKED
    settled = bench.settle(refusals=[wrong(0, "a"), wrong(1, "b", parked), wrong(2, "c", parked)])
    bench.run(bench.ledger.dismiss([f"{settled.arrival_id}.2.0"], ItemFilter(), LAN))
    bench.clock.tick(1)
    again(bench, settled.arrival_id, dossier("H59-1"), dossier("H59-2"), dossier("H59-3"), by=None)
    assert bench.items() == ["rejected", "accepted", "parked"]
    assert deeds(bench) == [("dismiss", f"{settled.arrival_id}.2.0", 1)]


def test_what_is_still_refused_is_refused_for_what_is_wrong_now(bench: Bench) -> None:
    settled = bench.settle(refusals=[wrong(0, "a", ItemState.PARKED), wrong(1, "b", ItemState.PARKED)])
    bench.clock.tick(1)
    now = [wrong(0, "a", ItemState.PARKED), wrong(1, "b", ItemState.REJECTED, reason="is no date", key="H59-7")]
    done = again(bench, settled.arrival_id, refusals=now, only={(0, 0), (1, 0)})
    assert done.counts == {ItemState.PARKED: 1, ItemState.REJECTED: 1}
    assert [(item.state, item.faults[0].reason, item.key) for item in search(bench).items] == [
        ("parked", "bad", None),
        ("rejected", "is no date", "H59-7"),
    ]
    assert again(bench, settled.arrival_id, refusals=now, only={(0, 0), (1, 0)}).counts == done.counts
    assert len(deeds(bench)) == 1, "what changes nothing is no deed"


def test_a_row_that_was_corrected_meanwhile_is_found_stale(bench: Bench) -> None:
    settled = bench.settle(refusals=[wrong(0, "a", ItemState.PARKED, key="H59-1")])
    bench.clock.tick(60)
    bench.settle(dossier("H59-1", at=50, content="B"))
    assert again(bench, settled.arrival_id, dossier("H59-1", at=10), only={(0, 0)}).counts == {ItemState.STALE: 1}
    assert bench.items() == ["stale", "accepted"]


def test_what_is_of_another_kind_at_that_place_now_is_left_alone(bench: Bench) -> None:
    settled = bench.settle(refusals=[replace(wrong(0, "a"), kind="dossier-step.v1")])
    bench.clock.tick(1)
    assert again(bench, settled.arrival_id, dossier("H59-1"), only={(0, 0)}).counts == {}
    assert bench.items() == ["rejected"]


def test_a_record_that_no_route_took_goes_its_way_once_there_is_one(bench: Bench) -> None:
    settled = bench.settle(dossier("H59-1", no_route="no route takes it"))
    assert again(bench, settled.arrival_id, dossier("H59-1", no_route="still none"), only={(0, 0)}).counts == {
        ItemState.NO_ROUTE: 1
    }
    assert len(again(bench, settled.arrival_id, dossier("H59-1"), only={(0, 0)}).tickets) == 1
    assert bench.items() == ["accepted"]


def test_a_page_that_could_not_be_read_is_settled_where_it_lies(bench: Bench) -> None:
    bench.settle(dossier("H59-0"), cursor={"since": 1})
    page = bench.settle(undecodable="a column was renamed", cursor={"since": 2})
    bench.clock.tick(1)
    done = again(bench, page.arrival_id, dossier("H59-1"), refusals=[wrong(1, "b")], only={(-1, -1)})
    assert done.counts == {ItemState.ACCEPTED: 1, ItemState.REJECTED: 1}
    assert ids(bench) == [f"{page.arrival_id}.1.0"]
    assert bench.cursor() == {"since": 1}, "what the source shows again is a duplicate"
    assert again(bench, page.arrival_id, dossier("H59-1"), only={(-1, -1)}).counts == {}, "once"


def test_what_goes_to_a_destination_that_this_process_does_not_serve_waits_for_one_that_does(bench: Bench) -> None:
    settled = bench.settle(refusals=[wrong(0, "a")])
    bench.clock.tick(1)
    done = again(bench, settled.arrival_id, dossier("H59-1"), only={(0, 0)}, to=("elsewhere",))
    assert done.tickets == []
    assert bench.states("elsewhere") == ["waiting"]
    bench.rule("elsewhere")
    assert [ticket.key for ticket in bench.due("elsewhere")] == ["H59-1"]


# --- dismissing -------------------------------------------------------------------------------------------------------


def test_what_is_dismissed_is_listed_no_more_and_keeps_its_state(bench: Bench) -> None:
    settled = bench.settle(refusals=[refused(0, "a"), refused(1, "b")])
    page = bench.settle(undecodable="no XML")
    gone = [f"{settled.arrival_id}.0.0", str(page.arrival_id)]
    assert bench.run(bench.ledger.dismiss(gone, ItemFilter(), LAN)) == 2
    assert ids(bench) == [f"{settled.arrival_id}.1.0"]
    with open_reader(bench.url) as reader:
        assert [one.position for one in reader.problems(DeadFilter())] == [(1, 0)]
    shown = search(bench, dismissed=True).items
    assert [item.id for item in shown] == gone
    assert {(item.dismissed.who, item.dismissed.why) for item in shown if item.dismissed} == {(LAN.who, LAN.why)}
    assert bench.items() == ["rejected", "rejected"]
    assert bench.run(bench.ledger.dismiss(gone, ItemFilter(), LAN)) == 0
    assert bench.run(bench.ledger.dismiss([], ItemFilter(source="s"), LAN)) == 1
    assert search(bench).total == 0
    assert [count for _, _, count in deeds(bench)] == [2, 1]


def test_an_item_that_is_not_there_is_named_and_nothing_is_done(bench: Bench) -> None:
    settled = bench.settle(dossier("H59-1"), refusals=[refused(1, "a")])
    asked = [f"{settled.arrival_id}.1.0", f"{settled.arrival_id}.0.0", "777"]
    with pytest.raises(OperationRefused, match=rf"no refused item {settled.arrival_id}\.0\.0, 777"):
        bench.run(bench.ledger.dismiss(asked, ItemFilter(), LAN))
    assert search(bench).total == 1
    assert deeds(bench) == []


# --- what agencies have to correct ------------------------------------------------------------------------------------


def test_of_dead_letters_those_that_an_agency_has_to_correct(bench: Bench) -> None:
    def die(*specs: Spec, **fault: Any) -> int:
        call = bench.claim(bench.settle(*specs).tickets)
        bench.finish(call, "dead", **fault)
        return call.ids[0]

    whose = Counted("H59.15", "", 4, date(2017, 3, 20), None, None)
    first = die(dossier("K-1", counted=whose), fault="data", text="no")
    die(dossier("K-2", counted=whose), fault="data", text="no")
    die(dossier("K-3", counted=whose), fault="transient", text="no more tries")
    bench.deliver(bench.settle(dossier("K-4", counted=whose)).tickets)
    bench.clock.tick(1)
    bench.settle(dossier("K-2", at=1, content="B", counted=whose))
    of_a_step = die(step("K-4"), fault="data", text="no")
    end = from_us(bench.clock() + 1)
    with open_reader(bench.url) as reader:
        found = reader.refused_by_portals(end)
        assert [(one.dispatch_id, one.agency) for one in found] == [(first, "H59.15"), (of_a_step, "H59.15")]
        assert [one.dispatch_id for one in reader.refused_by_portals(end - timedelta(seconds=1))] == [first]


def test_a_daily_task_is_taken_by_one_process_and_by_another_after_a_kill(bench: Bench) -> None:
    day, ledger = date(2026, 11, 21), bench.ledger
    assert bench.run(ledger.daily_last("t")) is None
    assert bench.run(ledger.take_daily("t", day, 60))
    mine, ledger.worker = ledger.worker, "another"
    assert not bench.run(ledger.take_daily("t", day, 60))
    bench.clock.tick(61)
    assert bench.run(ledger.take_daily("t", day, 60)), "the first one was killed at it"
    bench.run(ledger.daily_done("t", day))
    assert bench.run(ledger.daily_last("t")) == day
    ledger.worker = mine
    assert not bench.run(ledger.take_daily("t", day, 60))
    assert bench.run(ledger.take_daily("t", day + timedelta(days=1), 60))
    assert bench.run(ledger.daily_last("t")) == day


def test_of_several_processes_that_look_at_once_one_has_the_daily_task(on_postgres: Bench) -> None:
    others = [on_postgres.start() for _ in range(3)]
    day = date(2026, 11, 21)

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(one.take_daily("t", day, 60) for one in (on_postgres.ledger, *others)))

    assert sorted(on_postgres.run(all_at_once())) == [False, False, False, True]
    for one in others:
        on_postgres.run(one.close())
