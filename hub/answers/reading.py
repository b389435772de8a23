"""Reads one HTTP answer leniently: its JSON or XML, a value at a path, a text to compare, the time to wait. Pure."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from lxml import etree

from mappings.decode import xml
from schemas.errors import UndecodableError

MISSING = "missing"
"""The code of an answer that carries none."""
UNREADABLE = "unreadable"
"""The code of an answer whose body is not JSON."""

_RETRY_AFTER_LIMIT_S = 86_400.0
_XML_LIMIT_BYTES = 8 << 20
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

    def read_xml(self) -> None:
        """Let a body that is XML be read too, as an object: the children of the root by their local names."""
        begins = self.content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if self._decoded is _ABSENT and not self.problem and begins == b"<":
            self._decoded = _xml(self.content, self.charset)

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


def _xml(content: bytes, charset: str | None) -> Any:
    """An element is its text; one that has elements inside an object of them, several of one name a list, its
    attributes as @name."""
    try:
        return _element(xml.parse(content, charset, limit=_XML_LIMIT_BYTES))
    except UndecodableError:
        return _UNREADABLE


def _element(element: etree._Element) -> Any:
    if not len(element):
        return (element.text or "").strip()
    made: dict[str, Any] = {f"@{etree.QName(name).localname}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = etree.QName(child).localname, _element(child)
        if name not in made:
            made[name] = value
        elif isinstance(made[name], list):
            made[name].append(value)
        else:
            made[name] = [made[name], value]
    return made


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
