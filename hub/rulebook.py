"""The rules that a message is processed by: compiled mappings, routes and registers, one immutable value per
configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.ledger.left_out import CANARY
from hub.ledger.values import to_us
from hub.sections import Deployment, Route
from mappings.catalogue import load
from mappings.inbound import InboundMapping
from mappings.outbound import OutboundMapping
from mappings.rows import NO_PROCEDURES, RenderContext
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, Problem
from schemas.procedure import ProcedureRegister


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything that decides what becomes of a message; holds no connection and does no I/O once it is made."""

    inbound: Mapping[str, Sequence[InboundMapping]]
    """Per source."""
    outbound: Mapping[str, Mapping[str, OutboundMapping]]
    """Per destination and kind."""
    routes: Sequence[Route]
    agencies: AgencyRegister
    start_from_us: Mapping[str, int] = field(default_factory=dict)
    """Per source that has one: what changed before is left out."""
    configuration: int | None = None
    """The number that the ledger knows these rules' configuration by; None until it is written down."""
    procedures: ProcedureRegister = NO_PROCEDURES

    @property
    def rendering(self) -> RenderContext:
        """What a payload is made with."""
        return RenderContext(self.agencies, self.procedures)

    def route(self, source: str, kind: str, agency: str | None, *, canaries: bool = True) -> tuple[str, ...]:
        """Return the destinations of a record, sorted, each once; empty where no route takes it.

        Without `canaries` as if no route were limited for the time being.
        """
        found: set[str] = set()
        for route in self._taking(source, kind):
            if route.agencies is not None and agency not in route.agencies:
                continue
            if canaries and route.only is not None and agency not in route.only.agencies:
                continue
            found.update(route.to)
        return tuple(sorted(found))

    def no_route(self, source: str, kind: str, agency: str | None) -> str:
        """Say why `route` finds no destination."""
        routes = [r for r in self._taking(source, kind) if r.agencies is None or agency in r.agencies]
        only = {code for r in routes if r.only is not None for code in r.only.agencies}
        if not only:
            return f"no route takes {kind} from {source}"
        return f"{CANARY}{', '.join(sorted(only))}"

    @property
    def canaries(self) -> bool:
        """Whether any route is limited for the time being."""
        return any(route.only is not None for route in self.routes)

    def canary(self, source: str, kind: str) -> bool:
        """Whether any route that takes such records is limited for the time being."""
        return any(route.only is not None for route in self._taking(source, kind))

    def _taking(self, source: str, kind: str) -> list[Route]:
        return [r for r in self.routes if kind in r.kinds and (r.sources is None or source in r.sources)]


def rulebook(deployment: Deployment) -> Rulebook:
    """Load and compile everything a deployment names. Raises: ConfigError with every problem of every mapping."""
    problems: list[Problem] = []
    inbound: dict[str, list[InboundMapping]] = {}
    outbound: dict[str, dict[str, OutboundMapping]] = {}

    def loaded(name: str) -> object:
        try:
            return load(name, folders=deployment.mapping_folders)
        except ConfigError as error:
            problems.extend(error.problems)
            return None

    for name, source in deployment.sources.items():
        found = [loaded(mapping) for mapping in source.mappings]
        inbound[name] = [mapping for mapping in found if isinstance(mapping, InboundMapping)]
    for name, destination in deployment.destinations.items():
        out = {kind: loaded(mapping) for kind, mapping in destination.mappings.items()}
        outbound[name] = {kind: mapping for kind, mapping in out.items() if isinstance(mapping, OutboundMapping)}
    if problems:
        raise ConfigError(problems)
    start = {name: to_us(source.start_from) for name, source in deployment.sources.items() if source.start_from}
    return Rulebook(inbound, outbound, deployment.routes, deployment.agencies, start, procedures=deployment.procedures)
