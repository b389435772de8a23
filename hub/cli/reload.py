"""`hub reload`: the configuration on disk is taken into a hub that runs, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.operating import Who, Why, perform, person
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigArgument, LedgerOption
from hub.cli.output import console, guarded, print_json, warn

if TYPE_CHECKING:
    from hub.reloading import Reloaded

EXAMPLE = "Example: hub reload hub.yaml --why 'a new procedure'"


@guarded
def reload(
    config: ConfigArgument = DEFAULT_CONFIG,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=0.1, metavar="SECONDS", help="How long to wait for several processes.")
    ] = 60.0,
    why: Why = "",
    who: Who = None,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Let a running hub go by its configuration as it stands in the files now, without a restart.

    What `hub check --offline` would refuse is refused whole, with every problem; the hub goes on with what it has. So
    does a change that needs a restart (ledger, bus), or a destination that is removed while something is on its way to
    it. Exit status 1 then, or where one of several processes did not take it.
    """
    from hub.operations import Reload
    from hub.reloading import Reloaded

    asked = Reload(who=person(who), why=why, file=str(config.resolve()), wait_s=wait_s)
    done = perform(asked, Reloaded, config, ledger)
    ok = not any(one.refused for one in done.processes)
    if as_json:
        print_json({"ok": ok, "reloaded": done})
    else:
        _show(done)
    raise typer.Exit(0 if ok else 1)


def _show(done: Reloaded) -> None:
    out = console()
    for warning in done.warnings:
        warn(warning)
    taken = not done.processes or any(not one.refused for one in done.processes)
    if taken:
        out.print(f"configuration #{done.configuration} is in force: {', '.join(done.changes) or 'nothing differs'}",
                  markup=False, soft_wrap=True)  # fmt: skip
    for one in done.processes:
        said = f"goes on with #{one.configuration}: {one.refused}" if one.refused else f"runs #{one.configuration}"
        out.print(f"  process {one.worker} {said}", markup=False, soft_wrap=True)
