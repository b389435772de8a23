"""What holds for every record, code, working day and figure."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.agency import AgencyRegister, parse_code
from schemas.calendar import WorkingCalendar
from schemas.codes import AgencyLevel, ApplicantKind, Channel, DossierStatus
from schemas.deadline import OnTimeFigures, Timeliness, classify
from schemas.dossier import Dossier
from schemas.dossier_step import DossierStep
from schemas.errors import CodeUnknownError, RefusedValueError
from schemas.fields import clean_text
from schemas.record import refusals
from schemas.sensitivity import MASKED, Sensitivity, mask, sensitivity

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other tests; how fast a record is made is for benchmarks to say."""

ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1901, 1, 1), datetime(2190, 12, 30), timezones=ZONES)  # noqa: DTZ001 - bounds have no zone
PERIODS = st.timedeltas(timedelta(), timedelta(days=400))
TEXTS = (
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1, max_size=40)
    .map(lambda text: normalize("NFC", text).strip())
    .filter(bool)
)
CODES = st.text("ABCXYZ019.-_/Đ", min_size=1, max_size=60)
AGENCIES = st.from_regex(r"[GH][0-9]{2}(\.[A-Z0-9]{2,3}){0,3}|[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.H[0-9]{2}", fullmatch=True)
NUMBERS = st.from_regex(r"[0-9A-Z.]{3,20}-[0-9]{6}-[0-9]{4,5}", fullmatch=True)


@st.composite
def dossiers(draw: st.DrawFn) -> dict[str, Any]:
    status = draw(st.sampled_from(DossierStatus))
    received_at = draw(TIMES)
    finished_at = received_at + draw(PERIODS) if status.finished else None
    return {
        "number": draw(NUMBERS),
        "procedure_code": draw(CODES),
        "procedure_name": draw(TEXTS),
        "field_code": draw(st.none() | CODES),
        "field_name": draw(st.none() | TEXTS),
        "agency": draw(AGENCIES),
        "agency_level": draw(st.sampled_from(AgencyLevel)),
        "applicant_kind": draw(st.sampled_from(ApplicantKind)),
        "applicant_name": draw(TEXTS),
        "applicant_id": draw(st.none() | TEXTS),
        "applicant_address": draw(st.none() | TEXTS),
        "applicant_phone": draw(st.none() | TEXTS),
        "applicant_email": draw(st.none() | TEXTS),
        "summary": draw(st.none() | TEXTS),
        "channel": draw(st.sampled_from(Channel)),
        "service_level": draw(st.none() | st.integers(1, 4)),
        "status": draw(st.sampled_from([status, int(status)])),
        "received_at": received_at,
        "due_at": draw(st.none() | TIMES),
        "finished_at": finished_at,
        "returned_at": draw(st.none() | TIMES),
        "note": draw(st.none() | TEXTS),
        "changed_at": draw(st.none() | TIMES),
    }


STEPS = st.fixed_dictionaries(
    {
        "number": st.sampled_from(["H59-1", "H59-11", "H59-1-1"]),
        "at": st.sampled_from([datetime(2017, 3, 1, 1, tzinfo=UTC) + timedelta(seconds=n / 2) for n in range(4)]),
        "person": st.sampled_from(["An", "An|4", "H59-1|2017-03-01T01:00:00Z", "|"])
        | TEXTS.filter(lambda t: len(t) < 50),
        "content": TEXTS,
        "status": st.integers(1, 10),
    }
)


@UNHURRIED
@given(dossiers())
def test_a_dossier_comes_back_equal(fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(fields)
    body = dossier.to_json()
    again = Dossier.from_json(body)
    assert again == dossier
    assert again.to_json() == body
    assert Dossier.model_validate(dossier.model_dump()) == dossier
    for name, value in fields.items():
        kept = getattr(dossier, name)
        assert kept == value
        assert not isinstance(kept, datetime) or kept.tzinfo is UTC


@UNHURRIED
@given(dossiers(), st.none() | TIMES)
def test_facts_do_not_see_the_time_of_change_or_the_zone(fields: dict[str, Any], changed_at: datetime | None) -> None:
    in_utc = {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in fields.items()}
    other = Dossier.model_validate(in_utc | {"changed_at": changed_at})
    assert other.facts() == Dossier.model_validate(fields).facts()


@UNHURRIED
@given(dossiers())
def test_json_is_what_pydantic_would_write(fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(fields)
    assert dossier.to_json() == dossier.to_json(dossier.facts()) == dossier.model_dump_json(exclude_none=True).encode()
    assert Dossier.from_json(dossier.to_json()) == dossier


@UNHURRIED
@given(dossiers(), st.sampled_from(Sensitivity))
def test_a_mask_shows_nothing_above_its_level(fields: dict[str, Any], upto: Sensitivity) -> None:
    shown = mask(Dossier.model_validate(fields), "dossier.v1", upto)
    for name, value in shown.items():
        if sensitivity(Dossier, name).rank > upto.rank:
            assert value in (None, MASKED)
            assert (value is None) == (fields[name] is None)
        else:
            assert value != MASKED


@UNHURRIED
@given(STEPS, STEPS)
def test_steps_have_one_key_exactly_where_their_facts_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = DossierStep.model_validate(one), DossierStep.model_validate(other)
    same = all(getattr(first, name) == getattr(second, name) for name in ("number", "at", "person", "status"))
    assert (first.key == second.key) == same
    assert DossierStep.from_json(first.to_json()) == first


@UNHURRIED
@given(
    st.dictionaries(
        st.sampled_from([*Dossier.model_fields, "more"]), st.none() | st.booleans() | st.integers() | st.text()
    )
)
def test_rubbish_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Dossier.model_validate(fields)
    for refusal in refusals(caught.value):
        assert refusal.field in {*Dossier.model_fields, "more"}
        assert refusal.reason


@UNHURRIED
@given(st.text())
def test_text_is_taken_whole_or_refused(text: str) -> None:
    try:
        assert clean_text(text) == text == normalize("NFC", text)
    except ValueError:
        assert text != normalize("NFC", text) or any(ord(c) < 32 or c in "\x7f\ufffe\uffff" for c in text)


@UNHURRIED
@given(AGENCIES, st.lists(st.integers(0, 35), max_size=3), st.booleans())
def test_a_code_is_read_whatever_its_blanks_and_case(code: str, blanks: list[int], small: bool) -> None:
    spelt = code.lower() if small else code
    for at in blanks:
        spelt = spelt[:at] + " " + spelt[at:]
    assert parse_code(spelt).text == code
    register = AgencyRegister.from_rows([{"code": code, "name": "Cơ quan", "level": "district"}])
    assert register.resolve(spelt, date(2017, 6, 1)).code == code


@UNHURRIED
@given(st.text(max_size=40))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    with suppress(RefusedValueError):
        parsed = parse_code(text)
        assert parse_code(parsed.text) == parsed
    with pytest.raises(CodeUnknownError):
        AgencyRegister.from_rows([{"code": "H59.05.001", "name": "Sở", "level": "commune"}]).resolve(text, date.max)


CALENDAR = WorkingCalendar()
DAYS = st.dates(date(2010, 1, 1), date(2030, 12, 31))
MINUTES = st.datetimes(
    datetime(2010, 1, 1),  # noqa: DTZ001 - bounds have no zone
    datetime(2030, 12, 31),  # noqa: DTZ001 - bounds have no zone
    timezones=st.just(UTC),
)


@UNHURRIED
@given(DAYS, st.integers(-40, 40), st.integers(1, 40))
def test_working_days_add_up(day: date, some: int, more: int) -> None:
    then = CALENDAR.add_working_days(day, some)
    assert CALENDAR.is_working_day(then)
    if some > 0:
        assert CALENDAR.add_working_days(then, more) == CALENDAR.add_working_days(day, some + more)
        between = (day + timedelta(days=n) for n in range(1, (then - day).days + 1))
        assert sum(map(CALENDAR.is_working_day, between)) == some
    if CALENDAR.is_working_day(day):
        assert CALENDAR.add_working_days(then, -some) == day


@UNHURRIED
@given(MINUTES, st.integers(0, 30))
def test_due_is_so_many_working_hours_away_and_within_hours(received_at: datetime, working_days: int) -> None:
    due_at = CALENDAR.due(received_at, working_days)
    assert due_at >= received_at
    assert CALENDAR.working_hours_between(received_at, due_at) == pytest.approx(8 * working_days)
    local_due = (due_at + timedelta(hours=7)).replace(tzinfo=None)
    assert CALENDAR.is_working_day(local_due.date())
    assert time(7) <= local_due.time() <= time(11, 30) or time(13, 30) <= local_due.time() <= time(17)
    assert due_at <= CALENDAR.due(received_at + timedelta(hours=1), working_days)


@UNHURRIED
@given(MINUTES, st.timedeltas(timedelta(), timedelta(days=30)), st.timedeltas(timedelta(), timedelta(days=30)))
def test_working_hours_add_up(start_at: datetime, first: timedelta, second: timedelta) -> None:
    middle_at, end_at = start_at + first, start_at + first + second
    parts = CALENDAR.working_hours_between(start_at, middle_at) + CALENDAR.working_hours_between(middle_at, end_at)
    assert CALENDAR.working_hours_between(start_at, end_at) == pytest.approx(parts)
    assert 0 <= parts <= (first + second) / timedelta(hours=1) + 1e-9


@UNHURRIED
@given(st.sampled_from(DossierStatus), st.none() | DAYS, st.none() | DAYS, DAYS)
def test_every_dossier_has_one_class(
    status: DossierStatus, due: date | None, finished: date | None, today: date
) -> None:
    assume(finished is not None or not status.finished)
    timeliness = classify(int(status), due, finished, today)
    done = {Timeliness.EARLY, Timeliness.ON_DUE_DATE, Timeliness.LATE}
    assert (timeliness in done) == status.finished
    if timeliness in (Timeliness.LATE, Timeliness.OVERDUE):
        assert due is not None
        assert due < (today if finished is None or not status.finished else finished)


@UNHURRIED
@given(st.lists(st.sampled_from(Timeliness)))
def test_figures_lose_nobody(dossiers: list[Timeliness]) -> None:
    figures = OnTimeFigures.of(dossiers)
    assert figures.received == len(dossiers)
    assert figures.not_counted == dossiers.count(Timeliness.NOT_COUNTED)
    half = len(dossiers) // 2
    assert OnTimeFigures.of(dossiers[:half]) + OnTimeFigures.of(dossiers[half:]) == figures


@UNHURRIED
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_rate_is_rounded_as_on_paper(on_due_date: int, early: int, late: int) -> None:
    finished = on_due_date + early + late
    figures = OnTimeFigures(received=finished, on_due_date=on_due_date, early=early, late=late)
    if not finished:
        assert figures.on_time_rate is None
    else:
        exact = Decimal(100 * (on_due_date + early)) / Decimal(finished)
        assert figures.on_time_rate == float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))
