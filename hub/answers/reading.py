"""Reads one HTTP answer leniently: its JSON, a value at a path, a text to compare, the time to wait. Pure."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

MISSING = "missing"
"""The code of an answer that carries none."""
UNREADABLE = "unreadable"
"""The code of an answer whose body is not JSON."""

_RETRY_AFTER_LIMIT_S = 86_400.0
_ABSENT: Any = object()
_UNREADABLE: Any = object()


@dataclass(slots=True)
class Answer:
    """One HTTP answer as it came. The body is decoded only when a rule needs it."""

    status: int
    content: bytes = b""
    charset: str | None = None
    """As the answer declares it; None or an unknown one is UTF-8."""
    retry_after_s: float | None = None
    problem: str = ""
    """Why the content is not whole (too large, …); a body with a problem is never read."""
    _decoded: Any = field(default=_ABSENT, repr=False)

    @property
    def readable(self) -> bool:
        return self._decode() is not _UNREADABLE

    @property
    def body(self) -> Any:
        """The JSON value; None where there is none that can be read."""
        decoded = self._decode()
        return None if decoded is _UNREADABLE else decoded

    def _decode(self) -> Any:
        if self._decoded is _ABSENT:
            self._decoded = _UNREADABLE if self.problem else _json(self.content, self.charset)
        return self._decoded


def _json(content: bytes, charset: str | None) -> Any:
    """Read leniently: a byte order mark, a declared charset; what does not fit becomes U+FFFD, as a code is ASCII."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    for encoding in (charset, "utf-8-sig"):
        if encoding is None:
            continue
        try:
            return orjson.loads(content.decode(encoding, "replace").lstrip("\ufeff"))
        except (LookupError, UnicodeError, ValueError):
            continue
    return _UNREADABLE


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3: seconds or a date), at most a day; None where it is of no use."""
    if not value:
        return None
    text = value.strip()
    try:
        wait_s = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, IndexError, OverflowError):
            return None
        wait_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    if math.isnan(wait_s):
        return None
    return min(max(wait_s, 0.0), _RETRY_AFTER_LIMIT_S)


def at_path(body: object, path: str) -> Any:
    """The value at a dotted path through objects and (by number) lists; None where there is none."""
    value: Any = body
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def fold(text: str) -> str:
    """How texts are compared: composed Unicode, without case, runs of blanks as one."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())
