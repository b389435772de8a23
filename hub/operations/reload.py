"""Taking the configuration on disk into a hub that runs: in its own process, or in every process on one ledger."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hub.configured import configured
from hub.ledger import Ledger
from hub.ledger.configurations import Running, ask_all, digest_of, remember, running
from hub.ledger.ledger import WORKER_TTL_S
from hub.operations.operation import Operation, Place
from hub.registers.in_force import complete
from hub.reloading import Process, Reloaded
from schemas.errors import OperationRefused

LOOK_S = 0.2
"""Between two looks at what the processes have done."""


class Reload(Operation):
    """Take the configuration on disk, whole or not at all (`hub.reloading`)."""

    file: str
    """The configuration that is meant; a hub that runs another file refuses."""
    wait_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How long several processes are waited for."""

    async def perform(self, place: Place) -> Reloaded:
        """Raises: ConfigError with every problem; OperationRefused where no hub runs, or it runs another file."""
        if place.reload is not None:
            if not await asyncio.to_thread(_same, Path(self.file), place.file):
                raise OperationRefused(
                    f"the hub on this ledger runs {place.file}, not {self.file}: reload that one, or restart the hub "
                    "with the other"
                )
            done: Reloaded = await place.reload(self.by)
            return done
        if not place.ledger.postgres:
            raise OperationRefused("no hub runs on this ledger, or it runs with --once; the next `hub run` reads "
                                   "its configuration anyway")  # fmt: skip
        return await self._everywhere(place)

    async def _everywhere(self, place: Place) -> Reloaded:
        """Number the version, ask all processes to run it, and wait for what each says."""
        ledger = place.ledger
        before = await _running(ledger)
        if not before:
            raise OperationRefused("no hub runs on this ledger; the next `hub run` reads its configuration anyway")
        read = await asyncio.to_thread(configured, place.file, {"ledger.url": ledger.url})
        found = await complete(ledger, read)
        number = await ledger.commit(partial(remember, version=found.version))
        request = await ledger.commit(partial(ask_all, number=number, by=self.by))
        until_s = asyncio.get_running_loop().time() + self.wait_s
        while True:
            now = await _running(ledger)
            late = [one for one in now if one.heard < request]
            if not late or asyncio.get_running_loop().time() > until_s:
                break
            await asyncio.sleep(LOOK_S)
        silent = f"has said nothing for {self.wait_s:g} s"
        processes = [Process(one.worker, one.configuration, silent if one in late else one.refused) for one in now]
        first = before[0].configuration
        changes = await ledger.ask(lambda tx: "" if first is None else digest_of(tx, first) or "")
        said = [] if changes == found.version.digest else [f"configuration #{number} in place of #{first}"]
        return Reloaded(number, first, said, [str(problem) for problem in found.warnings], processes)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


async def _running(ledger: Ledger) -> list[Running]:
    return await ledger.ask(lambda tx: running(tx, WORKER_TTL_S))
