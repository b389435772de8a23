"""Values and comments as text of the notation that mappings and configurations are written in (`mappings.notation`)."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import normalize

_PLAIN = re.compile(r"(?:[^\W\d_]|/(?=\w))[\w./()-]*(?: [\w./()-]+)*")
_SPECIAL = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"})
_UNPRINTABLE = re.compile("[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SHOWN = 60


def scalar(value: Any) -> str:
    """One value so that the notation reads it back as it was: text quoted where it would be anything else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _SPECIAL and len(text) <= 200:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """A text in double quotes."""
    out = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{_UNPRINTABLE.sub(_escaped, out)}"'


def key(text: str) -> str:
    """A key: whatever stands there is text, so a number needs no quotes."""
    return text if re.fullmatch(r"[0-9]{1,15}", text) else scalar(text)


def flow(value: Any) -> str:
    """A value on one line: `{path: HoTen, table: status}`, `[a, b]`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(str(name))}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def shown(text: str, most: int = _SHOWN) -> str:
    """A text of somebody else's for a comment: one line, composed, printable, not too long."""
    line = " ".join(_UNPRINTABLE.sub("?", normalize("NFC", text)).split())
    return line if len(line) <= most else f"{line[:most]}…"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
