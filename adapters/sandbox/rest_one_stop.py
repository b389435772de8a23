"""The twin of a one-stop shop that speaks REST: log in for a token, then JSON pages of dossiers.

`POST /<slug>/api/dang-nhap {ten_dang_nhap, mat_khau}` gives `{"token", "het_han"}`; `GET
/<slug>/api/ho-so?tu_ngay=<ISO, local>&trang=1&kich_thuoc=200` with `Authorization: Bearer` answers `{"trang",
"tong_trang", "du_lieu": […]}` of rows changed at or after `tu_ngay` by change time and number. With `con_tro` (empty
at first) instead of `trang` the answer names the next one in `tiep_theo`, null at the end. Options: `username`,
`password`, `token_s` (life of a token), `token` (one that is always good), `charset` (of answers), `max_size`. Fault
modes beside the common ones: garbage, shape, error-200, expire-session (every token given so far), bomb, huge.
Scopes: `<slug>` for rows, `<slug>/login`.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.sandbox.faults import Fault, Faults, after_effect, common_answer
from adapters.sandbox.ticks import ALWAYS, Shape, Ticks
from adapters.sandbox.twin import TwinOptions, twin_app

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_DATE = re.compile(r"/Date\((-?\d+)\)/")


def changed(row: Mapping[str, Any]) -> float:
    """The change time of a row, `/Date(ms)/`, in epoch seconds; of one-second resolution, as the system keeps it."""
    found = _DATE.fullmatch(str(row.get("ngay_cap_nhat") or ""))
    return float(int(found[1]) // 1000) if found else ALWAYS


def render(row: Mapping[str, Any]) -> str:
    """One row as JSON text."""
    return orjson.dumps(row).decode()


class OneStop:
    """The agencies behind one address, and the tokens that they gave."""

    def __init__(self, options: TwinOptions) -> None:
        self.ticks = Ticks(options, Shape("rest", "so_ho_so", changed, render))
        self.faults = Faults("garbage", "shape", "error-200", "expire-session", "bomb", "huge")
        own = options.options
        self.password = (own.get("username", "truclienthong"), own.get("password", "mat-khau-thu"))
        self.token_s = float(own.get("token_s", 3600))
        self.charset: str = own.get("charset", "utf-8")
        self.max_size = int(own.get("max_size", 1000))
        self.constant: str | None = own.get("token")
        self.tokens: dict[str, float] = {}
        self.given = 0

    async def log_in(self, request: Request) -> Response:
        """Give a token."""
        slug = request.path_params["slug"]
        if slug not in self.ticks.agencies:
            return PlainTextResponse("Không tìm thấy trang", 404)
        fault = self.faults.take(f"{slug}/login")
        if (answer := await common_answer(fault, request)) is not None:
            return answer
        try:
            asked = await request.json()
            known = (asked["ten_dang_nhap"], asked["mat_khau"]) == self.password
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            return JSONResponse({"thong_bao": "Tên đăng nhập hoặc mật khẩu không đúng"}, 401)
        self.given += 1
        token = hashlib.sha256(f"{slug} {self.given}".encode()).hexdigest()
        self.tokens[token] = time.monotonic() + self.token_s
        return after_effect(fault, JSONResponse({"token": token, "het_han": self.token_s}))

    async def rows(self, request: Request) -> Response:
        """One page of dossiers."""
        slug = request.path_params["slug"]
        agency = self.ticks.agencies.get(slug)
        if agency is None:
            return PlainTextResponse("Không tìm thấy trang", 404)
        fault = self.faults.take(slug)
        if (answer := await common_answer(fault, request)) is not None:
            return answer
        if fault is not None and fault.mode == "expire-session":
            self.tokens.clear()
        if not self._known(request.headers.get("authorization", "")):
            return JSONResponse({"thong_bao": "Phiên làm việc đã hết hạn"}, 401)
        if fault is not None and (wrong := _wrong(fault)) is not None:
            return wrong
        asked = request.query_params
        by_cursor = "con_tro" in asked
        try:
            since = _since(asked.get("tu_ngay", ""))
            number = int((asked["con_tro"].removeprefix("trang-") if by_cursor else asked.get("trang")) or 1)
            size = min(int(asked.get("kich_thuoc", 200)), self.max_size)
            if number < 1 or size < 1:
                raise ValueError("trang và kích thước trang bắt đầu từ 1")
        except ValueError as error:
            return JSONResponse({"thong_bao": f"Tham số không hợp lệ: {error}"}, 400)
        rows, pages = agency.page(since, number, size)
        if fault is None:
            agency.polled(since, number, pages)
        if by_cursor:
            following = f'"trang-{number + 1}"' if number < pages else "null"
            head = f'"tiep_theo":{following}'
        else:
            head = f'"trang":{number},"tong_trang":{pages}'
        text = f'{{{head},"du_lieu":[{",".join(rows)}]}}'
        if fault is not None and fault.mode == "shape":
            text = text.replace('"du_lieu"', '"ket_qua"').replace('"so_ho_so"', '"ma_ho_so"')
        return after_effect(fault, self._json(text))

    def _known(self, header: str) -> bool:
        token = header.removeprefix("Bearer ")
        return token == self.constant or self.tokens.get(token, 0.0) > time.monotonic()

    def _json(self, text: str) -> Response:
        return Response(text.encode(self.charset), media_type=f"application/json; charset={self.charset}")


def _since(text: str) -> float:
    if not text:
        return 0.0
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)).timestamp()


def _wrong(fault: Fault) -> Response | None:
    match fault.mode:
        case "garbage":
            return Response("<html><body>Máy chủ đang bảo trì", media_type="application/json")
        case "error-200":
            return JSONResponse({"ma_loi": "99", "thong_bao": "Lỗi truy vấn cơ sở dữ liệu"})
        case "bomb":
            return Response("[" * 200_000 + "]" * 200_000, media_type="application/json")
        case "huge":
            return Response('{"du_lieu":["' + "A" * int(fault.settings.get("bytes", 2_000_000)) + '"]}')
        case _:
            return None


def create(options: TwinOptions) -> Starlette:
    """Raises: ValueError for a data file that cannot be used."""
    one_stop = OneStop(options)
    routes = [
        Route("/{slug}/api/dang-nhap", one_stop.log_in, methods=["POST"]),
        Route("/{slug}/api/ho-so", one_stop.rows, methods=["GET"]),
    ]
    return twin_app(routes, faults=one_stop.faults, state=one_stop.ticks.state, tick=one_stop.ticks.tick)
