"""Has operations performed for commands that change something: by the running hub, or on a ledger opened for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from hub.operations import Operation

T = TypeVar("T")

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is kept with the operation.")]
Who = Annotated[
    str | None, typer.Option("--who", metavar="NAME", envvar="HUB_WHO", help="Who decides; the login name by default.")
]


def person(who: str | None) -> str:
    """Return who types: what was given, else the login name and the machine."""
    import getpass
    import socket

    return who or f"{getpass.getuser()}@{socket.gethostname()}"


def reason(why: str) -> str:
    """The reason without blanks around it. Raises: typer.BadParameter where none is given."""
    if not why.strip():
        raise typer.BadParameter("say why: --why 'the reason', which is kept with the operation")
    return why.strip()


def perform(operation: Operation, result: type[T], config: Path, ledger: str | None) -> T:
    """Have one operation performed and return its result, made into `result`.

    A hub that owns a SQLite ledger is asked over its socket; in any other case the ledger is opened here. Raises:
    OperationRefused, LedgerFault, ConfigError.
    """
    import asyncio

    from pydantic import TypeAdapter

    from hub.settings import locate_ledger

    answer = asyncio.run(_perform(operation, locate_ledger(config, ledger), config))
    return TypeAdapter(result).validate_python(answer)


async def _perform(operation: Operation, url: str, config: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from hub.control import ask
    from hub.ledger import Ledger
    from hub.operations import Place

    answered = await ask(url, operation)
    if answered is not None:
        return answered
    _must_exist(operation, url, config)
    opened = Ledger(url, {})
    # Without taking over: tickets that a bus keeps stay good.
    await opened.open(take_over=False)
    try:
        return asdict(await operation.perform(Place(opened, config)))
    finally:
        await opened.close()


def _must_exist(operation: Operation, url: str, config: Path) -> None:
    """A mistyped path is no new ledger: only pausing a configured destination, and taking over registers, may make one.

    Raises: LedgerFault, naming the file.
    """
    from hub.ledger.engine import sqlite_path
    from hub.operations import Pause, SyncRegisters
    from hub.operations.gates import configured
    from schemas.errors import LedgerFault

    path = sqlite_path(url)
    if path is None or path.exists():
        return
    if isinstance(operation, SyncRegisters) and config.is_file():
        return
    if not (isinstance(operation, Pause) and operation.destination in configured(config)):
        raise LedgerFault(f"{path}: there is no ledger here yet; it is made by the first `hub run`")
