"""The dossiers that the benches serve: SOAP pages as an old one-stop shop writes them, no dossier like another.

    pages = write_pages(folder / "pages", dossiers=20_000)     # once; every run of every program reads the same bytes

The shape is that of the catalogue's `one-stop-soap/dossier`: an envelope whose result is a string that holds XML.
People and numbers are invented. Imports nothing of the hub.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

PAGE = 500
"""Dossiers of a page."""
NAMESPACE = "http://motcua.gov.vn/dichvu"

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    f'<LayDanhSachHoSoResponse xmlns="{NAMESPACE}"><LayDanhSachHoSoResult>'
)
_TAIL = "</LayDanhSachHoSoResult></LayDanhSachHoSoResponse></soap:Body></soap:Envelope>"

AGENCIES = [
    {"code": "H59", "name": "UBND tỉnh Trà Vinh", "level": "province", "aliases": ["000.00.00.H59"]},
    {"code": "H59.12", "name": "Sở Tài nguyên và Môi trường", "level": "province", "aliases": ["000.00.12.H59"]},
    {"code": "H59.14", "name": "Sở Tư pháp", "level": "province", "aliases": ["000.00.14.H59"]},
    {"code": "H59.31", "name": "UBND thành phố Trà Vinh", "level": "district", "aliases": ["000.00.31.H59"]},
    {"code": "H59.34", "name": "UBND huyện Cầu Ngang", "level": "district", "aliases": ["000.00.34.H59"]},
]
"""The register of agencies, as `agencies.yaml` has it; rows name the old codes."""

_PROCEDURES = (
    ("2.002621.H59", "Đăng ký khai sinh, đăng ký thường trú, cấp thẻ bảo hiểm y tế cho trẻ em dưới 6 tuổi",
     "G15-HT", "Hộ tịch"),
    ("1.004227.H59", "Đăng ký biến động quyền sử dụng đất, quyền sở hữu tài sản gắn liền với đất", "G13-DD", "Đất đai"),
    ("2.001610.H59", "Đăng ký thành lập doanh nghiệp tư nhân", "G10-DN", "Thành lập và hoạt động của doanh nghiệp"),
    ("1.000656.H59", "Cấp phiếu lý lịch tư pháp cho công dân Việt Nam", "G15-LT", "Lý lịch tư pháp"),
    ("1.003003.H59", "Cấp giấy phép xây dựng nhà ở riêng lẻ", "G09-XD", "Hoạt động xây dựng"),
)  # fmt: skip
_FAMILIES = ("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Võ", "Đặng", "Bùi", "Thạch", "Kim", "Sơn", "Lâm")
_MIDDLES = ("Văn", "Thị", "Hữu", "Ngọc", "Minh", "Thanh", "Thị Mỹ", "Quốc", "Đức", "Thị Bích")
_GIVEN = ("Hạnh", "Bình", "Dũng", "Tuyết", "Sương", "Phước", "Quỳnh", "Khánh", "Thảo", "Trí", "Nhựt", "Đào", "Yến")
_STREETS = ("Lê Lợi", "Phạm Hồng Thái", "Nguyễn Thị Minh Khai", "Trần Phú", "Điện Biên Phủ", "Đồng Khởi", "Hùng Vương")
_WARDS = ("phường 1", "phường 7", "xã Long Đức", "thị trấn Cầu Ngang", "xã Mỹ Long Bắc", "xã Hiệp Hòa", "phường 9")
_STATES = ("Mới đăng ký", "Được tiếp nhận", "Đang xử lý", "Yêu cầu bổ sung giấy tờ", "Đã xử lý xong", "Đã trả kết quả")
_FINISHED = ("Đã xử lý xong", "Đã trả kết quả")
_KINDS = ("Công dân", "Công dân", "Công dân", "Doanh nghiệp", "Tổ chức khác")
_CHANNELS = ("Trực tiếp", "Trực tuyến", "Bưu chính")
_CHANGES = datetime(2018, 1, 2, 8)  # noqa: DTZ001 - an old system's local time
_NOTES = ("", "", "Người nộp đề nghị nhận kết quả tại nhà", "Đã đối chiếu bản chính; thiếu một bản sao hộ khẩu")


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages lie: one file with all bodies, one after the other, and where each begins and ends."""

    file: str
    dossiers: int
    ends: list[int]

    def saved(self) -> Path:
        """Write beside the file what a twin needs to serve it; returns that path."""
        path = Path(self.file + ".json")
        path.write_text(json.dumps(asdict(self)))
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text()))


def write_pages(file: Path, dossiers: int) -> Pages:
    """Render `dossiers` dossiers to pages of 500; the same number gives the same bytes."""
    count = -(-dossiers // PAGE)
    rows = render(dossiers)
    ends: list[int] = []
    with file.open("wb") as out:
        for number in range(count):
            size = min(PAGE, dossiers - number * PAGE)
            held = "".join(next(rows) for _ in range(size))
            text = f'<DanhSachHoSo trang="{number + 1}" tongTrang="{count}">{held}</DanhSachHoSo>'
            out.write(f"{_HEAD}{escape(text)}{_TAIL}".encode())
            ends.append(out.tell())
    return Pages(str(file), dossiers, ends)


def empty_page() -> bytes:
    """What a source answers when nothing has changed."""
    held = escape('<DanhSachHoSo trang="1" tongTrang="0"></DanhSachHoSo>')
    return f"{_HEAD}{held}{_TAIL}".encode()


def render(dossiers: int) -> Iterator[str]:
    """Each dossier as a `<HoSo>`, in the order of their change times."""
    chance = random.Random(59)
    begin = datetime(2017, 1, 3, 7, 30)  # noqa: DTZ001 - an old system's local time
    for n in range(dossiers):
        received = begin + timedelta(minutes=n % 400_000)
        yield _one(n, received, chance)


def _one(n: int, received: datetime, chance: random.Random) -> str:
    pick = chance.choice
    code, name, field_code, field = pick(_PROCEDURES)
    agency = AGENCIES[1 + n % (len(AGENCIES) - 1)]["aliases"][0]
    person = f"{pick(_FAMILIES)} {pick(_MIDDLES)} {pick(_GIVEN)}"
    state = pick(_STATES)
    finished = received + timedelta(days=chance.randrange(1, 20), minutes=chance.randrange(600))
    done = state in _FINISHED
    facts = {
        "SoHoSo": f"{agency}-{received:%y%m%d}-{n:06}",
        "MaThuTuc": code,
        "TenThuTuc": name,
        "MaLinhVuc": field_code,
        "LinhVuc": field,
        "DonVi": agency,
        "LoaiDoiTuong": pick(_KINDS),
        "NguoiNop": person,
        "SoGiayTo": f"{chance.randrange(10**8, 10**9):09} {n % 1000:03}",
        "DiaChi": f"{chance.randrange(1, 400)} {pick(_STREETS)}, {pick(_WARDS)}, tỉnh Trà Vinh",
        "DienThoai": f"0294 {chance.randrange(10**6, 10**7)}",
        "Email": f"nguoi.nop.{n}@travinh.example" if n % 3 == 0 else "",
        "TrichYeu": f"{person} nộp hồ sơ: {name.lower()}, thửa số {chance.randrange(1, 900)}",
        "HinhThucNop": pick(_CHANNELS),
        "MucDo": str(chance.randrange(1, 5)),
        "TrangThai": state,
        "NgayTiepNhan": _moment(received),
        "NgayHenTra": _moment(received + timedelta(days=15)),
        "NgayHoanThanh": _moment(finished) if done else "",
        "NgayTra": _moment(finished + timedelta(days=1)) if state == "Đã trả kết quả" else "",
        "GhiChu": pick(_NOTES),
        "NgayCapNhat": _moment(_CHANGES + timedelta(seconds=n)),
    }
    return (
        f"<HoSo>{''.join(f'<{tag}>{escape(text)}</{tag}>' for tag, text in facts.items())}<QuaTrinh></QuaTrinh></HoSo>"
    )


def _moment(at: datetime) -> str:
    return f"{at.day:02}/{at.month:02}/{at.year} {at.hour:02}:{at.minute:02}:{at.second:02}"
