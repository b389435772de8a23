"""What the end-to-end tests share: a town each, and a hub that does not let them wait."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.bus import open_bus
from hub.bus.private_node import PrivateNode
from hub.deliver import Deliver
from hub.retry import RetryPolicy
from tests.end_to_end.town import Town

MakeTown = Callable[..., Town]

_numbers = itertools.count(1)


@pytest.fixture
def make_town(tmp_path: Path) -> Iterator[MakeTown]:
    """Build a town in the test's own folder; its twins end with the test."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Town:
            return Town(tmp_path, stack, **settings)

        yield make


def hasten(monkeypatch: pytest.MonkeyPatch, *, bus: bool = True) -> None:
    """Make pauses that a test would only wait for tenths of a second: a source in trouble, a portal that is
    down or was until now, an unknown outcome, and with `bus` a broker that is away or owes a confirm."""
    monkeypatch.setattr("hub.serving.TROUBLE", RetryPolicy(first_s=0.1, cap_s=0.3))
    monkeypatch.setattr("hub.serving.RetryPolicy", partial(RetryPolicy, unknown_wait_s=0.2))
    monkeypatch.setattr("hub.serving.Deliver", partial(Deliver, probe_every_s=0.2))
    monkeypatch.setattr("hub.deliver.ASK_AGAIN_S", 0.1)
    monkeypatch.setattr("hub.rate.FIRST_PER_S", 50.0)
    if bus:
        quick = partial(open_bus, reconnect_first_s=0.05, reconnect_cap_s=0.3, watch_s=1.0, confirm_s=2.0)
        monkeypatch.setattr("hub.app.open_bus", quick)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for longer than it must, see `hasten`."""
    hasten(monkeypatch)


@pytest.fixture
def prefix() -> str:
    """A name of its own for the exchange and the queues of each test."""
    return f"town{next(_numbers)}"


@pytest.fixture
def broker(rabbitmq: PrivateNode) -> Iterator[PrivateNode]:
    """The node, running again for the next test whatever this one did to it."""
    yield rabbitmq
    if not rabbitmq.running:
        rabbitmq.restart()
