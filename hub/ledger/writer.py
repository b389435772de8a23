"""The one writer of a process: takes whatever has queued while the last commit ran, and commits it together (R12).

A unit is a function of a transaction. Receipts go before claims, claims before arrivals, so that what the portals
already did is recorded first. A unit that cannot be committed in company is found by halving and fails alone. While
the database is away all waits. While its disk has little room, what there is no room for waits (`hub.ledger.reserve`);
once it is full, what is most urgent is tried alone until it goes in. Knows no table.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

import sqlalchemy as sa

from hub.ledger.bulk import Tx, UnstorableError
from hub.ledger.engine import is_postgres
from hub.ledger.reserve import LOOK_S, Level, Reserve, nowhere, shown
from schemas.errors import HubError, LedgerFault

log = logging.getLogger(__name__)
T = TypeVar("T")

GROUP = 64
"""Units per commit at most: bounds how long the database is locked and how much is done again after a conflict."""

RECONNECT_CAP_S = 5.0
FULL_CAP_S = 2.0
"""Between two tries to write to a full disk, at most."""

CONFLICTS = 20
"""Reruns of a unit after which a conflict is taken for a defect."""


class Priority(IntEnum):
    """What goes first within a commit."""

    RECEIPT = 0
    CLAIM = 1
    CONTROL = 2
    RELAY = 3
    ARRIVAL = 4


_WAITS: dict[Level, frozenset[Priority]] = {
    Level.ROOM: frozenset(),
    Level.RESERVE: frozenset({Priority.ARRIVAL}),
    Level.LAST: frozenset({Priority.ARRIVAL, Priority.RELAY, Priority.CLAIM}),
}
"""What is not committed at a level of the reserve. Control goes on: a gate can be closed, an outcome be decided."""


@dataclass(slots=True)
class Unit:
    """One thing to commit, whole or not at all."""

    run: Callable[[Tx], Any]
    priority: Priority
    done: Future[Any] = field(default_factory=Future)
    reruns: int = 0


class Conflict(Exception):  # noqa: N818 - an outcome that asks for another run, not an error of anybody
    """A unit that lost a race which its own locks cannot see; the group is run again."""


class Writer:
    """Owns the writing connection and its thread. `submit` may be called from any thread."""

    def __init__(
        self,
        engine: sa.Engine,
        now_us: Callable[[], int],
        reserve: Reserve | None = None,
        tell: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        """`tell` hears each new `problem`, in the writer's thread, and None once there is none any more."""
        self._engine = engine
        self._postgres = is_postgres(engine)
        self._now_us = now_us
        self._queue: list[Unit] = []
        self._wake = threading.Condition()
        self._closing = False
        self._reserve = reserve or Reserve(nowhere)
        self._tell = tell
        self._failing: str | None = None
        self._full_pause_s = 0.0
        """Above zero from an error for lack of room until something that had failed by it is committed."""
        self._again_s = 0.0
        self._level = Level.ROOM
        self.problem: str | None = None
        """Why nothing can be committed at present, or not everything; None while commits succeed."""
        self.commits = 0
        self.ledger = ""
        """The ledger's identity, once it is known."""
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[Tx], T], priority: Priority) -> T:
        """Commit `function` with whatever else is waiting and return what it returned. Raises what it raised."""
        return await asyncio.wrap_future(self.submit(function, priority))

    def submit(self, function: Callable[[Tx], T], priority: Priority) -> Future[T]:
        """Queue a unit; the future is done once it is committed. Raises: LedgerFault after `close`."""
        unit = Unit(function, priority)
        # From here on it cannot be cancelled: it is committed even where nobody waits for it any more.
        unit.done.set_running_or_notify_cancel()
        with self._wake:
            if self._closing:
                raise LedgerFault("the ledger is closed")
            self._queue.append(unit)
            self._wake.notify()
        return unit.done

    def give_up(self) -> None:
        """Take nothing more, and let what cannot be committed now fail."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def close(self) -> None:
        """Commit what is queued, then end the thread. Blocks."""
        self.give_up()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (group := self._take()) and not self._closing:
                    self._wake.wait(LOOK_S if self._queue else None)
                if not group:
                    # At the end of the process what there is no room for fails: nothing of it was promised to anybody.
                    self._fail(self._queue, LedgerFault(self.problem or "the ledger is closed", down=True))
                    return
            self._commit(group)

    def _take(self) -> list[Unit]:
        """Take the next group out of the queue: the most urgent of what there is room for, none where that is
        nothing."""
        if not self._queue:
            return []
        self._queue.sort(key=lambda unit: unit.priority)
        level = self._reserve.look()
        if level is not self._level:
            self._leveled(level)
        elif level is not Level.ROOM:
            self._say()
        if level is Level.ROOM and not self._full_pause_s:
            group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
            return group
        ready = [unit for unit in self._queue if unit.priority not in _WAITS[level]]
        if self._full_pause_s:
            if time.monotonic() < self._again_s and not self._closing:
                return []
            ready = [unit for unit in ready if unit.priority is ready[0].priority]
        group = ready[:GROUP]
        taken = {id(unit) for unit in group}
        self._queue = [unit for unit in self._queue if id(unit) not in taken]
        return group

    def _commit(self, group: Sequence[Unit]) -> None:
        pause_s = 0.05
        while True:
            try:
                results = self._transaction(group)
            except sa.exc.DBAPIError as error:
                if not is_passing(error):
                    self._halve(group, UncommittableError(f"the database refuses the data: {error.orig}"))
                    return
                for unit in group:
                    unit.reruns += 1
                if not _is_conflict(error):
                    full = self._is_full(error)
                    self._trouble(error, full=full)
                    if self._closing:
                        self._fail(group, LedgerFault(f"the ledger's database failed: {error.orig}", down=True))
                        return
                    if full:
                        # Back into the queue: what portals have answered meanwhile goes first, and alone.
                        with self._wake:
                            self._queue[:0] = group
                        return
                    time.sleep(pause_s)
                    pause_s = min(pause_s * 2, RECONNECT_CAP_S)
                elif any(unit.reruns > CONFLICTS for unit in group):
                    self._halve(group, LedgerFault(f"the ledger's transactions keep colliding: {error.orig}"))
                    return
            except Conflict:
                for unit in group:
                    unit.reruns += 1
            except (UnstorableError, OverflowError, UnicodeError) as error:
                # The last two are what SQLite's driver raises for data that it cannot bind.
                self._halve(group, UncommittableError(f"the database refuses the data: {error}"))
                return
            except Exception as error:  # noqa: BLE001 - handed to whoever waits for the unit, never swallowed
                self._halve(group, error)
                return
            else:
                self.commits += 1
                if self._failing:
                    self._back(group)
                for unit, result in zip(group, results, strict=True):
                    unit.done.set_result(result)
                return

    def _halve(self, group: Sequence[Unit], error: BaseException) -> None:
        """Find the unit that cannot be committed in company: halves, until it stands alone and fails."""
        if len(group) == 1:
            self._fail(group, error)
            return
        half = len(group) // 2
        self._commit(group[:half])
        self._commit(group[half:])

    def _transaction(self, group: Sequence[Unit]) -> list[Any]:
        with self._engine.begin() as connection:
            tx = Tx(connection, self._now_us(), self._postgres, ledger=self.ledger)
            results = []
            for unit in group:
                tx.rerun = unit.reruns > 0
                results.append(unit.run(tx))
            return results

    def _is_full(self, error: sa.exc.DBAPIError) -> bool:
        """Whether the disk is full, in whichever words the database says it."""
        name = getattr(error.orig, "sqlite_errorname", "")
        if name == "SQLITE_FULL" or getattr(error.orig, "sqlstate", None) == "53100":
            return True
        return name.startswith("SQLITE_IOERR") and self._reserve.look(now=True) is Level.LAST

    def _trouble(self, error: sa.exc.DBAPIError, *, full: bool) -> None:
        said = str(error.orig)
        level = self._reserve.look(now=True)
        if full:
            self._full_pause_s = min(max(self._full_pause_s * 2, 0.05), FULL_CAP_S)
            self._again_s = time.monotonic() + self._full_pause_s
            room = self._reserve.room
            where = f"; the disk of {room.path} has {shown(room.free)} free" if room else ""
            said = (
                f"the ledger's disk is full ({said}){where}: nothing is read and nothing is sent, what portals have "
                "answered is kept in memory; make room, it then goes on by itself"
            )
        elif getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            said += f": another program keeps {self._engine.url.database} locked (fuser -v names it); all waits for it"
        elif level is Level.LAST:
            # A server whose log has no room ends, and is then away for a reason that only its disk tells.
            said += f"; {self._reserve.problem}"
        if not self._failing:
            log.error("%s", said if full else f"the ledger's database fails, intake waits: {said}")
        self._failing = said
        self._say()
        self._engine.dispose()

    def _back(self, group: Sequence[Unit]) -> None:
        """End a trouble after a commit. On a full disk only something that was refused proves that there is room: a
        unit that changes nothing succeeds all the while."""
        if self._full_pause_s and not any(unit.reruns for unit in group):
            with self._wake:
                if any(unit.reruns for unit in self._queue):
                    return
        log.warning("the ledger's database is back")
        self._failing, self._full_pause_s = None, 0.0
        self._say()

    def _leveled(self, level: Level) -> None:
        """Say that less, or more, is committed from now on."""
        if level > self._level:
            log.error("%s", self._reserve.problem)
        elif level is Level.ROOM:
            log.warning("the ledger's disk has room again: intake goes on")
        else:
            log.warning("the ledger's disk has a little room again: %s", self._reserve.problem)
        self._level = level
        self._say()

    def _say(self) -> None:
        problem = self._failing or self._reserve.problem
        if problem != self.problem:
            self.problem = problem
            self._tell(problem)

    @staticmethod
    def _fail(group: Sequence[Unit], error: BaseException) -> None:
        for unit in group:
            unit.done.set_exception(error)


class UncommittableError(HubError):
    """The database refuses one unit's data (a NUL byte, a number out of range); it was found alone (R12)."""


_REFUSED = ("22", "23", "42", "54")
"""Classes of SQLSTATE that say the data or the statement is at fault, whatever exception the driver makes of them:
data, integrity, syntax, and limits such as that of an index row (PostgreSQL, appendix A)."""


def is_passing(error: sa.exc.DBAPIError) -> bool:
    """Whether the same unit may succeed later: a lost connection, a lock, a full disk; not a defect or refused data."""
    if _is_conflict(error):
        return True
    if (getattr(error.orig, "sqlstate", None) or "").startswith(_REFUSED):
        return False
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError):
        return False
    return getattr(error.orig, "sqlite_errorname", "") != "SQLITE_ERROR"


def _is_conflict(error: sa.exc.DBAPIError) -> bool:
    """Whether the unit lost a race: serialisation, deadlock, or a row that another worker inserted first
    (PostgreSQL)."""
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01", "23505"}
