"""What the floor does to the data, as straight as it can be written: decode, validate, pack, render, store.

The same libraries on the same bytes as the hub: lxml with compiled XPath, the hub's own record model, zlib at its
level, SQLite and PostgreSQL by their drivers with the hub's durability. No rule, no mapping language, no state but one
row per page, record, dispatch and call.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from unicodedata import normalize

import orjson
import psycopg
from lxml import etree

from benchmarks.dossiers import AGENCIES
from hub.ledger.pages import LEVEL
from schemas.dossier import Dossier

DESTINATIONS = ("national", "provincial")
SEVEN = timedelta(hours=7)
"""Viet Nam's distance from UTC since 1975."""

_RESULT: Any = etree.XPath("//*[local-name()='LayDanhSachHoSoResult']")
_ROWS: Any = etree.XPath("/DanhSachHoSo/HoSo")
_TOTAL: Any = etree.XPath("string(/DanhSachHoSo/@tongTrang)")
_STATUS = {
    "Mới đăng ký": 1, "Được tiếp nhận": 2, "Không được tiếp nhận": 3, "Đang xử lý": 4, "Yêu cầu bổ sung giấy tờ": 5,
    "Yêu cầu thực hiện nghĩa vụ tài chính": 6, "Công dân yêu cầu rút hồ sơ": 7, "Dừng xử lý": 8, "Đã xử lý xong": 9,
    "Đã trả kết quả": 10,
}  # fmt: skip
_APPLICANT = {"Công dân": "citizen", "Doanh nghiệp": "enterprise", "Cơ quan nhà nước": "state-agency",
              "Tổ chức khác": "other"}  # fmt: skip
_CHANNEL = {"Trực tiếp": "counter", "Trực tuyến": "online", "Bưu chính": "post"}
_AGENCY: dict[str, tuple[Any, Any]] = {str(row["aliases"][0]): (row["code"], row["level"]) for row in AGENCIES}
_TEXTS = {
    "number": "SoHoSo", "procedure_code": "MaThuTuc", "procedure_name": "TenThuTuc", "field_code": "MaLinhVuc",
    "field_name": "LinhVuc", "applicant_name": "NguoiNop", "applicant_address": "DiaChi", "applicant_phone":
    "DienThoai", "applicant_email": "Email", "summary": "TrichYeu", "note": "GhiChu",
}  # fmt: skip
_TIMES = {"received_at": "NgayTiepNhan", "due_at": "NgayHenTra", "finished_at": "NgayHoanThanh",
          "returned_at": "NgayTra", "changed_at": "NgayCapNhat"}  # fmt: skip

Row = dict[str, str]


class Ticket(NamedTuple):
    """One dossier on its way to one destination."""

    id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A page ready to be stored."""

    number: int
    raw: bytes
    records: bytes
    keys: list[str]
    bodies: list[bytes]


def decode(body: bytes) -> tuple[list[Row], int]:
    """The rows of an envelope, each as its texts by name, and how many pages the source has."""
    inner = etree.fromstring(_RESULT(etree.fromstring(body))[0].text.encode())
    return [{child.tag: child.text or "" for child in row} for row in _ROWS(inner)], int(_TOTAL(inner))


def validate(rows: Sequence[Row]) -> tuple[list[str], list[bytes]]:
    """Key and canonical JSON of each row. Raises: pydantic.ValidationError, KeyError."""
    keys, bodies = [], []
    for row in rows:
        values: dict[str, Any] = {}
        for name, tag in _TEXTS.items():
            if text := row[tag].strip():
                values[name] = text if text.isascii() else normalize("NFC", text)
        for name, tag in _TIMES.items():
            if text := row[tag]:
                values[name] = _moment(text)
        values["agency"], values["agency_level"] = _AGENCY[row["DonVi"]]
        values["applicant_kind"] = _APPLICANT[row["LoaiDoiTuong"]]
        values["channel"] = _CHANNEL[row["HinhThucNop"]]
        values["status"] = _STATUS[row["TrangThai"]]
        values["service_level"] = int(row["MucDo"])
        values["applicant_id"] = row["SoGiayTo"].replace(" ", "")
        keys.append(values["number"])
        bodies.append(Dossier.model_validate(values).model_dump_json(exclude_none=True).encode())
    return keys, bodies


def _moment(text: str) -> datetime:
    local = datetime(
        int(text[6:10]), int(text[3:5]), int(text[:2]), int(text[11:13]), int(text[14:16]), int(text[17:]), tzinfo=UTC
    )
    return local - SEVEN


def pack(number: int, body: bytes, keys: list[str], bodies: list[bytes]) -> Page:
    """Compress a page whole, as it came and as records."""
    return Page(number, zlib.compress(body, LEVEL), zlib.compress(b"".join(bodies), LEVEL), keys, bodies)


def render(body: bytes) -> dict[str, Any]:
    """The national portal's payload of a canonical record."""
    record = orjson.loads(body)
    known = record.get
    channel, post = record["channel"], record["channel"] == "post"
    return {
        "MaHoSo": record["number"],
        "MaTTHC": record["procedure_code"],
        "TenTTHC": record["procedure_name"],
        "MaLinhVuc": known("field_code", ""),
        "TenLinhVuc": known("field_name", ""),
        "KenhThucHien": "1" if channel == "counter" else "2" if channel == "online" else "3",
        "ChuHoSo": record["applicant_name"],
        "LoaiDoiTuong": _KINDS[record["applicant_kind"]],
        "MaDoiTuong": known("applicant_id", ""),
        "ThongTinKhac": "",
        "Email": known("applicant_email", ""),
        "Fax": "",
        "SoDienThoai": known("applicant_phone", ""),
        "TrichYeuHoSo": known("summary", ""),
        "NgayTiepNhan": _local(known("received_at")),
        "NgayHenTra": _local(known("due_at")),
        "TrangThaiHoSo": str(record["status"]),
        "NgayTra": _local(known("returned_at")),
        "ThongTinTra": "",
        "HinhThuc": "1" if post else "0",
        "NgayKetThucXuLy": _local(known("finished_at")),
        "DonViXuLy": record["agency"],
        "GhiChu": known("note", ""),
        "TaiLieuNop": [],
        "DanhSachLePhi": [],
        "DanhSachTepDinhKemKhac": [],
        "DanhSachHoSoBoSung": [],
        "DanhSachGiayToKetQua": [],
    }


_KINDS = {"citizen": "1", "enterprise": "2", "state-agency": "3", "other": "4"}


def _local(text: str | None) -> str:
    if text is None:
        return ""
    at = datetime.fromisoformat(text) + SEVEN
    return f"{at.year}{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02}"


class Store(ABC):
    """The rows: each method is a part of one transaction, which `begin` and `commit` enclose."""

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def known(self, keys: Sequence[str]) -> set[str]:
        """Which of these keys have a record."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None: ...

    @abstractmethod
    def move(self, before: str, after: str, call: int, ids: Sequence[int]) -> None:
        """Set the state of dispatches that are in another."""

    def settle(self, page: Page, ids: range) -> dict[str, list[Ticket]]:
        """Store a page with its records, and one dispatch for each that is new; returns what is to be sent."""
        known = self.known(page.keys)
        self.insert("f_page", ("id", "raw", "records"), [(page.number, page.raw, page.records)])
        records, at = [], 0
        out: dict[str, list[Ticket]] = {name: [] for name in DESTINATIONS}
        for id_, key, body in zip(ids, page.keys, page.bodies, strict=True):
            if key not in known:
                records.append((id_, key, page.number, at, len(body)))
                for place, name in enumerate(DESTINATIONS):
                    out[name].append(Ticket(2 * id_ + place, body))
            at += len(body)
        self.insert("f_record", ("id", "key", "page", "at", "size"), records)
        for place, name in enumerate(DESTINATIONS):
            rows = [(ticket.id, (ticket.id - place) // 2, place, "queued", 0) for ticket in out[name]]
            self.insert("f_dispatch", ("id", "record", "destination", "state", "call"), rows)
        return out

    def claim(self, destination: str, calls: Sequence[tuple[int, Sequence[int]]]) -> None:
        """Write down the calls that are about to be made, and whom they take."""
        now_us = time.time_ns() // 1000
        rows = [(call, destination, len(ids), now_us) for call, ids in calls]
        self.insert("f_call", ("id", "destination", "members", "started_us"), rows)
        for call, ids in calls:
            self.move("queued", "sending", call, ids)

    def finish(self, call: int, ids: Sequence[int]) -> None:
        """Write down that a call was answered."""
        self.move("sending", "delivered", call, ids)


_TABLES = """
CREATE TABLE f_page (id {big} PRIMARY KEY, raw {blob} NOT NULL, records {blob} NOT NULL);
CREATE TABLE f_record (id {big} PRIMARY KEY, key TEXT NOT NULL UNIQUE, page {big} NOT NULL, at {int} NOT NULL,
    size {int} NOT NULL);
CREATE TABLE f_dispatch (id {big} PRIMARY KEY, record {big} NOT NULL, destination {int} NOT NULL, state TEXT NOT NULL,
    call {big} NOT NULL){loose};
CREATE TABLE f_call (id {big} PRIMARY KEY, destination TEXT NOT NULL, members {int} NOT NULL, started_us {big} NOT NULL)
"""


class SqliteStore(Store):
    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY", "cache_size=-32000"):
            self._base.execute(f"PRAGMA {pragma}").fetchall()
        self._base.executescript(_TABLES.format(big="INTEGER", int="INTEGER", blob="BLOB", loose=""))

    def begin(self) -> None:
        self._base.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._base.execute("COMMIT")

    def close(self) -> None:
        self._base.close()

    def known(self, keys: Sequence[str]) -> set[str]:
        sql = "SELECT key FROM f_record WHERE key IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._base.execute(sql, (orjson.dumps(keys).decode(),))}

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns))
        self._base.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def move(self, before: str, after: str, call: int, ids: Sequence[int]) -> None:
        sql = "UPDATE f_dispatch SET state = ?, call = ? WHERE id = ? AND state = ?"
        self._base.executemany(sql, [(after, call, id_, before) for id_ in ids])


class PostgresStore(Store):
    _TYPES: ClassVar[dict[str, str]] = {
        "raw": "bytea", "records": "bytea", "key": "text", "state": "text", "at": "int", "size": "int",
        "members": "int",
    }  # fmt: skip

    def __init__(self, url: str) -> None:
        self._base: psycopg.Connection[Any] = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        loose = " WITH (fillfactor = 50)"
        for statement in _TABLES.format(big="BIGINT", int="INT", blob="BYTEA", loose=loose).split(";"):
            self._base.execute(statement.encode())

    def begin(self) -> None:
        self._base.execute("BEGIN")

    def commit(self) -> None:
        self._base.execute("COMMIT")

    def close(self) -> None:
        self._base.close()

    def known(self, keys: Sequence[str]) -> set[str]:
        return {row[0] for row in self._base.execute("SELECT key FROM f_record WHERE key = ANY(%s)", (list(keys),))}

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        kinds = dict(self._TYPES)
        if table == "f_call":
            kinds["destination"] = "text"
        arrays = ", ".join(f"%s::{kinds.get(name, 'bigint')}[]" for name in columns)
        sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"
        self._base.execute(sql.encode(), [list(column) for column in zip(*rows, strict=True)])

    def move(self, before: str, after: str, call: int, ids: Sequence[int]) -> None:
        sql = b"UPDATE f_dispatch SET state = %s, call = %s WHERE id = ANY(%s) AND state = %s"
        self._base.execute(sql, (after, call, list(ids), before))


def open_store(url: str) -> Store:
    """A store in a new SQLite file or an empty PostgreSQL database."""
    return SqliteStore(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else PostgresStore(url)
