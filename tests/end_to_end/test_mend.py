"""A parked row is done again after the mend, from its original bytes, without anybody sending it again."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from adapters.sandbox import provincial_portal
from adapters.sandbox.twin import running
from hub.app import run
from hub.ledger.read import open_reader
from hub.ledger.views import DeadFilter
from hub.settings import load
from tests.support.json_lines import json_lines

CONFIG = """\
hub: {{name: thu, province: H59}}
ledger: {{url: "sqlite:///hub.db"}}
bus: {{url: "embedded:"}}
agencies: agencies.yaml
sources:
  cau-ngang:
    adapter: files
    mappings: [one-stop-csv/dossier]
    settings: {{folder: drop, pattern: "hoso-*.csv", media: csv, settle_s: 0}}
destinations:
  provincial:
    adapter: lgsp
    mappings: {{dossier.v1: lgsp/dossier}}
    settings: {{url: "{url}", client_id: truc-lien-thong, client_secret: mat-khau-thu}}
routes:
  - {{kinds: [dossier.v1], to: [provincial]}}
"""
KNOWN = "- {code: H59.34, name: UBND huyện Cầu Ngang, level: district, aliases: [000.00.34.H59]}\n"
MISSING = "- {code: H59.31, name: UBND thành phố Trà Vinh, level: district, aliases: [000.00.31.H59]}\n"
HEADER = (
    "SO_HO_SO;MA_TTHC;TEN_TTHC;MA_LINH_VUC;LINH_VUC;MA_DON_VI;LOAI_DOI_TUONG;HO_TEN;SO_GIAY_TO;DIA_CHI;DIEN_THOAI;EMAIL;"
    "TRICH_YEU;KENH;MUC_DO;TRANG_THAI;NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_TRA;GHI_CHU;NGAY_CAP_NHAT"
)


def row(number: str, agency: str, changed: str) -> str:
    about = f"{number};1.001193.000.00.00.H59;Đăng ký khai sinh;HT;Hộ tịch;{agency};1;Thạch Thị Sa;;;;;;1;2;2"
    return f"{about};20170301083000;20170306170000;;;;{changed}"


def deployment(folder: Path, url: str, *agencies: str) -> Path:
    (folder / "agencies.yaml").write_text("".join(agencies), encoding="utf-8")
    (folder / "hub.yaml").write_text(CONFIG.format(url=url), encoding="utf-8")
    return folder / "hub.yaml"


def delivered(log: Path) -> list[str]:
    return [line["number"] for line in json_lines(log)]


def items(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "hub.db") as ledger:
        counted = dict(ledger.execute("SELECT state, count(*) FROM item GROUP BY state").fetchall())
        told = ledger.execute("SELECT sum(items), sum(accepted), sum(parked), sum(stale) FROM arrival").fetchone()
    ledger.close()
    assert told == (sum(counted.values()), *(counted.get(state, 0) for state in ("accepted", "parked", "stale")))
    return counted


def test_a_parked_row_is_done_again_when_its_agency_is_known(tmp_path: Path) -> None:
    log = tmp_path / "portal.jsonl"
    (tmp_path / "drop").mkdir()
    lines = [HEADER, row("A-1", "000.00.34.H59", "20170301100000"), row("B-1", "000.00.31.H59", "20170301100000")]
    (tmp_path / "drop" / "hoso-0001.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    with running(provincial_portal.create, log=log) as portal:
        config = deployment(tmp_path, portal.url, KNOWN)
        asyncio.run(run(load(config), once=True))
        assert delivered(log) == ["A-1"]
        assert items(tmp_path) == {"accepted": 1, "parked": 1}
        asyncio.run(run(load(config), once=True))
        assert items(tmp_path) == {"accepted": 1, "parked": 1}, "without a mend nothing changes"
        deployment(tmp_path, portal.url, KNOWN, MISSING)
        asyncio.run(run(load(config), once=True))
        assert delivered(log) == ["A-1", "B-1"]
        assert items(tmp_path) == {"accepted": 2}
    with open_reader(f"sqlite:///{tmp_path / 'hub.db'}") as reader:
        assert reader.problems(DeadFilter()) == []
        content = reader.trace("B-1").revisions[0].content
        assert content is not None
        assert content["agency"] == "H59.31"


def test_a_row_that_was_corrected_meanwhile_is_found_stale(tmp_path: Path) -> None:
    log = tmp_path / "portal.jsonl"
    (tmp_path / "drop").mkdir()
    with running(provincial_portal.create, log=log) as portal:
        config = deployment(tmp_path, portal.url, KNOWN)
        for number, (agency, changed) in enumerate([("000.00.31.H59", "20170301"), ("000.00.34.H59", "20170302")]):
            lines = [HEADER, row("B-1", agency, f"{changed}100000")]
            (tmp_path / "drop" / f"hoso-{number}.csv").write_text("\n".join(lines), encoding="utf-8-sig")
            asyncio.run(run(load(config), once=True))
        assert items(tmp_path) == {"accepted": 1, "parked": 1}
        deployment(tmp_path, portal.url, KNOWN, MISSING)
        asyncio.run(run(load(config), once=True))
        assert items(tmp_path) == {"accepted": 1, "stale": 1}
        assert delivered(log) == ["B-1"]
