"""`dossier.v1`: what it takes, what it refuses, and how it travels."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.codes import Channel, DossierStatus
from schemas.dossier import Dossier
from schemas.record import Counted, refusals
from schemas.sensitivity import Sensitivity, sensitivity

PERSONAL = {
    "applicant_name",
    "applicant_id",
    "applicant_address",
    "applicant_phone",
    "applicant_email",
    "summary",
    "note",
}
REQUIRED = {
    "number",
    "procedure_code",
    "procedure_name",
    "agency",
    "agency_level",
    "applicant_kind",
    "applicant_name",
    "channel",
    "status",
    "received_at",
}


def refused(fields: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Dossier.model_validate(fields)
    return [str(one) for one in refusals(caught.value)]


def test_keeps_times_in_utc_and_codes_as_members(dossier_fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(dossier_fields)
    assert dossier.received_at == datetime(2017, 3, 1, 1, 0, tzinfo=UTC)
    assert dossier.received_at.tzinfo is UTC
    assert dossier.status is DossierStatus.PROCESSED
    assert dossier.channel is Channel.COUNTER


def test_key_lane_and_source_time(dossier_fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(dossier_fields)
    assert dossier.key == dossier.lane == "000.00.05.H59-170301-0001"
    assert dossier.source_time == datetime(2017, 3, 21, 8, 30, 5, tzinfo=UTC)
    assert Dossier.model_validate(dossier_fields | {"changed_at": None}).source_time is None


def test_comes_back_equal_from_its_json(dossier_fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(dossier_fields)
    body = dossier.to_json()
    assert '"applicant_name":"Nguyễn Thị Hồng Ánh"'.encode() in body
    assert b'"received_at":"2017-03-01T01:00:00Z"' in body
    assert b'"status":9' in body
    again = Dossier.from_json(body)
    assert again == dossier
    assert hash(again) == hash(dossier)
    assert again.to_json() == body


def test_facts_are_everything_but_the_time_of_change(dossier_fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(dossier_fields)
    later = Dossier.model_validate(dossier_fields | {"changed_at": datetime(2017, 4, 1, tzinfo=UTC)})
    assert later.facts() == dossier.facts()
    assert later.to_json() != dossier.to_json()
    facts = json.loads(dossier.facts())
    assert list(facts) == [name for name, value in dossier if value is not None and name != "changed_at"]
    assert facts["finished_at"] == "2017-03-21T08:30:00Z"
    assert Dossier.model_validate(dossier_fields | {"note": None}).facts() != dossier.facts()


def test_what_has_no_value_is_no_fact(dossier_fields: dict[str, Any]) -> None:
    """So a kind may be given another optional field, and no digest changes."""
    dossier = Dossier.model_validate(dossier_fields | {"note": None, "changed_at": None})
    assert b"note" not in dossier.facts()
    assert dossier.to_json() == dossier.facts()
    assert Dossier.from_json(dossier.to_json()) == dossier


def test_only_the_required_fields_are_needed(dossier_fields: dict[str, Any]) -> None:
    few = {name: dossier_fields[name] for name in REQUIRED} | {"status": 2}
    assert Dossier.model_validate(few).finished_at is None
    assert set(refused({})) == {f"{name}: is required" for name in REQUIRED}


def test_counts_by_the_day_in_viet_nam(dossier_fields: dict[str, Any]) -> None:
    at_night = datetime(2017, 3, 1, 18, 0, tzinfo=UTC)  # 01:00 on 2 March in Viet Nam
    counted = Dossier.model_validate(dossier_fields | {"received_at": at_night}).counted()
    assert counted == Counted(
        agency="H59.05",
        procedure="1.003560.000.00.00.H59",
        status=9,
        received_on=date(2017, 3, 2),
        due_on=date(2017, 3, 22),
        finished_on=date(2017, 3, 21),
    )


def test_is_frozen(dossier_fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(dossier_fields)
    with pytest.raises(ValidationError, match="frozen"):
        dossier.note = "khác"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "9"}, "status: Status should be a whole number from 1 to 10 (found '9')"),
        ({"status": True}, "status: Status should be a whole number from 1 to 10 (found 'True')"),
        ({"status": 11}, "status: Status should be a whole number from 1 to 10 (found '11')"),
        ({"finished_at": None}, "finished_at: A dossier of status 9 (processed) needs its finish time"),
        ({"number": "H59 0001"}, "number: should hold no blank and no '|' (found 'H59 0001')"),
        ({"number": "H59|0001"}, "number: should hold no blank and no '|' (found 'H59|0001')"),
        ({"number": "  "}, "number: String should have at least 1 character (found '  ')"),
        (
            {"agency": "So TTTT"},
            "agency: is no agency code; the forms are 'H59.05' and '000.00.05.H59' (found 'So TTTT')",
        ),
        (
            {"agency_level": "ward"},
            "agency_level: Input should be 'central', 'province', 'district' or 'commune' (found 'ward')",
        ),
        ({"service_level": 5}, "service_level: Input should be less than or equal to 4 (found '5')"),
        ({"surprise": 1}, "surprise: is no field of Dossier (found '1')"),
        ({"note": "a\0b"}, "note: Text should hold no control character, has U+0000 at position 2 (found 'a\\x00b')"),
        (
            {"summary": "x" * 1001},
            f"summary: String should have at most 1000 characters (found '{'x' * 200}… (1001 characters)')",
        ),
        ({"due_at": "2017-03-22T10:00:00Z"}, "due_at: Input should be a valid datetime (found '2017-03-22T10:00:00Z')"),
        ({"due_at": datetime(2017, 3, 22)}, "due_at: Input should have timezone info (found '2017-03-22 00:00:00')"),  # noqa: DTZ001 - the naive time is the case
    ],
)
def test_refuses_a_value_by_field_and_value(dossier_fields: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    assert refused(dossier_fields | changes) == [said]


def test_refuses_decomposed_text(dossier_fields: dict[str, Any]) -> None:
    [said] = refused(dossier_fields | {"applicant_name": "Nguye\u0302\u0303n"})
    assert said.startswith("applicant_name: Text should be composed Unicode (NFC)")


def test_refuses_a_finish_before_the_receipt(dossier_fields: dict[str, Any]) -> None:
    [said] = refused(dossier_fields | {"finished_at": dossier_fields["received_at"] - timedelta(seconds=1)})
    assert said.startswith("finished_at: Finish time should not be before the time of receipt")


@pytest.mark.parametrize("at", [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)])  # noqa: DTZ001 - a zone is given below
def test_refuses_the_dates_that_mean_no_date(dossier_fields: dict[str, Any], at: datetime) -> None:
    for offset_h in (-12, 7, 14):
        zoned = at.replace(tzinfo=timezone(timedelta(hours=offset_h)))
        [said] = refused(dossier_fields | {"returned_at": zoned})
        assert said.startswith("returned_at: Input should be ")


def test_says_every_problem_at_once(dossier_fields: dict[str, Any]) -> None:
    assert len(refused(dossier_fields | {"status": 0, "agency": "x", "number": ""})) == 3


def test_an_error_shows_no_value_unless_asked(dossier_fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Dossier.model_validate(dossier_fields | {"applicant_id": 334455667, "finished_at": None})
    assert "334455667" not in str(caught.value)


def test_trims_text(dossier_fields: dict[str, Any]) -> None:
    assert Dossier.model_validate(dossier_fields | {"note": " Đủ\n giấy tờ\u00a0\n"}).note == "Đủ\n giấy tờ"


def test_personal_fields_are_declared() -> None:
    assert {name for name in Dossier.model_fields if sensitivity(Dossier, name) is Sensitivity.PERSONAL} == PERSONAL
    assert Dossier.model_json_schema()["properties"]["applicant_id"]["x-sensitivity"] == "personal"
