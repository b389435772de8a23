"""Settles arrivals one by one in a ledger, to be run under strace: prints the commits that the writer counted,
those of the settles and all of them.

python -m tests.prove.settles URL FOLDER NUMBER
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from hub.ledger import DestinationRules, Ledger
from hub.ledger.pages import pack
from hub.ledger.values import Settlement
from hub.ports import Arrival

FIRST, LAST = "before-the-first", "after-the-last"
"""Files that are made in the folder around the settles, so that a trace tells from where to where to count."""


async def main(url: str, folder: Path, number: int) -> tuple[int, int]:
    """Return how many commits `number` arrivals took, and how many there were in all."""
    ledger = Ledger(url, {"portal": DestinationRules()}, sources=["source"])
    await ledger.open(take_over=False)
    lease = await ledger.lease_source("source")
    assert lease is not None
    before = ledger._writer.commits
    (folder / FIRST).touch()
    for at in range(number):
        body = b"page %d" % at
        now = datetime.now(UTC)
        arrival = Arrival(
            source="source", uid=uuid.uuid4().hex, label=f"page {at}", body=body, media="xml", received_at=now,
            poll_started_at=now, cursor=None,
        )  # fmt: skip
        await ledger.settle(Settlement(arrival, f"{at}", pack(body), None, (), (), lease.epoch, lease.cursor, ""))
    commits = ledger._writer.commits - before
    (folder / LAST).touch()
    await ledger.release_source("source")
    in_all = ledger._writer.commits
    await ledger.close()
    return commits, in_all


if __name__ == "__main__":
    print(*asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
