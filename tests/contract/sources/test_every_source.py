"""The sources that come with the hub, held against the contract, and what their twins and their paging share beside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from hub.contract import SourceContract, System
from hub.ports import AdapterContext
from schemas.errors import SourceFault
from tests.contract.sources.held import TWINS, HeldDatabase, held
from tests.contract.sources.systems import SLUG, Dossier, Make, dossiers, poll, polls

every_twin = pytest.mark.parametrize("kind", TWINS)
SAID = {
    "500": "HTTP 500: Lỗi hệ thống",
    "http-503": "HTTP 503",
    "429": "HTTP 429",
    "down": "broke off",
    "hang": "no whole answer",
    "drip": "no whole answer",
    "huge": "more than 65,536 bytes",
    "refuse": "cannot be reached",
}


class TestSoap(SourceContract):
    adapter = "soap"
    said = SAID

    @pytest.fixture
    def system(self, tmp_path: Path) -> Iterator[System]:
        with held("soap", tmp_path) as system:
            yield system


class TestRest(SourceContract):
    adapter = "rest"
    said = SAID

    @pytest.fixture
    def system(self, tmp_path: Path) -> Iterator[System]:
        with held("rest", tmp_path) as system:
            yield system


class TestFiles(SourceContract):
    adapter = "files"
    lacks: ClassVar[dict[str, str]] = {
        "network": "a folder is asked over no network",
        "huge": "a file that is too large is moved to failed/ unread, see test_files.py",
    }

    @pytest.fixture
    def system(self, tmp_path: Path) -> Iterator[System]:
        with held("files", tmp_path) as system:
            yield system


class TestSql(SourceContract):
    adapter = "sql"
    lacks: ClassVar[dict[str, str]] = {
        "bytes": "rows have no bytes of their own: the source writes them as JSON",
        "garbage": "a database gives rows or an error",
        "network": "deadlines and what a database does wrong need another database, see test_sql.py",
        "huge": "a page that is too large is a fault, see test_sql.py",
    }

    @pytest.fixture
    def system(self, tmp_path: Path) -> System:
        return HeldDatabase(tmp_path)


def test_the_suite_walks_every_source_that_is_registered() -> None:
    others = ("dvcqg", "http", "lgsp", "recorded")  # the last one only shows again what one of these has read
    sources = {point.name for point in entry_points(group="hub.adapters") if point.name not in others}
    assert sources == {each.adapter for each in (TestSoap, TestRest, TestFiles, TestSql)}


@every_twin
def test_a_tick_that_was_polled_and_settled_is_known_as_polled_to_its_end(make: Make, kind: str) -> None:
    system = make(kind, [dossiers(4), dossiers(2, first=3), []])
    with system.source() as source:

        async def main() -> None:
            cursor: Any = {}
            for tick in (1, 2):
                assert system.tick(tick)["agencies"][SLUG]["polled_to_end"] is False or kind == "files"
                for _ in range(4):
                    _, cursor = await poll(source, cursor)
                    if system.state["polled_to_end"]:
                        break
                assert system.state == {"polled_to_end": True, "rows": 4}
            await source.close()

        asyncio.run(main())


@every_twin
def test_one_page_delivered_twice_loses_and_skips_nothing(make: Make, kind: str) -> None:
    system = make(kind, [dossiers(7)], repeat=1)
    system.tick(1)
    with system.source() as source:
        ((arrivals, _),) = polls(source, [{}])
    seen = [number for arrival in arrivals for number in system.numbers(arrival)]
    assert sorted(set(seen)) == [row.number for row in dossiers(7)]
    assert len(seen) == (10 if kind != "files" else 14)


@pytest.mark.parametrize("kind", ["soap", "rest"])
class TestPagedSources:
    """The cursor, shared by the sources that answer in pages."""

    def test_the_cursor_stands_behind_the_newest_change(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(7), [Dossier("000.00.05.H59-170103-0002", datetime(2017, 2, 1, tzinfo=UTC))]])
        system.tick(1)
        with system.source() as source:

            async def main() -> None:
                arrivals, cursor = await poll(source, {})
                assert [arrival.last for arrival in arrivals] == [False, False, True]
                assert [set(arrival.cursor or {}) for arrival in arrivals] == [
                    {"page", "high", "began", "edge"},
                    {"page", "high", "began", "edge"},
                    {"since"},
                ]
                assert cursor == {"since": "2017-01-03T01:06:00+00:00"}
                arrivals, cursor = await poll(source, cursor)
                assert [system.numbers(one) for one in arrivals] == [["000.00.05.H59-170103-0007"]]
                system.tick(2)
                arrivals, cursor = await poll(source, cursor)
                assert system.numbers(arrivals[0])[-1] == "000.00.05.H59-170103-0002"
                assert cursor == {"since": "2017-02-01T00:00:00+00:00"}
                await source.close()

            asyncio.run(main())

    def test_a_poll_goes_on_with_the_page_where_it_was_killed(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(7)])
        system.tick(1)
        with system.source() as source, system.source() as other:
            ((whole, end),) = polls(source, [{}])
            ((rest, again),) = polls(other, [whole[0].cursor or {}])
        assert [system.numbers(one) for one in rest] == [system.numbers(one) for one in whole[1:]]
        assert again == end

    def test_the_overlap_is_asked_for_again(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(7)])
        system.tick(1)
        since = {"soap": {"argument": "tuNgay", "format": "dd/MM/yyyy HH:mm:ss"}, "rest": {"parameter": "tu_ngay"}}[
            kind
        ]
        with system.source(since={**since, "overlap_s": 120.0}) as source:
            (_, (arrivals, cursor)) = polls(source, [{}, None])
        assert [system.numbers(one) for one in arrivals] == [[row.number for row in dossiers(7)[-3:]]]
        assert cursor == {"since": "2017-01-03T01:06:00+00:00"}

    def test_the_start_is_where_the_first_poll_begins(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(7)])
        system.tick(1)
        since = {"soap": {"argument": "tuNgay", "format": "dd/MM/yyyy HH:mm:ss"}, "rest": {"parameter": "tu_ngay"}}[
            kind
        ]
        with system.source(since={**since, "overlap_s": 0.0, "start": "2017-01-03T08:04:00"}) as source:
            ((arrivals, _),) = polls(source, [{}])
        assert [system.numbers(one) for one in arrivals] == [[row.number for row in dossiers(7)[-3:]]]

    def test_rows_that_move_while_they_are_read_make_the_next_poll_begin_at_the_first_pages_end(
        self, make: Make, kind: str
    ) -> None:
        rows = dossiers(6)
        moved = Dossier(rows[0].number, datetime.now(UTC), status=9)
        system = make(kind, [rows, [moved]])
        system.tick(1)
        with system.source() as source:

            async def main() -> None:
                seen: list[str] = []
                cursor: Any = {}
                async for arrival in source.arrivals({}):
                    seen += system.numbers(arrival)
                    cursor = arrival.cursor
                    system.tick(2)
                assert rows[3].number not in seen  # it moved up to the first page, which had been read
                assert cursor == {"since": "2017-01-03T01:02:00+00:00"}
                arrivals, cursor = await poll(source, cursor)
                assert rows[3].number in [number for one in arrivals for number in system.numbers(one)]
                await source.close()

            asyncio.run(main())

    def test_without_a_number_of_pages_the_first_page_without_rows_is_the_last(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(6)])
        system.tick(1)
        rows = {**system.settings().rows.model_dump(), "pages": None}
        with system.source(rows=rows) as source:
            ((arrivals, cursor),) = polls(source, [{}])
        assert [len(system.numbers(one)) for one in arrivals] == [3, 3, 0]
        assert cursor == {"since": "2017-01-03T01:05:00+00:00"}

    @pytest.mark.parametrize("mode", ["shape", "bomb", "garbage"])
    def test_what_cannot_be_paged_through_is_kept_and_ends_the_poll(self, make: Make, kind: str, mode: str) -> None:
        system = make(kind, [dossiers(7)])
        system.tick(1)
        system.fault(mode, after=1, for_requests=1, scope=SLUG)
        with system.source() as source:
            ((arrivals, cursor), (again, end)) = polls(source, [{}, None])
        assert [(one.cursor is None, one.last) for one in arrivals] == [(False, False), (True, True)]
        assert cursor["page"] == 2
        assert [system.numbers(one) for one in again][-1] == ["000.00.05.H59-170103-0007"]
        assert set(end) == {"since"}

    def test_a_cursor_that_was_not_made_here_is_refused_with_the_mend(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(3)])
        for cursor in ({"since": "yesterday"}, {"since": "2017-01-01T00:00:00"}, {"page": "2"}, {"since": 5}):
            with system.source() as source, pytest.raises(SourceFault, match="reset the cursor"):
                polls(source, [cursor])

    @pytest.mark.parametrize("change", [{"speed": 1}, {"page": {"argument": "trang", "parameter": "trang"}}])
    def test_settings_that_mean_nothing_are_refused(self, make: Make, kind: str, change: dict[str, Any]) -> None:
        system = make(kind, [])
        with pytest.raises(ValidationError):
            system.settings(**change)


def test_a_context_has_what_the_contract_fills() -> None:
    assert AdapterContext.__dataclass_fields__.keys() == {"name", "folder", "answers"}
