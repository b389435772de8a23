from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from hub.ports import Fault, FaultClass, Outgoing, Receipt, Result, Unknown
from hub.retry import RetryPolicy
from schemas.errors import DestinationFault
from tests.unit.hub.line import Portal, dossier, line, page, rules, step, until

F = FaultClass
NUMBERS = [f"H59-{n:02}" for n in range(1, 13)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.deliver.ASK_AGAIN_S", 0.01)
    monkeypatch.setattr("hub.rate.FIRST_PER_S", 100.0)


# --- what is sent, and what is given back


def test_what_is_due_is_sent_in_one_request_and_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(portal := Portal()) as deliver:
            await at.settle(*(dossier(number) for number in NUMBERS))
            await until(lambda: at.states() == ["delivered"] * 12)
            assert portal.sent == [NUMBERS]
            await until(lambda: deliver.delivered == 12)

    asyncio.run(main())


def test_r7_what_waits_its_turn_when_sending_ends_is_given_back_unspent(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            allowed = True
            portal = Portal(batch=1)
            portal.answers.clear()
            async with at.delivering(portal, parallel=1, may_send=lambda: allowed):
                await at.settle(*(dossier(number) for number in NUMBERS[:3]))
                await until(lambda: at.states() == ["sending"] * 3 and portal.sent)
                allowed = False
                portal.answers.set()
                await until(lambda: sum(one.to == "waiting" for one in at.ledger.outcomes) >= 2)
                assert portal.sent == [["H59-01"]], "the adapter was not called again"
                assert at.states()[0] == "delivered"
                allowed = True
                await until(lambda: at.states() == ["delivered"] * 3)
            assert sorted(portal.sent) == [[number] for number in NUMBERS[:3]]
            assert [tuple(row) for row in at.ask("SELECT attempts, possibly_twice FROM dispatch")] == [(0, 0)] * 3
            assert not at.ask("SELECT id FROM fault")

    asyncio.run(main())


def test_a_stopped_bus_ends_the_loop_with_no_claim_left(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            portal = Portal(batch=1)
            portal.answers.clear()
            stopping = False
            running = asyncio.create_task(at.deliver(portal, parallel=1, may_send=lambda: not stopping).run())
            await at.settle(*(dossier(number) for number in NUMBERS[:3]))
            await until(lambda: at.states() == ["sending"] * 3 and portal.sent)
            stopping = True
            await at.bus.stop()
            assert at.states() == ["sending"] * 3, "what is on the wire comes to its end first"
            portal.answers.set()
            await running
            assert at.states() == ["delivered", "waiting", "waiting"]
            assert len(portal.sent) == 1

    asyncio.run(main())


def test_r2_a_probe_that_was_given_back_says_nothing_about_the_portal(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            portal, allowed = Portal(answer=lambda one: Fault(one.dispatch_id, F.DOWN, "503", "bảo trì")), True
            async with at.delivering(portal, may_send=lambda: allowed):
                await at.settle(dossier())
                await until(lambda: at.gates() == ["held"])
                allowed = False
                await until(lambda: any(one.reason == "given back, not sent" for one in at.ledger.outcomes))
                assert at.gates() == ["held"], "nobody answered, so the gate stays shut"
                allowed, portal.answer = True, lambda one: Receipt(one.dispatch_id)
                await until(lambda: at.states() == ["delivered"])
            assert at.gates() == ["held", "open"]

    asyncio.run(main())


def test_r7_let_go_cancels_what_is_on_the_wire_and_its_outcome_is_unknown(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            portal, allowed = Portal(batch=2, knows=lambda _: True), True
            portal.answers.clear()
            async with at.delivering(portal, parallel=1, may_send=lambda: allowed) as deliver:
                await at.settle(*(dossier(number) for number in NUMBERS[:4]))
                await until(lambda: at.states() == ["sending"] * 4 and portal.sent)
                allowed = False
                deliver.let_go()
                await until(lambda: len(at.ledger.outcomes) >= 4)
                assert portal.cancelled == 1
                found = {one.dispatch_id: one for one in reversed(at.ledger.outcomes)}
                assert [found[id_].to for id_ in (1, 2, 3, 4)] == ["unknown", "unknown", "waiting", "waiting"]
                assert "could not renew its heartbeat" in found[1].reason
                allowed = True
                portal.answers.set()
                await until(lambda: at.states() == ["delivered"] * 4)

    asyncio.run(main())


# --- look-ups (R8)


def test_r8_look_ups_go_in_tens_and_one_that_cannot_be_asked_waits_longer_and_holds_nobody(tmp_path: Path) -> None:
    bad, mended = NUMBERS[4], False
    lost: set[str] = set()

    def answer(one: Outgoing) -> Result:
        if one.lane in lost:
            return Receipt(one.dispatch_id)
        lost.add(one.lane)
        return Unknown(one.dispatch_id, "the connection broke")

    def knows(number: str) -> bool:
        if number == bad and not mended:
            raise DestinationFault("TraCuuHoSo: HTTP 500")
        return False

    async def main() -> None:
        nonlocal mended
        patient = RetryPolicy(first_s=0.02, cap_s=60.0, unknown_wait_s=0.0)
        async with line(tmp_path) as at, at.delivering(portal := Portal(answer, knows), policy=patient):
            await at.settle(*(dossier(number) for number in NUMBERS))
            await until(lambda: at.states().count("delivered") == 11 and len(at.ledger.postponed[bad]) >= 5)
            assert at.state(bad).state == "unknown"
            assert at.state(bad).reason.endswith("the portal cannot be asked: TraCuuHoSo: HTTP 500")
            waits = at.ledger.postponed[bad]
            assert waits == sorted(waits)
            assert waits[-1] > 4 * waits[0]
            assert [len(numbers) for numbers in portal.asked[:12]] == [10, *[1] * 10, 2]
            assert set(at.ledger.postponed) == {bad}, "nobody else waits for it"
            mended = True
            await until(lambda: at.states() == ["delivered"] * 12, within_s=90)
            assert not at.ask("SELECT id FROM dispatch WHERE possibly_twice = 1"), "the portal said that it has none"

    asyncio.run(main())


@pytest.mark.parametrize(("down", "asked"), [(False, [3, 1, 1, 1]), (True, [3])])
def test_r8_a_portal_that_cannot_be_asked_at_all_is_not_asked_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: bool, asked: list[int]
) -> None:
    monkeypatch.setattr("hub.deliver.ASKED_TOGETHER", 3)

    def knows(number: str) -> bool:
        raise DestinationFault("TraCuuHoSo: nobody answers", down=down)

    async def main() -> None:
        portal = Portal(lambda one: Unknown(one.dispatch_id, "the connection broke"), knows)
        patient = RetryPolicy(first_s=0.02, cap_s=60.0, unknown_wait_s=0.0)
        async with line(tmp_path) as at, at.delivering(portal, policy=patient):
            await at.settle(*(dossier(number) for number in NUMBERS[:3]))
            await until(lambda: [row[0] for row in at.ask("SELECT times FROM look_up")] == [1, 1, 1])
            assert [len(numbers) for numbers in portal.asked] == asked

    asyncio.run(main())


@pytest.mark.parametrize(("shown", "modes"), [(False, ["new", "new"]), (True, ["new", "update"])])
def test_r8_what_the_portal_shows_decides_how_it_is_sent_again(tmp_path: Path, shown: bool, modes: list[str]) -> None:
    sent: list[str] = []

    def answer(one: Outgoing) -> Result:
        sent.append(one.mode.value)
        return Unknown(one.dispatch_id, "lost") if len(sent) == 1 else Receipt(one.dispatch_id)

    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(Portal(answer, lambda _: shown)):
            await at.settle(dossier())
            await until(lambda: at.states() == ["delivered"])
            assert sent == modes
            assert at.state("H59-1").possibly_twice == (1 if shown else 0)

    asyncio.run(main())


# --- a portal that is down, and a record that brings it down


def test_a_gateway_that_lost_the_portal_leaves_the_outcome_unknown_and_holds_the_gate(tmp_path: Path) -> None:
    def lost(one: Outgoing) -> Result:
        return Unknown(one.dispatch_id, "HTTP 502", down=True)

    async def main() -> None:
        portal = Portal(lost)
        # Nobody resolves it: the look-up finds the portal away too.
        portal.knows = lambda _: (_ for _ in ()).throw(DestinationFault("HTTP 502", down=True))
        async with line(tmp_path) as at, at.delivering(portal):
            await at.settle(dossier())
            await until(lambda: at.gates() == ["held"])
            assert at.states() == ["unknown"]
            assert at.state("H59-1").attempts == 0
            assert at.ask("SELECT reason FROM gate")[0].reason == "HTTP 502"
            await at.settle(dossier("H59-2"))
            portal.answer, portal.knows = (lambda one: Receipt(one.dispatch_id)), lambda _: True
            await until(lambda: at.states() == ["delivered"] * 2)
        assert at.gates()[-1] == "open"

    asyncio.run(main())


@pytest.mark.parametrize("kind", [F.DOWN, F.SESSION])
def test_a_record_that_alone_brings_the_portal_down_gets_the_blame_and_dies(tmp_path: Path, kind: FaultClass) -> None:
    def answer(one: Outgoing) -> Result:
        poison = one.lane == "H59-poison"
        return Fault(one.dispatch_id, kind, "503", "sập") if poison else Receipt(one.dispatch_id)

    async def main() -> None:
        async with line(tmp_path) as at, at.delivering(Portal(answer, batch=1)):
            await at.settle(dossier("H59-poison"))
            innocent = 0
            while at.state("H59-poison").state != "dead":
                innocent += 1
                await at.delivers(f"H59-{innocent}")
            faults = [row.fault for row in at.ask("SELECT fault FROM fault ORDER BY id")]
            assert faults.count("transient") == 3 == at.state("H59-poison").attempts
            assert faults.index("transient") >= 3, "it is not blamed for the first times"
            assert faults[:3] == [kind.value] * 3
            await until(lambda: at.gates()[-1] == "open")

    asyncio.run(main())


def test_a_record_that_is_to_blame_waits_for_itself_and_the_gate_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(one: Outgoing) -> Result:
        poison = one.lane == "H59-poison"
        return Fault(one.dispatch_id, F.DOWN, "503", "sập") if poison else Receipt(one.dispatch_id)

    async def main() -> None:
        monkeypatch.setattr("hub.deliver.random.random", lambda: 0.99)
        slow = RetryPolicy(first_s=60.0, cap_s=60.0, limit=1000)
        async with line(tmp_path) as at, at.delivering(portal := Portal(answer, batch=1), policy=slow):
            await at.settle(dossier("H59-poison"))
            innocent = 0
            while not at.state("H59-poison").attempts:
                innocent += 1
                await at.delivers(f"H59-{innocent}")
            await until(lambda: at.gates()[-1] == "open")
            gates, sent = at.gates(), len(portal.sent)
            await at.settle(*(dossier(f"H59-a{number}") for number in range(20)))
            await until(lambda: at.states().count("delivered") == innocent + 20)
            assert (at.gates(), len(portal.sent)) == (gates, sent + 20)
            assert at.state("H59-poison").state == "waiting"

    asyncio.run(main())


def test_in_a_long_outage_nobody_spends_an_attempt(tmp_path: Path) -> None:
    poison, away = "H59-poison", False

    def answer(one: Outgoing) -> Result:
        down = away or one.lane == poison
        return Fault(one.dispatch_id, F.DOWN, "503", "sập") if down else Receipt(one.dispatch_id)

    async def main() -> None:
        nonlocal away
        patient = RetryPolicy(first_s=0.01, cap_s=0.02, limit=1000)
        async with line(tmp_path) as at, at.delivering(Portal(answer, batch=1), policy=patient):
            await at.settle(dossier(poison))
            innocent = 0
            while not at.state(poison).attempts:
                innocent += 1
                await at.delivers(f"H59-{innocent}")
            away = True
            await at.settle(*(dossier(number) for number in NUMBERS))
            await until(lambda: at.gates()[-1] == "held")
            spent = at.state(poison).attempts

            def downs() -> int:
                return int(at.ask("SELECT count(*) FROM fault WHERE fault = 'down'")[0][0])

            before, tries = downs(), at.state(poison).tries
            await until(lambda: downs() >= before + 30 and at.state(poison).tries >= tries + 2)
            # What was delivered just before the outage may count once more against the one under suspicion.
            assert at.state(poison).attempts <= spent + 1
            assert not at.ask("SELECT id FROM dispatch WHERE attempts > 0 AND lane <> :it", it=poison)
            away = False
            await until(lambda: at.states().count("delivered") == innocent + 12)

    asyncio.run(main())


# --- what cannot be rendered


def test_a_record_that_cannot_be_rendered_is_dead_with_its_reason_and_the_others_go(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            made = await at.processed(page(*(dossier(number) for number in NUMBERS[:3])))
            broken = [replace(c, body=b"{}") if c.key == NUMBERS[1] else c for c in made.candidates]
            async with at.delivering(portal := Portal()):
                settled = await at.ledger.settle(replace(made, candidates=broken))
                await at.relay.publish(settled.tickets)
                await until(lambda: at.states() == ["delivered", "dead", "delivered"])
            assert at.state(NUMBERS[1]).reason == ("data not-sent: dvcqg/dossier: cannot be rendered: ValidationError")
            assert portal.sent == [[NUMBERS[0], NUMBERS[2]]]

    asyncio.run(main())


def test_a_record_whose_mapping_is_gone_is_dead_with_its_reason_and_the_others_go(tmp_path: Path) -> None:
    async def main() -> None:
        left = {"dossier.v1": rules().outbound["n"]["dossier.v1"]}
        async with line(tmp_path) as at, at.delivering(portal := Portal(), mappings=left):
            await at.settle(dossier("H59-1"))
            await at.settle(step("H59-1"))
            await until(lambda: at.states() == ["delivered", "dead"])
            assert "n has no mapping for dossier-step.v1 any more" in at.state("H59-1").reason
            await at.settle(dossier("H59-2"))
            await until(lambda: at.states()[-1] == "delivered")
            assert portal.sent == [["H59-1"], ["H59-2"]]

    asyncio.run(main())


# --- tickets


def test_a_ticket_of_another_ledger_is_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            settled = await at.ledger.settle(await at.processed(page(dossier())))
            foreign = [replace(ticket, ledger="0123456789abcdef") for ticket in settled.tickets]
            await at.bus.publish(foreign)
            running = asyncio.create_task(at.deliver(portal := Portal()).run())
            await until(lambda: caplog.messages)
            assert at.states() == ["queued"]
            await at.relay.publish(settled.tickets)
            await until(lambda: at.states() == ["delivered"])
            assert portal.sent == [["H59-1"]]
            assert at.state("H59-1").tries == 1
            await at.bus.stop()
            await running

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert caplog.messages == ["n: a ticket that this ledger did not write (dispatch 1) was dropped"]


def test_r1_a_ticket_that_comes_twice_in_one_group_is_sent_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path) as at:
            settled = await at.ledger.settle(await at.processed(page(dossier("H59-1"), dossier("H59-2"))))
            await at.relay.publish([*settled.tickets, *settled.tickets])
            async with at.delivering(portal := Portal()):
                await until(lambda: at.states() == ["delivered"] * 2)
                await until(lambda: all(not queue.out for queue in at.bus._queues.values()))
            assert portal.sent == [["H59-1", "H59-2"]]
            assert {row[0] for row in at.ask("SELECT tries FROM dispatch")} == {1}

    asyncio.run(main())
