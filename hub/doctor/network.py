"""Servers at the other end of the wires: certificates, clocks by the Date that they answer with, the broker.

Nothing is logged in to but the broker, and nothing is asked for but the head of a page.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.bus import open_bus
from hub.doctor.finding import Finding, Level, judged
from hub.sections import Deployment
from schemas.errors import BusFault

_PORTS = {"http": 80, "https": 443, "amqp": 5672, "amqps": 5671}
_VERSION = re.compile(rb"\x07versionS(....)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that the configuration names."""

    scheme: str
    host: str
    port: int
    ca_file: Path | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def tls(self) -> bool:
        return self.scheme in ("https", "amqps")


def endpoints(deployment: Deployment) -> list[Endpoint]:
    """Every HTTP and AMQP server of a configuration, each once, in its order."""
    found: dict[Endpoint, None] = {}
    written = [section.settings for section in deployment.sources.values()]
    written += [section.settings for section in deployment.destinations.values()]
    for settings in written:
        named = settings.get("ca_file")
        ca_file = deployment.folder / str(named) if named else None
        for url in _urls(settings):
            if (endpoint := _endpoint(url, ca_file)) is not None:
                found[endpoint] = None
    if (broker := _endpoint(deployment.bus.url, None)) is not None:
        found[broker] = None
    return list(found)


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        yield value
    for below in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _urls(below)


def _endpoint(url: str, ca_file: Path | None) -> Endpoint | None:
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return None if port is None or not parts.hostname else Endpoint(parts.scheme, parts.hostname, port, ca_file)


async def look(endpoint: Endpoint) -> list[Finding]:
    """Look at one server. What does not answer is a finding."""
    context: ssl.SSLContext | None = None
    try:
        if endpoint.tls:
            context = ssl.create_default_context(cafile=endpoint.ca_file)
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        mend = "have its operators renew it, or name the certificates to trust in ca_file"
        said = f"its certificate is not good: {error.verify_message}"
        return [Finding("certificate", str(endpoint), Level.PROBLEM, said, mend)]
    except OSError as error:
        said = f"it cannot be reached: {error.strerror or type(error).__name__}"
        return [Finding("server", str(endpoint), Level.PROBLEM, said, "check the address and the firewall")]
    try:
        found = _certificate(endpoint, writer)
        if endpoint.scheme.startswith("amqp"):
            return found + await _greeting(endpoint, reader, writer)
        return found + await _date(endpoint, reader, writer)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        said = "it closed the connection without an answer"
        return [Finding("server", str(endpoint), Level.WARNING, said, "see whether it is well")]
    finally:
        writer.close()


def _certificate(endpoint: Endpoint, writer: asyncio.StreamWriter) -> list[Finding]:
    certificate = writer.get_extra_info("peercert")
    if not certificate:
        return []
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (ends - datetime.now(UTC)).days
    level = judged(days, 30, 7)
    mend = "" if level is Level.OK else "have it renewed"
    return [Finding("certificate", str(endpoint), level, f"good for {days} days", mend)]


async def _date(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[Finding]:
    writer.write(f"HEAD / HTTP/1.1\r\nHost: {endpoint.host}:{endpoint.port}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    asked_at = datetime.now(UTC)
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"^date:\s*(.+?)\r$", head, re.IGNORECASE | re.MULTILINE)
    if found is None:
        return [Finding("clock", str(endpoint), Level.OK, "it answers, and does not tell its time")]
    try:
        told = parsedate_to_datetime(found[1].decode("ascii", "replace"))
    except ValueError:
        return [Finding("clock", str(endpoint), Level.OK, "it answers, and tells no time that can be read")]
    # It tells whole seconds, of some moment of the request.
    off_s = max(abs((told - asked_at).total_seconds()) - 1, 0.0)
    level = Level.WARNING if off_s > 60 else Level.OK
    mend = (
        "" if level is Level.OK else "compare both with an NTP server; times of its records are taken as it tells them"
    )
    return [Finding("clock", str(endpoint), level, f"its clock and this machine's differ by {off_s:.0f} s", mend)]


async def _greeting(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[Finding]:
    """What a broker says of itself before anybody logs in: its version (AMQP 0-9-1, Connection.Start)."""
    writer.write(b"AMQP\x00\x00\x09\x01")
    await writer.drain()
    header = await reader.readexactly(7)
    body = await reader.readexactly(min(int.from_bytes(header[3:7], "big"), 65_536))
    found = _VERSION.search(body)
    if found is None:
        return [
            Finding("broker", str(endpoint), Level.WARNING, "it answers, but not as RabbitMQ does", "check bus.url")
        ]
    start = found.end()
    version = body[start : start + int.from_bytes(found[1], "big")].decode("ascii", "replace")
    old = tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < (3, 10)
    mend = "RabbitMQ 3.10 or newer is needed" if old else ""
    return [Finding("broker", str(endpoint), Level.PROBLEM if old else Level.OK, f"RabbitMQ {version}", mend)]


async def queues(deployment: Deployment, within_s: float) -> list[Finding]:
    """Log in at the broker and look at the queues, and whether it takes messages."""
    bus = open_bus(deployment.bus.url, prefix=deployment.bus.prefix, start_s=within_s)
    try:
        await bus.start(sorted(deployment.destinations))
        depths, state = await bus.depths(), bus.state()
    except BusFault as fault:
        return [Finding("broker", "queues", Level.PROBLEM, "cannot be logged in to", "see bus.url", str(fault))]
    finally:
        await bus.stop()
    said = ", ".join(f"{name} {depth:,}" for name, depth in sorted(depths.items()))
    level = Level.OK if state == "connected" else Level.WARNING
    mend = "" if level is Level.OK else "see its alarms: rabbitmq-diagnostics alarms"
    return [Finding("broker", "queues", level, f"{state}; messages: {said or 'none'}", mend)]
