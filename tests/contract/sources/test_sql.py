"""What only a database has: order by moment and key, overlap, its own types, deadlines, and mistakes in a query."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.pool import NullPool

from adapters.sql import SqlSettings, SqlSource
from hub.ports import AdapterContext, Arrival
from schemas.errors import SourceFault
from schemas.local_time import LOCAL
from tests.contract.sources.systems import SLUG, poll, polls, sql_settings
from tests.support.private_postgres import PrivatePostgres

BEGAN = datetime.fromisoformat("2017-03-20T08:00:00")
"""Without a zone, as the column has it."""


@dataclass
class Town:
    """A database with a table of dossiers, and sources that read it."""

    engine: sa.Engine
    url: str
    folder: Path

    def do(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def put(self, number: str, at: datetime | None) -> None:
        written = "NULL" if at is None else f"'{at:%Y-%m-%d %H:%M:%S}'"
        self.do(
            f"DELETE FROM ho_so WHERE so_ho_so = '{number}'",
            f"INSERT INTO ho_so VALUES ('{number}', 'Hạnh', {written})",
        )

    @contextmanager
    def source(self, **changes: Any) -> Iterator[SqlSource]:
        settings = SqlSettings.model_validate(sql_settings(self.url, **changes))
        yield SqlSource(settings, AdapterContext(name=SLUG, folder=self.folder))


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    where = f"sqlite:///{tmp_path}/motcua.db"
    url = "sqlite:///motcua.db"
    if request.param == "postgresql":
        url = where = request.getfixturevalue("postgres_url")
    engine = sa.create_engine(where, poolclass=NullPool)
    made = Town(engine, url, tmp_path)
    kind = "TIMESTAMP" if request.param == "postgresql" else "TEXT"
    made.do(f"CREATE TABLE ho_so (so_ho_so TEXT, nguoi_nop TEXT, ngay_sua {kind})")
    yield made
    engine.dispose()


def numbers(arrivals: list[Arrival]) -> list[list[str]]:
    return [[row["so_ho_so"] for row in json.loads(one.body)] for one in arrivals]


def minutes(count: int) -> datetime:
    return BEGAN + timedelta(minutes=count)


def test_rows_of_one_moment_are_split_over_pages_and_none_is_missed(town: Town) -> None:
    for n in range(8):
        town.put(f"H-{n}", BEGAN if n < 7 else minutes(1))
    with town.source() as source:
        ((arrivals, cursor), (again, _)) = polls(source, [{}, None])
    assert numbers(arrivals) == [["H-0", "H-1", "H-2"], ["H-3", "H-4", "H-5"], ["H-6", "H-7"]]
    assert [set(one.cursor or {}) for one in arrivals] == [{"at", "key", "high"}] * 2 + [{"since"}]
    assert numbers(again) == [["H-7"]]
    assert cursor["since"].endswith(("2017-03-20 08:01:00", "2017-03-20T08:01:00"))


def test_a_row_of_the_same_moment_that_was_committed_late_is_read(town: Town) -> None:
    town.put("H-5", BEGAN)
    with town.source() as source, town.source() as other, town.source(cursor={"column": "ngay_sua"}) as careful:
        ((_, cursor),) = polls(source, [{}])
        town.put("H-1", BEGAN)
        town.put("H-2", BEGAN - timedelta(seconds=50))
        assert numbers(polls(other, [cursor])[0][0]) == [["H-1", "H-5"]]
        assert numbers(polls(careful, [cursor])[0][0]) == [["H-2", "H-1", "H-5"]]


def test_a_poll_goes_on_where_it_was_killed_and_rows_that_move_meanwhile_come_at_the_end(town: Town) -> None:
    for n in range(6):
        town.put(f"H-{n}", minutes(n))
    with town.source() as source, town.source() as other:

        async def main() -> None:
            seen: list[Arrival] = []
            async for arrival in source.arrivals({}):
                seen.append(arrival)
                if len(seen) == 1:
                    town.put("H-1", minutes(20))
            assert numbers(seen) == [["H-0", "H-1", "H-2"], ["H-3", "H-4", "H-5"], ["H-1"]]
            rest, end = await poll(other, seen[0].cursor or {})
            assert numbers(rest) == [["H-2", "H-3", "H-4"], ["H-5", "H-1"]]  # what was read last is read again
            assert end == seen[-1].cursor
            await source.close()
            await other.close()

        asyncio.run(main())


def test_r9_a_moment_ahead_of_now_does_not_move_the_cursor(town: Town) -> None:
    town.put("H-1", BEGAN)
    town.put("H-2", datetime.now(LOCAL).replace(tzinfo=None) + timedelta(minutes=30))
    with town.source() as source:
        ((arrivals, cursor), (again, end)) = polls(source, [{}, None])
    assert numbers(arrivals) == numbers(again) == [["H-1", "H-2"]]
    assert cursor == end
    assert "2017-03-20" in cursor["since"]


def test_the_start_and_a_query_that_asks_for_since_itself(town: Town) -> None:
    for n in range(4):
        town.put(f"H-{n}", minutes(n))
    asked = "SELECT so_ho_so, ngay_sua FROM ho_so WHERE ngay_sua >= :since -- what changed"
    start = {"column": "ngay_sua", "overlap": 0.0, "start": "2017-03-20T08:02:00"}
    for changes in ({"cursor": start}, {"cursor": start, "query": asked}):
        with town.source(**changes) as source:
            assert numbers(polls(source, [{}])[0][0]) == [["H-2", "H-3"]]


def test_a_row_without_a_moment_is_told_and_the_others_are_read(town: Town) -> None:
    town.put("H-1", BEGAN)
    town.put("H-2", None)
    with town.source() as source:

        async def main() -> None:
            told = source.arrivals({})
            assert numbers([await anext(told)]) == [["H-1"]]
            with pytest.raises(SourceFault, match="'ngay_sua' is empty in some rows, which no page holds — fill it in"):
                await anext(told)
            assert "empty in some rows" in str((await source.probe())[0])
            await source.close()

        asyncio.run(main())


def test_a_key_that_is_empty_or_the_same_in_too_many_rows_is_told(town: Town) -> None:
    for n in range(9):
        town.put(f"H-{n}", BEGAN)
    with town.source(key="nguoi_nop") as source, pytest.raises(SourceFault, match="more than 3 rows have the same"):
        polls(source, [{}])
    with town.source(key=None) as source, pytest.raises(SourceFault, match="name a `key`, or raise `page`"):
        polls(source, [{}])
    town.do("UPDATE ho_so SET nguoi_nop = NULL")
    with town.source(key="nguoi_nop") as source, pytest.raises(SourceFault, match="'nguoi_nop' is empty in a row"):
        polls(source, [{}])


def test_a_version_number_is_a_cursor_too(town: Town) -> None:
    town.do(
        "CREATE TABLE buoc (id BIGINT, ten TEXT)", *(f"INSERT INTO buoc VALUES ({n << 33}, 'b')" for n in range(1, 6))
    )
    changes = {"query": "SELECT id, ten FROM buoc", "cursor": {"column": "id", "type": "number"}, "key": None}
    with town.source(**changes) as source:
        ((arrivals, cursor), (again, _)) = polls(source, [{}, None])
    assert [len(json.loads(one.body)) for one in arrivals] == [3, 2]
    assert cursor == {"since": f"number:{5 << 33}"}
    assert [len(json.loads(one.body)) for one in again] == [1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"query": "SELECT so_ho_so FROM ho_so"},
            "cursor.column: the query gives no column 'ngay_sua'; it gives so_ho_so",
        ),
        (
            {"cursor": {"column": "NGAY"}},
            "cursor.column: the query gives no column 'NGAY'; it gives so_ho_so, nguoi",
        ),
        ({"key": "id"}, "key: the query gives no column 'id'; it gives so_ho_so, nguoi_nop, ngay_sua — mend `key`"),
        ({"query": "SELECT * FROM khong_co"}, "query: the database refused it: .*khong_co.* — mend `query`"),
        ({"query": "SELECT FROM WHERE"}, "query: the database refused it: .* — mend `query`"),
        ({"cursor": {"column": "nguoi_nop"}}, "'nguoi_nop' has 'Hạnh' \\(str\\), which is no time — convert it"),
        ({"cursor": {"column": "so_ho_so", "type": "number"}}, "has 'H-1' \\(str\\), which is no number"),
        (
            {"max_bytes": 1024, "query": f"SELECT so_ho_so, ngay_sua, '{'x' * 2000}' AS x FROM ho_so"},
            "lower `page`",
        ),
    ],
)
def test_a_query_that_does_not_fit_is_told_with_the_mend_and_so_says_the_check(
    town: Town, changes: dict[str, Any], said: str
) -> None:
    town.put("H-1", BEGAN)
    with town.source(**changes) as source:

        async def main() -> None:
            with pytest.raises(SourceFault, match=said) as fault:
                await poll(source, {})
            (problem,) = await source.probe()
            assert f"{problem.message} — {problem.mend}" == str(fault.value)
            await source.close()

        asyncio.run(main())


def test_nothing_is_ever_written_even_by_a_query_that_tries(town: Town) -> None:
    town.put("H-1", BEGAN)
    if town.url.startswith("sqlite"):
        query = "WITH x AS (SELECT 1) DELETE FROM ho_so"
    else:
        query = "WITH x AS (DELETE FROM ho_so RETURNING *) SELECT * FROM x"
        town.do("CREATE FUNCTION xoa() RETURNS int LANGUAGE sql AS 'DELETE FROM ho_so; SELECT 1'")
        called = town.source(query="SELECT so_ho_so, ngay_sua, xoa() FROM ho_so")
        with called as source, pytest.raises(SourceFault, match="read-only transaction"):
            polls(source, [{}])
    with town.source(query=query) as source, pytest.raises(SourceFault, match="refused"):
        polls(source, [{}])
    with town.source() as source:
        assert numbers(polls(source, [{}])[0][0]) == [["H-1"]]


SLOW = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
    "SELECT x AS so_ho_so, x AS ngay_sua FROM n",
    "postgresql": "SELECT so_ho_so, ngay_sua, pg_sleep(60)::text AS x FROM ho_so",
}


def test_a_query_without_end_is_stopped_at_its_deadline_and_when_it_is_cancelled(town: Town) -> None:
    town.put("H-1", BEGAN)
    slow = SLOW[town.engine.dialect.name]
    with town.source(query=slow, timeout_s=0.3) as source, town.source(query=slow) as other:

        async def main() -> None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(SourceFault, match=r"no whole page within 0\.3 s"):
                await poll(source, {})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(poll(other, {}), 0.3)
            assert loop.time() - began < 3
            await source.close()
            await other.close()

        asyncio.run(main())


@pytest.mark.parametrize(
    "cursor", [{"since": "hôm qua"}, {"since": 5}, {"since": "number:1"}, {"page": 2}, {"at": "time:x"}]
)
def test_a_cursor_that_was_not_made_here_is_refused_with_the_mend(town: Town, cursor: dict[str, Any]) -> None:
    with town.source() as source, pytest.raises(SourceFault, match="reset the cursor"):
        polls(source, [cursor])


def test_postgresql_types_come_as_json_and_times_with_a_zone_are_a_cursor(postgres_url: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres_url, poolclass=NullPool)
    town = Town(engine, postgres_url, tmp_path)
    key, at = uuid.UUID(int=7), "2017-03-20 08:05:00+07"
    town.do(
        "CREATE TABLE t (id uuid,at timestamptz, day date, fee numeric(9,2), whole numeric, raw bytea, j json, b bool)",
        f"INSERT INTO t VALUES ('{key}', '{at}', '2017-03-20', 12.50, 5, '\\x00ff', '{{\"a\": [1]}}', true)",
        f"INSERT INTO t (id, at) VALUES ('{uuid.UUID(int=8)}', '{at}')",
    )
    changes = {
        "query": "SELECT * FROM t",
        "cursor": {"column": "at", "start": "2017-03-20T08:05:00"},
        "key": "id",
        "page": 1,
    }
    with town.source(**changes) as source:
        ((arrivals, cursor),) = polls(source, [{}])
    engine.dispose()
    rows = [json.loads(one.body) for one in arrivals]
    assert [len(page) for page in rows] == [1, 1]
    assert datetime.fromisoformat(rows[0][0].pop("at")) == datetime(2017, 3, 20, 1, 5, tzinfo=UTC)
    assert rows[0] == [
        {"id": str(key), "day": "2017-03-20", "fee": "12.50", "whole": 5, "raw": "AP8=", "j": {"a": [1]}, "b": True}
    ]
    assert datetime.fromisoformat(cursor["since"].partition(":")[2]) == datetime(2017, 3, 20, 1, 5, tzinfo=UTC)


def test_a_database_that_is_not_there_is_down_and_no_password_is_told(
    tmp_path: Path, postgres: PrivatePostgres
) -> None:
    for url in ("sqlite:///nowhere.db", "postgresql://hub@127.0.0.1:9/x", postgres.url("khong_co")):
        settings = SqlSettings.model_validate(sql_settings(url, password="rat-bi-mat"))
        source = SqlSource(settings, AdapterContext(name=SLUG, folder=tmp_path))
        with pytest.raises(SourceFault, match="the database cannot be reached: ") as fault:
            polls(source, [{}])
        assert fault.value.down
        assert "rat-bi-mat" not in f"{fault.value}{settings!r}{settings.model_dump_json()}"
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path) -> None:
    settings = SqlSettings.model_validate(sql_settings("mssql+pyodbc://hub@10.0.0.5/motcua"))
    with pytest.raises(SourceFault, match="url: the driver is not installed: No module named 'pyodbc'"):
        polls(SqlSource(settings, AdapterContext(name=SLUG, folder=tmp_path)), [{}])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "postgresql://hub:rat-bi-mat@h/x"}, "has a password in it"),
        ({"url": "motcua"}, "is no address of a database"),
        ({"url": "foxpro://h/x"}, "names 'foxpro', which SQLAlchemy does not know here"),
        ({"query": "DELETE FROM ho_so"}, "is no query that reads"),
        ({"query": "-- x\nSELECT 1; DROP TABLE ho_so"}, "holds more than one statement"),
        ({"query": "SELECT :den"}, "has the parameter :den, which nobody fills"),
        ({"query": "SELECT :since"}, "`cursor` needs `start`"),
        ({"cursor": {"column": "a", "type": "number", "start": "2017-01-01"}}, "`start` is a time for type: time"),
        ({"cursor": {"column": "a", "type": "text", "overlap": 5.0}}, "type: text knows neither"),
        ({"page": 0}, "greater than or equal to 1"),
        ({"speed": 1}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_mean_nothing_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        SqlSettings.model_validate(sql_settings("sqlite:///x.db", **change))
    assert "rat-bi-mat" not in str(refused.value)


def test_a_query_may_hold_semicolons_colons_and_comments_as_text() -> None:
    query = "/* ; */ SELECT ';' AS a, '08:05' AS b, x::text FROM t; "
    assert SqlSettings.model_validate(sql_settings("sqlite:///x.db", query=query)).query == query.strip()[:-1]
