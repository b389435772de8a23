"""Opening a bus by its URL."""

from __future__ import annotations

import pytest

from hub.bus import EmbeddedBus, RabbitBus, open_bus
from schemas.errors import BusFault


@pytest.mark.parametrize(
    ("url", "kind", "durable"),
    [
        ("embedded:", EmbeddedBus, False),
        ("amqp://hub:secret@127.0.0.1:5672/", RabbitBus, True),
        ("amqps://hub:secret@broker.example/", RabbitBus, True),
    ],
)
def test_the_url_chooses_and_the_same_settings_fit_both(url: str, kind: type, durable: bool) -> None:
    bus = open_bus(url, capacity=5000, prefetch=100, window=300, prefix="tra-vinh")
    assert type(bus) is kind
    assert bus.durable is durable
    assert bus.state() == "stopped"


@pytest.mark.parametrize(
    ("url", "settings", "said"),
    [
        ("kafka://broker", {}, "unknown scheme 'kafka' — write embedded: or amqp://"),
        ("", {}, "unknown scheme ''"),
        ("embedded:", {"prefech": 1}, r"bus\.prefech: no such setting — there are capacity, confirm_s, "),
        ("embedded:", {"capacity": 0}, r"bus\.capacity: must be at least 1"),
        ("amqp://h", {"window": 0}, r"bus\.window: must be at least 1"),
        ("amqp://h", {"prefetch": 70_000}, r"bus\.prefetch: must be at most 65535"),
        ("amqp://h:port", {}, r"bus\.url: "),
    ],
)
def test_what_makes_no_sense_is_named(url: str, settings: dict[str, int], said: str) -> None:
    with pytest.raises(BusFault, match=said):
        open_bus(url, **settings)
