"""The floor: the least that a program with the same libraries could spend on the same work, without a single feature.

    python -m benchmarks.floor JOB.json           the whole line, once
    python -m benchmarks.floor --stages JOB.json  each stage alone over the same data, one after the other

As the hub it is one process with one event loop, a thread that writes (and commits together what has gathered), a page
in flight while portals are called, the same requests, batches, groups and limits; it decides by a look-up whether a key
is new, commits a claim before a request and its end after. It knows no mapping, no lane, no fault, no second chance.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import zeep
from lxml import etree

from adapters.calling import Caller, header_lines
from benchmarks.carrier import Carrier, Memory, Rabbit, Taken
from benchmarks.dossiers import PAGE
from benchmarks.line import BATCH, DSTCODE, MADONVI, PARALLEL, spent
from benchmarks.straight import DESTINATIONS, Page, Store, Ticket, decode, open_store, pack, render, validate
from hub.answers import Answer
from hub.app import have_the_process
from hub.deliver import LEASED, UNDER_WAY
from hub.ledger.writer import GROUP
from hub.sections import DestinationSection

WINDOW: int = DestinationSection.model_fields["window"].default
"""Dossiers on their way to one portal at a time, as for the hub."""
ZEEP: Any = zeep


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is given: where everything is, and how much there is to do."""

    urls: dict[str, str]
    ledger: str
    bus: str
    prefix: str
    dossiers: int

    def save(self, path: Path) -> Path:
        path.write_text(json.dumps(asdict(self)))
        return path


class _Unsent(zeep.Transport):
    def post_xml(self, address: str, envelope: etree._Element, headers: dict[str, str]) -> tuple[str, bytes, Any]:
        return address, etree.tostring(envelope, encoding="utf-8", xml_declaration=True), headers


_UNSENT: Any = _Unsent


class Source:
    """The SOAP operation as the hub calls it: zeep writes the request in a thread, httpx sends it."""

    def __init__(self, url: str) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._zeep = ZEEP.Client(f"{url}/MotCua.asmx?wsdl", transport=_UNSENT())
        self._http = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=4))

    def _written(self, page: int) -> Any:
        with self._zeep.settings(raw_response=True):
            return self._zeep.service.LayDanhSachHoSo(trang=page, kichThuoc=PAGE)

    async def fetch(self, page: int) -> bytes:
        loop = asyncio.get_running_loop()
        address, message, headers = await loop.run_in_executor(self._thread, self._written, page)
        answer = await self._http.post(address, content=message, headers=headers)
        return answer.raise_for_status().content

    async def close(self) -> None:
        await self._http.aclose()
        self._thread.shutdown()


class Portal:
    """DongBoHoSoMC in batches, as the hub calls it."""

    def __init__(self, url: str) -> None:
        self._caller = Caller(url)
        self._headers = header_lines({"Content-Type": "application/json; charset=utf-8", "dstcode": DSTCODE})
        self._at_a_time = asyncio.Semaphore(PARALLEL)
        self._session = ""

    async def log_in(self) -> None:
        content = orjson.dumps({"username": "bench", "password": "khong-mat"})
        self._session = (await self._asked("/login", content))["session"]

    async def send(self, payloads: Sequence[dict[str, Any]]) -> None:
        request = {"session": self._session, "madonvi": MADONVI, "service": "DongBoHoSoMC", "isUpdating": "False",
                   "data": payloads}  # fmt: skip
        async with self._at_a_time:
            said = await self._asked("/integration", orjson.dumps(request))
        if said["error_code"] != "00":
            raise RuntimeError(f"the portal refused: {said}")

    async def _asked(self, path: str, content: bytes) -> Any:
        outcome = await self._caller.post(path, self._headers, content, 30.0)
        if not isinstance(outcome, Answer) or outcome.status != 200:
            raise RuntimeError(f"the portal failed: {outcome}")
        return outcome.body

    async def close(self) -> None:
        await self._caller.close()


Unit = tuple[Callable[[], Any], "asyncio.Future[Any] | None"]


class Writer:
    """One thread that commits together whatever has gathered while the last commit ran."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._units: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="floor-writer")
        self._thread.start()

    def run(self, unit: Callable[[], Any]) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._units.put((unit, done))
        return done

    async def close(self) -> None:
        self._units.put(None)
        await asyncio.to_thread(self._thread.join)
        self.store.close()

    def _work(self) -> None:
        while (unit := self._units.get()) is not None:
            group = [unit]
            while not self._units.empty() and len(group) < GROUP:
                following = self._units.get()
                if following is None:
                    self._units.put(None)
                    break
                group.append(following)
            self.store.begin()
            results = [run() for run, _ in group]
            self.store.commit()
            self._loop.call_soon_threadsafe(_tell, group, results)


def _tell(group: Sequence[Unit], results: Sequence[Any]) -> None:
    for (_, done), result in zip(group, results, strict=True):
        if done is not None and not done.done():
            done.set_result(result)


class Floor:
    """One run; `open`, then `run` or the stages of `benchmarks.stages`, then `close`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.calls = count(1)
        self._open = AsyncExitStack()
        self._under_way = dict.fromkeys(DESTINATIONS, 0)
        self._moved = asyncio.Event()

    async def open(self) -> None:
        """Connect to everything."""
        self.source = await asyncio.to_thread(Source, self.job.urls["source"])
        self._open.push_async_callback(self.source.close)
        self.portals = {name: Portal(self.job.urls[name]) for name in DESTINATIONS}
        for portal in self.portals.values():
            self._open.push_async_callback(portal.close)
            await portal.log_in()
        self.writer = Writer(open_store(self.job.ledger))
        self._open.push_async_callback(self.writer.close)
        self.carrier: Carrier
        if self.job.bus == "embedded:":
            self.carrier = Memory()
        else:
            self.carrier = rabbit = await Rabbit.connect(self.job.bus, self.job.prefix)
            self._open.push_async_callback(rabbit.close)

    async def close(self) -> None:
        await self._open.aclose()

    async def run(self) -> None:
        """Everything from the first page to the last commit."""
        if isinstance(self.carrier, Rabbit):
            await self.carrier.consume()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            for name in DESTINATIONS:
                tasks.create_task(self._deliver(name))

    async def _read(self) -> None:
        pages = -(-self.job.dossiers // PAGE)
        ahead = asyncio.ensure_future(self.source.fetch(1))
        for number in range(1, pages + 1):
            body = await ahead
            if number < pages:
                ahead = asyncio.ensure_future(self.source.fetch(number + 1))
            page = await asyncio.to_thread(understood, number, body)
            while max(self._under_way.values()) + len(page.keys) > WINDOW:
                self._moved.clear()
                await self._moved.wait()
            tickets = await self.writer.run(settling(self.writer.store, page))
            for name, mine in tickets.items():
                self._under_way[name] += len(mine)
            await self.carrier.publish(tickets)

    async def _deliver(self, name: str) -> None:
        groups = asyncio.Semaphore(UNDER_WAY)
        left = self.job.dossiers
        async with asyncio.TaskGroup() as tasks:
            while left:
                await groups.acquire()
                taken = await self.carrier.take(name, LEASED)
                left -= len(taken)
                tasks.create_task(self._serve(name, taken)).add_done_callback(lambda _: groups.release())

    async def _serve(self, name: str, taken: Sequence[Taken]) -> None:
        calls = []
        for at in range(0, len(taken), BATCH):
            members = taken[at : at + BATCH]
            calls.append((next(self.calls), members, [render(ticket.body) for _, ticket in members]))
        claims = [(call, [ticket.id for _, ticket in members]) for call, members, _ in calls]
        store = self.writer.store
        await self.writer.run(lambda: store.claim(name, claims))
        await asyncio.gather(*(self._send(name, *call) for call in calls))

    async def _send(self, name: str, call: int, members: Sequence[Taken], payloads: Sequence[dict[str, Any]]) -> None:
        await self.portals[name].send(payloads)
        store, ids = self.writer.store, [ticket.id for _, ticket in members]
        await self.writer.run(lambda: store.finish(call, ids))
        self.carrier.ack(name, [tag for tag, _ in members])
        self._under_way[name] -= len(members)
        self._moved.set()


def understood(number: int, body: bytes) -> Page:
    """A page from its bytes to what is stored."""
    rows, _ = decode(body)
    return pack(number, body, *validate(rows))


def settling(store: Store, page: Page) -> Callable[[], dict[str, list[Ticket]]]:
    first = 1 + (page.number - 1) * PAGE
    return lambda: store.settle(page, range(first, first + len(page.keys)))


async def _whole(floor: Floor) -> dict[str, Any]:
    await floor.run()
    return {}


async def perform(job: Job, what: Callable[[Floor], Awaitable[dict[str, Any]]] = _whole) -> dict[str, Any]:
    """Do a job, the whole of it or what else is to be done; returns what it cost and what `what` tells."""
    floor = Floor(job)
    try:
        await floor.open()
        began = time.process_time()
        told = await what(floor)
    finally:
        await floor.close()
    return {**spent(began), **told}


def main(arguments: Sequence[str]) -> None:
    from benchmarks.stages import stages

    job = Job(**json.loads(Path(arguments[-1]).read_text()))
    have_the_process()  # the same interpreter, fitted in the same way
    print(json.dumps(asyncio.run(perform(job, stages if arguments[0] == "--stages" else _whole))))


if __name__ == "__main__":
    main(sys.argv[1:])
