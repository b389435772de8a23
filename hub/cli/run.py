"""`hub run`: the hub itself, until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, BusOption, ConfigArgument, LedgerOption, overrides
from hub.cli.output import guarded, print_json, progress, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.sections import Deployment

EXAMPLE = "Example: hub run hub.yaml --ledger sqlite:///var/hub.db --bus embedded:"


@guarded
def run(
    config: ConfigArgument = DEFAULT_CONFIG,
    roles: Annotated[
        str | None, typer.Option("--roles", metavar="LIST", help="What this process does, with commas; all by default.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when all is polled and nothing is left to send.")] = False,
    wait_s: Annotated[
        float,
        typer.Option("--wait-s", min=0.0, metavar="SECONDS", help="With --once: how long to wait for a held gate."),
    ] = 30.0,
    ledger: LedgerOption = None,
    bus: BusOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, not only what is wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Poll the sources, keep the ledger, deliver to the portals, until SIGINT or SIGTERM. SIGHUP does `hub reload`.

    With --once it says at its end what it did; exit status 1 if a source could not be read or something stayed open.
    A configuration with a problem is not run: what `hub check --offline` would say is said instead.
    """
    import asyncio

    from hub.check import check
    from hub.cli.logs import log_to

    log_to(verbose=verbose)
    findings = asyncio.run(check(config, overrides(ledger, bus), offline=True))
    deployment = findings.must_run()
    for problem in findings.warnings:
        warn(str(problem))
    named = _roles(roles)
    given = overrides(ledger, bus)
    if not once:
        asyncio.run(_run(deployment, named, given, as_json=as_json))
        return
    from hub.cli.summary import said, summary, tally

    before = tally(deployment.ledger.url)
    asyncio.run(_run(deployment, named, given, wait_s=wait_s, as_json=as_json))
    done = summary(deployment, named, before)
    if as_json:
        print_json(done)
    else:
        typer.echo(said(done))
    raise typer.Exit(0 if done["ok"] else 1)


def _roles(wanted: str | None) -> frozenset[str]:
    """Raises: typer.BadParameter for a role that there is not."""
    from hub.app import ROLES

    if wanted is None:
        return frozenset(ROLES)
    named = frozenset(role.strip() for role in wanted.split(",") if role.strip())
    if not named or not named <= set(ROLES):
        raise typer.BadParameter(f"the roles are {', '.join(ROLES)}", param_hint="--roles")
    return named


async def _run(
    deployment: Deployment,
    roles: frozenset[str],
    given: Mapping[str, str],
    *,
    wait_s: float | None = None,
    as_json: bool,
) -> None:
    """Run until a signal or, with `wait_s`, once."""
    import asyncio
    import signal

    from hub import app

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    hang_up = asyncio.Event()
    if wait_s is None:
        loop.add_signal_handler(signal.SIGHUP, hang_up.set)

    def ready() -> None:
        app.have_the_process()
        named = {"hub": deployment.hub.name, "ledger": deployment.ledger.shown, "bus": deployment.bus.shown}
        if not as_json:
            typer.echo(f"hub {named['hub']} runs: ledger {named['ledger']}, bus {named['bus']}", err=True)
        elif wait_s is None:  # a run that ends by itself prints its one object at its end
            print_json({"ready": True, **named, "roles": sorted(roles)})

    with progress("running" if wait_s is None else "until all is delivered"):
        if wait_s is None:
            await app.run(deployment, roles=roles, stop=stop, on_ready=ready, overrides=given, hang_up=hang_up)
        else:
            await app.run(deployment, roles=roles, once=True, stop=stop, on_ready=ready, wait_s=wait_s)
