"""What came of a drill: plain values, for people and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.drill.verdict import WRONG, Finding

SHOWN = 50
"""Findings that a report lists."""


@dataclass(slots=True)
class FaultResult:
    """One fault at one destination, or at the whole hub."""

    fault: str
    destination: str | None
    exercised: bool = False
    """Whether it met a message in flight."""
    in_flight: int = 0
    """How many dispatches were in calls that met it."""
    recovered_after_s: float | None = None
    """From its end until nothing was left to send; None where that did not come."""

    @property
    def passed(self) -> bool:
        return self.exercised and self.recovered_after_s is not None


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """A fault that cannot happen here."""

    fault: str
    destination: str | None
    reason: str


@dataclass(slots=True)
class SourceUsed:
    """What was made of one source's samples."""

    source: str
    samples: str
    """Where they come from."""
    dossiers: int = 0
    once: list[str] = field(default_factory=list)
    """What could not be multiplied."""


@dataclass(slots=True)
class Report:
    """The outcome of a drill."""

    config: str
    bus: str
    ledger: str
    seconds: float = 0.0
    dossiers: int = 0
    snapshots: int = 0
    """Revisions that were served, over all destinations."""
    events: int = 0
    faults: list[FaultResult] = field(default_factory=list)
    not_applicable: list[NotApplicable] = field(default_factory=list)
    sources: list[SourceUsed] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    possibly_twice: int = 0
    dead: int = 0
    """The most dispatches that were dead at a time."""
    open: int = 0
    problems: list[str] = field(default_factory=list)
    """Everything else that fails the drill, each with what to do."""

    def count(self, what: str) -> int:
        return sum(finding.what == what for finding in self.findings)

    @property
    def passed(self) -> bool:
        return not self.findings and not self.problems and not self.open and all(one.passed for one in self.faults)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "ok": self.passed,
            **{what: self.count(what) for what in WRONG},
            "possibly_twice": self.possibly_twice,
            "dead": self.dead,
            "open": self.open,
            "faults": self.faults,
            "not_applicable": self.not_applicable,
            "config": self.config,
            "bus": self.bus,
            "ledger": self.ledger,
            "dossiers": self.dossiers,
            "snapshots": self.snapshots,
            "events": self.events,
            "sources": self.sources,
            "changed": self.changed,
            "findings": self.findings[:SHOWN],
            "problems": self.problems,
            "seconds": round(self.seconds, 1),
        }
