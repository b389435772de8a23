"""What legacy systems call the fields of a record: names compared without diacritics, case, blanks, `_` and `-`.

The earlier a name stands in its list, the surer it is. Names are those of the national portal and the provincial
platform, of one-stop software, and of what clerks write above the columns of a spreadsheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from unicodedata import combining, normalize

SYNONYMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "dossier.v1": {
        "number": (
            "MaHoSo", "SoHoSo", "MaSoHoSo", "SoBienNhan", "MaBienNhan", "DocCode", "MaHS", "SoHS", "DossierNo",
            "DossierNumber", "DossierCode", "SoPhieu", "MaTraCuu", "MaSo",
        ),
        "procedure_code": (
            "MaTTHC", "MaThuTuc", "MaThuTucHanhChinh", "DocTypeCode", "ProcedureCode", "MaDichVuCong", "MaDVC",
            "IDThuTuc", "MaQuyTrinh", "ServiceCode",
        ),
        "procedure_name": (
            "TenTTHC", "TenThuTuc", "TenThuTucHanhChinh", "DocTypeName", "ProcedureName", "ThuTuc", "ThuTucHanhChinh",
            "TTHC", "TenDichVuCong", "TenDVC", "ServiceName", "LoaiHoSo", "TenLoaiHoSo",
        ),
        "field_code": ("MaLinhVuc", "LinhVucId", "IDLinhVuc", "FieldCode"),
        "field_name": ("TenLinhVuc", "LinhVuc", "FieldName"),
        "agency": (
            "MaDonVi", "DonVi", "MaCoQuan", "DonViXuLy", "MaDonViXuLy", "MaDinhDanh", "MaDinhDanhDonVi",
            "OrganInchargeIdLevel1", "CoQuan", "CoQuanXuLy", "DonViTiepNhan", "MaDonViTiepNhan", "CoQuanTiepNhan",
            "TenDonVi", "TenCoQuan", "AgencyCode", "Agency", "ProcessingOrganName", "OrganName", "NoiTiepNhan",
        ),
        "applicant_kind": (
            "LoaiDoiTuong", "DoiTuong", "ApplicantsType", "ApplicantType", "LoaiChuHoSo", "LoaiNguoiNop",
            "LoaiKhachHang", "DoiTuongNop",
        ),
        "applicant_name": (
            "ChuHoSo", "TenChuHoSo", "NguoiNop", "TenNguoiNop", "HoTen", "HoVaTen", "CitizenName", "HoTenNguoiNop",
            "HoTenChuHoSo", "TenCaNhanToChuc", "ApplicantName", "TenToChuc", "NguoiNopHoSo", "TenCongDan", "CongDan",
            "FullName", "TenKhachHang",
        ),
        "applicant_id": (
            "SoGiayTo", "SoDinhDanh", "CCCD", "SoCCCD", "CMND", "SoCMND", "CMT", "MaDoiTuong", "ApplicantsId",
            "SoGiayToChuHoSo", "SoCMNDCCCD", "MaSoThue", "ApplicantId", "CitizenId", "IdentityNumber", "CanCuoc",
        ),
        "applicant_address": (
            "DiaChi", "DiaChiNguoiNop", "DiaChiChuHoSo", "Address", "DiaChiThuongTru", "NoiO", "DiaChiLienHe",
        ),
        "applicant_phone": (
            "SoDienThoai", "DienThoai", "SDT", "Phone", "PhoneNumber", "DienThoaiNguoiNop", "Mobile", "DiDong",
            "SoDienThoaiNguoiNop", "Tel",
        ),
        "applicant_email": ("Email", "ThuDienTu", "EmailNguoiNop", "Mail", "DiaChiEmail"),
        "summary": ("TrichYeuHoSo", "TrichYeu", "NoiDung", "Compendium", "NoiDungHoSo", "TenHoSo", "NoiDungYeuCau"),
        "channel": (
            "KenhThucHien", "HinhThucNop", "Kenh", "HinhThucTiepNhan", "KenhTiepNhan", "KenhNop", "Channel",
            "NguonHoSo", "CachThucNop",
        ),
        "service_level": ("MucDo", "MucDoDVC", "MucDoDichVu", "ServiceLevel", "CapDo"),
        "status": (
            "TrangThaiHoSo", "TrangThai", "TinhTrang", "TinhTrangHoSo", "Status", "DossierStatus", "MaTrangThai",
            "TenTrangThai", "TrangThaiXuLy", "State", "KetQuaXuLy",
        ),
        "received_at": (
            "NgayTiepNhan", "ThoiGianTiepNhan", "NgayNhan", "DateReceived", "NgayNhanHoSo", "ReceivedDate",
            "ReceiveDate", "ThoiDiemTiepNhan", "NgayNop", "NgayNopHoSo", "NgayTao", "CreatedDate",
        ),
        "due_at": (
            "NgayHenTra", "HanXuLy", "NgayHen", "DateAppointed", "ThoiGianHenTra", "NgayHenTraKetQua", "HanTra",
            "DueDate", "HanGiaiQuyet", "NgayHenTraKQ", "AppointmentDate", "ThoiHan",
        ),
        "finished_at": (
            "NgayKetThucXuLy", "NgayHoanThanh", "NgayKetThuc", "NgayXong", "FinishedDate", "FinishDate", "NgayXuLyXong",
            "ThoiGianHoanThanh", "SuccessDate", "CompletedDate", "NgayGiaiQuyet", "NgayCoKetQua",
        ),
        "returned_at": (
            "NgayTra", "NgayTraKetQua", "ReturnedDate", "NgayTraKQ", "ThoiGianTra", "ReturnDate", "NgayTraHoSo",
            "ThoiGianTraKetQua", "NgayTraThucTe",
        ),
        "note": ("GhiChu", "Note", "Notes", "ThongTinKhac", "YKien"),
        "changed_at": (
            "NgayCapNhat", "ThoiGianCapNhat", "UpdatedAt", "UpdatedDate", "NgaySua", "ModifiedDate", "LastModified",
            "NgayThayDoi", "CapNhatLuc", "ThoiDiemCapNhat", "LastUpdate", "UpdateTime", "CapNhat", "NgayGioCapNhat",
        ),
    },
    "dossier-step.v1": {
        "number": ("MaHoSo", "SoHoSo", "MaSoHoSo", "SoBienNhan", "MaBienNhan", "DocCode", "MaHS", "SoHS"),
        "at": ("ThoiDiemXuLy", "ThoiDiem", "NgayXuLy", "ThoiGian", "ThoiGianXuLy", "DateCreated", "Luc", "Ngay"),
        "person": ("NguoiXuLy", "CanBo", "CanBoXuLy", "TenCanBo", "UserName", "NguoiThucHien", "HoTenCanBo"),
        "position": ("ChucDanh", "ChucVu", "UserPosition", "Position"),
        "unit": ("PhongBanXuLy", "PhongBan", "BoPhan", "DonViXuLy", "Department", "TenPhongBan"),
        "content": ("NoiDungXuLy", "NoiDung", "Comment", "YKienXuLy", "CongViec", "BuocXuLy", "TenBuoc", "YKien"),
        "status": ("TrangThai", "TrangThaiHoSo", "TinhTrang", "Status", "MaTrangThai", "TrangThaiXuLy"),
        "started_at": ("NgayBatDau", "ThoiGianBatDau", "BatDau", "StartDate"),
        "due_at": ("NgayKetThucTheoQuyDinh", "HanXuLy", "Han", "DueDate", "HanHoanThanh"),
    },
    # Names that say no more than "code", "name" or "value" are left out: in another system they may be a person's.
    "document.v1": {
        "document_id": ("MaDinhDanhVanBan", "DocumentId", "MaVanBan", "DocId"),
        "agency": (
            "MaDonViBanHanh", "DonViBanHanh", "MaCoQuanBanHanh", "CoQuanBanHanh", "OrganId", "NoiGui", "DonViGui",
            "CoQuanGui", "MaDonVi", "DonVi",
        ),
        "code_number": ("SoVanBan", "SoKyHieu", "SoHieu", "CodeNumber", "SoHieuVanBan", "SoKyHieuVanBan", "SoVB"),
        "code_notation": ("KyHieu", "KyHieuVanBan", "CodeNotation"),
        "promulgated_at": ("NgayBanHanh", "PromulgationDate", "NgayVanBan", "NgayKy", "NgayPhatHanh"),
        "promulgation_place": ("NoiBanHanh", "DiaDanh"),
        "type_name": ("LoaiVanBan", "TenLoaiVanBan", "HinhThucVanBan", "TypeName", "LoaiVB"),
        "subject": ("TrichYeu", "TrichYeuVanBan", "TrichYeuNoiDung", "Subject", "NoiDungTrichYeu"),
        "signer_name": ("NguoiKy", "HoTenNguoiKy", "TenNguoiKy", "SignerName"),
        "signer_position": ("ChucVuNguoiKy", "ChucDanhNguoiKy", "SignerPosition"),
        "receivers": ("NoiNhan", "DonViNhan", "ToPlaces", "CoQuanNhan", "DanhSachNoiNhan"),
        "priority": ("DoKhan", "MucDoKhan", "Priority"),
        "medium": ("HinhThucGui", "PhuongThucGui", "HinhThucPhatHanh"),
        "signed": ("KySo", "DaKySo", "ChuKySo", "CoKySo"),
        "due_at": ("HanTraLoi", "HanXuLy", "DueDate", "ThoiHanTraLoi"),
        "changed_at": (
            "NgayCapNhat", "ThoiGianCapNhat", "UpdatedAt", "UpdatedDate", "NgaySua", "ModifiedDate", "LastModified",
        ),
    },
    "indicator.v1": {
        "code": ("MaChiTieu", "IndicatorCode", "MaSoChiTieu", "IndicatorId", "IDChiTieu"),
        "name": ("TenChiTieu", "ChiTieu", "IndicatorName"),
        "period": ("KyBaoCao", "Ky", "Period", "ThangNam", "Thang", "Quy", "Nam", "KyDuLieu", "ThoiKy"),
        "agency": (
            "MaDonVi", "DonVi", "MaCoQuan", "CoQuan", "DonViBaoCao", "MaDonViBaoCao", "CoQuanBaoCao", "MaHuyen",
            "AgencyCode", "TenDonVi", "MaDiaBan", "DiaBan",
        ),
        "value": ("GiaTri", "SoLieu", "SoLuong", "IndicatorValue"),
        "unit": ("DonViTinh", "DVT", "UnitOfMeasure"),
        "changed_at": (
            "NgayCapNhat", "ThoiGianCapNhat", "UpdatedAt", "UpdatedDate", "NgaySua", "ModifiedDate", "LastModified",
        ),
    },
}  # fmt: skip
"""By kind of record and field."""

AFFIXES = ("hoso", "hs", "dossier", "hosomotcua", "id", "str", "dt", "txt")
"""What a system puts before or after a name without changing what is meant: `NgayTiepNhanHS`, `strSoHoSo`."""


def fold(text: str) -> str:
    """A name as it is compared: small letters and digits alone, without diacritics."""
    plain = normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(sign for sign in plain if sign.isalnum() and not combining(sign))


@cache
def folded(kind: str) -> Mapping[str, tuple[str, ...]]:
    """The names of a kind's fields as `fold` gives them; empty for a kind that nobody listed."""
    return {field: tuple(map(fold, names)) for field, names in SYNONYMS.get(kind, {}).items()}


def rank(name: str, kind: str, field: str) -> int | None:
    """How sure it is that a column of this name is that field: 0 is surest; None where it is not among the names."""
    known = folded(kind).get(field, ())
    for penalty, spelt in enumerate(_spellings(fold(name))):
        if spelt in known:
            return known.index(spelt) + 100 * penalty
    return None


def turned(path: str) -> str:
    """A path inside a row with its last name first, `ma donVi` for `donVi/ma`."""
    return " ".join(reversed(re.split(r"[/.]", path)))


def fields_named(name: str) -> Iterator[tuple[str, str]]:
    """Every kind and field that a column of this name may be."""
    for kind, fields in SYNONYMS.items():
        for field in fields:
            if rank(name, kind, field) is not None:
                yield kind, field


def count_known(names: Iterable[str]) -> int:
    """How many of these columns have the name of some field."""
    return sum(any(True for _ in fields_named(name)) for name in names)


def _spellings(name: str) -> Iterator[str]:
    yield name
    for affix in AFFIXES:
        for spelt in (name.removesuffix(affix), name.removeprefix(affix)):
            if spelt != name and len(spelt) >= 3:
                yield spelt
