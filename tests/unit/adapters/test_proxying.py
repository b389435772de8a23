"""A portal behind a proxy: plain HTTP by whole addresses, TLS through a tunnel; before that stands nothing is sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.calling import Caller, NotSent, Outcome
from adapters.proxying import Proxy
from hub.answers import Answer
from tests.support.http_twin import CERTIFICATE, Asked, Told, http_twin

Serve = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def proxy(serve: Serve) -> AsyncIterator[str]:
    """Something that listens like a proxy; `serve` gets the head of each connection's first request."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(await reader.readuntil(b"\r\n\r\n"), reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def tunnel(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    host, _, port = head.split(b" ")[1].decode().partition(":")
    there, back = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\nVia: thu\r\n\r\n")

    async def carry(a: asyncio.StreamReader, b: asyncio.StreamWriter) -> None:
        try:
            while data := await a.read(65536):
                b.write(data)
        finally:
            b.close()

    await asyncio.gather(carry(reader, back), carry(there, writer), return_exceptions=True)


def ask(url: str, serve: Serve, user: str = "") -> Outcome:
    async def main() -> Outcome:
        async with proxy(serve) as place:
            tls = ssl.create_default_context(cafile=CERTIFICATE)
            caller = Caller(url, tls=tls, proxy=f"http://{user}{place}")
            try:
                return await caller.request("PUT", "/a?b=1", b"X-A: 1\r\n", b"body", 10.0)
            finally:
                await caller.close()

    return asyncio.run(main())


def test_tls_goes_through_a_tunnel_to_the_portal_itself() -> None:
    heads: list[bytes] = []

    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        await tunnel(head, reader, writer)

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)
    with http_twin(lambda asked: Told(b"OK"), tls) as twin:
        outcome = ask(f"{twin.url}/api", serve, "hub:b%C3%AD%20m%E1%BA%ADt@")
    assert isinstance(outcome, Answer)
    assert (outcome.status, outcome.content) == (200, b"OK")
    assert [(one.method, one.target, one.body) for one in twin.asked] == [("PUT", "/api/a?b=1", b"body")]
    assert "proxy-authorization" not in twin.asked[0].headers
    assert b"\r\nProxy-Authorization: Basic aHViOmLDrSBt4bqtdA==\r\n" in heads[0]


def test_plain_http_is_asked_for_by_its_whole_address() -> None:
    def answer(asked: Asked) -> Told:
        return Told(asked.target.encode())

    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = head.split(b" ")[1]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))
        await writer.drain()

    outcome = ask("http://portal.example.vn:8080/api", serve)
    assert isinstance(outcome, Answer)
    assert outcome.content == b"http://portal.example.vn:8080/api/a?b=1"


@pytest.mark.parametrize("said", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"SSH-2.0\r\n\r\n", b""])
def test_a_proxy_that_opens_no_way_sent_nothing(said: bytes) -> None:
    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    outcome = ask("https://portal.example.vn", serve)
    assert isinstance(outcome, NotSent)
    assert "did not open the way" in outcome.text
    if said.startswith(b"HTTP"):
        assert "407 Proxy Authentication Required" in outcome.text


def test_a_certificate_that_nobody_vouches_for_behind_the_tunnel_sent_nothing() -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)

    async def main(url: str) -> Outcome:
        async with proxy(tunnel) as place:
            return await Caller(url, proxy=f"http://{place}").request("GET", "/", b"", None, 10.0)

    with http_twin(lambda asked: Told(b"OK"), tls) as twin:
        outcome = asyncio.run(main(twin.url))
        assert isinstance(outcome, NotSent)
        assert twin.asked == []


def test_a_proxy_that_is_not_there_sent_nothing() -> None:
    async def main() -> Outcome:
        return await Caller("https://127.0.0.1:9", proxy="http://127.0.0.1:9").request("GET", "/", b"", None, 5.0)

    outcome = asyncio.run(main())
    assert isinstance(outcome, NotSent)
    assert "the proxy 127.0.0.1:9 cannot be reached" in outcome.text


@pytest.mark.parametrize("url", ["https://p:1", "socks5://p:1", "p:1"])
def test_what_is_no_proxy_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:port"):
        Proxy(url)
