"""`hub map`: what a mapping makes of a recorded message, by which rules, and what of it nobody reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson
from hub.cli.output import console, guarded, print_json, progress, refuse, warn

if TYPE_CHECKING:
    from hub.cli.map_rows import Direction
    from hub.registers import Registers
    from mappings.inbound import InboundMapping

EXAMPLE = "Example: hub map one-stop-soap/dossier sample.xml --to dvcqg/dossier --explain due_at"


@guarded
def map_sample(
    mapping: Annotated[str, typer.Argument(metavar="MAPPING", help="A name of the catalogue, or a file.")],
    samples: Annotated[
        list[str],
        typer.Argument(
            metavar="SAMPLE...",
            help="A recorded message: the bytes as they came. With --coverage as many as there are: files, folders, "
            "and patterns in quotes.",
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="MAPPING", help="Show the payload that this mapping makes of each record."),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="FIELD", help="Tell everything about this field of the record or payload."),
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Count what of all samples is mapped, ignored and forgotten.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="MAPPING", help="With --coverage: another mapping of the same source."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --coverage: exit status 1 if something is forgotten.")
    ] = False,
    agencies: Annotated[
        Path | None,
        typer.Option(
            "--agencies", metavar="FILE", help="The register; by default that of hub.yaml here, if there is one."
        ),
    ] = None,
    procedures: Annotated[
        Path | None,
        typer.Option("--procedures", metavar="FILE", help="The register of procedures; by default as for agencies."),
    ] = None,
    charset: Annotated[
        str | None, typer.Option("--charset", metavar="NAME", help="The encoding that the transport declared.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Show at most so many rows; --json shows all.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Show each row of a message, the record that a mapping makes of it and by which rules, and what it refuses.

    Side by side where the terminal has 140 columns. Under it stand the fields that no row filled. Nothing is masked:
    the sample is yours. Exit status 1 when a row is refused or the message cannot be read.
    """
    _asked_rightly(samples, explain, to, coverage=coverage, strict=strict, also=bool(also))
    if coverage:
        from hub.cli.map_coverage import cover

        chosen = [_inbound(name) for name in (mapping, *(also or ()))]
        cover(chosen, samples, charset, _registers(agencies, procedures), strict=strict, as_json=as_json)
    registers = _registers(agencies, procedures)
    _one(mapping, Path(samples[0]), to, explain, registers, charset, limit, as_json=as_json)


def _asked_rightly(
    samples: list[str], explain: str | None, to: str | None, *, coverage: bool, strict: bool, also: bool
) -> None:
    """Raises: typer.BadParameter for options that do not go together."""
    if coverage and (explain or to):
        raise typer.BadParameter("--coverage counts over all samples; leave out --explain and --to")
    if not coverage and len(samples) > 1:
        raise typer.BadParameter(f"one sample is shown at a time, {len(samples)} are given; --coverage takes several")
    if not coverage and (strict or also):
        raise typer.BadParameter("--strict and --also go with --coverage")


def _one(
    mapping: str,
    sample: Path,
    to: str | None,
    explain: str | None,
    registers: Registers,
    charset: str | None,
    limit: int,
    *,
    as_json: bool,
) -> NoReturn:
    from hub.cli import map_explain, map_rows, map_show
    from mappings.coverage import Coverage
    from schemas.errors import UndecodableError

    with progress("reading the sample"):
        way = _direction(mapping, to)
        field = None if explain is None else map_explain.field_of(way, explain)
        inbound = way.inbound
        try:
            body = sample.read_bytes()
        except OSError as error:
            said = f"cannot be read: {(error.strerror or 'an error').lower()}"
            refuse("unreadable-file", said, "check the path", str(sample), as_json=as_json)
        if not inbound.applies(sample.name):
            warn(f"in a source, {mapping} reads only arrivals named {inbound.label!r}, not {sample.name!r}")
        counting = Coverage([inbound])
        try:
            rows = map_rows.rows(way, body, charset, registers, sample.name)
            counting.add(body, charset, sample.name, *registers)
        except UndecodableError as error:
            mend = "compare it with the `from` block of the mapping"
            refuse("undecodable", str(error), mend, str(sample), as_json=as_json)
    wrong = sum(row.refused is not None for row in rows)
    made = len(rows) - wrong
    if field is not None:
        if as_json:
            print_json({"ok": True, **map_explain.as_json(way, field, rows)})
        else:
            map_explain.explain(way, field, rows[:limit])
            if len(rows) > limit:
                console().print(f"\n{len(rows)} rows (the first {limit} are shown)", markup=False)
        raise typer.Exit(0)
    if as_json:
        counts = {"mapping": mapping, "kind": inbound.kind, "to": to, "records": made, "refused": wrong}
        nowhere, empty = map_show.never_filled(counting)
        never = {"nowhere": nowhere, "always_empty": empty}
        listed = [row.plain() for row in rows]
        print_json({**counts, "ok": not wrong, "rows": listed, "rules": map_rows.rules(way), "never_filled": never})
    else:
        map_show.show(way, rows[:limit])
        more = f" (the first {limit} are shown)" if len(rows) > limit else ""
        console().print(f"{len(rows)} rows{more}: {made} records of {inbound.kind}, {wrong} refused", markup=False)
        map_show.show_never_filled(counting)
        if not len(registers.agencies) and wrong:
            warn("the register of agencies is empty: --agencies FILE names one")
    raise typer.Exit(1 if wrong else 0)


_FOLDERS = (Path("mappings"), Path())


def _inbound(name: str) -> InboundMapping:
    """Raises: ConfigError, also for a mapping of the other direction."""
    from mappings.inbound import InboundMapping
    from mappings.load import load
    from schemas.errors import ConfigError, Problem

    found = load(name, folders=_FOLDERS)
    if not isinstance(found, InboundMapping):
        said = f"{name} leads from a record to a portal"
        raise ConfigError([Problem("wrong-direction", said, "name it behind --to, and here one that has 'to: <kind>'")])
    return found


def _direction(mapping: str, to: str | None) -> Direction:
    """Raises: ConfigError, also for a mapping of the other direction or for another kind."""
    from hub.cli.map_rows import Direction
    from mappings.load import find, load
    from mappings.outbound import OutboundMapping
    from schemas.errors import ConfigError, Problem

    inbound = _inbound(mapping)
    file = find(mapping, _FOLDERS)[0]
    if to is None:
        return Direction(inbound, file)
    outbound = load(to, folders=_FOLDERS)
    if not isinstance(outbound, OutboundMapping):
        said = f"--to {to} leads from a source to a record"
        raise ConfigError([Problem("wrong-direction", said, "name one that has 'from: {record: …}'")])
    if outbound.kind != inbound.kind:
        said = f"--to {to} is for {outbound.kind}, but {mapping} makes {inbound.kind}"
        raise ConfigError([Problem("wrong-kind", said, f"name a mapping for {inbound.kind}")])
    return Direction(inbound, file, outbound, find(to, _FOLDERS)[0])


def _registers(agencies: Path | None, procedures: Path | None) -> Registers:
    """The registers of the options, else those of the configuration in the current folder with what its ledger has
    taken over, else empty ones. Raises: ConfigError."""
    from hub.draft import draft, read_agencies
    from hub.procedures_file import read_procedures
    from hub.registers import Registers
    from hub.registers.stored import registers_of
    from schemas.agency import AgencyRegister
    from schemas.procedure import ProcedureRegister

    if agencies is not None and procedures is not None:
        return Registers(read_agencies(agencies), read_procedures(procedures))
    known = Registers(AgencyRegister.empty(), ProcedureRegister.empty())
    if DEFAULT_CONFIG.is_file():
        known = registers_of(draft(DEFAULT_CONFIG))
    if agencies is not None:
        known = known._replace(agencies=read_agencies(agencies))
    return known if procedures is None else known._replace(procedures=read_procedures(procedures))
