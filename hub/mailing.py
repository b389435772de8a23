"""Gives one mail to the server, by SMTP: composed from plain values, sent within a total deadline.

smtplib's own timeout is one for each read, so that a server that drips would hold a mail for ever; here the connection
is cut from outside when the time is over. Knows no ledger.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
import smtplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hub.sections import MAIL_ADDRESS, MailSection
from schemas.errors import EdgeFault
from schemas.local_time import LOCAL

_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


class NotToldError(EdgeFault):
    """A message that did not go; perhaps it did where the server's last word was lost."""


def compose(
    mail: MailSection, to: str, about: str, content: Mapping[str, Any], at: datetime, *, origin: str
) -> EmailMessage:
    """Make a mail. Its Message-ID follows from `origin` (the ledger) and `about`: a repeat is recognisable.

    Raises: NotToldError for an address that could break out of its header, and for an attachment that cannot be read.
    """
    if not MAIL_ADDRESS.fullmatch(to):
        raise NotToldError(f"{to!r} is no mail address; write name@host, without a display name")
    made = EmailMessage()
    made["Subject"] = _BREAKS.sub(" ", str(content["subject"])).strip()
    made["From"] = mail.sender
    made["To"] = to
    made["Date"] = format_datetime(at.astimezone(LOCAL))
    named = blake2b(f"{origin}\n{about}".encode(), digest_size=16).hexdigest()
    made["Message-ID"] = f"<{named}@{mail.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(str(content["text"]).replace("\0", ""), cte="quoted-printable")
    for name in content.get("attachments", ()):
        path = Path(name)
        media, _ = mimetypes.guess_type(path.name)
        main, _, sub = (media or "application/octet-stream").partition("/")
        try:
            body = path.read_bytes()
        except OSError as error:
            raise NotToldError(f"the attachment {path} cannot be read: {error.strerror}") from error
        # What the hub writes is UTF-8; a reader that is not told takes it for something else.
        charset = {"charset": "utf-8"} if main == "text" else None
        made.add_attachment(body, maintype=main, subtype=sub, filename=_BREAKS.sub(" ", path.name), params=charset)
    return made


@dataclass(slots=True)
class _Wire:
    """The connection as it can be cut from another thread, whatever has been wrapped around it meanwhile."""

    over: bool = False
    hold: list[socket.socket] = field(default_factory=list)

    def take(self, connection: socket.socket) -> None:
        self.hold.append(connection.dup())
        if self.over:
            self.cut()

    def cut(self) -> None:
        self.over = True
        for connection in self.hold:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for connection in self.hold:
            connection.close()


async def send_mail(mail: MailSection, message: EmailMessage, threads: Executor | None = None) -> None:
    """Give one mail to the server, within `mail.timeout_s` in all. Raises: NotToldError.

    Looking up a name cannot be cut off: a thread of `threads` (None: those that everything else shares) may be held for
    longer.
    """
    wire = _Wire()
    sending = asyncio.get_running_loop().run_in_executor(threads, _send, mail, message, wire)
    try:
        await asyncio.wait({sending}, timeout=mail.timeout_s)
    except asyncio.CancelledError:
        wire.cut()
        sending.add_done_callback(_forget)
        raise
    if not sending.done():
        wire.cut()
        sending.add_done_callback(_forget)
        raise NotToldError(f"{_where(mail)}: no end of it within {mail.timeout_s:g} s", down=True)
    await sending


def _forget(sending: asyncio.Future[None]) -> None:
    """What a connection that was cut has to say is of no interest."""
    if not sending.cancelled():
        sending.exception()


def _where(mail: MailSection) -> str:
    return f"mail server {mail.host}:{mail.port}"


def _send(mail: MailSection, message: EmailMessage, wire: _Wire) -> None:
    """Blocks. Raises: NotToldError."""
    try:
        with closing(_connect(mail, wire)) as server:
            if mail.username is not None and mail.password is not None:
                _log_in(server, mail.username, mail.password.get_secret_value())
            server.send_message(message)
            with suppress(smtplib.SMTPException, OSError):
                # The mail was taken; what the server says to a good-bye is not waited for.
                server.putcmd("QUIT")
    except smtplib.SMTPResponseException as error:
        raise NotToldError(f"{_where(mail)}: {error.smtp_code} {_plain(error.smtp_error)}") from error
    except smtplib.SMTPRecipientsRefused as error:
        [(address, (code, refusal))] = error.recipients.items()
        raise NotToldError(f"{_where(mail)}: {code} {_plain(refusal)} ({address})") from error
    except ssl.SSLError as error:
        said = getattr(error, "verify_message", "") or error.reason or str(error)
        raise NotToldError(f"{_where(mail)}: TLS: {said}; see mail.tls and mail.ca_file", down=True) from error
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise NotToldError(f"{_where(mail)}: {error or type(error).__name__}", down=True) from error
    finally:
        wire.close()


def _plain(said: bytes | str) -> str:
    """A server's words on one line."""
    return _BREAKS.sub(" ", said.decode("utf-8", "replace") if isinstance(said, bytes) else said)


def _connect(mail: MailSection, wire: _Wire) -> smtplib.SMTP:
    server = smtplib.SMTP(local_hostname=socket.gethostname() or "localhost", timeout=mail.timeout_s)
    connection = socket.create_connection((mail.host, mail.port), timeout=mail.timeout_s)
    try:
        # From here on the connection is cut when the time is over; a single read's own limit must not strike first.
        connection.settimeout(2 * mail.timeout_s)
        wire.take(connection)
        if mail.tls == "tls":
            connection = _context(mail).wrap_socket(connection, server_hostname=mail.host)
        _attach(server, connection)
        code, said = server.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        server.ehlo_or_helo_if_needed()
        if mail.tls == "starttls":
            if not server.has_extn("starttls"):
                raise NotToldError(f"{_where(mail)} offers no STARTTLS; correct mail.port, or mail.tls")
            code, said = server.docmd("STARTTLS")
            if code != 220:
                raise smtplib.SMTPResponseException(code, said)
            connection = _context(mail).wrap_socket(connection, server_hostname=mail.host)
            _attach(server, connection)
            # What was said before the encryption could have been said by anybody.
            server.helo_resp = server.ehlo_resp = None
            server.esmtp_features, server.does_esmtp = {}, False
            server.ehlo_or_helo_if_needed()
    except BaseException:
        server.close()
        connection.close()
        raise
    return server


def _attach(server: smtplib.SMTP, connection: socket.socket) -> None:
    if server.file is not None:
        server.file.close()
    server.sock, server.file = connection, None


def _log_in(server: smtplib.SMTP, username: str, password: str) -> None:
    """smtplib takes ASCII alone; a password with diacritics goes as UTF-8, as RFC 4616 has it."""
    if (username + password).isascii():
        server.login(username, password)
        return
    given = b64encode(f"\0{username}\0{password}".encode()).decode()
    code, said = server.docmd("AUTH", f"PLAIN {given}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


def _context(mail: MailSection) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=mail.ca_file)
