"""What values look like: the way their dates are written, and which texts have the shape of a number, a code, a person.

Every format of a mapping's `date` that was seen in legacy systems is tried over all values of a column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from mappings.converters.date_format import Parse, parser
from mappings.converters.period import read
from schemas.fields import NEW_FORM, OLD_FORM
from schemas.local_time import LOCAL

FORMATS = (
    "dd/MM/yyyy HH:mm:ss",
    "dd/MM/yyyy HH:mm",
    "dd/MM/yyyy",
    "yyyyMMddHHmmss",
    "/Date(ms)/",
    "iso",
    "yyyyMMdd",
    "yyyyMMddHHmm",
    "dd-MM-yyyy HH:mm:ss",
    "dd-MM-yyyy HH:mm",
    "dd-MM-yyyy",
    "yyyy/MM/dd HH:mm:ss",
    "yyyy/MM/dd",
    "d/M/yyyy[ H:mm[:ss]]",
    "HH:mm:ss dd/MM/yyyy",
    "HH:mm dd/MM/yyyy",
    "yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    "yyyy-MM-dd HH:mm:ss.SSS",
    "dd.MM.yyyy HH:mm:ss",
    "dd.MM.yyyy",
    "epoch-ms",
    "excel",
    "MM/dd/yyyy HH:mm:ss",
    "MM/dd/yyyy HH:mm",
    "MM/dd/yyyy",
    "M/d/yyyy[ H:mm[:ss]]",
)
"""The likelier before the less likely: of several that fit, the first is taken."""
_TWINS = {"dd/MM/yyyy HH:mm:ss": "MM/dd/yyyy HH:mm:ss", "dd/MM/yyyy HH:mm": "MM/dd/yyyy HH:mm",
          "dd/MM/yyyy": "MM/dd/yyyy", "d/M/yyyy[ H:mm[:ss]]": "M/d/yyyy[ H:mm[:ss]]"}  # fmt: skip
"""Formats that read the same text as another day."""
_NOTATIONS = {
    "vi": re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:[. ][0-9]{3})+)(?:,[0-9]+)?"),
    "en": re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:[, ][0-9]{3})+)(?:\.[0-9]+)?"),
}
_LIKELY = range(1985, 2101)
_NO_DATE = re.compile(
    r"0000[-/]?00[-/]?00.*|00[-/]00[-/]0000.*|0001-01-01.*|0?1/0?1/0001.*|1900-01-01.*|0?1/0?1/1900.*|9999-12-31.*"
    r"|31/12/9999.*|/Date\(-62135596800000(?:[+-]\d{4})?\)/|0{8}(?:0{6})?|-|n/?a|null|0",
    re.IGNORECASE,
)
_MOST = 3


@dataclass(frozen=True, slots=True)
class Dates:
    """How the times of a column are written: `none` stands for "no date", `or_else` reads the same texts otherwise."""

    formats: tuple[str, ...]
    none: tuple[str, ...] = ()
    or_else: str = ""


@cache
def _parser(format_: str) -> Parse:
    return parser(format_, LOCAL)


def reads(format_: str, text: str) -> bool:
    """Whether a format reads a text as a day between 1985 and 2100."""
    return _read(format_, text) is not None


def _read(format_: str, text: str) -> datetime | None:
    try:
        at = _parser(format_)(text)
    except (ValueError, OverflowError):
        return None
    return at if at is not None and at.year in _LIKELY else None


def is_no_date(value: object) -> bool:
    """Whether a system writes this where it has no date."""
    return _NO_DATE.fullmatch(str(value).strip()) is not None


def dates(values: Sequence[object]) -> Dates | None:
    """How a column writes its times; None where not every value of it is a time that can be read."""
    texts = list(dict.fromkeys(str(value).strip() for value in values if type(value) in (str, int, float)))
    if len(texts) < len({str(value).strip() for value in values}):
        return None
    none = tuple(text for text in texts if _NO_DATE.fullmatch(text))[:20]
    left = [text for text in texts if not _NO_DATE.fullmatch(text)]
    if not left:
        return None
    found: list[str] = []
    while left and len(found) < _MOST:
        fits = {format_: [text for text in left if reads(format_, text)] for format_ in FORMATS}
        best = max(FORMATS, key=lambda format_: len(fits[format_]))
        if not fits[best]:
            return None
        found.append(best)
        left = [text for text in left if text not in set(fits[best])]
    if left:
        return None
    twin = _TWINS.get(found[0], "") if len(found) == 1 else ""
    read = [text for text in texts if text not in none]
    doubtful = twin and all(reads(twin, text) for text in read)
    return Dates(tuple(found), none, twin if doubtful else "")


def _all(pattern: str) -> Callable[[Iterable[object]], bool]:
    match = re.compile(pattern, re.IGNORECASE).fullmatch

    def fits(values: Iterable[object]) -> bool:
        found = [match(str(value)) for value in values]
        return bool(found) and all(found)

    return fits


def period(values: Sequence[object]) -> str | None:
    """As what the converter `period` reads all of these; None where it reads none so."""
    texts = [str(value) for value in values]
    wanted = ("any", "month", "quarter", "year") if texts else ()
    return next((one for one in wanted if all(read(text, one) for text in texts)), None)


def notation(values: Sequence[object]) -> tuple[str, bool] | None:
    """In which notation numbers are written, and whether another would read them too, otherwise; None for none."""
    texts = [str(value) for value in values if isinstance(value, str)]
    fits = [name for name, pattern in _NOTATIONS.items() if all(pattern.fullmatch(text) for text in texts)]
    doubtful = len(fits) > 1 and any("." in text or "," in text for text in texts)
    return (fits[0], doubtful) if fits else None


is_number = _all(r"[^\s|]{3,40}-[0-9]{6}-[0-9]{3,7}")
"""A dossier's number, `<agency code>-<yyMMdd>-<serial>`."""
is_procedure = _all(r"[0-9]\.[0-9]{6}(?:\.[0-9]{3}\.[0-9]{2}\.[0-9]{2})?(?:\.[A-Z][0-9]{2})?")
is_agency = _all(f"(?:{NEW_FORM}|{OLD_FORM})")
is_phone = _all(r"(?:\+?84|0)[ .-]?(?:[0-9][ .-]?){8,10}")
is_email = _all(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")
is_identity = _all(r"[0-9]{9}|[0-9]{12}")
is_level = _all(r"\D*[1-4]\D*")
_FAMILIES = (
    "nguyễn|trần|lê|phạm|hoàng|huỳnh|phan|vũ|võ|đặng|bùi|đỗ|hồ|ngô|dương|lý|thạch|kim|sơn|kiên|trương|đinh|lâm|mai|cao"
    "|đoàn|lương|tô|trịnh|tạ|châu|hà|diệp|tăng|quách|thái"
)
is_person = _all(rf"(?:{_FAMILIES})(?: [^\W\d_]+){{1,5}}")
