"""The field types that canonical records are made of: text, codes and times with their limits.

Limits are pydantic-core constraints; the only Python in the way of a value is one function per text (NFC, no control
characters) and one per time (to UTC). Lengths in characters: those of the national portal where it has one,
else wide enough for what was seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias
from unicodedata import is_normalized

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.codes import AgencyLevel, ApplicantKind, Channel, DossierStatus, Medium, Priority

# XML 1.0 can carry none of these and PostgreSQL no NUL; tab and the line ends are text.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")

NEW_FORM = r"[A-Z][0-9]{2}(?:\.[A-Z0-9]+)*"
"""An agency code of Decision 20/2020/QĐ-TTg, widest level first: `H59.12`, `H37.DN.001`."""
OLD_FORM = r"[0-9][A-Z0-9]{2}\.[A-Z0-9]{2}\.[A-Z0-9]{2}\.[A-Z][0-9]{2}"
"""An agency code of QCVN 102:2016/BTTTT, widest level last: `000.00.05.H59`."""

WORDS_OF_PATTERNS = {
    (_NO_BLANKS := r"^\S+$"): "should hold no blank",
    (_NO_BLANKS_OR_BARS := r"^[^\s|]+$"): "should hold no blank and no '|'",
    (_AGENCY := f"^(?:{NEW_FORM}|{OLD_FORM})$"): "is no agency code; the forms are 'H59.05' and '000.00.05.H59'",
    (_PERIOD := r"^(?:19|20|21)[0-9]{2}(?:-(?:0[1-9]|1[0-2]|Q[1-4]))?$"): (
        "is no period; the forms are '2026-03', '2026-Q1' and '2026'"
    ),
    (_AMOUNT := r"^(?:0|-?(?:[1-9][0-9]*|0\.[0-9]*[1-9]|[1-9][0-9]*\.[0-9]*[1-9]))$"): (
        "is no decimal number in canonical form, like '1234.5': digits, a dot, no needless zeros"
    ),
}
"""What a person is told who misses a pattern."""


def clean_text(text: str) -> str:
    """Return `text`, refusing decomposed Unicode and control characters; canonical text is NFC ("dựng sẵn")."""
    # Nothing printable is a control character.
    if text.isprintable() and (text.isascii() or is_normalized("NFC", text)):
        return text
    if not is_normalized("NFC", text):
        raise PydanticCustomError("text_not_nfc", "Text should be composed Unicode (NFC)")
    found = _CONTROL.search(text)
    if found:
        raise PydanticCustomError(
            "text_control_character",
            "Text should hold no control character, has {code} at position {position}",
            {"code": f"U+{ord(found.group()):04X}", "position": found.start() + 1},
        )
    return text


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)


_STATUS_BY_NUMBER: Mapping[int, DossierStatus] = {int(status): status for status in DossierStatus}


def _status(value: Any) -> DossierStatus:
    # By exact type: pydantic's own lax enum would also take "1", 1.0 and True.
    if type(value) in (int, DossierStatus) and value in _STATUS_BY_NUMBER:
        return _STATUS_BY_NUMBER[value]
    raise PydanticCustomError("status_number", "Status should be a whole number from 1 to 10")


def _at_most(characters: int, pattern: str | None = None) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=characters, pattern=pattern)


Code: TypeAlias = Annotated[str, _at_most(60, _NO_BLANKS), AfterValidator(clean_text)]
"""A code of somebody's list: no blanks, at most 60 characters."""
Number: TypeAlias = Annotated[str, _at_most(60, _NO_BLANKS_OR_BARS), AfterValidator(clean_text)]
"""A dossier number, `<agency code>-<yyMMdd>-<serial>` by rule, anything without blanks or bars in practice."""
AgencyCode: TypeAlias = Annotated[str, _at_most(35, _AGENCY)]
"""The code of an agency in one of the national forms; 35 characters since QCVN 102:2016 SĐ1:2022."""
Person: TypeAlias = Annotated[str, _at_most(50), AfterValidator(clean_text)]
"""An official's name, at most 50 characters (NguoiXuLy of the national portal)."""
Short: TypeAlias = Annotated[str, _at_most(250), AfterValidator(clean_text)]
Line: TypeAlias = Annotated[str, _at_most(1000), AfterValidator(clean_text)]
"""One line, at most 1,000 characters (TrichYeuHoSo of the national portal)."""
Prose: TypeAlias = Annotated[str, _at_most(4000), AfterValidator(clean_text)]

Moment: TypeAlias = Annotated[
    AwareDatetime,
    Field(ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    AfterValidator(_utc),
]
"""An aware time, kept in UTC, in 1900-2199: outside stands what legacy systems mean by "no date"
(0001-01-01, 9999-12-31)."""

Status: TypeAlias = Annotated[DossierStatus, BeforeValidator(_status)]
"""A status by its member or its number; text, floats and booleans are refused."""
Barless: TypeAlias = Annotated[str, _at_most(60, _NO_BLANKS_OR_BARS), AfterValidator(clean_text)]
"""A code or number that a key is made of, as `Number` is that of a dossier: no blanks, no bars."""
DocumentId: TypeAlias = Annotated[str, _at_most(200, _NO_BLANKS_OR_BARS), AfterValidator(clean_text)]
"""By rule `<OrganId>,<yyyy/MM/dd>,<number>/<notation>` (QCVN 102:2016/BTTTT), anything without blanks in practice."""
Unit: TypeAlias = Annotated[str, _at_most(60), AfterValidator(clean_text)]
"""A unit of measure: `tỷ đồng`, `hộ`, `%`."""
Period: TypeAlias = Annotated[str, _at_most(7, _PERIOD)]
"""A month, a quarter or a year, as in ISO 8601 where that has it: `2026-03`, `2026-Q1`, `2026`; they sort by year."""
Amount: TypeAlias = Annotated[str, _at_most(32, _AMOUNT)]
"""A decimal number as text, one text for one number; what the converter `number` of mappings gives."""

Level: TypeAlias = Annotated[AgencyLevel, Field(strict=False)]
Applicant: TypeAlias = Annotated[ApplicantKind, Field(strict=False)]
FilingChannel: TypeAlias = Annotated[Channel, Field(strict=False)]
ServiceLevel: TypeAlias = Annotated[int, Field(ge=1, le=4)]
"""The level of an online public service (mức độ 1 to 4)."""
DocumentPriority: TypeAlias = Annotated[Priority, Field(strict=False)]
DocumentMedium: TypeAlias = Annotated[Medium, Field(strict=False)]
