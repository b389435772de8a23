"""A configuration and a ledger with dead letters of three old systems, made of their pages by the real mappings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import orjson
import sqlalchemy as sa
import yaml

from hub.ledger import DestinationRules, Ledger
from hub.ledger.engine import open_engine
from hub.ledger.values import Claim, Outcome
from hub.ports import Arrival, Mode, Ticket
from hub.process import process
from hub.rulebook import Rulebook, rulebook
from hub.settings import load
from mappings.rows import RenderContext

NAME = "Nguyễn Thị Hồng Đào"
PHONE = "0912345678"
OFFICIAL = "Trần Văn Sáu"
PERSONAL = (NAME, PHONE, OFFICIAL, "084123456789", "12 Lê Lợi", "xin cấp giấy cho bà Đào", "mật khẩu 1234")
NUMBERS = {one: f"000.00.15.H59-170302-{n:04}" for n, one in enumerate(("soap", "rest", "csv"), 1)}
STARTED = datetime(2017, 3, 2, 8, 0, tzinfo=UTC)

SOAP = """<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
<LayDanhSachHoSoResponse xmlns="urn:mot-cua"><LayDanhSachHoSoResult><![CDATA[<DanhSachHoSo trang="1" tongTrang="1">
<HoSo ma="mật khẩu 1234"><SoHoSo>{number}</SoHoSo><MaThuTuc>1.003560.000.00.00.H59</MaThuTuc>
<TenThuTuc>Cấp giấy phép bưu chính</TenThuTuc><DonVi>000.00.15.H59</DonVi><LoaiDoiTuong>Công dân</LoaiDoiTuong>
<NguoiNop>{name}</NguoiNop><SoGiayTo>084 123456789</SoGiayTo><DiaChi>12 Lê Lợi</DiaChi><DienThoai>{phone}</DienThoai>
<TrichYeu>xin cấp giấy cho bà Đào</TrichYeu><HinhThucNop>Trực tiếp</HinhThucNop><MucDo>2</MucDo>
<TrangThai>Đang xử lý</TrangThai><NgayTiepNhan>02/03/2017 08:00:00</NgayTiepNhan>
<NgayHenTra>09/03/2017 17:00:00</NgayHenTra><NgayCapNhat>02/03/2017 09:00:00</NgayCapNhat>
<GhiRieng>mật khẩu 1234</GhiRieng>
<QuaTrinh><Buoc><ThoiDiem>02/03/2017 08:30:00</ThoiDiem><NguoiXuLy>{official}</NguoiXuLy>
<ChucDanh>Chuyên viên</ChucDanh><PhongBan>Một cửa</PhongBan><NoiDung>xin cấp giấy cho bà Đào</NoiDung>
<TrangThai>Đang xử lý</TrangThai></Buoc></QuaTrinh>
</HoSo></DanhSachHoSo>]]></LayDanhSachHoSoResult></LayDanhSachHoSoResponse></soap:Body></soap:Envelope>"""

REST: dict[str, Any] = {
    "so_ho_so": NUMBERS["rest"], "ma_thu_tuc": "1.003560.000.00.00.H59", "ten_thu_tuc": "Cấp giấy phép bưu chính",
    "don_vi": "000.00.15.H59", "loai_doi_tuong": "CD", "nguoi_nop": NAME, "so_giay_to": "084123456789",
    "dia_chi": "12 Lê Lợi", "dien_thoai": PHONE, "trich_yeu": "xin cấp giấy cho bà Đào", "hinh_thuc_nop": "truc_tiep",
    "muc_do": 2, "trang_thai": "processing", "ngay_tiep_nhan": "/Date(1488416400000)/",
    "ngay_hen_tra": "/Date(1489053600000)/", "ngay_cap_nhat": "/Date(1488420000000)/",
    "ghi_rieng": {"pin": "mật khẩu 1234"}, "qua_trinh": [],
}  # fmt: skip

CSV_HEADER = (
    "SO_HO_SO;MA_TTHC;TEN_TTHC;MA_LINH_VUC;LINH_VUC;MA_DON_VI;LOAI_DOI_TUONG;HO_TEN;SO_GIAY_TO;DIA_CHI;DIEN_THOAI;EMAIL;"
    "TRICH_YEU;KENH;MUC_DO;TRANG_THAI;NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_TRA;GHI_CHU;NGAY_CAP_NHAT;RIENG"
)
CSV_ROW = (
    f"{NUMBERS['csv']};1.003560.000.00.00.H59;Cấp giấy phép bưu chính;;;000.00.15.H59;1;{NAME};084123456789;12 Lê Lợi;"
    f"{PHONE};;xin cấp giấy cho bà Đào;1;2;4;20170302080000;20170309170000;;;;20170302090000;mật khẩu 1234"
)

BODIES: Mapping[str, tuple[Literal["xml", "json", "csv"], str, bytes]] = {
    "soap": (
        "xml", "LayDanhSachHoSo page 1",
        SOAP.format(number=NUMBERS["soap"], name=NAME, phone=PHONE, official=OFFICIAL).encode(),
    ),
    "rest": ("json", "ho-so page 1", json.dumps({"trang": 1, "tong_trang": 1, "du_lieu": [REST]}).encode()),
    "csv": ("csv", "hoso-0001.csv", f"{CSV_HEADER}\n{CSV_ROW}\n".encode("utf-8-sig")),
}  # fmt: skip

_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "soap": {
        "adapter": "soap", "mappings": ["one-stop-soap/dossier", "one-stop-soap/step"],
        "settings": {
            "wsdl": "http://127.0.0.1:9/?wsdl", "operation": "LayDanhSachHoSo",
            "since": {"argument": "tuNgay", "format": "dd/MM/yyyy HH:mm:ss"},
            "rows": {"within": "/DanhSachHoSo", "each": "HoSo", "changed": "NgayCapNhat",
                     "changed_format": "dd/MM/yyyy HH:mm:ss",
                     "unwrap": [{"path": "//*[local-name()='LayDanhSachHoSoResult']", "holds": "xml"}]},
        },
    },
    "rest": {"adapter": "rest", "mappings": ["one-stop-rest/dossier"], "settings": {}},
    "csv": {"adapter": "files", "mappings": ["one-stop-csv/dossier"], "settings": {"folder": "drop"}},
}  # fmt: skip


@dataclass
class World:
    """A folder with `hub.yaml` and a ledger; synchronous."""

    folder: Path
    ledger: str
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __post_init__(self) -> None:
        rows = [
            {"code": "H59", "name": "UBND tỉnh Trà Vinh", "level": "province"},
            {"code": "H59.15", "name": "Sở Thông tin", "level": "province", "aliases": ["000.00.15.H59"]},
        ]
        (self.folder / "agencies.yaml").write_text(yaml.safe_dump(rows, allow_unicode=True), encoding="utf-8")
        kinds = {"dossier.v1": "lgsp/dossier", "dossier-step.v1": "lgsp/step"}
        portal = {"url": "http://127.0.0.1:9", "client_id": "id", "client_secret": "secret", "token_path": "/token"}
        configuration = {
            "hub": {"name": "thu", "province": "H59"},
            "ledger": {"url": self.ledger},
            "bus": {"url": "embedded:"},
            "agencies": "agencies.yaml",
            "sources": {name: {**one, "agency_name": name} for name, one in _SETTINGS.items()},
            "destinations": {"provincial": {"adapter": "lgsp", "settings": portal, "mappings": kinds}},
            "routes": [{"kinds": list(kinds), "to": ["provincial"]}],
        }  # fmt: skip
        self.file.write_text(yaml.safe_dump(configuration, allow_unicode=True, sort_keys=False), encoding="utf-8")

    @property
    def file(self) -> Path:
        return self.folder / "hub.yaml"

    @property
    def rules(self) -> Rulebook:
        return rulebook(load(self.file))

    def close(self) -> None:
        self.runner.close()

    async def _ledger(self) -> Ledger:
        opened = Ledger(self.ledger, {"provincial": DestinationRules(window=100_000)}, sources=list(_SETTINGS))
        await opened.open(take_over=False)
        return opened

    def read(self, source: str, body: bytes | None = None) -> list[Ticket]:
        """Settle a page; returns what is to be sent."""
        media, label, page = BODIES[source]

        async def main() -> list[Ticket]:
            ledger = await self._ledger()
            try:
                lease = await ledger.lease_source(source)
                assert lease is not None
                arrival = Arrival(uuid4().hex, source, body or page, media, STARTED, STARTED, label)
                settled = await ledger.settle(process(arrival, self.rules, lease, ledger.digest_key))
                assert not settled.problems, settled.problems
                return list(settled.tickets)
            finally:
                await ledger.close()

        return self.runner.run(main())

    def refuse(self, tickets: Sequence[Ticket], to: str = "dead", **said: Any) -> list[int]:
        """Have the portal refuse what was to be sent, each alone; returns the dead letters."""
        rules = self.rules
        how = {"fault": "data", "code": "17", "text": "Mã thủ tục không có trong danh mục", **said}

        async def main() -> None:
            ledger = await self._ledger()
            try:
                for ticket in tickets:
                    mapping = rules.outbound["provincial"][ticket.kind]
                    payload = mapping.render_body(ticket.body or b"", RenderContext(rules.agencies))
                    digest = blake2b(orjson.dumps([payload]), digest_size=16).hexdigest()
                    members = [(ticket.dispatch_id, ticket.gen)]
                    claim = Claim(ledger.next_call_id(), Mode.NEW, mapping.digest[:16], digest, members)
                    assert await ledger.claim("provincial", [claim])
                    outcome = Outcome(ticket.dispatch_id, claim.call_id, to, reason="refused", spend=True, **how)
                    await ledger.finish("provincial", [outcome])
            finally:
                await ledger.close()

        self.runner.run(main())
        return [ticket.dispatch_id for ticket in tickets]

    def die(self, source: str, body: bytes | None = None, **said: Any) -> int:
        """One dossier that the portal refuses; its steps wait."""
        (id_,) = self.refuse(self.read(source, body), **said)
        return id_

    def ask(self, question: str) -> list[Any]:
        engine = open_engine(self.ledger, writer=False)
        try:
            with engine.connect() as connection:
                return list(connection.execute(sa.text(question)))
        finally:
            engine.dispose()

    def change(self, statement: str) -> None:
        engine = open_engine(self.ledger, writer=True)
        with engine.begin() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()
