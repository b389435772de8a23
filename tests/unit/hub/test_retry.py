from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.values import SECOND_US, Outcome
from hub.ports import Fault, FaultClass, Mode, Receipt, Result, Unknown
from hub.retry import RetryPolicy, Sent, backoff_s, holds, serves, spoken, verdict

NOW = 1_490_000_000 * SECOND_US
POLICY = RetryPolicy(first_s=2, cap_s=60, limit=3, unknown_wait_s=4)
F = FaultClass


def fault(kind: FaultClass, **more: object) -> Fault:
    return Fault(7, kind, "-5", "sai ngày", **more)  # type: ignore[arg-type]  # the fields of Fault, by name


def judged(
    result: Result, *, mode: Mode = Mode.NEW, members: int = 1, tries: int = 0, attempts: int = 0, chance: float = 0.5,
    policy: RetryPolicy = POLICY, age_s: float = 0.0, blamed: bool = False,
) -> Outcome:  # fmt: skip
    return verdict(result, Sent(1, mode, members, tries, attempts, age_s, blamed), policy, NOW, chance)


def test_a_receipt_delivers() -> None:
    assert judged(Receipt(7)) == Outcome(7, 1, "delivered")


def test_r8_an_unknown_outcome_is_left_to_settle() -> None:
    outcome = judged(Unknown(7, "the connection broke"))
    assert (outcome.to, outcome.due_us, outcome.fault) == ("unknown", NOW + 4 * SECOND_US, "unknown")
    assert not outcome.spend
    # What ends like this every time must not press the portal.
    assert judged(Unknown(7, "lost"), tries=4).due_us == NOW + 16 * SECOND_US
    assert judged(Unknown(7, "lost"), tries=40, attempts=99).due_us == NOW + 30 * SECOND_US


@pytest.mark.parametrize(
    ("kind", "to", "wait_s", "spend"),
    [
        (F.TRANSIENT, "waiting", 4.0, True),
        (F.THROTTLED, "waiting", 4.0, False),
        (F.SESSION, "waiting", 0.0, False),
        (F.DOWN, "waiting", 0.0, False),
        (F.DATA, "dead", None, True),
    ],
)
def test_each_fault_has_its_end(kind: FaultClass, to: str, wait_s: float | None, spend: bool) -> None:
    outcome = judged(fault(kind), tries=2)
    assert (outcome.to, outcome.spend) == (to, spend)
    assert outcome.due_us == (None if wait_s is None else NOW + int(wait_s * SECOND_US))


def test_a_throttle_is_obeyed_to_the_second() -> None:
    assert judged(fault(F.THROTTLED, retry_after_s=17.0)).due_us == NOW + 17 * SECOND_US
    # A time that has passed is still not "at once": a throttling portal would be asked in a tight loop.
    for passed_s in (0.0, -3600.0, 0.5):
        assert judged(fault(F.THROTTLED, retry_after_s=passed_s)).due_us == NOW + 2 * SECOND_US
    assert judged(fault(F.THROTTLED), chance=0.0).due_us == NOW + 2 * SECOND_US


def test_a_limit_of_attempts_makes_dead_and_others_do_not_count() -> None:
    assert judged(fault(F.TRANSIENT), attempts=1, tries=50).to == "waiting"
    assert judged(fault(F.TRANSIENT), attempts=2).to == "dead"
    for patient in (F.THROTTLED, F.SESSION, F.DOWN):
        assert judged(fault(patient), attempts=99).to == "waiting"


@pytest.mark.parametrize(("mode", "to", "has_it"), [(Mode.NEW, "waiting", True), (Mode.EVENT, "delivered", False)])
def test_r8_already_there_makes_a_new_one_an_update_and_an_event_delivered(mode: Mode, to: str, has_it: bool) -> None:
    outcome = judged(fault(F.ALREADY_THERE), mode=mode)
    assert (outcome.to, outcome.portal_has_it, outcome.spend) == (to, has_it, False)
    assert outcome.due_us == (NOW if to == "waiting" else None)


def test_r8_already_there_proves_nothing_about_an_update() -> None:
    outcome = judged(fault(F.ALREADY_THERE), mode=Mode.UPDATE)
    assert (outcome.to, outcome.spend, outcome.portal_has_it) == ("waiting", True, False)
    assert judged(fault(F.ALREADY_THERE), mode=Mode.UPDATE, attempts=2).to == "dead"


@pytest.mark.parametrize("kind", [F.DATA, F.ALREADY_THERE, F.TRANSIENT])
@pytest.mark.parametrize(("members", "half"), [(100, 50), (3, 2), (2, 1)])
def test_r14_a_batch_refused_whole_is_halved_and_spends_nothing(kind: FaultClass, members: int, half: int) -> None:
    outcome = judged(fault(kind, whole_batch=True), members=members, attempts=99)
    assert (outcome.to, outcome.batch_limit, outcome.spend) == ("waiting", half, False)


def test_r14_one_that_stands_alone_is_the_culprit() -> None:
    assert judged(fault(F.DATA, whole_batch=True), members=1).to == "dead"
    assert judged(fault(F.TRANSIENT, whole_batch=True), members=1).spend


@given(st.integers(1, 10_000))
def test_r14_halving_ends_alone_after_as_many_calls_as_the_logarithm(members: int) -> None:
    calls = 0
    while members > 1:
        members = judged(fault(F.DATA, whole_batch=True), members=members).batch_limit
        calls += 1
    assert calls <= 14


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_backoff_doubles_to_its_cap_with_full_jitter(tries: int, chance: float) -> None:
    longest = min(POLICY.cap_s, POLICY.first_s * 2 ** min(tries, 30))
    assert 0 <= backoff_s(POLICY, tries, chance) <= longest
    assert backoff_s(POLICY, tries, 1.0) == longest


def test_what_is_kept_of_a_fault_is_bounded_and_names_the_place() -> None:
    outcome = verdict(
        Fault(7, F.DATA, "-5", "dài " * 2000, path="NgayTra", value="x"), Sent(1, Mode.NEW, 1, 0, 0), POLICY, NOW, 0
    )
    assert outcome.reason.startswith("data -5: dài")
    assert (len(outcome.reason), len(outcome.text)) == (500, 2000)
    assert (outcome.path, outcome.value, outcome.code) == ("NgayTra", "x", "-5")
    assert judged(Fault(7, F.TRANSIENT, "", "HTTP 500")).reason == "transient: HTTP 500"


@pytest.mark.parametrize(("kind", "held"), [(F.DOWN, True), (F.SESSION, True), (F.TRANSIENT, False), (F.DATA, False)])
def test_r2_a_gate_is_held_for_a_portal_that_is_down_or_lets_nobody_in(kind: FaultClass, held: bool) -> None:
    assert holds([Receipt(1), Unknown(2, "?"), fault(kind)]) == ("sai ngày" if held else "")


@pytest.mark.parametrize(("down", "reason"), [(True, "HTTP 502"), (False, "")])
def test_r2_a_gate_is_held_where_a_gateway_says_that_the_portal_is_away(down: bool, reason: str) -> None:
    assert holds([Receipt(1), Unknown(2, "HTTP 502", down)]) == reason
    assert judged(Unknown(7, "HTTP 502", down)).to == "unknown"


@pytest.mark.parametrize("kind", [F.DOWN, F.SESSION])
def test_what_brought_a_portal_down_in_company_soon_travels_alone(kind: FaultClass) -> None:
    limits = [judged(fault(kind), members=members).batch_limit for members in (100, 50, 3, 2, 1)]
    assert limits == [50, 25, 2, 1, 0]


# --- each class its own schedule

CLASSES = RetryPolicy(
    first_s=1, cap_s=300, limit=20,
    classes={
        "throttled": RetryPolicy(first_s=30, cap_s=300, limit=20),
        "transient": RetryPolicy(first_s=1, cap_s=300, limit=2),
        "already-there": RetryPolicy(first_s=1, cap_s=300, limit=1),
        "unknown": RetryPolicy(first_s=1, cap_s=600, limit=20),
    },
)  # fmt: skip


def test_a_class_has_its_own_schedule() -> None:
    assert judged(fault(F.THROTTLED), policy=CLASSES, chance=0.0).due_us == NOW + 30 * SECOND_US
    assert judged(fault(F.THROTTLED, retry_after_s=45), policy=CLASSES).due_us == NOW + 45 * SECOND_US
    assert judged(fault(F.TRANSIENT), policy=CLASSES, tries=40, chance=0.5).due_us == NOW + 150 * SECOND_US
    assert judged(Unknown(7, "lost"), policy=CLASSES, tries=40, chance=0.5).due_us == NOW + 300 * SECOND_US
    assert [judged(fault(F.TRANSIENT), policy=CLASSES, attempts=n).to for n in (0, 1)] == ["waiting", "dead"]
    assert judged(fault(F.ALREADY_THERE), policy=CLASSES, mode=Mode.UPDATE).to == "dead"


def test_what_died_of_its_last_attempt_says_so_and_what_is_refused_for_its_data_does_not() -> None:
    assert judged(fault(F.TRANSIENT), attempts=2).worn_out
    assert not judged(fault(F.TRANSIENT), attempts=1).worn_out
    assert not judged(fault(F.DATA), attempts=2).worn_out


# --- an end by age

WEEK = 7 * 86_400
PATIENT = RetryPolicy(first_s=1, cap_s=300, limit=1000, give_up_after_s=WEEK)


@pytest.mark.parametrize(
    ("kind", "mode"), [(F.TRANSIENT, Mode.NEW), (F.THROTTLED, Mode.NEW), (F.ALREADY_THERE, Mode.UPDATE)]
)
def test_what_fails_once_more_at_the_age_limit_is_dead_and_says_after_how_long(kind: FaultClass, mode: Mode) -> None:
    assert judged(fault(kind), policy=PATIENT, mode=mode, age_s=WEEK - 1).to == "waiting"
    outcome = judged(fault(kind), policy=PATIENT, mode=mode, age_s=WEEK)
    assert (outcome.to, outcome.due_us) == ("dead", None)
    assert outcome.reason == f"given up after 7 days of trying: {kind.value} -5: sai ngày"
    assert not outcome.worn_out
    assert not outcome.possibly_twice


@pytest.mark.parametrize("kind", [F.DOWN, F.SESSION])
def test_a_portal_that_is_away_buries_nobody_however_old(kind: FaultClass) -> None:
    assert judged(fault(kind), policy=PATIENT, age_s=100 * WEEK).to == "waiting"


def test_a_batch_refused_whole_buries_nobody_before_the_culprit_stands_alone() -> None:
    old = judged(fault(F.TRANSIENT, whole_batch=True), policy=PATIENT, members=100, age_s=100 * WEEK)
    assert (old.to, old.batch_limit) == ("waiting", 50)


def test_an_unknown_outcome_at_the_age_limit_is_dead_and_possibly_twice() -> None:
    outcome = judged(Unknown(7, "the connection broke"), policy=PATIENT, age_s=WEEK)
    assert (outcome.to, outcome.due_us, outcome.possibly_twice) == ("dead", None, True)
    assert outcome.reason == "given up after 7 days of trying: the connection broke"


def test_without_an_age_limit_nothing_dies_of_age_and_nobody_needs_to_know_it() -> None:
    assert judged(fault(F.TRANSIENT), age_s=1e12).to == "waiting"
    assert not POLICY.ages
    assert PATIENT.ages
    assert RetryPolicy(classes={"unknown": PATIENT}).ages


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(WEEK, "7 days"), (36 * 3600, "36 hours"), (5400, "90 minutes"), (90, "90 seconds"), (1.5, "1.5 seconds")],
)
def test_durations_are_spoken(seconds: float, said: str) -> None:
    assert spoken(seconds) == said


# --- an end for what alone ends in a gateway's 502 each time


def test_an_unknown_outcome_does_not_die_of_attempts_unless_it_is_to_blame_itself() -> None:
    assert judged(Unknown(7, "HTTP 502"), attempts=99, tries=99).to == "unknown"
    assert not judged(Unknown(7, "HTTP 502")).spend
    blamed = judged(Unknown(7, "HTTP 502"), blamed=True, attempts=1)
    assert (blamed.to, blamed.spend) == ("unknown", True)
    dead = judged(Unknown(7, "HTTP 502"), blamed=True, attempts=2)
    assert (dead.to, dead.due_us, dead.possibly_twice, dead.spend) == ("dead", None, True, True)
    assert dead.reason == "given up after 3 tries alone, after none of which its outcome was known: HTTP 502"


# --- what raises a ramp


@pytest.mark.parametrize(
    ("results", "well"),
    [
        ([Receipt(1), Receipt(2)], True),
        ([Receipt(1), fault(F.DATA)], True),
        ([fault(F.ALREADY_THERE)], True),
        ([Receipt(1), fault(F.TRANSIENT)], False),
        ([fault(F.THROTTLED)], False),
        ([Unknown(1, "lost")], False),
        ([], False),
    ],
)
def test_a_request_went_well_where_the_portal_said_something_final_of_each_member(
    results: list[Result], well: bool
) -> None:
    assert serves(results) == well
