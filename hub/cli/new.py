"""`hub new`: a source or a destination from what one recording shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import new_destination
from hub.cli.new_options import DryRun, Into, Write, named, pairs
from hub.cli.new_view import tell, tell_json
from hub.cli.options import DEFAULT_CONFIG, AsJson
from hub.cli.output import console, counted, fail, guarded, print_json, progress, refuse, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample
    from hub.scaffold.service import Service
    from hub.scaffold.source_files import Draft

app = typer.Typer(name="new", help="Write a new source or destination from one recording.", no_args_is_help=True)

SOURCE_EXAMPLE = "Example: hub new source so-y-te --sample answer.json --write"


@app.command("source", epilog=SOURCE_EXAMPLE)
@guarded
def source(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: small letters, digits and '-'.")],
    sample: Annotated[
        Path | None, typer.Option("--sample", metavar="FILE", help="A recorded answer: JSON, XML or CSV, as it came.")
    ] = None,
    wsdl: Annotated[
        str | None, typer.Option("--wsdl", metavar="URL_OR_FILE", help="A SOAP service; alone, lists what it offers.")
    ] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", metavar="NAME", help="The operation of the WSDL.")
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
            help="For the WSDL and the call; the password is NAME_PASSWORD of the environment.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Where the service is called, if not where its WSDL says."),
    ] = None,
    each: Annotated[
        str | None, typer.Option("--each", metavar="PATH", help="Which rows are meant, where there are several lists.")
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
        typer.Option("--url", metavar="URL", help="The address that answers this JSON; else files are dropped."),
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
        float, typer.Option("--timeout-s", metavar="SECONDS", min=0.1, help="For the WSDL, and for the call.")
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
    service = None
    arguments = pairs(argument, "--argument")
    if wsdl is not None:
        from hub.scaffold.service import describe

        auth = None if username is None else (username, _password(name, as_json))
        with progress("reading the WSDL"):
            service = describe("wsdl", wsdl, timeout_s=timeout_s, auth=auth)
        if operation is None:
            _offer(service, name, wsdl, as_json=as_json)
            return
    body, told = _recording(
        sample, service, operation, arguments, call=call, endpoint=endpoint, timeout_s=timeout_s, as_json=as_json
    )
    found = places(body, told, charset=charset)
    place = chosen(found, each, told)
    read_sample = read(body, place)
    guesses = guess(
        read_sample,
        kind,
        given=pairs(field, "--field"),
        constants=pairs(const, "--const"),
        codes=pairs(code, "--code"),
    )
    summary = agency_name or f"{name}, made from a recorded {place.spec.format.upper()}"
    if guesses.problems:
        if not as_json:
            typer.echo(proposed_mapping(name, summary, read_sample, guesses))
        fail(guesses.problems, as_json=as_json)
    place_of_wsdl = _beside(wsdl, into)
    section = _section(
        name,
        read_sample,
        guesses,
        url,
        place_of_wsdl,
        operation,
        service,
        arguments,
        endpoint,
        username,
        agency_name,
        as_json,
    )
    draft = _draft(name, body, read_sample, guesses, section, summary, into, rows)
    written = [] if dry_run else _write(draft, into, write=write)
    if as_json:
        tell_json(draft, read_sample, guesses, written)
    else:
        others = [f"{one.path} ({one.count})" for one in found if one is not place]
        tell(draft, read_sample, guesses, written, others, into=into, added=write and not dry_run, dry_run=dry_run)


def _password(name: str, as_json: bool) -> str:
    """From the environment, so that it stands in no history of commands."""
    import os

    from hub.scaffold.source_files import variable

    wanted = f"{variable(name)}_PASSWORD"
    found = os.environ.get(wanted)
    if found is None:
        said = f"--username needs a password: the environment variable {wanted} is not set"
        refuse(
            "undefined-variable",
            said,
            f"set {wanted}; the source that is written takes it from there too",
            as_json=as_json,
        )
    return found


def _beside(wsdl: str | None, into: Path) -> str | None:
    """A file as the configuration names it, relative to its own folder; an address as it is."""
    import os

    if wsdl is None or "://" in wsdl:
        return wsdl
    return os.path.relpath(Path(wsdl).resolve(), into.parent.resolve())


def _offer(service: Service, name: str, wsdl: str, *, as_json: bool) -> None:
    operations = list(service.operations)
    if as_json:
        print_json({"ok": True, "wsdl": wsdl, "operations": operations})
        return
    out = console()
    for one in operations:
        out.print(f"{one}   ({one.service}, {one.port})", markup=False, soft_wrap=True)
    shown = operations[0].name if operations else "OPERATION"
    out.print(f"{counted(len(operations), 'operation')}; choose one:", markup=False)
    out.print(f"  hub new source {name} --wsdl {wsdl} --operation {shown} --call", markup=False, soft_wrap=True)


def _recording(
    sample: Path | None,
    service: Service | None,
    operation: str | None,
    arguments: Mapping[str, str],
    *,
    call: bool,
    endpoint: str | None,
    timeout_s: float,
    as_json: bool,
) -> tuple[bytes, str]:
    """The bytes of the sample and how it is named in errors."""
    if service is not None and operation is not None:
        from mappings.notation import nearest

        known = {one.name for one in service.operations}
        if operation not in known:
            said = f"the WSDL has no operation {operation!r}"
            refuse("unknown-operation", said, nearest(operation, known), as_json=as_json)
        taken = {one.name for found in service.operations if found.name == operation for one in found.arguments}
        for name in arguments.keys() - taken:
            said = f"--argument {name}: {operation} has no such argument"
            refuse("wrong-argument", said, nearest(name, taken), as_json=as_json)
        if call and sample is None:
            if endpoint is None and (caution := service.caution(operation)) is not None:
                warn(caution)
            with progress(f"calling {operation}"):
                body = service.call(operation, arguments, timeout_s=timeout_s, endpoint=endpoint)
            return body, f"{operation}.xml"
    if sample is None:
        mend = "name a file by --sample" + (", or let --call ask the service" if service is not None else "")
        refuse("no-sample", "there is nothing to learn from", mend, as_json=as_json)
    try:
        return sample.read_bytes(), str(sample)
    except OSError as error:
        said = f"cannot be read: {(error.strerror or 'an error').lower()}"
        refuse("unreadable-file", said, "check the path", str(sample), as_json=as_json)


def _section(
    name: str,
    sample: Sample,
    guesses: Guesses,
    url: str | None,
    wsdl: str | None,
    operation: str | None,
    service: Service | None,
    arguments: Mapping[str, str],
    endpoint: str | None,
    username: str | None,
    agency_name: str,
    as_json: bool,
) -> str:
    from hub.scaffold.soap_arguments import since_and_page
    from hub.scaffold.source_files import files_section, mapping_name, rest_section, soap_section, variable

    mapping, media = mapping_name(name, guesses.kind), sample.place.spec.format
    if service is not None and operation is not None:
        if media != "xml":
            mend = "give the envelope as it came"
            refuse("wrong-sample", f"the answer of a SOAP service is XML, this is {media}", mend, as_json=as_json)
        described = next(one for one in service.operations if one.name == operation)
        settings: dict[str, Any] = {"wsdl": wsdl, "operation": operation, **service.settings(operation)}
        settings |= {} if endpoint is None else {"endpoint": endpoint}
        settings |= since_and_page(described, arguments, guesses)
        constants = settings.get("arguments", {})
        settings |= {"arguments": {one: service.value(operation, one, text) for one, text in constants.items()}}
        if username is not None:
            settings |= {"username": username, "password": f"${{{variable(name)}_PASSWORD}}"}
        return soap_section(name, mapping, settings, sample, guesses, agency_name=agency_name)
    if url is not None:
        if media != "json" or sample.place.spec.unwrap:
            mend = "leave --url out; what is no plain JSON is read from a drop folder or over SOAP"
            refuse("wrong-sample", f"the adapter rest reads plain JSON, this is {media}", mend, as_json=as_json)
        return rest_section(name, mapping, url, sample, guesses, agency_name=agency_name)
    return files_section(name, mapping, media, agency_name=agency_name)


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
