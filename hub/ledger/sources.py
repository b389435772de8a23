"""Who reads a source, where it stands, and how its last poll went (R13)."""

from __future__ import annotations

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, insert_many
from hub.ledger.values import SECOND_US, SourceLease


def database_now_us(tx: Tx) -> int:
    """Return the database's clock, by which leases and heartbeats of several machines are compared (R7)."""
    if not tx.postgres:
        return tx.now_us
    return int(tx.execute(sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")).scalar_one())


def make_sources(tx: Tx, names: list[str], *, sole: bool) -> None:
    """Make the rows that are missing; a sole process takes over at once whatever its predecessor held."""
    insert_many(tx, t.source, ("name",), [(name,) for name in sorted(names)], ignore=True)
    if sole:
        tx.execute(sa.update(t.source).values(owner=None, owner_until_us=0))


def lease_source(tx: Tx, name: str, worker: str, for_s: float) -> SourceLease | None:
    """Take or renew the right to read a source; None while another worker has it. A new owner gets a new epoch."""
    s = t.source.c
    now_us = database_now_us(tx)
    row = tx.execute(tx.lock(sa.select(t.source).where(s.name == name))).one()
    if row.owner != worker and row.owner is not None and row.owner_until_us > now_us:
        return None
    epoch = row.epoch if row.owner == worker else row.epoch + 1
    tx.execute(
        sa.update(t.source)
        .where(s.name == name)
        .values(owner=worker, epoch=epoch, owner_until_us=now_us + int(for_s * SECOND_US))
    )
    return SourceLease(name, epoch, row.cursor, row.page_digest, row.failures, row.polled_us or 0)


def polled(tx: Tx, name: str, epoch: int, problem: str = "") -> None:
    """Record how a poll ended. A worker that lost its lease records nothing."""
    s = t.source.c
    # Never back in time: by it polls without a source time are ordered (R9, 4), whatever the clock does.
    later = sa.case((s.polled_us > tx.now_us, s.polled_us + 1), else_=tx.now_us)
    values: dict[str, object] = {"polls": s.polls + 1, "polled_us": later}
    if problem:
        first_us = sa.func.coalesce(s.failing_us, tx.now_us)
        values |= {"failures": s.failures + 1, "problem": problem[:2000], "problem_us": tx.now_us}
        values |= {"failing_us": first_us}
    else:
        values |= {"failures": 0, "problem": None, "succeeded_us": tx.now_us, "failing_us": None}
    tx.execute(sa.update(t.source).where(s.name == name, s.epoch == epoch).values(**values))


def release_source(tx: Tx, name: str, worker: str) -> None:
    """Give a source back at a clean stop, so that another worker need not wait for the lease to end."""
    s = t.source.c
    tx.execute(sa.update(t.source).where(s.name == name, s.owner == worker).values(owner=None, owner_until_us=0))


def beat(tx: Tx, worker: str, ttl_s: float, *, delivers: bool = False) -> None:
    """Renew this incarnation's heartbeat and its sources, since a page may take longer than a lease; on the database's
    clock."""
    now_us = database_now_us(tx)
    mine = sa.update(t.source).where(t.source.c.owner == worker, t.source.c.owner_until_us > now_us)
    tx.execute(mine.values(owner_until_us=now_us + int(ttl_s * SECOND_US)))
    if not tx.execute(sa.update(t.worker).where(t.worker.c.id == worker).values(beat_us=now_us)).rowcount:
        values = {"id": worker, "started_us": now_us, "beat_us": now_us, "delivers": int(delivers)}
        tx.execute(sa.insert(t.worker).values(**values))


def sharers(tx: Tx, ttl_s: float) -> int:
    """Return how many workers send at present, at least one."""
    w = t.worker.c
    alive = (w.delivers == 1) & w.ended_us.is_(None) & (w.beat_us > database_now_us(tx) - int(ttl_s * SECOND_US))
    return max(1, int(tx.execute(sa.select(sa.func.count()).select_from(t.worker).where(alive)).scalar_one()))


def leave(tx: Tx, worker: str) -> None:
    """Note that a worker sends no more."""
    tx.execute(sa.update(t.worker).where(t.worker.c.id == worker).values(ended_us=database_now_us(tx)))


def new_incarnation(tx: Tx) -> int:
    """Return a number that no process which opened this ledger has had before."""
    m = t.meta.c
    insert_many(tx, t.meta, ("name", "value"), [("incarnations", "0")], ignore=True)
    before = int(tx.execute(tx.lock(sa.select(m.value).where(m.name == "incarnations"))).scalar_one())
    tx.execute(sa.update(t.meta).where(m.name == "incarnations").values(value=str(before + 1)))
    return before + 1


def dead_workers(tx: Tx, ttl_s: float) -> list[str]:
    """Return the workers that have claims open but no heartbeat any more."""
    d, k, w = t.dispatch.c, t.call.c, t.worker.c
    query = (
        sa.select(w.id)
        .join_from(t.dispatch, t.call, k.id == d.call_id)
        .join(t.worker, w.id == k.worker)
        .where(t.is_out, d.state == "sending", w.beat_us < database_now_us(tx) - int(ttl_s * SECOND_US))
        .distinct()
    )
    return list(tx.execute(query).scalars())
