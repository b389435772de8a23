"""What the proofs about the ledger's database share: a town whose ledger is struck, and how long until it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hub.app import App
from tests.end_to_end.town import Town, until
from tests.support import proof

SIZE: dict[str, Any] = (
    {"dossiers": 40, "ticks": 8} if proof.THOROUGH else {"dossiers": 6, "ticks": 5, "systems": ("soap", "csv")}
)


@contextmanager
def town_of(folder: Path, **settings: Any) -> Iterator[Town]:
    """A town whose twins and connections end with the block."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        town = Town(folder, stack, **{**SIZE, **settings})
        stack.callback(town.leave)
        yield town


async def troubled(app: App, said: str = "", within_s: float = 90.0) -> str:
    """Wait until the hub says what is wrong with its ledger, with `said` in it; returns all that it says."""
    await until(
        lambda: said in (app.ledger.problem or "") and app.ledger.problem, within_s, show=lambda: app.ledger.problem
    )
    return str(app.ledger.problem)


class Recovery:
    """The seconds from the end of a fault until the hub commits again."""

    def __init__(self, app: App) -> None:
        self._app, self._from_s = app, time.monotonic()

        self._commits = app.ledger._writer.commits

    async def end(self, commits: int = 0, within_s: float = 90.0) -> float:
        """Wait until the hub has nothing to complain of, and has committed so often since."""

        def ended() -> bool:
            return self._app.ledger.problem is None and self._app.ledger._writer.commits >= self._commits + commits

        await until(ended, within_s, show=lambda: self._app.ledger.problem)
        return round(time.monotonic() - self._from_s, 2)


def told(fault: str, town: Town, recovered_s: float) -> None:
    """Record a fault that was survived, and print it."""
    bus = "embedded" if town.bus.startswith("embedded") else "rabbitmq"
    ledger = "sqlite" if town.ledger.startswith("sqlite") else "postgresql"
    proof.record("fault", fault=fault, bus=bus, ledger=ledger, recovered_s=recovered_s)
    print(f"{fault} ({bus}, {ledger}): recovered after {recovered_s:.2f} s")


def balanced(town: Town) -> None:
    """The books balance, and nothing is dead or undecided."""
    assert not town.ask("SELECT id FROM dispatch WHERE state IN ('dead', 'unknown')")
    town.balance()
