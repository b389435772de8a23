"""Any portal that takes records over HTTP, by configuration and a mapping: `http`.

Per kind of record a method and a path below `url`, with fields of the payload in it; another one for what the portal
has already. What travels is what the mapping writes: JSON, XML, a form, or the pairs behind the `?` of an address.
Records go one by one, or several in a wrapper, where `wrap` may also be a SOAP envelope around one. What an answer
means is said by the answer table, by default by the HTTP status alone (config/answers/http.yaml). Knows no portal.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import orjson
from pydantic import BaseModel

from adapters.calling import Caller, NotSent, Outcome, header_lines
from adapters.http_settings import HOLE, KEY, NUMBER, RECORDS, HttpSettings, RequestSettings
from adapters.portal import (
    Clock,
    Credential,
    Held,
    LogInFault,
    answer_table,
    ask_logged_in,
    grouped,
    no_log_in,
    repeated,
    results,
    unsupported,
    was_not_answered,
    was_not_sent,
)
from adapters.rest_auth import (
    BasicAuth,
    BearerAuth,
    LoginAuth,
    NoTokenError,
    OAuth2Auth,
    basic,
    read_token,
    signer,
    token_request,
)
from adapters.way import context as tls_of
from hub.answers import Answer, Verdict, at_path, fold
from hub.ports import AdapterContext, Fault, FaultClass, Outgoing, Result
from schemas.errors import ConfigError, DestinationFault, Problem

ACCEPT = "application/json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_MEDIA = {"json": "application/json; charset=utf-8", "xml": "application/xml; charset=utf-8"}


class HttpDestination:
    """Implements hub.ports.Destination."""

    role: ClassVar[Literal["destination"]] = "destination"
    Settings: ClassVar[type[BaseModel]] = HttpSettings
    summary: ClassVar[str] = "Any portal that takes JSON, XML, forms or queries over HTTP, by settings alone"
    writes: ClassVar[tuple[str, ...]] = ("json", "xml", "form", "query")
    can_look_up = False
    """With `look_up` in its settings it can."""

    def __init__(self, settings: HttpSettings, context: AdapterContext) -> None:
        """Raises: ConfigError."""
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self.can_look_up = settings.look_up is not None
        self.largest = max(request.batch for request in settings.requests.values())
        self._answers = answer_table(context, "http")
        self._tls = None
        if urlsplit(settings.url).scheme == "https" or settings.ca_file or settings.client_certificate:
            self._tls = tls_of(settings, context.folder)
        self._caller = self._called(self._base)
        self._auth = settings.auth
        self._asked = None
        self._log_in_caller, self._log_in_path = self._caller, ""
        if isinstance(self._auth, LoginAuth | OAuth2Auth):
            self._asked = token_request(self._auth, self._base, {"Accept": "application/json", **settings.headers})
            self._log_in_caller, self._log_in_path = self._place(self._asked.url, context.name)
        self._sign = None if settings.sign is None else signer(settings.sign)
        self._credential = Credential(self._log_in)
        self._lines = {kind: header_lines(_merged(settings, one)) for kind, one in settings.requests.items()}

    # --- sending ------------------------------------------------------------------------------------------------------

    def batches(self, outgoing: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
        """Group by kind and mode, in order, as many together as the request of the kind takes. Pure."""
        return grouped(outgoing, self._together)

    def _together(self, each: Outgoing) -> int:
        request = self._settings.requests.get(each.kind)
        return 1 if request is None else request.together(each.mode)

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        """Send one request of one kind and mode. Never raises for what a portal or a network does."""
        if not batch:
            return []
        kind, mode = batch[0].kind, batch[0].mode
        if any((each.kind, each.mode) != (kind, mode) for each in batch):
            raise ValueError("a request is of one kind and one mode; make it with batches()")
        request = self._settings.requests.get(kind)
        if request is None:
            return unsupported(batch, self._answers.title)
        try:
            made = _written(request, batch)
        except _NoAddressError as error:
            fault = FaultClass.DATA, "no-address", str(error), error.member
            return [Fault(each.dispatch_id, *fault) for each in batch]
        sent = [each.payload for each in batch]

        def classify(answer: Answer) -> Verdict:
            return self._died(answer) or self._answers.classify(answer, mode=mode, sent=sent)

        try:
            outcome, verdict = await self._ask(made, self._lines[kind], classify, Clock(deadline_s), was_not_sent)
        except LogInFault as failure:
            return no_log_in(batch, failure)
        told = isinstance(outcome, Answer) and self._answers.listed(outcome) is not None
        by_item = self._number if told or request.wrap is not None else None
        return results(batch, outcome, verdict, self._answers, by_item)

    def _number(self, each: Outgoing) -> str:
        """How the portal names a record in its answer: by the member that `items.key` is called after, else by the one
        that holds the dossier's number."""
        members = _members(each)
        key = self._answers.items.key if self._answers.items is not None else ""
        if key in members:
            return str(members[key])
        fields = each.written_by.fields if each.written_by is not None else ()
        named = next((one.name for one in fields if one.reads == NUMBER), "")
        return str(members.get(named, each.lane))

    # --- looking up ---------------------------------------------------------------------------------------------------

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        """Ask for each dossier number, one call each. Raises: DestinationFault."""
        clock = Clock(deadline_s)
        return {key: await self._has(key, clock) for key in keys}

    async def _has(self, number: str, clock: Clock) -> bool:
        wanted = self._settings.look_up
        if wanted is None:
            raise DestinationFault("the portal has no look-up: `look_up` is not set")
        path = wanted.path.replace("{number}", quote(number, safe=""))

        def classify(answer: Answer) -> Verdict:
            if (died := self._died(answer)) is not None:
                return died
            if answer.status in (*wanted.there, *wanted.not_there):
                return Verdict(None, f"http-{answer.status}", "", known=True)
            verdict = self._answers.classify(answer, call="look-up")
            if verdict.fault is None:
                said = f"HTTP {answer.status} is neither in there nor in not_there"
                return Verdict(FaultClass.TRANSIENT, verdict.code, said, known=False)
            return verdict

        asked = _Written("GET", path, None, "")
        try:
            outcome, verdict = await self._ask(
                asked, header_lines(_merged(self._settings)), classify, clock, was_not_answered
            )
        except LogInFault as failure:
            raise DestinationFault(failure.text, down=failure.fault is FaultClass.DOWN) from failure
        if not isinstance(outcome, Answer):
            raise DestinationFault(f"look-up: {outcome.text}", down=isinstance(outcome, NotSent))
        if verdict is None or verdict.fault is not None:
            text = "no verdict" if verdict is None else verdict.text
            raise DestinationFault(f"look-up: {text}", down=verdict is not None and verdict.fault is FaultClass.DOWN)
        if outcome.status in wanted.not_there:
            return False
        if wanted.at is None:
            return True
        if self._answers.format == "xml":
            outcome.read_xml()
        if not outcome.readable:
            raise DestinationFault("look-up: the answer cannot be read, so nobody knows what stands at `at`")
        return bool(at_path(outcome.body, wanted.at))

    async def probe(self) -> Sequence[Problem]:
        """Log in, or only connect where nothing is logged in to; for `hub check`."""
        limit_s = self._settings.connect_timeout_s + 10
        if self._asked is None:
            missed = await self._caller.reach(limit_s)
            return [] if missed is None else [Problem("unreachable", missed.text, "correct url, or the way to it")]
        try:
            await self._credential.get(limit_s)
        except LogInFault as failure:
            return [Problem("log-in", failure.text, f"correct url; {self._asked.mend}")]
        return []

    async def close(self) -> None:
        await self._caller.close()
        if self._log_in_caller is not self._caller:
            await self._log_in_caller.close()

    # --- who we are ---------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        made: _Written,
        lines: bytes,
        classify: Callable[[Answer], Verdict],
        clock: Clock,
        again: Callable[[Outcome], bool],
    ) -> tuple[Outcome, Verdict | None]:
        if made.media:
            lines += header_lines({"Content-Type": made.media})

        async def send(held: Held, left_s: float) -> Outcome:
            own = held.headers
            if self._sign is not None:
                own += header_lines(self._sign(made.method, self._base + made.path, made.content or b""))
            return await self._caller.request(made.method, made.path, lines + own, made.content, left_s)

        renewable = self._asked is not None
        return await ask_logged_in(self._credential, send, classify, clock, again=again, renewable=renewable)

    def _died(self, answer: Answer) -> Verdict | None:
        """A session that died with HTTP 200, where the settings say how that is told."""
        text = self._auth.expired if isinstance(self._auth, LoginAuth) else None
        if not text or not 200 <= answer.status <= 299:
            return None
        if fold(text) not in fold(answer.content.decode("utf-8", "replace")):
            return None
        return Verdict(FaultClass.SESSION, "expired", f"the answer says {text!r}: the session has died", known=True)

    async def _log_in(self, deadline_s: float) -> Held:
        loop = asyncio.get_running_loop()
        auth, asked = self._auth, self._asked
        if asked is None:
            said = {}
            if isinstance(auth, BasicAuth):
                said["Authorization"] = basic(auth.username, auth.password.get_secret_value())
            elif isinstance(auth, BearerAuth):
                said["Authorization"] = f"Bearer {auth.token.get_secret_value()}"
            return Held("", header_lines(said), loop.time())
        lines, clock = header_lines(asked.headers), Clock(deadline_s)
        outcome = await repeated(
            lambda: self._log_in_caller.request("POST", self._log_in_path, lines, asked.content, clock.left_s),
            was_not_answered,
            deadline_s,
        )
        if not isinstance(outcome, Answer) or not 200 <= outcome.status <= 299:
            raise LogInFault.of(outcome, self._answers, "refused")
        try:
            token, life_s = read_token(asked, outcome.content, outcome.charset)
        except NoTokenError as error:
            raise LogInFault(FaultClass.SESSION, "log-in", f"{asked.what}: {error}") from error
        now = loop.time()
        lines = header_lines({"Authorization": f"Bearer {token}"})
        return Held(token, lines, now, None if math.isinf(life_s) else now + life_s)

    # --- the way ------------------------------------------------------------------------------------------------------

    def _called(self, base: str) -> Caller:
        wanted = self._settings
        timeout_s, proxy = wanted.connect_timeout_s, wanted.proxy
        return Caller(base, connect_timeout_s=timeout_s, tls=self._tls, proxy=proxy, accept=None)

    def _place(self, url: str, name: str) -> tuple[Caller, str]:
        """Who asks there, and the path; a token may come from another host."""
        if url.startswith(f"{self._base}/"):
            return self._caller, url[len(self._base) :]
        parts = urlsplit(url)
        try:
            caller = self._called(urlunsplit((parts.scheme, parts.netloc, "", "", "")))
        except ValueError as error:
            said = f"destinations.{name}.settings.auth: {error}"
            raise ConfigError([Problem("wrong-value", said, "write a path below url, or a whole address")]) from error
        return caller, urlunsplit(("", "", parts.path or "/", parts.query, ""))


# --- one request ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Written:
    """A request but for who asks."""

    method: str
    path: str
    content: bytes | None
    media: str
    """Of the content; empty where there is none."""


class _NoAddressError(ValueError):
    """A field of the path has no value that can stand there."""

    def __init__(self, member: str, text: str) -> None:
        self.member = member
        super().__init__(text)


def _merged(settings: HttpSettings, request: RequestSettings | None = None) -> dict[str, str]:
    """The headers of a kind's requests; what is said last of a name holds."""
    said = {"accept": ("Accept", ACCEPT)}
    for headers in (settings.headers, request.headers if request is not None else {}):
        said |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(said.values())


def _members(each: Outgoing) -> Mapping[str, Any]:
    return each.payload if each.written_by is None else each.written_by.members(each.payload)


def _written(request: RequestSettings, batch: Sequence[Outgoing]) -> _Written:
    """Method, address and content of one request. Raises: _NoAddressError."""
    first = batch[0]
    method, path, wrap = request.of(first.mode)
    if HOLE.search(path):
        path = _filled(path, first)
    form = "json" if first.written_by is None else first.written_by.layout.portal
    bodies = [
        orjson.dumps(dict(each.payload)) if each.written_by is None else each.written_by.body(each.payload)
        for each in batch
    ]
    if form == "query":
        pairs = bodies[0].decode("ascii")
        path += ("&" if "?" in path else "?") + pairs if pairs else ""
        return _Written(method, path, None if method == "GET" else b"", "")
    content = bodies[0] if wrap is None else _wrapped(wrap, bodies, form)
    media = first.written_by.layout.media if first.written_by is not None else ""
    return _Written(method, path, content, request.content_type or _MEDIA.get(form, media))


def _wrapped(wrap: str, bodies: Sequence[bytes], form: str) -> bytes:
    before, _, after = (part.encode() for part in wrap.strip().partition(RECORDS))
    if form == "json":
        return before + b",".join(bodies) + after
    head = b"" if before.startswith(b"<?xml") else b"<?xml version='1.0' encoding='UTF-8'?>\n"
    return head + before + b"".join(body.partition(b"?>")[2].lstrip() for body in bodies) + after


def _filled(path: str, each: Outgoing) -> str:
    """The path with its fields, percent-encoded. Raises: _NoAddressError."""
    members = {NUMBER: each.lane, KEY: each.key, **_members(each)}

    def value(hole: re.Match[str]) -> str:
        member = hole[1]
        found = members.get(member)
        text = str(found).lower() if isinstance(found, bool) else "" if found is None else str(found)
        if isinstance(found, Mapping | list) or text in ("", ".", ".."):
            shown = "an object or a list" if isinstance(found, Mapping | list) else repr(text)
            raise _NoAddressError(member, f"{member} stands in the path {path} and is {shown}: nothing was sent")
        return quote(text, safe="")

    return HOLE.sub(value, path)
