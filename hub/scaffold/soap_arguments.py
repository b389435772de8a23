"""Which arguments of an operation ask for what changed since, and for a page: by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.scaffold.guess import Guesses
from hub.scaffold.names import fold
from hub.scaffold.service import Operation, RestOperation
from hub.scaffold.shapes import dates

SINCE = ("tungay", "fromdate", "ngaycapnhat", "since", "tuthoidiem", "capnhattu", "startdate", "ngaybatdau", "from")
PAGE = ("trang", "page", "pageindex", "pagenumber", "sotrang", "trangso", "pageno")
SIZE = ("kichthuoc", "pagesize", "size", "sodong", "limit", "sobanghi", "kichthuoctrang", "rowsperpage")
PAGE_SIZE = 50
_PARTS_OF_ISO = {
    "yyyy-MM-dd": re.compile(r"\d{4}-\d\d-\d\d"),
    "yyyy-MM-dd HH:mm:ss": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    "yyyy-MM-dd'T'HH:mm:ss": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
}
"""What a service may take of ISO 8601 that does not take the rest."""


def since_and_page(operation: Operation, arguments: Mapping[str, str], guesses: Guesses) -> dict[str, Any]:
    """`since`, `page` and the constant `arguments` of a soap source."""
    made: dict[str, Any] = {}
    changed = next((one.spec for one in guesses.fields if one.field == "changed_at" and "date" in one.spec), None)
    since = named(operation, SINCE)
    used: set[str] = set()
    if since is not None and changed is not None:
        written = changed["date"]["format"] if isinstance(changed["date"], dict) else changed["date"]
        kind = next(one.kind for one in operation.arguments if one.name == since)
        # As it was given, which was answered; else as rows have it.
        given_as = _format(arguments[since]) if since in arguments else None
        first = given_as or (written if isinstance(written, str) else written[0])
        format_ = "iso" if "[" in first or first == "excel" else first
        if kind.lower() in ("datetime", "date"):
            format_ = "iso" if kind.lower() == "datetime" else "yyyy-MM-dd"
        made["since"] = {"argument": since, "format": format_, "overlap_s": 60}
        if since in arguments and (start := iso(arguments[since], format_)):
            made["since"]["start"] = start
        used.add(since)
    page, size = named(operation, PAGE), named(operation, SIZE)
    if page is not None:
        given = arguments.get(size or "", "")
        rows = int(given) if given.isdecimal() and 0 < int(given) <= 100_000 else PAGE_SIZE
        made["page"] = {"argument": page} | ({"size_argument": size, "size": rows} if size else {})
        used |= {page, size or page}
    constants = {name: value for name, value in arguments.items() if name not in used}
    if constants:
        made["arguments"] = constants
    return made


def _format(text: str) -> str | None:
    """How a time was given; None for what is no time."""
    found = dates([text])
    if found is None or not found.formats:
        return None
    if found.formats[0] != "iso":
        return found.formats[0]
    return next((one for one, match in _PARTS_OF_ISO.items() if match.fullmatch(text)), "iso")


def iso(text: str, format_: str) -> str | None:
    """A time that was given in a format, as ISO 8601 in Viet Nam."""
    from mappings.converters.date_format import parser
    from schemas.local_time import LOCAL

    try:
        at = parser(format_, LOCAL)(text)
    except (ValueError, OverflowError):
        return None
    return None if at is None else at.astimezone(LOCAL).isoformat()


def named(operation: Operation | RestOperation, names: tuple[str, ...]) -> str | None:
    by_name = {fold(one.name): one.name for one in operation.arguments}
    return next((by_name[name] for name in names if name in by_name), None)
