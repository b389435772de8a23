"""One HTTP request with one deadline over all of it, and the truth about what became of it.

A portal has no idempotency key, so a call must end in exactly one of three ways:

    Answer    a whole HTTP answer came (what it means is for the portal's answer table)
    NotSent   the connection was refused, or failed, before a byte of the request had left: surely not taken
    Broken    something had been sent when the line broke or the deadline passed: taken or not, nobody knows

It speaks HTTP/1.1 itself (httptools parses, asyncio carries) rather than through httpx, for two measured reasons. A
portal that answers twice on a kept connection makes httpx 0.28 give every later request the answer of its predecessor,
so a refused record counts as taken; here a byte that nobody asked for ends the connection. And a call costs httpx 690
us of processor time (1,450 us with 16 at a time), this about 50. A second answer that arrives only after the next
request has left cannot be told from the right one in HTTP/1.1; hence the longest idle connection goes first, and a
portal that was caught at it gets a connection for each request until it has been clean for a minute.

Knows no portal, no record and no ledger. TLS is verified; the answer's size, header and body, is limited.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import httptools

from adapters.proxying import Proxy
from adapters.way import usual_context
from hub.answers import Answer, retry_after_s
from hub.kill_points import kill_point

log = logging.getLogger(__name__)
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
KEEP_IDLE_S = 3.0
"""A connection idle for longer is not used again: servers close theirs after five seconds and more, and a request that
crosses such a close is lost without a trace of whether it was read."""
KEEP_AT_MOST = 32
DOUBT_S = 60.0
"""A portal that said what nobody had asked for is asked each question on a connection of its own for so long."""
_FRAMED = (b"content-length", b"transfer-encoding")


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing of the request left: it was surely not taken."""

    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Something of the request left and no whole answer came back."""

    text: str


Outcome: TypeAlias = Answer | NotSent | Broken


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Headers as they travel, made once for many requests. Raises: ValueError for what HTTP cannot carry."""
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not re.fullmatch(r"[\x20-\x7e]*", value):
            raise ValueError(f"the header {name} cannot carry this value: printable ASCII only")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


class Caller:
    """Connections to one portal, kept open between calls; as many at a time as there are calls at a time."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_s: float = 5.0,
        ca_file: Path | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        accept: str | None = "application/json",
    ) -> None:
        """`url` is the base, http or https, with or without a path; `accept` is None where the headers of each request
        say it. `tls` goes before `ca_file`. Raises: ValueError, OSError for a bad `ca_file`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not a base address: {url!r}; write http://host or https://host/path")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = None
        if parts.scheme == "https":
            self._tls = tls or (usual_context() if ca_file is None else ssl.create_default_context(cafile=ca_file))
        self._proxy = None if proxy is None else Proxy(proxy)
        self._base = parts.path.rstrip("/")
        self._named = parts.netloc.rpartition("@")[2]
        self._common = f"Host: {self._named}\r\nAccept-Encoding: identity\r\n"
        if accept is not None:
            self._common += f"Accept: {accept}\r\n"
        if self._proxy is not None and self._tls is None:
            self._base = f"http://{self._named}{self._base}"
            self._common += self._proxy.headers
        self._connect_timeout_s = connect_timeout_s
        self._idle: deque[_Line] = deque()
        self._heads: dict[str, bytes] = {}
        self._doubted_until = 0.0

    async def post(self, path: str, headers: bytes, content: bytes, deadline_s: float) -> Outcome:
        """`request` of a POST to one of a few addresses, whose heads are made once."""
        head = self._heads.get(path)
        if head is None:
            head = self._heads[path] = self._head("POST", path)
        return await self._ask(head, headers, content, deadline_s)

    async def request(
        self, method: str, path: str, headers: bytes, content: bytes | None, deadline_s: float
    ) -> Outcome:
        """Send one request and await its answer; whatever happens, it ends by `deadline_s` and its socket with it.

        `headers` come from `header_lines` and must name the content type where there is content. Raises nothing for
        what a network does.
        """
        return await self._ask(self._head(method, path), headers, content, deadline_s)

    async def reach(self, deadline_s: float) -> NotSent | None:
        """Connect, send nothing; None where that is possible."""
        line: _Line | None = None
        try:
            async with asyncio.timeout(deadline_s):
                line = self._kept() or await self._connect()
        except (OSError, UnicodeError) as error:
            return NotSent(f"{self._named}: {_said(error)}")
        finally:
            if line is not None:
                self._keep(line)
        return None

    async def _ask(self, head: bytes, headers: bytes, content: bytes | None, deadline_s: float) -> Outcome:
        if deadline_s <= 0:
            return NotSent(f"{self._named}: the deadline had passed before the call")
        line: _Line | None = None
        try:
            async with asyncio.timeout(deadline_s):
                try:
                    line = self._kept() or await self._connect()
                except (OSError, UnicodeError) as error:
                    return NotSent(f"{self._named}: {_said(error)}")
                if content is None:
                    return await line.ask(b"%s%s\r\n" % (head, headers), b"")
                return await line.ask(b"%s%sContent-Length: %d\r\n\r\n" % (head, headers, len(content)), content)
        except TimeoutError:
            if line is None:
                return NotSent(f"{self._named}: no connection within the {deadline_s:g} s of the call")
            return Broken(f"{self._named}: no whole answer within the {deadline_s:g} s of the call")
        finally:
            if line is not None:
                self._keep(line)

    async def close(self) -> None:
        """End the connections that are not in use."""
        while self._idle:
            self._idle.popleft().end()

    def _head(self, method: str, path: str) -> bytes:
        return f"{method} {self._base}{path} HTTP/1.1\r\n{self._common}".encode("ascii")

    def _kept(self) -> _Line | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            line = self._idle.popleft()
            if line.usable and now - line.idle_since < KEEP_IDLE_S:
                return line
            line.end()
        return None

    def _keep(self, line: _Line) -> None:
        now = asyncio.get_running_loop().time()
        if line.usable and len(self._idle) < KEEP_AT_MOST and now >= self._doubted_until:
            line.idle_since = now
            self._idle.append(line)
        else:
            line.end()

    def _doubt(self) -> None:
        """A surplus answer was seen: on every kept connection another one may be on its way."""
        now = asyncio.get_running_loop().time()
        if now >= self._doubted_until:
            log.warning(
                "%s answers what nobody has asked: until that has not been seen for %g s, each request gets a "
                "connection of its own",
                self._named,
                DOUBT_S,
            )
        self._doubted_until = now + DOUBT_S
        while self._idle:
            self._idle.popleft().end()

    async def _connect(self) -> _Line:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._connect_timeout_s):
            if self._proxy is not None and self._tls is not None:
                return await self._proxy.tunnel(self._host, self._port, self._tls, lambda: _Line(self._doubt))
            if self._proxy is not None:
                return await self._proxy.connect(lambda: _Line(self._doubt))
            _, line = await loop.create_connection(lambda: _Line(self._doubt), self._host, self._port, ssl=self._tls)
        return line


class _Line(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self, doubt: Callable[[], None]) -> None:
        self._doubt = doubt
        self.usable = True
        """Whether another question may be asked: the last answer was whole, nothing surplus came, nobody closes."""
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer | Broken] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._body = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._received = 0
        self._headed = False

    async def ask(self, head: bytes, content: bytes) -> Outcome:
        """Write a request and await its answer; from the write on, something has been sent."""
        if self._transport is None or self._transport.is_closing():
            return NotSent("the portal ended the connection as soon as it was made")
        self._body, self._headers, self._received, self._headed = bytearray(), {}, 0, False
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self.usable = False
        kill_point("before-send")
        self._transport.write(head + content)
        kill_point("after-send")
        outcome = await self._answer
        kill_point("before-receipt")
        return outcome

    def end(self) -> None:
        """Close the socket at once."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    # --- what asyncio calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._answer is None or self._answer.done():
            self._surplus()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._finish(Broken(f"the answer is not HTTP: {error}"))
            self.end()
        if self._received > ANSWER_LIMIT_BYTES and not self._answer.done():
            self._too_large()

    def eof_received(self) -> None:
        self.usable = False

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        if self._answer is None or self._answer.done():
            return
        if self._headed and error is None and not any(name in self._headers for name in _FRAMED):
            self._finish(self._whole())  # neither length nor chunks: the end of the line is the end of the answer
        else:
            how = "in the middle of its answer" if self._received else "without an answer"
            self._finish(Broken(f"the portal ended the connection {how}" + (f": {_said(error)}" if error else "")))

    # --- what httptools calls ---

    def on_message_begin(self) -> None:
        if self._answer is not None and self._answer.done():
            self._surplus()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._body += body

    def on_message_complete(self) -> None:
        if self._parser is None or self._answer is None or self._answer.done():
            return
        if self._parser.get_status_code() < 200:  # "continue" and its kind announce the answer
            self._headers, self._headed = {}, False
            return
        self.usable = self._parser.should_keep_alive()
        self._finish(self._whole())

    # --- the end of a question ---

    def _whole(self, problem: str = "") -> Answer:
        assert self._parser is not None
        wait_s = None
        if (header := self._headers.get(b"retry-after")) is not None:
            wait_s = retry_after_s(header.decode("latin-1"), datetime.now(UTC))
        charset = None
        if b"charset=" in (kind := self._headers.get(b"content-type", b"").lower()):
            charset = kind.partition(b"charset=")[2].partition(b";")[0].strip(b" \"'").decode("latin-1")
        return Answer(self._parser.get_status_code(), bytes(self._body), charset, wait_s, problem)

    def _too_large(self) -> None:
        self._body.clear()
        said = f"the answer is larger than {ANSWER_LIMIT_BYTES} bytes"
        self._finish(self._whole(said) if self._headed else Broken(said))
        self.end()

    def _surplus(self) -> None:
        """An answer that nobody asked for: whatever follows on this line would be one behind."""
        self.end()
        self._doubt()

    def _finish(self, outcome: Answer | Broken) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(outcome)


def _said(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    return str(error) or type(error).__name__
