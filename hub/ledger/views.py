"""What the ledger's read side shows to people: plain frozen values, and the one Protocol that yields them.

Knows neither SQL nor the terminal. Times are aware UTC; whoever shows them turns them into Asia/Ho_Chi_Minh. Contents
are those of the canonical record, unmasked: masking is the duty of whoever shows them, for it depends on who looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from hub.forecast import Forecast
    from hub.ledger.alert_views import AlertHistory
    from hub.ledger.configurations import ConfigurationView, Running
    from hub.ledger.items import Found, ItemDetail, ItemFilter
    from hub.ledger.registers import Change
    from schemas.deadline import OnTimeFigures

GateState = Literal["open", "held", "paused", "maintenance"]


# --- trace ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of a record that the hub accepted."""

    revision_id: int
    kind: str
    key: str
    number: int
    """1 for the first revision of its key, then counting up."""
    source: str
    arrival_label: str
    """The page or file that it was read from: `LayDanhSachHoSo page 3`."""
    read_at: datetime
    source_time: datetime | None
    """The source's own time of change."""
    content: Mapping[str, Any] | None
    """The canonical record as JSON values, unmasked; None where retention has pruned the body (R16)."""
    cause: str = "new"
    """`new`, `tie` (equal source time, other content), or by a person's decision `corrected` or `remapped` (R9)."""
    agency: str | None = None
    configuration: int | None = None
    """The number of the configuration that made it; None for what was made before configurations were numbered."""
    configured_at: datetime | None = None
    """When that configuration was first seen."""


@dataclass(frozen=True, slots=True)
class DispatchView:
    """One revision on its way to one destination."""

    dispatch_id: int
    destination: str
    revision_id: int
    kind: str
    key: str
    state: str
    """A state of the ledger: waiting, queued, sending, unknown, delivered, superseded, discarded or dead."""
    made_at: datetime
    attempts: int = 0
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    waits_for: str | None = None
    """Why it is not moving, for people (`gate held since …`, `behind #42`, `backoff until …`); None when it moves."""
    superseded_by: int | None = None
    """The dispatch that made this one needless."""
    possibly_twice: bool = False


class Happened(StrEnum):
    """What an event of a trace was; of events of one moment, the earlier named here comes first."""

    READ = "read"
    """An arrival brought the key: why = its verdict (accepted, duplicate, stale, rejected, parked, no-route)."""
    DISPATCHED = "dispatched"
    SENT = "sent"
    """A call to the portal began."""
    CONFIRMED = "confirmed"
    FAULT = "fault"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"
    DEAD = "dead"
    REPLAYED = "replayed"
    CORRECTED = "corrected"
    DISCARDED = "discarded"
    WAITED = "waited"
    """Put back or held: why = gate, behind #id, backoff."""
    GATE_CLOSED = "gate-closed"
    GATE_OPENED = "gate-opened"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a dossier: when, what, and why."""

    at: datetime
    what: Happened
    why: str = ""
    revision_id: int | None = None
    dispatch_id: int | None = None
    destination: str | None = None
    call_id: int | None = None
    mode: str | None = None
    """What the portal was told: new, update or event."""
    batch_size: int | None = None
    """How many records travelled in the call's request."""
    took_s: float | None = None
    code: str | None = None
    """The portal's own error code."""


@dataclass(frozen=True, slots=True)
class ItemProblem:
    """A row that was read and did not become a record."""

    item_id: int
    """Unique within the ledger."""
    verdict: Literal["rejected", "parked", "no-route"]
    source: str
    arrival_label: str
    position: tuple[int, int]
    """Index of the row in its page, index of the item within the row; (-1, -1) for a page that cannot be decoded."""
    read_at: datetime
    reason: str
    mapping: str | None = None
    field: str | None = None
    """The target field in the record."""
    path: str | None = None
    """Where in the source's row the value stood."""
    value: str | None = None
    """The value found there, unmasked."""
    key: str | None = None
    kind: str | None = None
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest revision of one key."""

    kind: str
    key: str
    source: str
    revision_id: int
    source_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that the ledger knows about one lane (one dossier with its steps)."""

    key: str
    """The key that was asked for."""
    lane: str
    heads: Sequence[Head]
    revisions: Sequence[Revision]
    """In the order of settling."""
    dispatches: Sequence[DispatchView]
    """In the order of their ids."""
    events: Sequence[Event]
    """In the order of time."""
    problems: Sequence[ItemProblem] = ()
    renumbered_to: tuple[str, ...] = ()
    """The numbers that the dossier has now, where its source gave it another one."""
    renumbered_from: tuple[str, ...] = ()
    """The numbers that it had before."""


# --- queues -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StrangeCode:
    """A code that a portal gave and its table of answers does not know."""

    call: str
    status: int
    code: str
    text: str
    """What the portal said with it, the last time."""
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """A trouble that people were told of and that is not over."""

    subject: str
    trouble: str
    text: str
    opened_at: datetime
    count: int = 0


@dataclass(frozen=True, slots=True)
class QueueState:
    """How one destination stands; counts are of dispatches."""

    destination: str
    gate: GateState
    gate_reason: str | None = None
    gate_since: datetime | None = None
    waiting: int = 0
    queued: int = 0
    sending: int = 0
    unknown: int = 0
    dead: int = 0
    delivered: int = 0
    superseded: int = 0
    discarded: int = 0
    oldest_waiting_at: datetime | None = None
    next_due_at: datetime | None = None
    last_success_at: datetime | None = None
    bus_depth: int | None = None
    """Messages ready in the broker; None where the bus was not asked."""
    urgent: int = 0
    """Waiting ones that go before the others, since their dossiers are due soon."""
    forecast: Forecast | None = None
    """What is to be expected of what moves by itself."""
    stuck: int = 0
    """Waiting ones that move only after something else: a dead event, a dossier that is missing, a person's word."""
    undecided: int = 0
    """Of the unknown ones those that wait for a person's word."""
    unknown_since: datetime | None = None
    """When the oldest unknown one was sent."""
    strange_codes: Sequence[StrangeCode] = ()
    """Those that came most often."""

    @property
    def open(self) -> int:
        """Dispatches that have not ended."""
        return self.waiting + self.queued + self.sending + self.unknown


# --- unknown outcomes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """A dispatch that was sent, and nobody knows whether the portal took it."""

    dispatch_id: int
    destination: str
    kind: str
    key: str
    revision: int
    agency: str | None
    since: datetime
    """When it was sent."""
    reason: str
    """What is known."""
    waits_for: Literal["person", "hub"]
    """A person's word, or the hub itself: it asks the portal, or sends again."""
    next_at: datetime | None
    """When the hub tries next; None where a person decides."""
    asked: int
    """How often the portal was asked in vain."""
    sent: int
    """How often it was sent, this time included."""
    mode: str
    """What the portal was told: new, update or event."""


@dataclass(frozen=True, slots=True)
class UnknownDetail:
    """An unknown outcome with the record that was sent and what happened to it."""

    outcome: UnknownOutcome
    content: Mapping[str, Any] | None
    events: Sequence[Event] = ()
    followers: int = 0
    """Dispatches of its lane that wait behind it."""


@dataclass(frozen=True, slots=True)
class NotUnknown:
    """A dispatch about which there was nothing to decide; state None where there is no such dispatch."""

    dispatch_id: int
    state: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person's word did: shown = decided + left."""

    verdict: str
    decided: int
    left: Sequence[NotUnknown] = ()
    """Whose outcome was known by then."""


# --- dead letters -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeadFilter:
    """Which dead letters (and refused items) are meant; None does not narrow."""

    destination: str | None = None
    kind: str | None = None
    agency: str | None = None
    code: str | None = None
    key: str | None = None
    source: str | None = None
    limit: int = 1000
    fault: str | None = None
    """The class of the last fault: data, transient, poison …"""
    field: str | None = None
    """The field that was refused, as the fault names it: whole, or its last part."""
    text: str | None = None
    """Stands in the last fault's text; compared composed (NFC) and without regard to capitals."""
    since: datetime | None = None
    """Died then or later (aware)."""
    until: datetime | None = None
    """Died before then (aware)."""


@dataclass(frozen=True, slots=True)
class DeadCause:
    """How many dead letters have one cause."""

    destination: str
    fault: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class DeadIndex:
    """Which dead letters a filter finds: numbers, not contents."""

    ids: Sequence[int]
    """Oldest first, at most the filter's limit."""
    causes: Sequence[DeadCause]
    """Of all that were found, the most frequent first."""

    @property
    def total(self) -> int:
        """How many were found, shown or not."""
        return sum(one.count for one in self.causes)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dispatch that will not be sent again unless a person replays it."""

    dispatch_id: int
    destination: str
    kind: str
    key: str
    agency: str | None
    fault: str
    """The fault class: data, transient, ..."""
    code: str
    """The portal's own error code."""
    text: str
    path: str | None
    """The field that was refused: a member of the payload where the portal named one, a field of the record where our
    own mapping refused it (code `not-sent`). `hub.blame` says where in the agency's own row it comes from."""
    value: str | None
    """The value found there, unmasked."""
    attempts: int
    died_at: datetime
    revision: int
    """The revision's number within its key."""
    source: str
    arrival_label: str


@dataclass(frozen=True, slots=True)
class DeadCall:
    """One request in which a dead letter travelled."""

    call_id: int
    at: datetime
    mode: str
    members: int
    """How many records travelled in it."""
    took_s: float | None
    fault: str
    """What came of it: a class of fault; empty where nothing is known."""
    code: str
    text: str
    mapping: str
    """The beginning of the digest of the mapping that it was rendered with."""
    payload: str
    """The digest of what was sent, of all members together."""


@dataclass(frozen=True, slots=True)
class Follower:
    """One dispatch that waits behind a dead letter."""

    dispatch_id: int
    kind: str
    key: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did to one dispatch."""

    dispatch_id: int
    at: datetime
    what: str
    who: str
    why: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadDetail:
    """A dead letter with the record that it carried, what happened to it, and the bytes that it was made of."""

    letter: DeadLetter
    content: Mapping[str, Any] | None
    events: Sequence[Event] = ()
    followers: int = 0
    """Dispatches of its lane that wait behind it."""
    original: bytes | None = None
    """The bytes of the arrival (the whole page or file) that its row was read in; None where they are pruned."""
    row: tuple[int, int] | None = None
    """Where in these bytes the record was read: index of the row, index of the item within it; None where unknown."""
    mapping: str | None = None
    """The first 16 hex digits of the digest of the inbound mapping that read it."""
    media: str = ""
    """xml, json or csv."""
    charset: str | None = None
    """As the transport declared it; None where the bytes speak for themselves."""
    original_label: str = ""
    """The page or file that those bytes were."""
    cause: str = "arrived"
    """How the revision came to be: arrived, corrected or remapped."""
    head_id: int = 0
    newest: int = 0
    """The number of the newest revision of its record; it is superseded by itself where it is not that one."""
    calls: Sequence[DeadCall] = ()
    waiting: Sequence[Follower] = ()
    """The first of those that wait behind it."""
    deeds: Sequence[Deed] = ()


@dataclass(frozen=True, slots=True)
class SupersededBy:
    """A dead letter that was not sent again: a newer revision has been delivered, or may have been."""

    dispatch_id: int
    by: int
    """The newer dispatch."""
    key: str = ""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What became of the dead letters that a person asked to replay; shown = enqueued + superseded (R11)."""

    shown: int
    enqueued: int
    superseded: Sequence[SupersededBy] = field(default_factory=list)
    pruned: Sequence[int] = field(default_factory=list)
    """Dead letters that were not shown: retention has pruned what was to be sent (R16)."""


@dataclass(frozen=True, slots=True)
class DiscardResult:
    """What a discard did."""

    discarded: int
    released: int = 0
    """Dispatches that had waited behind them and go now."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of a correction."""

    dispatch_id: int
    """The dead letter that was corrected."""
    revision: int
    """The number of the revision that was made."""
    cause: str
    """`corrected` or `remapped`."""
    fields: Sequence[str] = field(default_factory=list)
    """The fields that are other than before."""
    sends: Sequence[int] = field(default_factory=list)
    """The dispatches that carry it: new ones of a snapshot; of an event those that had not been sent."""
    superseded: Sequence[int] = field(default_factory=list)
    """Dead letters that are needless by it."""
    sent_before: Sequence[str] = field(default_factory=list)
    """Destinations that have the event as it was: it is not sent there a second time."""
    overridable: bool = False
    """True where the source tells no time of change: the next reading of the old row overrides the correction."""


# --- report -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgencyFigures:
    """The dossiers of one agency, counted by their newest accepted revision."""

    code: str
    name: str
    figures: OnTimeFigures


# --- the read side ----------------------------------------------------------------------------------------------------


class LedgerReader(Protocol):
    """What `hub.ledger.read.open_reader(url)` yields as a context manager; reads only, in short reads (R15)."""

    def trace(self, key: str) -> Trace:
        """Everything about the lane of `key` (a dossier number or a step's key). Raises: KeyError when unknown."""
        ...

    def queues(self) -> list[QueueState]: ...

    def alerts(self) -> list[OpenAlert]:
        """Those that are not over, the oldest first."""
        ...

    def configurations(self) -> list[ConfigurationView]:
        """Every version of the configuration that was in force, the oldest first."""
        ...

    def configuration_texts(self, digests: Sequence[str]) -> dict[str, str]:
        """The texts of their parts, by digest; what was too large to be kept is left out."""
        ...

    def running(self) -> list[Running]:
        """What every hub that is alive runs."""
        ...

    def unknowns(
        self, destination: str | None = None, key: str | None = None, limit: int = 1000
    ) -> list[UnknownOutcome]:
        """Oldest first, at most `limit`."""
        ...

    def unknown(self, dispatch_id: int) -> UnknownDetail:
        """Raises: KeyError where the outcome of that dispatch is known, or there is none of that number."""
        ...

    def register_changes(self, register: str) -> list[Change]:
        """What the last look at a portal's catalogue that changed anything brought."""
        ...

    def find_dead(self, wanted: DeadFilter) -> DeadIndex:
        """Numbers, the oldest `wanted.limit`; causes of all."""
        ...

    def dead_page(self, ids: Sequence[int]) -> list[DeadLetter]:
        """Oldest first; those that are dead no more are left out."""
        ...

    def dead_contents(self, ids: Sequence[int]) -> dict[int, Mapping[str, Any] | None]:
        """The records of some dead letters; None where one is pruned."""
        ...

    def dead_states(self, ids: Sequence[int]) -> dict[int, str]:
        """The states of any dispatches; a number that there is none of is left out."""
        ...

    def doubtful(self, ids: Sequence[int]) -> int:
        """How many of some dead letters the portal may have got already."""
        ...

    def dead_letter(self, dispatch_id: int) -> DeadDetail:
        """Raises: KeyError when there is no such dead letter."""
        ...

    def problems(self, wanted: DeadFilter) -> list[ItemProblem]:
        """Rejected, parked and unrouted items that a later accepted row has not replaced; oldest first."""
        ...

    def items(self, wanted: ItemFilter) -> Found:
        """Refused items, counted by their cause; the oldest `wanted.limit` of them."""
        ...

    def item(self, id_: str) -> ItemDetail:
        """Raises: KeyError when there is no such refused item; ValueError for a text that is no id."""
        ...

    def names(self, what: str) -> list[str]:
        """The names of one kind that the ledger knows, in order: destination, source, agency or fault."""
        ...

    def report(self, today: date) -> list[AgencyFigures]: ...

    def alert_history(self, since: datetime) -> AlertHistory: ...
