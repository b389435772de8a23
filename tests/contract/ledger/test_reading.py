"""Reads wait while the database is away, as writes do, until the process gives up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from hub.ledger.bulk import Tx
from schemas.errors import LedgerFault
from tests.contract.ledger.bench import Bench, dossier


class Away:
    """In the place of an engine: refuses connections until it is told that the database is back."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.back = False
        self.refused = 0

    def connect(self) -> sa.Connection:
        if self.back:
            return self._engine.connect()
        self.refused += 1
        raise sa.exc.OperationalError("SELECT", {}, ConnectionError("connection refused"))


async def until_refused(away: Away, times: int) -> None:
    """The reader has no event for this: only the test wants to know."""
    while away.refused < times:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Away:
    made = Away(bench.ledger._reader)
    monkeypatch.setattr(bench.ledger, "_reader", made)
    return made


def test_reads_wait_while_the_database_is_away_and_go_on_when_it_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [replace(ticket, body=None) for ticket in bench.settle(dossier()).tickets]
    gone = away(bench, monkeypatch)

    async def main() -> None:
        ledger = bench.ledger
        waiting: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(one)
            for one in (ledger.with_bodies(tickets), ledger.open_unknowns("n"), ledger.gate("n"), ledger.movable())
        ]
        await asyncio.wait_for(until_refused(gone, 8), 60)
        assert not any(one.done() for one in waiting)
        gone.back = True
        read, unknowns, gate, movable = await asyncio.wait_for(asyncio.gather(*waiting), 60)
        assert [ticket.key for ticket in read] == ["H59-1"]
        assert (unknowns, gate.open, movable) == ([], True, 1)

    bench.run(main())


def test_at_the_end_of_a_process_nobody_waits_for_the_database(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = away(bench, monkeypatch)

    async def main() -> None:
        waiting = asyncio.ensure_future(bench.ledger.gate("n"))
        await asyncio.wait_for(until_refused(gone, 2), 60)
        bench.ledger.give_up()
        with pytest.raises(LedgerFault, match="cannot be read: connection refused") as fault:
            await asyncio.wait_for(waiting, 60)
        assert fault.value.down

    bench.run(main())


def test_a_read_that_is_at_fault_itself_is_not_repeated(bench: Bench) -> None:
    asked = 0

    def wrong(tx: Tx) -> None:
        nonlocal asked
        asked += 1
        tx.execute(sa.text("SELECT * FROM nowhere"))

    async def main() -> None:
        with pytest.raises(LedgerFault, match="cannot be read"):
            await asyncio.wait_for(bench.ledger._read(wrong), 60)

    bench.run(main())
    assert asked == 1
