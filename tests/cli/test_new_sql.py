"""`hub new source --sql`: a query that is run once becomes a source that passes check, test and a run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.cli.new_project import know_agency, passes, start

COLUMNS = ("so_ho_so", "ma_tthc", "ten_tthc", "don_vi", "doi_tuong", "nguoi_nop", "kenh", "trang_thai", "ngay_nhan",
           "ngay_sua")  # fmt: skip
ROWS = [
    (f"000.00.15.H59-260302-000{n}", "1.003560", "Cấp phép", "000.00.15.H59", "Cá nhân", "Hồ Văn Giàu", "Trực tiếp",
     "Đang xử lý", "2026-03-02 08:00:00", f"2026-03-02 09:0{n}:00")
    for n in range(1, 4)
]  # fmt: skip
ALL = """-- mọi hồ sơ
SELECT id, so_ho_so, ma_tthc, ten_tthc, don_vi, doi_tuong,
       nguoi_nop, kenh, trang_thai, ngay_nhan, ngay_sua AS ngay_cap_nhat
FROM ho_so;"""


@pytest.fixture(autouse=True)
def project(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    start(hub, tmp_path, monkeypatch)
    with closing(sqlite3.connect("motcua.db")) as database:
        database.execute(f"CREATE TABLE ho_so (id INTEGER PRIMARY KEY, {', '.join(COLUMNS)})")
        holes = ", ".join("?" * len(COLUMNS))
        database.executemany(f"INSERT INTO ho_so ({', '.join(COLUMNS)}) VALUES ({holes})", ROWS)
        database.commit()
    know_agency()
    return tmp_path


def settings(name: str = "mc") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path("hub.yaml").read_text(encoding="utf-8"))["sources"][name]["settings"]
    return found


def test_a_query_becomes_a_source_that_runs(hub: Any) -> None:
    ran = hub("new", "source", "mc", "--sql", "sqlite:///motcua.db", "--query", ALL, "--write")
    assert ran.status == 0, ran.err
    assert "3 of 3 rows of the sample become dossier.v1" in ran.out
    text = Path("hub.yaml").read_text(encoding="utf-8")
    assert "      cursor: {column: ngay_cap_nhat}  # grows with every change\n      key: so_ho_so  # tells" in text
    assert settings()["query"] == ALL
    assert "password" not in settings()
    recorded = Path("samples/mc-1.json").read_text(encoding="utf-8")
    assert "Giàu" not in recorded
    assert [row["id"] for row in json.loads(recorded)] == [1, 2, 3]
    told = passes(hub)
    assert (told["ok"], told["warnings"]) == (True, [])
    done = hub("run", "hub.yaml", "--once", "--wait-s", "0", "--json")
    assert done.json["rows"]["accepted"] >= 3, done.out + done.err


def test_a_file_is_named_from_the_folder_of_the_configuration(
    hub: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = project / "may" / "khac"
    elsewhere.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    asked = ("--sql", "sqlite:///../../motcua.db", "--query", ALL, "--into", "../../hub.yaml", "--write")
    assert hub("new", "source", "mc", *asked).status == 0
    monkeypatch.chdir(project)
    assert settings()["url"] == "sqlite:///motcua.db"


def test_without_a_time_of_change_the_cursor_is_doubtful_and_may_be_told(hub: Any) -> None:
    few = ALL.replace(", ngay_sua AS ngay_cap_nhat", "")
    ran = hub("new", "source", "mc", "--sql", "sqlite:///motcua.db", "--query", few)
    assert ran.status == 0, ran.err
    assert "cursor: {column: id, type: number}  # ? a number like this grows with new rows only" in ran.out
    assert "key: so_ho_so" in ran.out
    told = hub("new", "source", "y", "--sql", "sqlite:///motcua.db", "--query", few, "--cursor", "ngay_nhan", "--json")
    assert "cursor: {column: ngay_nhan}  # grows with every change" in told.json["section"]


def test_a_query_may_ask_for_what_changed_since(hub: Any) -> None:
    asked = ALL.replace("FROM ho_so", "FROM ho_so WHERE ngay_sua > :since")
    options = ("new", "source", "mc", "--sql", "sqlite:///motcua.db", "--query", asked, "--write")
    assert "it asks for :since [wrong-argument] — say where the first poll begins: --argument" in hub(*options).err
    ran = hub(*options, "--argument", "since=2026-03-02T09:02:00")
    assert ran.status == 0, ran.err
    assert "1 rows at" in ran.out
    assert settings()["cursor"] == {"column": "ngay_cap_nhat", "start": "2026-03-02T09:02:00"}
    assert passes(hub)["ok"]


def test_a_dry_run_reads_and_writes_nothing(hub: Any) -> None:
    before = sorted(Path().rglob("*"))
    ran = hub("new", "source", "mc", "--sql", "sqlite:///motcua.db", "--query", ALL, "--write", "--dry-run")
    assert ran.status == 0
    assert "mapping: mc/dossier" in ran.out
    assert "    adapter: sql  # a query of a database, only ever read" in ran.out
    assert sorted(Path().rglob("*")) == before


TEXTS = f"SELECT {', '.join(COLUMNS[:-2])}, '02/03/2026' AS ngay_nhan FROM ho_so"
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) AS c FROM n"
REFUSED = [
    (("nonsense", "--query", ALL), "--sql: is no address of a database [wrong-value] — write one like postgresql://"),
    (("postgresql://hub:bi-mat@h/d", "--query", ALL), "--sql: has a password in it [wrong-value] — take it out"),
    (("sqlite://", "--query", ALL), "--sql: names no file [wrong-value]"),
    (("sqlite:///motcua.db",), 'say what to ask: --query "SELECT …"'),
    (("sqlite:///none.db", "--query", ALL), "the database cannot be reached"),
    (("sqlite:///motcua.db", "--query", "DELETE FROM ho_so"), "--query: is no query that reads"),
    (("sqlite:///motcua.db", "--query", "SELECT 1; DELETE FROM ho_so"), "--query: holds more than one statement"),
    (("sqlite:///motcua.db", "--query", "SELECT x FROM ho_so"), "the database refused it: no such column: x"),
    (("sqlite:///motcua.db", "--query", "SELECT id FROM ho_so WHERE id > 9"), "--query: gives no rows now [no-rows]"),
    (("sqlite:///motcua.db", "--query", ALL, "--cursor", "ngay_cap"), "did you mean 'ngay_cap_nhat'?"),
    (("sqlite:///motcua.db", "--query", ALL, "--cursor", "kenh"), "--cursor kenh: has values that are neither"),
    (("sqlite:///motcua.db", "--query", TEXTS), "no column of the query grows with every change"),
    (("sqlite:///motcua.db", "--query", ALL, "--argument", "sinc=1"), "--argument sinc: the query has no such"),
    (("sqlite:///motcua.db", "--query", ALL, "--sample", "x"), "--sample says nothing with --sql [wrong-option]"),
    (("sqlite:///motcua.db", "--query", ALL, "--username", "x"), "--username says nothing with --sql [wrong-option]"),
    (("sqlite:///motcua.db", "--query", ENDLESS, "--timeout-s", "0.3"), "gave no whole page within 0.3 s"),
]  # fmt: skip


def test_what_cannot_be_asked_is_one_line_with_the_mend_and_nothing_is_changed(hub: Any) -> None:
    before = Path("motcua.db").read_bytes()
    for options, said in REFUSED:
        ran = hub("new", "source", "mc", "--sql", *options, "--write")
        assert (ran.status, ran.err.count("\n")) == (1, 1), (options, ran.err)
        assert said in ran.err, options
        assert "bi-mat" not in ran.err
    assert Path("motcua.db").read_bytes() == before
    assert not Path("mappings/mc").exists()


def test_a_server_is_asked_with_the_password_of_the_environment_within_its_time(
    hub: Any, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as database:
        columns = [f"{name} text" for name in COLUMNS[:-2]]
        database.execute(f"CREATE TABLE ho_so ({', '.join(columns)}, ngay_nhan date, phien_ban bigint, phi numeric)")
        for number, row in enumerate(ROWS):
            holes = ", ".join(["%s"] * (len(COLUMNS) + 1))
            database.execute(f"INSERT INTO ho_so VALUES ({holes})", (*row[:-2], "2026-03-02", number, "1.50"))
    monkeypatch.setenv("MC_PASSWORD", "rat-bi-mat")
    ran = hub("new", "source", "mc", "--sql", postgres_url, "--query", "SELECT * FROM ho_so", "--write")
    assert ran.status == 0, ran.err
    assert settings()["cursor"] == {"column": "phien_ban", "type": "number"}
    assert (settings()["key"], settings()["password"]) == ("so_ho_so", "${MC_PASSWORD}")
    assert "received_at: {path: ngay_nhan, date: iso}" in Path("mappings/mc/dossier.yaml").read_text(encoding="utf-8")
    assert passes(hub)["ok"]
    slow = ("--query", "SELECT *, pg_sleep(60)::text AS x FROM ho_so", "--timeout-s", "0.5")
    ran = hub("new", "source", "cham", "--sql", postgres_url, *slow)
    assert (ran.status, "gave no whole page within 0.5 s" in ran.err) == (1, True), ran.err
    ran = hub(
        "new",
        "source",
        "xoa",
        "--sql",
        postgres_url,
        "--query",
        "WITH x AS (DELETE FROM ho_so RETURNING 1) SELECT * FROM x",
    )
    assert ran.status == 1
    assert "rat-bi-mat" not in ran.err
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as database:
        assert database.execute("SELECT count(*) FROM ho_so").fetchone() == (3,)
