"""`hub run` as a process of its own, to be killed, stopped and continued.

    python -m tests.prove.hub_process 3 1 run hub.yaml

is the command `hub`, but a worker without a heartbeat has lost its claims and sources after three seconds instead of
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

if TYPE_CHECKING:
    from hub.ledger import DestinationRules
    from hub.sections import DestinationSection


class HubProcess:
    """One hub; `log` is what it said in all its lives."""

    def __init__(
        self, config: Path, log: Path, environment: Mapping[str, str] | None = None, *, ttl_s: float, lost_s: float
    ) -> None:
        patience = [str(ttl_s), str(lost_s)]
        self._command = [sys.executable, "-m", "tests.prove.hub_process", *patience, "run", str(config)]
        self._environment = {**os.environ, **(environment or {})}
        self.log = log
        self.kills = 0

    async def start(self) -> None:
        """Start it; returns before it is ready."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, stdout=log, stderr=log
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    async def kill(self) -> None:
        """SIGKILL. Fails where the process had ended by itself: then nothing was proven."""
        assert self._process.returncode is None, self.said()[-3000:]
        self._process.kill()
        await self._process.wait()
        self.kills += 1

    def stand_still(self) -> None:
        """SIGSTOP: not dead, but nobody can tell."""
        assert self._process.returncode is None, self.said()[-3000:]
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def hang_up(self) -> None:
        """SIGHUP: it is to take its configuration from the disk."""
        assert self._process.returncode is None, self.said()[-3000:]
        self._process.send_signal(signal.SIGHUP)

    async def died(self) -> None:
        """Wait until it has killed itself."""
        assert await asyncio.wait_for(self._process.wait(), 30) == -signal.SIGKILL, self.said()[-3000:]
        self.kills += 1

    async def stop(self) -> int:
        """Ask it to end, and return its status."""
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), 90)

    async def leave(self) -> None:
        """Whatever has happened: nothing stays behind."""
        if hasattr(self, "_process") and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def main() -> None:
    from hub.ledger import engine, ledger

    ttl_s, lost_s = float(sys.argv.pop(1)), float(sys.argv.pop(1))
    engine.STALLED_S = ttl_s / 2
    ledger.WORKER_TTL_S, ledger.HEARTBEAT_S = ttl_s, ttl_s / 8
    ledger.Ledger.lease_source.__defaults__ = (ttl_s,)

    from hub import app
    from hub.cli import main as run

    class Brief(app.App):
        def _rules(self, name: str, section: DestinationSection) -> DestinationRules:
            return replace(super()._rules(name, section), window=100, queued_s=lost_s)

    patch.object(app, "App", Brief).start()

    run()


if __name__ == "__main__":
    main()
