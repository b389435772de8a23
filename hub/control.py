"""How commands reach a running hub that owns its ledger alone (SQLite): a socket beside the ledger's file.

One request per connection: a line of JSON `{"operation": NAME, "arguments": {…}}`; one line comes back, `{"result":
…}` or `{"refused": TEXT}`, with `problems` where a configuration was refused. The socket is the owner's alone (mode
600): who may write the ledger's file may operate the hub. With PostgreSQL there is no socket, since any process may
write.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from hub.ledger.engine import sqlite_path
from hub.operations import OPERATIONS, Operation, Place
from schemas.errors import ConfigError, HubError, LedgerFault, OperationRefused, Problem

log = logging.getLogger(__name__)

LARGEST_BYTES = 16_000_000
"""Of one request or answer: some hundred thousand numbers of dead letters."""

_LONGEST_PATH = 100
"""What Linux takes as a socket's path, with a margin (unix(7): 108 bytes)."""


def socket_path(url: str) -> Path | None:
    """Return where the owner of a ledger listens; None for PostgreSQL. A path too long for a socket has a stand-in."""
    file = sqlite_path(url)
    if file is None:
        return None
    beside = file.resolve().with_name(file.name + ".control")
    if len(os.fsencode(beside)) <= _LONGEST_PATH:
        return beside
    digest = blake2b(os.fsencode(beside), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"hub-{os.getuid()}-{digest}.control"


@asynccontextmanager
async def listening(url: str, place: Place) -> AsyncIterator[None]:
    """Perform what commands send, as long as the block lasts. The ledger's lock must be held."""
    path = socket_path(url)
    if path is None:
        yield
        return
    path.unlink(missing_ok=True)
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        held.bind(os.fspath(path))
    finally:
        os.umask(before)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                writer.write(orjson.dumps(await _answer(await reader.readline(), place)) + b"\n")
                await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, sock=held, limit=LARGEST_BYTES)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()
        path.unlink(missing_ok=True)


async def _answer(line: bytes, place: Place) -> dict[str, Any]:
    try:
        asked = orjson.loads(line)
        operation = OPERATIONS[asked["operation"]].model_validate(asked["arguments"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
        return {"refused": f"this hub does not know the operation; is the command of another version? ({error})"}
    try:
        return {"result": asdict(await operation.perform(place))}
    except ConfigError as error:
        return {"refused": str(error), "problems": [asdict(problem) for problem in error.problems]}
    except HubError as error:
        return {"refused": str(error)}
    except Exception as error:
        log.exception("%s failed", type(operation).__name__)
        return {"refused": f"a defect of the hub, its log has the traceback: {error!r}"}


async def ask(url: str, operation: Operation) -> dict[str, Any] | None:
    """Have the running owner of a ledger perform an operation; None where nobody listens.

    Raises: OperationRefused; ConfigError as the hub raised it; LedgerFault where the hub ended before it answered.
    """
    path = socket_path(url)
    if path is None:
        return None
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LARGEST_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError as error:
        raise LedgerFault(f"{path}: only the user that the hub runs as may operate it") from error
    try:
        asked = {"operation": type(operation).__name__, "arguments": operation.model_dump(mode="json")}
        writer.write(orjson.dumps(asked) + b"\n")
        await writer.drain()
        line = await reader.readline()
    except ConnectionError:
        line = b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    if not line:
        raise LedgerFault("the hub ended before it answered; look with `hub queues` whether it was done")
    answer: dict[str, Any] = orjson.loads(line)
    if "problems" in answer:
        raise ConfigError([Problem(**problem) for problem in answer["problems"]])
    if "refused" in answer:
        raise OperationRefused(answer["refused"])
    result: dict[str, Any] = answer["result"]
    return result
