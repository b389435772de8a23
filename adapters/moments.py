"""Times as a source writes them: to ask for what changed since, and to read when a row changed.

The formats are those of a mapping's `date`. A time without a zone is local time of Viet Nam. Shared by sources; no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator

from mappings.converters.date_format import FormatError, parser, renderer
from schemas.local_time import LOCAL


def _readable(formats: str | list[str]) -> str | list[str]:
    for format_ in [formats] if isinstance(formats, str) else formats:
        _checked(parser, format_)
    return formats


def _writable(format_: str) -> str:
    _checked(renderer, format_)
    return format_


def _checked(compiler: Any, format_: str) -> None:
    try:
        compiler(format_, LOCAL)
    except FormatError as error:
        raise ValueError(f"{error}{f' — {error.mend}' if error.mend else ''}") from None


ReadFormat = Annotated[str | list[str], AfterValidator(_readable)]
"""A setting: one format, or several of which the first that fits is taken."""
WriteFormat = Annotated[str, AfterValidator(_writable)]
"""A setting: one format that can also be written."""


class Reader:
    """From a value to a time."""

    def __init__(self, formats: str | Sequence[str]) -> None:
        """Raises: FormatError."""
        self._parsers = [parser(one, LOCAL) for one in ([formats] if isinstance(formats, str) else formats)]

    def __call__(self, value: Any) -> datetime | None:
        """An aware time in UTC; None for nothing, or for what is of none of the formats, or no time."""
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None
        text = str(value).strip()
        for parse in self._parsers:
            try:
                at = parse(text)
            except (ValueError, OverflowError):
                continue
            if at is not None:
                return at.astimezone(UTC)
        return None


class Writer:
    """From an aware time to text, rounded down to the second, in local time of Viet Nam."""

    def __init__(self, format_: str) -> None:
        """Raises: FormatError."""
        self._render = renderer(format_, LOCAL)

    def __call__(self, at: datetime) -> str:
        return str(self._render(at.replace(microsecond=0)))
