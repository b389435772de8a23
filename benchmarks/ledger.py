"""What the ledger costs per dossier, beside the least that bare SQL could spend on the same facts, in the same run.

    python -m benchmarks.ledger                                 SQLite in a temporary folder
    python -m benchmarks.ledger --url postgresql+psycopg://user@host/empty_database

Pages of 500 dossiers go to two destinations, are claimed in requests of 100 and delivered. The floor writes one row per
page, record, dispatch and call, with the same fsync and the same number of commits, and knows no rule at all. Both run
in turn, several times; what is printed are medians. It measures, it judges nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hub.ledger import DestinationRules, Ledger
from hub.ledger.bulk import Tx, insert_many, update_many
from hub.ledger.engine import is_postgres, open_engine
from hub.ledger.pages import pack
from hub.ledger.values import Candidate, Claim, Outcome, Settlement
from hub.ports import Arrival, Mode, Ticket

PAGE, REQUEST = 500, 100
DESTINATIONS = ("national", "provincial")


def pages(dossiers: int) -> list[list[tuple[str, bytes]]]:
    """Numbers and canonical bodies of about a kilobyte, page by page; new ones at each call."""
    run = uuid.uuid4().hex[:8]
    rows = [
        (f"000.00.{n % 90:02}.H59-{run}-{n:06}", (f'{{"number":"{n}","summary":"' + "x" * 900 + '"}').encode())
        for n in range(dossiers)
    ]
    return [rows[at : at + PAGE] for at in range(0, dossiers, PAGE)]


# --- the hub's ledger -------------------------------------------------------------------------------------------------


async def hub_run(url: str, given: Sequence[Sequence[tuple[str, bytes]]]) -> float:
    """Settle, claim and finish everything; returns processor seconds of this process."""
    rules = {name: DestinationRules(window=1_000_000) for name in DESTINATIONS}
    ledger = Ledger(url, rules, sources=["bench"])
    await ledger.open(take_over=False)
    began = time.process_time()
    for page in given:
        lease = await ledger.lease_source("bench")
        assert lease is not None
        settled = await ledger.settle(settlement(page, lease.epoch, lease.cursor))
        for name in DESTINATIONS:
            mine = [ticket for ticket in settled.tickets if ticket.destination == name]
            await asyncio.gather(*(send(ledger, name, mine[at : at + REQUEST]) for at in range(0, len(mine), REQUEST)))
    spent = time.process_time() - began
    await ledger.close()
    return spent


def hub_timed(url: str, given: Sequence[Sequence[tuple[str, bytes]]]) -> float:
    return asyncio.run(hub_run(url, given))


async def send(ledger: Ledger, destination: str, tickets: Sequence[Ticket]) -> None:
    """The commits around one request, without the request."""
    members = [(ticket.dispatch_id, ticket.gen) for ticket in tickets]
    claim = Claim(ledger.next_call_id(), Mode.NEW, "mapping", "payload", members)
    taken = (await ledger.claim(destination, [claim])).ids
    await ledger.finish(destination, [Outcome(id_, claim.call_id, "delivered") for id_ in sorted(taken)])


def settlement(page: Sequence[tuple[str, bytes]], epoch: int, cursor: str) -> Settlement:
    now = datetime.now(UTC)
    raw = b"".join(body for _, body in page)
    arrival = Arrival(uuid.uuid4().hex, "bench", raw, "json", now, now, "page")
    candidates, offset = [], 0
    for row, (number, body) in enumerate(page):
        digest = blake2b(body, digest_size=16).hexdigest()
        facts = ("dossier.v1", number, number, False, row, digest, offset, body, DESTINATIONS, "mapping")
        candidates.append(Candidate(row, 0, *facts))
        offset += len(body)
    return Settlement(arrival, uuid.uuid4().hex, pack(raw), pack(raw), candidates, (), epoch, cursor)


# --- the floor --------------------------------------------------------------------------------------------------------

floor_tables = sa.MetaData()
_T, _I = sa.Text, sa.BigInteger().with_variant(sa.Integer(), "sqlite")
f_page = sa.Table("f_page", floor_tables, sa.Column("id", _I, primary_key=True), sa.Column("body", sa.LargeBinary))
f_record = sa.Table(
    "f_record",
    floor_tables,
    sa.Column("id", _I, primary_key=True),
    sa.Column("key", _T, unique=True),
    sa.Column("page", _I),
)
f_dispatch = sa.Table(
    "f_dispatch", floor_tables, sa.Column("id", _I, primary_key=True), sa.Column("record", _I), sa.Column("state", _T)
)
f_call = sa.Table("f_call", floor_tables, sa.Column("id", _I, primary_key=True), sa.Column("members", _I))


def floor_run(engine: sa.Engine, given: Sequence[Sequence[tuple[str, bytes]]], first: int) -> float:
    """Write the same facts with no rule; returns processor seconds of this process."""
    postgres = is_postgres(engine)
    began = time.process_time()
    for number, page in enumerate(given):
        at = first + number * PAGE
        raw = pack(b"".join(body for _, body in page))
        ids = range(at, at + len(page))
        out = {d: [(2 * id_ + n, id_) for id_ in ids] for n, d in enumerate(DESTINATIONS)}
        with engine.begin() as connection:
            tx = Tx(connection, 0, postgres)
            insert_many(tx, f_page, ("id", "body"), [(at, raw)])
            insert_many(
                tx, f_record, ("id", "key", "page"), [(i, key, at) for i, (key, _) in zip(ids, page, strict=True)]
            )
            for rows in out.values():
                insert_many(tx, f_dispatch, ("id", "record", "state"), [(*row, "queued") for row in rows])
        for n, rows in enumerate(out.values()):
            calls = [rows[b : b + REQUEST] for b in range(0, len(rows), REQUEST)]
            with engine.begin() as connection:
                tx = Tx(connection, 0, postgres)
                made = [(10 * (at + b) + n, len(members)) for b, members in enumerate(calls)]
                insert_many(tx, f_call, ("id", "members"), made)
                update_many(tx, f_dispatch, ("id",), ("state",), [("sending", row[0]) for row in rows], exact=False)
            with engine.begin() as connection:
                tx = Tx(connection, 0, postgres)
                update_many(tx, f_dispatch, ("id",), ("state",), [("delivered", row[0]) for row in rows], exact=False)
    return time.process_time() - began


# --- both -------------------------------------------------------------------------------------------------------------


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Return (wall, processor) seconds; `run` returns the latter."""
    began = time.perf_counter()
    spent = run()
    return time.perf_counter() - began, float(spent)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What the ledger costs per dossier, beside bare SQL.")
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite in a temporary folder by default")
    parser.add_argument("--dossiers", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        url = wanted.url or f"sqlite:///{Path(folder) / 'hub.db'}"
        floor_url = wanted.url or f"sqlite:///{Path(folder) / 'floor.db'}"
        engine = open_engine(floor_url, writer=True)
        floor_tables.drop_all(engine)
        floor_tables.create_all(engine)
        pairs = []
        for run in range(wanted.runs):
            given = pages(wanted.dossiers)
            floor = timed(partial(floor_run, engine, given, 1 + run * wanted.dossiers))
            hub = timed(partial(hub_timed, url, given))
            pairs.append((hub, floor))
        engine.dispose()
    each = 1e6 / wanted.dossiers
    print(f"{wanted.dossiers} dossiers, {len(DESTINATIONS)} destinations, medians of {wanted.runs} runs in turn")
    print(f"{'':10}{'us per dossier':>16}{'us of CPU here':>16}")
    for name, at in (("ledger", 0), ("bare SQL", 1)):
        wall, spent = (statistics.median(pair[at][n] for pair in pairs) * each for n in (0, 1))
        print(f"{name:10}{wall:16.0f}{spent:16.0f}")
    ratio = statistics.median(floor[0] / hub[0] for hub, floor in pairs)
    print(f"{'ratio':10}{ratio:16.2f}   (bare SQL's time / the ledger's; 1.00 would be no cost above the floor)")


if __name__ == "__main__":
    main()
