"""The words and codes of legacy systems for the code lists of records, as far as public material shows them.

Compared as the names of columns are (`hub.scaffold.names.fold`). A bare number is that of the national portal.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.scaffold.names import fold
from schemas.codes import ApplicantKind, Channel, DossierStatus, label

_STATUS: Mapping[int, tuple[str, ...]] = {
    1: ("receiving", "mới", "mới nộp", "chờ tiếp nhận", "mới tạo", "đăng ký mới", "chưa tiếp nhận"),
    2: ("new", "đã tiếp nhận", "tiếp nhận", "nhận", "đã nhận", "accepted", "received"),
    3: ("denied", "từ chối", "từ chối tiếp nhận", "không tiếp nhận", "rejected", "trả lại"),
    4: ("processing", "đang xử lý", "đang giải quyết", "đang làm", "in progress", "đang thụ lý", "đã phân công"),
    5: ("waiting", "chờ bổ sung", "yêu cầu bổ sung", "bổ sung", "đang bổ sung", "yêu cầu bổ sung hồ sơ"),
    6: ("paying", "chờ thanh toán", "yêu cầu thanh toán", "chờ nộp phí", "chờ nộp lệ phí"),
    7: ("cancelled", "canceled", "đã rút", "rút hồ sơ", "công dân rút hồ sơ", "hủy", "đã hủy"),
    8: ("unresolved", "dừng", "tạm dừng", "đã dừng xử lý", "không giải quyết", "stopped"),
    9: ("releasing", "xong", "đã xử lý", "đã có kết quả", "hoàn thành", "đã hoàn thành", "chờ trả kết quả",
        "có kết quả", "đã giải quyết", "finished", "completed"),
    10: ("done", "đã trả", "trả kết quả", "đã trả kq", "returned"),
}  # fmt: skip
_APPLICANT: Mapping[str, tuple[str, ...]] = {
    "citizen": ("1", "CD", "công dân", "cá nhân", "người dân", "citizen", "individual", "CN"),
    "enterprise": ("2", "DN", "doanh nghiệp", "enterprise", "business", "công ty", "hộ kinh doanh"),
    "state-agency": ("3", "CQ", "CQNN", "cơ quan nhà nước", "cơ quan", "agency"),
    "other": ("4", "TC", "tổ chức", "tổ chức khác", "khác", "other", "organization", "organisation"),
}
_CHANNEL: Mapping[str, tuple[str, ...]] = {
    "counter": ("1", "trực tiếp", "tại quầy", "một cửa", "tại bộ phận một cửa", "counter", "offline", "direct"),
    "online": ("2", "trực tuyến", "qua mạng", "online", "internet", "DVC", "cổng dịch vụ công"),
    "post": ("3", "bưu chính", "bưu điện", "bưu chính công ích", "BCCI", "post", "VNPost"),
}
_PRIORITY: Mapping[str, tuple[str, ...]] = {
    "normal": ("0", "thường", "bình thường"),
    "urgent": ("1", "khẩn"),
    "very-urgent": ("2", "thượng khẩn"),
    "express": ("3", "hỏa tốc", "hoả tốc"),
    "express-at-hour": ("4", "hỏa tốc hẹn giờ"),
}
"""The numbers are those of edXML."""
_MEDIUM: Mapping[str, tuple[str, ...]] = {
    "electronic": ("điện tử", "văn bản điện tử", "bản điện tử"),
    "parallel": ("điện tử và giấy", "điện tử + giấy", "song song", "giấy và điện tử"),
    "paper": ("giấy", "văn bản giấy", "bản giấy"),
}


def _known(words: Mapping[int, tuple[str, ...]] | Mapping[str, tuple[str, ...]]) -> dict[str, int | str]:
    return {fold(word): code for code, listed in words.items() for word in listed}


WORDS: Mapping[str, Mapping[str, int | str]] = {
    "status": {
        **_known(_STATUS),
        **{fold(label(status).vi): int(status) for status in DossierStatus},
        **{str(int(status)): int(status) for status in DossierStatus},
        **{f"{int(status):02d}": int(status) for status in DossierStatus},
    },
    "applicant_kind": {**{fold(label(kind).vi): kind.value for kind in ApplicantKind}, **_known(_APPLICANT)},
    "channel": {**{fold(label(channel).vi): channel.value for channel in Channel}, **_known(_CHANNEL)},
    "priority": _known(_PRIORITY),
    "medium": _known(_MEDIUM),
}
"""By field: the code that a folded word most likely means."""


def code_of(field: str, word: str) -> int | str | None:
    """What a word most likely means; None for a word that nobody has seen."""
    return WORDS.get(field, {}).get(fold(word))
