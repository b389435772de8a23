"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """configuration, database, disk, clock, broker, certificate, source, register, destination, worker, alert or
    ledger."""
    subject: str
    level: Level
    said: str
    """Without personal data: it goes into a support bundle."""
    mend: str = ""
    detail: str = ""
    """What others said, in their words, which may quote a record; for the terminal alone."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found."""

    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing is a problem."""
        return all(one.level is not Level.PROBLEM for one in self.findings)


def judged(value: float, warning: float, problem: float) -> Level:
    """Judge a number that is the better the higher it is."""
    return Level.PROBLEM if value < problem else Level.WARNING if value < warning else Level.OK
