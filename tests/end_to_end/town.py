"""A small town for end-to-end tests: three old systems with a handful of dossiers, two portals, a configuration.

Systems and portals are the twins, on loopback; what the hub made of it all is read from the ledger and from the
portals' own logs. Each tick changes every dossier once (`GhiChu` says which time, "lần 2") and adds one step to it
("bước 2").
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import yaml

from adapters.sandbox import csv_exporter, national_portal, provincial_portal, rest_one_stop, soap_one_stop
from adapters.sandbox.twin import Create, Twin, running
from hub.app import App
from hub.ledger import DestinationRules
from hub.ledger.engine import open_engine
from hub.ledger.read import open_reader
from hub.sections import Deployment, DestinationSection
from hub.settings import load
from schemas.local_time import LOCAL
from tests.support.json_lines import json_lines

BEGAN_AT = datetime(2017, 3, 1, 8, 0, tzinfo=LOCAL)
SLUGS = {"soap": "so-tttt", "rest": "so-y-te", "csv": "cau-ngang"}
CODES = {"soap": "000.00.15.H59", "rest": "000.00.17.H59", "csv": "000.00.34.H59"}
SOURCES = {"soap": ("so-tttt",), "rest": ("so-y-te",), "csv": ("cau-ngang-hoso", "cau-ngang-buoc")}
SERVICES = {"national": ("DongBoHoSoMC", "CapNhatTienDoHoSoMC"), "provincial": ("SyncDocument", "UpdateDocumentTraces")}
QUEUED_S = 1.5
"""How long a ticket may be on the bus here before it counts as lost."""

_CREATE: Mapping[str, Create] = {
    "soap": soap_one_stop.create,
    "rest": rest_one_stop.create,
    "csv": csv_exporter.create,
}


class QuickApp(App):
    """The hub, with a ticket's life of a second and a half instead of a minute."""

    def _rules(self, name: str, section: DestinationSection) -> DestinationRules:
        return replace(super()._rules(name, section), queued_s=QUEUED_S)


async def until(holds: Callable[[], object], within_s: float = 90.0, *, show: Callable[[], object] = str) -> None:
    """Wait for something outside this loop (a database, a portal's log) to become true; `show` explains a failure."""
    give_up_at = time.monotonic() + within_s
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < give_up_at, await asyncio.to_thread(show)
        await asyncio.sleep(0.05)


class Town:
    """Everything of one test. `soap`, `rest`, `csv`, `national` and `provincial` name systems and portals."""

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        *,
        dossiers: int = 3,
        ticks: int = 2,
        systems: Sequence[str] = ("soap", "rest", "csv"),
        portals: Sequence[str] = ("national", "provincial"),
        create: Mapping[str, Create] | None = None,
        ledger: str = "",
        bus: str = "embedded:",
        prefix: str = "hub",
        changes: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """`create` replaces a portal's twin; `changes` may change the configuration before it is written."""
        self.folder, self.systems, self.portals, self.ticks = folder, tuple(systems), tuple(portals), ticks
        self.ledger = ledger or f"sqlite:///{folder / 'hub.db'}"
        self.bus, self.prefix = bus, prefix
        self.numbers = {one: [f"{CODES[one]}-170301-{n:04}" for n in range(1, dossiers + 1)] for one in systems}
        self.ticked = 0
        self._stack = stack
        self._http = stack.enter_context(httpx.Client(verify=False))  # plain HTTP: certificates take 30 ms to load
        data = folder / "data.json"
        agencies = {
            SLUGS[one]: {"name": one, "system": one, "ticks": [self.rows(one, at) for at in range(1, ticks + 1)]}
            for one in systems
        }
        data.write_text(json.dumps({"agencies": agencies}), encoding="utf-8")
        self.twins: dict[str, Twin] = {}
        for one in systems:
            options = {"folder": str(folder / "drop")} if one == "csv" else {}
            self.twins[one] = stack.enter_context(running(_CREATE[one], data=data, options=options))
        made = {"national": national_portal.create, "provincial": provincial_portal.create, **(create or {})}
        for one in portals:
            self.twins[one] = stack.enter_context(running(made[one], log=self._log(one)))
        stack.callback(self._end)
        self.file = folder / "hub.yaml"
        configuration = self._configuration()
        changes(configuration)
        self.file.write_text(yaml.safe_dump(configuration, allow_unicode=True, sort_keys=False), encoding="utf-8")

    # --- what happens outside the hub

    def tick(self) -> None:
        """Release the next tick at every system."""
        self.ticked += 1
        for one in self.systems:
            self._order(one, "tick", {"tick": self.ticked})

    def fault(self, one: str, mode: str, **order: Any) -> None:
        """Order a fault; `off` lifts all of them."""
        self._order(one, "fault", {"mode": mode, **order})

    def _end(self) -> None:
        """Tell all twins at once to end, so that nobody waits for one after the other."""
        for twin in self.twins.values():
            twin.server.should_exit = True

    def _order(self, one: str, what: str, order: Mapping[str, Any]) -> None:
        answer = self._http.post(f"{self.twins[one].control}/_twin/{what}", json=dict(order))
        assert answer.status_code == 200, answer.text

    def state(self, one: str) -> dict[str, Any]:
        found: dict[str, Any] = self._http.get(f"{self.twins[one].control}/_twin/state").json()
        return found

    # --- what the hub is

    @cached_property
    def deployment(self) -> Deployment:
        return load(self.file)

    @asynccontextmanager
    async def hub(self, app: App | None = None) -> AsyncIterator[App]:
        """A running hub; it is stopped cleanly at the end. Fails the test where a loop of it ends with an error."""
        app = app or QuickApp(self.deployment)
        stop = asyncio.Event()
        serving: asyncio.Task[None] | None = None
        try:
            await app.open()
            serving = asyncio.create_task(app.serve(stop))
            yield app
        finally:
            stop.set()
            if serving is not None:
                await serving
            await app.close()

    def leave(self) -> None:
        """Close what reads the ledger, so that its database can be dropped."""
        self._engine.dispose()

    # --- what the ledger says

    def ask(self, question: str, /, **values: Any) -> list[Any]:
        """Rows of the ledger."""
        with self._engine.connect() as connection:
            return list(connection.execute(sa.text(question), values))

    def one(self, question: str, /, **values: Any) -> Any:
        """The first column of the first row; None where there is none."""
        rows = self.ask(question, **values)
        return rows[0][0] if rows else None

    @cached_property
    def _engine(self) -> sa.Engine:
        engine = open_engine(self.ledger, writer=False)
        self._stack.callback(engine.dispose)
        return engine

    def read_whole(self, system: str) -> bool:
        """Whether the ledger has every dossier of a system as it is now, and every step."""
        numbers = set(self.numbers[system])
        changed_us = int(moment(self.ticked).timestamp()) * 1_000_000
        heads = self.ask("SELECT kind, lane, changed_us FROM head")
        dossiers = sum(
            row.kind == "dossier.v1" and row.lane in numbers and row.changed_us == changed_us for row in heads
        )
        steps = sum(row.kind == "dossier-step.v1" and row.lane in numbers for row in heads)
        return (dossiers, steps) == (len(numbers), len(numbers) * self.ticked)

    def open(self, destination: str = "%") -> int:
        """How many dispatches have not ended."""
        return int(
            self.one(
                "SELECT count(*) FROM dispatch WHERE destination LIKE :to"
                " AND state IN ('waiting', 'queued', 'sending', 'unknown')",
                to=destination,
            )
        )

    def arrived(self, *systems: str) -> bool:
        """Whether what `systems` (default: all) have released was read and has ended at every portal."""
        return all(self.read_whole(one) for one in systems or self.systems) and not self.open()

    def problem(self, source: str) -> str | None:
        """What the ledger says is wrong with a source."""
        found: str | None = self.one("SELECT problem FROM source WHERE name = :name", name=source)
        return found

    def faults(self, destination: str) -> Counter[str]:
        """The classes of the faults that a portal gave."""
        rows = self.ask(
            "SELECT f.fault, count(*) FROM fault f JOIN dispatch d ON d.id = f.dispatch_id"
            " WHERE d.destination = :to GROUP BY f.fault",
            to=destination,
        )
        return Counter({row[0]: row[1] for row in rows})

    def gates(self, destination: str) -> list[str]:
        """The states that a gate went through."""
        rows = self.ask("SELECT state FROM gate_change WHERE destination = :to ORDER BY id", to=destination)
        return [row[0] for row in rows]

    def standing(self) -> object:
        """Everything that explains why a test waits in vain."""
        shown = "SELECT id, destination, lane, kind, state, gen, due_us, tries, reason FROM dispatch"
        return {
            "dispatches": [tuple(row) for row in self.ask(f"{shown} WHERE state NOT IN ('delivered', 'superseded')")][
                :20
            ],
            "gates": [tuple(row) for row in self.ask("SELECT * FROM gate")],
            "sources": [tuple(row) for row in self.ask("SELECT * FROM source")],
            "faults": [tuple(row) for row in self.ask("SELECT * FROM fault ORDER BY id DESC LIMIT 10")],
        }

    async def all_arrived(self, *systems: str, within_s: float = 90.0) -> None:
        await until(lambda: self.arrived(*systems), within_s, show=self.standing)

    # --- what the portals say

    def log(self, portal: str) -> list[dict[str, Any]]:
        """The effects that a portal accepted."""
        return json_lines(self._log(portal))

    def _log(self, portal: str) -> Path:
        return self.folder / f"{portal}.jsonl"

    def balance(self, *, beside: Collection[str] = ()) -> None:
        """Hold the portals' logs against what the ledger delivered; `beside` are dossiers that a person changed.

        Every delivered dispatch is in the log, in the order of its lane, steps after their dossier; an effect that is
        there twice, or of a dispatch that was not delivered, is one that the ledger calls possibly twice.
        """
        with open_reader(self.ledger) as reader:
            traces = {number: reader.trace(number) for numbers in self.numbers.values() for number in numbers}
        for portal in self.portals:
            effects: dict[str, list[str]] = {}
            for effect in self.log(portal):
                effects.setdefault(effect["number"], []).append(marker(effect))
            assert effects.keys() <= traces.keys()
            for number, trace in traces.items():
                if number in beside:
                    continue
                content = {row.revision_id: row.content or {} for row in trace.revisions}
                mine = [one for one in trace.dispatches if one.destination == portal]
                said = {
                    content[one.revision_id].get("note") or content[one.revision_id]["content"]: one for one in mine
                }
                _compare(f"{portal} {number}", effects.get(number, []), said)
                assert f"lần {self.ticked}" in effects[number], (portal, number)
                steps = [f"bước {at}" for at in range(1, self.ticked + 1)]
                assert set(steps) <= set(effects[number]), (portal, number)

    # --- rows and configuration

    def rows(self, system: str, tick: int) -> list[dict[str, Any]]:
        """What a system shows of its dossiers after `tick`."""
        if system == "soap":
            return [_soap_row(number, tick) for number in self.numbers[system]]
        if system == "rest":
            return [_rest_row(number, tick) for number in self.numbers[system]]
        return [row for number in self.numbers[system] for row in _csv_rows(number, tick)]

    def sources(self, system: str) -> dict[str, Any]:
        """The sections of a system's sources."""
        return _sources(system, self.twins[system].url, self.folder)

    def destination(self, portal: str) -> dict[str, Any]:
        """The section of a portal."""
        return _destination(portal, self.twins[portal].url)

    def _configuration(self) -> dict[str, Any]:
        agencies = [
            {"code": "H59", "name": "UBND tỉnh Trà Vinh", "level": "province"},
            *(
                {"code": f"H59.{code[7:9]}", "name": code, "level": "province", "aliases": [code]}
                for code in CODES.values()
            ),
        ]
        (self.folder / "agencies.yaml").write_text(yaml.safe_dump(agencies, allow_unicode=True), encoding="utf-8")
        sources: dict[str, Any] = {}
        for one in self.systems:
            sources |= self.sources(one)
        return {
            "hub": {"name": "thu-nghiem", "province": "H59"},
            "ledger": {"url": self.ledger},
            "bus": {"url": self.bus, "prefix": self.prefix},
            "agencies": "agencies.yaml",
            "sources": sources,
            "destinations": {one: _destination(one, self.twins[one].url) for one in self.portals},
            "routes": [{"kinds": ["dossier.v1", "dossier-step.v1"], "to": list(self.portals)}],
        }


def marker(effect: Mapping[str, Any]) -> str:
    data = effect["data"]
    said: str = data.get("GhiChu") or data.get("Note") or data.get("NoiDungXuLy") or data.get("Comment")
    return said


def _compare(where: str, effects: Sequence[str], said: Mapping[str, Any]) -> None:
    counted = Counter(effects)
    for marker, dispatch in said.items():
        if dispatch.state == "delivered":
            assert counted[marker], f"{where}: {marker} was lost"
        if not dispatch.possibly_twice:
            most = int(dispatch.state == "delivered")
            assert counted[marker] <= most, f"{where}: {marker} is {dispatch.state} and came {counted[marker]} times"
    assert counted.keys() <= said.keys(), (where, counted, said)
    for word in ("lần", "bước"):
        run = [int(marker.split()[1]) for marker in effects if marker.startswith(word)]
        assert run == sorted(run), f"{where}: out of order: {effects}"
    assert not effects or effects[0].startswith("lần"), f"{where}: a step before its dossier: {effects}"


def moment(tick: int) -> datetime:
    """When the change of a tick happened, local time."""
    return BEGAN_AT + timedelta(hours=tick)


def _soap_row(number: str, tick: int) -> dict[str, Any]:
    return {
        "SoHoSo": number, "MaThuTuc": "1.003560.000.00.00.H59", "TenThuTuc": "Cấp giấy phép bưu chính",
        "MaLinhVuc": "G15-BC", "LinhVuc": "Bưu chính", "DonVi": CODES["soap"], "LoaiDoiTuong": "Công dân",
        "NguoiNop": "Nguyễn Thị Hạnh", "HinhThucNop": "Trực tiếp", "MucDo": "3", "TrangThai": "Đang xử lý",
        "NgayTiepNhan": f"{BEGAN_AT:%d/%m/%Y %H:%M:%S}", "GhiChu": f"lần {tick}",
        "NgayCapNhat": f"{moment(tick):%d/%m/%Y %H:%M:%S}",
        "QuaTrinh": [
            {
                "ThoiDiem": f"{moment(at):%d/%m/%Y %H:%M:%S}", "NguoiXuLy": "Trần Văn Sáu", "ChucDanh": "Chuyên viên",
                "PhongBan": "Một cửa", "NoiDung": f"bước {at}", "TrangThai": "Đang xử lý",
            }
            for at in range(1, tick + 1)
        ],
    }  # fmt: skip


def _rest_row(number: str, tick: int) -> dict[str, Any]:
    return {
        "so_ho_so": number, "ma_thu_tuc": "1.003560.000.00.00.H59", "ten_thu_tuc": "Cấp giấy phép hành nghề",
        "ma_linh_vuc": "G17-YT", "linh_vuc": "Y tế", "don_vi": CODES["rest"], "loai_doi_tuong": "CD",
        "nguoi_nop": "Trần Văn Bình", "hinh_thuc_nop": "truc_tuyen", "muc_do": 4, "trang_thai": "processing",
        "ngay_tiep_nhan": _ticks(BEGAN_AT), "ghi_chu": f"lần {tick}", "ngay_cap_nhat": _ticks(moment(tick)),
        "qua_trinh": [
            {
                "thoi_diem": _ticks(moment(at)), "nguoi_xu_ly": "Lê Thị Ba", "chuc_danh": "Chuyên viên",
                "phong_ban": "Một cửa", "noi_dung": f"bước {at}", "trang_thai": "processing",
            }
            for at in range(1, tick + 1)
        ],
    }  # fmt: skip


def _ticks(at: datetime) -> str:
    return f"/Date({int(at.timestamp()) * 1000})/"


def _csv_rows(number: str, tick: int) -> Iterator[dict[str, Any]]:
    changed = f"{moment(tick):%Y%m%d%H%M%S}"
    yield {
        "hoso": {
            "SO_HO_SO": number, "MA_TTHC": "1.003560.000.00.00.H59", "TEN_TTHC": "Đăng ký khai sinh",
            "MA_LINH_VUC": "G34-HT", "LINH_VUC": "Hộ tịch", "MA_DON_VI": CODES["csv"], "LOAI_DOI_TUONG": "1",
            "HO_TEN": "Phạm Văn Tư", "KENH": "1", "MUC_DO": "2", "TRANG_THAI": "4",
            "NGAY_TIEP_NHAN": f"{BEGAN_AT:%Y%m%d%H%M%S}", "GHI_CHU": f"lần {tick}", "NGAY_CAP_NHAT": changed,
        }
    }  # fmt: skip
    yield {
        "buoc": {
            "SO_HO_SO": number, "THOI_DIEM": changed, "NGUOI_XU_LY": "Võ Thị Năm", "CHUC_DANH": "Công chức",
            "PHONG_BAN": "Tư pháp", "NOI_DUNG": f"bước {tick}", "TRANG_THAI": "4",
        }
    }  # fmt: skip


def _sources(system: str, url: str, folder: Path) -> dict[str, Any]:
    slug = SLUGS[system]
    if system == "soap":
        settings: dict[str, Any] = {
            "wsdl": f"{url}/{slug}/MotCua.asmx?wsdl",
            "operation": "LayDanhSachHoSo",
            "since": {"argument": "tuNgay", "format": "dd/MM/yyyy HH:mm:ss", "overlap_s": 1},
            "page": {"argument": "trang", "size_argument": "kichThuoc", "size": 50},
            "rows": {
                "unwrap": [{"path": "//*[local-name()='LayDanhSachHoSoResult']", "holds": "xml"}],
                "within": "/DanhSachHoSo",
                "each": "HoSo",
                "changed": "NgayCapNhat",
                "changed_format": "dd/MM/yyyy HH:mm:ss",
                "pages": "/DanhSachHoSo/@tongTrang",
            },
            "operation_timeout_s": 1,
            "load_timeout_s": 2,
        }
        return {slug: _source("soap", ["one-stop-soap/dossier", "one-stop-soap/step"], settings)}
    if system == "rest":
        settings = {
            "url": f"{url}/{slug}",
            "path": "/api/ho-so",
            "since": {"parameter": "tu_ngay", "format": "iso", "overlap_s": 1},
            "page": {"style": "page", "parameter": "trang", "size_parameter": "kich_thuoc", "size": 50},
            "rows": {
                "at": "du_lieu",
                "changed": "ngay_cap_nhat",
                "changed_format": "/Date(ms)/",
                "pages": "tong_trang",
            },
            "auth": {
                "type": "login",
                "path": "/api/dang-nhap",
                "username_field": "ten_dang_nhap",
                "username": "truclienthong",
                "password_field": "mat_khau",
                "password": "mat-khau-thu",
            },
            "timeout_s": 1,
        }
        return {slug: _source("rest", ["one-stop-rest/dossier", "one-stop-rest/step"], settings)}
    drop = str(folder / "drop" / slug)
    return {
        f"{slug}-{what}": _source(
            "files",
            [f"one-stop-csv/{mapping}"],
            {"folder": drop, "pattern": f"{what}-*.csv", "media": "csv", "settle_s": 0},
        )
        for what, mapping in (("hoso", "dossier"), ("buoc", "step"))
    }


def _source(adapter: str, mappings: list[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"adapter": adapter, "every_s": 0.05, "mappings": mappings, "settings": dict(settings)}


def _destination(portal: str, url: str) -> dict[str, Any]:
    common = {"url": url, "connect_timeout_s": 0.5}
    if portal == "national":
        adapter = "dvcqg"
        settings = {
            "username": "tra-vinh",
            "password": "mat-khau-thu",
            "dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider",
            "madonvi": "H59",
            "steps_batch": 4,
        }
    else:
        adapter = "lgsp"
        settings = {"client_id": "truc-lien-thong", "client_secret": "mat-khau-thu"}
    return {
        "adapter": adapter,
        "mappings": {"dossier.v1": f"{adapter}/dossier", "dossier-step.v1": f"{adapter}/step"},
        "settings": {**common, **settings},
        "parallel": 4,
        "deadline_s": 1,
        "retry": {"first_s": 0.05, "cap_s": 0.2, "limit": 200},
    }
