"""What a mapping costs beside the bare work on the same bytes: a dossier of twelve fields, from XML to canonical JSON.

    .venv/bin/python -m benchmarks.twelve [--rounds 15]

The bare work is what nobody could leave out: lxml parses, the same XPath is evaluated for each of the twelve fields,
the model validates values that were converted beforehand, JSON is dumped. The mapping goes from the same bytes to the
same JSON; it converts three times, looks up three tables and an agency twice, composes text, and would say of each
value why it is refused. Once its paths are names, once the very XPath expressions of the bare work, in bodies of 500
dossiers and of one.
Processor time, the two sides in turn, in one run; `make bench` prints the lines.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from lxml import etree

from mappings import InboundMapping, ReadContext, RowOk, read_all
from mappings.catalogue import load
from schemas import Dossier
from schemas.agency import AgencyRegister

PLACES = {
    "number": "SoHoSo",
    "procedure_code": "MaThuTuc",
    "procedure_name": "TenThuTuc",
    "agency": "DonVi",
    "agency_level": "DonVi",
    "applicant_kind": "LoaiDoiTuong",
    "applicant_name": "NguoiNop",
    "channel": "HinhThucNop",
    "status": "TrangThai",
    "received_at": "NgayTiepNhan",
    "due_at": "NgayHenTra",
    "changed_at": "NgayCapNhat",
}
MAPPING = """
mapping: bench/dossier
from: {format: xml, within: /DanhSachHoSo, each: HoSo}
to: dossier.v1
tables:
  kinds: {Công dân: citizen, Doanh nghiệp: enterprise}
  channels: {Trực tiếp: counter, Trực tuyến: online, Bưu chính: post}
  status: {Được tiếp nhận: 2, Đang xử lý: 4}
fields:
"""
CONVERTED = {
    "agency": "agency: code",
    "agency_level": "agency: level",
    "applicant_kind": "table: kinds",
    "channel": "table: channels",
    "status": "table: status",
    "received_at": "date: dd/MM/yyyy HH:mm:ss",
    "due_at": "date: dd/MM/yyyy HH:mm:ss",
    "changed_at": "date: dd/MM/yyyy HH:mm:ss",
}
AGENCIES = AgencyRegister.from_rows([{"code": "H59.12", "name": "Sở Tư pháp", "level": "province"}])
CONTEXT = ReadContext(AGENCIES, "page 1")
AT_MOST = 3.0
"""How many times the bare work a mapping may cost."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One comparison, in processor time per dossier."""

    what: str
    bare_us: float
    mapping_us: float
    ratio: float
    """The median over the rounds of the one beside the other."""


def row(n: int) -> str:
    """One dossier; none is like another in number, applicant or times."""
    day, clock = 1 + n % 20, f"{7 + n % 9:02}:{n % 60:02}:{n * 7 % 60:02}"
    values = {
        "SoHoSo": f"H59.12-1703{day:02}-{n:04}", "MaThuTuc": f"2.00{n % 900:04}.H59",
        "TenThuTuc": "Cấp phiếu lý lịch tư pháp cho công dân Việt Nam", "DonVi": "H59.12",
        "LoaiDoiTuong": "Công dân" if n % 3 else "Doanh nghiệp", "NguoiNop": f"Nguyễn Thị Hạnh {n}",
        "HinhThucNop": ("Trực tiếp", "Trực tuyến", "Bưu chính")[n % 3],
        "TrangThai": "Đang xử lý" if n % 2 else "Được tiếp nhận", "NgayTiepNhan": f"{day:02}/03/2017 {clock}",
        "NgayHenTra": f"{day:02}/04/2017 17:00:00", "NgayCapNhat": f"{day + 1:02}/03/2017 {clock}",
    }  # fmt: skip
    return f"<HoSo>{''.join(f'<{name}>{value}</{name}>' for name, value in values.items())}</HoSo>"


def page(size: int, first: int = 1) -> bytes:
    return f"<DanhSachHoSo>{''.join(row(n) for n in range(first, first + size))}</DanhSachHoSo>".encode()


def mapping(path_of: Callable[[str], str]) -> InboundMapping:
    """The mapping, its paths written by `path_of`."""
    lines = [
        f"  {name}: {{path: {orjson.dumps(path_of(place)).decode()}, {CONVERTED.get(name, 'required: true')}}}"
        for name, place in PLACES.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dossier.yaml"
        file.write_text(MAPPING + "\n".join(lines), encoding="utf-8")
        found = load(file)
    assert isinstance(found, InboundMapping)
    return found


def expression(place: str) -> str:
    return f"string({place})"


def bare(body: bytes, prepared: list[Mapping[str, Any]]) -> Callable[[], list[bytes]]:
    """The bare work on one body."""
    rows = etree.XPath("/DanhSachHoSo/HoSo")
    paths = [etree.XPath(expression(place), smart_strings=False) for place in PLACES.values()]

    def run() -> list[bytes]:
        made = []
        for one, values in zip(cast(Any, rows(etree.fromstring(body))), prepared, strict=True):
            for path in paths:
                path(one)
            made.append(Dossier.model_validate(values).to_json())
        return made

    return run


def mapped(body: bytes, by: InboundMapping) -> Callable[[], list[bytes]]:
    return lambda: [r.record.to_json() for r in read_all([by], body, None, CONTEXT) if isinstance(r, RowOk)]


def ratios(rounds: int = 15) -> list[Ratio]:
    """Measure. Raises: AssertionError where the two sides do not make the same JSON."""
    found = []
    for how, path_of in (("names", str), ("XPath", expression)):
        by = mapping(path_of)
        for size, bodies in ((500, 1), (1, 200)):
            pages = [page(size, 1 + n * size) for n in range(bodies)]
            sides = []
            for body in pages:
                rows = read_all([by], body, None, CONTEXT)
                records = [one.record for one in rows if isinstance(one, RowOk)]
                prepared = [{n: v for n, v in one.__dict__.items() if v is not None} for one in records]
                pair = bare(body, cast(Any, prepared)), mapped(body, by)
                assert len(records) == size
                assert pair[0]() == pair[1]()
                sides.append(pair)
            what = f"paths as {how}, {size} in a body"
            found.append(_ratio(what, rounds, size * bodies, sides))
    return found


def _ratio(what: str, rounds: int, dossiers: int, sides: list[tuple[Callable[[], Any], Callable[[], Any]]]) -> Ratio:
    spent: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for side in (0, 1):
            began = time.process_time()
            for pair in sides:
                pair[side]()
            spent[side].append((time.process_time() - began) * 1e6 / dossiers)
    beside = statistics.median(ours / floor for floor, ours in zip(*spent, strict=True))
    return Ratio(what, min(spent[0]), min(spent[1]), beside)


def lines(found: list[Ratio]) -> str:
    """What `make bench` prints."""
    told = [
        f"mapping a dossier of 12 fields, {one.what}: {one.mapping_us:.0f} µs, bare work {one.bare_us:.0f} µs, "
        f"ratio {one.ratio:.2f} (at most {AT_MOST:g})"
        for one in found
    ]
    return "\n".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a mapping costs beside the bare work.")
    parser.add_argument("--rounds", type=int, default=15)
    print(lines(ratios(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
