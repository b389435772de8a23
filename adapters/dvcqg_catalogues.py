"""The catalogues of the national portal: what is asked, and how an answer's members become the hub's names. Pure.

The names of the services are public (LayDanhMucCoQuan, LayDanhSachTTHC, LayDanhMucLinhVuc). What their answers look
like is not: where the list is, what its members are called and how days are written is assumed here, after the fields
of dossiers, and every bit of it is a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hub.answers import at_path
from schemas.codes import AgencyLevel

Member = Annotated[str, Field(min_length=1)]
_DAYS = (
    re.compile(r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:\d{4,6})?"),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:[T ].*)?"),
    re.compile(r"(?P<day>\d\d?)/(?P<month>\d\d?)/(?P<year>\d{4})(?: .*)?"),
)


class CatalogueSettings(BaseModel):
    """One catalogue. All but the service's name is assumed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: Member
    """The name of the service that shows it."""
    at: Member = "result"
    """Where the list is in the answer, a dotted path; assumed, after TraCuuHoSo."""
    arguments: dict[str, str] = Field(default_factory=dict)
    """Members of the request beside session, madonvi and service."""
    province: Member | None = None
    """The member of the request that names a province, where the portal wants one: it is then asked for each."""
    code: Member
    """The member of an entry that holds its code."""
    name: Member
    """The member that holds its name."""
    valid_from: Member = "NgayHieuLuc"
    """The member that holds the first day on which it holds."""
    valid_to: Member = "NgayHetHieuLuc"
    """The member that holds the last day on which it holds."""
    successor: Member = "MaThayThe"
    """The member that holds the code of what took its place."""

    @property
    def members(self) -> Mapping[str, str]:
        """The portal's name of each of the hub's."""
        return {name: getattr(self, name) for name in ("code", "name", "valid_from", "valid_to", "successor")}


class AgenciesSettings(CatalogueSettings):
    """The catalogue of agencies."""

    service: Member = "LayDanhMucCoQuan"
    """The name of the service that shows it."""
    code: Member = "MaCoQuan"
    """The member of an entry that holds its code."""
    name: Member = "TenCoQuan"
    """The member that holds its name."""
    level: Member = "CapCoQuan"
    """The member that holds the agency's level."""
    levels: dict[str, AgencyLevel] = {
        "1": AgencyLevel.CENTRAL,
        "2": AgencyLevel.PROVINCE,
        "3": AgencyLevel.DISTRICT,
        "4": AgencyLevel.COMMUNE,
    }
    """What the portal's levels are."""
    level_absent: AgencyLevel | None = None
    """The level of an agency of which the portal tells none; without it such an entry cannot be taken over."""


class ProceduresSettings(CatalogueSettings):
    """The catalogue of procedures."""

    service: Member = "LayDanhSachTTHC"
    """The name of the service that shows it."""
    code: Member = "MaTTHC"
    """The member of an entry that holds its code."""
    name: Member = "TenTTHC"
    """The member that holds its name."""
    field_code: Member = "MaLinhVuc"
    """The member that holds the code of the procedure's field."""
    field_name: Member = "TenLinhVuc"
    """The member that holds the name of the procedure's field."""

    @property
    def members(self) -> Mapping[str, str]:
        return {**super().members, "field_code": self.field_code, "field_name": self.field_name}


class FieldsSettings(CatalogueSettings):
    """The catalogue of the fields that procedures belong to."""

    service: Member = "LayDanhMucLinhVuc"
    """The name of the service that shows it."""
    code: Member = "MaLinhVuc"
    """The member of an entry that holds its code."""
    name: Member = "TenLinhVuc"
    """The member that holds its name."""


class CataloguesSettings(BaseModel):
    """How each catalogue is asked for and read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agencies: AgenciesSettings = AgenciesSettings()
    procedures: ProceduresSettings = ProceduresSettings()
    fields: FieldsSettings = FieldsSettings()


def requests(settings: CatalogueSettings, provinces: Sequence[str]) -> list[dict[str, str]]:
    """The requests that show a catalogue whole, without session and madonvi."""
    asked = {"service": settings.service, **settings.arguments}
    if settings.province is None:
        return [asked]
    return [{**asked, settings.province: province} for province in provinces]


def entries(settings: CatalogueSettings, answer: Any) -> list[dict[str, Any]] | None:
    """The entries of an answer in the hub's names; None where the list is not there. What is no object stays odd, so
    that the hub counts it as wrong."""
    listed = at_path(answer, settings.at)
    if not isinstance(listed, list):
        return None
    return [_entry(settings, row) if isinstance(row, dict) else {} for row in listed]


def _entry(settings: CatalogueSettings, row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in settings.members.items():
        value = row.get(member)
        if value in (None, ""):
            continue
        found[name] = day(value) if name in ("valid_from", "valid_to") else value
    if isinstance(settings, AgenciesSettings):
        told = row.get(settings.level)
        level = settings.level_absent if told in (None, "") else settings.levels.get(str(told))
        found["level"] = told if level is None else level.value
    return found


def day(value: Any) -> Any:
    """A day as ISO text, from the ways in which days are written; what is none stays as it is, for the hub to see."""
    for pattern in _DAYS:
        read = pattern.fullmatch(value.strip()) if isinstance(value, str) else None
        if read is not None:
            try:
                return date(int(read["year"]), int(read["month"]), int(read["day"])).isoformat()
            except ValueError:
                return value
    return value
