"""`hub try`: a dry run of one source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson, ConfigArgument, Reveal
from hub.cli.output import console, counted, guarded, print_json, progress, refuse

if TYPE_CHECKING:
    from hub.cli.map_rows import Direction, Mapped
    from hub.cli.masking import Mask

EXAMPLE = "Example: hub try hub.yaml cau-ngang"


@guarded
def try_source(
    config: ConfigArgument,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A source of the configuration.")],
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="NUMBER", help="Show at most so many rows; --json shows all.")
    ] = 5,
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", min=0.1, metavar="SECONDS", help="Seconds that the source may take.")
    ] = 60.0,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Fetch one page of a source, map it and show the records; nothing is written and nothing is sent on.

    The source is asked as by a hub that knows nothing yet. Exit status 1 when it cannot be asked or a row is refused.
    """
    import asyncio

    from hub.cli import map_rows, map_show
    from hub.cli.masking import Mask
    from hub.draft import draft
    from hub.registers.stored import registers_of
    from hub.trying import first_page
    from mappings.inbound import InboundMapping as Inbound
    from mappings.load import find, load
    from mappings.notation import nearest
    from schemas.errors import ConfigError, SourceFault, UndecodableError

    with progress(f"asking {source}"):
        found = draft(config)
        # Of the rest of the file nothing is needed: it may be unfinished.
        own = [one for one in found.problems if one.message.startswith(f"sources.{source}")]
        if own:
            raise ConfigError(own)
        if source not in found.sources:
            said = f"there is no source {source!r}"
            refuse("unknown-source", said, nearest(source, found.sources), str(config), as_json=as_json)
        section = found.sources[source]
        folders = (found.folder / "mappings", found.folder)
        mappings = [
            one for one in (load(name, folders=folders) for name in section.mappings) if isinstance(one, Inbound)
        ]
        try:
            arrival = asyncio.run(first_page(section, source, found.folder, timeout_s))
        except SourceFault as fault:
            text, _, mend = str(fault).partition(" — ")
            refuse("unreachable", text, mend or "mend the source's settings", str(config), as_json=as_json)
    registers = registers_of(found)
    made: list[tuple[Direction, Mapped]] = []
    for mapping in mappings if arrival is not None else ():
        if arrival is None or not mapping.applies(arrival.label):
            continue
        try:
            way = map_rows.Direction(mapping, find(mapping.name, folders)[0])
            rows = map_rows.rows(way, arrival.body, arrival.charset, registers, arrival.label)
        except UndecodableError as error:
            mend = "compare it with the `from` block of the mapping"
            refuse("undecodable", f"{arrival.label}: {error}", mend, mapping.name, as_json=as_json)
        mask = Mask([(mapping.kind, row.record) for row in rows], reveal=reveal)
        made += [(way, row if reveal else _masked(row, mapping.kind, mask)) for row in rows]
    wrong = sum(row.refused is not None for _, row in made)
    label = "" if arrival is None else arrival.label
    size = 0 if arrival is None else len(arrival.body)
    if as_json:
        counts = {"source": source, "page": label, "bytes": size, "records": len(made) - wrong, "refused": wrong}
        listed = [{"kind": way.inbound.kind, **row.plain()} for way, row in made]
        print_json({**counts, "ok": not wrong, "rows": listed})
    else:
        for way, row in made[:limit]:
            map_show.show(way, [row])
        page = f"{label}, {size:,} bytes" if label else "nothing to read"
        more = f" (the first {limit} are shown)" if len(made) > limit else ""
        told = f"{counted(len(made), 'row')}{more}, {wrong} refused; nothing was written"
        console().print(f"{source}: {page}: {told}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if wrong else 0)


def _masked(row: Mapped, kind: str, mask: Mask) -> Mapped:
    """A row as `hub map` shows it, without what nobody must read: the input has everybody's data in it."""
    hidden = f"({len(row.input):,} characters; --reveal shows them)"
    shown = replace(row, input=hidden, places=[("the row", hidden)])
    if row.record is not None:
        shown.record = dict(mask.record(kind, row.record))
    shown.key = None if row.key is None else mask.key(kind, row.key)
    if row.refused is not None:
        problems: list[dict[str, Any]] = [
            {**one, "value": mask.value(kind, one["field"], one["value"]), "reason": mask.text(one["reason"])}
            for one in row.refused["problems"]
        ]
        shown.refused = {**row.refused, "problems": problems}
    return shown
