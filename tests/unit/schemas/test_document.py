"""`document.v1`: one key for one document, whatever id its system has for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.codes import LABELS, Medium, Priority
from schemas.document import Document
from schemas.local_time import LOCAL
from schemas.record import refusals
from schemas.sensitivity import MASKED, Sensitivity, mask


@pytest.fixture
def fields() -> dict[str, Any]:
    return {
        "agency": "H12.05",
        "code_number": "45",
        "code_notation": "STTTT-VP",
        "promulgated_at": datetime(2018, 3, 12, tzinfo=LOCAL),
        "promulgation_place": "Cà Mau",
        "type_name": "Công văn",
        "subject": "Về việc giải quyết đơn của ông Nguyễn Văn Mẫu",
        "signer_name": "Trần Thị Mẫu",
        "signer_position": "Giám đốc",
        "receivers": "Văn phòng UBND tỉnh; ông Nguyễn Văn Mẫu",
        "priority": "urgent",
        "medium": "electronic",
        "signed": True,
        "changed_at": datetime(2018, 3, 12, 1, tzinfo=UTC),
    }


def test_the_key_is_made_as_edxml_makes_an_id(fields: dict[str, Any]) -> None:
    made = Document.model_validate(fields)
    assert made.key == made.lane == "H12.05,2018/03/12,45/STTTT-VP"
    assert Document.model_validate(fields | {"document_id": "000.00.05.H12,2018/03/12,45/STTTT-VP"}).key == made.key
    assert Document.model_validate(fields | {"code_notation": None}).key == "H12.05,2018/03/12,45"


def test_the_day_of_issue_is_a_day_in_viet_nam(fields: dict[str, Any]) -> None:
    evening = datetime(2018, 3, 11, 17, 30, tzinfo=UTC)
    assert Document.model_validate(fields | {"promulgated_at": evening}).key == "H12.05,2018/03/12,45/STTTT-VP"


def test_it_survives_json_and_its_time_of_change_is_no_fact(fields: dict[str, Any]) -> None:
    made = Document.model_validate(fields)
    assert Document.from_json(made.to_json()) == made
    assert made.facts() == Document.model_validate(fields | {"changed_at": None}).facts()
    assert (made.event, made.counted()) == (False, None)
    assert json.loads(made.to_json())["priority"] == "urgent"


def test_who_is_named_in_it_is_masked(fields: dict[str, Any]) -> None:
    shown = mask(Document.model_validate(fields), "document.v1", Sensitivity.INTERNAL)
    assert {name for name, value in shown.items() if value == MASKED} == {"subject", "signer_name", "receivers"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"subject": ""}, "subject"),
        ({"code_number": "45 a"}, "code_number"),
        ({"code_notation": "A|B"}, "code_notation"),
        ({"document_id": "a b"}, "document_id"),
        ({"priority": "khẩn"}, "priority"),
        ({"medium": "fax"}, "medium"),
        ({"signed": "1"}, "signed"),
        ({"agency": "Sở"}, "agency"),
        ({"promulgated_at": datetime(2018, 3, 12)}, "promulgated_at"),  # noqa: DTZ001 - without zone is what is tested
    ],
)
def test_what_it_refuses(fields: dict[str, Any], wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Document.model_validate(fields | wrong)
    assert [refusal.field for refusal in refusals(caught.value)] == [field]


def test_priorities_are_in_the_order_of_the_standard() -> None:
    assert [LABELS[Priority][one].vi for one in Priority] == [
        "Thường",
        "Khẩn",
        "Thượng khẩn",
        "Hỏa tốc",
        "Hỏa tốc hẹn giờ",
    ]
    assert set(LABELS[Medium]) == set(Medium)
