"""What every destination owes the hub, as tests that a class of one's own inherits.

    class TestSoNoiVu(DestinationContract):
        adapter = "so-noi-vu"                                 # the entry point
        lacks = {"look-up": "…", "events": "the portal takes no steps"}

        @pytest.fixture
        def portal(self, tmp_path: Path) -> Iterator[Portal]:
            with running(create) as twin:
                yield SoNoiVuPortal(twin, tmp_path)           # your own; see `Portal`

It knows `hub.ports` and the errors, and nothing of how a destination speaks.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

import pytest

from hub.contract.adapter import AdapterContract
from hub.contract.lacks import needs
from hub.ports import Catalogues, Destination, Fault, FaultClass, Mode, Outgoing, Receipt, Result, Unknown
from schemas.errors import DestinationFault, Problem

T = TypeVar("T")
FAULTS: Mapping[str, str] = {
    "200-error": "HTTP 200 (or what the protocol calls success) with an error inside; nothing takes effect",
    "500": "an error of the portal; nothing takes effect",
    "http-503": "the portal says that it is not there for the moment; nothing takes effect",
    "429": "the portal is asked too often, and names 4 seconds; nothing takes effect",
    "refuse": "the port is closed",
    "down": "the connection is taken, the request read, and the line cut; nothing takes effect",
    "accept-drop": "the request takes effect, then the line is cut before a byte of the answer",
    "hang": "no answer, and the line stays open; nothing takes effect",
    "drip": "the request takes effect, then the whole answer comes, a byte now and then, for minutes",
    "duplicate-answer": "the request takes effect, and the answer comes twice on the line",
    "expire-session": "every session (or token) that was given so far dies",
    "off": "all is well again",
}
"""What a portal is told to do wrong. `adapters.sandbox.faults` acts out all of them for HTTP but the last two and the
first."""
Call: TypeAlias = Literal["send", "log-in", "look-up"]
DEADLINE_S = 10.0
SHORT_S = 0.5
"""The deadline of a send that is meant to pass."""


class Portal(Protocol):
    """A portal with the settings of a destination that writes to it: what the fixture `portal` gives."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """As they stand in hub.yaml."""
        ...

    @property
    def folder(self) -> Path:
        """What relative paths in the settings are relative to."""
        ...

    @property
    def astray(self) -> Mapping[str, Any]:
        """Settings, changed, with which the portal is there but the address of what takes records is wrong."""
        ...

    @property
    def stranger(self) -> Mapping[str, Any]:
        """Settings, changed, with credentials that the portal does not know."""
        ...

    def record(self, n: int, mode: Mode = Mode.NEW) -> Outgoing:
        """Dossier number n, or a step of it (`Mode.EVENT`), as the portal takes it. Each has a dispatch id of its own,
        its lane is the dossier's number; an update of the same dossier has the content of the new one changed."""
        ...

    def taken(self) -> list[str]:
        """The dossiers of what took effect, a number for each record, in order, repeats too."""
        ...

    def log_ins(self) -> int:
        """How many sessions or tokens the portal has given."""
        ...

    def fault(
        self, mode: str, *, call: Literal["send", "log-in", "look-up"] = "send", times: int | None = None
    ) -> None:
        """Go wrong in one of the ways of `FAULTS`, at this kind of call, so many times or until told otherwise."""
        ...


class DestinationContract(AdapterContract):
    """See the module; the fixture `portal` is yours."""

    _role: ClassVar[Literal["source", "destination"]] = "destination"

    def run(self, portal: Portal, story: Callable[[Destination], Coroutine[Any, Any, T]], **changes: Any) -> T:
        """Tell a story of one destination, which is closed at the end. Fails when it takes for ever."""

        async def main() -> T:
            destination: Destination = self.make({**portal.settings, **changes}, portal.folder)
            limit = asyncio.timeout(self.patience_s)
            try:
                async with limit:
                    return await story(destination)
            except TimeoutError:
                if not limit.expired():
                    raise
                pytest.fail("the destination was still at it after the deadline that it was given", pytrace=False)
            finally:
                await destination.close()

        return asyncio.run(main())

    def sent(self, portal: Portal, *records: Outgoing, deadline_s: float = DEADLINE_S, **changes: Any) -> list[Result]:
        """What became of the records, in their batches, one batch after another, of a destination made for it."""
        return self.run(portal, lambda destination: send(destination, *records, deadline_s=deadline_s), **changes)

    # --- what is taken ----------------------------------------------------------------------------------------------

    def test_each_record_is_answered_once_and_the_portal_has_them_in_order(self, portal: Portal) -> None:
        records = [portal.record(n) for n in range(1, 6)]
        results = self.sent(portal, *records)
        assert [result.dispatch_id for result in results] == [record.dispatch_id for record in records]
        assert all(isinstance(result, Receipt) for result in results), results
        assert portal.taken() == [record.lane for record in records]

    @needs("events")
    def test_steps_are_taken_after_their_dossiers_and_in_order(self, portal: Portal) -> None:
        records = [portal.record(n, mode) for mode in (Mode.NEW, Mode.EVENT) for n in (1, 2, 3)]
        results = self.sent(portal, *records)
        assert all(isinstance(result, Receipt) for result in results), results
        assert portal.taken() == [record.lane for record in records]

    @needs("updates")
    def test_an_update_of_a_dossier_is_taken(self, portal: Portal) -> None:
        records = portal.record(1), portal.record(1, Mode.UPDATE)
        results = self.sent(portal, *records)
        assert all(isinstance(result, Receipt) for result in results), results
        assert portal.taken() == [records[0].lane] * 2

    def test_batches_hold_each_record_once_and_like_with_like(self, portal: Portal) -> None:
        records = [portal.record(n) for n in range(1, 8)]
        records += [replace(portal.record(n), batch_limit=1) for n in range(8, 11)]
        records += [portal.record(n, mode) for mode in self._modes() for n in range(1, 4)]

        async def grouped(destination: Destination) -> tuple[list[list[Outgoing]], int]:
            return [list(batch) for batch in destination.batches(records)], destination.largest

        batches, largest = self.run(portal, grouped)
        ids = [record.dispatch_id for batch in batches for record in batch]
        assert sorted(ids) == sorted(record.dispatch_id for record in records)
        for batch in batches:
            assert len({(record.kind, record.mode) for record in batch}) == 1, "a batch is of one kind and one mode"
            assert len(batch) <= largest
            assert all(len(batch) <= record.batch_limit for record in batch if record.batch_limit), "R14: batch_limit"
        for lane in {record.lane for record in records}:
            order = [record.dispatch_id for record in records if record.lane == lane]
            assert [id_ for id_ in ids if id_ in order] == order, "out of order within a lane"

    def test_a_kind_that_the_portal_does_not_take_is_refused_and_not_sent(self, portal: Portal) -> None:
        [result] = self.sent(portal, replace(portal.record(1), kind="no-such-kind.v1"))
        assert isinstance(result, Fault)
        assert portal.taken() == []

    # --- what is refused --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("mode", ["500", "http-503", "429"])
    def test_a_portal_in_trouble_has_taken_nothing_and_blames_no_record(self, portal: Portal, mode: str) -> None:
        portal.fault(mode, times=1)
        fault = self._refused(portal)
        if mode == "429":
            assert fault.fault is FaultClass.THROTTLED
            assert fault.retry_after_s == 4, "the time that the portal names"
        else:
            wanted = {FaultClass.DOWN} if mode == "http-503" else {FaultClass.DOWN, FaultClass.TRANSIENT}
            assert fault.fault in wanted, "the record is not to blame, so it must not be a dead letter"

    @needs("200-error")
    def test_a_success_with_an_error_inside_is_none(self, portal: Portal) -> None:
        portal.fault("200-error", times=1)
        self._refused(portal)

    def test_a_closed_port_is_down_and_takes_no_effect(self, portal: Portal) -> None:
        portal.fault("refuse")
        assert self._refused(portal).fault is FaultClass.DOWN, "a portal that is not there holds its gate"

    def test_an_address_that_is_wrong_buries_no_record(self, portal: Portal) -> None:
        [result] = self.sent(portal, portal.record(1), **portal.astray)
        assert isinstance(result, Fault)
        assert result.fault is FaultClass.DOWN, "HTTP 404 says nothing about the record"
        assert portal.taken() == []

    # --- what nobody knows ------------------------------------------------------------------------------------------

    def test_r8_a_line_that_is_cut_after_the_request_left_is_unknown(self, portal: Portal) -> None:
        portal.fault("down")
        [result] = self.sent(portal, portal.record(1))
        assert isinstance(result, Unknown), "it left, so it may have been taken"
        assert portal.taken() == []

    def test_r8_a_portal_that_takes_and_then_drops_the_line_is_unknown(self, portal: Portal) -> None:
        portal.fault("accept-drop")
        [result] = self.sent(portal, portal.record(1))
        assert isinstance(result, Unknown)
        assert portal.taken() == [portal.record(1).lane], "sent once, and not again by the adapter"

    def test_r7_a_dripping_answer_is_unknown_when_the_deadline_passes(self, portal: Portal) -> None:
        assert self._overtaken(portal, "drip"), "a limit for each read accepts a dripping answer for ever"
        wanted = [portal.record(n).lane for n in (2, 1)]
        end = time.monotonic() + self.patience_s
        while portal.taken() != wanted and time.monotonic() < end:  # it may be at it yet
            time.sleep(0.01)
        assert portal.taken() == wanted, "sent once"

    def test_r7_a_silent_portal_is_unknown_when_the_deadline_passes(self, portal: Portal) -> None:
        assert self._overtaken(portal, "hang")

    @needs("duplicate-answer")
    def test_an_answer_given_twice_is_not_taken_for_the_next_ones(self, portal: Portal) -> None:
        async def story(destination: Destination) -> list[Result]:
            results = await send(destination, portal.record(1))
            await asyncio.to_thread(portal.fault, "duplicate-answer", times=1)
            results += await send(destination, portal.record(2))
            await asyncio.to_thread(portal.fault, "500", times=1)
            return [*results, *await send(destination, portal.record(3))]

        *good, refused = self.run(portal, story)
        assert all(isinstance(result, Receipt) for result in good), good
        assert isinstance(refused, Fault), "the surplus answer to the second was taken for the answer to the third"
        assert portal.taken() == [portal.record(n).lane for n in (1, 2)]

    def test_a_send_can_be_cancelled(self, portal: Portal) -> None:
        async def story(destination: Destination) -> None:
            await send(destination, portal.record(1))
            await asyncio.to_thread(portal.fault, "hang")
            task = asyncio.create_task(send(destination, portal.record(2)))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.run(portal, story)

    # --- who the hub is there ---------------------------------------------------------------------------------------

    @needs("log-in")
    def test_a_session_that_dies_is_replaced_at_once_and_the_request_sent_once_more(self, portal: Portal) -> None:
        async def story(destination: Destination) -> list[Result]:
            results = await send(destination, portal.record(1))
            await asyncio.to_thread(portal.fault, "expire-session", times=1)
            return [*results, *await send(destination, portal.record(2))]

        results = self.run(portal, story)
        assert all(isinstance(result, Receipt) for result in results), results
        assert portal.log_ins() == 2
        assert portal.taken() == [portal.record(n).lane for n in (1, 2)]

    @needs("log-in")
    def test_a_portal_that_lets_nobody_stay_is_a_session_fault_after_two_log_ins(self, portal: Portal) -> None:
        portal.fault("expire-session")
        [result] = self.sent(portal, portal.record(1))
        assert isinstance(result, Fault)
        assert result.fault is FaultClass.SESSION
        assert portal.log_ins() == 2, "more would lock the account"

    @needs("log-in")
    def test_many_at_a_time_share_one_log_in(self, portal: Portal) -> None:
        async def story(destination: Destination) -> list[Result]:
            sends = (send(destination, portal.record(n)) for n in range(1, 13))
            return [result for results in await asyncio.gather(*sends) for result in results]

        results = self.run(portal, story)
        assert all(isinstance(result, Receipt) for result in results), results
        assert portal.log_ins() == 1
        assert sorted(portal.taken()) == [portal.record(n).lane for n in range(1, 13)]

    @needs("log-in")
    def test_wrong_credentials_are_a_session_fault_and_nothing_is_sent(self, portal: Portal) -> None:
        [result] = self.sent(portal, portal.record(1), **portal.stranger)
        assert isinstance(result, Fault)
        assert result.fault is FaultClass.SESSION
        assert portal.taken() == []

    @needs("log-in")
    def test_a_log_in_that_is_down_is_down_and_nothing_is_sent(self, portal: Portal) -> None:
        portal.fault("down", call="log-in")
        [result] = self.sent(portal, portal.record(1))
        assert isinstance(result, Fault), "nothing was sent, so nothing is unknown"
        assert result.fault is FaultClass.DOWN
        assert portal.taken() == []

    # --- looking up -------------------------------------------------------------------------------------------------

    @needs("look-up")
    def test_r8_a_look_up_says_what_the_portal_has(self, portal: Portal) -> None:
        one, other = portal.record(1), portal.record(2)

        async def story(destination: Destination) -> Mapping[str, bool]:
            assert destination.can_look_up
            await asyncio.to_thread(portal.fault, "accept-drop", times=1)
            [result] = await send(destination, one)
            assert isinstance(result, Unknown)
            return await destination.look_up([one.lane, other.lane], DEADLINE_S)

        assert self.run(portal, story) == {one.lane: True, other.lane: False}

    @needs("look-up")
    @pytest.mark.parametrize("mode", ["500", "refuse", "hang"])
    def test_r8_a_portal_that_cannot_be_asked_has_not_said_no(self, portal: Portal, mode: str) -> None:
        async def story(destination: Destination) -> None:
            await send(destination, portal.record(1))
            await asyncio.to_thread(portal.fault, mode, call="look-up")
            with pytest.raises(DestinationFault) as fault:
                await destination.look_up([portal.record(1).lane], SHORT_S)
            assert fault.value.down or mode != "refuse", "DestinationFault(…, down=True) where nobody is there"

        self.run(portal, story)

    def test_who_cannot_look_up_says_so(self, portal: Portal) -> None:
        async def story(destination: Destination) -> None:
            assert destination.can_look_up == ("look-up" not in self.lacks)
            if not destination.can_look_up:
                with pytest.raises(DestinationFault):
                    await destination.look_up([portal.record(1).lane], DEADLINE_S)

        self.run(portal, story)

    def test_catalogues_that_cannot_be_had_whole_are_a_fault(self, portal: Portal) -> None:
        """A portal need not show its registers; an adapter that does says it by having `Catalogues.catalogue`."""

        async def story(destination: Destination) -> None:
            if not isinstance(destination, Catalogues):
                return
            wanted = list(inspect.signature(Catalogues.catalogue).parameters)[1:]
            assert list(inspect.signature(destination.catalogue).parameters) == wanted
            await asyncio.to_thread(portal.fault, "refuse")
            for register in ("agencies", "procedures", "fields"):
                with pytest.raises(DestinationFault) as fault:
                    await destination.catalogue(register, ["H59"], DEADLINE_S)
                assert fault.value.down, "DestinationFault(…, down=True) where nobody is there"

        self.run(portal, story)

    # --- the rest ---------------------------------------------------------------------------------------------------

    def test_the_check_says_what_is_wrong_and_sends_nothing(self, portal: Portal) -> None:
        """`probe` is what `hub check` asks; a destination need not have it."""

        async def story(destination: Destination) -> None:
            probe = getattr(destination, "probe", None)
            if probe is None:
                return
            await asyncio.to_thread(portal.fault, "refuse")
            ill: Sequence[Problem] = await probe()
            await asyncio.to_thread(portal.fault, "off")
            well: Sequence[Problem] = await probe()
            assert list(well) == []
            assert len(ill) > 0

        self.run(portal, story)
        assert portal.taken() == []

    def test_close_leaves_nothing_behind_and_may_come_twice(self, portal: Portal) -> None:
        async def main() -> int:
            unused, used = (self.make(portal.settings, portal.folder) for _ in range(2))
            await send(used, portal.record(1))
            for destination in (unused, used, used):
                await destination.close()
            return len(asyncio.all_tasks()) - 1

        assert asyncio.run(main()) == 0, "tasks run on after close()"

    def _modes(self) -> list[Mode]:
        given = {"updates": Mode.UPDATE, "events": Mode.EVENT}
        return [mode for what, mode in given.items() if what not in self.lacks]

    def _overtaken(self, portal: Portal, mode: str) -> bool:
        """Send a record, then one whose answer the deadline overtakes; whether that is unknown."""

        async def story(destination: Destination) -> Result:
            await send(destination, portal.record(2))  # who has to log in has done so
            await asyncio.to_thread(portal.fault, mode)
            [result] = await send(destination, portal.record(1), deadline_s=SHORT_S)
            return result

        return isinstance(self.run(portal, story), Unknown)

    def _refused(self, portal: Portal) -> Fault:
        """Send a record while the portal refuses it, and again when all is well."""

        async def story(destination: Destination) -> tuple[list[Result], list[Result]]:
            refused = await send(destination, portal.record(1))
            assert portal.taken() == []
            await asyncio.to_thread(portal.fault, "off")
            return refused, await send(destination, portal.record(1))

        [refused], [taken] = self.run(portal, story)
        assert not isinstance(refused, Receipt), "what was not taken must never count as delivered"
        assert isinstance(refused, Fault), "it surely was not taken: a fault, not unknown"
        assert isinstance(taken, Receipt), taken
        assert portal.taken() == [portal.record(1).lane]
        return refused


async def send(destination: Destination, *records: Outgoing, deadline_s: float = DEADLINE_S) -> list[Result]:
    """Send in the destination's own batches; each record has one result, which says something where it is none."""
    results: list[Result] = []
    for batch in destination.batches(records):
        answered = await destination.deliver(batch, deadline_s)
        counted = Counter(result.dispatch_id for result in answered)
        assert counted == Counter(record.dispatch_id for record in batch), "one result for each record of the batch"
        for result in answered:
            if not isinstance(result, Receipt):
                assert result.text.strip(), "say what happened"
                assert "\n" not in result.text, "one line, for people"
        results += answered
    return results
