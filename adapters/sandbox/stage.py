"""The stage of a demo: five twins as processes, the ticks of the sources, the outage of a portal, the books afterwards.

What is played (the data, the number of ticks, when the outage is) belongs to a subclass, named by an entry point in
the group `hub.demos`. The stage knows nothing of the hub: it drives the twins over their control plane only, so that
the hub may be killed and started again while the stage goes on. The twins die with the process that started them.
"""

from __future__ import annotations

import asyncio
import json
import queue
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx

from adapters.sandbox import books

_START_S = 60.0
_STOP_S = 5.0
_LOOK_EVERY_S = 0.05

SOURCES = ("soap-one-stop", "rest-one-stop", "csv-exporter")
NATIONAL, PROVINCIAL = "national-portal", "provincial-portal"

_PASSWORD = "mat-khau-thu"
_CREDENTIALS: dict[str, dict[str, str]] = {
    "rest-one-stop": {"username": "tra-vinh", "password": _PASSWORD},
    NATIONAL: {
        "username": "tra-vinh",
        "password": _PASSWORD,
        "dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider",
        "madonvi": "H59",
    },
    PROVINCIAL: {"client_id": "tra-vinh", "client_secret": _PASSWORD},
}
"""Who the hub is at each twin, as `config` says it; the twins are processes of this machine alone."""
_ADDRESSES = {"soap-one-stop": "DEMO_SOAP_URL", "rest-one-stop": "DEMO_REST_URL"}


class StageError(RuntimeError):
    """The stage cannot be set up or cannot go on; says which twin and why."""


@dataclass(frozen=True, slots=True)
class StageEvent:
    """Something that happened on the stage, for people and for a progress bar."""

    what: Literal["tick", "polled", "closed", "faulty", "healed", "end"]
    tick: int
    """The last tick released, 0 before the first."""
    ticks: int
    text: str


@dataclass(slots=True)
class _Twin:
    process: subprocess.Popen[str]
    url: str
    control: str


class Stage(ABC):
    """Sets up the twins in `folder`, plays the ticks, strikes the books. Use: `start`, `run`, `books`, `stop`."""

    title: ClassVar[str]
    ticks: int
    sources: Sequence[str] = SOURCES
    """The twins of old systems that it needs."""
    outage_ticks: ClassVar[tuple[int, ...]]
    """The ticks released while the national portal is closed; the next one meets a portal that answers errors."""
    closed_s: ClassVar[float] = 4.0
    """The least time that the national portal is closed."""
    closing_s: ClassVar[float] = 0.3
    """How long before that it already answers HTTP 503."""
    faulty_s: ClassVar[float] = 1.5
    """How long it then answers HTTP 200 with an error inside; up to four times as long until a request has met that."""
    stall_s: ClassVar[float] = 120.0
    """How long a tick may stay unpolled before `run` gives up; long enough for a hub that is killed and restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outage_seconds = 0.0
        """How long the national portal was closed."""
        self.faulty_seconds = 0.0
        """How long after that it answered errors."""
        self._twins: dict[str, _Twin] = {}
        self._closed_at: float | None = None
        self._truth = folder / "truth.json"
        self._data = folder / "stage.json"

    @abstractmethod
    def prepare(self) -> tuple[Path, Path]:
        """Write the source twins' data and the truth into `self.folder` and return their paths."""

    @property
    def config(self) -> Path:
        """The hub's configuration for this demo; its `${…}` are what `start` returns."""
        return Path(__file__).resolve().parents[2] / "config" / "demo" / "hub.yaml"

    @property
    def national_log(self) -> Path:
        return self.folder / "national-portal.jsonl"

    @property
    def provincial_log(self) -> Path:
        return self.folder / "provincial-portal.jsonl"

    async def start(self) -> dict[str, str]:
        """Prepare the data, start the twins and return the environment that `config` needs.

        Raises: StageError naming the twin that did not start, with what it said.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._data, self._truth = await asyncio.to_thread(self.prepare)
        drop = self.folder / "drop"
        plan: dict[str, list[str]] = {name: ["--data", str(self._data)] for name in self.sources}
        plan[NATIONAL] = ["--log", str(self.national_log)]
        plan[PROVINCIAL] = ["--log", str(self.provincial_log)]
        for name, options in {**_CREDENTIALS, "csv-exporter": {"folder": str(drop)}}.items():
            if name in plan:
                plan[name] += ["--options", json.dumps(options)]
        try:
            started = await asyncio.gather(
                *(asyncio.to_thread(_spawn, name, arguments, self.folder) for name, arguments in plan.items()),
                return_exceptions=True,
            )
            failed: BaseException | None = None
            for name, twin in zip(plan, started, strict=True):
                if isinstance(twin, BaseException):
                    failed = failed or twin
                else:
                    self._twins[name] = twin
            if failed is not None:
                raise failed
        except BaseException:
            await self.stop()
            raise
        return {
            "DEMO_FOLDER": str(self.folder),
            "DEMO_PASSWORD": _PASSWORD,
            "DEMO_CSV_FOLDER": str(drop),
            "DEMO_NATIONAL_URL": self._twins[NATIONAL].url,
            "DEMO_PROVINCIAL_URL": self._twins[PROVINCIAL].url,
            **{_ADDRESSES[name]: self._twins[name].url for name in self.sources if name in _ADDRESSES},
        }

    async def run(self, progress: Callable[[StageEvent], None] = lambda _: None) -> None:
        """Play all ticks, each after all sources were polled to the end of the one before, and the outage.

        Returns when the last tick has been polled and the national portal is well again; what the hub still has to send
        is the hub's affair. Raises: StageError when a source is not polled within `stall_s` or a twin is gone.
        """
        async with httpx.AsyncClient(timeout=30.0) as client:
            healing: asyncio.Task[None] | None = None
            try:
                for tick in range(1, self.ticks + 1):
                    if tick == self.outage_ticks[0]:
                        await self._close(client)
                        progress(self._event("closed", tick - 1, "the national portal is closed"))
                    elif tick == self.outage_ticks[-1] + 1:
                        healing = asyncio.create_task(self._heal(client, tick, progress))
                    await self._release(client, tick)
                    progress(self._event("tick", tick, f"the sources show tick {tick}"))
                    await self._polled(client, tick)
                    progress(self._event("polled", tick, f"all sources are polled to the end of tick {tick}"))
                    if tick == self.outage_ticks[-1]:
                        await self._stay_closed()
                if healing is not None:
                    await healing
            finally:
                if healing is not None and not healing.done():
                    healing.cancel()
                    with suppress(asyncio.CancelledError):
                        await healing
        progress(self._event("end", self.ticks, "all ticks are played"))

    async def stop(self) -> None:
        """Stop the twins. Harmless when they are stopped already."""
        await asyncio.to_thread(self._stop)

    def books(self, ledger_url: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Strike the books with the program that knows nothing of the hub; `options` such as `--json` go to it.

        The twins of the sources are asked for what they show, while they run.
        """
        command = [sys.executable, "-I", str(Path(books.__file__)), "--truth", str(self._truth), "--ledger", ledger_url]
        command += ["--tables", str(self._data)]
        command += ["--national-log", str(self.national_log), "--provincial-log", str(self.provincial_log), *options]
        for name in self.sources:
            if name in self._twins and self._twins[name].process.poll() is None:
                command += ["--source", self._twins[name].control]
        # The program speaks UTF-8 whatever the locale is.
        return subprocess.run(
            [*command[:2], "-X", "utf8", *command[2:]], capture_output=True, text=True, encoding="utf-8", check=False
        )

    def _event(
        self, what: Literal["tick", "polled", "closed", "faulty", "healed", "end"], tick: int, text: str
    ) -> StageEvent:
        return StageEvent(what, tick, self.ticks, text)

    async def _close(self, client: httpx.AsyncClient) -> None:
        """Close the portal: it turns requests away for a moment, and then does not answer any more.

        So what it had taken is answered before its connections break. The outage is about what waits; effects of which
        nobody knows whether they were taken come from the twin's other faults.
        """
        await self._order(client, NATIONAL, "fault", {"mode": "http-503"})
        await asyncio.sleep(self.closing_s)
        await self._order(client, NATIONAL, "fault", {"mode": "refuse"})
        self._closed_at = time.monotonic()

    async def _stay_closed(self) -> None:
        if self._closed_at is not None:
            await asyncio.sleep(max(0.0, self._closed_at + self.closed_s - time.monotonic()))

    async def _heal(self, client: httpx.AsyncClient, tick: int, progress: Callable[[StageEvent], None]) -> None:
        """Open the portal, let it answer errors for a while, make it well."""
        await self._order(client, NATIONAL, "fault", {"mode": "200-error"})
        opened_at = time.monotonic()
        if self._closed_at is not None:
            self.outage_seconds = round(opened_at - self._closed_at, 2)
        progress(self._event("faulty", tick - 1, "the national portal answers 200 with an error inside"))
        before = await self._refused(client)
        await asyncio.sleep(self.faulty_s)
        # A hub that holds its gate and asks once a second may not have met the error yet.
        for _ in range(int(3 * self.faulty_s / _LOOK_EVERY_S)):
            if await self._refused(client) > before:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        await self._order(client, NATIONAL, "fault", {"mode": "off"})
        self.faulty_seconds = round(time.monotonic() - opened_at, 2)
        progress(self._event("healed", tick, "the national portal is well again"))

    async def _refused(self, client: httpx.AsyncClient) -> int:
        """How many requests the national portal has refused so far."""
        state = await self._ask(client, "GET", NATIONAL, "state", None)
        return sum(state["refused"].values())

    async def _release(self, client: httpx.AsyncClient, tick: int) -> None:
        await asyncio.gather(*(self._order(client, name, "tick", {"tick": tick}) for name in self.sources))

    async def _polled(self, client: httpx.AsyncClient, tick: int) -> None:
        give_up_at = time.monotonic() + self.stall_s
        while waiting := [slug for name in self.sources for slug in await self._unpolled(client, name)]:
            if time.monotonic() > give_up_at:
                raise StageError(f"tick {tick}: {', '.join(waiting)} not polled to the end within {self.stall_s:g} s")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _unpolled(self, client: httpx.AsyncClient, name: str) -> list[str]:
        state = await self._ask(client, "GET", name, "state", None)
        return [slug for slug, agency in state["agencies"].items() if not agency["polled_to_end"]]

    async def _order(self, client: httpx.AsyncClient, name: str, what: str, body: Mapping[str, object]) -> None:
        await self._ask(client, "POST", name, what, body)

    async def _ask(
        self, client: httpx.AsyncClient, method: str, name: str, what: str, body: Mapping[str, object] | None
    ) -> dict[str, Any]:
        twin = self._twins.get(name)
        if twin is None:
            raise StageError(f"{name} does not run: start the stage first")
        try:
            answer = await client.request(method, f"{twin.control}/_twin/{what}", json=body)
            answer.raise_for_status()
            shown: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            status = twin.process.poll()
            gone = "" if status is None else f"; it has ended with status {status}"
            raise StageError(f"{name}: no answer to {what}: {error!r}{gone}") from error
        return shown

    def _stop(self) -> None:
        for twin in self._twins.values():
            _let_go(twin.process)
        for twin in self._twins.values():
            try:
                twin.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                twin.process.kill()
                twin.process.wait()
            if twin.process.stdout is not None:
                twin.process.stdout.close()
        self._twins.clear()


def _spawn(name: str, arguments: Sequence[str], folder: Path) -> _Twin:
    """Start one twin and wait for the line that says it listens. Raises: StageError."""
    errors = folder / f"{name}.err"
    with errors.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "adapters.sandbox.leash", name, "--port", "0", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
        )
    line = _first_line(process)
    try:
        hello = json.loads(line)
        return _Twin(process, hello["url"], hello.get("control", hello["url"]))
    except (ValueError, KeyError, TypeError) as error:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        last = errors.read_text(encoding="utf-8").strip().splitlines()[-1:] or [f"nothing within {_START_S:g} s"]
        raise StageError(f"{name} did not start: {last[0]}") from error


def _first_line(process: subprocess.Popen[str]) -> str:
    """The first line of output, "" when the process ends without one or says nothing in time."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        if process.stdout is not None:
            with suppress(ValueError):  # closed under the reader: the process was given up
                lines.put(process.stdout.readline())

    threading.Thread(target=read, name="first line", daemon=True).start()
    try:
        return lines.get(timeout=_START_S)
    except queue.Empty:
        return ""


def _let_go(process: subprocess.Popen[str]) -> None:
    """Ask a twin to stop: SIGTERM, and the end of its standard input."""
    if process.poll() is None:
        process.terminate()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
