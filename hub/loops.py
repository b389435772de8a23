"""Keeps the loops of one process alive, each under a name: one can be ended or exchanged while the others go on.

A loop that fails by a defect is logged with its traceback and starts again after a pause; the others do not notice.
Knows no source and no destination.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

log = logging.getLogger(__name__)

RESTART_S = 1.0
"""Between a loop's failure and its next start."""

Loop: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Loops:
    """The loops of one task group, by name: `source so-y-te`, `relay of national`."""

    tasks: asyncio.TaskGroup
    stopping: Callable[[], bool]
    """Asked after each end of a loop: whether the process ends, so that nothing starts again."""
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def running(self) -> Collection[asyncio.Task[None]]:
        """Those that have not ended."""
        return list(self._running.values())

    def begin(self, name: str, loop: Loop, over: Callable[[], bool] = lambda: False) -> None:
        """Run a loop for ever, or until it ends and is `over`."""
        self._keep(name, self._alive(name, loop, over))

    def begin_once(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do one thing beside the loops."""
        self._keep(name, work)

    def _keep(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        assert name not in self._running, f"{name} runs already"
        task = self._running[name] = self.tasks.create_task(work, name=name)

        def gone(_: object) -> None:
            if self._running.get(name) is task:
                del self._running[name]

        task.add_done_callback(gone)

    def cancel(self, *names: str) -> list[asyncio.Task[None]]:
        """Have loops end now, but for what they do to its end (`hub.publish.to_the_end`). Their names are free."""
        found = [self._running.pop(name) for name in names if name in self._running]
        for task in found:
            task.cancel()
        return found

    def cancel_all(self) -> None:
        """Have all of them end now."""
        self.cancel(*list(self._running))

    def of(self, name: str) -> asyncio.Task[None] | None:
        """The task of a loop, for who waits for its end; None where it has ended."""
        return self._running.get(name)

    async def _alive(self, name: str, loop: Loop, over: Callable[[], bool]) -> None:
        while True:
            try:
                await loop()
            except Exception:
                log.exception("%s failed and starts again in %g s", name, RESTART_S)
            if self.stopping() or over():
                return
            await asyncio.sleep(RESTART_S)
