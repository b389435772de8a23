"""The rules of a configuration with the registers that the ledger has: what everything in a running hub goes by.

Whoever compiles a configuration beside a ledger passes it through here; otherwise it judges by the files alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.ledger import Ledger
from hub.ledger.values import REGISTER, Part
from hub.registers.merging import Registers, merge
from hub.rulebook import Rulebook
from hub.sections import Deployment, RegistersSection
from hub.version import numbered, part
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from hub.configured import Configured

log = logging.getLogger(__name__)


def parts(section: RegistersSection | None, versions: Mapping[str, int]) -> tuple[Part, ...]:
    """What a version of the configuration says of the registers that are taken over. The ledger keeps what is in them,
    so the numbers of their versions are enough."""
    taken = [] if section is None else [name for name in section.take if name in versions]
    return tuple(part(REGISTER, name, f"version {versions[name]}\n") for name in sorted(taken))


async def registered(ledger: Ledger, deployment: Deployment, rules: Rulebook) -> tuple[Rulebook, tuple[Part, ...]]:
    """The rules with the registers that the ledger has, and what a version of the configuration says of these.

    What the configuration takes over no more is not in force, whatever is kept of it.
    """
    section = deployment.registers
    if section is None:
        return rules, ()
    # The versions first: what changes in between is seen as a change by whoever compares them again.
    made_of = parts(section, await ledger.register_versions())
    entries = [entry for entry in await ledger.register_entries() if entry.register in section.take]
    written = Registers(deployment.agencies, deployment.procedures)
    try:
        merged, differ = await asyncio.to_thread(merge, written, entries)
    except ConfigError as error:
        log.error("what is kept of the portal's catalogues cannot be put in force, the files alone are: %s", error)
        merged, differ = written, []
    for one in differ:
        log.warning("%s", one)
    return replace(rules, agencies=merged.agencies, procedures=merged.procedures), made_of


async def in_force(ledger: Ledger, deployment: Deployment, rules: Rulebook) -> Rulebook:
    """The rules with the registers that the ledger has, under the number of that version of the configuration."""
    rules, made_of = await registered(ledger, deployment, rules)
    return await numbered(rules, deployment, ledger, made_of)


async def complete(ledger: Ledger, found: Configured) -> Configured:
    """What can be run, with the registers that the ledger has now in place of those that it had."""
    rules, made_of = await registered(ledger, found.deployment, found.rules)
    others = tuple(one for one in found.version.parts if one.role != REGISTER)
    return replace(found, rules=rules, version=replace(found.version, parts=(*others, *made_of)))
