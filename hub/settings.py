"""The configuration file `hub.yaml`, read with every problem named at once.

    deployment = load(Path("hub.yaml"), {"ledger.url": "sqlite:///var/hub.db"})

`load` looks at what stands in the file and in the agencies file beside it. What needs adapters, mappings or the network
is looked at by `hub.check`. The sections themselves are in `hub.sections`, the reading is in `hub.draft`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hub.draft import (
    ENVIRONMENT_OVERRIDES,
    AnySection,
    Draft,
    beside,
    draft,
    read_agencies,
    read_channels,
    read_section,
    substitute,
)
from hub.sections import (
    AlertsSection,
    BusSection,
    Deployment,
    DestinationSection,
    HubSection,
    LedgerSection,
    MailSection,
    RetrySection,
    Route,
    SourceSection,
    without_password,
)
from hub.yaml_lines import read
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError

__all__ = [
    "BusSection",
    "Deployment",
    "DestinationSection",
    "HubSection",
    "LedgerSection",
    "RetrySection",
    "Route",
    "SourceSection",
    "load",
    "locate_agencies",
    "locate_bus",
    "locate_channels",
    "locate_ledger",
    "locate_reserve",
    "without_password",
]


def load(
    path: Path, overrides: Mapping[str, str] | None = None, *, environment: Mapping[str, str] = os.environ
) -> Deployment:
    """Read a configuration file.

    `overrides` holds `ledger.url` and `bus.url`; they go before the environment's HUB_LEDGER_URL and HUB_BUS_URL, and
    those before the file. A relative SQLite path in the file is relative to the file's folder, in an override to the
    current one. Raises: ConfigError with every problem found, in the order of the file.
    """
    return draft(path, overrides, environment=environment).deployment()


def locate_ledger(path: Path, override: str | None = None, *, environment: Mapping[str, str] = os.environ) -> str:
    """The ledger's URL alone, for commands that only look at it: the rest of the file may be unfinished.

    Raises: ConfigError about the file itself or its `ledger` section.
    """
    given = override or environment.get(ENVIRONMENT_OVERRIDES["ledger.url"])
    if given:
        return given
    return beside(_alone(LedgerSection, "ledger", path, None, environment).url, path.parent)


def locate_reserve(path: Path, *, environment: Mapping[str, str] = os.environ) -> int | None:
    """The reserve that a file configures for its ledger; None where it, or the file, says nothing."""
    try:
        return _alone(LedgerSection, "ledger", path, None, environment).reserve_mb
    except ConfigError:
        return None


def locate_bus(path: Path, override: str | None = None, *, environment: Mapping[str, str] = os.environ) -> BusSection:
    """The bus section alone, as `locate_ledger`. Raises: ConfigError about the file itself or its `bus` section."""
    given = override or environment.get(ENVIRONMENT_OVERRIDES["bus.url"])
    return _alone(BusSection, "bus", path, given, environment)


def locate_channels(
    path: Path, *, environment: Mapping[str, str] = os.environ
) -> tuple[HubSection, MailSection | None, AlertsSection]:
    """Who is told and how, alone, as `locate_ledger`. Raises: ConfigError about the file or these sections."""
    document = read(path)
    root = document.data if isinstance(document.data, dict) else {}
    made = Draft(document, [])
    parts = {name: root[name] for name in ("hub", "mail", "alerts") if name in root}
    found = substitute(parts, (), made, environment)
    hub = read_section(HubSection, found, "hub", made)
    read_channels(found, made)
    if made.problems or hub is None or made.alerts is None:
        raise ConfigError(made.problems)
    return hub, made.mail, made.alerts


def locate_agencies(path: Path, *, environment: Mapping[str, str] = os.environ) -> AgencyRegister:
    """The register of agencies alone; empty where the file names none. Raises: ConfigError about either file."""
    document = read(path)
    named = document.data.get("agencies") if isinstance(document.data, dict) else None
    made = Draft(document, [])
    found = substitute({"agencies": named}, (), made, environment)["agencies"]
    if made.problems:
        raise ConfigError(made.problems)
    return read_agencies(path.parent / found) if isinstance(found, str) else AgencyRegister.empty()


def _alone(
    model: type[AnySection], key: str, path: Path, url: str | None, environment: Mapping[str, str]
) -> AnySection:
    document = read(path)
    root = document.data if isinstance(document.data, dict) else {}
    below = root.get(key, {})
    if url and isinstance(below, dict):
        below = {**below, "url": url}
    made = Draft(document, [])
    found = read_section(model, substitute({key: below}, (), made, environment), key, made)
    if made.problems or found is None:
        raise ConfigError(made.problems)
    return found
