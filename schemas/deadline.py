"""Whether a dossier keeps its deadline, and the figures that a province reports of it.

Dates are compared, not times, as days in Viet Nam. A dossier is judged by the day its work ended, never by the day the
citizen fetched the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from schemas.codes import Bucket, DossierStatus, Label


class Timeliness(StrEnum):
    """How a dossier stands to its due date on the day of a report."""

    EARLY = "early"
    ON_DUE_DATE = "on-due-date"
    LATE = "late"
    WITHIN_TIME = "within-time"
    OVERDUE = "overdue"
    NOT_COUNTED = "not-counted"


LABELS: Mapping[Timeliness, Label] = MappingProxyType(
    {
        Timeliness.EARLY: Label("Trước hạn", "Early"),
        Timeliness.ON_DUE_DATE: Label("Đúng hạn", "On the due date"),
        Timeliness.LATE: Label("Trễ hạn", "Late"),
        Timeliness.WITHIN_TIME: Label("Còn trong hạn", "Within time"),
        Timeliness.OVERDUE: Label("Quá hạn", "Overdue"),
        Timeliness.NOT_COUNTED: Label("Không tính", "Not counted"),
    }
)

_NO_CLOCK = frozenset({Bucket.NOT_ACCEPTED, Bucket.WITHDRAWN})


def classify(status: int, due_on: date | None, finished_on: date | None, today: date) -> Timeliness:
    """Judge one dossier on the day `today`; all dates are days in Viet Nam.

    Finished (9, 10): by the finish date against the due date; without a due date it cannot be late and was kept on it.
    Not yet or never accepted (1, 3) and withdrawn (7): no deadline runs, not counted. Everything else: within time
    until the due date has passed, for ever where there is none. Raises: ValueError for a status that is none, or a
    finished dossier without finish date.
    """
    state = DossierStatus(status)
    if state.finished:
        if finished_on is None:
            raise ValueError(f"a dossier of status {int(state)} needs its finish date")
        if due_on is None or finished_on == due_on:
            return Timeliness.ON_DUE_DATE
        return Timeliness.EARLY if finished_on < due_on else Timeliness.LATE
    if state.bucket in _NO_CLOCK:
        return Timeliness.NOT_COUNTED
    return Timeliness.WITHIN_TIME if due_on is None or due_on >= today else Timeliness.OVERDUE


@dataclass(frozen=True, slots=True)
class OnTimeFigures:
    """The figures of a period; `a + b` sums two agencies or periods.

    Trà Vinh 2017: 2,002 received, 65 on the due date, 1,856 early, 81 late, so 95.95 % on time.
    """

    received: int = 0
    on_due_date: int = 0
    early: int = 0
    late: int = 0
    within_time: int = 0
    overdue: int = 0

    def __post_init__(self) -> None:
        """Raises: ValueError for a negative figure, or more dossiers judged than received."""
        judged = (self.on_due_date, self.early, self.late, self.within_time, self.overdue)
        if min(self.received, *judged) < 0 or sum(judged) > self.received:
            raise ValueError(f"figures that cannot be: {self}")

    @classmethod
    def of(cls, dossiers: Iterable[Timeliness]) -> OnTimeFigures:
        """Count; every dossier is one received, the not counted ones too."""
        counts = dict.fromkeys(Timeliness, 0)
        for timeliness in dossiers:
            counts[timeliness] += 1
        return cls(
            received=sum(counts.values()),
            on_due_date=counts[Timeliness.ON_DUE_DATE],
            early=counts[Timeliness.EARLY],
            late=counts[Timeliness.LATE],
            within_time=counts[Timeliness.WITHIN_TIME],
            overdue=counts[Timeliness.OVERDUE],
        )

    def __add__(self, other: OnTimeFigures) -> OnTimeFigures:
        return OnTimeFigures(
            self.received + other.received,
            self.on_due_date + other.on_due_date,
            self.early + other.early,
            self.late + other.late,
            self.within_time + other.within_time,
            self.overdue + other.overdue,
        )

    @property
    def finished(self) -> int:
        return self.on_due_date + self.early + self.late

    @property
    def not_counted(self) -> int:
        """Received, but without a deadline that runs: not accepted, or withdrawn."""
        return self.received - self.finished - self.within_time - self.overdue

    @property
    def on_time_rate(self) -> float | None:
        """Finished by the due date, in percent of the finished, two decimals, halves up; None of nothing."""
        if not self.finished:
            return None
        # In whole hundredths of a percent, since a float would round some halves down.
        hundredths = (20_000 * (self.on_due_date + self.early) + self.finished) // (2 * self.finished)
        return hundredths / 100
