"""Who is let in during the first days of a deployment: `start_from` of a source, the canaries of a route.

Both are decided by the pure stage (`hub.process`) as far as a record says it itself. Two questions need the ledger:
whose dossier a step belongs to, since a step follows its dossier through a canary; and whether something of a dossier
was let in, since its snapshot, however old, is then needed: a step never passes its dossier (R6).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hub.ledger import Ledger
from hub.ledger import left_out as leaving
from hub.ledger.accept import Accepted
from hub.ledger.bulk import Tx
from hub.ledger.dispatch import dispatch
from hub.ledger.left_out import LeftOut, agencies_of, needed, waiting_in
from hub.ledger.redo import parked_arrival
from hub.ledger.values import Candidate, Settlement, SourceLease
from hub.ledger.withdrawing import withdraw
from hub.ports import Arrival, Ticket
from hub.process import GONE, process
from hub.rulebook import Rulebook
from schemas.record import KINDS

log = logging.getLogger(__name__)


async def processed(arrival: Arrival, rules: Rulebook, lease: SourceLease, ledger: Ledger) -> Settlement:
    """Process one arrival, and let what has no agency of its own follow its dossier through the canaries."""
    settlement = await asyncio.to_thread(process, arrival, rules, lease, ledger.digest_key)
    following = _following(settlement.candidates, arrival.source, rules)
    if not following:
        return settlement
    agencies = {c.lane: c.counted.agency for c in settlement.candidates if c.counted is not None}
    others = {c.lane for c in following} - agencies.keys()
    if others:
        agencies |= await ledger.ask(lambda tx: agencies_of(tx, others))
    follow(following, arrival.source, rules, agencies)
    return settlement


def _following(candidates: Sequence[Candidate], source: str, rules: Rulebook) -> list[Candidate]:
    if not rules.canaries:
        return []
    kinds = {name for name, kind in KINDS.items() if "agency" not in kind.model_fields and rules.canary(source, name)}
    # What `start_from` left out stays left out, whoever its dossier belongs to, and so does what is no more.
    start_us = rules.start_from_us.get(source)
    old = "" if start_us is None else leaving.before_start(start_us)
    return [
        c for c in candidates if c.kind in kinds and not c.no_route.startswith(GONE) and (not old or c.no_route != old)
    ]


def follow(following: Sequence[Candidate], source: str, rules: Rulebook, agencies: Mapping[str, str]) -> None:
    """Route what has no agency of its own by its dossier's, given per lane: empty for a dossier that was left out.

    Where no dossier is known yet it is let in, and waits for its dossier by name (R6). Changes the candidates.
    """
    for c in following:
        agency = agencies.get(c.lane)
        c.destinations = rules.route(source, c.kind, agency or None, canaries=agency is not None)
        c.no_route = "" if c.destinations else rules.no_route(source, c.kind, agency or None)


async def hold_back(ledger: Ledger, rules: Rulebook, settlement: Settlement) -> None:
    """After the commit: take back steps that were let in before their dossier was known, where a canary leaves it out.

    Asked again of these steps themselves, since their dossier may have been settled at the same moment.
    """
    source = settlement.arrival.source
    early = [c for c in _following(settlement.candidates, source, rules) if c.destinations]
    agencies = await ledger.ask(partial(agencies_of, lanes={c.lane for c in early})) if early else {}
    lanes: dict[tuple[str, str], set[str]] = {}
    for c in settlement.candidates:
        if c.counted is not None and rules.canary(source, c.kind):
            agency = c.counted.agency
            out = set(rules.route(source, c.kind, agency, canaries=False)) - set(c.destinations)
        elif c.destinations and c.lane in agencies and rules.canary(source, c.kind):
            agency = agencies[c.lane]
            out = set(c.destinations) - set(rules.route(source, c.kind, agency or None))
        else:
            continue
        for destination in out:
            lanes.setdefault((destination, rules.no_route(source, c.kind, agency or None)), set()).add(c.lane)
    for (destination, reason), held in lanes.items():
        waiting = await ledger.ask(partial(waiting_in, destination=destination, lanes=held))
        if waiting and reason.startswith(leaving.CANARY):
            await ledger.commit(partial(withdraw, destination=destination, lanes=waiting, reason=reason))


async def let_in(
    ledger: Ledger,
    rules: Rulebook,
    publish: Callable[[Sequence[Ticket]], Awaitable[None]],
    lanes: Collection[str] | None = None,
) -> int:
    """Settle dossiers that `start_from` left out, of which something else was let in. Returns how many states that was.

    Their newest state first: what is older is found stale. None looks at all that was ever left out.
    """
    found = await ledger.ask(lambda tx: needed(tx, lanes))
    if not found:
        return 0
    chosen = await _chosen(ledger, replace(rules, start_from_us={}), found)
    for arrival_id, settlement in chosen:

        def letting(tx: Tx, arrival_id: int = arrival_id, settlement: Settlement = settlement) -> Sequence[Ticket]:
            def make(tx: Tx, made: Sequence[Accepted]) -> Sequence[Ticket]:
                return dispatch(tx, made, ledger.rules)

            return leaving.let_in(tx, arrival_id, settlement, make).tickets

        await publish(await ledger.commit(letting))
    return len(chosen)


async def _chosen(ledger: Ledger, rules: Rulebook, found: Sequence[LeftOut]) -> list[tuple[int, Settlement]]:
    """Each of these items alone, as it is read now, with its arrival; the newest of all first."""
    chosen: list[tuple[int, Settlement]] = []
    for arrival_id in sorted({one.arrival_id for one in found}):
        places = {(one.row, one.part) for one in found if one.arrival_id == arrival_id}
        settlement = await again(ledger, rules, arrival_id)
        if settlement is None:
            continue
        chosen += [
            (arrival_id, replace(settlement, candidates=[c], refusals=()))
            for c in settlement.candidates
            if (c.row, c.part) in places and not c.no_route
        ]
    return sorted(chosen, key=lambda one: (one[1].candidates[0].changed_us or 0, one[0]), reverse=True)


async def again(ledger: Ledger, rules: Rulebook, arrival_id: int) -> Settlement | None:
    """Process an arrival from its original bytes, with the rules given; None where they are pruned.

    No cursor is moved and no lease is needed.
    """
    kept = await ledger.ask(lambda tx: parked_arrival(tx, arrival_id))
    if kept is None:
        return None
    nobody = SourceLease(kept.arrival.source, 0, "{}", None, 0)
    return await processed(kept.arrival, rules, nobody, ledger)
