"""What a portal's twin says of itself, so that a drill can put it in the place of the real one: data, no code of a hub.

A module that an entry point of `hub.sandboxes` names may hold `STAND_IN`, a `StandIn`. Whoever writes an adapter of his
own for a destination writes its twin beside it and declares it the same way; `hub drill` then finds it by the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Given: TypeAlias = Mapping[str, Any]
"""A destination's settings as they stand in the configuration, variables not yet replaced."""
Orders: TypeAlias = dict[str, Mapping[str, Any] | str]
"""By the name of a fault, the order for `POST /_twin/fault`, or why this portal, set up like this, cannot have it."""


class Known(Protocol):
    """What a drill knows of a destination beside its settings, for a twin whose portal is known by them alone."""

    @property
    def numbers(self) -> Mapping[str, Sequence[str]]:
        """By kind, the way into a record to the number by which an answer names it."""
        ...

    @property
    def welcome(self) -> Mapping[str, Any] | None:
        """An answer {status, form, body} that the destination's table takes for a success."""
        ...

    @property
    def busy(self) -> Mapping[str, Any] | None:
        """An answer with HTTP 200 that it takes for a failure that passes."""
        ...

    @property
    def results(self) -> Mapping[str, Any] | None:
        """Where the table has a result per record: {at, key, refused}."""
        ...


@dataclass(frozen=True, slots=True)
class Learned:
    """What follows of that."""

    options: Mapping[str, Any]
    """More of the twin's own options."""
    cannot: Mapping[str, str]
    """By the name of a fault, why this portal cannot have it."""


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
    reads: Callable[[bytes, str], Mapping[str, Any]] | None = None
    """From the bytes of one record and their form (xml, form, query) to how its log has it; None: only JSON comes."""
    learns: Callable[[Given, Known], Learned] | None = None
    """For a portal that is known by its settings alone; None where the twin knows its portal."""


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
