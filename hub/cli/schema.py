"""`hub schema`: what editors need to complete and underline the hub's YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import AsJson
from hub.cli.output import console, guarded, print_json, refuse

app = typer.Typer(name="schema", help="JSON Schemas of the YAML files, for editors.", no_args_is_help=True)

EXAMPLE = "Example: hub schema export schemas"


@app.callback()
def _family() -> None:
    """So that the family keeps its name with one command in it."""


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
