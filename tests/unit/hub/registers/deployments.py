"""A deployment that takes registers over, without a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.sections import BusSection, Deployment, HubSection, LedgerSection, RegistersSection
from schemas.agency import AgencyRegister
from schemas.procedure import ProcedureRegister


def deployment(section: RegistersSection | None, **more: Any) -> Deployment:
    """Of H59, with nothing written by hand unless `more` says so."""
    return Deployment(
        file=Path("hub.yaml"),
        hub=HubSection(name="thu", province="H59"),
        ledger=LedgerSection(url="sqlite:///hub.db"),
        bus=BusSection(url="embedded:"),
        agencies=more.get("agencies", AgencyRegister.empty()),
        sources={},
        destinations={},
        routes=(),
        procedures=more.get("procedures", ProcedureRegister.empty()),
        registers=section,
    )
