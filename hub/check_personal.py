"""Compares what a destination is declared to get of people (`personal`) with what its mappings show it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.draft import Draft
from mappings.outbound import OutboundMapping
from schemas.errors import Problem
from schemas.sensitivity import Sensitivity, sensitivity


def personal_problems(made: Draft, outbound: Mapping[tuple[str, str], OutboundMapping]) -> Iterator[Problem]:
    """Yield each field that a route shows a destination beyond its declaration; `outbound` by destination and kind.

    A mapping that no route uses shows nothing. What a constant says is no record's.
    """
    for (name, kind), mapping in outbound.items():
        destination = made.destinations[name]
        if destination.personal == "all":
            continue
        may = set() if destination.personal == "none" else set(destination.personal)
        route = next((n for n, one in made.routes.items() if name in one.to and kind in one.kinds), None)
        if route is None:
            continue
        shown: dict[str, list[str]] = {}
        for field in mapping.fields:
            if field.reads:
                shown.setdefault(field.reads, []).append(field.name)
        for field_name, members in shown.items():
            level = sensitivity(mapping.model, field_name)
            if level.rank < Sensitivity.PERSONAL.rank or field_name in may:
                continue
            listed = ", ".join(members)
            said = (
                f"destinations.{name}: {listed} of {mapping.name} would show {field_name} ({level}), which it is not "
                f"declared to get (routes.{route}, {kind})"
            )
            wider = ", ".join(sorted(may | {field_name}))
            mend = f"leave {listed} out in a mapping of your own, or write personal: [{wider}]"
            yield made.located("personal-data", said, mend, ("destinations", name, "personal"))
