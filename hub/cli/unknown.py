"""`hub unknown`: what was sent and nobody knows whether it arrived; a person who knows more may decide."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hub.cli import names
from hub.cli.operating import Who, perform, person, reason
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption, Reveal, number_of
from hub.cli.output import console, counted, guarded, moment, print_json, refuse
from hub.cli.reading import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from hub.cli.masking import Mask
    from hub.ledger.views import Decided, UnknownDetail, UnknownOutcome

app = typer.Typer(
    help="Unknown outcomes: list, show, and decide: resend, delivered, discard.",
    epilog="Example: hub unknown list --destination national",
    no_args_is_help=True,
)

Ids = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="ID", parser=number_of("hub unknown list"), help="The numbers that `hub unknown list` shows."
    ),
]
Destination = Annotated[str | None, typer.Option("--destination", metavar="NAME", help="Only those for this portal.")]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Only this dossier or step.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many.")]
Every = Annotated[bool, typer.Option("--all", help="All that wait for a person's word.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="How you know, or why it is right; it is kept.")]

_CASES = (
    ("if the portal has it:", "delivered"),
    ("if it has not, or may get it twice:", "resend"),
    ("if nobody needs it any more:", "discard"),
)
_ALL = 1_000_000
_DONE = {"resend": "to be sent again", "delivered": "delivered", "discard": "discarded"}


@app.command("list", epilog="Example: hub unknown list --destination national")
@guarded
def list_(
    destination: Destination = None,
    key: Key = None,
    limit: Limit = 100,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """List what was sent and nobody knows whether it arrived, the one sent first before the others.

    Some wait for your word; of the others the hub finds out by itself, by asking the portal or by sending again.
    """
    from hub.cli.masking import Mask

    with reading(config, ledger) as reader:
        names.destination(reader, destination, config, as_json=as_json)
        found = reader.unknowns(destination, key, limit)
    mask = Mask([], reveal=reveal)
    found = [replace(one, key=mask.key(one.kind, one.key)) for one in found]
    if as_json:
        print_json({"unknown": found})
        return
    out = console()
    for line in _lines(found, limit) if found else ("no unknown outcomes",):
        out.print(line, markup=False)


def _lines(found: Sequence[UnknownOutcome], limit: int) -> list[Text]:
    """A head, then two lines for each."""
    from rich.text import Text

    number = counted(len(found), "unknown outcome")
    yours = sum(one.waits_for == "person" for one in found)
    head = f"the oldest {number}" if len(found) == limit else number
    lines = [Text(f"{head}, {yours:,} {'waits' if yours == 1 else 'wait'} for your word", style="bold"), Text()]
    for one in found:
        line = Text.assemble((f"#{one.dispatch_id}", "bold magenta"), f"  {one.destination}  ", (one.key, "cyan"))
        line.append(f"  {one.kind} revision {one.revision}, {_sent(one)}", "dim")
        lines += [line, Text(f"    {_waits(one)}: {one.reason}")]
    lines.append(Text("hub unknown show ID tells more; resend, delivered or discard decides", style="dim"))
    return lines


def _sent(one: UnknownOutcome) -> str:
    times = f"sent {one.sent} times, last" if one.sent > 1 else "sent"
    return f"{times} {moment(one.since)} as {one.mode}"


def _waits(one: UnknownOutcome) -> str:
    """Who has to do something, and when the hub does."""
    asked = f", the portal was asked {counted(one.asked, 'time')} in vain" if one.asked else ""
    if one.waits_for == "person":
        return f"waits for your word{asked}"
    return f"the hub sees to it {moment(one.next_at)}{asked}"


@app.command("show", epilog="Example: hub unknown show 17")
@guarded
def show(
    dispatch_id: Annotated[
        int,
        typer.Argument(
            metavar="ID", parser=number_of("hub unknown list"), help="The number that `hub unknown list` shows."
        ),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Show one unknown outcome: the record that was sent, what happened, and who waits behind it."""
    from hub.cli.masking import Mask

    with reading(config, ledger) as reader:
        try:
            found = reader.unknown(dispatch_id)
        except KeyError:
            mend = "`hub unknown list` has the numbers"
            refuse("unknown-id", f"the outcome of #{dispatch_id} is not unknown", mend, as_json=as_json)
    mask = Mask([(found.outcome.kind, found.content)], reveal=reveal)
    if as_json:
        print_json(_object(found, mask))
    else:
        _show(found, mask)


def _object(found: UnknownDetail, mask: Mask) -> dict[str, Any]:
    from hub.cli.timeline import masked

    shown: dict[str, Any] = masked(asdict(replace(found, content=None)), mask)
    shown["outcome"]["key"] = mask.key(found.outcome.kind, found.outcome.key)
    shown["content"] = None if found.content is None else mask.record(found.outcome.kind, found.content)
    return shown


def _show(found: UnknownDetail, mask: Mask) -> None:
    from rich.table import Table
    from rich.text import Text

    from hub.cli.changes import said
    from hub.cli.timeline import event_table

    one, out = found.outcome, console()
    title = ("Unknown outcome ", "bold"), (f"#{one.dispatch_id}", "bold magenta"), f" at {one.destination}"
    out.print(Text.assemble(*title))
    facts = Table.grid(padding=(0, 2))
    for name, text in {
        "record": f"{one.kind} {mask.key(one.kind, one.key)}, revision {one.revision}",
        "agency": one.agency or "–",
        "sent": _sent(one),
        "known": mask.text(one.reason),
        "next": _waits(one),
        "behind it": f"{found.followers:,} of the same dossier",
    }.items():
        if text and (name != "behind it" or found.followers):
            facts.add_row(Text(f"  {name}", style="dim"), Text(text))
    out.print(facts)
    if found.events:
        out.print("\nWhat happened", style="bold")
        out.print(event_table(found.events, None, mask))
    if found.content is not None:
        out.print("\nThe record", style="bold")
        record = Table.grid(padding=(0, 2))
        for name, item in mask.record(one.kind, found.content).items():
            if item is not None:
                record.add_row(Text(f"  {name}", style="dim"), Text(said(name, item)))
        out.print(record)
    number = one.dispatch_id
    out.print()
    for case, verdict in _CASES:
        out.print(f"{case:<36} hub unknown {verdict} {number} --why TEXT", markup=False, style="green")


@app.command("resend", epilog="Example: hub unknown resend 17 --why 'the portal does not show the step'")
@guarded
def resend(
    why: Why,
    ids: Ids = None,
    every: Every = False,
    destination: Destination = None,
    key: Key = None,
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Send again, though the portal may have it already: it is marked as possibly twice.

    By options instead of numbers only those are meant that wait for a person's word.
    """
    _decide("resend", why, ids, every, destination, key, who, config, ledger, as_json=as_json)


@app.command("delivered", epilog="Example: hub unknown delivered 17 --why 'seen on the portal'")
@guarded
def delivered(
    why: Why,
    ids: Ids = None,
    every: Every = False,
    destination: Destination = None,
    key: Key = None,
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Say that the portal took it: it counts as delivered, and what waits behind it goes on.

    By options instead of numbers only those are meant that wait for a person's word.
    """
    _decide("delivered", why, ids, every, destination, key, who, config, ledger, as_json=as_json)


@app.command("discard", epilog="Example: hub unknown discard 17 --why 'entered on the portal by hand'")
@guarded
def discard(
    why: Why,
    ids: Ids = None,
    every: Every = False,
    destination: Destination = None,
    key: Key = None,
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Send it no more, whether the portal has it or not; what waits behind it goes on.

    A newer state of the same dossier is sent as ever. An older one is not: the portal may have this one. By options
    instead of numbers only those are meant that wait for a person's word.
    """
    _decide("discard", why, ids, every, destination, key, who, config, ledger, as_json=as_json)


def _decide(
    verdict: Literal["resend", "delivered", "discard"], why: str, ids: list[int] | None, every: bool,
    destination: str | None, key: str | None, who: str | None, config: Path, ledger: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    from hub.ledger.views import Decided
    from hub.operations import DecideUnknown

    why = reason(why)
    if sum((bool(ids), every, destination is not None or key is not None)) != 1:
        raise typer.BadParameter("say which: numbers, or --destination and --key, or --all")
    chosen = tuple(dict.fromkeys(ids or ()))
    if not chosen:
        with reading(config, ledger) as reader:
            names.destination(reader, destination, config, as_json=as_json)
            found = reader.unknowns(destination, key, _ALL)
        chosen = tuple(one.dispatch_id for one in found if one.waits_for == "person")
    if not chosen:
        refuse("nothing-to-decide", "no such unknown outcome waits for a person's word",
               "`hub unknown list` has all; those that the hub sees to itself are decided by their numbers",
               as_json=as_json)  # fmt: skip
    operation = DecideUnknown(who=person(who), why=why, ids=chosen, verdict=verdict)
    done = perform(operation, Decided, config, ledger)
    if as_json:
        print_json(done)
    else:
        _say(done, len(chosen))
    if done.left:
        raise typer.Exit(1)


def _say(done: Decided, shown: int) -> None:
    out = console()
    out.print(f"{shown:,} shown = {done.decided:,} {_DONE[done.verdict]} + {len(done.left):,} left as they are")
    for one in done.left:
        state = f"is {one.state} by now" if one.state else "does not exist"
        out.print(f"  #{one.dispatch_id} {state}", markup=False)
