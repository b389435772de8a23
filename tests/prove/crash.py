"""Kills a hub at a named point of its line, looks whether it died where it should, and lets the next one go on.

    with Trial(folder, ledger=url, bus="embedded:", prefix="hub", ticks=3) as trial:
        trial.kill_at("after-claim")
        trial.finish()                   # the books balance
        trial.kills, trial.books

Between two kills the town comes to rest, so that no dispatch is orphaned three times (R4); each kill meets work in
flight: one system's changes are on their way to portals that are slow to answer, when the other's come in.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from hub.kill_points import POINTS
from hub.ledger.engine import open_engine
from tests.prove.small_town import SOURCES, SmallTown
from tests.support.forking import Forked

WITHIN_S = 120.0
LOOK_EVERY_S = 0.03
ON_RABBITMQ = POINTS
EMBEDDED = tuple(point for point in POINTS if not point.endswith(("-confirm", "-ack")))
HOLDING = ("after-claim", "before-send", "after-send", "before-receipt", "after-receipt", "before-finish")
"""Points at which a call is open by their nature."""


def until(holds: Callable[[], object], show: Callable[[], object] = str, within_s: float = WITHIN_S) -> None:
    """Wait for something outside this process; `show` explains a failure."""
    give_up_at = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_at, show()
        time.sleep(LOOK_EVERY_S)


@dataclass(slots=True)
class Kill:
    """One kill that landed."""

    point: str
    line: Mapping[str, Any]
    """What the hub, or whoever killed it, wrote down: point, at_us, calls, deciding."""
    sending: Mapping[int, Sequence[int]]
    """What the ledger held right after: the dispatches in `sending` by their call."""
    effects: int = 0
    """Effects at the portals from the rest before it to the rest after it."""


@dataclass(slots=True)
class Reader:
    """Looks into the ledger from outside."""

    engine: sa.Engine

    def ask(self, question: str, /, **values: Any) -> Sequence[Any]:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(question), values).all()

    def column(self, question: str, /, **values: Any) -> list[Any]:
        return [row[0] for row in self.ask(question, **values)]

    def sending(self) -> dict[int, list[int]]:
        """Dispatches that are claimed, by their call."""
        calls: dict[int, list[int]] = {}
        for row in self.ask("SELECT call_id, id FROM dispatch WHERE state = 'sending' ORDER BY id"):
            calls.setdefault(row.call_id, []).append(row.id)
        return calls

    def open(self) -> int:
        states = "('waiting', 'queued', 'sending', 'unknown')"
        return int(self.column(f"SELECT count(*) FROM dispatch WHERE state IN {states}")[0])

    def sources(self) -> dict[str, tuple[str, int]]:
        """The cursor of each source, and its newest arrival."""
        query = "SELECT s.name, s.cursor, coalesce(max(a.id), 0) FROM source s LEFT JOIN arrival a ON a.source = s.name"
        return {row[0]: (row[1], row[2]) for row in self.ask(f"{query} GROUP BY s.name, s.cursor")}

    def state(self, dispatch_id: int) -> str:
        return str(self.column("SELECT state FROM dispatch WHERE id = :id", id=dispatch_id)[0])

    def has(self, table: str, column: str, value: int | str) -> bool:
        return bool(self.column(f"SELECT 1 FROM {table} WHERE {column} = :value", value=value))


@dataclass(slots=True)
class Hub:
    """`hub run` as a process of its own."""

    town: SmallTown
    environment: Mapping[str, str]
    quick: bool
    _process: Forked | None = None

    def start(self, **armed: str) -> None:
        """Start it and wait until it is ready; `armed` is added to its environment."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        environment = {**plain, **self.environment, **armed, "HURRY": "1" if self.quick else ""}
        with (self.town.folder / "hub.log").open("wb") as log:
            arguments = ["run", str(self.town.config)]
            self._process = Forked("tests.prove.quick_hub:main", arguments, environment, log)
        until(lambda: b" runs: ledger " in self._said() or self.status is not None, self.said)

    @property
    def status(self) -> int | None:
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        return self._said().decode("utf-8", "replace")[-3000:]

    def _said(self) -> bytes:
        return (self.town.folder / "hub.log").read_bytes()

    def died(self) -> None:
        """Wait until it has died of SIGKILL, by its own hand."""
        until(lambda: self.status is not None, self.said)
        assert self.status == -signal.SIGKILL, (self.status, self.said())
        self.forget()

    def kill(self) -> None:
        """SIGKILL from outside. Fails where it had ended by itself."""
        assert self._process is not None
        assert self.status is None, self.said()
        self._process.kill()
        self.died()

    def stop(self) -> None:
        """End it as an operator would."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(30) == 0, self.said()
        self.forget()

    def forget(self) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = None


@dataclass(slots=True)
class Trial:
    """One town, one ledger, one bus, and a hub that is killed again and again."""

    folder: Path
    ledger: str
    bus: str
    prefix: str
    ticks: int
    dossiers: int
    batch: int = 10
    systems: Sequence[str] = ("csv", "rest")
    quick: bool = True
    kills: list[Kill] = field(default_factory=list)
    books: dict[str, Any] = field(default_factory=dict)
    town: SmallTown = field(init=False)
    hub: Hub = field(init=False)
    reader: Reader = field(init=False)
    _counted: int = 0

    def __enter__(self) -> Trial:
        self.town = SmallTown(self.folder, ticks=self.ticks, dossiers=self.dossiers, systems=self.systems)
        environment = asyncio.run(self.town.start())
        self.town.configure(self.ledger, self.bus, self.prefix, self.batch)
        self.hub = Hub(self.town, environment, self.quick)
        self.reader = Reader(open_engine(self.ledger, writer=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hub.forget()
        self.reader.engine.dispose()
        self.town.leave()

    @property
    def log(self) -> Path:
        """Where the kills are written down."""
        return self.folder / "kills.jsonl"

    # --- the state of the town

    def read_whole(self, system: str) -> bool:
        """Whether the ledger has what a system shows now."""
        town, heads = self.town, {}
        for row in self.reader.ask("SELECT source, kind, count(*), min(changed_us) FROM head GROUP BY source, kind"):
            if row[0] in SOURCES[system]:
                heads[row[1]] = (row[2], row[3])
        tick = town.ticked[system]
        if not tick:
            return True
        dossiers, oldest_us = heads.get("dossier.v1", (0, 0))
        steps, _ = heads.get("dossier-step.v1", (0, 0))
        return (dossiers, steps) == (town.dossiers, town.dossiers * tick) and oldest_us >= town.changed_us(tick)

    def at_rest(self) -> bool:
        """Whether everything that the sources show is read and delivered."""
        return all(self.read_whole(system) for system in self.systems) and not self.reader.open()

    def rest(self) -> None:
        """Wait for that; then the effects of the kill before are known."""
        until(self.at_rest, self.standing)
        counted = sum(len(self.town.effects(portal)) for portal in ("national", "provincial"))
        if self.kills:
            self.kills[-1].effects += counted - self._counted
        self._counted = counted

    def standing(self) -> object:
        """Everything that explains why a test waits in vain."""
        shown = "SELECT id, destination, lane, kind, state, gen, due_us, tries, orphans, reason FROM dispatch"
        return {
            "ticked": self.town.ticked,
            "kills": [kill.line for kill in self.kills[-2:]],
            "open": [tuple(row) for row in self.reader.ask(f"{shown} WHERE state NOT IN ('delivered', 'superseded')")],
            "sources": [tuple(row) for row in self.reader.ask("SELECT * FROM source")],
            "hub": self.hub.said(),
        }

    # --- kills

    def kill_at(self, point: str, passage: int = 1) -> Kill:
        """Start a hub that dies at a point, in the middle of work. Fails where it died elsewhere, or not of it."""
        armed = self.folder / "armed"
        armed.unlink(missing_ok=True)
        order = {"HUB_KILL_AT": f"{point}:{passage}", "HUB_KILL_LOG": str(self.log), "HUB_KILL_WHEN": str(armed)}
        self.hub.start(**order)
        self.rest()
        self.town.slow()
        first, second = self.systems[0], self.systems[1:]
        self.town.tick(first)
        until(lambda: self.read_whole(first) and self.reader.sending(), self.standing)
        sources = self.reader.sources()
        armed.touch()
        self.town.tick(*second)
        self.hub.died()
        self.town.slow(False)
        line = json.loads(self.log.read_text(encoding="utf-8").splitlines()[-1])
        kill = Kill(point, line, self.reader.sending())
        self.kills.append(kill)
        assert (line["point"], line["passage"]) == (point, passage)
        self._look(kill, sources)
        return kill

    def kill_from_outside(self) -> Kill:
        """SIGKILL at whatever moment it is, and write down which calls the ledger holds open."""
        at_us = time.time_ns() // 1000
        self.hub.kill()
        sending = self.reader.sending()
        line = {"point": "random", "at_us": at_us, "calls": sorted(sending)}
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        kill = Kill("random", line, sending)
        self.kills.append(kill)
        return kill

    def on_the_wire(self, kill: Kill) -> int:
        """How many of the calls that were open at a kill had been sent: their portal has an effect of them by now.

        A lane has one call out at a time, so what came to a dossier's number after the call began, came of it. To be
        asked before another hub begins to send.
        """
        began = {row.id: row for row in self.reader.ask("SELECT id, destination, started_us FROM call")}
        came: dict[tuple[str, str], float] = {}
        for portal in ("national", "provincial"):
            for effect in self.town.effects(portal):
                at_us = datetime.fromisoformat(effect["at"]).timestamp() * 1e6
                came[portal, effect["number"]] = max(at_us, came.get((portal, effect["number"]), 0.0))
        lanes = dict(tuple(row) for row in self.reader.ask("SELECT id, lane FROM dispatch"))
        return sum(
            any(came.get((began[call].destination, lanes[id_]), 0.0) >= began[call].started_us for id_ in members)
            for call, members in kill.sending.items()
        )

    def recovered(self) -> bool:
        """Whether nothing that a killed hub left open is open still; only then may the next one die (R4)."""
        states = "('waiting', 'queued', 'sending', 'unknown')"
        return not self.reader.column(f"SELECT 1 FROM dispatch WHERE orphans + batch_limit > 0 AND state IN {states}")

    def _look(self, kill: Kill, sources: Mapping[str, tuple[str, int]]) -> None:
        """Whether the ledger stands as it must right after a kill at that point; `sources` is how they stood before."""
        point, line, reader = kill.point, kill.line, self.reader
        calls, deciding, about, sending = set(line["calls"]), set(line["deciding"]), line["about"], set(kill.sending)
        assert calls <= sending <= calls | deciding, (line, kill.sending)
        assert calls or point not in HOLDING, line
        assert reader.open(), "nothing was in flight"
        match point:
            case "before-read":
                assert about[0] in sources
            case "after-read" | "before-settle":
                name, uid = about
                assert not reader.has("arrival", "uid", uid)
                (cursor, newest), (before, newest_before) = reader.sources()[name], sources[name]
                assert newest != newest_before or cursor == before
            case "after-settle":
                name, uid = about
                accepted = reader.column("SELECT accepted FROM arrival WHERE uid = :uid", uid=uid)
                assert accepted, "the arrival is not there"
                # A poll that only repeats what is known leaves the cursor where it is, and drop folders have none.
                (cursor, newest), (before, newest_before) = reader.sources()[name], sources[name]
                assert newest != newest_before
                assert name in SOURCES["csv"] or cursor != before or not accepted[0]
            case "before-publish" | "after-publish":
                # Marked first (R1); a lane mate may have delivered it late, but nobody has claimed it without a ticket.
                assert {reader.state(id_) for id_ in about} == {"queued"}
            case "before-claim":
                assert not any(reader.has("call", "id", id_) for id_ in about)
            case "after-claim" | "after-receipt" | "before-finish":
                assert set(about) <= calls
            case "after-finish":
                assert not set(about) & sending
                assert all(reader.has("call", "id", id_) for id_ in about)
            case "before-ack" | "after-ack":
                assert not set(about) & {id_ for members in kill.sending.values() for id_ in members}

    def finish(self) -> None:
        """Let the last hub come to rest, show it the rest of the ticks at once, end it, and strike the books."""
        self.hub.start()
        self.rest()
        self.town.last_tick()
        until(self.at_rest, self.standing)
        self.hub.stop()
        struck = self.town.books(self.ledger, "--json", "--kills", str(self.log))
        assert struck.stdout, struck.stderr
        self.books = json.loads(struck.stdout)
        assert struck.returncode == 0, self.books["findings"]
        assert self.books["balanced"]
        assert self.books["possibly_twice"] == self.surplus()
        assert self.surplus() <= sum(len(members) for kill in self.kills for members in kill.sending.values())

    def surplus(self, of: Sequence[str] = ()) -> int:
        """How many effects came twice because of kills, at these points or at all."""
        return sum(kill["surplus"] for kill in self.books["kills"] if not of or kill["point"] in of)
