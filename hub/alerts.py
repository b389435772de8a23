"""Judges troubles: which begin, which end, which come back. Pure; `hub.watching` looks and the ledger records.

    judgement = judge(observed, before, limits, now_us)

Each destination, source, and the hub itself, has at most one alert of each trouble open. Its start is told once it has
lasted, its end once that has lasted (`settle_s`): a trouble that comes back before that goes on, and nobody is told. So
an outage is told twice in all, however it flickers. In a destination's maintenance nothing of it begins, and what was
open stays until it can be seen again. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from hub.alert_rules import RULES, Trouble

_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_SECOND_US = 1_000_000


class Limits(Protocol):
    """How long each trouble must last, in seconds; `hub.sections.AlertsSection` has these."""

    @property
    def after_s(self) -> float: ...
    @property
    def paused_after_s(self) -> float: ...
    @property
    def waiting_after_s(self) -> float: ...
    @property
    def source_after_s(self) -> float: ...
    @property
    def settle_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class DestinationSeen:
    """How a destination stood when it was looked at."""

    name: str
    gate: str = "open"
    gate_since_us: int = 0
    fault: str = ""
    """While it is held: the class of the portal's newest fault."""
    code: str = ""
    """The portal's own code of it."""
    dead: int = 0
    unknown: int = 0
    """Unknown outcomes that wait for a person."""
    oldest_us: int | None = None
    """Since when the oldest of those that may go has been there, tried or not."""
    late: int | None = None
    """Dossiers that will pass their due date first, at the present rate; None where nobody can say."""


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """How a source stood when it was looked at."""

    name: str
    failing_us: int | None = None
    """Since when every poll has failed."""
    parked: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that is judged."""

    destinations: Sequence[DestinationSeen] = ()
    sources: Sequence[SourceSeen] = ()
    bus_away_us: int | None = None
    """Since when the bus takes nothing."""
    ledger_problem_us: int | None = None
    """Since when not everything can be committed."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as the ledger has it."""

    id: int
    subject: str
    trouble: str
    opened_us: int
    """When the trouble began."""
    closed_us: int | None = None
    count: int = 0
    """The most that were counted at one time."""
    end_told: bool = False
    """Whether anybody may have been told of its end."""


class Standing(IntEnum):
    """What a look says of a trouble."""

    UNSURE = 0
    """It cannot be seen now: what is open stays open."""
    SHOWS = 1
    """It is there, and not for long: what is open stays open, what has just ended goes on."""
    LASTS = 2
    """It is there, and is told."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One trouble as a look found it."""

    subject: str
    trouble: Trouble
    standing: Standing
    since_us: int
    count: int = 0
    detail: str = ""
    """A class and a code of a fault; nothing that a portal wrote in words."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from a look."""

    opened: Sequence[Sign] = field(default=())
    closed: Sequence[Alert] = field(default=())
    reopened: Sequence[Alert] = field(default=())
    """Ended alerts that go on; their end is not told."""
    updated: Sequence[Alert] = field(default=())
    """Open alerts with a higher count; nobody is told."""

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.reopened or self.updated)


def judge(observed: Observed, before: Sequence[Alert], limits: Limits, now_us: int) -> Judgement:
    """Compare what is seen with the alerts that are open or have just ended.

    `before` holds every open alert and at least those that ended less than `settle_s` ago, in any order. Guarantees: an
    alert is closed only where it is open, opened only where none of its subject and trouble is.
    """
    signs = {(one.subject, one.trouble.value): one for one in signs_of(observed, limits, now_us)}
    current = {(one.subject, one.trouble): one for one in before if one.closed_us is None}
    ended = _ended(before, limits, now_us)
    opened, reopened, updated = [], [], []
    for key, sign in signs.items():
        if key in current:
            alert = current[key]
            if sign.standing is not Standing.UNSURE and sign.count > alert.count:
                updated.append(_counted(alert, sign.count))
        elif key in ended and sign.standing is not Standing.UNSURE:
            reopened.append(_counted(ended[key], max(sign.count, ended[key].count)))
        elif sign.standing is Standing.LASTS:
            opened.append(sign)
    closed = [alert for key, alert in current.items() if key not in signs]
    return Judgement(tuple(opened), tuple(closed), tuple(reopened), tuple(updated))


def _ended(before: Sequence[Alert], limits: Limits, now_us: int) -> Mapping[tuple[str, str], Alert]:
    """The newest of those whose end is still to be told."""
    found: dict[tuple[str, str], Alert] = {}
    for one in sorted(before, key=lambda alert: alert.id):
        if one.closed_us is not None and not one.end_told and now_us - one.closed_us < limits.settle_s * _SECOND_US:
            found[one.subject, one.trouble] = one
    return found


def _counted(alert: Alert, count: int) -> Alert:
    return Alert(alert.id, alert.subject, alert.trouble, alert.opened_us, count=count)


def signs_of(observed: Observed, limits: Limits, now_us: int) -> Iterator[Sign]:
    """Yield every trouble that is there, or of which nobody can say that it is over."""
    look = _Look(limits, now_us)
    for one in observed.destinations:
        if one.gate == "maintenance":
            yield from (look.unsure(one.name, trouble) for trouble, rule in RULES.items() if rule.of == "destination")
        else:
            yield from look.destination(one)
    for source in observed.sources:
        if source.failing_us is not None:
            yield look.lasting(source.name, Trouble.SOURCE, source.failing_us)
        yield from look.counts(source.name, {Trouble.UNREADABLE: source.unreadable, Trouble.PARKED: source.parked})
    if observed.bus_away_us is not None:
        yield look.lasting("bus", Trouble.BUS, observed.bus_away_us)
    if observed.ledger_problem_us is not None:
        yield look.lasting("ledger", Trouble.LEDGER, observed.ledger_problem_us)


@dataclass(frozen=True, slots=True)
class _Look:
    limits: Limits
    now_us: int

    def destination(self, one: DestinationSeen) -> Iterator[Sign]:
        if one.gate == "held":
            yield self.lasting(one.name, Trouble.HELD, one.gate_since_us, _coded(one.fault, one.code))
        elif one.gate == "paused":
            # Whether the portal is back nobody can see.
            yield self.unsure(one.name, Trouble.HELD)
            yield self.lasting(one.name, Trouble.PAUSED, one.gate_since_us)
        if one.gate != "open":
            yield self.unsure(one.name, Trouble.STALLED)
        elif one.oldest_us is not None:
            yield from self.stalled(one.name, max(one.oldest_us, one.gate_since_us))
        yield from self.counts(
            one.name, {Trouble.DEAD: one.dead, Trouble.UNKNOWN: one.unknown, Trouble.LATE: one.late or 0}
        )
        if one.late is None:
            yield self.unsure(one.name, Trouble.LATE)

    def stalled(self, name: str, since_us: int) -> Iterator[Sign]:
        """Something is always waiting; over is what waits for less than half of the time."""
        if (self.now_us - since_us) * 2 >= self.limits.waiting_after_s * _SECOND_US:
            yield self.lasting(name, Trouble.STALLED, since_us)

    def lasting(self, name: str, trouble: Trouble, since_us: int, detail: str = "") -> Sign:
        after_s: float = getattr(self.limits, RULES[trouble].after)
        lasts = self.now_us - since_us >= after_s * _SECOND_US
        return Sign(name, trouble, Standing.LASTS if lasts else Standing.SHOWS, since_us, detail=detail)

    def counts(self, name: str, counts: Mapping[Trouble, int]) -> Iterator[Sign]:
        for trouble, count in counts.items():
            if count:
                yield Sign(name, trouble, Standing.LASTS, self.now_us, count)

    def unsure(self, name: str, trouble: Trouble) -> Sign:
        return Sign(name, trouble, Standing.UNSURE, self.now_us)


def _coded(fault: str, code: str) -> str:
    """A class and a code; a code that could be words, and so hold a name, is left out."""
    return " ".join(word for word in (fault, code) if _CODE.fullmatch(word))
