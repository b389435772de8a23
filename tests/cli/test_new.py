"""`hub new`: from one recording to a source or a destination that passes its check, its test and a run."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sandbox import soap_one_stop
from adapters.sandbox.twin import running
from mappings.testing import run
from tests.cli.new_project import passes, start
from tests.docs.pages import ROOT

SAMPLES = ROOT / "config/demo/samples"
DEMO = {"so-y-te": "so-y-te-1.json", "so-tttt": "so-tttt-1.xml", "cau-ngang": "hoso-0001.csv"}


@pytest.fixture(autouse=True)
def project(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return start(hub, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", DEMO)
def test_a_recorded_answer_becomes_a_source_that_passes_its_check_and_its_test(hub: Any, name: str) -> None:
    before = Path("hub.yaml").read_text(encoding="utf-8")
    ran = hub("new", "source", name, "--sample", str(SAMPLES / DEMO[name]), "--write")
    assert ran.status == 0, ran.err
    assert "2 of 2 rows of the sample become dossier.v1, 23 fields" in ran.out
    assert f"added sources.{name} to hub.yaml" in ran.out
    after = Path("hub.yaml").read_text(encoding="utf-8")
    # What was there is there byte for byte; one block is added below the sources.
    start = after.index(f"  {name}:\n")
    end = after.index("\n# The portals that are written to.")
    assert after[:start] + after[end:] == before
    assert passes(hub)["ok"]
    mapping = Path(f"mappings/{name}/dossier.yaml").read_text(encoding="utf-8")
    assert "# by name; by shape: 2 of 2 values are " in mapping


def test_nobody_of_the_recording_is_in_what_is_written(hub: Any) -> None:
    recorded = json.loads((SAMPLES / "so-y-te-1.json").read_bytes())
    hub("new", "source", "so-y-te", "--sample", str(SAMPLES / "so-y-te-1.json"))
    written = "".join(p.read_text(encoding="utf-8") for p in Path().rglob("*so-y-te*/*.yaml"))
    written += Path("samples/so-y-te-1.json").read_text(encoding="utf-8")
    for row in recorded["du_lieu"]:
        for field in ("nguoi_nop", "so_giay_to", "dia_chi", "dien_thoai", "trich_yeu"):
            assert row[field] not in written
        for step in row["qua_trinh"]:
            assert step["nguoi_xu_ly"] not in written
        assert row["so_ho_so"] in written


def test_without_write_the_section_is_printed_and_the_configuration_stays(hub: Any) -> None:
    before = Path("hub.yaml").read_bytes()
    ran = hub("new", "source", "so-y-te", "--sample", str(SAMPLES / "so-y-te-1.json"), "--url", "http://h:1/api/ho-so")
    assert "Paste this below 'sources:' in hub.yaml" in ran.out
    assert "      path: /api/ho-so\n      rows: {at: du_lieu, changed: ngay_cap_nhat" in ran.out
    assert Path("hub.yaml").read_bytes() == before
    pasted = ran.out[ran.out.index("  so-y-te:\n") : ran.out.index("\nThe first row becomes")]
    text = before.decode().replace("sources:\n", f"sources:\n{pasted}")
    Path("hub.yaml").write_text(text, encoding="utf-8")
    assert passes(hub)["ok"]


def test_a_dry_run_writes_nothing(hub: Any) -> None:
    before = sorted(Path().rglob("*"))
    ran = hub("new", "source", "x", "--sample", str(SAMPLES / "so-y-te-1.json"), "--write", "--dry-run")
    assert ran.status == 0
    assert "mapping: x/dossier" in ran.out
    assert sorted(Path().rglob("*")) == before


def test_an_agency_that_is_missing_is_one_remark_in_however_many_rows_and_fields(hub: Any) -> None:
    Path("a.json").write_text(SPARSE.replace("Đang ngủ", "Mới"), encoding="utf-8")
    constants = ("--const", "channel=counter", "--const", "applicant_kind=citizen")
    assert hub("new", "source", "thua", "--sample", "a.json", "--write", *constants).status == 0
    warnings = hub("check", "hub.yaml", "--offline", "--json").json["warnings"]
    assert [one["message"].partition(" unknown ")[2][:15] for one in warnings if one["rule"] == "sample-refused"] == [
        "agency 'Sở Y tế"
    ]


def test_steps_have_a_mapping_of_their_own(hub: Any) -> None:
    ran = hub(
        "new", "source", "buoc", "--sample", str(SAMPLES / "buoc-0001.csv"), "--kind", "dossier-step.v1", "--write"
    )
    assert ran.status == 0, ran.err
    told = passes(hub)
    assert (told["ok"], [one["rule"] for one in told["warnings"]]) == (True, ["no-route"])


SPARSE = """{"ket_qua": [
 {"MaHoSo": "H-1", "Ma TTHC": "1.003560", "Ten TTHC": "Cấp phép", "Co quan": "Sở Y tế", "NguoiNop": "Lê Thị Sáu",
  "Trang Thai": "Đang ngủ", "NgayNhan": "05/06/2026", "HanTra": "0001-01-01T00:00:00", "ghi-chu-2": "x y"},
 {"MaHoSo": "H-2", "Ma TTHC": "1.003560", "Ten TTHC": "Cấp phép", "Co quan": "Sở Y tế", "NguoiNop": "Lê Thị Tám",
  "Trang Thai": "Đang xử lý", "NgayNhan": "06/07/2026", "HanTra": "2026-07-20T17:00:00", "ghi-chu-2": "z"}]}"""


def test_what_the_record_needs_and_nothing_fills_is_said_with_its_mend_and_nothing_is_written(hub: Any) -> None:
    Path("a.json").write_text(SPARSE, encoding="utf-8")
    ran = hub("new", "source", "thua", "--sample", "a.json", "--write")
    assert ran.status == 1
    assert "dossier.v1 needs channel, and no column of the sample looks like it [no-source]" in ran.err
    assert "--const channel=counter" in ran.err
    assert "# ? channel: nothing in the sample looks like it" in ran.out
    assert not Path("mappings/thua").exists()
    told = hub("new", "source", "thua", "--sample", "a.json", "--json")
    assert told.status == 1
    assert {one["rule"] for one in told.json["problems"]} == {"no-source"}


def test_constants_and_places_may_be_told_and_doubts_are_shown(hub: Any) -> None:
    Path("a.json").write_text(SPARSE, encoding="utf-8")
    options = ("--const", "channel=counter", "--const", "applicant_kind=citizen", "--field", 'note="ghi-chu-2"')
    ran = hub("new", "source", "thua", "--sample", "a.json", "--write", *options)
    assert ran.status == 0, ran.err
    mapping = Path("mappings/thua/dossier.yaml").read_text(encoding="utf-8")
    assert 'agency: {path: "\\"Co quan\\"", agency: code}' in mapping
    assert "# ? Đang ngủ: what does it mean? 1 of the sample's rows wait until it is known" in mapping
    assert "Đang xử lý: 4" in mapping
    assert "MM/dd/yyyy would read them too" in mapping
    assert "none: [" in mapping
    assert "row 1 park: status: is not in the table 'status'" in ran.out
    assert "the agencies file knows no 'Sở Y tế'" in ran.err
    assert passes(hub)["ok"]


def test_json_says_all_of_it(hub: Any) -> None:
    told = hub("new", "source", "so-y-te", "--sample", str(SAMPLES / "so-y-te-1.json"), "--json").json
    assert (told["ok"], told["rows_at"], told["accepted"], told["refused"]) == (True, "du_lieu", 2, 0)
    assert told["fields"]["number"] == {"is": {"path": "so_ho_so", "required": True}, "why": "by name", "doubt": ""}
    assert told["unknown_agencies"] == ["000.00.17.H59"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Sở Y tế", "--sample", "a.json"), "'Sở Y tế' is no name [wrong-name]"),
        (("x",), "there is nothing to learn from"),
        (("x", "--sample", "none.json"), "none.json: cannot be read: no such file"),
        (("x", "--sample", "broken.json"), "broken.json: not JSON"),
        (("x", "--sample", "empty.json"), "no list of rows was found in this JSON"),
        (("x", "--sample", "two.json"), "choose by --each, such as --each a"),
        (("x", "--sample", "two.json", "--each", "c"), "with their counts there are: a (2), b (2)"),
        (("x", "--sample", "a.json", "--kind", "dossier.v9"), "there is no kind 'dossier.v9'"),
        (("x", "--sample", "a.json", "--field", "nubmer=MaHoSo"), "dossier.v1 has no field 'nubmer'"),
        (("x", "--sample", "a.json", "--field", "note=Nowhere"), "no row has 'Nowhere'"),
        (("x", "--sample", "a.json", "--const", "channel=fax"), "channel has no code 'fax'"),
        (("x", "--sample", "a.json", "--into", "none/hub.yaml"), "hub init none writes one"),
        (("x", "--wsdl", "none.wsdl"), "none.wsdl: cannot be read"),
        (("x", "--wsdl", "a.json"), "a.json: cannot be used"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_mend(hub: Any, arguments: tuple[str, ...], said: str) -> None:
    Path("a.json").write_text(SPARSE, encoding="utf-8")
    Path("broken.json").write_text("{", encoding="utf-8")
    Path("empty.json").write_text('{"du_lieu": []}', encoding="utf-8")
    Path("two.json").write_text('{"a": [{"q": 1}, {"q": 2}], "b": [{"q": 1}, {"q": 2}]}', encoding="utf-8")
    constants = () if "--const" in arguments else ("--const", "channel=counter", "--const", "applicant_kind=citizen")
    ran = hub("new", "source", *arguments, *constants)
    assert ran.status == 1
    assert said in ran.err


def test_nothing_is_overwritten(hub: Any) -> None:
    sample = ("--sample", str(SAMPLES / "so-y-te-1.json"))
    assert hub("new", "source", "mot-cua", *sample, "--write").status == 1
    assert hub("new", "source", "so-y-te", *sample).status == 0
    kept = Path("mappings/so-y-te/dossier.yaml").read_bytes()
    ran = hub("new", "source", "so-y-te", *sample, "--write")
    assert ran.status == 1
    assert "mappings/so-y-te/dossier.yaml: is there already [file-exists]" in ran.err
    assert Path("mappings/so-y-te/dossier.yaml").read_bytes() == kept
    assert "so-y-te:" not in Path("hub.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("sources", ["sources: {}\n", "sources: {a: {adapter: files}}\n"])
def test_a_block_on_one_line_is_left_to_a_person(hub: Any, sources: str) -> None:
    Path("hub.yaml").write_text(f"hub: {{name: x, province: H59}}\n{sources}", encoding="utf-8")
    ran = hub("new", "source", "so-y-te", "--sample", str(SAMPLES / "so-y-te-1.json"), "--write")
    assert ran.status == 1
    assert "paste the section that is printed without --write" in ran.err
    assert not Path("mappings/so-y-te").exists()


# --- WSDL -------------------------------------------------------------------------------------------------------------

ROW = {
    "SoHoSo": "000.00.15.H59-170302-0001", "MaThuTuc": "1.003560", "TenThuTuc": "Cấp giấy phép bưu chính",
    "DonVi": "000.00.15.H59", "LoaiDoiTuong": "Công dân", "NguoiNop": "Hồ Văn Giàu", "HinhThucNop": "Trực tiếp",
    "TrangThai": "Đang xử lý", "NgayTiepNhan": "02/03/2017 08:00:00", "NgayCapNhat": "02/03/2017 08:15:00",
}  # fmt: skip


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """A SOAP service that has one dossier."""
    data = tmp_path / "ticks.json"
    agency = {"name": "Sở Thông tin", "code": "000.00.15.H59", "system": "soap", "ticks": [[ROW]]}
    data.write_text(json.dumps({"agencies": {"so-tttt": agency}}), encoding="utf-8")
    with running(soap_one_stop.create, data=data) as twin:
        httpx.post(f"{twin.url}/_twin/tick", json={"tick": 1}).raise_for_status()
        yield f"{twin.url}/so-tttt/MotCua.asmx?wsdl"


def test_a_wsdl_alone_lists_what_it_offers(hub: Any, service: str) -> None:
    ran = hub("new", "source", "so-tttt", "--wsdl", service)
    assert ran.status == 0
    assert "LayDanhSachHoSo(tuNgay: string?, trang: int, kichThuoc: int) -> string" in ran.out
    assert f"--wsdl {service} --operation LayDanhSachHoSo --call" in ran.out
    [operation] = hub("new", "source", "so-tttt", "--wsdl", service, "--json").json["operations"]
    assert [one["name"] for one in operation["arguments"]] == ["tuNgay", "trang", "kichThuoc"]


def test_a_service_that_is_called_becomes_a_source(hub: Any, service: str) -> None:
    asked = ("--operation", "LayDanhSachHoSo", "--call", "--argument", "tuNgay=01/01/2017 00:00:00")
    ran = hub("new", "source", "so-tttt", "--wsdl", service, *asked, "--argument", "trang=1", "--write")
    assert ran.status == 1
    assert "needs kichThuoc [wrong-argument]" in ran.err
    paged = ("--argument", "trang=1", "--argument", "kichThuoc=20", "--write")
    ran = hub("new", "source", "so-tttt", "--wsdl", service, *asked, *paged)
    assert ran.status == 0, ran.err
    assert passes(hub)["ok"]
    text = Path("hub.yaml").read_text(encoding="utf-8")
    assert 'since: {argument: tuNgay, format: "dd/MM/yyyy HH:mm:ss", overlap_s: 60' in text
    assert "page: {argument: trang, size_argument: kichThuoc, size: 20}" in text
    assert "Hồ Văn Giàu" not in Path("samples/so-tttt-1.xml").read_text(encoding="utf-8")
    agencies = Path("agencies.yaml")
    row = "- {code: H59.15, name: Sở Thông tin, level: province, aliases: [000.00.15.H59]}\n"
    agencies.write_text(agencies.read_text(encoding="utf-8") + row, encoding="utf-8")
    # Nobody has started the portal: what counts here is that the row is read and accepted.
    done = hub("run", "hub.yaml", "--once", "--wait-s", "0", "--json")
    assert done.json["rows"]["accepted"] == 1, done.out + done.err


def test_an_operation_that_there_is_not_is_said_with_the_nearest(hub: Any, service: str) -> None:
    ran = hub("new", "source", "x", "--wsdl", service, "--operation", "LayDanhSachHoso", "--call")
    assert "did you mean 'LayDanhSachHoSo'?" in ran.err
    ran = hub("new", "source", "x", "--wsdl", service, "--operation", "LayDanhSachHoSo", "--argument", "tuNgya=1")
    assert "did you mean 'tuNgay'?" in ran.err


RPC = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="urn:mc" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/" targetNamespace="urn:mc" name="MotCua">
  <types><xsd:schema targetNamespace="urn:mc">
    <xsd:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>
    <xsd:complexType name="HoSo"><xsd:all><xsd:element name="SoHoSo" type="xsd:string"/></xsd:all></xsd:complexType>
    <xsd:complexType name="DanhSach"><xsd:complexContent><xsd:restriction base="enc:Array">
      <xsd:attribute ref="enc:arrayType" wsdl:arrayType="tns:HoSo[]"/>
    </xsd:restriction></xsd:complexContent></xsd:complexType>
  </xsd:schema></types>
  <message name="LayRequest"><part name="ngay" type="xsd:string"/><part name="ma" type="xsd:int"/></message>
  <message name="LayResponse"><part name="return" type="tns:DanhSach"/></message>
  <portType name="P"><operation name="layHoSo">
    <input message="tns:LayRequest"/><output message="tns:LayResponse"/></operation></portType>
  <binding name="B" type="tns:P"><soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="layHoSo"><soap:operation soapAction="urn:mc#layHoSo"/>
      <input><soap:body use="encoded" namespace="urn:mc"
        encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"/></input>
      <output><soap:body use="encoded" namespace="urn:mc"
        encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"/></output></operation></binding>
  <service name="S"><port name="P" binding="tns:B"><soap:address location="ADDRESS"/></port></service>
</definitions>"""
"""As PHP's toolkit writes it: rpc/encoded, with a schema that is imported from an address outside."""
ENVELOPE = (
    '<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
    "<e:Body>{}</e:Body></e:Envelope>"
)
ITEMS = (
    '<n:layHoSoResponse xmlns:n="urn:mc" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
    '<return i:type="n:DanhSach">'
    + "".join(
        f'<item i:type="n:HoSo"><SoHoSo i:type="string">H-{n}</SoHoSo>'
        "<MaTTHC>1.003560</MaTTHC><TenTTHC>Cấp phép</TenTTHC>"
        "<DonVi>000.00.01.H59</DonVi><DoiTuong>Cá nhân</DoiTuong><HoTen>Hồ Văn Giàu</HoTen><Kenh>Trực tiếp</Kenh>"
        "<TrangThai>Mới</TrangThai><NgayNhan>13/02/2026</NgayNhan></item>"
        for n in (1, 2)
    )
    + "</return></n:layHoSoResponse>"
)


@pytest.fixture
def rpc() -> Iterator[dict[str, Any]]:
    """A service that answers what `answer` and `status` say, and keeps what it is sent."""
    told: dict[str, Any] = {"answer": ENVELOPE.format(ITEMS), "status": 200, "sent": [], "authorization": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(200, RPC.replace("ADDRESS", told["url"]))

        def do_POST(self) -> None:
            told["authorization"].append(self.headers.get("Authorization"))
            told["sent"].append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.reply(told["status"], told["answer"])

        def reply(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        told["url"] = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield told
        server.shutdown()
        thread.join(10)


ASKED = ("--operation", "layHoSo", "--call", "--argument", "ngay=01/01/2026", "--argument", "ma=7")


def test_an_rpc_service_whose_schema_is_out_of_reach_becomes_a_source(hub: Any, rpc: dict[str, Any]) -> None:
    wsdl = f"{rpc['url']}?wsdl"
    assert "layHoSo(ngay: string, ma: int) -> DanhSach" in hub("new", "source", "mc", "--wsdl", wsdl).out
    ran = hub("new", "source", "mc", "--wsdl", wsdl, *ASKED, "--write")
    assert ran.status == 0, ran.err
    assert "2 rows at /Envelope/Body/layHoSoResponse/return/item" in ran.out
    assert "2 of 2 rows of the sample become dossier.v1" in ran.out
    assert ">7<" in rpc["sent"][0]
    assert passes(hub)["ok"]
    assert 'arguments: {ngay: "01/01/2026", ma: 7}' in Path("hub.yaml").read_text(encoding="utf-8")
    assert "Giàu" not in Path("samples/mc-1.xml").read_text(encoding="utf-8")


def test_a_log_in_takes_its_password_from_the_environment_and_nowhere_else(
    hub: Any, rpc: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("new", "source", "mc", "--wsdl", f"{rpc['url']}?wsdl", *ASKED, "--username", "hub", "--write")
    assert "the environment variable MC_PASSWORD is not set" in hub(*asked).err
    monkeypatch.setenv("MC_PASSWORD", "bí mật")
    assert hub(*asked).status == 0
    basic = "Basic " + base64.b64encode("hub:bí mật".encode()).decode()
    assert set(rpc["authorization"]) == {basic}
    text = Path("hub.yaml").read_text(encoding="utf-8")
    assert "username: hub" in text
    assert 'password: "${MC_PASSWORD}"' in text
    assert "bí mật" not in text
    assert passes(hub)["warnings"] == []


def test_a_wsdl_in_a_file_is_named_from_the_folder_of_the_configuration(
    hub: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mc.wsdl").write_text(RPC, encoding="utf-8")
    Path("answer.xml").write_text(ENVELOPE.format(ITEMS), encoding="utf-8")
    monkeypatch.chdir(project.parent)
    files = ("--wsdl", f"{project.name}/mc.wsdl", "--sample", f"{project.name}/answer.xml")
    ran = hub("new", "source", "mc", *files, "--operation", "layHoSo", "--into", f"{project.name}/hub.yaml", "--write")
    assert ran.status == 0, ran.err
    assert "\n      wsdl: mc.wsdl\n" in (project / "hub.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (ENVELOPE.format("<e:Fault><faultstring>Sai mật khẩu</faultstring></e:Fault>"), 500, "a fault: Sai mật khẩu"),
        (ENVELOPE.format("<e:Fault><faultstring>Hết phiên</faultstring></e:Fault>"), 200, "a fault: Hết phiên"),
        ("<html/>", 503, "answered HTTP 503"),
        (ENVELOPE.format("<n/>"), 200, "no list of rows was found in this XML"),
    ],
)
def test_a_service_that_gives_no_rows_is_quoted(
    hub: Any, rpc: dict[str, Any], answer: str, status: int, said: str
) -> None:
    rpc.update(answer=answer, status=status)
    ran = hub("new", "source", "mc", "--wsdl", f"{rpc['url']}?wsdl", *ASKED, "--write")
    assert ran.status == 1
    assert said in ran.err
    assert not Path("mappings/mc").exists()


# --- destinations -----------------------------------------------------------------------------------------------------

PAYLOAD = {
    "MaHoSo": "H-1", "TenThuTuc": "Cấp phép", "NgayTiepNhan": "20260302081500", "NgayHenTra": "2026-03-16T17:00:00",
    "TrangThai": "4", "ChuHoSo": "Lê Thị Sáu", "DonVi": "H59.15", "TaiLieu": [], "Khac": "", "SoThuTu": 7,
}  # fmt: skip


def test_a_payload_becomes_a_destination(hub: Any) -> None:
    Path("payload.json").write_text(json.dumps({"session": "s", "data": [PAYLOAD]}), encoding="utf-8")
    ran = hub("new", "destination", "so", "--sample", "payload.json", "--adapter", "lgsp", "--write")
    assert ran.status == 0, ran.err
    mapping = Path("mappings/so/dossier.yaml").read_text(encoding="utf-8")
    assert "MaHoSo: {field: number, required: true}" in mapping
    assert "NgayTiepNhan: {field: received_at, date: yyyyMMddHHmmss}" in mapping
    assert "NgayHenTra: {field: due_at, date: iso}" in mapping
    assert "TaiLieu: {const: []}" in mapping
    text = Path("hub.yaml").read_text(encoding="utf-8")
    assert 'client_secret: "${SO_CLIENT_SECRET}"' in text
    assert "#   dvcqg: National public service portal" in text
    for name in ("SO_URL", "SO_CLIENT_ID", "SO_CLIENT_SECRET"):
        text = text.replace(f"${{{name}}}", "http://127.0.0.1:9")
    Path("hub.yaml").write_text(text, encoding="utf-8")
    told = passes(hub)
    assert told["ok"], told
    assert [one["rule"] for one in told["warnings"]] == ["unused-destination", "plain-secret"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("so", "--sample", "none.json"), "none.json: cannot be read"),
        (("so", "--sample", "list.json"), "holds no object with members"),
        (("so", "--sample", "payload.json", "--adapter", "soap"), "is for a source"),
        (("so", "--sample", "payload.json", "--field", "Khac=nubmer"), "dossier.v1 has no field 'nubmer'"),
        (("so", "--sample", "payload.json", "--field", "Kha=note"), "the payload has no 'Kha'"),
        (("S O", "--sample", "payload.json"), "'S O' is no name"),
    ],
)
def test_a_destination_that_cannot_be_made_is_said(hub: Any, arguments: tuple[str, ...], said: str) -> None:
    Path("payload.json").write_text(json.dumps(PAYLOAD), encoding="utf-8")
    Path("list.json").write_text("[1]", encoding="utf-8")
    ran = hub("new", "destination", *arguments)
    assert ran.status == 1
    assert said in ran.err


def test_a_payload_may_be_xml_a_form_or_a_query(hub: Any) -> None:
    Path("a.xml").write_text("<HoSo><MaHoSo>H-1</MaHoSo></HoSo>", encoding="utf-8")
    Path("a.txt").write_text("MaHoSo=H-1", encoding="utf-8")
    told = hub("new", "destination", "so", "--sample", "a.xml", "--json").json
    assert (told["format"], told["members"]) == ("xml", {"MaHoSo": "by name"})
    assert "it has to send xml" in told["section"]
    told = hub("new", "destination", "ba", "--sample", "a.txt", "--format", "query", "--json", "--dry-run").json
    assert (told["format"], told["written"]) == ("query", [])
    for test in Path("mappings").rglob("*_test.yaml"):
        assert [result.problems for result in run(test) if not result.ok] == []
    ran = hub("new", "destination", "hai", "--sample", "a.xml", "--adapter", "lgsp", "--write")
    assert (ran.status, Path("mappings/hai").exists()) == (1, False)
    assert "the payload is xml, the adapter 'lgsp' sends json [wrong-format]" in ran.err
    ran = hub("new", "destination", "hai", "--sample", "a.xml", "--format", "yaml")
    assert "--format yaml: there is no such form [wrong-format] — use one of: json, xml, form, query" in ran.err
