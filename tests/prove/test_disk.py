"""The ledger's disk fills up, and a commit reaches the disk.

The small disk is a tmpfs in a mount namespace of its own, which ends with the process that it was made for; making
one needs root, or the right to mount in a container.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hub.ledger.engine import migrate, open_engine
from hub.ledger.reserve import MB, Room
from tests.end_to_end.conftest import hasten
from tests.end_to_end.town import QuickApp, Town
from tests.prove.settles import FIRST, LAST
from tests.prove.strikes import town_of, troubled
from tests.support import proof
from tests.support.private_postgres import PrivatePostgres

DISK_MB = {"sqlite": 64, "postgresql": 192, "blind": 192}
CANNOT_MOUNT = "a small disk cannot be mounted: run as root, in a container with --cap-add SYS_ADMIN"
WITHIN_S = 240
ROOT = Path(__file__).parents[2]


@pytest.fixture
def disk() -> Iterator[Path]:
    """Where a small disk is to be mounted. Not below pytest's own folders: PostgreSQL runs as somebody else, who has to
    get at it."""
    with tempfile.TemporaryDirectory(prefix="interop-disk-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def on_a_small_disk(what: str, disk: Path, folder: Path) -> dict[str, float]:
    """Play `tests.prove.full_disk` on a disk of its own; returns what it measured."""
    mount = f"mount -t tmpfs -o size={DISK_MB[what]}m,mode=0755 small '{disk}'"
    can = subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, text=True, check=False)
    if can.returncode != 0:
        pytest.fail(f"{CANNOT_MOUNT} ({can.stderr.strip()})", pytrace=False)
    play = f"{mount} && exec '{sys.executable}' -m tests.prove.full_disk {what} '{disk}' '{folder / 'town'}'"
    played = subprocess.run(
        ["unshare", "--mount", "sh", "-c", play],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert played.returncode == 0, played.stderr[-6000:]
    measured: dict[str, float] = json.loads(played.stdout)
    return measured


@pytest.mark.parametrize("what", ["sqlite", "postgresql", "blind"] if proof.THOROUGH else ["sqlite", "postgresql"])
def test_a_disk_that_fills_up_stops_the_intake_then_everything_and_all_goes_on_when_there_is_room(
    what: str, disk: Path, tmp_path: Path
) -> None:
    ledger = "sqlite" if what == "sqlite" else "postgresql"
    for how, recovered_s in on_a_small_disk(what, disk, tmp_path).items():
        proof.record("fault", fault=f"disk {how}", bus="embedded", ledger=ledger, recovered_s=recovered_s)
        print(f"disk {how} (embedded, {ledger}): recovered after {recovered_s:.2f} s")


COMMITS = 500 if proof.THOROUGH else 50
STRACE_MISSING = "strace is not installed: apt-get install strace"


def test_r15_each_commit_to_sqlite_reaches_the_disk(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.fail(STRACE_MISSING, pytrace=False)
    file, trace = tmp_path / "hub.db", tmp_path / "trace"
    watch = ["strace", "--follow-forks", "--decode-fds=path", "--trace=openat,fsync,fdatasync", f"--output={trace}"]
    commits, _ = settled(f"sqlite:///{file}", tmp_path, *watch)
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    first, last = (next(at for at, line in enumerate(lines) if f'{mark}"' in line) for mark in (FIRST, LAST))
    of_the_log = re.compile(rf"\bf(data)?sync\(\d+<{re.escape(str(file))}-wal>\)")
    fsyncs = sum(bool(of_the_log.search(line)) for line in lines[first:last])
    durable("sqlite", commits, fsyncs)


def test_each_commit_to_postgresql_reaches_the_disk(postgres: PrivatePostgres, tmp_path: Path) -> None:
    url = postgres.url(postgres.database())
    engine = open_engine(url, writer=True)
    migrate(engine)
    engine.dispose()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        ended = "SELECT pg_stat_force_next_flush(), count(*) FROM pg_stat_activity WHERE datname = current_database()"

        def synced() -> int:
            # What a session has synced is counted when it ends; and the checkpointer counts for itself.
            give_up_at = time.monotonic() + 90
            while connection.execute(ended).fetchall()[0][1] > 1:
                assert time.monotonic() < give_up_at
            return int(connection.execute("SELECT wal_sync FROM pg_stat_wal").fetchall()[0][0])

        before = synced()
        _, commits = settled(url, tmp_path)
        durable("postgresql", commits, synced() - before)


def settled(url: str, folder: Path, *watch: str) -> tuple[int, int]:
    """Settle in a process of its own; returns the commits of the settles and all of its commits."""
    command = [*watch, sys.executable, "-m", "tests.prove.settles", url, str(folder), str(COMMITS)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert told.returncode == 0, told.stderr[-3000:]
    of_the_settles, in_all = map(int, told.stdout.split())
    return of_the_settles, in_all


def durable(ledger: str, commits: int, fsyncs: int) -> None:
    assert fsyncs >= commits >= COMMITS, (commits, fsyncs)
    proof.record("durable", ledger=ledger, commits=commits, fsyncs=fsyncs, per_commit=round(fsyncs / commits, 2))
    print(f"{ledger}: {commits} commits, {fsyncs} times told the disk to write")


def test_a_run_that_is_to_end_by_itself_can_be_stopped_while_its_intake_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)

    def reserve(configuration: dict[str, Any]) -> None:
        configuration["ledger"]["reserve_mb"] = 1_000_000

    async def main(town: Town) -> None:
        app, stop = QuickApp(town.deployment), asyncio.Event()
        room = Room(tmp_path, 500_000 * MB, 2_000_000 * MB)
        monkeypatch.setattr("hub.ledger.ledger.measure_of", lambda *_: lambda: room)
        await app.open()
        town.tick()
        running = asyncio.create_task(app.serve_once(stop))
        try:
            await troubled(app, "intake waits")
            assert not running.done()
        finally:
            stop.set()
            async with asyncio.timeout(90):
                await running
            await app.close()

    with town_of(tmp_path / "town", changes=reserve) as town:
        asyncio.run(main(town))
        assert town.one("SELECT count(*) FROM arrival") == 0
