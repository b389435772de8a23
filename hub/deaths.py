"""One line in the log for each dispatch that dies: whose it is, which field, what the portal said. No value shows.

Told once, when the death is in the ledger; what it reads for that is read for the dead alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hub.answers.unknown import impersonal
from hub.blame import reader_of, refused
from hub.ledger import Ledger
from hub.ledger.deaths import Died
from hub.ledger.values import Outcome
from mappings.inbound import InboundMapping
from mappings.origins import of_field, of_member
from mappings.outbound import OutboundMapping
from schemas.errors import LedgerFault
from schemas.titles import noun

log = logging.getLogger(__name__)


async def tell_deaths(
    destination: str,
    ledger: Ledger,
    dead: Sequence[Outcome],
    payloads: Mapping[int, Mapping[str, Any]],
    outbound: Mapping[str, OutboundMapping],
    inbound: Mapping[str, Sequence[InboundMapping]],
) -> None:
    """Log every outcome of which the ledger says that it is dead. `payloads`: what was sent, by dispatch.

    `outbound` are the destination's mappings by kind, `inbound` those of every source. Never raises for a ledger that
    cannot be read; the deaths are in it all the same.
    """
    by_id = {outcome.dispatch_id: outcome for outcome in dead}
    try:
        found = await ledger.died(list(by_id))
    except LedgerFault as fault:
        log.warning("%s: %d dead letters, of which the ledger cannot tell more: %s", destination, len(dead), fault)
        return
    for one in found:
        mappings = outbound.get(one.kind), inbound.get(one.source, ())
        try:
            said = line(destination, one, by_id[one.dispatch_id], payloads.get(one.dispatch_id, {}), *mappings)
        except Exception:
            # A defect in the telling must not stop what is being recorded.
            log.exception("%s: dead letter #%d of %s", destination, one.dispatch_id, one.lane)
        else:
            log.warning("%s", said)


def line(
    destination: str,
    one: Died,
    outcome: Outcome,
    payload: Mapping[str, Any],
    outbound: OutboundMapping | None,
    inbound: Sequence[InboundMapping],
) -> str:
    """`national: dead letter #17, dossier H59… of agency H59.05: MaTTHC, in its own data MaThuTuc; data 17: …`."""
    what = noun(one.kind).en
    agency = f"agency {one.agency}" if one.agency else f"an agency of {one.source}"
    # A refused value is hidden as one that was sent: our own mapping may have refused it before anything was.
    sent = [payload, {"": outcome.value or ""}]
    said = impersonal(outcome.text, sent, keep=(one.lane, *([one.agency] if one.agency else [])))
    code = f" {outcome.code}" if outcome.code else ""
    where = _where(one, outcome, outbound, inbound)
    return f"{destination}: dead letter #{one.dispatch_id}, {what} {one.lane} of {agency}: {where}; " + (
        f"{outcome.fault}{code}: {said}"
    )


def _where(one: Died, outcome: Outcome, outbound: OutboundMapping | None, inbound: Sequence[InboundMapping]) -> str:
    member, fields = refused(one.kind, outcome.code, outcome.path, outcome.text, outbound, None)
    named = member or ", ".join(fields)
    if not named:
        return "no field is named"
    reader = reader_of(inbound, one.kind, one.label, one.mapping)
    places = [of_field(reader, field) for field in fields] if reader else []
    paths = [path for place in places if place is not None for path in place.paths]
    if paths:
        return f"{named}, in the agency's own data {', '.join(paths)}"
    made = of_member(outbound, member) if outbound and member else None
    if made is not None and not made.reads and outbound is not None:
        return f"{named}, a constant of the mapping {outbound.name}"
    return f"{named}, which is not read from the agency's data"
