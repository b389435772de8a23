"""What goes into the ledger and comes out of it: the values its operations take and return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from hub.ledger.states import ItemState
from hub.ports import Arrival, Mode, Ticket
from schemas.record import Counted

SECOND_US = 1_000_000


def to_us(moment: datetime) -> int:
    """Return microseconds since 1970 UTC of an aware time, without a float in between."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def from_us(value: int) -> datetime:
    """Return the aware UTC time of microseconds since 1970."""
    return datetime.fromtimestamp(value // SECOND_US, UTC).replace(microsecond=value % SECOND_US)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Renumbering:
    """What a row says of a dossier that got another number at its source; `hub.ledger.renumbered` ends the old one."""

    old: str
    new: str
    digest: str
    """By which the ledger finds it again: see `hub.ledger.renumbered.digest`."""


@dataclass(frozen=True, slots=True)
class Part:
    """One text that a configuration is made of, without what is secret."""

    role: str
    """configuration, agencies, mapping, table, answers, register or program."""
    name: str
    """What it is called within its role, the same on every machine."""
    text: str | None
    """None where it is too large to be kept."""
    digest: str
    size_bytes: int


REGISTER = "register"
"""The role of what stands in no file, but in the ledger."""


@dataclass(frozen=True, slots=True)
class Version:
    """A configuration as it was at one moment, with everything that decides what a record becomes."""

    file: str
    """Where it came from."""
    host: str
    parts: tuple[Part, ...]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        whole = sha256()
        for part in sorted(self.parts, key=lambda part: (part.role, part.name)):
            whole.update(f"{part.role}\0{part.name}\0{part.digest}\0".encode())
        object.__setattr__(self, "digest", whole.hexdigest())

    @property
    def in_files(self) -> frozenset[tuple[str, str, str]]:
        """Role, name and digest of what stands in files; registers that were taken over stand in the ledger alone."""
        return frozenset((part.role, part.name, part.digest) for part in self.parts if part.role != REGISTER)


@dataclass(slots=True)
class Candidate:
    """One record that the pure stages accepted; the ledger decides whether it is a revision, a duplicate or stale."""

    row: int
    part: int
    kind: str
    key: str
    lane: str
    event: bool
    changed_us: int | None
    digest: str
    offset_bytes: int
    body: bytes
    destinations: tuple[str, ...]
    mapping: str
    counted: Counted | None = None
    no_route: str = ""
    agency: str | None = None
    """The agency that the record names; a kind that names none has its dossier's, found elsewhere."""
    renumbered: Renumbering | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record that the pure stages refused."""

    row: int
    part: int
    kind: str
    key: str | None
    state: ItemState
    reason: str
    problems: str
    raw_digest: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything that one arrival makes, to be committed together with the source's cursor."""

    arrival: Arrival
    digest: str
    packed_body: bytes
    packed_records: bytes | None
    candidates: Sequence[Candidate]
    refusals: Sequence[Refusal]
    epoch: int
    cursor_before: str
    undecodable: str = ""
    """Why the whole arrival could not be decoded; then it is parked and the cursor stays."""
    poll_floor_us: int = 0
    """The poll counts as begun no earlier than this (R9, 4)."""
    configuration: int | None = None
    """The number of the configuration that made it; None where nobody wrote that one down."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an arrival."""

    arrival_id: int
    counts: Mapping[ItemState, int]
    tickets: Sequence[Ticket] = ()
    problems: Sequence[str] = ()
    again: bool = False
    """True where the same message had been settled before (R10, R12)."""
    parked: bool = False
    """True where nothing but the bytes was kept, and the cursor was not moved."""


@dataclass(frozen=True, slots=True)
class SourceLease:
    """The right to read a source, and where it stands (R13)."""

    name: str
    epoch: int
    cursor: str
    page_digest: str | None
    failures: int
    polled_us: int = 0
    """When the poll before ended; the next one counts as later, whatever the clock says."""


@dataclass(frozen=True, slots=True)
class DestinationRules:
    """What the ledger has to know of a destination."""

    window: int = 2000
    queued_s: float = 60.0
    """How long a ticket may be on the bus before it is published again (R1's T)."""
    resend_events: bool = True
    """R8: an event of unknown outcome is sent again; False asks an operator."""
    can_look_up: bool = False
    rate_per_s: float | None = None
    """Requests a second at most, of all processes together; by it the window of what is on the bus is cut."""
    urgent_days: int = 2
    """Unfinished dossiers due today or within so many days go first (`hub.ledger.urgency`); 0 for none."""
    probe_s: float = 0.0
    """How long a probe may take at least before it counts as lost and another one goes."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One request that is about to be sent: written down before it is."""

    call_id: int
    mode: Mode
    mapping: str
    payload: str
    members: Sequence[tuple[int, int]]
    """(dispatch id, gen) of each member."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim took."""

    ids: Set[int]
    """The dispatches that are ours to send."""
    calls: int
    """So many of the claims were looked at, from the first; the tickets of the others are as good as before."""
    gate: GateState


@dataclass(slots=True)
class Outcome:
    """What the ledger is to record of one member of a call; made by `hub.retry` of a portal's result."""

    dispatch_id: int
    call_id: int
    to: str
    """delivered, waiting, dead or unknown."""
    due_us: int | None = None
    reason: str = ""
    fault: str = ""
    code: str = ""
    text: str = ""
    path: str | None = None
    value: str | None = None
    spend: bool = False
    """Whether the attempt counts towards the limit."""
    batch_limit: int = 0
    portal_has_it: bool = False
    """True for `already-there`: the next send is an update."""
    worn_out: bool = False
    """Dead since this was the last attempt that it had."""
    possibly_twice: bool = False
    """Dead with an outcome that nobody knows: were it replayed, the portal might get it twice."""
    sent: bool = True
    """False where nothing reached the portal, so that the outcome says nothing about it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a finish set free."""

    tickets: Sequence[Ticket] = ()
    late: int = 0
    """Results that came for a dispatch which had moved on."""


@dataclass(frozen=True, slots=True)
class GateState:
    """The gate of a destination."""

    state: str
    reason: str = ""
    since_us: int = 0

    @property
    def open(self) -> bool:
        return self.state == "open"


@dataclass(slots=True)
class Counts:
    """Counts by state of the whole ledger: the two sides of the books."""

    items: dict[str, int] = field(default_factory=dict)
    dispatches: dict[str, int] = field(default_factory=dict)
