"""The shapes that cross the edges of the hub: what a source yields, a destination answers, a bus carries.

Everything here is a value or a Protocol; nothing does I/O and nothing knows a vendor. An adapter imports this module
and `schemas`, and needs no other part of the hub. Times are aware UTC; durations are in seconds and end in `_s`.
Values that are made once per record are not frozen, which would cost five times as much; nobody changes them all the
same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel

if TYPE_CHECKING:
    from mappings.outbound import OutboundMapping

Media: TypeAlias = Literal["xml", "json", "csv", "xlsx"]
"""What the bytes of an arrival are."""

Cursor: TypeAlias = Mapping[str, Any]
"""Opaque to the hub, JSON-serialisable, made by the source; `{}` before the first poll."""


# --- sources ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrival:
    """The raw bytes of one page, file or request, as they came, and where the source stands once they are settled."""

    uid: str
    """32 hex digits made by the reader, so that a commit of unknown outcome can be run again (R12)."""
    source: str
    body: bytes
    media: Media
    received_at: datetime
    poll_started_at: datetime
    label: str
    """For people: `LayDanhSachHoSo page 3`, `hoso-0003.csv`."""
    cursor: Cursor | None = None
    """Where the source stands after this arrival; None leaves the cursor where it is."""
    name: str | None = None
    """The sender's own name of the message (R10); None where senders do not name messages."""
    charset: str | None = None
    """The encoding that the transport declared, None where the bytes speak for themselves."""
    last: bool = True
    """True for the last (or only) page of a poll."""


class Source(Protocol):
    """A legacy system that is read. `arrivals` is one poll, from the cursor to whatever is the newest now."""

    def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        """Yield the pages of one poll in order.

        Bytes that the source itself cannot page through (garbage, a changed shape) are yielded as an Arrival with
        `cursor=None, last=True`; the hub then parks them. Raises: schemas.errors.SourceFault when there are no bytes
        to keep (refused, timed out, a SOAP fault, a log-in that failed), or, after its pages were yielded, when the
        source's own settings do not fit them.
        """
        ...

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """Called after the commit: `problems` has a line per refused item; `parked` when the whole arrival could not
        be decoded."""
        ...

    async def close(self) -> None: ...


# --- destinations -----------------------------------------------------------------------------------------------------


class Mode(StrEnum):
    """What the portal is told about a record: a snapshot it does not have, one it has, or an event."""

    NEW = "new"
    UPDATE = "update"
    EVENT = "event"


@dataclass(slots=True)
class Outgoing:
    """One rendered record on its way to a portal."""

    dispatch_id: int
    kind: str
    key: str
    lane: str
    mode: Mode
    payload: Mapping[str, Any]
    batch_limit: int = 0
    """The largest request this may travel in; 0 is no limit, 1 is alone (R4, R14)."""
    written_by: OutboundMapping | None = None
    """The mapping that made the payload, for an adapter that sends other things than JSON: its `body` makes the bytes,
    `members` finds values by the members' names. None is JSON as it stands."""


class FaultClass(StrEnum):
    """Why a portal did not take a record; decides what happens next (docs/architecture.md)."""

    TRANSIENT = "transient"
    THROTTLED = "throttled"
    SESSION = "session"
    ALREADY_THERE = "already-there"
    DATA = "data"
    DOWN = "down"


@dataclass(slots=True)
class Receipt:
    """The portal took it."""

    dispatch_id: int
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """The portal, or the way to it, refused it and surely did not take it."""

    dispatch_id: int
    fault: FaultClass
    code: str
    text: str
    path: str | None = None
    """The member of the payload that the portal refuses; where nothing was sent (`not-sent`), the record's field."""
    value: str | None = None
    """What was sent in it, as text."""
    retry_after_s: float | None = None
    whole_batch: bool = False
    """True where one answer refused the whole request, so that the culprit is not known (R14)."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been taken (R8): the connection broke, or the deadline passed, after something was
    sent."""

    dispatch_id: int
    text: str
    down: bool = False
    """True where the answer also says that the portal is not there (a gateway's 502 or 504): its gate is held."""


Result: TypeAlias = Receipt | Fault | Unknown


class Destination(Protocol):
    """A portal that is written to."""

    can_look_up: bool
    """Whether `look_up` can be asked."""

    @property
    def largest(self) -> int:
        """The most records that one request may carry."""
        ...

    def batches(self, outgoing: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
        """Group into requests: homogeneous (kind and mode), at most `batch_limit` of each member. Pure."""
        ...

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        """Send one request and say what became of each member. Never raises for what a portal or a network does."""
        ...

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        """Say for each dossier number whether the portal has it. Raises: schemas.errors.DestinationFault if it cannot
        be asked."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Catalogues(Protocol):
    """A destination that shows the registers it judges by: agencies, procedures, fields of procedures."""

    async def catalogue(
        self, register: str, provinces: Sequence[str], deadline_s: float
    ) -> Sequence[Mapping[str, Any]]:
        """Show one register (`agencies`, `procedures` or `fields`) whole, in any order.

        Of each entry what the portal says of it, in the hub's own names: `code`, `name`, and where it says so
        `valid_from`, `valid_to` (ISO days, both included), `successor`, of an agency `level`, of a procedure
        `field_code` and `field_name`. More than `provinces` may be shown; the hub leaves out what is not theirs.
        Raises: schemas.errors.DestinationFault where it cannot be had whole.
        """
        ...


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """What an adapter is given beside its own settings."""

    name: str
    """The source's or destination's name in the configuration."""
    folder: Path
    """The folder of the configuration file: relative paths in settings are relative to it."""
    answers: Any = None
    """For destinations: the compiled `hub.answers.AnswerTable` of the portal."""


class Adapter(Protocol):
    """What an entry point in `hub.adapters` names: a class with these, made as `cls(settings, context)`."""

    role: ClassVar[Literal["source", "destination"]]
    Settings: ClassVar[type[BaseModel]]
    summary: ClassVar[str]

    def __init__(self, settings: Any, context: AdapterContext) -> None: ...


# --- the bus ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Ticket:
    """One dispatch that is due now, as it travels on the bus. Identity is (dispatch_id, gen) (R1)."""

    dispatch_id: int
    gen: int
    destination: str
    kind: str
    key: str
    lane: str
    body: bytes | None = None
    """The canonical record as JSON; None where it is too large to travel, then it is read from the ledger."""
    ledger: str = ""
    """Which ledger it is of: numbers of another one, left in a broker that was used before, must not pass for ours."""
    standing: int = 0
    """What the ledger knew when it was queued (hub.ledger.lanes.Standing): whether the portal has the snapshot."""
    batch_limit: int = 0
    """The largest request that it may travel in; 0 is no limit, 1 is alone (R4, R14)."""
    tries: int = 0
    """Calls made before."""
    attempts: int = 0
    """Of these, the ones that count towards the limit."""


@dataclass(slots=True)
class Confirmed:
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Returned:
    """The broker did not take it (nacked, unroutable, connection lost before the confirm, or the bus is full)."""

    ticket: Ticket
    reason: str


@dataclass(slots=True)
class Lease:
    """A ticket handed to a consumer, not yet acknowledged; `handle` belongs to the bus."""

    ticket: Ticket
    redelivered: bool = False
    handle: Any = field(default=None, repr=False)


class Bus(Protocol):
    """The transport of what is due. Losing all it holds loses nothing: the ledger publishes it again (R1)."""

    durable: bool

    async def start(self, destinations: Sequence[str]) -> None:
        """Connect and make sure that a queue for each destination exists. Raises: schemas.errors.BusFault."""
        ...

    async def add(self, destinations: Sequence[str]) -> None:
        """Serve these destinations too, from now on; those that are served already stay as they are."""
        ...

    async def publish(self, tickets: Sequence[Ticket]) -> Sequence[Confirmed | Returned]:
        """Publish in order, one message each; answers in the same order. Never raises for what a broker does."""
        ...

    def lease(self, destination: str, at_most: int) -> AbstractAsyncContextManager[AsyncIterator[Sequence[Lease]]]:
        """Consume: the iterator yields one to `at_most` leases as soon as there is any, waits when there is none,
        survives reconnects, and ends when the bus is stopped. At most `prefetch` leases are unacknowledged at a
        time."""
        ...

    async def ack(self, leases: Sequence[Lease]) -> None:
        """Forget them. Acknowledging a lease of a lost connection is not an error."""
        ...

    async def depths(self) -> Mapping[str, int]:
        """Messages ready per destination, for people."""
        ...

    def state(self) -> str:
        """`connected`, `blocked: …`, `reconnecting: …` or `stopped`, for people."""
        ...

    async def stop(self) -> None: ...
