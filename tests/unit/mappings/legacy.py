"""Legacy bodies as the one-stop systems write them, one value changed where a test needs it; all invented."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

SOAP_ROW: dict[str, str] = {
    "SoHoSo": "000.00.05.H59-170320-0002",
    "MaThuTuc": "2.002621.H59",
    "TenThuTuc": "Cấp phiếu lý lịch tư pháp",
    "MaLinhVuc": "G15-LT",
    "LinhVuc": "Lý lịch tư pháp",
    "DonVi": "000.00.05.H59",
    "LoaiDoiTuong": "Công dân",
    "NguoiNop": "Nguyễn Thị Hạnh",
    "SoGiayTo": "334 012 345",
    "DiaChi": "12 Lê Lợi, phường 1, thành phố Trà Vinh",
    "DienThoai": "0294 3 855 001",
    "Email": "hanh@example.vn",
    "TrichYeu": "Cấp phiếu số 1",
    "HinhThucNop": "Trực tiếp",
    "MucDo": "2",
    "TrangThai": "Đang xử lý",
    "NgayTiepNhan": "20/03/2017 08:00:00",
    "NgayHenTra": "31/03/2017 17:00:00",
    "NgayHoanThanh": "",
    "NgayTra": "",
    "GhiChu": "",
    "NgayCapNhat": "21/03/2017 09:15:00",
}
SOAP_STEP: dict[str, str] = {
    "ThoiDiem": "20/03/2017 08:05:00",
    "NguoiXuLy": "Trần Văn Bình",
    "ChucDanh": "Chuyên viên",
    "PhongBan": "Phòng Hành chính tư pháp",
    "NoiDung": "Tiếp nhận hồ sơ",
    "TrangThai": "Được tiếp nhận",
}


def elements(values: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())


def soap_row(steps: list[dict[str, str]] | None = None, **changed: str) -> str:
    """One <HoSo>; `steps` None leaves QuaTrinh out."""
    buoc = "".join(f"<Buoc>{elements(step)}</Buoc>" for step in steps or [])
    inside = "" if steps is None else f"<QuaTrinh>{buoc}</QuaTrinh>"
    return f"<HoSo>{elements({**SOAP_ROW, **changed})}{inside}</HoSo>"


def soap_page(*rows: str, cdata: bool = False) -> bytes:
    """A SOAP 1.1 answer whose result is a string of XML."""
    inner = '<?xml version="1.0" encoding="utf-16"?><DanhSachHoSo trang="1" tongTrang="2">'
    inner += f"{''.join(rows)}</DanhSachHoSo>"
    text = f"<![CDATA[{inner}]]>" if cdata else escape(inner)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        '<LayDanhSachHoSoResponse xmlns="http://motcua.travinh.gov.vn/">'
        f"<LayDanhSachHoSoResult>{text}</LayDanhSachHoSoResult></LayDanhSachHoSoResponse></soap:Body></soap:Envelope>"
    ).encode()


REST_ROW: dict[str, Any] = {
    "so_ho_so": "000.00.05.H59-170320-0002",
    "ma_thu_tuc": "2.002621.H59",
    "ten_thu_tuc": "Cấp phiếu lý lịch tư pháp",
    "ma_linh_vuc": "G15-LT",
    "linh_vuc": "Lý lịch tư pháp",
    "don_vi": "000.00.05.H59",
    "loai_doi_tuong": "DN",
    "nguoi_nop": "Công ty Trà Vinh",
    "so_giay_to": "2100123456",
    "dia_chi": "12 Lê Lợi",
    "dien_thoai": 2943855001,
    "email": "",
    "trich_yeu": "Cấp phiếu số 1",
    "hinh_thuc_nop": "truc_tuyen",
    "muc_do": 4,
    "trang_thai": "processing",
    "ngay_tiep_nhan": "/Date(1489971600000)/",
    "ngay_hen_tra": "/Date(1490954400000)/",
    "ngay_hoan_thanh": None,
    "ngay_tra": None,
    "ghi_chu": "",
    "ngay_cap_nhat": "/Date(1490062500000)/",
    "qua_trinh": [],
}
REST_STEP: dict[str, Any] = {
    "thoi_diem": "/Date(1489971900000)/",
    "nguoi_xu_ly": "Trần Văn Bình",
    "chuc_danh": "Chuyên viên",
    "phong_ban": "Phòng Một cửa",
    "noi_dung": "Tiếp nhận",
    "trang_thai": "new",
}


def rest_page(*rows: Any) -> bytes:
    return json.dumps({"trang": 1, "tong_trang": 1, "du_lieu": list(rows)}, ensure_ascii=False).encode()
