"""The script of a drill, as data: which fault meets whom, in which round. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

BROKER, WORKER = "broker-restart", "worker-kill"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    words: str
    """For people."""
    hold_s: float = 0.0
    """How long it goes on after it has met somebody."""
    outlasts: bool = False
    """Whether it goes on for longer than every timeout of the destination."""


OF_A_PORTAL: tuple[Fault, ...] = (
    Fault("429", "429 with Retry-After", hold_s=0.4),
    Fault("slow-drip", "slow drip", hold_s=0.4),
    Fault("connection-reset", "connection reset", hold_s=0.4),
    Fault("timeout-after-accept", "timeout after accept", hold_s=0.4),
    Fault("500-storm", "500 storm", hold_s=0.5),
    Fault("200-with-error", "200 with an error inside", hold_s=0.4),
    Fault("expired-session", "expired session"),
    Fault("result-missing", "result missing for an item", hold_s=0.4),
    Fault("duplicate-answer", "duplicate answer", hold_s=0.3),
    Fault("down-for-long", "down for longer than every timeout", outlasts=True),
)
OF_THE_HUB: tuple[Fault, ...] = (Fault(BROKER, "broker restart"), Fault(WORKER, "kill of the worker"))

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in (*OF_A_PORTAL, *OF_THE_HUB)}
"""Every fault by its name, in the order of the script."""


@dataclass(frozen=True, slots=True)
class Round:
    """What happens at one tick: a fault at each of some destinations, or one of the whole hub."""

    portals: Mapping[str, Fault]
    hub: Fault | None = None


def rounds(applicable: Mapping[str, Iterable[str]], whole: Sequence[str] = ()) -> list[Round]:
    """The script: each destination's faults one after the other, several destinations at once; then the hub's own.

    `applicable` are the names of the faults that each destination can have, `whole` those of the whole hub.
    """
    lines = {name: [fault for fault in OF_A_PORTAL if fault.name in set(can)] for name, can in applicable.items()}
    made = []
    for together in zip_longest(*lines.values()):
        named = zip(lines, together, strict=True)
        made.append(Round({name: fault for name, fault in named if fault is not None}))
    return made + [Round({}, fault) for fault in OF_THE_HUB if fault.name in whole]
