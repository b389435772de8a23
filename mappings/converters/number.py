"""`int`: a whole number in decimal digits.

int: {}
int: {min: 1, max: 4}
"""

from __future__ import annotations

import re
from typing import Any

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError

_DIGITS = re.compile(r"[+-]?[0-9]{1,18}")


def build(options: Marked, setting: Setting) -> Compiled | None:
    keys = Keys(options, "int", setting.problems)
    least, most = keys.number("min", least=-(10**18)), keys.number("max", least=-(10**18))
    keys.done()
    enum = setting.target.enum if setting.target and setting.direction == "in" and setting.last else None
    members = {member.value: member for member in enum} if enum else None

    def convert(value: Any, scope: Scope) -> Any:
        if type(value) is not int:
            text = text_in(value)
            if not _DIGITS.fullmatch(text):
                raise RefusalError("is no whole number")
            value = int(text)
        if least is not None and value < least:
            raise RefusalError(f"is less than {least}")
        if most is not None and value > most:
            raise RefusalError(f"is more than {most}")
        if members is None:
            return value
        if value not in members:
            raise RefusalError(f"is no code of {setting.field}", verdict="park")
        return members[value]

    return Compiled(convert, "code" if enum else "number")


CONVERTER = Converter("int", "a whole number", build)
