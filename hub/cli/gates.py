"""`hub pause` and `hub resume`: hold one destination, and let it go on."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.operating import Who, Why, perform, person
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption
from hub.cli.output import console, guarded, print_json

PAUSE_EXAMPLE = "Example: hub pause national --why 'the portal asked us to stop until noon'"
RESUME_EXAMPLE = "Example: hub resume national"

Destination = Annotated[str, typer.Argument(metavar="DESTINATION", help="A destination of the configuration.")]


@guarded
def pause(
    destination: Destination,
    why: Why = "",
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Hold a destination: nothing more is sent to it until `hub resume`. Nothing is lost and no attempt is spent.

    Returns once no request is newer than the pause; what was on the wire comes to its end.
    """
    from hub.operations import GateChanged, Pause

    done = perform(Pause(who=person(who), why=why, destination=destination), GateChanged, config, ledger)
    _say(done.changed, f"{destination} is paused", f"{destination} was paused already", done, as_json=as_json)


@guarded
def resume(
    destination: Destination,
    why: Why = "",
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Let a destination go on, whether a person or its own trouble closed its gate."""
    from hub.operations import GateChanged, Resume

    done = perform(Resume(who=person(who), why=why, destination=destination), GateChanged, config, ledger)
    _say(done.changed, f"{destination} goes on", f"{destination} was open already", done, as_json=as_json)


def _say(changed: bool, now: str, before: str, done: object, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        console().print(now if changed else before, markup=False)
