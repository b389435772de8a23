"""What a portal's twin says of itself, so that a drill can put it in the place of the real one: data, no code of a hub.

A module that an entry point of `hub.sandboxes` names may hold `STAND_IN`, a `StandIn`. Whoever writes an adapter of his
own for a destination writes its twin beside it and declares it the same way; `hub drill` then finds it by the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Given: TypeAlias = Mapping[str, Any]
"""A destination's settings as they stand in the configuration, variables not yet replaced."""
Orders: TypeAlias = dict[str, Mapping[str, Any] | str]
"""By the name of a fault, the order for `POST /_twin/fault`, or why this portal, set up like this, cannot have it."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """For which adapter a twin stands, and how it is set up and told to fail."""

    adapter: str
    """The name in the entry point group `hub.adapters`."""
    kinds: Mapping[str, str]
    """Of each service in its log, the kind of record that it takes."""
    replaces: tuple[str, ...]
    """The settings that `settings` gives: the address, and who the hub is there."""
    drops: tuple[str, ...]
    """The settings that have no meaning at a twin."""
    settings: Callable[[Given, str], Mapping[str, Any]]
    """From the given settings and the twin's address to those that lead to the twin."""
    options: Callable[[Given], Mapping[str, Any]]
    """The twin's own options, so that it answers as the given settings expect."""
    faults: Callable[[Given, float], Orders]
    """From the given settings and the limit of one call in seconds to the orders; `linger` keeps calls open."""


def orders(deadline_s: float) -> Orders:
    """What every twin of a portal can do; `deadline_s` is the limit of one call, which the slow ones have to exceed."""
    return {
        "slow-drip": {"mode": "drip", "interval_s": deadline_s / 4},
        "connection-reset": {"mode": "down"},
        "timeout-after-accept": {"mode": "accept-hang"},
        "500-storm": {"mode": "500"},
        "429": {"mode": "429", "retry_after_s": 1},
        "expired-session": {"mode": "expire-session", "for_requests": 1},
        "duplicate-answer": {"mode": "duplicate-answer"},
        "down-for-long": {"mode": "refuse"},
        "linger": {"mode": "linger", "interval_s": deadline_s * 0.8},
    }


def given_flag(given: Given, name: str) -> bool:
    """Whether a setting says yes, as the text that it is in a file or as a value."""
    return str(given.get(name, "")).strip().lower() in ("true", "yes", "on", "1")
