"""`dossier-step.v1`: identity by its own facts, and its limits."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.dossier_step import DossierStep
from schemas.record import refusals
from schemas.sensitivity import Sensitivity, sensitivity


def test_key_is_its_own_facts(step_fields: dict[str, Any]) -> None:
    step = DossierStep.model_validate(step_fields)
    assert step.key == "000.00.05.H59-170301-0001|2017-03-02T02:15:00Z|Lê Văn Bình|4"
    assert step.lane == "000.00.05.H59-170301-0001"
    assert step.source_time == step.at
    assert DossierStep.model_validate(step_fields | {"content": "khác", "unit": None}).key == step.key


@pytest.mark.parametrize("name", ["number", "at", "person", "status"])
def test_another_fact_is_another_step(step_fields: dict[str, Any], name: str) -> None:
    other = {"number": "H59-1", "at": step_fields["at"] + timedelta(seconds=1), "person": "Trần An", "status": 5}[name]
    assert DossierStep.model_validate(step_fields | {name: other}).key != DossierStep.model_validate(step_fields).key


def test_facts_of_an_event_are_everything(step_fields: dict[str, Any]) -> None:
    step = DossierStep.model_validate(step_fields)
    assert set(json.loads(step.facts())) == {name for name, value in step if value is not None}
    assert step.to_json() == step.facts()
    assert DossierStep.from_json(step.to_json()) == step


def test_is_not_counted(step_fields: dict[str, Any]) -> None:
    assert DossierStep.model_validate(step_fields).counted() is None


def test_person_is_personal_and_at_most_50_characters(step_fields: dict[str, Any]) -> None:
    assert sensitivity(DossierStep, "person") is Sensitivity.PERSONAL
    assert DossierStep.model_validate(step_fields | {"person": "ễ" * 50}).person == "ễ" * 50
    with pytest.raises(ValidationError) as caught:
        DossierStep.model_validate(step_fields | {"person": "ễ" * 51})
    [refusal] = refusals(caught.value)
    assert (refusal.field, refusal.reason) == ("person", "String should have at most 50 characters")
    assert refusal.verdict == "reject"
