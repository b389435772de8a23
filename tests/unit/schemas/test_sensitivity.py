"""Masking: who sees what of a record."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.dossier import Dossier
from schemas.errors import CodeUnknownError
from schemas.sensitivity import MASKED, Sensitivity, mask, sensitivity


def test_masks_above_a_sensitivity(dossier_fields: dict[str, Any]) -> None:
    dossier = Dossier.model_validate(dossier_fields | {"applicant_email": None})
    shown = mask(dossier, "dossier.v1", Sensitivity.INTERNAL)
    assert shown["applicant_name"] == MASKED
    assert shown["applicant_email"] is None
    assert shown["number"] == dossier.number
    assert shown["received_at"] == "2017-03-01T01:00:00Z"
    assert mask(dossier, Dossier, Sensitivity.PUBLIC)["number"] == MASKED
    assert mask(dossier, Dossier, Sensitivity.PERSONAL) == dossier.model_dump(mode="json")


def test_masks_plain_fields_and_what_it_does_not_know() -> None:
    fields = {"applicant_id": "334455667", "number": "H59-1", "mother": "Trần Thị Hoa"}
    assert mask(fields, "dossier.v1", Sensitivity.PERSONAL) == fields | {"mother": MASKED}
    assert mask(fields, "dossier.v1", Sensitivity.SECRET) == fields


def test_ranks_in_order() -> None:
    assert [member.rank for member in Sensitivity] == [0, 1, 2, 3]


def test_unknown_names() -> None:
    with pytest.raises(KeyError):
        sensitivity(Dossier, "mother")
    with pytest.raises(CodeUnknownError):
        mask({}, "nothing.v1", Sensitivity.PUBLIC)
