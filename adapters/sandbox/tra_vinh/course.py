"""The course of one dossier: when it comes in, is due, finishes, and what its software shows of it at each tick.

A tick is 32 days of the year; every change that a tick releases is later than all changes of the ticks before it.
Each revision differs from the one before in its note at least, which both portals get. A step carries the time of the
revision that it comes with, or an earlier one. Times are aware and local.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from adapters.sandbox.tra_vinh.agencies import AgencyYear, Post
from adapters.sandbox.tra_vinh.people import Applicant
from adapters.sandbox.tra_vinh.procedures import Procedure
from schemas.calendar import WorkingCalendar
from schemas.local_time import LOCAL

TICKS = 12
TICK_DAYS = 32
FIRST_DAY = date(2017, 1, 3)
LAST_DAY = FIRST_DAY + timedelta(days=TICKS * TICK_DAYS - 1)

ACCEPTED, IN_PROGRESS, SUPPLEMENT, PROCESSED, RETURNED = 2, 4, 5, 9, 10

_RECEIVED = (
    "Hồ sơ đầy đủ, hợp lệ; đã lập giấy tiếp nhận",
    "Đã tiếp nhận và hẹn trả kết quả",
    "Đã tiếp nhận, chuyển phòng chuyên môn",
    "Hồ sơ nộp đủ thành phần theo quy định",
)
_WORKING = (
    "Đang thẩm định hồ sơ",
    "Đã phân công chuyên viên thụ lý",
    "Đang xác minh thực tế tại địa phương",
    "Đang lấy ý kiến cơ quan phối hợp",
    "Dự thảo kết quả đang trình lãnh đạo",
)
_READY = (
    "Đã có kết quả, chờ công dân đến nhận",
    "Kết quả đã ký, đã nhắn tin mời nhận",
    "Kết quả đã chuyển về bộ phận một cửa",
)
_RETURNED = ("Đã trả kết quả tại bộ phận một cửa", "Đã trả kết quả qua bưu chính", "Công dân đã ký nhận kết quả")
_SUPPLEMENT = "Đề nghị bổ sung bản sao giấy tờ còn thiếu trong thành phần hồ sơ"


@dataclass(frozen=True, slots=True)
class Step:
    """One processing step; two of one dossier never share time, person and status."""

    at: datetime
    post: Post
    content: str
    status: int


@dataclass(frozen=True, slots=True)
class Version:
    """What the agency's software shows of a dossier from one tick on; `steps` are those that are new with it."""

    tick: int
    changed_at: datetime
    status: int
    note: str
    finished_at: datetime | None
    returned_at: datetime | None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Dossier:
    """One dossier and its whole course."""

    number: str
    agency: AgencyYear
    procedure: Procedure
    applicant: Applicant
    channel: int
    received_at: datetime
    due_at: datetime
    finished_at: datetime
    versions: tuple[Version, ...]

    @property
    def summary(self) -> str:
        """Trích yếu."""
        return f"{self.applicant.name} {self.procedure.summary}"


def tick_of(day: date) -> int:
    """The tick, 1 to 12, that a day of the demo's year belongs to."""
    return (day - FIRST_DAY).days // TICK_DAYS + 1


class Year:
    """The working days of the demo's year: Tết, Hùng Vương, 30/4, 2/9 and the days off in lieu are none."""

    def __init__(self, calendar: WorkingCalendar) -> None:
        self.calendar = calendar
        span = ((FIRST_DAY + timedelta(days=n)) for n in range(TICKS * TICK_DAYS + 120))
        self.days: list[date] = [day for day in span if calendar.is_working_day(day)]
        self.index = {day: position for position, day in enumerate(self.days)}
        self.by_tick: dict[int, list[date]] = {tick: [] for tick in range(1, TICKS + 1)}
        for day in self.days:
            if day <= LAST_DAY:
                self.by_tick[tick_of(day)].append(day)

    def shifted(self, day: date, working_days: int) -> date:
        return self.days[self.index[day] + working_days]


def office_moment(rng: Random, day: date, after: datetime | None = None) -> datetime:
    """A second of the office hours of a day (07:15-11:15, 13:45-16:30), later than `after` where given."""
    minutes = rng.randrange(405)
    begin = time(7, 15) if minutes < 240 else time(13, 45)
    at = datetime.combine(day, begin, LOCAL) + timedelta(minutes=minutes % 240, seconds=rng.randrange(60))
    if after is not None and at <= after:
        at = after + timedelta(minutes=rng.randrange(2, 14), seconds=rng.randrange(60))
    return at


OUTAGE_TICKS = (5, 6)
"""The ticks that the sources release while the national portal is down."""


def ticks_of(rng: Random, first: int, finished: int, *, outage: bool) -> list[int]:
    """The ticks in which a dossier shows a new revision: its receipt, perhaps something between, its end.

    `outage`: two revisions without a step between them while the national portal is down.
    """
    if outage:
        return [first, *OUTAGE_TICKS]
    last = max(finished, first + 1)
    between = list(range(first + 1, last))
    if between and rng.random() < 0.45:
        return [first, *sorted(rng.sample(between, min(len(between), 1 if rng.random() < 0.85 else 2))), last]
    if not between and last <= TICKS - 2 and (draw := rng.random()) < 0.08:
        return [first, *range(last, last + (3 if draw < 0.02 else 2))]
    return [first, last]


def versions_of(
    rng: Random,
    year: Year,
    agency: AgencyYear,
    ticks: Sequence[int],
    received_at: datetime,
    finished_at: datetime,
    *,
    flip: bool,
) -> tuple[Version, ...]:
    """The revisions at those ticks, the last one finished.

    `flip` (of four, finished before the second): the third says by mistake that the result was fetched, the fourth
    takes that back and shows what the second showed, but for the time of change.
    """
    versions: list[Version] = []
    quiet = flip or tuple(ticks[1:]) == OUTAGE_TICKS
    working = rng.sample(_WORKING, len(_WORKING))
    before = received_at
    for position, tick in enumerate(ticks):
        first, last = position == 0, position == len(ticks) - 1
        if first and tick == tick_of(received_at.date()):
            changed = received_at + timedelta(seconds=rng.randrange(60, 900))
        elif last and tick == tick_of(finished_at.date()) and finished_at > before:
            changed = finished_at + timedelta(seconds=rng.randrange(60, 900))
        else:
            changed = office_moment(rng, rng.choice([day for day in year.by_tick[tick] if day > before.date()]))
        fetched_at: datetime | None = None
        if changed < finished_at:
            done, status = None, ACCEPTED if first else IN_PROGRESS
            note = rng.choice(_RECEIVED) if first else working[position]
        elif flip and last:
            done, status, note = finished_at, versions[1].status, versions[1].note
        elif (flip and position == 2) or (
            not flip and last and (changed - finished_at > timedelta(days=1) or rng.random() < 0.3)
        ):
            done, status, note = finished_at, RETURNED, rng.choice(_RETURNED)
            fetched_at = changed - timedelta(seconds=rng.randrange(20, 60))
        else:
            used = {version.note for version in versions}
            done, status, note = finished_at, PROCESSED, rng.choice([note for note in _READY if note not in used])
        steps: tuple[Step, ...] = ()
        if first:
            steps = (Step(changed, agency.desk, "Tiếp nhận hồ sơ và chuyển phòng chuyên môn xử lý", ACCEPTED),)
        elif last:
            steps = _closing(rng, agency, changed, status, None if quiet or finished_at <= before else finished_at)
        elif not quiet and rng.random() < 0.5:
            steps = (Step(changed, agency.expert, note, status),)
        versions.append(Version(tick, changed, status, note, done, fetched_at, steps))
        before = changed
    return tuple(versions)


def _closing(
    rng: Random, agency: AgencyYear, changed: datetime, status: int, signed_at: datetime | None
) -> tuple[Step, ...]:
    """The steps of the last revision, in order of time; the signature where it is news."""
    text = "Trả kết quả cho người nộp hồ sơ" if status == RETURNED else "Nhận kết quả, báo người nộp hồ sơ"
    closing = Step(changed, agency.desk, text, status)
    if signed_at is not None and rng.random() < 0.45:
        return Step(signed_at, agency.head, "Ký duyệt kết quả", IN_PROGRESS), closing
    return (closing,)
