"""The twin of the national public service portal: log-in, DongBoHoSoMC, CapNhatTienDoHoSoMC, TraCuuHoSo, and the
catalogues LayDanhMucCoQuan, LayDanhSachTTHC, LayDanhMucLinhVuc (`--data FILE` has others than its own).

It answers like the real one: HTTP 200 with one `error_code` for the whole request, no idempotency key, and, since no
code of a refusal is public, refusals with a message in Vietnamese and no code at all. What nobody knows of the real
portal is a setting here, marked *assumed* below, so that a client can be held to each answer.

`POST /login`, `/integration`, `/share`. Fault scopes: `login`, the names of the services. Fault modes beside the common
ones: `200-error` (an error inside a 200, no effect), `expire-session` (every session given so far dies),
`duplicate-answer` (the answer comes twice on the line), `missing-result` (with `per_item`, after the effect: the last
item of the request has no result), `refuse-values` (items with a value that the order names are refused: `field`,
`pattern`, `message`, as in the option `refuse`). The log: see portal_log.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.sandbox.catalogues import SERVICES, ShownCatalogues
from adapters.sandbox.faults import Fault, Faults, after_effect, common_answer
from adapters.sandbox.portal_log import Effect, PortalLog, json_answer, log_fault, twice
from adapters.sandbox.stand_in import Given, Orders, StandIn, given_flag, orders
from adapters.sandbox.twin import TwinOptions, twin_app

DOSSIERS, STEPS, LOOK_UP = "DongBoHoSoMC", "CapNhatTienDoHoSoMC", "TraCuuHoSo"
_STATES = frozenset(str(state) for state in range(1, 11))
_STATE_FIELD = {DOSSIERS: "TrangThaiHoSo", STEPS: "TrangThai"}
_BUSY = {"message": "Hệ thống đang bận, vui lòng thử lại sau"}

Said: TypeAlias = dict[str, Any]
"""An answer, or the part of it that is about one item."""


class Refuse(BaseModel):
    """A rule by which items are refused: those whose `field` matches `pattern` whole; all values are invented."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    field: str
    pattern: str
    message: str = "{field} không hợp lệ: {value}"
    """Said with the refusal; `{field}`, `{value}` and `{number}` are put in."""

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return value

    def says(self, item: Mapping[str, Any], number: str) -> str | None:
        """What is said to an item; None where it is not refused."""
        value = item.get(self.field)
        if not isinstance(value, str) or re.fullmatch(self.pattern, value) is None:
            return None
        said = self.message.replace("{field}", self.field).replace("{number}", number)
        return said.replace("{value}", value)


class Options(BaseModel):
    """How this portal is deployed. *Assumed* is what no public material says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    username: str = "tra-vinh"
    password: str = "mat-khau-thu"
    dstcode: str = "VN:GOV:000.00.00.G22:vpcpdvcprovider"
    madonvi: str = "H59"
    success_code: Literal["00", 0] = "00"
    """The text in older deployments, the number in newer ones."""
    exists_code: Literal["0", "3", "-3"] = "3"
    """What comes with "đã tồn tại"; all three were seen."""
    per_item: bool = False
    """Assumed: a `result` list with an answer per dossier. No public client reads one."""
    batch_taken: Literal["whole", "part"] = "whole"
    """Assumed: whether a request with a refused item takes effect for the others."""
    max_batch: int = Field(default=0, ge=0)
    """Assumed: how many items a request may hold; 0 is any number."""
    unknown_update: Literal["refuse", "take"] = "refuse"
    """Assumed: what an update of a dossier that is not there gets."""
    unknown_step: Literal["refuse", "take"] = "refuse"
    """Assumed: what a step of a dossier that is not there gets."""
    session_s: float = Field(default=3600.0, gt=0)
    """Assumed: how long a session lives."""
    expired: Literal["text", "http-401", "silent"] = "text"
    """Assumed: how a dead session is answered: a message that says so, HTTP 401, or a message that does not say so."""
    ended: Literal["dated", "vanished"] = "dated"
    """Assumed: whether a catalogue shows what has ended with its last day and its successor, or no more."""
    today: str | None = None
    """The day by which that is so, 2025-07-01; the machine's own where it is not written."""
    unregistered: Literal["take", "refuse"] = "take"
    """Assumed: what a dossier gets whose procedure is in no catalogue."""
    refuse: list[Refuse] = Field(default_factory=list)
    """Assumed: items that are refused for a value; the first rule that fits one says why."""


class NationalPortal:
    """One portal: its sessions, what it knows, its log."""

    def __init__(self, options: TwinOptions) -> None:
        """Raises: ValueError for options or a log that cannot be used."""
        self.options = Options.model_validate(dict(options.options))
        self.log = PortalLog(options.log)
        self.catalogues = ShownCatalogues(options.data, self.options.ended, self.options.today)
        self.faults = PortalFaults("200-error", "expire-session", "duplicate-answer", "missing-result", "refuse-values")
        self.sessions: dict[str, float] = {}
        self.log_ins = self.look_ups = 0

    def state(self) -> dict[str, Any]:
        return {**self.log.state(), "log_ins": self.log_ins, "look_ups": self.look_ups}

    async def log_in(self, request: Request) -> Response:
        """{username, password} to {session, error_code}."""
        body = await _object(request)
        fault = self.faults.take("login")
        if (early := await common_answer(fault, request)) is not None:
            return early
        wanted = self.options
        given = (body.get("username"), body.get("password"), request.headers.get("dstcode"))
        if fault is not None and fault.mode == "200-error":
            said: Said = _BUSY
        elif given != (wanted.username, wanted.password, wanted.dstcode):
            said = {"session": None, "message": "Tên đăng nhập, mật khẩu hoặc dstcode không đúng"}
        else:
            self.log_ins += 1
            session = secrets.token_hex(16)
            self.sessions[session] = time.monotonic() + wanted.session_s
            said = {"session": session, "error_code": wanted.success_code}
        answer = json_answer(said)
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)

    async def integrate(self, request: Request) -> Response:
        """Take dossiers or steps."""
        body = await _object(request)
        service, items = str(body.get("service")), body.get("data")
        numbers = [_number(item) for item in items] if isinstance(items, list) else []
        fault = self.faults.take(service, messages=len(numbers))
        if (early := await common_answer(fault, request)) is not None:
            self.log.refuse(service, numbers, log_fault(fault))
            return early
        if fault is not None and fault.mode == "expire-session":
            self.sessions.clear()
        status, said = self._stranger(request, body)
        if said is None and fault is not None and fault.mode == "200-error":
            said = _BUSY
        if said is None:
            if service not in _STATE_FIELD:
                said = {"message": f"Không có dịch vụ {service}"}
            elif not isinstance(items, list) or not items:
                said = {"message": "Thiếu dữ liệu: data"}
            elif service == DOSSIERS and body.get("isUpdating") not in ("True", "False"):
                said = {"message": "isUpdating phải là True hoặc False"}
            elif self.options.max_batch and len(items) > self.options.max_batch:
                said = {"message": f"Mỗi lần gửi không quá {self.options.max_batch} bản ghi"}
        if said is not None:
            self.log.refuse(service, numbers, said)
        else:
            updating = None if service == STEPS else body.get("isUpdating") == "True"
            said = self._take(service, updating, items if isinstance(items, list) else [], _ordered(fault))
            if fault is not None and fault.mode == "missing-result" and isinstance(said.get("result"), list):
                said = {**said, "result": said["result"][:-1]}
        answer = json_answer(said, status)
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)

    async def share(self, request: Request) -> Response:
        """Say whether a dossier is there, or show a catalogue."""
        body = await _object(request)
        service = str(body.get("service"))
        fault = self.faults.take(service if service in SERVICES else LOOK_UP)
        if (early := await common_answer(fault, request)) is not None:
            return early
        if fault is not None and fault.mode == "expire-session":
            self.sessions.clear()
        status, said = self._stranger(request, body)
        if said is None and fault is not None and fault.mode == "200-error":
            said = _BUSY
        if said is None and service in SERVICES:
            said = {"error_code": self.options.success_code, "result": self.catalogues.rows(service)}
        if said is None and service != LOOK_UP:
            said = {"message": f"Không có dịch vụ {service}"}
        if said is None:
            self.look_ups += 1
            number = body.get("mahoso")
            there = isinstance(number, str) and self.log.knows(DOSSIERS, number)
            said = {"result": [{"MaHoSo": number}] if there else []}
        answer = json_answer(said, status)
        if fault is not None and fault.mode == "duplicate-answer":
            return twice(answer)
        return after_effect(fault, answer)

    def _stranger(self, request: Request, body: Mapping[str, Any]) -> tuple[int, Said | None]:
        """The refusal of a caller without a living session, or of the wrong place; None is welcome."""
        if time.monotonic() >= self.sessions.get(str(body.get("session")), 0.0):
            if self.options.expired == "http-401":
                return 401, {"message": "Unauthorized"}
            if self.options.expired == "silent":
                return 200, {"message": "Yêu cầu không hợp lệ"}
            return 200, {"message": "Phiên làm việc không tồn tại hoặc đã hết hạn"}
        if request.headers.get("dstcode") != self.options.dstcode or body.get("madonvi") != self.options.madonvi:
            return 200, {"message": "Đơn vị không được phép sử dụng dịch vụ"}
        return 200, None

    def _take(self, service: str, updating: bool | None, items: Sequence[Any], refuse: Sequence[Refuse] = ()) -> Said:
        """Judge each item, let the request take effect as the settings say, and make the answer."""
        effects: list[Effect] = []
        refusals: list[tuple[str, Said]] = []
        results: list[Said] = []
        added: set[str] = set()
        ok = {"error_code": self.options.success_code, "message": "Thành công"}
        for item in items:
            number = _number(item)
            refusal = self._refusal(service, updating, item, number, added)
            for rule in (*refuse, *self.options.refuse) if refusal is None else ():
                if (says := rule.says(item, number)) is not None:
                    refusal = {"message": says}
                    break
            if refusal is None:
                effects.append(Effect(service, number, item, updating))
                added.add(number)
            else:
                refusals.append((number, refusal))
            results.append({"MaHoSo": number, **(refusal or ok)})
        if refusals and not self.options.per_item and self.options.batch_taken == "whole":
            self.log.refuse(service, [_number(item) for item in items], refusals[0][1])
            return refusals[0][1]
        self.log.accept(effects)
        for number, refusal in refusals:
            self.log.refuse(service, [number], refusal)
        if self.options.per_item:
            return {"error_code": self.options.success_code, "result": results}
        return refusals[0][1] if refusals else ok

    def _refusal(self, service: str, updating: bool | None, item: Any, number: str, added: set[str]) -> Said | None:
        if not number:
            return {"message": "Dữ liệu không hợp lệ: thiếu MaHoSo"}
        if item.get(_STATE_FIELD[service]) not in _STATES:
            return {"message": f"Dữ liệu không hợp lệ: {_STATE_FIELD[service]}"}
        code = item.get("MaTTHC")
        if service == DOSSIERS and self.options.unregistered == "refuse":
            shown = self.catalogues.rows("LayDanhSachTTHC") or ()
            if code not in {row.get("MaTTHC") for row in shown}:
                return {"message": f"MaTTHC không có trong danh mục: {code}"}
        there = number in added or self.log.knows(DOSSIERS, number)
        if service == STEPS:
            there = self.log.knows(DOSSIERS, number)
            refused = not there and self.options.unknown_step == "refuse"
        elif updating:
            refused = not there and self.options.unknown_update == "refuse"
        elif there:
            return {"error_code": self.options.exists_code, "message": f"Hồ sơ {number} đã tồn tại"}
        else:
            refused = False
        return {"message": f"Không tìm thấy hồ sơ {number}"} if refused else None


class PortalFaults(Faults):
    """The orders of this portal; one to refuse values says which."""

    def order(self, body: Mapping[str, Any]) -> Fault | None:
        """Raises: ValueError naming what is wrong with the order."""
        if body.get("mode") == "refuse-values":
            _rule(body)
        return super().order(body)


def _ordered(fault: Fault | None) -> Sequence[Refuse]:
    """The rule that an order `refuse-values` brings."""
    return (_rule(fault.settings),) if fault is not None and fault.mode == "refuse-values" else ()


def _rule(order: Mapping[str, Any]) -> Refuse:
    """Raises: ValueError."""
    return Refuse.model_validate({name: order[name] for name in Refuse.model_fields if name in order})


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _number(item: object) -> str:
    number = item.get("MaHoSo") if isinstance(item, dict) else None
    return number if isinstance(number, str) else ""


def _settings(given: Given, url: str) -> dict[str, Any]:
    own = {"login_path": "/login", "integration_path": "/integration", "share_path": "/share"}
    # A limit on the life of a session is the user's; who he is at the real portal is nothing for a twin.
    known = Options().model_dump(include={"username", "password", "dstcode", "madonvi"})
    return {**given, **own, **known, "url": url}


def _options(given: Given) -> dict[str, Any]:
    return {"per_item": given_flag(given, "per_item")}


def _faults(given: Given, deadline_s: float) -> Orders:
    made = orders(deadline_s)
    made["200-with-error"] = {"mode": "200-error"}
    if given_flag(given, "per_item"):
        made["result-missing"] = {"mode": "missing-result"}
    else:
        made["result-missing"] = "one answer stands for the whole request (per_item is not set)"
    return made


STAND_IN = StandIn(
    adapter="dvcqg",
    kinds={DOSSIERS: "dossier.v1", STEPS: "dossier-step.v1"},
    replaces=("url", "login_path", "integration_path", "share_path", "username", "password", "dstcode", "madonvi"),
    drops=("ca_file",),
    settings=_settings,
    options=_options,
    faults=_faults,
)
"""Whom this twin stands in for in a drill."""


def create(options: TwinOptions) -> Starlette:
    """The entry point `national-portal`."""
    portal = NationalPortal(options)
    routes = [
        Route("/login", portal.log_in, methods=["POST"]),
        Route("/integration", portal.integrate, methods=["POST"]),
        Route("/share", portal.share, methods=["POST"]),
    ]
    client = portal.options.model_dump(include={"username", "password", "dstcode", "madonvi"})
    return twin_app(routes, faults=portal.faults, state=portal.state, client=client)
