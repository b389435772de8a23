"""What the hub asks a broker to hold."""

from __future__ import annotations

from hub.bus import describe


def test_one_exchange_and_a_durable_quorum_queue_per_destination() -> None:
    exchange, national, provincial = describe(["national", "provincial"])
    assert exchange == {"what": "exchange", "name": "hub", "type": "direct", "durable": True, "arguments": {}}
    assert national == {
        "what": "queue",
        "name": "hub.national",
        "type": "quorum",
        "durable": True,
        "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000},
        "bound_to": "hub",
        "routing_key": "national",
    }
    assert provincial["name"] == "hub.provincial"
