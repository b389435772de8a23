"""Registers taken over from a portal: kept with their changes, never deleted, looked at by one process of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from hub.ledger.audit import By
from hub.ledger.read import open_reader
from hub.ledger.registers import Change, Entry, RegisterState
from hub.registers.syncing import sync
from hub.sections import RegistersSection
from schemas.errors import DestinationFault
from tests.contract.ledger.bench import Bench
from tests.unit.hub.registers.deployments import deployment

TODAY = date(2026, 3, 2)


def entry(code: str, name: str = "Khai sinh", **more: Any) -> Mapping[str, Any]:
    return {"code": code, "name": name, **more}


class Shows:
    """A portal that shows what a test says, or does not answer."""

    def __init__(self, *rows: Mapping[str, Any]) -> None:
        self.rows: Sequence[Mapping[str, Any]] | DestinationFault = rows

    async def catalogue(
        self, register: str, provinces: Sequence[str], deadline_s: float
    ) -> Sequence[Mapping[str, Any]]:
        if isinstance(self.rows, DestinationFault):
            raise self.rows
        return self.rows


def look(bench: Bench, portal: Shows, *, today: date = TODAY, force: bool = False, by: By | None = None) -> Any:
    section = RegistersSection.model_validate({"from": "n"})
    return bench.run(
        sync(bench.ledger, portal, deployment(section), section, "procedures", today=today, force=force, by=by)
    )


def kept(bench: Bench) -> dict[str, tuple[str, date | None]]:
    return {one.code: (one.content["name"], one.gone_on) for one in bench.run(bench.ledger.register_entries())}


def state(bench: Bench) -> RegisterState:
    return bench.run(bench.ledger.register_state("procedures"))


def test_what_is_shown_is_kept_with_what_changed(bench: Bench) -> None:
    portal = Shows(entry("1.000001.H59"), entry("1.000002.H59"), entry("1.000003.H59", "A"))
    assert look(bench, portal).changes == {"added": 3}
    portal.rows = [entry("1.000001.H59"), entry("1.000003.H59", "B"), entry("1.000004.H59")]
    assert look(bench, portal, by=By("lan", "")).changes == {"added": 1, "changed": 1, "gone": 1}
    assert kept(bench) == {
        "1.000001.H59": ("Khai sinh", None),
        "1.000002.H59": ("Khai sinh", TODAY),
        "1.000003.H59": ("B", None),
        "1.000004.H59": ("Khai sinh", None),
    }
    with open_reader(bench.url) as reader:
        changes = reader.register_changes("procedures")
        assert [(one.code, one.change) for one in changes] == [
            ("1.000002.H59", "gone"), ("1.000003.H59", "changed"), ("1.000004.H59", "added")
        ]  # fmt: skip
        assert (changes[1].before, changes[1].after) == ({"name": "A"}, {"name": "B"})
        [one] = reader.register_states()
        assert (one.version, one.entries, one.failures, one.problem) == (2, 3, 0, None)
    [done] = bench.run(bench.ledger.operations())
    assert (done.who, done.what, done.subject, done.count) == ("lan", "sync", "procedures", 3)


def test_what_comes_back_is_in_force_again_and_an_equal_look_makes_no_version(bench: Bench) -> None:
    portal = Shows(entry("1.000001.H59"), entry("1.000002.H59"))
    look(bench, portal)
    portal.rows = [entry("1.000001.H59")]
    look(bench, portal)
    portal.rows = [entry("1.000001.H59"), entry("1.000002.H59")]
    assert look(bench, portal).changes == {"back": 1}
    assert kept(bench)["1.000002.H59"] == ("Khai sinh", None)
    assert look(bench, portal).changes == {}
    assert bench.run(bench.ledger.register_versions()) == {"procedures": 3}


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "the catalogue is empty"),
        ([entry("1.000001.H59")], "3 of 4 entries would be lost at once"),
        (
            [entry(""), entry("x", ""), *(entry(f"1.00000{n}.H59") for n in range(4))],
            "2 of 6 entries cannot be read",
        ),
        ([entry(f"1.00000{n}.H12") for n in range(4)], "none of its 4 entries is of H59"),
        (DestinationFault("LayDanhSachTTHC: no whole answer"), "no whole answer"),
    ],
    ids=["empty", "truncated", "garbage", "another province's", "unanswered"],
)
def test_what_cannot_be_believed_changes_nothing_and_is_told(bench: Bench, rows: Any, why: str) -> None:
    portal = Shows(*(entry(f"1.00000{n}.H59") for n in range(4)))
    look(bench, portal)
    before = kept(bench)
    portal.rows = rows
    assert why in look(bench, portal).problem
    assert kept(bench) == before
    assert (state(bench).version, state(bench).failures) == (1, 1)
    assert why in (state(bench).problem or "")
    portal.rows = [entry(f"1.00000{n}.H59") for n in range(4)]
    assert look(bench, portal).problem == ""
    assert (state(bench).failures, state(bench).problem) == (0, None)


def test_a_great_loss_is_believed_where_a_person_says_so_but_never_an_empty_answer(bench: Bench) -> None:
    portal = Shows(*(entry(f"1.00000{n}.H59") for n in range(4)))
    look(bench, portal)
    portal.rows = [entry("1.000001.H59")]
    assert look(bench, portal, force=True).changes == {"gone": 3}
    portal.rows = []
    assert "empty" in look(bench, portal, force=True).problem


def test_entries_that_end_with_a_successor_are_no_loss(bench: Bench) -> None:
    portal = Shows(*(entry(f"1.00000{n}.H59") for n in range(4)))
    look(bench, portal)
    ended = {"valid_to": "2026-03-01"}
    portal.rows = [entry(f"1.00000{n}.H59", successor=f"1.00000{n}.H61", **ended) for n in range(4)]
    assert look(bench, portal).changes == {"changed": 4}
    portal.rows = [entry(f"1.00000{n}.H59") for n in range(4)]
    look(bench, portal)
    portal.rows = [entry(f"1.00000{n}.H59", **ended) for n in range(4)]
    assert "4 of 4 entries would be lost" in look(bench, portal).problem


def test_one_of_several_processes_looks_and_another_takes_over_from_one_that_died(on_postgres: Bench) -> None:
    bench, clock = on_postgres, on_postgres.clock
    other = bench.start()
    due_us = clock()
    assert bench.run(bench.ledger.take_register("procedures", due_us, 60.0))
    assert not bench.run(other.take_register("procedures", due_us, 60.0)), "somebody is at it"
    bench.execute("UPDATE register_state SET owner_until_us = 0")
    assert bench.run(other.take_register("procedures", due_us, 60.0)), "who was at it does not live any more"
    bench.run(other.register_failed("procedures", "no answer"))
    assert not bench.run(bench.ledger.take_register("procedures", due_us, 60.0)), "somebody has looked since"
    clock.tick(900)
    assert bench.run(bench.ledger.take_register("procedures", clock(), 60.0))
    bench.run(other.close())


def test_of_two_looks_at_once_the_second_compares_anew(bench: Bench) -> None:
    added = [Change("procedures", "1.000001.H59", "added", None, {"name": "A"})]
    assert bench.run(bench.ledger.keep_register("procedures", 0, added, TODAY))
    assert not bench.run(bench.ledger.keep_register("procedures", 0, added, TODAY))
    assert bench.run(bench.ledger.register_entries("procedures")) == [
        Entry("procedures", "1.000001.H59", {"name": "A"})
    ]
