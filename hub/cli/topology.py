"""`hub topology`: the exchange and the queues that a configuration needs, and making them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, BusOption, ConfigArgument, overrides
from hub.cli.output import console, guarded, print_json, progress, refuse

if TYPE_CHECKING:
    from hub.sections import Deployment

EXAMPLE = "Example: hub topology hub.yaml --declare"


@guarded
def topology(
    config: ConfigArgument = DEFAULT_CONFIG,
    declare: Annotated[bool, typer.Option("--declare", help="Make on the broker what is missing there.")] = False,
    bus: BusOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what the broker holds for this configuration: one exchange, and a queue per destination."""
    from hub.bus import declare as declare_on
    from hub.bus import describe
    from hub.settings import load

    deployment = load(config, overrides(None, bus))
    needed = describe(list(deployment.destinations), prefix=deployment.bus.prefix)
    if declare:
        if not deployment.bus.url.startswith("amqp"):
            said = f"the bus {deployment.bus.shown} has no broker to declare anything on"
            refuse("no-broker", said, "name one: --bus amqp://…", str(config), as_json=as_json)
        import asyncio

        with progress("declaring on the broker"):
            asyncio.run(declare_on(deployment.bus.url, list(deployment.destinations), prefix=deployment.bus.prefix))
    if as_json:
        print_json({"bus": deployment.bus.shown, "declared": declare, "topology": needed})
    else:
        _show(needed, deployment, declared=declare)


def _show(needed: list[dict[str, Any]], deployment: Deployment, *, declared: bool) -> None:
    from rich.table import Table

    table = Table(title=f"Topology on {deployment.bus.shown}", title_justify="left")
    for heading in ("What", "Name", "Type", "Routing key", "Arguments"):
        table.add_column(heading, overflow="fold")
    for row in needed:
        arguments = "\n".join(f"{key}={value}" for key, value in row["arguments"].items())
        table.add_row(row["what"], row["name"], row["type"], row.get("routing_key", ""), arguments)
    out = console()
    out.print(table)
    if declared:
        out.print("all of it is there now", markup=False)
    elif not deployment.bus.url.startswith("amqp"):
        out.print("the embedded bus keeps the same queues in memory; nothing has to be declared", markup=False)
