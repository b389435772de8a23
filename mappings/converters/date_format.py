"""Date formats: the language of `date`, compiled to a parser or a renderer. Pure text, no records."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from operator import attrgetter
from typing import TypeAlias

from schemas.local_time import LOCAL, OFFSET, SETTLED

Parse: TypeAlias = Callable[[str], datetime | None]
"""None where the text is not written so. Raises: ValueError, OverflowError for a date that is none."""
Render: TypeAlias = Callable[[datetime], "str | int"]

_LETTERS = {
    "yyyy": (r"(?P<year>[0-9]{4})", "%Y"),
    "MM": (r"(?P<month>[0-9]{2})", "%m"),
    "dd": (r"(?P<day>[0-9]{2})", "%d"),
    "HH": (r"(?P<hour>[0-9]{2})", "%H"),
    "mm": (r"(?P<minute>[0-9]{2})", "%M"),
    "ss": (r"(?P<second>[0-9]{2})", "%S"),
    "SSS": (r"(?P<milli>[0-9]{3})", "\0milli\0"),
    "M": (r"(?P<month>[0-9]{1,2})", ""),
    "d": (r"(?P<day>[0-9]{1,2})", ""),
    "H": (r"(?P<hour>[0-9]{1,2})", ""),
    "m": (r"(?P<minute>[0-9]{1,2})", ""),
    "s": (r"(?P<second>[0-9]{1,2})", ""),
    "Z": (r"(?P<zone>Z|[+-][0-9]{4})", "%z"),
    "XXX": (r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})", "\0colon\0"),
}
_WHOLE = ("year", "month", "day", "hour", "minute", "second")
_WRITTEN = {
    "yyyy": ("%04d", "year"),
    "MM": ("%02d", "month"),
    "dd": ("%02d", "day"),
    "HH": ("%02d", "hour"),
    "mm": ("%02d", "minute"),
    "ss": ("%02d", "second"),
    "SSS": ("000", ""),
    "Z": ("+0700", ""),
    "XXX": ("+07:00", ""),
}
"""How a whole second in time of Viet Nam is written, and by which of its parts."""
_TOKEN = re.compile(r"(?P<letters>([A-Za-z])\2*)|'(?P<quoted>[^']*)'|(?P<bracket>[\[\]])|(?P<sign>.)", re.DOTALL)
_MENDS = {
    "YYYY": "yyyy",
    "DD": "dd",
    "hh": "HH",
    "SS": "ss",
    "yy": "yyyy",
    "zzz": "XXX",
    "fff": "SSS",
    "ZZZ": "Z",
    "h": "H",
}
_ISO = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,](?P<part>[0-9]{1,9}))?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_DOTNET = re.compile(r"\\?/Date\((?P<ms>-?[0-9]{1,15})(?:[+-][0-9]{4})?\)\\?/")
_MS = re.compile(r"(?P<ms>-?[0-9]{1,15})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SERIAL = re.compile(r"(?P<days>[0-9]{1,6})(?:[.,](?P<part>[0-9]{1,17}))?")
_DAY_0 = datetime(1899, 12, 30, tzinfo=UTC)
"""Day 0 of a spreadsheet's days from March 1900 on; it counts a 29 February 1900 that never was (ECMA-376, 18.17.4)."""
_CERTAIN_FROM = 61


class FormatError(ValueError):
    """A format that cannot be used; `mend` says what to write."""

    def __init__(self, message: str, mend: str = "") -> None:
        self.mend = mend
        super().__init__(message)


def parser(format_: str, zone: tzinfo) -> Parse:
    """A function from text to an aware time; `zone` is taken where the text names none. Raises: FormatError."""
    if format_ == "iso":
        return lambda text: _parse_iso(text, zone)
    if format_ in ("/Date(ms)/", "epoch-ms"):
        match = (_DOTNET if format_ == "/Date(ms)/" else _MS).fullmatch
        return lambda text: _from_ms(match(text))
    if format_ == "excel":
        return lambda text: _from_serial(text, zone)
    return _parser(_pattern(format_), zone)


def _parser(pattern: re.Pattern[str], zone: tzinfo) -> Parse:
    match = pattern.fullmatch
    order = pattern.groupindex
    if zone is LOCAL and ")?" not in pattern.pattern and order.keys() == set(_WHOLE[: len(order)]):
        return _whole_seconds(match, [order[name] for name in _WHOLE[: len(order)]])
    places = [order.get(name, 0) for name in ("year", "month", "day", "hour", "minute", "second", "milli", "zone")]
    year, month, day, hour, minute, second, milli, offset = places

    def parse(text: str) -> datetime | None:
        found = match(text)
        if found is None:
            return None
        part = found.group
        return datetime(
            int(part(year)),
            int(part(month)),
            int(part(day)),
            int(part(hour) or 0) if hour else 0,
            int(part(minute) or 0) if minute else 0,
            int(part(second) or 0) if second else 0,
            int(part(milli) or 0) * 1000 if milli else 0,
            tzinfo=_zone(part(offset), zone) if offset else zone,
        )

    return parse


def _whole_seconds(match: Callable[[str], re.Match[str] | None], places: Sequence[int]) -> Parse:
    """The usual format, of which every part is there, in time of Viet Nam; the result is in UTC."""
    year, month, day, *clock = places
    picked = year, month, day, *clock, *[0] * (3 - len(clock))
    hours, minutes, seconds = (n < len(clock) for n in range(3))

    def parse(text: str) -> datetime | None:
        found = match(text)
        if found is None:
            return None
        y, mo, d, h, mi, s = found.group(*picked)
        at = datetime(
            int(y), int(mo), int(d), int(h) if hours else 0, int(mi) if minutes else 0, int(s) if seconds else 0, 0, UTC
        )
        return at - OFFSET if at.year > SETTLED else at.replace(tzinfo=LOCAL)

    return parse


def _pattern(format_: str) -> re.Pattern[str]:
    out: list[str] = []
    seen: set[str] = set()
    open_ = 0
    for letters, quoted, bracket, sign in _tokens(format_):
        if letters:
            pattern, _ = _letters(letters, format_)
            name = pattern[4 : pattern.index(">")]
            if name in seen:
                raise FormatError(f"the format {format_!r} has the {name} twice")
            seen.add(name)
            out.append(pattern)
        elif bracket:
            open_ += 1 if bracket == "[" else -1
            out.append("(?:" if bracket == "[" else ")?")
        else:
            out.append(re.escape(sign or quoted))
        if open_ < 0:
            break
    if open_:
        raise FormatError(f"the brackets of the format {format_!r} do not match")
    lacking = [name for name in ("year", "month", "day") if name not in seen]
    if lacking:
        raise FormatError(
            f"the format {format_!r} lacks the {' and the '.join(lacking)}", "write it like dd/MM/yyyy HH:mm:ss"
        )
    if any(name in seen for name in ("minute", "second", "milli")) and "hour" not in seen:
        raise FormatError(f"the format {format_!r} has no hour", "write HH before mm")
    return re.compile("".join(out))


def _tokens(format_: str) -> list[tuple[str, str, str, str]]:
    return [
        (t["letters"] or "", t["quoted"] or "", t["bracket"] or "", t["sign"] or "") for t in _TOKEN.finditer(format_)
    ]


def _letters(letters: str, format_: str) -> tuple[str, str]:
    if letters not in _LETTERS:
        mend = _MENDS.get(letters)
        raise FormatError(
            f"the format {format_!r} has {letters!r}, which means nothing",
            f"write {mend}" if mend else "put text in 'quotes'; the letters are yyyy MM dd HH mm ss SSS Z XXX",
        )
    return _LETTERS[letters]


def _zone(text: str | None, zone: tzinfo) -> tzinfo:
    if not text:
        return zone
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _parse_iso(text: str, zone: tzinfo) -> datetime | None:
    found = _ISO.fullmatch(text)
    if found is None or (found["zone"] and not found["time"]):
        return None
    # Fractions beyond microseconds (.NET writes seven digits) are cut.
    part = (found["part"] or "0").ljust(6, "0")[:6]
    at = datetime.fromisoformat(f"{found['day']}T{found['time'] or '00:00'}").replace(microsecond=int(part))
    return at.replace(tzinfo=_zone(found["zone"], zone))


def _from_ms(found: re.Match[str] | None) -> datetime | None:
    return None if found is None else _EPOCH + timedelta(milliseconds=int(found["ms"]))


def _from_serial(text: str, zone: tzinfo) -> datetime | None:
    """A spreadsheet's number of days and its part of a day, to the millisecond."""
    found = _SERIAL.fullmatch(text)
    if found is None:
        return None
    days = int(found["days"])
    if days < _CERTAIN_FROM:
        raise ValueError(f"{text} is a day before March 1900, where spreadsheets count wrongly")
    seconds = round(float(f"0.{found['part'] or 0}") * 86_400, 3)
    return (_DAY_0 + timedelta(days=days, seconds=seconds)).replace(tzinfo=zone)


def renderer(format_: str, zone: tzinfo) -> Render:
    """A function from an aware time to text (a number for `epoch-ms`). Raises: FormatError."""
    if format_ == "iso":
        return lambda at: at.astimezone(zone).isoformat()
    if format_ == "/Date(ms)/":
        return lambda at: f"/Date({_to_ms(at)})/"
    if format_ == "epoch-ms":
        return _to_ms
    if format_ == "excel":
        raise FormatError("'excel' is for reading", "write yyyy-MM-dd")
    _pattern(format_)
    out: list[str] = []
    for letters, quoted, bracket, sign in _tokens(format_):
        if bracket:
            raise FormatError(f"the format {format_!r} has brackets; a payload is written in one way", "leave them out")
        code = _letters(letters, format_)[1] if letters else (sign or quoted).replace("%", "%%")
        if letters and not code:
            raise FormatError(f"the format {format_!r} has {letters!r}, which is for reading", f"write {letters * 2}")
        out.append(code)
    slow = _render("".join(out), zone)
    return _render_settled(_tokens(format_), slow) if zone is LOCAL else slow


def _render_settled(tokens: Sequence[tuple[str, str, str, str]], slow: Render) -> Render:
    """As `slow`; quick for whole seconds in UTC since Viet Nam has had one offset."""
    template = "".join(
        _WRITTEN[letters][0] if letters else (sign or quoted).replace("%", "%%") for letters, quoted, _, sign in tokens
    )
    picked = attrgetter(*(_WRITTEN[letters][1] for letters, *_ in tokens if letters and _WRITTEN[letters][1]))

    def render(at: datetime) -> str | int:
        if at.tzinfo is not UTC or at.year < SETTLED or at.microsecond:
            return slow(at)
        return template % picked(at + OFFSET)

    return render


def _render(codes: str, zone: tzinfo) -> Render:
    colon, milli = "\0colon\0" in codes, "\0milli\0" in codes
    if not colon and not milli:
        return lambda at: at.astimezone(zone).strftime(codes)

    def render(at: datetime) -> str:
        local = at.astimezone(zone)
        offset = local.strftime("%z")
        filled = codes.replace("\0milli\0", f"{local.microsecond // 1000:03d}").replace(
            "\0colon\0", f"{offset[:3]}:{offset[3:]}"
        )
        return local.strftime(filled)

    return render


def _to_ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
