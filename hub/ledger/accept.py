"""Items, heads and revisions of one arrival: what each record that was read is to the ledger (R9), under the lock of
its head (R5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from hub.ledger import renumbered
from hub.ledger import tables as t
from hub.ledger.bulk import Query, Tx, allocate, among, bound, each, insert_many, update_many
from hub.ledger.identity import Head, Identity, identify, ordering_time_us
from hub.ledger.states import ItemState
from hub.ledger.values import Candidate, Renumbering, Settlement, to_us
from hub.ledger.writer import Conflict

_ITEM = ("arrival_id", "row", "part", "kind", "state", "head_id", "number", "key", "reason", "problems", "raw_digest")
_HEAD_CHANGE = ("number", "digest", "changed_us", "poll_us", "tie", "agency", "procedure", "status", "received_on",
                "due_on", "finished_on")  # fmt: skip
_HEAD = ("id", "kind", "key", "lane", "source", *_HEAD_CHANGE)
_REVISION = ("head_id", "number", "arrival_id", "offset_bytes", "size_bytes", "digest", "changed_us", "poll_us", "tie",
             "cause", "mapping", "settled_us", "configuration")  # fmt: skip


@dataclass(slots=True)
class Accepted:
    """A record that made a revision."""

    candidate: Candidate
    head_id: int
    number: int


@dataclass(slots=True)
class _Known:
    """A head as it changes while one page is settled."""

    id: int
    number: int
    identity: Head
    fresh: bool
    newest: Candidate | None = None
    seen: set[tuple[int | None, str]] | None = None


@dataclass(slots=True)
class Page:
    """What one arrival's records became; `accept` fills it and writes it."""

    arrival_id: int
    items: list[tuple[Any, ...]] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    revisions: list[tuple[Any, ...]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """A line per refused item, for the source."""

    def add(self, c: Candidate, state: ItemState, head_id: int | None = None, number: int | None = None) -> None:
        self.items.append((self.arrival_id, c.row, c.part, c.kind, state.value, head_id, number, *_NOTHING))

    def refuse(
        self, c: Candidate, state: ItemState, reason: str, raw_digest: str | None = None, *, tell: bool = True
    ) -> None:
        self.items.append(
            (self.arrival_id, c.row, c.part, c.kind, state.value, None, None, c.key, reason, None, raw_digest)
        )
        if tell:
            self.problems.append(f"row {c.row + 1}: {reason}")


_NOTHING = (None, None, None, None)
_NOBODY = (None, None)
"""Neither head nor revision."""


def accept(tx: Tx, s: Settlement, arrival_id: int) -> Page:
    """Identify every record of an arrival and write items, heads and revisions.

    Raises: Conflict where a head was lost to another worker; the unit is then run again.
    """
    page = Page(arrival_id)
    heads = _lock_heads(tx, s.candidates)
    source = s.arrival.source
    poll_us = max(to_us(s.arrival.poll_started_at), s.poll_floor_us)
    new_keys = {(c.kind, c.key) for c in s.candidates if not c.no_route} - heads.keys()
    new_ids = iter(allocate(tx, t.head, len(new_keys)))
    for c in s.candidates:
        if c.no_route:
            if c.renumbered is None or c.key != c.renumbered.old:
                page.refuse(c, ItemState.NO_ROUTE, c.no_route, tell=False)
            continue
        known = heads.get((c.kind, c.key))
        changed_us = ordering_time_us(c.changed_us, tx.now_us)
        if known is None:
            identity = Head(source, c.digest, changed_us, poll_us, False)
            known = heads[c.kind, c.key] = _Known(next(new_ids), 0, identity, True, seen=set())
        else:
            verdict = identify(known.identity, source, c.digest, changed_us, poll_us, _asker(tx, known))
            if verdict is Identity.FOREIGN:
                _foreign(tx, s, page, c, known.identity.source)
                continue
            if verdict in (Identity.DUPLICATE, Identity.STALE):
                page.add(c, ItemState(verdict.value), known.id)
                continue
            identity = Head(source, c.digest, changed_us, poll_us, verdict is Identity.TIE)
        _revise(page, known, identity, c, s.configuration, tx.now_us)
    ended = _renumber(tx, s, page, heads)
    _refuse_all(tx, s, page)
    _write_heads(tx, heads)
    insert_many(tx, t.revision, _REVISION, page.revisions)
    insert_many(tx, t.item, _ITEM, page.items)
    renumbered.end(tx, ended)
    return page


def _renumber(tx: Tx, s: Settlement, page: Page, heads: Mapping[tuple[str, str], _Known]) -> list[Renumbering]:
    """Give each old number its item, a duplicate where it was told before. Returns those that end now."""
    told = {c.renumbered.digest: c for c in s.candidates if c.renumbered is not None}
    if not told:
        return []
    before, taken = renumbered.known(tx, s.arrival.source, told, page.arrival_id)
    owners = renumbered.owners(tx, {c.renumbered.old for c in told.values() if c.renumbered is not None})
    ended = []
    for c in s.candidates:
        one = c.renumbered
        row, part = (0, 0) if one is None else renumbered.place(c)
        if one is None or (row, part) in taken:
            continue
        known = heads.get((c.kind, c.key))
        if known is not None and known.identity.source != s.arrival.source:
            continue  # the new one is parked, so nothing has taken the old one's place
        at = page.arrival_id, row, part, c.kind
        if one.digest in before:
            page.items.append((*at, ItemState.DUPLICATE.value, *_NOBODY, one.old, None, None, None))
            continue
        before.add(one.digest)
        owner = owners.get(one.old, s.arrival.source)
        reason = renumbered.reason_of(one.new)
        if owner == s.arrival.source:
            ended.append(one)
        else:
            reason = f"cannot be {reason}: it belongs to the source {owner}, which has to tell it"
        page.items.append((*at, ItemState.NO_ROUTE.value, *_NOBODY, one.old, reason, None, one.digest))
    return ended


def _revise(page: Page, known: _Known, identity: Head, c: Candidate, configuration: int | None, now_us: int) -> None:
    known.identity, known.number, known.newest = identity, known.number + 1, c
    if known.seen is not None:
        known.seen.add((identity.changed_us, c.digest))
    page.add(c, ItemState.ACCEPTED, known.id, known.number)
    page.accepted.append(Accepted(c, known.id, known.number))
    page.revisions.append(
        (known.id, known.number, page.arrival_id, c.offset_bytes, len(c.body), c.digest, identity.changed_us,
         identity.poll_us, int(identity.tie), "arrived", c.mapping, now_us, configuration)
    )  # fmt: skip


def _refuse_all(tx: Tx, s: Settlement, page: Page) -> None:
    """Record what the pure stages refused; a row with the same bytes as one refused before is a duplicate."""
    seen = _refused_before(tx, s.arrival.source, {r.raw_digest for r in s.refusals})
    for r in s.refusals:
        at = (page.arrival_id, r.row, r.part, r.kind)
        if r.raw_digest in seen:
            page.items.append((*at, ItemState.DUPLICATE.value, None, None, r.key, None, None, None))
        else:
            page.items.append((*at, r.state.value, None, None, r.key, r.reason, r.problems, r.raw_digest))
        seen.add(r.raw_digest)
        page.problems.append(f"row {r.row + 1}: {r.reason}")


def _lock_heads(tx: Tx, candidates: Iterable[Candidate]) -> dict[tuple[str, str], _Known]:
    keys = sorted({c.key for c in candidates if not c.no_route})
    return {
        (kind, key): _Known(id_, number, Head(source, digest, changed_us, poll_us, bool(tie)), fresh=False)
        for id_, kind, key, source, number, digest, changed_us, poll_us, tie in (
            _HEADS.rows(tx, keys=keys) if keys else ()
        )
    }


def _heads(postgres: bool) -> sa.Select[Any]:
    h = t.head.c
    found = sa.select(h.id, h.kind, h.key, h.source, h.number, h.digest, h.changed_us, h.poll_us, h.tie)
    if not postgres:
        return found.where(among(False, h.key, "keys"))
    given = each(h.key, "keys")
    locked = found.where(h.key == given.c.value).order_by(h.kind).with_for_update().lateral("found")
    return sa.select(*locked.c).select_from(given.join(locked, sa.true()))


_HEADS = Query(_heads)


def _asker(tx: Tx, known: _Known | None) -> Callable[[int | None, str], bool]:
    """Ask whether a key had this time and digest in any revision; its revisions are read at the first question."""

    def asked(changed_us: int | None, digest: str) -> bool:
        if known is None:
            return False
        if known.seen is None:
            r = t.revision.c
            rows = tx.execute(sa.select(r.changed_us, r.digest).where(r.head_id == known.id))
            known.seen = {(row.changed_us, row.digest) for row in rows}
        return (changed_us, digest) in known.seen

    return asked


def _refused_before(tx: Tx, source: str, digests: Collection[str]) -> set[str]:
    """Digests of refused rows that this source has shown before."""
    if not digests:
        return set()
    i, a = t.item.c, t.arrival.c
    rows = tx.execute(
        sa.select(i.raw_digest)
        .join_from(t.item, t.arrival, a.id == i.arrival_id)
        .where(i.raw_digest.isnot(None), among(tx.postgres, i.raw_digest, "digests"), a.source == source),
        {"digests": bound(tx.postgres, digests)},
    )
    return set(rows.scalars())


def _foreign(tx: Tx, s: Settlement, page: Page, c: Candidate, owner: str) -> None:
    """A key that another source owns is parked once (R9, 7), a duplicate when it is read again."""
    if _refused_before(tx, s.arrival.source, {c.digest}):
        page.add(c, ItemState.DUPLICATE)
        return
    reason = (
        f"{c.kind} {c.key} belongs to the source {owner}: one dossier has one owner; mend the numbers or the routes"
    )
    page.refuse(c, ItemState.PARKED, reason, c.digest)


def _write_heads(tx: Tx, heads: Mapping[tuple[str, str], _Known]) -> None:
    new, changed = [], []
    for (kind, key), known in sorted(heads.items()):
        c = known.newest
        if c is None:
            continue
        i = known.identity
        state = (known.number, i.digest, i.changed_us, i.poll_us, int(i.tie), *counted_columns(c))
        if known.fresh:
            new.append((known.id, kind, key, c.lane, i.source, *state))
        else:
            changed.append((*state, known.id))
    if insert_many(tx, t.head, _HEAD, new, ignore=True) != len(new):
        raise Conflict("another worker has just made one of these heads")
    update_many(tx, t.head, ("id",), _HEAD_CHANGE, changed, exact=False)


def counted_columns(c: Candidate) -> tuple[Any, ...]:
    """What the counts need of a record, in the order of the head's last columns."""
    n = c.counted
    if n is None:
        # Routes and people ask for its agency all the same.
        return (c.agency, *(None,) * 5)
    days = (day and day.isoformat() for day in (n.received_on, n.due_on, n.finished_on))
    return (n.agency, n.procedure, n.status, *days)
