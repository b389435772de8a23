"""Dossiers that got another number at their source: the old one ends visibly, each knows the other (R6, R9)."""

from __future__ import annotations

from datetime import date
from typing import Any

from hub.ledger.read import open_reader
from hub.ledger.renumbered import reason_of, told
from hub.ledger.states import ItemState
from hub.ledger.values import Renumbering, Settled
from schemas.record import Counted
from tests.contract.ledger.bench import Bench, Spec, dossier, refused, step

COUNTED = Counted("H59.12", "1.000001", 4, date(2017, 3, 1), None, None)


def moves(bench: Bench, row: Spec, old: str, new: str, *others: Spec, **how: Any) -> Settled:
    """Settle a row that tells that `old` is `new` now, as `hub.process` makes it."""
    settlement = bench.settlement(row, *others, **how)
    by = Renumbering(old, new, told(old, new, bench.ledger.digest_key))
    settlement.candidates[0].renumbered = by
    return bench.run(bench.ledger.settle(settlement))


def drained(bench: Bench, destination: str = "n") -> list[int]:
    """Deliver everything, also what was published and not claimed."""
    bench.clock.tick(200)
    return bench.drain(destination)


def numbers(bench: Bench, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = bench.trace(key)
    return found.renumbered_to, found.renumbered_from


def test_r6_the_new_number_is_a_new_dossier_and_the_old_one_ends_by_name(bench: Bench) -> None:
    bench.settle(dossier("H59-1"), step("H59-1"))
    drained(bench)
    moves(bench, dossier("H59-9", at=5), "H59-1", "H59-9", step("H59-9"))
    assert bench.items() == ["accepted", "accepted", "accepted", "no-route", "accepted"]
    assert len(drained(bench)) == 2, "the new dossier, then its steps under its number"
    assert numbers(bench, "H59-1") == (("H59-9",), ())
    assert numbers(bench, "H59-9") == ((), ("H59-1",))
    [problem] = bench.trace("H59-1").problems
    assert (problem.verdict, problem.reason) == ("no-route", "renumbered to H59-9")
    assert problem.mend == "nothing: it goes on as H59-9, see `hub trace H59-9`"


def test_r9_told_again_with_every_reading_it_is_one_end_and_then_duplicates(bench: Bench) -> None:
    for _ in range(3):
        moves(bench, dossier("H59-9"), "H59-1", "H59-9")
    assert bench.items() == ["accepted", "no-route", "duplicate", "duplicate", "duplicate", "duplicate"]


def test_a_tombstone_under_the_old_number_names_the_new_one_before_that_is_read(bench: Bench) -> None:
    bench.settle(dossier("H59-1"))
    old = dossier("H59-1", at=5, no_route=reason_of("H59-9"))
    for _ in range(2):
        moves(bench, old, "H59-1", "H59-9")
    assert bench.items() == ["accepted", "no-route", "duplicate"]
    assert bench.revisions("H59-1") == 1
    assert numbers(bench, "H59-9") == ((), ("H59-1",)), "nothing else is known of it yet"


def test_what_waits_under_the_old_number_is_discarded_and_what_is_out_goes_on(bench: Bench) -> None:
    bench.rule("m")
    bench.gate("paused", "m")
    tickets = bench.settle(dossier("H59-1"), step("H59-1"), dossier("H59-2"), to=("n", "m")).tickets
    first = bench.rows("SELECT min(id) AS id FROM dispatch WHERE destination = 'n' AND lane = 'H59-1'")[0]["id"]
    call = bench.claim([ticket for ticket in tickets if ticket.dispatch_id == first])
    moves(bench, dossier("H59-9", at=5), "H59-1", "H59-9", to=("n", "m"))
    rows = bench.rows("SELECT d.destination, d.lane, d.state, d.reason FROM dispatch d ORDER BY d.id")
    ended = {(row["destination"], row["state"]) for row in rows if row["lane"] == "H59-1"}
    assert ended == {("n", "sending"), ("n", "discarded"), ("m", "discarded")}
    assert {row["reason"] for row in rows if row["state"] == "discarded"} == {"renumbered to H59-9"}
    assert all(row["state"] != "discarded" for row in rows if row["lane"] != "H59-1")
    bench.finish(call)
    drained(bench)
    assert set(bench.states()) == {"delivered", "discarded"}


def test_r9_7_no_source_ends_a_dossier_of_another_one(bench: Bench) -> None:
    bench.settle(dossier("H59-1"), source="other")
    moves(bench, dossier("H59-9"), "H59-1", "H59-9")
    assert numbers(bench, "H59-1") == ((), ())
    [problem] = bench.trace("H59-1").problems
    assert problem.reason == ("cannot be renumbered to H59-9: it belongs to the source other, which has to tell it")
    assert bench.states() == ["queued", "queued"]


def test_r9_7_where_the_new_number_is_anothers_the_old_one_stays(bench: Bench) -> None:
    bench.settle(dossier("H59-1"))
    bench.settle(dossier("H59-9"), source="other")
    moves(bench, dossier("H59-9", at=5), "H59-1", "H59-9")
    assert bench.items() == ["accepted", "accepted", "parked"]
    assert numbers(bench, "H59-1") == ((), ())


def test_numbers_may_change_again_and_several_become_one(bench: Bench) -> None:
    moves(bench, dossier("H59-2"), "H59-1", "H59-2")
    moves(bench, dossier("H59-3", at=5), "H59-2", "H59-3")
    moves(bench, dossier("H59-3", at=6, content="B"), "H59-0", "H59-3")
    assert numbers(bench, "H59-2") == (("H59-3",), ("H59-1",))
    assert numbers(bench, "H59-3") == ((), ("H59-0", "H59-2"))


def test_a_dossier_is_counted_once_under_its_new_number(bench: Bench) -> None:
    def received() -> list[int]:
        with open_reader(bench.url) as reader:
            return [one.figures.received for one in reader.report(date(2017, 3, 20))]

    bench.settle(dossier("H59-1", counted=COUNTED), dossier("H59-2", counted=COUNTED))
    assert received() == [2]
    moves(bench, dossier("H59-9", at=5, counted=COUNTED), "H59-1", "H59-9")
    assert received() == [2]
    bench.settle(dossier("H59-1", at=9, content="B", counted=COUNTED))
    assert received() == [3], "its source uses the old number again"


def test_a_row_that_was_parked_ends_the_old_number_once_it_is_done_again(bench: Bench) -> None:
    arrival = bench.settle(refusals=[refused(0, "raw", ItemState.PARKED)]).arrival_id
    for _ in range(2):
        settlement = bench.settlement(dossier("H59-9"))
        settlement.candidates[0].renumbered = Renumbering(
            "H59-1", "H59-9", told("H59-1", "H59-9", bench.ledger.digest_key)
        )
        bench.run(bench.ledger.redo(arrival, settlement))
        assert bench.items() == ["accepted", "no-route"]
    assert numbers(bench, "H59-1") == (("H59-9",), ())
