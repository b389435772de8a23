"""Arrivals as they came: the newest first, the same bytes once, one short read each, and nothing written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hub.ledger.read import open_reader
from hub.ledger.recorded import Recorded, RecordedFilter
from hub.ledger.values import from_us
from tests.contract.ledger.bench import Bench, dossier


def recorded(bench: Bench, *sources: str, **wanted: Any) -> list[Recorded]:
    with open_reader(bench.url) as reader:
        return list(reader.recorded(RecordedFilter(sources or ("s",), **wanted)))


def test_the_newest_come_first_with_their_bytes_and_equal_ones_once(bench: Bench) -> None:
    first = bench.settle(dossier("H59-1"), label="a").arrival_id
    other = bench.settle(dossier("H59-2"), label="b").arrival_id
    broken = bench.settle(undecodable="no XML", label="c").arrival_id
    found = recorded(bench)
    assert [one.id for one in found] == [broken, other, first]
    assert all(type(one.body) is bytes for one in found)
    assert [(one.source, one.label, one.times) for one in found] == [("s", "c", 1), ("s", "b", 1), ("s", "a", 1)]
    assert [one.id for one in recorded(bench, limit=1)] == [broken]
    bench.execute("UPDATE arrival SET label = 'a', digest = (SELECT digest FROM arrival WHERE id = :id)", id=first)
    [one] = recorded(bench)
    assert (one.id, one.times) == (broken, 3)


def test_they_are_narrowed_by_source_and_time(bench: Bench) -> None:
    bench.settle(dossier("H59-1"), label="a")
    [one] = recorded(bench)
    assert recorded(bench, "another") == []
    assert len(recorded(bench, since=one.received_at)) == 1
    assert recorded(bench, since=one.received_at + timedelta(microseconds=1)) == []
    assert recorded(bench, until=one.received_at) == []
    assert from_us(bench.rows("SELECT received_us FROM arrival")[0]["received_us"]) == one.received_at
    with open_reader(bench.url) as reader:
        assert reader.recorded_sources() == ["s"]


def test_what_retention_has_pruned_comes_without_its_bytes(bench: Bench) -> None:
    bench.settle(dossier("H59-1"))
    bench.execute("UPDATE arrival SET body = NULL")
    [one] = recorded(bench)
    assert one.body is None
