"""Options that the commands of `hub new` share, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.output import refuse

Into = Annotated[
    Path, typer.Option("--into", metavar="FILE", help="The configuration of the project.", envvar="HUB_CONFIG")
]
Write = Annotated[bool, typer.Option("--write", help="Add the section to the configuration; else it is printed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the mapping and the section; write nothing.")]


def named(name: str, as_json: bool) -> None:
    """Refuse a name that a section cannot have; exit status 1."""
    from hub.sections import NAME

    if not NAME.fullmatch(name):
        mend = "write small letters, digits and '-', such as so-y-te"
        refuse("wrong-name", f"{name!r} is no name", mend, as_json=as_json)


def pairs(written: list[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` written again and again, as a mapping. Raises: typer.BadParameter."""
    found: dict[str, str] = {}
    for one in written or []:
        key, equals, value = one.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"{one!r} is not NAME=VALUE", param_hint=option)
        found[key.strip()] = value
    return found
