"""How a destination's loop keeps gates, ramps and rates: what waits its turn is queued and not claimed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hub.ports import Fault, FaultClass, Outgoing, Receipt, Result, Unknown
from hub.retry import RetryPolicy
from tests.unit.hub.line import Line, Portal, dossier, line, page, until

F = FaultClass
NUMBERS = [f"H59-{n:02}" for n in range(1, 13)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.deliver.ASK_AGAIN_S", 0.01)
    monkeypatch.setattr("hub.rate.FIRST_PER_S", 100.0)


def taken(one: Outgoing) -> Result:
    return Receipt(one.dispatch_id)


def down(one: Outgoing) -> Result:
    return Fault(one.dispatch_id, F.DOWN, "503", "bảo trì")


# --- after an opening


@pytest.mark.parametrize("opened_by", ["probe", "resume", "maintenance"])
def test_after_a_gate_has_opened_one_goes_and_a_success_doubles_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened_by: str
) -> None:
    monkeypatch.setattr("hub.rate.FIRST_PER_S", 0.001)

    async def main() -> None:
        async with line(tmp_path) as at:
            portal = Portal(answer=down if opened_by == "probe" else taken, batch=1)
            if opened_by == "resume":
                await at.ledger.set_gate("n", "paused", "lan")
            if opened_by == "maintenance":
                await at.ledger.maintain("n", 0, "until tomorrow")
            async with at.delivering(portal, parallel=8) as deliver:
                await at.settle(*(dossier(number) for number in NUMBERS))
                if opened_by == "probe":
                    await until(lambda: at.gates() == ["held"])
                    portal.answer = taken
                elif opened_by == "resume":
                    await at.ledger.set_gate("n", "open", "lan")
                else:
                    await at.ledger.end_maintenance("n")
                probes = 1 if opened_by == "probe" else 0
                await until(lambda: at.states().count("delivered") == probes + 1)
                assert at.states().count("queued") == 11 - probes, "the others wait for their turn, unclaimed"
                assert deliver._turns.rate.per_s == 0.002

    asyncio.run(main())


def test_a_rate_is_kept_after_a_gate_was_seen_closed_that_is_open_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(portal := Portal(batch=1), rate_per_s=0.001) as deliver:
            deliver.gate_closed("paused")
            await at.delivers("H59-01")
            deliver._turns.rate.take(asyncio.get_running_loop().time(), 1)
            await at.settle(*(dossier(number) for number in NUMBERS[1:]))
            await until(deliver._turns._line.locked)
            assert len(portal.sent) == 1

    asyncio.run(main())


def test_a_portal_that_never_was_away_is_not_begun_with_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.rate.FIRST_PER_S", 0.001)

    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(Portal(batch=1)):
            await at.settle(*(dossier(number) for number in NUMBERS))
            await until(lambda: at.states() == ["delivered"] * 12)

    asyncio.run(main())


@pytest.mark.parametrize("kind", [F.TRANSIENT, F.THROTTLED])
def test_what_fails_while_ramping_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: FaultClass
) -> None:
    monkeypatch.setattr("hub.rate.FIRST_PER_S", 0.001)

    async def main() -> None:
        async with line(tmp_path) as at:
            await at.ledger.set_gate("n", "paused", "lan")
            portal = Portal(lambda one: Fault(one.dispatch_id, kind, "500", "bận"), batch=1)
            patient = RetryPolicy(first_s=60, cap_s=60, limit=100)
            async with at.delivering(portal, parallel=8, policy=patient) as deliver:
                await at.settle(*(dossier(number) for number in NUMBERS))
                await at.ledger.set_gate("n", "open", "lan")
                await until(lambda: at.ask("SELECT id FROM fault"))
                assert deliver._turns.rate.per_s == 0.001
                assert (len(portal.sent), at.states().count("queued")) == (1, 11)

    asyncio.run(main())


# --- a rate


def test_what_waits_for_its_turn_is_queued_and_not_claimed(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(portal := Portal(batch=1), rate_per_s=0.001):
            await at.settle(*(dossier(number) for number in NUMBERS))
            await until(lambda: at.states().count("delivered") == 1)
            assert at.states().count("queued") == 11
            assert len(portal.sent) == 1

    asyncio.run(main())


def test_where_a_rate_is_kept_no_more_is_claimed_than_is_under_way(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            portal = Portal(batch=1)
            portal.answers.clear()
            async with at.delivering(portal, parallel=2, rate_per_s=10_000.0):
                await at.settle(*(dossier(number) for number in NUMBERS))
                await until(lambda: len(portal.sent) == 2)
                await asyncio.sleep(0)
                assert at.states().count("sending") == 2
                portal.answers.set()
                await until(lambda: at.states() == ["delivered"] * 12)

    asyncio.run(main())


def test_each_of_several_processes_takes_its_share_as_of_the_last_heartbeat(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(Portal(), rate_per_s=1000.0) as deliver:
            at.ledger.sharers = 4
            await at.delivers(NUMBERS[0])
            assert deliver._turns.rate.per_s == 250.0
            at.ledger.sharers = 1
            await at.delivers(NUMBERS[1])
            assert deliver._turns.rate.per_s == 1000.0

    asyncio.run(main())


def test_a_rate_counts_requests_and_not_records(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(portal := Portal(), rate_per_s=0.001):
            await at.settle(*(dossier(number) for number in NUMBERS))
            await until(lambda: at.states() == ["delivered"] * 12)
            assert portal.sent == [NUMBERS]

    asyncio.run(main())


@pytest.mark.parametrize("how", ["bus", "end", "cancel"])
def test_a_loop_that_waits_for_its_turn_ends_at_once(tmp_path: Path, how: str) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            deliver = at.deliver(Portal(batch=1), rate_per_s=0.001)
            running = asyncio.create_task(deliver.run())
            for number in NUMBERS:  # more groups than are under way at a time
                await at.settle(dossier(number))
            await until(lambda: at.states().count("delivered") == 1)
            if how == "cancel":
                running.cancel()
            else:
                if how == "end":
                    deliver.end()
                await at.bus.stop()
                if how == "bus":
                    deliver.end()
            async with asyncio.timeout(90):
                await asyncio.gather(running, return_exceptions=True)
            assert at.states().count("delivered") == 1
            assert set(at.states()) <= {"delivered", "queued", "waiting"}, "nothing was claimed"

    asyncio.run(main())


def test_a_stale_ticket_uses_no_turn(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(portal := Portal(batch=1), rate_per_s=2.0):
            settled = await at.settle(*(dossier(number) for number in NUMBERS[:2]))
            stale = [replace(ticket, gen=0) for ticket in settled.tickets for _ in range(20)]
            await at.relay.publish(stale)
            await until(lambda: at.states() == ["delivered"] * 2)
            assert len(portal.sent) == 2

    asyncio.run(main())


def test_what_waits_for_its_turn_when_a_person_pauses_is_in_the_ledgers_hands_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(portal := Portal(batch=1), rate_per_s=0.001) as deliver:
            await at.settle(*(dossier(number) for number in NUMBERS))
            await until(lambda: at.states().count("delivered") == 1)
            await at.ledger.set_gate("n", "paused", "lan")
            deliver.gate_closed("paused")
            await until(lambda: at.states().count("waiting") == 11)
            await at.ledger.set_gate("n", "open", "lan")
            await until(lambda: at.states().count("delivered") == 2)
            assert len(portal.sent) == 2, "and is begun with slowly"

    asyncio.run(main())


# --- what a dead portal costs


def test_what_is_claimed_and_not_sent_when_the_portal_goes_down_is_given_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            portal = Portal(answer=down, batch=1)
            async with at.delivering(portal, parallel=1, probe_every_s=60.0):
                await at.settle(*(dossier(number) for number in NUMBERS))
                await until(lambda: at.gates() == ["held"] and at.states() == ["waiting"] * 12)
            assert len(portal.sent) == 1, "nobody knocks at a closed door"
            assert [row.attempts for row in at.ask("SELECT attempts FROM dispatch")] == [0] * 12

    asyncio.run(main())


def test_a_portal_that_takes_and_never_answers_is_held_and_costs_no_attempt(tmp_path: Path) -> None:
    def lost(one: Outgoing) -> Result:
        return Unknown(one.dispatch_id, "no answer within 30 s")

    async def main() -> None:
        async with line(tmp_path) as at:
            portal = Portal(lost, batch=1)
            async with at.delivering(portal, parallel=1):
                await at.settle(*(dossier(number) for number in NUMBERS))
                await until(lambda: at.gates() == ["held"])
                assert len(portal.sent) <= 5
                portal.answer = taken
                await until(lambda: at.states() == ["delivered"] * 12)
            assert [row.attempts for row in at.ask("SELECT attempts FROM dispatch")] == [0] * 12

    asyncio.run(main())


async def broken(at: Line, *numbers: str, bad: str) -> None:
    """Settle dossiers of which one cannot be rendered."""
    made = await at.processed(page(*(dossier(number) for number in numbers)))
    candidates = [replace(c, body=b"{}") if c.key == bad else c for c in made.candidates]
    settled = await at.ledger.settle(replace(made, candidates=candidates))
    await at.relay.publish(settled.tickets)


def test_r2_a_probe_that_cannot_be_rendered_does_not_open_the_gate(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            portal, away = Portal(answer=down), True
            await at.ledger.set_gate("n", "held", "bảo trì")
            async with at.delivering(portal):
                await broken(at, *NUMBERS[:3], bad=NUMBERS[0])
                await until(lambda: at.states()[0] == "dead" and len(portal.sent) >= 3)
                assert at.gates() == ["held"], "nobody was asked by it"
                assert away
                portal.answer = taken
                await until(lambda: at.states() == ["dead", "delivered", "delivered"])
            assert at.gates() == ["held", "open"]

    asyncio.run(main())


# --- an end


def test_what_has_been_tried_for_too_long_is_dead_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        policy = RetryPolicy(first_s=0.01, cap_s=0.02, limit=1000, give_up_after_s=0.2)
        portal = Portal(lambda one: Fault(one.dispatch_id, F.TRANSIENT, "500", "bận"))
        async with line(tmp_path) as at, at.delivering(portal, policy=policy):
            await at.settle(dossier())
            await until(lambda: at.states() == ["dead"])
            assert at.state("H59-1").reason == "given up after 0.2 seconds of trying: transient 500: bận"
            assert 1 <= at.state("H59-1").attempts < 1000

    asyncio.run(main())


def test_what_alone_always_ends_in_a_gateways_502_gets_an_end(tmp_path: Path) -> None:
    def answer(one: Outgoing) -> Result:
        return Unknown(one.dispatch_id, "HTTP 502", down=True) if one.lane == "H59-poison" else taken(one)

    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(Portal(answer, batch=1)):
            await at.settle(dossier("H59-poison"))
            innocent = 0
            while at.state("H59-poison").state != "dead":
                innocent += 1
                await at.delivers(f"H59-{innocent}")
            row = at.state("H59-poison")
            assert (row.possibly_twice, row.attempts) == (1, 3)
            assert row.reason == ("given up after 3 tries alone, after none of which its outcome was known: HTTP 502")
            await until(lambda: at.gates()[-1] == "open")

    asyncio.run(main())
