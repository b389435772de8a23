"""One look at a portal's catalogue: fetched, read, compared, kept; or refused whole, and then nothing changes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from hub.ledger import Ledger
from hub.ledger.audit import By
from hub.ledger.registers import RegisterState
from hub.ports import Catalogues
from hub.registers.catalogue import read
from hub.registers.comparing import compare
from hub.sections import Deployment, RegistersSection
from schemas.errors import DestinationFault
from schemas.local_time import LOCAL

log = logging.getLogger(__name__)

RETRY_S = 900.0
"""After a look that brought nothing it is looked again so soon, or at the usual time where that is sooner."""
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Synced:
    """What one look at one register brought."""

    register: str
    entries: int = 0
    others: int = 0
    """Entries of other provinces, which are left out."""
    changes: Mapping[str, int] = field(default_factory=dict)
    """How many were added, changed, gone or are back."""
    wrong: Sequence[str] = ()
    """Entries that could not be read, a few of them; what was known of them holds on."""
    problem: str = ""
    """Why nothing of it was believed; the register stays as it was."""


def provinces(deployment: Deployment) -> Sequence[str]:
    """Whose entries are taken over."""
    section = deployment.registers
    return (section.provinces if section else None) or [deployment.hub.province]


def due_at(section: RegistersSection, state: RegisterState, now: datetime) -> datetime:
    """When a register is to be looked for next; one that never was, now. Pure."""
    if state.tried_at is None:
        return now
    # A look in the future was made by a clock that was wrong.
    tried_at = min(state.tried_at, now)
    usual = tried_at + timedelta(seconds=section.every_s) if section.every_s else _next(section.time, tried_at)
    # A look that was begun and brought nothing failed, or whoever looked died on the way.
    in_vain = state.failures or state.read_at is None or state.read_at < state.tried_at
    return min(usual, tried_at + timedelta(seconds=RETRY_S)) if in_vain else usual


def _next(at: time, after: datetime) -> datetime:
    """The next time of day `at` in Viet Nam after a moment."""
    day = after.astimezone(LOCAL).date()
    found = datetime.combine(day, at, LOCAL)
    return found if found > after else datetime.combine(day + timedelta(days=1), at, LOCAL)


async def sync(
    ledger: Ledger,
    catalogues: Catalogues,
    deployment: Deployment,
    section: RegistersSection,
    register: str,
    *,
    today: date,
    force: bool = False,
    by: By | None = None,
) -> Synced:
    """Look at one catalogue. What is wrong with it is in the result, in the ledger and in the log; never raises for it.

    With `force` a great loss is believed. Raises: LedgerFault.
    """
    whose = provinces(deployment)
    try:
        rows = await catalogues.catalogue(register, whose, section.deadline_s)
        shown = read(register, rows, whose)
        for _ in range(_TRIES):
            version = (await ledger.register_state(register)).version
            known = await ledger.register_entries(register)
            changes = compare(known, shown, today, largest_loss=section.largest_loss, force=force)
            if await ledger.keep_register(register, version, changes, today, by):
                break
        else:
            raise DestinationFault(f"{register}: others changed it {_TRIES} times while it was looked at")
    except DestinationFault as fault:
        await ledger.register_failed(register, str(fault))
        log.error("the register of %s stays as it is: %s", register, fault)
        return Synced(register, problem=str(fault))
    wrong = [f"{code}: {why}" for code, why in list(shown.wrong.items())[:20]]
    for one in wrong:
        log.warning(
            "%s: an entry of %s cannot be read, what was known of it holds on: %s", section.source, register, one
        )
    counted = Counter(change.change for change in changes)
    if counted:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items()))
        log.info("the register of %s has changed: %s", register, told)
    return Synced(register, len(shown.entries), shown.others, dict(sorted(counted.items())), wrong)
