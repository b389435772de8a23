"""The canonical record: what every kind has in common, and the register of kinds.

A kind is a subclass with a name and a version (`dossier.v1`). It declares its natural `key`, its `lane` (within which
order matters) and the time by which its source orders its states. A declared kind registers itself; one that leaves
something out fails when its class is made, not when its first record arrives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType, NoneType
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import CodeUnknownError, RefusedValueError
from schemas.fields import WORDS_OF_PATTERNS

_KIND = re.compile(r"[a-z][a-z0-9-]*\.v[1-9][0-9]*")
_SHOWN = 200
_kinds: dict[str, type[Record]] = {}

KINDS: Mapping[str, type[Record]] = MappingProxyType(_kinds)
"""Every registered kind by its name."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What counting needs of a record, kept by the ledger when bodies are pruned (R16). Dates are days in Viet Nam."""

    agency: str
    procedure: str
    status: int
    received_on: date
    due_on: date | None
    finished_on: date | None


class Record(BaseModel):
    """One canonical record: immutable, strict, without unknown fields.

    The text of a validation error shows no input, so that a stray log line gives away nobody; `refusals` shows it.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    kind: ClassVar[str]
    event: ClassVar[bool]
    """False: a snapshot, the newest state counts. True: an event, each one counts."""
    commutative: ClassVar[bool] = False
    """True for events that may overtake each other behind a dead one (R6)."""
    time_field: ClassVar[str | None] = None
    """The field that holds the source's own time: of the change for a snapshot, of the event for an event."""

    day_field: ClassVar[str | None] = None
    """The field that says as of which day registers are asked: a time, or a period; None for `time_field`."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        problems = _problems_of(cls)
        if problems:
            raise TypeError(f"{cls.__name__} is no record kind: {'; '.join(problems)}")
        _kinds[cls.kind] = cls
        cls._time_name = (cls.time_field or "").encode()
        cls._beside_facts = {cls.time_field} if cls.time_field and not cls.event else None

    _beside_facts: ClassVar[set[str] | None] = None
    _time_name: ClassVar[bytes] = b""

    @property
    def key(self) -> str:
        """What this record is about, the same for every revision of it; unique within its kind."""
        raise NotImplementedError

    @property
    def lane(self) -> str:
        """Within which order matters; a step shares the lane of its dossier."""
        raise NotImplementedError

    @property
    def source_time(self) -> datetime | None:
        """The source's own time (aware UTC); None where the source tells none."""
        return None if self.time_field is None else getattr(self, self.time_field)

    def facts(self) -> bytes:
        """What two revisions are compared by: every value as JSON but a snapshot's `time_field`, in the order in which
        the kind declares its fields. A field without value is left out, so a kind may be given another optional one."""
        return self.__pydantic_serializer__.to_json(self, exclude=self._beside_facts, exclude_none=True)

    def to_json(self, facts: bytes | None = None) -> bytes:
        """The record as JSON, UTF-8, times ending in Z; `from_json` gives an equal record back.

        `facts` are this record's own, where the caller has made them already.
        """
        if facts is None:
            facts = self.facts()
        if self._beside_facts is None or (at := self.source_time) is None:
            return facts
        if at.tzinfo is not UTC or facts == b"{}":
            return self.__pydantic_serializer__.to_json(self, exclude_none=True)
        # Dumped once: the time is all that the facts lack.
        return b'%s,"%s":"%sZ"}' % (facts[:-1], self._time_name, at.isoformat()[:-6].encode())

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read what `to_json` wrote. Raises: pydantic.ValidationError (see `refusals`)."""
        return cls.model_validate_json(body)

    def counted(self) -> Counted | None:
        """What counting needs, None for a kind that is not counted."""
        return None


def kind(name: str) -> type[Record]:
    """The registered kind of that name. Raises: CodeUnknownError that lists the kinds there are."""
    try:
        return _kinds[name]
    except KeyError:
        raise CodeUnknownError(f"unknown kind {name!r}; the kinds are {', '.join(sorted(_kinds))}") from None


def lane_of(kind: str, key: str) -> str:
    """The lane that a key of that kind is in: an event's key begins with it, up to the first bar (R6)."""
    known = _kinds.get(kind)
    return key if known is not None and not known.event else key.partition("|")[0]


def refusals(error: ValidationError) -> list[RefusedValueError]:
    """Say each problem of a validation error with its field and the value found; the sender's fault each."""
    return [_refusal(detail, error.title) for detail in error.errors(include_url=False)]


def _refusal(detail: ErrorDetails, title: str) -> RefusedValueError:
    field = ".".join(str(part) for part in detail["loc"]) or title
    if detail["type"] == "missing":
        return RefusedValueError("is required", field=field)
    reason = detail["msg"]
    if detail["type"] == "extra_forbidden":
        reason = f"is no field of {title}"
    elif detail["type"] == "string_pattern_mismatch":
        reason = WORDS_OF_PATTERNS.get(detail["ctx"]["pattern"], reason)
    return RefusedValueError(reason, field=field, value=None if detail["input"] is None else _shown(detail["input"]))


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _takes_none(annotation: Any) -> bool:
    return annotation is NoneType or NoneType in get_args(annotation)


def _problems_of(cls: type[Record]) -> list[str]:
    problems = []
    name = cls.__dict__.get("kind")
    if not isinstance(name, str) or not _KIND.fullmatch(name):
        problems.append(f"kind should be like 'dossier.v1', is {name!r}")
    elif name in _kinds:
        problems.append(f"kind {name!r} is already {_kinds[name].__module__}.{_kinds[name].__qualname__}")
    if not isinstance(getattr(cls, "event", None), bool):
        problems.append("event should be True or False")
    problems += [f"{part} is not declared" for part in ("key", "lane") if getattr(cls, part) is getattr(Record, part)]
    if cls.time_field is not None and cls.time_field not in cls.model_fields:
        problems.append(f"time_field {cls.time_field!r} is no field")
    if cls.day_field is not None and cls.day_field not in cls.model_fields:
        problems.append(f"day_field {cls.day_field!r} is no field")
    if getattr(cls, "event", False) is True and cls.time_field is None:
        problems.append("an event should declare time_field")
    for name, info in cls.model_fields.items():
        if (info.get_default() is not None) if not info.is_required() else _takes_none(info.annotation):
            problems.append(f"{name} should have the default None: what has no value is left out of the JSON")
    return problems
