"""What a real ledger tells of refused rows and of destinations: which came right since, whose they are, what moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from hub.ledger.read import open_reader
from hub.ledger.states import ItemState
from hub.ledger.views import DeadFilter, ItemProblem
from schemas.record import Counted
from tests.contract.ledger.bench import Bench, dossier, refused, sqlite_url


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(sqlite_url(tmp_path / "hub.db"))
    yield made
    made.close()


def problems(bench: Bench, agency: str | None = None) -> list[ItemProblem]:
    with open_reader(bench.url) as reader:
        return reader.problems(DeadFilter(agency=agency))


def test_a_trace_asks_for_nothing_where_a_later_row_was_accepted(bench: Bench) -> None:
    bench.settle(refusals=[refused(0, "a", key="H59-1")])
    [open_still] = bench.trace("H59-1").problems
    assert open_still.mend
    bench.clock.tick(1)
    bench.settle(dossier("H59-1"))
    [since] = bench.trace("H59-1").problems
    assert (since.reason, since.mend) == (open_still.reason, "")
    assert problems(bench) == []


def test_asked_for_an_agency_only_rows_that_are_known_to_be_its_own_are_told(bench: Bench) -> None:
    bench.settle(dossier("H59-1", counted=Counted("H59.15", "", 4, date(2017, 3, 20), None, None)))
    bench.clock.tick(1)
    bench.settle(refusals=[refused(0, "a", key="H59-1"), refused(1, "b"), refused(2, "c", key="H59-9")])
    bench.settle(undecodable="no XML")
    assert len(problems(bench)) == 4
    assert [one.key for one in problems(bench, agency="H59.15")] == ["H59-1"]
    assert problems(bench, agency="H59.34") == []


@pytest.mark.parametrize(
    ("label", "mend"),
    [
        ("hoso-0001.csv", "the file lies in failed/; drop a corrected file"),
        ("hồ sơ 1.XML", "the file lies in failed/; drop a corrected file"),
        ("LayDanhSachHoSo page 1", "the source is read again by itself"),
    ],
)
def test_what_to_do_about_an_unreadable_page_is_not_what_to_do_about_a_file(
    bench: Bench, label: str, mend: str
) -> None:
    bench.settle(undecodable="no rows", label=label)
    [found] = problems(bench)
    assert mend in found.mend


def test_a_tally_counts_what_is_there_and_what_was_refused_since(bench: Bench) -> None:
    bench.settle(dossier("H59-1"), refusals=[refused(1, "a")])
    bench.settle(undecodable="no rows")
    with open_reader(bench.url) as reader:
        before = reader.tally()
    assert (before.rows["accepted"], before.refused["rejected"], before.unreadable) == (1, 1, 1)
    assert sum(before.dispatches.values()) == 1
    bench.clock.tick(1)
    bench.settle(dossier("H59-2"), refusals=[refused(1, "b", ItemState.PARKED)])
    with open_reader(bench.url) as reader:
        after = reader.tally(before.newest_arrival)
    assert (after.rows["accepted"], dict(after.refused), after.unreadable) == (
        2,
        {"parked": 1, "rejected": 0, "no_route": 0},
        0,
    )


def test_the_destinations_where_something_moves(bench: Bench) -> None:
    with open_reader(bench.url) as reader:
        assert reader.movable() == set()
    tickets = bench.settle(dossier()).tickets
    with open_reader(bench.url) as reader:
        assert reader.movable() == {"n"}
    bench.deliver(tickets)
    with open_reader(bench.url) as reader:
        assert reader.movable() == set()
