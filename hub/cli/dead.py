"""`hub dead list` and `hub dead show`: what will not be sent again unless a person decides so, and why.

What a person then decides is in `hub.cli.dead_operations`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import dead_filter as by
from hub.cli import dead_operations, names
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption, Reveal, number_of
from hub.cli.output import console, counted, guarded, json_text, moment, print_json, refuse
from hub.cli.reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.text import Text

    from hub.ledger.views import DeadDetail, DeadIndex, DeadLetter, LedgerReader

app = typer.Typer(
    help="Dead letters: list, show, correct, replay, discard.",
    epilog="Example: hub dead list --destination national",
    no_args_is_help=True,
)

PAGE = 200
"""Dead letters held at a time."""
_REFUSED_COUNTED = 1000


@app.command("list", epilog="Example: hub dead list --destination national --code 17 --since 2d")
@guarded
def list_(
    destination: by.Destination = None,
    fault: by.Fault = None,
    code: by.Code = None,
    source: by.Source = None,
    agency: by.Agency = None,
    field: by.Field = None,
    text: by.Contained = None,
    since: by.Since = None,
    until: by.Until = None,
    key: by.Key = None,
    kind: by.Kind = None,
    limit: by.Limit = 100,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by their cause, then list them, the oldest first.

    Rows that were refused when they were read never became letters: `hub items` has those.
    """
    wanted = by.wanted(destination, fault, code, source, agency, field, text, since, until, key, kind, limit)
    with reading(config, ledger) as reader:
        found = reader.find_dead(names.narrowed(reader, wanted, config, as_json=as_json))
        pages = _pages(reader, found, reveal=reveal)
        if as_json:
            _print_objects(found, pages, sum(_refused(reader)))
            return
        out = console()
        for line in _summary(found):
            out.print(line, markup=False, soft_wrap=True)
        for letters in pages:
            for one in letters:
                for line in _lines(one):
                    out.print(line, markup=False, soft_wrap=True)
        if found.total:
            say = "hub dead show ID tells more, hub dead correct, replay and discard decide"
            out.print(say, style="dim", markup=False)
        _say_refused(out, _refused(reader))


def _pages(reader: LedgerReader, found: DeadIndex, *, reveal: bool) -> Iterator[list[DeadLetter]]:
    for at in range(0, len(found.ids), PAGE):
        ids = found.ids[at : at + PAGE]
        letters = reader.dead_page(ids)
        if not reveal:
            contents = reader.dead_contents(ids)
            letters = [_hide(one, contents.get(one.dispatch_id)) for one in letters]
        yield letters


def _hide(one: DeadLetter, content: Mapping[str, Any] | None) -> DeadLetter:
    """Hide what is personal, in the portal's words too; where the record is pruned nobody knows what of them is."""
    from hub.cli.masking import Mask
    from schemas.sensitivity import MASKED

    mask = Mask([(one.kind, content)], reveal=False)
    value = mask.value(None, None, one.value)
    text = one.text if not one.value else one.text.replace(one.value, str(value))
    return replace(
        one, key=mask.key(one.kind, one.key), value=value, text=MASKED if content is None else mask.text(text)
    )


def _print_objects(found: DeadIndex, pages: Iterator[Sequence[DeadLetter]], refused: int) -> None:
    """One JSON object, its letters printed as they are read."""
    head = {"total": found.total, "causes": found.causes, "refused": refused}
    typer.echo(json_text(head).removesuffix("\n}") + ',\n  "dead": [', nl=False)
    between = "\n"
    for letters in pages:
        typer.echo(between + ",\n".join(map(_object, letters)) if letters else "", nl=False)
        between = ",\n" if letters else between
    typer.echo("]\n}")


def _object(one: DeadLetter) -> str:
    """As `json_text`, at a tenth of the cost: there may be a hundred thousand."""
    import orjson

    from schemas.local_time import LOCAL

    values = {name: getattr(one, name) for name in one.__slots__}
    values["died_at"] = one.died_at.astimezone(LOCAL).isoformat()
    return orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()


def _refused(reader: LedgerReader) -> tuple[int, int]:
    """How many rows, and how many pages or files, were refused and not put right since; counted up to a bound."""
    from hub.ledger.views import DeadFilter

    found = reader.problems(DeadFilter(limit=_REFUSED_COUNTED + 1))
    pages = sum(one.position[0] < 0 for one in found)
    return len(found) - pages, pages


def _say_refused(out: Console, refused: tuple[int, int]) -> None:
    rows, pages = refused
    parts = [counted(rows, "refused row")] if rows else []
    parts += [f"{pages:,} unreadable {'page or file' if pages == 1 else 'pages or files'}"] if pages else []
    if parts:
        more = "at least " if max(rows, pages) > _REFUSED_COUNTED else ""
        out.print(f"{more}{', '.join(parts)}: hub items list", style="dim", markup=False)


def _summary(found: DeadIndex) -> Iterator[Text]:
    """How many there are, and of which causes."""
    from rich.text import Text

    if not found.total:
        yield Text("no dead letters")
        return
    number = counted(found.total, "dead letter")
    yield Text(number if found.total == len(found.ids) else f"{number}, the oldest {len(found.ids):,} below", "bold")
    for one in found.causes:
        code = f", code {one.code}" if one.code else ""
        yield Text.assemble(f"{one.count:8,}  ", (one.destination, "bold"), f"  {one.fault}{code}")
    yield Text()


def _lines(one: DeadLetter) -> Iterator[Text]:
    """Two lines per letter."""
    from rich.text import Text

    head = Text.assemble((f"#{one.dispatch_id}", "bold red"), f"  {one.destination}  ", (one.key, "cyan"))
    tried = counted(one.attempts, "attempt")
    head.append(f"  {one.kind} revision {one.revision}, {tried}, died {moment(one.died_at)}", "dim")
    yield head
    where = f" at {one.path}" if one.path else ""
    found = f" (found {one.value!r})" if one.value else ""
    yield Text(f"    {one.text}{where}{found}")


@app.command("show", epilog="Example: hub dead show 17")
@guarded
def show(
    dispatch_id: Annotated[
        int,
        typer.Argument(metavar="ID", parser=number_of("hub dead list"), help="The number that `hub dead list` shows."),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    original: Annotated[
        bool, typer.Option("--original", help="Print the page or file that it was made of, and nothing else.")
    ] = False,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: what the portal refused, in the agency's own words; its row, its record, what would be
    sent now, every call, and what waits behind it.

    The original bytes hold personal data, so that --original needs --reveal.
    """
    from hub.cli import dead_show

    with reading(config, ledger) as reader:
        try:
            found = reader.dead_letter(dispatch_id) if 0 < dispatch_id <= by.LARGEST_ID else None
        except KeyError:
            found = None
        if found is None:
            state = reader.dead_states([dispatch_id]).get(dispatch_id) if 0 < dispatch_id <= by.LARGEST_ID else None
            if state is not None:
                mend = "`hub trace` tells what became of it"
                refuse("not-dead", f"#{dispatch_id} is {state}, not dead", mend, as_json=as_json)
            refuse("unknown-id", f"there is no dead letter #{dispatch_id}", by.NUMBERS, as_json=as_json)
    if original:
        _print_original(found, reveal=reveal)
        return
    told: Any = dead_show.tell(found, config, reveal=reveal)
    if as_json:
        print_json(dead_show.as_object(told))
    else:
        dead_show.render(told)


def _print_original(found: DeadDetail, *, reveal: bool) -> None:
    if not reveal:
        refuse("personal-data", "the original bytes hold personal data", "add --reveal to see them")
    if found.original is None:
        refuse("pruned", f"the bytes of #{found.letter.dispatch_id} have been pruned", "ask the source again")
    import sys

    sys.stdout.buffer.write(found.original)


app.command("correct", epilog=dead_operations.CORRECT_EXAMPLE)(dead_operations.correct)
app.command("replay", epilog=dead_operations.REPLAY_EXAMPLE)(dead_operations.replay)
app.command("discard", epilog=dead_operations.DISCARD_EXAMPLE)(dead_operations.discard)
