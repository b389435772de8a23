"""Administrative procedures of each agency: names as such agencies publish them; codes in the real form, the numbers
invented.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sandbox.tra_vinh.people import CITIZEN, ENTERPRISE, OTHER, STATE_AGENCY

_ANY = (CITIZEN, CITIZEN, CITIZEN, ENTERPRISE)
_CITIZEN = (CITIZEN,)
_ORG = (ENTERPRISE, ENTERPRISE, ENTERPRISE, STATE_AGENCY, OTHER)


@dataclass(frozen=True, slots=True)
class Procedure:
    """One procedure; `days` are the working days that the law gives; `summary` follows the applicant's name."""

    code: str
    name: str
    field_code: str
    field_name: str
    days: int
    level: int
    kinds: tuple[int, ...]
    summary: str


_Row = tuple[str, str, int, int, tuple[int, ...], str]


def _of(field_code: str, field_name: str, *rows: _Row) -> tuple[Procedure, ...]:
    """Rows of number, name, days, level of the online service, who may file, summary."""
    return tuple(
        Procedure(f"{number}.000.00.00.H59", name, field_code, field_name, days, level, kinds, summary)
        for number, name, days, level, kinds, summary in rows
    )


PROCEDURES: dict[str, tuple[Procedure, ...]] = {
    "so-tttt": (
        *_of(
            "G14-BC", "Bưu chính",
            ("1.003659", "Cấp giấy phép bưu chính", 20, 3, (ENTERPRISE,), "đề nghị cấp giấy phép bưu chính"),
            ("1.003687", "Sửa đổi, bổ sung giấy phép bưu chính", 10, 3, (ENTERPRISE,), "sửa đổi giấy phép bưu chính"),
        ),
        *_of(
            "G14-XB", "Xuất bản, in và phát hành",
            ("1.003725", "Cấp giấy phép xuất bản tài liệu không kinh doanh", 15, 4, _ORG,
             "xin phép xuất bản tài liệu không kinh doanh"),
            ("1.003483", "Đăng ký hoạt động cơ sở in", 5, 3, (ENTERPRISE,), "đăng ký hoạt động cơ sở in"),
        ),
    ),
    "so-tu-phap": (
        *_of(
            "G15-LLTP", "Lý lịch tư pháp",
            ("2.000488", "Cấp Phiếu lý lịch tư pháp cho công dân Việt Nam", 10, 3, _CITIZEN,
             "yêu cầu cấp Phiếu lý lịch tư pháp số 1"),
            ("2.000505", "Cấp Phiếu lý lịch tư pháp số 2", 10, 2, _CITIZEN, "yêu cầu cấp Phiếu lý lịch tư pháp số 2"),
        ),
        *_of(
            "G15-HT", "Hộ tịch, quốc tịch",
            ("2.002039", "Xác nhận có quốc tịch Việt Nam", 20, 2, _CITIZEN, "xin xác nhận có quốc tịch Việt Nam"),
        ),
        *_of(
            "G15-CC", "Công chứng",
            ("1.001071", "Đăng ký tập sự hành nghề công chứng", 7, 3, _CITIZEN, "đăng ký tập sự hành nghề công chứng"),
        ),
    ),
    "so-vhttdl": _of(
        "G19-VH", "Văn hóa, thể thao và du lịch",
        ("1.003560", "Cấp giấy phép kinh doanh karaoke", 7, 3, _ANY, "xin cấp phép kinh doanh karaoke"),
        ("1.003676", "Đăng ký tổ chức lễ hội cấp tỉnh", 20, 2, (OTHER, STATE_AGENCY), "đăng ký tổ chức lễ hội"),
        ("2.001628", "Cấp giấy phép kinh doanh dịch vụ lữ hành nội địa", 10, 3, (ENTERPRISE,),
         "xin cấp phép dịch vụ lữ hành nội địa"),
        ("1.004650", "Tiếp nhận hồ sơ thông báo sản phẩm quảng cáo trên bảng quảng cáo", 5, 3, (ENTERPRISE,),
         "thông báo sản phẩm quảng cáo"),
    ),
    "so-tnmt": (
        *_of(
            "G12-DD", "Đất đai",
            ("1.004227", "Đăng ký biến động quyền sử dụng đất", 15, 2, _ANY, "đăng ký biến động quyền sử dụng đất"),
            ("2.000946", "Cấp đổi Giấy chứng nhận quyền sử dụng đất", 7, 2, _ANY, "xin cấp đổi Giấy chứng nhận"),
            ("1.004199", "Đăng ký, cấp Giấy chứng nhận quyền sử dụng đất lần đầu", 30, 2, _ANY,
             "đăng ký cấp Giấy chứng nhận lần đầu"),
        ),
        *_of(
            "G12-MT", "Môi trường",
            ("1.004249", "Thẩm định báo cáo đánh giá tác động môi trường", 30, 2, (ENTERPRISE,),
             "trình báo cáo đánh giá tác động môi trường"),
            ("1.004232", "Cấp giấy phép thăm dò nước dưới đất", 22, 3, (ENTERPRISE,), "xin phép thăm dò nước dưới đất"),
        ),
    ),
    "so-y-te": _of(
        "G18-YT", "Y tế, dược phẩm",
        ("1.004616", "Cấp chứng chỉ hành nghề dược", 20, 3, _CITIZEN, "xin cấp chứng chỉ hành nghề dược"),
        ("1.004593", "Cấp giấy chứng nhận đủ điều kiện kinh doanh dược", 20, 3, (ENTERPRISE, CITIZEN),
         "xin chứng nhận đủ điều kiện kinh doanh dược"),
        ("1.003709", "Cấp chứng chỉ hành nghề khám bệnh, chữa bệnh", 28, 3, _CITIZEN,
         "xin cấp chứng chỉ hành nghề khám bệnh, chữa bệnh"),
        ("1.002464", "Xác nhận nội dung quảng cáo dịch vụ khám bệnh", 10, 3, (ENTERPRISE,),
         "xin xác nhận nội dung quảng cáo"),
    ),
    "tp-tra-vinh": (
        *_of(
            "G05-DK", "Đăng ký kinh doanh hộ",
            ("2.000720", "Đăng ký thay đổi nội dung hộ kinh doanh", 3, 3, _CITIZEN, "thay đổi nội dung hộ kinh doanh"),
            ("1.001612", "Đăng ký thành lập hộ kinh doanh", 3, 3, _CITIZEN, "đăng ký thành lập hộ kinh doanh"),
        ),
        *_of(
            "G17-XD", "Hoạt động xây dựng",
            ("1.007262", "Cấp giấy phép xây dựng nhà ở riêng lẻ", 15, 2, _CITIZEN, "xin phép xây dựng nhà ở riêng lẻ"),
            ("1.007266", "Cấp giấy phép xây dựng công trình", 22, 2, _ORG, "xin phép xây dựng công trình"),
        ),
        *_of(
            "G12-DD", "Đất đai",
            ("1.004203", "Chuyển mục đích sử dụng đất", 15, 2, _CITIZEN, "xin chuyển mục đích sử dụng đất"),
        ),
    ),
    "cau-ngang": (
        *_of(
            "G15-HT", "Hộ tịch",
            ("2.000528", "Đăng ký khai sinh có yếu tố nước ngoài", 3, 2, _CITIZEN, "đăng ký khai sinh"),
            ("2.000806", "Đăng ký kết hôn có yếu tố nước ngoài", 15, 2, _CITIZEN, "đăng ký kết hôn"),
            ("2.000748", "Thay đổi, cải chính, bổ sung hộ tịch", 5, 2, _CITIZEN, "xin cải chính hộ tịch"),
        ),
        *_of(
            "G12-DD", "Đất đai",
            ("1.004206", "Xác nhận tiếp tục sử dụng đất nông nghiệp", 10, 2, _CITIZEN,
             "xin xác nhận tiếp tục sử dụng đất nông nghiệp"),
        ),
    ),
}  # fmt: skip
