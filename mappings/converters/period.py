"""`period`: a month, a quarter or a year as indicators have it (`2026-03`, `2026-Q1`, `2026`), from how it is written.

    period: month                                  3/2026, 03-2026, 2026-3, 202603, Tháng 3/2026, T3.2026
    period: quarter                                1/2026, I/2026, Quý I năm 2026, Q1-2026, 2026-Q1
    period: year                                   2026, Năm 2026
    period: any                                    each of these that says by a word which it is; a year alone is one

`3/2026` may be a month or a quarter, so `any` does not take it. Behind `date` it is the period of that day.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from unicodedata import combining, normalize

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import NEEDED, Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError
from schemas.local_time import local_date
from schemas.period import month, quarter

_WHAT = ("month", "quarter", "year", "any")
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4}
_YEAR = r"(?P<year>(?:19|20|21)[0-9]{2})"
_WORD = r"(?P<word>thang|month|quy|quarter|[tmq])?\.? ?"
_BEFORE = re.compile(rf"{_WORD}(?P<number>[0-9]{{1,2}}|i{{1,3}}|iv) ?(?:[/._,-]| |,? ?nam) ?{_YEAR}")
_BEHIND = re.compile(rf"(?:nam )?{_YEAR} ?[/._ -]? ?{_WORD}(?P<number>[0-9]{{1,2}}|i{{1,3}}|iv)")
_JOINED = re.compile(rf"{_YEAR}(?P<number>0[1-9]|1[0-2])")
_ALONE = re.compile(rf"(?:nam |year )?{_YEAR}")
_SORTS = {"thang": "month", "month": "month", "t": "month", "m": "month"} | dict.fromkeys(
    ("quy", "quarter", "q"), "quarter"
)
_EXAMPLES = {"month": "3/2026", "quarter": "Quý I/2026", "year": "2026", "any": "Tháng 3/2026 or Quý I/2026"}


def build(options: Marked, setting: Setting) -> Compiled | None:
    keys = Keys(Marked({"period": options}, options.line), "period", setting.problems)
    before = len(setting.problems.found)
    wanted = keys.choice("period", _WHAT, "any")
    keys.done()
    if len(setting.problems.found) > before:
        return None

    def convert(value: Any, scope: Scope) -> str:
        if isinstance(value, datetime):
            return _of_day(value, wanted)
        found = read(text_in(value), wanted)
        if found is None:
            raise RefusalError(f"is no {'period' if wanted == 'any' else wanted} written like {_EXAMPLES[wanted]}")
        return found

    return Compiled(convert, "text")


def _of_day(at: datetime, wanted: str) -> str:
    day = local_date(at)
    if wanted == "any":
        raise RefusalError("is a day; say whether its month, quarter or year is meant", verdict="park")
    if wanted == "year":
        return f"{day.year:04d}"
    return month(day.year, day.month) if wanted == "month" else quarter(day.year, (day.month + 2) // 3)


def read(text: str, wanted: str) -> str | None:
    """The period, None where it is none of the sort that is wanted."""
    plain = _fold(text)
    if (alone := _ALONE.fullmatch(plain)) is not None:
        return alone["year"] if wanted in ("year", "any") else None
    found = _JOINED.fullmatch(plain) or _BEFORE.fullmatch(plain) or _BEHIND.fullmatch(plain)
    if found is None:
        return None
    year, written = int(found["year"]), found["number"]
    sort = _sort(found, plain, wanted)
    number = _ROMAN.get(written) or int(written)
    if not sort or wanted not in (sort, "any") or not 1 <= number <= (12 if sort == "month" else 4):
        return None
    return month(year, number) if sort == "month" else quarter(year, number)


def _sort(found: re.Match[str], plain: str, wanted: str) -> str:
    """What a match is: by its word, by a way of writing that only months have, else what is wanted."""
    if word := found.groupdict().get("word"):
        return _SORTS[word]
    two = len(found["number"]) == 2 and found["number"].isdigit()
    # 202603 and the 2026-03 of ISO 8601 are months; 03/2026 is no quarter, and nothing certain alone.
    if two and plain.startswith(found["year"]):
        return "month"
    return wanted if wanted == "month" or (wanted == "quarter" and not two) else ""


def _fold(text: str) -> str:
    """Small letters without diacritics, runs of blanks as one."""
    plain = normalize("NFD", text.casefold().replace("đ", "d"))
    return " ".join("".join(sign for sign in plain if not combining(sign)).split())


MANUAL = Entry(
    (
        Tried("period: month", "Tháng 3/2026", "2026-03"),
        Tried("period: month", "202603", "2026-03"),
        Tried("period: quarter", "Quý I năm 2026", "2026-Q1"),
        Tried("period: quarter", "1/2026", "2026-Q1"),
        Tried("period: year", "Năm 2026", "2026"),
        Tried("period: any", "T3.2026", "2026-03"),
        Tried("period: any", "3/2026", refused="is no period written like Tháng 3/2026 or Quý I/2026"),
        Tried("period: month", "13/2026", refused="is no month written like 3/2026"),
        Tried("date: dd/MM/yyyy, period: month", "31/03/2026", "2026-03"),
        Tried(
            "date: dd/MM/yyyy, period: any",
            "31/03/2026",
            verdict="park",
            refused="is a day; say whether its month, quarter or year is meant",
        ),
    ),
    (Option("period", "`month`, `quarter`, `year`, `any`", NEEDED, "which of them it is; written alone"),),
    refuses=(
        "reject: what is not written like one; with `any` what does not say by a word which it is, like 3/2026",
        "park: a day, with `any`",
    ),
    notes=(
        "Behind `date` it is the month, the quarter or the year of that day.",
        "The periods are those of [indicators](glossary.md#fields-of-indicatorv1).",
        'Of several columns: `{join: {parts: [LoaiKy, Ky, Nam], with: " "}, period: any}` for Quý, I, 2026.',
    ),
)

CONVERTER = Converter("period", "a month, a quarter or a year", build, MANUAL)
