"""`hub configurations`: every version of the configuration that was in force, and what differs between two."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigArgument, LedgerOption
from hub.cli.output import console, counted, guarded, moment, print_json, refuse
from hub.cli.reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hub.ledger.configurations import ConfigurationView, PartView, Running
    from hub.ledger.views import LedgerReader

EXAMPLE = "Example: hub configurations hub.yaml --diff 3 4"


@guarded
def configurations(
    config: ConfigArgument = DEFAULT_CONFIG,
    show: Annotated[
        int | None, typer.Option("--show", metavar="N", help="One version: its parts and their texts.")
    ] = None,
    diff: Annotated[
        tuple[int, int] | None, typer.Option("--diff", metavar="A B", help="What differs between two versions.")
    ] = None,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """List every version of the configuration that this ledger has seen in force, and which one runs.

    A revision names the version that made it (`hub trace`). Texts are kept without what is secret.
    """
    with reading(config, ledger) as reader:
        known = {one.number: one for one in reader.configurations()}
        for number in (*([] if show is None else [show]), *(diff or ())):
            if number not in known:
                there = ", ".join(f"#{one}" for one in known) or "none"
                said = f"the ledger knows no configuration #{number}"
                refuse("unknown-configuration", said, f"it knows {there}", as_json=as_json)
        if diff is not None:
            _differ(reader, known[diff[0]], known[diff[1]], as_json=as_json)
        elif show is not None:
            _one(reader, known[show], as_json=as_json)
        else:
            _all(list(known.values()), reader.running(), as_json=as_json)


def _all(known: Sequence[ConfigurationView], runs: Sequence[Running], *, as_json: bool) -> None:
    if as_json:
        print_json({"configurations": known, "running": runs})
        return
    out = console()
    before: ConfigurationView | None = None
    for one in known:
        many = "one process runs it" if one.running == 1 else f"{one.running} processes run it"
        running = f", {many}" if one.running else ""
        style = "bold green" if one.running else "bold"
        out.print(f"#{one.number}  first seen {moment(one.first_at)}{running}", style=style, markup=False)
        out.print(f"    {one.file} on {one.host}", markup=False, soft_wrap=True)
        if before is not None:
            out.print(f"    {', '.join(_names(before, one))}", markup=False, soft_wrap=True, style="dim")
        before = one
    for running_one in runs:
        if running_one.refused:
            said = f"process {running_one.worker} goes on with #{running_one.configuration}: {running_one.refused}"
            out.print(said, style="bold red", markup=False, soft_wrap=True)
    if not known:
        out.print("no configuration was in force yet: it is written down by the first `hub run`")


def _names(before: ConfigurationView, after: ConfigurationView) -> list[str]:
    """`changed mapping one-stop-rest/dossier`, for every part that differs."""
    return [f"{what} {_called(part)}" for what, part in _changes(before, after)] or ["nothing differs"]


def _called(part: PartView) -> str:
    return f"{part.role} {part.name}"


def _changes(before: ConfigurationView, after: ConfigurationView) -> Iterator[tuple[str, PartView]]:
    old = {(part.role, part.name): part for part in before.parts}
    new = {(part.role, part.name): part for part in after.parts}
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            yield "removed", old[key]
        elif key not in old:
            yield "new", new[key]
        elif old[key].digest != new[key].digest:
            yield "changed", new[key]


def _one(reader: LedgerReader, one: ConfigurationView, *, as_json: bool) -> None:
    texts = reader.configuration_texts([part.digest for part in one.parts])
    if as_json:
        parts = [{**_plain(part), "text": texts.get(part.digest)} for part in one.parts]
        print_json({**_plain(one), "parts": parts})
        return
    out = console()
    out.print(f"#{one.number}  first seen {moment(one.first_at)}  {one.file} on {one.host}", markup=False)
    for part in sorted(one.parts, key=_called):
        out.print()
        size = counted(part.size_bytes, "byte")
        out.print(f"--- {_called(part)}  {size}, {part.digest[:16]}", style="bold", markup=False)
        out.print(texts.get(part.digest, "(too large to be kept)").rstrip("\n"), markup=False, soft_wrap=True)


def _differ(reader: LedgerReader, before: ConfigurationView, after: ConfigurationView, *, as_json: bool) -> None:
    changes = list(_changes(before, after))
    old = {(part.role, part.name): part.digest for part in before.parts}
    new = {(part.role, part.name): part.digest for part in after.parts}
    digests = {
        side[part.role, part.name] for side in (old, new) for _, part in changes if (part.role, part.name) in side
    }
    texts = reader.configuration_texts(sorted(digests))
    shown = [
        {
            "change": what,
            "role": part.role,
            "name": part.name,
            "diff": list(
                _lines(
                    texts,
                    (f"#{before.number} {_called(part)}", old.get((part.role, part.name))),
                    (f"#{after.number} {_called(part)}", new.get((part.role, part.name))),
                )
            ),
        }
        for what, part in changes
    ]
    if as_json:
        print_json({"from": before.number, "to": after.number, "changes": shown})
        return
    out = console()
    if not shown:
        out.print(f"nothing differs between #{before.number} and #{after.number}")
    for one in shown:
        out.print(f"{one['change']} {one['role']} {one['name']}", style="bold", markup=False)
        for line in one["diff"]:
            style = {"+": "green", "-": "red"}.get(str(line)[:1], "")
            out.print(f"  {line}", style=style, markup=False, soft_wrap=True)


def _lines(texts: Mapping[str, str], before: tuple[str, str | None], after: tuple[str, str | None]) -> Iterator[str]:
    """A unified diff; one line where a text was too large to be kept."""
    sides = [texts.get(digest, None) if digest else "" for _, digest in (before, after)]
    if None in sides:
        yield "(too large to be kept: only the digests are known to differ)"
        return
    old, new = ((side or "").splitlines() for side in sides)
    yield from unified_diff(old, new, before[0], after[0], lineterm="")


def _plain(value: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(value)
