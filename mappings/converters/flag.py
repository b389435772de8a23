"""`bool`: true or false by words.  `present`: whether there is a value at all.

bool: {}                                     true, 1 and false, 0
bool: {true: [có, x], false: [không]}        these words; any other parks the row
present: {}                                  true where there is a value, false where there is none
present: {there: "1", absent: "0"}           these instead
"""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError


def build_bool(options: Marked, setting: Setting) -> Compiled | None:
    keys = Keys(options, "bool", setting.problems)
    words = {}
    for name, value, usual in (("true", True, ("true", "1")), ("false", False, ("false", "0"))):
        for word in keys.texts(name) if name in keys else usual:
            spelt = normalize("NFC", word).strip().casefold()
            if spelt in words:
                setting.problems.add(
                    "bool",
                    options.line,
                    f"bool: {word!r} cannot be both true and false, or stand twice",
                    "leave it in one place",
                )
            words[spelt] = value
    keys.done()

    def convert(value: Any, scope: Scope) -> bool:
        if isinstance(value, bool):
            return value
        found = words.get(text_in(value).casefold())
        if found is None:
            raise RefusalError(f"is none of the words {', '.join(words)}", verdict="park")
        return found

    return Compiled(convert, "flag")


def build_present(options: Marked, setting: Setting) -> Compiled | None:
    if options.value is True:
        options = Marked({}, options.line)
    keys = Keys(options, "present", setting.problems)
    there, absent = keys.get("there"), keys.get("absent")
    keys.done()
    yes, no = (there.plain if there else True), (absent.plain if absent else False)

    def convert(value: Any, scope: Scope) -> Any:
        return no if value is None else yes

    return Compiled(convert, "flag" if there is absent is None else "code", sees_none=True)


BOOL_MANUAL = Entry(
    (
        Tried("bool: {}", "1", True, field="content", writing=True),
        Tried("bool: {true: [có, x], false: [không]}", "KHÔNG", False, field="content", writing=True),
        Tried(
            "bool: {true: [có, x], false: [không]}",
            "?",
            field="content",
            writing=True,
            verdict="park",
            refused="is none of the words có, x, không",
        ),
    ),
    (
        Option("true", "texts", "`true`, `1`", "the words for true"),
        Option("false", "texts", "`false`, `0`", "the words for false"),
    ),
    refuses=("park: any other word",),
    notes=("Capitals do not matter; true and false of JSON are taken as they are.",),
)

BOOL = Converter("bool", "true or false by words", build_bool, BOOL_MANUAL)
PRESENT_MANUAL = Entry(
    (
        Tried("present: {}", "Một cửa", True, field="unit", writing=True),
        Tried("present: {}", None, False, field="unit", writing=True),
        Tried('present: {there: "1", absent: "0"}', None, "0", field="unit", writing=True),
        Tried("present: {there: 9, absent: 4}, table: status", None, 4, field="status", tables="status: {9: 9, 4: 4}"),
    ),
    (
        Option("there", "a value", "`true`", "what it becomes where there is a value"),
        Option("absent", "a value", "`false`", "what it becomes where there is none"),
    ),
    short="`present: true` is `present: {}`",
    refuses=("nothing",),
)

PRESENT = Converter("present", "whether there is a value", build_present, PRESENT_MANUAL)
