"""Pages of the three one-stop systems with dossiers of any names, as their systems write them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from xml.sax.saxutils import escape

from hub.drill.multiply import Reader
from hub.drill.samples import Media, Sample
from mappings.catalogue import load
from mappings.inbound import InboundMapping
from mappings.rows import ReadContext
from schemas.agency import AgencyRegister
from schemas.local_time import LOCAL
from schemas.record import Record

AGENCIES = AgencyRegister.from_rows(
    [{"code": "H59.31", "name": "UBND huyện Cầu Ngang", "level": "district", "aliases": ["000.00.31.H59"]}]
)
MAPPINGS: dict[Media, list[str]] = {
    "xml": ["one-stop-soap/dossier", "one-stop-soap/step"],
    "json": ["one-stop-rest/dossier", "one-stop-rest/step"],
    "csv": ["one-stop-csv/dossier"],
}
RECEIVED, CHANGED, STEP = "20/03/2017 08:00:00", "21/03/2017 09:15:59", "20/03/2017 08:05:00"


def reader(media: Media) -> Reader:
    """One destination sees everything but the time of change."""
    mappings = [mapping for mapping in map(load, MAPPINGS[media]) if isinstance(mapping, InboundMapping)]

    def seen(record: Record) -> dict[str, str]:
        return {"portal": blake2b(record.facts(), digest_size=8).hexdigest()}

    return Reader(mappings, ReadContext(agencies=AGENCIES), seen)


def page(media: Media, dossiers: Sequence[tuple[str, str]], *, ascii_only: bool = False) -> Sample:
    """A page with a dossier per (number, applicant's name)."""
    made = {"xml": _soap, "json": _rest, "csv": _csv}[media](dossiers, ascii_only)
    return Sample("a", made, media, "hoso-0001.csv" if media == "csv" else "page 1", None, "a page")


def _soap(dossiers: Sequence[tuple[str, str]], ascii_only: bool) -> bytes:
    rows = "".join(
        f"<HoSo><SoHoSo>{number}</SoHoSo><MaThuTuc>2.002621.H59</MaThuTuc><TenThuTuc>Lý lịch</TenThuTuc>"
        f"<DonVi>000.00.31.H59</DonVi><LoaiDoiTuong>Công dân</LoaiDoiTuong><NguoiNop>{escape(name)}</NguoiNop>"
        f"<HinhThucNop>Bưu chính</HinhThucNop><TrangThai>Đang xử lý</TrangThai><NgayTiepNhan>{RECEIVED}</NgayTiepNhan>"
        f"<NgayCapNhat>{CHANGED}</NgayCapNhat><QuaTrinh><Buoc><ThoiDiem>{STEP}</ThoiDiem><NguoiXuLy>Trần Văn Bình"
        f"</NguoiXuLy><NoiDung>Tiếp nhận</NoiDung><TrangThai>Được tiếp nhận</TrangThai></Buoc></QuaTrinh></HoSo>"
        for number, name in dossiers
    )
    inside = f'<DanhSachHoSo trang="1" tongTrang="1">{rows}</DanhSachHoSo>'
    held = escape(inside) if ascii_only else f"<![CDATA[{inside}]]>"
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f"<LayDanhSachHoSoResponse><LayDanhSachHoSoResult>{held}</LayDanhSachHoSoResult></LayDanhSachHoSoResponse>"
        "</s:Body></s:Envelope>"
    ).encode()


def _rest(dossiers: Sequence[tuple[str, str]], ascii_only: bool) -> bytes:
    def at(text: str) -> str:
        moment = datetime.strptime(text, "%d/%m/%Y %H:%M:%S").replace(tzinfo=LOCAL)
        return f"/Date({int(moment.timestamp()) * 1000})/"

    step = {"thoi_diem": at(STEP), "nguoi_xu_ly": "Trần Văn Bình", "noi_dung": "Tiếp nhận", "trang_thai": "new"}
    rows = [
        {"so_ho_so": number, "ma_thu_tuc": "2.002621.H59", "ten_thu_tuc": "Lý lịch", "don_vi": "000.00.31.H59",
         "loai_doi_tuong": "CD", "nguoi_nop": name, "hinh_thuc_nop": "truc_tuyen", "muc_do": 4,
         "trang_thai": "processing", "ngay_tiep_nhan": at(RECEIVED), "ngay_cap_nhat": at(CHANGED), "qua_trinh": [step]}
        for number, name in dossiers
    ]  # fmt: skip
    text = json.dumps({"trang": 1, "tong_trang": 1, "du_lieu": rows}, ensure_ascii=ascii_only)
    return (text.replace("/", "\\/") if ascii_only else text).encode()


def _csv(dossiers: Sequence[tuple[str, str]], ascii_only: bool) -> bytes:
    header = (
        "SO_HO_SO;MA_TTHC;TEN_TTHC;MA_LINH_VUC;LINH_VUC;MA_DON_VI;LOAI_DOI_TUONG;HO_TEN;SO_GIAY_TO;DIA_CHI;DIEN_THOAI;"
        "EMAIL;TRICH_YEU;KENH;MUC_DO;TRANG_THAI;NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_TRA;GHI_CHU;NGAY_CAP_NHAT"
    )
    out = io.StringIO()
    rows = csv.writer(out, delimiter=";", lineterminator="\r\n")
    rows.writerow(header.split(";"))
    for number, name in dossiers:
        cells = {"SO_HO_SO": number, "MA_TTHC": "2.002621.H59", "TEN_TTHC": "Lý lịch", "MA_DON_VI": "000.00.31.H59",
                 "LOAI_DOI_TUONG": "1", "HO_TEN": name, "KENH": "1", "TRANG_THAI": "4",
                 "NGAY_TIEP_NHAN": "20170320080000", "NGAY_CAP_NHAT": "20170321091559"}  # fmt: skip
        rows.writerow([cells.get(column, "") for column in header.split(";")])
    return out.getvalue().encode("utf-8" if ascii_only else "utf-8-sig")
