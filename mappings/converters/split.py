"""`split`: one part of a text that a sign divides.

    split: {by: ",", take: 1}                      the first part; -1 is the last
    split: {by: "/", take: 3, otherwise: none}     where there is no such part: refuse (default), keep, none

Parts are trimmed; an empty one is no value.
"""

from __future__ import annotations

from typing import Any

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import NEEDED, Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError


def build(options: Marked, setting: Setting) -> Compiled | None:
    problems = setting.problems
    before = len(problems.found)
    keys = Keys(options, "split", problems)
    keys.need("by", 'write split: {by: ",", take: 1}')
    sign, take = keys.text("by"), keys.need("take", "write take: 1 for the first part, -1 for the last")
    otherwise = keys.choice("otherwise", ("refuse", "keep", "none"), "refuse")
    keys.done()
    if "by" in keys and not sign:
        problems.add("split", options.line, "split: 'by' is empty", 'write the sign between the parts: by: ","')
    number = take.value if take is not None else 1
    if type(number) is not int or number == 0:
        mend = "write take: 1 for the first part, -1 for the last"
        problems.add("split", take.line if take else options.line, f"split: 'take' is {number!r}", mend)
        return None
    if len(problems.found) > before:
        return None
    index = number - 1 if number > 0 else number

    def convert(value: Any, scope: Scope) -> str | None:
        text = value if type(value) is str else text_in(value)
        parts = text.split(sign)
        if -len(parts) <= index < len(parts):
            return parts[index].strip() or None
        if otherwise == "refuse":
            raise RefusalError(f"has {len(parts)} parts by {sign!r}, part {number} is wanted")
        return text if otherwise == "keep" else None

    return Compiled(convert, "text")


MANUAL = Entry(
    (
        Tried('split: {by: ",", take: 1}', "Lê Thị Mai, 12 Lê Lợi", "Lê Thị Mai"),
        Tried('split: {by: ",", take: -1}', "Lê Thị Mai, 12 Lê Lợi", "12 Lê Lợi"),
        Tried('split: {by: ",", take: 2}', "Lê Thị Mai", refused="has 1 parts by ',', part 2 is wanted"),
        Tried('split: {by: ",", take: 2, otherwise: keep}', "Lê Thị Mai", "Lê Thị Mai"),
        Tried('split: {by: ",", take: 2, otherwise: none}', "Lê Thị Mai", field="unit"),
        Tried('split: {by: ",", take: 2}', "Lê Thị Mai, ", field="unit"),
    ),
    (
        Option("by", "text", NEEDED, "the sign between the parts"),
        Option("take", "a number, not 0", NEEDED, "which part: 1 is the first, -1 the last"),
        Option("otherwise", "`refuse`, `keep`, `none`", "`refuse`", "where there is no such part"),
    ),
    refuses=("reject: a text without such a part",),
    notes=("Parts are trimmed; one that is there and empty is no value.",),
)

CONVERTER = Converter("split", "one part of a text that a sign divides", build, MANUAL)
