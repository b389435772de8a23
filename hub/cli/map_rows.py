"""What `hub map` shows: every row of a sample with its record or refusal, its payload, and the rules behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.registers import Registers
from mappings.document import decoder
from mappings.explain import Story, Views, stories, text, views
from mappings.inbound import InboundMapping
from mappings.outbound import OutboundMapping, OutField
from mappings.places import ITEM, Parts, bare, leaves, parts, written
from mappings.rows import ReadContext, RenderContext, RowOk, RowRefused
from schemas.errors import RefusedValueError
from schemas.record import Record


@dataclass(frozen=True, slots=True)
class Direction:
    """The mappings that a sample goes through, and their files."""

    inbound: InboundMapping
    file: Path
    outbound: OutboundMapping | None = None
    outbound_file: Path = Path()


@dataclass(slots=True)
class Mapped:
    """One row of the sample; of `record` and `refused` it has one, of `payload` and `refused` where it is sent too."""

    position: tuple[int, int]
    input: str
    """The whole row of the page, as canonical text."""
    key: str | None
    places: list[tuple[str, str]] = field(default_factory=list)
    """What the row holds, place by place; empty ones are left out."""
    record: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None
    refused: dict[str, Any] | None = None
    ends: str = ""
    """What the row says of its dossier beside its fields: that it is deleted, or has another number."""
    stories: Mapping[str, Story] = field(default_factory=dict)
    """By field; none for a row whose fields could not be looked at."""

    def plain(self) -> dict[str, Any]:
        """For machines."""
        told: dict[str, Any] = {"position": list(self.position), "input": self.input, "key": self.key}
        parts: dict[str, Any] = {
            "ends": self.ends or None,
            "record": self.record,
            "payload": self.payload,
            "refused": self.refused,
        }
        return told | {name: part for name, part in parts.items() if part is not None}


def rows(way: Direction, body: bytes, charset: str | None, registers: Registers, label: str) -> list[Mapped]:
    """Every row of a sample. Raises: UndecodableError."""
    inbound = way.inbound
    context = ReadContext(registers.agencies, label, registers.procedures)
    found = list(inbound.read(body, charset=charset, context=context))
    document = decoder(inbound.spec)(body, charset)
    inputs = [document.shape.canonical(row).decode("utf-8", "replace") for row in document.rows]
    looked = {one.position: one for one in views(inbound, document)}
    made = []
    for row in found:
        one = Mapped(row.position, inputs[row.position[0]], row.record.key if isinstance(row, RowOk) else row.key)
        view = looked.get(row.position)
        if view is not None:
            one.places = _places(inbound, view)
            one.stories = {story.field: story for story in stories(inbound, view, *registers)}
        if isinstance(row, RowOk):
            one.record = row.record.model_dump(mode="json")
            one.ends = _ends(row)
            _send(one, row.record, way.outbound, registers)
        else:
            one.refused = _refusal(row)
        made.append(one)
    return made


def _ends(row: RowOk) -> str:
    if row.deleted:
        return "deleted at its source: goes to nobody"
    moved = row.renumbered
    if moved is None:
        return ""
    gone = moved.old == row.record.lane
    return f"renumbered to {moved.new}: goes to nobody" if gone else f"renumbered from {moved.old}, which ends"


def _places(inbound: InboundMapping, view: Views) -> list[tuple[str, str]]:
    """What stands in a row, and of the row around it what the mapping reads."""
    holds = inbound.spec.holds
    before: Parts = ()
    if inbound.inner:
        before = parts(inbound.inner, holds) or ()
        before = (*before, ITEM) if holds == "json" else before
    row = view.view.get("") if holds == "xml" else view.view
    found = [(written((*before, *leaf), holds), value) for leaf, value in leaves(row, view.view) if value is not None]
    if not inbound.inner:
        return found
    read = {parts(path, holds) for one in inbound.fields if one.outer for path in one.paths}
    outer = view.outer.get("") if holds == "xml" else view.outer
    around = [
        (written(leaf, holds), value)
        for leaf, value in leaves(outer, view.outer)
        if value is not None and bare(leaf) in read
    ]
    return around + found


def _send(one: Mapped, record: Record, outbound: OutboundMapping | None, registers: Registers) -> None:
    if outbound is None:
        return
    try:
        one.payload = outbound.render(record, RenderContext(*registers))
    except RefusedValueError as error:
        listed = getattr(error, "problems", (error,))
        one.refused = {"verdict": "dead", "problems": [_problem(refused) for refused in listed]}


def _refusal(row: RowRefused) -> dict[str, Any]:
    problems = [_problem(one) for one in row.error.problems]
    return {"verdict": row.verdict, "where": row.where, "problems": problems}


def _problem(one: RefusedValueError) -> dict[str, Any]:
    return {"mapping": one.mapping, "field": one.field, "path": one.path, "value": one.value, "reason": one.reason}


# --- rules ------------------------------------------------------------------------------------------------------------


def rules(way: Direction) -> dict[str, Any]:
    """For machines, which line of which mapping makes what."""
    inbound = [
        {
            "field": one.name,
            "line": one.line,
            "paths": list(one.paths),
            "outer": one.outer,
            "converters": [step.name for step in one.chain],
            "default" if one.paths else "const": text(one.otherwise),
        }
        for one in way.inbound.fields
    ]
    told: dict[str, Any] = {"record": {"file": way.file, "fields": inbound}}
    if way.outbound is not None:
        outbound = [
            {"member": one.name, "line": one.line, "field": one.reads or None, "converters": list(one.made_by)}
            for one in way.outbound.fields
        ]
        told["payload"] = {"file": way.outbound_file, "members": outbound}
    return told


def rule_of_field(way: Direction, story: Story | None) -> str:
    """By what a field of a record was made, in few words: `TrangThai, table, line 17`."""
    if story is None:
        return ""
    if story.end == "const":
        return f"const, line {story.line}"
    if story.end == "default":
        return f"default, line {story.line}"
    place = next(one.path for one in way.inbound.fields if one.name == story.field)
    return ", ".join([place, *(step.converter for step in story.steps), f"line {story.line}"])


def rule_of_member(outbound: OutboundMapping, name: str, record: Mapping[str, Any]) -> str:
    """By what a member of a payload was made: `status, table, line 12`."""
    one = member(outbound.fields, name)
    if one is None:
        return ""
    if not one.reads:
        return f"const, line {one.line}"
    if record.get(one.reads) is None and "present" not in one.made_by:
        return f"{one.reads} is empty, line {one.line}"
    return ", ".join([one.reads, *one.made_by, f"line {one.line}"])


def member(fields: Sequence[OutField], name: str) -> OutField | None:
    return next((one for one in fields if one.name == name), None)
