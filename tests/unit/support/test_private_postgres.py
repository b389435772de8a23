from __future__ import annotations

import psycopg
import pytest

from tests.support import private_postgres
from tests.support.private_postgres import PostgresUnavailable, PrivatePostgres


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def test_each_database_is_its_own(postgres: PrivatePostgres, postgres_url: str) -> None:
    other = postgres.database()
    with connect(postgres_url) as one, connect(postgres.url(other)) as two:
        one.execute("CREATE TABLE t (n int)")
        assert two.execute("SELECT to_regclass('t')").fetchone() == (None,)
    postgres.drop(other)


def test_a_template_is_prepared_once_and_copied(postgres: PrivatePostgres) -> None:
    prepared: list[str] = []

    def prepare(url: str) -> None:
        prepared.append(url)
        with connect(url) as connection:
            connection.execute("CREATE TABLE t (n int)")

    for _ in range(2):
        name = postgres.database(postgres.template("prepared", prepare))
        with connect(postgres.url(name)) as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)
        postgres.drop(name)
    assert len(prepared) == 1


def test_it_is_as_durable_as_a_real_one(postgres_url: str) -> None:
    with connect(postgres_url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)


def test_a_missing_server_is_said_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> object:
        raise PostgresUnavailable(private_postgres.MISSING)

    monkeypatch.setattr(private_postgres, "_programs", nothing)
    with pytest.raises(PostgresUnavailable, match="apt-get install postgresql"):
        PrivatePostgres.start()
