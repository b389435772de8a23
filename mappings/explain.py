"""How each field of a row came about: the places that were looked at, what each converter made of it, the end. Pure.

For people who write mappings; `InboundMapping.rows` is what is run. The value at the end is `InField.fill`'s own, the
steps before it are gone through once more to be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from mappings.converters import Scope
from mappings.converters.converter import text_in
from mappings.decode import SourceSpec
from mappings.document import Document
from mappings.inbound import InboundMapping, InField, tidy
from mappings.refusal import RefusalError
from mappings.rows import NO_PROCEDURES, shown
from mappings.shapes import Getter, shape_of
from schemas.agency import AgencyRegister
from schemas.procedure import ProcedureRegister

End: TypeAlias = Literal["filled", "default", "const", "empty", "refused"]
"""Filled from the row, by the mapping's own default or constant, without a value, or refused."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One place that a field may come from, and what stood there as text; None for nothing."""

    path: str
    found: str | None
    refused: str = ""
    """Why what stands there is no value: it stands twice, it holds elements."""


@dataclass(frozen=True, slots=True)
class Did:
    """What one converter made of its value; `gave` is None where it gave none, or refused it."""

    converter: str
    gave: str | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """How one field of one row came about."""

    field: str
    line: int
    places: tuple[Looked, ...]
    read: str | None
    """What the places together gave to the first converter."""
    steps: tuple[Did, ...]
    default: str | None
    """The constant, or what stands for no value; None for none."""
    end: End
    value: str | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Views:
    """What the fields of one row are read from."""

    position: tuple[int, int]
    view: Any
    outer: Any


def views(mapping: InboundMapping, document: Document) -> Iterator[Views]:
    """The views of every row of a document that a mapping can look into, in order; those that it cannot are left
    out, since no field of them has a story."""
    for index in range(len(document.rows)):
        try:
            outer = document.view(index)
            inside = () if mapping.parts is None else mapping.parts(outer)
        except RefusalError:
            continue
        if mapping.parts is None:
            yield Views((index, 0), outer, outer)
        for number, part in enumerate(inside):
            try:
                yield Views((index, number), document.shape.view(part), outer)
            except RefusalError:
                continue


def stories(
    mapping: InboundMapping, row: Views, agencies: AgencyRegister, procedures: ProcedureRegister = NO_PROCEDURES
) -> list[Story]:
    """The story of every field of a row, in the order in which they are filled."""
    values: dict[str, Any] = {}
    scope = Scope(agencies, values, procedures=procedures)
    return [_story(mapping.spec, one, row.outer if one.outer else row.view, scope, values) for one in mapping.fields]


def fill(one: InField, view: Any, scope: Scope) -> tuple[End, Any]:
    """How a field ends, with its value. Raises: RefusalError where it is refused."""
    value = one.fill(view, scope)
    if value is None:
        return "empty", None
    if not one.paths:
        return "const", value
    return ("default" if one.otherwise is not None and _bare(one, view, scope) is None else "filled"), value


def _bare(one: InField, view: Any, scope: Scope) -> Any:
    """What a field has before its default. Raises: RefusalError."""
    value = one.get(view)
    value = tidy(value) if isinstance(value, str) else value
    for step in one.chain:
        if value is not None or step.sees_none:
            value = step.convert(value, scope)
    return value


def _story(spec: SourceSpec, one: InField, view: Any, scope: Scope, values: dict[str, Any]) -> Story:
    places = tuple(_looked(spec, path, view) for path in one.paths)
    read, steps = _steps(one, view, scope)
    end: End = "refused"
    value, refused = None, ""
    try:
        end, value = fill(one, view, scope)
    except RefusalError as error:
        refused = error.reason
    if value is not None:
        values[one.name] = value
    told = (text(read), steps, text(one.otherwise), end, text(value), refused)
    return Story(one.name, one.line, places, *told)


def _steps(one: InField, view: Any, scope: Scope) -> tuple[Any, tuple[Did, ...]]:
    try:
        value = one.get(view)
        value = tidy(value) if isinstance(value, str) else value
        if value is not None and not one.chain:
            value = text_in(value)
    except RefusalError:
        return None, ()
    read, steps = value, []
    for step in one.chain:
        if value is None and not step.sees_none:
            break
        try:
            value = step.convert(value, scope)
        except RefusalError as error:
            steps.append(Did(step.name, None, error.reason))
            break
        steps.append(Did(step.name, text(value)))
    return read, tuple(steps)


def _looked(spec: SourceSpec, path: str, view: Any) -> Looked:
    try:
        found = _getter(spec, path)(view)
    except RefusalError as error:
        return Looked(path, None, error.reason)
    return Looked(path, text(tidy(found) if isinstance(found, str) else found))


@lru_cache(maxsize=1000)
def _getter(spec: SourceSpec, path: str) -> Getter:
    return shape_of(spec).getter(path)


def text(value: Any) -> str | None:
    """A value as people read it: times in UTC, codes by their value; None for none."""
    if value is None:
        return None
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return shown(value)
