"""`hub new destination`: a destination from one payload that its portal takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.new_options import DryRun, Into, Write, named, pairs
from hub.cli.options import DEFAULT_CONFIG, AsJson
from hub.cli.output import console, guarded, print_json, refuse

EXAMPLE = "Example: hub new destination so-tttt-portal --sample payload.json"


@guarded
def destination(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: small letters, digits and '-'.")],
    sample: Annotated[
        Path,
        typer.Option("--sample", metavar="FILE", help="A payload that the portal takes: JSON, XML, a form, a query."),
    ],
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="The kind of record that is written.")
    ] = "dossier.v1",
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter", metavar="NAME", help="What speaks to the portal; without it the choices are written."
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORM", help="json, xml, form or query, where the file does not tell."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="MEMBER=FIELD", help="What a member is made of; again for each one."),
    ] = None,
    into: Into = DEFAULT_CONFIG,
    write: Write = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write an outbound mapping, its test and a section of the configuration from one payload that a portal takes."""
    from hub.scaffold.destination import propose
    from hub.scaffold.write import with_entry, write_all
    from schemas.errors import ConfigError, Problem
    from schemas.record import KINDS

    named(name, as_json)
    if kind not in KINDS:
        refuse("unknown-kind", f"there is no kind {kind!r}", f"use one of: {', '.join(KINDS)}", as_json=as_json)
    try:
        body = sample.read_bytes()
    except OSError as error:
        said = f"cannot be read: {(error.strerror or 'an error').lower()}"
        refuse("unreadable-file", said, "check the path", str(sample), as_json=as_json)
    if not into.is_file():
        mend = f"hub init {into.parent} writes one; --into names another"
        refuse("no-project", "there is no such configuration", mend, str(into), as_json=as_json)
    made = propose(name, body, str(sample), kind, adapter=adapter, given=pairs(field, "--field"), portal=form)
    if write and not made.fits:
        said = f"no adapter that is installed sends {made.portal}, so the destination could not run"
        mend = "leave --write out, and paste the section once there is one"
        raise ConfigError([Problem("wrong-format", said, mend, str(into))])
    written: list[Path] = []
    if not dry_run:
        text = into.read_bytes().decode("utf-8")
        changed = with_entry(text, "destinations", name, made.section, str(into)) if write else text
        written = write_all(into.parent, made.files)
        if write:
            into.write_bytes(changed.encode())
            written.append(into)
    if as_json:
        print_json(
            {
                "ok": True,
                "name": name,
                "format": made.portal,
                "members": made.members,
                "section": made.section,
                "written": written,
            }
        )
        return
    out = console()
    for path in written:
        out.print(f"wrote {path}" if path != into else f"added destinations.{name} to {path}", markup=False)
    for member, why in made.members.items():
        out.print(f"  {member}: {why}", markup=False, soft_wrap=True)
    if dry_run or not write:
        if dry_run:
            out.print(made.files[f"mappings/{made.mapping}.yaml"].decode(), markup=False, soft_wrap=True)
        told = f"\nPaste this below 'destinations:' in {into}, and name it in a route:\n\n{made.section}"
        out.print(told, markup=False, soft_wrap=True)
