"""`hub init`: a whole small project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import AsJson
from hub.cli.output import console, guarded, print_json, refuse

EXAMPLE = "Example: hub init truc-lien-thong --province H59"


@guarded
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty, or not there yet.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The hub's name; by default that of the folder.")
    ] = None,
    province: Annotated[
        str, typer.Option("--province", metavar="CODE", help="The province's code: H59 is Trà Vinh.")
    ] = "H59",
    force: Annotated[
        bool, typer.Option("--force", help="Take a folder that is not empty; what is there stays as it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a project: configuration, agencies, a mapping with its test, a sample, and a README with the next commands.

    It passes `hub check --offline` as it is. No file is ever overwritten.
    """
    from hub.scaffold.project import make, name_of
    from hub.sections import HubSection
    from hub.validation import validate
    from hub.yaml_lines import Document

    named = name or name_of(folder)
    document = Document("", {"name": named, "province": province})
    _, problems = validate(HubSection, document.data, place=(), file="", lines=document)
    for problem in problems:
        option = "--province" if "province" in problem.message else "--name"
        given = province if option == "--province" else named
        mend = "write it like H59" if option == "--province" else "small letters, digits and '-', at most 40"
        refuse(problem.rule, f"{option} {given!r} cannot be used", mend, as_json=as_json)
    written = make(folder, name=named, province=province, keep=force)
    if as_json:
        print_json({"ok": True, "folder": folder, "name": named, "province": province, "written": written})
        return
    out = console()
    for path in written:
        if path.parent.name != "schemas":
            out.print(f"wrote {path}", markup=False, soft_wrap=True)
    out.print(f"Next: cd {folder}; hub check --offline. README.md has the rest.", markup=False, soft_wrap=True)
