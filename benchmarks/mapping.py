"""What the pure part of the line costs per dossier, beside the bare work that nobody could leave out, in the same run.

    .venv/bin/python benchmarks/mapping.py
    .venv/bin/python benchmarks/mapping.py --steps 3 --profile candidates

Pages of 500 dossiers as a one-stop shop's SOAP service sends them. The bare work: lxml parses envelope and string, one
compiled XPath per field is evaluated in every row, the model validates values that were converted beforehand, JSON is
dumped; it converts nothing, looks up no code and says of no value why it is refused. The mapping goes from the same
bytes to the same canonical JSON. Processor time, several rounds in turn; it measures, it judges nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import orjson
from lxml import etree
from pydantic import SecretStr

from adapters.dvcqg import DvcqgDestination, DvcqgSettings
from adapters.paging import Answer as Page
from adapters.soap_settings import SoapRows, SoapUnwrap, row_reader
from hub.answers import Answer
from hub.ledger.pages import pack
from hub.ledger.values import SourceLease
from hub.ports import AdapterContext, Arrival, Mode, Outgoing
from hub.process import process
from hub.rulebook import Rulebook
from hub.sections import Route
from mappings import InboundMapping, OutboundMapping, ReadContext, RenderContext, RowOk, read_all
from mappings.catalogue import load
from schemas import Dossier, DossierStep
from schemas.agency import AgencyRegister

PAGE, BATCH = 500, 100
UNWRAP = "//*[local-name()='LayDanhSachHoSoResult']"
KEY = b"k" * 32
LEASE = SourceLease("bench", 1, "{}", None, 0)
AGENCIES = AgencyRegister.from_rows(
    {"code": f"H59.{n:02}", "name": f"Sở số {n}", "level": "province", "aliases": [f"000.00.{n:02}.H59"]}
    for n in range(1, 21)
)
STATES = ("Được tiếp nhận", "Đang xử lý", "Đã xử lý xong", "Đã trả kết quả")


def element(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>" if value else f"<{name}/>"


def row(n: int, steps: int) -> str:
    """One dossier; none is like another in number, applicant or times."""
    state = STATES[n % 4]
    day, clock = 1 + n % 20, f"{7 + n % 9:02}:{n % 60:02}:{n * 7 % 60:02}"
    values = {
        "SoHoSo": f"000.00.{1 + n % 20:02}.H59-1703{day:02}-{n:04}",
        "MaThuTuc": f"2.00{n % 900:04}.H59",
        "TenThuTuc": "Cấp phiếu lý lịch tư pháp cho công dân Việt Nam",
        "MaLinhVuc": "G15-LT",
        "LinhVuc": "Lý lịch tư pháp",
        "DonVi": f"000.00.{1 + n % 20:02}.H59",
        "LoaiDoiTuong": "Công dân" if n % 3 else "Doanh nghiệp",
        "NguoiNop": f"Nguyễn Thị Hạnh {n}",
        "SoGiayTo": f"334 {n % 1000:03} {n * 7 % 1000:03}",
        "DiaChi": f"{n} Lê Lợi, phường 1, thành phố Trà Vinh",
        "DienThoai": f"0294 3855{n % 1000:03}",
        "Email": f"hanh{n}@example.vn" if n % 2 else "",
        "TrichYeu": "Cấp phiếu lý lịch tư pháp số 1",
        "HinhThucNop": ("Trực tiếp", "Trực tuyến", "Bưu chính")[n % 3],
        "MucDo": str(2 + n % 3),
        "TrangThai": state,
        "NgayTiepNhan": f"{day:02}/03/2017 {clock}",
        "NgayHenTra": f"{day:02}/04/2017 17:00:00",
        "NgayHoanThanh": f"{day:02}/03/2017 16:{clock[3:]}" if state[:2] == "Đã" else "",
        "NgayTra": f"{day + 2:02}/03/2017 {clock}" if state == STATES[3] else "",
        "GhiChu": "",
        "NgayCapNhat": f"{day + 1:02}/03/2017 {clock}",
    }
    step = {
        "NguoiXuLy": "Trần Văn Bình",
        "ChucDanh": "Chuyên viên",
        "PhongBan": "Phòng Một cửa",
        "NoiDung": "Tiếp nhận hồ sơ",
        "TrangThai": "Được tiếp nhận",
    }
    inside = "".join(
        "<Buoc>"
        + element("ThoiDiem", f"{day:02}/03/2017 08:{at:02}:00")
        + "".join(element(*item) for item in step.items())
        + "</Buoc>"
        for at in range(steps)
    )
    return f"<HoSo>{''.join(element(*item) for item in values.items())}<QuaTrinh>{inside}</QuaTrinh></HoSo>"


def page(steps: int) -> bytes:
    """The whole answer, its rows in one string as .NET services write it."""
    rows = "".join(row(n, steps) for n in range(1, PAGE + 1))
    inner = f'<?xml version="1.0" encoding="utf-16"?><DanhSachHoSo trang="1" tongTrang="2">{rows}</DanhSachHoSo>'
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<LayDanhSachHoSoResponse xmlns="http://motcua.gov.vn/"><LayDanhSachHoSoResult>{escape(inner)}'
        "</LayDanhSachHoSoResult></LayDanhSachHoSoResponse></soap:Body></soap:Envelope>"
    ).encode()


def bare(body: bytes, mapping: InboundMapping, prepared: Sequence[dict[str, Any]]) -> Callable[[], Any]:
    """The bare work on one page."""
    result: Any = etree.XPath(f"string({UNWRAP})")
    rows = etree.XPath("/DanhSachHoSo/HoSo")
    paths = [etree.XPath(f"string({field.path})", smart_strings=False) for field in mapping.fields]

    def run() -> list[str]:
        text: str = result(etree.fromstring(body))
        found: Any = rows(etree.fromstring(text.encode("utf-16")))
        made = []
        for one, values in zip(found, prepared, strict=True):
            for path in paths:
                path(one)
            made.append(Dossier.model_validate(values).model_dump_json())
        return made

    return run


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    run: Callable[[], Any]


def parts(steps: int) -> list[Part]:
    """Everything that is measured, each part on the same page."""
    body, context = page(steps), ReadContext(AGENCIES)
    names = ("one-stop-soap/dossier", "one-stop-soap/step")[: 1 + bool(steps)]
    inbound = [mapping for mapping in map(load, names) if isinstance(mapping, InboundMapping)]
    rules = Rulebook({"bench": inbound}, {}, [Route(kinds=[Dossier.kind, DossierStep.kind], to=["a", "b"])], AGENCIES)
    now = datetime.now(UTC)
    arrival = Arrival("0" * 32, "bench", body, "xml", now, now, "page 1", charset="utf-8")
    rows = read_all(inbound, body, "utf-8", context)
    records = [row.record for row in rows if isinstance(row, RowOk)]
    dossiers = [record for record in records if isinstance(record, Dossier)]
    assert len(dossiers) == PAGE
    prepared = [{n: v for n, v in record.__dict__.items() if v is not None} for record in dossiers]
    bodies = [record.to_json() for record in dossiers]
    joined = b"".join(bodies)
    portals = map(load, ("dvcqg/dossier", "lgsp/dossier"))
    national, provincial = (mapping for mapping in portals if isinstance(mapping, OutboundMapping))
    surroundings = RenderContext(AGENCIES)
    spec = SoapRows(
        unwrap=[SoapUnwrap(path=UNWRAP)],
        within="/DanhSachHoSo",
        each="HoSo",
        changed="NgayCapNhat",
        changed_format="dd/MM/yyyy HH:mm:ss",
        pages="/DanhSachHoSo/@tongTrang",
    )
    read_page, fetched = row_reader(spec, 32 << 20), Page(body, "utf-8")
    outgoing = [
        Outgoing(n, record.kind, record.key, record.lane, Mode.NEW, national.render(record, surroundings))
        for n, record in enumerate(dossiers)
    ]
    return [
        Part("bare work", bare(body, inbound[0], prepared)),
        Part(
            "mapping: bytes to JSON",
            lambda: [r.record.to_json() for r in read_all(inbound, body, "utf-8", context) if isinstance(r, RowOk)],
        ),
        Part("  decode", lambda: inbound[0].decode(body, "utf-8")),
        Part("  decode and read", lambda: read_all(inbound, body, "utf-8", context)),
        Part("  dump", lambda: [record.to_json() for record in records]),
        Part("process: bytes to candidates", lambda: process(arrival, rules, LEASE, KEY)),
        Part("  pack the page", lambda: pack(body)),
        Part("  pack the records", lambda: pack(joined)),
        Part("the source's look at a page", lambda: read_page(fetched)),
        Part("look, then candidates", lambda: (read_page(fetched), process(arrival, rules, LEASE, KEY))),
        Part("render a record: dvcqg", lambda: [national.render(one, surroundings) for one in dossiers]),
        Part("render a record: lgsp", lambda: [provincial.render(one, surroundings) for one in dossiers]),
        Part("render a body: dvcqg", lambda: [national.render_body(one, surroundings) for one in bodies]),
        Part("render a body: lgsp", lambda: [provincial.render_body(one, surroundings) for one in bodies]),
        Part("  read it as a record", lambda: [Dossier.from_json(one) for one in bodies]),
        Part("batches and their JSON", portal_batches(outgoing)),
    ]


def portal_batches(outgoing: Sequence[Outgoing]) -> Callable[[], Any]:
    """What the national portal's adapter does around its requests, without a network."""
    destination = DvcqgDestination(
        DvcqgSettings(
            url="http://localhost", username="u", password=SecretStr("p"), dstcode="d", madonvi="m", batch=BATCH
        ),
        AdapterContext("bench", Path.cwd()),
    )

    async def post(path: str, headers: bytes, content: bytes, deadline_s: float) -> Answer:
        answer = {"session": "s"} if path == "/login" else {"error_code": "00"}
        return Answer(200, orjson.dumps({"error_code": "00", **answer}), None, None)

    destination._caller.post = post  # type: ignore[method-assign]

    async def all_of_it() -> list[Any]:
        return [await destination.deliver(batch, 30) for batch in destination.batches(outgoing)]

    return lambda: asyncio.run(all_of_it())


def main() -> None:
    parser = argparse.ArgumentParser(description="What the pure part of the line costs per dossier.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=0, help="processing steps in each dossier")
    parser.add_argument("--profile", help="instead, profile the first part whose name contains this")
    wanted = parser.parse_args()
    measured = parts(wanted.steps)
    if wanted.profile:
        chosen = next(part for part in measured if wanted.profile in part.name)
        profile = cProfile.Profile()
        profile.runcall(lambda: [chosen.run() for _ in range(wanted.rounds)])
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    spent: dict[str, list[float]] = {part.name: [] for part in measured}
    for _ in range(wanted.rounds):
        for part in measured:
            began = time.process_time()
            part.run()
            spent[part.name].append((time.process_time() - began) * 1e6 / PAGE)
    print(f"us of processor time per dossier, pages of {PAGE} with {wanted.steps} steps each, {wanted.rounds} rounds")
    print(f"{'':32}{'least':>8}{'median':>8}")
    for name, took in spent.items():
        print(f"{name:32}{min(took):8.1f}{statistics.median(took):8.1f}")
    least, whole = spent["bare work"], spent["mapping: bytes to JSON"]
    ratios = [ours / bare for ours, bare in zip(whole, least, strict=True)]
    print(f"{'mapping / bare work':32}{min(whole) / min(least):8.2f}{statistics.median(ratios):8.2f}")


if __name__ == "__main__":
    main()
