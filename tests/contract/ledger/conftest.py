"""One suite for both databases: every test that takes `bench` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.ledger.engine import migrate, open_engine
from tests.contract.ledger.bench import Bench, books, empty, install_triggers, sqlite_url
from tests.support.private_postgres import PrivatePostgres


def prepare(url: str) -> None:
    """Migrate, and let the database refuse illegal steps."""
    engine = open_engine(url, writer=True)
    migrate(engine)
    engine.dispose()
    install_triggers(url)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite ledger, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "migrated.db"
    prepare(sqlite_url(path))
    return path


@pytest.fixture
def sqlite_ledger(migrated: Path, tmp_path: Path) -> str:
    """The address of an empty SQLite ledger of the test's own."""
    path = tmp_path / "hub.db"
    shutil.copy(migrated, path)
    return sqlite_url(path)


@pytest.fixture(scope="session")
def postgres_database(postgres: PrivatePostgres) -> str:
    """The address of a migrated PostgreSQL ledger that the tests share, one after the other."""
    url = postgres.url(postgres.database())
    prepare(url)
    return url


@pytest.fixture
def postgres_ledger(postgres_database: str) -> str:
    """The address of an empty PostgreSQL ledger; emptied before the test, since a new database costs more."""
    empty(postgres_database)
    return postgres_database


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    wanted = "sqlite_ledger" if request.param == "sqlite" else "postgres_ledger"
    return str(request.getfixturevalue(wanted))


@pytest.fixture
def bench(ledger_url: str) -> Iterator[Bench]:
    """A ledger with one destination `n`; its books are checked at the end of every test."""
    bench = Bench(ledger_url)
    yield bench
    books(bench)
    bench.close()


@pytest.fixture
def on_postgres(postgres_ledger: str) -> Iterator[Bench]:
    """For what only several processes can do."""
    bench = Bench(postgres_ledger)
    yield bench
    books(bench)
    bench.close()


@pytest.fixture
def on_sqlite(sqlite_ledger: str) -> Iterator[Bench]:
    bench = Bench(sqlite_ledger)
    yield bench
    books(bench)
    bench.close()
