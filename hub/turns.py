"""Waiting for one's turn at a portal that may be asked only so fast (`hub.rate`), before anything is claimed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hub.rate import Rate

LOOK_S = 1.0
"""A turn that is longer away is looked at again: its time moves with the rate."""


@dataclass(slots=True)
class Turns:
    """The turns of one destination in one process. One waits at a time, in the order of asking."""

    rate: Rate
    parallel: int
    """Requests under way at a time; what is beyond them waits unclaimed, where something limits the rate."""
    _line: asyncio.Lock = field(default_factory=asyncio.Lock)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _under_way: int = 0
    _ended: bool = False
    _shut: bool = False

    async def take(self, wanted: int) -> int:
        """Wait until something may go; returns how many of `wanted` requests, 0 once `end` was called."""
        if self.rate.per_s is None:
            return 0 if self._ended else wanted
        async with self._line:
            while not self._ended:
                if self._shut:
                    return wanted
                free = self.parallel - self._under_way
                now_s = _now_s()
                given = self.rate.take(now_s, min(wanted, free)) if free > 0 else 0
                if given:
                    return given
                self._moved.clear()
                wait_s = min(self.rate.wait_s(now_s), LOOK_S) if free > 0 else LOOK_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._moved.wait()
                except TimeoutError:
                    continue
        return 0

    def give_back(self, turns: int) -> None:
        """Turns that were taken and led to no request."""
        if turns:
            self.rate.give_back(turns)
            self._moved.set()

    def reopened(self) -> None:
        """The gate has opened: begin slowly. One request was let through already."""
        self._shut = False
        self.rate.reopened(_now_s(), taken=1)
        self._moved.set()

    def shut(self) -> None:
        """The gate is closed and nothing passes it: what waits need not wait for its turn to be told so."""
        self._shut = True
        self._moved.set()

    def unshut(self) -> None:
        """The gate is open: turns are waited for."""
        self._shut = False

    def begins(self) -> None:
        """A request was claimed."""
        self._under_way += 1

    def ends(self, *, well: bool) -> None:
        """A request has come to its end; `well` where the portal did what it is there for."""
        self._under_way -= 1
        if well:
            self.rate.succeeded(_now_s())
        self._moved.set()

    def share(self, sharers: int) -> None:
        """So many processes send, this one among them."""
        if sharers != self.rate.sharers:
            self.rate.sharers = sharers
            self._moved.set()

    def end(self) -> None:
        """Let nobody wait any more: what is not claimed stays queued."""
        self._ended = True
        self._moved.set()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
