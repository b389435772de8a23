"""What mappings give and take: the rows of an arrival, the refusals, and the surroundings they are read in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from schemas.agency import AgencyRegister
from schemas.errors import RefusedValueError
from schemas.procedure import ProcedureRegister
from schemas.record import Record

Verdict: TypeAlias = Literal["reject", "park"]

NO_PROCEDURES = ProcedureRegister.empty()

SHOWN = 200
"""Characters of a refused value that an error quotes."""


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What reading an arrival needs beside its bytes; `label` is the arrival's (`hoso-0003.csv`)."""

    agencies: AgencyRegister
    label: str = ""
    procedures: ProcedureRegister = NO_PROCEDURES


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What rendering needs beside the record."""

    agencies: AgencyRegister
    procedures: ProcedureRegister = NO_PROCEDURES


class RefusedRowError(RefusedValueError):
    """A row with one or more refused values: it reads like the first of them, `others` are the rest, `problems` all.

    Its verdict is `reject` as soon as one value is the sender's fault: the sender has to send the row again anyway.
    """

    def __init__(self, problems: Sequence[RefusedValueError]) -> None:
        first = problems[0]
        worst: Verdict = "reject" if any(problem.verdict == "reject" for problem in problems) else "park"
        super().__init__(
            first.reason,
            mapping=first.mapping,
            field=first.field,
            path=first.path,
            value=first.value,
            verdict=worst,
        )
        self.problems: tuple[RefusedValueError, ...] = tuple(problems)

    @property
    def others(self) -> tuple[RefusedValueError, ...]:
        return self.problems[1:]


class Renumbered(NamedTuple):
    """A dossier that got another number at its source."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RowOk:
    """A row that became a record. `position`: (row of the page, part of the row), unique and stable."""

    position: tuple[int, int]
    record: Record
    deleted: bool = False
    """True where the row says that it is deleted at its source: its record is for nobody."""
    renumbered: Renumbered | None = None
    """Where the row says that its dossier got another number: the record is the new dossier, or for nobody where it is
    (a step of) the old one."""


@dataclass(frozen=True, slots=True)
class RowRefused:
    """A row that did not become a record, with every reason; `raw` can be read again by `InboundMapping.reread`."""

    position: tuple[int, int]
    verdict: Verdict
    error: RefusedRowError
    key: str | None
    """The key that the record would have had; None where the values it is made of were refused too."""
    raw: bytes
    """Canonical bytes of the row: equal for equal rows."""
    lane: str | None = None
    where: str = ""
    """The row's place, for people: `HoSo[3]`, `du_lieu[2]`, `line 14`."""
    agency: str | None = None
    """The canonical code of the agency whose row it is; None where that was refused too, or the kind has none."""


Row: TypeAlias = RowOk | RowRefused


def shown(value: object) -> str:
    """A value as an error quotes it, shortened."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
