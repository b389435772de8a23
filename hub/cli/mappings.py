"""`hub mappings`: which mappings can be named, and how sure it is what each of them says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption
from hub.cli.output import console, counted, guarded, print_json

if TYPE_CHECKING:
    from mappings.load import Mapping_
    from schemas.errors import Problem

EXAMPLE = "Example: hub mappings td-office/document"


@dataclass(frozen=True, slots=True)
class _Known:
    """One mapping that can be named; `made` is None where it cannot be used."""

    name: str
    file: Path
    own: bool
    """Of the deployment, not of the catalogue."""
    made: Mapping_ | None
    problems: tuple[Problem, ...] = ()


@guarded
def mappings(
    name: Annotated[
        str | None, typer.Argument(metavar="[MAPPING]", help="Tell everything about this one, a name or a file.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the mappings that a configuration can name: the deployment's own, and the catalogue that comes with the hub.

    Beside each stands what is read or written, and how much of it is assumed: nobody has seen it, so it has to be held
    against what the system really sends. Exit status 1 when one of them cannot be used.
    """
    folder = config if config.is_dir() else config.parent
    folders = (folder / "mappings", folder)
    if name is not None:
        from mappings.load import find

        path, known = find(name, folders)
        _tell(_known(known, path, folders), as_json=as_json)
        return
    listed = _listed(folder / "mappings", folders)
    broken = [one for one in listed if one.made is None]
    if as_json:
        print_json({"ok": not broken, "mappings": [_as_json(one) for one in listed]})
    else:
        _show(listed)
    raise typer.Exit(1 if broken else 0)


def _listed(own: Path, folders: tuple[Path, ...]) -> list[_Known]:
    """The deployment's own first, then those of the catalogue that none of these replaces."""
    from mappings.load import CATALOGUE, names

    mine = names(own) if own.is_dir() else []
    shipped = [name for name in names() if name not in mine]
    return [_known(name, own / f"{name}.yaml", folders) for name in mine] + [
        _known(name, CATALOGUE / f"{name}.yaml", folders) for name in shipped
    ]


def _known(name: str, path: Path, folders: tuple[Path, ...]) -> _Known:
    from mappings.load import CATALOGUE, load
    from schemas.errors import ConfigError

    own = not path.resolve().is_relative_to(CATALOGUE)
    try:
        return _Known(name, path, own, load(path, folders=folders))
    except ConfigError as error:
        return _Known(name, path, own, None, tuple(error.problems))


def form(made: Mapping_) -> str:
    """What is read and what becomes of it: `csv → dossier.v1`, `indicator.v1 → json`."""
    from mappings.inbound import InboundMapping

    return f"{made.format} → {made.kind}" if isinstance(made, InboundMapping) else f"{made.kind} → {made.layout.portal}"


def _samples(one: _Known) -> list[Path]:
    """The recorded samples beside it, which its test names."""
    from mappings.testing import place_of_test

    test = place_of_test(one.file)
    text = test.read_text(encoding="utf-8") if test.is_file() else ""
    folder = one.file.parent / "samples"
    return [file for file in sorted(folder.glob("*")) if f"samples/{file.name}" in text] if folder.is_dir() else []


def _as_json(one: _Known) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name, "own": one.own, "file": one.file}
    if one.made is None:
        return told | {"problems": list(one.problems)}
    from mappings.inbound import InboundMapping

    made = one.made
    if isinstance(made, InboundMapping):
        direction, fields = "read", {each.name: each.path for each in made.fields}
    else:
        direction, fields = "write", {each.name: each.reads for each in made.fields}
    return told | {
        "direction": direction,
        "form": form(made),
        "kind": made.kind,
        "summary": made.summary,
        "facts": made.facts,
        "assumed": list(made.assumed),
        "samples": _samples(one),
        "fields": fields,
    }


def _show(listed: list[_Known]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    for own, title in ((True, "Of this deployment, in mappings/"), (False, "Of the catalogue")):
        here = [one for one in listed if one.own is own]
        if not here:
            continue
        out.print(Text(title, style="bold"))
        table = Table.grid(padding=(0, 2))
        for one in here:
            if one.made is None:
                table.add_row(f"  {one.name}", Text(f"cannot be used: {one.problems[0]}", style="red"))
                continue
            assumed = counted(len(one.made.assumed), "assumption") if one.made.assumed else ""
            told = Text(assumed, style="yellow") if assumed else Text("" if one.made.facts else "not said", style="dim")
            table.add_row(f"  {one.name}", Text(form(one.made), style="cyan"), told)
        out.print(table)
    out.print(f"{counted(len(listed), 'mapping')}; hub mappings NAME tells what is known of one, and what is assumed")


def _tell(one: _Known, *, as_json: bool) -> None:
    """Raises: ConfigError for one that cannot be used."""
    from rich.table import Table
    from rich.text import Text

    from schemas.errors import ConfigError

    if one.made is None:
        raise ConfigError(list(one.problems))
    told = _as_json(one)
    if as_json:
        print_json(told)
        return
    out = console()
    out.print(Text.assemble((one.name, "bold"), "  ", (told["form"], "cyan")))
    for said in (told["summary"], str(one.file)):
        if said:
            out.print(said, markup=False, soft_wrap=True)
    table = Table.grid(padding=(0, 2))
    table.add_row("known", Text(told["facts"] or "nobody has written it down", overflow="fold"))
    for number, said in enumerate(told["assumed"] or ["nothing" if told["facts"] else "not said"]):
        table.add_row(
            "" if number else "assumed", Text(said, style="yellow" if told["assumed"] else "", overflow="fold")
        )
    for number, file in enumerate(told["samples"]):
        table.add_row("" if number else "samples", Text(str(file), overflow="fold"))
    out.print(table)
    arrow = "from" if told["direction"] == "read" else "of"
    grid = Table.grid(padding=(0, 2))
    for name, place in told["fields"].items():
        grid.add_row(Text(f"  {name}"), Text(f"{arrow} {place}" if place else "a constant", overflow="fold"))
    out.print(grid)
