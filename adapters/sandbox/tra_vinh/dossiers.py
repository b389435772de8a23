"""The 2,002 dossiers of the year, deterministic: the same seed gives the same dossiers, to the letter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from random import Random
from typing import Literal

from adapters.sandbox.tra_vinh.agencies import AGENCIES, AgencyYear
from adapters.sandbox.tra_vinh.course import (
    FIRST_DAY,
    LAST_DAY,
    OUTAGE_TICKS,
    TICKS,
    Dossier,
    Version,
    Year,
    office_moment,
    tick_of,
    ticks_of,
    versions_of,
)
from adapters.sandbox.tra_vinh.people import applicant
from adapters.sandbox.tra_vinh.procedures import PROCEDURES, Procedure
from schemas.calendar import WorkingCalendar

SEED = 2017
OUTAGE_DOSSIERS = 420
"""How many get two revisions without a step between them while the national portal is down."""
BROKEN_AGENCY = "so-tnmt"
FLIP_AGENCY = "so-vhttdl"
_RECEIPTS = {1: 0.8, 2: 0.9, 3: 1.3, 4: 1.9}
"""How busy a tick is with receipts, 1.0 where not given; the last tick has none, so that every dossier gets two."""

Trouble = Literal["unknown-status", "impossible-date", "missing-number"]


@dataclass(frozen=True, slots=True)
class Broken:
    """A version that the agency's software shows wrongly, once, at the tick before the right one."""

    trouble: Trouble
    dossier: Dossier
    version: Version
    """What it should have shown; its tick is when the broken one is shown."""
    mended_tick: int


@dataclass(frozen=True, slots=True)
class Course:
    """Everything that happens in the year."""

    dossiers: tuple[Dossier, ...]
    broken: tuple[Broken, ...]
    flipped: str
    """The number of the dossier that goes A, B, A."""


@dataclass(frozen=True, slots=True)
class _Plan:
    agency: AgencyYear
    procedure: Procedure
    received_at: datetime
    due_at: datetime
    finished_at: datetime

    @property
    def first(self) -> int:
        return tick_of(self.received_at.date())

    @property
    def finished(self) -> int:
        return tick_of(self.finished_at.date())


def make(calendar: WorkingCalendar | None = None, seed: int = SEED) -> Course:
    """Make the year."""
    rng = Random(seed)
    year = Year(calendar or WorkingCalendar())
    plans = [plan for agency in AGENCIES for plan in _plans(rng, year, agency)]
    plans.sort(key=lambda plan: (plan.received_at, plan.agency.slug))
    outage = _outage(rng, plans)
    flip = next(
        n for n, plan in enumerate(plans)
        if plan.agency.slug == FLIP_AGENCY and plan.first == plan.finished == OUTAGE_TICKS[1] + 1
    )  # fmt: skip
    troubles = _troubles(plans, outage)
    serials: dict[tuple[str, date], int] = {}
    dossiers: list[Dossier] = []
    broken: list[Broken] = []
    for n, plan in enumerate(plans):
        day = plan.received_at.date()
        serials[plan.agency.slug, day] = serial = serials.get((plan.agency.slug, day), 0) + 1
        number = f"{plan.agency.old_code}-{day:%y%m%d}-{serial:04d}"
        ticks = ticks_of(rng, plan.first, plan.finished, outage=n in outage)
        if n == flip:
            ticks = [plan.first + step for step in range(4)]
        elif n in troubles:
            ticks = [plan.first, plan.first + 1, plan.first + 2]
        versions = versions_of(rng, year, plan.agency, ticks, plan.received_at, plan.finished_at, flip=n == flip)
        trouble = troubles.get(n)
        wrong = None
        if trouble is not None:
            wrong, versions = _break(trouble, versions)
        dossier = Dossier(
            number=number,
            agency=plan.agency,
            procedure=plan.procedure,
            applicant=applicant(rng, plan.procedure.kinds),
            channel=rng.choices((1, 2, 3), (80, 15, 5) if plan.procedure.level >= 3 else (95, 0, 5))[0],
            received_at=plan.received_at,
            due_at=plan.due_at,
            finished_at=plan.finished_at,
            versions=versions,
        )
        dossiers.append(dossier)
        if trouble is not None and wrong is not None:
            mended = next(version.tick for version in versions if version.tick > wrong.tick)
            broken.append(Broken(trouble, dossier, wrong, mended))
    return Course(tuple(dossiers), tuple(broken), dossiers[flip].number)


def _plans(rng: Random, year: Year, agency: AgencyYear) -> list[_Plan]:
    """The receipts of one agency with their due and finish times, as many early, on the due date and late as it had."""
    receipt_ticks = list(range(1, TICKS))
    weights = [_RECEIPTS.get(tick, 1.0) for tick in receipt_ticks]
    outcomes = ["late"] * agency.late + ["on"] * agency.on_due_date + ["early"] * agency.early
    plans: list[_Plan] = []
    for outcome in outcomes:
        while True:
            day = rng.choice(year.by_tick[rng.choices(receipt_ticks, weights)[0]])
            procedure = rng.choice(PROCEDURES[agency.slug])
            received_at = office_moment(rng, day)
            due_at = year.calendar.due(received_at, procedure.days).astimezone(received_at.tzinfo)
            finished_at = _finish(rng, year, outcome, received_at, due_at)
            # Late ones of December would end outside the demo's year; another draw costs nothing.
            if finished_at is not None and finished_at.date() <= LAST_DAY:
                break
        plans.append(_Plan(agency, procedure, received_at, due_at, finished_at))
    return plans


def _finish(rng: Random, year: Year, outcome: str, received_at: datetime, due_at: datetime) -> datetime | None:
    due = due_at.date()
    if outcome == "on":
        day = due
    elif outcome == "late":
        day = year.shifted(due, rng.choice((1, 1, 1, 2, 2, 3, 4, 5, 8, 12)))
    else:
        room = year.index[due] - year.index[received_at.date()]
        day = year.shifted(due, -rng.randrange(1, max(2, room // 2 + 1)))
    finished_at = office_moment(rng, day)
    return finished_at if finished_at > received_at and day >= FIRST_DAY else None


def _outage(rng: Random, plans: list[_Plan]) -> set[int]:
    able = [n for n, plan in enumerate(plans) if 2 <= plan.first < OUTAGE_TICKS[0] and plan.finished <= OUTAGE_TICKS[1]]
    late_ones_first = sorted(able, key=lambda n: (-plans[n].first, rng.random()))
    return set(late_ones_first[:OUTAGE_DOSSIERS])


def _troubles(plans: list[_Plan], outage: set[int]) -> dict[int, Trouble]:
    """Three dossiers of one agency, away from the outage, each long enough under way to show three states."""
    able = [
        n for n, plan in enumerate(plans)
        if plan.agency.slug == BROKEN_AGENCY and n not in outage and plan.finished == plan.first + 1 <= TICKS - 1
    ]  # fmt: skip
    kinds: tuple[Trouble, ...] = ("unknown-status", "impossible-date", "missing-number")
    starts = (2, OUTAGE_TICKS[1] + 1, OUTAGE_TICKS[1] + 2)
    chosen: dict[int, Trouble] = {}
    for kind, start in zip(kinds, starts, strict=True):
        chosen[next(n for n in able if plans[n].first == start and n not in chosen)] = kind
    return chosen


def _break(trouble: Trouble, versions: tuple[Version, ...]) -> tuple[Version, tuple[Version, ...]]:
    """Take one version out of a course of three, to be shown broken; its steps come with the next one."""
    at = 1 if trouble == "unknown-status" else 0
    wrong, after = versions[at], versions[at + 1]
    mended = replace(after, steps=wrong.steps + after.steps)
    return replace(wrong, steps=()), (*versions[:at], mended, *versions[at + 2 :])
