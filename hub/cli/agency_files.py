"""`hub agency-files`: each agency's error file of a day, made by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigArgument, LedgerOption, overrides
from hub.cli.output import console, counted, guarded, print_json, progress, refuse

EXAMPLE = "Example: hub agency-files hub.yaml --day 2026-11-21 --out /srv/agencies"


@guarded
def agency_files(
    config: ConfigArgument = DEFAULT_CONFIG,
    day: Annotated[
        str | None, typer.Option("--day", metavar="DAY", help="Which day's: 2026-11-21; yesterday's by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Instead of the configuration's agency_files.folder.")
    ] = None,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Make the error files of a day, CSV and HTML: for each agency its own rows that were refused and are still open.

    What was corrected since is left out, and so is what is parked, for that is ours to mend. A running hub makes
    yesterday's by itself where the configuration has `agency_files`, and mails them; this command mails nothing.
    """
    from hub.daily import make
    from hub.registers.stored import with_stored
    from hub.rulebook import rulebook
    from hub.settings import load

    wanted = _day(day)
    if out is not None and (
        file := next((one for one in (out, *out.parents) if one.exists() and not one.is_dir()), None)
    ):
        said = f"--out {out}: {file} is a file, no folder"
        refuse("unwritable-folder", said, "name a folder, or one that can be made", as_json=as_json)
    deployment = load(config, overrides(ledger, None))
    try:
        with progress("reading what was refused"):
            made = make(deployment, rulebook(with_stored(deployment)), wanted, out)
    except OSError as error:
        mend = "make the folder writable, or name another one by --out"
        refuse("unwritable-folder", f"the files cannot be written: {error}", mend, as_json=as_json)
    told = [
        {"agency": owner.code, "name": owner.name, "errors": len(lines)}
        for owner, lines in sorted(made.reports.items(), key=lambda one: one[0].code)
    ]
    if as_json:
        print_json({"day": wanted, "agencies": told, "files": list(made.files), "removed": list(made.removed)})
        return
    screen = console()
    if not told:
        screen.print(f"no agency has anything to correct on {wanted:%d/%m/%Y}", markup=False)
    for one in told:
        screen.print(f"{one['agency']}  {one['name']}: {one['errors']:,}", markup=False, soft_wrap=True)
    if made.files:
        told_files = counted(len(made.files), "file")
        screen.print(f"{told_files} in {made.files[0].parent}", markup=False, soft_wrap=True)


def _day(text: str | None) -> date:
    """Raises: typer.BadParameter for what is no day, or one that has not come."""
    from schemas.local_time import LOCAL

    today = datetime.now(LOCAL).date()
    if text is None:
        return today - timedelta(days=1)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2026-11-21", param_hint="--day") from error
    if day > today:
        raise typer.BadParameter(f"{day:%d/%m/%Y} has not come yet", param_hint="--day")
    return day
