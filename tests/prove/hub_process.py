"""`hub run` as a process of its own, to be killed, stopped and continued.

With `patience=(3, 1)` a worker without a heartbeat has lost its claims and sources after three seconds instead of
fifteen, one that stands still its transaction after half of that, and a ticket that it took from the bus counts as lost
after one. So a test need not stand still for longer. Nothing else differs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.support.forking import HUB, Forked

if TYPE_CHECKING:
    from hub.ledger import DestinationRules
    from hub.sections import DestinationSection


class HubProcess:
    """One hub; `log` is what it said in all its lives."""

    def __init__(
        self,
        config: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        patience: tuple[float, float] | None = None,
    ) -> None:
        """`patience`: after how many seconds a worker counts as dead, and a ticket as lost."""
        self._program, self._arguments = HUB, ["run", str(config)]
        if patience is not None:
            self._program, self._arguments = f"{__name__}:main", [*map(str, patience), *self._arguments]
        self._environment = {**os.environ, **(environment or {})}
        self._process: Forked | None = None
        self.log = log
        self.kills = 0

    def start(self) -> None:
        """Start it; returns before it is ready."""
        with self.log.open("ab") as log:
            self._process = Forked(self._program, self._arguments, self._environment, log)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def running(self) -> Forked:
        """Fails where the process had ended by itself: then nothing would be proven."""
        assert self._process is not None
        assert self._process.poll() is None, self.said()[-3000:]
        return self._process

    async def kill(self) -> None:
        """SIGKILL."""
        self.running.kill()
        await self.died()

    def stand_still(self) -> None:
        """SIGSTOP: not dead, but nobody can tell."""
        self.running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.running.send_signal(signal.SIGCONT)

    def hang_up(self) -> None:
        """SIGHUP: it is to take its configuration from the disk."""
        self.running.send_signal(signal.SIGHUP)

    async def died(self) -> None:
        """Wait until it has died of SIGKILL, by its own hand or by ours."""
        assert await self._ended(30) == -signal.SIGKILL, self.said()[-3000:]
        self.kills += 1

    async def stop(self) -> int:
        """Ask it to end, and return its status."""
        self.running.terminate()
        return await self._ended(90)

    async def leave(self) -> None:
        """Whatever has happened: nothing stays behind."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            await self._ended(30)

    async def _ended(self, within_s: float) -> int:
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, within_s)


def main() -> None:
    """What `HubProcess` starts where it is given patience; the first two arguments are that."""
    from hub import app
    from hub.cli import main as run
    from hub.ledger import engine, ledger

    ttl_s, lost_s = float(sys.argv.pop(1)), float(sys.argv.pop(1))
    engine.STALLED_S = ttl_s / 2
    ledger.WORKER_TTL_S = ttl_s
    ledger.HEARTBEAT_S = ttl_s / 8
    vars(app).update(HEARTBEAT_S=ttl_s / 8, SURE_S=ttl_s * 0.6)  # which it made of the usual ones
    ledger.Ledger.lease_source.__defaults__ = (ttl_s,)

    class Brief(app.App):
        def _rules(self, name: str, section: DestinationSection) -> DestinationRules:
            return replace(super()._rules(name, section), window=100, queued_s=lost_s)

    patch.object(app, "App", Brief).start()

    run()
