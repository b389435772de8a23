"""`hub doctor`: looks at everything, and says what is well, doubtful or wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, BusOption, ConfigArgument, LedgerOption, overrides
from hub.cli.output import console, counted, guarded, print_json, progress

if TYPE_CHECKING:
    from hub.doctor import Report

EXAMPLE = "Example: hub doctor hub.yaml --bundle support.tar.gz"

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@guarded
def doctor(
    config: ConfigArgument = DEFAULT_CONFIG,
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", metavar="SECONDS", min=0.1, help="Seconds that each check may take.")
    ] = 10.0,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="FILE", help="Write a support bundle, .tar.gz or .zip, without personal data."
        ),
    ] = None,
    ledger: LedgerOption = None,
    bus: BusOption = None,
    as_json: AsJson = False,
) -> None:
    """Look at configuration, clocks, disk, database, broker, certificates, sources, destinations and workers.

    Changes nothing, and works whether the hub runs or not. Exit status 1 if there is a problem.
    """
    import asyncio

    if bundle is not None and not bundle.name.endswith((".tar.gz", ".tgz", ".zip")):
        raise typer.BadParameter(f"--bundle {bundle}: name a file that ends with .tar.gz or .zip")

    from hub.doctor import examine
    from hub.doctor.bundle import write

    with progress("looking at everything"):
        report = asyncio.run(examine(config, overrides(ledger, bus), timeout_s=timeout_s))
    written = write(bundle, config, ledger, report) if bundle is not None else None
    if as_json:
        about = {"file": str(bundle), "holds": written} if bundle is not None else None
        print_json({"ok": report.ok, "findings": report.findings, "bundle": about})
    else:
        _show(report)
        if bundle is not None:
            console().print(f"{bundle} is written: it holds no personal data; look into it before you send it")
    raise typer.Exit(0 if report.ok else 1)


def _show(report: Report) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "Check", "About", "Found, and the mend"):
        table.add_column(name)
    for one in report.findings:
        said = "; ".join(part for part in (one.said, one.detail) if part)
        said = f"{said}\n→ {one.mend}" if one.mend else said
        table.add_row(Text(one.level.value, style=_STYLES[one.level]), one.check, Text(one.subject), Text(said))
    out = console()
    out.print(table)
    problems = sum(one.level == "problem" for one in report.findings)
    warnings = sum(one.level == "warning" for one in report.findings)
    out.print(f"{counted(problems, 'problem')}, {counted(warnings, 'warning')}")
