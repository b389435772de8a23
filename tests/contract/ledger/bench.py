"""Drives a ledger without mappings, bus or portals: settlements made by hand, calls answered by the test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from hub.ledger import DestinationRules, Ledger
from hub.ledger.audit import By
from hub.ledger.engine import open_engine
from hub.ledger.ledger import cursor_of
from hub.ledger.pages import pack
from hub.ledger.read import open_reader
from hub.ledger.states import FOLLOWS, ItemState
from hub.ledger.tables import metadata
from hub.ledger.unknowns import Open
from hub.ledger.values import Candidate, Claim, Finished, Outcome, Refusal, Settled, Settlement, from_us
from hub.ledger.views import DiscardResult, ReplayResult, Trace
from hub.ports import Arrival, Mode, Ticket
from schemas.record import Counted

T = TypeVar("T")

SECOND = 1_000_000
START = 1_490_000_000 * SECOND
"""Where every test's clock starts (2017-03-20)."""

LEGAL = " OR ".join(
    f"(OLD.state = '{before}' AND NEW.state IN ({', '.join(repr(str(state)) for state in sorted(after))}))"
    for before, after in FOLLOWS.items()
    if after
)
TRIGGERS = {
    "sqlite": (
        f"CREATE TRIGGER legal_step BEFORE UPDATE OF state ON dispatch WHEN NOT ({LEGAL}) "
        "BEGIN SELECT RAISE(ABORT, 'illegal step'); END",
        "CREATE TRIGGER legal_birth BEFORE INSERT ON dispatch WHEN NEW.state NOT IN ('waiting', 'queued') "
        "BEGIN SELECT RAISE(ABORT, 'illegal birth'); END",
    ),
    "postgresql": (
        f"CREATE FUNCTION legal_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT ({LEGAL}) THEN "
        "RAISE EXCEPTION 'illegal step from % to %', OLD.state, NEW.state; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER legal_step BEFORE UPDATE OF state ON dispatch FOR EACH ROW EXECUTE FUNCTION legal_step()",
    ),
}
"""Make the database itself refuse every step that the table of states does not have."""


class Clock:
    """The wall clock of a test, in microseconds."""

    def __init__(self) -> None:
        self.us = START

    def __call__(self) -> int:
        return self.us

    def tick(self, seconds: float) -> None:
        self.us += int(seconds * SECOND)


@dataclass(frozen=True)
class Spec:
    """One record that an arrival is to bring."""

    kind: str
    key: str
    lane: str
    event: bool
    at: float | None
    content: str
    no_route: str = ""
    counted: Counted | None = None
    agency: str | None = None


def dossier(key: str = "H59-1", at: float | None = 0, content: str = "A", **more: Any) -> Spec:
    """A snapshot; `at` is its source time in seconds from the start of the clock, None where the source tells none."""
    return Spec("dossier.v1", key, key, False, at, content, **more)


def figure(key: str = "DN01|2017-03|H59.05", at: float | None = 0, content: str = "1", **more: Any) -> Spec:
    """A snapshot that names its agency and is not counted."""
    return Spec("indicator.v1", key, key, False, at, content, **more)


def step(lane: str = "H59-1", at: float = 0, who: str = "An", **more: Any) -> Spec:
    return Spec("dossier-step.v1", f"{lane}|{at}|{who}", lane, True, at, who, **more)


def refused(row: int, raw: str, state: ItemState = ItemState.REJECTED, key: str | None = None) -> Refusal:
    return Refusal(row, 0, "dossier.v1", key, state, "a bad date", "[]", raw)


@dataclass(frozen=True)
class Call:
    """A claim that succeeded: which dispatches are being sent under which call."""

    call_id: int
    ids: Sequence[int]
    destination: str = "n"


@dataclass
class Bench:
    """One ledger with its clock; synchronous, so that tests read as a list of what happens."""

    url: str
    clock: Clock = field(default_factory=Clock)
    rules: dict[str, DestinationRules] = field(default_factory=lambda: {"n": DestinationRules()})
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __post_init__(self) -> None:
        self.ledger = self.start()
        self.db = open_engine(self.url, writer=True)

    @property
    def postgres(self) -> bool:
        return self.ledger.postgres

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def start(self, *, take_over: bool = False) -> Ledger:
        """Another process on the same ledger (PostgreSQL), or the next one (SQLite)."""
        ledger = Ledger(self.url, self.rules, sources=["s", "other"], now_us=self.clock)
        try:
            self.run(ledger.open(take_over=take_over))
        except BaseException:
            self.run(ledger.close())
            raise
        return ledger

    def die(self, *, take_over: bool = False) -> None:
        """Kill the process, with all that it was sending, and let the next one find it."""
        self.run(self.ledger.close())
        if self.postgres:
            self.execute("UPDATE worker SET beat_us = 0")
            self.execute("UPDATE source SET owner_until_us = 0")
        self.ledger = self.start(take_over=take_over)
        self.run(self.ledger.reap())

    def close(self) -> None:
        self.run(self.ledger.close())
        self.db.dispose()
        self.runner.close()

    def rule(self, destination: str = "n", **changes: Any) -> None:
        """Change a destination's rules, or add a destination."""
        self.rules[destination] = replace(self.rules.get(destination, DestinationRules()), **changes)
        self.ledger.rules[destination] = self.rules[destination]

    # --- looking

    def rows(self, sql: str, **values: Any) -> list[Mapping[str, Any]]:
        with self.db.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(sql), values).mappings()]

    def execute(self, sql: str, **values: Any) -> None:
        with self.db.begin() as connection:
            connection.execute(sa.text(sql), values)

    def row(self, id_: int) -> Mapping[str, Any]:
        return self.rows("SELECT * FROM dispatch WHERE id = :id", id=id_)[0]

    def states(self, destination: str = "n") -> list[str]:
        """The states of a destination's dispatches in the order of their making."""
        found = self.rows("SELECT state FROM dispatch WHERE destination = :d ORDER BY id", d=destination)
        return [row["state"] for row in found]

    def items(self) -> list[str]:
        return [row["state"] for row in self.rows('SELECT state FROM item ORDER BY arrival_id, "row", part')]

    def revisions(self, key: str = "H59-1") -> int:
        sql = "SELECT count(*) AS n FROM revision JOIN head ON head.id = head_id WHERE key = :key"
        return int(self.rows(sql, key=key)[0]["n"])

    def trace(self, key: str) -> Trace:
        with open_reader(self.url) as reader:
            return reader.trace(key)

    # --- settling

    def settlement(
        self,
        *specs: Spec,
        source: str = "s",
        to: Sequence[str] = ("n",),
        refusals: Sequence[Refusal] = (),
        poll_s: float | None = None,
        cursor: Mapping[str, Any] | None = None,
        undecodable: str = "",
        body: bytes | None = None,
        **arrival: Any,
    ) -> Settlement:
        """Make what `hub.process` would make; leases the source."""
        lease = self.run(self.ledger.lease_source(source))
        assert lease is not None
        poll_us = self.clock() if poll_s is None else START + int(poll_s * SECOND)
        raw = uuid.uuid4().bytes if body is None else body
        arrived = {"uid": uuid.uuid4().hex, "label": "page 1", "cursor": cursor, **arrival}
        made = Arrival(
            source=source, body=raw, media="xml", received_at=from_us(self.clock()), poll_started_at=from_us(poll_us),
            **arrived,
        )  # fmt: skip
        candidates: list[Candidate] = []
        offset = 0
        for row, spec in enumerate(specs):
            content = b'{"%s": "%s"}' % (spec.kind.encode(), spec.content.encode())
            changed_us = None if spec.at is None else START + int(spec.at * SECOND)
            candidates.append(
                Candidate(
                    row, 0, spec.kind, spec.key, spec.lane, spec.event, changed_us, _digest(content), offset, content,
                    () if spec.no_route else tuple(to), "mapping", spec.counted, spec.no_route, spec.agency,
                )
            )  # fmt: skip
            offset += len(content)
        records = pack(b"".join(c.body for c in candidates)) if candidates else None
        return Settlement(
            made, _digest(raw), pack(raw), records, candidates, refusals, lease.epoch, lease.cursor, undecodable
        )

    def settle(self, *specs: Spec, **how: Any) -> Settled:
        return self.run(self.ledger.settle(self.settlement(*specs, **how)))

    def cursor(self, source: str = "s") -> Mapping[str, Any]:
        return cursor_of(self.rows("SELECT cursor FROM source WHERE name = :n", n=source)[0]["cursor"])

    # --- sending

    def due(self, destination: str = "n") -> list[Ticket]:
        return self.run(self.ledger.due(destination))

    def probe(self, destination: str = "n", for_s: float = 30) -> list[Ticket]:
        return self.run(self.ledger.probe(destination, for_s))

    def claim(self, tickets: Sequence[Ticket], destination: str = "n", mode: Mode = Mode.NEW) -> Call:
        """Claim tickets as one call."""
        members = list(dict.fromkeys((ticket.dispatch_id, ticket.gen) for ticket in tickets))
        claim = Claim(self.ledger.next_call_id(), mode, "m", "p", members)
        taken = self.run(self.ledger.claim(destination, [claim]))
        return Call(claim.call_id, [id_ for id_, _ in members if id_ in taken.ids], destination)

    def finish(
        self, call: Call, to: str = "delivered", *, only: Iterable[int] | None = None, due_s: float = 0, down: str = "",
        **more: Any,
    ) -> Finished:  # fmt: skip
        """Answer every member of a call (or `only` some) with the same outcome."""
        due_us = self.clock() + int(due_s * SECOND) if to in ("waiting", "unknown") else None
        fault = "" if to == "delivered" else "transient"
        said = {"fault": fault, "reason": fault, **more}
        outcomes = [Outcome(id_, call.call_id, to, due_us, **said) for id_ in (call.ids if only is None else only)]
        return self.run(self.ledger.finish(call.destination, outcomes, down=down))

    def deliver(self, tickets: Sequence[Ticket]) -> Finished:
        return self.finish(self.claim(tickets))

    def kill(self, tickets: Sequence[Ticket]) -> None:
        """Die while sending these tickets, as one request."""
        self.claim(tickets)
        self.die()

    def unknowns(self, destination: str = "n") -> list[Open]:
        return self.run(self.ledger.open_unknowns(destination))

    def resolve(self, shown: Mapping[str, bool] | None = None, destination: str = "n") -> int:
        """Decide all unknown outcomes; `shown` is the portal's answer per lane."""
        return self.run(self.ledger.resolve(destination, self.unknowns(destination), shown or {}))

    def gate(self, state: str, destination: str = "n", reason: str = "by hand") -> bool:
        return self.run(self.ledger.set_gate(destination, state, reason))

    def replay(self, *ids: int) -> ReplayResult:
        return self.run(self.ledger.replay(ids, By("lan", "mended")))

    def discard(self, *ids: int, why: str = "not needed") -> DiscardResult:
        return self.run(self.ledger.discard(ids, By("lan", why)))

    def drain(self, destination: str = "n") -> list[int]:
        """Deliver until nothing is due; returns the dispatches in the order in which they were sent."""
        sent: list[int] = []
        tickets: Sequence[Ticket] = self.due(destination)
        while tickets:
            call = self.claim(tickets, destination)
            sent += call.ids
            tickets = [*self.finish(call).tickets, *self.due(destination)]
        return sent


def books(bench: Bench) -> None:
    """Both sums of the books hold, whatever has happened."""
    counted = bench.rows(
        "SELECT coalesce(sum(items), 0) AS items, coalesce(sum(accepted + duplicate + stale + rejected + parked + "
        "no_route), 0) AS ended FROM arrival"
    )[0]
    items = bench.rows("SELECT count(*) AS n, coalesce(sum(CASE WHEN state = 'accepted' THEN 1 ELSE 0 END), 0) AS a "
                       "FROM item")[0]  # fmt: skip
    assert int(counted["items"]) == int(counted["ended"]) == items["n"]
    assert bench.rows("SELECT count(*) AS n FROM revision")[0]["n"] == items["a"]
    dead = bench.rows(
        "SELECT n.destination, n.lane, n.dead, count(d.id) AS really FROM lane n LEFT JOIN dispatch d ON "
        "d.destination = n.destination AND d.lane = n.lane AND d.state = 'dead' GROUP BY n.destination, n.lane, n.dead"
    )
    assert [row for row in dead if row["dead"] != row["really"]] == [], "the counts of the dead drifted"


def install_triggers(url: str) -> None:
    engine = open_engine(url, writer=True)
    with engine.begin() as connection:
        for statement in TRIGGERS[engine.dialect.name]:
            connection.execute(sa.text(statement))
    engine.dispose()


def empty(url: str) -> None:
    """Delete all rows of a PostgreSQL ledger and let its ids begin at 1 again."""
    engine = open_engine(url, writer=True)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))
        for sequence in connection.execute(sa.text("SELECT sequencename FROM pg_sequences")).scalars().all():
            connection.execute(sa.text(f'ALTER SEQUENCE "{sequence}" RESTART'))
    engine.dispose()


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
