"""Refused items for people: parked and rejected rows, pages that cannot be read, records that no route takes.

An item is named by `ARRIVAL.ROW.PART`, a page or file that cannot be read by `ARRIVAL`. What a later row has put right
is not listed, nor what a person has dismissed. Searching reads the refused rows one after the other and keeps no more
than is shown: texts are compared as people read them (NFC, whatever the case), which no database does alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unicodedata import normalize

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx, insert_many
from hub.ledger.pages import unpack
from hub.ledger.tracing import came_right
from hub.ledger.values import from_us, to_us
from schemas.errors import OperationRefused
from schemas.record import lane_of

STATES = ("rejected", "parked", "unreadable", "no-route")
"""What a refused item is: the sender's fault, ours, a page that cannot be read, a record that nobody wants."""

ID = r"^[0-9]{1,18}(?:\.[0-9]{1,9}\.[0-9]{1,9})?$"
"""An item's printable id, as a pattern."""

CAUSES = 100
"""Causes that a summary names, the most frequent first."""

WHOLE = (-1, -1)
"""The place of a page or file that cannot be read, as a whole."""

_CHUNK = 500

Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which refused items are meant; None does not narrow."""

    source: str | None = None
    state: str | None = None
    """One of STATES."""
    kind: str | None = None
    agency: str | None = None
    """A canonical code; only items of which it is known."""
    field: str | None = None
    """The target field of one of its refused values."""
    path: str | None = None
    """A part of the place in the source's row of one of them."""
    text: str | None = None
    """Anywhere in what was found, what is wrong with it, the key and the name of the page."""
    key: str | None = None
    since: datetime | None = None
    """Read at or after this."""
    until: datetime | None = None
    """Read before this."""
    everything: bool = False
    """Those that no route takes too, who are left out else."""
    dismissed: bool = False
    """Those that a person has dismissed, instead of those that are open."""
    limit: int = 100
    """At most so many are shown; everything is counted."""


@dataclass(frozen=True, slots=True)
class ItemFault:
    """One value that was refused."""

    field: str | None
    """The target field in the record."""
    path: str | None
    """Where in the source's row the value stood."""
    value: str | None
    """The value found there, unmasked."""
    reason: str
    mapping: str | None = None
    verdict: str = "reject"


@dataclass(frozen=True, slots=True)
class Dismissed:
    """Who has dealt with an item, why and when."""

    who: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One refused item."""

    id: str
    state: str
    """One of STATES."""
    source: str
    arrival_label: str
    """The page or file: `LayDanhSachHoSo page 3`."""
    read_at: datetime
    kind: str | None
    key: str | None
    dossier: str | None
    """The dossier that it is about, where that could be read."""
    agency: str | None
    """Whose it is: as the row says, else as the accepted record of this source says; None where neither does."""
    faults: tuple[ItemFault, ...]
    """At least one."""
    dismissed: Dismissed | None = None

    @property
    def arrival_id(self) -> int:
        return int(self.id.partition(".")[0])

    @property
    def position(self) -> Position:
        """Row and part within the arrival; WHOLE for a page or file that cannot be read."""
        return parse_id(self.id)[1]


@dataclass(frozen=True, slots=True)
class Cause:
    """What several items were refused for."""

    source: str
    state: str
    field: str | None
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: how many in all, of what, and the oldest of them."""

    total: int
    causes: tuple[Cause, ...]
    """The most frequent first, at most CAUSES."""
    other_causes: int
    """Causes beyond these."""
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ItemDetail:
    """One refused item with the bytes that it came in."""

    item: Item
    came_right: bool
    """A later arrival brought the same key and it was accepted: nobody has to do anything."""
    media: str
    charset: str | None
    body: bytes | None
    """The whole page or file; None where it is pruned."""
    reads: int = 1
    """How often a page that cannot be read came, with the same bytes."""


def fold(text: str) -> str:
    """A text as searching compares it."""
    return normalize("NFC", text).casefold()


def parse_id(text: str) -> tuple[int, Position]:
    """The arrival and the place in it that an id names. Raises: ValueError for a text that is no id."""
    if not re.fullmatch(ID, text):
        raise ValueError(f"{text!r} is no item; `hub items list` shows their names: 412.3.0, or 412 for a whole page")
    arrival, *place = (int(part) for part in text.split("."))
    return arrival, (place[0], place[1]) if place else WHOLE


def id_of(arrival_id: int, position: Position) -> str:
    """The printable id of an item."""
    return str(arrival_id) if position == WHOLE else f"{arrival_id}.{position[0]}.{position[1]}"


# --- reading ----------------------------------------------------------------------------------------------------------


def search(connection: sa.Connection, wanted: ItemFilter) -> Found:
    """Count everything that is meant by its cause, and return the oldest `wanted.limit` of it."""
    total = 0
    causes: Counter[tuple[str, str, str | None, str]] = Counter()
    kept: list[Item] = []
    for item in stream(connection, wanted):
        total += 1
        fault = item.faults[0]
        causes[item.source, item.state, fault.field, fault.reason] += 1
        if len(kept) < wanted.limit:
            kept.append(item)
    told = tuple(Cause(*cause, count) for cause, count in causes.most_common(CAUSES))
    return Found(total, told, len(causes) - len(told), tuple(_with_agencies(connection, kept)))


def stream(connection: sa.Connection, wanted: ItemFilter, *, agencies: bool = False) -> Iterator[Item]:
    """Yield what is meant, rows first, then whole pages, each oldest first.

    The agency that only an accepted record knows is filled in where it is asked for, by the filter or by `agencies`.
    """
    needed = agencies or wanted.agency is not None
    for query, make in _queries(wanted):
        rows = connection.execute(query.execution_options(yield_per=_CHUNK))
        for chunk in rows.partitions(_CHUNK):
            items: Iterable[Item] = [make(row) for row in chunk]
            if needed:
                items = _with_agencies(connection, items)
            yield from (item for item in items if _fits(item, wanted))


def detail(connection: sa.Connection, id_: str) -> ItemDetail:
    """One item, whatever became of it since. Raises: KeyError where no refused item has this id."""
    arrival_id, position = parse_id(id_)
    [item] = named(connection, [id_]).values()
    a = t.arrival.c
    page = connection.execute(sa.select(a.body, a.media, a.charset, a.reads).where(a.id == arrival_id)).one()
    right = False
    if position != WHOLE:
        i = t.item.c
        mine = (i.arrival_id == arrival_id) & (i.row == position[0]) & (i.part == position[1])
        right = bool(connection.execute(sa.select(came_right()).select_from(t.item).where(mine)).scalar())
    body = None if page.body is None else unpack(page.body)
    return ItemDetail(item, right, page.media, page.charset, body, page.reads)


def named(connection: sa.Connection, ids: Collection[str]) -> dict[str, Item]:
    """The items of these ids, in this order, dismissed or not. Raises: KeyError with those that there are not."""
    found: dict[str, Item] = {}
    arrivals = sorted({parse_id(id_)[0] for id_ in ids})
    for at in range(0, len(arrivals), _CHUNK):
        some = arrivals[at : at + _CHUNK]
        rows = _rows().where(t.item.c.arrival_id.in_(some), t.item.c.state.in_(("rejected", "parked", "no-route")))
        pages = _pages().where(t.arrival.c.id.in_(some), t.arrival.c.state == "parked")
        for query, make in ((rows, _item), (pages, _page)):
            items = _with_agencies(connection, [make(row) for row in connection.execute(query)])
            found |= {item.id: item for item in items}
    lacking = [id_ for id_ in ids if id_ not in found]
    if lacking:
        raise KeyError(*lacking)
    return {id_: found[id_] for id_ in ids}


def is_dismissed(arrival_id: Any, row: Any, part: Any) -> sa.Exists:
    """Whether a person has dealt with an item otherwise."""
    x = t.dismissal.c
    return sa.exists().where(x.arrival_id == arrival_id, x.row == row, x.part == part)


def _queries(wanted: ItemFilter) -> Iterator[tuple[sa.Select[Any], Any]]:
    i, a, x = t.item.c, t.arrival.c, t.dismissal.c
    states = {"rejected", "parked"} | ({"no-route"} if wanted.everything else set())
    if wanted.state is not None:
        states = {wanted.state} - {"unreadable"}
    common: list[sa.ColumnElement[bool]] = []
    if wanted.source is not None:
        common.append(a.source == wanted.source)
    if wanted.since is not None:
        common.append(a.received_us >= to_us(wanted.since))
    if wanted.until is not None:
        common.append(a.received_us < to_us(wanted.until))
    common.append(x.operation_id.isnot(None) if wanted.dismissed else x.operation_id.is_(None))
    if states:
        rows = _rows().where(i.state.in_(sorted(states)), *common)
        rows = rows.order_by(_sorted(i.arrival_id), i.row, i.part)
        if "no-route" not in states:
            # Refused rows have their digest kept, so that they are known again, and an index of their own.
            rows = rows.where(i.raw_digest > "")
        if not wanted.dismissed:
            rows = rows.where(~came_right())
        for column, value in ((i.kind, wanted.kind), (i.key, wanted.key)):
            if value is not None:
                rows = rows.where(column == value)
        yield rows, _item
    if wanted.state in (None, "unreadable") and wanted.kind is None and wanted.key is None and wanted.field is None:
        few = a.state == sa.literal_column("'parked'"), a.source > ""
        yield _pages().where(*few, *common).order_by(_sorted(a.id)), _page


def _sorted(column: Any) -> Any:
    """To order by, without going through a whole table in the order of its key to find the few that are meant."""
    return column + sa.literal_column("0")


def _rows() -> sa.Select[Any]:
    i, a, x, o = t.item.c, t.arrival.c, t.dismissal.c, t.operation.c
    mine = (x.arrival_id == i.arrival_id) & (x.row == i.row) & (x.part == i.part)
    return (
        sa.select(
            i.arrival_id, i.row, i.part, i.kind, i.state, i.key, i.reason, i.problems, a.source, a.label,
            a.received_us, o.who, o.why, o.at_us,
        )
        .join_from(t.item, t.arrival, a.id == i.arrival_id)
        .outerjoin(t.dismissal, mine)
        .outerjoin(t.operation, o.id == x.operation_id)
    )  # fmt: skip


def _pages() -> sa.Select[Any]:
    a, x, o = t.arrival.c, t.dismissal.c, t.operation.c
    mine = (x.arrival_id == a.id) & (x.row == WHOLE[0]) & (x.part == WHOLE[1])
    return (
        sa.select(a.id, a.problem, a.source, a.label, a.received_us, o.who, o.why, o.at_us)
        .outerjoin_from(t.arrival, t.dismissal, mine)
        .outerjoin(t.operation, o.id == x.operation_id)
    )


def _item(row: Any) -> Item:
    problems = orjson.loads(row.problems) if row.problems else []
    first = problems[0] if problems else {}
    faults = tuple(
        ItemFault(
            one.get("field"), one.get("path"), one.get("value"), one.get("reason") or "", one.get("mapping"),
            one.get("verdict") or "reject",
        )
        for one in problems
    )  # fmt: skip
    return Item(
        id=id_of(row.arrival_id, (row.row, row.part)),
        state=row.state,
        source=row.source,
        arrival_label=row.label,
        read_at=from_us(row.received_us),
        kind=row.kind or None,
        key=row.key,
        dossier=first.get("lane") or (lane_of(row.kind, row.key) if row.key else None),
        agency=first.get("agency"),
        faults=faults or (ItemFault(None, None, None, row.reason or ""),),
        dismissed=_dismissed(row),
    )


def _page(row: Any) -> Item:
    return Item(
        id=str(row.id), state="unreadable", source=row.source, arrival_label=row.label,
        read_at=from_us(row.received_us), kind=None, key=None, dossier=None, agency=None,
        faults=(ItemFault(None, None, None, row.problem or ""),), dismissed=_dismissed(row),
    )  # fmt: skip


def _dismissed(row: Any) -> Dismissed | None:
    return None if row.who is None else Dismissed(row.who, row.why or "", from_us(row.at_us))


def _with_agencies(connection: sa.Connection, items: Iterable[Item]) -> list[Item]:
    """Fill in the agency of accepted records of the same source; another source's record says nothing of this one's."""
    listed = list(items)
    asked = sorted({item.dossier for item in listed if item.agency is None and item.dossier is not None})
    known: dict[tuple[str, str], str] = {}
    h = t.head.c
    for at in range(0, len(asked), _CHUNK):
        heads = sa.select(h.source, h.key, h.agency).where(h.key.in_(asked[at : at + _CHUNK]), h.agency.isnot(None))
        known |= {(row.source, row.key): row.agency for row in connection.execute(heads)}
    return [
        replace(item, agency=known.get((item.source, item.dossier or ""))) if item.agency is None else item
        for item in listed
    ]


def _fits(item: Item, wanted: ItemFilter) -> bool:
    """Whether an item is meant, by what no query asks."""
    if wanted.agency is not None and (item.agency is None or fold(item.agency) != fold(wanted.agency)):
        return False
    if wanted.field is not None and all(fault.field != wanted.field for fault in item.faults):
        return False
    if wanted.path is not None and not any(fold(wanted.path) in fold(fault.path or "") for fault in item.faults):
        return False
    if wanted.text is None:
        return True
    told = [item.key or "", item.arrival_label]
    told += [part for fault in item.faults for part in (fault.reason, fault.value or "", fault.path or "")]
    return fold(wanted.text) in fold("\n".join(told))


# --- what people do ---------------------------------------------------------------------------------------------------


def choose(connection: sa.Connection, ids: Sequence[str], wanted: ItemFilter) -> list[tuple[int, Position]]:
    """What a person means by ids, or without any by a filter, in the order of the arrivals.

    Raises: OperationRefused naming the ids that there are not.
    """
    if not ids:
        return [(item.arrival_id, item.position) for item in stream(connection, wanted)]
    try:
        found = named(connection, list(dict.fromkeys(ids)))
    except KeyError as unknown:
        which = ", ".join(unknown.args)
        mend = "`hub items list --all` has those that there are"
        raise OperationRefused(f"there is no refused item {which}: it never was, or it came right; {mend}") from unknown
    return sorted((item.arrival_id, item.position) for item in found.values())


def dismiss(tx: Tx, ids: Sequence[str], wanted: ItemFilter, by: By) -> int:
    """Write down that a person has dealt with items; returns how many were not dismissed before.

    Raises: OperationRefused as `choose`.
    """
    x = t.dismissal.c
    before = {(one.arrival_id, (one.row, one.part)) for one in tx.execute(sa.select(x.arrival_id, x.row, x.part))}
    chosen = [place for place in choose(tx.connection, ids, wanted) if place not in before]
    if not chosen:
        return 0
    subject = ", ".join(ids) if 0 < len(ids) <= 20 else f"{len(chosen)} items"
    detail = {"items": [id_of(*place) for place in chosen[:1000]]}
    operation = note(tx, by, "dismiss", subject, count=len(chosen), detail=detail)
    columns = ("arrival_id", "row", "part", "operation_id")
    insert_many(tx, t.dismissal, columns, [(arrival, *place, operation) for arrival, place in chosen], ignore=True)
    return len(chosen)
