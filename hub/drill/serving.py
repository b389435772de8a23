"""What is shown when, and what is true of it: the pages of every source, and per destination what must arrive. Pure.

Dossiers are dealt into groups. At each tick one group is new, the one before it has its second revision, the one before
that its third: so whatever a tick meets, it meets creates, updates and steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.drill.multiply import REVISIONS, Numbers, Reader, Template, check
from hub.drill.samples import Media
from hub.drill.verdict import Key, Served
from mappings.rows import RowOk
from schemas.errors import HubError, UndecodableError
from schemas.record import Record

BLOCK = 2
"""Pages of one template in a row that a source shows before it takes its next template."""


class ServingError(HubError):
    """A page that was tried with some numbers does not work with others."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one source, shown at one tick."""

    source: str
    label: str
    media: Media
    charset: str | None
    body: bytes


@dataclass(slots=True)
class _Copy:
    """One page's worth of dossiers of their own."""

    source: str
    made: Template
    numbers: dict[str, str]
    group: int


@dataclass(slots=True)
class Serving:
    """Everything that will be shown."""

    ticks: list[list[Page]] = field(default_factory=list)
    served: dict[str, Served] = field(default_factory=dict)
    """Per destination."""
    records: dict[str, int] = field(default_factory=dict)
    """Per source, how many dossiers it shows."""
    events: int = 0
    once: dict[str, list[str]] = field(default_factory=dict)
    """Per source, what could not be multiplied and is shown once, with the reason."""

    @property
    def dossiers(self) -> int:
        return sum(self.records.values())


def serve(
    templates: Mapping[str, Sequence[Template]], readers: Mapping[str, Reader], dossiers: int, ticks: int
) -> Serving:
    """Deal `dossiers` over the sources and `ticks` ticks (at least so many as there are revisions)."""
    groups = max(1, ticks - REVISIONS + 1)
    made = Serving(ticks=[[] for _ in range(groups + REVISIONS - 1)])
    copies = _copies(templates, dossiers, groups, made)
    shown: dict[str, dict[Key, list[tuple[str, Record]]]] = defaultdict(lambda: defaultdict(list))
    for copy in copies:
        for revision in range(1, copy.made.revisions + 1):
            page, records = _page(copy, revision, readers[copy.source])
            made.ticks[copy.group + revision - 1].append(page)
            for record in records:
                shown[copy.source][record.kind, record.key].append((copy.source, record))
    _truth(made, shown, readers)
    return made


def _copies(templates: Mapping[str, Sequence[Template]], dossiers: int, groups: int, made: Serving) -> list[_Copy]:
    numbers = Numbers({text for found in templates.values() for one in found for text in one.numbers.values()})
    owners = [source for source, found in templates.items() if any(one.owned for one in found)]
    copies: list[_Copy] = []
    used: set[str] = set()
    turns = 0
    while owners and (made.dossiers < dossiers or turns < max(groups, 1)):
        before = len(copies)
        for at, source in enumerate(owners):
            if made.dossiers >= dossiers and turns >= 1 and (at + turns) % len(owners):
                continue  # every group gets something, every source shows something, and no more than asked for
            one = _chosen(templates[source], turns // BLOCK, used)
            if one is None:
                continue
            fresh = {text: text if one.why else numbers.fresh(text) for text in one.numbers.values()}
            used |= one.owned if one.why else set()
            copies.append(_Copy(source, one, fresh, (turns + at) % groups))
            made.records[source] = made.records.get(source, 0) + len(one.owned)
            if one.why:
                made.once.setdefault(source, []).append(f"{one.sample.origin}: {one.why}")
        turns += 1
        if len(copies) == before and turns > groups:
            break
    return copies + _followers(templates, copies)


def _chosen(found: Sequence[Template], turn: int, used: set[str]) -> Template | None:
    """The next template of a source; one that cannot be multiplied only as long as nobody has shown its dossiers."""
    whole = [one for one in found if one.owned and not one.why]
    once = [one for one in found if one.owned and one.why and not one.owned & used]
    if whole:
        return whole[turn % len(whole)]
    return once[0] if once else None


def _followers(templates: Mapping[str, Sequence[Template]], copies: Sequence[_Copy]) -> list[_Copy]:
    """Events alone, for the dossiers of another source: of the one whose numbers and name are most alike."""
    made: list[_Copy] = []
    for source, found in templates.items():
        alone = [one for one in found if not one.owned and not one.why]
        if not alone or any(one.owned for one in found):
            continue
        lane = next(iter(alone[0].numbers))

        def alike(copy: _Copy, lane: str = lane, source: str = source) -> tuple[int, int]:
            return max((_common(lane, text) for text in copy.numbers), default=0), _common(source, copy.source)

        leader = max((copy for copy in copies if not copy.made.why), key=alike, default=None)
        if leader is None:
            continue
        for at, copy in enumerate(one for one in copies if one.source == leader.source and not one.made.why):
            one = alone[at % len(alone)]
            others = iter([fresh for text, fresh in copy.numbers.items() if text not in one.numbers.values()])
            named = {text: copy.numbers.get(text) or next(others, "") for text in one.numbers.values()}
            numbers = {text: fresh for text, fresh in named.items() if fresh}
            if len(numbers) == len(one.numbers):
                made.append(_Copy(source, one, numbers, copy.group))
    return made


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _page(copy: _Copy, revision: int, reader: Reader) -> tuple[Page, list[Record]]:
    """A page and its records; one that does not come out as meant is shown all the same, as what it is."""
    sample = copy.made.sample
    body = sample.body if copy.made.why else copy.made.page(copy.numbers, revision)
    try:
        rows = reader.rows(body, sample)
    except UndecodableError:
        rows = []
    if not copy.made.why and not check(copy.made, rows, copy.numbers):
        said = f"sources.{copy.source}: {sample.origin}: under other numbers its records come out other than they were"
        raise ServingError(f"{said} — give it another sample: samples: FOLDER")
    page = Page(copy.source, sample.label, sample.media, sample.charset, body)
    return page, [row.record for row in rows if isinstance(row, RowOk)]


def _truth(
    made: Serving, shown: Mapping[str, Mapping[Key, Sequence[tuple[str, Record]]]], readers: Mapping[str, Reader]
) -> None:
    """What each destination has to get: snapshots where they are routed to, events where their snapshot is."""
    lanes: dict[str, set[str]] = defaultdict(set)
    for source, keys in shown.items():
        for key, states in keys.items():
            if states[0][1].event:
                continue
            for _, record in states:
                for name, digest in readers[source].seen(record).items():
                    served = made.served.setdefault(name, Served())
                    served.snapshots.setdefault(key, []).append(digest)
                    served.lanes[key] = record.lane
                    lanes[name].add(record.lane)
    for source, keys in shown.items():
        for key, states in keys.items():
            record = states[0][1]
            if not record.event:
                continue
            made.events += 1
            for name, digest in readers[source].seen(record).items():
                if record.lane in lanes[name]:
                    made.served[name].events[key] = digest
                    made.served[name].lanes[key] = record.lane
