"""What a twin can be told to do wrong, and the answers that need more than a status: hang, drip, cut the line.

It knows no legacy system and no portal: a twin asks `Faults.take()` once per request, gives `common_answer()` the
first word, and handles the modes that only it can act out (a garbled page, an error inside a 200, an expired session)
by itself. Deterministic: `share` is spread evenly by an accumulator, not drawn.
"""

from __future__ import annotations

import socket
import struct
import time
from asyncio import Transport, sleep
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

COMMON_MODES = frozenset(
    {"down", "refuse", "hang", "drip", "500", "http-503", "429", "accept-drop", "accept-hang", "linger"}
)
"""Modes that every twin has. `down`: the connection is accepted, the request read, and the line cut with a RST before
anything takes effect. `refuse`: the listening socket is really closed (`ECONNREFUSED`); lift it at the control address.
`hang`: no answer until the client leaves. `drip`: the whole answer, a byte every `interval_s`, after the effect.
`accept-drop`: the effect, then a RST instead of the answer. `accept-hang`: the effect, then no answer until the client
leaves. `linger`: the effect, then the answer `interval_s` late. `500`, `http-503`, `429` (with `retry_after_s`):
refused before any effect."""

EXTENSION = "twin.connection"
"""Where `twin.py` leaves the connection in the ASGI scope, so that it can be cut."""


@dataclass(slots=True)
class Fault:
    """One order to go wrong. `scope` narrows it to one agency, service or path, as the twin says; empty is all."""

    mode: str
    scope: str = ""
    for_requests: int | None = None
    share: float = 1.0
    after: int = 0
    """Let this many requests through first."""
    interval_s: float = 0.05
    retry_after_s: float | None = None
    until: float | None = None
    """On the monotonic clock; None is until it is told otherwise."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The order as it came, for what only one twin understands."""
    _due: float = 0.0

    def strikes(self) -> bool:
        """Count one request, and say whether it is struck."""
        if self.after > 0:
            self.after -= 1
            return False
        self._due += self.share
        if self._due < 1.0 - 1e-9:
            return False
        self._due -= 1.0
        if self.for_requests is not None:
            self.for_requests -= 1
        return True

    def over(self, now: float) -> bool:
        return (self.for_requests is not None and self.for_requests <= 0) or (
            self.until is not None and now >= self.until
        )


@dataclass(slots=True)
class Struck:
    """How much met a fault: requests, and the records that they brought (none in a log-in or a look-up)."""

    requests: int = 0
    messages: int = 0


class Faults:
    """The orders in force, at most one per scope; a new order for a scope replaces the old one."""

    def __init__(self, *modes: str) -> None:
        """`modes` are the twin's own, beside `COMMON_MODES`."""
        self.modes = COMMON_MODES | set(modes)
        self.struck: dict[str, Struck] = {}
        """Per mode, what it has struck so far."""
        self._orders: dict[str, Fault] = {}

    def order(self, body: Mapping[str, Any]) -> Fault | None:
        """Take an order: `mode`, and optionally scope, for_requests, share, after, for_s, interval_s, retry_after_s, ….

        `{"mode": "off"}` lifts the order of its scope, without a scope every one. Returns the fault, None for `off`.
        Raises: ValueError naming what is wrong with the order.
        """
        mode, scope = body.get("mode"), body.get("scope") or ""
        if not isinstance(scope, str):
            raise ValueError(f"scope must be text, found {scope!r}")
        if mode == "off":
            if scope:
                self._orders.pop(scope, None)
            else:
                self._orders.clear()
            return None
        if mode not in self.modes:
            raise ValueError(f"unknown mode {mode!r}; known: off, {', '.join(sorted(self.modes))}")
        numbers: dict[str, float | None] = {}
        for name in ("for_requests", "share", "after", "for_s", "interval_s", "retry_after_s"):
            value = body.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise ValueError(f"{name} must be a number that is not negative, found {value!r}")
            numbers[name] = value
        for_requests, for_s, share, interval_s = (numbers[n] for n in ("for_requests", "for_s", "share", "interval_s"))
        fault = Fault(
            mode=mode,
            scope=scope,
            for_requests=None if for_requests is None else int(for_requests),
            share=1.0 if share is None else min(share, 1.0),
            after=int(numbers["after"] or 0),
            interval_s=0.05 if interval_s is None else interval_s,
            retry_after_s=numbers["retry_after_s"],
            until=None if for_s is None else time.monotonic() + for_s,
            settings=dict(body),
        )
        self._orders[scope] = fault
        return fault

    def take(self, *scopes: str, messages: int = 0) -> Fault | None:
        """Count one request and return the fault that strikes it: of the first of `scopes` with an order, or of all.

        `messages` is how many records the request brings.
        """
        now = time.monotonic()
        for scope in (*scopes, ""):
            fault = self._orders.get(scope)
            if fault is None:
                continue
            if fault.over(now):
                del self._orders[scope]
            elif fault.strikes():
                struck = self.struck.setdefault(fault.mode, Struck())
                struck.requests += 1
                struck.messages += messages
                return fault
        return None

    def state(self) -> dict[str, str]:
        """The orders still in force, `{scope or "*": mode}`."""
        now = time.monotonic()
        return {scope or "*": fault.mode for scope, fault in self._orders.items() if not fault.over(now)}


async def common_answer(fault: Fault | None, request: Request) -> Response | None:
    """The answer to a request that must not take effect; None when the twin itself has to answer.

    Covers `down`, `refuse` (for the connections that were open), `hang`, `500`, `http-503` and `429`. For the modes
    after the effect make the answer and pass it through `after_effect`.
    """
    match fault.mode if fault is not None else "":
        case "down" | "refuse":
            return Cut()
        case "hang":
            await hang(request)
            return Cut()
        case "500":
            return PlainTextResponse("Lỗi hệ thống: Object reference not set to an instance of an object.", 500)
        case "http-503":
            return PlainTextResponse("Service Unavailable", 503)
        case "429":
            wait_s = fault.retry_after_s if fault is not None and fault.retry_after_s is not None else 1
            return PlainTextResponse("Too Many Requests", 429, headers={"Retry-After": f"{wait_s:g}"})
        case _:
            return None


def after_effect(fault: Fault | None, answer: Response) -> Response:
    """The answer as the fault lets it out: dripped (`drip`), late (`linger`), never (`accept-hang`), replaced by a cut
    line (`accept-drop`), or as it is."""
    match fault.mode if fault is not None else "":
        case "drip" if fault is not None:
            return Drip(answer, fault.interval_s)
        case "linger" if fault is not None:
            return Late(answer, fault.interval_s)
        case "accept-hang":
            return Never()
        case "accept-drop":
            return Cut()
        case _:
            return answer


async def hang(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Cut(Response):
    """Not an answer: the connection is reset (RST), as by a portal that dies."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cut(transport_of(scope))


class Never(Response):
    """Not an answer: the connection stays open and silent until the client leaves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        cut(transport_of(scope))


class Late(Response):
    """An answer that comes `interval_s` late, whole."""

    def __init__(self, answer: Response, interval_s: float) -> None:
        super().__init__()
        self.answer, self.interval_s = answer, interval_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await sleep(self.interval_s)
        if not transport_of(scope).is_closing():
            await self.answer(scope, receive, send)


class Drip(Response):
    """An answer that arrives a byte every `interval_s`: each read is quick, the whole takes for ever."""

    def __init__(self, answer: Response, interval_s: float) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
        self.interval_s = interval_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = transport_of(scope)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        for at in range(len(body)):
            if transport.is_closing():
                return
            await send({"type": "http.response.body", "body": body[at : at + 1], "more_body": True})
            await sleep(self.interval_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def transport_of(scope: Scope) -> Transport:
    """The connection that carries a request."""
    transport: Transport = scope["extensions"][EXTENSION]["transport"]
    return transport


def cut(transport: Transport) -> None:
    """Close a connection with a RST rather than a FIN."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
