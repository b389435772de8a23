"""Many rows in one go, and one transaction as the units see it: the only file that speaks to a driver directly.

PostgreSQL takes arrays and unnests them, SQLite runs one prepared statement over the rows in C; both cost a fraction
of a statement per row (docs/performance.md). Everything else in the ledger is SQLAlchemy Core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class UnstorableError(ValueError):
    """A value that the database cannot keep as it is; the unit that brought it fails alone (R12)."""


@dataclass(slots=True)
class Tx:
    """One transaction of the writer."""

    connection: sa.Connection
    now_us: int
    postgres: bool
    rerun: bool = False
    """True where an earlier try of the same unit may have been committed (R12)."""
    ledger: str = ""
    """The identity that goes into tickets."""

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        return self.connection.execute(statement, parameters)

    def lock(self, statement: sa.Select[Any], *, skip: bool = False) -> sa.Select[Any]:
        """Lock the selected rows where several writers exist; SQLite has one writer and needs none (R15)."""
        return statement.with_for_update(skip_locked=skip) if self.postgres else statement


def among(tx_postgres: bool, column: Any, name: str) -> sa.ColumnElement[bool]:
    """Return `column is one of the bound list`, as one parameter however long the list; bind it with `bound()`."""
    if tx_postgres:
        # Not `= ANY (list)`: with an order asked for PostgreSQL 15 then walks the whole index and compares each entry
        # with each value (measured: 20 ms for a hundred lanes of ten thousand, instead of 0.4).
        given = sa.func.unnest(sa.bindparam(name, type_=ARRAY(column.type))).column_valued(f"given_{name}")
        chosen: sa.ColumnElement[bool] = column.in_(sa.select(given))
        return chosen
    values = sa.func.json_each(sa.bindparam(name, type_=sa.Text())).table_valued("value")
    within: sa.ColumnElement[bool] = column.in_(sa.select(values.c.value))
    return within


def each(column: Any, name: str) -> sa.TableValuedAlias:
    """Return the bound list as rows of PostgreSQL, with the column `value`, in its order; for a LATERAL look-up of
    each.

    That is one look into an index per value, in the order in which they are given, whatever PostgreSQL believes of the
    table.
    """
    given = sa.func.unnest(sa.bindparam(name, type_=ARRAY(column.type)))
    return given.table_valued(sa.column("value", column.type), name="given").render_derived()


def bound(tx_postgres: bool, values: Iterable[Any]) -> Any:
    """Return what to bind for `among`. Raises: UnstorableError for a NUL byte, where SQLite would cut a text short."""
    listed = list(values)
    if tx_postgres:
        return listed
    text = orjson.dumps(listed).decode()
    if "\\u0000" in text and any(isinstance(value, str) and "\0" in value for value in listed):
        raise UnstorableError("a text holds a NUL (0x00) byte")
    return text


class Query:
    """A statement of the hot path: built and compiled once per database, its rows plain tuples of its columns.

    `make(postgres)` returns the statement; each `sa.bindparam` in it is given by name to `rows`, a list (see `among`)
    as a list.
    """

    def __init__(self, make: Callable[[bool], sa.Executable]) -> None:
        self._make = make
        self._compiled: dict[bool, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def rows(self, tx: Tx, **values: Any) -> list[Any]:
        """Run it and return all rows. Raises: KeyError for a value that is missing, UnstorableError."""
        sql, names, fixed = self._compiled.get(tx.postgres) or self._compile(tx.postgres)
        given = dict(fixed)
        for name, value in values.items():
            given[name] = bound(tx.postgres, value) if isinstance(value, list) else value
        parameters: Any = given if tx.postgres else tuple([given[name] for name in names])
        result = tx.connection.exec_driver_sql(sql, parameters)
        if not result.returns_rows:
            return []
        try:
            # Past SQLAlchemy's rows: they cost more than the database's own work.
            return list(result.cursor.fetchall())
        except tx.connection.dialect.loaded_dbapi.Error as error:
            raise sa.exc.DBAPIError.instance(sql, None, error, tx.connection.dialect.loaded_dbapi.Error) from error
        finally:
            result.close()

    def scalars(self, tx: Tx, **values: Any) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self.rows(tx, **values)]

    def _compile(self, postgres: bool) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        # SQLAlchemy leaves the dialects' constructors untyped.
        dialect: Any = PGDialect_psycopg() if postgres else SQLiteDialect_pysqlite()  # type: ignore[no-untyped-call]
        compiled: Any = self._make(postgres).compile(dialect=dialect)  # type: ignore[attr-defined]
        assert not compiled.post_compile_params, "a list is bound by among(), literals are spelt out"
        self._compiled[postgres] = (str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params))
        return self._compiled[postgres]


@lru_cache(maxsize=256)
def _pg_types(table: sa.Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    dialect = PGDialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    return tuple(table.c[name].type.compile(dialect=dialect) for name in columns)


@lru_cache(maxsize=256)
def _insert_sql(table: sa.Table, columns: tuple[str, ...], same: tuple[bool, ...] | None, ignore: bool) -> str:
    """`same` says, for PostgreSQL, which columns have one value in all rows; None is SQLite."""
    names = ", ".join(f'"{name}"' for name in columns)
    end = " ON CONFLICT DO NOTHING" if ignore else ""
    if same is None:
        marks = ", ".join("?" * len(columns))
        return f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}){end}'
    values, given = _pg_values(table, columns, same)
    return f'INSERT INTO "{table.name}" ({names}) SELECT {", ".join(values)}{given}{end}'


def _pg_values(table: sa.Table, columns: tuple[str, ...], same: tuple[bool, ...]) -> tuple[list[str], str]:
    """The values of columns, and where they come from: one parameter each, or one array each, unnested together.

    The parameters are named after the columns' places, since what is the same is written elsewhere than the rest.
    """
    kinds = _pg_types(table, columns)
    values = [f"%(p{at})s::{kinds[at]}" if same[at] else f'v."{name}"' for at, name in enumerate(columns)]
    if all(same):
        return values, ""
    several = [at for at in range(len(columns)) if not same[at]]
    arrays = ", ".join(f"%(p{at})s::{kinds[at]}[]" for at in several)
    names = ", ".join(f'"{columns[at]}"' for at in several)
    return values, f" FROM unnest({arrays}) AS v({names})"


def insert_many(
    tx: Tx, table: sa.Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], *, ignore: bool = False
) -> int:
    """Insert rows given as tuples in the order of `columns`; returns how many went in (`ignore` leaves out those
    there)."""
    if not rows:
        return 0
    if tx.postgres:
        same, parameters = _transposed(rows)
        sql = _insert_sql(table, columns, same, ignore)
        return int(tx.connection.exec_driver_sql(sql, parameters).rowcount)
    return int(tx.connection.exec_driver_sql(_insert_sql(table, columns, None, ignore), list(rows)).rowcount)


@lru_cache(maxsize=256)
def _update_sql(
    table: sa.Table,
    match: tuple[str, ...],
    change: tuple[str, ...],
    fixed: str,
    where: str,
    same: tuple[bool, ...] | None,
) -> str:
    if same is not None:
        values, given = _pg_values(table, (*change, *match), same)
        to = dict(zip((*change, *match), values, strict=True))
        sets = ", ".join([f'"{name}" = {to[name]}' for name in change] + ([fixed] if fixed else []))
        joins = " AND ".join([f't."{name}" = {to[name]}' for name in match] + ([where] if where else []))
        return f'UPDATE "{table.name}" AS t SET {sets}{given} WHERE {joins} RETURNING t."{match[0]}"'
    sets = ", ".join([f'"{name}" = ?' for name in change] + ([fixed] if fixed else []))
    joins = " AND ".join([f'"{name}" = ?' for name in match] + ([where] if where else []))
    return f'UPDATE "{table.name}" AS t SET {sets} WHERE {joins}'


def update_many(
    tx: Tx,
    table: sa.Table,
    match: tuple[str, ...],
    change: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    fixed: str = "",
    where: str = "",
    exact: bool = True,
) -> set[Any]:
    """Update one row per tuple (values of `change`, then of `match`); returns the first match column of those that
    matched.

    `fixed` is SQL that sets the same for all rows, `where` SQL that further restricts; both are literals of the code
    that calls, with the table as `t`. With `exact=False` the caller does not care which matched, and all may be
    returned.
    """
    if not rows:
        return set()
    at = len(change)
    if tx.postgres:
        # What rows are found by stays together: PostgreSQL then looks each up, by all of it.
        same, parameters = _transposed(rows, apart=at)
        sql = _update_sql(table, match, change, fixed, where, same)
        return {row[0] for row in tx.connection.exec_driver_sql(sql, parameters)}
    sql = _update_sql(table, match, change, fixed, where, None)
    if not exact:
        tx.connection.exec_driver_sql(sql, list(rows))
        return {row[at] for row in rows}
    # SQLite's executemany counts what matched but does not name it. Mostly all do; else the rows are asked one by one.
    tx.connection.exec_driver_sql("SAVEPOINT many")
    if tx.connection.exec_driver_sql(sql, list(rows)).rowcount == len(rows):
        tx.connection.exec_driver_sql("RELEASE many")
        return {row[at] for row in rows}
    tx.connection.exec_driver_sql("ROLLBACK TO many")
    tx.connection.exec_driver_sql("RELEASE many")
    return {row[at] for row in rows if tx.connection.exec_driver_sql(sql, row).rowcount}


def allocate(tx: Tx, table: sa.Table, count: int) -> range | list[int]:
    """Take `count` ids for rows to be inserted in this transaction, in rising order."""
    if not count:
        return range(0)
    if tx.postgres:
        rows = tx.connection.exec_driver_sql(
            f"SELECT nextval(pg_get_serial_sequence('{table.name}', 'id')) FROM generate_series(1, %s)", (count,)
        )
        return [int(row[0]) for row in rows]
    top = tx.connection.exec_driver_sql(f'SELECT coalesce(max(id), 0) FROM "{table.name}"').scalar_one()
    return range(top + 1, top + 1 + count)


def _transposed(rows: Sequence[tuple[Any, ...]], apart: int | None = None) -> tuple[tuple[bool, ...], dict[str, Any]]:
    """Columns as parameters for PostgreSQL: a list, or one value where all rows have the same; and which are which.

    Most columns of a page are the same in all its rows, and an array costs the driver and the server each value. Of
    several rows only the first `apart` columns are looked at.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    several = len(rows) > 1
    same = tuple(
        [
            column.count(column[0]) == len(column) and not (several and apart is not None and at >= apart)
            for at, column in enumerate(columns)
        ]
    )
    if several and all(same):
        same = (False, *same[1:])  # so many rows are asked for, however alike
    return same, {f"p{at}": column[0] if same[at] else column for at, column in enumerate(columns)}
