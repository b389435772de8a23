"""What people do to dispatches, written down with them in the transaction of the deed: each can tell who did what.

A commit whose outcome is unknown is run again (R12). Each deed has an id made by its caller, by which the second run
finds what the first has done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx, insert_many
from hub.ledger.values import from_us
from hub.ledger.views import Deed

_LOOK_BACK = 200
"""Operations among which one that was committed a moment ago is looked for."""


def record(
    tx: Tx, by: By, what: str, subject: str, ids: Iterable[int], *, uid: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Write a deed down, and which dispatches it was about. `detail` is JSON-serialisable, without personal data."""
    about = sorted(set(ids))
    operation = note(tx, by, what, subject, count=len(about), detail={"uid": uid, **(detail or {})})
    insert_many(tx, t.operation_dispatch, ("dispatch_id", "operation_id"), [(id_, operation) for id_ in about])


def done_before(tx: Tx, uid: str) -> Mapping[str, Any] | None:
    """Return the detail of this very deed, where an earlier run of the unit was committed after all."""
    if not tx.rerun:
        return None
    o = t.operation.c
    for text in tx.execute(sa.select(o.detail).order_by(o.id.desc()).limit(_LOOK_BACK)).scalars():
        detail: Mapping[str, Any] = orjson.loads(text or "{}")
        if detail.get("uid") == uid:
            return detail
    return None


def deeds(connection: sa.Connection, ids: Iterable[int]) -> list[Deed]:
    """Read what people did to some dispatches, in the order in which it was done."""
    o, b = t.operation.c, t.operation_dispatch.c
    query = (
        sa.select(b.dispatch_id, o.at_us, o.what, o.who, o.why, o.detail)
        .join_from(t.operation_dispatch, t.operation, o.id == b.operation_id)
        .where(b.dispatch_id.in_(list(ids)))
        .order_by(o.id)
    )
    return [
        Deed(row.dispatch_id, from_us(row.at_us), row.what, row.who, row.why or "", orjson.loads(row.detail or "{}"))
        for row in connection.execute(query)
    ]
