"""Tells people what the ledger has for them: mails and webhooks, tried again for a day.

A message is taken before it is sent, so that of several hubs one sends it; one that dies meanwhile leaves it to the
others. A channel that hangs delays no other.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import orjson

from hub.ledger import Ledger
from hub.ledger.alerts import Message
from hub.ledger.values import SECOND_US
from hub.mailing import NotToldError, compose, send_mail
from hub.retry import RetryPolicy, backoff_s
from hub.sections import AlertsSection, MailSection, WebhookSection

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks for messages that are due."""

AGAIN = RetryPolicy(first_s=10.0, cap_s=900.0)
"""How long a message waits after a try that failed."""

GIVE_UP_S = 86_400.0
"""A message that could not be told for a day is given up."""

AT_A_TIME = 4
"""Messages under way on one channel: all mails share one, each webhook is one."""

MARGIN_S = 30.0
"""A message is ours for so much longer than it may take to be sent."""

END_S = 5.0
"""How long an ending process waits for what is under way."""

SIGNATURE = "Hub-Signature-256"
"""The header with `sha256=` and the HMAC of the body, in hex."""


def channel_kind(channel: str) -> str:
    """What messages share a way: all mails one, each webhook its own."""
    return "mail" if channel.startswith("mail:") else channel


def posted(message_about: str, content: Mapping[str, Any]) -> bytes:
    """Return what a webhook is sent: `{"about": …, "alert": {…}}`, or `{"about": …, "message": {subject, text}}`."""
    if "alert" in content:
        return orjson.dumps({"about": message_about, "alert": content["alert"]})
    shown = {"subject": content["subject"], "text": content["text"]}
    return orjson.dumps({"about": message_about, "message": shown})


def signature(secret: str, body: bytes) -> str:
    """Return the value of the header `Hub-Signature-256`, by which a receiver knows that the body is ours."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


@dataclass(slots=True)
class Channels:
    """Everybody that can be told, by what the configuration says; `close` after use."""

    mail: MailSection | None
    alerts: AlertsSection
    origin: str = ""
    """The ledger's identity: two hubs that share a sender name their mails differently."""
    _http: httpx.AsyncClient | None = None
    _threads: ThreadPoolExecutor | None = None
    """For mails alone: a server that hangs must hold no thread that the ledger waits for."""

    def longest_s(self) -> float:
        """How long one message may take at most."""
        return max([self.mail.timeout_s if self.mail else 0.0, *(one.timeout_s for one in self.alerts.webhooks), 1.0])

    async def send(self, channel: str, about: str, content: Mapping[str, Any], at: datetime) -> None:
        """Tell one message by its channel. Raises: NotToldError."""
        kind, _, name = channel.partition(":")
        if kind == "mail":
            if self.mail is None:
                raise NotToldError("the configuration has no 'mail' section")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="mail")
            made = partial(compose, self.mail, name, about, content, at, origin=self.origin)
            mail = await asyncio.get_running_loop().run_in_executor(self._threads, made)
            await send_mail(self.mail, mail, self._threads)
            return
        webhook = next((one for one in self.alerts.webhooks if one.name == name), None)
        if kind != "webhook" or webhook is None:
            raise NotToldError(f"the configuration has no channel {channel!r}")
        await self._post(webhook, posted(about, content))

    async def _post(self, webhook: WebhookSection, body: bytes) -> None:
        if self._http is None:
            self._http = httpx.AsyncClient(trust_env=False)
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "interop-hub"}
        if webhook.bearer is not None:
            headers["Authorization"] = f"Bearer {webhook.bearer.get_secret_value()}"
        if webhook.secret is not None:
            headers[SIGNATURE] = signature(webhook.secret.get_secret_value(), body)
        # Its address may be a secret in itself: it is not shown.
        where = f"webhook {webhook.name}"
        try:
            async with asyncio.timeout(webhook.timeout_s):
                async with self._http.stream(
                    "POST", webhook.url, content=body, headers=headers, timeout=None
                ) as answer:
                    status = answer.status_code
        except TimeoutError as error:
            raise NotToldError(f"{where}: no answer within {webhook.timeout_s:g} s", down=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotToldError(f"{where}: {error or type(error).__name__}", down=True) from error
        if not 200 <= status < 300:
            raise NotToldError(f"{where}: HTTP {status}")

    async def close(self) -> None:
        """Close what was opened."""
        if self._http is not None:
            await self._http.aclose()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True)
class Telling:
    """Sends what is due, for ever."""

    ledger: Ledger
    mail: MailSection | None
    alerts: AlertsSection
    now_us: Callable[[], int]
    chance: Callable[[], float] = random.random
    _under_way: dict[asyncio.Task[None], str] = field(default_factory=dict)

    async def run(self) -> None:
        """Serve until cancelled; what is under way then may come to its end."""
        channels = Channels(self.mail, self.alerts, self.ledger.identity)
        try:
            while True:
                await self._turn(channels)
                await asyncio.sleep(LOOK_S)
        finally:
            await self._end()
            await channels.close()

    async def _turn(self, channels: Channels) -> None:
        wanted = self._fitting(await self.ledger.due_messages())
        if not wanted:
            return
        for message in await self.ledger.take_messages(wanted, channels.longest_s() + MARGIN_S):
            task = asyncio.create_task(self._send(channels, message), name=f"telling {message.channel}")
            self._under_way[task] = channel_kind(message.channel)
            task.add_done_callback(self._done)

    def _fitting(self, due: Sequence[tuple[int, str]]) -> list[int]:
        """Those of what is due that their channels have room for."""
        busy = Counter(self._under_way.values())
        chosen = []
        for id_, channel in due:
            kind = channel_kind(channel)
            if busy[kind] < AT_A_TIME:
                busy[kind] += 1
                chosen.append(id_)
        return chosen

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a message could not be told", exc_info=error)

    async def _send(self, channels: Channels, message: Message) -> None:
        at = datetime.fromtimestamp(message.made_us // SECOND_US, UTC)
        try:
            await channels.send(message.channel, message.about, message.content, at)
        except NotToldError as fault:
            await self._failed(message, str(fault))
        except Exception as error:
            log.exception("%s: %s cannot be told", message.channel, message.about)
            await self._failed(message, f"a defect of the hub, its log has the traceback: {error!r}")
        else:
            log.info("told %s: %s", message.channel, message.about)
            await self.ledger.message_sent(message)

    async def _failed(self, message: Message, problem: str) -> None:
        again_s = max(1.0, backoff_s(AGAIN, message.tries, self.chance()))
        over = self.now_us() - message.made_us + int(again_s * SECOND_US) > GIVE_UP_S * SECOND_US
        log.log(
            logging.ERROR if over else logging.WARNING,
            "%s was not told %s: %s%s",
            message.channel,
            message.about,
            problem,
            "; given up" if over else f"; again in {again_s:.0f} s",
        )
        await self.ledger.message_failed(message, problem, None if over else again_s)

    async def _end(self) -> None:
        """Let what is under way come to its end for a moment; what does not is told again by the next process."""
        if not self._under_way:
            return
        tasks = set(self._under_way)
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, timeout=END_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
