"""`table`: a code by a table of the mapping.

    table: status                                  an unknown word parks the row: the table has to grow
    table: {name: status, unknown: reject}         the sender is at fault
    table: {name: status, unknown: none}           an unknown word is no value; `keep` takes it as it is
    table: {name: releasing, else: 1}              everything that the table does not name
    table: {name: status, on: received_at}         a table with days of validity, as of another time of the record

Where a word has days of validity, it is asked as of the record's own day, as `agency` is; see `code_table`.

Inbound, words match after trimming and NFC. Outbound, the words are the codes of the record's field; a table that lacks
one of them, and has no `else`, is refused when it is compiled, not when the first such record is due.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any
from unicodedata import normalize

from mappings.code_table import Words
from mappings.converters.converter import Compiled, Convert, Converter, Scope, Setting, text_in
from mappings.manual import NEEDED, Entry, Option, Tried
from mappings.notation import Keys, Marked, Problems, nearest
from mappings.refusal import MootError, RefusalError
from schemas.local_time import local_date
from schemas.period import last_day
from schemas.spelling import near

_SEARCHED = 300
_MISSING = object()
_DIGITS = re.compile(r"-?[0-9]{1,18}")


def build(options: Marked, setting: Setting) -> Compiled | None:
    problems = setting.problems
    unknown, other = "park", None
    usual = on = setting.day_field
    if isinstance(options.value, dict):
        keys = Keys(options, "table", problems)
        keys.need("name", "write table: {name: …}")
        name = keys.text("name")
        unknown = keys.choice("unknown", ("park", "reject", "keep", "none"), "park")
        other = keys.get("else")
        on = keys.text("on", usual)
        keys.done()
    else:
        name = options.value if isinstance(options.value, str) else ""
    if name not in setting.tables:
        problems.add("unknown-table", options.line, f"there is no table {name!r}", nearest(name, setting.tables))
        return None
    setting.used.add(name)
    otherwise = _MISSING if other is None else _value(other, setting)
    table = setting.tables[name]
    spans = table.dated if isinstance(table, Words) else {}
    lookup = {word: _value(item, setting, table) for word, item in table.items() if word not in spans}
    dated = {
        word: [(first, last, _value(code, setting, table)) for first, last, code in found]
        for word, found in spans.items()
    }
    if (dated or on != usual) and not setting.tells_day(on):
        times = [field for field, target in setting.fields.items() if target.holds is datetime]
        problems.add("table", options.line, f"table: {on!r} is no time of the record", nearest(on, times))
        return None
    if setting.direction == "out" and setting.first:
        _check_codes(name, setting, options.line, complete=other is not None or unknown in ("keep", "none"))
    convert = _convert(name, lookup, dated, unknown, otherwise, on)
    return Compiled(convert, "code", needs=on if dated else None)


def _convert(
    name: str,
    lookup: Mapping[str, Any],
    dated: Mapping[str, Sequence[tuple[date, date, Any]]],
    unknown: str,
    otherwise: Any,
    on: str,
) -> Convert:
    words = [word for word in (*lookup, *dated) if word][:_SEARCHED]

    @lru_cache(maxsize=1000)
    def told(word: str) -> str:
        # One unknown word may come with every row of a page, and the search is slow.
        found = near(word, words)
        return f"; near: {found!r}" if found else ""

    def convert(value: Any, scope: Scope) -> Any:
        kind = type(value)
        word = value if kind is str else str(value) if kind is int else _word(value)
        found = lookup.get(word, _MISSING)
        if found is not _MISSING:
            return found
        found, day = _on_day(dated.get(word), scope, on) if dated else (_MISSING, None)
        if found is not _MISSING:
            return found
        if otherwise is not _MISSING:
            return otherwise
        if unknown in ("keep", "none"):
            return word if unknown == "keep" else None
        verdict: Any = unknown
        if day is not None:
            raise RefusalError(f"is in the table {name!r}, but not on {day}", verdict=verdict)
        raise RefusalError(f"is not in the table {name!r}{told(word[:100])}", verdict=verdict)

    return convert


def _on_day(spans: Sequence[tuple[date, date, Any]] | None, scope: Scope, on: str) -> tuple[Any, date | None]:
    """The code of a word on the day of the record, and that day. Raises: MootError where the record lacks it."""
    if not spans:
        return _MISSING, None
    at = scope.values.get(on)
    if at is None:
        raise MootError(f"cannot be looked up without {on}")
    day = local_date(at) if isinstance(at, datetime) else last_day(at)
    return next((value for first, last, value in spans if first <= day <= last), _MISSING), day


def _word(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return text_in(value)


def _value(item: Marked, setting: Setting, table: Mapping[str, Marked] | None = None) -> Any:
    written = item.plain
    file = table.file if isinstance(table, Words) else ""
    if setting.direction == "out" or not setting.last or setting.target is None:
        return written
    if isinstance(table, Words) and table.text_only and setting.target.holds is int and _DIGITS.fullmatch(written):
        written = int(written)
    try:
        return setting.target.value(written)
    except ValueError as error:
        members = setting.target.members
        # A number that is like another one says nothing of what was meant: all of them are told.
        mend = f"use one of: {', '.join(members)}" if str(written).isdecimal() else nearest(str(written), members)
        mend = mend if setting.target.enum else ""
        setting.problems.add("table-value", item.line, str(error), mend, file)
        return None


def _check_codes(name: str, setting: Setting, line: int, *, complete: bool) -> None:
    target = setting.target
    if target is None or target.enum is None:
        return
    table = setting.tables[name]
    file = table.file if isinstance(table, Words) else ""
    for word, item in table.items():
        if word not in target.members:
            said = f"{target.name} has no code {word!r}"
            setting.problems.add("table-value", item.line, said, nearest(word, target.members), file)
    lacking = [member for member in target.members if member not in table]
    if lacking and not complete:
        setting.problems.add(
            "table-incomplete",
            line,
            f"the table {name!r} says nothing of {target.name} {', '.join(lacking)}",
            "add them, or say `else`",
        )


def words(table: Marked, name: str, problems: Problems) -> dict[str, Marked]:
    """The entries by their words, trimmed and in NFC; notes words that are then equal, and values that are none."""
    found: dict[str, Marked] = {}
    for word, item in Keys(table, f"the table {name!r}", problems):
        spelt = normalize("NFC", word).strip()
        if spelt in found:
            problems.add("duplicate-key", item.line, f"the table {name!r} has the word {spelt!r} twice")
        elif isinstance(item.value, dict | list):
            problems.add("shape", item.line, f"{spelt!r} in the table {name!r} should be one code, is {item.shape}")
        else:
            found[spelt] = item
    return found


_EXAMPLE = "status: {Nhận: 2, Đang xử lý: 4, Xong: 9}"

MANUAL = Entry(
    (
        Tried("table: status", "Đang xử lý", 4, field="status", tables=_EXAMPLE),
        Tried(
            "table: status",
            "dang xu li",
            field="status",
            tables=_EXAMPLE,
            verdict="park",
            refused="is not in the table 'status'; near: 'Đang xử lý'",
        ),
        Tried(
            "table: {name: status, unknown: reject}",
            "xong",
            field="status",
            tables=_EXAMPLE,
            refused="is not in the table 'status'; near: 'Xong'",
        ),
        Tried("table: {name: room, unknown: keep}", "P3", "P3", field="unit", tables="room: {P1: Một cửa}"),
        Tried("table: {name: room, unknown: none}", "P3", field="unit", tables="room: {P1: Một cửa}"),
        Tried("table: {name: status, else: 4}", "Chờ", 4, field="status", tables=_EXAMPLE),
        Tried(
            "table: {name: status, on: at}",
            "Chờ",
            6,
            field="status",
            tables="status: status.csv",
            files={"status.csv": "word,code,from,until\nChờ,5,,2016-12-31\nChờ,6,2017-01-01,\n"},
        ),
        Tried(
            "table: status",
            "Chờ",
            field="status",
            tables="status: status.csv",
            verdict="park",
            files={"status.csv": "word,code,from,until\nChờ,5,,2016-12-31\n"},
            refused="is in the table 'status', but not on 2017-03-20",
        ),
        Tried("table: {name: state, else: '1'}", 9, "2", field="status", writing=True, tables="state: {9: '2'}"),
    ),
    (
        Option("name", "a table of `tables`", NEEDED, "which table"),
        Option(
            "unknown",
            "`park`, `reject`, `keep`, `none`",
            "`park`",
            "what an unknown word does: the table has to grow, the sender is at fault, it is taken as it is, "
            "it is no value",
        ),
        Option("else", "a code", "none", "the code of every word that the table does not have"),
        Option(
            "on",
            "a time of the record",
            "the receipt, or the time of the event",
            "the day on which a word with days of validity is asked",
        ),
    ),
    short="`table: status` is `table: {name: status}`",
    refuses=("park (or as `unknown` says): a word that the table does not have, or not on that day",),
    notes=(
        "Words match as they stand, composed and trimmed. Codes are those of the record's field; one that it does "
        "not have is a problem of the mapping. When writing, a table names every code of the field or has an "
        "`else`.",
    ),
)

CONVERTER = Converter("table", "a code by a table of the mapping", build, MANUAL)
