"""`hub items`: rows that did not become records: list, show, do again after a mend, dismiss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import names
from hub.cli.operating import Who, Why, perform, person, reason
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption, Reveal
from hub.cli.output import console, counted, guarded, print_json, progress, refuse
from hub.cli.reading import reading
from hub.cli.since import Since, Until, since, until

if TYPE_CHECKING:
    from hub.ledger.items import ItemFilter
    from hub.operations import ItemsRedone

app = typer.Typer(
    help="Refused rows, and pages that cannot be read: list, show, redo, dismiss.",
    epilog="Example: hub items list --source so-tttt",
    no_args_is_help=True,
)

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="As `hub items list` shows them; or name them by options.")
]
Source = Annotated[str | None, typer.Option("--source", metavar="NAME", help="Only those from this source.")]
State = Annotated[
    str | None, typer.Option("--state", metavar="STATE", help="Only these: rejected, parked, unreadable or no-route.")
]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only records of this kind: dossier.v1.")]
Agency = Annotated[str | None, typer.Option("--agency", metavar="CODE", help="Only those known to be this agency's.")]
Field = Annotated[
    str | None, typer.Option("--field", metavar="FIELD", help="Only where this field of the record was refused.")
]
At = Annotated[
    str | None, typer.Option("--path", metavar="PATH", help="Only where this stands in the source's path: TrangThai.")
]
Text = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="Only where this stands in the value, the reason or the key."),
]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Only this dossier.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many are shown.")]


@app.command("list", epilog="Example: hub items list --state parked --since 2d")
@guarded
def list_(
    source: Source = None,
    state: State = None,
    kind: Kind = None,
    agency: Agency = None,
    field: Field = None,
    path: At = None,
    text: Text = None,
    key: Key = None,
    from_: Since = None,
    to: Until = None,
    every: Annotated[bool, typer.Option("--all", help="Records that no route takes, too.")] = False,
    dismissed: Annotated[
        bool, typer.Option("--dismissed", help="Those that were dismissed, with who and why.")
    ] = False,
    limit: Limit = 100,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """List refused items, oldest first: rows that were rejected (the agency corrects them) or parked (we do).

    What a later row has put right is not listed, nor what was dismissed. On top stands how many there are of what.
    """
    from hub.cli.item_view import found_object, lines
    from hub.cli.masking import Mask

    wanted = _filter(source, state, kind, agency, field, path, text, key, from_, to, every, dismissed, limit)
    with reading(config, ledger) as reader:
        found = reader.items(names.narrowed(reader, wanted, config, as_json=as_json))
    mask = Mask([], reveal=reveal)
    if as_json:
        print_json(found_object(found, mask))
        return
    out = console()
    for line in lines(found, mask):
        out.print(line, markup=False, soft_wrap=True)


@app.command("show", epilog="Example: hub items show 412.3.0")
@guarded
def show(
    item: Annotated[str, typer.Argument(metavar="ID", help="As `hub items list` shows it: 412.3.0.")],
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    original: Annotated[
        bool, typer.Option("--original", help="Print the bytes of its page or file, and nothing else.")
    ] = False,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Show one refused item: why, in Vietnamese and English, what was found where, the mend, and the row as it came.

    In the row personal data are masked, and so is what no mapping of the source reads; a page that cannot be read is
    not shown without --reveal.
    """
    from hub.cli.item_view import detail_object, print_detail, row_of
    from hub.cli.masking import Mask

    with reading(config, ledger) as reader:
        try:
            found = reader.item(item)
        except (KeyError, ValueError) as error:
            mend = "`hub items list` has the names: 412.3.0, or 412 for a whole page"
            known = isinstance(error, KeyError)
            said = f"there is no refused item {item}" if known else f"{item!r} is no item"
            refuse("unknown-id", said, mend, as_json=as_json)
    if original:
        if not reveal:
            refuse("personal-data", "the original bytes hold personal data", "add --reveal to see them")
        if found.body is None:
            refuse("pruned", f"the bytes of {item} have been pruned", "ask the source again")
        import sys

        sys.stdout.buffer.write(found.body)
        return
    row, why_not = row_of(found, config, reveal=reveal)
    mask = Mask([], reveal=reveal)
    if as_json:
        print_json(detail_object(found, row, why_not, mask))
    else:
        print_detail(console(), found, row, why_not, mask)


@app.command("redo", epilog="Example: hub items redo --source so-tttt --field status")
@guarded
def redo(
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="Every refused item there is.")] = False,
    source: Source = None,
    state: State = None,
    kind: Kind = None,
    agency: Agency = None,
    field: Field = None,
    path: At = None,
    text: Text = None,
    key: Key = None,
    from_: Since = None,
    to: Until = None,
    why: Why = "",
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Do refused items again, from their original bytes, with the mappings, tables and agencies that are on disk now.

    Works while the hub runs, and while it does not. Nobody has to send anything again. A configuration with a problem
    is refused with every problem. A running hub reads new rows by what it was started with: restart it after a mend.
    """
    from hub.operations import ItemsRedone, RedoItems

    wanted = _filter(source, state, kind, agency, field, path, text, key, from_, to, every, False, 100)
    _chosen(ids, wanted, every=every, as_json=as_json)
    meant = _narrowed(wanted, config, ledger, as_json=as_json)
    operation = RedoItems(who=person(who), why=why, ids=tuple(ids or ()), wanted=meant)
    with progress("doing refused items again"):
        done = perform(operation, ItemsRedone, config, ledger)
    if as_json:
        print_json(done)
    else:
        _tell(done)
        if done.became.keys() & {"parked", "rejected"}:
            _tell_why(ids, meant, config, ledger)
    if done.pruned or done.not_configured:
        raise typer.Exit(1)


@app.command("dismiss", epilog="Example: hub items dismiss 412.3.0 --why 'the agency has withdrawn it'")
@guarded
def dismiss(
    ids: Ids = None,
    source: Source = None,
    state: State = None,
    kind: Kind = None,
    agency: Agency = None,
    field: Field = None,
    path: At = None,
    text: Text = None,
    key: Key = None,
    from_: Since = None,
    to: Until = None,
    why: Why = "",
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Write down that you have dealt with refused items otherwise: they are not listed any more. Needs a reason.

    Their state stays, and so do the books; `hub items list --dismissed` shows them with who and why.
    """
    from hub.operations import DismissItems, ItemsDismissed

    wanted = _filter(source, state, kind, agency, field, path, text, key, from_, to, False, False, 100)
    _chosen(ids, wanted, every=False, as_json=as_json)
    given = reason(why)
    meant = _narrowed(wanted, config, ledger, as_json=as_json)
    operation = DismissItems(who=person(who), why=given, ids=tuple(ids or ()), wanted=meant)
    done = perform(operation, ItemsDismissed, config, ledger)
    if as_json:
        print_json(done)
    else:
        console().print(f"{counted(done.items, 'item')} dismissed", markup=False)


def _filter(
    source: str | None, state: str | None, kind: str | None, agency: str | None, field: str | None, path: str | None,
    text: str | None, key: str | None, from_: str | None, to: str | None, every: bool, dismissed: bool, limit: int,
) -> ItemFilter:  # fmt: skip
    from hub.ledger.items import STATES, ItemFilter

    if state is not None and state not in STATES:
        raise typer.BadParameter(f"{state!r} is no state of a refused item; they are {', '.join(STATES)}")
    return ItemFilter(
        source, state, kind, agency, field, path, text, key, since(from_), until(to), every, dismissed, limit
    )


def _narrowed(wanted: ItemFilter, config: Path, ledger: str | None, *, as_json: bool) -> ItemFilter:
    with reading(config, ledger) as reader:
        return names.narrowed(reader, wanted, config, as_json=as_json)


def _chosen(ids: list[str] | None, wanted: ItemFilter, *, every: bool, as_json: bool) -> None:
    """Raises: typer.BadParameter unless ids, options or --all say which, and only one of these."""
    import re
    from dataclasses import replace

    from hub.ledger.items import ID, ItemFilter

    narrowed = replace(wanted, everything=False) != ItemFilter()
    if bool(ids) + (every or narrowed) != 1 or (every and narrowed):
        raise typer.BadParameter("say which: names of items, or --source, --state, --field ..., or --all")
    for one in ids or ():
        if not re.fullmatch(ID, one):
            refuse("unknown-id", f"{one!r} is no item", "`hub items list` has the names: 412.3.0", as_json=as_json)


def _tell_why(ids: list[str] | None, meant: ItemFilter, config: Path, ledger: str | None) -> None:
    """What the items that were done again are refused for now."""
    from hub.cli.item_view import causes

    with reading(config, ledger) as reader:
        found = [reader.item(one).item for one in ids] if ids else list(reader.items(meant).items)
    for line in causes(found):
        console().print(line, markup=False, soft_wrap=True)


def _tell(done: ItemsRedone) -> None:
    out = console()
    told = [f"{count:,} {state}" for state, count in done.became.items()]
    for count, words in (
        (done.unreadable, "cannot be read"),
        (done.gone, "left as they are: the mappings make nothing of them now"),
        (done.pruned, "whose bytes are pruned"),
        (done.not_configured, "of sources that are not in the configuration"),
    ):
        told += [f"{count:,} {words}"] if count else []
    out.print(f"{counted(done.items, 'item')}{': ' if told else ''}{', '.join(told)}", markup=False, soft_wrap=True)
