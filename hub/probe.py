"""Asks what a configuration names whether it is there: the network half of `hub check`.

An adapter that can be asked offers `async def probe(self) -> Sequence[Problem]`; it must send nothing that changes the
other side. The ledger's and the bus's servers are only connected to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from hub.answers import AnswerTable
from hub.draft import Draft
from hub.ports import AdapterContext
from hub.validation import Place
from schemas.errors import HubError, Problem

_PORTS = {"amqp": 5672, "amqps": 5671, "postgresql": 5432, "postgresql+psycopg": 5432}


async def probe(
    made: Draft,
    adapters: Mapping[tuple[str, str], tuple[type[Any], BaseModel]],
    answers: Mapping[str, AnswerTable],
    timeout_s: float,
) -> list[Problem]:
    """Ask everything at the same time, each for at most `timeout_s`; never raises for what the other side does."""
    asked = []
    for (part, name), (kind, settings) in adapters.items():
        # A destination without its table of answers could not tell a refusal from a welcome.
        if hasattr(kind, "probe") and (part == "sources" or name in answers):
            context = AdapterContext(name, made.folder, answers.get(name) if part == "destinations" else None)
            asked.append(_adapter(made, (part, name, "settings"), kind, settings, context, timeout_s))
    asked += [
        _server(made, part, section.url, timeout_s)
        for part, section in (("ledger", made.ledger), ("bus", made.bus))
        if section is not None and (part, "url") not in made.unresolved
    ]
    return [problem for problems in await asyncio.gather(*asked) for problem in problems]


async def _adapter(
    made: Draft, place: Place, kind: type[Any], settings: BaseModel, context: AdapterContext, timeout_s: float
) -> list[Problem]:
    file, line = made.document.file, made.document.line(place)
    try:
        adapter = kind(settings, context)
        try:
            async with asyncio.timeout(timeout_s):
                found: Sequence[Problem] = await adapter.probe()
        finally:
            await adapter.close()
    except TimeoutError:
        found = [Problem("unreachable", f"no answer in {timeout_s:g} s", "check the address, or use --offline")]
    except HubError as error:
        found = [Problem("unreachable", str(error), "check the address, or use --offline")]
    where = f"{place[0]}.{place[1]}"
    return [p if p.file else replace(p, message=f"{where}: {p.message}", file=file, line=line) for p in found]


async def _server(made: Draft, part: str, url: str, timeout_s: float) -> list[Problem]:
    """Whether something listens where the ledger's or the bus's URL points; an SQLite file needs nobody."""
    parts = urlsplit(url)
    port = _PORTS.get(parts.scheme)
    if port is None:
        return []
    document = made.document
    line = document.line((part, "url"))
    try:
        host, port = parts.hostname or "localhost", parts.port or port
    except ValueError as error:
        return [Problem("wrong-value", f"{part}.url: {error}", "correct the address", document.file, line)]
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or f"no answer in {timeout_s:g} s"
        said = f"{part}.url: nothing answers at {host}:{port} ({why})"
        return [Problem("unreachable", said, "start it, correct the address, or use --offline", document.file, line)]
    return []
