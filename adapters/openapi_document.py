"""An OpenAPI file, hostile or not, as plain values: JSON or YAML, with its local references followed.

What is read is bounded: bytes, values, nesting, time, and how often references are followed. YAML is built from its
events, without tags and merges, since those (and aliases of aliases) make much out of little. No I/O.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import yaml

from mappings.decode import json
from schemas.errors import ConfigError, Problem, UndecodableError

MAX_BYTES = 8 << 20
MAX_VALUES = 400_000
"""The most values that are read, and the most that are looked at in all."""
MAX_DEPTH = 100
READ_S = 20.0
"""YAML that takes longer is given up."""
_HOPS = 20
_INT = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[+-]?[0-9]{1,30}\.[0-9]{1,30}")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
          "false": False, "False": False, "FALSE": False}  # fmt: skip


def refused(message: str, mend: str, file: str) -> ConfigError:
    """What is wrong with a description."""
    return ConfigError([Problem("openapi", message, mend, file)])


class Document:
    """The values of one file; every look at one of them is counted."""

    def __init__(self, body: bytes, file: str) -> None:
        """Raises: ConfigError for what is no OpenAPI 3 or Swagger 2."""
        self.file = file
        self._left = MAX_VALUES
        self.root = _parsed(body, file)
        if not isinstance(self.root, dict) or not isinstance(self.root.get("paths"), dict):
            mend = 'give the file that describes the service: it begins with openapi: 3.… or swagger: "2.0"'
            raise refused("is no OpenAPI file: it has no `paths`", mend, file)
        version = str(self.root.get("openapi") or self.root.get("swagger") or "")
        if not version.startswith(("3.", "2.")) and version != "2":
            said = f"is of the version {version[:20]!r}" if version else "does not say its version"
            raise refused(said, "OpenAPI 3.0, 3.1 and Swagger 2.0 are read: convert it", file)
        self.swagger = version.startswith("2")

    def spend(self, values: int = 1) -> None:
        """Count values that are looked at. Raises: ConfigError where it is enough."""
        self._left -= values
        if self._left < 0:
            said = f"makes more than {MAX_VALUES:,} values out of what it holds"
            raise refused(said, "take out what the operation does not need, or give a recorded answer", self.file)

    def map(self, node: Any) -> Mapping[str, Any]:
        """A mapping with its reference followed; an empty one for anything else."""
        found = self.resolved(node)
        return found if isinstance(found, dict) else {}

    def list(self, node: Any) -> list[Any]:
        self.spend()
        return node if isinstance(node, list) else []

    def resolved(self, node: Any) -> Any:
        """What a `$ref` leads to, through others; anything else as it is. Raises: ConfigError."""
        self.spend()
        for _ in range(_HOPS):
            if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
                return node
            node = self._at(node["$ref"])
        raise refused(f"its references go round in a ring ({node['$ref'][:100]!r})", "correct them", self.file)

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#"):
            said = f"refers to {reference[:200]!r}, which lies elsewhere and is not fetched"
            raise refused(said, "bundle the description into one file, and give that", self.file)
        found: Any = self.root
        for part in reference[1:].split("/")[1:]:
            self.spend()
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                said = f"refers to {reference[:200]!r}, which is not there"
                raise refused(said, "give the whole description", self.file)
        return found

    def copied(self, value: Any, depth: int = 0) -> Any:
        """A value of an example as JSON can hold it. Raises: ConfigError where it is too much."""
        self.spend()
        if depth > MAX_DEPTH:
            raise refused("an example is nested too deeply", "give a recorded answer by --sample", self.file)
        if isinstance(value, dict):
            return {str(name): self.copied(item, depth + 1) for name, item in value.items()}
        if isinstance(value, list):
            return [self.copied(item, depth + 1) for item in value]
        if isinstance(value, float):
            return value if value - value == 0 else None
        return value if value is None or isinstance(value, str | bool | int) else str(value)


def _parsed(body: bytes, file: str) -> Any:
    if len(body) > MAX_BYTES:
        said = f"has {len(body):,} bytes, at most {MAX_BYTES:,} are read"
        raise refused(said, "take out what the operation does not need", file)
    try:
        if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
            return json.parse(body, None, limit=MAX_BYTES)
        return _yaml(body.decode("utf-8-sig"))
    except (UndecodableError, yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        said = str(getattr(error, "problem", None) or error).splitlines()[0][:200]
        raise refused(
            f"cannot be read: {said}{where}", "give it as JSON or YAML, as the service has it", file
        ) from None


@dataclass(slots=True)
class _Open:
    """A container that is not closed yet; `key` waits for its value."""

    made: Any
    anchor: str | None = None
    key: str | None = None

    def put(self, value: Any) -> None:
        if isinstance(self.made, list):
            self.made.append(value)
        elif self.key is not None:
            self.made[self.key], self.key = value, None
        elif isinstance(value, dict | list):
            raise ValueError("a key is a list or a mapping")
        else:
            self.key = str(value)


def _yaml(text: str) -> Any:
    """The first document. Raises: yaml.YAMLError, ValueError where it is too much."""
    until = time.monotonic() + READ_S
    anchors: dict[str, Any] = {}
    inside = [_Open([])]
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if number > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_VALUES:,} values")
        if number % 1000 == 0 and time.monotonic() > until:
            raise ValueError(f"it takes longer than {READ_S:g} s")
        holder = inside[-1]
        match event:
            case yaml.AliasEvent():
                if event.anchor not in anchors:
                    raise ValueError(f"the alias {event.anchor!r} stands inside what it means, or means nothing")
                holder.put(anchors[event.anchor])
            case yaml.ScalarEvent():
                # A key is the text as it is written, so that the answer 200 is "200".
                is_key = isinstance(holder.made, dict) and holder.key is None
                value = event.value if is_key else _scalar(event)
                if event.anchor:
                    anchors[event.anchor] = value
                holder.put(value)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if len(inside) > MAX_DEPTH:
                    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
                made = _Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor)
                holder.put(made.made)
                inside.append(made)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                inside.pop()
                if holder.anchor:
                    anchors[holder.anchor] = holder.made
            case yaml.DocumentEndEvent():
                break
    whole: list[Any] = inside[0].made
    return whole[0] if whole else None


def _scalar(event: yaml.ScalarEvent) -> Any:
    """Text, a number, true, false or nothing; a day stays the text that it is."""
    text: str = event.value
    if event.style or (event.tag and event.tag != "!"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
