"""The options by which dead letters are chosen, the same for listing, replaying and discarding them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import number_of
from hub.cli.output import counted, refuse
from hub.cli.since import FORMS, since, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.ledger.views import DeadFilter, LedgerReader

Destination = Annotated[str | None, typer.Option("--destination", metavar="NAME", help="Only those for this portal.")]
Fault = Annotated[
    str | None, typer.Option("--fault", metavar="CLASS", help="Only those that died of this: data, transient, poison.")
]
Code = Annotated[
    str | None, typer.Option("--code", metavar="CODE", help="Only those that the portal refused with this code.")
]
Source = Annotated[str | None, typer.Option("--source", metavar="NAME", help="Only those from this source.")]
Agency = Annotated[str | None, typer.Option("--agency", metavar="CODE", help="Only those of this agency.")]
Field = Annotated[
    str | None,
    typer.Option(
        "--field", metavar="FIELD", help="Only those of which this field was refused, as `hub dead show` names it."
    ),
]
Contained = Annotated[
    str | None,
    typer.Option(
        "--text", metavar="TEXT", help="Only those with this in what the portal said; capitals do not matter."
    ),
]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help=f"Only those that died since: {FORMS}.")]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only those that died before; a day is meant whole.")
]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Only this dossier and its steps, or this step.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only records of this kind: dossier.v1.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many, the oldest first.")]
Ids = Annotated[
    list[int] | None,
    typer.Argument(metavar="ID", parser=number_of("hub dead list"), help="The numbers; or name them by options."),
]
Every = Annotated[bool, typer.Option("--all", help="Every dead letter there is.")]

ALL = 1_000_000_000
"""No limit."""
LARGEST_ID = 2**63 - 1
NUMBERS = "`hub dead list` has the numbers"


def wanted(
    destination: str | None,
    fault: str | None,
    code: str | None,
    source: str | None,
    agency: str | None,
    field: str | None,
    text: str | None,
    after: str | None,
    before: str | None,
    key: str | None,
    kind: str | None,
    limit: int | None,
) -> DeadFilter:
    """What the options say. Raises: typer.BadParameter."""
    from unicodedata import normalize

    from hub.ledger.views import DeadFilter

    made = DeadFilter(destination, kind, agency, code, None, source, limit or ALL, fault, field, text)
    # Numbers and steps' names are kept composed; a terminal may give them in parts.
    made = replace(made, key=None if key is None else normalize("NFC", key.strip()))
    return replace(made, since=since(after), until=until(before))


def chosen(
    reader: LedgerReader, ids: Sequence[int] | None, every: bool, narrowed: DeadFilter, *, as_json: bool
) -> list[int]:
    """The dead letters that are meant, oldest first; those given by number must be there and dead.

    Raises: typer.BadParameter where nothing, or two things, say which.
    """
    from hub.ledger.views import DeadFilter

    filtered = replace(narrowed, limit=ALL) != DeadFilter(limit=ALL)
    if sum((bool(ids), every, filtered)) != 1:
        raise typer.BadParameter("say which: numbers, or --destination, --fault, --code ..., or --all")
    return by_number(reader, ids, as_json=as_json) if ids else list(reader.find_dead(narrowed).ids)


def by_number(reader: LedgerReader, ids: Sequence[int], *, as_json: bool) -> list[int]:
    """The numbers in order, each once; all must be those of dead letters, else the command ends."""
    given = sorted(set(ids))
    states = reader.dead_states([one for one in given if 0 < one <= LARGEST_ID])
    unknown = [f"#{one}" for one in given if one not in states]
    if unknown:
        refuse("unknown-id", f"there is no dead letter {_listed(unknown)}", NUMBERS, as_json=as_json)
    others = [f"#{one} is {states[one]}" for one in given if states[one] != "dead"]
    if others:
        refuse("not-dead", f"{_listed(others)}, not dead", NUMBERS, as_json=as_json)
    return given


def _listed(names: Sequence[str]) -> str:
    more = len(names) - 10
    return ", ".join(names[:10]) + (f" and {counted(more, 'other')}" if more > 0 else "")
