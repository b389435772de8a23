"""Looks at routes as a whole: what nobody makes, what another route takes anyway, what is written and never used. Pure
but for the list of mapping files beside the configuration.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from hub.draft import Draft
from hub.sections import Route
from mappings.load import names
from schemas.errors import Problem
from schemas.record import KINDS


def route_problems(made: Draft) -> Iterator[Problem]:
    """Yield what no record can ever pass: a canary that the route itself does not take."""
    for number, route in made.routes.items():
        if route.agencies is None or route.only is None:
            continue
        for index, code in enumerate(route.only.agencies):
            if code not in route.agencies:
                said = f"routes.{number}.only: {code} is not among the agencies of the route, so nothing of it passes"
                mend = f"add {code} to agencies, or take it out of only"
                yield made.located("canary-outside-route", said, mend, ("routes", number, "only", "agencies", index))


def route_warnings(
    made: Draft, produced: Mapping[str, Collection[str]], used: Collection[Path] | None
) -> Iterator[Problem]:
    """Yield routes, sources of routes and mappings that nothing comes through.

    `produced`: kinds by source, without the sources of which not every mapping could be read; `used`: the files of the
    mappings that the configuration names, None where that is not certain.
    """
    for number, route in made.routes.items():
        yield from _never_made(made, number, route, produced)
        yield from _twice(made, number, route)
        for other, wider in made.routes.items():
            if other != number and _covers(wider, route, made) and (other < number or not _covers(route, wider, made)):
                line = made.document.line(("routes", other))
                said = f"routes.{number}: all that it takes, routes.{other} (line {line}) takes to the same places"
                mend = f"take this route out, or narrow routes.{other}"
                yield made.located("route-shadowed", said, mend, ("routes", number))
                break
    yield from _unrouted(made)
    if used is not None:
        yield from _unused(made, used)


def _never_made(made: Draft, number: int, route: Route, produced: Mapping[str, Collection[str]]) -> Iterator[Problem]:
    sources = [name for name in route.sources or made.sources if name in made.sources]
    if not all(name in produced for name in route.sources or made.sources):
        return
    for index, kind in enumerate(route.kinds):
        if kind in KINDS and not any(kind in produced[name] for name in sources):
            said = f"routes.{number}: none of its sources makes {kind}"
            mend = f"take {kind} out, or add a mapping with 'to: {kind}' to a source"
            yield made.located("kind-never-made", said, mend, ("routes", number, "kinds", index))
    idle = [name for name in route.sources or [] if name in produced and not set(route.kinds) & set(produced[name])]
    if len(idle) == len(sources):
        return
    for name in idle:
        said = f"routes.{number}: the source {name} makes none of {', '.join(route.kinds)}"
        place = ("routes", number, "sources", (route.sources or []).index(name))
        yield made.located("source-never-taken", said, f"take {name} out of this route", place)


def _twice(made: Draft, number: int, route: Route) -> Iterator[Problem]:
    for key in ("kinds", "to", "sources", "agencies"):
        listed = getattr(route, key) or []
        for index, name in enumerate(listed):
            if name in listed[:index]:
                said = f"routes.{number}.{key}: {name} stands there twice"
                yield made.located("named-twice", said, "keep one of them", ("routes", number, key, index))


def _covers(wide: Route, narrow: Route, made: Draft) -> bool:
    """Whether every record that `narrow` takes goes to the same destinations by `wide`."""
    every = list(made.sources)
    if not (set(narrow.kinds) <= set(wide.kinds) and set(narrow.to) <= set(wide.to)):
        return False
    if not set(narrow.sources or every) <= set(wide.sources or every):
        return False
    for one in (wide.agencies, wide.only.agencies if wide.only else None):
        taken = [set(listed) for listed in (narrow.agencies, narrow.only.agencies if narrow.only else None) if listed]
        if one is not None and not any(listed <= set(one) for listed in taken):
            return False
    return True


def _unrouted(made: Draft) -> Iterator[Problem]:
    for name, destination in made.destinations.items():
        routes = [route for route in made.routes.values() if name in route.to]
        routed = {kind for route in routes for kind in route.kinds}
        for kind in destination.mappings if routes else ():
            if kind in KINDS and kind not in routed:
                said = f"destinations.{name}.mappings: no route brings {kind} here"
                mend = f"add {kind} to a route to {name}, or take the mapping out"
                yield made.located("mapping-not-routed", said, mend, ("destinations", name, "mappings", kind))


def _unused(made: Draft, used: Collection[Path]) -> Iterator[Problem]:
    folder = made.folder / "mappings"
    known = {path.resolve() for path in used}
    for name in names(folder) if folder.is_dir() else ():
        file = folder / f"{name}.yaml"
        if file.resolve() not in known:
            mend = f"name {name} in a source or a destination, or remove the file"
            yield Problem("unused-mapping", f"no source and no destination names {name}", mend, str(file), 1)
