"""An issued document (văn bản) as the system of its sender lists it: kind `document.v1`, a snapshot.

Named after the elements of edXML (QCVN 102:2016/BTTTT), flat: what a list of documents says, without files and without
what becomes of the document at its receivers.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from schemas.fields import (
    AgencyCode,
    Barless,
    DocumentId,
    DocumentMedium,
    DocumentPriority,
    Moment,
    Prose,
    Short,
)
from schemas.local_time import local_date
from schemas.record import Record
from schemas.sensitivity import Sensitive, Sensitivity

_PERSONAL = Sensitive(Sensitivity.PERSONAL)
_PUBLIC = Sensitive(Sensitivity.PUBLIC)


class Document(Record):
    """One document; field by field in docs/glossary.md. Its subject may name a person, so it is personal too.

    Raises (on validation): pydantic.ValidationError.
    """

    kind: ClassVar[str] = "document.v1"
    event: ClassVar[bool] = False
    time_field: ClassVar[str | None] = "changed_at"
    day_field: ClassVar[str | None] = "promulgated_at"

    document_id: DocumentId | None = None
    """DocumentId, where the system has one; it is not the key, since it may name the agency by another code."""
    agency: Annotated[AgencyCode, _PUBLIC]
    """The sender, who issued it: From/OrganId."""
    code_number: Barless
    """Code/CodeNumber, as text: `45`, `45a`."""
    code_notation: Barless | None = None
    """Code/CodeNotation: `UBND-VX`, `QĐ-UBND`."""
    promulgated_at: Moment
    """PromulgationInfo/PromulgationDate; only its day in Viet Nam counts."""
    promulgation_place: Short | None = None
    type_name: Annotated[Short | None, _PUBLIC] = None
    """DocumentType/TypeName: `Công văn`. The numbers beside it differ from vendor to vendor."""
    subject: Annotated[Prose, _PERSONAL]
    signer_name: Annotated[Short | None, _PERSONAL] = None
    """SignerInfo/FullName."""
    signer_position: Short | None = None
    receivers: Annotated[Prose | None, _PERSONAL] = None
    """To and ToPlaces as one text, as the system writes it: codes or names; some are persons."""
    priority: DocumentPriority | None = None
    medium: DocumentMedium | None = None
    """How it was sent: electronically, on paper, or both in parallel."""
    signed: bool | None = None
    """Whether it carries a digital signature."""
    due_at: Moment | None = None
    changed_at: Moment | None = None
    """The source's own time of this state."""

    @property
    def key(self) -> str:
        """`<agency>,<yyyy/MM/dd>,<number>/<notation>`: what edXML makes a DocumentId of, with the canonical code."""
        code = self.code_number if self.code_notation is None else f"{self.code_number}/{self.code_notation}"
        return f"{self.agency},{local_date(self.promulgated_at):%Y/%m/%d},{code}"

    @property
    def lane(self) -> str:
        return self.key
