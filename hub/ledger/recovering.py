"""After a restore from a backup: what this ledger holds as unsent may have been sent since (R17).

    begin   a new identity, so that no ticket from before can pass for one made anew; every destination is paused
    (the sources are read to their newest, so that no older state is sent than the portal may have by now)
    mark    everything that is open is treated as perhaps sent, by R8
    end     the destinations go on

`mark` takes legal steps only. Of a dossier's states the newest alone is kept, also across an event: an older one, sent
now, would take the portal back in time. A create of a portal that can be asked becomes `unknown`, which is looked up
before it is sent. Everything else that goes again counts as possibly twice; an event that an operator is to decide
about becomes a dead letter, since of one lane only one dispatch can be out.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, insert_many, update_many
from hub.ledger.gates import borrow, gate_of, give_back
from hub.ledger.lane_locks import recount_dead
from hub.ledger.lanes import Standing
from hub.ledger.relay import wake
from hub.ledger.restored import MARK
from hub.ledger.sources import database_now_us
from hub.ledger.states import Phase, becomes
from hub.ledger.values import SECOND_US, DestinationRules
from schemas.errors import OperationRefused

RESTORED = "restored"
"""In `meta`: what makes this ledger's identity another one than that of the state it was restored from."""

_RECOVERING = "recovering"
_MINE = "recovering"
"""What the reason of a gate begins with that is paused by a recovery."""
_JUMP = 1 << 16
"""A recovery leaves out at least so many numbers of incarnations, and at most twice as many, so that two from one
backup differ. Of the 2^27 that there are, that is room for a thousand recoveries."""

REASON = "the ledger was restored from a backup: it may have been sent since"
CODE = "restored"
"""Of the fault that a dead letter gets here."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What is to become of the open dispatches of one destination."""

    look_ups: int = 0
    """Creates: the portal is asked, then they are sent as new or as update."""
    creates: int = 0
    """Creates of a portal that cannot be asked: sent again as new; `already-there` turns them into updates."""
    updates: int = 0
    """Updates: sent again."""
    events: int = 0
    """Events that are sent again: possibly twice."""
    to_decide: int = 0
    """Events that an operator is to decide about: dead letters."""
    superseded: int = 0
    """Older states of a dossier."""


def begin(tx: Tx, who: str, worker: str, ttl_s: float) -> int:
    """Take a new identity and pause every destination. Returns the last heartbeat before this worker's own, in us.

    Raises: OperationRefused while another worker is alive.
    """
    w, m = t.worker.c, t.meta.c
    last_us = tx.execute(sa.select(sa.func.max(w.beat_us)).where(w.id != worker)).scalar() or 0
    age_s = (database_now_us(tx) - last_us) / SECOND_US
    if tx.postgres and age_s < ttl_s:
        said = f"a hub was alive {max(age_s, 0):.0f} s ago"
        raise OperationRefused(f"{said}: stop every hub of this ledger, wait {ttl_s:.0f} s, and run it again")
    _put(tx, RESTORED, secrets.token_hex(16))
    jump = _JUMP + secrets.randbelow(_JUMP)
    incarnations = int(tx.execute(tx.lock(sa.select(m.value).where(m.name == "incarnations"))).scalar_one())
    _put(tx, "incarnations", str(incarnations + jump))
    tx.execute(sa.delete(t.meta).where(m.name == MARK))
    kept = _recovering(tx)
    before: dict[str, list[str]] = dict(kept["before"]) if kept else {}
    for destination in tx.execute(sa.select(t.gate.c.destination).order_by(t.gate.c.destination)).scalars().all():
        if (was := borrow(tx, destination, f"{_MINE}: {who}")) is not None:
            before[destination] = was
    since_us = kept["since_us"] if kept else last_us
    _put(tx, _RECOVERING, orjson.dumps({"before": before, "since_us": since_us}).decode())
    return int(since_us)


def end(tx: Tx, who: str) -> list[str]:
    """Let those go on that `begin` paused; one that was in a maintenance goes back to it. Returns what is open now."""
    kept = _recovering(tx) or {"before": {}}
    changed = [
        destination
        for destination, before in sorted(kept["before"].items())
        if give_back(tx, destination, before, _MINE, f"recovered: {who}")
    ]
    tx.execute(sa.delete(t.meta).where(t.meta.c.name == _RECOVERING))
    return [destination for destination in changed if gate_of(tx, destination).open]


def mark(tx: Tx, destination: str, rules: DestinationRules, next_call_id: Callable[[], int]) -> Marked:
    """Treat everything open of a destination as perhaps sent. Run twice it marks the same again."""
    _all_wait(tx, destination)
    lanes = _waiting(tx, destination)
    superseded: list[tuple[str, int, int]] = []
    ask: list[_Open] = []
    again: list[_Open] = []
    decide: dict[str, list[_Open]] = defaultdict(list)
    for lane, rows in lanes.items():
        newest = {row.head_id: row.id for row in rows if not row.event}
        asked = False
        for row in rows:
            if not row.event and row.id != newest[row.head_id]:
                superseded.append((f"superseded by #{newest[row.head_id]}", tx.now_us, row.id))
            elif row.event and not rules.resend_events:
                decide[lane].append(row)
            elif not row.event and row.standing is not Standing.PRESENT and rules.can_look_up and not asked:
                asked = True
                ask.append(row)
            else:
                again.append(row)
    update_many(
        tx, t.dispatch, ("id",), ("reason", "ended_us"), superseded,
        fixed=f"{becomes('superseded')}, possibly_twice = 1", where="t.state = 'waiting'", exact=False,
    )  # fmt: skip
    update_many(
        tx, t.dispatch, ("id",), ("possibly_twice", "reason"), [(1, REASON, row.id) for row in again], exact=False
    )
    for nth in zip_longest(*decide.values()):
        _sent(tx, destination, [row for row in nth if row is not None], "event", next_call_id, "dead")
    _sent(tx, destination, ask, "new", next_call_id, "unknown")
    unsure = [(int(Standing.UNKNOWN), destination, row.lane) for row in ask]
    update_many(tx, t.lane, ("destination", "lane"), ("standing",), unsure, where="t.standing = 0", exact=False)
    d = t.dispatch.c
    tx.execute(sa.update(t.dispatch).where(d.destination == destination, t.is_dead).values(possibly_twice=1))
    recount_dead(tx, destination, decide)
    for part in _parts(sorted(lanes)):
        wake(tx, destination, part)
    events = sum(row.event for row in again)
    updates = sum(not row.event and row.standing is Standing.PRESENT for row in again)
    return Marked(
        len(ask), len(again) - events - updates, updates, events, sum(map(len, decide.values())), len(superseded)
    )


@dataclass(frozen=True, slots=True)
class _Open:
    id: int
    lane: str
    head_id: int
    event: bool
    standing: Standing


def _all_wait(tx: Tx, destination: str) -> None:
    """Take back what is out: queued waits, what was being sent is unknown, and what is unknown is decided here anew."""
    d = t.dispatch.c
    mine = (d.destination == destination) & t.is_out
    waits = {"state": "waiting", "phase": int(Phase.WAITING), "queued_until_us": None, "reason": REASON}
    tx.execute(sa.update(t.dispatch).where(mine, d.state == "sending").values(state="unknown"))
    tx.execute(sa.update(t.dispatch).where(mine, d.state.in_(("queued", "unknown"))).values(**waits))
    tx.execute(sa.update(t.dispatch).where(d.destination == destination, t.is_waiting).values(due_us=None))


def _waiting(tx: Tx, destination: str) -> dict[str, list[_Open]]:
    d, n = t.dispatch.c, t.lane.c
    query = (
        sa.select(d.id, d.lane, d.head_id, d.event, n.standing)
        .join_from(t.dispatch, t.lane, (n.destination == d.destination) & (n.lane == d.lane))
        .where(d.destination == destination, t.is_waiting)
        .order_by(d.lane, d.id)
    )
    lanes: dict[str, list[_Open]] = defaultdict(list)
    for row in tx.execute(query):
        lanes[row.lane].append(_Open(row.id, row.lane, row.head_id, bool(row.event), Standing(row.standing)))
    return lanes


def _sent(tx: Tx, destination: str, rows: Sequence[_Open], mode: str, next_call_id: Callable[[], int], to: str) -> None:
    """Take dispatches, one of a lane, through the call that may have been made of them, to `unknown` or `dead`."""
    if not rows:
        return
    call_id = next_call_id()
    call = (call_id, destination, "before the restore", tx.now_us, mode, len(rows), "", "")
    insert_many(
        tx, t.call, ("id", "destination", "worker", "started_us", "mode", "members", "mapping", "payload"), [call]
    )
    ids = [(row.id,) for row in rows]
    update_many(tx, t.dispatch, ("id",), (), ids, fixed=f"{becomes('queued')}, gen = gen + 1", exact=False)
    taken = [(call_id, id_) for (id_,) in ids]
    update_many(tx, t.dispatch, ("id",), ("call_id",), taken, fixed=becomes("sending", was="queued"), exact=False)
    fixed = f"{becomes(to)}, possibly_twice = 1, batch_limit = 1, reason = '{REASON}'"
    ends = [(tx.now_us if to == "unknown" else None, None if to == "unknown" else tx.now_us, id_) for (id_,) in ids]
    update_many(tx, t.dispatch, ("id",), ("due_us", "ended_us"), ends, fixed=fixed, exact=False)
    faults = [(id_, call_id, tx.now_us, "unknown", CODE, REASON) for (id_,) in ids]
    insert_many(tx, t.fault, ("dispatch_id", "call_id", "at_us", "fault", "code", "text"), faults)


def _parts(lanes: Sequence[str], size: int = 1000) -> Iterable[Sequence[str]]:
    return (lanes[at : at + size] for at in range(0, len(lanes), size))


def _recovering(tx: Tx) -> dict[str, Any] | None:
    text = tx.execute(sa.select(t.meta.c.value).where(t.meta.c.name == _RECOVERING)).scalar()
    return None if text is None else dict(orjson.loads(text))


def _put(tx: Tx, name: str, value: str) -> None:
    if not tx.execute(sa.update(t.meta).where(t.meta.c.name == name).values(value=value)).rowcount:
        tx.execute(sa.insert(t.meta).values(name=name, value=value))
