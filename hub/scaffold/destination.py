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
from hub.scaffold import shapes
from hub.scaffold.editors import head
from hub.scaffold.names import rank
from hub.scaffold.source_files import mapping_name, variable
from hub.scaffold.yaml_text import flow, key, scalar, shown
from mappings.decode import json as json_decoder
from mappings.decode.source import MAX_BYTES
from mappings.load import load
from mappings.outbound import OutboundMapping
from mappings.rows import RefusedRowError, RenderContext
from mappings.target import Target, targets
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, Problem, UndecodableError
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


def propose(
    name: str, body: bytes, file: str, kind: str, *, adapter: str | None = None, given: Mapping[str, str] | None = None
) -> DestinationDraft:
    """Make mapping, test and section from a payload. Raises: ConfigError where it is no JSON object, or for `given`."""
    payload = _payload(body, file)
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
    if adapter is not None:
        registry.adapter(adapter, "destination")
    if wrong:
        raise ConfigError(wrong)
    made = _members(payload, kind, fields, given)
    tables = {one.field: fields[one.field] for one in made.values() if one.spec and "table" in one.spec}
    mapping = mapping_name(name, kind)
    text = _mapping(mapping, kind, made, tables, payload)
    record = _example(model)
    test = _test(mapping, text, record)
    files = {f"mappings/{mapping}.yaml": text.encode(), f"mappings/{mapping}_test.yaml": test.encode()}
    reasons = {member: one.why for member, one in made.items()}
    return DestinationDraft(mapping, _section(name, mapping, kind, adapter), reasons, files)


def _payload(body: bytes, file: str) -> dict[str, Any]:
    """The first object of the payload: itself, the first of a list, or what stands in the only list below it."""
    try:
        found = json_decoder.parse(body, None, limit=MAX_BYTES)
    except UndecodableError as error:
        mend = "give the JSON of one request as the portal takes it"
        raise ConfigError([Problem("undecodable", str(error), mend, file)]) from None
    for _ in range(3):
        if isinstance(found, list) and found:
            found = found[0]
        elif isinstance(found, dict):
            lists = [item for item in found.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
            scalars = sum(not isinstance(item, dict | list) for item in found.values())
            if len(lists) == 1 and scalars < len(lists[0][0]):
                found = lists[0]
    if not isinstance(found, dict) or not found:
        said = "holds no object with members"
        raise ConfigError([Problem("no-payload", said, "give the JSON of one record as the portal takes it", file)])
    return found


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
            found = rank(member, kind, name)
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


def _mapping(
    mapping: str, kind: str, made: Mapping[str, _Member], tables: Mapping[str, Target], payload: Mapping[str, Any]
) -> str:
    texts = sum(isinstance(value, str) for value in payload.values())
    empty = "text" if texts * 2 >= len(payload) else "null"
    lines = [
        head("mapping-out"),
        "# Made from one payload: each line says why it is so. Read it, correct it, then test it.",
        f"mapping: {scalar(mapping)}",
        f"summary: {scalar('what ' + mapping.partition('/')[0] + ' takes, made from one payload')}",
        f"from: {{record: {kind}}}",
        f"to: {{portal: json, empty: {'text' if empty == 'text' else scalar('null')}}}",
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
    return "\n".join(lines) + "\n"


def _section(name: str, mapping: str, kind: str, adapter: str | None) -> str:
    choices = []
    for one in sorted(registry.declared()):
        try:
            found = registry.adapter(one, "destination")
        except ConfigError:
            continue
        choices.append((one, found.summary))
    chosen = adapter or (choices[0][0] if choices else "")
    needed = registry.adapter(chosen, "destination").Settings.model_fields if chosen else {}
    settings = []
    for setting, info in needed.items():
        if not info.is_required():
            continue
        # Nobody but the portal's operator knows these, and some are secret: all come from the environment.
        settings.append(f"      {setting}: {scalar(f'${{{variable(name)}_{setting.upper()}}}')}")
    return "\n".join(
        [
            f"  {name}:",
            "    # What speaks to the portal:",
            *(f"    #   {one}: {summary}" for one, summary in choices),
            f"    adapter: {chosen}",
            f"    answers: {chosen}  # what the portal's answers mean: a shipped table, or a file of your own",
            f"    mappings: {{{kind}: {mapping}}}",
            "    settings:",
            *settings,
            "    deadline_s: 30  # the whole of one request",
        ]
    )
