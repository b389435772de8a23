"""A mapping from canonical records to a portal's payload: compiled once to closures, then pure and thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import orjson

from mappings import layout as form
from mappings.converters import Convert, Scope
from mappings.layout import PLAIN, Layout
from mappings.refusal import RefusalError
from mappings.rows import RefusedRowError, RenderContext, shown
from mappings.target import Target, targets
from schemas.errors import RefusedValueError
from schemas.record import Record

Write: TypeAlias = Callable[[Scope], Any]

_LAYOUTS = 1000

OMITTED = object()
"""What a field gives that is left out of the payload."""


class Quick(NamedTuple):
    """How a member is written from JSON by one converter at most, and what it is where there is no value."""

    convert: Convert | None
    otherwise: Any
    required: bool


@dataclass(frozen=True, slots=True)
class OutField:
    """One compiled member of the payload; `reads` is the record's field, "" for a constant."""

    name: str
    reads: str
    write: Write
    quick: Quick | None = None
    """Does what `write` does, without a call; None where the way is longer."""
    made_by: tuple[str, ...] = ()
    """The names of its converters, in their order; for `mappings.origins`."""
    otherwise: Any = None
    """Its constant, or what stands for no value."""
    line: int = 0
    """Where it stands in the mapping's file."""


@dataclass(frozen=True, slots=True)
class OutboundMapping:
    """Writes records of one kind as one payload. Make it with `mappings.catalogue.load`."""

    name: str
    kind: str
    digest: str
    """SHA-256 (hex) of the text of the mapping and of its tables."""
    summary: str
    model: type[Record]
    fields: tuple[OutField, ...]
    layout: Layout = PLAIN
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the members that do not simply stand under their names, where they stand; see `mappings.layout`."""
    requires: frozenset[str] = field(default=frozenset(), compare=False)
    """Registers without which it cannot do its work: `procedures`."""
    facts: str = field(default="", compare=False)
    """Where it is known from what the system says or takes, for people; "" where nobody wrote it down."""
    assumed: tuple[str, ...] = field(default=(), compare=False)
    """What of it nobody has seen: to be looked at before it goes to work."""
    files: tuple[Path, ...] = field(default=(), compare=False)
    """Its own file, then those of its tables."""
    plain: tuple[tuple[str, str], ...] = field(init=False)
    """Of the members that are a field as it is, their names and the field's."""
    converted: tuple[tuple[str, str, Convert, bool], ...] = field(init=False)
    """Of the members that one converter makes: name, field, converter, required."""
    longer: tuple[tuple[str, Write], ...] = field(init=False)
    """The other members."""
    blank: dict[str, Any] = field(init=False)
    """The payload of a record without any value, in the order of the mapping."""

    def __post_init__(self) -> None:
        plain, converted, longer, blank = [], [], [], {}
        for one in self.fields:
            if one.quick is None or one.quick.otherwise is OMITTED or isinstance(one.quick.otherwise, dict | list):
                blank[one.name] = OMITTED
                longer.append((one.name, one.write))
                continue
            convert, blank[one.name], required = one.quick
            if one.reads and convert is None and not required:
                plain.append((one.name, one.reads))
            elif one.reads:
                converted.append((one.name, one.reads, convert or _as_it_is, required))
        for name, value in (("plain", plain), ("converted", converted), ("longer", longer)):
            object.__setattr__(self, name, tuple(value))
        object.__setattr__(self, "blank", blank)

    @property
    def reads(self) -> frozenset[str]:
        """The record's fields that the payload shows."""
        return frozenset(field.reads for field in self.fields if field.reads)

    def render(self, record: Record, context: RenderContext) -> dict[str, Any]:
        """The payload, JSON-able, members in the order of the mapping. `record` is not changed; see `body`.

        Raises: RefusedRowError (a RefusedValueError; `problems` has all) whose `field` is the record's field, `path`
        the payload's member and `value` what cannot be written; TypeError for a record of another kind.
        """
        if type(record) is not self.model:
            raise TypeError(f"{self.name} writes {self.kind}, not {type(record).__name__}")
        scope = Scope(context.agencies, record.__dict__, procedures=context.procedures)
        payload: dict[str, Any] = {}
        problems: list[RefusedValueError] = []
        for one in self.fields:
            try:
                value = one.write(scope)
            except RefusalError as error:
                problems.append(self._problem(one, error, record))
            else:
                if value is not OMITTED:
                    payload[one.name] = value
        if problems:
            raise RefusedRowError(problems)
        return self._nested(payload)

    def render_body(self, body: bytes, context: RenderContext) -> dict[str, Any]:
        """As `render` of the record whose `to_json` the body is, at a third of the cost.

        That record was validated when it was made, so here only this is looked at: the body has the fields that the
        kind has now, each of its type, the required ones among them, and codes that exist. Any other body is read as a
        record. Raises: RefusedRowError as `render`; pydantic.ValidationError for a body that is no such record.
        """
        values = _values(self.model)(body)
        if values is not None:
            try:
                return self._quickly(values, context)
            except RefusalError:
                pass  # rare: once more, so that every reason is found
        return self.render(self.model.from_json(body), context)

    def _quickly(self, values: dict[str, Any], context: RenderContext) -> dict[str, Any]:
        """The payload of a record's values as JSON has them, times excepted. Raises: RefusalError, the first."""
        payload = self.blank.copy()
        get = values.get
        for name, reads in self.plain:
            value = get(reads)
            if value is not None and value != "":
                payload[name] = value
        scope = Scope(context.agencies, values, procedures=context.procedures)
        for name, reads, convert, required in self.converted:
            value = get(reads)
            if value is not None:
                value = convert(value, scope)
                if value is not None and value != "":
                    payload[name] = value
                    continue
            if required:
                raise RefusalError("is required and empty")
        for name, write in self.longer:
            value = write(scope)
            if value is OMITTED:
                del payload[name]
            else:
                payload[name] = value
        return self._nested(payload)

    def _nested(self, payload: dict[str, Any]) -> dict[str, Any]:
        return form.nested(payload, self.places) if self.places and self.layout.portal == "json" else payload

    def body(self, payload: Mapping[str, Any]) -> bytes:
        """What `render` gave, as it travels: in the form that `layout` says, of the media type `layout.media`."""
        return form.write(self.layout, payload, self.places)

    def members(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """What `render` gave, by the members' names, without objects in one another."""
        if not self.places or self.layout.portal != "json":
            return dict(payload)
        found: dict[str, Any] = {}
        for one in self.fields:
            inside: Any = payload
            for part in self.places.get(one.name) or (one.name,):
                inside = inside.get(part, OMITTED) if isinstance(inside, Mapping) else OMITTED
            if inside is not OMITTED:
                found[one.name] = inside
        return found

    def _problem(self, field: OutField, error: RefusalError, record: Record) -> RefusedValueError:
        found = getattr(record, field.reads, None)
        if isinstance(found, Enum):
            found = found.value
        return RefusedValueError(
            error.reason,
            mapping=self.name,
            field=field.reads,
            path=field.name,
            value=None if found is None else shown(found),
            verdict=error.verdict,
        )


def _as_it_is(value: Any, scope: Scope) -> Any:
    return value


@cache
def _values(model: type[Record]) -> Callable[[bytes], dict[str, Any] | None]:
    """A function from a body to its values, as JSON has them but times as times; None for a body that is doubtful."""
    known = targets(model)
    required = frozenset(name for name, target in known.items() if target.required)
    times = [name for name, target in known.items() if target.holds is datetime]
    codes = [
        (name, frozenset([None, *(member.value for member in target.enum)]))
        for name, target in known.items()
        if target.enum is not None
    ]
    seen: set[tuple[Any, ...]] = set()

    def fits(values: dict[str, Any]) -> bool:
        return required <= values.keys() <= known.keys() and all(_holds(known[n], v) for n, v in values.items())

    def read(body: bytes) -> dict[str, Any] | None:
        try:
            values: dict[str, Any] = orjson.loads(body)
            # Whether names and types are right is found out once for all bodies that are alike in them.
            layout = (*values, *map(type, values.values()))
            if layout not in seen:
                if not fits(values):
                    return None
                if len(seen) >= _LAYOUTS:
                    seen.clear()
                seen.add(layout)
            get = values.get
            for name, members in codes:
                if get(name) not in members:
                    return None
            for name in times:
                text = get(name)
                if text is not None:
                    at = values[name] = datetime.fromisoformat(text)
                    if at.tzinfo is not UTC:
                        return None
        except (ValueError, AttributeError):
            return None
        return values

    return read


def _holds(target: Target, value: Any) -> bool:
    """Whether the JSON value is of the field's type."""
    if value is None:
        return target.optional
    for holds in (bool, int):
        if issubclass(target.holds, holds):
            return type(value) is holds
    return type(value) is str
