"""What changed between two revisions, said for people."""

from __future__ import annotations

import pytest

from hub.cli.changes import Change, changes, said
from hub.cli.masking import Mask
from schemas.sensitivity import MASKED

MASK = Mask([], reveal=False)


def test_a_first_dossier_shows_what_matters() -> None:
    content = {"number": "x", "status": 2, "due_at": None, "received_at": "2017-03-02T01:00:00Z"}
    shown = [change.field for change in changes("dossier.v1", None, content, MASK)]
    assert shown == ["status", "received_at"]


def test_a_first_record_of_a_kind_that_is_not_known_here_is_shown_whole_and_masked() -> None:
    assert changes("unheard-of.v1", None, {"a": 1}, MASK) == [Change("a", None, MASKED)]


def test_only_what_differs_is_a_change_and_personal_values_stay_hidden() -> None:
    before = {"status": 2, "applicant_name": "Sáu", "note": "x", "finished_at": None}
    after = {"status": 9, "applicant_name": "Bảy", "note": "x", "finished_at": "2017-03-02T01:00:00Z"}
    assert changes("dossier.v1", before, after, MASK) == [
        Change("applicant_name", MASKED, MASKED),
        Change("status", 2, 9),
        Change("finished_at", None, "2017-03-02T01:00:00Z"),
    ]


def test_a_field_that_went_is_a_change() -> None:
    assert changes("dossier.v1", {"status": 2, "channel": "online"}, {"status": 2}, MASK) == [
        Change("channel", "online", None)
    ]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("status", 9, "9 Đã xử lý xong"),
        ("status", 99, "99"),
        ("due_at", "2017-03-02T01:00:00Z", "02/03/2017 08:00:00"),
        ("due_at", MASKED, MASKED),
        ("due_at", "soon", "soon"),
        ("note", None, "–"),
        ("service_level", 4, "4"),
    ],
)
def test_values_are_said_for_people(field: str, value: object, expected: str) -> None:
    assert said(field, value) == expected
