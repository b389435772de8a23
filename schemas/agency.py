"""Agencies and their codes: both national forms, aliases with validity dates, and the register that resolves them.

Two forms are in use (mã định danh điện tử): the old `V1V2V3.Z1Z2.Y1Y2.Hnn`, widest level last (QCVN 102:2016/BTTTT),
where `000.00.05.H59` is a department of the province H59; and the new, widest level first (Decision 20/2020/QĐ-TTg),
where it may be `H59.05` and parts may be letters. One cannot be computed from the other, so an agency has one canonical
code and any number of aliases, among them the private codes and names by which legacy systems call it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple
from unicodedata import normalize

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from schemas.codes import AgencyLevel
from schemas.errors import CodeUnknownError, ConfigError, Problem, RefusedValueError
from schemas.fields import NEW_FORM, OLD_FORM, AgencyCode, Level, Short
from schemas.local_time import local_date
from schemas.record import refusals
from schemas.spelling import near

_OLD, _NEW = re.compile(OLD_FORM), re.compile(NEW_FORM)
_FORGET_AFTER = 1000


@dataclass(frozen=True, slots=True)
class ParsedCode:
    """A national agency code taken apart: `parts` from the widest level to the narrowest, without the empty levels."""

    text: str
    form: Literal["old", "new"]
    parts: tuple[str, ...]

    @property
    def root(self) -> str:
        """The province or ministry: `H59`, `G14`."""
        return self.parts[0]


def fold(text: str) -> str:
    """Make two spellings of one code or name equal: NFC, no blanks, upper case."""
    return "".join(normalize("NFC", text).split()).upper()


def parse_code(text: str) -> ParsedCode:
    """Read an agency code of either national form; blanks inside and small letters are tolerated.

    Raises: RefusedValueError where it is of neither form.
    """
    code = fold(text)
    parts = code.split(".")
    if len(code) <= 35 and _OLD.fullmatch(code):
        parts.reverse()
        while not parts[-1].strip("0"):
            parts.pop()
        return ParsedCode(code, "old", tuple(parts))
    if len(code) <= 35 and _NEW.fullmatch(code):
        return ParsedCode(code, "new", tuple(parts))
    raise RefusedValueError("is no agency code; the forms are 'H59.05' and '000.00.05.H59'", field="code", value=text)


def _as_date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("day_text", "Should be a day like 2025-07-01") from None
    if isinstance(value, datetime):
        raise PydanticCustomError("day_not_time", "Should be a day, not a time")
    return value


def _as_code(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_code(value).text
    except RefusedValueError as error:
        raise PydanticCustomError("agency_code", "{reason}", {"reason": error.reason}) from None


def _composed(value: Any) -> Any:
    return normalize("NFC", value) if isinstance(value, str) else value


def _as_alias(value: Any) -> Any:
    return {"code": value} if isinstance(value, str) else value


Day = Annotated[date, BeforeValidator(_as_date)]
CanonicalCode = Annotated[AgencyCode, BeforeValidator(_as_code)]


Spelt = Annotated[Short, BeforeValidator(_composed)]
"""A name of an agencies file, composed: people paste what a system or a terminal showed them."""


class Alias(BaseModel):
    """Another code or name of an agency, from its first day to its last, both included; None is open."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    code: Spelt
    valid_from: Day | None = None
    valid_to: Day | None = None


class Agency(BaseModel):
    """One agency under its canonical code, from its first day to its last, both included; None is open."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    code: CanonicalCode
    name: Spelt
    level: Level
    aliases: Annotated[tuple[Annotated[Alias, BeforeValidator(_as_alias)], ...], Field(strict=False)] = ()
    valid_from: Day | None = None
    valid_to: Day | None = None
    successor: CanonicalCode | None = None
    """The canonical code of the agency that took over its work."""


class _Span(NamedTuple):
    first: date
    last: date
    agency: Agency
    spelt: str

    def __str__(self) -> str:
        first = "" if self.first == date.min else f" from {self.first}"
        last = "" if self.last == date.max else f" until {self.last}"
        return f"{first}{last}"


class AgencyRegister:
    """Every agency of a deployment; immutable, safe to share between threads."""

    def __init__(self, agencies: Iterable[Agency]) -> None:
        """Raises: ConfigError with every clash: a code of two agencies at one time, a successor that is not there."""
        listed = tuple(agencies)
        self._agencies = {agency.code: agency for agency in listed}
        self._spans: dict[str, list[_Span]] = {}
        self._names: dict[str, list[_Span]] = {}
        for agency in listed:
            span = _Span(agency.valid_from or date.min, agency.valid_to or date.max, agency, agency.name)
            self._names.setdefault(fold(agency.name), []).append(span)
        self._suggestions: dict[str, str] = {}
        problems = _clashes(listed, self._spans)
        self._always = {
            code: spans[0].agency
            for code, spans in self._spans.items()
            if len(spans) == 1 and (spans[0].first, spans[0].last) == (date.min, date.max)
        }
        if problems:
            raise ConfigError(problems)

    @classmethod
    def empty(cls) -> AgencyRegister:
        """A register without agencies: every look-up raises."""
        return cls(())

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> AgencyRegister:
        """Build from plain data; each row `{code, name, level, aliases?, valid_from?, valid_to?, successor?}`.

        Days are dates or ISO text; an alias is `{code, valid_from?, valid_to?}` or its code alone. Raises: ConfigError
        with every problem of every row, each by the row's position (from 1) and code.
        """
        agencies: list[Agency] = []
        problems: list[Problem] = []
        for position, row in enumerate(rows, 1):
            try:
                agencies.append(Agency.model_validate(row))
            except ValidationError as error:
                shown = f" ({row['code']})" if isinstance(row, Mapping) and "code" in row else ""
                problems += [Problem("agency-row", f"agency {position}{shown}: {one}") for one in refusals(error)]
        try:
            register = cls(agencies)
        except ConfigError as error:
            raise ConfigError(problems + error.problems) from None
        if problems:
            raise ConfigError(problems)
        return register

    def __len__(self) -> int:
        return len(self._agencies)

    def __iter__(self) -> Iterator[Agency]:
        return iter(self._agencies.values())

    def get(self, code: str) -> Agency | None:
        """The agency of a canonical code, whether or not it still exists."""
        return self._agencies.get(code)

    def resolve(self, code_or_alias: str, on: date) -> Agency:
        """The agency that a code, an alias or else a name meant on a day (a time is taken as its day in Viet Nam).

        Blanks and small letters do not matter. A name that two agencies have on that day means neither. Raises:
        CodeUnknownError that names the nearest known code, or the days for which the code is known and its successor.
        """
        # What means one agency for ever, written as it is registered: the day does not matter, as long as it is one.
        always = self._always.get(code_or_alias)
        if always is not None and getattr(on, "tzinfo", on) is not None:
            return always
        day = local_date(on) if isinstance(on, datetime) else on
        spans = self._spans.get(code_or_alias) or self._spans.get(fold(code_or_alias), [])
        for span in spans:
            if span.first <= day <= span.last:
                return span.agency
        named = self._names.get(fold(code_or_alias), [])
        meant = [span.agency for span in named if span.first <= day <= span.last]
        if len(meant) == 1:
            return meant[0]
        if meant:
            codes = " and ".join(agency.code for agency in meant)
            mend = "use a code, or add the name to the aliases of the one that is meant"
            raise CodeUnknownError(f"agency name {code_or_alias!r} is the name of {codes} on {day}: {mend}")
        raise CodeUnknownError(self._why_not(code_or_alias, day, spans or named))

    def ever(self, code_or_alias: str) -> Agency | None:
        """The one agency that a code, an alias or a name has ever meant; None where there is none, or several."""
        folded = fold(code_or_alias)
        meant = {span.agency.code: span.agency for span in self._spans.get(folded) or self._names.get(folded, [])}
        return next(iter(meant.values())) if len(meant) == 1 else None

    def _why_not(self, text: str, day: date, spans: Iterable[_Span]) -> str:
        known = [f"{span.agency.code}{span}" for span in spans]
        if known:
            heirs = sorted({span.agency.successor for span in spans if span.agency.successor})
            mend = f"; its successor is {', '.join(heirs)}" if heirs else ""
            return f"agency code {text!r} means nothing on {day}: it is {', '.join(known)}{mend}"
        if not self._spans:
            return f"unknown agency {text!r} (no agencies are registered)"
        suggested = self._nearest(fold(text))
        return f"unknown agency {text!r}{f'; near: {suggested!r}' if suggested else ''}"

    def _nearest(self, folded: str) -> str:
        # One wrong code may come with every row of a page, and the search is slow.
        if folded not in self._suggestions:
            if len(self._suggestions) >= _FORGET_AFTER:
                self._suggestions.clear()
            known = {**self._names, **self._spans}
            meant = near(folded[:250], list(known))
            self._suggestions[folded] = known[meant][0].spelt if meant else ""
        return self._suggestions.get(folded, "")


def _clashes(agencies: tuple[Agency, ...], spans: dict[str, list[_Span]]) -> list[Problem]:
    problems: list[Problem] = []
    codes = {agency.code for agency in agencies}
    for agency in agencies:
        first, last = agency.valid_from or date.min, agency.valid_to or date.max
        own = _Span(first, last, agency, agency.code)
        others = [
            _Span(max(first, a.valid_from or first), min(last, a.valid_to or last), agency, a.code)
            for a in agency.aliases
        ]
        for span in (own, *others):
            known = spans.setdefault(fold(span.spelt), [])
            if span.first > span.last:
                mend = "the last day is before the first, or outside the agency's own days"
                problems.append(Problem("agency-days", f"{agency.code}: {span.spelt!r} is valid on no day", mend))
            for other in known:
                if not (other.first <= span.last and span.first <= other.last):
                    continue
                if other.agency.code == agency.code and span is own:
                    mend = "keep one row, or give each its days by valid_from and valid_to"
                    problems.append(Problem("agency-twice", f"{agency.code}: two rows hold at one time", mend))
                else:
                    both = f"{agency.code} and {other.agency.code}"
                    mend = "give each its days by valid_from and valid_to"
                    problems.append(Problem("agency-clash", f"{span.spelt!r} is {both} at one time", mend))
            known.append(span)
        if agency.successor and agency.successor not in codes:
            mend = "add the successor to the register"
            problems.append(
                Problem("agency-successor", f"{agency.code}: successor {agency.successor} is unknown", mend)
            )
    return problems


__all__ = ["Agency", "AgencyLevel", "AgencyRegister", "Alias", "ParsedCode", "fold", "parse_code"]
