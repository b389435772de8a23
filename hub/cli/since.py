"""`--since` and `--until`: a day, a time, or how long ago; in Viet Nam."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

import typer

FORMS = "2026-11-20, '2026-11-20 08:00', 3h or 2d"

Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help=f"Only what was read at or after this: {FORMS}.")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only what was read before this; a day is meant whole.")
]

_AGO = re.compile(r"(\d{1,6})\s*(min|h|d)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}


def since(text: str | None, now: datetime | None = None) -> datetime | None:
    """The moment from which something counts; a day is meant from its beginning. Raises: typer.BadParameter."""
    return None if text is None else _moment(text, now, "--since")


def until(text: str | None, now: datetime | None = None) -> datetime | None:
    """The moment before which something counts; a day is meant to its end. Raises: typer.BadParameter."""
    return None if text is None else _moment(text, now, "--until")


def _moment(text: str, now: datetime | None, option: str) -> datetime:
    from schemas.local_time import LOCAL

    written = " ".join(text.split())
    ago = _AGO.fullmatch(written)
    if ago is not None:
        try:
            return (now or datetime.now(LOCAL)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError as error:
            raise typer.BadParameter(
                f"{text!r} is before all time; write a day like 2026-11-20", param_hint=option
            ) from error
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        try:
            at = datetime.strptime(written.replace("T", " "), form).replace(tzinfo=LOCAL)
        except ValueError:
            continue
        return at + timedelta(days=1) if option == "--until" and form == "%Y-%m-%d" else at
    raise typer.BadParameter(f"{text!r} is no time; write {FORMS}", param_hint=option)
