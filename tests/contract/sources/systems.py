"""The sources against their twins over loopback HTTP (or a real folder or database), behind one face for the suite."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson

from adapters.files import FilesSource
from adapters.rest import RestSource
from adapters.sandbox.twin import Twin
from adapters.soap import SoapSource
from adapters.sql import SqlSource
from hub.ports import AdapterContext, Arrival, Cursor, Source

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
SLUG = "so-tttt"
PLAIN = False
"""Orders to a twin go over plain HTTP on loopback; reading the certificates for it would cost 40 ms each time."""


@dataclass
class Dossier:
    """One row of a test, before it is put into a legacy shape."""

    number: str
    changed: datetime
    name: str = "Nguyễn Thị Hạnh"
    status: int = 4


def soap_row(row: Dossier) -> dict[str, Any]:
    return {
        "SoHoSo": row.number,
        "NguoiNop": row.name,
        "TrangThai": "Đang xử lý" if row.status == 4 else "Đã xử lý xong",
        "NgayCapNhat": row.changed.astimezone(LOCAL).strftime("%d/%m/%Y %H:%M:%S"),
        "QuaTrinh": [{"ThoiDiem": "03/01/2017 08:00:00", "NguoiXuLy": "Trần Văn <Bình> & cộng sự"}],
        "_note": "not shown",
    }


def rest_row(row: Dossier) -> dict[str, Any]:
    return {
        "so_ho_so": row.number,
        "nguoi_nop": row.name,
        "trang_thai": "processing" if row.status == 4 else "releasing",
        "ngay_cap_nhat": f"/Date({int(row.changed.timestamp() * 1000)})/",
        "qua_trinh": [],
        "_note": "not shown",
    }


def csv_row(row: Dossier) -> dict[str, Any]:
    changed = row.changed.astimezone(LOCAL).strftime("%Y%m%d%H%M%S")
    return {"hoso": {"SO_HO_SO": row.number, "HO_TEN": row.name, "TRANG_THAI": row.status, "NGAY_CAP_NHAT": changed}}


def soap_settings(at: str, /, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "wsdl": f"{at}/{SLUG}/MotCua.asmx?wsdl",
        "operation": "LayDanhSachHoSo",
        "since": {"argument": "tuNgay", "format": "dd/MM/yyyy HH:mm:ss", "overlap_s": 0.0},
        "page": {"argument": "trang", "size_argument": "kichThuoc", "size": 3},
        "rows": {
            "unwrap": [{"path": "//*[local-name()='LayDanhSachHoSoResult']", "holds": "xml"}],
            "within": "/DanhSachHoSo",
            "each": "HoSo",
            "changed": "NgayCapNhat",
            "changed_format": "dd/MM/yyyy HH:mm:ss",
            "pages": "/DanhSachHoSo/@tongTrang",
        },
        "operation_timeout_s": 5.0,
        "load_timeout_s": 5.0,
        "retry_after_cap_s": 0.1,
    }
    return settings | changes


def rest_settings(at: str, /, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "url": f"{at}/{SLUG}/api",
        "path": "ho-so",
        "since": {"parameter": "tu_ngay", "format": "iso", "overlap_s": 0.0},
        "page": {"parameter": "trang", "size_parameter": "kich_thuoc", "size": 3},
        "rows": {
            "at": "du_lieu",
            "changed": "ngay_cap_nhat",
            "changed_format": "/Date(ms)/",
            "pages": "tong_trang",
        },
        "auth": {
            "type": "login",
            "path": "dang-nhap",
            "username": "truclienthong",
            "password": "mat-khau-thu",
            "username_field": "ten_dang_nhap",
            "password_field": "mat_khau",
            "expires": "het_han",
        },
        "timeout_s": 5.0,
        "retry_after_cap_s": 0.1,
    }
    return settings | changes


def files_settings(at: str, /, **changes: Any) -> dict[str, Any]:
    return {"folder": f"{at}/{SLUG}", "pattern": ["hoso-*.csv", "buoc-*.csv"], "settle_s": 0.05} | changes


@dataclass
class System:
    """A legacy system and the hub's source that reads it."""

    kind: str
    twin: Twin
    folder: Path
    extra: dict[str, Any] = field(default_factory=dict)

    def tick(self, number: int) -> dict[str, Any]:
        answer = httpx.post(f"{self.twin.control}/_twin/tick", json={"tick": number}, verify=PLAIN)
        assert answer.status_code == 200, answer.text
        state: dict[str, Any] = answer.json()
        return state

    def fault(self, mode: str, **order: Any) -> None:
        answer = httpx.post(f"{self.twin.control}/_twin/fault", json={"mode": mode, **order}, verify=PLAIN)
        assert answer.status_code == 200, answer.text

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = httpx.get(f"{self.twin.control}/_twin/state", verify=PLAIN).json()["agencies"][SLUG]
        return state

    def settings(self, **changes: Any) -> Any:
        where = self.twin.url if self.kind != "files" else str(self.folder / "drop")
        made = {"soap": soap_settings, "rest": rest_settings, "files": files_settings}[self.kind](where, **changes)
        adapter: Any = {"soap": SoapSource, "rest": RestSource, "files": FilesSource}[self.kind]
        return adapter.Settings.model_validate(made)

    @contextmanager
    def source(self, **changes: Any) -> Iterator[Source]:
        adapter: Any = {"soap": SoapSource, "rest": RestSource, "files": FilesSource}[self.kind]
        yield adapter(self.settings(**changes), AdapterContext(name=SLUG, folder=self.folder))

    def numbers(self, arrival: Arrival) -> list[str]:
        """The dossier numbers in an arrival, read without the hub."""
        text = arrival.body.decode()
        if self.kind == "soap":
            return [part.partition("&lt;/SoHoSo")[0] for part in text.split("&lt;SoHoSo&gt;")[1:]]
        if self.kind == "rest":
            return [row["so_ho_so"] for row in json.loads(text)["du_lieu"]]
        return [line.partition(";")[0] for line in text.lstrip("\ufeff").splitlines()[1:]]


SQL = "SELECT so_ho_so, nguoi_nop, ngay_sua FROM ho_so"


def sql_settings(url: str, /, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "url": url,
        "query": SQL,
        "cursor": {"column": "ngay_sua", "overlap": 0.0},
        "key": "so_ho_so",
        "page": 3,
        "timeout_s": 5.0,
    }
    return settings | changes


@dataclass
class SqlSystem:
    """A legacy system that has nothing but its database, an SQLite file, and the hub's source that reads it."""

    folder: Path
    ticks: list[list[Dossier]]
    kind: str = "sql"

    def __post_init__(self) -> None:
        with closing(sqlite3.connect(self.folder / "motcua.db")) as base, base:
            base.execute("CREATE TABLE ho_so (so_ho_so TEXT PRIMARY KEY, nguoi_nop TEXT, ngay_sua TEXT)")

    def tick(self, number: int) -> dict[str, Any]:
        with closing(sqlite3.connect(self.folder / "motcua.db")) as base, base:
            for row in self.ticks[number - 1]:
                changed = f"{row.changed.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}"
                base.execute("INSERT OR REPLACE INTO ho_so VALUES (?, ?, ?)", (row.number, row.name, changed))
        return {}

    def settings(self, **changes: Any) -> Any:
        return SqlSource.Settings.model_validate(sql_settings("sqlite:///motcua.db", **changes))

    @contextmanager
    def source(self, **changes: Any) -> Iterator[Source]:
        yield SqlSource(self.settings(**changes), AdapterContext(name=SLUG, folder=self.folder))

    def numbers(self, arrival: Arrival) -> list[str]:
        return [row["so_ho_so"] for row in json.loads(arrival.body)]


async def poll(source: Source, cursor: Cursor, settle: bool = True) -> tuple[list[Arrival], Cursor]:
    """One poll as the hub makes it: each arrival settled before the next; returns the cursor at its end."""
    seen: list[Arrival] = []
    async for arrival in source.arrivals(cursor):
        seen.append(arrival)
        cursor = arrival.cursor if arrival.cursor is not None else cursor
        assert orjson.loads(orjson.dumps(dict(cursor))) == dict(cursor)
        if settle:
            readable = arrival.cursor is not None or not arrival.last or arrival.media == "csv"
            await source.settled(arrival, [], parked=not readable)
    return seen, cursor


def polls(source: Source, cursors: Sequence[Cursor | None]) -> list[tuple[list[Arrival], Cursor]]:
    """Polls one after the other; a cursor of None is where the one before ended."""

    async def main() -> list[tuple[list[Arrival], Cursor]]:
        done: list[tuple[list[Arrival], Cursor]] = []
        try:
            for cursor in cursors:
                done.append(await poll(source, done[-1][1] if cursor is None else cursor))
        finally:
            await source.close()
        return done

    return asyncio.run(main())


def dossiers(count: int, *, began: datetime | None = None, step_s: int = 60, first: int = 1) -> list[Dossier]:
    began = began or datetime(2017, 1, 3, 1, 0, tzinfo=UTC)
    return [
        Dossier(f"000.00.05.H59-170103-{first + at:04}", began + timedelta(seconds=step_s * at)) for at in range(count)
    ]


Make = Callable[..., System]
