"""An inbound mapping's YAML tree to an `InboundMapping`; every problem is noted, none stops the search for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mappings.around import AROUND, compile_around
from mappings.converters import CONVERTERS, Compiled, Convert, Scope
from mappings.converters.converter import text_in
from mappings.decode import SourceSpec
from mappings.fields import Surroundings, chain, converters, default
from mappings.ignoring import compile_ignore
from mappings.inbound import Fill, InboundMapping, InField, Quick, Step, tidy
from mappings.notation import Keys, Marked, Problems, nearest, text_of
from mappings.refusal import RefusalError
from mappings.renumbering import Renumbering, written
from mappings.shapes import Getter, Shape, shape_of
from mappings.shapes.path import PathError
from mappings.source_block import compile_source
from mappings.target import Target, targets
from mappings.whence import WAYS, Whence, compile_whence, condition, whence
from schemas.record import KINDS, Record

_FITS = {"text": "text", "number": "a whole number", "flag": "true or false", "time": "a time"}


def compile_inbound(
    keys: Keys, name: str, digest: str, tables: Mapping[str, Mapping[str, Marked]], problems: Problems, used: set[str]
) -> InboundMapping | None:
    """Compile what is left in `keys`: from, to, fields. None where a problem was noted."""
    before = len(problems.found)
    summary = keys.text("summary")
    source, to, fields = keys.get("from"), keys.get("to"), keys.need("fields", "say which field comes from where")
    ignore = keys.get("ignore")
    spec, inner, label = compile_source(source, problems) if source else (None, "", "")
    model = _model(to, problems)
    if model is None or fields is None:
        return None
    shape = shape_of(spec) if spec is not None else None
    parts = None
    if inner and shape is not None and source is not None:
        try:
            parts = shape.inner(inner)
        except PathError as error:
            problems.add("path", source.line, f"'inner': {error}", error.mend)
    deleted = None
    sign = source.value.get("deleted") if source is not None and isinstance(source.value, dict) else None
    if sign is not None:
        deleted = condition(sign, "'deleted'", shape, problems)
    around = Surroundings("in", targets(model), tables, used, model.day_field or model.time_field or "", problems)
    compiled = _fields(fields, model, spec, bool(inner), around)
    renumbered = _renumbered(source, fields, spec, around)
    ignored = {} if ignore is None or spec is None else compile_ignore(ignore, spec.holds, inner, compiled, problems)
    if len(problems.found) > before or spec is None:
        return None
    return InboundMapping(
        name, model.kind, digest, summary, spec, inner, label, model, compiled, parts, deleted, renumbered, ignored,
        frozenset(around.requires),
    )  # fmt: skip


def _renumbered(
    source: Marked | None, fields: Marked, spec: SourceSpec | None, around: Surroundings
) -> Renumbering | None:
    node = source.value.get("renumbered") if source is not None and isinstance(source.value, dict) else None
    if node is None:
        return None
    target = around.fields.get("number")
    item = fields.value.get("number", Marked("", fields.line)) if isinstance(fields.value, dict) else None
    said = written(node, None if target is None else item, around.problems)
    if said is None or target is None or around.problems.found:
        # What is wrong with the field's converters is told there, once.
        return None
    way, path, field = said
    made = _field("number", field, replace(target, required=False), spec, False, around)
    return None if made is None else Renumbering(way, path, made[1].get, made[1].fill)


def _model(to: Marked | None, problems: Problems) -> type[Record] | None:
    if to is None:
        return None
    kind = text_of(to, "'to'", problems)
    if kind in KINDS:
        return KINDS[kind]
    problems.add("unknown-kind", to.line, f"there is no kind of record {kind!r}", nearest(kind, KINDS))
    return None


def _fields(
    node: Marked, model: type[Record], spec: SourceSpec | None, has_outer: bool, around: Surroundings
) -> tuple[InField, ...]:
    problems, known = around.problems, around.fields
    written = Keys(node, "'fields'", problems)
    compiled: list[tuple[bool, InField]] = []
    for name, item in written:
        target = known.get(name)
        if target is None:
            mend = nearest(name, known)
            problems.add("unknown-field", item.line, f"{model.kind} has no field {name!r}", mend)
            continue
        made = _field(name, item, target, spec, has_outer, around)
        if made is not None:
            compiled.append(made)
    lacking = [name for name, target in known.items() if target.required and name not in written]
    if lacking and isinstance(node.value, dict):
        mend = "say where they come from, or give a `const`"
        problems.add("missing-field", node.line, f"{model.kind} needs {', '.join(lacking)}, which no field fills", mend)
    # What needs another field comes after all that need none; the order is else the one written.
    return tuple(field for late in (False, True) for needs, field in compiled if needs is late)


def _field(
    name: str, item: Marked, target: Target, spec: SourceSpec | None, has_outer: bool, around: Surroundings
) -> tuple[bool, InField] | None:
    problems, shape = around.problems, shape_of(spec) if spec is not None else None
    if not isinstance(item.value, dict):
        item = Marked({"path": item}, item.line)
    keys = Keys(item, f"the field {name!r}", problems)
    if any(way in keys for way in AROUND):
        return _around(name, keys, target, spec, around)
    if "const" in keys:
        value = default(keys, target, problems, "const")
        keys.done(also=("path",))
        return False, InField(
            name, "", False, lambda view: None, lambda view, scope: value, otherwise=value, line=item.line
        )
    outer = "outer" in keys
    place = _place(keys, item, shape, problems)
    if outer and not has_outer:
        problems.add(
            "path", item.line, f"{keys.what}: no row stands around this one", "write `path`, or give `from` an `inner`"
        )
    required, otherwise = keys.flag("required") or target.required, default(keys, target, problems)
    before, made_by = len(problems.found), converters(keys)
    convs = chain(keys, name, target, around, lambda path, line, what: whence(path, line, what, shape, problems))
    keys.done(also=(*WAYS, *AROUND, "outer", "const", "required", "default", *CONVERTERS))
    if len(problems.found) == before:
        _check_type(convs, target, keys, problems)
    if place is None or shape is None:
        return None
    whole, required = _finished(convs, target), required and otherwise is None
    fill = _fill(place.get, whole, required, otherwise)
    quick, key = None, shape.member(place.told) if "path" in keys or outer else None
    if key is not None and len(whole) <= 1 and not any(conv.sees_none or conv.beside for conv in whole):
        quick = Quick(key, whole[0].convert if whole else None, required or otherwise is not None)
    paths = dict.fromkeys([*place.paths, *(path for conv in convs if conv.beside for path in conv.beside.paths)])
    return any(conv.needs for conv in convs), InField(
        name, place.told, outer, place.get, fill, quick, made_by, otherwise, tuple(paths), _chain(made_by, whole),
        item.line,
    )  # fmt: skip


def _chain(made_by: tuple[str, ...], whole: list[Compiled]) -> tuple[Step, ...]:
    # What nobody wrote comes last (`_finished`), and has no name of its own.
    names = (*made_by, *["text" if conv.gives == "text" else "int" for conv in whole[len(made_by) :]])
    return tuple(Step(name, conv.convert, conv.sees_none) for name, conv in zip(names, whole, strict=False))


def _around(
    name: str, keys: Keys, target: Target, spec: SourceSpec | None, around: Surroundings
) -> tuple[bool, InField] | None:
    """A field whose value stands around the rows."""
    problems = around.problems
    if sum(way in keys for way in (*AROUND, *WAYS, "outer", "const")) != 1:
        mend = "write envelope: …, label: …, or a place in the row"
        problems.add("missing-path", keys.line, f"{keys.what} should have one source", mend)
    standing = compile_around(keys, spec, problems)
    required, otherwise = keys.flag("required") or target.required, default(keys, target, problems)
    before, made_by = len(problems.found), converters(keys)
    convs = chain(keys, name, target, around)
    keys.done(also=(*AROUND, *WAYS, "outer", "const", "required", "default", *CONVERTERS))
    if len(problems.found) == before:
        _check_type(convs, target, keys, problems)
    if standing is None:
        return None
    whole = _fill(_itself, _finished(convs, target), required and otherwise is None, otherwise)

    def fill(view: Any, scope: Scope) -> Any:
        value = None if scope.around is None else scope.around[name]
        if isinstance(value, RefusalError):
            # A new one: what is raised again and again carries every place where it was.
            raise RefusalError(value.reason, verdict=value.verdict, found=value.found)
        try:
            return whole(value, scope)
        except RefusalError as error:
            error.found = value if error.found is None else error.found
            raise

    needs = any(conv.needs for conv in convs)
    return needs, InField(
        name,
        standing.told,
        True,
        lambda view: None,
        fill,
        None,
        made_by,
        otherwise,
        line=keys.line,
        around=standing.find,
    )


def _itself(value: Any) -> Any:
    return value


def _place(keys: Keys, item: Marked, shape: Shape | None, problems: Problems) -> Whence | None:
    written = [way for way in (*WAYS, "outer") if way in keys]
    if len(written) != 1:
        mend = "write path: …, outer: … (the row around), first, join, choose, envelope, label, or const: …"
        problems.add("missing-path", item.line, f"{keys.what} should have one source", mend)
        return None
    if written == ["outer"]:
        return whence(keys.text("outer"), item.line, keys.what, shape, problems)
    return compile_whence(keys, shape, problems)


def _check_type(convs: list[Compiled], target: Target, keys: Keys, problems: Problems) -> None:
    gives = convs[-1].gives if convs else "text"
    if (
        gives == "code"
        or (gives, target.holds) in (("number", int), ("flag", bool))
        or (not convs and target.holds is int)
    ):
        return
    if target.holds is str and gives in ("text", "number"):
        return
    if gives == "time" and target.noun == "a time":
        return
    mends = {"a code": "add `table`", "a time": "add `date` and how it is written", "true or false": "add `bool`"}
    mend = mends.get(target.noun, "take another converter") if gives == "text" else "take another converter"
    problems.add("type", keys.line, f"{keys.what} takes {target.noun}, here it gets {_FITS[gives]}", mend)


def _finished(convs: list[Compiled], target: Target) -> list[Compiled]:
    """The chain with what the target's type asks for and nobody wrote: digits to a number, a number to its digits."""
    gives = convs[-1].gives if convs else ""
    if target.holds is str and gives == "number":
        return [*convs, Compiled(lambda value, scope: str(value), "text")]
    if target.holds is int and not convs:
        return [Compiled(_whole, "number")]
    return convs


def _whole(value: Any, scope: Scope) -> int:
    if type(value) is int:
        return value
    text = text_in(value)
    if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19:
        return int(text)
    raise RefusalError("is no whole number: digits alone are expected")


def _fill(get: Getter, convs: list[Compiled], required: bool, otherwise: Any) -> Fill:
    """The whole way of one value as one function."""
    steps: tuple[tuple[Convert, bool], ...] = tuple((conv.convert, conv.sees_none) for conv in convs)
    asks = [(number, conv.beside.get, conv.with_beside) for number, conv in enumerate(convs) if conv.beside]

    def absent() -> Any:
        if required:
            raise RefusalError("is required and empty")
        return otherwise

    def fill(view: Any, scope: Scope) -> Any:
        value = get(view)
        if type(value) is str:
            value = tidy(value)
        elif value is not None and not steps:
            value = text_in(value)
        for step, sees_none in asking(view) if asks else steps:
            if value is not None or sees_none:
                value = step(value, scope)
        return value if value is not None else absent()

    def asking(view: Any) -> list[tuple[Convert, bool]]:
        """The steps, those that ask another place of the row with what stands there."""
        told = list(steps)
        for number, get_beside, convert in asks:
            told[number] = _asking(view, get_beside, convert), told[number][1]
        return told

    return fill


def _asking(view: Any, get: Getter, convert: Callable[[Any, Scope, Any], Any] | None) -> Convert:
    assert convert is not None

    def step(value: Any, scope: Scope) -> Any:
        found = get(view)
        return convert(value, scope, tidy(found) if type(found) is str else found)

    return step
