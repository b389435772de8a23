"""The provincial platform (LGSP) as a destination: one record per request, a token by client credentials.

`SyncDocument` takes dossiers, new or changed alike (no create-or-update flag is known), `UpdateDocumentTraces` their
steps; HTTP 200 means taken and its body is not read. There is no look-up. The token is renewed shortly before it ends
and once when the platform refuses it. Sources: public implementations; what is in a payload is the mappings' affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, Field, SecretStr

from adapters.calling import Outcome, header_lines
from adapters.portal import (
    Clock,
    Credential,
    Held,
    LogInFault,
    PortalSettings,
    UrlPath,
    answer_table,
    ask_logged_in,
    caller,
    no_log_in,
    repeated,
    results,
    unsupported,
    was_not_answered,
)
from hub.answers import Answer, Verdict, at_path
from hub.ports import AdapterContext, FaultClass, Outgoing, Result
from schemas.errors import DestinationFault, Problem

_FORM = header_lines({"Content-Type": "application/x-www-form-urlencoded"})


class LgspSettings(PortalSettings):
    """Where the platform is and who the hub is there."""

    client_id: str = Field(min_length=1)
    """Who the hub is at the platform."""
    client_secret: SecretStr
    """From the environment: `${LGSP_SECRET}`."""
    token_path: UrlPath = "/token"
    """Where a token is got."""
    dossier_path: UrlPath = "/Document/SyncDocument"
    """Where dossiers are sent."""
    step_path: UrlPath = "/Document/UpdateDocumentTraces"
    """Where steps are sent."""
    renew_before_s: float = Field(default=60.0, ge=0)
    """How long before its end a token is renewed; at most half of its life."""


class LgspDestination:
    """Implements hub.ports.Destination."""

    role: ClassVar[Literal["destination"]] = "destination"
    Settings: ClassVar[type[BaseModel]] = LgspSettings
    summary: ClassVar[str] = "Provincial platform (LGSP): SyncDocument and UpdateDocumentTraces, one record per request"
    can_look_up = False
    kinds: ClassVar[tuple[str, ...]] = ("dossier.v1", "dossier-step.v1")
    """What it has a service for; an adapter without this attribute takes any kind."""
    largest = 1

    def __init__(self, settings: LgspSettings, context: AdapterContext) -> None:
        """Raises: ConfigError."""
        self._settings = settings
        self._answers = answer_table(context, "lgsp")
        self._caller = caller(settings, context)
        self._token = Credential(self._log_in)
        self._paths = {"dossier.v1": settings.dossier_path, "dossier-step.v1": settings.step_path}

    def batches(self, outgoing: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
        """Each alone. Pure."""
        return [(each,) for each in outgoing]

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        """Send the records, one request each (`batches` gives one), within one deadline. Never raises for a portal."""
        clock = Clock(deadline_s)
        return [await self._deliver(each, clock) for each in batch]

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        """Raises: DestinationFault always: the platform has no look-up."""
        raise DestinationFault("the provincial platform has no look-up")

    async def probe(self) -> Sequence[Problem]:
        """Get a token, for `hub check`."""
        try:
            await self._token.get(self._settings.connect_timeout_s + 10)
        except LogInFault as failure:
            return [Problem("log-in", failure.text, "correct url, client_id and client_secret")]
        return []

    async def close(self) -> None:
        await self._caller.close()

    async def _deliver(self, record: Outgoing, clock: Clock) -> Result:
        path = self._paths.get(record.kind)
        if path is None:
            return unsupported((record,), self._answers.title)[0]
        content = orjson.dumps(record.payload if isinstance(record.payload, dict) else dict(record.payload))

        async def send(held: Held, left_s: float) -> Outcome:
            return await self._caller.post(path, held.headers, content, left_s)

        def classify(answer: Answer) -> Verdict:
            return self._answers.classify(answer, mode=record.mode, sent=(record.payload,))

        try:
            outcome, verdict = await ask_logged_in(self._token, send, classify, clock)
        except LogInFault as failure:
            return no_log_in((record,), failure)[0]
        return results((record,), outcome, verdict, self._answers)[0]

    async def _log_in(self, deadline_s: float) -> Held:
        wanted = self._settings
        secret = wanted.client_secret.get_secret_value()
        fields = {"grant_type": "client_credentials", "client_id": wanted.client_id, "client_secret": secret}
        content = urlencode(fields).encode("ascii")
        clock = Clock(deadline_s)
        outcome = await repeated(
            lambda: self._caller.post(wanted.token_path, _FORM, content, clock.left_s), was_not_answered, deadline_s
        )
        token = at_path(outcome.body, "access_token") if isinstance(outcome, Answer) and outcome.status == 200 else None
        if not isinstance(token, str) or not token:
            raise LogInFault.of(outcome, self._answers, "the answer holds no access_token")
        try:
            lines = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {token}"}
            headers = header_lines(lines)
        except ValueError as error:
            raise LogInFault(FaultClass.SESSION, "log-in", "log-in: the token is not printable ASCII") from error
        life_s = at_path(outcome.body, "expires_in") if isinstance(outcome, Answer) else None
        now = asyncio.get_running_loop().time()
        return Held(token, headers, now, self._end(life_s, now))

    def _end(self, life_s: object, now: float) -> float | None:
        """When to renew; None where the answer names no length of life that makes sense."""
        try:
            seconds = float(life_s) if isinstance(life_s, int | float | str) else 0.0
        except ValueError:
            return None
        if not 0 < seconds < 10**9:
            return None
        return now + seconds - min(self._settings.renew_before_s, seconds / 2)
