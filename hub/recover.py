"""Makes a ledger that was restored from a backup fit to be run again (`hub recover`; R17).

No portal is written to here. The hub must be stopped; what it does at its next start stands in the ledger then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from hub import registry
from hub.answers import load_answers
from hub.catch_up import catch_up, quiet_ledger
from hub.ledger import DestinationRules, tables
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx
from hub.ledger.ledger import WORKER_TTL_S
from hub.ledger.recovering import Marked, begin, end, mark
from hub.ledger.values import from_us
from hub.ports import AdapterContext
from hub.rulebook import rulebook
from hub.sections import Deployment
from schemas.errors import OperationRefused, SourceFault

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=2)
"""Before the backup's last sign of life: what was read then may have been committed or not."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done."""

    complete: bool
    backup_at: datetime | None
    """The last sign of life in the ledger that was restored; None where there is none."""
    destinations: Mapping[str, Marked] = field(default_factory=dict)
    put_back: Mapping[str, int] = field(default_factory=dict)
    """Files moved back to be read again, per source."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Sources that could not be read to their newest, and why."""
    opened: Sequence[str] = ()
    """Destinations that go on with the next start."""


async def recover(
    deployment: Deployment,
    by: By,
    *,
    without: Sequence[str] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> Recovered:
    """Recover a ledger; run again it goes on. `without` names sources that are not read first.

    While a source cannot be read nothing is marked and every destination stays paused: its portal may have newer states
    than the ledger, which would be sent behind older ones. Raises: OperationRefused, LedgerFault, ConfigError.
    """
    strange = sorted(set(without) - deployment.sources.keys())
    if strange:
        raise OperationRefused(
            f"{deployment.file} has no source {strange[0]!r}; it has: {', '.join(deployment.sources)}"
        )
    book = rulebook(deployment)
    rules = await _rules(deployment)
    async with quiet_ledger(deployment) as ledger:
        since_us = await ledger.commit(lambda tx: begin(tx, by.who, ledger.worker, WORKER_TTL_S))
        backup_at = from_us(since_us) if since_us else None
        unread, put_back = await _put_back(deployment, backup_at, without)
        unread |= await catch_up(deployment, ledger, book, stopped, leave=[*without, *unread])
        if unread or stopped():
            return Recovered(False, backup_at, put_back=put_back, unread=unread)

        def finishing(tx: Tx) -> tuple[dict[str, Marked], list[str]]:
            # What waits for a destination that is not configured any more goes when it is configured again.
            gone = set(tx.execute(sa.select(tables.gate.c.destination)).scalars()) - rules.keys()
            known = rules | dict.fromkeys(gone, DestinationRules())
            marked = {name: mark(tx, name, rule, ledger.next_call_id) for name, rule in sorted(known.items())}
            opened = end(tx, by.who)
            counts = {name: asdict(one) for name, one in marked.items()}
            many = sum(sum(one.values()) for one in counts.values())
            detail = {"backup_us": since_us, "without": list(without), "destinations": counts}
            note(tx, by, "recover", "ledger", count=many, detail=detail)
            return marked, opened

        marked, opened = await ledger.commit(finishing)
        return Recovered(True, backup_at, marked, put_back, {}, opened)


async def _rules(deployment: Deployment) -> dict[str, DestinationRules]:
    """What decides about unknown outcomes at each portal. Nothing is asked here."""
    rules: dict[str, DestinationRules] = {}
    for name, section in deployment.destinations.items():
        answers = load_answers(section.answers or section.adapter, deployment.folder)
        portal = registry.destination(
            section.adapter, section.settings, AdapterContext(name, deployment.folder, answers)
        )
        asks, resends = portal.can_look_up, section.unknown_events == "resend"
        rules[name] = DestinationRules(can_look_up=asks, resend_events=resends)
        await portal.close()
    return rules


async def _put_back(
    deployment: Deployment, backup_at: datetime | None, without: Sequence[str]
) -> tuple[dict[str, str], dict[str, int]]:
    """Have sources whose place is not the ledger's cursor but their own (folders) go back to the time of the backup."""
    unread: dict[str, str] = {}
    moved: dict[str, int] = {}
    for name, section in deployment.sources.items():
        source = registry.source(section.adapter, section.settings, AdapterContext(name, deployment.folder))
        put_back = getattr(source, "put_back", None)
        try:
            if put_back is not None and backup_at is not None and name not in without:
                moved[name] = await put_back(backup_at - MARGIN)
        except SourceFault as fault:
            unread[name] = str(fault)
        finally:
            await source.close()
    return unread, {name: count for name, count in moved.items() if count}
