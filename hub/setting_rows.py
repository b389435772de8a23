"""The settings of an adapter as rows for people: name, type in words, default, what it is. Read off its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from hub.schema_export import of_model

_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "none"}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting."""

    name: str
    """With dots where it stands inside another, `page.size`; `headers[].name` inside each of a list."""
    type: str
    required: bool
    default: Any
    """None too where there is none to be shown."""
    what: str
    """What it is, one line."""
    only: str = ""
    """The word of the setting beside it, `type: bearer`, with which alone it is there."""

    @property
    def shown_default(self) -> str:
        """As it would be written; empty where there is none."""
        if self.required:
            return "required"
        if self.default is None or self.default == "" or isinstance(self.default, dict):
            return ""  # what is inside a section has rows of its own
        if isinstance(self.default, list):
            return ", ".join(map(_plain, self.default))
        return str(self.default).lower() if isinstance(self.default, bool) else _plain(self.default)


def rows(model: type[BaseModel]) -> list[SettingRow]:
    """Every setting, in the order of the model, those inside another after it."""
    return list(_inside(of_model(model, variables=False), ""))


def _inside(schema: Mapping[str, Any], prefix: str, only: str = "") -> Iterator[SettingRow]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        if "const" in part:
            continue  # the word by which sections are told apart: the row of the whole names them all
        place, sections = f"{prefix}{name}", list(_sections(part))
        what = part.get("description") or (sections[0][0].get("description") if len(sections) == 1 else "")
        yield SettingRow(place, _type(part), name in required, part.get("default"), what or "", only)
        for inner, opening in sections:
            word = _word(inner)
            yield from _inside(inner, f"{place}{opening}.", f"type: {word}" if word else "")


def _sections(part: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """What has settings of its own in here, and how one writes that one is in a list."""
    if "properties" in part:
        yield part, ""
    for inner in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        yield from _sections(inner)
    if isinstance(part.get("items"), dict):
        yield from ((inner, "[]") for inner, _ in _sections(part["items"]))


def _word(section: Mapping[str, Any]) -> str:
    word = section["properties"].get("type", {}).get("const")
    return str(word) if word is not None else ""


def _type(part: Mapping[str, Any]) -> str:
    if "const" in part:
        return f"always {part['const']}"
    if "enum" in part:
        return f"one of {', '.join(map(str, part['enum']))}"
    several = [*part.get("anyOf", ()), *part.get("oneOf", ())]
    if several:
        words = [_word(one) for one in several if "properties" in one]
        if len(words) > 1 and all(words):
            return f"section, type: {', '.join(words)}"
        kinds = dict.fromkeys(_type(one) for one in several if one.get("type") != "null")
        return " or ".join(kinds)
    kind = part.get("type")
    if kind == "array":
        return f"list of {_type(part.get('items', {}))}"
    if kind == "object":
        if "properties" in part:
            return "section"
        inner = part.get("additionalProperties")
        inner = inner if isinstance(inner, dict) else next(iter(part.get("patternProperties", {}).values()), {})
        return f"names, each with {_type(inner)}" if inner else "names with values"
    if part.get("format") == "password":
        return "secret"
    if part.get("format") == "date-time":
        return "date or time"
    return _WORDS.get(str(kind), "any value") + _limits(part)


def _limits(part: Mapping[str, Any]) -> str:
    least, most, over = (part.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
    if least is not None and most is not None:
        return f", {_plain(least)} to {_plain(most)}"
    said = [f"more than {_plain(over)}"] if over is not None else []
    said += [f"at least {_plain(least)}"] if least is not None else []
    said += [f"at most {_plain(most)}"] if most is not None else []
    return f", {' and '.join(said)}" if said else ""


def _plain(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
