"""How fast each worker drains a destination, and what there is to drain: the facts that a forecast is made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import sqlalchemy as sa

from hub.forecast import Work
from hub.ledger import tables as t
from hub.ledger.bulk import Tx
from hub.ledger.values import SECOND_US
from schemas.dossier import Dossier

PRESENT_US = 60 * SECOND_US
"""A pace measured longer ago is not the present one."""

KEPT_US = 3600 * SECOND_US


def write_paces(tx: Tx, worker: str, paces: Mapping[str, float]) -> None:
    """Write down what this worker measured since the last time, per destination; old rows of any worker go."""
    p = t.pace.c
    if not paces:
        return
    for destination, per_s in sorted(paces.items()):
        mine = (p.destination == destination) & (p.worker == worker)
        # Of its own row each worker is the only writer; those of workers that are gone go with it.
        tx.execute(sa.delete(t.pace).where(mine | ((p.destination == destination) & (p.at_us < tx.now_us - KEPT_US))))
        tx.execute(sa.insert(t.pace).values(destination=destination, worker=worker, per_s=per_s, at_us=tx.now_us))


def present_pace(connection: sa.Connection, destination: str, now_us: int) -> float | None:
    """Dispatches a second that all workers together brought to an end lately; None where nobody measured any."""
    p = t.pace.c
    recent = sa.select(sa.func.sum(p.per_s)).where(p.destination == destination, p.at_us >= now_us - PRESENT_US)
    total = connection.execute(recent).scalar()
    return None if total is None else float(total)


def backlog(connection: sa.Connection, destination: str) -> tuple[dict[date | None, Work], Work]:
    """What is open by the day that its dossier is due on (None: no such day, or finished), and what does not move.

    A lane moves where one of its dispatches is out or due. Others wait for a person or for another record: behind a
    dead event, for a dossier that was never accepted, or for somebody to decide an unknown outcome.
    """
    d, h = t.dispatch.c, t.head.c
    waiting = sa.select(d.lane, sa.case((d.due_us.isnot(None), 1), else_=0).label("moves")).where(
        d.destination == destination, t.is_waiting
    )
    asks_a_person = (d.state == "unknown") & d.due_us.is_(None)
    out = sa.select(d.lane, sa.case((asks_a_person, 0), else_=1).label("moves")).where(
        d.destination == destination, t.is_out
    )
    rows = sa.union_all(waiting, out).subquery("open")
    lanes = (
        sa.select(rows.c.lane, sa.func.count().label("dispatches"), sa.func.max(rows.c.moves).label("moves"))
        .group_by(rows.c.lane)
        .subquery("lanes")
    )
    due_on = sa.case((h.finished_on.is_(None), h.due_on)).label("due_on")
    grouped = (
        sa.select(lanes.c.moves, due_on, sa.func.count().label("dossiers"), sa.func.sum(lanes.c.dispatches).label("n"))
        .outerjoin_from(lanes, t.head, (h.key == lanes.c.lane) & (h.kind == Dossier.kind))
        .group_by(lanes.c.moves, due_on)
    )
    moving: dict[date | None, Work] = {}
    still = Work(0, 0)
    for row in connection.execute(grouped):
        work = Work(row.dossiers, int(row.n))
        if row.moves:
            moving[None if row.due_on is None else date.fromisoformat(row.due_on)] = work
        else:
            still = Work(still.dossiers + work.dossiers, still.dispatches + work.dispatches)
    return moving, still
