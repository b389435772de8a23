"""`hub adopt`: records what a portal has already, so that day one does not send history again."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from hub.cli.operating import Who, Why, person
from hub.cli.options import AsJson, ConfigArgument, LedgerOption, overrides
from hub.cli.output import console, guarded, local_zone, print_json, progress, warn
from hub.cli.stopping import stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.adopt import Adopted

EXAMPLE = "Example: hub adopt hub.yaml national --as-of 2026-03-01 --dry-run"

_COLUMNS = ("asked", "new", "history", "updates", "dispatches")


@guarded
def adopt(
    config: ConfigArgument,
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="A portal that can be asked.")],
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="DATE", help="Until when the old link delivered (exclusive); today by default."
        ),
    ] = None,
    per_s: Annotated[
        float, typer.Option("--per-s", min=0.01, metavar="N", help="Dossiers asked about a second, at most.")
    ] = 10.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask, and say what would be done; the ledger is left as it is.")
    ] = False,
    read: Annotated[bool, typer.Option("--read/--no-read", help="Where no hub runs: read the sources first.")] = True,
    why: Why = "",
    who: Who = None,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Ask a portal which of the dossiers that wait for it are there already, and do not send history again.

    The destination is paused meanwhile. Of a dossier that the portal has, what changed before --as-of counts as
    delivered, and all of it where it was finished before; what changed since is sent as an update. What the portal does
    not have is sent as new. Interrupt it at any time: the destination stays paused, and run again it goes on.
    """
    import asyncio

    from hub.adopt import adopt as adopting
    from hub.adopt import rehearse
    from hub.settings import load

    deployment = load(config, overrides(ledger, None))
    until = _day(as_of)

    async def run() -> Adopted:
        stop = stopping()
        with progress(f"asking {destination}") as bar:

            def tell(counts: Mapping[str, Mapping[str, int]]) -> None:
                bar.say(f"asking {destination}: {sum(one.get('asked', 0) for one in counts.values()):,} dossiers")

            common: _Common = {"as_of": until, "per_s": per_s, "stopped": stop.is_set, "tell": tell}
            if dry_run:
                return await rehearse(deployment, destination, **common)
            return await adopting(deployment, destination, who=person(who), why=why, read=read, **common)

    done = asyncio.run(run())
    if as_json:
        print_json(done)
    else:
        _show(done, dry_run=dry_run)
    raise typer.Exit(0 if done.complete else 1)


class _Common(TypedDict):
    as_of: date
    per_s: float
    stopped: Callable[[], bool]
    tell: Callable[[Mapping[str, Mapping[str, int]]], None]


def _day(text: str | None) -> date:
    today = datetime.now(local_zone()).date()
    if text is None:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2026-03-01", param_hint="--as-of") from None
    if day > today:
        raise typer.BadParameter("the old link cannot have delivered what has not happened yet", param_hint="--as-of")
    return day


def _show(done: Adopted, *, dry_run: bool) -> None:
    from rich import box
    from rich.table import Table

    for name, problem in done.unread.items():
        warn(f"source {name} was not read to its end: {problem}")
    table = Table(title=f"{done.destination}, as of {done.as_of:%d/%m/%Y}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("Agency", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name.capitalize(), justify="right")
    rows = {agency or "–": counts for agency, counts in sorted(done.agencies.items())}
    total = {name: sum(counts.get(name, 0) for counts in rows.values()) for name in _COLUMNS}
    for agency, counts in (rows | {"all": total}).items():
        table.add_row(agency, *(f"{counts.get(name, 0):,}" for name in _COLUMNS))
    out = console()
    out.print(table)
    if done.problem:
        warn(f"{done.problem}; run it again to go on")
    if dry_run:
        out.print("nothing was changed")
    elif done.gate == "paused":
        out.print(f"{done.destination} is paused; hub resume {done.destination} lets everything go", markup=False)
    elif done.gate == "maintenance":
        out.print(f"{done.destination} goes on when its maintenance is over", markup=False)
    else:
        out.print(f"{done.destination} goes on", markup=False)
