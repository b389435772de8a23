from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import calling
from adapters.calling import Broken, Caller, NotSent, header_lines
from hub.answers import Answer

PLAIN = header_lines({"Content-Type": "application/json"})


@dataclass
class Peer:
    """A server that answers by a script: called with the number of the request and its body."""

    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


Script: TypeAlias = Callable[[Peer, bytes, asyncio.StreamWriter], Awaitable[bool]]
"""Answers one request; false ends the connection."""


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Peer]:
    peer = Peer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                peer.requests.append(head + body)
                if not await script(peer, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            peer.ended.set()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        await server.wait_closed()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        for _ in iter(holds, True):
            await asyncio.sleep(0)


def answering(*raw: bytes, stay: bool = True) -> Script:
    """Write the parts one after another, in turns of the loop of their own."""

    async def script(peer: Peer, body: bytes, writer: asyncio.StreamWriter) -> bool:
        for part in raw:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        return stay

    return script


def ask(script: Script, *, times: int = 1, deadline_s: float = 5.0) -> tuple[list[object], Peer]:
    async def main() -> tuple[list[object], Peer]:
        async with serving(script) as peer:
            caller = Caller(peer.url)
            outcomes: list[object] = [
                await caller.post("/login", PLAIN, b"%d" % number, deadline_s) for number in range(times)
            ]
            await caller.close()
            return outcomes, peer

    return asyncio.run(main())


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "stay"),
    [
        ([whole(b"{}")], True),
        ([CHUNKED], True),
        ([bytes([byte]) for byte in whole(b"{}")], True),
        ([b"HTTP/1.1 200 OK\r\n\r\n{}"], False),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", whole(b"{}")], True),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"], False),
    ],
    ids=["length", "chunks", "byte by byte", "until the end", "continue", "http 1.0"],
)
def test_a_whole_answer_is_an_answer(raw: list[bytes], stay: bool) -> None:
    [outcome], peer = ask(answering(*raw, stay=stay))
    assert isinstance(outcome, Answer)
    assert (outcome.status, outcome.content, outcome.problem) == (200, b"{}", "")
    assert peer.requests[0].startswith(b"POST /login HTTP/1.1\r\n")
    assert b"Content-Type: application/json\r\n" in peer.requests[0]


def test_a_connection_is_kept_and_used_again() -> None:
    outcomes, peer = ask(answering(whole(b"{}")), times=5)
    assert all(isinstance(o, Answer) for o in outcomes)
    assert peer.connections == 1


def test_a_connection_that_the_portal_ends_is_not_used_again() -> None:
    outcomes, peer = ask(answering(whole(b"{}", "Connection: close")), times=3)
    assert all(isinstance(o, Answer) for o in outcomes)
    assert peer.connections == 3


def test_a_connection_that_was_idle_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "KEEP_IDLE_S", 0.0)
    _, peer = ask(answering(whole(b"{}")), times=3)
    assert peer.connections == 3


@pytest.mark.parametrize("together", [True, False], ids=["in one write", "in two"])
def test_an_answer_that_comes_twice_is_not_taken_for_that_of_the_next_request(together: bool) -> None:
    async def script(peer: Peer, body: bytes, writer: asyncio.StreamWriter) -> bool:
        once = whole(b'{"for": %s}' % body)
        for part in [once * 2] if together else [once, once]:
            writer.write(part)
        return True

    async def main() -> list[object]:
        async with serving(script) as peer:
            caller = Caller(peer.url)
            said: list[object] = []
            for number in range(6):
                outcome = await caller.post("/", PLAIN, b"%d" % number, 5)
                assert isinstance(outcome, Answer)
                said.append(outcome.body["for"])
                # the second copy is on its way, and ends the connection
                await until(lambda: not any(line.usable for line in caller._idle))
            await caller.close()
            return said

    assert asyncio.run(main()) == list(range(6))


def test_a_portal_that_answered_twice_gets_a_connection_for_each_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(peer: Peer, body: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(whole(b"{}") * (2 if body == b"1" else 1))
        return True

    async def main() -> list[int]:
        async with serving(script) as peer:
            caller = Caller(peer.url)
            connections = []
            for number in range(5):
                assert isinstance(await caller.post("/", PLAIN, b"%d" % number, 5), Answer)
                connections.append(peer.connections)
            monkeypatch.setattr(caller, "_doubted_until", 0.0)
            for number in range(5, 8):
                assert isinstance(await caller.post("/", PLAIN, b"%d" % number, 5), Answer)
                connections.append(peer.connections)
            await caller.close()
            return connections

    assert asyncio.run(main()) == [1, 1, 2, 3, 4, 5, 5, 5]
    assert [record.levelname for record in caplog.records if record.name == "adapters.calling"] == ["WARNING"]


def test_a_refused_connection_was_not_sent() -> None:
    async def main() -> object:
        async with serving(answering(whole(b"{}"))) as peer:
            url = peer.url
        caller = Caller(url)
        return await caller.post("/", PLAIN, b"", 5)

    outcome = asyncio.run(main())
    assert isinstance(outcome, NotSent)
    assert "refused" in outcome.text


@pytest.mark.parametrize("url", ["http://khong-co.invalid", "http://a..b", "https://127.0.0.1:9"])
def test_an_address_where_nobody_is_was_not_sent(url: str) -> None:
    assert isinstance(asyncio.run(Caller(url, connect_timeout_s=3).post("/", PLAIN, b"", 5)), NotSent)


def test_tls_with_somebody_who_speaks_none_was_not_sent() -> None:
    async def main() -> object:
        async with serving(answering(whole(b"{}"))) as peer:
            return await Caller(peer.url.replace("http:", "https:"), connect_timeout_s=3).post("/", PLAIN, b"", 5)

    assert isinstance(asyncio.run(main()), NotSent)


def test_no_time_left_was_not_sent() -> None:
    [outcome], peer = ask(answering(whole(b"{}")), deadline_s=0)
    assert isinstance(outcome, NotSent)
    assert peer.requests == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"\x16\x03\x01 no HTTP at all",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    ],
    ids=["nothing", "half a head", "short of its length", "half a chunk", "not HTTP", "upgrade", "two lengths"],
)
def test_what_breaks_off_after_the_request_left_is_unknown(raw: bytes) -> None:
    [outcome], peer = ask(answering(raw, stay=False))
    assert isinstance(outcome, Broken)
    assert len(peer.requests) == 1


def test_r7_a_dripping_answer_ends_with_the_deadline_and_its_socket_too() -> None:
    async def drip(peer: Peer, body: bytes, writer: asyncio.StreamWriter) -> bool:
        for byte in whole(b"x" * 10_000):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.005)
        return True

    async def main() -> None:
        async with serving(drip) as peer:
            began = asyncio.get_running_loop().time()
            outcome = await Caller(peer.url).post("/", PLAIN, b"", 0.2)
            assert asyncio.get_running_loop().time() - began < 30
            assert isinstance(outcome, Broken)
            async with asyncio.timeout(60):
                await peer.ended.wait()

    asyncio.run(main())


def test_r7_a_cancelled_call_closes_its_socket() -> None:
    async def hang(peer: Peer, body: bytes, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0)
        return True

    async def main() -> None:
        async with serving(hang) as peer:
            call = asyncio.create_task(Caller(peer.url).post("/", PLAIN, b"", 60))
            await until(lambda: bool(peer.requests))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            async with asyncio.timeout(60):
                await peer.ended.wait()

    asyncio.run(main())


def test_an_answer_that_is_too_large_is_cut_off_and_classified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "ANSWER_LIMIT_BYTES", 10_000)
    [outcome], _ = ask(answering(whole(b"x" * 1_000_000), stay=False))
    assert isinstance(outcome, Answer)
    assert (outcome.status, outcome.content) == (200, b"")
    assert "larger than 10000 bytes" in outcome.problem
    [outcome], _ = ask(answering(b"HTTP/1.1 200 OK\r\n" + b"X-Long: y\r\n" * 10_000, stay=False))
    assert isinstance(outcome, Broken)


def test_what_the_headers_say_is_kept() -> None:
    raw = whole(b"", "RETRY-AFTER: 7", 'Content-Type: application/json; Charset="UTF-16"; q=1', status="429 Too Many")
    [outcome], _ = ask(answering(raw))
    assert isinstance(outcome, Answer)
    assert (outcome.status, outcome.retry_after_s, outcome.charset) == (429, 7.0, "utf-16")


def test_the_base_path_and_the_host_are_kept() -> None:
    async def main() -> bytes:
        async with serving(answering(whole(b"{}"))) as peer:
            caller = Caller(peer.url + "/congdvc/")
            await caller.post("/login", PLAIN, b"", 5)
            await caller.close()
            return peer.requests[0]

    request = asyncio.run(main())
    assert request.startswith(b"POST /congdvc/login HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "mã", "\x00"])
def test_a_header_that_would_break_the_request_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="dstcode"):
        header_lines({"dstcode": value})


@pytest.mark.parametrize("url", ["ftp://x", "http://", "/login", "http://x?a=1", "http://x#a"])
def test_what_is_no_base_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base address"):
        Caller(url)


@given(parts=st.lists(st.binary(min_size=1, max_size=40) | st.sampled_from([whole(b"{}"), CHUNKED]), max_size=6))
def test_no_bytes_of_a_portal_make_a_line_raise_or_hang(parts: list[bytes]) -> None:
    class Wire(asyncio.Transport):
        closing = False

        def write(self, data: bytes | bytearray | memoryview) -> None:
            pass

        def is_closing(self) -> bool:
            return self.closing

        def abort(self) -> None:
            self.closing = True

    async def main() -> None:
        line = calling._Line(lambda: None)
        line.connection_made(Wire())
        asked = asyncio.create_task(line.ask(b"", b""))
        await asyncio.sleep(0)
        for part in parts:
            line.data_received(part)
        line.connection_lost(None)
        outcome = await asked
        assert isinstance(outcome, Answer | Broken)
        assert not line.usable

    asyncio.run(main())
