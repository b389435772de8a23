"""How long a dispatch has been trying: the time behind a closed gate does not age it (R14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, among, bound
from hub.ledger.values import SECOND_US


def open_us(changes: Iterable[tuple[int, bool]], from_us: int, now_us: int) -> int:
    """Return how long a gate was open between two moments.

    `changes` are (when, whether open from then on) in the order in which they happened; before the first it was open.
    A clock that was set back between two of them makes no time negative.
    """
    found, is_open, at_us = 0, True, from_us
    for changed_us, opened in changes:
        until_us = min(max(changed_us, at_us), now_us)
        found += until_us - at_us if is_open else 0
        is_open, at_us = opened, until_us
    return found + (max(now_us - at_us, 0) if is_open else 0)


def ages(tx: Tx, destination: str, ids: Sequence[int]) -> dict[int, float]:
    """Return for how many seconds each dispatch could have been sent since it was made, or replayed."""
    d, g = t.dispatch.c, t.gate_change.c
    born = sa.select(d.id, sa.func.coalesce(d.aged_from_us, d.created_us).label("from_us")).where(
        among(tx.postgres, d.id, "ids")
    )
    born_us = tx.execute(born, {"ids": bound(tx.postgres, ids)}).all()
    from_us = {row.id: int(row.from_us) for row in born_us}
    if not from_us:
        return {}
    mine = sa.select(g.at_us, g.state).where(g.destination == destination)
    since_us = min(from_us.values())
    # The last change before tells how the gate stood; the clock may have been set back, so the order is that of the id.
    first = sa.select(sa.func.max(g.id)).where(g.destination == destination, g.at_us <= since_us).scalar_subquery()
    rows = tx.execute(mine.where(g.id >= sa.func.coalesce(first, 0)).order_by(g.id)).all()
    changes = [(int(row.at_us), row.state == "open") for row in rows]
    return {id_: open_us(changes, us, tx.now_us) / SECOND_US for id_, us in from_us.items()}
