"""A hub on a small disk that is filled up and emptied again: a program of its own, to be run where the disk is mounted.

    python -m tests.prove.full_disk sqlite|postgresql|blind DISK FOLDER      prints what it measured as one JSON object

DISK is the mount point of a small file system of its own; FOLDER, elsewhere, takes everything else. `blind` is
PostgreSQL on a disk that the hub cannot measure, as on another host. Exit status 0 only where all of it came true.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hub.app import App
from hub.ledger.reserve import MB, nowhere
from tests.end_to_end.conftest import hasten
from tests.end_to_end.town import Town, until
from tests.prove.strikes import Recovery, balanced, town_of, troubled
from tests.support.private_postgres import PrivatePostgres

RESERVE_MB = 16


class Filler:
    """The file of somebody else that eats the disk."""

    def __init__(self, disk: Path) -> None:
        self._disk, self._file = disk, disk / "filler"

    def free(self) -> int:
        found = os.statvfs(self._disk)
        return found.f_bavail * found.f_frsize

    def leave(self, size: int) -> None:
        """Take all but `size` bytes of what is free."""
        with self._file.open("ab") as file:
            while (take := self.free() - size) > 0:
                with suppress(OSError):  # the database took some of it meanwhile
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), take)

    def remove(self) -> None:
        self._file.unlink()


def queues(town: Town) -> dict[str, Any]:
    """What `hub queues` says, in a process of its own."""
    command = [sys.executable, "-c", "from hub.cli import main; main()", "queues", "--config", str(town.file), "--json"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def effects(town: Town) -> dict[str, int]:
    return {portal: len(town.log(portal)) for portal in town.portals}


async def in_flight(town: Town) -> None:
    """Release a tick and wait until requests are under way at portals that answer slowly."""
    for portal in town.portals:
        town.fault(portal, "drip", interval_s=0.002)
    town.tick()
    await until(lambda: town.one("SELECT count(*) FROM dispatch WHERE state = 'sending'"), show=town.standing)


async def under_the_reserve(town: Town, app: App, filler: Filler) -> float:
    """Intake stops, deliveries go on; and when there is room the intake goes on too. Returns the seconds until then."""
    for portal in town.portals:
        town.fault(portal, "http-503")
    town.tick()
    await until(lambda: all(town.read_whole(one) for one in town.systems), show=town.standing)
    filler.leave(RESERVE_MB * MB // 2)
    said = await troubled(app, "intake waits, deliveries go on")
    told = await asyncio.to_thread(queues, town)
    assert "intake waits, deliveries go on" in told["ledger_problem"], told
    assert said.split(" has ")[0] == told["ledger_problem"].split(" has ")[0]
    town.tick()
    read = town.one("SELECT count(*) FROM revision")
    before = effects(town)
    for portal in town.portals:
        town.fault(portal, "off")
    await until(lambda: not town.open(), show=town.standing)
    assert all(after > before[portal] for portal, after in effects(town).items()), "deliveries went on"
    assert town.one("SELECT count(*) FROM revision") == read, "intake waited"
    filler.remove()
    recovery = Recovery(app)
    recovered_s = await recovery.end()
    await town.all_arrived(within_s=90)
    assert town.one("SELECT count(*) FROM revision") > read
    return recovered_s


async def all_of_it(town: Town, app: App, filler: Filler, *, cut_the_log: bool) -> float:
    """Everything stops while answers are on their way, and goes on when there is room."""
    await in_flight(town)
    filler.leave(2 * MB)
    if cut_the_log:  # which has room for some more receipts in itself
        with closing(sqlite3.connect(town.ledger.removeprefix("sqlite:///"), timeout=10)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    filler.leave(0)
    said = await troubled(app, "nothing is read and nothing is sent")
    if cut_the_log:
        said = await troubled(app, "the ledger's disk is full (database or disk is full)")
        assert "what portals have answered is kept in memory" in said
    if cut_the_log:
        told = await asyncio.to_thread(queues, town)
        assert "nothing is read and nothing is sent" in told["ledger_problem"], told
    # The requests under way come to their end; from then on nothing is sent.
    await until(lambda: not any(deliver._sending for deliver in app.serving.delivers))
    before = effects(town)
    tries = app.ledger._writer._reserve
    for _ in range(3):
        looked = tries._look_at_s
        await until(lambda at=looked: tries._look_at_s > at)  # type: ignore[misc]
    assert effects(town) == before, "nothing is sent"
    filler.remove()
    recovery = Recovery(app)
    recovered_s = await recovery.end()
    for portal in town.portals:
        town.fault(portal, "off")
    await town.all_arrived(within_s=90)
    return recovered_s


async def sqlite(town: Town, filler: Filler) -> dict[str, float]:
    async with town.hub() as app:
        town.tick()
        await town.all_arrived()
        reserve_s = await under_the_reserve(town, app, filler)
        full_s = await all_of_it(town, app, filler, cut_the_log=True)
    # What was answered while nothing could be written is known all the same.
    assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1")
    balanced(town)
    return {"under the reserve": reserve_s, "full": full_s}


async def postgresql(town: Town, filler: Filler, cluster: PrivatePostgres) -> dict[str, float]:
    async with town.hub() as app:
        town.tick()
        await town.all_arrived()
        reserve_s = await under_the_reserve(town, app, filler)
        full_s = await all_of_it(town, app, filler, cut_the_log=False)
        await in_flight(town)
        filler.leave(0)
        await asyncio.to_thread(end_the_log, town, cluster)
        await troubled(app)
        filler.remove()
        await asyncio.to_thread(cluster.start_again)
        recovery = Recovery(app)
        ended_s = await recovery.end()
        for portal in town.portals:
            town.fault(portal, "off")
        await town.all_arrived(within_s=90)
    balanced(town)
    return {"under the reserve": reserve_s, "full": full_s, "full, the server ended and was started": ended_s}


def end_the_log(town: Town, cluster: PrivatePostgres) -> None:
    """Make the server need a new piece of its log, again and again, until it ends for want of room."""
    for _ in range(200):
        if not cluster.running:
            return
        with suppress(psycopg.Error), connected(town) as connection:
            connection.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000)), pg_switch_wal()")
    raise AssertionError(f"the server still runs:\n{cluster.log()[-3000:]}")


async def blind(town: Town, filler: Filler) -> dict[str, float]:
    async with town.hub() as app:
        town.tick()
        await town.all_arrived()
        filler.leave(0)
        town.tick()
        said = await troubled(app, "the ledger's disk is full (could not extend file", within_s=90)
        assert "MB free" not in said
        filler.remove()
        recovery = Recovery(app)
        full_s = await recovery.end()
        await town.all_arrived(within_s=90)
        town.tick()
        await town.all_arrived()
    balanced(town)
    return {"full, on a disk that cannot be measured": full_s}


@contextmanager
def connected(town: Town) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(town.ledger.replace("+psycopg", ""), autocommit=True, connect_timeout=5) as connection:
        yield connection


def main(what: str, disk: Path, folder: Path) -> dict[str, float]:
    """Play one of the three and return the seconds until it went on, by what was full."""

    def reserve(configuration: dict[str, Any]) -> None:
        configuration["ledger"]["reserve_mb"] = RESERVE_MB

    filler = Filler(disk)
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        patch.setattr("hub.app.HEARTBEAT_S", 0.1)
        patch.setattr("hub.ledger.writer.FULL_CAP_S", 0.2)
        if what == "sqlite":
            with town_of(folder, ledger=f"sqlite:///{disk / 'hub.db'}", changes=reserve) as town:
                return asyncio.run(sqlite(town, filler))
        patch.setattr(tempfile, "tempdir", str(disk))
        cluster = PrivatePostgres.start()
        try:
            with town_of(folder, ledger=cluster.url(cluster.database()), changes=reserve) as town:
                if what == "blind":
                    patch.setattr("hub.ledger.ledger.measure_of", lambda *_: nowhere)
                    return asyncio.run(blind(town, filler))
                return asyncio.run(postgresql(town, filler, cluster))
        finally:
            cluster.stop()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
