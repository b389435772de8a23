"""The twin of the provincial platform (LGSP): token, SyncDocument, UpdateDocumentTraces.

It answers like the real one: HTTP 200 means taken, whatever the body says; one record per request; no look-up, no
create-or-update flag, no idempotency key. What nobody knows of the real platform is a setting here, marked *assumed*.

`POST /token`, `/Document/SyncDocument`, `/Document/UpdateDocumentTraces`. Fault scopes: `token`, the services' names.
Fault modes beside the common ones: `expire-session` (every token given so far dies), `duplicate-answer` (the answer
comes twice on the line). An error inside a 200 is no mode of this twin: here a 200 is "taken". The log: see portal_log.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Literal
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.sandbox.faults import Faults, after_effect, common_answer
from adapters.sandbox.portal_log import Effect, PortalLog, json_answer, log_fault, twice
from adapters.sandbox.stand_in import Given, Orders, StandIn, orders
from adapters.sandbox.twin import TwinOptions, twin_app

DOSSIERS, STEPS = "SyncDocument", "UpdateDocumentTraces"


class Options(BaseModel):
    """How this platform is deployed. *Assumed* is what no public material says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    client_id: str = "truc-lien-thong"
    client_secret: str = "mat-khau-thu"
    token_s: int = Field(default=3600, gt=0)
    """How long a token lives, as `expires_in` says."""
    unknown_step: Literal["refuse", "take"] = "refuse"
    """Assumed: what a step of a dossier that is not there gets."""


class ProvincialPortal:
    """One platform: its tokens, its log."""

    def __init__(self, options: TwinOptions) -> None:
        """Raises: ValueError for options or a log that cannot be used."""
        self.options = Options.model_validate(dict(options.options))
        self.log = PortalLog(options.log)
        self.faults = Faults("expire-session", "duplicate-answer")
        self.tokens: dict[str, float] = {}
        self.log_ins = 0

    def state(self) -> dict[str, Any]:
        return {**self.log.state(), "log_ins": self.log_ins}

    async def token(self, request: Request) -> Response:
        """Client credentials to {access_token, scope, token_type, expires_in}."""
        fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        fault = self.faults.take("token")
        if (early := await common_answer(fault, request)) is not None:
            return early
        wanted = ("client_credentials", self.options.client_id, self.options.client_secret)
        if (fields.get("grant_type"), fields.get("client_id"), fields.get("client_secret")) != wanted:
            answer = json_answer({"error": "invalid_client"}, 401)
        else:
            self.log_ins += 1
            token = secrets.token_hex(16)
            self.tokens[token] = time.monotonic() + self.options.token_s
            answer = json_answer(
                {"access_token": token, "scope": "default", "token_type": "Bearer", "expires_in": self.options.token_s}
            )
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)

    async def dossier(self, request: Request) -> Response:
        """SyncDocument."""
        return await self._take(request, DOSSIERS)

    async def step(self, request: Request) -> Response:
        """UpdateDocumentTraces."""
        return await self._take(request, STEPS)

    async def _take(self, request: Request, service: str) -> Response:
        body = await request.body()
        try:
            record = orjson.loads(body)
        except orjson.JSONDecodeError:
            record = None
        code = record.get("DocCode") if isinstance(record, dict) else None
        number = code if isinstance(code, str) else ""
        fault = self.faults.take(service, messages=1)
        if (early := await common_answer(fault, request)) is not None:
            self.log.refuse(service, [number], log_fault(fault))
            return early
        if fault is not None and fault.mode == "expire-session":
            self.tokens.clear()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        refusal, status = "", 400
        if scheme.lower() != "bearer" or time.monotonic() >= self.tokens.get(token, 0.0):
            refusal, status = "Mã truy cập không hợp lệ hoặc đã hết hạn", 401
        elif not number:
            refusal = "Dữ liệu không hợp lệ: thiếu DocCode"
        elif service == STEPS and self.options.unknown_step == "refuse" and not self.log.knows(DOSSIERS, number):
            refusal = f"Không tìm thấy hồ sơ {number}"
        if refusal:
            said = {"message": refusal}
            self.log.refuse(service, [number], said)
            answer = json_answer(said, status)
        else:
            self.log.accept([Effect(service, number, record)])
            answer = json_answer({"message": "OK"})
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)


def _settings(given: Given, url: str) -> dict[str, Any]:
    own = {"token_path": "/token", "dossier_path": f"/Document/{DOSSIERS}", "step_path": f"/Document/{STEPS}"}
    return {**given, **own, **Options().model_dump(include={"client_id", "client_secret"}), "url": url}


def _options(given: Given) -> dict[str, Any]:
    return {}


def _faults(given: Given, deadline_s: float) -> Orders:
    made = orders(deadline_s)
    made["200-with-error"] = "HTTP 200 is taken here, whatever the body says"
    made["result-missing"] = "one record travels per request"
    return made


STAND_IN = StandIn(
    adapter="lgsp",
    kinds={DOSSIERS: "dossier.v1", STEPS: "dossier-step.v1"},
    replaces=("url", "token_path", "dossier_path", "step_path", "client_id", "client_secret"),
    drops=("ca_file",),
    settings=_settings,
    options=_options,
    faults=_faults,
)
"""Whom this twin stands in for in a drill."""


def create(options: TwinOptions) -> Starlette:
    """The entry point `provincial-portal`."""
    portal = ProvincialPortal(options)
    routes = [
        Route("/token", portal.token, methods=["POST"]),
        Route(f"/Document/{DOSSIERS}", portal.dossier, methods=["POST"]),
        Route(f"/Document/{STEPS}", portal.step, methods=["POST"]),
    ]
    client = portal.options.model_dump(include={"client_id", "client_secret"})
    return twin_app(routes, faults=portal.faults, state=portal.state, client=client)
