"""What people did to the hub: written in the transaction of the deed itself, and never changed afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx
from hub.ledger.values import from_us


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and why."""

    who: str
    why: str = ""


def note(tx: Tx, by: By, what: str, subject: str, *, count: int = 1, detail: Mapping[str, Any] | None = None) -> int:
    """Write one operation down; returns its id. `detail` is JSON-serialisable and holds no personal data."""
    values = {
        "at_us": tx.now_us,
        "who": by.who,
        "what": what,
        "subject": subject,
        "why": by.why or None,
        "count": count,
        "detail": None if detail is None else orjson.dumps(detail).decode(),
    }
    return int(tx.execute(sa.insert(t.operation).values(**values).returning(t.operation.c.id)).scalar_one())


@dataclass(frozen=True, slots=True)
class Done:
    """One operation, as it was written down."""

    id: int
    at: datetime
    who: str
    what: str
    subject: str
    why: str
    count: int


def operations(tx: Tx, at_most: int = 1000) -> list[Done]:
    """Read the newest operations, in the order in which they were done."""
    o = t.operation.c
    columns = (o.id, o.at_us, o.who, o.what, o.subject, o.why, o["count"].label("many"))
    rows = tx.execute(sa.select(*columns).order_by(o.id.desc()).limit(at_most)).all()[::-1]
    return [Done(row.id, from_us(row.at_us), row.who, row.what, row.subject, row.why or "", row.many) for row in rows]
