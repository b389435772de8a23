"""Takes back what waits for a destination and shall not go there after all, without a person.

For steps that were read before their dossier was, and whose dossier a canary then left out (a backfill makes them
anew), and for what stands under a number that its source has given up.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, among, bound
from hub.ledger.lane_locks import hold_lanes
from hub.ledger.states import Phase


def withdraw(tx: Tx, destination: str, lanes: Sequence[str], reason: str) -> int:
    """Discard what waits in some lanes of a destination. Returns how many that were."""
    hold_lanes(tx, destination, lanes)
    d = t.dispatch.c
    these = (d.destination == destination) & t.is_waiting & among(tx.postgres, d.lane, "lanes")
    ends = {"state": "discarded", "phase": int(Phase.ENDED), "reason": reason, "ended_us": tx.now_us, "due_us": None}
    return tx.execute(sa.update(t.dispatch).where(these).values(**ends), {"lanes": bound(tx.postgres, lanes)}).rowcount
