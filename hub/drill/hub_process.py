"""`hub run` as a process of its own, on a leash, that can be killed and started again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from hub.drill.copying import environment
from hub.drill.stand_ins import DrillError

READY_S = 60.0
STOP_S = 30.0
LOOK_S = 0.05


class HubProcess:
    """One hub; what it says is in `hub.log` of the folder, appended by each that is started."""

    def __init__(self, config: Path, folder: Path) -> None:
        self._config, self._folder = config, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "hub.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start it and return once it is ready. Raises: DrillError with the last that it said."""
        if not await asyncio.to_thread(self._started):
            raise DrillError(f"the hub did not start: {self.last_words()}")

    def _started(self) -> bool:
        said = self._folder / "hub.out"
        command = [sys.executable, "-m", "hub.drill.leashed", "run", str(self._config), "--json"]
        with said.open("wb") as out, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=log, env=environment(), cwd=self._folder
            )
        give_up_at = time.monotonic() + READY_S
        while b'"ready"' not in said.read_bytes():
            if not self.running or time.monotonic() > give_up_at:
                return False
            time.sleep(LOOK_S)
        return True

    async def kill(self) -> None:
        """SIGKILL. Raises: DrillError where it had ended by itself."""
        if self._process is None or not self.running:
            raise DrillError(f"the hub has ended by itself: {self.last_words()}")
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        self._let_go()

    async def stop(self) -> None:
        """End it as an operator would; harmless when it is not running."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)
        self._let_go()

    def last_words(self) -> str:
        """The last line of its log."""
        if not self.log.exists():
            return "it said nothing"
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process = None
