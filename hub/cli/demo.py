"""`hub demo`: a year of a province, from its agencies' old systems to two portals, with nothing but this package."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson
from hub.cli.output import guarded, print_json, refuse, warn

if TYPE_CHECKING:
    from subprocess import CompletedProcess


EXAMPLE = "Example: hub demo --bus rabbitmq --json"
GROUP = "hub.demos"
"""The entry point group that names stages: what is played, by which twins."""


class DemoBus(StrEnum):
    """What carries the tickets of a demo."""

    EMBEDDED = "embedded"
    RABBITMQ = "rabbitmq"


@guarded
def demo(
    bus: Annotated[
        DemoBus, typer.Option("--bus", help="rabbitmq starts a private broker, where rabbitmq-server is installed.")
    ] = DemoBus.EMBEDDED,
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="An empty ledger, instead of a temporary SQLite file.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Play in this folder and leave ledger and logs there, to look at."),
    ] = None,
    name: Annotated[str, typer.Option("--stage", metavar="NAME", help="What is played.")] = "tra-vinh-2017",
    as_json: AsJson = False,
) -> None:
    """Play the year 2017 of Trà Vinh: seven agencies' systems, two portals, an outage; then strike the books.

    Exit status 0 only when the books balance: nothing lost, nothing doubled, nothing older after newer.
    """
    import asyncio
    import tempfile

    from hub.cli.logs import log_to
    from hub.cli.performance import play

    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-demo-")))
        else:
            folder = _empty(keep, as_json=as_json)
        # The outage is staged: what the hub says about it belongs in a file, not on the screen.
        log_to(folder / "hub.log", verbose=True)
        done = asyncio.run(play(_stage(name)(folder), folder, bus is DemoBus.RABBITMQ, ledger, as_json=as_json))
    _tell(*done, as_json=as_json)
    if keep is not None and not as_json:
        typer.echo(f"kept in {keep}: hub trace KEY --ledger sqlite:///{folder / 'hub.db'}", err=True)
    raise typer.Exit(done[0].returncode)


def _empty(folder: Path, *, as_json: bool) -> Path:
    """Make the folder. A demo in the leftovers of another would count both."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        refuse("not-empty", "is not an empty folder", "name a new one", str(folder), as_json=as_json)
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _stage(name: str) -> Callable[[Path], Any]:
    """The class of the stage of that name. Raises: ConfigError."""
    from importlib.metadata import entry_points

    from mappings.notation import nearest
    from schemas.errors import ConfigError, Problem

    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        raise ConfigError([Problem("unknown-stage", f"there is no stage {name!r}", nearest(name, known))])
    found: Callable[[Path], Any] = known[name].load()
    return found


def _tell(books: CompletedProcess[str], seconds: dict[str, float], *, as_json: bool) -> None:
    """Print what the books program found, with the seconds that only the stage knows."""
    import json

    if as_json:
        try:
            found = json.loads(books.stdout)
        except ValueError:
            from schemas.errors import HubError

            said = (books.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise HubError(f"the books could not be struck: {said}") from None
        print_json({**found, **seconds})
        return
    typer.echo(books.stdout.rstrip())
    if books.stderr.strip():
        warn(books.stderr.strip())
    typer.echo(f"outage {seconds['outage_seconds']:.1f} s, whole demo {seconds['seconds']:.1f} s")
