"""Rows that are JSON objects.

A path is names with dots (`nguoi_nop.ho_ten`), which is also JMESPath; a name with other characters stands in double
quotes (`"ma-ho-so"`), a place in a list in brackets (`lien_he[0].email`). Anything else is a JMESPath expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import orjson

from mappings.decode import json
from mappings.decode.source import MAX_BYTES
from mappings.refusal import RefusalError
from mappings.shapes.jmes import search
from mappings.shapes.path import PathError

_TOLD = 5
"""Of several names or values so many are quoted."""
_STEP = re.compile(r'(?:(?P<name>[^\W\d]\w*)|"(?P<quoted>[^"]+)")|\[(?P<index>[0-9]{1,6})\]')


def steps(path: str) -> tuple[str | int, ...] | None:
    """The names and places of a path; None for what may be an expression."""
    found: list[str | int] = []
    at = 0
    while at < len(path):
        if found and path[at] == ".":
            at += 1
        elif found and path[at] != "[":
            break
        match = _STEP.match(path, at)
        if match is None or (match["index"] is not None and path[at - 1 : at] == "."):
            break
        found.append(int(match["index"]) if match["index"] is not None else match["name"] or match["quoted"])
        at = match.end()
    if at < len(path) or not found or isinstance(found[0], int):
        return None
    return tuple(found)


def finder(path: str) -> Callable[[Any], Any]:
    """From a value to what stands at a path in it, None for nothing. Raises: PathError; what it gives RefusalError."""
    parts = steps(path)
    return search(path) if parts is None else lambda value: follow(value, parts)


def follow(value: Any, path: Sequence[str | int]) -> Any:
    """The value at a path, None where the path ends early. Raises: RefusalError where something else is on the way."""
    for step in path:
        if value is None:
            return None
        if isinstance(step, str):
            if not isinstance(value, dict):
                said = f"{kind(value)} where an object with {step!r} was expected"
                raise RefusalError(said, verdict="park", found=outline(value))
            value = value.get(step)
        else:
            if not isinstance(value, list):
                said = f"{kind(value)} where a list was expected"
                raise RefusalError(said, verdict="park", found=outline(value))
            value = value[step] if step < len(value) else None
    return value


def kind(value: Any) -> str:
    """What a JSON value is, for people."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def written(value: Any) -> str:
    """A JSON value as an error quotes it: text bare, anything else as canonical JSON."""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def outline(value: Any) -> str:
    """As `written`; of an object, or a list of such, the names alone, since what is in them may be somebody's."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: …' for name in sorted(value)[:_TOLD])}}}"
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return f"[{', '.join(map(outline, value[:_TOLD]))}]"
    return written(value)


class JsonShape:
    def getter(self, path: str) -> Callable[[dict[str, Any]], Any]:
        parts = steps(path)
        if parts is None:
            find = search(path)
            return lambda view: _scalar(find(view))
        if len(parts) == 1:
            name = str(parts[0])

            def member(view: dict[str, Any]) -> Any:
                value = view.get(name)
                return value if type(value) is str else _scalar(value)

            return member
        return lambda view: _scalar(follow(view, parts))

    def member(self, path: str) -> str | None:
        parts = steps(path)
        return str(parts[0]) if parts is not None and len(parts) == 1 else None

    def view(self, row: Any) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise RefusalError(f"the row is {kind(row)}, not an object", found=written(row))
        return row

    def inner(self, path: str) -> Callable[[dict[str, Any]], Sequence[Any]]:
        parts = steps(path)
        find = finder(path)
        if parts and any(isinstance(part, int) for part in parts):
            raise PathError(f"{path!r} leads to a place in a list, not to rows", "write names with dots: ket_qua.buoc")

        def rows(view: dict[str, Any]) -> Sequence[Any]:
            # A row that `only` made has the rows inside it under the expression itself.
            found = view[path] if parts is None and path in view else find(view)
            if found is None:
                return ()
            if not isinstance(found, list):
                raise RefusalError(
                    f"is {kind(found)}, a list is expected", verdict="park", path=path, found=written(found)
                )
            return found

        return rows

    def canonical(self, row: Any) -> bytes:
        return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)

    def only(self, view: dict[str, Any], outer: Collection[str], inner: str, part: Any) -> Any:
        ways = [steps(path) for path in outer]
        names = {way[0] for way in ways if way}
        # An expression may read anything in the row.
        every = None in ways
        kept: dict[Any, Any] = {name: value for name, value in view.items() if every or name in names}
        parts = steps(inner)
        if parts is None:
            return kept | {inner: [part]}
        *way, last = parts
        place, old = kept, view
        for step in way:
            old = old[str(step)]
            place[step] = {name: value for name, value in old.items() if name != last} if step in place else {}
            place = place[step]
        place[last] = [part]
        return kept

    def again(self, raw: bytes) -> Any:
        return json.parse(raw, "utf-8", limit=MAX_BYTES)


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise RefusalError(f"is {kind(value)}, one value is expected", verdict="park", found=outline(value))
    return value
