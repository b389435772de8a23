"""Rows that are rows of a spreadsheet; a path is the name of a column, `[D]` the letter of one without a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mappings.decode.xlsx import ERRORS, NEVER_MADE
from mappings.refusal import RefusalError
from mappings.shapes.csv import CsvRow, CsvShape


class _Wrong:
    """A cell that shows an error in place of a value."""

    __slots__ = ("said",)

    def __init__(self, said: str) -> None:
        self.said = said


class XlsxShape(CsvShape):
    """As CSV, but that a cell may hold an error: it is refused where a field reads it, never taken for a text."""

    def getter(self, path: str) -> Callable[[dict[str, Any]], str | None]:
        def get(view: dict[str, Any]) -> str | None:
            value = view.get(path)
            if isinstance(value, _Wrong):
                why = (
                    "is a formula that was never worked out: open the file in Excel and save it"
                    if value.said == NEVER_MADE
                    else "is an error of the spreadsheet, not a value"
                )
                raise RefusalError(why, found=value.said)
            return value

        return get

    def view(self, row: CsvRow) -> dict[str, Any]:
        view: dict[str, Any] = super().view(row)
        for name, cell in view.items():
            if cell[:1] == "#" and cell in ERRORS:
                view[name] = _Wrong(cell)
        return view
