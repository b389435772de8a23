"""Personal data never reach a terminal that did not ask for them, wherever they stand."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.cli.masking import Mask
from schemas.sensitivity import MASKED

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=3, max_size=30).filter(
    lambda name: MASKED not in name and name not in MASKED
)


@given(NAMES, st.text(max_size=20), st.text(max_size=20))
def test_what_a_record_hides_is_hidden_in_every_text(name: str, before: str, after: str) -> None:
    mask = Mask([("dossier.v1", {"number": "x", "applicant_name": name})], reveal=False)
    hidden = mask.text(before + name + after)
    assert name not in hidden.replace(MASKED, "\0")


def test_a_record_of_an_unknown_kind_shows_nothing() -> None:
    assert Mask([], reveal=False).record("unheard-of.v1", {"a": 1, "b": None}) == {"a": MASKED, "b": None}


def test_a_value_shows_only_where_its_field_is_known_and_not_personal() -> None:
    mask = Mask([], reveal=False)
    assert mask.value("dossier.v1", "status", "Chờ") == "Chờ"
    assert mask.value("dossier.v1", "applicant_name", "Sáu") == MASKED
    assert mask.value(None, None, "Sáu") == MASKED
    assert mask.value("dossier.v1", "applicant_name", None) is None
    assert mask.value("dossier.v1", "no_such_field", "x") == MASKED


def test_the_key_of_a_step_names_nobody() -> None:
    key = "H59-1|2017-01-01T00:00:00Z|Sáu|4"
    assert Mask([], reveal=False).key("dossier-step.v1", key) == f"H59-1|2017-01-01T00:00:00Z|{MASKED}|4"
    assert Mask([], reveal=True).key("dossier-step.v1", key) == key
    assert Mask([], reveal=False).key("dossier.v1", "H59-1") == "H59-1"


def test_revealing_reveals() -> None:
    content: dict[str, Any] = {"number": "x", "applicant_name": "Sáu"}
    mask = Mask([("dossier.v1", content)], reveal=True)
    assert mask.record("dossier.v1", content) == content
    assert mask.text("Sáu") == mask.value(None, None, "Sáu") == "Sáu"
