"""An outbound mapping's YAML tree to an `OutboundMapping`; every problem is noted, none stops the search for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any

from mappings.converters import CONVERTERS, Compiled, Scope
from mappings.fields import Surroundings, chain, converters
from mappings.layout import PLAIN, Layout, check_constant, check_places, compile_layout, for_xml, place_of
from mappings.notation import Keys, Marked, Problems, nearest
from mappings.outbound import OMITTED, OutboundMapping, OutField, Quick, Write
from mappings.refusal import RefusalError
from mappings.target import Target, targets
from schemas.record import KINDS, Record

_EMPTY: Mapping[str, Any] = {"null": None, "text": "", "omit": OMITTED}


def compile_outbound(
    keys: Keys, name: str, digest: str, tables: Mapping[str, Mapping[str, Marked]], problems: Problems, used: set[str]
) -> OutboundMapping | None:
    """Compile what is left in `keys`: from, to, fields. None where a problem was noted."""
    before = len(problems.found)
    summary = keys.text("summary")
    model = _model(keys.get("from"), problems)
    to = keys.get("to")
    layout = compile_layout(to, problems) if to is not None else PLAIN
    fields = keys.need("fields", "say what each member of the payload is made of")
    if model is None or fields is None:
        return None
    around = Surroundings("out", targets(model), tables, used, model.day_field or model.time_field or "", problems)
    written = Keys(fields, "'fields'", problems)
    compiled = [_field(member, item, layout, around) for member, item in written]
    places = {member: (place_of(member, layout, item.line, problems), item.line) for member, item in written}
    check_places(places, layout, problems)
    if len(problems.found) > before:
        return None
    made = tuple(field for field in compiled if field)
    nested = {member: place for member, (place, _) in places.items() if place != (member,)}
    requires = frozenset(around.requires)
    return OutboundMapping(name, model.kind, digest, summary, model, made, layout, nested, requires)


def _model(source: Marked | None, problems: Problems) -> type[Record] | None:
    if source is None:
        return None
    keys = Keys(source, "'from'", problems)
    kind = keys.text("record")
    keys.done()
    if kind in KINDS:
        return KINDS[kind]
    problems.add("unknown-kind", source.line, f"there is no kind of record {kind!r}", nearest(kind, KINDS))
    return None


def _field(member: str, item: Marked, layout: Layout, around: Surroundings) -> OutField | None:
    made = _written(member, item, layout, around)
    if made is None or layout.portal != "xml":
        return made
    # Every value is looked at, so none is written quickly.
    return replace(made, write=for_xml(made.write), quick=None)


def _written(member: str, item: Marked, layout: Layout, around: Surroundings) -> OutField | None:
    problems = around.problems
    if not isinstance(item.value, dict):
        item = Marked({"field": item}, item.line)
    keys = Keys(item, f"the member {member!r}", problems)
    const = keys.get("const")
    if const is not None:
        keys.done(also=("field",))
        value = const.plain
        check_constant(value, layout, keys.what, const.line, problems)
        # A list or a mapping is copied, so that whoever changes a payload changes no other.
        if isinstance(value, dict | list):
            write: Write = (lambda scope: deepcopy(value)) if value else lambda scope: type(value)()
            return OutField(member, "", write, otherwise=value, line=item.line)
        return OutField(member, "", lambda scope: value, Quick(None, value, False), otherwise=value, line=item.line)
    keys.need("field", "write field: … (of the record), or const: …")
    name = keys.text("field")
    target = around.fields.get(name)
    if target is None:
        if name:
            problems.add("unknown-field", item.line, f"the record has no field {name!r}", nearest(name, around.fields))
        return None
    required, written = keys.flag("required"), keys.get("default")
    otherwise = _EMPTY[layout.empty] if written is None else written.plain
    if written is not None:
        check_constant(otherwise, layout, keys.what, written.line, problems)
    before, made_by = len(problems.found), converters(keys)
    convs = chain(keys, name, target, around)
    keys.done(also=("field", "const", "required", "default", *CONVERTERS))
    if len(problems.found) == before:
        _check_type(convs, target, keys, problems)
    quick = None
    if len(convs) <= 1 and not any(conv.sees_none for conv in convs):
        quick = Quick(convs[0].convert if convs else None, otherwise, required)
    return OutField(
        member, name, _write(name, target, convs, required, otherwise), quick, made_by, otherwise, item.line
    )


def _check_type(convs: list[Compiled], target: Target, keys: Keys, problems: Problems) -> None:
    if target.holds is datetime and not convs:
        problems.add(
            "type", keys.line, f"{keys.what}: a time has to be written somehow", "add `date` and how it is written"
        )


def _write(name: str, target: Target, convs: list[Compiled], required: bool, otherwise: Any) -> Write:
    steps: tuple[tuple[Callable[[Any, Scope], Any], bool], ...] = tuple(
        (conv.convert, conv.sees_none) for conv in convs
    )
    coded = target.enum is not None

    def write(scope: Scope) -> Any:
        value = scope.values.get(name)
        if coded and isinstance(value, Enum):
            value = value.value
        for convert, sees_none in steps:
            if value is not None or sees_none:
                value = convert(value, scope)
        if value is None or value == "":
            if required:
                raise RefusalError("is required and empty")
            return otherwise
        return value

    return write
