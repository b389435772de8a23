"""The JSON Schemas of mappings and of their tests: the language of docs/mapping.md as far as a schema can say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.converters import CONVERTERS
from mappings.converters.procedure import GIVES
from mappings.decode.charset import CHARSETS
from mappings.source_block import FORMATS
from mappings.target import Target, targets
from schemas.record import KINDS

_TEXT: dict[str, Any] = {"type": ["string", "integer"]}
_FLAG = {"type": "boolean"}
_SCALAR = {"type": ["string", "integer", "boolean", "null"]}


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


def _or(*schemas: Any) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


def _texts(schema: Any = _TEXT) -> dict[str, Any]:
    return _or(schema, {"type": "array", "items": schema})


_UNKNOWN = {"enum": ["park", "reject", "keep", "none"]}
_FORMATS = {**_texts(), "description": "dd/MM/yyyy HH:mm:ss, iso, /Date(ms)/, epoch-ms, excel; of several the first."}
_OTHERWISE = {"enum": ["refuse", "keep", "none"]}
_PART = _or(
    {"type": "string"}, _object({"pattern": {"type": "string"}, "take": _TEXT, "otherwise": _OTHERWISE}, "pattern")
)
_DAYS = {"type": "integer", "minimum": 0, "maximum": 999}
OPTIONS: Mapping[str, Any] = {
    "text": _object(
        {
            "remove": _TEXT,
            "squeeze": _FLAG,
            "case": {"enum": ["upper", "lower", "keep"]},
            "max": {"type": "integer", "minimum": 1},
            "over": {"enum": ["refuse", "cut"]},
        }
    ),
    "font": _or({"enum": ["tcvn3", "vni"]}, _object({"name": {"enum": ["tcvn3", "vni"]}, "capitals": _FLAG}, "name")),
    "date": _or(_FORMATS, _object({"format": _FORMATS, "zone": _TEXT, "none": _texts()}, "format")),
    "table": _or(_TEXT, _object({"name": _TEXT, "unknown": _UNKNOWN, "else": _SCALAR, "on": _TEXT}, "name")),
    "int": _object({"min": {"type": "integer"}, "max": {"type": "integer"}}),
    "bool": _object({"true": _texts(_SCALAR), "false": _texts(_SCALAR)}),
    "present": _or({"const": True}, _object({"there": _SCALAR, "absent": _SCALAR})),
    "agency": _or(
        {"enum": ["code", "level", "name"]},
        _object({"give": {"enum": ["code", "level", "name"]}, "on": _TEXT, "unknown": _UNKNOWN}),
    ),
    "procedure": _or(
        {"enum": list(GIVES)},
        _object(
            {
                "give": {"enum": list(GIVES)},
                "on": _TEXT,
                "unknown": _UNKNOWN,
                "register": {"enum": ["required", "optional"]},
            }
        ),
    ),
    "match": _PART,
    "split": _object(
        {"by": _TEXT, "take": {"type": "integer", "not": {"const": 0}}, "otherwise": _OTHERWISE}, "by", "take"
    ),
    "replace": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": _TEXT},
    },
    "number": _or(
        {"enum": ["vi", "en"]},
        _object({"notation": {"enum": ["vi", "en"]}, "decimals": {"type": "integer", "minimum": 0}}, "notation"),
    ),
    "working_days": {
        **_object({"add": _DAYS, "subtract": _DAYS, "add_from": _TEXT}),
        "minProperties": 1,
        "maxProperties": 1,
    },
    "period": {"enum": ["month", "quarter", "year", "any"]},
    "function": {"type": "string", "pattern": "^[^:]+:[^:]+$"},
}
"""By converter; one that is not here takes anything, and `hub check` looks at it."""


def _converters() -> dict[str, Any]:
    return {name: {**OPTIONS.get(name, {}), "description": converter.summary} for name, converter in CONVERTERS.items()}


_SURENESS: dict[str, Any] = {
    "facts": {"type": "string", "description": "Where it is known from what the system says or takes."},
    "assumed": {**_texts(), "description": "What of it nobody has seen; to be looked at before it goes to work."},
}


# --- reading ----------------------------------------------------------------------------------------------------------


def inbound() -> dict[str, Any]:
    """A mapping that reads: by `to` the fields are those of the kind."""
    cases = [
        {
            "if": {"properties": {"to": {"const": kind}}, "required": ["to"]},
            "then": {
                "properties": {
                    "fields": {
                        "type": "object",
                        "properties": {name: _in_field(target) for name, target in targets(model).items()},
                        "required": [name for name, target in targets(model).items() if target.required],
                        "additionalProperties": False,
                    }
                }
            },
        }
        for kind, model in KINDS.items()
    ]
    return {
        "title": "mapping, reading",
        **_object(
            {
                "mapping": {"type": "string", "description": "<system>/<kind>, as the file lies in its folder."},
                "summary": {"type": "string", "description": "One line for people."},
                **_SURENESS,
                "from": _source(),
                "to": {"enum": list(KINDS), "description": "The kind of record that a row becomes."},
                "tables": _tables(),
                "ignore": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "minLength": 1},
                    "description": "Places of a row that nobody reads on purpose: {path: reason}.",
                },
                "fields": {"type": "object", "description": "What each field of the record is made of."},
            },
            "mapping",
            "from",
            "to",
            "fields",
        ),
        "allOf": cases,
    }


def _source() -> dict[str, Any]:
    path = {"type": "string"}
    unwrap = _object(
        {
            "path": path,
            "holds": {"enum": ["xml", "json"]},
            "encoding": {"enum": ["text", "base64"]},
            "empty": {"enum": ["refuse", "no-rows"]},
        },
        "path",
        "holds",
    )
    return _object(
        {
            "format": {"enum": list(FORMATS)},
            "label": {"type": "string", "description": "Only arrivals of such names are read: hoso-*.csv."},
            "charset": {"enum": list(CHARSETS), "description": "Where the system lies about its encoding."},
            "max_bytes": {"type": "integer", "minimum": 1},
            "delimiter": {"type": "string", "minLength": 1, "maxLength": 1},
            "quote": {"type": "string", "minLength": 1, "maxLength": 1},
            "unwrap": {**_texts(unwrap), "description": "Places whose text is a document of its own, layer by layer."},
            "within": {"type": "string", "description": "What holds the rows."},
            "each": {"type": "string", "description": "The name of a row."},
            "dataset": {"type": "string", "description": "The table of a .NET DataSet, in place of `each`."},
            "sheet": {
                **_or({"type": "string"}, {"type": "integer", "minimum": 1}),
                "description": "The sheet's name, or its number from 1.",
            },
            "header": {"type": "integer", "minimum": 1, "description": "The row that names the columns."},
            "deleted": {**_when(), "description": "Where it holds, the row is deleted at its source."},
            "renumbered": {
                **_object({"from": _TEXT, "to": _TEXT}),
                "minProperties": 1,
                "maxProperties": 1,
                "description": "The place of the old number, or of the new one, where a dossier got another number.",
            },
            "inner": {"type": "string", "description": "Rows inside each row."},
            "beside": {**_texts(), "description": "What else may stand beside the rows."},
            "namespaces": {"type": "object", "additionalProperties": {"type": "string"}},
            "error": {
                **_object({"path": path, "ok": _texts(), "text": path}, "path"),
                "description": "An error inside an answer that says it is none.",
            },
        },
        "format",
    )


def _tables() -> dict[str, Any]:
    entries = {"type": "object", "additionalProperties": _SCALAR}
    return {
        "type": "object",
        "additionalProperties": _or({"type": "string"}, entries, {"type": "null"}),
        "description": "Code tables by name: {word: code}, or a file beside the mapping, .yaml or .csv.",
    }


def _when() -> dict[str, Any]:
    return {
        **_object(
            {
                "path": _TEXT,
                "is": _texts(_SCALAR),
                "not": _texts(_SCALAR),
                "empty": _FLAG,
                "matches": {"type": "string"},
            },
            "path",
        ),
        "minProperties": 2,
        "maxProperties": 2,
    }


def _whence() -> dict[str, Any]:
    path = _TEXT
    paths = {"type": "array", "minItems": 2, "items": path}
    join = _or(paths, _object({"parts": paths, "with": _TEXT}, "parts"))
    choice = _object({"when": _when(), "path": path, "first": paths, "join": join, "const": _SCALAR})
    return {
        "path": {**path, "description": "Where the value is, from the row."},
        "outer": {**path, "description": "Where the value is, from the row around this one."},
        "first": {**paths, "description": "The first of several places that has a value."},
        "join": {**join, "description": "The texts of several places together."},
        "choose": {
            "type": "array",
            "minItems": 1,
            "items": choice,
            "description": "What stands beside the first condition that holds.",
        },
    }


def _in_field(target: Target) -> dict[str, Any]:
    const: dict[str, Any] = _SCALAR
    if target.enum:
        const = {"enum": [*target.members, *(int(one) for one in target.members if one.isdecimal())]}
    places = {
        **_whence(),
        "envelope": {**_TEXT, "description": "Where the value is, around the rows."},
        "label": {**_PART, "description": "The part of the arrival's name, as `match` has it."},
    }
    long = _object(
        {
            **places,
            "const": {**const, "description": "Always the same."},
            "default": {**const, "description": "Where the place is empty."},
            "required": {**_FLAG, "description": "A row without it is refused."},
            **_converters(),
        }
    )
    long["oneOf"] = [{"required": [place]} for place in (*places, "const")]
    what = f"{target.noun}{', required' if target.required else ''}"
    return {**_or(_TEXT, long), "description": f"Holds {what}."}


# --- writing ----------------------------------------------------------------------------------------------------------


def outbound() -> dict[str, Any]:
    """A mapping that writes: by `from.record` the fields that a member may name are those of the kind."""
    cases = [
        {
            "if": {
                "properties": {"from": {"properties": {"record": {"const": kind}}, "required": ["record"]}},
                "required": ["from"],
            },
            "then": {
                "properties": {"fields": {"type": "object", "additionalProperties": _member(list(targets(model)))}}
            },
        }
        for kind, model in KINDS.items()
    ]
    return {
        "title": "mapping, writing",
        **_object(
            {
                "mapping": {"type": "string", "description": "<system>/<kind>, as the file lies in its folder."},
                "summary": {"type": "string", "description": "One line for people."},
                **_SURENESS,
                "from": _object({"record": {"enum": list(KINDS)}}, "record"),
                "to": _layout(),
                "tables": _tables(),
                "fields": {"type": "object", "description": "What each member of the payload is made of."},
            },
            "mapping",
            "from",
            "to",
            "fields",
        ),
        "allOf": cases,
    }


def _layout() -> dict[str, Any]:
    empty = {"description": "What an absent value becomes."}
    all_ways = {**empty, "enum": ["null", "text", "omit", None]}
    names = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
    xml = {
        "portal": {"const": "xml"},
        "empty": all_ways,
        "root": {**_TEXT, "description": "The name of the outermost element."},
        "namespaces": {**names, "description": "By prefix."},
    }
    return _or(
        _object({"portal": {"const": "json"}, "empty": all_ways}, "portal"),
        _object(xml, "portal", "root"),
        _object({"portal": {"enum": ["form", "query"]}, "empty": {**empty, "enum": ["text", "omit"]}}, "portal"),
    )


def _member(fields: list[str]) -> dict[str, Any]:
    long = _object(
        {
            "field": {"enum": fields, "description": "The record's field."},
            "const": {"description": "Always the same; a list or an object too."},
            "default": {"description": "Where the record has no value."},
            "required": _FLAG,
            **_converters(),
        }
    )
    long["oneOf"] = [{"required": ["field"]}, {"required": ["const"]}]
    return _or({"enum": fields}, long)


# --- tests ------------------------------------------------------------------------------------------------------------


def mapping_test(agency: dict[str, Any], procedure: dict[str, Any]) -> dict[str, Any]:
    """The test beside a mapping; `agency` and `procedure` are rows of its registers."""
    problem = _object(
        dict.fromkeys(("field", "path", "value", "reason"), _SCALAR) | {"verdict": {"enum": ["reject", "park"]}}
    )
    problems = {"type": "array", "items": problem}
    row = _or(
        _object({"record": {"type": "object"}}, "record"),
        _object({"refused": {"enum": ["reject", "park"]}, "key": _SCALAR, "problems": problems}, "refused"),
    )
    case = {
        **_object(
            {
                "name": {"type": "string", "description": "What is shown, in a few words."},
                "body": {"type": "string"},
                "file": {"type": "string", "description": "The body, in a file beside the test."},
                "record": {"type": "object"},
                "charset": {"type": "string"},
                "label": {"type": "string"},
                "decomposed": _FLAG,
                "rows": {"type": "array", "items": row, "description": "Every row, in order."},
                "undecodable": {"type": "string", "description": "A part of what is said."},
                "payload": {"type": "object"},
                "written": {"type": "string", "description": "The bytes that the payload is sent as."},
                "problems": problems,
            },
            "name",
        ),
        "oneOf": [{"required": [one]} for one in ("body", "file", "record")],
        "allOf": [{"oneOf": [{"required": [one]} for one in ("rows", "undecodable", "payload", "problems")]}],
    }
    return {
        "title": "test of a mapping",
        **_object(
            {
                "agencies": {
                    "type": "array",
                    "items": agency,
                    "description": "The register that the cases are read with.",
                },
                "procedures": {
                    "type": "array",
                    "items": procedure,
                    "description": "The procedures that the cases are read with.",
                },
                "cases": {"type": "array", "minItems": 1, "items": case},
            },
            "cases",
        ),
    }
