"""How fast a portal may be asked: the limit that its destination has, and the ramp after its gate has opened. Pure:
clocks are values, in seconds of a clock that nobody sets.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PER_S = 1.0
"""The rate with which a portal is begun with anew; it doubles with each request that succeeds."""

LIFTED_PER_S = 1024.0
"""Where a ramp has come so far that a destination without a limit has none any more."""

CATCH_UP_S = 0.05
"""What was missed for so long at most is made up for: a timer that rings late must not lower the rate."""


@dataclass(slots=True)
class Rate:
    """Turns for the requests of one destination in one process.

    In any span of `s` seconds no more than `1 + per_s * (s + CATCH_UP_S)` turns are given, where `per_s` is the highest
    rate within it.
    """

    limit_per_s: float | None = None
    """Requests a second, of all processes together; None is no limit."""
    sharers: int = 1
    """How many processes send; each takes its share of the limit and of the ramp."""
    _ramp_per_s: float | None = None
    """Where the ramp stands; None once it is over."""
    _next_s: float = 0.0
    """When the next turn would be, were the rate exactly kept."""

    @property
    def per_s(self) -> float | None:
        """Requests a second that this process may send now; None where nothing limits them."""
        found = [each for each in (self.limit_per_s, self._ramp_per_s) if each is not None]
        return min(found) / self.sharers if found else None

    @property
    def ramping(self) -> bool:
        return self._ramp_per_s is not None

    def reopened(self, now_s: float, *, taken: int = 0) -> None:
        """Begin a ramp: the gate has opened. `taken` turns of it were given already."""
        self._ramp_per_s = FIRST_PER_S
        if self.limit_per_s is not None and self.limit_per_s <= FIRST_PER_S:
            self._ramp_per_s = None
        self._next_s = max(self._next_s, now_s)
        if taken:
            self._given(taken, now_s)

    def succeeded(self, now_s: float) -> None:
        """Double the ramp: a request has succeeded. At the destination's limit, or where it is high enough, it ends."""
        if self._ramp_per_s is None:
            return
        before = self.per_s
        self._ramp_per_s *= 2
        if self._ramp_per_s >= (LIFTED_PER_S if self.limit_per_s is None else self.limit_per_s):
            self._ramp_per_s = None
        # Whoever waits for the next turn waits for it at the new rate.
        after = self.per_s
        if before is not None and self._next_s > now_s:
            self._next_s = now_s if after is None else now_s + (self._next_s - now_s) * before / after

    def take(self, now_s: float, wanted: int) -> int:
        """Give as many of `wanted` turns as there are now; 0 where the next is to be waited for, see `wait_s`."""
        per_s = self.per_s
        if per_s is None:
            return wanted
        self._next_s = max(self._next_s, now_s - CATCH_UP_S)
        if now_s < self._next_s:
            return 0
        given = min(wanted, 1 + int((now_s - self._next_s) * per_s))
        self._given(given, now_s)
        return given

    def give_back(self, turns: int) -> None:
        """Take turns back that nobody used."""
        per_s = self.per_s
        if per_s is not None:
            self._next_s -= turns / per_s

    def wait_s(self, now_s: float) -> float:
        """Return how long it is to the next turn."""
        return 0.0 if self.per_s is None else max(0.0, self._next_s - now_s)

    def _given(self, turns: int, now_s: float) -> None:
        per_s = self.per_s
        if per_s is not None:
            self._next_s += turns / per_s
