"""JSON Schemas (draft 2020-12) of every YAML file that the hub reads: editors complete, explain and underline by them.

    export() -> {"hub.schema.json": b"…", …}

The sections and the adapters' settings are read off their models, converters off their registry, fields off the kinds
of records, so that a schema never knows less than the code. What a schema cannot say, `hub check` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from hub import registry
from hub.answers.rules import CALLS
from hub.ports import FaultClass, Mode
from hub.schema_mapping import inbound, mapping_test, outbound
from hub.sections import (
    RETRIED,
    AgencyFilesSection,
    AlertsSection,
    BusSection,
    DestinationSection,
    HubSection,
    LedgerSection,
    MailSection,
    RegistersSection,
    Route,
    SourceSection,
)
from hub.setting_words import attribute_docs, models_in
from schemas.agency import Agency
from schemas.errors import ConfigError
from schemas.procedure import Procedure

DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAME_PATTERN = "^[a-z0-9][a-z0-9-]{0,39}$"
VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
"""A value that is put together from the environment."""
_SCALARS = frozenset({"string", "number", "integer", "boolean"})
_NARROW = ("pattern", "format", "enum", "const", "minLength", "maxLength")


def export() -> dict[str, bytes]:
    """Every schema by the name of its file."""
    made = {
        "hub": configuration(),
        "agencies": agencies(),
        "procedures": procedures(),
        "mapping": inbound(),
        "mapping-out": outbound(),
        "mapping-test": mapping_test(agencies()["items"], procedures()["items"]),
        "answers": answers(),
    }
    return {
        f"{name}.schema.json": (json.dumps({"$schema": DRAFT, **schema}, ensure_ascii=False, indent=1) + "\n").encode()
        for name, schema in made.items()
    }


# --- models -----------------------------------------------------------------------------------------------------------


def of_model(model: type[BaseModel], *, variables: bool) -> dict[str, Any]:
    """The schema of a model with the docstrings of its attributes, every reference resolved in place.

    With `variables`, a value may also be a text with `${NAME}`, as in hub.yaml.
    """
    schema = TypeAdapter(model).json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    made: dict[str, Any] = _resolved(schema, definitions)
    _describe(made, model)
    return _with_variables(made) if variables else made


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        beside = {key: item for key, item in schema.items() if key != "$ref"}
        return _resolved({**target, **beside}, definitions)
    # A discriminator names definitions that are no longer there; `oneOf` says the same.
    return {key: _resolved(item, definitions) for key, item in schema.items() if key not in ("title", "discriminator")}


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put the docstrings below a model's attributes into its schema, and those of the models inside it."""
    told = attribute_docs(model)
    for name, info in model.model_fields.items():
        part = schema.get("properties", {}).get(info.alias or name)
        if part is None:
            continue
        said = told.get(name) or info.description
        for inside in models_in(info.annotation):
            _describe_inside(part, inside)
        if said:
            part["description"] = " ".join(said.split())


def _describe_inside(part: Any, model: type[BaseModel]) -> None:
    if isinstance(part, dict):
        if "properties" in part and set(part["properties"]) == {i.alias or n for n, i in model.model_fields.items()}:
            _describe(part, model)
            return
        for item in part.values():
            _describe_inside(item, model)
    elif isinstance(part, list):
        for item in part:
            _describe_inside(item, model)


def _with_variables(schema: Any) -> Any:
    """Let every value that is not simply any text be a text with a variable too."""
    if isinstance(schema, list):
        return [_with_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "date-time":
        # A day alone is taken too, and a time without an offset.
        return {key: item for key, item in schema.items() if key != "format"}
    if schema.get("type") in _SCALARS or "enum" in schema or "const" in schema:
        if schema.get("type") == "string" and not any(key in schema for key in _NARROW):
            return schema
        kept = {key: schema[key] for key in ("description", "default") if key in schema}
        return {**kept, "anyOf": [{key: item for key, item in schema.items() if key not in kept}, VARIABLE]}
    made = {}
    for key, item in schema.items():
        if key == "properties":
            made[key] = {name: _with_variables(part) for name, part in item.items()}
        elif key in ("items", "anyOf", "oneOf", "allOf", "prefixItems", "additionalProperties"):
            made[key] = _with_variables(item)
        else:
            made[key] = item
    return made


# --- hub.yaml ---------------------------------------------------------------------------------------------------------


def configuration() -> dict[str, Any]:
    """`hub.yaml`: the sections, and by `adapter` the adapter's own settings."""
    parts: dict[str, Any] = {
        "hub": of_model(HubSection, variables=True),
        "ledger": of_model(LedgerSection, variables=True),
        "bus": of_model(BusSection, variables=True),
        "agencies": {"type": "string", "description": "The file with the agencies, beside this one."},
        "procedures": {"type": "string", "description": "The file with the procedures, YAML or CSV, beside this one."},
        "registers": of_model(RegistersSection, variables=True),
        "sources": _adapted(SourceSection, "source"),
        "destinations": _adapted(DestinationSection, "destination"),
        "routes": {
            "type": "array",
            "items": of_model(Route, variables=True),
            "description": "Which records go where.",
        },
        "mail": of_model(MailSection, variables=True),
        "alerts": of_model(AlertsSection, variables=True),
        "agency_files": of_model(AgencyFilesSection, variables=True),
    }
    return {
        "title": "hub.yaml",
        "type": "object",
        "properties": parts,
        "required": ["hub", "sources", "destinations", "routes"],
        "additionalProperties": False,
    }


def _adapted(section: type[BaseModel], role: Literal["source", "destination"]) -> dict[str, Any]:
    schema = of_model(section, variables=True)
    if "retry" in schema["properties"]:
        schema["properties"]["retry"]["properties"]["classes"]["propertyNames"] = {"enum": list(RETRIED)}
    names, cases = [], []
    for name in sorted(registry.declared()):
        try:
            adapter = registry.adapter(name, role)
        except ConfigError:
            continue
        settings = of_model(adapter.Settings, variables=True)
        names.append({"const": name, "description": adapter.summary})
        needs = ["settings"] if settings.get("required") else []
        cases.append(
            {
                "if": {"properties": {"adapter": {"const": name}}, "required": ["adapter"]},
                "then": {"properties": {"settings": settings}, "required": needs},
            }
        )
    schema["properties"]["adapter"] = {"description": f"What speaks to the {role}.", "oneOf": names}
    schema["allOf"] = cases
    return {"type": "object", "patternProperties": {NAME_PATTERN: schema}, "additionalProperties": False}


# --- the other files --------------------------------------------------------------------------------------------------


def agencies() -> dict[str, Any]:
    """`agencies.yaml`: a list of rows."""
    row = of_model(Agency, variables=False)
    alias = row["properties"]["aliases"]
    alias["items"] = {"anyOf": [{"type": ["string", "integer"]}, alias["items"]]}
    row["properties"]["code"] = {"type": "string", "description": "The canonical code, in one of the national forms."}
    return {"title": "agencies.yaml", "type": "array", "items": row}


def procedures() -> dict[str, Any]:
    """`procedures.yaml`: a list of rows."""
    row = of_model(Procedure, variables=False)
    alias = row["properties"]["aliases"]
    alias["items"] = {"anyOf": [{"type": ["string", "integer"]}, alias["items"]]}
    return {"title": "procedures.yaml", "type": "array", "items": row}


def answers() -> dict[str, Any]:
    """`answers/<name>.yaml`: what the codes of a portal mean."""
    text, flag = {"type": "string"}, {"type": "boolean"}
    status = {"type": ["integer", "string"], "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$"}
    code = {"type": ["string", "integer", "null"]}
    naming = {
        "anyOf": [
            {"const": "payload"},
            _object({"at": text}, required=["at"]),
            _object({"in_message": {"type": "string", "format": "regex"}}, required=["in_message"]),
        ]
    }
    when = _object(
        {
            "status": _one_or_more(status),
            "code": _one_or_more(code),
            "message": _one_or_more(text),
            "lacks": _one_or_more(text),
            "call": _one_or_more({"enum": list(CALLS)}),
            "mode": _one_or_more({"enum": [str(mode) for mode in Mode]}),
            "names_field": flag,
        }
    )
    rule = _object(
        {
            "when": {**when, "minProperties": 1, "description": "Every line has to fit."},
            "is": {"enum": ["success", *map(str, FaultClass)], "description": "What becomes of the record."},
            "say": {**text, "description": "For people, in Vietnamese."},
            "field": {**naming, "description": "Where the refused field is named."},
            "assumed": {**flag, "description": "No public material says so."},
        },
        required=["when", "is"],
    )
    items = {"at": text, "key": text, "code": text, "message": text, "assumed": flag}
    return {
        "title": "answers",
        **_object(
            {
                "answers": {**text, "description": "The name of the table."},
                "title": text,
                "code": {**text, "description": "Where an answer has its code, a dotted path."},
                "message": {**text, "description": "Where an answer has its message, a dotted path."},
                "format": {"enum": ["json", "xml"], "description": "Of answers; with xml, elements are read too."},
                "personal": {**flag, "description": "Whether messages name persons."},
                "items": _object(items, required=["at", "key", "code", "message"]),
                "rules": {"type": "array", "minItems": 1, "items": rule, "description": "The first that fits holds."},
            },
            required=["answers", "code", "message", "rules"],
        ),
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": required} if required else made


def _one_or_more(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}
