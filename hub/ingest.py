"""The loop of one source: poll, process, settle, tell the source; then publish what was born due.

Record before acting, acknowledge after commit: the cursor moves inside the settle, a file is moved after it. A source
that answers garbage, times out or changes shape has its arrival parked and is left alone for longer each time; no
other source notices.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hub.admission import hold_back, let_in, processed
from hub.kill_points import kill_point
from hub.ledger import Ledger
from hub.ledger.ledger import cursor_of
from hub.ledger.values import Settled, Settlement, SourceLease
from hub.ports import Arrival, Source, Ticket
from hub.publish import to_the_end
from hub.retry import RetryPolicy, backoff_s
from hub.rulebook import Rulebook
from hub.sparing import Sparing
from schemas.errors import LeaseLostError, SourceFault

log = logging.getLogger(__name__)

Publish = Callable[[Sequence[Ticket]], Awaitable[None]]


@dataclass(slots=True)
class Ingest:
    """Reads one source until it is cancelled; `poll_once` is one turn of it."""

    name: str
    source: Source
    every_s: float
    ledger: Ledger
    rules: Rulebook
    publish: Publish
    trouble: RetryPolicy
    """How long a source in trouble is left alone."""
    polls: int = 0
    quiet: bool = False
    """Whether the last poll brought nothing new; what `--once` waits for."""
    sparing: Sparing = field(default_factory=Sparing)
    page: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while one page is processed and settled: who holds it exchanges `rules` between two pages."""

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            failures = await self.poll_once()
            wait_s = self.every_s
            if failures:
                wait_s = max(wait_s, backoff_s(self.trouble, failures - 1, 0.5 + random.random() / 2))
            await asyncio.sleep(wait_s)

    async def poll_once(self) -> int:
        """Poll from the cursor to the newest. Returns how many polls in a row have failed, 0 after a good one.

        In the source's hours of grace nothing is asked, and a poll that runs ends with the page that it is at.
        """
        if not await self._spared():
            self.quiet = True
            return 0
        lease = await self.ledger.lease_source(self.name)
        if lease is None:
            self.quiet = True
            return 0
        try:
            problem = await self._poll(lease)
        except LeaseLostError as error:
            log.warning("%s", error)
            return 0
        except SourceFault as error:
            problem = str(error)
        self.polls += 1
        await self.ledger.polled(lease, problem)
        if problem:
            log.warning("source %s: %s", self.name, problem)
            self.quiet = True
            return lease.failures + 1
        return 0

    async def _poll(self, lease: SourceLease) -> str:
        """Read and settle the pages of one poll. Returns what went wrong, empty where nothing did."""
        news, first = False, True
        problems: list[str] = []
        kill_point("before-read", (self.name,))
        arrivals = self.source.arrivals(cursor_of(lease.cursor))
        try:
            async for arrival in arrivals:
                kill_point("after-read", (self.name, arrival.uid))
                async with self.page:
                    settled = await self._page(arrival, lease, first=first)
                first = False
                if settled is None:
                    await self.source.settled(arrival, (), parked=False)
                    continue
                await self.source.settled(arrival, settled.problems, parked=settled.parked)
                news = news or _is_news(settled)
                if settled.parked:
                    why = "; ".join(settled.problems)
                    problems.append(f"{arrival.label}: {why}; its bytes are kept as arrival {settled.arrival_id}")
                    if arrival.cursor is not None:
                        # The source could read on, but the cursor must not pass what was not read.
                        break
                renewed = await self.ledger.lease_source(self.name)
                if renewed is None or renewed.epoch != lease.epoch:
                    raise LeaseLostError(f"source {self.name}: another worker reads it now")
                lease = renewed
                if not arrival.last and not await self._spared():
                    break
        finally:
            await _closed(arrivals)
        self.quiet = not news
        return "; ".join(problems)

    async def _page(self, arrival: Arrival, lease: SourceLease, *, first: bool) -> Settled | None:
        """Process and settle one page by one set of rules; None where there is nothing in it to settle."""
        rules = self.rules
        settlement = await processed(arrival, rules, lease, self.ledger)
        same_page = first and arrival.last and settlement.digest == lease.page_digest
        moved = arrival.cursor is not None and dict(arrival.cursor) != cursor_of(lease.cursor)
        if (
            not settlement.undecodable
            and not moved
            and (same_page or (lease.page_digest and not (settlement.candidates or settlement.refusals)))
        ):
            # R9 (8): equal to the poll just before it, or nothing in it at all: there is nothing to settle.
            # Without a digest the page before was parked: it is this one that puts it right, rows or not.
            return None
        return await to_the_end(self._settle(settlement, rules))

    async def _spared(self) -> bool:
        """Wait for the next page's turn; False where the source is to be left alone now."""
        await asyncio.sleep(self.sparing.turn_s(asyncio.get_running_loop().time()))
        return not self.sparing.left_alone(datetime.now(UTC))

    async def _settle(self, settlement: Settlement, rules: Rulebook) -> Settled:
        kill_point("before-settle", (self.name, settlement.arrival.uid))
        settled = await self.ledger.settle(settlement)
        kill_point("after-settle", (self.name, settlement.arrival.uid))
        await self.publish(settled.tickets)
        if rules.canaries:
            await hold_back(self.ledger, rules, settlement)
        if rules.start_from_us:
            await let_in(self.ledger, rules, self.publish, {c.lane for c in settlement.candidates})
        return settled


def _is_news(settled: Settled) -> bool:
    return any(count for state, count in settled.counts.items() if state.value != "duplicate")


async def _closed(arrivals: object) -> None:
    """End an async generator that was left in the middle, so that its connection is given back now."""
    close = getattr(arrivals, "aclose", None)
    if close is not None:
        await close()
