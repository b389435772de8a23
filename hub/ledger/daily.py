"""Tasks that one process of several does once a day: who is at it, and for which day it was last done.

One row of `meta` each. Who takes a task has it for a while; where that process is killed another one takes it after
that, so what is done must be harmless to do again.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.bulk import Tx, insert_many
from hub.ledger.values import SECOND_US


def last(tx: Tx, name: str) -> date | None:
    """Return the day for which a task was last done; None where it never was."""
    text = tx.execute(sa.select(t.meta.c.value).where(t.meta.c.name == _row(name))).scalar()
    day = None if text is None else orjson.loads(text).get("done")
    return None if day is None else date.fromisoformat(day)


def take(tx: Tx, name: str, day: date, worker: str, for_s: float) -> bool:
    """Take a task of a day for `for_s`; False where it is done for that day or a later one, or somebody is at it."""
    insert_many(tx, t.meta, ("name", "value"), [(_row(name), "{}")], ignore=True)
    known = _locked(tx, name)
    done, by = known.get("done"), known.get("by")
    if done is not None and done >= day.isoformat():
        return False
    if by not in (None, worker) and known["until_us"] > tx.now_us:
        return False
    _write(tx, name, {"done": done, "by": worker, "until_us": tx.now_us + int(for_s * SECOND_US)})
    return True


def done(tx: Tx, name: str, day: date) -> None:
    """Record that a task is done for a day."""
    _write(tx, name, {"done": day.isoformat()})


def _row(name: str) -> str:
    return f"daily {name}"


def _locked(tx: Tx, name: str) -> dict[str, Any]:
    row = tx.execute(tx.lock(sa.select(t.meta.c.value).where(t.meta.c.name == _row(name)))).scalar_one()
    known: dict[str, Any] = orjson.loads(row)
    return known


def _write(tx: Tx, name: str, value: dict[str, Any]) -> None:
    tx.execute(sa.update(t.meta).where(t.meta.c.name == _row(name)).values(value=orjson.dumps(value).decode()))
