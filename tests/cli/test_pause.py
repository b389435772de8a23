"""`hub pause` and `hub resume`: on a ledger that nobody has open, and on a hub that runs, over its socket (SQLite) or
beside it (PostgreSQL)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.local_time import LOCAL
from tests.end_to_end.town import Town, until

MakeTown = Callable[..., Town]
WHY = ("--who", "lan", "--why", "cổng xin nghỉ đến trưa")
REASON = "lan: cổng xin nghỉ đến trưa"


@pytest.fixture
def make_town(tmp_path: Path) -> Iterator[MakeTown]:
    """A town with one system and one portal."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Town:
            town = Town(tmp_path, stack, dossiers=1, ticks=3, systems=("csv",), portals=("provincial",), **settings)
            stack.callback(town.leave)
            return town

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, make_town: MakeTown) -> Town:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    return make_town(ledger=url)


def calls(town: Town) -> int:
    return int(town.one("SELECT count(*) FROM call"))


def run_hub(town: Town, work: Callable[[], Awaitable[None]]) -> None:
    """Do something while `hub run` runs as a process of its own; it ends with status 0 when it is told to."""

    async def main() -> None:
        command = [str(Path(sys.executable).parent / "hub"), "run", str(town.file)]
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        try:
            async with asyncio.timeout(90):
                while b" runs: ledger" not in (line := await process.stderr.readline()):
                    assert line, "the hub ended"
            await work()
        finally:
            process.terminate()
            _, said = await process.communicate()
        assert process.returncode == 0, said.decode()

    asyncio.run(main())


def test_r2_a_running_hub_sends_nothing_after_pause_has_returned_and_goes_on_with_resume(hub: Any, town: Town) -> None:
    def command(name: str, *more: str) -> Any:
        return hub(name, "provincial", "--config", str(town.file), *more)

    async def work() -> None:
        town.tick()
        await town.all_arrived()
        paused = await asyncio.to_thread(command, "pause", *WHY, "--json")
        assert paused.json == {"destination": "provincial", "state": "paused", "changed": True}, paused.err
        sent, came = calls(town), len(town.log("provincial"))
        town.tick()
        await until(lambda: town.read_whole("csv"), show=town.standing)
        again = await asyncio.to_thread(command, "pause")
        assert (again.status, again.out) == (0, "provincial was paused already\n")
        assert (calls(town), len(town.log("provincial"))) == (sent, came)
        reasons = town.ask(
            "SELECT reason, attempts, tries FROM dispatch WHERE state = 'waiting' AND due_us IS NOT NULL"
        )
        assert [tuple(row) for row in reasons] == [(f"gate paused: {REASON}", 0, 0)]
        resumed = await asyncio.to_thread(command, "resume", "--who", "lan")
        assert (resumed.status, resumed.out) == (0, "provincial goes on\n"), resumed.err
        await town.all_arrived()
        once_more = await asyncio.to_thread(command, "resume", "--json")
        assert once_more.json == {"destination": "provincial", "state": "open", "changed": False}

    run_hub(town, work)
    assert town.gates("provincial") == ["paused", "open"]
    done = town.ask("SELECT who, what, subject, why FROM operation ORDER BY id")
    assert [tuple(row) for row in done] == [
        ("lan", "pause", "provincial", "cổng xin nghỉ đến trưa"),
        ("lan", "resume", "provincial", None),
    ]
    town.balance()


def test_resume_opens_a_gate_that_its_own_trouble_closed_too(hub: Any, make_town: MakeTown) -> None:
    town = make_town()

    async def work() -> None:
        town.fault("provincial", "refuse")
        town.tick()
        await until(lambda: town.gates("provincial") == ["held"], show=town.standing)
        resumed = await asyncio.to_thread(hub, "resume", "provincial", "--config", str(town.file), "--json")
        assert resumed.json == {"destination": "provincial", "state": "open", "changed": True}
        # It is still down, which the next request finds out.
        await until(lambda: town.gates("provincial")[:3] == ["held", "open", "held"], show=town.standing)
        town.fault("provincial", "off")
        await town.all_arrived()

    run_hub(town, work)
    assert town.one("SELECT count(*) FROM dispatch WHERE attempts > 0") == 0


def test_a_run_that_ends_by_itself_does_not_wait_for_a_paused_destination_and_says_so(
    hub: Any, make_town: MakeTown
) -> None:
    town = make_town()
    file = str(town.file)
    assert hub("run", file, "--once").status == 0
    assert hub("pause", "provincial", "--config", file, *WHY).out == "provincial is paused\n"
    town.tick()
    ran = hub("run", file, "--once", "--wait-s", "600", "--json")
    assert ran.status == 1
    assert ran.json["still_open"] == 2
    assert ran.json["closed_gates"] == {"provincial": f"paused: {REASON}"}
    assert f"provincial paused: {REASON}" in hub("run", file, "--once").out
    assert hub("resume", "provincial", "--config", file).status == 0
    ran = hub("run", file, "--once", "--json")
    assert (ran.status, ran.json["delivered"], ran.json["still_open"]) == (0, 2, 0)


def test_a_destination_is_paused_before_the_hub_was_ever_started(hub: Any, make_town: MakeTown) -> None:
    town = make_town()
    file = str(town.file)
    refused = hub("pause", "nowhere", "--config", file)
    assert (refused.status, f"{town.folder / 'hub.db'}: there is no ledger here yet" in refused.err) == (1, True)
    for name, ledger in (("resume", town.folder / "hub.db"), ("resume", town.folder / "elsewhere.db")):
        refused = hub(name, "provincial", "--config", file, "--ledger", f"sqlite:///{ledger}")
        assert (refused.status, f"{ledger}: there is no ledger here yet" in refused.err) == (1, True)
        assert not ledger.exists()
    assert hub("pause", "provincial", "--config", file, *WHY).out == "provincial is paused\n"
    refused = hub("pause", "nowhere", "--config", file)
    assert (refused.status, "knows no destination 'nowhere'" in refused.err) == (1, True)
    town.tick()
    ran = hub("run", file, "--once", "--json")
    assert (ran.status, ran.json["delivered"], ran.json["still_open"]) == (1, 0, 2)
    assert ran.json["closed_gates"] == {"provincial": f"paused: {REASON}"}


def test_a_run_in_the_middle_of_a_maintenance_sends_nothing_and_says_until_when(hub: Any, make_town: MakeTown) -> None:
    now = datetime.now(LOCAL)
    start, end = now - timedelta(hours=2), now + timedelta(hours=2)

    def announced(configuration: dict[str, Any]) -> None:
        window = {"from": f"{start:%Y-%m-%d %H:%M}", "to": f"{end:%Y-%m-%d %H:%M}", "why": "nâng cấp máy chủ"}
        configuration["destinations"]["provincial"]["maintenance"] = [window]

    town = make_town(changes=announced)
    town.tick()
    ran = hub("run", str(town.file), "--once", "--wait-s", "600")
    assert ran.status == 1
    assert f"provincial maintenance: until {end:%Y-%m-%d %H:%M}: nâng cấp máy chủ" in ran.out
    assert (calls(town), town.log("provincial")) == (0, [])
    # The portal is ready before its time: a person decides.
    assert hub("resume", "provincial", "--config", str(town.file)).status == 0
    assert hub("run", str(town.file), "--once").status == 0
    assert town.gates("provincial") == ["maintenance", "open"]


def test_a_maintenance_that_is_announced_no_more_is_over_with_the_next_start(hub: Any, make_town: MakeTown) -> None:
    town = make_town()
    assert hub("run", str(town.file), "--once").status == 0
    with town_writes(town) as execute:
        execute("UPDATE gate SET state = 'maintenance', reason = 'until tomorrow'")
    town.tick()
    assert hub("run", str(town.file), "--once").status == 0
    assert town.gates("provincial") == ["open"]


def town_writes(town: Town) -> Any:
    """The ledger of a town, to write into while no hub runs."""
    from contextlib import contextmanager

    import sqlalchemy as sa

    from hub.ledger.engine import open_engine

    @contextmanager
    def writing() -> Iterator[Callable[[str], None]]:
        engine = open_engine(town.ledger, writer=True)
        try:
            with engine.begin() as connection:
                yield lambda statement: (connection.execute(sa.text(statement)), None)[1]
        finally:
            engine.dispose()

    return writing()


@pytest.mark.parametrize("name", ["pause", "resume"])
def test_a_destination_that_there_is_not_is_refused_with_those_that_there_are(
    hub: Any, make_town: MakeTown, name: str
) -> None:
    town = make_town()
    hub("run", str(town.file), "--once")
    ran = hub(name, "provinical", "--config", str(town.file))
    assert ran.status == 1
    assert "the ledger knows no destination 'provinical'; it knows: provincial" in ran.err
    assert town.gates("provinical") == []
