"""After a mend: does refused rows again, from their original bytes, with the mappings and registers now in force.

Everything that is parked is done again at every start of a process that reads sources; what a person names, at any time
(`hub items redo`). What is still refused stays so; nobody has to send anything again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence

from hub.admission import processed
from hub.ledger import Ledger
from hub.ledger.audit import By
from hub.ledger.items import Position
from hub.ledger.states import ItemState
from hub.ledger.values import Settled, Settlement, SourceLease
from hub.ports import Ticket
from hub.publish import to_the_end
from hub.rulebook import Rulebook

log = logging.getLogger(__name__)

Publish = Callable[[Sequence[Ticket]], Awaitable[None]]

UNREADABLE, PRUNED, NOT_CONFIGURED = "unreadable", "pruned", "not-configured"
"""Why an arrival cannot be done again: it cannot be decoded, its bytes are gone, its source is configured no more."""


async def redo_parked(ledger: Ledger, rules: Rulebook, publish: Publish) -> dict[ItemState, int]:
    """Do every parked row of the configured sources again, but for those that a person has dismissed.

    Returns how many became what; those that are still refused are left out.
    """
    became: Counter[ItemState] = Counter()
    after_id = 0
    while ids := await ledger.parked(sorted(rules.inbound), after_id):
        for arrival_id in ids:
            after_id = arrival_id
            done = await redo_arrival(ledger, rules, publish, arrival_id)
            if isinstance(done, Settled):
                became.update({s: n for s, n in done.counts.items() if s not in (ItemState.PARKED, ItemState.REJECTED)})
    if became:
        told = ", ".join(f"{count} {state.value}" for state, count in sorted(became.items()))
        log.info("parked rows done again after a mend: %s", told)
    return dict(became)


async def redo_arrival(
    ledger: Ledger,
    rules: Rulebook,
    publish: Publish,
    arrival_id: int,
    only: Collection[Position] | None = None,
    by: By | None = None,
) -> Settled | str:
    """Do refused items of one arrival again, see `hub.ledger.redo`, and publish what became due.

    Returns what became of them; or why nothing could be done: UNREADABLE, PRUNED, NOT_CONFIGURED.
    """
    found = await ledger.parked_arrival(arrival_id)
    if found is None:
        return PRUNED
    if found.arrival.source not in rules.inbound:
        return NOT_CONFIGURED
    # No cursor is moved and no lease is needed: what is done again was read long ago.
    nobody = SourceLease(found.arrival.source, 0, "{}", None, 0)
    settlement = await processed(found.arrival, rules, nobody, ledger)
    if settlement.undecodable:
        return UNREADABLE
    return await to_the_end(_redo(ledger, arrival_id, settlement, publish, only, by))


async def _redo(
    ledger: Ledger,
    arrival_id: int,
    settlement: Settlement,
    publish: Publish,
    only: Collection[Position] | None,
    by: By | None,
) -> Settled:
    settled = await ledger.redo(arrival_id, settlement, only=only, by=by)
    await publish(settled.tickets)
    return settled
