"""A register with one agency, and the contexts that mappings are tried in."""

from __future__ import annotations

import pytest

from mappings import ReadContext, RenderContext
from schemas.agency import AgencyRegister


@pytest.fixture(scope="session")
def register() -> AgencyRegister:
    return AgencyRegister.from_rows(
        [{"code": "H59.05", "name": "Sở Tư pháp", "level": "province", "aliases": ["000.00.05.H59"]}]
    )


@pytest.fixture(scope="session")
def context(register: AgencyRegister) -> ReadContext:
    return ReadContext(agencies=register)


@pytest.fixture(scope="session")
def portal(register: AgencyRegister) -> RenderContext:
    return RenderContext(agencies=register)
