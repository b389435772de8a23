"""Says when a destination's gate closes and opens, whoever it was, to the log and to the loop that sends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hub.ledger import Ledger
from hub.ledger.gates import OPEN

log = logging.getLogger("hub.gates")

LOOK_S = 1.0
"""Between two looks at a gate."""


async def watch_gate(ledger: Ledger, name: str, closed: Callable[[str], None] = lambda _: None) -> None:
    """Watch one gate for ever; `closed` is called with its state when it has closed."""
    before = OPEN
    while True:
        now = await ledger.gate(name)
        if now.state != before.state:
            if now.open:
                log.info("%s open again after %.1f s", name, (now.since_us - before.since_us) / 1e6)
            else:
                log.warning("%s %s: %s", name, now.state, now.reason or "no reason given")
                closed(now.state)
            before = now
        await asyncio.sleep(LOOK_S)
