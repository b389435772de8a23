"""`hub check`: everything that is wrong with a configuration, at once."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigArgument
from hub.cli.output import console, counted, guarded, print_json, progress

EXAMPLE = "Example: hub check hub.yaml --offline"


@guarded
def check(
    config: ConfigArgument = DEFAULT_CONFIG,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the network out.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", metavar="SECONDS", min=0.1, help="Seconds that each system may take.")
    ] = 10.0,
    strict: Annotated[bool, typer.Option("--strict", help="Let a warning count as a problem.")] = False,
    as_json: AsJson = False,
) -> None:
    """List every problem of a configuration with file, line and mend; exit status 1 if there is any."""
    import asyncio

    from hub.check import check as look

    with progress("looking at the configuration" if offline else "asking every system"):
        findings = asyncio.run(look(config, offline=offline, ledger=True, samples=True, timeout_s=timeout_s))
    ok = not findings.problems and not (strict and findings.warnings)
    if as_json:
        print_json({"ok": ok, "file": findings.file, "problems": findings.problems, "warnings": findings.warnings})
        raise typer.Exit(0 if ok else 1)
    out = console()
    for label, style, listed in (("error", "red", findings.problems), ("warning", "yellow", findings.warnings)):
        for problem in listed:
            out.print(f"[{style}]{label}[/]: ", end="")
            out.print(str(problem), markup=False, soft_wrap=True)
    warnings = counted(len(findings.warnings), "warning")
    if ok and findings.deployment is not None:
        made = findings.deployment
        out.print(
            f"{config}: ready to run, {counted(len(made.sources), 'source')}, "
            f"{counted(len(made.destinations), 'destination')}, {counted(len(made.routes), 'route')}, {warnings}",
            markup=False,
            soft_wrap=True,
        )
    else:
        out.print(f"{config}: {counted(len(findings.problems), 'problem')}, {warnings}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if ok else 1)
