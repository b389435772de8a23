"""Where a value comes from: the way back through compiled mappings, from a portal's payload to a source's row. Pure.

of_member(outbound, "MaTTHC").reads       procedure_code
of_field(inbound, "procedure_code").paths ("MaThuTuc",)
values_at(…)                              what stands there in the bytes that were kept
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from mappings.decode import SourceSpec
from mappings.document import Document, decoder
from mappings.inbound import InboundMapping, InField
from mappings.outbound import OutboundMapping
from mappings.refusal import RefusalError
from mappings.rows import shown
from mappings.shapes import Getter, shape_of
from schemas.errors import UndecodableError


@dataclass(frozen=True, slots=True)
class Member:
    """What one member of a payload is made of."""

    name: str
    reads: str
    """The field of the record; "" for a constant."""
    made_by: tuple[str, ...]
    """The names of the converters between: `table`, `date`, `agency` …"""
    otherwise: Any
    """The constant, or what is written where the record has no value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one field of a record is read from."""

    field: str
    paths: tuple[str, ...]
    """Every place in the source's row, from its beginning: `QuaTrinh/Buoc/NguoiXuLy`; empty for a constant."""
    made_by: tuple[str, ...]
    otherwise: Any
    """The constant, or what stands for a value that is absent; None for none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in a row for one field, each as text, None for nothing."""

    value: str | None
    """What the mapping takes, before it converts it."""
    places: tuple[tuple[str, str | None], ...]
    """Each of the field's paths, as in `Place`, and what stands there."""


def of_member(mapping: OutboundMapping, name: str) -> Member | None:
    """The member of that name; where there is none, the only one whose name differs in capitals. None else."""
    alike = [one for one in mapping.fields if one.name.casefold() == name.casefold()]
    exact = [one for one in alike if one.name == name]
    chosen = exact or alike
    if len(chosen) != 1:
        return None
    one = chosen[0]
    return Member(one.name, one.reads, one.made_by, one.otherwise)


def members_of(mapping: OutboundMapping, field: str) -> tuple[str, ...]:
    """The members that show a field of the record, in the order of the payload."""
    return tuple(one.name for one in mapping.fields if one.reads == field)


def of_field(mapping: InboundMapping, field: str) -> Place | None:
    """Where the mapping reads a field; None where it does not fill it."""
    found = next((one for one in mapping.fields if one.name == field), None)
    if found is None:
        return None
    if found.around is not None:
        return Place(field, (found.path,), found.made_by, found.otherwise)
    return Place(field, tuple(_whole(mapping, found, path) for path in found.paths), found.made_by, found.otherwise)


def _whole(mapping: InboundMapping, field: InField, path: str) -> str:
    """A path from the beginning of the source's row."""
    if mapping.inner and not field.outer:
        return f"{mapping.inner}{'/' if mapping.spec.holds == 'xml' else '.'}{path}"
    return path


def values_at(
    mappings: Sequence[InboundMapping],
    chosen: InboundMapping,
    body: bytes,
    charset: str | None,
    label: str,
    position: tuple[int, int],
    fields: Collection[str],
) -> Mapping[str, Standing] | None:
    """What stands in the row at `position` where `chosen` reads the fields; a constant has no entry.

    `mappings` are all of the source, in their order, `position` is that of `mappings.read_all`. None where the bytes
    cannot be read that way any more, because the mapping has changed since.
    """
    index, part = position
    try:
        views = _views([one for one in mappings if one.applies(label)], chosen, body, charset, index, part)
    except (UndecodableError, RefusalError):
        return None
    if views is None:
        return None
    view, outer = views
    shape = shape_of(chosen.spec)
    found: dict[str, Standing] = {}
    for one in chosen.fields:
        if one.name in fields and one.around is not None:
            around, roots = one.around, _document(chosen.spec, body, charset).roots
            value = _text(partial(around, roots), label)
            found[one.name] = Standing(value, ((one.path, value),))
        elif one.name in fields and one.paths:
            seen = outer if one.outer else view
            places = tuple((_whole(chosen, one, path), _text(shape.getter(path), seen)) for path in one.paths)
            found[one.name] = Standing(_text(one.get, seen), places)
    return found


def _text(get: Getter, view: Any) -> str | None:
    """What a getter finds, as text; None for nothing."""
    try:
        value = get(view)
    except RefusalError as error:
        value = error.found
    text = "" if value is None else shown(value)
    return text if text.strip() else None


_KEPT_BYTES = 8 << 20


def _document(spec: SourceSpec, body: bytes, charset: str | None) -> Document:
    """Raises: UndecodableError."""
    return _kept(spec, body, charset) if len(body) <= _KEPT_BYTES else decoder(spec)(body, charset)


@lru_cache(maxsize=1)
def _kept(spec: SourceSpec, body: bytes, charset: str | None) -> Document:
    """The last page that was looked into: who asks about its rows asks about one after the other."""
    return decoder(spec)(body, charset)


def _views(
    mappings: Sequence[InboundMapping],
    chosen: InboundMapping,
    body: bytes,
    charset: str | None,
    index: int,
    part: int,
) -> tuple[Any, Any] | None:
    """The view that the mapping reads, and that of the row around it; None where there is no such row. Raises:
    UndecodableError, RefusalError."""
    documents: dict[SourceSpec, Document] = {}
    first = 0
    for mapping in mappings:
        if mapping.spec not in documents:
            documents[mapping.spec] = _document(mapping.spec, body, charset)
        document = documents[mapping.spec]
        if not 0 <= index < len(document.rows):
            continue
        outer = document.view(index)
        inside: Sequence[Any] = () if mapping.parts is None else mapping.parts(outer)
        if mapping is chosen:
            if mapping.parts is None:
                return (outer, outer) if part == first else None
            at = part - first
            return (document.shape.view(inside[at]), outer) if 0 <= at < len(inside) else None
        first += 1 if mapping.parts is None else len(inside)
    return None
