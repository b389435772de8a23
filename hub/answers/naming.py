"""Which field an answer refuses: at a path, by a pattern in the message, or a payload's own member named in it. Pure.

What a portal writes is not trusted: a name is one short word, and a value is what was sent wherever that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from hub.answers.reading import at_path
from schemas.sensitivity import MASKED

Sent: TypeAlias = Sequence[Mapping[str, Any]]
"""The payloads of a request."""

_LOOKED_AT = 2000
"""Characters of a message that are searched for a name."""
_NAME = re.compile(r"[\w.\-/@\[\]]{1,100}")
_STEPS = re.compile(r"[.\[\]/@]+")
_SHORTEST = 3
_VALUE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Naming:
    """How a rule finds the refused field; exactly one of the three."""

    at: str = ""
    """A dotted path in the answer, or in the item."""
    in_message: re.Pattern[str] | None = None
    """A pattern with the group `field`, perhaps `value`."""
    payload: bool = False
    """A member of the payload whose name stands in the message as a word, written as in the payload."""


@dataclass(frozen=True, slots=True)
class Named:
    """A field that an answer refuses, and the value where the answer quotes it."""

    field: str
    value: str | None = None


def named(naming: Naming, body: object, message: str, sent: Sent, key: str = "") -> Named | None:
    """The field that an answer refuses, None where it names none.

    `key` is the member that names the record: it is meant only where no other is named. A member of the payload that is
    named in other capitals, or at the end of a way (`data[0].MaTTHC`), is given as the payload has it.
    """
    if naming.payload:
        return in_words(message, members(sent), key)
    value = None
    if naming.in_message is not None:
        found = naming.in_message.search(message[:_LOOKED_AT])
        name = found["field"] if found else None
        if found and "value" in naming.in_message.groupindex:
            value = found["value"]
    else:
        name = at_path(body, naming.at)
    if not isinstance(name, str) or not _NAME.fullmatch(name.strip()):
        return None
    return Named(_member(name.strip(), members(sent)), value)


def _member(name: str, known: Iterable[str]) -> str:
    """The member that a name means, be it in other capitals or at the end of a way (`data[0].MaTTHC`)."""
    by_name = {one.casefold(): one for one in known}
    parts = [part for part in _STEPS.split(name) if part]
    return next((by_name[one.casefold()] for one in (name, *reversed(parts)) if one.casefold() in by_name), name)


def in_words(message: str, names: Iterable[str], key: str = "") -> Named | None:
    """The first of the names that stands in the message as a word of its own; `key` only where no other does."""
    pattern = _words(tuple(names))
    found = [] if pattern is None else pattern.findall(message[:_LOOKED_AT])
    chosen = next((name for name in found if name != key), found[0] if found else None)
    return None if chosen is None else Named(chosen)


@lru_cache(maxsize=64)
def _words(names: tuple[str, ...]) -> re.Pattern[str] | None:
    listed = sorted((re.escape(name) for name in names if name), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(listed)})(?!\w)") if listed else None


def members(sent: Sent) -> tuple[str, ...]:
    """The names of all members of some payloads, each once, in their order."""
    return tuple(dict.fromkeys(name for payload in sent for name in payload))


def value_sent(payload: Mapping[str, Any], field: str, otherwise: str | None = None) -> str | None:
    """What was sent in that member, as text; `otherwise` where there is no such member, or it is no plain value."""
    value: Any = payload
    for part in (field,) if field in payload else field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or isinstance(value, dict | list):
        return otherwise
    return str(value)[:_VALUE_LIMIT]


def _texts(value: object) -> Iterator[str]:
    """Every text of a payload, those inside its objects and lists too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)


def without_values(text: str, payloads: Sent, keep: Iterable[str] = ()) -> str:
    """A text in which what was sent, and every number of more than five digits, is masked; `keep` stays.

    Values of fewer than three characters are left: a text with every `1` masked says nothing any more.
    """
    kept = set(keep)
    values = {
        value
        for payload in payloads
        for value in _texts(payload)
        if len(value) >= _SHORTEST and value not in kept and value in text
    }
    # What is kept steps aside, so that neither a part of it nor its digits are masked.
    places = {one: f"\x00{chr(0xE000 + number)}\x00" for number, one in enumerate(sorted(kept, key=len, reverse=True))}
    for one, place in places.items():
        if one:
            text = text.replace(one, place)
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASKED)
    text = re.sub(r"\d{6,}", MASKED, text)
    for one, place in places.items():
        if one:
            text = text.replace(place, one)
    return text
