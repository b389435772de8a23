"""Values of a database's rows: as JSON for a mapping, and as text for a cursor, from which they come back as they were.

Pure; no database is known here.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

import orjson

from schemas.local_time import LOCAL

_WIDEST = 1 << 63


def as_json(value: Any) -> Any:
    """What JSON can hold: times in ISO 8601, numbers exact (as text where JSON would round them), bytes in base64."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if -_WIDEST <= value < _WIDEST else str(value)
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value() and abs(value) < _WIDEST
        return int(value) if whole else format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, dict):
        return {str(name): as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return str(value)


def row(columns: Sequence[str], values: Sequence[Any]) -> bytes:
    """A row as JSON: an object with a member per column."""
    return orjson.dumps({name: as_json(value) for name, value in zip(columns, values, strict=True)})


def written(value: Any) -> str:
    """A value as a cursor keeps it: `time:2017-03-20T08:05:00`. Raises: TypeError for one that has no order to keep."""
    if isinstance(value, bool) or value is None:
        raise TypeError(f"{value!r} cannot be asked for again")
    if isinstance(value, datetime):
        return f"time:{value.isoformat()}"
    if isinstance(value, date):
        return f"day:{value.isoformat()}"
    if isinstance(value, int):
        return f"number:{value}"
    if isinstance(value, float):
        return f"float:{value!r}"
    if isinstance(value, Decimal):
        return f"decimal:{value}"
    if isinstance(value, uuid.UUID):
        return f"uuid:{value}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"bytes:{bytes(value).hex()}"
    if isinstance(value, str):
        return f"text:{value}"
    raise TypeError(f"a value of the type {type(value).__name__} cannot be asked for again")


def read(text: object) -> Any:
    """What `written` wrote. Raises: ValueError."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no value")
    kind, _, rest = text.partition(":")
    if kind not in _READ:
        raise ValueError(f"{text[:50]!r} is no value")
    try:
        return _READ[kind](rest)
    except InvalidOperation:
        raise ValueError(f"{text[:50]!r} is no number") from None


_READ: dict[str, Any] = {
    "time": datetime.fromisoformat,
    "day": date.fromisoformat,
    "number": int,
    "float": float,
    "decimal": Decimal,
    "uuid": uuid.UUID,
    "bytes": bytes.fromhex,
    "text": str,
}


def moment(value: Any) -> datetime | None:
    """The time that a value is, local time of Viet Nam where it has no zone; None where it is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=LOCAL)
    return datetime(value.year, value.month, value.day, tzinfo=LOCAL) if isinstance(value, date) else None


def earlier(value: Any, by: float) -> Any:
    """The value less an overlap: seconds of a time, else a number; written as it was where it is a text."""
    if not by or value is None:
        return value
    if isinstance(value, str):
        text = value.strip()
        at = datetime.fromisoformat(text)
        # As it was written, so that texts that are compared letter by letter stay comparable.
        sign = text[10:11] if text[10:11] in ("T", " ") else " "
        made = at - timedelta(seconds=by)
        return made.replace(microsecond=0).isoformat(sign) if len(text) > 10 else made.date().isoformat()
    if isinstance(value, datetime):
        return value - timedelta(seconds=by)
    if isinstance(value, date):
        return value - timedelta(days=-(-by // 86_400))
    return value - type(value)(int(by))
