"""What the ledger's database says of itself, its disk, sources, registers, destinations and workers. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from hub.doctor.finding import Finding, Level, judged
from hub.ledger import tables as t
from hub.ledger.bulk import Tx
from hub.ledger.configurations import running
from hub.ledger.engine import is_postgres, open_engine, sqlite_path
from hub.ledger.ledger import WORKER_TTL_S, wall_us
from hub.ledger.migrations import HEAD
from hub.ledger.registers import state
from hub.ledger.reserve import RESERVE_MB, Room, measure_of, problem_of, shown
from hub.ledger.restored import MARK
from hub.ledger.sources import database_now_us
from hub.ledger.values import SECOND_US, from_us
from hub.sections import Deployment
from schemas.local_time import LOCAL

DAY_US = 86_400 * SECOND_US
GROWTH_DAYS = 7
WAL_BYTES = 1_000_000_000
"""A log of SQLite that is longer is kept from being written back by somebody who reads and does not end."""


def look(deployment: Deployment) -> list[Finding]:
    """Look at the ledger; a database that cannot be read is one finding."""
    url = deployment.ledger.url
    file = sqlite_path(url)
    if file is not None and not file.exists():
        said = "there is no ledger yet"
        return [Finding("database", str(file), Level.WARNING, said, "it is made by the first `hub run`")]
    engine = open_engine(url, writer=False)
    try:
        with engine.connect() as connection:
            tx = Tx(connection, wall_us(), is_postgres(engine))
            if not sa.inspect(connection).has_table("dispatch"):
                said = "the database holds no ledger yet"
                return [Finding("database", "ledger", Level.WARNING, said, "it is made by the first `hub run`")]
            return [
                *_database(tx, file),
                *_clock(tx),
                *_disk(tx, deployment, file),
                *_sources(tx, deployment),
                *_registers(tx, deployment),
                *_destinations(tx, deployment),
                *_workers(tx),
            ]
    except sa.exc.DBAPIError as error:
        said = "the database cannot be read"
        return [Finding("database", "ledger", Level.PROBLEM, said, "start it, or correct ledger.url", str(error.orig))]
    finally:
        engine.dispose()


def _database(tx: Tx, file: Path | None) -> Iterator[Finding]:
    present = tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if present != HEAD:
        said = f"its tables are those of revision {present}, this program's are {HEAD}"
        yield Finding("database", "tables", Level.PROBLEM, said, "start the hub of this version once: it migrates")
    if file is not None:
        version = tx.execute(sa.text("SELECT sqlite_version()")).scalar()
        log = file.with_name(file.name + "-wal")
        size = log.stat().st_size if log.exists() else 0
        level = Level.WARNING if size > WAL_BYTES else Level.OK
        mend = "end the program that reads the ledger and does not end" if size > WAL_BYTES else ""
        yield Finding("database", "SQLite", level, f"{version}, its log is {shown(size)}", mend)
    else:
        version = tx.execute(sa.text("SHOW server_version")).scalar()
        yield Finding("database", "PostgreSQL", Level.OK, f"{version}")
        for name in ("fsync", "full_page_writes"):
            if tx.execute(sa.text(f"SHOW {name}")).scalar() != "on":
                said = f"{name} is off: a power cut can destroy the ledger"
                yield Finding("database", "PostgreSQL", Level.PROBLEM, said, f"set {name} = on in postgresql.conf")
        if tx.execute(sa.text("SHOW synchronous_commit")).scalar() == "off":
            said = "synchronous_commit is off by default; the hub switches it on for itself"
            yield Finding("database", "PostgreSQL", Level.OK, said)
    why = tx.execute(sa.select(t.meta.c.value).where(t.meta.c.name == MARK)).scalar()
    if why is not None:
        yield Finding("ledger", "restored", Level.PROBLEM, str(why), "stop the hub and run `hub recover`")


def _clock(tx: Tx) -> Iterator[Finding]:
    if not tx.postgres:
        return
    off_s = abs(database_now_us(tx) - wall_us()) / SECOND_US
    level = judged(-off_s, -2, -30)
    said = f"the database's clock and this machine's differ by {off_s:.1f} s"
    yield Finding("clock", "database", level, said, "" if level is Level.OK else "let both follow the same NTP server")


def _disk(tx: Tx, deployment: Deployment, file: Path | None) -> Iterator[Finding]:
    if (problem := problem_of(deployment.ledger.url, deployment.ledger.reserve_mb)) is not None:
        yield Finding("disk", "ledger", Level.PROBLEM, problem, "make room on the ledger's disk")
    room: Room | None = measure_of(deployment.ledger.url, deployment.ledger.reserve_mb)()
    if room is None:
        said = "the disk of the database's server cannot be seen from here"
        yield Finding("disk", "ledger", Level.OK, said)
        return
    kept = min((deployment.ledger.reserve_mb or RESERVE_MB) * 1_000_000, room.total // 10)
    per_day = _growth_per_day(tx)
    left = max(room.free - kept, 0)
    said = f"{shown(room.free)} of {shown(room.total)} are free, {shown(kept)} of them kept"
    if not per_day:
        yield Finding("disk", "ledger", judged(left, 1_000_000_000, 100_000_000), said)
        return
    days = left / per_day
    told = f"{days:,.0f} days left at {shown(int(per_day))} a day" if days < 3650 else "enough for ten years"
    level = judged(days, 30, 7)
    yield Finding(
        "disk", "ledger", level, f"{said}: {told}", "" if level is Level.OK else "make room, or a larger disk"
    )


def _growth_per_day(tx: Tx) -> float:
    """Return bytes a day: the part of the database that the arrivals of the last days are of all arrivals."""
    a = t.arrival.c
    first_us = tx.execute(sa.select(sa.func.min(a.settled_us))).scalar()
    total = tx.execute(sa.select(sa.func.count()).select_from(t.arrival)).scalar_one()
    if first_us is None:
        return 0.0
    since_us = tx.now_us - GROWTH_DAYS * DAY_US
    recent = tx.execute(sa.select(sa.func.count()).where(a.settled_us >= since_us)).scalar_one()
    size = "pg_database_size(current_database())" if tx.postgres else "(page_count * page_size)"
    within = "" if tx.postgres else " FROM pragma_page_count(), pragma_page_size()"
    whole = float(tx.execute(sa.text(f"SELECT {size}{within}")).scalar_one())
    days = max((tx.now_us - max(first_us, since_us)) / DAY_US, 1 / 24)
    return float(whole * recent / total / days)


def _sources(tx: Tx, deployment: Deployment) -> Iterator[Finding]:
    known = {row.name: row for row in tx.execute(sa.select(t.source))}
    for name, section in deployment.sources.items():
        row = known.get(name)
        if row is None or row.succeeded_us is None:
            detail = (row.problem or "") if row is not None else ""
            yield Finding("source", name, Level.WARNING, "was never read", "start the hub; see its log", detail)
            continue
        age = _age(tx, row.succeeded_us)
        said = f"last read {_when(row.succeeded_us)}"
        if not row.failures:
            yield Finding("source", name, Level.OK, said)
            continue
        late = age > timedelta(seconds=max(10 * section.every_s, 3600))
        said += f", {row.failures} polls in a row failed since"
        mend = "see what it answers: `hub check`; its operators may have to be told"
        yield Finding("source", name, Level.PROBLEM if late else Level.WARNING, said, mend, row.problem or "")


def _registers(tx: Tx, deployment: Deployment) -> Iterator[Finding]:
    section = deployment.registers
    if section is None or not sa.inspect(tx.connection).has_table("register_state"):
        return
    for name in section.take:
        found = state(tx, name)
        if found.read_at is None:
            mend = "hub registers sync" if found.problem is None else "see what the portal answers: hub registers sync"
            said = f"was never read from {section.source}"
            yield Finding("register", name, Level.WARNING, said, mend, found.problem or "")
            continue
        said = f"{found.entries:,} entries, last read {_when(int(found.read_at.timestamp() * SECOND_US))}"
        if not found.failures:
            yield Finding("register", name, Level.OK, said)
            continue
        said += f", {found.failures} looks since brought nothing that is believed"
        mend = "look at the portal; hub registers sync, with --force where so many entries are really gone"
        yield Finding("register", name, Level.WARNING, said, mend, found.problem or "")


def _destinations(tx: Tx, deployment: Deployment) -> Iterator[Finding]:
    d = t.dispatch.c
    gates = {row.destination: row for row in tx.execute(sa.select(t.gate))}
    for name in deployment.destinations:
        mine = sa.select(sa.func.count()).where(d.destination == name)
        last_us = tx.execute(
            sa.select(sa.func.max(d.ended_us)).where(d.destination == name, d.state == "delivered")
        ).scalar()
        dead = tx.execute(mine.where(t.is_dead)).scalar_one()
        waiting = tx.execute(mine.where(t.is_waiting)).scalar_one()
        said = f"last delivered {_when(last_us)}" if last_us else "nothing was delivered yet"
        said += f", {waiting:,} wait" if waiting else ""
        gate = gates.get(name)
        level, mend, detail = Level.OK, "", ""
        if gate is not None and gate.state != "open":
            level = Level.PROBLEM if gate.state == "held" else Level.WARNING
            said += f"; {gate.state} since {_when(gate.since_us)}"
            mend = "wait for the portal, or tell its operators" if gate.state == "held" else f"hub resume {name}"
            detail = gate.reason or ""
        elif dead:
            level, mend = Level.WARNING, f"hub dead list --destination {name}"
        said += f"; {dead:,} dead letter{'' if dead == 1 else 's'}" if dead else ""
        yield Finding("destination", name, level, said, mend, detail)


def _workers(tx: Tx) -> Iterator[Finding]:
    w, alert = t.worker.c, t.alert.c
    now_us = database_now_us(tx)
    # A command that opens the ledger beats once and no more: only who delivers, or has beaten again, is a hub.
    beating = (w.beat_us > now_us - int(WORKER_TTL_S * SECOND_US)) & w.ended_us.is_(None)
    hubs = (w.delivers == 1) | (w.beat_us > w.started_us)
    alive = tx.execute(sa.select(sa.func.count()).select_from(t.worker).where(beating & hubs)).scalar_one()
    if alive:
        yield Finding("worker", "hub", Level.OK, "a hub runs" if alive == 1 else f"{alive} processes of the hub run")
    else:
        last_us = tx.execute(sa.select(sa.func.max(w.beat_us)).where(hubs)).scalar()
        said = f"no hub runs; the last heartbeat was {_when(last_us)}" if last_us else "no hub has run yet"
        yield Finding("worker", "hub", Level.WARNING, said, "start it: hub run")
    yield from _configurations(tx)
    for row in tx.execute(sa.select(t.alert).where(alert.closed_us.is_(None)).order_by(alert.id).limit(50)):
        said = f"{row.trouble} since {_when(row.opened_us)}"
        yield Finding("alert", row.subject, Level.WARNING, said, "see hub queues", row.text)


def _configurations(tx: Tx) -> Iterator[Finding]:
    """Which configuration is in force since when, and who runs another one."""
    runs = running(tx, WORKER_TTL_S)
    several = len({one.configuration for one in runs}) > 1
    for one in runs:
        said = f"configuration #{one.configuration}"
        if one.since is not None:
            said += f" is in force since {one.since.astimezone(LOCAL):%d/%m/%Y %H:%M:%S}"
        level, mend = Level.OK, ""
        if one.refused:
            level, mend = Level.WARNING, "mend what it says, then hub reload"
            said += f"; it did not take the newest one: {one.refused}"
        elif several:
            level, mend = Level.WARNING, "hub reload, and see what each process says; hub configurations has them all"
            said += ", and another process runs another one"
        yield Finding("configuration", f"in force in {one.worker}", level, said, mend)


def _age(tx: Tx, at_us: int) -> timedelta:
    return timedelta(microseconds=max(tx.now_us - at_us, 0))


def _when(at_us: int) -> str:
    at = from_us(at_us)
    seconds = max((wall_us() - at_us) / SECOND_US, 0)
    ago = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else (
        f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
    )  # fmt: skip
    return f"{at.astimezone(LOCAL):%d/%m/%Y %H:%M:%S} ({ago} ago)"
