"""The twin of a portal that is known by its configuration alone: records by method and path, in any form.

It takes what the settings of the adapter `http` describe: JSON, XML, forms and queries, one record or several in a
wrapper, at addresses with fields in them. It answers by HTTP status, with a line for people, or with the `welcome` that
a drill gives it; no idempotency key. What a record's number is, is said by `numbers`, or stands in the address.

`POST /dang-nhap` {username, password} to {token, het_han}, where `auth` is `login`. Fault scopes: `login`, `look-up`,
the kinds of records. Fault modes beside the common ones: `200-error` (HTTP 200 with an error inside, no effect),
`expire-session` (every token given so far dies), `duplicate-answer` (the answer comes twice on the line),
`missing-result` (where a result is given per record, after the effect: the last has none). The log: see portal_log;
its services are the kinds.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal
from urllib.parse import unquote

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.sandbox import plain_records
from adapters.sandbox.faults import Faults, after_effect, common_answer
from adapters.sandbox.portal_log import Effect, PortalLog, json_answer, log_fault, twice
from adapters.sandbox.stand_in import Given, Known, Learned, Orders, StandIn, orders
from adapters.sandbox.twin import TwinOptions, twin_app

DOSSIERS, STEPS = "dossier.v1", "dossier-step.v1"
LOG_IN = "/dang-nhap"
_METHODS = ["GET", "POST", "PUT", "PATCH"]
_HOLE = re.compile(r"\{([^{}]+)\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Service(_Part):
    """Where records of one kind are taken."""

    method: str = "POST"
    path: str
    wrap: str | None = None
    update_method: str | None = None
    """None: what it has already comes as what it has not."""
    update_path: str = ""
    update_wrap: str | None = None


class Said(_Part):
    """One answer."""

    status: int = 200
    form: Literal["json", "xml"] = "json"
    body: dict[str, Any]


class Results(_Part):
    """Where an answer holds a result per record: `welcome` has an example of one there."""

    at: list[str]
    key: list[str]
    refused: dict[str, Any]
    """The result of a record that is refused; its key is put in."""


class LookUp(_Part):
    """Where it is asked whether a dossier is there, and how it answers."""

    path: str = "/ho-so/{number}"
    there: int = 200
    not_there: int = 404
    at: list[str] = Field(default_factory=list)


class Options(_Part):
    """How this portal is deployed."""

    services: dict[str, Service] = Field(
        default_factory=lambda: {
            DOSSIERS: Service(path="/ho-so", update_method="PUT", update_path="/ho-so/{number}"),
            STEPS: Service(path="/buoc"),
        }
    )
    numbers: dict[str, list[str]] = Field(default_factory=dict)
    """By kind, the way into a record to its number; MaHoSo otherwise."""
    look_up: LookUp | None = Field(default_factory=LookUp)
    auth: Literal["none", "login"] = "login"
    username: str = "truc-lien-thong"
    password: str = "mat-khau-thu"
    token_s: int = Field(default=3600, gt=0)
    exists: Literal["conflict", "take"] = "conflict"
    """What a new dossier gets that is there already."""
    unknown: Literal["refuse", "take"] = "refuse"
    """What an update, or a step, of a dossier gets that is not there."""
    welcome: Said | None = None
    """How it says that it has taken something."""
    busy: Said = Field(default_factory=lambda: Said(body={"code": "E99", "message": "Hệ thống đang bận"}))
    """The error inside a 200."""
    results: Results | None = None


class _Address:
    """One method and path."""

    def __init__(self, kind: str, method: str, path: str, wrap: str | None, updating: bool | None) -> None:
        self.kind, self.method, self.wrap, self.updating = kind, method, wrap, updating
        place, _, self.query = path.partition("?")
        self.holes = _HOLE.findall(place)
        self._fits = re.compile("([^/]+)".join(map(re.escape, _HOLE.sub("\0", place).split("\0"))))

    def fits(self, method: str, path: str) -> dict[str, str] | None:
        """What stands in its fields; None where it is another address."""
        found = self._fits.fullmatch(path) if method == self.method else None
        return None if found is None else dict(zip(self.holes, map(unquote, found.groups()), strict=True))


class PlainPortal:
    """One portal: its tokens, its addresses, its log."""

    def __init__(self, options: TwinOptions) -> None:
        """Raises: ValueError for options or a log that cannot be used."""
        self.options = Options.model_validate(dict(options.options))
        self.log = PortalLog(options.log)
        self.faults = Faults("200-error", "expire-session", "duplicate-answer", "missing-result")
        self.tokens: dict[str, float] = {}
        self.log_ins = self.look_ups = 0
        self._addresses = sorted(_addresses(self.options), key=lambda one: len(one.holes))

    def state(self) -> dict[str, Any]:
        return {**self.log.state(), "log_ins": self.log_ins, "look_ups": self.look_ups}

    async def answer(self, request: Request) -> Response:
        """Whatever is asked."""
        path = request.scope["raw_path"].decode("ascii").partition("?")[0]
        if request.method == "POST" and path == LOG_IN and self.options.auth == "login":
            return await self._log_in(request)
        for address in self._addresses:
            fields = address.fits(request.method, path)
            if fields is not None:
                return await (self._take if address.kind else self._look_up)(request, address, fields)
        return json_answer({"message": "Không có dịch vụ tại địa chỉ này"}, 404)

    async def _log_in(self, request: Request) -> Response:
        body = await request.body()
        fault = self.faults.take("login")
        if (early := await common_answer(fault, request)) is not None:
            return early
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError:
            given = None
        wanted = {"username": self.options.username, "password": self.options.password}
        if given != wanted:
            answer = json_answer({"message": "Tên đăng nhập hoặc mật khẩu không đúng"}, 401)
        else:
            self.log_ins += 1
            token = secrets.token_hex(16)
            self.tokens[token] = time.monotonic() + self.options.token_s
            answer = json_answer({"token": token, "het_han": self.options.token_s})
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)

    async def _look_up(self, request: Request, address: _Address, fields: Mapping[str, str]) -> Response:
        fault = self.faults.take("look-up")
        if (early := await common_answer(fault, request)) is not None:
            return early
        wanted = self.options.look_up
        assert wanted is not None
        if self._stranger(request):
            answer = json_answer({"message": "Mã truy cập không hợp lệ hoặc đã hết hạn"}, 401)
        else:
            self.look_ups += 1
            there = self.log.knows(DOSSIERS, fields["number"])
            said: Any = [{"number": fields["number"]}] if there else []
            for step in reversed(wanted.at or ["ket_qua"]):
                said = {step: said}
            answer = json_answer(said, wanted.there if there or wanted.at else wanted.not_there)
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)

    async def _take(self, request: Request, address: _Address, fields: Mapping[str, str]) -> Response:
        kind, body = address.kind, await request.body()
        status, refusal = 400, ""
        found: list[dict[str, Any]] = []
        try:
            found = _read(request, body, address)
        except ValueError as error:
            refusal = f"Dữ liệu không đọc được: {error}"
        numbers = [self._number(kind, record, fields) for record in found]
        fault = self.faults.take(kind, messages=len(numbers))
        if (early := await common_answer(fault, request)) is not None:
            self.log.refuse(kind, numbers, log_fault(fault))
            return early
        if fault is not None and fault.mode == "expire-session":
            self.tokens.clear()
        if self._stranger(request):
            refusal, status = "Mã truy cập không hợp lệ hoặc đã hết hạn", 401
        elif fault is not None and fault.mode == "200-error":
            self.log.refuse(kind, numbers, self.options.busy.body)
            return _written(self.options.busy)
        if refusal:
            self.log.refuse(kind, numbers, {"message": refusal})
            answer = json_answer({"message": refusal}, status)
        else:
            answer = self._judged(address, found, numbers, short=fault is not None and fault.mode == "missing-result")
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)

    def _judged(
        self, address: _Address, found: Sequence[dict[str, Any]], numbers: Sequence[str], *, short: bool
    ) -> Response:
        """Take the records, all or none, or each for itself where each has a result."""
        refusals = [self._refusal(address, number) for number in numbers]
        wrong = [one for one in refusals if one is not None]
        if wrong and self.options.results is None:
            status, text = wrong[0]
            self.log.refuse(address.kind, numbers, {"message": text})
            return json_answer({"message": text}, status)
        taken = [at for at, one in enumerate(refusals) if one is None]
        self.log.accept(Effect(address.kind, numbers[at], found[at], address.updating) for at in taken)
        for number, one in zip(numbers, refusals, strict=True):
            if one is not None:
                self.log.refuse(address.kind, [number], {"message": one[1]})
        said = self.options.welcome
        if said is None:
            return json_answer({"message": "OK"}, 201 if address.updating is False else 200)
        return _written(said if self.options.results is None else self._each(said, numbers, refusals, short))

    def _each(
        self, said: Said, numbers: Sequence[str], refusals: Sequence[tuple[int, str] | None], short: bool
    ) -> Said:
        """`welcome` with a result for each record in the place of its example."""
        wanted = self.options.results
        assert wanted is not None
        body = deepcopy(said.body)
        holder = body
        for step in wanted.at[:-1]:
            holder = holder[step]
        [good] = holder[wanted.at[-1]]
        made = []
        for number, refusal in zip(numbers, refusals, strict=True):
            result = deepcopy(good if refusal is None else wanted.refused)
            inside = result
            for step in wanted.key[:-1]:
                inside = inside.setdefault(step, {})
            inside[wanted.key[-1]] = number
            made.append(result)
        holder[wanted.at[-1]] = made[:-1] if short else made
        return Said(status=said.status, form=said.form, body=body)

    def _refusal(self, address: _Address, number: str) -> tuple[int, str] | None:
        if not number:
            return 422, "Dữ liệu không hợp lệ: thiếu MaHoSo"
        there = self.log.knows(DOSSIERS, number)
        wanted = self.options
        if address.updating is False and there and wanted.exists == "conflict":
            return 409, f"Hồ sơ {number} đã tồn tại"
        needs = address.updating or (address.kind != DOSSIERS and DOSSIERS in wanted.services)
        return (422, f"Không tìm thấy hồ sơ {number}") if needs and not there and wanted.unknown == "refuse" else None

    def _number(self, kind: str, record: Mapping[str, Any], fields: Mapping[str, str]) -> str:
        steps = self.options.numbers.get(kind) or ["MaHoSo"]
        return plain_records.at(record, steps) or fields.get("number", "") or fields.get(steps[-1], "")

    def _stranger(self, request: Request) -> bool:
        if self.options.auth == "none":
            return False
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() != "bearer" or time.monotonic() >= self.tokens.get(token, 0.0)


def _addresses(options: Options) -> Iterator[_Address]:
    for kind, one in options.services.items():
        new = False if one.update_method is not None and kind == DOSSIERS else None
        yield _Address(kind, one.method, one.path, one.wrap, new)
        if one.update_method is not None:
            yield _Address(kind, one.update_method, one.update_path or one.path, one.update_wrap or one.wrap, True)
    if options.look_up is not None:
        yield _Address("", "GET", options.look_up.path, None, None)


def _read(request: Request, body: bytes, address: _Address) -> list[dict[str, Any]]:
    """Raises: ValueError."""
    form = plain_records.form_of(request.headers.get("content-type", ""))
    if body and not form:
        raise ValueError("Content-Type?")
    if body:
        return plain_records.records(body, form, address.wrap)
    own = request.scope["query_string"]
    fixed = address.query.encode()
    return plain_records.records(own.removeprefix(fixed).removeprefix(b"&") if fixed else own, "query")


def _written(said: Said) -> Response:
    return Response(plain_records.written(said.body, said.form), said.status, media_type=f"application/{said.form}")


# --- in a drill -------------------------------------------------------------------------------------------------------


def _logs_in(given: Given) -> bool:
    auth = given.get("auth")
    return isinstance(auth, Mapping) and auth.get("type") in ("login", "oauth2")


def _settings(given: Given, url: str) -> dict[str, Any]:
    own = Options()
    auth: dict[str, Any] = {"type": "none"}
    if _logs_in(given):
        auth = {"type": "login", "path": LOG_IN, "username": own.username, "password": own.password}
        auth |= {"token": "token", "expires": "het_han"}
    return {**given, "url": url, "auth": auth}


def _options(given: Given) -> dict[str, Any]:
    services = {}
    for kind, request in given["requests"].items():
        services[kind] = {key: str(request[key]) for key in ("method", "path", "wrap") if request.get(key) is not None}
        update = request.get("update")
        if isinstance(update, Mapping):
            services[kind]["update_method"] = str(update.get("method", "PUT"))
            services[kind]["update_path"] = str(update.get("path") or request["path"])
            if update.get("wrap") is not None:
                services[kind]["update_wrap"] = str(update["wrap"])
    made: dict[str, Any] = {"services": services, "auth": "login" if _logs_in(given) else "none", "look_up": None}
    asked = given.get("look_up")
    if isinstance(asked, Mapping):
        made["look_up"] = {
            "path": asked["path"],
            "there": int((asked.get("there") or [200])[0]),
            "not_there": int((asked.get("not_there") or [404])[0]),
            "at": str(asked["at"]).split(".") if asked.get("at") else [],
        }
    # How the portal in question answers what it has, or has not, is not known.
    return {**made, "exists": "take", "unknown": "take"}


def _learns(given: Given, known: Known) -> Learned:
    options: dict[str, Any] = {"numbers": {kind: list(steps) for kind, steps in known.numbers.items()}}
    cannot: dict[str, str] = {}
    several = known.results is not None and any("wrap" in request for request in given["requests"].values())
    if known.welcome is not None:
        options["welcome"] = dict(known.welcome)
    if known.busy is not None:
        options["busy"] = dict(known.busy)
    else:
        cannot["200-with-error"] = "its answer table takes every HTTP 200 for a success"
    if several and known.results is not None:
        options["results"] = dict(known.results)
    else:
        cannot["result-missing"] = "one answer stands for the whole request"
    return Learned(options, cannot)


def _faults(given: Given, deadline_s: float) -> Orders:
    made = orders(deadline_s)
    made["200-with-error"] = {"mode": "200-error"}
    made["result-missing"] = {"mode": "missing-result"}
    if not _logs_in(given):
        made["expired-session"] = "nothing is logged in to (auth)"
    return made


STAND_IN = StandIn(
    adapter="http",
    kinds={},
    replaces=("url", "auth"),
    drops=("ca_file", "client_certificate", "client_key", "client_key_password", "tls", "proxy", "sign", "headers"),
    settings=_settings,
    options=_options,
    faults=_faults,
    reads=plain_records.one,
    learns=_learns,
)
"""Whom this twin stands in for in a drill."""


def create(options: TwinOptions) -> Starlette:
    """The entry point `plain-portal`."""
    portal = PlainPortal(options)
    routes = [Route("/{rest:path}", portal.answer, methods=_METHODS)]
    client = {"username": portal.options.username, "password": portal.options.password}
    return twin_app(routes, faults=portal.faults, state=portal.state, client=client)
