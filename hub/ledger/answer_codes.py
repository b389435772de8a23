"""The codes that portals gave and their answer tables do not know, as the ledger keeps them: so many per destination.

A lot whose commit was lost on the way may be counted twice; nothing is decided by these counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hub.answers.unknown import MOST, OTHERS, SeenCode
from hub.ledger import tables as t
from hub.ledger.bulk import Tx
from hub.ledger.values import from_us


@dataclass(frozen=True, slots=True)
class AnswerCode:
    """One code that no rule knew when it came."""

    destination: str
    call: str
    """log-in, send or look-up; "" where the rest is counted together."""
    status: int
    """The HTTP status; 0 where the rest is counted together."""
    code: str
    """As a table writes it: `"17"` for text, `17` for a number; `missing`, `unreadable`, `malformed`, `…others`."""
    text: str
    """What the portal said the last time, without what was sent, quotations and long numbers."""
    count: int
    first_at: datetime
    last_at: datetime


def remember(tx: Tx, destination: str, seen: Sequence[SeenCode]) -> None:
    """Add counts; at most `MOST` codes of a destination are told apart, the rest is counted together."""
    c = t.answer_code.c
    known = {
        (row.call, row.status, row.code)
        for row in tx.execute(sa.select(c.call, c.status, c.code).where(c.destination == destination))
    }
    room = MOST - len(known - {_REST})
    lots: dict[tuple[str, int, str], tuple[int, str]] = {}
    for one in sorted(seen, key=lambda one: (one.call, one.status, one.code)):
        key = (one.call, one.status, one.code)
        if key not in known and key not in lots and key != _REST:
            if room <= 0:
                key = _REST
            room -= 1
        count, _ = lots.get(key, (0, ""))
        lots[key] = (count + one.count, "" if key == _REST else one.text)
    # In one order, as every worker of a province does it at once.
    for (call, status, code), (count, text) in sorted(lots.items()):
        tx.execute(_upsert(tx, destination, call, status, code, text, count))


_REST = ("", 0, OTHERS)


def _upsert(tx: Tx, destination: str, call: str, status: int, code: str, text: str, count: int) -> sa.Executable:
    values: dict[str, Any] = {
        "destination": destination, "call": call, "status": status, "code": code, "text": text or None,
        "count": count, "first_us": tx.now_us, "last_us": tx.now_us,
    }  # fmt: skip
    made: Any = (postgresql if tx.postgres else sqlite).insert(t.answer_code).values(**values)
    new = {
        "count": t.answer_code.c["count"] + made.excluded["count"],
        "text": sa.func.coalesce(made.excluded.text, t.answer_code.c.text),
        "last_us": made.excluded.last_us,
    }
    upsert: sa.Executable = made.on_conflict_do_update(
        index_elements=["destination", "call", "status", "code"], set_=new
    )
    return upsert


def answer_codes(connection: sa.Connection) -> list[AnswerCode]:
    """Read all of them, by destination, the most frequent first."""
    c = t.answer_code.c
    query = sa.select(
        c.destination, c.call, c.status, c.code, c.text, c["count"].label("many"), c.first_us, c.last_us
    ).order_by(c.destination, c["count"].desc(), c.call, c.status, c.code)
    return [
        AnswerCode(
            row.destination, row.call, row.status, row.code, row.text or "", row.many, from_us(row.first_us),
            from_us(row.last_us),
        )
        for row in connection.execute(query)
    ]  # fmt: skip
