"""`hub map --explain FIELD`: everything about one field, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from hub.cli.map_rows import Direction, Mapped, member
from hub.cli.map_show import title
from hub.cli.output import console
from mappings.notation import nearest
from mappings.origins import members_of, of_member
from mappings.target import targets
from schemas.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mappings.explain import Story


def field_of(way: Direction, asked: str) -> str:
    """The record's field that is meant by its name or by that of a member of the payload.

    Raises: ConfigError for a name that neither has, for a constant member, and for a field that the mapping leaves out.
    """
    known = targets(way.inbound.model)
    name = asked
    if asked not in known and way.outbound is not None:
        found = of_member(way.outbound, asked)
        if found is not None and not found.reads:
            said = f"{asked} is always {found.otherwise!r}"
            line = next(one.line for one in way.outbound.fields if one.name == found.name)
            raise ConfigError([Problem("constant", said, "nothing of the row is in it", str(way.outbound_file), line)])
        name = asked if found is None else found.reads
    if name not in known:
        members = [] if way.outbound is None else [one.name for one in way.outbound.fields]
        said = f"{way.inbound.kind} has no field {asked!r}"
        raise ConfigError([Problem("unknown-field", said, nearest(asked, [*known, *members]), str(way.file))])
    if all(one.name != name for one in way.inbound.fields):
        said = f"{way.inbound.name} does not fill {name}"
        raise ConfigError([Problem("not-mapped", said, f"write {name}: … under `fields`", str(way.file))])
    return name


def as_json(way: Direction, name: str, rows: Sequence[Mapped]) -> dict[str, Any]:
    """Everything about a field, for machines."""
    one = next(field for field in way.inbound.fields if field.name == name)
    return {
        "field": name,
        "file": way.file,
        "line": one.line,
        "paths": list(one.paths),
        "rows": [
            {
                "position": list(row.position),
                "key": row.key,
                "story": row.stories.get(name),
                "shown_by": _shown(way, name, row),
            }
            for row in rows
        ],
    }


def explain(way: Direction, name: str, rows: Sequence[Mapped]) -> None:
    """Print everything about a field."""
    out = console()
    one = next(field for field in way.inbound.fields if field.name == name)
    places = f" from {' or '.join(one.paths)}" if one.paths else ""
    # By name: a mapping of the catalogue lies deep in the installation, and a long path breaks the line.
    outbound = way.outbound.name if way.outbound is not None else ""
    out.print(Text(f"{name}{places}  ({way.file}, line {one.line})", style="bold"), soft_wrap=True)
    for row in rows:
        out.print()
        out.print(title(row))
        story = row.stories.get(name)
        if story is None:
            why = "; ".join(problem["reason"] for problem in (row.refused or {}).get("problems", ()))
            out.print(Text(f"  the row cannot be looked into: {why}", style="red"))
            continue
        grid = Table.grid(padding=(0, 2))
        for left, right, style in _lines(story):
            grid.add_row(Text(f"  {left}", style="dim"), Text(right, style=style, overflow="fold"))
        for shown in _shown(way, name, row) if row.payload is not None else ():
            by = ", ".join([*shown["converters"], f"{outbound}, line {shown['line']}"])
            grid.add_row(Text(f"  shown by {shown['member']}", style="dim"), Text(f"{_quoted(shown['value'])}  ({by})"))
        out.print(grid)


def _lines(story: Story) -> list[tuple[str, str, str]]:
    """What happened in its order: left, right and style."""
    lines = []
    for one in story.places:
        if one.refused:
            lines.append((f"at {one.path}", one.refused, "red"))
        else:
            lines.append((f"at {one.path}", _quoted(one.found), "" if one.found is not None else "dim"))
    if len(story.places) > 1:
        lines.append(("taken", _quoted(story.read), ""))
    lines += [(one.converter, one.refused or _quoted(one.gave), "red" if one.refused else "") for one in story.steps]
    if story.default is not None and story.end != "const":
        used = "" if story.end == "default" else "  (not needed)"
        lines.append(("default", f"{_quoted(story.default)}{used}", ""))
    if story.end == "refused":
        refused = any(one.refused for one in story.places) or any(one.refused for one in story.steps)
        lines.append(("value", "refused" if refused else f"refused: {story.refused}", "red"))
    else:
        lines.append(("value", _quoted(story.value), "bold"))
    return lines


def _quoted(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _shown(way: Direction, name: str, row: Mapped) -> list[dict[str, Any]]:
    """The members of the payload that show a field."""
    if way.outbound is None:
        return []
    found = [(one, member(way.outbound.fields, one)) for one in members_of(way.outbound, name)]
    return [
        {
            "member": shown,
            "line": one.line,
            "converters": list(one.made_by),
            "value": None if row.payload is None else row.payload.get(shown),
        }
        for shown, one in found
        if one is not None
    ]
