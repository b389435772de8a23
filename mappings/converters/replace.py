"""`replace`: literal pieces of a text by others.

    replace: [["–", "-"], ["Q.", "Quận "]]

All pairs at once, from left to right; where two fit at one place the one written first wins. What was put in is not
looked at again.
"""

from __future__ import annotations

import re
from typing import Any
from unicodedata import normalize

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import Entry, Tried
from mappings.notation import Marked, text_of

_MEND = 'write replace: [["–", "-"], ["Q.", "Quận "]]'


def build(options: Marked, setting: Setting) -> Compiled | None:
    problems = setting.problems
    if not isinstance(options.value, list) or not options.value:
        problems.add("replace", options.line, f"replace: should be a list of pairs, is {options.shape}", _MEND)
        return None
    before = len(problems.found)
    pairs: dict[str, str] = {}
    for item in options.value:
        if not isinstance(item.value, list) or len(item.value) != 2:
            problems.add("replace", item.line, "replace: each pair should be two texts", _MEND)
            continue
        # Texts are in NFC when they come here, so what is looked for has to be as well.
        old, new = (normalize("NFC", text_of(part, "a text of 'replace'", problems)) for part in item.value)
        if not old:
            problems.add("replace", item.line, "replace: nothing cannot be replaced", "write the piece that goes first")
        elif old in pairs:
            problems.add("replace", item.line, f"replace: {old!r} stands twice", "keep one of them")
        pairs[old] = new
    if len(problems.found) > before:
        return None
    pieces = re.compile("|".join(map(re.escape, pairs)))

    def convert(value: Any, scope: Scope) -> str | None:
        text = value if type(value) is str else text_in(value)
        return pieces.sub(lambda found: pairs[found[0]], text).strip() or None

    return Compiled(convert, "text")


MANUAL = Entry(
    (
        Tried('replace: [["P.", "Phòng "], ["–", "-"]]', "P.Một cửa – H59", "Phòng Một cửa - H59"),
        Tried('replace: [["a", "b"], ["b", "c"]]', "ab", "bc"),
        Tried('replace: [["không có", ""]]', "không có", field="unit"),
    ),
    refuses=("nothing that is text",),
    notes=(
        "Pairs of literal texts, all in one go, from left to right; of two that fit at one place the first counts, "
        "and what was put in is not looked at again.",
    ),
)

CONVERTER = Converter("replace", "literal pieces of a text by others", build, MANUAL)
