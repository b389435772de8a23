"""Dossiers that got another number at their source: the old number ends, visibly, and each number knows the other.

No portal can rename, and a key is a key (R9): to the ledger the new number is a new dossier, whose steps are its own
(R6). What is left of the old one is an item, `no-route` with the reason "renumbered to …", once however often the row
is read; what waits for a portal under the old number is discarded with that reason. What a portal has of it stays, and
what is on its way goes on: a send has one owner and an end (R7).

The item is found by its `raw_digest`: a word, the digest of the new number, that of both. So a range of the index of
refused rows has every old number of a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, among, bound
from hub.ledger.values import Candidate, Renumbering
from hub.ledger.withdrawing import withdraw

RENUMBERED = "renumbered to "
"""How the reason begins."""
PART = 1_000_000
"""The item of an old number that the row of the new one tells stands so much behind that row's: no row has so many
parts, and the places of the others stay what they were."""
_WORD = "renumbered"
_END = "z"
"""Comes after every digest, in the order of any language."""


def reason_of(new: str) -> str:
    """Why an old number ended."""
    return f"{RENUMBERED}{new}"


def told(old: str, new: str, key: bytes) -> str:
    """What the item of an old number is known again by; keyed, as all digests of the ledger (R16)."""
    return f"{_WORD}{_digest(new, key)}{_digest(old, key)}"


def _digest(number: str, key: bytes) -> str:
    return blake2b(number.encode(), key=key, digest_size=16).hexdigest()


def place(c: Candidate) -> tuple[int, int]:
    """Row and part of the item of the old number."""
    assert c.renumbered is not None
    return (c.row, c.part) if c.key == c.renumbered.old else (c.row, PART + c.part)


def known(tx: Tx, source: str, told_: Collection[str], arrival_id: int) -> tuple[set[str], set[tuple[int, int]]]:
    """Of renumberings those that this source told before, and the places of this arrival that have such an item."""
    i, a = t.item.c, t.arrival.c
    before = (
        sa.select(i.raw_digest)
        .join_from(t.item, t.arrival, a.id == i.arrival_id)
        .where(i.raw_digest.isnot(None), among(tx.postgres, i.raw_digest, "digests"), a.source == source)
    )
    found = set(tx.execute(before, {"digests": bound(tx.postgres, sorted(told_))}).scalars())
    here = tx.execute(sa.select(i.row, i.part).where(i.arrival_id == arrival_id, i.part >= PART))
    return found, {(row.row, row.part) for row in here}


def owners(tx: Tx, numbers: Collection[str]) -> dict[str, str]:
    """By number, the source that a dossier belongs to (R9, 7)."""
    h = t.head.c
    query = sa.select(h.key, h.source).where(among(tx.postgres, h.key, "keys"), h.key == h.lane)
    return {row.key: row.source for row in tx.execute(query, {"keys": bound(tx.postgres, sorted(numbers))})}


def end(tx: Tx, renumbered: Sequence[Renumbering]) -> None:
    """Discard what waits for portals under the old numbers."""
    d, h = t.dispatch.c, t.head.c
    for one in sorted(renumbered, key=lambda one: one.old):
        mine = sa.or_(sa.and_(h.key == one.old, h.lane == one.old), sa.and_(h.lane == one.old, h.lane != h.key))
        waiting = (
            sa.select(d.destination).join_from(t.dispatch, t.head, h.id == d.head_id).where(mine, t.is_waiting)
        ).distinct()
        for destination in sorted(tx.execute(waiting).scalars()):
            withdraw(tx, destination, [one.old], reason_of(one.new))


def old_numbers(connection: sa.Connection, new: str) -> tuple[str, ...]:
    """The old numbers of a dossier."""
    i = t.item.c
    key = connection.execute(sa.select(t.meta.c.value).where(t.meta.c.name == "digest_key")).scalar()
    if key is None:
        return ()
    begin = f"{_WORD}{_digest(new, bytes.fromhex(key))}"
    query = sa.select(i.key).where(i.raw_digest.isnot(None), i.raw_digest >= begin, i.raw_digest < begin + _END)
    return tuple(sorted(set(connection.execute(query).scalars())))


def ended() -> sa.Select[tuple[str]]:
    """The old numbers of all dossiers that go on under another one; not those that came to life again since."""
    i, h, r = t.item.c, t.head.c, t.revision.c
    newest = sa.select(r.arrival_id).where(r.head_id == h.id, r.number == h.number).scalar_subquery()
    again = sa.select(h.id).where(h.key == i.key, h.kind == i.kind, newest > i.arrival_id).exists()
    told_of = (i.raw_digest.isnot(None), i.raw_digest >= _WORD, i.reason.startswith(RENUMBERED))
    return sa.select(i.key).where(*told_of, ~again)


def new_number(reason: str | None) -> str | None:
    """The new number that the reason of an item names; None for another reason."""
    return reason.removeprefix(RENUMBERED) if reason and reason.startswith(RENUMBERED) else None
