"""A new destination from one payload that its portal takes: an outbound mapping, its test and a section.

Each member is guessed by its name; its value only says how it is written: the format of a date, the kind of a number.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from hub import registry
from hub.answers import BUILT_IN
from hub.ports import Adapter
from hub.scaffold import shapes
from hub.scaffold.editors import head
from hub.scaffold.names import rank
from hub.scaffold.payload import Payload, last_name
from hub.scaffold.payload import read as payload_of
from hub.scaffold.source_files import mapping_name, variable
from hub.scaffold.yaml_text import flow, key, quoted, scalar, shown
from mappings.load import load
from mappings.outbound import OutboundMapping
from mappings.rows import RefusedRowError, RenderContext
from mappings.target import Target, targets
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, Problem
from schemas.record import Record
from schemas.record import kind as kind_named

_RECEIVED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_EXAMPLES: Mapping[str, Any] = {
    "number": "000.00.15.H59-260302-0001",
    "procedure_code": "1.003560.000.00.00.H59",
    "procedure_name": "Cấp giấy phép bưu chính",
    "agency": "H59.15",
    "applicant_name": "Nguyễn Văn An",
    "applicant_email": "nguoi-nop-1@example.vn",
    "applicant_phone": "0999000001",
    "applicant_id": "999000001",
    "person": "Trần Thị Bình",
    "status": 4,
    "document_id": "H59.15,2026/03/02,45/STTTT-VP",
    "code_number": "45",
    "code_notation": "STTTT-VP",
    "code": "KTXH-0101",
    "period": "2026-03",
    "value": "1234.5",
}


@dataclass(frozen=True, slots=True)
class DestinationDraft:
    """What `hub new destination` proposes; `members` says why each member is made of what it is made of."""

    mapping: str
    section: str
    members: Mapping[str, str]
    files: Mapping[str, bytes] = field(repr=False)
    portal: str
    """The form of the payload: json, xml, form or query."""
    fits: bool
    """Whether an adapter that is installed sends it."""


def propose(
    name: str,
    body: bytes,
    file: str,
    kind: str,
    *,
    adapter: str | None = None,
    given: Mapping[str, str] | None = None,
    portal: str | None = None,
) -> DestinationDraft:
    """Make mapping, test and section from a payload; `portal` is its form, where its bytes do not tell.

    Raises: ConfigError where it cannot be read, for `given`, and where the adapter does not send such a form.
    """
    form = payload_of(body, file, portal)
    payload = form.members
    model = kind_named(kind)
    fields = targets(model)
    given = given or {}
    wrong = [
        Problem("unknown-field", f"--field {member}={one}: {kind} has no field {one!r}", f"it has {', '.join(fields)}")
        for member, one in given.items()
        if one not in fields
    ]
    wrong += [
        Problem("unknown-member", f"--field {member}=…: the payload has no {member!r}", f"it has {', '.join(payload)}")
        for member in given
        if member not in payload
    ]
    choices = _choices()
    if adapter is not None:
        writes = _writes(registry.adapter(adapter, "destination"))
        if form.portal not in writes:
            said = f"the payload is {form.portal}, the adapter {adapter!r} sends {' or '.join(writes)}"
            fit = [one for one, found in choices.items() if form.portal in _writes(found)]
            mend = f"name one that sends it: {', '.join(fit)}" if fit else "leave --adapter out, and have one written"
            wrong.append(Problem("wrong-format", said, mend, file))
    if wrong:
        raise ConfigError(wrong)
    made = _members(payload, kind, fields, given)
    tables = {one.field: fields[one.field] for one in made.values() if one.spec and "table" in one.spec}
    mapping = mapping_name(name, kind)
    text = _mapping(mapping, kind, made, tables, form)
    record = _example(model)
    test = _test(mapping, text, record)
    files = {f"mappings/{mapping}.yaml": text.encode(), f"mappings/{mapping}_test.yaml": test.encode()}
    reasons = {member: one.why for member, one in made.items()}
    number = next((member for member, one in made.items() if one.field == "number"), "")
    section, fits = _section(name, mapping, kind, adapter, form, choices, number)
    return DestinationDraft(mapping, section, reasons, files, form.portal, fits)


@dataclass(frozen=True, slots=True)
class _Member:
    field: str
    spec: Mapping[str, Any]
    why: str


def _members(
    payload: Mapping[str, Any], kind: str, fields: Mapping[str, Target], given: Mapping[str, str]
) -> dict[str, _Member]:
    pairs = []
    for order, member in enumerate(payload):
        if member in given:
            pairs.append((-1, order, given[member], member))
            continue
        for name in fields:
            ranks = (rank(member, kind, name), rank(last_name(member), kind, name))
            found = min((one for one in ranks if one is not None), default=None)
            if found is not None and not isinstance(payload[member], dict | list):
                pairs.append((found, order, name, member))
    chosen: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    for found, _, name, member in sorted(pairs):
        if member not in chosen and (name not in taken or found < 0):
            chosen[member] = (name, "as told" if found < 0 else "by name")
            taken.add(name)
    made = {}
    for member, value in payload.items():
        if member in chosen:
            name, why = chosen[member]
            made[member] = _member(name, fields[name], value, why)
        else:
            made[member] = _constant(value)
    return made


def _member(name: str, target: Target, value: Any, why: str) -> _Member:
    spec: dict[str, Any] = {"field": name}
    if name == "number":
        spec["required"] = True
    if target.holds is datetime:
        written = shapes.dates([value]) if value not in (None, "") else None
        one = written.formats[0] if written is not None else "iso"
        one = "iso" if one == "excel" or "[" in one else one
        spec["date"] = one
        told = f"written as {shown(str(value), 40)}" if written is not None else "? how it is written is not shown"
        return _Member(name, spec, f"{why}; {told}")
    if target.enum is not None and name != "agency_level":
        spec["table"] = name
        return _Member(name, spec, f"{why}; ? the portal's own codes go into the table")
    return _Member(name, spec, why)


def _constant(value: Any) -> _Member:
    if isinstance(value, list):
        return _Member("", {"const": []}, "? a list, sent empty: a record has nothing for it")
    if isinstance(value, dict):
        return _Member("", {"const": {}}, "? an object, sent empty: a record has nothing for it")
    empty: Any = "" if isinstance(value, str) else None
    return _Member("", {"const": empty}, "? no field has such a name, so it is sent empty; --field names one")


def _mapping(mapping: str, kind: str, made: Mapping[str, _Member], tables: Mapping[str, Target], form: Payload) -> str:
    payload = form.members
    to = ", ".join(f"{name}: {flow(value)}" for name, value in form.to.items())
    lines = [
        head("mapping-out"),
        "# Made from one payload: each line says why it is so. Read it, correct it, then test it.",
        f"mapping: {scalar(mapping)}",
        f"summary: {scalar('what ' + mapping.partition('/')[0] + ' takes, made from one payload')}",
        f"from: {{record: {kind}}}",
        f"to: {{{to}, empty: {form.empty}}}",
    ]
    if tables:
        lines.append("tables:")
    for name, target in tables.items():
        example = next((payload[m] for m, one in made.items() if one.field == name and "table" in one.spec), None)
        lines.append(f"  {name}:  # ? the record's code, and what the portal calls it; it has {shown(str(example))}")
        for number, code in enumerate(target.members, 1):
            own: Any = code if code.isdecimal() else str(number)
            lines.append(f"    {key(code)}: {int(own) if isinstance(example, int) else json.dumps(own)}")
    lines.append("fields:")
    for member, one in made.items():
        short = one.field if set(one.spec) == {"field"} else flow(one.spec)
        lines.append(f"  {key(member)}: {short}  # {one.why}")
    return "\n".join(lines) + "\n"


def _example(model: type[Record]) -> Record:
    """A record of invented values, every field filled."""
    values: dict[str, Any] = {}
    for number, (name, target) in enumerate(targets(model).items()):
        if name in _EXAMPLES:
            values[name] = _EXAMPLES[name]
        elif target.holds is datetime:
            values[name] = (_RECEIVED + timedelta(hours=number)).isoformat()
        elif issubclass(target.holds, Enum):
            values[name] = target.members[0]
        else:
            values[name] = number % 4 + 1 if target.holds is int else False if target.holds is bool else f"mẫu {number}"
    for name in ("field_code",):
        if name in values:
            values[name] = "G14-BC"
    if "received_at" in values:
        values["received_at"] = _RECEIVED.isoformat()
    return model.model_validate_json(json.dumps(values))


def _test(mapping: str, text: str, record: Record) -> str:
    with tempfile.TemporaryDirectory(prefix="hub-new-") as folder:
        file = Path(folder) / f"{mapping.rpartition('/')[2]}.yaml"
        file.write_text(text, encoding="utf-8")
        compiled = load(file)
    assert isinstance(compiled, OutboundMapping)
    lines = [
        head("mapping-test"),
        "# What the mapping writes of an invented record today. Look at each value: from now on it is expected.",
        "agencies: []",
        "cases:",
        "  - name: a record with every field",
        "    record:",
        *(
            f"      {name}: {scalar(value)}"
            for name, value in record.model_dump(mode="json", exclude_none=True).items()
        ),
    ]
    try:
        payload = compiled.render(record, RenderContext(AgencyRegister.empty()))
    except RefusedRowError as error:
        lines.append("    problems:")
        lines += [f"      - {flow({'field': one.field, 'value': one.value})}" for one in error.problems]
    else:
        lines += ["    payload:", *(f"      {key(member)}: {flow(value)}" for member, value in payload.items())]
        if compiled.layout.portal != "json":
            lines.append(f"    written: {quoted(compiled.body(payload).decode())}")
    return "\n".join(lines) + "\n"


def _choices() -> dict[str, type[Adapter]]:
    """The adapters of destinations that are installed."""
    found = {}
    for one in sorted(registry.declared()):
        try:
            found[one] = registry.adapter(one, "destination")
        except ConfigError:
            continue
    return found


def _writes(adapter: type[Adapter]) -> tuple[str, ...]:
    """The forms of payload that an adapter sends."""
    return tuple(getattr(adapter, "writes", ("json",)))


def _section(
    name: str,
    mapping: str,
    kind: str,
    adapter: str | None,
    form: Payload,
    choices: Mapping[str, type[Adapter]],
    number: str,
) -> tuple[str, bool]:
    """The entry of `destinations`, and whether an adapter that is installed sends such a payload; `number` is the
    payload's member that holds the dossier's number."""
    fit = [one for one, found in choices.items() if form.portal in _writes(found)]
    chosen = adapter or (fit[0] if fit else "")
    model = choices[chosen].Settings if chosen in choices else None

    def of_operator(setting: str) -> str:
        # Nobody but the portal's operator knows these, and some are secret: all come from the environment.
        return scalar(f"${{{variable(name)}_{setting.upper()}}}")

    # An adapter that has more to say than a value each says it itself.
    proposal = getattr(model, "proposal", None)
    if proposal is not None:
        settings = [f"      {line}" for line in proposal(kind, number, of_operator)]
    else:
        needed = [one for one, info in model.model_fields.items() if info.is_required()] if model else []
        settings = [f"      {setting}: {of_operator(setting)}" for setting in needed]
    shipped = (BUILT_IN / f"{chosen}.yaml").is_file()
    answers = (
        f"    answers: {chosen}  # what the portal's answers mean: a shipped table, or a file of your own"
        if shipped
        else f"    # ? answers: answers/{name}.yaml  # what the portal's answers mean: a file that you write"
    )
    lines = [
        f"  {name}:",
        f"    # What speaks to the portal (it has to send {form.portal}):",
        *(f"    #   {one}: {found.summary}" for one, found in choices.items() if one in fit),
        f"    adapter: {chosen}" if chosen else f"    # ? adapter: …  # none that is installed sends {form.portal}",
        answers,
        f"    mappings: {{{kind}: {mapping}}}",
        "    settings:" if settings else "    # settings: …",
        *settings,
        "    deadline_s: 30  # the whole of one request",
    ]
    return "\n".join(lines), bool(chosen)
