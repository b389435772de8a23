"""The systems around the line that is measured, as light as can be: a SOAP source and two portals, each a process.

    python -m benchmarks.twins source PAGES.json TALLY        python -m benchmarks.twins portal TALLY

Each prints one JSON line with its address and serves until SIGTERM, or until its standard input ends. A tally is a
small file in memory that the driver reads while a run goes on, so that looking costs the twin nothing. Pages are bytes
that were rendered before; a portal counts the records of a request, notes their numbers, and answers as the national
portal does when it took all of them. Imports nothing of the hub, so that no change of it changes what surrounds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import mmap
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dossiers import NAMESPACE, Pages, empty_page

_FACTS = struct.Struct("6q")
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")
_PAGE = re.compile(rb"trang>(\d+)<")
_NUMBER = re.compile(rb'"MaHoSo":"([^"]+)"')
_OK = json.dumps({"error_code": "00", "message": "Thành công"}, ensure_ascii=False).encode()
_SESSION = json.dumps({"session": "phien-do-luong", "error_code": "00"}).encode()
_WSDL = (
    """<?xml version="1.0" encoding="utf-8"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:t="{ns}" targetNamespace="{ns}">
<w:types><s:schema elementFormDefault="qualified" targetNamespace="{ns}">
<s:element name="LayDanhSachHoSo"><s:complexType><s:sequence>
<s:element minOccurs="0" name="tuNgay" type="s:string"/>
<s:element name="trang" type="s:int"/><s:element name="kichThuoc" type="s:int"/>
</s:sequence></s:complexType></s:element>
<s:element name="LayDanhSachHoSoResponse"><s:complexType><s:sequence>
<s:element minOccurs="0" name="LayDanhSachHoSoResult" type="s:string"/></s:sequence></s:complexType></s:element>
</s:schema></w:types>
<w:message name="in"><w:part name="parameters" element="t:LayDanhSachHoSo"/></w:message>
<w:message name="out"><w:part name="parameters" element="t:LayDanhSachHoSoResponse"/></w:message>
<w:portType name="MotCuaSoap"><w:operation name="LayDanhSachHoSo"><w:input message="t:in"/><w:output message="t:out"/>
</w:operation></w:portType>
<w:binding name="MotCuaSoap" type="t:MotCuaSoap"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<w:operation name="LayDanhSachHoSo"><soap:operation soapAction="{ns}/LayDanhSachHoSo" style="document"/>
<w:input><soap:body use="literal"/></w:input><w:output><soap:body use="literal"/></w:output></w:operation></w:binding>
<w:service name="MotCua"><w:port name="MotCuaSoap" binding="t:MotCuaSoap"><soap:address location="{url}"/></w:port>
</w:service></w:definitions>"""
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """What a twin has seen: records, how many of them for the first time, requests, times of the first and the last.

    Times are nanoseconds of the machine's monotonic clock, the same for every process; 0 before the first.
    """

    records: int
    distinct: int
    requests: int
    first_ns: int
    last_ns: int


class Tally:
    """A twin's counts in a file that both sides map."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_FACTS.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _FACTS.size)
        self._records = self._distinct = self._requests = self._first_ns = 0

    def add(self, records: int, distinct: int) -> None:
        now = time.monotonic_ns()
        self._records += records
        self._distinct += distinct
        self._requests += 1
        self._first_ns = self._first_ns or now
        _FACTS.pack_into(self._memory, 0, self._records, self._distinct, self._requests, self._first_ns, now, 0)

    def read(self) -> Counted:
        return Counted(*_FACTS.unpack_from(self._memory)[:5])


Answer = Callable[[bytes, bytes], "tuple[bytes, bytes]"]
"""From the head and the body of a request to the media type and the body of its answer."""


class _Line(asyncio.Protocol):
    """One connection: whole requests in, answers out, HTTP/1.1 kept alive."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._held = bytearray()
        self._wanted = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= max(self._wanted, 1):
            if not self._wanted:
                at = self._held.find(b"\r\n\r\n")
                if at < 0:
                    return
                found = _LENGTH.search(self._held, 0, at)
                self._head_size = at + 4
                self._wanted = at + 4 + (int(found[1]) if found else 0)
                continue
            head, body = bytes(self._held[: self._head_size]), bytes(self._held[self._head_size : self._wanted])
            del self._held[: self._wanted]
            self._wanted = 0
            media, answer = self._answer(head, body)
            if self._transport is not None:
                self._transport.writelines(
                    (
                        b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (media, len(answer)),
                        answer,
                    )
                )


def source(pages: Pages, tally: Tally, address: Callable[[], str]) -> Answer:
    """A one-stop shop: every page once; whoever asks for what changed since is told that nothing has."""
    with Path(pages.file).open("rb") as file:
        held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    empty = empty_page()

    def answer(head: bytes, body: bytes) -> tuple[bytes, bytes]:
        if head.startswith(b"GET"):
            return b"text/xml", _WSDL.format(ns=NAMESPACE, url=address()).encode()
        number = _PAGE.search(body)
        if number is None or b"tuNgay>" in body:
            return b"text/xml; charset=utf-8", empty
        at = int(number[1]) - 1
        tally.add(1, 1)
        return b"text/xml; charset=utf-8", held[pages.ends[at - 1] if at else 0 : pages.ends[at]]

    return answer


def portal(tally: Tally) -> Answer:
    """A portal that takes every batch whole."""
    seen: set[bytes] = set()

    def answer(head: bytes, body: bytes) -> tuple[bytes, bytes]:
        if b"/login " in head:
            return b"application/json", _SESSION
        numbers = _NUMBER.findall(body)
        before = len(seen)
        seen.update(numbers)
        tally.add(len(numbers), len(seen) - before)
        return b"application/json", _OK

    return answer


async def _serve(what: str, arguments: list[str]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    url = ""
    tally = Tally(Path(arguments[-1]))
    answer = source(Pages.load(Path(arguments[0])), tally, lambda: url) if what == "source" else portal(tally)
    server = await loop.create_server(lambda: _Line(answer), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(json.dumps({"url": url}), flush=True)
    # Whoever started it holds the other end of standard input: when they are gone, so is this.
    loop.add_reader(sys.stdin.fileno(), stop.set)
    await stop.wait()
    server.close()


class Twins:
    """One source and two portals of one run; a context manager that ends them."""

    def __init__(self, pages: Pages, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pages = pages
        described = pages.saved()
        self.tallies = {name: Tally(folder / f"{name}.tally") for name in ("source", "national", "provincial")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.urls: dict[str, str] = {}
        for name in self.tallies:
            given = ["source", str(described)] if name == "source" else ["portal"]
            command = [sys.executable, "-m", "benchmarks.twins", *given, str(folder / f"{name}.tally")]
            self._processes[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name, process in self._processes.items():
            assert process.stdout is not None
            self.urls[name] = json.loads(process.stdout.readline())["url"]

    def __enter__(self) -> Twins:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait(10)

    @property
    def pids(self) -> frozenset[int]:
        return frozenset(process.pid for process in self._processes.values())

    @property
    def cpu_s(self) -> float:
        """Processor seconds that the three have spent."""
        total = 0
        for process in self._processes.values():
            with contextlib.suppress(OSError):
                total += int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0])
        return total / 1e9

    def portals(self) -> list[Counted]:
        return [self.tallies["national"].read(), self.tallies["provincial"].read()]

    def delivered(self) -> int:
        """Dossiers that both portals have."""
        return min(counted.distinct for counted in self.portals())

    @property
    def wall_s(self) -> float:
        """From the first page asked for to the last record received, the same way for whatever program runs between."""
        return (max(counted.last_ns for counted in self.portals()) - self.tallies["source"].read().first_ns) / 1e9

    def missing(self) -> str:
        """What a run lost or sent twice, in words; empty where every portal has every dossier once."""
        for name in ("national", "provincial"):
            counted = self.tallies[name].read()
            if (counted.records, counted.distinct) != (self.pages.dossiers, self.pages.dossiers):
                return f"{name} got {counted.records} records, {counted.distinct} distinct, of {self.pages.dossiers}"
        return ""


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2:]))
