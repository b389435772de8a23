"""What a field of a canonical record can hold, read off its annotation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from schemas.record import Record


@dataclass(frozen=True, slots=True)
class Target:
    """One field: `holds` is str, int, bool, datetime or an enum; `required` where the record has no default for it."""

    name: str
    holds: type[Any]
    optional: bool
    required: bool

    @property
    def enum(self) -> type[Enum] | None:
        return self.holds if issubclass(self.holds, Enum) else None

    @property
    def members(self) -> list[str]:
        """The codes of an enum as they are written in a mapping."""
        return [str(member.value) for member in self.enum] if self.enum else []

    def value(self, written: Any) -> Any:
        """A value written in a mapping as the field holds it; None for none. Raises: ValueError that says what fits."""
        if written is None:
            return None
        if self.enum:
            for member in self.enum:
                if str(member.value) == str(written):
                    return member
            raise ValueError(f"{self.name} has no code {written!r}")
        if self.holds is str and type(written) in (str, int):
            return str(written)
        if type(written) is self.holds:
            return written
        raise ValueError(f"{self.name} holds {self.noun}, not {written!r}")

    @property
    def noun(self) -> str:
        names = {str: "text", int: "a whole number", bool: "true or false", datetime: "a time"}
        return "a code" if self.enum else names.get(self.holds, self.holds.__name__)


@cache
def targets(model: type[Record]) -> dict[str, Target]:
    """Every field of a record by name."""
    found = {}
    for name, info in model.model_fields.items():
        kinds = _kinds(info.annotation)
        holds = [kind for kind in kinds if kind is not NoneType]
        if len(holds) != 1:
            raise TypeError(f"{model.kind}: mappings can fill fields of one type; {name} has {len(holds)}")
        found[name] = Target(name, holds[0], NoneType in kinds, info.is_required())
    return found


def _kinds(annotation: Any) -> list[type[Any]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    # pydantic's AwareDatetime is a marker class, not a datetime, until the model is built.
    if getattr(annotation, "__name__", "") == "AwareDatetime":
        return [datetime]
    return [annotation if isinstance(annotation, type) else object]
