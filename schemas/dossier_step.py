"""One step in the processing of a dossier (bước xử lý): kind `dossier-step.v1`, an event."""

from __future__ import annotations

from typing import Annotated, ClassVar

from schemas.fields import Moment, Number, Person, Prose, Short, Status
from schemas.record import Record
from schemas.sensitivity import Sensitive, Sensitivity

_PERSONAL = Sensitive(Sensitivity.PERSONAL)


class DossierStep(Record):
    """Who did what to a dossier, when. Two steps with equal dossier, time, person and status are one step.

    Raises (on validation): pydantic.ValidationError.
    """

    kind: ClassVar[str] = "dossier-step.v1"
    event: ClassVar[bool] = True
    time_field: ClassVar[str | None] = "at"

    number: Number
    at: Moment
    person: Annotated[Person, _PERSONAL]
    position: Short | None = None
    unit: Short | None = None
    content: Annotated[Prose, _PERSONAL]
    status: Status
    """What the dossier became by this step."""
    started_at: Moment | None = None
    due_at: Moment | None = None

    @property
    def key(self) -> str:
        """`number|time|person|status`, the step's own facts (R6); time in UTC, ISO 8601 with Z."""
        at = self.at.isoformat().removesuffix("+00:00")
        return f"{self.number}|{at}Z|{self.person}|{int(self.status)}"

    @property
    def lane(self) -> str:
        return self.number
