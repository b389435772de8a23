"""R12: what PostgreSQL refuses fails alone and at once, whatever exception its driver makes of it."""

from __future__ import annotations

import asyncio
import secrets

import pytest
import sqlalchemy as sa

from hub.ledger.bulk import Tx
from hub.ledger.writer import Priority, UncommittableError
from tests.contract.ledger.bench import Bench, dossier, refused

LONG = secrets.token_hex(3000)
"""Six thousand bytes that do not shrink: more than an index row takes."""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT 1/0", "division by zero"),
        ("INSERT INTO meta (name) VALUES ('x')", "null value"),
        ("SELECT * FROM nowhere", "does not exist"),
        (f"INSERT INTO meta (name, value) VALUES ('{LONG}', '')", "index row"),
    ],
)
def test_r12_a_unit_at_fault_is_not_run_for_ever(on_postgres: Bench, statement: str, said: str) -> None:
    async def main() -> None:
        writer = on_postgres.ledger._writer

        def bad(tx: Tx) -> None:
            tx.execute(sa.text(statement))

        at_fault = writer.run(bad, Priority.CONTROL)
        innocent = writer.run(lambda tx: tx.now_us, Priority.CONTROL)
        found = await asyncio.wait_for(asyncio.gather(at_fault, innocent, return_exceptions=True), 60)
        assert isinstance(found[0], UncommittableError)
        assert said in str(found[0])
        assert found[1] == on_postgres.clock()

    on_postgres.run(main())
    assert on_postgres.ledger.problem is None, "nobody was told that the database is away"


@pytest.mark.parametrize("key", [LONG, "H59-\0"])
def test_r12_a_key_that_no_index_takes_parks_its_page_alone(on_postgres: Bench, key: str) -> None:
    settled = on_postgres.settle(dossier(), refusals=[refused(7, "r", key=key)], cursor={"page": 1})
    assert settled.parked
    assert on_postgres.cursor() == {}
    (row,) = on_postgres.rows("SELECT state, problem, body FROM arrival")
    assert row["state"] == "parked"
    assert row["problem"].startswith("the database refuses the data")
    assert row["body"] is not None
    assert on_postgres.settle(dossier(at=1)).parked is False


def test_r12_a_parked_page_is_not_reread_by_one_from_another_cursor(bench: Bench) -> None:
    bench.settle(undecodable="garbage", cursor={"page": 2})
    bench.execute("UPDATE source SET cursor = :c WHERE name = 's'", c='{"page":7}')
    bench.settle(dossier(), cursor={"page": 8})
    assert [row["state"] for row in bench.rows("SELECT state FROM arrival ORDER BY id")] == ["parked", "settled"]
