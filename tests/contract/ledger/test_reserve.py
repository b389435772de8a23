"""What waits when the ledger's disk fills, and in which order it goes on (R7, R12)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from hub.ledger import DestinationRules, Ledger
from hub.ledger.bulk import Tx
from hub.ledger.engine import _durable, owner_says, sole_owner
from hub.ledger.reserve import MB, Level, Reserve, Room, measure_of, problem_of, shown, sqlite_room
from hub.ledger.writer import Priority, Unit, Writer
from schemas.errors import LeaseLostError, LedgerFault
from tests.contract.ledger.bench import Bench, dossier
from tests.support.private_postgres import PrivatePostgres


class Disk:
    """A disk of 1,000 MB whose free space the test says."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hub.ledger.reserve.LOOK_S", 0.0)
        monkeypatch.setattr("hub.ledger.writer.LOOK_S", 0.01)
        self.free_mb = 500.0
        self.writer = bench.ledger._writer
        self.writer._reserve = Reserve(self.measure, 80)

    def measure(self) -> Room:
        return Room(Path("/data"), int(self.free_mb * MB), 1000 * MB)


@pytest.fixture
def disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(bench, monkeypatch)


def wait(holds: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


def now(tx: Tx) -> int:
    return tx.now_us


def test_below_the_reserve_arrivals_wait_and_all_else_goes_on(
    bench: Bench, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    tickets = bench.settle(dossier()).tickets
    mine = bench.settlement(dossier("H59-2"))
    disk.free_mb = 79

    async def settle() -> None:
        settling = asyncio.ensure_future(bench.ledger.settle(mine))
        await bench.ledger.beat()
        assert not settling.done()
        said = str(bench.ledger.problem)
        assert said.startswith("the disk of /data has 79 MB free and 80 MB are kept for claims and receipts: intake")
        await bench.ledger.set_gate("n", "open", "")
        await asyncio.to_thread(lambda: disk.writer.submit(now, Priority.CLAIM).result(5))
        disk.free_mb = 87  # a little more than where it stopped is not enough: else it would come and go
        await bench.ledger.beat()
        assert not settling.done()
        assert "87 MB free" in str(bench.ledger.problem)
        disk.free_mb = 89
        await settling

    bench.run(settle())
    bench.deliver(tickets)
    assert bench.items() == ["accepted", "accepted"]
    assert bench.ledger.problem is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "has room again" in caplog.records[-1].message


def test_in_the_last_part_no_claim_is_made_and_receipts_are_written(bench: Bench, disk: Disk) -> None:
    first, second = bench.settle(dossier(), dossier("H59-2")).tickets
    call = bench.claim([first])
    disk.free_mb = 9

    async def claim() -> None:
        claiming = asyncio.ensure_future(asyncio.to_thread(bench.ledger._writer.submit(now, Priority.CLAIM).result))
        relaying = asyncio.ensure_future(bench.ledger.due("n"))
        await bench.ledger.beat()
        assert not claiming.done()
        assert not relaying.done()
        assert "nothing is read and nothing is sent" in str(bench.ledger.problem)
        disk.free_mb = 12  # above the last eighth, below the reserve
        await claiming
        await relaying
        assert "intake waits, deliveries go on" in str(bench.ledger.problem)

    # Ten megabytes begin the last part; the call's answer is written all the same.
    bench.finish(call)
    assert bench.states() == ["delivered", "queued"]
    bench.run(claim())
    bench.deliver([second])


class FullDisk:
    """Refuses every commit that writes, as a full disk does, until there is room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, postgres: bool) -> None:
        monkeypatch.setattr("hub.ledger.writer.FULL_CAP_S", 0.02)
        monkeypatch.setattr(Writer, "_transaction", self._refuse(Writer._transaction))
        self.full, self.tried = True, list[list[Priority]]()
        self._error: Exception = sqlite3.OperationalError("database or disk is full")
        if postgres:
            self._error = psycopg.errors.DiskFull("could not extend file: No space left on device")
        else:
            self._error.sqlite_errorname = "SQLITE_FULL"

    def _refuse(self, transaction: Callable[[Writer, Sequence[Unit]], list[Any]]) -> Any:
        def refuse(writer: Writer, group: Sequence[Unit]) -> list[Any]:
            self.tried.append([unit.priority for unit in group])
            if self.full and any(unit.run is not now for unit in group):
                raise sa.exc.OperationalError("COMMIT", {}, self._error)
            return transaction(writer, group)

        return refuse


def test_r7_on_a_full_disk_all_waits_and_then_receipts_go_first_and_alone(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tickets = bench.settle(dossier(), dossier("H59-2")).tickets
    call = bench.claim(tickets[:1])
    mine = bench.settlement(dossier("H59-3"))
    full = FullDisk(monkeypatch, bench.postgres)

    def writes(tx: Tx) -> int:
        return tx.now_us

    async def main() -> None:
        settling = asyncio.ensure_future(bench.ledger.settle(mine))
        await asyncio.to_thread(wait, lambda: bench.ledger.problem)
        # What changes nothing goes in even now, and proves nothing.
        await asyncio.wrap_future(disk.writer.submit(now, Priority.RECEIPT))
        assert "full (" in str(bench.ledger.problem)
        assert "what portals have answered is kept in memory" in str(bench.ledger.problem)
        control, receipt = (disk.writer.submit(writes, one) for one in (Priority.CONTROL, Priority.RECEIPT))
        await asyncio.to_thread(wait, lambda: full.tried.count([Priority.RECEIPT]) > 2)
        assert not any(one.done() for one in (settling, control, receipt))
        full.full = False
        await asyncio.wrap_future(receipt)
        await settling

    bench.run(main())
    assert full.tried[-2:] == [[Priority.RECEIPT], [Priority.CONTROL, Priority.ARRIVAL]]
    assert bench.ledger.problem is None
    bench.finish(call)
    assert sum("disk is full" in record.message for record in caplog.records) == 1
    assert sum("is back" in record.message for record in caplog.records) == 1


def test_a_full_disk_is_over_too_where_what_it_refused_fails_for_a_reason_of_its_own(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = bench.settlement(dossier())
    full = FullDisk(monkeypatch, bench.postgres)

    async def main() -> None:
        settling = asyncio.ensure_future(bench.ledger.settle(replace(mine, epoch=77)))
        await asyncio.to_thread(wait, lambda: bench.ledger.problem)
        full.full = False
        with pytest.raises(LeaseLostError):
            await settling
        await bench.ledger.beat()

    bench.run(main())
    assert bench.ledger.problem is None
    assert bench.run(bench.ledger.settle(mine))


def test_closing_ends_what_there_is_no_room_for(bench: Bench, disk: Disk) -> None:
    disk.free_mb = 1
    waiting = disk.writer.submit(now, Priority.ARRIVAL)
    bench.run(bench.ledger.close())
    with pytest.raises(LedgerFault, match="nothing is read and nothing is sent") as raised:
        waiting.result(0)
    assert raised.value.down


def test_another_process_is_told_what_is_wrong(on_sqlite: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(on_sqlite, monkeypatch)
    assert problem_of(on_sqlite.url, 1) is None
    disk.free_mb = 79
    disk.writer.submit(now, Priority.RECEIPT).result(5)
    assert problem_of(on_sqlite.url) == on_sqlite.ledger.problem
    disk.free_mb = 500
    disk.writer.submit(now, Priority.RECEIPT).result(5)
    assert problem_of(on_sqlite.url, 1) is None
    assert "nothing is read" in str(problem_of(on_sqlite.url, 1_000_000_000)), "its disk is measured where no hub says"


def test_what_a_killed_owner_said_counts_no_more(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    with sole_owner(url) as say:
        say("the disk is full: đầy")
        assert owner_says(url) == "the disk is full: đầy"
        say("x" * 5000)
        assert owner_says(url) == "x" * (1000 - len(f"{os.getpid()}\n"))
    assert owner_says(url) is None
    for process in (999999999, 1, os.getpid()):
        (tmp_path / "hub.db.lock").write_text(f"{process}\nthe disk is full", encoding="utf-8")
        assert owner_says(url) is None, "whatever program has its number now"


def test_a_hub_starts_though_a_command_looks_at_its_lock_just_then(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    with sole_owner(url):
        pass
    with (tmp_path / "hub.db.lock").open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        soon = threading.Timer(0.05, fcntl.flock, (looking, fcntl.LOCK_UN))
        soon.start()
        with sole_owner(url):
            soon.join()


def test_the_room_of_a_sqlite_file_is_less_by_what_its_log_owes(on_sqlite: Bench) -> None:
    path = Path(on_sqlite.db.url.database or "")
    for number in range(20):
        on_sqlite.settle(dossier(f"H59-{number}", content=os.urandom(20_000).hex()))
    free = os.statvfs(path.parent)
    room = sqlite_room(path)
    assert room is not None
    with on_sqlite.db.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    owed = pages * 4096 - path.stat().st_size
    assert owed > 0
    assert abs(free.f_bavail * free.f_frsize - owed - room.free) < 100 * MB, "others write too"
    assert sqlite_room(path.parent / "none.db") is not None
    assert sqlite_room(path.parent / "none" / "none.db") is None


def test_the_disk_of_a_postgresql_on_this_host_is_measured(on_postgres: Bench, postgres: PrivatePostgres) -> None:
    room = measure_of(on_postgres.url)()
    assert room is not None
    assert room.total > room.free > 0
    on_postgres.execute("DROP ROLE IF EXISTS humble")
    on_postgres.execute("CREATE ROLE humble LOGIN")
    humble = on_postgres.url.replace("hub@", "humble@")
    assert measure_of(humble)() is None, "a role that may not know where the data lies"
    assert problem_of("postgresql://nobody@127.0.0.1:1/none") is None


@pytest.mark.parametrize(("total_mb", "reserve", "last"), [(100_000, 256, 32), (1000, 100, 12.5)])
def test_by_default_a_small_disk_keeps_a_tenth(total_mb: int, reserve: float, last: float) -> None:
    room = Room(Path("/data"), 0, total_mb * MB)
    mine = Reserve(lambda: room)
    assert (mine.kept(room), mine.kept(room, Level.LAST)) == (reserve * MB, last * MB)
    assert mine.look() is Level.LAST


def test_a_disk_that_cannot_be_measured_has_room() -> None:
    assert Reserve(lambda: None, 10).look() is Level.ROOM


@pytest.mark.parametrize(("size", "said"), [(123_456_789, "123 MB"), (400_000, "0.4 MB"), (-5, "0.0 MB")])
def test_sizes_are_for_people(size: int, said: str) -> None:
    assert shown(size) == said


def test_r15_postgresql_keeps_what_it_confirms_whatever_its_role_says(on_postgres: Bench) -> None:
    on_postgres.execute("ALTER ROLE hub SET synchronous_commit = off")
    try:
        on_postgres.run(on_postgres.ledger.close())
        on_postgres.ledger = on_postgres.start()
        writer: Any = on_postgres.ledger._writer
        asked = {}
        for name in ("synchronous_commit", "fsync", "full_page_writes"):

            def ask(tx: Tx, name: str = name) -> str:
                return str(tx.connection.exec_driver_sql(f"SHOW {name}").scalar_one())

            asked[name] = writer.submit(ask, Priority.CONTROL).result(5)
        assert asked == {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}
    finally:
        on_postgres.execute("ALTER ROLE hub RESET synchronous_commit")


def test_r15_a_ledger_on_postgresql_without_fsync_is_complained_of(caplog: pytest.LogCaptureFixture) -> None:
    class Server:
        """Says that it does not sync; a real one reads this only at its start or reload."""

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def cursor(self) -> Server:
            return self

        def execute(self, _: str) -> None:
            pass

        def fetchone(self) -> tuple[str]:
            return ("off",)

        def commit(self) -> None:
            pass

    _durable(Server(), None)
    assert "fsync = off" in caplog.text


def test_a_start_on_a_full_disk_ends_when_it_is_told_to(sqlite_ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = FullDisk(monkeypatch, False)

    async def main() -> None:
        ledger = Ledger(sqlite_ledger, {"n": DestinationRules()})
        opening = asyncio.ensure_future(ledger.open(take_over=True))
        await asyncio.to_thread(_until, lambda: full.tried)
        assert not opening.done()
        ledger.give_up()
        with pytest.raises(LedgerFault, match="full"):
            await asyncio.wait_for(opening, 60)

    asyncio.run(main())


def _until(holds: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
