"""Whose the dispatches are that have just died, for those who tell it. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Query, Tx, among


@dataclass(frozen=True, slots=True)
class Died:
    """One dispatch that is dead, and where its record came from."""

    dispatch_id: int
    lane: str
    kind: str
    source: str
    agency: str | None
    """Of the record; of a step that of its dossier, where that is known."""
    mapping: str
    """The first 16 hex digits of the digest of the inbound mapping that read it."""
    label: str
    """Of the arrival that it was read from, before whatever corrections."""


def died(tx: Tx, ids: Collection[int]) -> list[Died]:
    """Those of the dispatches that are dead, in the order of their ids."""
    return sorted((Died(*row) for row in _DIED.rows(tx, ids=list(ids))), key=lambda one: one.dispatch_id)


def _died(postgres: bool) -> sa.Select[Any]:
    d, h, r, a = t.dispatch.c, t.head.c, t.revision.c, t.arrival.c
    read, page = t.revision.alias("read"), t.arrival.alias("page")
    label = (
        sa.select(page.c.label)
        .join_from(read, page, page.c.id == read.c.arrival_id)
        .where(read.c.head_id == d.head_id, read.c.number <= d.number, read.c.cause == "arrived")
        .order_by(read.c.number.desc())
        .limit(sa.literal_column("1"))
    )
    dossier = t.head.alias("dossier")
    known = dossier.c.agency.isnot(None)
    own = sa.select(dossier.c.agency).where(dossier.c.key == d.lane, known).limit(sa.literal_column("1"))
    return (
        sa.select(
            d.id,
            d.lane,
            d.kind,
            h.source,
            sa.func.coalesce(h.agency, own.scalar_subquery()),
            r.mapping,
            sa.func.coalesce(label.scalar_subquery(), a.label),
        )
        .join_from(t.dispatch, t.head, h.id == d.head_id)
        .join(t.revision, (r.head_id == d.head_id) & (r.number == d.number))
        .join(t.arrival, a.id == r.arrival_id)
        .where(t.is_dead, among(postgres, d.id, "ids"))
    )


_DIED = Query(_died)
