"""`start_from` and canaries: who is let in, and what is needed all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hub.admission import hold_back, let_in, processed
from hub.ingest import Ingest
from hub.ledger.values import to_us
from hub.ports import Arrival
from hub.process import process
from hub.retry import RetryPolicy
from hub.rulebook import Rulebook
from hub.sections import Canary, Route
from schemas.local_time import LOCAL
from tests.unit.hub.line import BOTH, KEY, LEASE, Line, dossier, line, page, rules, step
from tests.unit.hub.test_ingest import Pages

START = datetime(2017, 3, 21, tzinfo=LOCAL)
REASON = "before start_from 2017-03-21 00:00"
OLD, NEW = "20170320090000", "20170322090000"


def late(*routes: Route) -> Rulebook:
    return replace(rules(*routes), start_from_us={"s": to_us(START)})


def canary(*codes: str) -> Route:
    return Route(kinds=BOTH, to=["n"], only=Canary(agencies=list(codes)))


async def read(at: Line, by: Rulebook, *pages: Arrival) -> None:
    source = Pages(list(pages))
    await Ingest("s", source, 0.01, at.ledger, by, at.relay.publish, RetryPolicy()).poll_once()


def items(at: Line) -> list[tuple[str, str, str | None]]:
    rows = at.ask('SELECT kind, state, reason FROM item ORDER BY arrival_id, "row", part')
    return [(row.kind, row.state, row.reason) for row in rows]


def test_what_changed_before_start_from_goes_to_nobody_and_says_so() -> None:
    arrived = page(dossier("H59-1", changed=OLD), dossier("H59-2", changed=NEW), dossier("H59-3", changed=""))
    one, two, three = process(arrived, late(), LEASE, KEY).candidates
    assert (one.destinations, one.no_route) == ((), REASON)
    assert (two.destinations, two.no_route) == (("n",), "")
    assert (three.destinations, three.no_route) == (("n",), ""), "what has no time of its own is let in"
    other = replace(late(), start_from_us={"another": to_us(START)})
    assert all(c.destinations for c in process(arrived, other, LEASE, KEY).candidates)


def test_a_dossier_from_before_is_let_in_with_its_first_step_from_after(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            await read(at, late(), page(dossier(note="A", changed="20170319090000"), dossier("H59-2", changed=OLD)))
            await read(at, late(), page(dossier(note="B", changed=OLD)))
            await read(at, late(), page(step(at="20170320100000"), step(at="20170322100000")))
            assert items(at) == [
                ("dossier.v1", "stale", None), ("dossier.v1", "no-route", REASON), ("dossier.v1", "accepted", None),
                ("dossier-step.v1", "no-route", REASON), ("dossier-step.v1", "accepted", None),
            ]  # fmt: skip
            (head,) = at.ask("SELECT number FROM head WHERE key = 'H59-1'")
            assert head.number == 1, "the newest state alone"
            assert sorted(at.states()) == ["queued", "waiting"]
            # A state from before that is read later is needed too: the dossier is in.
            await read(at, late(), page(dossier(note="C", changed="20170320100000")))
            assert items(at)[-1] == ("dossier.v1", "accepted", None)

    asyncio.run(main())


def test_what_a_kill_left_undone_is_let_in_at_the_next_start(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            await read(at, late(), page(dossier(changed=OLD)))
            await read(at, rules(), page(step(at="20170322100000")))
            assert at.states() == ["waiting"]
            assert await let_in(at.ledger, late(), at.relay.publish) == 1
            assert await let_in(at.ledger, late(), at.relay.publish) == 0
            assert at.states() == ["waiting", "queued"]

    asyncio.run(main())


def test_a_canary_lets_its_agencies_in_and_steps_follow_their_dossier(tmp_path: Path) -> None:
    async def main() -> None:
        by = rules(canary("H59.15"))
        async with line(tmp_path) as at:
            await read(at, by, page(dossier("H59-1"), dossier("H59-2", MA_DON_VI="H59.34")))
            await read(at, by, page(step("H59-1"), step("H59-2"), step("H59-3")))
            said = "canary: only H59.15"
            assert items(at) == [
                ("dossier.v1", "accepted", None), ("dossier.v1", "no-route", said),
                ("dossier-step.v1", "accepted", None), ("dossier-step.v1", "no-route", said),
                ("dossier-step.v1", "accepted", None),
            ]  # fmt: skip

    asyncio.run(main())


def test_a_step_before_its_dossier_is_taken_back_where_a_canary_leaves_that_out(tmp_path: Path) -> None:
    async def main() -> None:
        by = rules(canary("H59.15"))
        async with line(tmp_path) as at:
            await read(at, by, page(step("H59-1"), step("H59-2")))
            assert at.states() == ["waiting", "waiting"]
            await read(at, by, page(dossier("H59-1"), dossier("H59-2", MA_DON_VI="H59.34")))
            rows = at.ask("SELECT lane, state, reason FROM dispatch WHERE kind = 'dossier-step.v1' ORDER BY id")
            assert [tuple(row) for row in rows] == [
                ("H59-1", "waiting", None), ("H59-2", "discarded", "canary: only H59.15"),
            ]  # fmt: skip

    asyncio.run(main())


def test_a_step_that_was_processed_before_and_settled_after_its_dossier_is_taken_back(tmp_path: Path) -> None:
    async def main() -> None:
        by = rules(canary("H59.15"))
        async with line(tmp_path) as at:
            early = page(step("H59-2"))
            settlement = await processed(early, by, LEASE, at.ledger)
            await read(at, by, page(dossier("H59-2", MA_DON_VI="H59.34")))
            lease = await at.ledger.lease_source("s")
            assert lease is not None
            await at.ledger.settle(replace(settlement, epoch=lease.epoch))
            assert at.states() == ["waiting"]
            await hold_back(at.ledger, by, settlement)
            assert at.states() == ["discarded"]

    asyncio.run(main())


def test_a_step_whose_dossier_goes_elsewhere_goes_there_too(tmp_path: Path) -> None:
    async def main() -> None:
        by = rules(canary("H59.15"), Route(kinds=BOTH, to=["m"]))
        async with line(tmp_path) as at:
            at.ledger.rules["m"] = at.ledger.rules["n"]
            await read(at, by, page(dossier("H59-2", MA_DON_VI="H59.34")), page(step("H59-2")))
            rows = at.ask("SELECT destination, kind FROM dispatch ORDER BY id")
            assert [tuple(row) for row in rows] == [("m", "dossier.v1"), ("m", "dossier-step.v1")]

    asyncio.run(main())
