"""The registers for people: how each stands, and what a code means. Reads the ledger; no adapter, no portal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from hub.ledger.read import open_reader
from hub.ledger.registers import RegisterState
from hub.registers.merging import Registers, merge
from hub.registers.stored import stored
from hub.registers.syncing import due_at
from hub.sections import Deployment
from schemas.agency import fold
from schemas.errors import LedgerFault
from schemas.local_time import LOCAL
from schemas.spelling import near


@dataclass(frozen=True, slots=True)
class Standing:
    """One register: how many of its entries hold, and how the last look at the portal went."""

    register: str
    hold: int
    ended: int
    to_come: int
    written: int
    """Those that were written by hand."""
    source: str | None
    """The destination that it is taken over from; None where it is not."""
    state: RegisterState
    next_at: datetime | None = None
    differ: Sequence[str] = ()
    """Where file and portal say otherwise."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a code means, or meant."""

    register: str
    code: str
    name: str
    valid_from: date | None
    valid_to: date | None
    holds: bool
    """On the day that was asked for."""
    successors: Sequence[str] = ()
    """One after the other."""
    aliases: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""


def standings(deployment: Deployment, today: date) -> list[Standing]:
    """How every register stands."""
    section = deployment.registers
    entries = stored(deployment.ledger.url, section)
    written = Registers(deployment.agencies, deployment.procedures)
    merged, differ = merge(written, entries)
    states = {state.register: state for state in _states(deployment)} if section else {}
    listed: dict[str, tuple[list[Any], int]] = {
        "agencies": (list(merged.agencies), len(written.agencies)),
        "procedures": (list(merged.procedures), len(written.procedures)),
        "fields": (list(merged.procedures.fields), 0),
    }
    made = []
    for name, (rows, by_hand) in listed.items():
        spans = [(row.valid_from or date.min, row.valid_to or date.max) for row in rows]
        state = states.get(name, RegisterState(name))
        taken = section is not None and name in section.take
        made.append(
            Standing(
                name,
                sum(first <= today <= last for first, last in spans),
                sum(last < today for _, last in spans),
                sum(first > today for first, _ in spans),
                by_hand,
                section.source if section and taken else None,
                state,
                due_at(section, state, datetime.now(LOCAL)) if section and taken else None,
                [said for said in differ if said.startswith(f"{name}:")],
            )
        )
    return made


def _states(deployment: Deployment) -> list[RegisterState]:
    try:
        with open_reader(deployment.ledger.url) as reader:
            return reader.register_states()
    except LedgerFault:
        return []


def look_up(deployment: Deployment, written: Deployment, code: str, on: date) -> tuple[list[Found], str | None]:
    """What a code means in the registers of `deployment`, or the code that is near; `written` is what the files say."""
    found = []
    by_hand = {fold(one.code) for one in (*written.agencies, *written.procedures)}
    for name, rows in _rows(deployment).items():
        found += [_found(name, row, rows, on, by_hand, deployment) for row in rows if fold(code) in _codes(row)]
    if found:
        return found, None
    # The register of procedures is too large to be compared letter by letter; its own look is a quick one.
    meant = deployment.procedures.nearest(code)
    others = [row.code for row in (*deployment.agencies, *deployment.procedures.fields)]
    return [], meant or near(fold(code), others)


def _rows(deployment: Deployment) -> Mapping[str, Sequence[Any]]:
    procedures = deployment.procedures
    return {"agencies": list(deployment.agencies), "procedures": list(procedures), "fields": procedures.fields}


def _codes(row: Any) -> set[str]:
    return {fold(row.code), *(fold(alias.code) for alias in getattr(row, "aliases", ()))}


def _found(register: str, row: Any, rows: Iterable[Any], on: date, by_hand: set[str], deployment: Deployment) -> Found:
    section = deployment.registers
    portal = section.source if section else ""
    facts = {"level": row.level.value} if register == "agencies" else {}
    if register == "procedures":
        named = deployment.procedures.field_name(row, on)
        facts = {"field": " ".join(filter(None, (row.field_code, named)))}
    return Found(
        register,
        row.code,
        row.name,
        row.valid_from,
        row.valid_to,
        (row.valid_from or date.min) <= on <= (row.valid_to or date.max),
        _chain(row, rows),
        [alias.code for alias in getattr(row, "aliases", ())],
        facts,
        "the file" if fold(row.code) in by_hand else f"the catalogue of {portal}",
    )


def _chain(row: Any, rows: Iterable[Any]) -> list[str]:
    """The codes of what took its place, one after the other; a circle ends."""
    successors = {one.code: one.successor for one in rows}
    chain: list[str] = []
    code = row.successor
    while code is not None and code not in chain:
        chain.append(code)
        code = successors.get(code)
    return chain
