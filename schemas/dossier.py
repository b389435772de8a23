"""A dossier (hồ sơ) of an administrative procedure, as its one-stop shop sees it now: kind `dossier.v1`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.codes import label
from schemas.fields import (
    AgencyCode,
    Applicant,
    Code,
    FilingChannel,
    Level,
    Line,
    Moment,
    Number,
    Prose,
    ServiceLevel,
    Short,
    Status,
)
from schemas.local_time import local_date
from schemas.record import Counted, Record
from schemas.sensitivity import Sensitive, Sensitivity

_PERSONAL = Sensitive(Sensitivity.PERSONAL)
_PUBLIC = Sensitive(Sensitivity.PUBLIC)


class Dossier(Record):
    """One dossier, a snapshot; field by field in docs/glossary.md. Free text may name a person, so it is personal too.

    Raises (on validation): pydantic.ValidationError. Beside the limits of each field: a finished dossier (status 9 or
    10) has `finished_at`, and nothing is finished before it was received.
    """

    kind: ClassVar[str] = "dossier.v1"
    event: ClassVar[bool] = False
    time_field: ClassVar[str | None] = "changed_at"
    day_field: ClassVar[str | None] = "received_at"

    number: Number
    procedure_code: Annotated[Code, _PUBLIC]
    procedure_name: Annotated[Line, _PUBLIC]
    field_code: Annotated[Code | None, _PUBLIC] = None
    field_name: Annotated[Short | None, _PUBLIC] = None
    agency: Annotated[AgencyCode, _PUBLIC]
    agency_level: Annotated[Level, _PUBLIC]
    applicant_kind: Applicant
    applicant_name: Annotated[Short, _PERSONAL]
    applicant_id: Annotated[Short | None, _PERSONAL] = None
    applicant_address: Annotated[Line | None, _PERSONAL] = None
    applicant_phone: Annotated[Short | None, _PERSONAL] = None
    applicant_email: Annotated[Short | None, _PERSONAL] = None
    summary: Annotated[Line | None, _PERSONAL] = None
    channel: FilingChannel
    service_level: ServiceLevel | None = None
    status: Status
    received_at: Moment
    due_at: Moment | None = None
    finished_at: Moment | None = None
    """When the work on it ended (NgayKetThucXuLy); deadlines are judged by it."""
    returned_at: Moment | None = None
    """When the citizen fetched the result (NgayTra); never used for deadlines."""
    note: Annotated[Prose | None, _PERSONAL] = None
    changed_at: Moment | None = None
    """The source's own time of this state."""

    @model_validator(mode="after")
    def _finish_is_possible(self) -> Self:
        if self.finished_at is None:
            if self.status.finished:
                raise self._refused(
                    PydanticCustomError(
                        "finish_missing",
                        "A dossier of status {status} ({label}) needs its finish time",
                        {"status": int(self.status), "label": label(self.status).en.lower()},
                    )
                )
        elif self.finished_at < self.received_at:
            raise self._refused(
                PydanticCustomError(
                    "finish_before_receipt",
                    "Finish time should not be before the time of receipt, {received}",
                    {"received": self.received_at.isoformat()},
                )
            )
        return self

    def _refused(self, problem: PydanticCustomError) -> ValidationError:
        # Raised inside a validator, this keeps its field; a plain ValueError there would name none.
        detail = InitErrorDetails(type=problem, loc=("finished_at",), input=self.finished_at)
        return ValidationError.from_exception_data(type(self).__name__, [detail], hide_input=True)

    @property
    def key(self) -> str:
        return self.number

    @property
    def lane(self) -> str:
        return self.number

    def counted(self) -> Counted:
        return Counted(
            agency=self.agency,
            procedure=self.procedure_code,
            status=int(self.status),
            received_on=local_date(self.received_at),
            due_on=local_date(self.due_at) if self.due_at else None,
            finished_on=local_date(self.finished_at) if self.finished_at else None,
        )
