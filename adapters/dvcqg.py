"""The national public service portal (Cổng Dịch vụ công quốc gia) as a destination.

Every call is a POST of {session, madonvi, service, …} with a header `dstcode`: DongBoHoSoMC for dossiers (`isUpdating`
"False" for one that the portal does not have, "True" for one it has), CapNhatTienDoHoSoMC for their steps, TraCuuHoSo
to ask whether it has a dossier, and those of `adapters.dvcqg_catalogues` for what its registers hold. Faults arrive
with HTTP 200; what an answer means is said by the answer table, one code for the whole request, or a result per dossier
where `per_item` is set. Sources: public implementations; what is in a payload is the mappings' affair. Not known, so
nothing here relies on it: the code of a dead session, how large a batch may be, whether a batch is taken in part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import BaseModel, Field, SecretStr

from adapters.calling import NotSent, Outcome, header_lines
from adapters.dvcqg_catalogues import CatalogueSettings, CataloguesSettings, entries, requests
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
    grouped,
    no_log_in,
    repeated,
    results,
    unsupported,
    was_not_answered,
    was_not_sent,
)
from hub.answers import Answer, Verdict, at_path
from hub.ports import AdapterContext, FaultClass, Mode, Outgoing, Result
from schemas.errors import ConfigError, DestinationFault, Problem

_SERVICES = {"dossier.v1": "DongBoHoSoMC", "dossier-step.v1": "CapNhatTienDoHoSoMC"}
_LOOK_UP = "TraCuuHoSo"
_NUMBER = "MaHoSo"
_FOUND = "result"


class DvcqgSettings(PortalSettings):
    """Where the portal is, who the hub is there, and how much travels in one request."""

    login_path: UrlPath = "/login"
    """Where a session is got."""
    integration_path: UrlPath = "/integration"
    """Where dossiers and steps are sent."""
    share_path: UrlPath = "/share"
    """Where a dossier is looked up."""
    username: str = Field(min_length=1)
    """Who the hub is at the portal."""
    password: SecretStr
    """From the environment: `${PORTAL_PASSWORD}`."""
    dstcode: Annotated[str, Field(pattern=r"^[!-~]+$")]
    """The portal's own code, a header of each request."""
    madonvi: str = Field(min_length=1)
    """One value per deployment (the province), not per agency."""
    batch: int = Field(default=100, ge=1, le=1000)
    """The most dossiers in one request."""
    steps_batch: int = Field(default=10, ge=1, le=1000)
    """The most steps in one request."""
    per_item: bool = False
    """Whether the portal answers for each dossier of a request; where it does is `items` in the answer table."""
    session_s: float | None = Field(default=None, gt=0)
    """How long a session is used; None until it dies."""
    catalogues: CataloguesSettings = CataloguesSettings()
    """How the catalogues of agencies, procedures and fields are asked for and read."""
    doubt_s: float = Field(default=30.0, ge=0)
    """An answer that no rule knows makes the hub log in again if its session is older than this."""


class DvcqgDestination:
    """Implements hub.ports.Destination."""

    role: ClassVar[Literal["destination"]] = "destination"
    Settings: ClassVar[type[BaseModel]] = DvcqgSettings
    summary: ClassVar[str] = "National public service portal: DongBoHoSoMC in batches, CapNhatTienDoHoSoMC, TraCuuHoSo"
    can_look_up = True
    kinds: ClassVar[tuple[str, ...]] = tuple(_SERVICES)
    """What it has a service for; an adapter without this attribute takes any kind."""

    def __init__(self, settings: DvcqgSettings, context: AdapterContext) -> None:
        """Raises: ConfigError."""
        self._settings = settings
        self.largest = max(settings.batch, settings.steps_batch)
        self._answers = answer_table(context, "dvcqg")
        if settings.per_item and self._answers.items is None:
            said = f"destinations.{context.name}.settings.per_item: the answer table has no `items`"
            mend = "say in the answer table where the results are, or take per_item out"
            raise ConfigError([Problem("per-item", said, mend, self._answers.file)])
        self._caller = caller(settings, context)
        self._headers = header_lines({"Content-Type": "application/json; charset=utf-8", "dstcode": settings.dstcode})
        self._session = Credential(self._log_in)

    def batches(self, outgoing: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
        """Group by service and mode, in order, each request within the limits of its service and its members. Pure."""
        settings = self._settings
        return grouped(outgoing, lambda each: settings.steps_batch if each.mode is Mode.EVENT else settings.batch)

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        """Send one request of one kind and mode. Never raises for what a portal or a network does."""
        if not batch:
            return []
        kind, mode = batch[0].kind, batch[0].mode
        if any((each.kind, each.mode) != (kind, mode) for each in batch):
            raise ValueError("a request is of one kind and one mode; make it with batches()")
        service = _SERVICES.get(kind)
        if service is None:
            return unsupported(batch, self._answers.title)
        request: dict[str, Any] = {"service": service}
        if mode is not Mode.EVENT:
            request["isUpdating"] = "True" if mode is Mode.UPDATE else "False"
        request["data"] = [each.payload if isinstance(each.payload, dict) else dict(each.payload) for each in batch]

        def classify(answer: Answer) -> Verdict:
            return self._answers.classify(answer, mode=mode, sent=request["data"])

        try:
            outcome, verdict = await self._ask(self._settings.integration_path, request, classify, Clock(deadline_s))
        except LogInFault as failure:
            return no_log_in(batch, failure)
        return results(batch, outcome, verdict, self._answers, _number if self._settings.per_item else None)

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        """Ask for each dossier number, one call each. Raises: DestinationFault."""
        clock = Clock(deadline_s)
        return {key: await self._has(key, clock) for key in keys}

    async def _has(self, number: str, clock: Clock) -> bool:
        answer = await self._shared({"service": _LOOK_UP, "mahoso": number}, _FOUND, clock)
        return bool(at_path(answer.body, _FOUND))

    async def catalogue(
        self, register: str, provinces: Sequence[str], deadline_s: float
    ) -> Sequence[Mapping[str, Any]]:
        """Show one catalogue whole; see hub.ports.Catalogues. Raises: DestinationFault."""
        settings: CatalogueSettings = getattr(self._settings.catalogues, register)
        clock = Clock(deadline_s)
        found: list[Mapping[str, Any]] = []
        for request in requests(settings, provinces):
            answer = await self._shared(request, settings.at, clock)
            found += entries(settings, answer.body) or ()
        return found

    async def _shared(self, request: Mapping[str, str], at: str, clock: Clock) -> Answer:
        """Ask at the share address for an answer with a list at `at`. Raises: DestinationFault."""

        def classify(answer: Answer) -> Verdict:
            verdict = self._answers.classify(answer, call="look-up")
            if verdict.fault is None and not isinstance(at_path(answer.body, at), list):
                said = answer.problem or f"the answer holds no list {at!r} ({verdict.text})"
                return Verdict(FaultClass.TRANSIENT, verdict.code, said, known=False)
            return verdict

        service = request["service"]
        try:
            outcome, verdict = await self._ask(
                self._settings.share_path, request, classify, clock, again=was_not_answered
            )
        except LogInFault as failure:
            raise DestinationFault(failure.text, down=failure.fault is FaultClass.DOWN) from failure
        if not isinstance(outcome, Answer):
            raise DestinationFault(f"{service}: {outcome.text}", down=isinstance(outcome, NotSent))
        if verdict is None or verdict.fault is not None:
            text = "no verdict" if verdict is None else verdict.text
            down = verdict is not None and verdict.fault is FaultClass.DOWN
            raise DestinationFault(f"{service}: {text}", down=down)
        return outcome

    async def probe(self) -> Sequence[Problem]:
        """Log in, for `hub check`."""
        try:
            await self._session.get(self._settings.connect_timeout_s + 10)
        except LogInFault as failure:
            return [Problem("log-in", failure.text, "correct url, username, password and dstcode")]
        return []

    async def close(self) -> None:
        await self._caller.close()

    async def _ask(
        self,
        path: str,
        request: Mapping[str, Any],
        classify: Callable[[Answer], Verdict],
        clock: Clock,
        *,
        again: Callable[[Outcome], bool] = was_not_sent,
    ) -> tuple[Outcome, Verdict | None]:
        async def send(held: Held, left_s: float) -> Outcome:
            content = orjson.dumps({"session": held.value, "madonvi": self._settings.madonvi, **request})
            return await self._caller.post(path, self._headers, content, left_s)

        return await ask_logged_in(self._session, send, classify, clock, again=again, doubt_s=self._settings.doubt_s)

    async def _log_in(self, deadline_s: float) -> Held:
        wanted = self._settings
        content = orjson.dumps({"username": wanted.username, "password": wanted.password.get_secret_value()})
        clock = Clock(deadline_s)
        outcome = await repeated(
            lambda: self._caller.post(wanted.login_path, self._headers, content, clock.left_s),
            was_not_answered,
            deadline_s,
        )
        session = None
        if isinstance(outcome, Answer) and self._answers.classify(outcome, call="log-in").fault is None:
            session = at_path(outcome.body, "session")
        if not isinstance(session, str) or not session:
            raise LogInFault.of(outcome, self._answers, "the answer holds no session")
        now = asyncio.get_running_loop().time()
        return Held(session, b"", now, None if wanted.session_s is None else now + wanted.session_s)


def _number(record: Outgoing) -> str:
    return str(record.payload.get(_NUMBER, record.lane))
