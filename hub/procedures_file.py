"""Reads the procedures that a deployment writes by hand: YAML, a list of rows, or CSV as a spreadsheet saves it.

The CSV's columns are `code`, `name` and, where wanted, `field_code`, `field_name`, `aliases` (with blanks between),
`valid_from`, `valid_to`, `successor`; UTF-8 with or without BOM; a comma, semicolon or tab between the cells.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.validation import Lines, Place, validate
from hub.yaml_lines import Document, read
from mappings.notation import nearest
from schemas.errors import ConfigError, Problem
from schemas.procedure import Procedure, ProcedureRegister

_COLUMNS = tuple(Procedure.model_fields)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The lines of a CSV file, by the number of the row."""

    numbers: Sequence[int]

    def line(self, place: Place) -> int:
        at = place[0] if place else None
        return self.numbers[at] if isinstance(at, int) and at < len(self.numbers) else 1


def read_procedures(path: Path) -> ProcedureRegister:
    """Read a procedures file. Raises: ConfigError with every problem of every row, each with its line."""
    rows, lines = _csv(path) if path.suffix.lower() == ".csv" else _yaml(path)
    procedures: list[Procedure] = []
    problems: list[Problem] = []
    for number, row in enumerate(rows):
        procedure, wrong = validate(Procedure, row, place=(number,), file=str(path), lines=lines)
        problems += wrong
        procedures += [] if procedure is None else [procedure]
    if problems:
        # Clashes are looked for only among rows that are right in themselves.
        raise ConfigError(problems)
    try:
        return ProcedureRegister(procedures)
    except ConfigError as error:
        codes = [str(row.get("code")) for row in rows]
        raise ConfigError([_located(one, codes, lines, str(path)) for one in error.problems]) from error


def _yaml(path: Path) -> tuple[list[Any], Lines]:
    document: Document = read(path)
    if not isinstance(document.data, list):
        mend = "write a list of rows: '- {code: 1.001193.H59, name: …}'"
        raise ConfigError([Problem("wrong-value", "does not hold a list of procedures", mend, str(path), 1)])
    return document.data, document


def _csv(path: Path) -> tuple[list[dict[str, Any]], Lines]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        said = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise ConfigError([Problem("unreadable-file", said, "check the path", str(path))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("not-utf8", "is not UTF-8 text", "save it as UTF-8", str(path), 1)]) from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    header = [cell.strip() for cell in next(reader, [])]
    for name in header:
        if name not in _COLUMNS:
            said = f"procedures have no column {name!r}"
            raise ConfigError([Problem("unknown-key", said, nearest(name, _COLUMNS), str(path), 1)])
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for cells in reader:
        # What is left empty is not said: the days are open then, and `code` and `name` missing.
        row: dict[str, Any] = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
        if not row:
            continue
        if "aliases" in row:
            row["aliases"] = row["aliases"].split()
        rows.append(row)
        numbers.append(reader.line_num)
    return rows, _Rows(numbers)


def _located(problem: Problem, codes: Sequence[str], lines: Lines, file: str) -> Problem:
    """Say in which row the procedure stands that a problem of the register names first."""
    code = problem.message.partition(":")[0]
    named = [number for number, one in enumerate(codes) if one == code]
    return replace(problem, file=file, line=lines.line((named[-1], "code") if named else ()))
