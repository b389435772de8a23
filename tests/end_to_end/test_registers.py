"""A procedure that nobody knows is found at the source; when the portal's catalogue has it, its dossiers go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from adapters.sandbox import national_portal
from adapters.sandbox.twin import Twin, running
from hub.app import App
from hub.cli import app as commands
from hub.cli.operating import perform
from hub.ledger.audit import By
from hub.operations import RegistersSynced, SyncRegisters
from hub.registers.syncing import Synced
from hub.reloading import Reloaded
from hub.settings import load
from schemas.local_time import LOCAL
from tests.end_to_end.town import until
from tests.support.json_lines import json_lines

CONFIG = """\
hub: {{name: thu, province: H59}}
ledger: {{url: "sqlite:///hub.db"}}
agencies: agencies.yaml
sources:
  cau-ngang:
    adapter: files
    every_s: 0.2
    mappings: [one-stop-csv/dossier]
    settings: {{folder: drop, pattern: "hoso-*.csv", media: csv, settle_s: 0}}
destinations:
  national:
    adapter: dvcqg
    mappings: {{dossier.v1: dvcqg/dossier}}
    settings:
      url: "{url}"
      username: tra-vinh
      password: mat-khau-thu
      dstcode: VN:GOV:000.00.00.G22:vpcpdvcprovider
      madonvi: H59
{section}
routes:
  - {{kinds: [dossier.v1], to: [national]}}
agency_files: {{}}
"""
SECTION = "registers: {from: national, take: [procedures, fields], provinces: [H59, H61]}"
AGENCIES = "- {code: H59.34, name: UBND huyện Cầu Ngang, level: district, aliases: [000.00.34.H59]}\n"
HEADER = (
    "SO_HO_SO;MA_TTHC;TEN_TTHC;MA_LINH_VUC;LINH_VUC;MA_DON_VI;LOAI_DOI_TUONG;HO_TEN;SO_GIAY_TO;DIA_CHI;DIEN_THOAI;EMAIL;"
    "TRICH_YEU;KENH;MUC_DO;TRANG_THAI;NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_TRA;GHI_CHU;NGAY_CAP_NHAT"
)
BY = By("lan", "the portal's registers")
KNOWN, NEW, ENDED = "1.001193.H59", "1.009999.H59", "1.000894.H59"
FIELDS = [{"MaLinhVuc": "HT", "TenLinhVuc": "Hộ tịch"}]


def procedure(code: str, **more: str) -> dict[str, str]:
    return {"MaTTHC": code, "TenTTHC": f"Thủ tục {code}", "MaLinhVuc": "HT", "TenLinhVuc": "Hộ tịch", **more}


CATALOGUE = [
    procedure(KNOWN),
    procedure(ENDED, NgayHetHieuLuc="20250630000000", MaThayThe="1.000894.H61"),
    procedure("1.000894.H61", NgayHieuLuc="20250701000000"),
]


class Place:
    """A folder with a configuration, and the twin portal with its catalogues and its log."""

    def __init__(self, folder: Path, portal: Twin) -> None:
        self.folder, self.config, self._url = folder, folder / "hub.yaml", portal.url
        self.write(SECTION)
        (folder / "agencies.yaml").write_text(AGENCIES, encoding="utf-8")
        (folder / "drop").mkdir()
        self._files = 0

    def write(self, section: str) -> None:
        """Write the configuration, with the section `registers` or without."""
        self.config.write_text(CONFIG.format(url=self._url, section=section), encoding="utf-8")

    def shows(self, *procedures: dict[str, str]) -> None:
        held = {"procedures": procedures, "fields": FIELDS}
        (self.folder / "catalogues.json").write_text(json.dumps(held), encoding="utf-8")

    def drop(self, *dossiers: tuple[str, str, str]) -> None:
        """Number, procedure and day of receipt of each."""
        self._files += 1
        rows = [
            f"{number};{code};Thủ tục;HT;Hộ tịch;000.00.34.H59;1;Thạch Thị Sa;;;;;;1;2;2;{day}083000;;;;;{day}100000"
            for number, code, day in dossiers
        ]
        text = "\n".join([HEADER, *rows])
        (self.folder / f"hoso-{self._files}.tmp").write_text(text, encoding="utf-8-sig")
        (self.folder / f"hoso-{self._files}.tmp").rename(self.folder / f"drop/hoso-{self._files}.csv")

    def sync(self, *, force: bool = False) -> dict[str, Synced]:
        done = perform(SyncRegisters(who="lan", force=force), RegistersSynced, self.config, None)
        return {one.register: one for one in done.registers}

    def delivered(self) -> list[str]:
        log = self.folder / "portal.jsonl"
        return sorted(line["number"] for line in json_lines(log))


@contextmanager
def place(folder: Path, **options: Any) -> Iterator[Place]:
    folder.joinpath("catalogues.json").write_text("{}", encoding="utf-8")
    log = folder / "portal.jsonl"
    with running(national_portal.create, data=folder / "catalogues.json", log=log, options=options) as portal:
        made = Place(folder, portal)
        made.shows(*CATALOGUE)
        yield made


def test_an_unknown_procedure_waits_at_the_source_until_the_catalogue_has_it(tmp_path: Path) -> None:
    with place(tmp_path, unregistered="refuse") as here:
        assert here.sync()["procedures"].changes == {"added": 3}
        here.drop(("A-1", KNOWN, "20260301"), ("B-1", NEW, "20260301"), ("C-1", ENDED, "20260301"))
        here.drop(("D-1", ENDED, "20250601"))

        async def main() -> None:
            app, stop = App(load(here.config)), asyncio.Event()
            await app.open()
            serving = asyncio.create_task(app.serve(stop))
            try:
                await until(lambda: here.delivered() == ["A-1", "D-1"], 30.0, show=here.delivered)
                here.shows(*CATALOGUE, procedure(NEW))
                done = await asyncio.to_thread(here.sync)
                assert done["procedures"].changes == {"added": 1}
                await until(lambda: here.delivered() == ["A-1", "B-1", "D-1"], 30.0, show=here.delivered)
            finally:
                stop.set()
                await serving
                await app.close()

        asyncio.run(main())
        listed = CliRunner().invoke(commands, ["items", "list", "--config", str(here.config), "--json"])
        [item] = json.loads(listed.stdout)["items"]
        [fault] = item["faults"]
        assert (item["dossier"], item["state"]) == ("C-1", "parked")
        assert (fault["field"], fault["value"]) == ("procedure_code", ENDED)
        assert fault["reason"].endswith(f"it is {ENDED} until 2025-06-30; its successor is 1.000894.H61")
        assert fault["reason_vi"] == "Mã thủ tục không có hiệu lực vào ngày 01/03/2026; mã thay thế là “1.000894.H61”"
        told = tmp_path / "told"
        arguments = ["agency-files", str(here.config), "--day", f"{datetime.now(LOCAL):%Y-%m-%d}", "--out", str(told)]
        made = CliRunner().invoke(commands, arguments)
        assert made.exit_code == 0, made.output
        [file] = told.rglob("*.csv")
        assert "mã thay thế là “1.000894.H61”" in file.read_text(encoding="utf-8-sig")


def test_a_reload_keeps_what_was_taken_over_and_one_that_adds_the_section_takes_it(tmp_path: Path) -> None:
    with place(tmp_path, unregistered="refuse") as here:
        here.write("")

        async def main() -> None:
            app, stop = App(load(here.config)), asyncio.Event()

            async def reload(section: str) -> Reloaded:
                here.write(section)
                return await app.reload(BY)

            def known() -> list[str]:
                return [one.code for one in app.rules.procedures]

            await app.open()
            serving = asyncio.create_task(app.serve(stop))
            try:
                assert known() == []
                added = await reload(SECTION)
                await until(lambda: KNOWN in known(), 30.0, show=known)
                # Another register is another version of the configuration, and what is made by it says so.
                await until(lambda: app.rules.configuration != added.configuration, 30.0)
                before = app.rules.configuration
                agencies = here.folder / "agencies.yaml"
                agencies.write_text(f"{AGENCIES}- {{code: H59.35, name: UBND, level: district}}\n", encoding="utf-8")
                kept = await reload(SECTION)
                assert kept.before == before
                assert kept.changes == ["agencies agencies.yaml differs"]
                assert (KNOWN in known(), "H59.35" in [one.code for one in app.rules.agencies]) == (True, True)
                here.drop(("A-1", KNOWN, "20260301"), ("B-1", NEW, "20260301"))
                await until(lambda: here.delivered() == ["A-1"], 30.0, show=here.delivered)
                gone = await reload("")
                assert "register procedures differs" in gone.changes
                assert known() == []
            finally:
                stop.set()
                await serving
                await app.close()

        asyncio.run(main())


def test_what_the_portal_no_longer_shows_ends_that_day_and_a_great_loss_is_not_believed(tmp_path: Path) -> None:
    with place(tmp_path) as here:
        here.sync()
        here.shows(procedure(KNOWN))
        assert here.sync()["procedures"].changes == {"gone": 2}
        here.shows(procedure(NEW))
        lost = here.sync()["procedures"]
        assert "1 of 1 entries would be lost at once" in lost.problem
        assert here.sync(force=True)["procedures"].changes == {"added": 1, "gone": 1}
        here.shows(*CATALOGUE)
        assert here.sync(force=True)["procedures"].changes == {"back": 3, "gone": 1}
