"""The ledger's database goes away under flow, in each of the ways in which databases do: the hub waits, says why, and
goes on by itself; afterwards the books balance."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from hub.ledger.reserve import problem_of
from tests.end_to_end.conftest import hasten
from tests.end_to_end.town import Town, until
from tests.prove.strikes import Recovery, balanced, told, town_of, troubled
from tests.support import proof
from tests.support.private_postgres import PostgresUnavailable, PrivatePostgres


@pytest.fixture(autouse=True)
def _in_a_hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


@pytest.fixture(scope="module")
def cluster() -> Iterator[PrivatePostgres]:
    """A cluster of this file's own, since it is stopped."""
    try:
        cluster = PrivatePostgres.start()
    except PostgresUnavailable as missing:
        pytest.fail(str(missing), pytrace=False)
    yield cluster
    cluster.stop()


@pytest.fixture(params=["embedded", "rabbitmq"] if proof.THOROUGH else ["embedded"])
def town(request: pytest.FixtureRequest, cluster: PrivatePostgres, tmp_path: Path) -> Iterator[Town]:
    """A town whose ledger is a database of that cluster, on either bus."""
    name = cluster.database()
    bus = {}
    if request.param == "rabbitmq":
        bus = {"bus": request.getfixturevalue("rabbitmq").amqp_url, "prefix": name.replace("_", "-")}
    with town_of(tmp_path / "town", ledger=cluster.url(name), **bus) as town:
        yield town
    cluster.drop(name)


async def in_flow(town: Town) -> None:
    """Release a tick and wait until some of it has arrived and some is on its way."""
    before = len(town.log("national"))
    for portal in town.portals:
        town.fault(portal, "drip", interval_s=0.001)
    town.tick()
    await until(lambda: len(town.log("national")) > before, show=town.standing)


async def to_its_end(town: Town) -> None:
    """All that was released arrives, and another tick that finds nothing wrong."""
    for portal in town.portals:
        town.fault(portal, "off")
    await town.all_arrived(within_s=90)
    town.tick()
    await town.all_arrived(within_s=90)


def test_postgresql_stopped_at_once_and_started_again(town: Town, cluster: PrivatePostgres) -> None:
    async def main() -> float:
        async with town.hub() as app:
            recovered = []
            for _ in range(3 if proof.THOROUGH else 1):
                await in_flow(town)
                await asyncio.to_thread(cluster.stop_at_once)
                town.tick()
                await troubled(app)
                await asyncio.to_thread(cluster.start_again)
                recovery = Recovery(app)
                recovered.append(await recovery.end())
            await to_its_end(town)
        return max(recovered)

    told("server stopped at once, started again", town, asyncio.run(main()))
    balanced(town)


def test_postgresql_away_for_longer_than_a_heartbeat_lives(
    town: Town, cluster: PrivatePostgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hub.app.HEARTBEAT_S", 0.1)
    monkeypatch.setattr("hub.app.SURE_S", 0.6)
    monkeypatch.setattr("hub.ledger.ledger.WORKER_TTL_S", 1.0)

    async def main() -> float:
        async with town.hub() as app:
            await in_flow(town)
            await asyncio.to_thread(cluster.stop_at_once)
            stopped_s = time.monotonic()
            town.tick()
            await until(lambda: time.monotonic() - stopped_s > 1.5 and "no heartbeat for" in caplog.text)
            assert not app._may_send()
            await asyncio.to_thread(cluster.start_again)
            recovery = Recovery(app)
            recovered_s = await recovery.end()
            await to_its_end(town)
        return recovered_s

    told("server away for longer than a heartbeat lives", town, asyncio.run(main()))
    balanced(town)


def test_the_server_ends_every_connection_of_the_hub(town: Town) -> None:
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query NOT LIKE '%pg_terminate_backend%'"
    )

    def end_all() -> int:
        with psycopg.connect(town.ledger.replace("+psycopg", ""), autocommit=True) as connection:
            found = connection.execute(end).fetchone()
            assert found is not None
            return int(found[0])

    async def main() -> float:
        recovered = 0.0
        async with town.hub() as app:
            for _ in range(town.ticks - 1 if proof.THOROUGH else 2):
                await in_flow(town)
                assert await asyncio.to_thread(end_all)
                recovered = max(recovered, await Recovery(app).end(commits=1))
            town.leave()
            await to_its_end(town)
        return recovered

    told("every connection ended by the server", town, asyncio.run(main()))
    balanced(town)


def test_a_sqlite_file_that_another_program_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hub.ledger.engine.BUSY_WAIT_S", 0.2)
    file = tmp_path / "town" / "hub.db"
    with town_of(tmp_path / "town") as town:

        async def main() -> float:
            async with town.hub() as app:
                await in_flow(town)
                with closing(sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)) as other:
                    await asyncio.to_thread(other.execute, "BEGIN EXCLUSIVE")
                    town.tick()
                    said = await troubled(app, "database is locked")
                    assert f"another program keeps {file} locked" in said
                    assert await asyncio.to_thread(problem_of, town.ledger) == said, "and so do other processes"
                    settled = town.one("SELECT count(*) FROM arrival")
                    tries = caplog.text.count("database is locked")
                    assert tries == 1, "it is said once, not at each try"
                    sent = {portal: len(town.log(portal)) for portal in town.portals}
                    town.tick()
                    assert town.one("SELECT count(*) FROM arrival") == settled
                    other.execute("ROLLBACK")
                recovery = Recovery(app)
                recovered_s = await recovery.end()
                assert problem_of(town.ledger, 1) is None
                await to_its_end(town)
                assert all(len(town.log(portal)) > sent[portal] for portal in town.portals)
            return recovered_s

        told("file locked by another program", town, asyncio.run(main()))
        # Whatever the portals answered meanwhile was kept and written: nothing had to be sent a second time.
        assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1")
        balanced(town)


@pytest.mark.parametrize("ledger", ["sqlite", "postgresql"])
def test_the_wall_clock_steps_back_and_forward_by_an_hour(
    ledger: str, tmp_path: Path, cluster: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.app.HEARTBEAT_S", 0.2)
    now_ns, stepped_s = time.time_ns, [0]
    monkeypatch.setattr("time.time_ns", lambda: now_ns() + stepped_s[-1] * 10**9)
    name = cluster.database()
    with town_of(tmp_path / "town", **({} if ledger == "sqlite" else {"ledger": cluster.url(name)})) as town:

        async def main() -> float:
            slowest_s = 0.0
            async with town.hub():
                for step_s in (-3600, 0):
                    await in_flow(town)
                    # Retries and the probes of a held gate are due by the clock as it was.
                    town.fault("national", "http-503")
                    town.fault("provincial", "429", retry_after_s=0.5)
                    await until(lambda: town.one("SELECT count(*) FROM gate WHERE state = 'held'"))
                    stepped_s.append(step_s)
                    began_s = time.monotonic()
                    for portal in town.portals:
                        town.fault(portal, "off")
                    await town.all_arrived()
                    slowest_s = max(slowest_s, time.monotonic() - began_s)
                await to_its_end(town)
            return round(slowest_s, 2)

        told("wall clock steps by an hour, both ways", town, asyncio.run(main()))
        balanced(town)
    cluster.drop(name)
