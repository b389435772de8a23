"""The transport of what is due: embedded, or RabbitMQ; chosen by a URL, held to one contract (`hub.ports.Bus`)."""

from __future__ import annotations

import inspect
from typing import Any

from hub.bus.embedded import EmbeddedBus
from hub.bus.rabbitmq import RabbitBus
from hub.bus.topology import declare, describe
from hub.ports import Bus
from schemas.errors import BusFault

__all__ = ["EmbeddedBus", "RabbitBus", "declare", "describe", "open_bus"]


def open_bus(url: str, **settings: Any) -> Bus:
    """Make the bus that `url` names, not yet started: `embedded:` or `amqp[s]://user:password@host:5672/vhost`.

    `settings` may name those of either bus, so that a configuration changes its bus by changing the URL alone: each
    takes its own. Raises: BusFault for another URL, an unknown setting, and a value that makes no sense.
    """
    scheme = url.partition(":")[0].lower()
    if scheme not in ("embedded", "amqp", "amqps"):
        raise BusFault(f"bus.url: unknown scheme {scheme!r} — write embedded: or amqp://user:password@host:5672/vhost")
    known = {kind: set(inspect.signature(kind).parameters) - {"url"} for kind in (EmbeddedBus, RabbitBus)}
    unknown = sorted(set(settings).difference(*known.values()))
    if unknown:
        choices = ", ".join(sorted(set().union(*known.values())))
        raise BusFault(f"bus.{unknown[0]}: no such setting — there are {choices}")
    if scheme == "embedded":
        return EmbeddedBus(**{name: value for name, value in settings.items() if name in known[EmbeddedBus]})
    return RabbitBus(url, **{name: value for name, value in settings.items() if name in known[RabbitBus]})
