"""Which values an argument of a simple XML Schema type takes: said before the service is asked, since old ones take
anything and mean something else by it (PHP makes 0 of a text, and another day of a date in another order)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WHOLE = "a whole number"
_NUMBER = "a number"
_KINDS: Mapping[str, tuple[str, re.Pattern[str], str]] = {
    **{
        name: (_WHOLE, re.compile(r"[+-]?[0-9]+"), "1")
        for name in (
            "integer", "nonPositiveInteger", "negativeInteger", "nonNegativeInteger", "positiveInteger", "long", "int",
            "short", "byte", "unsignedLong", "unsignedInt", "unsignedShort", "unsignedByte",
        )
    },
    **{
        name: (_NUMBER, re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"), "1.5")
        for name in ("decimal", "float", "double")
    },
    "boolean": ("true or false", re.compile(r"true|false|0|1"), "true"),
    "dateTime": (
        "a time in ISO 8601",
        re.compile(r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"),
        "2026-03-01T00:00:00",
    ),
    "date": (
        "a day in ISO 8601", re.compile(r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})?"), "2026-03-01"
    ),
}  # fmt: skip
"""By the name of the type: what it takes, for people; its texts; an example."""


def unfit(kind: str, value: Any) -> str | None:
    """Why a type does not take a value, with an example; None where it does, or where nothing is known of the type."""
    if kind not in _KINDS or value is None or isinstance(value, dict):
        return None
    if isinstance(value, list):
        return next((said for one in value if (said := unfit(kind, one)) is not None), None)
    what, texts, example = _KINDS[kind]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return None if texts.fullmatch(text.strip()) else f"takes {what} ({kind}) such as {example}, not {text[:60]!r}"


def typed(kind: str, text: str) -> int | str:
    """A text of the command line as a configuration writes it: whole numbers without quotes."""
    known = _KINDS.get(kind)
    plain = known is not None and known[0] == _WHOLE and re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text)
    return int(text) if plain else text
