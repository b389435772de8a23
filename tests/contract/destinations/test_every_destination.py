"""What every destination owes the hub, held against the twins of their portals over loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from hub.ports import Destination, Fault, FaultClass, Mode, Outgoing, Receipt, Result, Unknown

if TYPE_CHECKING:
    from tests.contract.destinations.conftest import Stand


def send(destination: Destination, *outgoing: Outgoing, deadline_s: float = 5.0) -> list[Result]:
    """Deliver in batches, one after another."""

    async def main() -> list[Result]:
        results: list[Result] = []
        for batch in destination.batches(outgoing):
            results += await destination.deliver(batch, deadline_s)
        await destination.close()
        return results

    return asyncio.run(main())


def faults(results: Sequence[Result]) -> list[FaultClass]:
    assert all(isinstance(r, Fault) for r in results), results
    return [r.fault for r in results if isinstance(r, Fault)]


def test_dossiers_then_steps_are_taken_and_logged_in_order(stand: Stand) -> None:
    records = [*(stand.dossier(n) for n in range(1, 6)), *(stand.step(n) for n in range(1, 6))]
    results = send(stand.destination(), *records)
    assert results == [Receipt(each.dispatch_id) for each in records]
    assert stand.logged() == [each.lane for each in records]
    assert [line["service"] for line in stand.log()] == [stand.kind.dossiers] * 5 + [stand.kind.steps] * 5
    assert [line["n"] for line in stand.log()] == list(range(1, 11))
    assert stand.state()["numbers"] == {stand.kind.dossiers: 5, stand.kind.steps: 5}
    assert stand.state()["log_ins"] == 1


def test_an_update_of_a_dossier_is_taken(stand: Stand) -> None:
    destination = stand.destination()
    results = send(destination, stand.dossier(1), stand.dossier(1, Mode.UPDATE, GhiChu="lần hai"))
    assert all(isinstance(r, Receipt) for r in results)
    assert stand.logged() == ["H59.12-170301-0001"] * 2


def test_a_step_of_an_unknown_dossier_is_refused_and_not_logged(stand: Stand) -> None:
    results = send(stand.destination(), stand.step(7))
    assert len(faults(results)) == 1
    assert stand.log() == []
    assert stand.refused()[-1]["numbers"] == ["H59.12-170301-0007"]


def test_a_closed_port_is_down_and_takes_no_effect(stand: Stand) -> None:
    destination = stand.destination(connect_timeout_s=2)
    stand.fault("refuse")
    began = time.monotonic()
    results = send(destination, stand.dossier(1))
    assert faults(results) == [FaultClass.DOWN]
    assert time.monotonic() - began < 4
    stand.fault("off")
    assert send(destination, stand.dossier(1)) == [Receipt(1)]
    assert len(stand.log()) == 1


def test_a_line_that_is_cut_after_the_request_left_is_unknown(stand: Stand) -> None:
    destination = stand.destination()
    stand.fault("down", scope=stand.kind.dossiers)
    [result] = send(destination, stand.dossier(1))
    assert isinstance(result, Unknown)
    assert stand.log() == []


def test_r8_a_portal_that_takes_and_then_drops_the_line_is_unknown(stand: Stand) -> None:
    stand.fault("accept-drop", scope=stand.kind.dossiers)
    [result] = send(stand.destination(), stand.dossier(1))
    assert isinstance(result, Unknown)
    assert stand.logged() == ["H59.12-170301-0001"]


def test_r7_a_dripping_portal_is_unknown_when_the_deadline_passes(stand: Stand) -> None:
    stand.fault("drip", scope=stand.kind.dossiers, interval_s=0.1)
    destination = stand.destination()
    began = time.monotonic()
    [result] = send(destination, stand.dossier(1), deadline_s=0.5)
    assert isinstance(result, Unknown)
    assert time.monotonic() - began < 3
    assert len(stand.log()) == 1


def test_r7_a_hanging_portal_is_unknown_when_the_deadline_passes(stand: Stand) -> None:
    stand.fault("hang", scope=stand.kind.dossiers)
    [result] = send(stand.destination(), stand.dossier(1), deadline_s=0.5)
    assert isinstance(result, Unknown)
    assert stand.log() == []


@pytest.mark.parametrize(
    ("mode", "fault"),
    [("500", FaultClass.TRANSIENT), ("http-503", FaultClass.DOWN), ("429", FaultClass.THROTTLED)],
)
def test_an_http_error_goes_by_its_class_and_takes_no_effect(stand: Stand, mode: str, fault: FaultClass) -> None:
    destination = stand.destination()
    stand.fault(mode, scope=stand.kind.dossiers, for_requests=1, retry_after_s=4)
    results = send(destination, stand.dossier(1))
    assert faults(results) == [fault]
    [result] = results
    assert isinstance(result, Fault)
    assert result.retry_after_s == (4.0 if mode == "429" else None)
    assert stand.refused()[-1]["answer"] == {"fault": mode}
    assert send(destination, stand.dossier(1)) == [Receipt(1)]
    assert len(stand.log()) == 1


def test_a_session_that_dies_is_replaced_at_once_and_the_request_sent_once_more(stand: Stand) -> None:
    async def main() -> None:
        destination = stand.destination()
        assert await destination.deliver([stand.dossier(1)], 5) == [Receipt(1)]
        await asyncio.to_thread(stand.fault, "expire-session", for_requests=1)
        assert await destination.deliver([stand.dossier(2)], 5) == [Receipt(2)]
        await destination.close()

    asyncio.run(main())
    assert stand.state()["log_ins"] == 2
    assert stand.logged() == ["H59.12-170301-0001", "H59.12-170301-0002"]


def test_a_portal_that_never_lets_anybody_stay_is_a_session_fault_after_two_log_ins(stand: Stand) -> None:
    stand.fault("expire-session")
    assert faults(send(stand.destination(), stand.dossier(1))) == [FaultClass.SESSION]
    assert stand.state()["log_ins"] == 2


def test_many_at_a_time_share_one_log_in(stand: Stand) -> None:
    async def main() -> None:
        destination = stand.destination()
        sent = await asyncio.gather(*(destination.deliver([stand.dossier(n)], 10) for n in range(1, 13)))
        assert [r for results in sent for r in results] == [Receipt(n) for n in range(1, 13)]
        await destination.close()

    asyncio.run(main())
    assert stand.state()["log_ins"] == 1
    assert sorted(stand.logged()) == [f"H59.12-170301-{n:04}" for n in range(1, 13)]


def test_an_answer_given_twice_is_not_taken_for_the_next_ones(stand: Stand) -> None:
    async def main() -> None:
        destination = stand.destination()
        assert await destination.deliver([stand.dossier(1)], 5) == [Receipt(1)]
        await asyncio.to_thread(stand.fault, "duplicate-answer", for_requests=1)
        assert await destination.deliver([stand.dossier(2)], 5) == [Receipt(2)]
        await asyncio.to_thread(stand.fault, "500", for_requests=1)
        [result] = await destination.deliver([stand.dossier(3)], 5)
        assert isinstance(result, Fault)
        await destination.close()

    asyncio.run(main())
    assert stand.logged() == ["H59.12-170301-0001", "H59.12-170301-0002"]


def test_wrong_credentials_are_a_session_fault_and_nothing_is_sent(stand: Stand) -> None:
    results = send(stand.destination(**stand.kind.stranger), stand.dossier(1))
    assert faults(results) == [FaultClass.SESSION]
    assert stand.log() == []


def test_a_log_in_that_is_down_is_down_and_nothing_is_sent(stand: Stand) -> None:
    stand.fault("down", scope=stand.kind.log_in)
    assert faults(send(stand.destination(), stand.dossier(1))) == [FaultClass.DOWN]
    assert stand.log() == []


def test_an_address_that_is_wrong_buries_no_dossier(stand: Stand) -> None:
    assert faults(send(stand.destination(**stand.kind.astray), stand.dossier(1))) == [FaultClass.DOWN]


def test_a_twin_that_is_started_again_knows_what_it_knew(stand: Stand) -> None:
    assert send(stand.destination(), stand.dossier(1)) == [Receipt(1)]
    stand.again()
    assert send(stand.destination(), stand.step(1)) == [Receipt(1001)]
    assert [line["n"] for line in stand.log()] == [1, 2]


def test_a_repeat_and_an_older_state_are_logged_and_not_hidden(stand: Stand) -> None:
    destination = stand.destination()
    send(destination, stand.dossier(1, GhiChu="a"))
    for note in ("b", "b", "a"):
        send(destination, stand.dossier(1, Mode.UPDATE, GhiChu=note))
    for _ in range(2):
        send(destination, stand.step(1))
    assert [line["data"].get("GhiChu") for line in stand.log()] == ["a", "b", "b", "a", None, None]
