"""What the twin of the national portal shows as its catalogues: agencies, procedures and fields of two provinces that
merge, in whatever way an answer is assumed to look.

The rows are in the portal's assumed names. Known is that provinces merged in July 2025 and that H59 is Trà Vinh and H61
Vĩnh Long; that the one became part of the other, and under which codes its agencies and procedures live on, is
*assumed* here, as are all codes of procedures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from schemas.local_time import LOCAL

Row = Mapping[str, Any]

SERVICES = {"LayDanhMucCoQuan": "agencies", "LayDanhSachTTHC": "procedures", "LayDanhMucLinhVuc": "fields"}

_LAST, _FIRST = "20250630000000", "20250701000000"


def _agency(code: str, name: str, level: str, heir: str = "") -> Row:
    ends = {"NgayHetHieuLuc": _LAST, "MaThayThe": heir} if heir else {}
    return {"MaCoQuan": code, "TenCoQuan": name, "CapCoQuan": level, **ends}


def _procedure(code: str, name: str, field: tuple[str, str], heir: str = "", first: str = "") -> Row:
    ends = {"NgayHetHieuLuc": _LAST, "MaThayThe": heir} if heir else {}
    begins = {"NgayHieuLuc": first} if first else {}
    return {"MaTTHC": code, "TenTTHC": name, "MaLinhVuc": field[0], "TenLinhVuc": field[1], **begins, **ends}


_CIVIL, _LAND, _BUSINESS = ("HT", "Hộ tịch"), ("DD", "Đất đai"), ("DKKD", "Thành lập và hoạt động của doanh nghiệp")
_NAMES = (
    ("1.001193", "Đăng ký khai sinh", _CIVIL),
    ("1.000894", "Đăng ký kết hôn", _CIVIL),
    ("1.000656", "Đăng ký khai tử", _CIVIL),
    ("2.002621", "Đăng ký khai sinh, đăng ký thường trú, cấp thẻ bảo hiểm y tế cho trẻ em dưới 6 tuổi", _CIVIL),
    ("1.012783", "Cấp đổi Giấy chứng nhận quyền sử dụng đất", _LAND),
    ("2.001583", "Đăng ký thành lập công ty trách nhiệm hữu hạn một thành viên", _BUSINESS),
)
DEFAULT: Mapping[str, Sequence[Row]] = {
    "agencies": [
        _agency("000.00.00.H59", "Ủy ban nhân dân tỉnh Trà Vinh", "2", "000.00.00.H61"),
        _agency("000.00.15.H59", "Sở Thông tin và Truyền thông tỉnh Trà Vinh", "2", "000.00.15.H61"),
        _agency("000.00.17.H59", "Sở Y tế tỉnh Trà Vinh", "2", "000.00.17.H61"),
        _agency("000.00.00.H61", "Ủy ban nhân dân tỉnh Vĩnh Long", "2"),
        _agency("000.00.15.H61", "Sở Khoa học và Công nghệ tỉnh Vĩnh Long", "2"),
        _agency("000.00.17.H61", "Sở Y tế tỉnh Vĩnh Long", "2"),
    ],
    "procedures": [
        *(_procedure(f"{code}.H59", name, field, f"{code}.H61") for code, name, field in _NAMES),
        *(_procedure(f"{code}.H61", name, field, first=_FIRST) for code, name, field in _NAMES),
    ],
    "fields": [{"MaLinhVuc": code, "TenLinhVuc": name} for code, name in (_CIVIL, _LAND, _BUSINESS)],
}


class ShownCatalogues:
    """The catalogues of one twin: those of a JSON file, read at each request, so that they may change; else DEFAULT."""

    def __init__(self, file: Path | None, ended: Literal["dated", "vanished"], today: str | None) -> None:
        self._file, self._ended = file, ended
        self._today = date.fromisoformat(today) if today else None

    def rows(self, service: str) -> list[Row] | None:
        """What a service shows; None where there is no such service. Raises: OSError, ValueError for the file."""
        register = SERVICES.get(service)
        if register is None:
            return None
        held: Mapping[str, Sequence[Row]] = DEFAULT if self._file is None else orjson.loads(self._file.read_bytes())
        rows = list(held.get(register, ()))
        if self._ended == "dated":
            return rows
        # Nothing is said of what has ended or has not begun: it is simply not there.
        today = f"{self._today or datetime.now(LOCAL).date():%Y%m%d}"
        dates = ("NgayHieuLuc", "NgayHetHieuLuc", "MaThayThe")
        return [
            {name: value for name, value in row.items() if name not in dates}
            for row in rows
            if str(row.get("NgayHieuLuc", ""))[:8] <= today <= (str(row.get("NgayHetHieuLuc", ""))[:8] or today)
        ]
