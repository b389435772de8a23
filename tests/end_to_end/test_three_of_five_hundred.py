"""Five hundred dossiers of one agency, three of which the national portal refuses for a value: 497 delivered, three
dead, and the log of that one run names the agency's own field for each."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sandbox import national_portal
from adapters.sandbox.twin import Twin, running
from hub.answers import load_answers
from hub.blame import BlamePlace, blame
from hub.ledger.read import open_reader
from hub.ledger.views import DeadFilter
from hub.rulebook import rulebook
from hub.settings import load

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
  national:
    adapter: dvcqg
    mappings: {{dossier.v1: dvcqg/dossier}}
    settings:
      {{url: "{url}", username: tra-vinh, password: "${{MAT_KHAU:-mat-khau-thu}}", madonvi: H59, batch: 500,
       dstcode: "VN:GOV:000.00.00.G22:vpcpdvcprovider", per_item: {per_item}}}
routes:
  - {{kinds: [dossier.v1], to: [national]}}
"""
AGENCIES = "- {code: H59.34, name: UBND huyện Cầu Ngang, level: district, aliases: [000.00.34.H59]}\n"
HEADER = (
    "SO_HO_SO;MA_TTHC;TEN_TTHC;MA_LINH_VUC;LINH_VUC;MA_DON_VI;LOAI_DOI_TUONG;HO_TEN;SO_GIAY_TO;DIA_CHI;DIEN_THOAI;EMAIL;"
    "TRICH_YEU;KENH;MUC_DO;TRANG_THAI;NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_TRA;GHI_CHU;NGAY_CAP_NHAT"
)
DOSSIERS = 500
PERSON, PAPER = "Thạch Thị Sa", "334012345"
REFUSE = [
    {"field": "MaTTHC", "pattern": "9\\..*", "message": "MaTTHC '{value}' không hợp lệ"},
    {"field": "MaDoiTuong", "pattern": PAPER, "message": "{number}: MaDoiTuong {value} của Thạch Thị Sa không đúng"},
]


def number(n: int) -> str:
    return f"000.00.34.H59-170301-{n:04}"


BAD = {
    number(77): ("MaTTHC", "MA_TTHC", "9.999999"),
    number(78): ("MaTTHC", "MA_TTHC", "9.000001"),
    number(431): ("MaDoiTuong", "SO_GIAY_TO", "334 012 345"),
}
"""Of each culprit the portal's field, the agency's own, and what stands there."""


def row(n: int) -> str:
    field, _, value = BAD.get(number(n), ("", "", ""))
    procedure = value if field == "MaTTHC" else "1.001193.000.00.00.H59"
    paper = value if field == "MaDoiTuong" else ""
    about = f"{number(n)};{procedure};Đăng ký khai sinh;HT;Hộ tịch;000.00.34.H59;1;{PERSON};{paper};;;;;1;2;2"
    return f"{about};20170301083000;20170306170000;;;;20170301090000"


@pytest.fixture(params=[True, False], ids=["a result per item", "refused whole"])
def portal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Twin]:
    """A portal that refuses three values, and a deployment beside it whose one file has all the dossiers."""
    options = {"refuse": REFUSE, "per_item": request.param}
    with running(national_portal.create, log=tmp_path / "national.jsonl", options=options) as twin:
        (tmp_path / "drop").mkdir()
        file = "\r\n".join([HEADER, *(row(n) for n in range(1, DOSSIERS + 1)), ""])
        (tmp_path / "drop" / "hoso-0001.csv").write_text(file, encoding="utf-8-sig")
        (tmp_path / "agencies.yaml").write_text(AGENCIES, encoding="utf-8")
        config = CONFIG.format(url=twin.url, per_item=str(request.param).lower())
        (tmp_path / "hub.yaml").write_text(config, encoding="utf-8")
        yield twin


def run_once(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from hub.cli import main; main()",
        "run",
        str(folder / "hub.yaml"),
        "--once",
        "-v",
    ]
    environment = os.environ | {"NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, env=environment)


def test_497_are_delivered_and_3_dead_with_the_agency_s_field_named(portal: Twin, tmp_path: Path) -> None:
    ran = run_once(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "500 rows accepted" in ran.stdout
    assert "497 delivered, 3 dead, 0 still open" in ran.stdout

    taken = [json.loads(line)["number"] for line in (tmp_path / "national.jsonl").read_text("utf-8").splitlines()]
    assert sorted(taken) == [number(n) for n in range(1, DOSSIERS + 1) if number(n) not in BAD]

    told = [line for line in ran.stderr.splitlines() if "dead letter" in line]
    assert len(told) == len(BAD)
    for culprit, (field, own, value) in BAD.items():
        (line,) = [one for one in told if culprit in one]
        assert "national: dead letter #" in line
        assert f"dossier {culprit} of agency H59.34: {field}, in the agency's own data {own}; data missing: " in line
        assert f"Cổng từ chối giá trị của một trường ({field if own == 'MA_TTHC' else culprit}" in line
        assert value not in line
    assert not re.search(rf"{PERSON}|{PAPER}|9\.999999", ran.stderr), "a log carries no values"

    with sqlite3.connect(tmp_path / "hub.db") as ledger:
        dead = dict(ledger.execute("SELECT lane, attempts FROM dispatch WHERE state = 'dead'").fetchall())
        spent = ledger.execute("SELECT max(attempts) FROM dispatch WHERE state = 'delivered'").fetchone()
        unknown = ledger.execute("SELECT count(*) FROM answer_code").fetchone()
    assert dead == dict.fromkeys(BAD, 1), "each died of its one own attempt"
    assert (spent, unknown) == ((0,), (0,))


def test_the_dead_are_told_with_what_stands_in_the_agency_s_row(portal: Twin, tmp_path: Path) -> None:
    assert run_once(tmp_path).returncode == 0
    rules, answers = rulebook(load(tmp_path / "hub.yaml")), load_answers("dvcqg")
    with open_reader(f"sqlite:///{tmp_path / 'hub.db'}") as reader:
        letters = reader.dead(DeadFilter())
        found = {one.key: blame(reader.dead_letter(one.dispatch_id), rules, answers) for one in letters}
    assert found.keys() == BAD.keys()
    for culprit, (field, own, value) in BAD.items():
        assert found[culprit].payload_field == field
        assert found[culprit].places == (BlamePlace(own, value),)
        assert f"giá trị hiện có: '{value}'" in found[culprit].vietnamese
        assert found[culprit].mend_vietnamese.startswith(f"Sửa {own} của hồ sơ {culprit} trong phần mềm một cửa")


def test_a_refusal_that_no_table_knows_is_counted_and_listed(tmp_path: Path) -> None:
    rule = {"field": "MaTTHC", "pattern": "9\\..*", "message": "Lỗi 17: {value}"}
    with running(national_portal.create, options={"refuse": [rule], "per_item": True}) as twin:
        (tmp_path / "drop").mkdir()
        file = "\r\n".join([HEADER, *(row(n) for n in range(75, 80)), ""])
        (tmp_path / "drop" / "hoso-0001.csv").write_text(file, encoding="utf-8-sig")
        (tmp_path / "agencies.yaml").write_text(AGENCIES, encoding="utf-8")
        quick = "    retry: {first_s: 0.01, cap_s: 0.01, limit: 3}\n    settings:"
        config = CONFIG.format(url=twin.url, per_item="true").replace("    settings:\n", quick + "\n", 1)
        (tmp_path / "hub.yaml").write_text(config, encoding="utf-8")
        ran = run_once(tmp_path)
    assert "3 delivered, 2 dead, 0 still open" in ran.stdout, ran.stderr
    assert ran.stderr.count("no field is named; transient missing: HTTP 200, mã trả lời") == 2
    with open_reader(f"sqlite:///{tmp_path / 'hub.db'}") as reader:
        seen = [(c.destination, c.call, c.status, c.code, c.text, c.count) for c in reader.answer_codes()]
    assert seen == [("national", "send", 200, "missing", "Lỗi 17: •••", 6)]
    checked = subprocess.run(
        [sys.executable, "-c", "from hub.cli import main; main()", "check", str(tmp_path / "hub.yaml"), "--offline"],
        capture_output=True, text=True, timeout=180, check=False, env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip
    assert checked.returncode == 0, "a code that nobody knows yet is no reason to fail"
    assert "national answered no code with HTTP 200 to a send, which is not in its answer table, 6 times" in (
        " ".join(checked.stdout.split())
    )
