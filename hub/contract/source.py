"""What every source owes the hub, as tests that a class of one's own inherits.

    class TestChanges(SourceContract):
        adapter = "changes"                                   # the entry point
        lacks = {"garbage": "the line protocol has a checksum"}

        @pytest.fixture
        def system(self, tmp_path: Path) -> Iterator[System]:
            with running(create) as twin:
                yield ChangesSystem(twin, tmp_path)           # your own; see `System`

It knows `hub.ports` and the errors, and nothing of how a source reads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args

import pytest

from hub.contract.adapter import NAME, AdapterContract
from hub.contract.lacks import needs
from hub.ports import Arrival, Cursor, Media, Source
from schemas.errors import Problem, SourceFault

T = TypeVar("T")
FAULTS: Mapping[str, str] = {
    "garbage": "HTTP 200 (or a file) with bytes that are no page at all",
    "500": "the request is refused by an error of the system, whatever its protocol calls that",
    "http-503": "the system says that it is not there for the moment",
    "429": "the system is asked too often, and says so without naming a time that is longer than the source may wait",
    "down": "the connection is taken, the request read, and the line cut before a byte of an answer",
    "hang": "no answer, and the line stays open",
    "drip": "the whole answer, a byte now and then, for minutes",
    "huge": "an answer larger than the source takes (its `max_bytes`, say, in the settings of the test)",
    "refuse": "the port is closed",
    "off": "all is well again",
}
"""What a system is told to do wrong. `adapters.sandbox.faults` acts out all of them for HTTP but garbage and huge."""


@dataclass(frozen=True, slots=True)
class Row:
    """One dossier of the legacy system, before it is put into the system's own shape."""

    number: str
    changed: datetime
    """Aware; when the row was last changed, as the system says."""
    name: str = "Nguyễn Thị Hạnh"
    status: int = 4
    """4 is being processed, 9 is finished."""


class System(Protocol):
    """A legacy system with the settings of a source that reads it: what the fixture `system` gives."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """As they stand in hub.yaml. Pages of three rows, nothing read twice on purpose (no overlap), and patience."""
        ...

    @property
    def folder(self) -> Path:
        """What relative paths in the settings are relative to."""
        ...

    @property
    def hasty(self) -> Mapping[str, Any]:
        """Settings, changed, with which the source waits for an answer for half a second and no longer."""
        ...

    def put(self, rows: Sequence[Row]) -> None:
        """Let the system hold these rows from now on; one with a number that it has takes that row's place."""
        ...

    def numbers(self, arrival: Arrival) -> list[str]:
        """The dossier numbers in an arrival, in its order, read without the source; none where it cannot be read."""
        ...

    def served(self) -> Sequence[bytes]:
        """Every page (or file) that the system has handed out, byte for byte."""
        ...

    def fault(self, mode: str, *, times: int | None = None) -> None:
        """Go wrong in one of the ways of `FAULTS`, for so many pages, or until told otherwise."""
        ...


def rows(count: int, *, first: int = 1) -> list[Row]:
    """Rows that were changed a minute apart, long ago, in the order of their numbers."""
    began = datetime(2017, 1, 3, 1, 0, tzinfo=UTC) + timedelta(minutes=first - 1)
    return [Row(f"000.00.05.H59-170103-{first + at:04}", began + timedelta(minutes=at)) for at in range(count)]


async def poll(system: System, source: Source, cursor: Cursor) -> tuple[list[Arrival], Cursor]:
    """One poll as the hub makes it: each arrival settled before the next; returns the cursor at its end, as it is kept.

    An arrival that moves no cursor and of which nothing can be read is settled as parked.
    """
    seen: list[Arrival] = []
    async for arrival in source.arrivals(cursor):
        seen.append(arrival)
        cursor = kept(arrival.cursor if arrival.cursor is not None else cursor)
        await source.settled(arrival, [], parked=arrival.cursor is None and not system.numbers(arrival))
    return seen, cursor


def kept(cursor: Cursor) -> Cursor:
    """A cursor as it comes back from the ledger."""
    back: Cursor = json.loads(json.dumps(dict(cursor)))
    assert back == dict(cursor), "a cursor is kept as JSON, and must come back as it was"
    return back


class SourceContract(AdapterContract):
    """See the module; the fixture `system` is yours."""

    said: ClassVar[Mapping[str, str]] = {}
    """By fault, a regular expression that the error of the poll has to match, where you want to hold it."""
    _role: ClassVar[Literal["source", "destination"]] = "source"

    def source(self, system: System, **changes: Any) -> Source:
        """A source that reads the system, made as the hub makes it: a new one is the hub after a restart."""
        made: Source = self.make({**system.settings, **changes}, system.folder)
        return made

    def run(self, system: System, story: Callable[[Source], Coroutine[Any, Any, T]]) -> T:
        """Tell a story of one source, which is closed at the end. Fails when it takes for ever."""

        async def main() -> T:
            source = self.source(system)
            limit = asyncio.timeout(self.patience_s)
            try:
                async with limit:
                    return await story(source)
            except TimeoutError:
                if not limit.expired():
                    raise
                pytest.fail(f"the source was still at it after {self.patience_s:g} s", pytrace=False)
            finally:
                await source.close()

        return asyncio.run(main())

    def polled(self, system: System, cursor: Cursor | None = None) -> tuple[list[Arrival], Cursor]:
        """One poll of a source that was started for it."""
        return self.run(system, lambda source: poll(system, source, cursor or {}))

    # --- what comes -------------------------------------------------------------------------------------------------

    def test_everything_comes_once_and_in_order(self, system: System) -> None:
        wanted = _put(system, 7)
        arrivals, _ = self.polled(system)
        assert _numbers(system, arrivals) == wanted
        assert arrivals[-1].last, "the last page of a poll says that it is"
        assert len(arrivals) > 1, "let the settings ask for pages of three rows: this test and others need several"

    @needs("bytes")
    def test_bytes_are_kept_as_they_came(self, system: System) -> None:
        _put(system, 7)
        arrivals, _ = self.polled(system)
        served = list(system.served())
        changed = [arrival.label for arrival in arrivals if arrival.body not in served]
        assert changed == [], "the ledger keeps what the system said, and nothing else can be shown to the agency"

    def test_an_arrival_says_whence_and_when_it_came(self, system: System) -> None:
        _put(system, 7)
        before = datetime.now(UTC) - timedelta(seconds=1)
        arrivals, _ = self.polled(system)
        for arrival in arrivals:
            assert arrival.source == NAME, "the name in the context, not one of the adapter's own"
            assert len(arrival.uid) == 32
            assert int(arrival.uid, 16) >= 0
            assert before <= arrival.poll_started_at <= arrival.received_at <= datetime.now(UTC)
            assert arrival.label.strip()
            assert arrival.media in get_args(Media)
        assert len({arrival.uid for arrival in arrivals}) == len(arrivals)
        assert len({arrival.poll_started_at for arrival in arrivals}) == 1, "one poll began at one time"

    def test_a_system_with_nothing_is_no_rows_and_no_error(self, system: System) -> None:
        arrivals, cursor = self.polled(system)
        assert _numbers(system, arrivals) == []
        wanted = _put(system, 2)
        assert _numbers(system, self.polled(system, cursor)[0]) == wanted

    # --- the cursor -------------------------------------------------------------------------------------------------

    def test_what_changes_comes_with_the_next_poll_also_after_a_restart(self, system: System) -> None:
        wanted = _put(system, 4)
        _, cursor = self.polled(system)
        later = [replace(rows(1)[0], changed=rows(1, first=60)[0].changed, status=9), *rows(2, first=61)]
        system.put(later)
        arrivals, cursor = self.polled(system, cursor)
        found = _numbers(system, arrivals)
        assert {row.number for row in later} <= set(found), "what changed since the cursor was not read"
        assert set(found) < {*wanted, *(row.number for row in later)}, "all was read again; is the cursor of no use?"
        arrivals, _ = self.polled(system, cursor)
        assert len(_numbers(system, arrivals)) < 3, "what was read and settled is read again and again"

    def test_a_poll_goes_on_after_the_page_behind_which_it_was_killed(self, system: System) -> None:
        wanted = _put(system, 7)

        async def killed(source: Source) -> tuple[list[str], Cursor]:
            cursor: Cursor = {}
            async for arrival in source.arrivals({}):
                cursor = kept(arrival.cursor if arrival.cursor is not None else {})
                await source.settled(arrival, [], parked=False)
                return system.numbers(arrival), cursor
            raise AssertionError("there was no arrival")

        settled, cursor = self.run(system, killed)
        arrivals, cursor = self.polled(system, cursor)
        rest = _numbers(system, arrivals)
        assert {*settled, *rest} == set(wanted), "rows were lost between the commit and the restart"
        assert rest == [number for number in wanted if number in rest], "out of order"
        assert len(rest) < len(wanted), "the cursor of a page that was settled must not lead back to the beginning"
        assert len(_numbers(system, self.polled(system, cursor)[0])) < 3

    def test_what_was_never_settled_comes_again(self, system: System) -> None:
        wanted = _put(system, 7)

        async def read_only(source: Source) -> list[bytes]:
            return [arrival.body async for arrival in source.arrivals({})]

        bodies = self.run(system, read_only)
        again, _ = self.polled(system, {})
        assert _numbers(system, again) == wanted, "what was read and not committed is lost"
        assert [arrival.body for arrival in again] == bodies

    def test_rows_that_change_while_they_are_read_are_not_missed(self, system: System) -> None:
        wanted = _put(system, 6)
        moved = replace(rows(1)[0], changed=datetime.now(UTC), status=9)

        async def disturbed(source: Source) -> tuple[list[str], list[str]]:
            before: list[str] = []
            after: list[str] = []
            cursor: Cursor = {}
            seen = before
            async for arrival in source.arrivals({}):
                cursor = kept(arrival.cursor if arrival.cursor is not None else cursor)
                await source.settled(arrival, [], parked=False)
                seen += system.numbers(arrival)
                if seen is before:
                    await asyncio.to_thread(system.put, [moved])
                    seen = after
            for _ in range(3):
                arrivals, cursor = await poll(system, source, cursor)
                after += _numbers(system, arrivals)
            return before, after

        before, after = self.run(system, disturbed)
        assert set(wanted) <= {*before, *after}, "a row that moved up while pages were read was missed"
        assert moved.number in after, "the change that came while pages were read was missed"

    def test_r9_a_change_more_than_ten_minutes_ahead_hides_nothing(self, system: System) -> None:
        ahead = replace(rows(1, first=99)[0], changed=datetime.now(UTC) + timedelta(minutes=30))
        system.put([*rows(2), ahead])
        arrivals, cursor = self.polled(system)
        assert ahead.number in _numbers(system, arrivals)
        late = rows(1, first=50)
        system.put(late)
        arrivals, _ = self.polled(system, cursor)
        assert late[0].number in _numbers(system, arrivals), "a clock that is wrong has moved the cursor beyond now"

    def test_a_cursor_that_was_not_made_here_is_refused_in_words(self, system: System) -> None:
        _put(system, 7)

        async def cursors(source: Source) -> list[Cursor]:
            return [kept(arrival.cursor) async for arrival in source.arrivals({}) if arrival.cursor]

        for cursor in self.run(system, cursors):
            for name in cursor:
                with pytest.raises(SourceFault) as refused:
                    self.polled(system, {**cursor, name: ["?"]})
                assert "reset the cursor" in str(refused.value), "say what to do: reset the cursor"

    # --- what goes wrong --------------------------------------------------------------------------------------------

    @needs("garbage")
    def test_garbage_is_kept_with_its_bytes_and_moves_no_cursor(self, system: System) -> None:
        system.fault("garbage", times=1)
        wanted = _put(system, 2)
        arrivals, cursor = self.polled(system)
        assert arrivals[-1].body in system.served()
        assert system.numbers(arrivals[-1]) == []
        assert (arrivals[-1].cursor, arrivals[-1].last) == (None, True), "the hub parks it, and the cursor stays"
        assert cursor == {}
        system.fault("off")
        system.put(rows(2))  # a folder has lost them with the file that was garbage
        assert set(_numbers(system, self.polled(system, cursor)[0])) == set(wanted)

    @needs("network")
    @pytest.mark.parametrize("mode", ["500", "http-503", "429", "down"])
    def test_no_bytes_worth_keeping_is_a_fault_of_the_poll_and_the_next_one_works(
        self, system: System, mode: str
    ) -> None:
        self._fails(system, mode)

    @needs("network")
    @pytest.mark.parametrize("mode", ["hang", "drip"])
    def test_r7_an_answer_that_never_ends_is_a_fault_when_the_time_is_over(self, system: System, mode: str) -> None:
        self._fails(system, mode, hasty=True)

    @needs("huge")
    def test_an_answer_without_measure_is_refused(self, system: System) -> None:
        self._fails(system, "huge")

    @needs("network")
    def test_a_closed_port_is_down(self, system: System) -> None:
        assert self._fails(system, "refuse").down, "SourceFault(…, down=True) where nobody answered at all"

    @needs("network")
    def test_a_poll_can_be_cancelled_while_it_waits(self, system: System) -> None:
        _put(system, 2)

        async def cancelled(source: Source) -> None:
            await poll(system, source, {})
            await asyncio.to_thread(system.fault, "hang")
            task = asyncio.create_task(poll(system, source, {}))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.run(system, cancelled)

    @needs("network")
    def test_the_check_says_what_is_wrong_and_raises_nothing(self, system: System) -> None:
        """`probe` is what `hub check` asks; a source need not have it."""

        async def asked(source: Source) -> Sequence[Problem] | None:
            probe = getattr(source, "probe", None)
            return None if probe is None else list(await probe())

        _put(system, 2)
        assert not self.run(system, asked)
        system.fault("refuse")
        assert self.run(system, asked) != []

    def test_close_leaves_nothing_behind_and_may_come_twice(self, system: System) -> None:
        _put(system, 2)

        async def main() -> int:
            unused, used = self.source(system), self.source(system)
            await poll(system, used, {})
            for source in (unused, used, used):
                await source.close()
            return len(asyncio.all_tasks()) - 1

        assert asyncio.run(main()) == 0, "tasks run on after close()"

    def _fails(self, system: System, mode: str, *, hasty: bool = False) -> SourceFault:
        """Read while all is well, then under a fault, then again; returns what the poll under the fault said."""
        wanted = _put(system, 2)

        async def struck(source: Source) -> SourceFault:
            # First a poll that works, so that a session is there and a description is read.
            assert _numbers(system, (await poll(system, source, {}))[0]) == wanted
            await asyncio.to_thread(system.fault, mode)
            other = self.source(system, **system.hasty) if hasty else source
            try:
                with pytest.raises(SourceFault, match=self.said.get(mode, ".")) as fault:
                    await poll(system, other, {})
            finally:
                if hasty:
                    await other.close()
            await asyncio.to_thread(system.fault, "off")
            assert _numbers(system, (await poll(system, source, {}))[0]) == wanted
            return fault.value

        fault = self.run(system, struck)
        assert "\n" not in str(fault), "one line, for people"
        return fault


def _put(system: System, count: int) -> list[str]:
    """Put rows into the system, three at a time (so that a folder has several files); their numbers in order."""
    made = rows(count)
    for at in range(0, count, 3):
        system.put(made[at : at + 3])
    return [row.number for row in made]


def _numbers(system: System, arrivals: Sequence[Arrival]) -> list[str]:
    return [number for arrival in arrivals for number in system.numbers(arrival)]
