"""An answer as an OpenAPI file shows it: its example, else what its schema lets expect.

A list has as many rows as its longest list of words, so that each word of a code list stands in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.openapi_document import Document

_ROWS = 20
_DEPTH = 6
_TEXTS = {
    "date-time": "2026-03-{day:02d}T08:00:00+07:00",
    "date": "2026-03-{day:02d}",
    "email": "nguoi-nop-{n}@example.vn",
    "uuid": "00000000-0000-4000-8000-{n:012d}",
    "uri": "https://example.vn/{n}",
}


class SchemaSamples:
    """Values of the schemas of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def value(self, schema: Any, name: str = "", row: int = 0, depth: int = 0, inside: tuple[int, ...] = ()) -> Any:
        """What stands at a schema under `name` in the row `row`; None where it goes round. Raises: ConfigError."""
        found = self._document.map(schema)
        if depth > _DEPTH or id(found) in inside:
            return None
        inside = (*inside, id(found))
        shown = self._shown(found, row)
        if shown is not None:
            return shown
        merged = self.merged(found)
        kind = _kind(merged)
        if kind == "object":
            properties = merged.get("properties")
            members = properties if isinstance(properties, dict) else {}
            return {
                str(one): self.value(part, str(one), row, depth + 1, inside)
                for one, part in members.items()
                if not self._document.map(part).get("writeOnly")
            }
        if kind == "array":
            items = merged.get("items")
            return [self.value(items, name, number, depth + 1, inside) for number in range(self._rows(items))]
        return _plain(kind, merged, name, row)

    def merged(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """A schema with those that it is made of (`allOf`), or the first that it may be. Raises: ConfigError."""
        made: dict[str, Any] = dict(schema)
        waiting = [schema]
        for _ in range(_DEPTH):
            if not waiting:
                break
            one = waiting.pop(0)
            parts = self._document.list(one.get("allOf"))
            parts = parts or self._document.list(one.get("oneOf"))[:1] or self._document.list(one.get("anyOf"))[:1]
            for part in map(self._document.map, parts):
                waiting.append(part)
                properties = {**_dict(made.get("properties")), **_dict(part.get("properties"))}
                made = {**part, **{name: item for name, item in made.items() if name not in ("allOf",)}}
                if properties:
                    made["properties"] = properties
        return made

    def _shown(self, schema: Mapping[str, Any], row: int) -> Any:
        """The value that a schema itself shows, None where it shows none."""
        for name in ("example", "const", "default"):
            if schema.get(name) is not None:
                return self._document.copied(schema[name])
        for name in ("examples", "enum"):
            listed = [one for one in self._document.list(schema.get(name)) if one is not None]
            if listed:
                return self._document.copied(listed[row % len(listed)])
        return None

    def _rows(self, items: Any) -> int:
        members = _dict(self.merged(self._document.map(items)).get("properties"))
        words = [len(self._document.list(self._document.map(part).get("enum"))) for part in members.values()]
        return min(_ROWS, max([2, *words]))


def _plain(kind: str, schema: Mapping[str, Any], name: str, row: int) -> Any:
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        least = schema.get("minimum")
        return least if isinstance(least, int) and not isinstance(least, bool) and least > row else row + 1
    if kind != "string":
        return None
    written = _TEXTS.get(str(schema.get("format")))
    # A text of its own for each name, so that nobody takes one for the other.
    text = f"{name or 'mẫu'} {row + 1}" if written is None else written.format(n=row + 1, day=row % 28 + 1)
    most = schema.get("maxLength")
    return text[:most] if isinstance(most, int) and most > 0 else text


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
