"""The read side of the ledger: what `hub trace`, `hub queues`, `hub dead` and `hub report` show. Writes nothing.

Every question is one short read on a connection that cannot write (R15); a hub that runs beside it does not wait for
it.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from hub.ledger import dead_letters, registers, renumbered
from hub.ledger import tables as t
from hub.ledger.alert_views import AlertHistory, alert_history
from hub.ledger.answer_codes import AnswerCode, answer_codes
from hub.ledger.bulk import Tx
from hub.ledger.configurations import ConfigurationView, Running, configurations, running, texts
from hub.ledger.engine import is_postgres, open_engine, sqlite_path
from hub.ledger.items import Found, Item, ItemDetail, ItemFilter, detail, is_dismissed, search, stream
from hub.ledger.ledger import WORKER_TTL_S, wall_us
from hub.ledger.names import names
from hub.ledger.open_errors import RefusedByPortal, refused_by_portals
from hub.ledger.outlook import open_alerts, outlook, strange_codes, unknown_detail, unknown_outcomes
from hub.ledger.recorded import Recorded, RecordedFilter
from hub.ledger.recorded import sources as recorded_sources
from hub.ledger.recorded import stream as recorded_stream
from hub.ledger.tracing import came_right, item_problem, trace
from hub.ledger.urgency import RANKS_END_US
from hub.ledger.values import from_us
from hub.ledger.views import (
    AgencyFigures,
    DeadDetail,
    DeadFilter,
    DeadIndex,
    DeadLetter,
    ItemProblem,
    OpenAlert,
    QueueState,
    Trace,
    UnknownDetail,
    UnknownOutcome,
)
from schemas.deadline import OnTimeFigures, classify
from schemas.errors import LedgerFault

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _question(method: Callable[Concatenate[Reader, _P], _T]) -> Callable[Concatenate[Reader, _P], _T]:
    """End the read when it is answered: a snapshot that stays open shows old states and keeps the log from being
    checkpointed (R15)."""

    @wraps(method)
    def asked(self: Reader, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(self, *args, **kwargs)
        finally:
            self._connection.rollback()

    return asked


@contextmanager
def open_reader(url: str) -> Iterator[Reader]:
    """Open a ledger for reading. Raises: LedgerFault where there is none yet, or the database cannot be reached."""
    path = sqlite_path(url)
    if path is not None and not Path(path).exists():
        raise LedgerFault(f"{path}: there is no ledger here yet; it is made by the first `hub run`")
    engine = open_engine(url, writer=False)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("dispatch"):
                raise LedgerFault("the database holds no ledger yet; it is made by the first `hub run`")
            yield Reader(connection)
    except sa.exc.OperationalError as error:
        raise LedgerFault(f"the ledger's database cannot be read: {error.orig}", down=True) from error
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Tally:
    """How much there is of what in the ledger; what a run did is the difference of two."""

    polls: Mapping[str, int] = field(default_factory=dict)
    """How often each source has been read."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """What was wrong with the last poll of a source, where something was."""
    newest_arrival: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    """accepted, duplicate, stale, over all arrivals."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """parked, rejected, no_route, over the arrivals since the tally that this one is compared with."""
    unreadable: int = 0
    """Pages and files since then that could not be decoded."""
    dispatches: Mapping[str, int] = field(default_factory=dict)
    """By state."""


class Reader:
    """Answers the questions of people from one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._postgres = is_postgres(connection.engine)

    @_question
    def trace(self, key: str) -> Trace:
        """Everything about the lane of `key`. Raises: KeyError where neither a record nor a refused row has it."""
        return trace(self._connection, key)

    @_question
    def register_entries(self) -> list[registers.Entry]:
        """What is kept of a portal's catalogues, by register and code."""
        return registers.entries(self._connection) if self._has_registers() else []

    @_question
    def register_states(self) -> list[registers.RegisterState]:
        """How every register that was ever looked for stands."""
        return registers.states(self._connection) if self._has_registers() else []

    @_question
    def register_changes(self, register: str) -> list[registers.Change]:
        """What the last look that changed anything brought."""
        return registers.last_changes(self._connection, register) if self._has_registers() else []

    def _has_registers(self) -> bool:
        """Whether a hub of this version has opened the ledger before."""
        return sa.inspect(self._connection).has_table("register_entry")

    @_question
    def queues(self, now_us: int | None = None) -> list[QueueState]:
        """How every destination stands, by name; `now_us` is the wall clock's unless given."""
        now_us = time.time_ns() // 1000 if now_us is None else now_us
        d = t.dispatch.c
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        grouped = sa.select(d.destination, d.state, sa.func.count().label("n")).group_by(d.destination, d.state)
        for row in self._connection.execute(grouped):
            counts[row.destination][row.state] = row.n
        gates = {row.destination: row for row in self._connection.execute(sa.select(t.gate))}
        return [self._queue(name, gates.get(name), counts[name], now_us) for name in sorted({*gates, *counts})]

    def _queue(self, name: str, gate: Any, counts: Counter[str], now_us: int) -> QueueState:
        d = t.dispatch.c
        ranked = d.due_us < RANKS_END_US
        waiting = sa.select(
            sa.func.min(d.created_us), sa.func.min(sa.case((~ranked, d.due_us))), sa.func.sum(sa.case((ranked, 1)))
        ).where(d.destination == name, t.is_waiting)
        oldest_us, due_us, urgent = self._connection.execute(waiting).one()
        last = sa.select(sa.func.max(d.ended_us)).where(d.destination == name, d.state == "delivered")
        last_us = self._connection.execute(last).scalar()
        counted: dict[str, Any] = {state: counts[state] for state in _STATES}
        return QueueState(
            destination=name,
            gate=gate.state if gate else "open",
            gate_reason=gate.reason if gate else None,
            gate_since=from_us(gate.since_us) if gate else None,
            **counted,
            oldest_waiting_at=_time(oldest_us),
            next_due_at=_time(due_us),
            last_success_at=_time(last_us),
            urgent=urgent or 0,
            **outlook(self._connection, name, gate.state if gate else "open", now_us),
            strange_codes=strange_codes(self._connection, name),
        )

    @_question
    def find_dead(self, wanted: DeadFilter) -> DeadIndex:
        """Which dead letters there are of what is wanted, and of which causes; memory for their numbers alone."""
        return dead_letters.find(self._connection, wanted)

    @_question
    def dead_page(self, ids: Sequence[int]) -> list[DeadLetter]:
        """Those of some numbers that are dead at this moment, oldest first."""
        return dead_letters.page(self._connection, ids)

    @_question
    def dead_contents(self, ids: Sequence[int]) -> dict[int, Mapping[str, Any] | None]:
        """The records of some dead letters; None where retention has pruned one (R16)."""
        return dead_letters.contents(self._connection, ids)

    @_question
    def dead_states(self, ids: Sequence[int]) -> dict[int, str]:
        """The states of dispatches; a number that there is none of is left out."""
        return dead_letters.states(self._connection, ids)

    @_question
    def doubtful(self, ids: Sequence[int]) -> int:
        """How many of some dead letters the portal may have got already."""
        return dead_letters.doubtful(self._connection, ids)

    def alerts(self) -> list[OpenAlert]:
        """Troubles that are not over, the oldest first."""
        return open_alerts(self._connection)

    @_question
    def unknowns(
        self, destination: str | None = None, key: str | None = None, limit: int = 1000
    ) -> list[UnknownOutcome]:
        """Dispatches whose outcome is not known, the one sent first before the others."""
        return unknown_outcomes(self._connection, destination, key, limit)

    @_question
    def unknown(self, dispatch_id: int) -> UnknownDetail:
        """One of them with all that is known of it. Raises: KeyError where the outcome of none of that number is
        open."""
        return unknown_detail(self._connection, dispatch_id)

    @_question
    def dead(self, wanted: DeadFilter) -> list[DeadLetter]:
        """Dead letters, oldest first."""
        return self.dead_page(self.find_dead(wanted).ids)

    @_question
    def dead_letter(self, dispatch_id: int) -> DeadDetail:
        """One dead letter with all that is known of it. Raises: KeyError where there is none of that number."""
        return dead_letters.detail(self._connection, dispatch_id)

    @_question
    def problems(self, wanted: DeadFilter) -> list[ItemProblem]:
        """Rejected, parked and unrouted items that no later row has put right, and pages that could not be decoded;
        without those that a person has dismissed.

        Oldest first, at most `wanted.limit` of each. Of an agency are the rows of a record that is known to be its own.
        """
        i, a = t.item.c, t.arrival.c
        query = (
            sa.select(t.item, a.source, a.label, a.received_us)
            .join_from(t.item, t.arrival, a.id == i.arrival_id)
            .where(i.state.in_(("rejected", "parked", "no-route")), ~came_right())
            .where(~is_dismissed(i.arrival_id, i.row, i.part))
            .order_by(i.arrival_id, i.row, i.part)
            .limit(wanted.limit)
        )
        pages = sa.select(t.arrival).where(a.state == "parked", ~is_dismissed(a.id, -1, -1)).order_by(a.id)
        pages = pages.limit(wanted.limit)
        for column, value in ((a.source, wanted.source), (i.kind, wanted.kind), (i.key, wanted.key)):
            if value is not None:
                query = query.where(column == value)
        if wanted.agency is not None:
            h = t.head.c
            query = query.where(sa.select(h.id).where(h.key == i.key, h.agency == wanted.agency).exists())
        if wanted.source is not None:
            pages = pages.where(a.source == wanted.source)
        found = [item_problem(row) for row in self._connection.execute(query)]
        if wanted.key is None and wanted.kind is None and wanted.agency is None:
            found += [_undecodable(row) for row in self._connection.execute(pages)]
        return found

    @_question
    def items(self, wanted: ItemFilter) -> Found:
        """Refused items, counted by their cause; see `hub.ledger.items`."""
        return search(self._connection, wanted)

    @_question
    def item(self, id_: str) -> ItemDetail:
        """One refused item with its page's bytes. Raises: KeyError where there is none; ValueError for no id."""
        return detail(self._connection, id_)

    def each_item(self, wanted: ItemFilter) -> Iterator[Item]:
        """Refused items one after the other, with their agencies; one read until the last of them."""
        try:
            yield from stream(self._connection, wanted, agencies=True)
        finally:
            self._connection.rollback()

    def recorded(self, wanted: RecordedFilter) -> Iterator[Recorded]:
        """Arrivals as they came, the newest first; one short read each."""
        yield from recorded_stream(self._connection, wanted)

    @_question
    def recorded_sources(self) -> list[str]:
        """The sources of which anything was recorded."""
        return recorded_sources(self._connection)

    @_question
    def names(self, what: str) -> list[str]:
        """The destinations, sources, agencies or faults that anything here is of; see `hub.ledger.names`."""
        return names(self._connection, what)

    @_question
    def refused_by_portals(self, until: datetime) -> list[RefusedByPortal]:
        """Dead letters that an agency has to correct; see `hub.ledger.open_errors`."""
        return refused_by_portals(self._connection, until)

    @_question
    def tally(self, since_arrival: int = 0) -> Tally:
        """Count everything; refused rows and unreadable pages only of arrivals beyond `since_arrival`."""
        s, a, d = t.source.c, t.arrival.c, t.dispatch.c
        sources = self._connection.execute(sa.select(s.name, s.polls, s.problem)).all()
        whole = [a.accepted, a.duplicate, a.stale]
        rows = self._connection.execute(sa.select(sa.func.max(a.id), *(sa.func.sum(one) for one in whole))).one()
        since = [a.parked, a.rejected, a.no_route]
        fresh = sa.select(sa.func.sum(sa.case((a.state == "parked", 1), else_=0)), *(sa.func.sum(one) for one in since))
        refused = self._connection.execute(fresh.where(a.id > since_arrival)).one()
        states = sa.select(d.state, sa.func.count().label("n")).group_by(d.state)
        return Tally(
            polls={row.name: row.polls for row in sources},
            troubles={row.name: row.problem for row in sources if row.problem},
            newest_arrival=rows[0] or 0,
            rows={one.name: int(n or 0) for one, n in zip(whole, rows[1:], strict=True)},
            refused={one.name: int(n or 0) for one, n in zip(since, refused[1:], strict=True)},
            unreadable=int(refused[0] or 0),
            dispatches={row.state: row.n for row in self._connection.execute(states)},
        )

    @_question
    def answer_codes(self) -> list[AnswerCode]:
        """The codes that portals gave and their answer tables did not know, by destination, the most frequent first."""
        return answer_codes(self._connection)

    @_question
    def configurations(self) -> list[ConfigurationView]:
        """Every version of the configuration that was in force, the oldest first."""
        return configurations(self._tx, WORKER_TTL_S)

    @_question
    def configuration_texts(self, digests: Sequence[str]) -> dict[str, str]:
        """The texts of parts of configurations, by their digests; what was too large to be kept is left out."""
        return texts(self._tx, digests)

    @_question
    def running(self) -> list[Running]:
        """What every hub that is alive runs."""
        return running(self._tx, WORKER_TTL_S)

    @property
    def _tx(self) -> Tx:
        return Tx(self._connection, wall_us(), is_postgres(self._connection.engine))

    @_question
    def alert_history(self, since: datetime) -> AlertHistory:
        """What is wrong, what was since, and what people could not be told."""
        return alert_history(self._connection, since)

    @_question
    def movable(self, *, told_since_us: int | None = None) -> set[str]:
        """The destinations that have something out or due, as `Ledger.movable` counts it.

        With `told_since_us` but for calls made before, of which the portal was asked in vain what became of them.
        """
        d, k, u = t.dispatch.c, t.call.c, t.look_up.c
        due = sa.select(d.destination).where(t.is_waiting, d.due_us.isnot(None)).distinct()
        out = sa.select(d.destination).where(t.is_out, sa.or_(d.state != "unknown", d.due_us.isnot(None))).distinct()
        if told_since_us is not None:
            asked = sa.exists().where(u.dispatch_id == d.id, u.call_id == d.call_id)
            before = sa.exists().where(k.id == d.call_id, k.started_us < told_since_us)
            out = out.where(sa.or_(d.state != "unknown", ~asked, ~before))
        return {*self._connection.execute(due).scalars(), *self._connection.execute(out).scalars()}

    @_question
    def report(self, today: date) -> list[AgencyFigures]:
        """The figures of every agency, by the newest accepted revision of each dossier; the name is the code.

        What goes on under another number is counted there alone.
        """
        h = t.head.c
        grouped = (
            sa.select(h.agency, h.status, h.due_on, h.finished_on, sa.func.count().label("n"))
            .where(h.agency.isnot(None), h.status.isnot(None), h.key.not_in(renumbered.ended()))
            .group_by(h.agency, h.status, h.due_on, h.finished_on)
        )
        figures: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self._connection.execute(grouped):
            judged = classify(row.status, _day(row.due_on), _day(row.finished_on), today)
            figures[row.agency][judged.value.replace("-", "_")] += row.n
        return [AgencyFigures(code, code, _figures(counts)) for code, counts in sorted(figures.items())]


_STATES = ("waiting", "queued", "sending", "unknown", "dead", "delivered", "superseded", "discarded")


def _figures(counts: Counter[str]) -> OnTimeFigures:
    judged = {name: counts[name] for name in ("on_due_date", "early", "late", "within_time", "overdue")}
    return OnTimeFigures(received=counts.total(), **judged)


_FILE_NAME = re.compile(r"\.\w{1,8}$")

_PAGE_MEND = "its bytes are kept; the source is read again by itself once it answers as its mapping says"
_FILE_MEND = "the file lies in failed/; drop a corrected file"


def _undecodable(row: Any) -> ItemProblem:
    # A folder has no cursor, and what came from it is labelled with the file's name; pages end in their number.
    is_file = row.cursor in (None, "{}") and _FILE_NAME.search(row.label) is not None
    return ItemProblem(
        item_id=row.id << 32,
        verdict="parked",
        source=row.source,
        arrival_label=row.label,
        position=(-1, -1),
        read_at=from_us(row.received_us),
        reason=row.problem or "",
        mend=_FILE_MEND if is_file else _PAGE_MEND,
    )


def _time(value_us: int | None) -> Any:
    return None if value_us is None else from_us(value_us)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
