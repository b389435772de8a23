"""`hub adapters`: what can be named under `adapter` in a configuration, and the settings of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson
from hub.cli.output import console, counted, fail, guarded, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.registry import Listed
    from hub.setting_rows import SettingRow

EXAMPLE = "Example: hub adapters rest"


@guarded
def adapters(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them, with its settings.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the installed adapters with the packages that bring them; with NAME, the settings of one.

    An adapter that cannot be used is told with the mend, and the exit status is 1.
    """
    from hub.registry import adapter, listed, look

    if name is None:
        _list(listed(), as_json=as_json)
        return
    from hub.setting_rows import rows

    found = adapter(name)
    one = look(name)
    if one.problem is not None:
        fail([one.problem], as_json=as_json)
    settings = rows(found.Settings)
    if as_json:
        print_json({"ok": True, **_facts(one), "settings": settings})
        return
    out = console()
    out.print(f"{name}: a {one.role}, of {_package(one)}", markup=False, soft_wrap=True)
    out.print(one.summary, markup=False, soft_wrap=True)
    _show(settings)


def _list(found: Sequence[Listed], *, as_json: bool) -> None:
    problems = [one.problem for one in found if one.problem is not None]
    if as_json:
        print_json({"ok": not problems, "adapters": [_facts(one) for one in found], "problems": problems})
    else:
        from rich.table import Table

        table = Table()
        for heading in ("Adapter", "Role", "Package", "What it is"):
            table.add_column(heading, overflow="fold")
        for one in found:
            table.add_row(one.name, one.role or "–", _package(one), one.summary or "cannot be used, see below")
        out = console()
        out.print(table)
        if problems:
            out.print(f"{counted(len(problems), 'adapter')} cannot be used", markup=False)
    if problems:
        for problem in problems:
            typer.echo(f"error: {problem}", err=True)
        raise typer.Exit(1)


def _facts(one: Listed) -> dict[str, Any]:
    return {
        "name": one.name,
        "role": one.role or None,
        "summary": one.summary or None,
        "package": one.package,
        "version": one.version,
        "usable": one.problem is None,
    }


def _package(one: Listed) -> str:
    return f"{one.package} {one.version}".strip()


def _show(settings: Sequence[SettingRow]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("Setting", "Type", "Default", "What it is"):
        table.add_column(heading, overflow="fold")
    for row in settings:
        what = f"(with {row.only}) {row.what}" if row.only else row.what
        table.add_row(*(Text(cell) for cell in (row.name, row.type, row.shown_default, what)))
    console().print(table)
