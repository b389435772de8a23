"""What a portal's twin remembers: an append-only log of every effect it accepted, and one of what it refused.

A line is written to the operating system before the request is answered, so that whoever was told "taken" finds it
there even if the twin is killed. Repeats and older states after newer ones are logged like anything else: the books are
checked against this log. A twin that is started again on the same file knows what it knew.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.sandbox.faults import Fault, transport_of


@dataclass(frozen=True, slots=True)
class Effect:
    """One record that a request brings. `updating` is None where the service has no such flag."""

    service: str
    number: str
    data: Mapping[str, Any]
    updating: bool | None = None


class PortalLog:
    """`<path>`: accepted effects, one JSON line each, {n, at, service, updating, number, data}.

    `<path>.refused`: what was refused, {at, service, numbers, answer}. Without a path both are only counted.
    """

    def __init__(self, path: Path | None) -> None:
        """Reads the log back where there is one. Raises: OSError; ValueError for a file that is no such log."""
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.numbers: dict[str, set[str]] = {}
        """Per service, the dossier numbers it ever accepted."""
        self._n = 0
        self._log = self._refusals = -1
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in _whole_lines(path):
            self._count(line["service"], line["number"], line["n"])
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._log = os.open(path, flags, 0o644)
        self._refusals = os.open(path.with_name(path.name + ".refused"), flags, 0o644)

    def accept(self, effects: Iterable[Effect]) -> None:
        """Log effects; when it returns they are with the operating system."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines: list[bytes] = []
        for effect in effects:
            self._count(effect.service, effect.number, self._n + 1)
            line = {
                "n": self._n,
                "at": at,
                "service": effect.service,
                "updating": effect.updating,
                "number": effect.number,
                "data": effect.data,
            }
            lines.append(orjson.dumps(line))
        _append(self._log, lines)

    def refuse(self, service: str, numbers: Iterable[str], answer: object) -> None:
        """Log a request, or a part of one, that had no effect, with what it was answered."""
        self.refused[service] += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "service": service, "numbers": list(numbers), "answer": answer}
        _append(self._refusals, [orjson.dumps(line)])

    def knows(self, service: str, number: str) -> bool:
        return number in self.numbers.get(service, ())

    def state(self) -> dict[str, Any]:
        """Counts for `GET /_twin/state`."""
        distinct = {service: len(numbers) for service, numbers in self.numbers.items()}
        return {"accepted": dict(self.accepted), "numbers": distinct, "refused": dict(self.refused)}

    def close(self) -> None:
        for descriptor in (self._log, self._refusals):
            if descriptor >= 0:
                os.close(descriptor)
        self._log = self._refusals = -1

    def _count(self, service: str, number: str, n: int) -> None:
        self._n = n
        self.accepted[service] += 1
        self.numbers.setdefault(service, set()).add(number)


def json_answer(said: object, status: int = 200) -> Response:
    return Response(orjson.dumps(said), status, media_type="application/json")


def log_fault(fault: Fault | None) -> object:
    """What the log of refusals says where a fault answered instead of the portal."""
    return {"fault": fault.mode if fault is not None else ""}


def twice(answer: Response) -> Response:
    """The same answer, two times on the line, one right behind the other.

    They leave as one segment where that has room for both: a second answer that comes after the next request has left
    cannot be told from the right one by any client of HTTP/1.1, and what is lost then is no fault of the client.
    """
    return _Twice(answer.body, answer.status_code, media_type=answer.media_type)


class _Twice(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = transport_of(scope)
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        try:
            await super().__call__(scope, receive, send)
            lines = [b"HTTP/1.1 %d Again" % self.status_code, *(b"%s: %s" % pair for pair in self.raw_headers)]
            transport.write(b"\r\n".join([*lines, b"", b""]) + bytes(self.body))
        finally:
            if not transport.is_closing():
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def _append(descriptor: int, lines: list[bytes]) -> None:
    if descriptor < 0 or not lines:
        return
    rest = memoryview(b"\n".join(lines) + b"\n")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; a last line without its end was never answered for, and is cut off."""
    if not path.exists():
        return
    size = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            size += len(line)
            try:
                read = orjson.loads(line)
                found = {name: read[name] for name in ("service", "number", "n")}
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: not a line of a portal's log") from error
            yield found
    if size < path.stat().st_size:
        os.truncate(path, size)
