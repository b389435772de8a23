"""`hub new`: a source or a destination from what one recording shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import new_destination
from hub.cli.new_options import DryRun, Into, Write, named, pairs
from hub.cli.new_origin import Asked, Origin
from hub.cli.new_view import tell, tell_json
from hub.cli.options import DEFAULT_CONFIG, AsJson
from hub.cli.output import fail, guarded, refuse

if TYPE_CHECKING:
    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample
    from hub.scaffold.source_files import Draft

app = typer.Typer(name="new", help="Write a new source or destination from one recording.", no_args_is_help=True)

SOURCE_EXAMPLE = "Example: hub new source so-y-te --sample answer.json --write"


@app.command("source", epilog=SOURCE_EXAMPLE)
@guarded
def source(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: small letters, digits and '-'.")],
    sample: Annotated[
        Path | None,
        typer.Option("--sample", metavar="FILE", help="A recorded answer: JSON, XML, CSV or XLSX, as it came."),
    ] = None,
    wsdl: Annotated[
        str | None, typer.Option("--wsdl", metavar="URL_OR_FILE", help="A SOAP service; alone, lists what it offers.")
    ] = None,
    openapi: Annotated[
        str | None,
        typer.Option(
            "--openapi", metavar="URL_OR_FILE", help="A REST service (OpenAPI, Swagger); alone, lists what it offers."
        ),
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql", metavar="URL", help="A database; its password is NAME_PASSWORD of the environment, if it has one."
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option("--query", metavar="SELECT", help="What the database is asked; its rows are read only."),
    ] = None,
    cursor: Annotated[
        str | None,
        typer.Option("--cursor", metavar="COLUMN", help="The column of the query that grows with every change."),
    ] = None,
    operation: Annotated[
        str | None,
        typer.Option("--operation", metavar="NAME", help='The operation of the WSDL or OpenAPI file, or "GET /path".'),
    ] = None,
    call: Annotated[
        bool, typer.Option("--call", help="Call the operation; its answer is the sample. Asks the real system.")
    ] = False,
    argument: Annotated[
        list[str] | None,
        typer.Option("--argument", metavar="NAME=VALUE", help="Sent with --call; again for each one."),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(
            "--username",
            metavar="NAME",
            help="For the description and the call; the password is NAME_PASSWORD of the environment.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Where the service is called, if not where its WSDL says."),
    ] = None,
    each: Annotated[
        str | None,
        typer.Option("--each", metavar="PATH", help="Which rows are meant, where there are several lists or sheets."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="The kind of record that the rows become.")
    ] = "dossier.v1",
    field: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="FIELD=PATH", help="Where a field comes from; again for each one."),
    ] = None,
    const: Annotated[
        list[str] | None,
        typer.Option("--const", metavar="FIELD=VALUE", help="A field that is always the same; again for each one."),
    ] = None,
    code: Annotated[
        list[str] | None,
        typer.Option("--code", metavar="FIELD.WORD=CODE", help="What a word of the system means; again for each one."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="The address that answers this JSON, else files are dropped; with --openapi "
            "the base of its addresses.",
        ),
    ] = None,
    agency_name: Annotated[
        str, typer.Option("--agency-name", metavar="TEXT", help="Whose system it is, for people.")
    ] = "",
    charset: Annotated[
        str, typer.Option("--charset", metavar="NAME", help="The encoding, where the answer lies about it.")
    ] = "",
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, max=200, help="So many rows are recorded for the test.")
    ] = 5,
    timeout_s: Annotated[
        float,
        typer.Option("--timeout-s", metavar="SECONDS", min=0.1, help="For the description, the call and the query."),
    ] = 30.0,
    into: Into = DEFAULT_CONFIG,
    write: Write = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a mapping, its test, an anonymised recording and a section of the configuration from one recorded answer.

    Fields are guessed by the names of columns and the shapes of values; each line says why. Nothing is overwritten.
    """
    from hub.scaffold.guess import guess
    from hub.scaffold.sample import chosen, places, read
    from hub.scaffold.source_files import proposed_mapping
    from schemas.record import KINDS

    named(name, as_json)
    if kind not in KINDS:
        refuse("unknown-kind", f"there is no kind {kind!r}", f"use one of: {', '.join(KINDS)}", as_json=as_json)
    asked = Asked(
        name=name,
        into=into,
        as_json=as_json,
        agency_name=agency_name,
        timeout_s=timeout_s,
        sample=sample,
        url=url,
        operation=operation,
        call=call,
        arguments=pairs(argument, "--argument"),
        username=username,
        endpoint=endpoint,
        cursor=cursor,
    )
    given = {"wsdl": wsdl, "openapi": openapi, "sql": sql, "query": query, "charset": charset or None}
    origin = _origin(asked, given)
    recording = origin.recording()
    if recording is None:
        return
    found = places(recording.body, recording.told, charset=charset)
    place = chosen(found, each, recording.told)
    read_sample = read(recording.body, place)
    guesses = guess(
        read_sample,
        kind,
        given=pairs(field, "--field"),
        constants=pairs(const, "--const"),
        codes=pairs(code, "--code"),
    )
    made_of = f"a recorded {place.spec.format.upper()}" if not recording.made_of else recording.made_of
    summary = agency_name or f"{name}, made from {made_of}"
    if guesses.problems:
        if not as_json:
            typer.echo(proposed_mapping(name, summary, read_sample, guesses))
        fail(guesses.problems, as_json=as_json)
    section = origin.section(read_sample, guesses)
    draft = _draft(name, recording.body, read_sample, guesses, section, summary, into, rows)
    written = [] if dry_run else _write(draft, into, write=write)
    if as_json:
        tell_json(draft, read_sample, guesses, written, recording.made_of)
    else:
        others = [f"{one.path} ({one.count})" for one in found if one is not place]
        told_of = f"an invented answer, made of {recording.made_of}" if recording.made_of else ""
        tell(
            draft, read_sample, guesses, written, others,
            into=into, added=write and not dry_run, dry_run=dry_run, unseen=told_of,
        )  # fmt: skip


def _origin(asked: Asked, given: dict[str, str | None]) -> Origin:
    """The origin that the options name. Raises: ConfigError where they name several, or belong to another one."""
    from hub.cli.new_openapi import OpenApiOrigin
    from hub.cli.new_sample import SampleOrigin
    from hub.cli.new_sql import SqlOrigin
    from hub.cli.new_wsdl import WsdlOrigin
    from schemas.errors import ConfigError, Problem

    origins = [one for one in ("wsdl", "openapi", "sql") if given[one] is not None]
    if len(origins) > 1:
        said = f"{' and '.join(f'--{one}' for one in origins)} name different systems"
        raise ConfigError([Problem("wrong-option", said, "keep one of them; a source has one origin")])
    chosen = origins[0] if origins else "sample"
    options = {
        "sample": asked.sample, "url": asked.url, "operation": asked.operation, "call": asked.call or None,
        "argument": asked.arguments or None, "username": asked.username, "cursor": asked.cursor,
        "endpoint": asked.endpoint,
        "query": given["query"], "charset": given["charset"],
    }  # fmt: skip
    for option, homes in _HOMES.items():
        if options[option] is not None and chosen not in homes:
            with_ = f"--{chosen}" if origins else "a recorded answer alone"
            mend = f"leave it out; it belongs to {' or '.join(f'--{one}' for one in homes)}"
            raise ConfigError([Problem("wrong-option", f"--{option} says nothing with {with_}", mend)])
    if asked.call and asked.sample is not None:
        said = "--call and --sample both give an answer to learn from"
        raise ConfigError([Problem("wrong-option", said, "keep one of them")])
    if given["wsdl"] is not None:
        return WsdlOrigin(asked, given["wsdl"])
    if given["openapi"] is not None:
        return OpenApiOrigin(asked, given["openapi"])
    if given["sql"] is not None:
        return SqlOrigin(asked, given["sql"], given["query"])
    return SampleOrigin(asked)


_HOMES = {
    "sample": ("sample", "wsdl", "openapi"),
    "url": ("sample", "openapi"),
    "operation": ("wsdl", "openapi"),
    "call": ("wsdl", "openapi"),
    "argument": ("wsdl", "openapi", "sql"),
    "username": ("wsdl", "openapi"),
    "endpoint": ("wsdl",),
    "query": ("sql",),
    "cursor": ("sql",),
    "charset": ("sample", "wsdl", "openapi"),
}
"""By option, the origins that it says something of."""


def _draft(
    name: str, body: bytes, sample: Sample, guesses: Guesses, section: str, summary: str, into: Path, rows: int
) -> Draft:
    """Raises: ConfigError, also where there is no project."""
    from hub.draft import draft, read_agencies
    from hub.scaffold.source_files import propose
    from schemas.agency import AgencyRegister
    from schemas.errors import ConfigError, Problem

    if not into.is_file():
        mend = f"hub init {into.parent} writes one; --into names another"
        raise ConfigError([Problem("no-project", "there is no such configuration", mend, str(into))])
    made = draft(into)
    register = made.agencies or AgencyRegister.empty()
    listed = made.document.data.get("agencies")
    if isinstance(listed, str) and (into.parent / listed).is_file():
        register = read_agencies(into.parent / listed)
    return propose(
        name,
        body,
        sample,
        guesses,
        section=section,
        summary=summary,
        agencies=register,
        province=made.hub.province if made.hub else "H59",
        rows=rows,
    )


def _write(draft: Draft, into: Path, *, write: bool) -> list[Path]:
    from hub.scaffold.write import with_entry, write_all

    text = into.read_bytes().decode("utf-8")
    made = with_entry(text, "sources", draft.name, draft.section, str(into)) if write else text
    written = write_all(into.parent, draft.files)
    if write:
        into.write_bytes(made.encode())
        written.append(into)
    if "adapter: files" in draft.section:
        (into.parent / "drop" / draft.name).mkdir(parents=True, exist_ok=True)
    return written


app.command("destination", epilog=new_destination.EXAMPLE)(new_destination.destination)
