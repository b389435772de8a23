from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.ingest import Ingest
from hub.ledger.ledger import cursor_of
from hub.ledger.values import Settlement, from_us
from hub.ports import Arrival, Cursor, Ticket
from hub.process import process
from hub.retry import RetryPolicy
from hub.sparing import Sparing
from schemas.errors import SourceFault
from schemas.local_time import LOCAL
from tests.unit.hub.line import Line, arrival, dossier, line, page, rules

SPOILT = "rows that no database takes"


@dataclass
class Pages:
    """A source: each poll yields `pages` and keeps what it was told of them."""

    pages: Sequence[Arrival]
    fault: str = ""
    told: list[tuple[str, bool, int]] = field(default_factory=list)
    """Label, parked, number of problems."""
    polls: list[Cursor] = field(default_factory=list)
    ended: int = 0

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        self.polls.append(cursor)
        try:
            for one in self.pages:
                yield replace(one, uid=f"{len(self.polls):016x}{one.uid[:16]}")
            if self.fault:
                raise SourceFault(self.fault)
        finally:
            self.ended += 1

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        self.told.append((arrival.label, parked, len(problems)))

    async def close(self) -> None:
        """Nothing is held open."""


def ingest(at: Line, source: Pages) -> Ingest:
    return Ingest("s", source, 0.01, at.ledger, rules(), at.relay.publish, RetryPolicy(first_s=0.01, cap_s=0.01))


@pytest.fixture(autouse=True)
def spoiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrivals that say so get a time that no database has room for, as no mapping would let through."""

    def spoil(arrived: Arrival, *rest: Any) -> Settlement:
        made = process(arrived, *rest)
        if SPOILT.encode() in arrived.body:
            return replace(made, candidates=[replace(c, changed_us=-(1 << 70)) for c in made.candidates])
        return made

    monkeypatch.setattr("hub.admission.process", spoil)


def three(*, cursors: bool) -> list[Arrival]:
    notes = ("A", SPOILT, "C")
    return [
        page(dossier(f"H59-{n}", note), name=f"hoso-{n}.csv", cursor={"page": n} if cursors else None, last=n == 3)
        for n, note in enumerate(notes, 1)
    ]


def test_a_page_that_the_database_refuses_is_parked_and_the_poll_stops_before_the_cursor_passes_it(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            source = Pages(three(cursors=True))
            one = ingest(at, source)
            assert await one.poll_once() == 1
            assert one.quiet
            assert source.told == [("hoso-1.csv", False, 0), ("hoso-2.csv", True, 1)]
            assert source.ended == 1, "its connection is given back at once"
            assert [row.state for row in at.ask("SELECT state FROM arrival ORDER BY id")] == ["settled", "parked"]
            (row,) = at.ask("SELECT cursor, failures, problem FROM source")
            assert (cursor_of(row.cursor), row.failures) == ({"page": 1}, 1)
            assert row.problem.startswith("hoso-2.csv: the database refuses the data")
            assert "kept as arrival 2" in row.problem
            # The next poll begins where that page begins, and finds it again.
            source.pages = source.pages[1:]
            assert await one.poll_once() == 2
            assert source.polls == [{}, {"page": 1}]
            (parked,) = at.ask("SELECT state, reads, items FROM arrival WHERE id = 2")
            assert tuple(parked) == ("parked", 2, 0)
            # Once it can be kept, it is that page, and no other, that puts itself right.
            source.pages = [replace(three(cursors=True)[1], body=page(dossier("H59-2", "mended")).body)]
            assert await one.poll_once() == 0
            assert [row.state for row in at.ask("SELECT state FROM arrival ORDER BY id")][1] == "reread"
            (row,) = at.ask("SELECT cursor, failures, problem FROM source")
            assert (cursor_of(row.cursor), row.failures, row.problem) == ({"page": 2}, 0, None)

    asyncio.run(main())


def test_a_file_that_the_database_refuses_stops_no_other_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            source = Pages(three(cursors=False))
            assert await ingest(at, source).poll_once() == 1
            assert source.told == [("hoso-1.csv", False, 0), ("hoso-2.csv", True, 1), ("hoso-3.csv", False, 0)]
            states = [row.state for row in at.ask("SELECT state FROM arrival ORDER BY id")]
            assert states == ["settled", "parked", "settled"], "nothing says that the refused one was read again"
            assert at.states() == ["queued", "queued"]

    asyncio.run(main())


def test_what_cannot_be_decoded_is_parked_with_its_bytes_and_counts_as_a_failure(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            source = Pages([arrival(b"<html>")])
            one = ingest(at, source)
            assert [await one.poll_once() for _ in range(3)] == [1, 2, 3]
            assert source.told == [("hoso-1.csv", True, 1)] * 3
            assert [tuple(row) for row in at.ask("SELECT state, reads FROM arrival")] == [("parked", 3)]
            source.pages = [page(dossier())]
            assert await one.poll_once() == 0
            assert [row.state for row in at.ask("SELECT state FROM arrival ORDER BY id")] == ["reread", "settled"]

    asyncio.run(main())


def test_r9_a_clock_that_steps_back_makes_no_newer_poll_stale(tmp_path: Path) -> None:
    now_us = 1_490_000_000_000_000

    def shown(note: str) -> list[Arrival]:
        now = from_us(now_us)
        return [page(dossier("H59-1", note, changed=""), received_at=now, poll_started_at=now)]

    async def main() -> None:
        nonlocal now_us
        async with line(tmp_path, now_us=lambda: now_us) as at:
            source = Pages(shown("A"))
            one = ingest(at, source)
            await one.poll_once()
            now_us -= int(timedelta(hours=1).total_seconds()) * 1_000_000
            for note in ("B", "A", "C"):
                source.pages = shown(note)
                now_us += 1_000_000
                await one.poll_once()
                assert not one.quiet
            items = [row.state for row in at.ask("SELECT state FROM item ORDER BY arrival_id")]
            assert items == ["accepted"] * 4
            polled = at.ask("SELECT polled_us FROM source")[0].polled_us
            await one.poll_once()
            assert at.ask("SELECT polled_us FROM source")[0].polled_us > polled
            assert one.quiet, "the same page once more is nothing new"

    asyncio.run(main())


def test_a_source_that_answers_nothing_is_counted_and_what_came_before_is_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            source = Pages([page(dossier(), cursor={"page": 1}, last=False)], fault="HTTP 500")
            assert await ingest(at, source).poll_once() == 1
            (row,) = at.ask("SELECT cursor, failures, problem FROM source")
            assert (cursor_of(row.cursor), row.failures, row.problem) == ({"page": 1}, 1, "HTTP 500")
            assert at.states() == ["queued"]

    asyncio.run(main())


def test_r13_a_source_that_another_worker_reads_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            await at.ledger.lease_source("s")
            mine, at.ledger.worker = at.ledger.worker, "another"
            source = Pages([page(dossier())])
            one = ingest(at, source)
            assert await one.poll_once() == 0
            assert (one.quiet, source.polls) == (True, [])
            at.ledger.worker = mine
            assert await one.poll_once() == 0
            assert source.told == [("hoso-1.csv", False, 0)]

    asyncio.run(main())


def test_r13_a_worker_that_lost_its_source_in_mid_poll_settles_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            source = Pages(three(cursors=True)[::2])

            async def taken_over(tickets: Sequence[Ticket]) -> None:
                await at.ledger.release_source("s")
                mine, at.ledger.worker = at.ledger.worker, "another"
                assert await at.ledger.lease_source("s")
                at.ledger.worker = mine

            one = replace(ingest(at, source), publish=taken_over)
            assert await one.poll_once() == 0
            assert source.told == [("hoso-1.csv", False, 0)]
            assert [row.label for row in at.ask("SELECT label FROM arrival")] == ["hoso-1.csv"]
            assert at.ask("SELECT polls FROM source")[0].polls == 0

    asyncio.run(main())


def test_a_source_is_left_alone_in_its_hours_of_grace_and_asked_no_faster_than_it_may(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            now = datetime.now(LOCAL)
            hours = [((now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time())]
            pages = [
                page(dossier(f"H59-{n}", "A"), name=f"hoso-{n}.csv", cursor={"page": n}, last=n == 2) for n in (1, 2)
            ]
            source = Pages(pages)
            one = ingest(at, source)
            one.sparing = Sparing(hours)
            assert await one.poll_once() == 0
            assert (source.polls, one.quiet) == ([], True)
            one.sparing = Sparing((), 10.0)
            began = asyncio.get_running_loop().time()
            assert await one.poll_once() == 0
            assert len(source.told) == 2
            assert asyncio.get_running_loop().time() - began >= 0.05

    asyncio.run(main())
