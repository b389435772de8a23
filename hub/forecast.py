"""When a destination's backlog will be drained, and how many dossiers will pass their due date before. Pure.

Dossiers go as `hub.ledger.urgency` lets them: those that can still be in time by their due date, the earliest first,
then all others. One passes its due date if its turn comes only after the end of that day in Viet Nam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from schemas.local_time import LOCAL, local_date


@dataclass(frozen=True, slots=True)
class Work:
    """So many dossiers, for which so many dispatches are open: a dossier and its steps are one each."""

    dossiers: int
    dispatches: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected of one destination. Of what is not known, nothing is said: None."""

    dossiers: int
    """Those with something open that moves by itself."""
    dispatches: int
    overdue: int
    """Unfinished dossiers among them whose due date has passed already; they are counted nowhere else."""
    per_s: float | None = None
    """Dispatches that came to an end a second, lately."""
    drained_in_s: float | None = None
    """None where nothing moves, or nobody knows how fast."""
    pass_due_date: int | None = None
    """How many dossiers will pass their due date before their turn: at the present rate, or behind a closed gate if it
    stays closed until `closed_until`."""
    closed_until: datetime | None = None
    """Behind a closed gate: until when the forecast takes it to stay closed."""


Backlog = Mapping[date | None, Work]
"""What is open by the day on which it is due; None for what has no due date, or is finished and on its way."""


def forecast(backlog: Backlog, per_s: float | None, now: datetime) -> Forecast:
    """Say what becomes of the backlog of an open destination at `per_s` dispatches a second; `now` is aware."""
    dossiers, dispatches, overdue, dated = _sorted_out(backlog, now)
    if not dispatches:
        return Forecast(0, 0, 0, per_s, 0.0, 0)
    if not per_s or per_s < 0:
        return Forecast(dossiers, dispatches, overdue)
    rate = Fraction(per_s)
    before = late = 0
    for due_on, work in dated:
        in_time = int(rate * Fraction(seconds_left(due_on, now))) - before
        done = min(max(in_time, 0), work.dispatches)
        late += work.dossiers - done * work.dossiers // work.dispatches
        before += work.dispatches
    return Forecast(dossiers, dispatches, overdue, per_s, dispatches / per_s, late)


def closed(backlog: Backlog, now: datetime, until: datetime | None = None) -> Forecast:
    """Say how many pass their due date if a closed destination stays so `until` then; until tomorrow begins by
    default."""
    dossiers, dispatches, overdue, dated = _sorted_out(backlog, now)
    ends = until or ends_at(local_date(now))
    late = sum(work.dossiers for due_on, work in dated if ends_at(due_on) <= ends)
    return Forecast(dossiers, dispatches, overdue, pass_due_date=late, closed_until=ends)


def ends_at(day: date) -> datetime:
    """The moment at which a day is over in Viet Nam."""
    return datetime.combine(day, datetime.min.time(), LOCAL) + timedelta(days=1)


def seconds_left(day: date, now: datetime) -> Fraction:
    """How long a day still lasts, exactly."""
    return Fraction((ends_at(day) - now) // timedelta(microseconds=1), 1_000_000)


def _sorted_out(backlog: Backlog, now: datetime) -> tuple[int, int, int, list[tuple[date, Work]]]:
    """Dossiers, dispatches, those overdue, and what can still be in time by its due date."""
    today = local_date(now)
    overdue = sum(work.dossiers for due_on, work in backlog.items() if due_on is not None and due_on < today)
    dated = sorted((due_on, work) for due_on, work in backlog.items() if due_on is not None and due_on >= today)
    total = backlog.values()
    return sum(work.dossiers for work in total), sum(work.dispatches for work in total), overdue, dated
