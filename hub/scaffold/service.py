"""What a description of a service offers, as an adapter package reads it: entry points of the group `hub.scaffolds`.

The hub knows no vendor library: whoever can read a WSDL names a function here that returns a `Service`, for OpenAPI one
that returns a `RestService`, and for a database one that runs a query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, Protocol, cast

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

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.service}, {self.port}"


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


@dataclass(frozen=True, slots=True)
class Parameter(Argument):
    """One parameter of an address; `kind` is its format where it has one (`date-time`), else its type."""

    where: Literal["query", "header", "path"]
    default: Any = None
    """What is taken where nothing is sent: a text, a number, None where the description says nothing."""
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class RestOperation:
    """One address that answers GET; `name` is its id, or `GET /path` where it has none."""

    name: str
    path: str
    arguments: tuple[Parameter, ...]
    gives: str
    summary: str = ""

    def __str__(self) -> str:
        taken = ", ".join(f"{one.name}: {one.kind}{'' if one.required else '?'}" for one in self.arguments)
        return f"{self.name}({taken}) -> {self.gives}"

    @property
    def place(self) -> str:
        return f"GET {self.path}"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to log in, as a description names it; `name` is that of the header or parameter, or the token's address."""

    kind: Literal["basic", "bearer", "oauth2", "header", "query", "other"]
    name: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an address: `path` below the base, with its arguments in it."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LogIn:
    """Who asks: user and password, or a token; nobody where all are None."""

    username: str | None = None
    password: str | None = None
    token: str | None = None


class RestService(Protocol):
    """Addresses that were described."""

    @property
    def operations(self) -> Sequence[RestOperation]: ...

    @property
    def left_out(self) -> int:
        """How many operations are described that are no GET."""
        ...

    @property
    def base(self) -> str:
        """The address that all paths are below; "" where the description does not say it."""
        ...

    @property
    def schemes(self) -> Sequence[Scheme]: ...

    def sample(self, operation: str) -> tuple[bytes, str] | None:
        """An answer (JSON) that the description itself has or that its schema lets expect, and what it was made of.

        Raises: ConfigError for a description that cannot be followed."""
        ...

    def call(self, base: str, request: Request, log_in: LogIn, *, timeout_s: float) -> bytes:
        """Ask once; the whole answer as it came. Raises: HubError that says what to mend."""
        ...


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """A column of a query and what its values are: `holds` is None where they cannot tell what changed since."""

    name: str
    holds: Literal["time", "number"] | None
    filled: bool
    """Whether every row that was seen has a value."""
    unique: bool


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The first rows of a query: `body` is them as the source will hand them on."""

    body: bytes
    columns: tuple[QueryColumn, ...]
    url: str
    """The database as a configuration names it, from its own folder."""


def describe(kind: str, address: str, *, timeout_s: float, auth: tuple[str, str] | None = None) -> Service:
    """Read the description at an address or in a file; `auth` is user and password (basic). Raises: ConfigError."""
    return cast(Service, _reader(kind)(address, timeout_s=timeout_s, auth=auth))


def describe_rest(address: str, *, timeout_s: float, auth: tuple[str, str] | None = None) -> RestService:
    """Read an OpenAPI description at an address or in a file. Raises: ConfigError."""
    return cast(RestService, _reader("openapi")(address, timeout_s=timeout_s, auth=auth))


def ask_database(
    url: str, query: str, *, password: str | None, since: str | None, folder: Path, rows: int, timeout_s: float
) -> QueryAnswer:
    """Run a query that reads and take its first `rows` rows; `folder` is the configuration's. Raises: HubError."""
    reader = _reader("sql")
    asked = reader(url, query, password=password, since=since, folder=folder, rows=rows, timeout_s=timeout_s)
    return cast(QueryAnswer, asked)


def _reader(kind: str) -> Callable[..., Any]:
    """Raises: ConfigError where no package has one."""
    for point in entry_points(group=GROUP):
        if point.name == kind:
            return cast("Callable[..., Any]", point.load())
    said = f"nothing that is installed reads {kind}"
    raise ConfigError([Problem("no-scaffold", said, f"install a package that declares {kind!r} in {GROUP}")])
