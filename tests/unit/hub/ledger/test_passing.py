from __future__ import annotations

import pytest
import sqlalchemy as sa

from hub.ledger.writer import is_passing


class SaidError(Exception):
    """What a driver raises, as far as the writer looks at it."""

    def __init__(self, sqlstate: str | None = None, sqlite_errorname: str = "") -> None:
        super().__init__("said")
        self.sqlstate, self.sqlite_errorname = sqlstate, sqlite_errorname


OPERATIONAL, INTERNAL, DATA = sa.exc.OperationalError, sa.exc.InternalError, sa.exc.DataError


@pytest.mark.parametrize(
    ("kind", "sqlstate", "passing"),
    [
        (OPERATIONAL, None, True),  # the connection is gone
        (OPERATIONAL, "57P01", True),  # the server shuts down
        (OPERATIONAL, "53100", True),  # its disk is full
        (OPERATIONAL, "40001", True),
        (OPERATIONAL, "40P01", True),
        (sa.exc.IntegrityError, "23505", True),  # another worker was first
        (OPERATIONAL, "54000", False),  # an index row is too large
        (OPERATIONAL, "22021", False),
        (INTERNAL, "22P05", False),
        (INTERNAL, "XX000", True),
        (sa.exc.IntegrityError, "23502", False),
        (sa.exc.ProgrammingError, "42P01", False),
        (OPERATIONAL, "42501", False),
        (DATA, None, False),  # a NUL byte, found by the driver
    ],
)
def test_r12_only_what_may_pass_by_itself_is_run_again(
    kind: type[sa.exc.DBAPIError], sqlstate: str | None, passing: bool
) -> None:
    assert is_passing(kind("INSERT", {}, SaidError(sqlstate))) is passing


@pytest.mark.parametrize(("name", "passing"), [("SQLITE_ERROR", False), ("SQLITE_BUSY", True), ("SQLITE_FULL", True)])
def test_r12_the_same_of_sqlite(name: str, passing: bool) -> None:
    assert is_passing(OPERATIONAL("INSERT", {}, SaidError(sqlite_errorname=name))) is passing
