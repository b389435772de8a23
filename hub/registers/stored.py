"""The registers as a ledger has them, for commands and checks that look at a configuration beside a running hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hub.draft import Draft, draft
from hub.ledger.read import open_reader
from hub.ledger.registers import Entry
from hub.registers.merging import Registers, merge
from hub.sections import Deployment, RegistersSection
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, LedgerFault
from schemas.procedure import ProcedureRegister


def stored(url: str, section: RegistersSection | None) -> Sequence[Entry]:
    """What the ledger keeps of the registers that a configuration takes over; nothing where there is no ledger yet, or
    it cannot be read. Blocks."""
    if section is None:
        return ()
    try:
        with open_reader(url) as reader:
            return [entry for entry in reader.register_entries() if entry.register in section.take]
    except LedgerFault:
        return ()


def with_stored(deployment: Deployment) -> Deployment:
    """The deployment with the registers in force in place of those that are written by hand; see `stored`."""
    entries = stored(deployment.ledger.url, deployment.registers)
    if not entries:
        return deployment
    merged, _ = merge(Registers(deployment.agencies, deployment.procedures), entries)
    return replace(deployment, agencies=merged.agencies, procedures=merged.procedures)


def registers_of(made: Draft) -> Registers:
    """The registers in force of a configuration that may be unfinished; what cannot be read is empty."""
    written = Registers(made.agencies or AgencyRegister.empty(), made.procedures or ProcedureRegister.empty())
    entries = stored(made.ledger.url, made.registers) if made.ledger is not None else ()
    return merge(written, entries)[0] if entries else written


def registers_at(file: Path) -> Registers:
    """`registers_of` a configuration file; empty ones where there is none, or it is none."""
    try:
        return registers_of(draft(file)) if file.is_file() else _NONE
    except ConfigError:
        return _NONE


_NONE = Registers(AgencyRegister.empty(), ProcedureRegister.empty())
