"""`hub trace`: one dossier from its first reading to its last confirmation."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption, Reveal
from hub.cli.output import console, guarded, print_json, refuse
from hub.cli.reading import reading

EXAMPLE = "Example: hub trace 000.00.05.H59-170302-0007"


@guarded
def trace(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A dossier number, or the key of one of its steps.")],
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Tell everything that happened to one dossier.

    Every revision and what changed in it, every dispatch and call, why something waited, when each portal confirmed,
    what was superseded by what, and the rows of it that were refused.
    """
    from hub.cli.timeline import as_object, render

    with reading(config, ledger) as reader:
        try:
            found = reader.trace(key)
        except KeyError:
            mend = "check the number; a row that was refused without one is in `hub items list`"
            refuse("unknown-key", f"the ledger has nothing about {key!r}", mend, as_json=as_json)
    if as_json:
        print_json(as_object(found, reveal=reveal))
    else:
        console().print(render(found, reveal=reveal))
