"""`hub map --coverage`: what of many samples is mapped, ignored and forgotten, and how often each field is filled."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer
from rich.table import Table
from rich.text import Text

from hub.cli.output import console, counted, print_json, progress, refuse, warn
from hub.registers import Registers
from mappings.coverage import Coverage, SourcePlace, TargetField
from mappings.inbound import InboundMapping
from schemas.errors import ConfigError, Problem, UndecodableError


def cover(
    mappings: Sequence[InboundMapping],
    samples: Sequence[str],
    charset: str | None,
    registers: Registers,
    *,
    strict: bool,
    as_json: bool,
) -> NoReturn:
    """Count over all samples and print what it comes to; exit status 1 where a sample cannot be read, and under
    `strict` where something is forgotten."""
    try:
        counting = Coverage(mappings)
    except ValueError as error:
        refuse("other-rows", str(error), "count it by itself", as_json=as_json)
    files, left_out = _files(samples, mappings)
    unreadable: list[Problem] = []
    with progress("reading the samples") as steps:
        for number, file in enumerate(files):
            steps.say(file.name, number, len(files))
            try:
                counting.add(file.read_bytes(), charset, file.name, *registers)
            except OSError as error:
                said = f"cannot be read: {(error.strerror or 'an error').lower()}"
                unreadable.append(Problem("unreadable-file", said, "check the path", str(file)))
            except UndecodableError as error:
                mend = "compare it with the `from` block of the mapping"
                unreadable.append(Problem("undecodable", str(error), mend, str(file)))
    sources, targets = counting.sources(), counting.targets()
    forgotten = [one for one in sources if one.state == "forgotten"]
    ok = not unreadable and not (strict and forgotten)
    if as_json:
        told = {
            "ok": ok,
            "mappings": [one.name for one in mappings],
            "samples": counting.samples,
            "left_out": left_out,
            "unreadable": unreadable,
            "rows": counting.rows,
            "records": counting.records,
            "refused": counting.refused,
            "unread": counting.unread,
            "sources": sources,
            "targets": [_target(counting, one) for one in targets],
            "places_left_out": counting.places_left_out,
        }
        print_json(told)
        raise typer.Exit(0 if ok else 1)
    out = console()
    _show_sources(sources, counting.rows)
    _show_targets(counting, targets, several=len(mappings) > 1)
    for problem in unreadable:
        out.print(Text(f"error: {problem}", style="red"), soft_wrap=True)
    out.print(_summary(counting, sources, targets), markup=False, soft_wrap=True)
    if left_out:
        warn(f"{counted(left_out, 'file')} of another name left out: in a source the mapping does not read them either")
    if counting.places_left_out:
        warn("the rows have more places than can be told apart: their names seem to be data")
    if forgotten and strict:
        mend = "map them, or list them under `ignore` with the reason"
        typer.echo(f"error: {counted(len(forgotten), 'place')} forgotten [forgotten] — {mend}", err=True)
    raise typer.Exit(0 if ok else 1)


def _files(samples: Sequence[str], mappings: Sequence[InboundMapping]) -> tuple[list[Path], int]:
    """The files that are meant, each once, and how many of folders and patterns are not for these mappings.

    Raises: ConfigError where there is none.
    """
    found: dict[Path, None] = {}
    left_out = 0
    for sample in samples:
        path = Path(sample)
        if path.is_dir():
            listed = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
        elif path.exists() or not glob.has_magic(sample):
            found[path] = None
            continue
        else:
            listed = sorted(Path(one) for one in glob.glob(sample, recursive=True) if Path(one).is_file())
        for one in listed:
            if any(mapping.applies(one.name) for mapping in mappings):
                found[one] = None
            else:
                left_out += 1
    if not found:
        said = f"no sample for {mappings[0].name} in {', '.join(samples)}"
        if left_out:
            said += f": it reads only files named {mappings[0].label!r}"
        raise ConfigError([Problem("no-sample", said, "name files, folders, or patterns in quotes")])
    return list(found), left_out


def _target(counting: Coverage, one: TargetField) -> dict[str, object]:
    names = ("mapping", "field", "paths", "mapped", "line", "filled", "default", "const", "empty", "refused")
    return {name: getattr(one, name) for name in names} | {"hints": counting.hints(one) if one.never else []}


def _show_sources(sources: Sequence[SourcePlace], rows: int) -> None:
    out = console()
    for state, head in (("mapped", "becomes"), ("ignored", "why"), ("forgotten", "for example")):
        chosen = [one for one in sources if one.state == state]
        if not chosen:
            continue
        style = "yellow" if state == "forgotten" else ""
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        table.add_column(state, style=style, overflow="fold")
        table.add_column("with a value", justify="right")
        table.add_column(head, overflow="fold")
        for one in chosen:
            last = ", ".join(one.fields) if one.fields else one.reason or one.example or ""
            table.add_row(Text(one.path), f"{one.valued:,} of {rows:,}", Text(last))
        out.print(table)
        out.print()


def _show_targets(counting: Coverage, targets: Sequence[TargetField], *, several: bool) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("field", overflow="fold")
    for head in ("filled", "default", "const", "empty", "refused"):
        table.add_column(head, justify="right")
    table.add_column("")
    for one in targets:
        told = "not mapped" if not one.mapped else "; ".join(counting.hints(one)) if one.never else ""
        numbers = (one.filled, one.default, one.const, one.empty, one.refused)
        name = f"{one.mapping}: {one.field}" if several else one.field
        style = "yellow" if one.never else "dim" if not one.mapped else ""
        table.add_row(Text(name), *(f"{number:,}" if number else "–" for number in numbers), Text(told), style=style)
    console().print(table)
    console().print()


def _summary(counting: Coverage, sources: Sequence[SourcePlace], targets: Sequence[TargetField]) -> str:
    states = [one.state for one in sources]
    places = ", ".join(f"{states.count(state):,} {state}" for state in ("mapped", "ignored", "forgotten"))
    never, lacking = sum(one.never for one in targets), sum(not one.mapped for one in targets)
    return (
        f"{counted(counting.samples, 'sample')}, {counted(counting.rows, 'row')}, "
        f"{counted(counting.records, 'record')}, {counting.refused:,} refused; places: {places}; "
        f"fields: {len(targets) - lacking:,} mapped, of these {never:,} never filled, {lacking:,} not mapped"
    )
