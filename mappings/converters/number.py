"""`int`: a whole number in decimal digits.

int: {}
int: {min: 1, max: 4}
"""

from __future__ import annotations

import re
from typing import Any

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError

_DIGITS = re.compile(r"[+-]?[0-9]{1,18}")


def build(options: Marked, setting: Setting) -> Compiled | None:
    keys = Keys(options, "int", setting.problems)
    least, most = keys.number("min", least=-(10**18)), keys.number("max", least=-(10**18))
    keys.done()
    enum = setting.target.enum if setting.target and setting.direction == "in" and setting.last else None
    members = {member.value: member for member in enum} if enum else None
    codes = ", ".join(map(str, members or ()))

    def convert(value: Any, scope: Scope) -> Any:
        if type(value) is not int:
            text = text_in(value)
            if not _DIGITS.fullmatch(text):
                raise RefusalError("is no whole number: digits alone are expected")
            value = int(text)
        if least is not None and value < least:
            raise RefusalError(f"is less than {least}")
        if most is not None and value > most:
            raise RefusalError(f"is more than {most}")
        if members is None:
            return value
        if value not in members:
            raise RefusalError(f"is no code of {setting.field}; it has {codes}", verdict="park")
        return members[value]

    return Compiled(convert, "code" if enum else "number")


MANUAL = Entry(
    (
        Tried("int: {}", "012", "12"),
        Tried("int: {min: 1, max: 4}", "0", refused="is less than 1"),
        Tried("int: {min: 1, max: 4}", "5", refused="is more than 4"),
        Tried("int: {}", "3,5", refused="is no whole number: digits alone are expected"),
        Tried("int: {}", "4", 4, field="status"),
        Tried(
            "int: {}",
            "40",
            field="status",
            verdict="park",
            refused="is no code of status; it has 1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
        ),
    ),
    (
        Option("min", "a number", "no limit", "the least that is taken"),
        Option("max", "a number", "no limit", "the most that is taken"),
    ),
    refuses=(
        "reject: anything but decimal digits with or without a sign; a number beyond the limits",
        "park: a number that is no code of its field",
    ),
    notes=("A field that holds a whole number needs no converter.",),
)

CONVERTER = Converter("int", "a whole number", build, MANUAL)
