"""What the ledger keeps of a portal's catalogues, so that all processes judge by the same: entries, their changes, and
how the last look at the portal went.

An entry is never deleted: one that the portal no longer shows is gone from a day on, since older dossiers name it.
Every change raises the register's version; processes put a register in force anew when its version has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx, insert_many
from hub.ledger.sources import database_now_us
from hub.ledger.values import SECOND_US, from_us

Kind: TypeAlias = Literal["added", "changed", "gone", "back"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a register; `content` has what the portal says of it, in the names of the hub, but its code."""

    register: str
    code: str
    content: Mapping[str, Any]
    gone_on: date | None = None
    """The first day on which the portal no longer showed it; None as long as it does."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one entry; `before` and `after` are its contents, None where there was or is none."""

    register: str
    code: str
    change: Kind
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RegisterState:
    """How a register stands, and how the last look at the portal went."""

    register: str
    version: int = 0
    entries: int = 0
    """Those that the portal shows at present."""
    tried_at: datetime | None = None
    read_at: datetime | None = None
    """When it was last read whole and believed."""
    changed_at: datetime | None = None
    failures: int = 0
    """Looks in a row that brought nothing that was believed."""
    problem: str | None = None


def state(tx: Tx, register: str) -> RegisterState:
    """How one register stands; one that was never looked for has version 0."""
    return next((one for one in states(tx.connection) if one.register == register), RegisterState(register))


def states(connection: sa.Connection) -> list[RegisterState]:
    """How every register that was ever looked for stands, by name."""
    rows = connection.execute(sa.select(t.register_state).order_by(t.register_state.c.register))
    return [
        RegisterState(
            row.register, row.version, row.entries, _at(row.tried_us), _at(row.read_us), _at(row.changed_us),
            row.failures, row.problem,
        )
        for row in rows
    ]  # fmt: skip


def _at(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)


def versions(tx: Tx) -> dict[str, int]:
    """The version of every register that has one."""
    s = t.register_state.c
    return {row.register: row.version for row in tx.execute(sa.select(s.register, s.version).where(s.version > 0))}


def entries(connection: sa.Connection, register: str | None = None) -> list[Entry]:
    """All entries of a register, or of all of them, by register and code."""
    e = t.register_entry.c
    query = sa.select(t.register_entry).order_by(e.register, e.code)
    query = query if register is None else query.where(e.register == register)
    return [
        Entry(row.register, row.code, orjson.loads(row.content),
              None if row.gone_on is None else date.fromisoformat(row.gone_on))
        for row in connection.execute(query)
    ]  # fmt: skip


def last_changes(connection: sa.Connection, register: str) -> list[Change]:
    """What the last look that changed anything brought, by code."""
    c = t.register_change.c
    newest = sa.select(sa.func.max(c.version)).where(c.register == register).scalar_subquery()
    query = sa.select(t.register_change).where(c.register == register, c.version == newest).order_by(c.code)
    return [
        Change(row.register, row.code, row.change, _content(row.before), _content(row.after))
        for row in connection.execute(query)
    ]


def _content(text: str | None) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = None if text is None else orjson.loads(text)
    return found


def take(tx: Tx, register: str, worker: str, due_us: int, for_s: float) -> bool:
    """Take the look at a register that is due since `due_us`; False where somebody has looked since, or is at it."""
    s = t.register_state.c
    insert_many(tx, t.register_state, ("register",), [(register,)], ignore=True)
    row = tx.execute(tx.lock(sa.select(t.register_state).where(s.register == register))).one()
    now_us = database_now_us(tx)
    if row.owner not in (None, worker) and row.owner_until_us > now_us:
        return False
    # Who is still named and does not live any more died on the way: then it was not done.
    if row.owner is None and row.tried_us is not None and row.tried_us >= due_us:
        return False
    until_us = now_us + int(for_s * SECOND_US)
    tx.execute(
        sa.update(t.register_state)
        .where(s.register == register)
        .values(owner=worker, owner_until_us=until_us, tried_us=tx.now_us)
    )
    return True


def keep(
    tx: Tx,
    register: str,
    version: int,
    changes: Sequence[Change],
    gone_on: date,
    uid: str,
    by: By | None = None,
) -> bool:
    """Write down what a look brought; False where another look changed the register since `version`.

    `uid` names the look: run again after a commit of unknown outcome (R12) it does nothing.
    """
    s = t.register_state.c
    insert_many(tx, t.register_state, ("register",), [(register,)], ignore=True)
    row = tx.execute(tx.lock(sa.select(t.register_state).where(s.register == register))).one()
    if row.uid == uid:
        return True
    if row.version != version:
        return False
    values: dict[str, Any] = {
        "uid": uid, "tried_us": tx.now_us, "read_us": tx.now_us, "failures": 0, "problem": None, "owner": None,
        "owner_until_us": 0,
    }  # fmt: skip
    if changes:
        values |= {"version": version + 1, "changed_us": tx.now_us}
        added = [(register, c.code, _text(c.after), tx.now_us) for c in changes if c.change == "added"]
        insert_many(tx, t.register_entry, ("register", "code", "content", "first_us"), added)
        for one in changes:
            if one.change != "added":
                _write(tx, one, gone_on)
        columns = ("register", "version", "code", "change", "before", "after")
        rows = [(register, version + 1, c.code, c.change, _text(c.before), _text(c.after)) for c in changes]
        insert_many(tx, t.register_change, columns, rows)
    e = t.register_entry.c
    shown = sa.select(sa.func.count()).where(e.register == register, e.gone_on.is_(None))
    values["entries"] = tx.execute(shown).scalar_one()
    tx.execute(sa.update(t.register_state).where(s.register == register).values(**values))
    if by is not None:
        note(tx, by, "sync", register, count=len(changes))
    return True


def _write(tx: Tx, change: Change, gone_on: date) -> None:
    e = t.register_entry.c
    this = sa.update(t.register_entry).where(e.register == change.register, e.code == change.code)
    if change.change == "gone":
        tx.execute(this.values(gone_on=gone_on.isoformat()))
    else:
        tx.execute(this.values(content=_text(change.after), gone_on=None))


def _text(content: Mapping[str, Any] | None) -> str | None:
    return None if content is None else orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def failed(tx: Tx, register: str, problem: str) -> None:
    """Record that a look brought nothing that could be believed; the register stays as it is."""
    s = t.register_state.c
    insert_many(tx, t.register_state, ("register",), [(register,)], ignore=True)
    tx.execute(
        sa.update(t.register_state)
        .where(s.register == register)
        .values(
            failures=s.failures + 1, problem=problem[:2000], tried_us=tx.now_us, owner=None, owner_until_us=0
        )
    )  # fmt: skip
