"""The tree of errors that the project raises; it knows no I/O.

    HubError
    ├── ConfigError            the configuration cannot be used: file, line, mend
    ├── UndecodableError       bytes that are not what their mapping says they are (a whole arrival is parked)
    ├── RefusedValueError      one value that a mapping or a record refuses (one item is rejected or parked)
    ├── CodeUnknownError       a code that no register or table has
    ├── IllegalTransition      a state change that the table of states does not have (a defect, never the user's)
    ├── OperationRefused       what a person asked for cannot be done as things stand
    ├── LeaseLostError         somebody else owns what this worker thought it owned (R7, R13)
    └── EdgeFault              the other side, or the way to it
        ├── SourceFault
        ├── DestinationFault
        ├── BusFault
        └── LedgerFault

Each says whose fault it is by its class, and what to do by its `mend`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class HubError(Exception):
    """Any error that the project raises on purpose; `str()` is one line for people."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration, a mapping or a message, said so that a person can mend it."""

    rule: str
    message: str
    mend: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        mend = f" — {self.mend}" if self.mend else ""
        return f"{where}{self.message} [{self.rule}]{mend}"


class ConfigError(HubError):
    """A configuration that cannot be used; carries every problem found, not the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(p) for p in problems))


class UndecodableError(HubError):
    """Bytes that cannot be read as what they are declared to be; nothing in them can be trusted."""


class RefusedValueError(HubError):
    """One value that cannot become its target field.

    `verdict` says whose fault it is: `reject` (the sender's) or `park` (ours: a mapping or a code is missing).
    """

    def __init__(
        self,
        reason: str,
        *,
        mapping: str = "",
        field: str = "",
        path: str = "",
        value: str | None = None,
        verdict: Literal["reject", "park"] = "reject",
    ) -> None:
        self.reason, self.mapping, self.field, self.path, self.value, self.verdict = (
            reason,
            mapping,
            field,
            path,
            value,
            verdict,
        )
        shown = "" if value is None else f" (found {value!r})"
        where = f" at {path}" if path else ""
        super().__init__(f"{mapping + ': ' if mapping else ''}{field + ': ' if field else ''}{reason}{where}{shown}")


class CodeUnknownError(HubError):
    """A code that no register or code table has: the register has to grow, the sender is not at fault."""


class IllegalTransition(HubError):  # noqa: N818 - named for what it is, a step outside the table of states
    """A state change that the table of states does not have."""


class OperationRefused(HubError):  # noqa: N818 - a refusal, said to the person who asked
    """What a person asked for cannot be done as things stand; nothing was changed."""


class LeaseLostError(HubError):
    """Somebody else owns what this worker thought it owned; what it was doing has been undone."""


class EdgeFault(HubError):  # noqa: N818 - faults are the domain's word for what the other side does
    """The other side, or the way to it, failed; `down` where nobody answered at all."""

    def __init__(self, text: str, *, down: bool = False) -> None:
        self.down = down
        super().__init__(text)


class SourceFault(EdgeFault):
    """A legacy system refused, timed out or broke off; there are no bytes worth keeping."""


class DestinationFault(EdgeFault):
    """A portal could not be asked."""


class BusFault(EdgeFault):
    """The broker cannot be used at all (wrong credentials, a queue of another type)."""


class LedgerFault(EdgeFault):
    """The database cannot be used."""
