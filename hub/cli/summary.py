"""What `hub run --once` says at its end: the ledger after it, compared with the ledger before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.cli.output import counted

if TYPE_CHECKING:
    from hub.ledger.read import Tally
    from hub.sections import Deployment


def tally(url: str) -> Tally:
    """Count what the ledger holds; nothing where there is none yet. Raises: LedgerFault where it cannot be read."""
    from hub.ledger.read import Tally, open_reader
    from schemas.errors import LedgerFault

    try:
        with open_reader(url) as reader:
            return reader.tally()
    except LedgerFault as fault:
        if fault.down:
            raise
        return Tally()


def summary(deployment: Deployment, roles: frozenset[str], before: Tally) -> dict[str, Any]:
    """What was done since `before`; `ok` where all was read and, if this process delivers, nothing stayed open.

    Raises: LedgerFault where the ledger cannot be read.
    """
    from hub.ledger.read import open_reader
    from hub.ledger.tables import OPEN

    with open_reader(deployment.ledger.url) as reader:
        after, queues = reader.tally(before.newest_arrival), reader.queues()
    reads, delivers = "intake" in roles, "deliver" in roles
    names = list(deployment.sources) if reads else []
    troubles = {name: after.troubles[name] for name in names if name in after.troubles}
    polled = [name for name in names if after.polls.get(name, 0) > before.polls.get(name, 0)]
    still_open = sum(after.dispatches.get(state, 0) for state in OPEN)
    closed = {one.destination: f"{one.gate}: {one.gate_reason or 'no reason given'}" for one in queues if _holds(one)}

    def more(what: str, name: str) -> int:
        return int(max(getattr(after, what).get(name, 0) - getattr(before, what).get(name, 0), 0))

    return {
        "ok": not (troubles or after.unreadable or (delivers and still_open)),
        "hub": deployment.hub.name,
        "ledger": deployment.ledger.shown,
        "bus": deployment.bus.shown,
        "roles": sorted(roles),
        "sources": len(names),
        "sources_read": sum(name not in troubles for name in polled),
        "source_problems": troubles,
        "unreadable": after.unreadable,
        "rows": {
            "accepted": more("rows", "accepted"),
            "duplicate": more("rows", "duplicate"),
            "stale": more("rows", "stale"),
            **after.refused,
        },
        "delivered": more("dispatches", "delivered"),
        "dead": more("dispatches", "dead"),
        "still_open": still_open,
        "closed_gates": closed,
    }


def _holds(queue: Any) -> bool:
    return queue.gate != "open" and bool(queue.waiting or queue.queued or queue.sending or queue.unknown)


def said(done: dict[str, Any]) -> str:
    """One line of it: what there was none of is left out, but for what one looks for."""
    rows = done["rows"]
    refused = {name.replace("_", " "): rows[name] for name in ("parked", "rejected", "no_route") if rows[name]}
    parts = [f"{done['sources_read']} of {counted(done['sources'], 'source')} read"] if done["sources"] else []
    parts.append(f"{counted(rows['accepted'], 'row')} accepted, {rows['duplicate']:,} duplicate")
    if rows["stale"]:
        parts[-1] += f", {rows['stale']:,} stale"
    if refused:
        each = ", ".join(f"{number:,} {name}" for name, number in refused.items())
        parts[-1] += f", {sum(refused.values()):,} refused ({each})"
    if done["unreadable"]:
        pages = "page or file" if done["unreadable"] == 1 else "pages or files"
        parts.append(f"{done['unreadable']:,} unreadable {pages}")
    parts.append(f"{done['delivered']:,} delivered, {done['dead']:,} dead, {done['still_open']:,} still open")
    parts += [f"source {name}: {problem}" for name, problem in done["source_problems"].items()]
    parts += [f"{name} {why}" for name, why in done["closed_gates"].items()]
    # Two lists: a row that was refused when it was read never became a letter.
    if refused or done["unreadable"]:
        parts.append("hub items list tells why rows were refused")
    if done["dead"]:
        parts.append("hub dead list tells why letters died")
    return "; ".join(" ".join(part.split()) for part in parts)
