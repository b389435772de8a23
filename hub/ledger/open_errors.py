"""What agencies have to correct, as the ledger knows it: rows that were rejected, and records that portals refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.values import to_us


@dataclass(frozen=True, slots=True)
class RefusedByPortal:
    """One dead letter whose content a portal, or our own mapping to it, refused."""

    dispatch_id: int
    agency: str | None
    """Of the record, or of the dossier that it is a step of; None where none of them names one."""


def refused_by_portals(connection: sa.Connection, until: datetime) -> list[RefusedByPortal]:
    """Dead letters of class `data` that died before `until` and are open now, oldest first.

    One that a newer state of the same record followed to the same destination is left out: the agency has corrected
    it, and if the portal refuses that too, the newer one stands here.
    """
    d, h, f = t.dispatch.c, t.head.c, t.fault.c
    dossier, newer = t.head.alias("dossier").c, t.dispatch.alias("newer").c
    last = sa.select(f.fault).where(f.dispatch_id == d.id).order_by(f.id.desc()).limit(1).scalar_subquery()
    followed = sa.select(newer.id).where(
        newer.head_id == d.head_id, newer.destination == d.destination, newer.id > d.id
    )  # fmt: skip
    whose: sa.ColumnElement[Any] = (
        sa.select(sa.func.max(dossier.agency))
        .where(dossier.key == d.lane, dossier.source == h.source)
        .scalar_subquery()
    )
    query = (
        sa.select(d.id, sa.func.coalesce(h.agency, whose).label("agency"))
        .join_from(t.dispatch, t.head, h.id == d.head_id)
        .where(t.is_dead, sa.func.coalesce(d.ended_us, d.created_us) < to_us(until), last == "data")
        .where(~followed.exists())
        # Not by the number itself: SQLite would go through all dispatches in its order to find the few dead ones.
        .order_by(d.id + sa.literal_column("0"))
    )
    return [RefusedByPortal(row.id, row.agency) for row in connection.execute(query)]
