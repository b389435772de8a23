"""`hub recover`: after a restore from a backup, before the hub is run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.operating import Who, Why, person
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigArgument, LedgerOption, overrides
from hub.cli.output import console, counted, guarded, moment, print_json, progress, warn
from hub.cli.stopping import stopping

if TYPE_CHECKING:
    from hub.ledger.recovering import Marked
    from hub.recover import Recovered

EXAMPLE = "Example: hub recover hub.yaml --why 'restored the backup of 02:00 after the disk failed'"


@guarded
def recover(
    config: ConfigArgument = DEFAULT_CONFIG,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="SOURCE", help="Do not read this source first; may be given several times."),
    ] = None,
    why: Why = "",
    who: Who = None,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Make a ledger that was restored from a backup fit to be run again. The hub must be stopped.

    Nobody knows what was sent since the backup. The sources are read again to their newest; then everything that is to
    be sent is treated as perhaps sent: a portal that can be asked is asked first. Tickets that a broker kept are void.
    Nothing is sent here. Run again it goes on.
    """
    import asyncio

    from hub.ledger.audit import By
    from hub.recover import recover as recovering
    from hub.settings import load

    deployment = load(config, overrides(ledger, None))

    async def run() -> Recovered:
        stop = stopping()
        with progress("reading the sources"):
            return await recovering(deployment, By(person(who), why), without=without or (), stopped=stop.is_set)

    done = asyncio.run(run())
    if as_json:
        print_json(done)
    else:
        _say(done)
    raise typer.Exit(0 if done.complete else 1)


def _say(done: Recovered) -> None:
    out = console()
    if done.backup_at is not None:
        out.print(f"the ledger's last sign of life before: {moment(done.backup_at)}")
    for name, count in done.put_back.items():
        out.print(f"{name}: {counted(count, 'file')} moved back to be read again", markup=False)
    for name, problem in done.unread.items():
        warn(f"source {name} was not read to its newest: {problem}")
    for name, marked in done.destinations.items():
        out.print(f"{name}: {_told(marked)}", markup=False, soft_wrap=True)
    if done.complete:
        out.print("the ledger can be run again: hub run")
    else:
        warn("nothing is sent until all is read: mend the sources and run it again, or leave one out by --without")


def _told(marked: Marked) -> str:
    said = (
        (marked.look_ups, "to look up before sent"),
        (marked.creates, "to send again as new, the portal cannot be asked"),
        (marked.updates, "to send again as updates"),
        (marked.events, "steps to send again, possibly twice"),
        (marked.to_decide, "steps for you to decide about (hub dead list)"),
        (marked.superseded, "older states left out"),
    )
    return "; ".join(f"{count:,} {what}" for count, what in said if count) or "nothing was to be sent"
