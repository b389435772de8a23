"""Two versions of a source's mappings over the same recorded pages: what comes out otherwise, field by field. Pure.

    tally = Tally()
    compare(page, old, new, tally)      # as many pages as there are

Rows are paired by their place in the page, and by their key where the places do not fit any more. Every row ends in one
of OUTCOMES. Memory grows with the number of fields and of different reasons, not with that of rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mappings import read_all
from mappings.explain import text
from mappings.inbound import InboundMapping
from mappings.rows import NO_PROCEDURES, ReadContext, Row, RowOk, RowRefused
from schemas.agency import AgencyRegister
from schemas.errors import UndecodableError
from schemas.procedure import ProcedureRegister

Outcome: TypeAlias = Literal[
    "same", "changed", "key-changed", "newly-refused", "newly-accepted", "refused", "refused-otherwise", "gone", "new"
]
OUTCOMES: tuple[Outcome, ...] = (
    "same",
    "changed",
    "key-changed",
    "newly-refused",
    "newly-accepted",
    "refused",
    "refused-otherwise",
    "gone",
    "new",
)
"""Of one row: equal records; other values; another key; refused by the new version only, by the old only, by both
alike, by both for other reasons; read by the old version only, by the new only."""

Change: TypeAlias = Literal["changed", "filled", "emptied"]
EXAMPLES = 3
REASONS = 500
"""Different reasons of one outcome that are told apart."""


@dataclass(frozen=True, slots=True)
class Page:
    """One recorded arrival."""

    id: int
    label: str
    charset: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Version:
    """What reads the pages of one source."""

    mappings: Sequence[InboundMapping]
    agencies: AgencyRegister
    procedures: ProcedureRegister = NO_PROCEDURES


@dataclass(frozen=True, slots=True)
class Example:
    """One row in which something differs; `row` names it as `hub items` does. Values are not masked."""

    row: str
    key: str | None
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows are refused by one version and not, or otherwise, by the other."""

    field: str | None
    reason: str


@dataclass(slots=True)
class KindTally:
    """What came out for one kind of record."""

    rows: Counter[Outcome] = field(default_factory=Counter)
    fields: dict[str, Counter[Change]] = field(default_factory=lambda: defaultdict(Counter))
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))
    keys: list[Example] = field(default_factory=list)
    reasons: dict[Outcome, Counter[Reason]] = field(default_factory=lambda: defaultdict(Counter))
    reason_examples: dict[tuple[Outcome, Reason], list[Example]] = field(default_factory=lambda: defaultdict(list))
    other_reasons: Counter[Outcome] = field(default_factory=Counter)
    """Of each outcome the refusals whose reasons are beyond REASONS."""


@dataclass(slots=True)
class Tally:
    """What came out over all pages; by kind."""

    kinds: dict[str, KindTally] = field(default_factory=dict)
    pages: int = 0
    newly_unreadable: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Pages that the old version reads and the new one does not, by the reason."""
    newly_readable: int = 0
    unreadable: int = 0
    """Pages that neither version can read."""

    @property
    def differs(self) -> bool:
        """Whether the new version makes anything otherwise."""
        alike: tuple[Outcome, ...] = ("same", "refused")
        rows = any(count for kind in self.kinds.values() for end, count in kind.rows.items() if end not in alike)
        return rows or bool(self.newly_unreadable or self.newly_readable)

    @property
    def rows(self) -> int:
        return sum(sum(kind.rows.values()) for kind in self.kinds.values())


def compare(page: Page, old: Version, new: Version, tally: Tally) -> None:
    """Read one page with both versions and count what differs."""
    tally.pages += 1
    worse = better = both = ""
    for kind in dict.fromkeys(mapping.kind for version in (old, new) for mapping in version.mappings):
        before, after = _read(page, old, kind), _read(page, new, kind)
        if before is None and after is None:
            continue
        found = tally.kinds.setdefault(kind, KindTally())
        if isinstance(before, str):
            if isinstance(after, str):
                both = after
            else:
                better = before
                _whole(page, after or (), before, "newly-accepted", found)
        elif isinstance(after, str):
            worse = after
            _whole(page, before or (), after, "newly-refused", found)
        else:
            compare_rows(page.id, before or (), after or (), found)
    tally.newly_readable += bool(better and not worse)
    tally.unreadable += bool(both and not worse and not better)
    if worse:
        worse = worse if _roomy(tally.newly_unreadable, worse) else "other reasons"
        tally.newly_unreadable[worse].append(page.id)


def _roomy(reasons: Mapping[str, Any], reason: str) -> bool:
    return reason in reasons or len(reasons) < REASONS


def _read(page: Page, version: Version, kind: str) -> list[Row] | str | None:
    """The rows of one kind, why they cannot be read, or None where no mapping of the kind is for such a page."""
    chosen = [one for one in version.mappings if one.kind == kind and one.applies(page.label)]
    if not chosen:
        return None
    try:
        return read_all(chosen, page.body, page.charset, ReadContext(version.agencies, page.label, version.procedures))
    except UndecodableError as error:
        return str(error)


def _whole(page: Page, rows: Sequence[Row], why: str, outcome: Outcome, tally: KindTally) -> None:
    """Count the rows of a page that one version cannot read at all: what the other refuses, both refuse."""
    for row in rows:
        if isinstance(row, RowOk):
            tally.rows[outcome] += 1
            _note(tally, outcome, Reason(None, why), _example(page.id, row, None, None))
        else:
            tally.rows["refused"] += 1


def compare_rows(page: int, old: Sequence[Row], new: Sequence[Row], tally: KindTally) -> None:
    """Pair the rows of one kind on one page and count each pair."""
    before, after = {row.position: row for row in old}, {row.position: row for row in new}
    loose_old: list[Row] = []
    loose_new: list[Row] = []
    for position in dict.fromkeys((*before, *after)):
        one, other = before.get(position), after.get(position)
        if one is not None and other is not None and not _apart(_key(one), _key(other)):
            _pair(page, one, other, tally)
            continue
        loose_old += [one] if one is not None else []
        loose_new += [other] if other is not None else []
    _pair_loose(page, loose_old, loose_new, tally)


def _pair_loose(page: int, old: Sequence[Row], new: Sequence[Row], tally: KindTally) -> None:
    """Pair by key what its place did not pair, then by place what is left, whose key has then changed."""
    by_key: dict[str, list[Row]] = defaultdict(list)
    for row in reversed(new):
        key = _key(row)
        if key is not None:
            by_key[key].append(row)
    taken: set[int] = set()
    rest: dict[tuple[int, int], Row] = {}
    for row in old:
        same = by_key.get(_key(row) or "")
        if same:
            other = same.pop()
            taken.add(id(other))
            _pair(page, row, other, tally)
        else:
            rest[row.position] = row
    for row in new:
        if id(row) in taken:
            continue
        one = rest.pop(row.position, None)
        if one is None:
            tally.rows["new"] += 1
        else:
            _pair(page, one, row, tally)
    tally.rows["gone"] += len(rest)


def _key(row: Row) -> str | None:
    return row.record.key if isinstance(row, RowOk) else row.key


def _apart(old: str | None, new: str | None) -> bool:
    return old is not None and new is not None and old != new


def _pair(page: int, old: Row, new: Row, tally: KindTally) -> None:
    outcome = _judge(page, old, new, tally)
    tally.rows[outcome] += 1
    if outcome in ("newly-refused", "refused-otherwise") and isinstance(new, RowRefused):
        _refused(page, outcome, new, tally)
    elif outcome == "newly-accepted" and isinstance(old, RowRefused):
        _refused(page, outcome, old, tally)


def _judge(page: int, old: Row, new: Row, tally: KindTally) -> Outcome:
    if isinstance(old, RowRefused):
        if isinstance(new, RowOk):
            return "newly-accepted"
        return "refused" if _why(old) == _why(new) else "refused-otherwise"
    if isinstance(new, RowRefused):
        return "newly-refused"
    if old.record == new.record:
        return "same"
    _fields(page, old, new, tally)
    if old.record.key == new.record.key:
        return "changed"
    if len(tally.keys) < EXAMPLES:
        tally.keys.append(_example(page, new, old.record.key, new.record.key))
    return "key-changed"


def _why(row: RowRefused) -> tuple[Any, ...]:
    return (row.verdict, *((one.field, one.reason, one.value) for one in row.error.problems))


def _fields(page: int, old: RowOk, new: RowOk, tally: KindTally) -> None:
    for name in type(new.record).model_fields:
        was, now = getattr(old.record, name, None), getattr(new.record, name)
        if was == now:
            continue
        how: Change = "filled" if was is None else "emptied" if now is None else "changed"
        tally.fields[name][how] += 1
        if len(tally.examples[name]) < EXAMPLES:
            tally.examples[name].append(_example(page, new, text(was), text(now)))


def _refused(page: int, outcome: Outcome, row: RowRefused, tally: KindTally) -> None:
    for one in row.error.problems:
        _note(tally, outcome, Reason(one.field, one.reason), _example(page, row, one.value, None))


def _note(tally: KindTally, outcome: Outcome, reason: Reason, example: Example) -> None:
    counts = tally.reasons[outcome]
    if reason not in counts and len(counts) >= REASONS:
        tally.other_reasons[outcome] += 1
        return
    counts[reason] += 1
    kept = tally.reason_examples[outcome, reason]
    if len(kept) < EXAMPLES:
        kept.append(example)


def _example(page: int, row: Row, old: str | None, new: str | None) -> Example:
    return Example(f"{page}.{row.position[0]}.{row.position[1]}", _key(row), old, new)
