"""`hub backfill`: makes what the routes now in force ask for and what was never made."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated

import typer

from hub.cli.operating import Who, Why, perform, person
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigArgument, LedgerOption
from hub.cli.output import console, counted, guarded, print_json, progress, warn

EXAMPLE = "Example: hub backfill hub.yaml --destination national --per-s 100"


@guarded
def backfill(
    config: ConfigArgument = DEFAULT_CONFIG,
    destination: Annotated[
        str | None, typer.Option("--destination", metavar="NAME", help="Only what goes to this one; all by default.")
    ] = None,
    per_s: Annotated[
        float, typer.Option("--per-s", min=0.1, metavar="N", help="Dispatches made a second, at most.")
    ] = 200.0,
    why: Why = "",
    who: Who = None,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Make the dispatches that the routes now in force ask for and that were never made.

    For a destination that is new, a canary that was widened, a start_from that was moved back: the newest state of
    every record, each dossier before its steps. The hub may run; it sends them as its gates and rates allow. It may
    be interrupted at any time: run again it goes on, and makes nothing twice.
    """
    from hub.operations import Backfill, BackfillBatch

    made: Counter[str] = Counter()
    let_in, stage, after, done = 0, 0, 0, False
    at_most = max(1, min(500, int(per_s)))
    try:
        with progress("reading what was left out") as bar:
            while not done:
                began_s = time.monotonic()
                asked = Backfill(
                    who=person(who), why=why, destination=destination, stage=stage, after=after, at_most=at_most
                )
                batch = perform(asked, BackfillBatch, config, ledger)
                made.update(batch.made)
                let_in, stage, after, done = let_in + batch.let_in, batch.stage, batch.after, batch.done
                bar.say(f"{let_in:,} let in, {made.total():,} dispatches made")
                pause_s = (sum(batch.made.values()) + batch.let_in) / per_s - (time.monotonic() - began_s)
                if pause_s > 0 and not done:
                    time.sleep(pause_s)
    except KeyboardInterrupt:
        warn("stopped; run it again to go on")
    if as_json:
        print_json({"done": done, "let_in": let_in, "made": dict(sorted(made.items()))})
    else:
        _say(let_in, made)
    raise typer.Exit(0 if done else 1)


def _say(let_in: int, made: Counter[str]) -> None:
    out = console()
    if let_in:
        out.print(f"{counted(let_in, 'record')} that had been left out {'is' if let_in == 1 else 'are'} let in")
    for name, count in sorted(made.items()):
        out.print(f"{name}: {count:,} made", markup=False)
    if not let_in and not made:
        out.print("nothing was missing")
