"""Who is to blame where a portal is down: the portal, or a record that brings it down. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hub.ports import Fault, FaultClass, Result, Unknown
from hub.retry import holds

SUSPECTED = 3
"""Times that a record alone finds the portal down, with others delivered in between, before it is to blame itself."""

SILENT = 3
"""Requests one after the other without an answer after which a portal counts as down."""


@dataclass(slots=True)
class Suspects:
    """What one process has seen of one destination."""

    _seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Per dispatch: how often it was suspected, and how many deliveries there had been by then."""
    _silent: int = 0

    def judged(self, result: Result, delivered: int, *, alone: bool) -> tuple[Result, bool]:
        """Blame a record that alone finds the portal down again and again while others are delivered in between.

        Its fault then counts as its own: it backs off and may die, instead of closing the gate for everybody for ever.
        While nothing is delivered in between it is the portal that is down, whatever was suspected before. `delivered`
        is how many have been by now. Returns the result as it is to count, and whether the record is blamed.
        """
        if not alone or not holds([result]):
            self._seen.pop(result.dispatch_id, None)
            return result, False
        times, before = self._seen.get(result.dispatch_id, (0, delivered))
        between = delivered > before
        times += between
        self._seen[result.dispatch_id] = (times, delivered)
        if not between or times < SUSPECTED:
            return result, False
        if isinstance(result, Fault):
            return replace(result, fault=FaultClass.TRANSIENT), True
        # What a gateway lost may have been taken: it stays unknown, but holds nobody else.
        return (replace(result, down=False) if isinstance(result, Unknown) else result), True

    def heard(self, results: list[Result]) -> list[Result]:
        """Note what a request brought, and return it as it is to count: a portal that takes one request after the other
        and answers none is down."""
        if not all(isinstance(result, Unknown) for result in results):
            self._silent = 0
            return results
        self._silent += 1
        if self._silent < SILENT:
            return results
        return [replace(result, down=True) if isinstance(result, Unknown) else result for result in results]
