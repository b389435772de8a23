"""Dead letters as people ask about them: which there are, of which causes, and all that is known of one. Reads only.

A search yields numbers; what is shown of them is read page by page, so that a hundred thousand take as little memory
as one, and no read lasts long (R15).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from unicodedata import normalize

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.deeds import deeds
from hub.ledger.pages import unpack
from hub.ledger.tracing import content_of, dispatch_events, place_of
from hub.ledger.values import from_us, to_us
from hub.ledger.views import DeadCall, DeadCause, DeadDetail, DeadFilter, DeadIndex, DeadLetter, Follower

PAGE = 500
"""Dead letters read at a time."""

_AT_ONCE = 5_000
"""Rows of a search held at a time."""
_SHOWN = 20
"""Followers named of each."""
_PARTS = re.compile(r"[./\[\]]+")


def find(connection: sa.Connection, wanted: DeadFilter) -> DeadIndex:
    """Find what is wanted: numbers up to its limit, causes of all."""
    d, f = t.dispatch.c, t.fault.c
    fits = _test(wanted)
    columns: list[Any] = [d.id, d.destination, f.fault, f.code]
    if fits is not None:
        columns += [sa.func.coalesce(f.text, d.reason).label("text"), f.path]
    query = _narrowed(sa.select(*columns).select_from(_with_last_fault()), wanted).order_by(d.id)
    ids: list[int] = []
    causes: Counter[tuple[str, str, str]] = Counter()
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        if fits is None or fits(row):
            causes[row.destination, row.fault or "", row.code or ""] += 1
            if len(ids) < wanted.limit:
                ids.append(row.id)
    return DeadIndex(ids, [DeadCause(*cause, count) for cause, count in causes.most_common()])


def _with_last_fault() -> Any:
    """Dead dispatches with their records' heads and what killed them: the last of their faults."""
    d, h, f, last = t.dispatch.c, t.head.c, t.fault.c, t.fault.alias("last").c
    # The sum keeps PostgreSQL from walking all faults backwards by their ids, which it takes for the quick way.
    newest = sa.select(sa.func.max(last.id + 0)).where(last.dispatch_id == d.id).scalar_subquery()
    return t.dispatch.join(t.head, h.id == d.head_id).outerjoin(t.fault, f.id == newest)


def _narrowed(query: sa.Select[Any], wanted: DeadFilter) -> sa.Select[Any]:
    d, h, f = t.dispatch.c, t.head.c, t.fault.c
    query = query.where(t.is_dead)
    equal = {
        d.destination: wanted.destination, d.kind: wanted.kind, h.agency: wanted.agency, h.source: wanted.source,
        f.fault: wanted.fault, f.code: wanted.code,
    }  # fmt: skip
    for column, value in equal.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.key is not None:
        # A dossier's number finds its steps too: they share its lane.
        query = query.where(sa.or_(h.key == wanted.key, h.lane == wanted.key))
    if wanted.since is not None:
        query = query.where(d.ended_us >= to_us(wanted.since))
    if wanted.until is not None:
        query = query.where(d.ended_us < to_us(wanted.until))
    return query


def folded(text: str) -> str:
    """A text as it is searched: composed, without regard to capitals; `đ` is not `d`, nor `ã` an `a`."""
    return normalize("NFC", normalize("NFC", text).casefold())


def _test(wanted: DeadFilter) -> Callable[[Any], bool] | None:
    """What the databases would judge differently: Vietnamese capitals, and the parts of a path."""
    if wanted.text is None and wanted.field is None:
        return None
    text = None if wanted.text is None else folded(wanted.text)

    def fits(row: Any) -> bool:
        if text is not None and text not in folded(row.text or ""):
            return False
        return wanted.field is None or names(row.path, wanted.field)

    return fits


def names(path: str | None, field: str) -> bool:
    """Whether a fault's path names this field: it is the path, or its last part (indexes aside)."""
    if not path:
        return False
    parts = [part for part in _PARTS.split(path) if part and not part.isdigit()]
    return field == path or parts[-1:] == [field]


def page(connection: sa.Connection, ids: Sequence[int]) -> list[DeadLetter]:
    """Read dead letters by their numbers, oldest first; those that are dead no more are left out."""
    found: list[DeadLetter] = []
    for some in _pieces(sorted(set(ids))):
        query = _letters().where(t.is_dead, t.dispatch.c.id.in_(some)).order_by(t.dispatch.c.id)
        found += [_letter(row) for row in connection.execute(query)]
    return found


def contents(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Mapping[str, Any] | None]:
    """The records of dispatches by their numbers; None where retention has pruned it (R16)."""
    d, r, a = t.dispatch.c, t.revision.c, t.arrival.c
    found: dict[int, Mapping[str, Any] | None] = {}
    for some in _pieces(ids):
        query = (
            sa.select(d.id, r.arrival_id, r.offset_bytes, r.size_bytes)
            .join_from(t.dispatch, t.revision, (r.head_id == d.head_id) & (r.number == d.number))
            .where(d.id.in_(some))
            .order_by(r.arrival_id)
        )
        # Each page is unpacked once, and one at a time.
        for arrival_id, rows in groupby(connection.execute(query).all(), lambda row: row.arrival_id):
            packed = connection.execute(sa.select(a.records).where(a.id == arrival_id)).scalar()
            page = None if packed is None else unpack(packed)
            for row in rows:
                body = None if page is None else page[row.offset_bytes : row.offset_bytes + row.size_bytes]
                found[row.id] = None if body is None else orjson.loads(body)
    return found


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(ids), PAGE):
        yield ids[at : at + PAGE]


def states(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """The states of dispatches by their numbers."""
    d = t.dispatch.c
    found: dict[int, str] = {}
    for some in _pieces(ids):
        found.update((row.id, row.state) for row in connection.execute(sa.select(d.id, d.state).where(d.id.in_(some))))
    return found


def doubtful(connection: sa.Connection, ids: Sequence[int]) -> int:
    """Of dead letters, those that the portal may have: a call of theirs ended without anybody knowing how."""
    d, f = t.dispatch.c, t.fault.c
    unsure = sa.select(f.id).where(f.dispatch_id == d.id, f.fault.in_(("unknown", "poison"))).exists()
    count = sa.select(sa.func.count()).where(t.is_dead, sa.or_(d.possibly_twice == 1, unsure))
    return sum(connection.execute(count.where(d.id.in_(some))).scalar_one() for some in _pieces(ids))


def _letters() -> sa.Select[Any]:
    d, h, r, a, f = t.dispatch.c, t.head.c, t.revision.c, t.arrival.c, t.fault.c
    return (
        sa.select(
            d.id, d.destination, d.lane, d.kind, d.number, d.head_id, d.attempts, d.reason, d.created_us, d.ended_us,
            d.call_id, h.key, h.agency, h.source, h.number.label("newest"), r.arrival_id, r.offset_bytes, r.size_bytes,
            r.cause, a.label, f.fault, f.code, f.text, f.path, f.value,
        )
        .select_from(_with_last_fault())
        .join(t.revision, (r.head_id == d.head_id) & (r.number == d.number))
        .join(t.arrival, a.id == r.arrival_id)
    )  # fmt: skip


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(
        dispatch_id=row.id,
        destination=row.destination,
        kind=row.kind,
        key=row.key,
        agency=row.agency,
        fault=row.fault or "",
        code=row.code or "",
        text=row.text or row.reason or "",
        path=row.path,
        value=row.value,
        attempts=row.attempts,
        died_at=from_us(row.ended_us or row.created_us),
        revision=row.number,
        source=row.source,
        arrival_label=row.label,
    )


def detail(connection: sa.Connection, dispatch_id: int) -> DeadDetail:
    """All that is known of one. Raises: KeyError where no dead letter has this number."""
    d = t.dispatch.c
    row = connection.execute(_letters().where(d.id == dispatch_id, t.is_dead)).first()
    if row is None:
        raise KeyError(dispatch_id)
    behind = (d.destination == row.destination) & (d.lane == row.lane) & t.is_waiting & (d.id > row.id)
    origin = _origin(connection, row.head_id, row.number)
    return DeadDetail(
        letter=_letter(row),
        content=content_of(connection, row.arrival_id, row.offset_bytes, row.size_bytes),
        events=dispatch_events(connection, [row.id]),
        followers=connection.execute(sa.select(sa.func.count()).where(behind)).scalar_one(),
        original=None if origin.body is None else unpack(origin.body),
        row=place_of(connection, origin.id, row.head_id, origin.number),
        mapping=origin.mapping,
        media=origin.media,
        charset=origin.charset,
        original_label=origin.label,
        cause=row.cause,
        head_id=row.head_id,
        newest=row.newest,
        calls=_calls(connection, row),
        waiting=_followers(connection, behind),
        deeds=deeds(connection, [row.id]),
    )


def _origin(connection: sa.Connection, head_id: int, number: int) -> Any:
    """The arrival that a revision was made of: a correction stands on the row that was read before it."""
    r, a = t.revision.c, t.arrival.c
    query = (
        sa.select(r.number, r.mapping, a.id, a.body, a.media, a.charset, a.label)
        .join_from(t.revision, t.arrival, a.id == r.arrival_id)
        .where(r.head_id == head_id, r.number <= number, sa.or_(r.cause == "arrived", a.body.isnot(None)))
        .order_by(r.number.desc())
    )
    return connection.execute(query.limit(1)).one()


def _calls(connection: sa.Connection, row: Any) -> list[DeadCall]:
    f, k = t.fault.c, t.call.c
    faults = {one.call_id: one for one in connection.execute(sa.select(t.fault).where(f.dispatch_id == row.id))}
    wanted = ({*faults} | {row.call_id}) - {None}
    query = sa.select(t.call).where(k.id.in_(wanted)).order_by(k.started_us, k.id)
    return [_call(call, faults.get(call.id)) for call in connection.execute(query)]


def _call(call: Any, fault: Any) -> DeadCall:
    return DeadCall(
        call_id=call.id,
        at=from_us(call.started_us),
        mode=call.mode,
        members=call.members,
        took_s=None if fault is None else (fault.at_us - call.started_us) / 1e6,
        fault="" if fault is None else fault.fault,
        code="" if fault is None else fault.code or "",
        text="" if fault is None else fault.text or "",
        mapping=call.mapping,
        payload=call.payload,
    )


def _followers(connection: sa.Connection, behind: Any) -> list[Follower]:
    d, h = t.dispatch.c, t.head.c
    query = sa.select(d.id, d.kind, h.key, d.created_us).join_from(t.dispatch, t.head, h.id == d.head_id)
    rows = connection.execute(query.where(behind).order_by(d.id).limit(_SHOWN))
    return [Follower(row.id, row.kind, row.key, from_us(row.created_us)) for row in rows]
