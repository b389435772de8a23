"""Invented applicants of Trà Vinh: Kinh, Khmer and Hoa family names in the proportions of the province, places,
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

CITIZEN, ENTERPRISE, STATE_AGENCY, OTHER = 1, 2, 3, 4
"""LoaiDoiTuong, the national portal's codes."""


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


def _list(*lines: str) -> tuple[str, ...]:
    return tuple(entry.strip() for line in lines for entry in line.split(";"))


_FAMILY = _words(
    "Nguyễn Trần Lê Phạm Huỳnh Võ Phan Trương Bùi Đặng Đỗ Ngô Hồ Dương Lý Lâm Cao Đoàn Trịnh",
    "Thạch Kim Sơn Kiên Danh Châu Diệp Quách Tăng Mai Tô",
)
_FAMILY_WEIGHT = [30, 13, 11, 8, 7, 5, 4, 4, 3, 3, 2, 2, 2, 3, 2, 4, 2, 2, 1, 11, 7, 5, 4, 2, 2, 1, 1, 1, 1, 1]
_MALE_MIDDLE = ("Văn", "Hữu", "Minh", "Quốc", "Hoàng", "Thanh", "Đức", "Ngọc", "Công", "Phước", "Chí", "Tấn", "")
_MALE = _words(
    "An Bình Cường Dũng Đạt Giàu Hải Hiếu Hòa Hùng Khánh Kiệt Lâm Lợi Long Mạnh Nam Nghĩa Nhân Phong Phúc",
    "Quang Sang Sơn Tài Thắng Thành Thịnh Thuận Tiến Toàn Trí Trung Trường Tuấn Vinh Vũ",
)
_FEMALE_MIDDLE = _list("Thị; Thị Kim; Thị Ngọc; Thị Mỹ; Thị Thu; Ngọc; Thị Bích; Thị Hồng; Thúy; Thị Cẩm")
_FEMALE = _words(
    "Anh Chi Diễm Dung Duyên Giang Hà Hạnh Hiền Hoa Hồng Hương Huyền Lan Liên Linh Loan Mai My Nga Ngân",
    "Nguyệt Nhung Oanh Phương Quyên Tâm Thảo Thủy Tiên Trang Trinh Tuyền Vân Xuân Yến",
)
_FORM = _list("Công ty TNHH; Công ty TNHH MTV; Công ty Cổ phần; Doanh nghiệp tư nhân")
_TRADE = _list(
    "Thủy sản; Dược phẩm; Xây dựng; Thương mại; Vận tải; Chế biến dừa; Nông nghiệp; In ấn; Viễn thông; Lúa gạo"
)
_BRAND = _list("Mỹ Long; Cửu Long; Thuận Phát; Hưng Thịnh; Phú Vinh; Ba Động; Hòa Bình; Trà Cú; Đại Phước; An Khang")
_OFFICE = _list(
    "Phòng Giáo dục và Đào tạo; Trung tâm Y tế; Trường Trung học phổ thông; Ban Quản lý dự án; Hạt Kiểm lâm"
)
_DISTRICT = _list("Cầu Ngang; Trà Cú; Càng Long; Cầu Kè")
_SOCIETY = _list("Hội Nông dân; Hợp tác xã Nông nghiệp; Hội Chữ thập đỏ; Quỹ tín dụng nhân dân; Tổ hợp tác")
_STREET = _list(
    "Phạm Thái Bường; Nguyễn Thị Minh Khai; Lê Lợi; Điện Biên Phủ; Nguyễn Đáng; Đồng Khởi; Hùng Vương; Trần Phú"
)
_TOWN = _list("phường 1, thành phố Trà Vinh; phường 7, thành phố Trà Vinh; thị trấn Cầu Ngang, huyện Cầu Ngang")
_VILLAGE = _list(
    "xã Long Đức, thành phố Trà Vinh; xã Mỹ Long Nam, huyện Cầu Ngang; xã Đại An, huyện Trà Cú",
    "xã Hòa Ân, huyện Cầu Kè; xã Hòa Lợi, huyện Châu Thành; xã Phú Cần, huyện Tiểu Cần",
)


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who files; every value in composed Unicode (NFC), empty where not given."""

    kind: int
    name: str
    identity: str
    address: str
    phone: str
    email: str


def person_name(rng: Random) -> str:
    """A full Vietnamese name."""
    family = rng.choices(_FAMILY, _FAMILY_WEIGHT)[0]
    middles, givens = (_MALE_MIDDLE, _MALE) if rng.random() < 0.5 else (_FEMALE_MIDDLE, _FEMALE)
    middle, given = rng.choice(middles), rng.choice(givens)
    return " ".join(part for part in (family, middle, given) if part)


def applicant(rng: Random, kinds: tuple[int, ...]) -> Applicant:
    """One applicant of a kind that the procedure admits; identity numbers and phones lie in no issued range."""
    kind = rng.choice(kinds)
    if kind == CITIZEN:
        name, identity = person_name(rng), f"999{rng.randrange(10**6):06d}"
    elif kind == ENTERPRISE:
        name = f"{rng.choice(_FORM)} {rng.choice(_TRADE)} {rng.choice(_BRAND)}"
        identity = f"2199{rng.randrange(10**6):06d}"
    elif kind == STATE_AGENCY:
        name, identity = f"{rng.choice(_OFFICE)} huyện {rng.choice(_DISTRICT)}", ""
    else:
        name, identity = f"{rng.choice(_SOCIETY)} {rng.choice(_BRAND)}", ""
    if rng.random() < 0.4:
        address = f"Số {rng.randrange(1, 400)}, đường {rng.choice(_STREET)}, {rng.choice(_TOWN)}"
    else:
        address = f"Ấp {rng.randrange(1, 10)}, {rng.choice(_VILLAGE)}"
    email = f"hoso{rng.randrange(10**5):05d}@example.vn" if rng.random() < 0.3 else ""
    return Applicant(kind, name, identity, address, f"0999{rng.randrange(10**6):06d}", email)
