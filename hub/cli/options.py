"""Options that several commands share, spelt once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
ConfigArgument = Annotated[
    Path, typer.Argument(envvar="HUB_CONFIG", metavar="CONFIG", help="The configuration file.", show_default=True)
]
ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="HUB_CONFIG", metavar="FILE", help="The configuration file.")
]
LedgerOption = Annotated[
    str | None,
    typer.Option("--ledger", metavar="URL", help="The ledger, instead of the one that the configuration names."),
]
BusOption = Annotated[
    str | None, typer.Option("--bus", metavar="URL", help="The bus, instead of the one that the configuration names.")
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show personal data, which are masked otherwise.")]

DEFAULT_CONFIG = Path("hub.yaml")
"""In the current folder."""


def number_of(command: str) -> Callable[[str], int]:
    """How a number is read that `command` shows, for `parser` of an argument."""

    def number(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is no number; `{command}` has the numbers") from None

    return number


def overrides(ledger: str | None, bus: str | None) -> dict[str, str]:
    """What the options override, as `hub.settings.load` takes it."""
    given = {"ledger.url": ledger, "bus.url": bus}
    return {name: url for name, url in given.items() if url}
