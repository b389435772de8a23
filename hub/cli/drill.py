"""`hub drill`: the proof on one's own configuration, before it goes live."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson
from hub.cli.output import console, counted, guarded, print_json, progress, refuse

if TYPE_CHECKING:
    from hub.drill.report import Report

EXAMPLE = "Example: hub drill hub.yaml --bus rabbitmq --json"


@guarded
def drill(
    config: Annotated[
        Path, typer.Argument(envvar="HUB_CONFIG", metavar="CONFIG", help="The configuration file, or its folder.")
    ] = DEFAULT_CONFIG,
    bus: Annotated[
        str,
        typer.Option(
            "--bus",
            metavar="BUS",
            help="embedded; rabbitmq, a private broker that is restarted too; or the amqp:// address of another.",
        ),
    ] = "embedded",
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="An empty ledger, instead of a temporary SQLite file.")
    ] = None,
    dossiers: Annotated[
        int, typer.Option("--dossiers", min=1, max=100_000, metavar="N", help="About how many dossiers are shown.")
    ] = 400,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.1, max=240.0, metavar="M", help="After so long it has failed.")
    ] = 5.0,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip-destination", metavar="NAME", help="Leave a destination out; may be repeated."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME", help="Only this fault, such as 500-storm; may be repeated."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Drill in this empty folder and leave ledger and logs there."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drill a configuration against twins of its destinations, with recorded samples of its sources, under faults.

    Nothing of yours is written to, and nobody of yours is called: addresses and secrets are replaced. Exit status 0
    only if nothing was lost, doubled or regressed, every fault met messages in flight, and the hub recovered from each.
    """
    import asyncio

    from hub.drill.run import Wanted
    from hub.drill.run import drill as hold

    if bus not in ("embedded", "rabbitmq") and not bus.startswith(("amqp://", "amqps://")):
        raise typer.BadParameter("is embedded, rabbitmq or an amqp:// address", param_hint="--bus")
    if ledger is not None and not ledger.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        said = "is neither sqlite:///FILE nor postgresql://USER@HOST/DATABASE"
        raise typer.BadParameter(said, param_hint="--ledger")
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            refuse("not-empty", "is not an empty folder", "name a new one", str(keep), as_json=as_json)
        keep.mkdir(parents=True, exist_ok=True)
        keep = keep.resolve()
    wanted = Wanted(
        config=config,
        bus=bus,
        ledger=ledger,
        dossiers=dossiers,
        limit_s=minutes * 60,
        skipped=tuple(skip or ()),
        faults=tuple(fault or ()),
        keep=keep,
    )
    with ExitStack() as stack:
        steps = stack.enter_context(progress("the drill"))
        report = asyncio.run(hold(wanted, lambda text, done, total: steps.say(text, done, total or None)))
    if as_json:
        print_json(report.plain())
    else:
        _show(report)
    if keep is not None:
        typer.echo(f"kept in {keep}: hub.log is what the hub said, hub.db its ledger", err=True)
    raise typer.Exit(0 if report.passed else 1)


def _show(report: Report) -> None:
    from rich.table import Table

    from hub.drill.plan import FAULTS

    table = Table(title=f"Drill of {report.config}", title_justify="left")
    for heading in ("Fault", "Destination", "Exercised"):
        table.add_column(heading)
    table.add_column("In flight", justify="right")
    table.add_column("Recovered after", justify="right")
    for one in report.faults:
        after = "not recovered" if one.recovered_after_s is None else f"{one.recovered_after_s:.1f} s"
        words = FAULTS[one.fault].words
        table.add_row(words, one.destination or "the hub", "yes" if one.exercised else "NO", str(one.in_flight), after)
    out = console()
    out.print(table)
    for none in report.not_applicable:
        where = none.destination or "the hub"
        out.print(f"not applicable: {FAULTS[none.fault].words} at {where}: {none.reason}", markup=False)
    for source in report.sources:
        once = f"; used once: {'; '.join(source.once)}" if source.once else ""
        what = counted(source.dossiers, "dossier") if source.dossiers else "steps"
        out.print(f"{source.source}: {what} made of {source.samples}{once}", markup=False)
    for line in report.changed:
        out.print(line, markup=False)
    counts = ", ".join(f"{what} {report.count(what)}" for what in ("lost", "doubled", "regressed"))
    served = f"{counted(report.snapshots, 'revision')} and {counted(report.events, 'step')}"
    out.print(f"books: {served} served to the portals; {counts}, possibly twice {report.possibly_twice}", markup=False)
    out.print(_verdict(report), markup=False)


def _verdict(report: Report) -> str:
    """One line where it passed; else everything that failed, with what to do."""
    if report.passed:
        return f"The drill was passed, in {report.seconds:.0f} s."
    lines = ["The drill was NOT passed:"]
    shown = report.findings[:10]
    lines += [f"  {one.what}: {one.portal}: {one.kind} {one.key}: {one.text}" for one in shown]
    if len(report.findings) > 10:
        lines.append(f"  and {counted(len(report.findings) - 10, 'finding')} more: --json lists them")
    for one in report.faults:
        if not one.exercised:
            where = one.destination or "the hub"
            mend = "show it more: --dossiers, or more samples"
            lines.append(f"  not exercised: {one.fault} at {where} met no message in flight — {mend}")
    lines += [f"  {problem}" for problem in report.problems]
    if report.open:
        what = "dispatch is" if report.open == 1 else "dispatches are"
        lines.append(f"  {report.open:,} {what} still open — --keep DIR leaves the ledger to look into")
    return "\n".join(lines)
