"""Kill points: named places of the line where a process can be told to die, so that tests see what a crash there does.

    HUB_KILL_AT=after-claim        die there at the first passage; after-claim:3 at the third
    HUB_KILL_LOG=FILE              append one JSON line first, and write it through to the disk
    HUB_KILL_WHEN=FILE             count passages only from when this file exists

The line says where and when the process died, and which calls it had open then: claimed, and not finished. Death is
SIGKILL to the whole process: nothing is flushed, closed or told. Unarmed, `kill_point` does nothing.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from schemas.errors import ConfigError, Problem

STAGES = ("read", "settle", "publish", "confirm", "claim", "send", "receipt", "finish", "ack")
"""In the order of the line; `confirm` and `ack` are passed on RabbitMQ only."""

BESIDE = ("before-reload", "after-reload")
"""Beside the line: whatever else passes is told of nothing then."""

POINTS = tuple(f"{side}-{stage}" for stage in STAGES for side in ("before", "after"))


class KillPoint(Protocol):
    """What stands in the line."""

    def __call__(self, point: str, about: Iterable[int | str] | None = None, /) -> None:
        """Die here, if that is what was ordered. `about` names what is passing; where it names nothing, nothing is."""


@dataclass(slots=True)
class Plan:
    """An order to die, and what has to be kept in mind until then."""

    point: str
    passage: int = 1
    """Counted from 1."""
    log: Path | None = None
    when: Path | None = None
    passages: int = 0
    open: set[int] = field(default_factory=set)
    """Calls that are surely claimed and surely not finished in the ledger."""
    deciding: set[int] = field(default_factory=set)
    """Calls whose claim or finish may be committed at this moment; a claim that took nothing stays among them."""

    def pass_by(self, point: str, about: Iterable[int | str] | None = None, /) -> None:
        """See `KillPoint`."""
        named = None if about is None else list(about)
        calls = {call for call in named or () if isinstance(call, int)}
        if point == "after-claim":
            self.open |= calls
            self.deciding -= calls
        elif point == "after-finish":
            self.deciding -= calls
        if point == self.point and named != [] and (self.when is None or self.when.exists()):
            self.passages += 1
            if self.passages == self.passage:
                self._die(named or [])
        if point in ("before-claim", "before-finish"):
            self.open -= calls
            self.deciding |= calls

    def _die(self, named: list[int | str]) -> None:
        pid = os.getpid()
        line = {
            "point": self.point, "passage": self.passage, "at_us": time.time_ns() // 1000, "pid": pid, "about": named,
            "calls": sorted(self.open), "deciding": sorted(self.deciding),
        }  # fmt: skip
        if self.log is not None:
            descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.write(descriptor, json.dumps(line).encode() + b"\n")
            os.fsync(descriptor)
        os.kill(pid, signal.SIGKILL)


def plan_of(environment: Mapping[str, str]) -> Plan | None:
    """The order that an environment gives, None where it gives none. Raises: ConfigError naming what is wrong."""
    order = environment.get("HUB_KILL_AT", "")
    if not order:
        return None
    point, _, passage = order.partition(":")
    if point not in POINTS + BESIDE:
        raise _refused(f"there is no kill point {point!r}", f"one of {', '.join(POINTS + BESIDE)}")
    if passage and (not passage.isdecimal() or not int(passage)):
        raise _refused(f"{passage!r} counts no passages", f"a whole number from 1, as in {point}:3")
    log, when = (environment.get(name) for name in ("HUB_KILL_LOG", "HUB_KILL_WHEN"))
    return Plan(point, int(passage or 1), Path(log) if log else None, Path(when) if when else None)


def _refused(said: str, mend: str) -> ConfigError:
    return ConfigError([Problem("kill-point", f"HUB_KILL_AT: {said}", mend)])


def check() -> None:
    """Raises: ConfigError where the environment orders what cannot be done."""
    plan_of(os.environ)


def _nothing(point: str, about: Iterable[int | str] | None = None, /) -> None:
    """Unarmed."""


def _planned() -> Plan | None:
    try:
        return plan_of(os.environ)
    except ConfigError:
        return None  # said by `check` when the hub starts; an import is no place to refuse anything


_PLAN = _planned()

ARMED = _PLAN is not None

kill_point: KillPoint = _nothing if _PLAN is None else _PLAN.pass_by
