"""What counts as a trouble, as data: after which time, in which words, and what to do about it.

docs/alerts.md shows this table; a test compares them. Words hold no personal data: counts, names of destinations and
sources, classes and codes of faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Trouble(StrEnum):
    """What may be wrong; the value stands in the ledger."""

    HELD = "held"
    PAUSED = "paused"
    STALLED = "stalled"
    DEAD = "dead-letters"
    UNKNOWN = "unknown-outcomes"
    LATE = "late"
    SOURCE = "source-failing"
    UNREADABLE = "unreadable"
    PARKED = "parked"
    BUS = "bus-away"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Words:
    """How a trouble is told in one language."""

    title: str
    meaning: str
    mend: str
    counted: str = ""
    """What its count counts; empty where it counts nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of trouble."""

    of: Literal["destination", "source", "hub"]
    """Whose trouble it is: that of a destination is muted in its maintenance."""
    after: Literal["", "after_s", "paused_after_s", "waiting_after_s", "source_after_s"]
    """The setting that says how long it must last; empty for at once."""
    vi: Words
    en: Words


RULES: Mapping[Trouble, Rule] = MappingProxyType(
    {
        Trouble.HELD: Rule(
            "destination",
            "after_s",
            Words(
                "hệ thống đích không nhận hồ sơ",
                "Hệ thống đích không trả lời hoặc từ chối đăng nhập. Hồ sơ chờ trong sổ cái, không mất và không tốn "
                "lần gửi nào; hub tự thăm dò và tự gửi tiếp.",
                "Xem `hub queues`; báo cho đơn vị vận hành hệ thống đích. Nếu do đăng nhập, sửa mật khẩu trong cấu "
                "hình.",
            ),
            Words(
                "the portal takes nothing",
                "The portal does not answer, or refuses the log-in. What is to be sent waits in the ledger; nothing is "
                "lost, no attempt is spent, and it goes on by itself.",
                "Look at `hub queues`; tell whoever runs the portal. Where it is the log-in, correct the password.",
            ),
        ),
        Trouble.PAUSED: Rule(
            "destination",
            "paused_after_s",
            Words(
                "hệ thống đích bị tạm dừng đã lâu",
                "Có người đã tạm dừng gửi tới hệ thống đích này và chưa cho chạy tiếp.",
                "Khi không còn lý do, cho chạy tiếp bằng `hub resume`.",
            ),
            Words(
                "paused for long",
                "A person has paused the destination, and nobody has let it go on.",
                "When there is no reason any more, let it go on with `hub resume`.",
            ),
        ),
        Trouble.STALLED: Rule(
            "destination",
            "waiting_after_s",
            Words(
                "hồ sơ chờ gửi quá lâu",
                "Cổng chặn đang mở nhưng lượt gửi cũ nhất vẫn chưa tới nơi: gửi mãi không được, gửi chậm hơn lượng "
                "đến, hoặc không tiến trình nào đang gửi.",
                "Xem `hub queues` và nhật ký của hub; kiểm tra tiến trình có vai trò deliver, rồi `parallel` của hệ "
                "thống đích.",
            ),
            Words(
                "what is due does not get there",
                "The gate is open, and yet the oldest dispatch has waited for long: it fails again and again, less is "
                "sent than comes, or no process sends.",
                "Look at `hub queues` and at the hub's log; see that a process with the role deliver runs, then at the "
                "destination's `parallel`.",
            ),
        ),
        Trouble.DEAD: Rule(
            "destination",
            "",
            Words(
                "có lượt gửi hỏng",
                "Hệ thống đích từ chối những hồ sơ này; chúng không được gửi lại khi chưa có người xem.",
                "Xem lý do bằng `hub dead list`, sửa dữ liệu hoặc bảng ánh xạ, rồi `hub dead replay`.",
                "lượt gửi hỏng",
            ),
            Words(
                "dead letters",
                "The portal refused these for good; they are not sent again before a person has looked at them.",
                "See why with `hub dead list`, mend the data or the mapping, then `hub dead replay`.",
                "dead letters",
            ),
        ),
        Trouble.UNKNOWN: Rule(
            "destination",
            "",
            Words(
                "chưa rõ kết quả, chờ người quyết định",
                "Không biết hệ thống đích đã nhận những bước xử lý này hay chưa, và cấu hình không cho hub tự gửi lại.",
                "Hỏi bên hệ thống đích, rồi quyết định từng lượt gửi; `hub unknown list` liệt kê chúng.",
                "lượt gửi chưa rõ kết quả",
            ),
            Words(
                "unknown outcomes wait for a person",
                "Nobody knows whether the portal took these steps, and the configuration forbids to send them again "
                "unasked.",
                "Ask whoever runs the portal, then decide each; `hub unknown list` has them.",
                "unknown outcomes",
            ),
        ),
        Trouble.LATE: Rule(
            "destination",
            "",
            Words(
                "hồ sơ sẽ tới nơi sau ngày hẹn trả",
                "Với tốc độ gửi hiện nay, những hồ sơ này tới hệ thống đích sau ngày hẹn trả.",
                "Xem `hub queues`; tăng `parallel` của hệ thống đích nếu bên đó cho phép.",
                "hồ sơ",
            ),
            Words(
                "dossiers will pass their due date first",
                "At the present rate these dossiers reach the portal after their due date.",
                "Look at `hub queues`; raise the destination's `parallel` where the portal allows it.",
                "dossiers",
            ),
        ),
        Trouble.SOURCE: Rule(
            "source",
            "source_after_s",
            Words(
                "không đọc được hệ thống nguồn",
                "Mọi lần đọc đều lỗi. Không mất gì: hub đọc tiếp từ con trỏ khi hệ thống nguồn trở lại.",
                "Xem nhật ký của hub, chạy `hub check`; báo cho cơ quan hoặc nhà cung cấp phần mềm một cửa.",
            ),
            Words(
                "the source cannot be read",
                "Every poll fails. Nothing is lost: reading goes on from the cursor when the source is back.",
                "Look at the hub's log and at `hub check`; tell the agency, or the vendor of its one-stop system.",
            ),
        ),
        Trouble.UNREADABLE: Rule(
            "source",
            "",
            Words(
                "trang hoặc tệp không giải mã được",
                "Dữ liệu đến không đúng dạng mà bảng ánh xạ mô tả. Các byte được giữ lại; con trỏ đứng yên.",
                "Xem `hub items list`; sửa bảng ánh xạ, hoặc báo cho hệ thống nguồn.",
                "trang hoặc tệp",
            ),
            Words(
                "unreadable pages or files",
                "What came is not what the mapping says it is. The bytes are kept; the cursor stays.",
                "Look at `hub items list`; mend the mapping, or tell the source.",
                "pages or files",
            ),
        ),
        Trouble.PARKED: Rule(
            "source",
            "",
            Words(
                "có mục dữ liệu bị tạm giữ",
                "Thiếu một từ trong bảng của ánh xạ, hoặc một đơn vị trong danh mục: lỗi phía ta, không phải của cơ "
                "quan.",
                "Xem `hub items list`, thêm từ hoặc đơn vị còn thiếu, rồi `hub items redo`: các mục được xử lý lại từ "
                "byte gốc.",
                "mục bị tạm giữ",
            ),
            Words(
                "parked items",
                "A word is missing in a mapping's table, or an agency in the register: ours to mend, not the agency's.",
                "See which with `hub items list`, add what is missing, then `hub items redo`: it takes their "
                "original bytes.",
                "parked items",
            ),
        ),
        Trouble.BUS: Rule(
            "hub",
            "after_s",
            Words(
                "mất kết nối tới trục thông điệp",
                "Hub không dùng được RabbitMQ. Vẫn đọc nguồn và ghi sổ cái; không gửi được gì cho tới khi có lại.",
                "Kiểm tra RabbitMQ (đang chạy, còn đĩa và bộ nhớ); hub tự kết nối lại.",
            ),
            Words(
                "the broker is away",
                "RabbitMQ cannot be used. Sources are read and the ledger is kept; nothing is sent until it is back.",
                "See that RabbitMQ runs and has disk and memory; the hub connects again by itself.",
            ),
        ),
        Trouble.LEDGER: Rule(
            "hub",
            "after_s",
            Words(
                "sổ cái không ghi được bình thường",
                "Đĩa của sổ cái sắp đầy: hub ngừng đọc nguồn để còn chỗ ghi biên nhận.",
                "Giải phóng đĩa; hub tự chạy tiếp. `hub queues` cho biết còn bao nhiêu.",
            ),
            Words(
                "the ledger cannot be written as it should",
                "The ledger's disk is nearly full: intake waits, so that receipts can still be written.",
                "Make room on the disk; the hub goes on by itself. `hub queues` says how much is free.",
            ),
        ),
    }
)
