"""What only the national portal does, with each answer to what nobody knows of it (the twin's *assumed* settings)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hub.ports import Fault, FaultClass, Mode, Receipt, Unknown
from schemas.errors import DestinationFault

if TYPE_CHECKING:
    from tests.contract.destinations.conftest import Stand


@pytest.mark.parametrize("code", ["00", 0])
def test_both_success_codes_are_success(national_stand: Stand, code: object) -> None:
    national_stand.options = {"success_code": code}

    async def main() -> None:
        destination = national_stand.destination()
        batch = [national_stand.dossier(n) for n in range(1, 101)]
        assert await destination.deliver(batch, 5) == [Receipt(n) for n in range(1, 101)]
        await destination.close()

    asyncio.run(main())
    assert len(national_stand.log()) == 100
    assert all(line["updating"] is False for line in national_stand.log())


@pytest.mark.parametrize("code", ["0", "3", "-3"])
@pytest.mark.parametrize("taken", ["whole", "part"])
def test_r14_one_that_exists_already_refuses_the_batch_and_is_found_alone(
    national_stand: Stand, code: str, taken: str
) -> None:
    national_stand.options = {"exists_code": code, "batch_taken": taken}

    async def main() -> None:
        destination = national_stand.destination()
        one, two = national_stand.dossier(1), national_stand.dossier(2)
        assert await destination.deliver([one], 5) == [Receipt(1)]
        both = await destination.deliver([one, two], 5)
        assert [(r.fault, r.whole_batch) for r in both if isinstance(r, Fault)] == [
            (FaultClass.ALREADY_THERE, True)
        ] * 2
        [alone] = await destination.deliver([one], 5)
        assert isinstance(alone, Fault)
        assert (alone.fault, alone.whole_batch, alone.code) == (FaultClass.ALREADY_THERE, False, code)
        # "already there" is a reason to send it as an update, which is taken
        assert await destination.deliver([national_stand.dossier(1, Mode.UPDATE)], 5) == [Receipt(1)]
        [other] = await destination.deliver([two], 5)
        assert isinstance(other, Receipt) is (taken == "whole")
        await destination.close()

    asyncio.run(main())


def test_r14_a_portal_that_answers_per_item_takes_the_good_and_names_the_bad(national_stand: Stand) -> None:
    national_stand.options = {"per_item": True}

    async def main() -> None:
        destination = national_stand.destination(per_item=True)
        assert await destination.deliver([national_stand.dossier(2)], 5) == [Receipt(2)]
        results = await destination.deliver([national_stand.dossier(n) for n in (1, 2, 3)], 5)
        assert results[0] == Receipt(1)
        assert results[2] == Receipt(3)
        assert isinstance(results[1], Fault)
        assert (results[1].fault, results[1].whole_batch) == (FaultClass.ALREADY_THERE, False)
        await destination.close()

    asyncio.run(main())
    assert len(national_stand.log()) == 3


def test_r14_one_answer_where_answers_per_item_were_configured_is_unknown(national_stand: Stand) -> None:
    async def main() -> None:
        destination = national_stand.destination(per_item=True)
        [result] = await destination.deliver([national_stand.dossier(1)], 5)
        assert isinstance(result, Unknown)
        await destination.close()

    asyncio.run(main())


@pytest.mark.parametrize(("policy", "taken"), [("take", True), ("refuse", False)])
def test_an_update_or_a_step_of_an_unknown_dossier(national_stand: Stand, policy: str, taken: bool) -> None:
    national_stand.options = {"unknown_update": policy, "unknown_step": policy}

    async def main() -> None:
        destination = national_stand.destination()
        for record in (national_stand.step(8), national_stand.dossier(9, Mode.UPDATE)):
            [result] = await destination.deliver([record], 5)
            assert isinstance(result, Receipt) is taken
        await destination.close()

    asyncio.run(main())
    assert len(national_stand.log()) == (2 if taken else 0)


def test_a_200_with_an_error_inside_is_no_success_and_takes_no_effect(national_stand: Stand) -> None:
    national_stand.order("200-error", scope="DongBoHoSoMC")

    async def main() -> None:
        destination = national_stand.destination()
        results = await destination.deliver([national_stand.dossier(1), national_stand.dossier(2)], 5)
        assert [(r.fault, r.code, r.whole_batch) for r in results if isinstance(r, Fault)] == [
            (FaultClass.TRANSIENT, "missing", True)
        ] * 2
        await destination.close()

    asyncio.run(main())
    assert national_stand.log() == []
    assert national_stand.refused()[-1]["numbers"] == ["H59.12-170301-0001", "H59.12-170301-0002"]


@pytest.mark.parametrize("expired", ["text", "http-401", "silent"])
def test_a_dead_session_is_replaced_however_the_portal_says_so(national_stand: Stand, expired: str) -> None:
    national_stand.options = {"expired": expired}

    async def main() -> None:
        destination = national_stand.destination(doubt_s=0)
        assert await destination.deliver([national_stand.dossier(1)], 5) == [Receipt(1)]
        await asyncio.to_thread(national_stand.order, "expire-session", for_requests=1)
        assert await destination.deliver([national_stand.dossier(2)], 5) == [Receipt(2)]
        await asyncio.to_thread(national_stand.order, "expire-session", for_requests=1)
        assert await destination.look_up(["H59.12-170301-0002"], 5) == {"H59.12-170301-0002": True}
        await destination.close()

    asyncio.run(main())
    assert national_stand.state()["log_ins"] == 3


def test_r8_a_look_up_says_what_the_portal_has(national_stand: Stand) -> None:
    async def main() -> None:
        destination = national_stand.destination()
        await asyncio.to_thread(national_stand.order, "accept-drop", scope="DongBoHoSoMC", for_requests=1)
        [result] = await destination.deliver([national_stand.dossier(1)], 5)
        assert isinstance(result, Unknown)
        found = await destination.look_up(["H59.12-170301-0001", "H59.12-170301-0002"], 5)
        assert found == {"H59.12-170301-0001": True, "H59.12-170301-0002": False}
        await asyncio.to_thread(national_stand.order, "200-error", scope="TraCuuHoSo")
        with pytest.raises(DestinationFault, match="đang bận"):
            await destination.look_up(["H59.12-170301-0001"], 5)
        await asyncio.to_thread(national_stand.order, "refuse")
        with pytest.raises(DestinationFault) as caught:
            await destination.look_up(["H59.12-170301-0001"], 5)
        assert caught.value.down
        await destination.close()

    asyncio.run(main())


def test_a_batch_that_is_too_large_is_refused_whole(national_stand: Stand) -> None:
    national_stand.options = {"max_batch": 2}

    async def main() -> None:
        destination = national_stand.destination()
        results = await destination.deliver([national_stand.dossier(n) for n in (1, 2, 3)], 5)
        assert all(isinstance(r, Fault) and r.whole_batch for r in results)
        await destination.close()

    asyncio.run(main())


@pytest.mark.parametrize(("wrong", "said"), [({"dstcode": "KHAC"}, "dstcode"), ({"madonvi": "H12"}, "không được phép")])
def test_a_stranger_is_refused_in_words(national_stand: Stand, wrong: dict[str, str], said: str) -> None:
    async def main() -> None:
        destination = national_stand.destination(**wrong)
        [result] = await destination.deliver([national_stand.dossier(1)], 5)
        assert isinstance(result, Fault)
        assert said in result.text
        await destination.close()

    asyncio.run(main())
    assert national_stand.log() == []
