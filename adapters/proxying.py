"""An HTTP proxy between the hub and a portal: absolute addresses for plain HTTP, a tunnel (CONNECT) for TLS.

RFC 9110, 9.3.6 and RFC 9112, 3.2.2. Whatever goes wrong before the tunnel stands is an OSError: nothing was sent to
the portal. Knows no request and no answer of a portal.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote, urlsplit

LONGEST_HEAD_BYTES = 64 * 1024

_Made = TypeVar("_Made", bound=asyncio.Protocol)


class Proxy:
    """One proxy, `http://[user:password@]host:port`."""

    def __init__(self, url: str) -> None:
        """Raises: ValueError for what is no such address."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a proxy is named as http://host:port; to the proxy itself no TLS is spoken")
        self.host, self.port = parts.hostname, parts.port or 80
        self.named = f"{self.host}:{self.port}"
        self.headers = ""
        """Header lines that it wants of each request that it reads itself."""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.headers = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"

    async def connect(self, made: Callable[[], _Made]) -> _Made:
        """A connection to the proxy itself, over which plain HTTP is asked for by whole addresses. Raises: OSError."""
        try:
            _, protocol = await asyncio.get_running_loop().create_connection(made, self.host, self.port)
        except OSError as error:
            raise OSError(f"the proxy {self.named} cannot be reached: {error}") from error
        return protocol

    async def tunnel(self, host: str, port: int, tls: ssl.SSLContext, made: Callable[[], _Made]) -> _Made:
        """A connection through the proxy to `host`, with TLS up to there. Raises: OSError."""
        opening = await self.connect(_Opening)
        try:
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            await opening.ask(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{self.headers}\r\n", self.named)
            protocol = made()
            transport = await asyncio.get_running_loop().start_tls(
                opening.transport, protocol, tls, server_hostname=host
            )
            if transport is None:
                raise OSError(f"the proxy {self.named} ended the connection")
            protocol.connection_made(transport)
        except BaseException:
            opening.transport.abort()
            raise
        return protocol


class _Opening(asyncio.Protocol):
    """The words before a tunnel stands."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._read = bytearray()
        self._head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def ask(self, words: str, proxy: str) -> None:
        """Raises: OSError where the proxy does not open the way."""
        self.transport.write(words.encode("ascii"))
        head = await self._head
        line = head.partition(b"\r\n")[0].decode("latin-1")
        status = line.split(" ")[1:2]
        if not line.startswith("HTTP/1.") or not status or not status[0].startswith("2"):
            shown = "".join(c if c.isprintable() else "?" for c in line[:100]) or "nothing"
            raise OSError(f"the proxy {proxy} did not open the way: it answered {shown}")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self._head.done() and (b"\r\n\r\n" in self._read or len(self._read) > LONGEST_HEAD_BYTES):
            self._head.set_result(bytes(self._read))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._head.done():
            self._head.set_result(b"")
