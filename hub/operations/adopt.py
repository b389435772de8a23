"""Adopting what a portal has already: begun, told what the portal said a few dossiers at a time, and ended.

How far it is stands in the ledger, so that a run that was stopped or killed is gone on with by the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.adopting import Asked, adopt, candidates, unwait_queued
from hub.ledger.audit import note
from hub.ledger.bulk import Tx
from hub.ledger.gates import borrow, borrowed, gate_of, give_back
from hub.operations.operation import Operation, Place
from schemas.errors import OperationRefused

_MINE = "adopting"
"""What the reason of a gate begins with that is paused by an adoption."""


@dataclass(frozen=True, slots=True)
class Adopting:
    """How far an adoption is."""

    destination: str
    counts: dict[str, dict[str, int]]
    """Per agency: `asked`, `new`, `history`, `updates`, and the `dispatches` that count as delivered."""
    next: list[Asked]
    """Whom to ask about next; empty where all were asked."""
    again: bool = False
    """Whether an earlier run is gone on with."""
    gate: str = "paused"


class _Adoption(Operation):
    destination: str
    at_most: int = 10


class BeginAdoption(_Adoption):
    """Pause the destination, and go on where an earlier run with the same `as_of` stopped."""

    as_of: date

    async def perform(self, place: Place) -> Adopting:
        """Raises: OperationRefused where the ledger knows no such destination."""
        return await place.ledger.commit(self._begin)

    def _begin(self, tx: Tx) -> Adopting:
        if tx.execute(sa.select(t.gate.c.state).where(t.gate.c.destination == self.destination)).first() is None:
            raise OperationRefused(f"the ledger knows no destination {self.destination!r} yet: start the hub once")
        kept = _kept(tx, self.destination)
        again = kept is not None and kept["as_of"] == self.as_of.isoformat()
        # An earlier run's word about the gate is good for as long as the gate is that run's.
        before = kept["before"] if kept is not None and borrowed(tx, self.destination, _MINE) else None
        before = borrow(tx, self.destination, f"{_MINE}: {self.who}") or before
        unwait_queued(tx, self.destination)
        after = kept["after"] if kept is not None and again else ""
        counts = kept["counts"] if kept is not None and again else {}
        begun = {"as_of": self.as_of.isoformat(), "after": after, "before": before, "counts": counts}
        _keep(tx, self.destination, begun)
        return Adopting(self.destination, counts, candidates(tx, self.destination, after, self.at_most), again)


class TellAdoption(_Adoption):
    """Record what the portal said of some dossiers."""

    shown: dict[str, bool]
    agencies: dict[str, str]
    after: str
    """The last of them, in the order in which they were given to ask about."""

    async def perform(self, place: Place) -> Adopting:
        """Raises: OperationRefused where no adoption has begun."""
        return await place.ledger.commit(self._tell)

    def _tell(self, tx: Tx) -> Adopting:
        kept = _must_have(tx, self.destination)
        if kept["after"] == self.after:
            return self._so_far(tx, kept)  # told before: a commit of unknown outcome is run again (R12)
        counts = {agency: Counter(known) for agency, known in kept["counts"].items()}
        for lane, there in self.shown.items():
            of = counts.setdefault(self.agencies.get(lane, ""), Counter())
            of["asked"] += 1
            of["new"] += not there
        for agency, found in adopt(tx, self.destination, self.shown, date.fromisoformat(kept["as_of"])).items():
            counts.setdefault(agency, Counter()).update(found)
        kept["counts"] = {agency: dict(known) for agency, known in counts.items()}
        kept["after"] = self.after
        _keep(tx, self.destination, kept)
        return self._so_far(tx, kept)

    def _so_far(self, tx: Tx, kept: Mapping[str, Any]) -> Adopting:
        following = candidates(tx, self.destination, kept["after"], self.at_most)
        return Adopting(self.destination, kept["counts"], following)


class EndAdoption(_Adoption):
    """Write down what was done. A `complete` adoption opens the gate again, where it was the one that paused it;
    one that was in a maintenance goes back to it."""

    complete: bool

    async def perform(self, place: Place) -> Adopting:
        """Raises: OperationRefused where no adoption has begun."""
        return await place.ledger.commit(self._end)

    def _end(self, tx: Tx) -> Adopting:
        if tx.rerun and _kept(tx, self.destination) is None:
            return Adopting(self.destination, {}, [], gate=gate_of(tx, self.destination).state)
        kept = _must_have(tx, self.destination)
        counts = kept["counts"]
        many = sum(known.get("dispatches", 0) for known in counts.values())
        detail = {"as_of": kept["as_of"], "complete": self.complete, "agencies": counts}
        note(tx, self.by, "adopt", self.destination, count=many, detail=detail)
        if self.complete:
            tx.execute(sa.delete(t.meta).where(t.meta.c.name == _name(self.destination)))
            if kept["before"] is not None:
                give_back(tx, self.destination, kept["before"], _MINE, f"adopted: {self.who}")
        else:
            _keep(tx, self.destination, kept | {"counts": {}})
        return Adopting(self.destination, counts, [], gate=gate_of(tx, self.destination).state)


def _name(destination: str) -> str:
    return f"adopting {destination}"


def _kept(tx: Tx, destination: str) -> dict[str, Any] | None:
    m = t.meta.c
    text = tx.execute(tx.lock(sa.select(m.value).where(m.name == _name(destination)))).scalar()
    return None if text is None else dict(orjson.loads(text))


def _must_have(tx: Tx, destination: str) -> dict[str, Any]:
    kept = _kept(tx, destination)
    if kept is None:
        raise OperationRefused(f"nobody is adopting {destination}: another run has just ended it")
    return kept


def _keep(tx: Tx, destination: str, values: Mapping[str, Any]) -> None:
    m = t.meta.c
    text = orjson.dumps(dict(values)).decode()
    if not tx.execute(sa.update(t.meta).where(m.name == _name(destination)).values(value=text)).rowcount:
        tx.execute(sa.insert(t.meta).values(name=_name(destination), value=text))
