"""Where a poll stands: the cursor, without any protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.paging import AHEAD, Answer, PageFacts, Paging, Stand, whole_number
from hub.ports import Arrival, Cursor
from schemas.errors import SourceFault, UndecodableError

T0 = datetime(2017, 1, 3, 1, 0, tzinfo=UTC)
Style = Literal["pages", "token", "single"]


class System:
    """A table of change times, paged as a good or a bad system does it."""

    def __init__(self, *, size: int = 3, total: bool = True, deaf: bool = False) -> None:
        self.rows: dict[str, datetime] = {}
        self.size, self.total, self.deaf = size, total, deaf
        self.asked: list[tuple[int, datetime | None]] = []
        self.facts: dict[bytes, PageFacts] = {}
        self.seen: dict[str, datetime] = {}
        self.between: Callable[[int], None] = lambda page: None

    async def ask(self, stand: Stand, since: datetime | None) -> Answer:
        self.asked.append((stand.page, since))
        rows = sorted((at, name) for name, at in self.rows.items() if since is None or at >= since)
        number = 1 if self.deaf else stand.page
        part = rows[(number - 1) * self.size : number * self.size]
        body = repr((number, part, len(rows))).encode()
        pages = max(1, -(-len(rows) // self.size)) if self.total else None
        self.facts[body] = PageFacts(len(part), [at for at, _ in part], pages)
        self.seen.update({name: at for at, name in part})
        self.between(stand.page)
        return Answer(body)

    def paging(self, *, overlap_s: float = 0.0, style: Style = "pages", start: datetime | None = None) -> Paging:
        return Paging("s", "json", "rows", start, overlap_s, 1, style, self.ask, lambda answer: self.facts[answer.body])


def poll(paging: Paging, cursor: Cursor, pages: int | None = None) -> tuple[list[Arrival], Cursor]:
    """One poll, cut off after some pages."""

    async def main() -> tuple[list[Arrival], Cursor]:
        at = cursor
        seen: list[Arrival] = []
        arrivals = paging.poll(at)
        async for arrival in arrivals:
            seen.append(arrival)
            at = at if arrival.cursor is None else arrival.cursor
            if len(seen) == pages:
                break
        return seen, at

    return asyncio.run(main())


def test_the_overlap_is_subtracted_once_and_from_each_page() -> None:
    system = System()
    system.rows = {str(at): T0 + timedelta(seconds=at) for at in range(100, 105)}
    poll(system.paging(overlap_s=30, start=T0 + timedelta(seconds=100)), {})
    assert system.asked == [(1, T0 + timedelta(seconds=70)), (2, T0 + timedelta(seconds=70))]


def test_fractions_of_a_second_are_asked_for_again() -> None:
    system = System()
    system.rows = {"a": T0 + timedelta(milliseconds=999)}
    _, cursor = poll(system.paging(), {})
    assert cursor == {"since": T0.isoformat()}


def test_a_system_that_ignores_the_page_asked_for_ends_the_poll() -> None:
    system = System(total=False, deaf=True)
    system.rows = {"a": T0}
    arrivals, cursor = poll(system.paging(), {})
    assert [arrival.last for arrival in arrivals] == [False, True]
    assert cursor == {"since": T0.isoformat()}


def test_a_page_that_is_gone_when_a_poll_goes_on_makes_the_next_begin_at_the_edge() -> None:
    system = System()
    system.rows = {str(at): T0 + timedelta(seconds=at) for at in range(7)}
    _, cursor = poll(system.paging(), {}, pages=2)
    system.rows = {name: at for name, at in system.rows.items() if int(name) < 4}
    arrivals, cursor = poll(system.paging(), cursor)
    assert [arrival.label for arrival in arrivals] == ["rows page 3"]
    assert cursor == {"since": (T0 + timedelta(seconds=2)).isoformat()}


@pytest.mark.parametrize("total", [True, False])
def test_one_answer_that_has_everything(total: bool) -> None:
    system = System(size=100, total=total)
    system.rows = {"a": T0}
    arrivals, cursor = poll(system.paging(style="single"), {})
    assert [arrival.last for arrival in arrivals] == [True]
    assert cursor == {"since": T0.isoformat()}


def unhappy(
    system: System, read: Callable[[Answer], PageFacts], cursor: Cursor, *, parked: bool
) -> tuple[list[Arrival], str]:
    """One poll as the hub makes it; what came, and the fault at its end."""
    paging = Paging("s", "json", "rows", None, 0.0, 1, "pages", system.ask, read, dated="luc")
    seen: list[Arrival] = []

    async def main() -> str:
        try:
            async for arrival in paging.poll(cursor):
                seen.append(arrival)
                paging.settled(arrival, parked=parked)
        except SourceFault as fault:
            return str(fault)
        return ""

    return seen, asyncio.run(main())


@pytest.mark.parametrize("parked", [True, False])
def test_a_page_that_only_the_mapping_can_read_is_yielded_and_then_said(parked: bool) -> None:
    def read(answer: Answer) -> PageFacts:
        raise UndecodableError("rows.at: 'x' is not in the answer — mend `rows.at`")

    seen, fault = unhappy(System(), read, {}, parked=parked)
    assert [(arrival.cursor, arrival.last) for arrival in seen] == [(None, True)]
    assert fault == ("" if parked else "rows page 1: rows.at: 'x' is not in the answer — mend `rows.at`")


def test_a_poll_without_any_change_time_brings_all_pages_moves_nothing_and_is_said() -> None:
    system = System()
    system.rows = {str(at): T0 for at in range(7)}
    seen, fault = unhappy(
        system, lambda answer: replace(system.facts[answer.body], changed=[]), {"since": T0.isoformat()}, parked=False
    )
    assert [(arrival.cursor, arrival.last) for arrival in seen] == [(None, False), (None, False), (None, True)]
    assert "rows.changed: none of 7 rows has a time at 'luc' that can be read" in fault


def test_a_page_without_change_times_among_others_is_no_problem() -> None:
    system = System()
    system.rows = {str(at): T0 + timedelta(seconds=at) for at in range(4)}

    def read(answer: Answer) -> PageFacts:
        facts = system.facts[answer.body]
        return replace(facts, changed=[] if facts.rows == 1 else facts.changed)

    seen, fault = unhappy(system, read, {}, parked=False)
    assert (len(seen), fault) == (2, "")
    resumed, fault = unhappy(system, read, seen[0].cursor or {}, parked=False)
    assert (len(resumed), fault) == (1, "")
    assert resumed[0].cursor is not None


def test_pages_out_of_order_leave_no_edge() -> None:
    stand = Stand(since=T0, began=T0, page=1)
    late, early = T0 + timedelta(seconds=9), T0 + timedelta(seconds=3)
    after = stand.after(PageFacts(2, [late, early]), first=1, now=T0)
    assert after.edge is None
    assert after.high == late


@given(
    st.lists(st.integers(min_value=-5000, max_value=5000), max_size=30),
    st.integers(min_value=0, max_value=3000),
    st.booleans(),
)
def test_since_never_goes_backwards_nor_further_ahead_than_ten_minutes(
    changes: list[int], since_s: int, total: bool
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    system = System(total=total)
    system.rows = {str(at): now + timedelta(seconds=change) for at, change in enumerate(changes)}
    since = now - timedelta(seconds=since_s)
    _, cursor = poll(system.paging(overlap_s=7), {"since": since.isoformat()})
    assert set(cursor) == {"since"}
    assert since <= datetime.fromisoformat(cursor["since"]) <= datetime.now(UTC) + AHEAD


@given(
    st.lists(st.integers(min_value=0, max_value=40), min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(min_value=0, max_value=8), st.integers(min_value=0, max_value=24)), max_size=12),
    st.lists(st.integers(min_value=1, max_value=3), max_size=4),
    st.booleans(),
)
def test_nothing_is_lost_whatever_changes_between_pages_and_wherever_a_poll_is_cut_off(
    ages: Sequence[int], moves: Sequence[tuple[int, int]], cuts: Sequence[int], total: bool
) -> None:
    """Every row's newest version is seen in the end, when rows change while pages are read and polls die midway."""
    clock = datetime.now(UTC).replace(microsecond=0)
    system = System(total=total)
    system.rows = {str(at): clock - timedelta(hours=age + 1) for at, age in enumerate(ages)}
    order = list(moves)
    count = 0

    def change(page: int) -> None:
        nonlocal count
        count += 1
        while order and order[0][0] <= page:
            name = str(order.pop(0)[1])
            if name in system.rows:
                system.rows[name] = clock + timedelta(seconds=count)

    system.between = change
    cursor: Cursor = {}
    for pages in cuts:
        _, cursor = poll(system.paging(), cursor, pages=pages)
    for _ in range(len(ages) + len(moves) + 5):
        _, cursor = poll(system.paging(), cursor)
    assert system.seen == system.rows


@pytest.mark.parametrize(
    "cursor",
    [{"since": 1}, {"since": "x"}, {"page": "1"}, {"page": True}, {"page": 1, "next": 2}, {"page": 2, "high": "never"}],
)
def test_a_cursor_that_was_not_made_here_is_refused(cursor: dict[str, Any]) -> None:
    with pytest.raises(SourceFault, match="cannot be read"):
        Stand.of(cursor, now=T0, start=None, first=1)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(1, 999))  # noqa: DTZ001
def test_a_cursor_is_read_as_it_was_written(at: datetime, page: int) -> None:
    whole = at.replace(tzinfo=UTC, microsecond=0)
    stand = Stand(since=whole, began=whole, page=page, token="t", high=whole, edge=whole, resumed=True)
    assert Stand.of(stand.cursor(), now=T0, start=None, first=1) == stand


@pytest.mark.parametrize("found", [[], ["x"], ["1", "2"], [True], [None], ["-1"], [1.5]])
def test_a_number_of_pages_that_is_none_makes_the_page_unreadable(found: list[Any]) -> None:
    with pytest.raises(UndecodableError, match="how many pages"):
        whole_number(found, "/a/@b")


@pytest.mark.parametrize("found", [["7"], [" 7 "], [7], [7.0]])
def test_a_number_of_pages(found: list[Any]) -> None:
    assert whole_number(found, "/a/@b") == 7
