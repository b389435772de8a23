"""The twins that stand for the destinations: found by the adapter they declare, started on a leash, told what to do.

The hub knows no adapter and no twin: what they say of themselves is read from the modules that the entry points of
`hub.sandboxes` name (`STAND_IN`, see adapters/sandbox/stand_in.py), and they run as processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

import httpx

from schemas.errors import ConfigError, HubError, Problem

GROUP = "hub.sandboxes"
START_S = 60.0
STOP_S = 5.0


class DrillError(HubError):
    """The drill cannot be held, or cannot go on."""


class StandIn(Protocol):
    """What a twin says of itself."""

    @property
    def adapter(self) -> str: ...
    @property
    def kinds(self) -> Mapping[str, str]: ...
    @property
    def replaces(self) -> tuple[str, ...]: ...
    @property
    def drops(self) -> tuple[str, ...]: ...
    @property
    def settings(self) -> Callable[[Mapping[str, Any], str], Mapping[str, Any]]: ...
    @property
    def options(self) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]: ...
    @property
    def faults(self) -> Callable[[Mapping[str, Any], float], Mapping[str, Mapping[str, Any] | str]]: ...


def reads(twin: StandIn) -> Callable[[bytes, str], Mapping[str, Any]] | None:
    """How its log has a record that is no JSON; a twin of a portal that takes JSON alone says nothing of it."""
    found: Callable[[bytes, str], Mapping[str, Any]] | None = getattr(twin, "reads", None)
    return found


def declared() -> dict[str, tuple[str, StandIn]]:
    """By adapter, the name of the twin and what it says of itself. A twin that cannot be imported stands for nobody."""
    found: dict[str, tuple[str, StandIn]] = {}
    for point in entry_points(group=GROUP):
        with suppress(ImportError):
            said = getattr(import_module(point.module), "STAND_IN", None)
            if said is not None:
                found[said.adapter] = point.name, cast(StandIn, said)
    return found


def stand_in(adapter: str, destination: str, file: str, line: int) -> tuple[str, StandIn]:
    """The twin of an adapter. Raises: ConfigError that says how to add one, or to go without."""
    known = declared()
    if adapter in known:
        return known[adapter]
    said = f"destinations.{destination}: no twin stands for the adapter {adapter!r}; there are those for "
    mend = (
        f"write one with a STAND_IN and name it in the entry points {GROUP} (docs/drill.md), "
        f"or drill without it: --skip-destination {destination}"
    )
    raise ConfigError([Problem("no-twin", said + ", ".join(sorted(known)), mend, file, line)])


class Twin:
    """One running twin. Orders go to its control address, which never refuses."""

    def __init__(self, destination: str, process: subprocess.Popen[bytes], hello: Mapping[str, str]) -> None:
        self.destination, self.url = destination, hello["url"]
        self._process, self._control = process, hello.get("control", hello["url"])
        self._http = httpx.AsyncClient(timeout=30.0, trust_env=False)

    @classmethod
    async def start(cls, destination: str, name: str, options: Mapping[str, Any], folder: Path) -> Twin:
        """Start the twin `name`, whose log is `<destination>.jsonl` in `folder`. Raises: DrillError with what it
        said."""
        command = [sys.executable, "-m", "adapters.sandbox.leash", name, "--port", "0"]
        command += ["--log", str(folder / f"{destination}.jsonl"), "--options", json.dumps(dict(options))]
        errors = folder / f"{destination}.err"
        process = await asyncio.to_thread(_begun, command, errors)
        line = b""
        try:
            async with asyncio.timeout(START_S):
                assert process.stdout is not None
                line = await asyncio.to_thread(process.stdout.readline)
            return cls(destination, process, json.loads(line))
        except BaseException as error:
            _end(process)
            if not isinstance(error, TimeoutError | ValueError | KeyError | TypeError):
                raise
            last = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            why = last[0] if last else f"it said nothing within {START_S:g} s"
            raise DrillError(f"the twin {name} for {destination} did not start: {why}") from error

    async def order(self, order: Mapping[str, Any]) -> None:
        """Tell it to go wrong. Raises: DrillError."""
        await self._ask("POST", "fault", dict(order))

    async def well(self) -> None:
        """Tell it to go right."""
        await self.order({"mode": "off"})

    async def state(self) -> dict[str, Any]:
        """What it counts: `faults` in force, `struck` by mode. Raises: DrillError."""
        return await self._ask("GET", "state")

    async def _ask(self, method: str, what: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, f"{self._control}/_twin/{what}", json=body)
            answer.raise_for_status()
            said: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise DrillError(f"the twin for {self.destination} does not do as it is told: {error!r}") from error
        return said

    async def stop(self) -> None:
        """End it; harmless when it is stopped."""
        await self._http.aclose()
        await asyncio.to_thread(_end, self._process)


def _begun(command: Sequence[str], errors: Path) -> subprocess.Popen[bytes]:
    with errors.open("wb") as said:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
