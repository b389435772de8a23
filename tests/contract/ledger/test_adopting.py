"""What a portal has already counts as delivered, on both databases; the operations that record it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hub.ledger.adopting import REASON, Row, judge
from hub.operations import Adopting, BeginAdoption, EndAdoption, Operation, Place, TellAdoption
from schemas.errors import OperationRefused
from schemas.record import Counted
from tests.contract.ledger.bench import START, Bench, dossier, step

AS_OF = date(2017, 3, 21)
DAY = 86_400


def perform(bench: Bench, operation: Operation) -> Adopting:
    done: Adopting = bench.run(operation.perform(Place(bench.ledger, Path("hub.yaml"))))
    return done


def begin(bench: Bench, at_most: int = 10) -> Adopting:
    return perform(bench, BeginAdoption(who="lan", destination="n", as_of=AS_OF, at_most=at_most))


def tell(bench: Bench, at: Adopting, *there: str, at_most: int = 10) -> Adopting:
    shown = {one.number: one.number in there for one in at.next}
    agencies = {one.number: one.agency for one in at.next}
    after = at.next[-1].number
    said = TellAdoption(who="lan", destination="n", shown=shown, agencies=agencies, after=after, at_most=at_most)
    return perform(bench, said)


def end(bench: Bench, complete: bool = True) -> Adopting:
    return perform(bench, EndAdoption(who="lan", why="ngày đầu", destination="n", complete=complete))


def counted(finished: date | None = None, agency: str = "H59.15") -> Counted:
    return Counted(agency, "p", 9 if finished else 4, date(2017, 3, 1), None, finished)


def test_what_changed_before_counts_as_delivered_and_what_changed_since_is_an_update(bench: Bench) -> None:
    bench.settle(dossier("H59-1", at=0, counted=counted()), step("H59-1", at=1), step("H59-1", at=2 * DAY))
    bench.settle(dossier("H59-2", at=0, counted=counted()))
    at = begin(bench)
    assert [(one.number, one.agency) for one in at.next] == [("H59-1", "H59.15"), ("H59-2", "H59.15")]
    assert bench.due() == [], "the gate is paused meanwhile"
    at = tell(bench, at, "H59-1")
    assert (at.next, at.counts) == ([], {"H59.15": {"asked": 2, "new": 1, "dispatches": 2, "updates": 1}})
    assert bench.states() == ["delivered", "delivered", "waiting", "waiting"]
    assert [row["reason"] for row in bench.rows("SELECT reason FROM dispatch WHERE state = 'delivered'")] == [
        REASON
    ] * 2
    assert end(bench).gate == "open"
    assert [(t.lane, t.standing) for t in bench.due()] == [("H59-1", 1), ("H59-2", 0)]
    (done,) = bench.run(bench.ledger.operations())
    assert (done.who, done.what, done.subject, done.why, done.count) == ("lan", "adopt", "n", "ngày đầu", 2)


def test_of_several_states_the_newest_decides(bench: Bench) -> None:
    bench.settle(dossier(at=0, content="A", counted=counted()), dossier(at=10, content="B", counted=counted()))
    tell(bench, begin(bench), "H59-1")
    end(bench)
    assert bench.states() == ["superseded", "delivered"]
    bench.settle(
        dossier("H59-2", at=0, counted=counted()), dossier("H59-2", at=2 * DAY, content="B", counted=counted())
    )
    tell(bench, begin(bench), "H59-2")
    end(bench)
    assert bench.states()[2:] == ["waiting", "waiting"]
    assert len(bench.drain()) == 1, "the newer one overtakes the older, as anywhere"


def test_all_of_a_dossier_that_was_finished_before_is_history(bench: Bench) -> None:
    late = 2 * DAY
    bench.settle(dossier("H59-1", at=late, counted=counted(date(2017, 3, 20))), step("H59-1", at=late))
    bench.settle(dossier("H59-2", at=late, counted=counted(date(2017, 3, 21))))
    at = tell(bench, begin(bench), "H59-1", "H59-2")
    assert at.counts["H59.15"] == {"asked": 2, "new": 0, "history": 1, "updates": 1, "dispatches": 2}
    end(bench)


def test_a_run_that_was_stopped_is_gone_on_with(bench: Bench) -> None:
    bench.settle(*(dossier(f"H59-{n}", at=0, counted=counted()) for n in range(3)))
    tell(bench, begin(bench, 1), "H59-0", at_most=1)
    stopped = end(bench, complete=False)
    assert (stopped.gate, stopped.counts) == (
        "paused",
        {"H59.15": {"asked": 1, "new": 0, "history": 1, "dispatches": 1}},
    )
    bench.die()
    at = begin(bench)
    assert (at.again, [one.number for one in at.next]) == (True, ["H59-1", "H59-2"])
    at = tell(bench, at)
    assert at.counts == {"H59.15": {"asked": 2, "new": 2}}
    assert end(bench).gate == "open"
    assert len(bench.run(bench.ledger.operations())) == 2, "one for each run"


def test_a_gate_that_a_person_paused_stays_paused(bench: Bench) -> None:
    bench.settle(dossier(counted=counted()))
    bench.gate("paused")
    tell(bench, begin(bench))
    assert end(bench).gate == "paused"


def test_a_gate_that_a_person_paused_after_a_run_was_killed_stays_paused(bench: Bench) -> None:
    bench.settle(dossier("H59-1", counted=counted()))
    begin(bench)
    bench.gate("open")
    bench.gate("paused")
    tell(bench, begin(bench), "H59-1")
    assert end(bench).gate == "paused"
    begin(bench)
    bench.gate("open")
    bench.gate("paused")
    assert end(bench).gate == "paused", "also where they did it in the middle of a run"


def test_a_run_that_goes_on_opens_the_gate_that_the_killed_one_paused(bench: Bench) -> None:
    begin(bench)
    begin(bench)
    assert end(bench).gate == "open"


def test_a_portal_in_maintenance_stays_in_it(bench: Bench) -> None:
    bench.run(bench.ledger.maintain("n", START, "until 18:00"))
    for _ in range(2):
        begin(bench)
    assert bench.run(bench.ledger.gate("n")).state == "paused"
    assert end(bench).gate == "maintenance"
    assert bench.run(bench.ledger.gate("n")).reason == "until 18:00"


def test_telling_twice_counts_once(bench: Bench) -> None:
    bench.settle(dossier(at=0, counted=counted()))
    at = begin(bench)
    assert tell(bench, at, "H59-1").counts == tell(bench, at, "H59-1").counts
    end(bench)


def test_what_cannot_be_adopted_is_refused(bench: Bench) -> None:
    with pytest.raises(OperationRefused, match="start the hub once"):
        perform(bench, BeginAdoption(who="lan", destination="nobody", as_of=AS_OF))
    with pytest.raises(OperationRefused, match="nobody is adopting"):
        end(bench)


def test_what_has_no_time_of_its_own_waits() -> None:
    row = Row(1, "H59-1", 1, False, None, "H59.15", 4, None)
    judged = judge([row, Row(2, "H59-1", 2, True, START, "H59.15", 4, None)], AS_OF)
    assert judged.delivered == [2]
    assert judged.counts["H59.15"] == {"dispatches": 1, "updates": 1}
