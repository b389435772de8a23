"""What both portals must show in the end, from the year itself: nothing of the hub's mappings is used.

The truth file (JSON, read by `adapters/sandbox/books.py`):

    agencies   {slug: {name, code, old_code, system}}
    portals    {portal: {snapshot|step: {service, fields: [wire field, …]}}}; of a snapshot also the fields of due and
               finish time and of the status (where the wire has it), and how many characters of a time are the day
    dossiers   {number: {agency: slug, versions: [version, …], steps: [step, …]}}
    version    {tick, changed, status, received, due, finished|null, national: […], provincial: […]}
    step       {tick, at, person, status, key, national: […], provincial: […]}
    broken     [{number, shown_number, agency, tick, mended_tick, trouble, state: parked|rejected, field, value, mend}]
    flipped    the number of the dossier that goes A, B, A
    note       what of all this is invented

`national` and `provincial` hold the values of `portals.….fields` in that order, as they go over the wire, "" for none.
Versions and steps are those that were served whole, in order of time; broken versions are in `broken` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.sandbox.tra_vinh import legacy
from adapters.sandbox.tra_vinh.agencies import AGENCIES, SPLIT_NOTE
from adapters.sandbox.tra_vinh.course import Dossier, Step, Version
from adapters.sandbox.tra_vinh.dossiers import Broken, Course

PORTALS: dict[str, dict[str, dict[str, Any]]] = {
    "national": {
        "snapshot": {
            "service": "DongBoHoSoMC",
            "fields": [
                *("MaHoSo", "MaTTHC", "ChuHoSo", "TrichYeuHoSo", "NgayTiepNhan", "NgayHenTra"),
                *("TrangThaiHoSo", "NgayKetThucXuLy", "NgayTra", "GhiChu"),
            ],
            "due": "NgayHenTra",
            "finished": "NgayKetThucXuLy",
            "status": "TrangThaiHoSo",
            "day": 8,
        },
        "step": {
            "service": "CapNhatTienDoHoSoMC",
            "fields": ["MaHoSo", "ThoiDiemXuLy", "NguoiXuLy", "ChucDanh", "PhongBanXuLy", "NoiDungXuLy", "TrangThai"],
        },
    },
    "provincial": {
        "snapshot": {
            "service": "SyncDocument",
            "fields": [
                *("DocCode", "DocTypeCode", "CitizenName", "Compendium", "DateReceived", "DateAppointed"),
                *("SuccessDate", "ReturnedDate", "Note"),
            ],
            "due": "DateAppointed",
            "finished": "SuccessDate",
            "day": 10,
        },
        "step": {
            "service": "UpdateDocumentTraces",
            "fields": ["DocCode", "DateCreated", "UserName", "UserPosition", "Comment"],
        },
    },
}


def truth(course: Course) -> dict[str, Any]:
    """The truth of a year, JSON-able."""
    return {
        "note": SPLIT_NOTE,
        "agencies": {
            agency.slug: {
                "name": agency.name,
                "code": agency.code,
                "old_code": agency.old_code,
                "system": agency.system,
            }
            for agency in AGENCIES
        },
        "portals": PORTALS,
        "dossiers": {
            dossier.number: {
                "agency": dossier.agency.slug,
                "versions": [_version(dossier, version) for version in dossier.versions],
                "steps": [_step(dossier, version, step) for version in dossier.versions for step in version.steps],
            }
            for dossier in course.dossiers
        },
        "broken": [_broken(broken) for broken in course.broken],
        "flipped": course.flipped,
    }


def _wire_time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000+0700" if at else ""


def _version(dossier: Dossier, version: Version) -> dict[str, Any]:
    return {
        "tick": version.tick,
        "changed": version.changed_at.isoformat(),
        "status": version.status,
        "received": dossier.received_at.date().isoformat(),
        "due": dossier.due_at.date().isoformat(),
        "finished": version.finished_at.date().isoformat() if version.finished_at else None,
        "national": [
            dossier.number,
            dossier.procedure.code,
            dossier.applicant.name,
            dossier.summary,
            legacy.packed(dossier.received_at),
            legacy.packed(dossier.due_at),
            str(version.status),
            legacy.packed(version.finished_at),
            legacy.packed(version.returned_at),
            version.note,
        ],
        "provincial": [
            dossier.number,
            dossier.procedure.code,
            dossier.applicant.name,
            dossier.summary,
            _wire_time(dossier.received_at),
            _wire_time(dossier.due_at),
            _wire_time(version.finished_at),
            _wire_time(version.returned_at),
            version.note,
        ],
    }


def _step(dossier: Dossier, version: Version, step: Step) -> dict[str, Any]:
    post = step.post
    return {
        "tick": version.tick,
        "at": step.at.isoformat(),
        "person": post.person,
        "status": step.status,
        "key": f"{dossier.number}|{step.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}|{post.person}|{step.status}",
        "national": [
            dossier.number,
            legacy.packed(step.at),
            post.person,
            post.position,
            post.unit,
            step.content,
            str(step.status),
        ],
        "provincial": [dossier.number, _wire_time(step.at), post.person, post.position, step.content],
    }


_MENDS: dict[str, tuple[str, str, str, str]] = {
    "unknown-status": (
        "parked",
        "TrangThai",
        legacy.UNKNOWN_STATUS,
        "ours: add the word to the status table of the mapping one-stop-soap/dossier and read it again",
    ),
    "impossible-date": (
        "rejected",
        "NgayHenTra",
        legacy.IMPOSSIBLE_DATE,
        "the agency's: give a date that the calendar has",
    ),
    "missing-number": ("rejected", "SoHoSo", "", "the agency's: give the dossier its number"),
}


def _broken(broken: Broken) -> dict[str, Any]:
    state, field, value, mend = _MENDS[broken.trouble]
    number = broken.dossier.number
    return {
        "number": number,
        "shown_number": None if broken.trouble == "missing-number" else number,
        "agency": broken.dossier.agency.slug,
        "tick": broken.version.tick,
        "mended_tick": broken.mended_tick,
        "trouble": broken.trouble,
        "state": state,
        "field": field,
        "value": value,
        "mend": mend,
    }


def stage_data(course: Course, ticks: int, repeat_agency: str, repeat_tick: int) -> dict[str, Any]:
    """The data file of the three source twins (its shape: `adapters/sandbox/ticks.py`)."""
    held: dict[str, list[list[tuple[datetime, legacy.Row]]]] = {
        agency.slug: [[] for _ in range(ticks)] for agency in AGENCIES
    }
    for dossier in course.dossiers:
        seen: Sequence[Step] = ()
        for version in dossier.versions:
            of_tick = held[dossier.agency.slug][version.tick - 1]
            of_tick += [(version.changed_at, row) for row in legacy.rows(dossier, version, seen)]
            seen = (*seen, *version.steps)
    for broken in course.broken:
        held[broken.dossier.agency.slug][broken.version.tick - 1].append(
            (broken.version.changed_at, legacy.broken_row(broken))
        )
    return {
        "agencies": {
            agency.slug: {
                "name": agency.name,
                "code": agency.old_code,
                "system": agency.system,
                "ticks": [[row for _, row in sorted(tick, key=lambda pair: pair[0])] for tick in held[agency.slug]],
            }
            for agency in AGENCIES
        },
        "repeat_page": {"agency": repeat_agency, "tick": repeat_tick},
    }
