"""JSON, hostile or not, to Python values, by orjson.

Refused beside what orjson refuses: a key twice in one object (readers differ in which they believe), and deep nesting.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from mappings.decode.charset import position, utf8
from mappings.decode.source import MAX_DEPTH, MAX_PARTS
from schemas.errors import UndecodableError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_LOOSE_COLON = re.compile(rb'"[ \t\r\n]+:')


def parse(body: bytes, charset: str | None, *, own: str = "", limit: int) -> Any:
    """The value. Raises: UndecodableError for anything but one JSON value without repeated keys."""
    return parse_utf8(utf8(body, charset, own=own, limit=limit))


def parse_utf8(body: bytes) -> Any:
    """As `parse`, of valid UTF-8."""
    containers = body.count(b"[") + body.count(b"{")
    if containers + body.count(b",") > MAX_PARTS:
        raise UndecodableError(f"the JSON has more than {MAX_PARTS:,} members")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _refuse_depth(body)
        raise UndecodableError(f"not JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    depth, keys = _measure(value)
    if depth > MAX_DEPTH:
        _refuse_depth(body)
    # Where no blank stands before a colon, `":` is at least as frequent as keys; if it is no more frequent than the
    # keys that were kept, none was dropped. Only where this cheap proof fails is the body read again, slowly.
    if body.count(b'":') != keys or _LOOSE_COLON.search(body):
        json.loads(body, object_pairs_hook=_once, parse_int=str, parse_float=str)
    return value


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise UndecodableError(
                f"the JSON has the key {key[:100]!r} twice in one object, so its value is not certain"
            )
        seen.add(key)


def _measure(value: Any) -> tuple[int, int]:
    """The depth of nesting, and how many keys all objects have together."""
    depth = keys = 0
    level = [value]
    while level:
        below: list[Any] = []
        nested = False
        for item in level:
            if type(item) is dict:
                nested = True
                keys += len(item)
                below += [part for part in item.values() if type(part) is dict or type(part) is list]
            elif type(item) is list:
                nested = True
                below += [part for part in item if type(part) is dict or type(part) is list]
        depth += nested
        level = below
    return depth, keys


def _refuse_depth(body: bytes) -> None:
    """Raises: UndecodableError where brackets nest too deep; says where."""
    text = body.decode()
    depth = 0
    for token in _TOKEN.finditer(text):
        found = token.group()
        if found in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                where = position(text, token.start())
                raise UndecodableError(f"the JSON is nested deeper than {MAX_DEPTH} levels, at {where}")
        elif found in ("]", "}"):
            depth -= 1
