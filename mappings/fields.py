"""One field of a mapping: `path`, `default` and the converters beside it, compiled to a chain of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from mappings.converters import CONVERTERS, Compiled, Setting
from mappings.converters.converter import Beside
from mappings.notation import Keys, Marked, Problems
from mappings.target import Target


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all fields of a mapping are compiled with."""

    direction: Any
    fields: Mapping[str, Target]
    tables: Mapping[str, Mapping[str, Marked]]
    used: set[str]
    day_field: str
    problems: Problems
    requires: set[str] = attribute(default_factory=set)


def converters(keys: Keys) -> tuple[str, ...]:
    """The names of the converters of a field, in the order written; to be asked before `chain`."""
    return tuple(name for name, _ in keys.left() if name in CONVERTERS)


def chain(
    keys: Keys,
    field: str,
    target: Target | None,
    around: Surroundings,
    place: Callable[[str, int, str], Beside | None] | None = None,
) -> list[Compiled]:
    """Compile the converters of a field, in the order written; notes every problem. Asks `keys` for each of them.

    `place` compiles a path of the row for those that ask another one.
    """
    written = [(name, item) for name, item in keys.left() if name in CONVERTERS]
    compiled = []
    for number, (name, item) in enumerate(written):
        keys.get(name)
        setting = Setting(
            direction=around.direction,
            field=field,
            target=target,
            fields=around.fields,
            last=number == len(written) - 1,
            first=number == 0,
            tables=around.tables,
            used=around.used,
            requires=around.requires,
            day_field=around.day_field,
            problems=around.problems,
            place=place,
        )
        built = CONVERTERS[name].build(item, setting)
        if built is not None:
            compiled.append(built)
    return compiled


def default(keys: Keys, target: Target | None, problems: Problems, key: str = "default") -> Any:
    """The value written under `default` (or `const`), as the target holds it; None where there is none."""
    item = keys.get(key)
    if item is None:
        return None
    if target is None:
        return item.plain
    if isinstance(item.value, dict | list):
        problems.add("shape", item.line, f"{key!r} of {keys.what} should be one value, is {item.shape}")
        return None
    try:
        return target.value(item.plain)
    except ValueError as error:
        mend = f"use one of: {', '.join(target.members)}" if target.enum else ""
        problems.add(key, item.line, str(error), mend)
        return None
