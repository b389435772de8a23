"""`date`: a time, by the way the other side writes it.

    date: dd/MM/yyyy HH:mm:ss                      one way of writing
    date: [dd/MM/yyyy HH:mm, dd/MM/yyyy]           the first that fits
    date: "dd/MM/yyyy[ HH:mm[:ss]]"                what stands in brackets may be absent
    date: {format: yyyyMMddHHmmss, zone: Asia/Ho_Chi_Minh, none: ["00000000000000"]}

Letters: `yyyy` year, `MM` month, `dd` day, `HH` hour, `mm` minute, `ss` second, `SSS` milliseconds; one letter alone
(`d/M/yyyy`) may have one or two digits; `Z` is +0700, `XXX` is +07:00, both read Z. Text in 'quotes' and other signs
stand for themselves. By name: `iso` (ISO 8601), `/Date(ms)/` (old .NET and JSON), `epoch-ms`, `excel` (a spreadsheet's
days since 1900, with their fraction; for reading). Where no zone is written it is Viet Nam's. `none` lists what the
other side writes for "no date". Inside the hub a time is aware UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mappings.converters.converter import Compiled, Converter, Scope, Setting
from mappings.converters.date_format import FormatError, Parse, parser, renderer
from mappings.manual import NEEDED, Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError
from schemas.local_time import LOCAL

YEARS = range(1900, 2200)
"""Years that a record takes; what legacy systems hold outside of them means "no date" (0001-01-01, 9999-12-31)."""


_OUTSIDE = (
    f"is outside the years {YEARS.start}-{YEARS.stop - 1}; what means 'no date' belongs under `none` in the mapping"
)


def build(options: Marked, setting: Setting) -> Compiled | None:
    problems, line = setting.problems, options.line
    if not isinstance(options.value, dict):
        options = Marked({"format": options}, line)
    keys = Keys(options, "date", problems)
    keys.need("format", "write date: dd/MM/yyyy HH:mm:ss, or iso")
    formats, zone, none = keys.texts("format"), _zone(keys, setting), frozenset(keys.texts("none"))
    keys.done()
    before = len(problems.found)
    if setting.direction == "out":
        if len(formats) > 1:
            problems.add("date", line, "date: a payload is written in one way", "leave one format")
        if none:
            problems.add("date", line, "date: `none` is for reading", "write `default` beside `date`")
        if setting.first and setting.target is not None and setting.target.holds is not datetime:
            problems.add("date", line, f"date: {setting.field} is no time", "leave `date` out")
    compiled: list[Any] = []
    for text in formats:
        try:
            compiled.append(parser(text, zone) if setting.direction == "in" else renderer(text, zone))
        except FormatError as error:
            problems.add("date", line, f"date: {error}", error.mend)
    if len(problems.found) > before or not compiled:
        return None
    if setting.direction == "out":
        write = compiled[0]
        return Compiled(lambda value, scope: write(value), "text")
    return Compiled(_reader(compiled, none, formats), "time")


def _zone(keys: Keys, setting: Setting) -> ZoneInfo:
    name = keys.text("zone")
    if not name:
        return LOCAL
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        setting.problems.add("date", keys.line, f"date: {name!r} is no time zone", "write a name like Asia/Ho_Chi_Minh")
        return LOCAL


def _reader(parsers: list[Parse], none: frozenset[str], formats: list[str]) -> Any:
    wanted, first, stop = " or ".join(formats), YEARS.start, YEARS.stop

    def convert(value: Any, scope: Scope) -> datetime | None:
        if type(value) is not str:
            if type(value) not in (int, float):
                raise RefusalError(f"is no date written as {wanted}")
            value = str(value)
        if value in none:
            return None
        for parse in parsers:
            try:
                at = parse(value)
                if at is None:
                    continue
                if at.tzinfo is not UTC:
                    at = at.astimezone(UTC)
            except OverflowError:  # such as 0001-01-01, which in UTC is in no year
                raise RefusalError(_OUTSIDE) from None
            except ValueError as error:
                raise RefusalError(f"is no date of the calendar: {error}") from None
            if not first <= at.year < stop:
                raise RefusalError(_OUTSIDE)
            return at
        raise RefusalError(f"is no date written as {wanted}")

    return convert


MANUAL = Entry(
    (
        Tried("date: dd/MM/yyyy HH:mm:ss", "20/03/2017 08:05:00", "2017-03-20T01:05:00Z", field="at"),
        Tried("date: [dd/MM/yyyy HH:mm, dd/MM/yyyy]", "20/03/2017", "2017-03-19T17:00:00Z", field="at"),
        Tried('date: "d/M/yyyy[ H:mm[:ss]]"', "5/3/2017 8:05", "2017-03-05T01:05:00Z", field="at"),
        Tried("date: yyyyMMddHHmmss", "20170320080500", "2017-03-20T01:05:00Z", field="at"),
        Tried(
            "date: yyyy-MM-dd'T'HH:mm:ss.SSSZ",
            "2017-03-20T08:05:00.250+0700",
            "2017-03-20T01:05:00.250000Z",
            field="at",
        ),
        Tried("date: yyyy/MM/dd HH:mm:ssXXX", "2017/03/20 08:05:00+07:00", "2017-03-20T01:05:00Z", field="at"),
        Tried("date: iso", "2017-03-20T08:05:00.1234567", "2017-03-20T01:05:00.123456Z", field="at"),
        Tried("date: /Date(ms)/", "/Date(1520000000000)/", "2018-03-02T14:13:20Z", field="at"),
        Tried("date: epoch-ms", 1520000000000, "2018-03-02T14:13:20Z", field="at"),
        Tried("date: excel", "42814.5", "2017-03-20T05:00:00Z", field="at"),
        Tried("date: {format: iso, zone: UTC}", "2017-03-20T01:05:00", "2017-03-20T01:05:00Z", field="at"),
        Tried('date: {format: dd/MM/yyyy, none: ["01/01/0001"]}', "01/01/0001", field="due_at", kind="dossier.v1"),
        Tried(
            "date: dd/MM/yyyy",
            "31/02/2017",
            field="at",
            refused="is no date of the calendar: day is out of range for month",
        ),
        Tried("date: [dd/MM/yyyy, iso]", "March 20", field="at", refused="is no date written as dd/MM/yyyy or iso"),
        Tried(
            "date: dd/MM/yyyy",
            "01/01/0001",
            field="at",
            refused="is outside the years 1900-2199; what means 'no date' belongs under `none` in the mapping",
        ),
        Tried("date: yyyyMMddHHmmss", "2017-03-20T01:05:00Z", "20170320080500", field="at", writing=True),
    ),
    (
        Option("format", "a way of writing, or several", NEEDED, "the first that fits; when writing there is one"),
        Option("zone", "a name like `UTC`", "`Asia/Ho_Chi_Minh`", "where the text names no zone; when writing, always"),
        Option("none", "texts", "none", "what the other side writes for no date; when reading"),
    ),
    short="`date: iso` is `date: {format: iso}`",
    refuses=("reject: another way of writing, a day that the calendar does not have, a year outside 1900-2199",),
    notes=(
        "`yyyy` year, `MM` month, `dd` day, `HH` hour, `mm` minute, `ss` second, `SSS` milliseconds; one letter alone "
        "(`d`, `M`, `H`, `m`, `s`) has one or two digits, when reading. `Z` is `+0700`, `XXX` is `+07:00`; both read "
        "`Z`. Text in 'quotes' and other signs stand for themselves; what is in brackets may be absent.",
        "By name: `iso` (ISO 8601), `/Date(ms)/` (old .NET and JSON), `epoch-ms` (the bare number), `excel` (a "
        "spreadsheet's days since 1900 with their fraction; when reading).",
    ),
)

CONVERTER = Converter("date", "a time by the way it is written", build, MANUAL)
