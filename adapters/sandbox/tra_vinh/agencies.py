"""The seven agencies of Trà Vinh that published dossier progress in 2017, and how this demo splits the year over them.

The names and the totals of the province (2,002 received, 65 on the due date, 1,856 before it, 81 late) are what the
province reported. The split over the agencies, the agency codes, the officers and every dossier are invented: no
report gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

System = Literal["soap", "rest", "csv"]

SPLIT_NOTE = (
    "Số liệu toàn tỉnh là số liệu tỉnh Trà Vinh báo cáo năm 2017; cách chia cho bảy đơn vị, mã đơn vị, tên người "
    "và từng hồ sơ là giả định (the split over the agencies, their codes, people and dossiers are invented)."
)


@dataclass(frozen=True, slots=True)
class Post:
    """Who handles a dossier at one place: officer, position, unit."""

    person: str
    position: str
    unit: str


@dataclass(frozen=True, slots=True)
class AgencyYear:
    """One agency and its share of the year; `early` is what is left of `received`."""

    slug: str
    name: str
    code: str
    """Canonical (new form); `old_code` is what its software writes."""
    old_code: str
    system: System
    received: int
    on_due_date: int
    late: int
    decomposed: bool
    """Its software writes Vietnamese text as decomposed Unicode (NFD)."""
    desk: Post
    expert: Post
    head: Post

    @property
    def early(self) -> int:
        return self.received - self.on_due_date - self.late


def _posts(desk: str, expert: str, unit: str, head: str, title: str) -> tuple[Post, Post, Post]:
    return (
        Post(desk, "Công chức một cửa", "Bộ phận Tiếp nhận và Trả kết quả"),
        Post(expert, "Chuyên viên", unit),
        Post(head, title, "Lãnh đạo đơn vị"),
    )


AGENCIES: tuple[AgencyYear, ...] = (
    AgencyYear(
        "so-tttt",
        "Sở Thông tin và Truyền thông",
        "H59.15",
        "000.00.15.H59",
        "soap",
        96,
        2,
        3,
        False,
        *_posts(
            "Thạch Thị Sa Rây", "Nguyễn Hoàng Phúc", "Phòng Bưu chính - Viễn thông", "Trần Quốc Tuấn", "Phó Giám đốc"
        ),
    ),
    AgencyYear(
        "so-tu-phap",
        "Sở Tư pháp",
        "H59.14",
        "000.00.14.H59",
        "soap",
        438,
        15,
        14,
        True,
        *_posts("Lê Thị Ngọc Diễm", "Kim Ngọc Thái", "Phòng Hành chính tư pháp", "Huỳnh Văn Quyến", "Phó Giám đốc"),
    ),
    AgencyYear(
        "so-vhttdl",
        "Sở Văn hóa, Thể thao và Du lịch",
        "H59.16",
        "000.00.16.H59",
        "soap",
        121,
        4,
        5,
        False,
        *_posts("Phạm Thị Bích Tuyền", "Dương Hoàng Sum", "Phòng Quản lý văn hóa", "Trần Thế Nhân", "Phó Giám đốc"),
    ),
    AgencyYear(
        "so-tnmt",
        "Sở Tài nguyên và Môi trường",
        "H59.12",
        "000.00.12.H59",
        "soap",
        352,
        12,
        22,
        False,
        *_posts("Nguyễn Thị Mỹ Hạnh", "Lâm Văn Khởi", "Văn phòng Đăng ký đất đai", "Phạm Hữu Thọ", "Phó Giám đốc"),
    ),
    AgencyYear(
        "so-y-te",
        "Sở Y tế",
        "H59.17",
        "000.00.17.H59",
        "rest",
        287,
        9,
        11,
        True,
        *_posts("Trương Thị Cẩm Loan", "Cao Minh Trí", "Phòng Nghiệp vụ Dược", "Kiên Sóc Kha", "Phó Giám đốc"),
    ),
    AgencyYear(
        "tp-tra-vinh",
        "UBND thành phố Trà Vinh",
        "H59.31",
        "000.00.31.H59",
        "rest",
        462,
        15,
        17,
        False,
        *_posts("Đặng Thị Kim Thoa", "Sơn Minh Đức", "Phòng Tài chính - Kế hoạch", "Bùi Văn Nhơn", "Phó Chủ tịch"),
    ),
    AgencyYear(
        "cau-ngang",
        "UBND huyện Cầu Ngang",
        "H59.34",
        "000.00.34.H59",
        "csv",
        246,
        8,
        9,
        False,
        *_posts("Thạch Thị Hồng", "Võ Thành Luân", "Phòng Tư pháp", "Ngô Văn Lượng", "Phó Chủ tịch"),
    ),
)
