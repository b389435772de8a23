"""What the destinations have in common: where a portal is, one log-in for all calls, what is repeated at once, results.

tenacity repeats here only what cannot double an effect: a log-in, a look-up, a connection that was refused. Everything
else that has to be done again is a due time in the ledger. Knows no portal's addresses, services or payloads.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from adapters.calling import Broken, Caller, NotSent, Outcome
from hub.answers import Answer, AnswerTable, Verdict, at_path, load_answers, value_sent
from hub.ports import AdapterContext, Fault, FaultClass, Mode, Outgoing, Receipt, Result, Unknown
from schemas.errors import ConfigError, Problem

ATTEMPTS = 3
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 0.5
PAUSE_AFTER_REFUSAL_S = 1.0
LONGEST_PAUSE_S = 60.0

_T = TypeVar("_T")
UrlPath: TypeAlias = Annotated[str, Field(pattern=r"^/[!-~]*$")]


class PortalSettings(BaseModel):
    """Where a portal is. Lengths of time are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """The base address, http or https, that the paths are appended to."""
    connect_timeout_s: float = Field(default=5.0, gt=0, le=120)
    """How long one attempt to connect may take."""
    ca_file: str | None = None
    """The certificates to trust, PEM, where the system's own do not do; relative to the configuration file."""

    @field_validator("url")
    @classmethod
    def _base_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("not a base address; write http://host or https://host/path")
        if parts.username is not None or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("an address is plain ASCII, without blanks and without a user in it")
        if parts.port == 0:
            raise ValueError("port 0 is no port")
        return value


def caller(settings: PortalSettings, context: AdapterContext) -> Caller:
    """Raises: ConfigError when the file of certificates cannot be read."""
    ca_file = None if settings.ca_file is None else context.folder / settings.ca_file
    try:
        return Caller(settings.url, connect_timeout_s=settings.connect_timeout_s, ca_file=ca_file)
    except OSError as error:
        message = f"destinations.{context.name}.settings.ca_file: {ca_file}: {error}"
        raise ConfigError([Problem("ca-file", message, "name a PEM file of certificates")]) from error


def answer_table(context: AdapterContext, built_in: str) -> AnswerTable:
    """The table that the context brings, else the built-in one. Raises: ConfigError."""
    return context.answers if isinstance(context.answers, AnswerTable) else load_answers(built_in, context.folder)


async def repeated(call: Callable[[], Awaitable[_T]], again: Callable[[_T], bool], deadline_s: float) -> _T:
    """Call up to `ATTEMPTS` times while `again(result)`, with jitter between, within `deadline_s`; the last result."""
    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(deadline_s),
        wait=wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
        retry=retry_if_result(again),
        retry_error_callback=_last_result,
    )

    async def attempt() -> _T:  # tenacity awaits only what it can see to be a coroutine function
        return await call()

    return await retrying(attempt)


def _last_result(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome is not None else None


def was_not_sent(outcome: Outcome) -> bool:
    return isinstance(outcome, NotSent)


def was_not_answered(outcome: Outcome) -> bool:
    """For calls without an effect, which may be repeated whatever became of them."""
    return isinstance(outcome, NotSent | Broken) or outcome.status >= 500


class Clock:
    """What is left of one deadline, shared by the calls that one delivery takes."""

    def __init__(self, deadline_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + deadline_s

    @property
    def left_s(self) -> float:
        return self._end - self._loop.time()


class LogInFault(Exception):  # noqa: N818 - a fault is what the domain calls it
    """The portal gave no session or token; nothing of what waits for it was sent.

    Never of class `data` or `transient`: that nobody can log in is no dossier's fault, so it must cost none an attempt.
    """

    def __init__(self, fault: FaultClass, code: str, text: str, retry_after_s: float | None = None) -> None:
        self.fault, self.code, self.text, self.retry_after_s = fault, code, text, retry_after_s
        super().__init__(text)

    @classmethod
    def of(cls, outcome: Outcome, table: AnswerTable, missing: str) -> LogInFault:
        """What an answer to a log-in without what was asked for means; `missing` says what that is."""
        if not isinstance(outcome, Answer):
            return cls(FaultClass.DOWN, "log-in", f"log-in: {outcome.text}")
        verdict = table.classify(outcome, call="log-in")
        text = f"log-in: {verdict.text}" if verdict.fault is not None else f"log-in: {missing} ({verdict.text})"
        if verdict.fault in (FaultClass.DOWN, FaultClass.THROTTLED):
            return cls(verdict.fault, verdict.code, text, verdict.retry_after_s)
        return cls(FaultClass.DOWN if outcome.status >= 500 else FaultClass.SESSION, verdict.code, text)


@dataclass(frozen=True, slots=True)
class Held:
    """A session or token that was got."""

    value: str
    headers: bytes
    """Header lines made of it once, empty where it travels in the body."""
    made_at: float
    good_until: float | None = None
    """On the loop's clock; None where the portal does not say."""


class Credential:
    """One session or token for all calls: got when first needed, one log-in at a time, kept until it dies.

    A refused log-in is not repeated for a while (a second, doubling up to a minute): portals lock accounts.
    """

    def __init__(self, log_in: Callable[[float], Awaitable[Held]]) -> None:
        """`log_in(deadline_s)` returns what it got. Raises: LogInFault."""
        self._log_in = log_in
        self._one_at_a_time = asyncio.Lock()
        self._held: Held | None = None
        self._failure: LogInFault | None = None
        self._failed_until = 0.0
        self._refusals = 0

    async def get(self, deadline_s: float) -> Held:
        """The session in force, after a log-in where there is none. Raises: LogInFault."""
        now = asyncio.get_running_loop().time()
        held = self._held
        if held is not None and (held.good_until is None or now < held.good_until):
            return held
        try:
            async with asyncio.timeout(deadline_s), self._one_at_a_time:
                if self._held is not None and self._held is not held:
                    return self._held
                return await self._renew(deadline_s)
        except TimeoutError:
            raise LogInFault(FaultClass.DOWN, "log-in", f"no log-in within the {deadline_s:g} s of the call") from None

    async def _renew(self, deadline_s: float) -> Held:
        loop = asyncio.get_running_loop()
        if self._failure is not None and loop.time() < self._failed_until:
            raise self._failure
        self._held = None
        try:
            self._held = await self._log_in(deadline_s)
        except LogInFault as failure:
            pause_s = 0.0
            if failure.fault is FaultClass.SESSION:
                pause_s = min(PAUSE_AFTER_REFUSAL_S * 2**self._refusals, LONGEST_PAUSE_S)
                self._refusals = min(self._refusals + 1, 16)
            self._failure, self._failed_until = failure, loop.time() + pause_s
            raise
        self._failure, self._refusals = None, 0
        return self._held

    def drop(self, held: Held) -> None:
        """Forget a session that died, unless another has taken its place."""
        if self._held is held:
            self._held = None


async def ask_logged_in(
    credential: Credential,
    send: Callable[[Held, float], Awaitable[Outcome]],
    classify: Callable[[Answer], Verdict],
    clock: Clock,
    *,
    again: Callable[[Outcome], bool] = was_not_sent,
    doubt_s: float = math.inf,
    renewable: bool = True,
) -> tuple[Outcome, Verdict | None]:
    """Send under a session, and once more under a new one where the session died; the verdict is of the last answer.

    Dead is a session that the table says is dead, and, since some die without saying so, one older than `doubt_s` that
    is answered by what no rule knows: such an answer is never a success and would be repeated anyway.
    `send(held, left_s)` is also repeated while `again(outcome)`, which must not be so after an effect. What is not
    `renewable` (a password with each request) is not tried a second time. Raises: LogInFault.
    """
    for last in (False, True) if renewable else (True,):
        held = await credential.get(clock.left_s)
        outcome = await _send(send, held, again, clock)
        if not isinstance(outcome, Answer):
            return outcome, None
        verdict = classify(outcome)
        age_s = asyncio.get_running_loop().time() - held.made_at
        doubtful = not verdict.known and 200 <= outcome.status <= 299 and age_s > doubt_s
        if verdict.fault is not FaultClass.SESSION and not doubtful:
            return outcome, verdict
        credential.drop(held)
        if last:
            return outcome, verdict
    raise AssertionError("the last round returns")  # pragma: no cover


async def _send(
    send: Callable[[Held, float], Awaitable[Outcome]], held: Held, again: Callable[[Outcome], bool], clock: Clock
) -> Outcome:
    outcome = await send(held, clock.left_s)  # the first time without tenacity, which costs more than the call
    left_s = clock.left_s
    if not again(outcome) or left_s <= FIRST_WAIT_S:
        return outcome
    await asyncio.sleep(FIRST_WAIT_S)
    return await repeated(lambda: send(held, clock.left_s), again, left_s)


def grouped(outgoing: Sequence[Outgoing], most: Callable[[Outgoing], int]) -> Sequence[Sequence[Outgoing]]:
    """Group by kind and mode, in order, each request within `most` and the limits of its members. Pure."""
    groups: dict[tuple[str, Mode, int], list[list[Outgoing]]] = defaultdict(list)
    for each in outgoing:
        limit = min(most(each), each.batch_limit) if each.batch_limit > 0 else most(each)
        group = groups[each.kind, each.mode, limit]
        if not group or len(group[-1]) >= limit:
            group.append([])
        group[-1].append(each)
    return [batch for group in groups.values() for batch in group]


def results(
    batch: Sequence[Outgoing],
    outcome: Outcome,
    verdict: Verdict | None,
    table: AnswerTable,
    number: Callable[[Outgoing], str] | None = None,
) -> list[Result]:
    """What became of each member of one request.

    Where `number` says how the portal names a record, and the table where an answer has `items`, each is told by its
    own; one answer stands for all otherwise.
    """
    if isinstance(outcome, NotSent):
        return [*unsent(batch, outcome)]
    if isinstance(outcome, Broken) or verdict is None:
        return [*unknown(batch, outcome.text if isinstance(outcome, Broken) else "no answer")]
    if gateway_lost(outcome, verdict):
        return [*unknown(batch, verdict.text, down=True)]
    if number is not None and table.items is not None and 200 <= outcome.status <= 299:
        listed = table.listed(outcome)
        if listed is not None or verdict.fault is None:
            return _by_item(batch, listed or [], outcome, table, number)
    return [Receipt(each.dispatch_id) for each in batch] if verdict.fault is None else [*refused(batch, verdict)]


def _by_item(
    batch: Sequence[Outgoing],
    listed: Sequence[object],
    answer: Answer,
    table: AnswerTable,
    number: Callable[[Outgoing], str],
) -> list[Result]:
    """Match results to records by number; exactly one of each, else what became of them is unknown (R14)."""
    assert table.items is not None
    found: dict[str, list[object]] = defaultdict(list)
    for item in listed:
        found[str(at_path(item, table.items.key))].append(item)
    asked: dict[str, int] = defaultdict(int)
    for each in batch:
        asked[number(each)] += 1
    made: list[Result] = []
    for each in batch:
        own = number(each)
        matching = found.get(own, [])
        if len(matching) != 1 or asked[own] != 1:
            counted = f"{len(matching)} results for {asked[own]} records with the number {own}"
            made += unknown((each,), f"the answer cannot be matched: {counted}")
            continue
        verdict = table.classify_item(matching[0], answer, mode=each.mode, sent=(each.payload,))
        made.append(Receipt(each.dispatch_id) if verdict.fault is None else refused((each,), verdict)[0])
    return made


def unsent(batch: Sequence[Outgoing], outcome: NotSent) -> list[Fault]:
    return [Fault(each.dispatch_id, FaultClass.DOWN, "not-sent", outcome.text) for each in batch]


def unknown(batch: Sequence[Outgoing], text: str, *, down: bool = False) -> list[Unknown]:
    return [Unknown(each.dispatch_id, text, down) for each in batch]


def gateway_lost(outcome: Answer, verdict: Verdict) -> bool:
    """Whether a gateway says that it lost the portal while it was asking: 502 and 504 (RFC 9110, 15.6.3 and 15.6.5).

    The portal may have taken the request, so the outcome is unknown; an answer table with a rule of its own decides.
    """
    return not verdict.known and outcome.status in (502, 504)


def no_log_in(batch: Sequence[Outgoing], failure: LogInFault) -> list[Fault]:
    found = failure.fault, failure.code, failure.text
    return [Fault(each.dispatch_id, *found, retry_after_s=failure.retry_after_s) for each in batch]


def refused(batch: Sequence[Outgoing], verdict: Verdict) -> list[Fault]:
    """One answer that refused the whole request. Who is to blame is unknown (R14) only where somebody can be.

    The field that it names, and what was sent in it, are told of a record that travelled alone: of several nobody knows
    whose they are.
    """
    fault = verdict.fault
    if fault is None:
        raise ValueError("a success refuses nobody")
    blames = fault in (FaultClass.DATA, FaultClass.ALREADY_THERE, FaultClass.TRANSIENT)
    path = value = None
    if verdict.named is not None and len(batch) == 1:
        path = verdict.named.field
        value = value_sent(batch[0].payload, path, verdict.named.value)
    return [
        Fault(
            each.dispatch_id,
            fault,
            verdict.code,
            verdict.text,
            path,
            value,
            retry_after_s=verdict.retry_after_s,
            whole_batch=blames and len(batch) > 1,
        )
        for each in batch
    ]


def unsupported(batch: Sequence[Outgoing], portal: str) -> list[Fault]:
    text = f"{portal} has no service for records of this kind; take the kind out of the route"
    return [Fault(each.dispatch_id, FaultClass.DATA, "unsupported-kind", f"{each.kind}: {text}") for each in batch]
