"""The three old systems' rows: the fields, words, dates and Unicode forms in which they hold a dossier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from unicodedata import normalize

from adapters.sandbox.tra_vinh.course import Dossier, Step, Version
from adapters.sandbox.tra_vinh.dossiers import Broken

Row = dict[str, Any]

SOAP_STATUS = {
    2: "Được tiếp nhận",
    4: "Đang xử lý",
    5: "Yêu cầu bổ sung giấy tờ",
    9: "Đã xử lý xong",
    10: "Đã trả kết quả",
}
REST_STATUS = {2: "new", 4: "processing", 5: "waiting", 9: "releasing", 10: "done"}
_SOAP_KIND = {1: "Công dân", 2: "Doanh nghiệp", 3: "Cơ quan nhà nước", 4: "Tổ chức khác"}
_REST_KIND = {1: "CD", 2: "DN", 3: "CQ", 4: "TC"}
_SOAP_CHANNEL = {1: "Trực tiếp", 2: "Trực tuyến", 3: "Bưu chính"}
_REST_CHANNEL = {1: "truc_tiep", 2: "truc_tuyen", 3: "buu_chinh"}

UNKNOWN_STATUS = "Chờ chuyển thông tin thuế"
IMPOSSIBLE_DATE = "31/09/2017 17:00:00"


def rows(dossier: Dossier, version: Version, seen: Sequence[Step]) -> list[Row]:
    """The rows by which a version shows; `seen` are the steps of those before it, which SOAP and REST show again."""
    return list(_SYSTEMS[dossier.agency.system](dossier, version, seen))


def broken_row(broken: Broken) -> Row:
    """The row of a broken version, without steps (SOAP only)."""
    row = _soap_row(broken.dossier, broken.version, ())
    match broken.trouble:
        case "unknown-status":
            row["TrangThai"] = UNKNOWN_STATUS
        case "impossible-date":
            row["NgayHenTra"] = IMPOSSIBLE_DATE
        case "missing-number":
            row["_id"], row["SoHoSo"] = row["SoHoSo"], ""
    return row


def slashed(at: datetime | None) -> str:
    return f"{at:%d/%m/%Y %H:%M:%S}" if at else ""


def packed(at: datetime | None) -> str:
    return f"{at:%Y%m%d%H%M%S}" if at else ""


def ticks_since_1970(at: datetime | None) -> str | None:
    return f"/Date({int(at.timestamp()) * 1000})/" if at else None


def _soap(dossier: Dossier, version: Version, seen: Sequence[Step]) -> Iterable[Row]:
    yield _decomposed(_soap_row(dossier, version, (*seen, *version.steps)), dossier)


def _soap_row(dossier: Dossier, version: Version, steps: Sequence[Step]) -> Row:
    procedure, applicant = dossier.procedure, dossier.applicant
    return {
        "SoHoSo": dossier.number,
        "MaThuTuc": procedure.code,
        "TenThuTuc": procedure.name,
        "MaLinhVuc": procedure.field_code,
        "LinhVuc": procedure.field_name,
        "DonVi": dossier.agency.old_code,
        "LoaiDoiTuong": _SOAP_KIND[applicant.kind],
        "NguoiNop": applicant.name,
        "SoGiayTo": applicant.identity,
        "DiaChi": applicant.address,
        "DienThoai": applicant.phone,
        "Email": applicant.email,
        "TrichYeu": dossier.summary,
        "HinhThucNop": _SOAP_CHANNEL[dossier.channel],
        "MucDo": str(procedure.level),
        "TrangThai": SOAP_STATUS[version.status],
        "NgayTiepNhan": slashed(dossier.received_at),
        "NgayHenTra": slashed(dossier.due_at),
        "NgayHoanThanh": slashed(version.finished_at),
        "NgayTra": slashed(version.returned_at),
        "GhiChu": version.note,
        "NgayCapNhat": slashed(version.changed_at),
        "QuaTrinh": [
            {
                "ThoiDiem": slashed(step.at),
                "NguoiXuLy": step.post.person,
                "ChucDanh": step.post.position,
                "PhongBan": step.post.unit,
                "NoiDung": step.content,
                "TrangThai": SOAP_STATUS[step.status],
            }
            for step in steps
        ],
    }


def _rest(dossier: Dossier, version: Version, seen: Sequence[Step]) -> Iterable[Row]:
    procedure, applicant = dossier.procedure, dossier.applicant
    row = {
        "so_ho_so": dossier.number,
        "ma_thu_tuc": procedure.code,
        "ten_thu_tuc": procedure.name,
        "ma_linh_vuc": procedure.field_code,
        "linh_vuc": procedure.field_name,
        "don_vi": dossier.agency.old_code,
        "loai_doi_tuong": _REST_KIND[applicant.kind],
        "nguoi_nop": applicant.name,
        "so_giay_to": applicant.identity,
        "dia_chi": applicant.address,
        "dien_thoai": applicant.phone,
        "email": applicant.email,
        "trich_yeu": dossier.summary,
        "hinh_thuc_nop": _REST_CHANNEL[dossier.channel],
        "muc_do": procedure.level,
        "trang_thai": REST_STATUS[version.status],
        "ngay_tiep_nhan": ticks_since_1970(dossier.received_at),
        "ngay_hen_tra": ticks_since_1970(dossier.due_at),
        "ngay_hoan_thanh": ticks_since_1970(version.finished_at),
        "ngay_tra": ticks_since_1970(version.returned_at),
        "ghi_chu": version.note,
        "ngay_cap_nhat": ticks_since_1970(version.changed_at),
        "qua_trinh": [
            {
                "thoi_diem": ticks_since_1970(step.at),
                "nguoi_xu_ly": step.post.person,
                "chuc_danh": step.post.position,
                "phong_ban": step.post.unit,
                "noi_dung": step.content,
                "trang_thai": REST_STATUS[step.status],
            }
            for step in (*seen, *version.steps)
        ],
    }
    yield _decomposed(row, dossier)


def _csv(dossier: Dossier, version: Version, seen: Sequence[Step]) -> Iterable[Row]:
    procedure, applicant = dossier.procedure, dossier.applicant
    yield {
        "hoso": {
            "SO_HO_SO": dossier.number,
            "MA_TTHC": procedure.code,
            "TEN_TTHC": procedure.name,
            "MA_LINH_VUC": procedure.field_code,
            "LINH_VUC": procedure.field_name,
            "MA_DON_VI": dossier.agency.old_code,
            "LOAI_DOI_TUONG": str(applicant.kind),
            "HO_TEN": applicant.name,
            "SO_GIAY_TO": applicant.identity,
            "DIA_CHI": applicant.address,
            "DIEN_THOAI": applicant.phone,
            "EMAIL": applicant.email,
            "TRICH_YEU": dossier.summary,
            "KENH": str(dossier.channel),
            "MUC_DO": str(procedure.level),
            "TRANG_THAI": str(version.status),
            "NGAY_TIEP_NHAN": packed(dossier.received_at),
            "NGAY_HEN_TRA": packed(dossier.due_at),
            "NGAY_KET_THUC": packed(version.finished_at),
            "NGAY_TRA": packed(version.returned_at),
            "GHI_CHU": version.note,
            "NGAY_CAP_NHAT": packed(version.changed_at),
        }
    }
    for step in version.steps:
        yield {
            "buoc": {
                "SO_HO_SO": dossier.number,
                "THOI_DIEM": packed(step.at),
                "NGUOI_XU_LY": step.post.person,
                "CHUC_DANH": step.post.position,
                "PHONG_BAN": step.post.unit,
                "NOI_DUNG": step.content,
                "TRANG_THAI": str(step.status),
            }
        }


_SYSTEMS: dict[str, Callable[[Dossier, Version, Sequence[Step]], Iterable[Row]]] = {
    "soap": _soap,
    "rest": _rest,
    "csv": _csv,
}


def _decomposed(row: Row, dossier: Dossier) -> Row:
    """The row as software writes it that keeps letter and marks apart ("tổ hợp", NFD)."""
    if not dossier.agency.decomposed:
        return row
    return {name: _nfd(value) for name, value in row.items()}


def _nfd(value: Any) -> Any:
    if isinstance(value, str):
        return normalize("NFD", value)
    if isinstance(value, list):
        return [{name: _nfd(inner) for name, inner in item.items()} for item in value]
    return value
