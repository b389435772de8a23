"""The tables of the twins: what a tick shows, how it is paged, when it counts as read to its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.sandbox.ticks import ALWAYS, Shape, Ticks
from adapters.sandbox.twin import TwinOptions

SHAPE = Shape("soap", "so", lambda row: float(row.get("at", ALWAYS)), lambda row: orjson.dumps(row).decode())


def ticks(tmp_path: Path, content: Any) -> Ticks:
    data = tmp_path / "data.json"
    data.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return Ticks(TwinOptions(base_url="http://127.0.0.1", data=data), SHAPE)


def one(rows: list[list[dict[str, Any]]], repeat: int | None = None) -> dict[str, Any]:
    return {
        "agencies": {"a": {"name": "A", "system": "soap", "ticks": rows}, "b": {"system": "rest"}},
        "repeat_page": {"agency": "a", "tick": repeat} if repeat else None,
    }


def numbers(rows: list[str]) -> list[Any]:
    return [orjson.loads(row).get("so") for row in rows]


def test_a_tick_replaces_rows_by_number_and_a_nameless_row_lasts_one_tick(tmp_path: Path) -> None:
    made = ticks(
        tmp_path,
        one(
            [[{"so": "1", "at": 1}, {"so": "2", "at": 2}, {"so": "", "_id": "x", "at": 3}], [{"so": "1", "at": 9}], []]
        ),
    )
    agency = made.agencies["a"]
    assert agency.page(0, 1, 10) == ([], 1)
    asyncio.run(made.tick(1))
    rows, _ = agency.page(0, 1, 10)
    assert numbers(rows) == ["1", "2", ""]
    assert "_id" not in rows[2]
    asyncio.run(made.tick(2))
    assert numbers(agency.page(0, 1, 10)[0]) == ["2", "1"]
    assert numbers(agency.page(3, 1, 10)[0]) == ["1"]
    assert made.state() == {"tick": 2, "agencies": {"a": {"polled_to_end": False, "rows": 2}}}


def test_a_nameless_row_is_replaced_by_the_row_with_its_id(tmp_path: Path) -> None:
    made = ticks(tmp_path, one([[{"so": "", "_id": "x", "at": 3}, {"so": "7", "_id": "x", "at": 4}]]))
    asyncio.run(made.tick(1))
    assert numbers(made.agencies["a"].page(0, 1, 10)[0]) == ["7"]


def test_going_on_goes_through_every_tick_and_never_back(tmp_path: Path) -> None:
    made = ticks(tmp_path, one([[{"so": "1", "at": 1}], [{"so": "2", "at": 2}], []]))
    asyncio.run(made.tick(2))
    assert numbers(made.agencies["a"].page(0, 1, 10)[0]) == ["1", "2"]
    asyncio.run(made.tick(2))
    for tick in (1, 4):
        with pytest.raises(ValueError, match=f"tick {tick} cannot be released: it is 2 now, and 3 is the last"):
            asyncio.run(made.tick(tick))


def test_ticks_may_be_added_to_the_file_while_the_twin_runs(tmp_path: Path) -> None:
    made = ticks(tmp_path, one([[{"so": "1", "at": 1}]]))
    asyncio.run(made.tick(1))
    (tmp_path / "data.json").write_bytes(orjson.dumps(one([[], [{"so": "2", "at": 2}]])))
    asyncio.run(made.tick(2))
    assert numbers(made.agencies["a"].page(0, 1, 10)[0]) == ["1", "2"]
    with pytest.raises(ValueError, match="tick 3 cannot be released: it is 2 now, and 2 is the last"):
        asyncio.run(made.tick(3))


def test_a_repeated_page_shifts_one_poll_and_loses_nothing(tmp_path: Path) -> None:
    made = ticks(tmp_path, one([[{"so": str(at), "at": at} for at in range(5)]], repeat=1))
    asyncio.run(made.tick(1))
    agency = made.agencies["a"]
    assert [numbers(agency.page(0, page, 2)[0]) for page in (1, 2, 3, 4)] == [["0", "1"], ["0", "1"], ["2", "3"], ["4"]]
    assert [numbers(agency.page(0, page, 2)[0]) for page in (1, 2, 3)] == [["0", "1"], ["2", "3"], ["4"]]


def polled(made: Ticks, *requests: tuple[float, int, int]) -> bool:
    for request in requests:
        made.agencies["a"].polled(*request)
    return bool(made.state()["agencies"]["a"]["polled_to_end"])


def test_polled_to_the_end_needs_a_later_poll_whose_cursor_has_moved(tmp_path: Path) -> None:
    made = ticks(tmp_path, one([[{"so": "1", "at": 5}]]))
    asyncio.run(made.tick(1))
    assert not polled(made, (0, 1, 2))
    assert not polled(made, (0, 2, 2))
    assert polled(made, (5, 1, 1))


def test_a_poll_that_died_before_its_commit_is_not_taken_for_settled(tmp_path: Path) -> None:
    made = ticks(tmp_path, one([[{"so": "1", "at": 5}]]))
    asyncio.run(made.tick(1))
    assert not polled(made, (0, 1, 1))  # read to its end, and then killed
    assert not polled(made, (0, 1, 1))  # asks for the same again
    assert polled(made, (0, 1, 1))


def test_the_end_of_a_poll_that_began_before_the_tick_counts_for_nothing(tmp_path: Path) -> None:
    made = ticks(tmp_path, one([[], []]))
    asyncio.run(made.tick(1))
    polled(made, (0, 1, 2))
    asyncio.run(made.tick(2))
    assert not polled(made, (0, 2, 2), (5, 1, 2))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "data.json: "),
        ([], "not a data file of ticks"),
        ({"agencies": {"a": {"system": "soap"}}}, "not a data file of ticks: KeyError\\('name'\\)"),
        (one([[{"at": 1}]]), "a, tick 1: a row without so needs an _id"),
    ],
)
def test_a_data_file_that_cannot_be_used_is_named(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ticks(tmp_path, content)


def test_a_data_file_is_needed() -> None:
    with pytest.raises(ValueError, match="needs --data FILE"):
        Ticks(TwinOptions(base_url=""), SHAPE)
