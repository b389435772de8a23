"""A wall clock that is set back: what waits by the old time is moved back with it.

Due times, a ticket's life and the probe of a held gate are times of the wall clock, since they outlive the process
that wrote them. Set back by an hour, each of them would wait an hour longer. A clock that is set forward only makes
them come early, which costs a try. Where several workers see the same step each moves them: they then come early too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx
from hub.ledger.sources import database_now_us
from hub.ledger.values import SECOND_US

log = logging.getLogger(__name__)

STEP_US = 30 * SECOND_US
"""A clock that is corrected by less is left alone: nothing waits much longer by it."""


class StepWatch:
    """Notices steps back of a clock, by one that nobody sets."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._ahead_us = self._ahead()

    def _ahead(self) -> int:
        return self._now_us() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def step_us(self) -> int:
        """Return by how much the clock was set back since the last look, in microseconds; 0 where it was not."""
        ahead_us = self._ahead()
        step_us = self._ahead_us - ahead_us
        if 0 <= step_us < STEP_US:
            return 0
        self._ahead_us = ahead_us
        return max(step_us, 0)


def step_at_start(tx: Tx) -> int:
    """Return by how much the clock was set back since a process before wrote its heartbeat; 0 where it was not."""
    w = t.worker.c
    now_us = database_now_us(tx)
    newest_us = tx.execute(sa.select(sa.func.max(w.beat_us))).scalar() or 0
    tx.execute(sa.update(t.worker).where(w.beat_us > now_us).values(beat_us=now_us))
    return newest_us - now_us if newest_us - now_us >= STEP_US else 0


def move_back(tx: Tx, step_us: int) -> None:
    """Move what is to come by the old time."""
    if not step_us:
        return
    log.warning("the clock was set back by %.0f s: what waits is due so much earlier", step_us / SECOND_US)
    d, g, m = t.dispatch.c, t.gate.c, t.message.c
    for these in (t.is_waiting, t.is_out):
        tx.execute(sa.update(t.dispatch).where(these, d.due_us > tx.now_us).values(due_us=d.due_us - step_us))
    later = sa.update(t.dispatch).where(t.is_out, d.queued_until_us > tx.now_us)
    tx.execute(later.values(queued_until_us=d.queued_until_us - step_us))
    tx.execute(sa.update(t.message).where(m.due_us > tx.now_us).values(due_us=m.due_us - step_us))
    tx.execute(sa.update(t.gate).where(g.probe_until_us > tx.now_us).values(probe_until_us=g.probe_until_us - step_us))
