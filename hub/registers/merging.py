"""The registers in force: what is written by hand, and what a portal's catalogues add to it. Pure.

What is written by hand goes before: an entry of the portal whose code stands in the file, as a code or as an alias,
adds nothing, and where it says something else that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from hub.ledger.registers import Entry
from schemas.agency import Agency, AgencyRegister, fold
from schemas.procedure import Procedure, ProcedureField, ProcedureRegister


class Registers(NamedTuple):
    """What every look-up of a mapping is answered from."""

    agencies: AgencyRegister
    procedures: ProcedureRegister


def merge(written: Registers, entries: Iterable[Entry]) -> tuple[Registers, list[str]]:
    """The registers in force, and where file and portal differ, in words."""
    by_register: dict[str, list[Entry]] = {"agencies": [], "procedures": [], "fields": []}
    for entry in entries:
        by_register.get(entry.register, []).append(entry)
    differ: list[str] = []
    agencies = written.agencies
    if by_register["agencies"]:
        agencies = AgencyRegister(_agencies(written.agencies, by_register["agencies"], differ))
    procedures = written.procedures
    if by_register["procedures"] or by_register["fields"]:
        procedures = ProcedureRegister(
            _procedures(written.procedures, by_register["procedures"], differ),
            [ProcedureField.model_validate(data) for data in _living(by_register["fields"])],
        )
    return Registers(agencies, procedures), differ


def _agencies(written: AgencyRegister, entries: Sequence[Entry], differ: list[str]) -> list[Agency]:
    by_hand: dict[str, Agency] = {}
    for agency in written:
        by_hand |= {fold(code): agency for code in (agency.code, *(alias.code for alias in agency.aliases))}
    living = []
    for data in _living(entries):
        known = by_hand.get(fold(data["code"]))
        if known is None:
            living.append(data)
        else:
            differ += _differences("agencies", data, known.name, known.valid_to, known.successor, known.code)
    codes = {agency.code for agency in written} | {data["code"] for data in living}
    made = []
    for data in living:
        heir = data.get("successor")
        if heir is not None and heir not in codes:
            # By the file's code where that knows it under another one; what nobody knows is left out.
            meant = by_hand.get(fold(heir))
            data = {**data, "successor": None if meant is None else meant.code}
        made.append(Agency.model_validate(data))
    return [*written, *made]


def _procedures(written: ProcedureRegister, entries: Sequence[Entry], differ: list[str]) -> list[Procedure]:
    by_hand: dict[str, Procedure] = {}
    for one in written:
        by_hand |= {fold(code): one for code in (one.code, *(alias.code for alias in one.aliases))}
    made = []
    for data in _living(entries):
        known = by_hand.get(fold(data["code"]))
        if known is None:
            made.append(Procedure.model_validate(data))
        else:
            differ += _differences("procedures", data, known.name, known.valid_to, known.successor, known.code)
    return [*written, *made]


def _living(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """Each entry as a row; what the portal shows no more ended the day before. One that held on no day is left out."""
    for entry in entries:
        data = {**entry.content, "code": entry.code}
        first, last = (data.get(name) for name in ("valid_from", "valid_to"))
        if entry.gone_on is not None:
            before = (entry.gone_on - timedelta(days=1)).isoformat()
            data["valid_to"] = last = min(last, before) if last else before
        if not (first and last and date.fromisoformat(first) > date.fromisoformat(last)):
            yield data


def _differences(
    register: str, data: Mapping[str, Any], name: str, valid_to: date | None, successor: str | None, code: str
) -> Iterator[str]:
    """Where the portal says otherwise than the file, which goes before."""
    said = []
    if fold(str(data["name"])) != fold(name):
        said.append(f"is called {data['name']!r} by the portal, {name!r} by the file")
    last = data.get("valid_to")
    if last is not None and (valid_to is None or date.fromisoformat(last) < valid_to):
        heir = data.get("successor")
        after = f" and was succeeded by {heir}" if heir and heir != successor else ""
        said.append(f"ended on {last} by the portal{after}, {'never' if valid_to is None else valid_to} by the file")
    if said:
        yield f"{register}: {code} {'; '.join(said)}; the file goes before"
