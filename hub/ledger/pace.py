"""How fast a destination drains: how long a ticket may be on the bus before it counts as lost (R1's T), and how many
dispatches may be on it so that none outlives that (R2). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hub.ledger.values import SECOND_US

MEASURED_S = 10.0
"""A rate is believed after so long; then it is that of the last span of this length."""

SAFETY = 2.0
LONGEST_S = 300.0
"""For longer nobody should wait for a ticket that was lost: where a window takes longer to drain it is cut instead."""

LEAST = 20
"""The window is not cut below this: a portal that was slow for a while must be able to show that it is quick again."""


@dataclass(slots=True)
class Pace:
    """Counts what one destination finishes; `queued_s` is the T that follows, `window_now` the window that fits it."""

    window: int
    shortest_s: float
    rate_per_s: float | None = None
    """Requests a second that it may get; until a rate is measured each is believed to hold one dispatch."""
    since_us: int = 0
    count: int = 0
    ended: int = 0
    """Of those counted, what came to its end: tries that failed bring no backlog nearer to its own."""
    per_s: float = 0.0
    """The last rate measured, 0 before the first."""
    ended_per_s: float | None = None
    """The same of what came to its end, until it is fetched by `fresh`."""

    def idle(self) -> None:
        """Note that nothing is queued: what is measured is how fast a queue drains, not how little there is to do."""
        self.since_us = self.count = self.ended = 0

    def finished(self, count: int, now_us: int, ended: int = 0) -> bool:
        """Note that `count` dispatches came back, `ended` of them delivered or dead; returns whether that made a new
        measure."""
        if not self.since_us:
            self.since_us = now_us
        self.count += count
        self.ended += ended
        span_s = (now_us - self.since_us) / SECOND_US
        if span_s < MEASURED_S:
            return False
        self.per_s, self.ended_per_s = self.count / span_s, self.ended / span_s
        self.since_us, self.count, self.ended = now_us, 0, 0
        return True

    @property
    def _believed_per_s(self) -> float:
        return self.per_s or self.rate_per_s or 0.0

    @property
    def _shortest_s(self) -> float:
        """Long enough for one request to have its turn."""
        return max(self.shortest_s, SAFETY / self.rate_per_s) if self.rate_per_s else self.shortest_s

    @property
    def _longest_s(self) -> float:
        return max(self._shortest_s, LONGEST_S)

    @property
    def window_now(self) -> int:
        """So many that they drain within the longest T, between `LEAST` (1 where a rate is configured) and `window`."""
        if not self._believed_per_s:
            return self.window
        drains = int(self._believed_per_s * self._longest_s / SAFETY)
        return min(self.window, max(drains, 1 if self.rate_per_s else LEAST))

    def fresh(self) -> float | None:
        """Return how many came to their end a second, where it has been measured since the last call."""
        measured, self.ended_per_s = self.ended_per_s, None
        return measured

    @property
    def queued_s(self) -> float:
        """Longer than the window of now takes to drain at this pace; between `shortest_s` and five minutes, but where
        a configured rate lets a single request wait for longer."""
        if not self._believed_per_s:
            return self._shortest_s
        return min(max(self._shortest_s, SAFETY * self.window_now / self._believed_per_s), self._longest_s)
