"""Adapters by name: what installed packages declare in the entry point group `hub.adapters`.

The hub imports no adapter by itself; one is imported when a configuration names it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, cast

from pydantic import BaseModel, ValidationError

from hub.ports import Adapter, AdapterContext, Destination, Source
from mappings.notation import nearest
from schemas.errors import ConfigError, Problem

GROUP = "hub.adapters"
_PARTS = {
    "source": ("arrivals", "settled", "close"),
    "destination": ("can_look_up", "batches", "deliver", "look_up", "close"),
}
"""What the ports ask of a class, by role, as far as a class shows it: `largest` may be set when one is made."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One declared adapter, whether it can be used or not."""

    name: str
    package: str
    version: str
    role: str = ""
    summary: str = ""
    problem: Problem | None = None
    """Why it cannot be used; then nothing is known of its role."""


@cache
def declared() -> Mapping[str, EntryPoint]:
    """Every declared adapter by its name; imports none of them."""
    return {point.name: point for point in entry_points(group=GROUP)}


def listed() -> Sequence[Listed]:
    """Every declared adapter, by role and name, those that cannot be used at the end; imports all of them."""
    order = ("source", "destination", "")
    return sorted(map(look, declared()), key=lambda one: (order.index(one.role), one.name))


def look(name: str) -> Listed:
    """What a declared adapter is, or why it cannot be used; imports it."""
    point = declared()[name]
    package, version = _package(point)
    try:
        found = adapter(name)
        lacking = [part for part in _PARTS[found.role] if not hasattr(found, part)]
        if lacking:
            said = f"the adapter {name!r} ({point.value}) has no {', '.join(lacking)}"
            raise _refused("broken-adapter", said, f"see hub.ports.{found.role.title()}")
    except ConfigError as error:
        return Listed(name, package, version, problem=error.problems[0])
    return Listed(name, package, version, found.role, found.summary)


def adapter(name: str, role: Literal["source", "destination"] | None = None) -> type[Adapter]:
    """Import the adapter of that name.

    Raises: ConfigError when it is unknown, cannot be imported, is no adapter, is declared by several packages, or has
    another role than `role`.
    """
    point = declared().get(name)
    if point is None:
        raise _refused("unknown-adapter", f"there is no adapter {name!r}", nearest(name, declared()))
    packages = _rivals().get(name, ())
    if len(packages) > 1:
        said = f"the adapter {name!r} is declared by {len(packages)} packages: {', '.join(packages)}"
        raise _refused("broken-adapter", said, "uninstall all but one of them")
    try:
        found = point.load()
    except ModuleNotFoundError as error:
        said = f"the adapter {name!r} ({point.value}) cannot be imported: {error}"
        mend = f"install what has the module {error.name!r}, or repair {_package(point)[0]}"
        raise _refused("broken-adapter", said, mend) from error
    except Exception as error:
        said = f"the adapter {name!r} ({point.value}) cannot be imported: {type(error).__name__}: {error}"
        raise _refused("broken-adapter", said, f"repair or reinstall {_package(point)[0]}") from error
    lacking = [part for part in ("role", "Settings", "summary") if not hasattr(found, part)]
    if lacking:
        said = f"the adapter {name!r} ({point.value}) declares no {', '.join(lacking)}"
        raise _refused("broken-adapter", said, "see hub.ports.Adapter")
    if found.role not in _PARTS:
        said = f"the adapter {name!r} ({point.value}) has the role {found.role!r}"
        raise _refused("broken-adapter", said, "role is 'source' or 'destination'")
    if not (isinstance(found.Settings, type) and issubclass(found.Settings, BaseModel)):
        said = f"the adapter {name!r} ({point.value}) has Settings that are no pydantic model"
        raise _refused("broken-adapter", said, "make it a class of pydantic.BaseModel")
    if role is not None and found.role != role:
        fitting = "sources" if found.role == "source" else "destinations"
        said = f"the adapter {name!r} is for a {found.role}, not for a {role}"
        raise _refused("wrong-adapter", said, f"move it to {fitting}, or name another adapter")
    return cast("type[Adapter]", found)


@cache
def _rivals() -> Mapping[str, Sequence[str]]:
    """By name, the packages that declare an adapter of it."""
    found = defaultdict(list)
    for point in entry_points(group=GROUP):
        found[point.name].append(" ".join(_package(point)))
    return found


def _package(point: EntryPoint) -> tuple[str, str]:
    """The name and version of the package that declares it."""
    dist = getattr(point, "dist", None)
    return ("unknown", "") if dist is None else (dist.name, dist.version)


def source(name: str, settings: Mapping[str, Any], context: AdapterContext) -> Source:
    """Make the source that the adapter `name` reads. Raises: ConfigError."""
    return cast(Source, _made("source", name, settings, context))


def destination(name: str, settings: Mapping[str, Any], context: AdapterContext) -> Destination:
    """Make the destination that the adapter `name` writes to. Raises: ConfigError."""
    return cast(Destination, _made("destination", name, settings, context))


def _made(
    role: Literal["source", "destination"], name: str, settings: Mapping[str, Any], context: AdapterContext
) -> object:
    kind = adapter(name, role)
    model: type[BaseModel] = kind.Settings
    try:
        checked = model.model_validate(dict(settings), strict=False)
    except ValidationError as error:
        problems = [
            Problem(
                "wrong-value", f"{role} {context.name}: {'.'.join(map(str, one['loc']))}: {one['msg']}", "run hub check"
            )
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigError(problems) from None
    return kind(checked, context)


def _refused(rule: str, message: str, mend: str) -> ConfigError:
    return ConfigError([Problem(rule, message, mend)])
