"""R17 end to end: a ledger restored from a backup, recovered and run: nothing lost, nothing goes back in time."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.bus import open_bus
from hub.bus.private_node import PrivateNode
from hub.cli import app
from hub.ledger.read import open_reader
from hub.ports import Confirmed, Ticket
from tests.end_to_end.town import Town, marker, until


def recover(town: Town, status: int = 0, *more: str) -> Any:
    done = CliRunner().invoke(app, ["recover", str(town.file), "--who", "lan", "--json", *more], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def back_up(town: Town) -> Path:
    """A backup of the running ledger by SQLite's own means."""
    target = town.folder / "backup.db"
    with sqlite3.connect(town.folder / "hub.db") as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    return target


def restore(town: Town, backup: Path) -> None:
    town.leave()
    for name in ("hub.db-wal", "hub.db-shm"):
        (town.folder / name).unlink(missing_ok=True)
    (town.folder / "hub.db").write_bytes(backup.read_bytes())


async def play(town: Town) -> Path:
    """A tick delivered; one that waits at the backup and is delivered after it; one that is read after it."""
    async with town.hub():
        town.tick()
        await town.all_arrived()
        for portal in town.portals:
            town.fault(portal, "http-503")
        town.tick()
        await until(lambda: all(town.read_whole(one) for one in town.systems), show=town.standing)
        backup = await asyncio.to_thread(back_up, town)
        for portal in town.portals:
            town.fault(portal, "off")
        await town.all_arrived()
        town.tick()
        await town.all_arrived()
    return backup


def kept(town: Town) -> None:
    """Each state and step is at each portal; twice only where the ledger says so, and no state behind a newer one.

    Steps that go again do so after newer ones: the portal is told of the same step twice, which is said.
    """
    with open_reader(town.ledger) as reader:
        traces = {number: reader.trace(number) for numbers in town.numbers.values() for number in numbers}
    for portal in town.portals:
        effects: dict[str, list[str]] = {}
        for effect in town.log(portal):
            effects.setdefault(effect["number"], []).append(marker(effect))
        for number, trace in traces.items():
            content = {row.revision_id: row.content or {} for row in trace.revisions}
            twice = {
                content[one.revision_id].get("note") or content[one.revision_id]["content"]: one.possibly_twice
                for one in trace.dispatches
                if one.destination == portal
            }
            counted = Counter(effects[number])
            assert {f"bước {at}" for at in range(1, town.ticked + 1)} <= counted.keys(), "lost"
            assert [marker for marker, count in counted.items() if count > 1 and not twice[marker]] == []
            states = [int(marker.split()[1]) for marker in effects[number] if marker.startswith("lần")]
            assert (states, states[-1]) == (sorted(states), town.ticked), "a dossier went back in time"


def test_r17_restored_recovered_and_run_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with ExitStack() as stack:
            town = Town(tmp_path, stack, systems=("soap", "csv"), dossiers=3, ticks=4)
            restore(town, await play(town))
            told = await asyncio.to_thread(recover, town)
            assert told["complete"]
            assert told["put_back"] == {"cau-ngang-buoc": 3, "cau-ngang-hoso": 3}, "what is read twice is a duplicate"
            assert told["opened"] == ["national", "provincial"]
            for portal in town.portals:
                marked = told["destinations"][portal]
                # Of each dossier the newest state, and the steps of two ticks.
                assert (marked["updates"], marked["events"], marked["superseded"]) == (6, 12, 6), marked
            async with town.hub():
                await town.all_arrived()
                town.tick()
                await town.all_arrived()
            kept(town)
            (row,) = town.ask("SELECT who, what FROM operation WHERE what = 'recover'")
            assert tuple(row) == ("lan", "recover")

    asyncio.run(main())


def test_r17_new_dossiers_of_the_lost_span_are_looked_up(tmp_path: Path) -> None:
    async def main() -> None:
        with ExitStack() as stack:
            town = Town(tmp_path, stack, systems=("soap",), dossiers=3)
            async with town.hub():
                backup = await asyncio.to_thread(back_up, town)
                town.tick()
                await town.all_arrived()
            restore(town, backup)
            town.fault("soap", "500")
            stopped = await asyncio.to_thread(recover, town, 1)
            assert list(stopped["unread"]) == ["so-tttt"]
            assert {row[0] for row in town.ask("SELECT state FROM gate")} == {"paused"}
            town.fault("soap", "off")
            told = await asyncio.to_thread(recover, town)
            assert told["destinations"]["national"]["look_ups"] == 3
            assert told["destinations"]["provincial"]["creates"] == 3
            before = len(town.log("national"))
            async with town.hub():
                await town.all_arrived()
            sent = [one for one in town.log("national")[before:] if one["service"] == "DongBoHoSoMC"]
            assert [one["updating"] for one in sent] == [True] * 3, "the portal had them"
            assert town.state("national")["look_ups"] == 3
            town.balance()

    asyncio.run(main())


def test_r17_old_tickets_in_the_broker_are_nobodys(
    tmp_path: Path, rabbitmq: PrivateNode, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with ExitStack() as stack:
            town = Town(tmp_path, stack, systems=("soap",), portals=("national",), bus=rabbitmq.amqp_url, prefix="r17",
                        dossiers=2, ticks=2)  # fmt: skip
            async with town.hub() as hub:
                backup = await asyncio.to_thread(back_up, town)
                town.tick()
                await town.all_arrived()
                identity = hub.ledger.identity
            restore(town, backup)
            # What the broker kept from the lost span.
            await leave_behind(town, tickets(range(101, 107), identity))
            caplog.set_level(logging.WARNING)
            async with town.hub():
                await until(lambda: any("the bus holds tickets" in one.getMessage() for one in caplog.records))
            assert "stop the hub and run `hub recover`" in caplog.text
            restore(town, backup)
            await asyncio.to_thread(recover, town)
            # Numbers that the recovered ledger makes anew.
            await leave_behind(town, tickets(range(1, 7), identity))
            caplog.clear()
            async with town.hub():
                await town.all_arrived()
                await until(lambda: caplog.text.count("a ticket that this ledger did not write") >= 6)
                town.tick()
                await town.all_arrived()
            town.balance()

    asyncio.run(main())


def tickets(numbers: Iterable[int], identity: str) -> list[Ticket]:
    return [Ticket(n, 1, "national", "dossier.v1", "H59-9", "H59-9", b"{}", identity) for n in numbers]


async def leave_behind(town: Town, tickets: list[Ticket]) -> None:
    bus = open_bus(town.bus, prefix=town.prefix, start_s=10.0)
    await bus.start(["national"])
    assert [type(one) for one in await bus.publish(tickets)] == [Confirmed] * len(tickets)
    await bus.stop()
