"""What every source owes the hub, whatever it speaks."""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from hub.ports import AdapterContext, Arrival
from schemas.errors import SourceFault
from tests.contract.sources.systems import SLUG, Dossier, Make, dossiers, poll, polls

TWINS = ["soap", "rest", "files"]
KINDS = [*TWINS, "sql"]
every_source = pytest.mark.parametrize("kind", KINDS)
every_twin = pytest.mark.parametrize("kind", TWINS)
"""Those whose system knows what was asked of it, and can be told to fail; `sql` has a file of its own for that."""


def test_the_suite_walks_every_source_that_is_registered() -> None:
    others = ("dvcqg", "lgsp", "recorded")  # the last one only shows again what one of these has read
    sources = {point.name: point.load() for point in entry_points(group="hub.adapters") if point.name not in others}
    assert sorted(sources) == sorted(KINDS)
    for adapter in sources.values():
        assert adapter.role == "source"
        assert issubclass(adapter.Settings, BaseModel)
        assert adapter.Settings.model_config["extra"] == "forbid"
        assert adapter.summary
        assert inspect.isasyncgenfunction(adapter.arrivals)


@every_source
def test_everything_comes_once_byte_for_byte_and_in_order(make: Make, kind: str) -> None:
    system = make(kind, [dossiers(7)])
    system.tick(1)
    before = datetime.now(UTC)
    with system.source() as source:
        ((arrivals, _),) = polls(source, [{}])
    numbers = [number for arrival in arrivals for number in system.numbers(arrival)]
    assert numbers == [row.number for row in dossiers(7)]
    assert "Nguyễn Thị Hạnh".encode() in arrivals[0].body
    assert [arrival.last for arrival in arrivals] == ([False, False, True] if kind != "files" else [True])
    for arrival in arrivals:
        assert arrival.source == SLUG
        assert arrival.media == {"soap": "xml", "rest": "json", "files": "csv", "sql": "json"}[kind]
        assert arrival.name is None
        assert len(arrival.uid) == 32
        assert int(arrival.uid, 16) >= 0
        assert before - timedelta(seconds=1) <= arrival.poll_started_at <= arrival.received_at
        assert arrival.label
    assert len({arrival.uid for arrival in arrivals}) == len(arrivals)


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


@every_source
def test_a_source_without_anything_new_yields_no_rows(make: Make, kind: str) -> None:
    system = make(kind, [dossiers(1)])
    with system.source() as source:
        ((arrivals, cursor),) = polls(source, [{}])
    assert [system.numbers(arrival) for arrival in arrivals] == ([] if kind == "files" else [[]])
    assert cursor == {}


@every_twin
def test_one_page_delivered_twice_loses_and_skips_nothing(make: Make, kind: str) -> None:
    system = make(kind, [dossiers(7)], repeat=1)
    system.tick(1)
    with system.source() as source:
        ((arrivals, _),) = polls(source, [{}])
    seen = [number for arrival in arrivals for number in system.numbers(arrival)]
    assert sorted(set(seen)) == [row.number for row in dossiers(7)]
    assert len(seen) == (10 if kind != "files" else 14)


@every_twin
def test_garbage_is_kept_with_its_bytes_and_moves_no_cursor(make: Make, kind: str) -> None:
    system = make(kind, [dossiers(3)])
    if kind == "files":
        system.fault("garbage", for_requests=1)
        system.tick(1)
        with system.source() as source:
            arrivals: list[Arrival] = polls(source, [{}])[0][0]
        assert arrivals[0].body == bytes(range(256)) * 4
    else:
        system.tick(1)
        with system.source() as source:

            async def main() -> list[Arrival]:
                system.fault("garbage", for_requests=1, scope=SLUG)
                first, cursor = await poll(source, {})
                assert cursor == {}
                again, cursor = await poll(source, cursor)
                assert set(cursor) == {"since"}
                await source.close()
                return [*first, *again]

            arrivals = asyncio.run(main())
        assert b"b\xe1\xba\xa3o tr\xc3\xac" in arrivals[0].body
        assert system.numbers(arrivals[1]) == [row.number for row in dossiers(3)]
    assert arrivals[0].cursor is None
    assert arrivals[0].last


@pytest.mark.parametrize("kind", ["soap", "rest"])
class TestPagedSources:
    """The cursor, shared by the sources that answer in pages."""

    def test_the_cursor_stands_behind_the_newest_change(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(7), [Dossier("000.00.05.H59-170103-0002", datetime(2017, 2, 1, tzinfo=UTC))]])
        system.tick(1)
        with system.source() as source:

            async def main() -> None:
                arrivals, cursor = await poll(source, {})
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

    def test_r9_a_change_more_than_ten_minutes_ahead_does_not_move_the_cursor(self, make: Make, kind: str) -> None:
        ahead = Dossier("000.00.05.H59-170103-0099", datetime.now(UTC) + timedelta(minutes=30))
        system = make(kind, [[*dossiers(2), ahead]])
        system.tick(1)
        with system.source() as source:
            ((arrivals, cursor), (second, again)) = polls(source, [{}, None])
        assert ahead.number in system.numbers(arrivals[0])
        assert cursor == again == {"since": "2017-01-03T01:01:00+00:00"}
        assert ahead.number in system.numbers(second[0])

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

    @pytest.mark.parametrize(
        ("mode", "said", "down"),
        [
            ("500", "HTTP 500: Lỗi hệ thống", False),
            ("http-503", "HTTP 503", False),
            ("429", "HTTP 429", False),
            ("down", "broke off", False),
            ("hang", "no whole answer", False),
            ("drip", "no whole answer", False),
            ("huge", "more than 65,536 bytes", False),
            ("refuse", "cannot be reached", True),
        ],
    )
    def test_no_bytes_worth_keeping_is_a_fault_of_the_poll_and_the_next_one_works(
        self, make: Make, kind: str, mode: str, said: str, down: bool
    ) -> None:
        system = make(kind, [dossiers(3)])
        system.tick(1)
        timeout = "operation_timeout_s" if kind == "soap" else "timeout_s"
        with system.source(**{timeout: 1.0, "max_bytes": 65536}) as source:

            async def main() -> None:
                assert len((await poll(source, {}))[0]) == 1  # the WSDL is read, the session is there
                system.fault(mode, bytes=100_000, interval_s=0.02)
                loop = asyncio.get_running_loop()
                began = loop.time()
                with pytest.raises(SourceFault, match=said) as fault:
                    await poll(source, {})
                assert loop.time() - began < 3
                assert fault.value.down is down
                system.fault("off")
                assert len((await poll(source, {}))[0]) == 1
                await source.close()

            asyncio.run(main())

    def test_a_poll_can_be_cancelled_while_it_waits(self, make: Make, kind: str) -> None:
        system = make(kind, [dossiers(3)])
        system.tick(1)
        with system.source() as source:

            async def main() -> None:
                await poll(source, {})
                system.fault("hang")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(poll(source, {}), 0.2)
                await source.close()

            asyncio.run(main())

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


def test_adapters_are_made_as_the_port_says() -> None:
    for point in entry_points(group="hub.adapters"):
        if point.name in KINDS:
            parameters = list(inspect.signature(point.load().__init__).parameters)
            assert parameters == ["self", "settings", "context"]
    assert AdapterContext.__dataclass_fields__.keys() == {"name", "folder", "answers"}
