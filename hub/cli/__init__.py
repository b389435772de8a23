"""The command line, `hub`: one module per command or family, and nothing heavy imported before it is needed.

Exit status: 0 when a command did what it was asked, 1 when it did not, 2 when it was asked wrongly.
"""

from __future__ import annotations

import os
import sys
from inspect import cleandoc
from typing import Annotated

import typer

from hub.cli import (
    adapters,
    adopt,
    agency_files,
    alerts,
    backfill,
    check,
    configurations,
    dead,
    demo,
    doctor,
    drill,
    gates,
    init,
    items,
    mapping_tests,
    mappings,
    new,
    queues,
    recover,
    registers,
    reload,
    report,
    run,
    schema,
    shadow,
    topology,
    trace,
    trial,
    unknown,
)
from hub.cli import map as mapping
from hub.cli.help import in_words

__all__ = ["app", "main"]

app = typer.Typer(
    name="hub",
    help="Interoperability hub: from the old systems of a province's agencies to its portals, with nothing lost.",
    epilog="Example: hub demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"hub {version('interop-hub')}")
        raise typer.Exit


@app.callback()
def _everywhere(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """What holds for every command; its text is the help of the app."""


app.command("demo", epilog=demo.EXAMPLE)(demo.demo)
app.command("drill", epilog=drill.EXAMPLE)(drill.drill)
app.command("check", epilog=check.EXAMPLE)(check.check)
app.command("run", epilog=run.EXAMPLE)(run.run)
app.command("adapters", epilog=adapters.EXAMPLE)(adapters.adapters)
app.command("topology", epilog=topology.EXAMPLE)(topology.topology)
app.command("map", epilog=mapping.EXAMPLE)(mapping.map_sample)
app.command("mappings", epilog=mappings.EXAMPLE)(mappings.mappings)
app.command("test", epilog=mapping_tests.EXAMPLE)(mapping_tests.run_tests)
app.command("shadow", epilog=shadow.EXAMPLE)(shadow.shadow)
app.command("try", epilog=trial.EXAMPLE)(trial.try_source)
app.command("trace", epilog=trace.EXAMPLE)(trace.trace)
app.command("queues", epilog=queues.EXAMPLE)(queues.queues)
app.command("reload", epilog=reload.EXAMPLE)(reload.reload)
app.command("configurations", epilog=configurations.EXAMPLE)(configurations.configurations)
app.command("report", epilog=report.EXAMPLE)(report.report)
app.command("pause", epilog=gates.PAUSE_EXAMPLE)(gates.pause)
app.command("resume", epilog=gates.RESUME_EXAMPLE)(gates.resume)
app.command("adopt", epilog=adopt.EXAMPLE)(adopt.adopt)
app.command("doctor", epilog=doctor.EXAMPLE)(doctor.doctor)
app.command("recover", epilog=recover.EXAMPLE)(recover.recover)
app.command("backfill", epilog=backfill.EXAMPLE)(backfill.backfill)
app.command("agency-files", epilog=agency_files.EXAMPLE)(agency_files.agency_files)
app.add_typer(dead.app, name="dead")
app.add_typer(items.app, name="items")
app.add_typer(alerts.app, name="alerts")
app.add_typer(unknown.app, name="unknown")
app.add_typer(registers.app, name="registers")
app.command("init", epilog=init.EXAMPLE)(init.init)
app.add_typer(new.app, name="new")
app.add_typer(schema.app, name="schema")


def _flow(group: typer.Typer) -> None:
    """Let each paragraph of a help fill the terminal's width: where a docstring's lines end, its help need not."""
    for command in group.registered_commands:
        text = cleandoc(command.help or getattr(command.callback, "__doc__", None) or "")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


for _group in (app, dead.app, items.app, alerts.app, unknown.app, registers.app):
    _flow(_group)
for _group in (app, dead.app, items.app, alerts.app, unknown.app, registers.app, new.app, schema.app):
    in_words(_group)


def main() -> None:
    """Run the command that the shell names; never returns."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read the output has had enough (`hub report | head`); Python would complain at its exit otherwise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
