"""`hub registers`: which agencies, procedures and fields are known, since when, and what the portal changed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.operating import Who, perform, person
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption, overrides
from hub.cli.output import console, counted, guarded, local_zone, moment, print_json, progress, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.ledger.registers import Change
    from hub.registers.showing import Found, Standing
    from hub.registers.syncing import Synced

app = typer.Typer(
    help="Registers of agencies, procedures and their fields: list, show, sync from the portal, diff.",
    epilog="Example: hub registers list",
    no_args_is_help=True,
)

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Only this register: agencies, procedures or fields; may be repeated."),
]
_ORDER = ("added", "changed", "back", "gone")
_SIGNS = {"added": "+", "changed": "~", "back": "+", "gone": "-"}
_SHOWN = 20


@app.command("list", epilog="Example: hub registers list")
@guarded
def list_(config: ConfigOption = DEFAULT_CONFIG, ledger: LedgerOption = None, as_json: AsJson = False) -> None:
    """List the registers: how many entries hold today, how many were written by hand, when the portal was read."""
    from hub.registers.showing import standings
    from hub.settings import load

    found = standings(load(config, overrides(ledger, None)), _today())
    if as_json:
        print_json({"registers": found})
        return
    out = console()
    for one in found:
        for line in _standing(one):
            out.print(line, markup=False)


def _standing(one: Standing) -> list[str]:
    lines = [f"{one.register:<11} {one.hold:,} hold today, {one.ended:,} ended, {one.to_come:,} to come; "
             f"{one.written:,} of them by hand"]  # fmt: skip
    if one.source is None:
        return [*lines, "            not taken over from a portal"]
    read = f"last read {moment(one.state.read_at)}" if one.state.read_at else "never read"
    lines.append(f"            from {one.source}, {read}, version {one.state.version}; next {moment(one.next_at)}")
    if one.state.problem:
        looks = counted(one.state.failures, "look")
        lines.append(f"            refused, {looks} in vain: {one.state.problem}")
    return [*lines, *(f"            {said}" for said in one.differ[:_SHOWN])]


@app.command("show", epilog="Example: hub registers show 1.001193.H59")
@guarded
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Of an agency, a procedure or a field; an alias too.")],
    on: Annotated[
        datetime | None,
        typer.Option("--on", metavar="DAY", formats=["%Y-%m-%d"], help="As of this day; today by default."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what a code means, its days, and what took its place; exit status 1 where it means nothing on the day."""
    from hub.registers.showing import look_up
    from hub.registers.stored import with_stored
    from hub.settings import load

    deployment = load(config, overrides(ledger, None))
    day = on.date() if on is not None else _today()
    found, near = look_up(with_stored(deployment), deployment, code, day)
    if not found:
        mend = f"did you mean {near!r}?" if near else "hub registers sync; or add it to the file"
        refuse("unknown-code", f"no register has the code {code!r}", mend, as_json=as_json)
    if as_json:
        print_json({"code": code, "on": day, "found": found})
    else:
        for one in found:
            _show(one)
    raise typer.Exit(0 if any(one.holds for one in found) else 1)


def _show(one: Found) -> None:
    out = console()
    out.print(f"{one.register}: {one.code}  {one.name}", markup=False, style="bold")
    facts = {
        "days": f"{one.valid_from or '…'} to {one.valid_to or '…'}{'' if one.holds else ', not on this day'}",
        **one.facts,
        "successor": " → ".join(one.successors),
        "known by": ", ".join(one.aliases),
        "from": one.origin,
    }
    for name, text in facts.items():
        if text:
            out.print(f"  {name:<12} {text}", markup=False)


@app.command("sync", epilog="Example: hub registers sync --only procedures")
@guarded
def sync(
    only: Only = None,
    force: Annotated[bool, typer.Option("--force", help="Believe it, however many entries are lost at once.")] = False,
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Look at the portal's catalogues now and take over what has changed.

    A running hub puts it in force by itself and does again what was parked; without one, the next start does. What
    cannot be believed (an answer that is empty, unreadable, or lacks a great part of what was known) changes nothing.
    """
    from hub.operations import RegistersSynced, SyncRegisters

    operation = SyncRegisters(who=person(who), only=tuple(only or ()), force=force)
    with progress("asking the portal"):
        done = perform(operation, RegistersSynced, config, ledger)
    if as_json:
        print_json({"ok": not any(one.problem for one in done.registers), "registers": done.registers})
    else:
        for one in done.registers:
            console().print(_synced(one), markup=False, soft_wrap=True)
    raise typer.Exit(1 if any(one.problem for one in done.registers) else 0)


def _synced(one: Synced) -> str:
    if one.problem:
        return f"{one.register:<11} refused: {one.problem}"
    what = ", ".join(f"{one.changes[kind]:,} {kind}" for kind in _ORDER if kind in one.changes) or "nothing changed"
    others = f", {one.others:,} of other provinces left out" if one.others else ""
    wrong = f"; {counted(len(one.wrong), 'entry')} unreadable: {one.wrong[0]}" if one.wrong else ""
    return f"{one.register:<11} {one.entries:,} read{others}: {what}{wrong}"


@app.command("diff", epilog="Example: hub registers diff --only procedures")
@guarded
def diff(
    only: Only = None, config: ConfigOption = DEFAULT_CONFIG, ledger: LedgerOption = None, as_json: AsJson = False
) -> None:
    """Show what the last look at the portal that changed anything added, changed and lost."""
    from hub.cli.reading import reading

    names = only or ["agencies", "procedures", "fields"]
    with reading(config, ledger) as reader:
        changes = {name: reader.register_changes(name) for name in names}
    if as_json:
        print_json({name: [asdict(change) for change in found] for name, found in changes.items()})
        return
    out = console()
    for name, found in changes.items():
        out.print(f"{name}: {counted(len(found), 'change')}" if found else f"{name}: none", style="bold")
        for change in found:
            out.print(f"  {_change(change)}", markup=False, soft_wrap=True)


def _change(change: Change) -> str:
    before, after = change.before or {}, change.after or {}
    name = after.get("name") or before.get("name") or ""
    said = f"{_SIGNS[change.change]} {change.code}  {name}"
    if change.change == "changed":
        said += f"  {', '.join(_fields(before, after))}"
    return f"{said}  (gone)" if change.change == "gone" else said


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return [f"{name}: {before.get(name) or '–'} → {after.get(name) or '–'}" for name in names]


def _today() -> date:
    return datetime.now(local_zone()).date()
