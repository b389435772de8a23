"""What a description of a service offers, as an adapter package reads it: entry points of the group `hub.scaffolds`.

The hub knows no vendor library: whoever can read a WSDL names a function here that returns a `Service`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from schemas.errors import ConfigError, Problem

GROUP = "hub.scaffolds"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of an operation; `kind` is its type as the description names it (`string`, `dateTime`)."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, with its place: a WSDL may offer it by several services and ports."""

    name: str
    arguments: tuple[Argument, ...]
    gives: str
    """The type of its result."""
    service: str
    port: str

    def __str__(self) -> str:
        taken = ", ".join(f"{one.name}: {one.kind}{'' if one.required else '?'}" for one in self.arguments)
        return f"{self.name}({taken}) -> {self.gives}"


class Service(Protocol):
    """A service that was described."""

    @property
    def operations(self) -> Sequence[Operation]: ...

    def call(
        self, operation: str, arguments: Mapping[str, Any], *, timeout_s: float, endpoint: str | None = None
    ) -> bytes:
        """Call an operation, at `endpoint` instead of where the description says; the whole answer as it came.

        Raises: HubError that says what to mend.
        """
        ...

    def settings(self, operation: str) -> Mapping[str, Any]:
        """What a source has to be told so that it finds this very operation."""
        ...

    def value(self, operation: str, argument: str, text: str) -> Any:
        """A text of the command line as the configuration writes it: whole numbers are numbers."""
        ...

    def caution(self, operation: str) -> str | None:
        """What is strange about where the operation is to be called."""
        ...


def describe(kind: str, address: str, *, timeout_s: float, auth: tuple[str, str] | None = None) -> Service:
    """Read the description at an address or in a file; `auth` is user and password (basic). Raises: ConfigError."""
    for point in entry_points(group=GROUP):
        if point.name == kind:
            return cast(Service, point.load()(address, timeout_s=timeout_s, auth=auth))
    said = f"nothing that is installed reads a {kind}"
    raise ConfigError([Problem("no-scaffold", said, f"install a package that declares {kind!r} in {GROUP}")])
