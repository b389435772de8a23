"""`hub schema`: what editors need to complete and underline the hub's YAML files, and the reference for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import AsJson
from hub.cli.output import console, guarded, print_json, refuse

app = typer.Typer(
    name="schema",
    help="JSON Schemas of the YAML files, for editors; the mapping language's reference, for people.",
    no_args_is_help=True,
)

EXAMPLE = "Example: hub schema export schemas"


@app.command("export", epilog=EXAMPLE)
@guarded
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where they are written.")] = Path("schemas"),
    as_json: AsJson = False,
) -> None:
    """Write a JSON Schema for every kind of YAML file, over those of an earlier export.

    A file names its own in a first line, `# yaml-language-server: $schema=./schemas/hub.schema.json`.
    """
    from hub.schema_export import export as made

    written = []
    for name, body in made().items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        except OSError as error:
            said = f"cannot be written: {(error.strerror or 'an error').lower()}"
            refuse("unwritable-file", said, "choose another folder", str(path), as_json=as_json)
        written.append(path)
    if as_json:
        print_json({"ok": True, "written": written})
        return
    for path in written:
        console().print(f"wrote {path}", markup=False, soft_wrap=True)


@app.command("reference", epilog="Example: hub schema reference mapping-reference.md")
@guarded
def reference(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written.")] = Path("mapping-reference.md"),
    as_json: AsJson = False,
) -> None:
    """Write the reference of the mapping language, as this version of the hub reads it, over an earlier one.

    Every construct with its options, what it refuses, and examples that were run.
    """
    from mappings.reference import page

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(), encoding="utf-8")
    except OSError as error:
        said = f"cannot be written: {(error.strerror or 'an error').lower()}"
        refuse("unwritable-file", said, "choose another file", str(file), as_json=as_json)
    if as_json:
        print_json({"ok": True, "written": [file]})
        return
    console().print(f"wrote {file}", markup=False, soft_wrap=True)
