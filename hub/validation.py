"""From pydantic's errors to problems that name file, line and mend.

Knows pydantic and the shape of a located document (values with the line each stands on); knows no file and no adapter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from types import UnionType
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from mappings.notation import nearest
from schemas.errors import Problem

Place: TypeAlias = tuple[str | int, ...]
"""Where in a document: keys and indexes from the root."""
Model = TypeVar("Model", bound=BaseModel)

# What the standard library says of a text that is no ISO date; its words help nobody who writes a configuration.
_NO_TIME = re.compile("Invalid isoformat string|(?:year|month|day|hour|minute|second).*(?:out of range|must be in)")
_MISSING = "missing"
_UNKNOWN = "extra_forbidden"
_SECRET_WORDS = ("password", "secret", "token", "key", "url")


class Lines(Protocol):
    """What knows the line of every value of a document."""

    def line(self, place: Place) -> int:
        """The line (from 1) of the key at `place`, or of the nearest parent that exists; 0 where nothing is known."""
        ...


def validate(
    model: type[Model], data: Any, *, place: Place, file: str, lines: Lines, ignore: Iterable[Place] = ()
) -> tuple[Model | None, list[Problem]]:
    """Validate a part of a document and report every problem at once.

    `data` is the part that stands at `place`. Problems at the places in `ignore` are left out (something else has
    already been said about them). A part with problems is tried once more without the offending values, so that the
    checks that follow can still look at the rest: the first of the pair is None only where even that fails. A text that
    is a number counts as the number, since variables and the notation's fractions come as texts.
    """
    try:
        return model.model_validate(data, strict=False), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True)
    said = [tuple(other) for other in ignore]
    problems = [
        _problem(model, dict(one), data, place=place, file=file, lines=lines)
        for one in found
        if not any((*place, *one["loc"])[: len(other)] == other for other in said)
    ]
    try:
        return model.model_validate(
            _without(data, [tuple(one["loc"]) for one in found if one["type"] != _MISSING])
        ), problems
    except ValidationError:
        return None, problems


def secret_places(model: type[BaseModel], data: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the places of values that `model` declares secret (SecretStr), nested models included."""
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        declared = model.model_fields.get(key)
        if declared is None:
            continue
        if SecretStr in _parts(declared.annotation):
            yield (*place, key)
        for part in _models(declared.annotation):
            if not _may_be(part, value):
                continue
            yield from secret_places(part, value, (*place, key))


def _may_be(model: type[BaseModel], data: Any) -> bool:
    """False where a literal (`type: login`) says that the data are of another model of a union."""
    return isinstance(data, Mapping) and all(
        data.get(name, declared.default) in get_args(declared.annotation)
        for name, declared in model.model_fields.items()
        if get_origin(declared.annotation) is Literal
    )


def _problem(
    model: type[BaseModel], error: Mapping[str, Any], data: Any, *, place: Place, file: str, lines: Lines
) -> Problem:
    """Translate one pydantic error; the value is shown unless its field is secret or sounds like it."""
    loc: Place = tuple(error["loc"])
    written = _written(loc, data)
    name = ".".join(str(step) for step in (*place, *written)) or "the file"
    line = lines.line((*place, *written))
    kind, text = error["type"], str(error["msg"])
    if kind == _UNKNOWN:
        known = _fields_at(model, loc[:-1])
        return Problem("unknown-key", f"{name} is not a setting", nearest(str(loc[-1]), known), file, line)
    if kind == _MISSING:
        return Problem("missing-key", f"{name} is missing", f"add '{loc[-1]}:' here", file, line)
    if kind == "value_error":
        text = str(error.get("ctx", {}).get("error", text))
        if _NO_TIME.match(text):
            kind, text = "time", "is no date or time of the calendar"
    context = error.get("ctx", {})
    found = error["input"]
    last = str(written[-1]) if written else ""
    hidden = any(word in last.lower() for word in _SECRET_WORDS) or SecretStr in _annotations_at(model, loc)
    told = "mend" in context or isinstance(found, Mapping | list) or found is None
    shown = "" if hidden or told else f" (found {str(found)[:80]!r})"
    rule = str(context.get("rule", "wrong-value"))
    return Problem(rule, f"{name}: {_lower(text)}{shown}", _mend(kind, context), file, line)


def _mend(kind: str, context: Mapping[str, Any]) -> str:
    """Say what to write instead, where the kind of error tells, or the validator itself."""
    if "mend" in context:
        return str(context["mend"])
    if kind == "literal_error":
        return f"write {context.get('expected', 'one of the known words')}"
    if kind.startswith(("int", "float", "greater", "less")):
        bounds = [f"{word} {context[sign]}" for sign, word in _BOUNDS.items() if sign in context]
        return f"write a number {' and '.join(bounds)}".rstrip()
    if kind in ("model_type", "dict_type", "mapping_type"):
        return "write 'name: value' lines, indented below it"
    if kind in ("list_type", "tuple_type"):
        return "write a list: '- …' lines, or [a, b]"
    if kind == "time" or kind.startswith(("date_", "datetime_")):
        return "write a day like 2025-07-01, or a time like 2025-07-01T08:30:00+07:00"
    if kind == "string_type":
        return "write a text, in quotes where it looks like a number or a date"
    if kind == "string_pattern_mismatch":
        return f"write a text of the form {context.get('pattern', '')}"
    return "correct the value"


_BOUNDS = {"gt": "greater than", "ge": "of at least", "lt": "less than", "le": "of at most"}


def _written(loc: Place, data: Any) -> Place:
    """Drop what pydantic adds to a location and no user wrote: `[key]` and the names of union members."""
    kept: list[str | int] = []
    for number, step in enumerate(loc):
        inside = isinstance(data, Mapping) and step in data
        within = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if inside or within:
            kept.append(step)
            data = data[step]
        elif number == len(loc) - 1 and isinstance(data, Mapping) and step != "[key]":
            kept.append(step)
    return tuple(kept)


def _lower(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _without(data: Any, places: Sequence[Place]) -> Any:
    """A deep copy of `data` without the values at `places`; a list element is dropped whole."""
    copy = deepcopy(data)
    for place in sorted(places, key=_depth_first):
        parent = copy
        for step in place[:-1]:
            inside = isinstance(parent, dict) and step in parent
            within = isinstance(parent, list) and isinstance(step, int) and step < len(parent)
            if not (inside or within):
                parent = None
                break
            parent = parent[step]
        if isinstance(parent, dict) and place:
            parent.pop(place[-1], None)
        elif isinstance(parent, list) and place and isinstance(place[-1], int) and place[-1] < len(parent):
            del parent[place[-1]]
    return copy


def _depth_first(place: Place) -> tuple[int, list[tuple[bool, int, str]]]:
    """Sort so that later list elements go before earlier ones: deleting must not move what is still to be deleted."""
    return -len(place), [(isinstance(s, str), -s if isinstance(s, int) else 0, str(s)) for s in place]


def _annotations_at(model: type[BaseModel], loc: Place) -> list[Any]:
    """Every type that may stand at `loc`."""
    types: list[Any] = [model]
    for step in loc:
        following: list[Any] = []
        for kind in types:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                declared = kind.model_fields.get(str(step))
                following += [] if declared is None else _parts(declared.annotation)
            else:
                following += [part for argument in get_args(kind) for part in _parts(argument)]
        types = following or types
    return types


def _fields_at(model: type[BaseModel], loc: Place) -> set[str]:
    return {
        declared.alias or name
        for kind in _annotations_at(model, loc)
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, declared in kind.model_fields.items()
    }


def _parts(annotation: Any) -> list[Any]:
    """The members of a union, or the one type; Annotated is looked through."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [part for argument in get_args(annotation) for part in _parts(argument)]
    if hasattr(annotation, "__metadata__"):
        return _parts(get_args(annotation)[0])
    return [annotation]


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
