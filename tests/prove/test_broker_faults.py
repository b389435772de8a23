"""The broker fails under a working hub, in every way that operators have seen: nobody restarts or commands anything,
and every portal gets everything exactly once. How long it took is measured from when the broker was well again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from hub.bus.private_node import PrivateNode
from tests.end_to_end.conftest import hasten
from tests.end_to_end.town import QuickApp, Town, until
from tests.prove.broker_faults import FAULTS, SLOW_FAULTS, Fault, Scene
from tests.support import proof

WITHIN_S = 120.0
DOSSIERS, TICKS = (50, 4) if proof.THOROUGH else (12, 4)

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateNode]:
    """A node of this module's own: it is killed and wiped."""
    with PrivateNode.start(tmp_path_factory.mktemp("faulty")) as started:
        yield started


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """At length the bus has the pauses that it has in production."""
    hasten(monkeypatch, bus=not proof.THOROUGH)


@pytest.fixture
def scene(request: pytest.FixtureRequest, node: PrivateNode, tmp_path: Path, ledger: str) -> Iterator[Scene]:
    if not node.running:
        node.restart()
    with ExitStack() as stack:
        url = "" if ledger == "sqlite" else request.getfixturevalue("postgres_url")
        bus, prefix = node.amqp_url, f"fault{next(_numbers)}"
        town = Town(tmp_path, stack, dossiers=DOSSIERS, ticks=TICKS, ledger=url, bus=bus, prefix=prefix)
        yield Scene(node, town)
        town.leave()


def cases() -> Iterator[tuple[Fault, str]]:
    """At length all on both ledgers; else all on SQLite, and the last on PostgreSQL, where two hubs share the work."""
    for fault in [*FAULTS, *SLOW_FAULTS] if proof.THOROUGH else FAULTS:
        yield fault, "sqlite"
        if proof.THOROUGH or fault is FAULTS[-1]:
            yield fault, "postgresql"


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(("fault", "ledger"), [pytest.param(*case, id=f"{case[0].name}-{case[1]}") for case in cases()])
def test_a_broker_fault_needs_nobody(fault: Fault, ledger: str, scene: Scene) -> None:
    town = scene.town
    recovered_s = asyncio.run(suffers(scene, fault, hubs=1 if ledger == "sqlite" else 2))
    assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1 OR state IN ('dead', 'unknown')")
    town.balance()
    proof.record("fault", fault=fault.name, bus="rabbitmq", ledger=ledger, recovered_s=recovered_s)
    print(f"{fault.name}, {ledger}: whole again after {recovered_s:.1f} s")


async def suffers(scene: Scene, fault: Fault, hubs: int) -> float:
    """Let it happen in mid-flow. Returns the seconds from the end of the fault until everything had arrived."""
    town = scene.town
    await asyncio.to_thread(fault.before, scene)
    async with AsyncExitStack() as running:
        for _ in range(hubs):
            await running.enter_async_context(town.hub(QuickApp(town.deployment)))
        if not fault.at_once:
            town.tick()
            await town.all_arrived(within_s=WITHIN_S)
        town.tick()
        await until(town.open, show=town.standing)
        await asyncio.to_thread(fault.begin, scene)
        town.tick()
        # Whatever the broker does: the sources are read on.
        await until(lambda: all(town.read_whole(one) for one in town.systems), WITHIN_S, show=town.standing)
        await asyncio.to_thread(fault.end, scene)
        well_at = time.monotonic()
        await town.all_arrived(within_s=WITHIN_S)
        recovered_s = time.monotonic() - well_at
        while town.ticked < town.ticks:
            town.tick()
            await town.all_arrived(within_s=WITHIN_S)
    return recovered_s
