"""How `hub map` shows rows: input, record and payload side by side where there is room, else below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from hub.cli.map_rows import Direction, Mapped, rule_of_field, rule_of_member
from hub.cli.output import console

if TYPE_CHECKING:
    from mappings.coverage import Coverage

WIDE = 140
"""Columns from which on there is room for three."""

VERDICTS = {
    "reject": "rejected: the sender has to correct it",
    "park": "parked: the mapping or a code table has to grow",
    "dead": "the record is good, but cannot be sent",
}


def show(way: Direction, rows: Sequence[Mapped]) -> None:
    """Print rows with the rule behind each value."""
    out = console()
    wide = out.width >= WIDE
    for row in rows:
        out.print(title(row))
        if wide:
            out.print(_beside(way, row))
        else:
            out.print(Text(f"  input  {_short(row.input)}", style="dim"))
            for name, grid in _made(way, row):
                out.print(Text(f"  {name}"))
                out.print(grid)
        if row.refused is not None and not (wide and row.record is None):
            for line in _refusal(row.refused):
                out.print(line)
        out.print()


def title(row: Mapped) -> Text:
    """`row 3.1  H-12|…`."""
    told = Text(f"row {row.position[0] + 1}", style="bold")
    told.append(f".{row.position[1] + 1}" if row.position[1] else "")
    told.append(f"  {row.key or 'without a key'}", "cyan")
    return told.append(f"  {row.ends}" if row.ends else "", "yellow")


def _beside(way: Direction, row: Mapped) -> Table:
    made = _made(way, row)
    if row.refused is not None and row.record is None:
        made = [("refused", _below(_refusal(row.refused)))]
    table = Table(box=None, padding=(0, 3, 0, 2), pad_edge=False, expand=True)
    for name in ("input", *(name for name, _ in made)):
        table.add_column(name, ratio=2 if name == "input" else 3, header_style="bold", overflow="fold")
    table.add_row(_grid([(path, value, "") for path, value in row.places]), *(grid for _, grid in made))
    return table


def _made(way: Direction, row: Mapped) -> list[tuple[str, Table]]:
    found = []
    if row.record is not None:
        lines = [
            (name, str(value), rule_of_field(way, row.stories.get(name)))
            for name, value in row.record.items()
            if value is not None
        ]
        found.append(("record", _grid(lines)))
    if row.payload is not None and way.outbound is not None:
        record = row.record or {}
        lines = [
            (name, str(value), rule_of_member(way.outbound, name, record))
            for name, value in row.payload.items()
            if value is not None
        ]
        found.append(("payload", _grid(lines)))
    return found


def _grid(lines: Sequence[tuple[str, str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value, rule in lines:
        table.add_row(Text(f"    {name}", style="dim"), Text(value, overflow="fold"), Text(rule, style="dim"))
    return table


def _below(lines: Sequence[Text]) -> Table:
    table = Table.grid()
    for line in lines:
        table.add_row(line)
    return table


def _refusal(refused: dict[str, Any]) -> list[Text]:
    lines = [Text(f"  {VERDICTS[refused['verdict']]}", style="red")]
    for one in refused["problems"]:
        where = f" at {one['path']}" if one["path"] else ""
        value = f" (found {one['value']!r})" if one["value"] is not None else ""
        lines.append(Text(f"    {one['field']}: {one['reason']}{where}{value}", style="red", overflow="fold"))
    return lines


def never_filled(counting: Coverage) -> tuple[list[str], list[str]]:
    """Fields that no row of a sample filled: those whose place is nowhere in it, in words, and those that are only
    empty, by name."""
    nowhere, empty = [], []
    for one in counting.targets():
        if not one.never:
            continue
        hints = counting.hints(one)
        if all(hint.endswith("is always empty") for hint in hints):
            empty.append(one.field)
        else:
            nowhere.append(f"{one.field} (line {one.line}): {'; '.join(hints)}")
    return nowhere, empty


def show_never_filled(counting: Coverage) -> None:
    """Say under a result which fields of the mapping no row filled."""
    nowhere, empty = never_filled(counting)
    out = console()
    if nowhere:
        out.print(Text("never filled in this sample, look at the path:", style="yellow"))
        for line in nowhere:
            out.print(Text(f"    {line}", style="yellow"), soft_wrap=True)
    if empty:
        out.print(Text(f"always empty in this sample: {', '.join(empty)}", style="dim"), soft_wrap=True)


def _short(text: str, most: int = 400) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
