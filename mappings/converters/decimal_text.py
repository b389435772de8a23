"""`number`: a decimal number, by where it is written, as canonical text: digits, a dot, no needless zeros.

    number: vi                                     1.234,56 is 1234.56
    number: en                                     1,234.56 is 1234.56
    number: {notation: vi, decimals: 2}            at most so many digits after the comma; 0 for a whole number

Groups are of three digits, all of them or none, by the notation's own sign or a blank. `1.234` is not certain without
the notation, so it has to be said. A JSON number is taken as it is.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import Any

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import NEEDED, Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError

_SIGNS = {"vi": (".", ","), "en": (",", ".")}
_DIGITS = 30
_PLAIN = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")


def build(options: Marked, setting: Setting) -> Compiled | None:
    if not isinstance(options.value, dict):
        options = Marked({"notation": options}, options.line)
    before = len(setting.problems.found)
    keys = Keys(options, "number", setting.problems)
    keys.need("notation", "write number: vi for 1.234,56, number: en for 1,234.56")
    notation = keys.choice("notation", _SIGNS, "vi")
    most = keys.number("decimals")
    keys.done()
    if len(setting.problems.found) > before:
        return None
    group, point = _SIGNS[notation]
    pattern = re.compile(
        rf"([+-]?)([0-9]+|[0-9]{{1,3}}(?:\{group}[0-9]{{3}})+|[0-9]{{1,3}}(?:[ \u00a0\u202f][0-9]{{3}})+)"
        rf"(?:\{point}([0-9]+))?"
    )
    example = "1.234,56" if notation == "vi" else "1,234.56"

    def convert(value: Any, scope: Scope) -> str:
        found = pattern.fullmatch(value) if isinstance(value, str) else _PLAIN.fullmatch(_written(value))
        if found is None:
            raise RefusalError(f"is no number written like {example}")
        whole = re.sub(r"[^0-9]", "", found[2]).lstrip("0") or "0"
        fraction = (found[3] or "").rstrip("0")
        if len(whole) + len(fraction) > _DIGITS:
            raise RefusalError(f"has more than {_DIGITS} digits")
        if most is not None and len(fraction) > most:
            raise RefusalError(f"has {len(fraction)} digits after the {point!r}, at most {most} are taken")
        text = f"{whole}.{fraction}" if fraction else whole
        return f"-{text}" if found[1] == "-" and text != "0" else text

    return Compiled(convert, "text")


def _written(value: Any) -> str:
    """The digits of a JSON number. Raises: RefusalError for what is none."""
    if type(value) is float and isfinite(value) and abs(value) < 1e15:
        return format(Decimal(repr(value)), "f")
    return text_in(value)


MANUAL = Entry(
    (
        Tried("number: vi", "1.234.567,50", "1234567.5"),
        Tried("number: en", "1,234.50", "1234.5"),
        Tried("number: {notation: vi, decimals: 0}", "4,0", "4"),
        Tried("number: {notation: vi, decimals: 1}", "4,25", refused="has 2 digits after the ',', at most 1 are taken"),
        Tried("number: vi", "1,234.50", refused="is no number written like 1.234,56"),
        Tried("number: vi", "1" * 31, refused="has more than 30 digits"),
        Tried("number: vi", 1234.5, "1234.5"),
    ),
    (
        Option("notation", "`vi`, `en`", NEEDED, "whose signs they are: 1.234,56 or 1,234.56"),
        Option("decimals", "a number", "no limit", "digits after the point at most, 0 for a whole number"),
    ),
    short="`number: vi` is `number: {notation: vi}`",
    refuses=("reject: another way of writing, too many decimals, more than 30 digits",),
    notes=(
        "What comes out is text: digits, a dot, no needless zeros. Groups have three digits each, by the notation's "
        "own sign or a blank. A JSON number is taken as it is.",
    ),
)

CONVERTER = Converter("number", "a decimal number in Vietnamese or English notation", build, MANUAL)
