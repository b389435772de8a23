"""A mail server for tests: real SMTP on loopback, which keeps what it takes and can be told to misbehave."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Of 127.0.0.1, signed by itself: its own authority."""

GREETING = b"220 loopback ESMTP"


@dataclass
class MailServer:
    """`taken` holds the mails; `trouble` is what it does next, until it is told otherwise.

    Troubles: `refuse` (450 to the recipient), `no-such` (550 to the recipient), `hang` (says nothing), `drip` (a byte
    of its greeting now and then, for ever), `drop` (hangs up after the mail, before it says that it took it),
    `drop-early` (hangs up at the greeting).
    """

    tls: str = "none"
    login: tuple[str, str] | None = None
    trouble: str = ""
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, str, bool]] = field(default_factory=list)
    """From, to, and whether the connection was encrypted then."""
    logins: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _conversations: set[asyncio.Task[None]] = field(default_factory=set)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The `mail` section of a configuration that sends here."""
        made = {
            "host": "127.0.0.1",
            "port": self.port,
            "tls": self.tls,
            "sender": "hub@tinh.example.vn",
            "timeout_s": 5,
        }
        if self.tls != "none":
            made["ca_file"] = str(CERTIFICATE)
        if self.login is not None:
            made["username"], made["password"] = self.login
        return made | more

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        context = self._context() if self.tls == "tls" else None
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    @staticmethod
    def _context() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        return context

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        conversation = asyncio.current_task()
        assert conversation is not None
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)
        try:
            await _Conversation(self, reader, writer, self.tls == "tls").hold()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


class _Conversation:
    """One connection, from the greeting to the end."""

    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, encrypted: bool
    ) -> None:
        self.server, self.reader, self.writer, self.encrypted = server, reader, writer, encrypted
        self.sender = self.recipient = ""
        self.known = server.login is None

    async def say(self, text: str) -> None:
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()

    async def hold(self) -> None:
        if self.server.trouble == "drop-early":
            return
        if self.server.trouble == "hang":
            await asyncio.Event().wait()
        if self.server.trouble == "drip":
            while True:
                self.writer.write(GREETING[:1] or b"2")
                await self.writer.drain()
                await asyncio.sleep(0.05)
        await self.say(GREETING.decode())
        while True:
            line = (await self.reader.readuntil(b"\r\n")).decode().strip()
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                await self.say("221 bye")
                return
            if not await self.answer(verb.upper(), rest):
                return

    async def answer(self, verb: str, rest: str) -> bool:
        """False hangs up."""
        if verb == "EHLO":
            await self.ehlo()
        elif verb == "STARTTLS" and self.server.tls == "starttls" and not self.encrypted:
            await self.say("220 go ahead")
            await self.writer.start_tls(self.server._context())
            self.encrypted = True
        elif verb == "AUTH":
            await self.auth(rest)
        elif verb == "MAIL":
            self.sender = rest.partition("<")[2].partition(">")[0]
            await self.say("250 ok" if self.known else "530 log in first")
        elif verb == "RCPT":
            self.recipient = rest.partition("<")[2].partition(">")[0]
            refused = {"refuse": "450 too busy", "no-such": "550 no such user here"}
            await self.say(refused.get(self.server.trouble, "250 ok"))
        elif verb == "DATA":
            return await self.data()
        elif verb in ("RSET", "NOOP"):
            await self.say("250 ok")
        else:
            await self.say("502 what?")
        return True

    async def ehlo(self) -> None:
        offered = ["loopback", "8BITMIME"]
        if self.server.tls == "starttls" and not self.encrypted:
            offered.append("STARTTLS")
        elif self.server.login is not None:
            offered.append("AUTH PLAIN")
        for word in offered[:-1]:
            await self.say(f"250-{word}")
        await self.say(f"250 {offered[-1]}")

    async def auth(self, rest: str) -> None:
        way, _, given = rest.partition(" ")
        assert way == "PLAIN", way
        _, name, password = base64.b64decode(given).decode().split("\0")
        self.server.logins.append((name, password))
        self.known = (name, password) == self.server.login
        await self.say("235 welcome" if self.known else "535 wrong name or password")

    async def data(self) -> bool:
        await self.say("354 go on")
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        body = raw[:-3].replace(b"\r\n..", b"\r\n.")
        taken = message_from_bytes(body, policy=default)
        assert isinstance(taken, EmailMessage)
        self.server.envelopes.append((self.sender, self.recipient, self.encrypted))
        self.server.taken.append(taken)
        if self.server.trouble == "drop":
            return False
        await self.say("250 taken")
        return True


@contextmanager
def mail_server(**settings: Any) -> Iterator[MailServer]:
    """A running server on a thread of its own, for the length of a `with`."""
    server = MailServer(**settings)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve(ready, stop))

    thread = threading.Thread(target=serve, name="mail server", daemon=True)
    thread.start()
    assert ready.wait(10), "the mail server did not start"
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
