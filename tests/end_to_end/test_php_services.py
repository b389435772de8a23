"""From a WSDL to records at a portal, by the commands alone, against a SOAP server that is not ours: PHP's.

Three old systems (tests/end_to_end/php), as WSDLs of their time are: document/literal with pages, rpc/encoded with an
array of structures that share an object, and one text that holds XML. Then they break in PHP's own ways.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.sandbox import provincial_portal
from adapters.sandbox.twin import running
from adapters.soap import SoapSource
from adapters.soap_settings import SoapSettings
from hub.cli import app
from hub.ports import AdapterContext
from hub.settings import load
from schemas.errors import SourceFault
from tests.support.php_server import PhpServer, php_server

PEOPLE = {"Nguyễn Thị Bích Thủy", "Thạch Sa Rươl", "Công ty TNHH Thủy sản Cửu Long", "Kim Sô Phanh", "Trần Văn Đệ",
          "Hộ kinh doanh Út Hiền", "Lâm Thị Xuân Đào"}  # fmt: skip


@dataclass(frozen=True)
class System:
    """One of PHP's systems, and what a person says to the commands about it."""

    name: str
    script: str
    operation: str
    shown: str
    """The line of the operation in the list."""
    arguments: tuple[str, ...]
    codes: tuple[str, ...]
    """What its words mean, which no other system has."""
    agency: str
    """The line of the agencies file."""
    code: str
    canonical: str
    first: int
    """How many rows its first page has."""
    later: str = ""
    """What the mapping's tables lack when the source is live: a script for sed."""


DOCUMENT = System(
    name="so-tu-phap",
    script="document",
    operation="LayDanhSachHoSo",
    shown="LayDanhSachHoSo(tuNgay: dateTime?, trang: int, kichThuoc: int) -> TrangHoSo   (MotCua, MotCuaSoap)",
    arguments=("tuNgay=2026-03-01T00:00:00", "trang=1", "kichThuoc=4"),
    codes=("status.Mới tiếp nhận=2", "status.Đã trả kết quả=10", "status.Đã có kết quả=9"),
    agency="- {code: H59.15, name: Sở Tư pháp, level: province, aliases: [000.00.15.H59]}\n",
    code="000.00.15.H59",
    canonical="H59.15",
    first=4,
    later="    Công dân: citizen\n|    Công dân: citizen\n    Doanh nghiệp: enterprise\n",
)
ENCODED = System(
    name="cau-ngang",
    script="encoded",
    operation="danhSachHoSo",
    shown="danhSachHoSo(tuNgay: string, trangThai: int) -> DanhSachHoSo   (MotCua, MotCuaPort)",
    arguments=("tuNgay=01/03/2026", "trangThai=0"),
    codes=("status.Mới tiếp nhận=2",),
    agency="- {code: H59.32, name: UBND huyện Cầu Ngang, level: district, aliases: [000.00.32.H59]}\n",
    code="000.00.32.H59",
    canonical="H59.32",
    first=7,
)
STRING = System(
    name="so-y-te",
    script="string",
    operation="getHoSo",
    shown="getHoSo(maDonVi: string, tuNgay: string) -> string   (HoSoYTe, HoSoPort)",
    arguments=("maDonVi=000.00.17.H59", "tuNgay=20260301000000"),
    codes=("status.Mới tiếp nhận=2", "status.Trình lãnh đạo ký=4"),
    agency="- {code: H59.17, name: Sở Y tế, level: province, aliases: [000.00.17.H59]}\n",
    code="000.00.17.H59",
    canonical="H59.17",
    first=7,
)
SYSTEMS = (DOCUMENT, ENCODED, STRING)


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


Hub = Callable[..., Ran]


def run(*arguments: str) -> Ran:
    """One command, as a shell would run it where the output is no terminal."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return Ran(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `hub init` writes."""
    folder = tmp_path_factory.mktemp("project") / "thu"
    assert run("init", str(folder), "--province", "H59").status == 0
    return folder


@pytest.fixture
def hub(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Runs commands in a new project."""
    for name in ("COLUMNS", "HUB_CONFIG", "HUB_LEDGER_URL", "HUB_BUS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PORTAL_URL", "http://127.0.0.1:9")
    shutil.copytree(project, tmp_path / "thu")
    monkeypatch.chdir(tmp_path / "thu")
    return run


def new_source(hub: Hub, php: PhpServer, system: System, *more: str, script: str = "") -> Ran:
    arguments = [part for one in system.arguments for part in ("--argument", one)]
    wsdl = f"{php.url}/{script or system.script}.php?wsdl"
    return hub(
        "new", "source", system.name, "--wsdl", wsdl, "--operation", system.operation, "--call", *arguments, *more
    )


def written(hub: Hub, php: PhpServer, system: System) -> Ran:
    """The source in the configuration, its agency in the register."""
    codes = [part for one in system.codes for part in ("--code", one)]
    ran = new_source(hub, php, system, *codes, "--write")
    assert ran.status == 0, ran.err
    with Path("agencies.yaml").open("a", encoding="utf-8") as file:
        file.write(system.agency)
    return ran


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.script)
def test_from_a_wsdl_to_records_at_the_portal(
    hub: Hub, php: PhpServer, system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = hub("new", "source", system.name, "--wsdl", f"{php.url}/{system.script}.php?wsdl")
    assert system.shown in listed.out
    ran = written(hub, php, system)
    assert f"{system.first} rows at " in ran.out
    recorded = min(system.first, 5)
    assert f"{recorded} of {recorded} rows of the sample become dossier.v1, 14 fields" in ran.out
    sample = Path(f"samples/{system.name}-1.xml").read_text(encoding="utf-8")
    assert [person for person in PEOPLE if person in sample] == []
    with running(provincial_portal.create, log=tmp_path / "portal.jsonl") as portal:
        monkeypatch.setenv("PORTAL_URL", portal.url)
        checked = hub("check", "hub.yaml")
        assert (checked.status, checked.err) == (0, ""), checked.err
        tested = hub("test")
        assert (tested.status, "0 failed" in tested.out) == (0, True), tested.out
        tried = hub("try", "hub.yaml", system.name)
        assert tried.status == 0, tried.err
        assert f"{system.first} rows" in tried.out
        assert "0 refused; nothing was written" in tried.out
        done = json.loads(hub("run", "hub.yaml", "--once", "--json").out)
        if system.later:
            # A later page has a word that the first one had not: its rows wait for the table to grow.
            assert (done["rows"]["accepted"], done["rows"]["parked"] >= 2) == (5, True), done
            mapping = Path(f"mappings/{system.name}/dossier.yaml")
            before, after = system.later.split("|")
            mapping.write_text(mapping.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
            done = json.loads(hub("run", "hub.yaml", "--once", "--json").out)
        assert (done["ok"], done["rows"]["parked"]) == (True, 0), done
        if system is STRING:
            again = json.loads(hub("run", "hub.yaml", "--once", "--json").out)
            assert (again["rows"]["accepted"], again["delivered"]) == (0, 0)
        log = [json.loads(line) for line in (tmp_path / "portal.jsonl").read_bytes().splitlines()]
    numbers = [f"{system.code}-260302-{n:04}" for n in range(1, 8)]
    assert sorted(one["number"] for one in log) == numbers
    assert {one["data"]["CitizenName"] for one in log} == PEOPLE
    assert {one["data"]["OrganInchargeIdLevel1"] for one in log} == {system.canonical}
    trace = json.loads(hub("trace", numbers[5], "--config", "hub.yaml", "--json").out)
    assert [one["source"] for one in trace["heads"]] == [system.name]
    assert [one["state"] for one in trace["dispatches"]] == ["delivered"]


def test_soap_12_and_a_wsdl_in_a_file_whose_address_is_another(hub: Hub, php: PhpServer) -> None:
    """The file is as PHP's folder has it: it names the machine of its developer."""
    Path("motcua.wsdl").write_bytes((Path(__file__).parent / "php" / "document.wsdl").read_bytes())
    asked = ("new", "source", "so-tu-phap", "--wsdl", "motcua.wsdl", "--operation", "LayDanhSachHoSo", "--call")
    arguments = ("--argument", "trang=1", "--argument", "kichThuoc=20", "--code", "status.Mới tiếp nhận=2", "--write")
    moved = f"{php.url}/document.php"
    ran = hub(*asked, *arguments, "--endpoint", moved)
    assert ran.status == 0, ran.err
    configuration = Path("hub.yaml")
    text = configuration.read_text(encoding="utf-8")
    assert f'\n      wsdl: motcua.wsdl\n      operation: LayDanhSachHoSo\n      endpoint: "{moved}"\n' in text
    with Path("agencies.yaml").open("a", encoding="utf-8") as file:
        file.write(DOCUMENT.agency)
    configuration.write_text(text.replace("      endpoint:", '      version: "1.2"\n      endpoint:'), encoding="utf-8")
    tried = hub("try", "hub.yaml", "so-tu-phap")
    assert (tried.status, "7 rows" in tried.out) == (0, True), tried.err
    php.goes_wrong("fault")
    tried = hub("try", "hub.yaml", "so-tu-phap")
    assert "a fault: Mã đơn vị không có quyền khai thác dữ liệu [unreachable] — see that `arguments`" in tried.err


BROKEN_OFF = "broke off: peer closed connection without sending complete message body"
AT_FROM, SEE_LOG = "compare it with the `from` block", "it was stopped, or died of this very answer: see its log"
TROUBLES = {
    "fault": ("a fault: Mã đơn vị không có quyền khai thác dữ liệu", "see that `arguments`, `headers` and the log-in"),
    "page": ("<html>: Fatal error: Uncaught PDOException: không nối được", AT_FROM),
    "warning": ('before it stands \'Warning : Undefined array key "don_vi" in', AT_FROM),
    "half": (BROKEN_OFF, SEE_LOG),
    "html": ("is a web page: 'Hệ thống đang bảo trì'", "the address of a WSDL mostly ends in ?wsdl"),
    "drift": ("it takes tuNgay: string, tinhTrang: int; not 'trangThai'", "mend `arguments`, `since` or `page`"),
}


def test_what_breaks_is_said_with_its_mend(hub: Hub, php: PhpServer) -> None:
    written(hub, php, ENCODED)
    for trouble, (said, mend) in TROUBLES.items():
        php.goes_wrong(trouble)
        tried = hub("try", "hub.yaml", "cau-ngang")
        assert (tried.status, said in tried.err, mend in tried.err) == (1, True, True), (trouble, tried.err)
    checked = hub("check", "hub.yaml")
    assert "sources.cau-ngang: danhSachHoSo does not take these arguments" in checked.out


def test_a_server_that_dies_in_mid_answer_and_comes_back(hub: Hub, php: PhpServer, tmp_path: Path) -> None:
    written(hub, php, ENCODED)
    text = Path("hub.yaml").read_text(encoding="utf-8")
    (tmp_path / "dying").mkdir()
    with php_server(tmp_path / "dying") as dying:
        Path("hub.yaml").write_text(text.replace(php.url, dying.url), encoding="utf-8")
        dying.goes_wrong("die")
        tried = hub("try", "hub.yaml", "cau-ngang")
        assert (BROKEN_OFF in tried.err, SEE_LOG in tried.err) == (True, True), tried.err
        dying.process.wait(30)
        tried = hub("try", "hub.yaml", "cau-ngang")
        assert "cannot be reached" in tried.err
        assert "see that `wsdl` is right and the service runs" in tried.err
    Path("hub.yaml").write_text(text, encoding="utf-8")
    assert hub("try", "hub.yaml", "cau-ngang").status == 0


MISSPELT: Sequence[tuple[str, str, str]] = (
    ("--operation", "danhsachHoSo", "no operation 'danhsachHoSo' [unknown-operation] — did you mean 'danhSachHoSo'?"),
    ("--argument", "trangThai=moi", "trangThai takes a whole number (int) such as 1, not 'moi' [wrong-argument]"),
    ("--wsdl", "URL/khong.php?wsdl", "is not there: HTTP 404 [wsdl] — mend `wsdl`: the address of a WSDL mostly"),
    ("--wsdl", "URL/encoded.php", "is empty [wsdl] — mend `wsdl`: the address of a WSDL mostly ends in ?wsdl"),
    ("--wsdl", "hong.wsdl", "No definition '{urn:yte:hoso}Khac' in 'port_types' found [wsdl] — open it in a"),
    ("--wsdl", "chu.wsdl", "XMLSyntaxError: Invalid XML content received (Start tag expected"),
    ("--endpoint", "http://127.0.0.1:9/", "http://127.0.0.1:9/ cannot be reached"),
)


def test_what_is_misspelt_is_said_with_its_mend(hub: Hub, php: PhpServer) -> None:
    broken = (Path(__file__).parent / "php" / "string.wsdl").read_text(encoding="utf-8")
    Path("hong.wsdl").write_text(broken.replace('type="tns:HoSoPort"', 'type="tns:Khac"'), encoding="utf-8")
    Path("chu.wsdl").write_text("đây không phải là XML", encoding="utf-8")
    for option, value, said in MISSPELT:
        ran = new_source(hub, php, ENCODED, option, value.replace("URL", php.url))
        assert (ran.status, said in ran.err) == (1, True), (value, ran.err)
    assert not Path("mappings/cau-ngang").exists()


def test_an_address_that_only_its_developer_has_is_named_with_the_option(hub: Hub) -> None:
    wsdl = (Path(__file__).parent / "php" / "string.wsdl").read_text(encoding="utf-8")
    Path("yte.wsdl").write_text(wsdl.replace("http://localhost/motcua", "http://127.0.0.1:9"), encoding="utf-8")
    asked = [part for one in STRING.arguments for part in ("--argument", one)]
    ran = hub("new", "source", "so-y-te", "--wsdl", "yte.wsdl", "--operation", "getHoSo", "--call", *asked)
    assert ran.status == 1
    assert "the WSDL names this address (http://127.0.0.1:9/string.php); where the service is elsewhere" in ran.err


def test_that_a_wsdl_has_changed_is_said(hub: Hub, php: PhpServer, caplog: pytest.LogCaptureFixture) -> None:
    written(hub, php, ENCODED)
    section = load(Path("hub.yaml")).sources["cau-ngang"]
    settings = SoapSettings.model_validate({**section.settings, "wsdl_every_s": 0.001})

    async def main() -> None:
        source = SoapSource(settings, AdapterContext("cau-ngang", Path()))
        try:
            assert [arrival async for arrival in source.arrivals({})]
            php.goes_wrong("drift")
            with pytest.raises(SourceFault, match="not 'trangThai'"):
                [arrival async for arrival in source.arrivals({})]
        finally:
            await source.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert "has changed, sha256" in caplog.text
    assert "it was danhSachHoSo(tuNgay: xsd:string, trangThai: xsd:int)" in caplog.text
