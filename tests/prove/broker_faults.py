"""What can happen to a broker while a hub works on it, each as something that begins and ends; all of it blocks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from unittest import mock

import pika
from pika.adapters.blocking_connection import BlockingChannel

from hub.bus.private_node import PrivateNode
from tests.end_to_end.town import Town
from tests.services.rabbitmq import by_hand
from tests.support.proof import THOROUGH

AWAY_S = 10.0 if THOROUGH else 2.0
GIANT_BYTES = 16 * 1024 * 1024
NOBODYS_ID = 10**15
YEAR_50000 = 1_700_000_000_000


@dataclass
class Scene:
    """A town whose hub works on a node."""

    node: PrivateNode
    town: Town

    @property
    def queues(self) -> list[tuple[str, str]]:
        """Destination and queue."""
        return [(portal, f"{self.town.prefix}.{portal}") for portal in self.town.portals]

    @contextmanager
    def by_hand(self) -> Iterator[BlockingChannel]:
        with by_hand(self.node.amqp_url) as channel:
            yield channel


Act = Callable[[Scene], None]


def nothing(_: Scene) -> None:
    """It was over as soon as it began."""


@dataclass(frozen=True)
class Fault:
    """`begin` breaks it, in mid-flow; `end` puts it right, after the sources were read on; then the clock starts."""

    name: str
    begin: Act
    end: Act = nothing
    before: Act = nothing
    """Done before anything flows."""
    at_once: bool = False
    """Whether it begins with the first flow, right after the queues were declared."""


def all_queues(act: Callable[[BlockingChannel, str, str], object]) -> Act:
    """Do something by hand to each destination's queue: `act(channel, destination, queue)`."""

    def acting(scene: Scene) -> None:
        with scene.by_hand() as channel:
            for destination, queue in scene.queues:
                act(channel, destination, queue)

    return acting


def stop(scene: Scene) -> None:
    scene.node.ctl("stop_app")
    time.sleep(AWAY_S)


def start(scene: Scene) -> None:
    scene.node.ctl("start_app")


def kill(scene: Scene) -> None:
    scene.node.kill()


def restart(scene: Scene) -> None:
    scene.node.restart()


def wipe(scene: Scene) -> None:
    scene.node.stop()
    shutil.rmtree(scene.node.folder / "data")


def block(scene: Scene) -> None:
    scene.node.ctl("set_vm_memory_high_watermark", "0.0001")


def unblock(scene: Scene) -> None:
    scene.node.ctl("set_vm_memory_high_watermark", "0.4")


def drop_exchange(scene: Scene) -> None:
    with scene.by_hand() as channel:
        channel.exchange_delete(scene.town.prefix)


def reset_connections(scene: Scene) -> None:
    for _ in range(3 if THOROUGH else 1):
        scene.node.ctl("close_all_connections", "a drill")


def tap(scene: Scene) -> None:
    """Have a copy of every ticket put aside."""
    with scene.by_hand() as channel:
        for destination, queue in scene.queues:
            channel.exchange_declare(scene.town.prefix, "direct", durable=True)
            channel.queue_declare(f"{queue}.tap", durable=True)
            channel.queue_bind(f"{queue}.tap", scene.town.prefix, destination)


def publish_again(scene: Scene) -> None:
    """Put every ticket that was put aside so far into its queue, twice."""
    with scene.by_hand() as channel:
        for _, queue in scene.queues:
            for properties, body in _all_of(channel, f"{queue}.tap"):
                for _ in range(2):
                    channel.basic_publish("", queue, body, properties)


def _all_of(channel: BlockingChannel, queue: str) -> Iterable[tuple[pika.BasicProperties, bytes]]:
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None or properties is None:
            return
        yield properties, body or b""


def publish_again_and_untap(scene: Scene) -> None:
    publish_again(scene)
    with scene.by_hand() as channel:
        for _, queue in scene.queues:
            channel.queue_delete(f"{queue}.tap")


def poison(scene: Scene) -> None:
    """What can be in a queue that no hub, or another hub, or no sane program wrote."""
    identity = scene.town.one("SELECT value FROM meta WHERE name = 'digest_key'")
    assert identity, "the ledger has no name yet"
    ledger = _identity(identity)
    ids = [row[0] for row in scene.town.ask("SELECT id FROM dispatch ORDER BY id DESC LIMIT 5")]
    for destination, queue in scene.queues:
        ours = {
            "dispatch": NOBODYS_ID, "gen": 1, "destination": destination, "key": "x", "lane": "x", "ledger": ledger
        }  # fmt: skip
        with scene.by_hand() as channel:
            for headers, body in [
                (None, b"\xff\xfe garbage"),
                ({"dispatch": "one", "gen": None}, b"{}"),
                ({**ours, "gen": -1}, b"{}"),
                (ours, b"{}"),
                (ours, b"\x00" * GIANT_BYTES),
                (None, b"{" * GIANT_BYTES),
                ({**ours, "ledger": "0123456789abcdef", "dispatch": ids[0]}, b"{}"),
                *(({**ours, "dispatch": id_, "gen": 10**12}, b"{}") for id_ in ids),
                *(({**ours, "dispatch": id_, "gen": 0}, b"not even JSON") for id_ in ids),
            ]:
                properties = pika.BasicProperties(
                    headers=headers, type="dossier.v1", content_type="application/json", delivery_mode=2
                )
                channel.basic_publish("", queue, body, properties)
            with mock.patch("pika.data.calendar.timegm", return_value=YEAR_50000):
                unreadable = pika.BasicProperties(headers={"at": datetime.now(UTC)})
                channel.basic_publish("", queue, b"{}", unreadable)


def _identity(digest_key: str) -> str:
    """The name that a ledger puts on its tickets, so that a forged one passes for its own."""
    return blake2b(bytes.fromhex(digest_key), digest_size=8, person=b"identity").hexdigest()


def suspend_queues(scene: Scene) -> None:
    for _, queue in scene.queues[:1]:
        scene.node.ctl("eval", f"sys:suspend(whereis('%2F_{queue}')).")


FAULTS = [
    Fault(f"broker stopped for {AWAY_S:g} s", stop, start),
    Fault("broker killed (SIGKILL)", kill, restart),
    Fault("data folder wiped while stopped", wipe, restart),
    Fault("queues deleted by hand", all_queues(lambda channel, _, queue: channel.queue_delete(queue))),
    Fault("queues purged by hand", all_queues(lambda channel, _, queue: channel.queue_purge(queue))),
    Fault("connection blocked (memory alarm)", block, unblock),
    Fault(
        "bindings removed (unroutable)",
        all_queues(
            lambda channel, destination, queue: channel.queue_unbind(queue, queue.rpartition(".")[0], destination)
        ),
    ),
    Fault("exchange deleted", drop_exchange),
    Fault("poison tickets", poison),
    Fault("every ticket published three times", publish_again, publish_again_and_untap, before=tap),
    Fault("connections reset, tickets redelivered", reset_connections),
]
"""What `make test` runs too."""

SLOW_FAULTS = [
    Fault("killed right after its queues were declared", kill, restart, at_once=True),
    Fault("one queue owes its confirms", suspend_queues),
]
