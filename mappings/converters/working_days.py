"""`working_days`: a time so many working days later or earlier, by the calendar of Viet Nam's administration.

    working_days: {add: 5}                         due as the rules of one-stop shops count, by working hours
    working_days: {subtract: 2}                    the same time of day, two working days before
    working_days: {add_from: SoNgay}               the number stands in the row; where it is empty there is no value

It takes a time: when reading, `date` stands before it; when writing, behind it. Weekends, public holidays and the days
off in lieu are left out, swapped Saturdays count.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mappings.converters.converter import Compiled, Converter, Scope, Setting
from mappings.manual import Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError
from schemas.calendar import LOCAL, WorkingCalendar

MOST = 999
"""Working days: four years, more than any procedure takes."""

_CALENDAR = WorkingCalendar()
_WAYS = ("add", "subtract", "add_from")


def build(options: Marked, setting: Setting) -> Compiled | None:
    problems, line = setting.problems, options.line
    before = len(problems.found)
    keys = Keys(options, "working_days", problems)
    days = {name: keys.number(name) for name in ("add", "subtract")}
    path = keys.text("add_from")
    keys.done(also=_WAYS)
    if isinstance(options.value, dict) and sum(name in keys for name in _WAYS) != 1:
        mend = "write working_days: {add: 5}, {subtract: 5} or {add_from: SoNgay}"
        problems.add("working-days", line, "working_days: one of add, subtract and add_from is wanted", mend)
    for name, number in days.items():
        if number is not None and number > MOST:
            problems.add("working-days", line, f"working_days: {name!r} is {number}, at most {MOST} are counted")
    beside = None
    if "add_from" in keys:
        if setting.place is None:
            problems.add("working-days", line, "working_days: `add_from` is for reading", "write add: and the number")
        else:
            beside = setting.place(path, line, "'add_from' of working_days")
    if setting.first and (setting.direction == "in" or (setting.target and setting.target.holds is not datetime)):
        mend = "put `date` before it" if setting.direction == "in" else "take a field that is a time"
        problems.add("working-days", line, f"working_days: {setting.field} is no time here", mend)
    if len(problems.found) > before:
        return None
    if beside is not None:
        told = path

        def from_row(value: Any, scope: Scope, number: Any) -> datetime | None:
            return None if number is None else _moved(value, _days(number, told))

        return Compiled(_no_row, "time", beside=beside, with_beside=from_row)
    count = days["add"] if days["add"] is not None else -(days["subtract"] or 0)
    back = days["subtract"] is not None
    return Compiled(lambda value, scope: _moved(value, count, back=back), "time")


def _no_row(value: Any, scope: Scope) -> Any:
    raise RefusalError("needs the row that it stands in", verdict="park")


def _days(number: Any, path: str) -> int:
    text = str(number) if type(number) is int else number
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= len(str(MOST)):
        return int(text)
    raise RefusalError(f"is no number of working days, from 0 to {MOST}", found=number, path=path)


def _moved(value: Any, days: int, *, back: bool = False) -> datetime:
    if not isinstance(value, datetime):
        raise RefusalError("is no time, so no working days can be counted", verdict="park")
    try:
        if not back:
            return _CALENDAR.due(value, days)
        at = value.astimezone(LOCAL)
        moved = datetime.combine(_CALENDAR.add_working_days(at.date(), days), at.timetz())
        return moved.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RefusalError(f"cannot be counted from: {error}") from None


MANUAL = Entry(
    (
        Tried(
            "date: dd/MM/yyyy HH:mm, working_days: {add: 5}",
            "20/03/2017 09:00",
            "2017-03-27T02:00:00Z",
            field="due_at",
            kind="dossier.v1",
        ),
        Tried(
            "date: dd/MM/yyyy HH:mm, working_days: {add_from: SoNgay}",
            "20/03/2017 09:00",
            "2017-03-22T02:00:00Z",
            field="due_at",
            kind="dossier.v1",
            row={"SoNgay": "2"},
        ),
        Tried(
            "date: dd/MM/yyyy HH:mm, working_days: {add_from: SoNgay}",
            "20/03/2017 09:00",
            field="due_at",
            kind="dossier.v1",
            row={"SoNgay": "hai"},
            refused="is no number of working days, from 0 to 999",
        ),
        Tried(
            "working_days: {subtract: 2}, date: dd/MM/yyyy",
            "2017-03-20T02:00:00Z",
            "16/03/2017",
            field="due_at",
            kind="dossier.v1",
            writing=True,
        ),
    ),
    (
        Option("add", "0 to 999", "one of the three", "later, as one-stop shops count: by working hours"),
        Option("subtract", "0 to 999", "one of the three", "earlier, at the same time of day"),
        Option("add_from", "a place in the row", "one of the three", "later, by the number that stands there"),
    ),
    refuses=("reject: a number of days that is none",),
    notes=(
        "It takes a time: when reading, `date` stands before it, when writing, behind it. Days are those of the "
        "national calendar: without weekends, public holidays and the days off in lieu, with the Saturdays that are "
        "worked instead. With `add`, what is received after closing counts from the next morning. Where `add_from` "
        "finds nothing there is no value.",
    ),
)

CONVERTER = Converter("working_days", "a time so many working days later or earlier", build, MANUAL)
