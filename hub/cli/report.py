"""`hub report`: received and on time, agency by agency."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption
from hub.cli.output import console, guarded, local_zone, print_json
from hub.cli.reading import reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from hub.ledger.views import AgencyFigures
    from schemas.deadline import OnTimeFigures

EXAMPLE = "Example: hub report --today 2017-12-31"

_COLUMNS = {
    "received": "Received",
    "on_due_date": "On due\ndate",
    "early": "Early",
    "late": "Late",
    "within_time": "Within\ntime",
    "overdue": "Overdue",
}
"""Figures, and their headings."""


@guarded
def report(
    today: Annotated[
        str | None, typer.Option("--today", metavar="DAY", help="As on that day: 2017-12-31; today by default.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Count the dossiers in the ledger: received, early, on the due date, late, and what is open."""
    day = _day(today)
    with reading(config, ledger) as reader:
        agencies = _named(reader.report(day), config)
    if as_json:
        listed = [{"code": one.code, "name": one.name, **_figures(one.figures)} for one in agencies]
        print_json({"today": day, "agencies": listed, "total": _figures(_total(agencies))})
    else:
        _show(agencies, day)


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(local_zone()).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2017-12-31", param_hint="--today") from error


def _named(agencies: Sequence[AgencyFigures], config: Path) -> list[AgencyFigures]:
    """Name the agencies as the configuration's register does, where there is one; the ledger knows codes only."""
    from hub.draft import draft
    from schemas.errors import ConfigError

    try:
        register = draft(config).agencies if config.is_file() else None
    except ConfigError:
        register = None
    known = {agency.code: agency.name for agency in register or ()}
    return [replace(one, name=known.get(one.code, one.name)) for one in agencies]


def _total(agencies: Sequence[AgencyFigures]) -> OnTimeFigures:
    from schemas.deadline import OnTimeFigures

    return sum((one.figures for one in agencies), OnTimeFigures())


def _figures(figures: OnTimeFigures) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(figures, name) for name in _COLUMNS}
    return shown | {"on_time_rate": figures.on_time_rate}


def _show(agencies: Sequence[AgencyFigures], day: date) -> None:
    from rich import box
    from rich.table import Table

    title = f"Dossiers by agency, as of {day:%d/%m/%Y}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_footer=True, padding=(0, 1, 0, 0))
    total = _total(agencies)
    table.add_column("Agency", f"Total of {len(agencies)}", overflow="fold", min_width=16)
    for name, heading in _COLUMNS.items():
        table.add_column(heading, f"{getattr(total, name):,}", justify="right", no_wrap=True)
    table.add_column("On time", _percent(total), justify="right", no_wrap=True)
    for one in agencies:
        counts = [f"{getattr(one.figures, name):,}" for name in _COLUMNS]
        table.add_row(f"{one.name or one.code}", *counts, _percent(one.figures))
    console().print(table)


def _percent(figures: OnTimeFigures) -> str:
    return "–" if figures.on_time_rate is None else f"{figures.on_time_rate:.2f} %"
