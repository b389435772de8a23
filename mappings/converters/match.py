"""`match`: a part of a text by a regular expression, its first group, or the whole of what matches where it has none.

    match: "(.+)-[0-9]{6}-[0-9]+"                       the agency's code in a dossier number
    match: {pattern: "(?P<so>[0-9]+)/(?P<nam>[0-9]{4})", take: nam}     the group of that name, or number
    match: {pattern: "([0-9]+).*", otherwise: none}     refuse (the default), keep the text, or none

The expression has to match the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from mappings.converters.converter import Compiled, Converter, Setting, text_in
from mappings.manual import NEEDED, Entry, Option, Tried
from mappings.notation import Keys, Marked, Problems, nearest
from mappings.refusal import RefusalError

_MEND = "close every bracket, and write \\\\ before a sign that is meant as it stands"

Part: TypeAlias = Callable[[str], str | None]
"""From a text to its part, None for none. Raises: RefusalError."""


def build(options: Marked, setting: Setting) -> Compiled | None:
    part = compile_part(options, "match", setting.problems)
    return None if part is None else Compiled(lambda value, scope: part(text_in(value)), "text")


def compile_part(options: Marked, what: str, problems: Problems) -> Part | None:
    """The part of a text that the options of `match` name; None where a problem was noted."""
    otherwise = "refuse"
    written, line = options.value, options.line
    take: Marked | None = None
    if isinstance(written, dict):
        keys = Keys(options, what, problems)
        keys.need("pattern", f'write {what}: {{pattern: "…"}}')
        written = keys.text("pattern")
        take = keys.get("take")
        otherwise = keys.choice("otherwise", ("refuse", "keep", "none"), "refuse")
        keys.done()
    try:
        pattern = re.compile(str(written))
    except (re.error, RecursionError, OverflowError) as error:
        problems.add("match", line, f"{written!r} is no regular expression: {error}", _MEND)
        return None
    group: Any = min(pattern.groups, 1)
    if take is not None:
        group = take.value
        if group not in pattern.groupindex and not (type(group) is int and 0 <= group <= pattern.groups):
            known = [*pattern.groupindex, *map(str, range(1, pattern.groups + 1))]
            mend = nearest(str(group), known) if known else "put the part into (?P<name>…)"
            problems.add("match", take.line, f"{what}: the pattern has no group {group!r}", mend)
            return None

    def part(text: str) -> str | None:
        found = pattern.fullmatch(text)
        if found:
            taken: str | None = found[group]
            return taken.strip() or None if taken else None
        if otherwise == "refuse":
            raise RefusalError(f"does not look like {pattern.pattern}")
        return text if otherwise == "keep" else None

    return part


MANUAL = Entry(
    (
        Tried('match: "(.+)-[0-9]{6}-[0-9]+"', "000.00.14.H20-200703-0002", "000.00.14.H20"),
        Tried('match: {pattern: "(?P<so>[0-9]+)/(?P<nam>[0-9]{4})", take: nam}', "12/2017", "2017"),
        Tried('match: {pattern: "([0-9]+)/([0-9]+)", take: 2}', "12/2017", "2017"),
        Tried('match: "[0-9]+"', "12a", refused="does not look like [0-9]+"),
        Tried('match: {pattern: "([0-9]+)/.*", otherwise: keep}', "12", "12"),
        Tried('match: {pattern: "([0-9]+)/.*", otherwise: none}', "12", field="unit"),
    ),
    (
        Option("pattern", "a regular expression", NEEDED, "has to match the whole text"),
        Option("take", "the name or number of a group", "the first, or all that matches", "which part"),
        Option("otherwise", "`refuse`, `keep`, `none`", "`refuse`", "where it does not match"),
    ),
    short='`match: "…"` is `match: {pattern: "…"}`',
    refuses=("reject: a text that the pattern does not match",),
)

CONVERTER = Converter("match", "a part of a text by a regular expression", build, MANUAL)
