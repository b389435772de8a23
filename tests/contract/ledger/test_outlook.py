"""What a destination's backlog comes to: its pace, its due dates, and what does not move by itself."""

from __future__ import annotations

from datetime import date, timedelta

from hub.forecast import Forecast, Work, ends_at
from hub.ledger.draining import backlog
from hub.ledger.read import open_reader
from hub.ledger.values import from_us
from hub.ledger.views import QueueState
from schemas.local_time import local_date
from schemas.record import Counted
from tests.contract.ledger.bench import SECOND, START, Bench, dossier, step

TODAY = local_date(from_us(START))


def due_on(days: int, *, finished: bool = False) -> Counted:
    return Counted("A", "P", 9 if finished else 2, TODAY, TODAY + timedelta(days=days), TODAY if finished else None)


def state(bench: Bench) -> QueueState:
    with open_reader(bench.url) as reader:
        (found,) = reader.queues(bench.clock())
    return found


def at_work(bench: Bench, seconds: float, count: int, to: str = "delivered") -> None:
    """So many dispatches come to the same end one after the other, over so many seconds."""
    for n in range(count):
        tickets = bench.settle(dossier(f"work-{bench.clock()}-{n}")).tickets
        bench.finish(bench.claim(tickets), to)
        bench.clock.tick(seconds / (count - 1))


def test_a_pace_is_written_at_the_heartbeat_when_it_was_measured_and_is_the_present_one_for_a_minute(
    bench: Bench,
) -> None:
    bench.run(bench.ledger.beat())
    assert bench.rows("SELECT * FROM pace") == []
    at_work(bench, 10, 21)
    bench.run(bench.ledger.beat())
    (row,) = bench.rows("SELECT destination, worker, per_s FROM pace")
    assert (row["destination"], row["worker"], row["per_s"]) == ("n", bench.ledger.worker, 2.1)
    waiting = state(bench).forecast
    assert waiting is not None
    assert waiting.per_s == 2.1
    bench.clock.tick(61)
    bench.run(bench.ledger.beat())
    later = state(bench).forecast
    assert later is not None
    assert later.per_s is None, "a beat without a new measurement makes an old one no younger"


def test_tries_that_fail_are_no_pace(bench: Bench) -> None:
    at_work(bench, 10, 21, "waiting")
    bench.run(bench.ledger.beat())
    assert [row["per_s"] for row in bench.rows("SELECT per_s FROM pace")] == [0.0]


def test_the_paces_of_all_workers_add_up_and_those_of_long_ago_are_forgotten(bench: Bench) -> None:
    for worker, ago_s in (("a", 10), ("b", 50), ("c", 70), ("d", 4000)):
        at_us = bench.clock() - ago_s * SECOND
        bench.execute("INSERT INTO pace VALUES ('n', :w, 5.0, :at)", w=worker, at=at_us)
    found = state(bench).forecast
    assert found is not None
    assert found.per_s == 10.0
    at_work(bench, 10, 21)
    bench.run(bench.ledger.beat())
    workers = {row["worker"] for row in bench.rows("SELECT worker FROM pace")}
    assert workers == {"a", "b", "c", bench.ledger.worker}


def test_a_backlog_is_counted_by_due_date_and_what_does_not_move_apart(bench: Bench) -> None:
    bench.rule(resend_events=False)
    bench.deliver(bench.settle(dossier("asks")).tickets)
    bench.finish(bench.claim(bench.settle(step("asks", at=1)).tickets), "unknown", due_s=0)
    bench.resolve()
    bench.settle(step("asks", at=2))
    bench.settle(step("nobody", at=1))
    bench.gate("paused")
    today, overdue = dossier("today", counted=due_on(0)), dossier("overdue", counted=due_on(-1))
    done, none = dossier("done", counted=due_on(0, finished=True)), dossier("none")
    bench.settle(today, step("today", at=1), overdue, done, none)
    with bench.db.connect() as connection:
        moving, still = backlog(connection, "n")
    expected: dict[date | None, Work] = {
        TODAY: Work(1, 2), TODAY - timedelta(days=1): Work(1, 1), None: Work(2, 2)
    }  # fmt: skip
    assert (moving, still) == (expected, Work(2, 3))
    found = state(bench)
    assert (found.stuck, found.undecided, found.unknown) == (2, 1, 1)
    assert found.unknown_since == from_us(START)
    assert found.forecast == Forecast(4, 5, 1, pass_due_date=1, closed_until=ends_at(TODAY))


def test_a_backlog_that_drains_too_slowly_lets_due_dates_pass(bench: Bench) -> None:
    bench.rule(window=1)
    bench.settle(*(dossier(f"H59-{n}", counted=due_on(0)) for n in range(3)))
    left_s = (ends_at(TODAY) - from_us(bench.clock())).total_seconds()
    bench.execute("INSERT INTO pace VALUES ('n', 'w', :per_s, :at)", per_s=2.1 / left_s, at=bench.clock())
    found = state(bench).forecast
    assert found is not None
    assert (found.dossiers, found.pass_due_date) == (3, 1)
    assert found.drained_in_s is not None
    assert left_s < found.drained_in_s < 1.5 * left_s


def test_what_will_be_late_is_told_only_where_somebody_can_say_so(bench: Bench) -> None:
    bench.rule(window=1)
    bench.settle(*(dossier(f"H59-{n}", counted=due_on(0)) for n in range(3)))
    assert bench.run(bench.ledger.forecast(["n"])) == {}, "no pace was measured"
    left_s = (ends_at(TODAY) - from_us(bench.clock())).total_seconds()
    bench.execute("INSERT INTO pace VALUES ('n', 'w', :per_s, :at)", per_s=2.1 / left_s, at=bench.clock())
    assert bench.run(bench.ledger.forecast(["n"])) == {"n": 1}
    bench.gate("paused")
    assert bench.run(bench.ledger.forecast(["n"])) == {}, "behind a closed gate there is no rate"


def test_strange_codes_and_open_alerts_are_shown(bench: Bench) -> None:
    for code, count in (("17", 3), ("99", 40)):
        bench.execute(
            "INSERT INTO answer_code VALUES ('n', 'DongBo', 200, :code, 'lạ', :n, :at, :at)",
            code=code,
            n=count,
            at=START,
        )
    for subject, closed_us in (("n", None), ("m", START)):
        bench.execute(
            "INSERT INTO alert (subject, trouble, opened_us, closed_us, text, count) VALUES (:s, 'held', :at, :c, "
            "'không gọi được', 2)",
            s=subject,
            at=START,
            c=closed_us,
        )
    codes = state(bench).strange_codes
    assert [(one.code, one.count, one.text) for one in codes] == [
        ("99", 40, "lạ"),
        ("17", 3, "lạ"),
    ]
    with open_reader(bench.url) as reader:
        (alert,) = reader.alerts()
    assert (alert.subject, alert.trouble, alert.text, alert.count) == ("n", "held", "không gọi được", 2)
