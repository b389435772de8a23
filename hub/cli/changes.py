"""What changed from one revision of a record to the next, field by field, said for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.cli.masking import Mask
from hub.cli.output import moment
from schemas.codes import DossierStatus, label
from schemas.record import kind as kind_of
from schemas.sensitivity import MASKED

FIRST_SHOWN = {
    "dossier": ("status", "received_at", "due_at", "finished_at", "returned_at"),
    "dossier-step": ("person", "position", "unit", "content", "status"),
    "document": ("type_name", "promulgated_at", "signer_position", "priority", "medium", "due_at"),
    "indicator": ("value", "unit"),
}
"""Of a first revision only these are shown, by the name of its kind; everything would be noise."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field; None is absent. Both sides are masked where the field is personal, and still known to differ."""

    field: str
    before: Any
    after: Any


def changes(kind: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], mask: Mask) -> list[Change]:
    """Every field that differs, in the record's order; for a first revision the fields that matter."""
    shown_after = mask.record(kind, after)
    if before is None:
        fields = FIRST_SHOWN.get(kind.partition(".")[0], tuple(after))
        return [Change(name, None, shown_after[name]) for name in fields if after.get(name) is not None]
    shown_before = mask.record(kind, before)
    # A field without value is in no body, so a body alone does not know the order.
    names = dict.fromkeys((*kind_of(kind).model_fields, *after, *before))
    return [
        Change(name, shown_before.get(name), shown_after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def said(field: str, value: Any) -> str:
    """A value for people: `9 Đã xử lý xong`, a time in Viet Nam, `–` where there is none."""
    if value is None:
        return "–"
    if field == "status" and isinstance(value, int):
        try:
            return f"{value} {label(DossierStatus(value)).vi}"
        except ValueError:
            return str(value)
    if isinstance(value, str) and (field.endswith("_at") or field == "at") and value != MASKED:
        try:
            return moment(datetime.fromisoformat(value))
        except ValueError:
            return value
    return str(value)
