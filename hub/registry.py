"""Adapters by name: what installed packages declare in the entry point group `hub.adapters`.

The hub imports no adapter by itself; one is imported when a configuration names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, cast

from pydantic import BaseModel, ValidationError

from hub.ports import Adapter, AdapterContext, Destination, Source
from mappings.notation import nearest
from schemas.errors import ConfigError, Problem

GROUP = "hub.adapters"


@cache
def declared() -> Mapping[str, EntryPoint]:
    """Every declared adapter by its name; imports none of them."""
    return {point.name: point for point in entry_points(group=GROUP)}


def adapter(name: str, role: Literal["source", "destination"] | None = None) -> type[Adapter]:
    """Import the adapter of that name.

    Raises: ConfigError when it is unknown, cannot be imported, is no adapter, or has another role than `role`.
    """
    point = declared().get(name)
    if point is None:
        raise _refused("unknown-adapter", f"there is no adapter {name!r}", nearest(name, declared()))
    try:
        found = point.load()
    except Exception as error:
        said = f"the adapter {name!r} ({point.value}) cannot be imported: {type(error).__name__}: {error}"
        raise _refused("broken-adapter", said, "install what it needs, or repair it") from error
    lacking = [part for part in ("role", "Settings", "summary") if not hasattr(found, part)]
    if lacking:
        said = f"the adapter {name!r} ({point.value}) declares no {', '.join(lacking)}"
        raise _refused("broken-adapter", said, "see hub.ports.Adapter")
    if role is not None and found.role != role:
        fitting = "sources" if found.role == "source" else "destinations"
        said = f"the adapter {name!r} is for a {found.role}, not for a {role}"
        raise _refused("wrong-adapter", said, f"move it to {fitting}, or name another adapter")
    return cast("type[Adapter]", found)


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
