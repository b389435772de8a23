"""Who may see a field: each field of a record declares its sensitivity, `mask` shows a record up to one.

    applicant_name: Annotated[Short, Sensitive(Sensitivity.PERSONAL)]

A field that declares none is `internal`; a field that its kind does not have is `secret`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from schemas.record import Record
from schemas.record import kind as kind_named

MASKED = "•••"
"""What stands where a value is not shown."""


class Sensitivity(StrEnum):
    """From what anybody may see to what nobody sees on a page; ordered by `rank`."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SECRET = "secret"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {member: rank for rank, member in enumerate(Sensitivity)}


@dataclass(frozen=True, slots=True)
class Sensitive:
    """Field metadata that declares a sensitivity; JSON Schema shows it as `x-sensitivity`."""

    sensitivity: Sensitivity

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shown = handler(schema)
        shown["x-sensitivity"] = self.sensitivity.value
        return shown


def sensitivity(model: type[Record], field: str) -> Sensitivity:
    """The sensitivity of one field of a kind. Raises: KeyError for a field that the kind does not have."""
    return _of(model)[field]


@cache
def _of(model: type[Record]) -> Mapping[str, Sensitivity]:
    found = {}
    for name, info in model.model_fields.items():
        declared = [item.sensitivity for item in info.metadata if isinstance(item, Sensitive)]
        found[name] = declared[-1] if declared else Sensitivity.INTERNAL
    return found


def mask(record: Record | Mapping[str, Any], kind: str | type[Record], upto: Sensitivity) -> dict[str, Any]:
    """A record as JSON-able dict in which every value above `upto` is `•••`.

    Takes a record or its fields as a mapping. Absent values (None) stay None; a field that the kind does not have
    counts as secret, so that nothing unknown is shown. Raises: CodeUnknownError for an unknown kind.
    """
    model = kind_named(kind) if isinstance(kind, str) else kind
    data = record.model_dump(mode="json") if isinstance(record, Record) else record
    levels = _of(model)
    return {
        name: value if value is None or levels.get(name, Sensitivity.SECRET).rank <= upto.rank else MASKED
        for name, value in data.items()
    }
