"""What a refused value is told to people as: in Vietnamese and in English, with the mend. Pure.

A reason is kept as the mapping or the record said it, in English. Here is its Vietnamese, by pattern; a reason that no
pattern knows is told in general words, with the original beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """One refusal in words for people."""

    vietnamese: str
    english: str
    mend_vietnamese: str
    mend_english: str


_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        r"is required and empty: (.+) stands in no row of the page; did you mean '([^']*)'\?",
        r"Bắt buộc, nhưng không dòng nào của trang có cột “\1”; có thể là “\2”",
    ),
    (
        r"is required and empty: (.+) stands in no row of the page",
        r"Bắt buộc, nhưng không dòng nào của trang có cột “\1”",
    ),
    (r"is required(?: and empty)?", "Thiếu giá trị bắt buộc"),
    (r"is no whole number", "Không phải là số nguyên"),
    (r"is less than (\S+)", r"Nhỏ hơn mức cho phép là \1"),
    (r"is more than (\S+)", r"Lớn hơn mức cho phép là \1"),
    (r"is no code of (\S+)", r"Mã không có trong danh mục \1"),
    (r"does not look like (.+)", r"Không đúng khuôn dạng quy định: \1"),
    (r"has (\S+) characters, at most (\S+) are taken", r"Quá dài: \1 ký tự, chỉ nhận tối đa \2 ký tự"),
    (r"is no date written as (.+)", r"Ngày giờ không viết theo dạng \1"),
    (r"is no date of the calendar: .+", "Ngày giờ không có trong lịch"),
    (r"is outside the years (\d+)-(\d+);.*", r"Năm nằm ngoài khoảng từ \1 đến \2"),
    (r"is no date", "Không phải là ngày giờ"),
    (r"is none of the words (.+)", r"Không phải là một trong các từ: \1"),
    (
        r"is not in the table '([^']*)'; (?:near:|the nearest is) '([^']*)'",
        r"Giá trị không có trong bảng mã “\1”; giá trị gần nhất là “\2”",
    ),
    (r"is not in the table '([^']*)'", r"Giá trị không có trong bảng mã “\1”"),
    (
        r"unknown agency '[^']*'; (?:near:|the nearest is) '([^']*)'",
        r"Không có đơn vị này trong danh mục; gần nhất là “\1”",
    ),
    (r"unknown agency .+", "Không có đơn vị này trong danh mục"),
    (
        r"agency code .+ means nothing on (\d+)-(\d+)-(\d+): .+; its successor is (.+)",
        r"Mã đơn vị không có hiệu lực vào ngày \3/\2/\1; mã thay thế là “\4”",
    ),
    (r"agency code .+ means nothing on (\d+)-(\d+)-(\d+): .+", r"Mã đơn vị không có hiệu lực vào ngày \3/\2/\1"),
    (r"unknown procedure '[^']*'; near: '([^']*)'", r"Không có mã thủ tục này trong danh mục; gần nhất là “\1”"),
    (r"unknown procedure .+", "Không có mã thủ tục này trong danh mục"),
    (
        r"procedure code .+ means nothing on (\d+)-(\d+)-(\d+): .+; its successor is (.+)",
        r"Mã thủ tục không có hiệu lực vào ngày \3/\2/\1; mã thay thế là “\4”",
    ),
    (
        r"procedure code .+ means nothing on (\d+)-(\d+)-(\d+): .+",
        r"Mã thủ tục không có hiệu lực vào ngày \3/\2/\1",
    ),
    (r"agency name .+ is the name of .+", "Tên này là tên của nhiều đơn vị, nên không rõ là đơn vị nào"),
    (r"is no agency code; the forms are (.+)", r"Không phải là mã định danh đơn vị; mã có dạng \1"),
    (r"line (\d+) has (\d+) cells, the header (\d+)", r"Dòng \1 có \2 ô, trong khi dòng tiêu đề có \3 cột"),
    (r"(?:.* )?stands (\d+) times.*", r"Xuất hiện \1 lần trong một bản ghi nên không rõ giá trị nào là đúng"),
    (r"String should have at most (\d+) characters?", r"Quá dài: chỉ nhận tối đa \1 ký tự"),
    (r"String should have at least \d+ characters?", "Thiếu giá trị bắt buộc"),
    (r"[Ss]hould hold no blank(.*)", "Không được có dấu cách hoặc ký tự “|”"),
    (r"Text should hold no control character, has (\S+) at position (\d+)", r"Có ký tự điều khiển \1 ở vị trí \2"),
    (r"Text should be composed Unicode \(NFC\)", "Chữ tiếng Việt không phải Unicode dựng sẵn"),
    (r"Status should be a whole number from 1 to 10", "Trạng thái phải là số nguyên từ 1 đến 10"),
    (r"A dossier of status (\d+) .*needs its finish time", r"Hồ sơ ở trạng thái \1 phải có ngày kết thúc xử lý"),
    (r"Finish time should not be before the time of receipt.*", "Ngày kết thúc xử lý trước ngày tiếp nhận"),
    (r"Input should be (?:less|greater) than .+", "Giá trị nằm ngoài khoảng cho phép"),
    (r".* belongs to the source (\S+): one dossier has one owner.*", r"Hồ sơ này thuộc nguồn \1"),
    (r"no route takes (\S+) from (\S+)", r"Chưa có tuyến nào nhận \1 từ nguồn \2"),
    (r".*(?:is expected|was expected|expected).*", "Dữ liệu không đúng cấu trúc"),
)
_COMPILED = tuple((re.compile(pattern, re.DOTALL), said) for pattern, said in _PATTERNS)

_MENDS = {
    "rejected": (
        "Sửa giá trị này trong phần mềm của đơn vị rồi lưu lại; trục liên thông sẽ tự đọc lại",
        "correct it in the agency's own system; the corrected row is read by itself",
    ),
    "parked": (
        "Quản trị trục liên thông bổ sung bảng mã, danh mục hoặc ánh xạ; đơn vị không phải gửi lại",
        "add what is missing to the mapping's table or to the register, then: hub items redo",
    ),
    "unreadable": (
        "Kiểm tra hệ thống nguồn hoặc ánh xạ; dữ liệu gốc vẫn được giữ",
        "look at the source's answer, or mend the mapping, then: hub items redo; a page is also read again by itself, "
        "a file lies in failed/",
    ),
    "no-route": (
        "Quản trị trục liên thông thêm tuyến cho loại dữ liệu này",
        "add a route for it, then: hub items redo",
    ),
}


_NOWHERE = "stands in no row of the page"
_MEND_NOWHERE = (
    "Quản trị trục liên thông so lại ánh xạ với hệ thống nguồn: tên cột có thể đã đổi",
    "compare the mapping's path with what the system sends now, or ask why the column is gone, then: hub items redo",
)


_PROCEDURE = re.compile(r"(?:unknown procedure|procedure code) '.*", re.DOTALL)
_PROCEDURE_MENDS = (
    "Kiểm tra mã thủ tục: nếu sai hoặc đã hết hiệu lực thì sửa trong phần mềm của đơn vị rồi lưu lại; nếu đúng thì "
    "không phải làm gì, trục liên thông tự nhận hồ sơ khi danh mục có mã này",
    "where the code is wrong or has ended, have the agency correct it; where it is right, it is done again by itself "
    "when the register has it (hub registers sync, or the file of procedures)",
)


def of_a_procedure(reason: str) -> bool:
    """Whether a value was refused because the register of procedures does not know it, or not on that day."""
    return _PROCEDURE.fullmatch(reason) is not None


def explain(reason: str, state: str) -> Said:
    """Say why an item is refused; `state` is one of `hub.ledger.items.STATES`. Never raises."""
    mends = _MENDS.get(state, _MENDS["rejected"])
    mend_vietnamese, mend_english = _PROCEDURE_MENDS if of_a_procedure(reason) else mends
    if _NOWHERE in reason:
        mend_vietnamese, mend_english = _MEND_NOWHERE
    english = reason or "is not valid"
    if state == "unreadable":
        return Said("Không đọc được trang hoặc tệp này", english, mend_vietnamese, mend_english)
    for pattern, said in _COMPILED:
        found = pattern.fullmatch(reason)
        if found is not None:
            return Said(found.expand(said), english, mend_vietnamese, mend_english)
    return Said(f"Giá trị không hợp lệ ({reason})" if reason else "Giá trị không hợp lệ", english, mend_vietnamese,
                mend_english)  # fmt: skip
