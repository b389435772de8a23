"""The hub is killed before and after each step of its line, on both buses and both ledgers, and at random.

Every kill is looked at (it landed where it should, the ledger stands as it must), the next hub goes on, and in the end
the books balance: every item in one state, every effect at the portals once, each surplus one due to one call that was
open at a kill, and announced as possibly twice.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from hub.bus.private_node import PrivateNode
from tests.prove.crash import EMBEDDED, HOLDING, ON_RABBITMQ, Trial, until
from tests.support.private_postgres import PrivatePostgres
from tests.support.proof import THOROUGH, record

Combination = tuple[str, str]
COMBINATIONS: tuple[Combination, ...] = (
    ("rabbitmq", "postgresql"), ("embedded", "postgresql"), ("rabbitmq", "sqlite"), ("embedded", "sqlite"),
)  # fmt: skip

PAIRWISE: Mapping[Combination, Sequence[Sequence[str]]] = {
    # Every boundary on either bus and on either ledger; both buses on both ledgers.
    ("rabbitmq", "postgresql"): (ON_RABBITMQ[0::3], ON_RABBITMQ[1::3], ON_RABBITMQ[2::3]),
    ("embedded", "postgresql"): (("after-settle", "after-claim"),),
    ("rabbitmq", "sqlite"): (("before-confirm", "after-confirm", "before-ack", "after-ack"),),
    ("embedded", "sqlite"): (EMBEDDED[0::2], EMBEDDED[1::2]),
}
"""Chains of kills, each on one ledger, one after the other."""

PASSAGES = (1, 2, 3) if THOROUGH else (1,)
DOSSIERS = 6 if THOROUGH else 4
AT_ONCE = 4
SYSTEMS = ("csv", "rest", "soap") if THOROUGH else ("csv", "rest")
IN_FLIGHT = 200 if THOROUGH else 20
"""Requests on their way to a portal at a random kill, at least."""


def chains_of(bus: str, ledger: str) -> Sequence[Sequence[str]]:
    """The chains of a combination: in the long run each boundary has a ledger of its own."""
    if not THOROUGH:
        return PAIRWISE[bus, ledger]
    return [(point,) for point in (ON_RABBITMQ if bus == "rabbitmq" else EMBEDDED)]


class Place:
    """Where trials are held: gives each a folder, a ledger and a name on the bus of its own."""

    def __init__(self, folder: Path, node: PrivateNode, cluster: PrivatePostgres) -> None:
        self._folder, self._node, self._cluster = folder, node, cluster
        self._numbers = itertools.count(1)

    def trial(
        self,
        bus: str,
        ledger: str,
        *,
        ticks: int,
        dossiers: int,
        batch: int = 10,
        systems: Sequence[str] = ("csv", "rest"),
    ) -> Trial:
        name = f"trial{next(self._numbers)}"
        folder = self._folder / name
        folder.mkdir()
        on_postgres = ledger == "postgresql"
        return Trial(
            folder,
            self._cluster.url(self._cluster.database()) if on_postgres else f"sqlite:///{folder / 'hub.db'}",
            self._node.amqp_url if bus == "rabbitmq" else "embedded:",
            name,
            ticks,
            dossiers,
            batch,
            systems,
            quick=on_postgres or not THOROUGH,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, rabbitmq: PrivateNode, postgres: PrivatePostgres) -> Place:
    return Place(tmp_path_factory.mktemp("crash"), rabbitmq, postgres)


@dataclass(slots=True)
class Trials:
    """What is under way, or done: most of a kill is waiting, so a few trials are held at a time."""

    chains: Mapping[Combination, Sequence[Future[Trial]]]
    random: Mapping[Combination, Future[Trial]]


@pytest.fixture(scope="module")
def trials(place: Place, request: pytest.FixtureRequest) -> Iterator[Trials]:
    """The trials of the tests that were asked for, all under way at once."""
    pool = ThreadPoolExecutor(AT_ONCE, "trial")
    try:
        yield Trials(
            {
                (bus, ledger): [pool.submit(chain, place, bus, ledger, points) for points in chains_of(bus, ledger)]
                for bus, ledger in asked_for(request, "boundary")
            },
            {(bus, ledger): pool.submit(at_random, place, bus, ledger) for bus, ledger in asked_for(request, "random")},
        )
    finally:
        pool.shutdown(cancel_futures=True)


def asked_for(request: pytest.FixtureRequest, word: str) -> list[Combination]:
    """The combinations for which a test with that word in its name is to run."""
    names = [item.name for item in request.session.items if word in item.name]
    return [(bus, ledger) for bus, ledger in COMBINATIONS if any(f"[{bus}-{ledger}]" in name for name in names)]


def chain(place: Place, bus: str, ledger: str, points: Sequence[str]) -> Trial:
    with place.trial(bus, ledger, ticks=len(points) * len(PASSAGES) + 1, dossiers=DOSSIERS) as trial:
        for point, passage in itertools.product(points, PASSAGES):
            trial.kill_at(point, passage)
        trial.finish()
    return trial


def note(trial: Trial, point: str, bus: str, ledger: str) -> None:
    """Record what the kills at one boundary came to."""
    kills = [
        (kill, struck) for kill, struck in zip(trial.kills, trial.books["kills"], strict=True) if kill.point == point
    ]
    record(
        "crash",
        boundary=point,
        bus=bus,
        ledger=ledger,
        kills=len(kills),
        calls_open=sum(len(kill.sending) for kill, _ in kills),
        effects=sum(kill.effects for kill, _ in kills),
        possibly_twice=sum(struck["surplus"] for _, struck in kills),
        books="balance" if trial.books["balanced"] else "do not balance",
    )


@pytest.mark.parametrize(("bus", "ledger"), COMBINATIONS)
def test_killed_at_every_boundary(trials: Trials, bus: str, ledger: str) -> None:
    done = [future.result() for future in trials.chains[bus, ledger]]
    points = [point for points in chains_of(bus, ledger) for point in points]
    for trial, chained in zip(done, chains_of(bus, ledger), strict=True):
        for point in chained:
            note(trial, point, bus, ledger)
    landed = [kill for trial in done for kill in trial.kills]
    assert sorted(kill.point for kill in landed) == sorted(points * len(PASSAGES))
    # An effect can be doubled only by a call that had been sent; by one that was only claimed it must not be.
    assert sum(trial.surplus() for trial in done) <= sum(len(m) for kill in landed for m in kill.sending.values())
    assert all(kill.sending for kill in landed if kill.point in HOLDING)


@pytest.mark.parametrize(("bus", "ledger"), COMBINATIONS if THOROUGH else COMBINATIONS[-1:])
def test_killed_at_random(trials: Trials, bus: str, ledger: str) -> None:
    note(trials.random[bus, ledger].result(), "random", bus, ledger)


def at_random(place: Place, bus: str, ledger: str) -> Trial:
    seed = time.time_ns() % 1_000_000
    try:
        with place.trial(bus, ledger, ticks=IN_FLIGHT // 4 + 4, dossiers=10, batch=3, systems=SYSTEMS) as trial:
            assert kill_at_random(trial, Random(seed)) >= IN_FLIGHT
            trial.finish()
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    return trial


def kill_at_random(trial: Trial, rng: Random) -> int:
    """Kill hubs under load until enough requests were on their way at a kill; returns how many were."""
    caught = 0
    trial.town.slow()
    while caught < IN_FLIGHT:
        trial.hub.start()
        until(trial.recovered, trial.standing)
        if trial.reader.open() < 40:
            trial.town.tick()
            until(lambda: trial.reader.open() >= 20, trial.standing)
        # Every second kill strikes the hub that is picking up what the one before left.
        for longest_s in (1.5, 1.0)[: rng.choice((1, 2))]:
            if not trial.hub.running:
                trial.hub.start()
            time.sleep(rng.uniform(0.0, longest_s))
            kill = trial.kill_from_outside()
            time.sleep(0.2)  # what had been sent has arrived by then
            caught += trial.on_the_wire(kill)
    trial.town.slow(False)
    return caught
