"""What the drill sees of the ledger from outside, as it stands; writes nothing and is never in the hub's way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from hub.drill.verdict import Key
from hub.ledger import tables as t
from hub.ledger.engine import open_engine
from hub.ledger.read import Reader

OPEN = t.OPEN


class Looking:
    """Short questions to a ledger that a hub writes at the same time. Blocks: ask in a thread."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url, writer=False)

    def close(self) -> None:
        self._engine.dispose()

    def movable(self) -> set[str]:
        """The destinations that something is on its way to, or will be by itself."""
        with self._engine.connect() as connection:
            return Reader(connection).movable()

    def pages(self) -> dict[str, int]:
        """How many recorded pages each source has read and settled."""
        return {row.name: int(orjson.loads(row.cursor).get("pages", 0)) for row in self._all(sa.select(t.source))}

    def faulted(self, destination: str, since_us: int) -> int:
        """How many dispatches had a call that failed since then."""
        f, d = t.fault.c, t.dispatch.c
        query = sa.select(sa.func.count(sa.distinct(f.dispatch_id))).join_from(
            t.fault, t.dispatch, d.id == f.dispatch_id
        )
        return int(self._all(query.where(d.destination == destination, f.at_us >= since_us))[0][0])

    def in_states(self, *states: str) -> int:
        """How many dispatches are in one of these states."""
        return int(self._all(sa.select(sa.func.count()).where(t.dispatch.c.state.in_(states)))[0][0])

    def states(self) -> dict[str, int]:
        """How many dispatches there are of each state."""
        d = t.dispatch.c
        return {row[0]: row[1] for row in self._all(sa.select(d.state, sa.func.count()).group_by(d.state))}

    def twice(self) -> dict[str, dict[Key, int]]:
        """Per destination, how often the ledger admits that a record may have been sent once too often (R8): of what
        it flags, once for every call whose outcome it did not know."""
        d, h, f = t.dispatch.c, t.head.c, t.fault.c
        unknown = sa.select(sa.func.count()).where(f.dispatch_id == d.id, f.fault == "unknown").scalar_subquery()
        query = (
            sa.select(d.destination, d.kind, h.key, unknown)
            .join_from(t.dispatch, t.head, h.id == d.head_id)
            .where(d.possibly_twice == 1)
        )
        found: dict[str, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
        for destination, kind, key, times in self._all(query):
            found[destination][kind, key] += max(1, times)
        return {destination: dict(keys) for destination, keys in found.items()}

    def dead(self) -> Mapping[str, list[tuple[str, str]]]:
        """Per destination, the lane and the reason of every dispatch that died."""
        d = t.dispatch.c
        query = sa.select(d.destination, d.lane, d.reason).where(d.state == "dead").order_by(d.id)
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for destination, lane, reason in self._all(query):
            found[destination].append((lane, reason or ""))
        return found

    def open(self) -> list[tuple[str, str]]:
        """Destination and lane of every dispatch that has not come to its end."""
        d = t.dispatch.c
        return [(row[0], row[1]) for row in self._all(sa.select(d.destination, d.lane).where(d.state.in_(OPEN)))]

    def troubles(self) -> dict[str, str]:
        """What is wrong with the last poll of a source, where something is."""
        s = t.source.c
        return {row.name: row.problem for row in self._all(sa.select(s.name, s.problem).where(s.problem.isnot(None)))}

    def held(self) -> dict[str, str]:
        """The gates that are not open, with the reason."""
        g = t.gate.c
        return {
            row.destination: f"{row.state}: {row.reason}"
            for row in self._all(sa.select(t.gate).where(g.state != "open"))
        }

    def _all(self, query: Any) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(query).all()
