"""Administrative procedures (thủ tục hành chính) and their fields (lĩnh vực): codes, days of validity, successors.

Codes are seen as `1.003560.000.00.00.H56` and as `2.002621.H56` (mã TTHC). Whether two spellings are one procedure no
rule tells, so a procedure has one canonical code and any number of aliases. The register says what a code means on a
day; of one that has ended it names the procedure that took its place.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.agency import Alias, Day, fold
from schemas.errors import CodeUnknownError, ConfigError, Problem
from schemas.fields import Code, Line, Short
from schemas.local_time import local_date
from schemas.record import refusals
from schemas.spelling import near

_NUMBER = re.compile(r"[0-9]+\.([0-9]{3,})(?:\.|$)")
_NEARBY = 60
"""Of a register of tens of thousands so many codes are compared letter by letter with an unknown one."""
_FORGET_AFTER = 1000
_LONGEST_CHAIN = 20


def _as_alias(value: Any) -> Any:
    return {"code": value} if isinstance(value, str) else value


class ProcedureField(BaseModel):
    """One field of procedures (lĩnh vực), from its first day to its last, both included; None is open."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    code: Code
    name: Short
    valid_from: Day | None = None
    valid_to: Day | None = None
    successor: Code | None = None


class Procedure(BaseModel):
    """One procedure under its canonical code, from its first day to its last, both included; None is open."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    code: Code
    name: Line
    field_code: Code | None = None
    """Of the field that it belongs to (mã lĩnh vực)."""
    field_name: Short | None = None
    aliases: Annotated[tuple[Annotated[Alias, BeforeValidator(_as_alias)], ...], Field(strict=False)] = ()
    valid_from: Day | None = None
    valid_to: Day | None = None
    successor: Code | None = None
    """The canonical code of the procedure that took its place."""


@dataclass(frozen=True, slots=True)
class _Span:
    first: date
    last: date
    procedure: Procedure
    spelt: str

    def __str__(self) -> str:
        first = "" if self.first == date.min else f" from {self.first}"
        last = "" if self.last == date.max else f" until {self.last}"
        return f"{first}{last}"


class ProcedureRegister:
    """Every procedure of a deployment and the fields they belong to; immutable, safe to share between threads."""

    def __init__(self, procedures: Iterable[Procedure] = (), fields: Iterable[ProcedureField] = ()) -> None:
        """Raises: ConfigError with every clash: a code of two procedures at one time, days that are none.

        A successor need not be in the register: it may be another province's.
        """
        self._procedures = tuple(procedures)
        self.fields = tuple(fields)
        self._spans: dict[str, list[_Span]] = {}
        self._by_code: dict[str, list[Procedure]] = {}
        self._suggestions: dict[str, str] = {}
        self._alike: dict[str, list[str]] | None = None
        for one in self._procedures:
            self._by_code.setdefault(one.code, []).append(one)
        problems = _clashes(self._procedures, self._spans)
        if problems:
            raise ConfigError(problems)
        self._field_names: dict[str, list[ProcedureField]] = {}
        for field in self.fields:
            self._field_names.setdefault(fold(field.code), []).append(field)

    @classmethod
    def empty(cls) -> ProcedureRegister:
        """A register without procedures: every look-up raises."""
        return cls()

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> ProcedureRegister:
        """Build from plain data, each row as `Procedure` has it; days are dates or ISO text.

        Raises: ConfigError with every problem of every row, each by the row's position (from 1) and code.
        """
        procedures: list[Procedure] = []
        problems: list[Problem] = []
        for position, row in enumerate(rows, 1):
            try:
                procedures.append(Procedure.model_validate(row))
            except ValidationError as error:
                shown = f" ({row['code']})" if isinstance(row, Mapping) and "code" in row else ""
                problems += [Problem("procedure-row", f"procedure {position}{shown}: {one}") for one in refusals(error)]
        if problems:
            raise ConfigError(problems)
        return cls(procedures)

    def __len__(self) -> int:
        return len(self._procedures)

    def __iter__(self) -> Iterator[Procedure]:
        return iter(self._procedures)

    def resolve(self, code: str, on: date) -> Procedure:
        """The procedure that a code or an alias meant on a day (a time is taken as its day in Viet Nam).

        Blanks and small letters do not matter. Raises: CodeUnknownError that names the nearest known code, or the days
        for which the code is known and what took its place.
        """
        day = local_date(on) if isinstance(on, datetime) else on
        spans = self._spans.get(code) or self._spans.get(fold(code), [])
        for span in spans:
            if span.first <= day <= span.last:
                return span.procedure
        raise CodeUnknownError(self._why_not(code, day, spans))

    def ever(self, code: str) -> list[Procedure]:
        """What a code or an alias has ever meant, in the order of the days."""
        spans = sorted(self._spans.get(fold(code), ()), key=lambda span: span.first)
        return list(dict.fromkeys(span.procedure for span in spans))

    def heir(self, procedure: Procedure, on: date) -> Procedure | None:
        """The first of a procedure's successors, one after the other, that holds on a day; None where there is none."""
        code = procedure.successor
        for _ in range(_LONGEST_CHAIN):
            known = self.ever(code) if code else []
            for one in known:
                if (one.valid_from or date.min) <= on <= (one.valid_to or date.max):
                    return one
            code = next((one.successor for one in reversed(known) if one.successor), None)
            if code is None:
                return None
        return None

    def field_name(self, procedure: Procedure, on: date) -> str | None:
        """The name of the field of a procedure: its own, else that of its code on a day."""
        if procedure.field_name is not None or procedure.field_code is None:
            return procedure.field_name
        day = local_date(on) if isinstance(on, datetime) else on
        for field in self._field_names.get(fold(procedure.field_code), ()):
            if (field.valid_from or date.min) <= day <= (field.valid_to or date.max):
                return field.name
        return None

    def nearest(self, code: str) -> str | None:
        """The known code that an unknown one was probably meant to be."""
        folded = fold(code)[:60]
        # One wrong code may come with every row of a page.
        if folded not in self._suggestions:
            if len(self._suggestions) >= _FORGET_AFTER:
                self._suggestions.clear()
            meant = near(folded, self._candidates(folded))
            self._suggestions[folded] = self._spans[meant][0].spelt if meant else ""
        return self._suggestions.get(folded) or None

    def _candidates(self, folded: str) -> list[str]:
        """Codes that share the number, or the first or last three digits of it: a mistyped digit leaves one of them.

        Comparing one code with all of a country's would take the better part of a second.
        """
        if self._alike is None:
            alike: dict[str, list[str]] = defaultdict(list)
            for known in self._spans:
                for part in _parts(known):
                    alike[part].append(known)
            self._alike = alike
        parts = _parts(folded) or [""]
        found = [one for part in parts for one in self._alike.get(part, ())]
        found += list(self._spans) if len(self._spans) <= _NEARBY else ()
        return list(dict.fromkeys(found))[:_NEARBY]

    def _heir_code(self, procedure: Procedure, on: date) -> str:
        heir = self.heir(procedure, on)
        return str(procedure.successor) if heir is None else heir.code

    def _why_not(self, text: str, day: date, spans: Iterable[_Span]) -> str:
        listed = list(spans)
        if listed:
            known = ", ".join(f"{span.procedure.code}{span}" for span in listed)
            named = sorted({self._heir_code(span.procedure, day) for span in listed if span.procedure.successor})
            mend = f"; its successor is {', '.join(named)}" if named else ""
            return f"procedure code {text!r} means nothing on {day}: it is {known}{mend}"
        if not self._spans:
            return f"unknown procedure {text!r} (no procedures are registered)"
        suggested = self.nearest(text)
        return f"unknown procedure {text!r}{f'; near: {suggested!r}' if suggested else ''}"


def _parts(code: str) -> list[str]:
    """What codes are found by that are alike: the number, its first and its last three digits."""
    found = _NUMBER.match(code)
    if found is None:
        return []
    number = found[1]
    return [f"={number}", f"<{number[:3]}", f">{number[-3:]}"]


def _clashes(procedures: Iterable[Procedure], spans: dict[str, list[_Span]]) -> list[Problem]:
    problems: list[Problem] = []
    for one in procedures:
        first, last = one.valid_from or date.min, one.valid_to or date.max
        own = _Span(first, last, one, one.code)
        others = [
            _Span(max(first, alias.valid_from or first), min(last, alias.valid_to or last), one, alias.code)
            for alias in one.aliases
        ]
        for span in (own, *others):
            known = spans.setdefault(fold(span.spelt), [])
            if span.first > span.last:
                mend = "the last day is before the first, or outside the procedure's own days"
                problems.append(Problem("procedure-days", f"{one.code}: {span.spelt!r} is valid on no day", mend))
            for other in known:
                if other.first <= span.last and span.first <= other.last:
                    mend = "keep one row, or give each its days by valid_from and valid_to"
                    said = f"{one.code}: {span.spelt!r} is in two rows at one time"
                    problems.append(Problem("procedure-twice", said, mend))
            known.append(span)
    return problems


__all__ = ["Procedure", "ProcedureField", "ProcedureRegister"]
