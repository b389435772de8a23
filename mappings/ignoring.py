"""`ignore` of an inbound mapping: places of a row that nobody reads on purpose, each with the reason.

    ignore:
      "@id": số thứ tự của .NET DataSet, không có nghĩa
      NoiBo: chỉ dùng nội bộ                   # with all that is in it

Paths are from the beginning of the source's row, as `hub map --coverage` prints them. They change nothing of what is
read; a place that is both ignored and read is a problem.
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.inbound import InField
from mappings.notation import Keys, Marked, Problems, text_of
from mappings.places import Parts, names_in, parts


def compile_ignore(
    node: Marked, holds: str, inner: str, fields: Sequence[InField], problems: Problems
) -> dict[str, str]:
    """The ignored paths with their reasons; notes every path that is none, has no reason, or is read all the same."""
    found: dict[str, str] = {}
    read = [(field, place) for field in fields for place in _read(field, holds, inner)]
    for path, item in Keys(node, "'ignore'", problems):
        reason = text_of(item, f"the reason for ignoring {path!r}", problems, "?").strip()
        place = parts(path, holds)
        if not reason:
            problems.add("ignore", item.line, f"{path!r} is ignored without a reason", "say in a few words why")
        elif not place:
            mend = "write names, as `hub map --coverage` prints them"
            problems.add("ignore", item.line, f"{path!r} cannot be ignored: it is not made of names alone", mend)
        else:
            users = dict.fromkeys(field.name for field, used in read if used[: len(place)] == place)
            if users:
                said = f"{path!r} is ignored, and read by {', '.join(users)} (line {_line(fields, next(iter(users)))})"
                problems.add("ignore", item.line, said, "leave it out of `ignore`, or let no field read it")
            found[path] = reason
    return found


def _read(field: InField, holds: str, inner: str) -> list[Parts]:
    """The places that a field reads, from the beginning of the row, as far as they are names."""
    before = parts(inner, holds) if inner and not field.outer else ()
    found = []
    for path in field.paths:
        place = parts(path, holds)
        if place is not None and before is not None:
            found.append((*before, *place))
        elif before == () and len(names_in(path, holds)) == 1:
            # normalize-space(HoTen): an expression around one name reads what is there.
            found.append(tuple(names_in(path, holds)))
    return found


def _line(fields: Sequence[InField], name: str) -> int:
    return next(field.line for field in fields if field.name == name)
