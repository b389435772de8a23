"""Which column is which field of a record, and why: by its name, else by the shape of its values.

A guess is only what a person would guess who sees the same sample. What is not sure says so; nothing is invented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from unicodedata import normalize

from hub.scaffold import shapes
from hub.scaffold.names import rank, turned
from hub.scaffold.sample import Column, Sample
from hub.scaffold.words import code_of
from mappings.target import Target, targets
from schemas.errors import ConfigError, Problem
from schemas.record import kind as kind_named

MOST_WORDS = 60
"""A column with more different words is no code list."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One field: `spec` is what the mapping says of it."""

    field: str
    spec: Mapping[str, Any]
    why: str
    column: Column | None = None
    doubt: str = ""
    """What a person should look at; empty where nothing is doubtful."""


@dataclass(frozen=True, slots=True)
class Code:
    """One word of a code list; `code` is None where nobody knows what it means."""

    word: str
    code: int | str | None
    count: int


@dataclass(frozen=True, slots=True)
class Guesses:
    """What was made of a sample."""

    kind: str
    fields: tuple[Guess, ...]
    tables: Mapping[str, tuple[Code, ...]]
    lacking: tuple[str, ...]
    """Fields that the record needs and that found no source."""
    unmapped: tuple[Column, ...]
    problems: tuple[Problem, ...] = ()
    """One for each field that is lacking, with the mend."""


@dataclass(slots=True)
class _Work:
    sample: Sample
    kind: str
    known: Mapping[str, Target]
    taken: dict[str, Column] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, int | str]] = field(default_factory=dict)
    """What words mean, as told, by field."""

    def free(self) -> list[Column]:
        used = {column.path for column in self.taken.values()}
        return [column for column in self.sample.columns if column.path not in used]

    def can_be_empty(self, target: Target) -> bool:
        """Whether a column of the right name is taken though the sample has no value of it."""
        if target.holds is datetime:
            return not target.required and self.usual_dates() is not None
        return target.enum is None

    def usual_dates(self) -> shapes.Dates | None:
        """How most columns of the sample write their times: for those that are empty in it."""
        found = Counter(made.formats for column in self.sample.columns if (made := shapes.dates(column.filled)))
        return shapes.Dates(found.most_common(1)[0][0]) if found else None


def guess(
    sample: Sample,
    kind: str,
    *,
    given: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    codes: Mapping[str, str] | None = None,
) -> Guesses:
    """Guess what each field of `kind` is made of.

    `given` (field to path), `constants` and `codes` (`field.word` to code) go before every guess. Raises: ConfigError
    where they name a field, a path or a code that there is not.
    """
    model = kind_named(kind)
    work = _Work(sample, kind, targets(model))
    given, constants = given or {}, constants or {}
    _take_given(work, given, constants)
    work.words = _told_words(work, codes or {})
    _by_name(work, skip={*given, *constants})
    _by_shape(work, skip={*given, *constants})
    _due_for_returned(work, skip={*given, *constants})
    fields: list[Guess] = []
    tables: dict[str, tuple[Code, ...]] = {}
    for name, target in work.known.items():
        if name in constants:
            fields.append(Guess(name, {"const": _constant(target, constants[name])}, "as told"))
        elif name in work.taken:
            made = _field(work, name, target, tables)
            if made is not None:
                fields.append(made)
        elif name == "code_notation" and _both_in_one(work):
            column = work.taken["code_number"]
            spec = {"path": column.path, "match": {"pattern": "[^/]+/(.+)", "otherwise": "none"}}
            fields.append(Guess(name, spec, "as the number, behind its first stroke", column))
        elif name == "agency_level" and "agency" in work.taken:
            column = work.taken["agency"]
            fields.append(Guess(name, {"path": column.path, "agency": "level"}, "as the agency", column))
    made_of = {one.column.path for one in fields if one.column is not None}
    filled = {one.field for one in fields}
    lacking = tuple(name for name, target in work.known.items() if target.required and name not in filled)
    unmapped = tuple(column for column in sample.columns if column.path not in made_of)
    problems = tuple(_lacking(work, name, kind) for name in lacking)
    problems += tuple(_wordless(name) for name in work.words if name not in tables)
    return Guesses(kind, tuple(fields), tables, lacking, unmapped, problems)


def _both_in_one(work: _Work) -> bool:
    """Whether the column of a document's number holds its notation too: `45/UBND-VX`."""
    column = work.taken.get("code_number")
    return column is not None and "code_notation" not in work.taken and any("/" in str(one) for one in column.filled)


def _take_given(work: _Work, given: Mapping[str, str], constants: Mapping[str, str]) -> None:
    problems = []
    columns = {column.path: column for column in work.sample.columns}
    # What is typed is composed, whatever the sample is.
    composed = {normalize("NFC", path): column for path, column in columns.items()}
    for name in {**given, **constants}:
        if name not in work.known:
            said = f"{work.kind} has no field {name!r}"
            problems.append(Problem("unknown-field", said, f"its fields are {', '.join(work.known)}"))
    for name, path in given.items():
        column = columns.get(path) or composed.get(normalize("NFC", path))
        if column is not None:
            work.taken[name], work.why[name] = column, "as told"
        else:
            said = f"--field {name}={path}: no row has {path!r}"
            problems.append(Problem("unknown-path", said, f"the rows have {', '.join(columns)}"))
    for name, text in constants.items():
        try:
            _constant(work.known[name], text) if name in work.known else None
        except ValueError as error:
            members = work.known[name].members
            mend = f"use one of: {', '.join(members)}" if members else "write a value that it takes"
            problems.append(Problem("wrong-value", f"--const {name}={text}: {error}", mend))
    if problems:
        raise ConfigError(problems)


def _told_words(work: _Work, codes: Mapping[str, str]) -> dict[str, dict[str, int | str]]:
    """`{"status.Trình ký": "4"}` by field and word. Raises: ConfigError."""
    found: dict[str, dict[str, int | str]] = {}
    problems = []
    for place, text in codes.items():
        name, dot, word = place.partition(".")
        target = work.known.get(name)
        if target is None or not target.enum or not dot or not word.strip():
            listed = ", ".join(one for one, known in work.known.items() if known.enum)
            said = f"--code {place}={text}: {name!r} is no field of {work.kind} that has codes"
            problems.append(Problem("unknown-field", said, f"write FIELD.WORD=CODE; these have codes: {listed}"))
            continue
        try:
            target.value(text)
        except ValueError as error:
            mend = f"use one of: {', '.join(target.members)}" if target.members else "write a code of the field"
            problems.append(Problem("wrong-value", f"--code {place}={text}: {error}", mend))
            continue
        found.setdefault(name, {})[normalize("NFC", word.strip())] = int(text) if text.isdecimal() else text
    if problems:
        raise ConfigError(problems)
    return found


def _constant(target: Target, text: str) -> Any:
    """Raises: ValueError."""
    if target.enum or target.holds is str:
        target.value(text)
        return text
    value = int(text) if target.holds is int else text
    target.value(value)
    return value


def _by_name(work: _Work, skip: set[str]) -> None:
    """The surest pair of field and column first, until no column is left that has a name of a field."""
    pairs: list[tuple[int, int, str, Column]] = []
    for name, target in work.known.items():
        if name in skip:
            continue
        for order, column in enumerate(work.free()):
            # `donVi/ma` is a code of an agency as `MaDonVi` is: a structure's name stands before what is in it.
            spelt = (column.name, column.path, turned(column.path))
            ranks = (rank(one, work.kind, name) for one in spelt)
            found = min((one for one in ranks if one is not None), default=None)
            if found is not None and (_fits(target, column) if column.filled else work.can_be_empty(target)):
                pairs.append((found, order, name, column))
    used: set[str] = {column.path for column in work.taken.values()}
    for _, _, name, column in sorted(pairs, key=lambda pair: pair[:2]):
        if name not in work.taken and column.path not in used:
            work.taken[name], work.why[name] = column, "by name"
            used.add(column.path)


def _fits(target: Target, column: Column) -> bool:
    """Whether a column of the right name can be meant: a time has to be one, a code has to be one of few words."""
    if target.holds is datetime:
        return shapes.dates(column.filled) is not None
    if target.enum is not None:
        return len(_words(column)) <= MOST_WORDS
    return target.holds is not int or shapes.is_level(column.filled)


def _by_shape(work: _Work, skip: set[str]) -> None:
    tests = (
        ("number", shapes.is_number, "are numbers of dossiers"),
        ("procedure_code", shapes.is_procedure, "are codes of procedures"),
        ("agency", shapes.is_agency, "are codes of agencies"),
        ("applicant_email", shapes.is_email, "are mail addresses"),
        ("applicant_phone", shapes.is_phone, "are telephone numbers"),
        ("applicant_name", shapes.is_person, "are names of persons"),
        ("person", shapes.is_person, "are names of persons"),
    )
    for name, fits, what in tests:
        if name in work.taken or name in skip or name not in work.known:
            continue
        for column in work.free():
            if column.filled and fits(column.filled):
                count = len(column.filled)
                work.taken[name], work.why[name] = column, f"by shape: {count} of {count} values {what}"
                break


def _field(work: _Work, name: str, target: Target, tables: dict[str, tuple[Code, ...]]) -> Guess | None:
    column, why = work.taken[name], work.why[name]
    spec: dict[str, Any] = {"path": column.path}
    doubt = ""
    if target.required and name == "number":
        spec["required"] = True
    if target.holds is datetime:
        written = shapes.dates(column.filled) if column.filled else work.usual_dates()
        if written is None:
            return None
        spec["date"] = _date(written)
        count, shown = len(column.filled), " or ".join(written.formats)
        why = f"{why}; by shape: {count} of {count} values are {shown}" if count else f"{why}; as the other dates"
        doubt = f"{written.or_else} would read them too: look at a day after the twelfth" if written.or_else else ""
    elif name == "agency":
        spec["agency"] = "code"
    elif name == "agency_level":
        spec["agency"] = "level"
    elif target.enum is not None:
        tables[name] = _codes(name, column, work.words.get(name, {}))
        spec["table"] = name
        unknown = sum(one.code is None for one in tables[name])
        doubt = f"{unknown} of {len(tables[name])} words are not known: see the table" if unknown else ""
    elif target.holds is int and any(not str(value).isdecimal() for value in column.filled):
        spec["match"] = r"\D*([0-9])\D*"
        spec["int"] = {}
    elif name == "applicant_id":
        spec["text"] = {"remove": " "}
    elif target.holds is bool:
        spec["bool"] = {}
        doubt = "" if _flags(column) else "say which words mean yes and no: docs/mapping.md, bool"
    elif name == "code_number" and _both_in_one(work):
        spec["match"] = "([^/]+)(?:/.*)?"
    elif work.kind == "indicator.v1" and name == "period":
        sort = shapes.period(column.filled)
        spec["period"] = sort or "any"
        doubt = "" if sort else "its values are not read so: docs/mapping.md, period"
    elif work.kind == "indicator.v1" and name == "value":
        found = shapes.notation(column.filled)
        spec["number"] = found[0] if found else "vi"
        doubt = "" if found else "its values are no numbers in one notation"
        doubt = "1.234 is a thousand here; it may be one: look at a fraction" if found and found[1] else doubt
    if name in _ENDS and not doubt:
        doubt = _contradicted(work, name) or _perhaps_due(work, name)
    if name == "due_at" and work.why[name] == _RATHER_DUE:
        doubt = f"{_contradicted(work, name)}: a due date, or say --field returned_at={column.path}"
    if not column.filled:
        doubt = "no row of the sample has a value here"
    return Guess(name, spec, why, column, doubt)


_ENDS = ("finished_at", "returned_at")
"""Times that a dossier has only when the work on it is done: what portals are told of it hangs on them."""
_IN_PROGRESS = frozenset({1, 2, 4, 5, 6})
"""Of `DossierStatus`: nobody has finished such a dossier."""
_RATHER_DUE = "by name a return; by its rows a due date"


def _due_for_returned(work: _Work, skip: set[str]) -> None:
    """Take what is called a return for the due date where dossiers in progress have it and nothing else is due."""
    if skip & {"due_at", "returned_at"} or "due_at" in work.taken or "due_at" not in work.known:
        return
    column = work.taken.get("returned_at")
    if column is not None and work.why["returned_at"] == "by name" and _contradicted(work, "returned_at"):
        del work.taken["returned_at"], work.why["returned_at"]
        work.taken["due_at"], work.why["due_at"] = column, _RATHER_DUE


def _contradicted(work: _Work, name: str) -> str:
    """In how many rows the status says that a time like this cannot be there yet; empty where it never does."""
    status, column = work.taken.get("status"), work.taken[name]
    if status is None:
        return ""
    told = work.words.get("status", {})
    codes = [None if word is None else told.get(str(word), code_of("status", str(word))) for word in status.values]
    there = [at is not None and not shapes.is_no_date(at) for at in column.values]
    wrong = sum(code in _IN_PROGRESS and has for code, has in zip(codes, there, strict=True))
    if not wrong:
        return ""
    return f"{wrong} of {len(there)} rows have it while their status says that they are in progress"


def _perhaps_due(work: _Work, name: str) -> str:
    if name != "returned_at" or "due_at" in work.taken or not work.taken[name].filled:
        return ""
    return f"no column is the due date; if this is it, say --field due_at={work.taken[name].path}"


def _flags(column: Column) -> bool:
    return all(str(value).casefold() in ("true", "false", "1", "0") for value in column.filled)


def _date(written: shapes.Dates) -> Any:
    formats: Any = written.formats[0] if len(written.formats) == 1 else list(written.formats)
    return {"format": formats, "none": list(written.none)} if written.none else formats


def _words(column: Column) -> dict[str, int]:
    counted: dict[str, int] = {}
    for value in column.filled:
        word = ("true" if value else "false") if isinstance(value, bool) else str(value)
        counted[word] = counted.get(word, 0) + 1
    return counted


def _codes(name: str, column: Column, told: Mapping[str, int | str]) -> tuple[Code, ...]:
    counted = {**_words(column), **{word: 0 for word in told if word not in _words(column)}}
    return tuple(Code(word, told.get(word, code_of(name, word)), count) for word, count in counted.items())


def _wordless(name: str) -> Problem:
    said = f"--code {name}.…: no column of the sample is {name}"
    return Problem("unknown-field", said, f"name it by --field {name}=PATH, or leave --code out")


def _lacking(work: _Work, name: str, kind: str) -> Problem:
    target = work.known[name]
    told = work.taken.get(name)
    if told is not None:
        said = f"{kind} needs {name}, and no format reads the values of {told.path}: {told.filled[:2]!r}"
        return Problem("no-format", said, "write its `date` by hand: docs/mapping-reference.md has the letters")
    listed = ", ".join([column.path for column in work.free() if column.filled][:8])
    value = target.members[0] if target.members else "…"
    mend = f"name it by --field {name}=PATH{f' (there are {listed})' if listed else ''}"
    if target.holds is not datetime:
        mend += f", or say that it is always the same: --const {name}={value}"
    return Problem("no-source", f"{kind} needs {name}, and no column of the sample looks like it", mend)
