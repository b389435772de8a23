"""`hub items` on a real ledger, with files that were refused for real, while a hub runs and while none does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from hub.cli.since import since, until
from hub.cli.source_row import source_row
from hub.control import listening
from hub.ledger import DestinationRules, Ledger
from hub.operations import Place
from hub.ports import Arrival
from hub.process import process
from hub.rulebook import rulebook
from hub.settings import load
from mappings.catalogue import load as mapping
from schemas.local_time import LOCAL

CONFIG = """\
hub: {name: thu, province: H59}
ledger: {url: "sqlite:///hub.db"}
agencies: agencies.yaml
sources:
  cau-ngang:
    adapter: files
    mappings: [mine/dossier]
    settings: {folder: drop, pattern: "hoso-*.csv", media: csv, settle_s: 0}
destinations:
  provincial:
    adapter: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings: {url: "http://127.0.0.1:9", client_id: truc-lien-thong, client_secret: "${SECRET:-x}"}
routes:
  - {kinds: [dossier.v1], to: [provincial]}
"""
KNOWN = "- {code: H59.34, name: UBND huyện Cầu Ngang, level: district, aliases: [000.00.34.H59]}\n"
MISSING = "- {code: H59.31, name: UBND thành phố Trà Vinh, level: district, aliases: [000.00.31.H59]}\n"
HEADER = (
    "SO_HO_SO;MA_TTHC;TEN_TTHC;MA_LINH_VUC;LINH_VUC;MA_DON_VI;LOAI_DOI_TUONG;HO_TEN;SO_GIAY_TO;DIA_CHI;DIEN_THOAI;EMAIL;"
    "TRICH_YEU;KENH;MUC_DO;TRANG_THAI;NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_TRA;GHI_CHU;NGAY_CAP_NHAT"
)
NAME, PAPER = "Thạch Thị Sa", "084199001234"
DATES = "date: yyyyMMddHHmmss"


def row(number: str, agency: str = "000.00.34.H59", received: str = "20170301083000") -> str:
    about = f"{number};1.001193.000.00.00.H59;Đăng ký khai sinh;HT;Hộ tịch;{agency};1;{NAME};{PAPER};;;;;1;2;2"
    return f"{about};{received};20170306170000;;;;20170301100000"


class Office:
    """A folder with a configuration and a ledger; what is dropped is settled without adapters and portals."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "hub.yaml"
        self.url = f"sqlite:///{folder / 'hub.db'}"
        self.file.write_text(CONFIG, encoding="utf-8")
        (folder / "mappings" / "mine").mkdir(parents=True)
        catalogue = Path(mapping.__code__.co_filename).parent / "catalogue" / "one-stop-csv"
        self.shipped = (catalogue / "dossier.yaml").read_text(encoding="utf-8")
        (folder / "mappings" / "mine" / "tables").mkdir()
        tables = (catalogue / "tables" / "status.yaml").read_text(encoding="utf-8")
        (folder / "mappings" / "mine" / "tables" / "status.yaml").write_text(tables, encoding="utf-8")
        self.agencies(KNOWN)
        self.mapping()

    def agencies(self, *rows: str) -> None:
        (self.folder / "agencies.yaml").write_text("".join(rows), encoding="utf-8")

    def mapping(self, was: str = "", now: str = "") -> None:
        text = self.shipped.replace("one-stop-csv/dossier", "mine/dossier")
        assert was in text
        (self.folder / "mappings" / "mine" / "dossier.yaml").write_text(text.replace(was, now), encoding="utf-8")

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        made = Ledger(self.url, {"provincial": DestinationRules()}, sources=["cau-ngang"])
        await made.open(take_over=True)
        try:
            yield made
        finally:
            await made.close()

    def drop(self, *lines: str, header: str = HEADER, label: str = "hoso-0001.csv") -> None:
        async def main() -> None:
            async with self.ledger() as ledger:
                body, now = "\n".join([header, *lines]).encode(), datetime.now(UTC)
                arrival = Arrival(uuid.uuid4().hex, "cau-ngang", body, "csv", now, now, label)
                lease = await ledger.lease_source("cau-ngang")
                assert lease is not None
                rules = rulebook(load(self.file))
                await ledger.settle(process(arrival, rules, lease, ledger.digest_key))

        asyncio.run(main())


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.delenv("HUB_LEDGER_URL", raising=False)
    monkeypatch.setenv("HUB_WHO", "lan")
    return Office(tmp_path)


@pytest.fixture
def items(office: Office, hub: Any) -> Any:
    """Run `hub items` on the office's ledger."""
    return lambda *arguments: hub("items", *arguments, "--config", str(office.file))


def test_what_was_refused_is_listed_with_its_causes_on_top_and_personal_data_hidden(office: Office, items: Any) -> None:
    office.drop(row("A-1"), row("B-1", agency="000.00.31.H59"), row("B-2", received="01/03/2017"), row("B-3", "x"))
    office.drop("a;b", header="SO_HO_SO;TEN", label="hoso-0002.csv")
    out = items("list").out
    assert out.startswith("4 refused items: 2 parked, 1 rejected, 1 unreadable\n")
    assert "       1  cau-ngang  received_at: is no date written as yyyyMMddHHmmss  rejected" in out
    assert "1.2.0  rejected  cau-ngang, hoso-0001.csv  B-2  H59.34, read" in out
    assert "received_at: is no date written as yyyyMMddHHmmss at NGAY_TIEP_NHAN (found '01/03/2017')" in out
    found = items("list", "--json").json
    assert (found["total"], [one["id"] for one in found["items"]]) == (4, ["1.1.0", "1.2.0", "1.3.0", "2"])
    [fault] = found["items"][1]["faults"]
    assert fault["reason_vi"] == "Ngày giờ không viết theo dạng yyyyMMddHHmmss"
    assert [one["id"] for one in items("list", "--state", "rejected", "--json").json["items"]] == ["1.2.0"]
    assert items("list", "--since", "1h", "--text", "CẦU NGANG").out == "nothing is refused that fits\n"
    assert NAME not in out


def test_a_name_that_nothing_knows_is_refused_and_an_alias_means_its_agency(office: Office, items: Any) -> None:
    office.drop(row("B-2", received="01/03/2017"))
    for command in (("list",), ("redo",), ("dismiss", "--why", "x")):
        source = items(*command, "--source", "cau-nang")
        assert (source.status, source.out) == (1, "")
        assert (
            "neither the ledger nor the configuration knows 'cau-nang' [unknown-source] — did you mean 'cau-ngang'?"
            in source.err
        )
        agency = items(*command, "--agency", "H59.43", "--json")
        assert agency.status == 1
        assert agency.json["problems"][0]["rule"] == "unknown-agency"
    for named in ("H59.34", "000.00.34.H59", "UBND huyện Cầu Ngang"):
        assert items("list", "--agency", named, "--json").json["total"] == 1
    (office.folder / "agencies.yaml").write_text("- [", encoding="utf-8")
    assert items("list", "--agency", "H59.34", "--json").json["total"] == 1
    assert "--agency: neither the ledger" in items("list", "--agency", "H59.43").err


def test_one_item_is_shown_with_both_languages_and_its_masked_row(office: Office, items: Any) -> None:
    office.drop(row("B-2", received="01/03/2017"))
    out = items("show", "1.0.0").out
    for told in (
        "Ngày giờ không viết theo dạng yyyyMMddHHmmss",
        "is no date written as yyyyMMddHHmmss",
        "NGAY_TIEP_NHAN",
        "received_at",
        "mine/dossier",
        "Sửa giá trị này trong phần mềm của đơn vị",
        '"SO_HO_SO": "B-2"',
        '"NGAY_TIEP_NHAN": "01/03/2017"',
        '"HO_TEN": "•••"',
    ):
        assert told in out, told
    assert NAME not in out
    assert PAPER not in out
    revealed = items("show", "1.0.0", "--reveal", "--json").json
    assert NAME in revealed["row"]
    assert items("show", "1.0.0", "--original", "--reveal").out.startswith(HEADER)
    assert items("show", "1.0.0", "--original").status == 1
    assert items("show", "1.5.0").status == items("show", "one").status == 1


def test_where_nobody_knows_what_is_personal_nothing_is_shown(office: Office, items: Any) -> None:
    office.drop(row("B-2", received="01/03/2017"))
    office.drop(NAME, header="HO_TEN", label="hoso-0002.csv")
    page = items("show", "2").out
    assert "The row is not shown" in page
    assert NAME not in page
    assert NAME in items("show", "2", "--reveal").out
    office.mapping("SO_HO_SO", "SO_KHAC")
    other = items("show", "1.0.0").out
    assert "The row is not shown: the mappings of its source cannot read its page" in other
    office.file.write_text(CONFIG.replace("mine/dossier", "mine/dosier"), encoding="utf-8")
    assert "hub check" in items("show", "1.0.0").out
    office.file.write_text(CONFIG.replace("cau-ngang:", "another:"), encoding="utf-8")
    assert "the configuration has no source cau-ngang" in items("show", "1.0.0").out


def test_to_see_a_row_no_secret_has_to_be_known(office: Office, items: Any) -> None:
    office.drop(row("B-2", received="01/03/2017"))
    office.file.write_text(CONFIG.replace("${SECRET:-x}", "${ONLY_THE_HUB_KNOWS}"), encoding="utf-8")
    assert '"SO_HO_SO": "B-2"' in items("show", "1.0.0").out
    assert items("redo", "--all").status == 1


def test_after_a_mend_items_are_done_again_without_a_hub(office: Office, items: Any) -> None:
    office.drop(row("B-1", agency="000.00.31.H59"), row("B-2", received="01/03/2017"), row("B-3", agency="zz"))
    office.agencies(KNOWN, MISSING)
    assert items("redo", "--state", "parked", "--json").json["became"] == {"accepted": 1, "parked": 1}
    office.mapping(
        "received_at: {path: NGAY_TIEP_NHAN, " + DATES, "received_at: {path: NGAY_TIEP_NHAN, date: dd/MM/yyyy"
    )
    assert items("redo", "1.1.0").out == "1 item: 1 accepted\n"
    again = items("redo", "--all").out.splitlines()
    assert again[0] == "1 item: 1 rejected", "it is refused for what is wrong with it now"
    assert again[1].startswith("       1  rejected  received_at: is no date written as dd/MM/yyyy at NGAY_TIEP_NHAN")
    assert items("redo", "1.2.0").out.splitlines() == again
    assert items("redo", "1.1.0").status == 1
    assert [one["id"] for one in items("list", "--json").json["items"]] == ["1.2.0"]


def test_a_file_that_could_not_be_read_is_done_again_from_the_ledger(office: Office, items: Any) -> None:
    office.drop(row("B-1"), row("B-2"), header=HEADER.replace("HO_TEN", "TEN_CHU_HO_SO"))
    assert items("redo", "1").out == "1 item: 1 cannot be read\n"
    office.mapping("applicant_name: HO_TEN", "applicant_name: TEN_CHU_HO_SO")
    assert items("redo", "1").out == "2 items: 2 accepted\n"
    assert items("list", "--json").json["total"] == 0


def test_while_a_hub_runs_it_is_asked_and_reads_the_mappings_anew(office: Office, items: Any) -> None:
    office.drop(row("B-1", agency="000.00.31.H59"), row("B-2", agency="zz"))
    office.agencies(KNOWN, MISSING)
    tickets: list[Any] = []

    async def publish(some: Any) -> None:
        tickets.extend(some)

    async def main() -> tuple[Any, Any, list[Any]]:
        async with office.ledger() as ledger, listening(office.url, Place(ledger, office.file, publish)):
            redone = await asyncio.to_thread(items, "redo", "--agency", "H59.31", "--source", "cau-ngang")
            every = await asyncio.to_thread(items, "redo", "--all", "--why", "the register was short")
            return redone, every, await ledger.operations()

    redone, every, deeds = asyncio.run(main())
    assert redone.out == "0 items\n", "whose it is was not known while it was refused"
    assert every.out.splitlines()[0] == "2 items: 1 accepted, 1 parked"
    assert [ticket.key for ticket in tickets] == ["B-1"]
    assert [(one.who, one.what, one.why, one.count) for one in deeds] == [("lan", "redo", "the register was short", 2)]


def test_a_configuration_with_problems_is_refused_with_all_of_them(office: Office, items: Any) -> None:
    office.drop(row("B-1", agency="zz"))
    office.file.write_text(
        CONFIG.replace("mine/dossier", "mine/dosier").replace("lgsp/dossier", "lgsp/dosier"), "utf-8"
    )

    async def main() -> Any:
        async with office.ledger() as ledger, listening(office.url, Place(ledger, office.file)):
            return await asyncio.to_thread(items, "redo", "--all")

    for ran in (items("redo", "--all"), asyncio.run(main())):
        assert ran.status == 1
        assert "mine/dosier" in ran.err
        assert "lgsp/dosier" in ran.err


def test_what_is_no_item_is_said_once(office: Office, items: Any) -> None:
    office.drop(row("B-1", agency="zz"))
    ran = items("show", "x")
    mend = "`hub items list` has the names: 412.3.0, or 412 for a whole page"
    assert (ran.status, ran.err) == (1, f"error: 'x' is no item [unknown-id] — {mend}\n")


def test_to_dismiss_needs_names_and_a_reason(office: Office, items: Any) -> None:
    office.drop(row("B-1", agency="zz"), row("B-2", agency="zz"))
    for empty in ((), ("--why", " ")):
        refused = items("dismiss", "1.0.0", *empty)
        assert (refused.status, "say why: --why 'the reason'" in refused.err) == (2, True)
    assert items("dismiss", "--why", "x").status == 2
    assert items("dismiss", "1.0.0", "--source", "cau-ngang", "--why", "x").status == 2
    assert items("dismiss", "1.0.0", "--why", "đơn vị đã rút").out == "1 item dismissed\n"
    assert [one["id"] for one in items("list", "--json").json["items"]] == ["1.1.0"]
    assert "dismissed by lan" in items("list", "--dismissed").out
    assert "đơn vị đã rút" in items("show", "1.0.0").out
    assert items("dismiss", "--source", "cau-ngang", "--why", "x", "--json").json == {"items": 1}


@pytest.mark.parametrize(
    "arguments", [("redo",), ("redo", "1.0.0", "--all"), ("redo", "--all", "--source", "s"), ("list", "--state", "bad")]
)
def test_what_is_asked_wrongly(items: Any, arguments: tuple[str, ...]) -> None:
    assert items(*arguments).status == 2


# --- times ------------------------------------------------------------------------------------------------------------


def test_times_are_those_of_viet_nam() -> None:
    now = datetime(2026, 11, 22, 9, 0, tzinfo=LOCAL)
    assert since("2026-11-20") == datetime(2026, 11, 20, tzinfo=LOCAL)
    assert until("2026-11-20") == datetime(2026, 11, 21, tzinfo=LOCAL)
    assert since("2026-11-20 08:00") == until("2026-11-20 08:00") == datetime(2026, 11, 20, 8, tzinfo=LOCAL)
    assert since("3h", now) == datetime(2026, 11, 22, 6, tzinfo=LOCAL)
    assert until("2d", now) == datetime(2026, 11, 20, 9, tzinfo=LOCAL)
    for nonsense in ("yesterday", "2026-13-01", "", "999999d"):
        with pytest.raises(typer.BadParameter):
            since(nonsense, now)


# --- masking a row ----------------------------------------------------------------------------------------------------

SOAP = """<Envelope><LayDanhSachHoSoResult>&lt;DanhSachHoSo&gt;&lt;HoSo la="Thạch Thị Sa"&gt;&lt;!-- Thạch Thị Sa --&gt;
&lt;SoHoSo&gt;B-1&lt;/SoHoSo&gt;&lt;NguoiNop&gt;Thạch Thị Sa&lt;/NguoiNop&gt;&lt;TrangThai&gt;Chờ&lt;/TrangThai&gt;
&lt;NguoiUyQuyen&gt;Kim Thị Hoa&lt;/NguoiUyQuyen&gt;&lt;LinhVuc&gt;do Thạch Thị Sa nộp&lt;/LinhVuc&gt;
&lt;QuaTrinh&gt;&lt;Buoc&gt;&lt;NguoiXuLy&gt;Trần Văn Sáu&lt;/NguoiXuLy&gt;&lt;ChucDanh&gt;Chuyên viên&lt;/ChucDanh&gt;
&lt;/Buoc&gt;&lt;/QuaTrinh&gt;&lt;/HoSo&gt;&lt;/DanhSachHoSo&gt;</LayDanhSachHoSoResult></Envelope>"""


def test_in_a_row_only_what_is_known_to_be_harmless_is_shown() -> None:
    mappings: list[Any] = [mapping("one-stop-soap/dossier"), mapping("one-stop-soap/step")]
    shown = source_row(mappings, SOAP.encode(), None, "page 1", 0, reveal=False)
    assert shown is not None
    text = shown.decode()
    for value in ("B-1", "Chờ", "Chuyên viên"):
        assert f">{value}<" in text
    for person in ("Thạch", "Hoa", "Sáu"):
        assert person not in text
    whole = source_row(mappings, SOAP.encode(), None, "page 1", 0, reveal=True)
    assert whole is not None
    assert "Kim Thị Hoa" in whole.decode()
    assert source_row(mappings, SOAP.encode(), None, "page 1", 1, reveal=True) is None
    assert source_row(mappings, b"garbage", None, "page 1", 0, reveal=True) is None
    assert source_row([], SOAP.encode(), None, "page 1", 0, reveal=True) is None


def test_in_json_numbers_and_nested_values_are_masked_too() -> None:
    body = (
        '{"trang": 1, "tong_trang": 1, "du_lieu": [{"so_ho_so": "B-1", "muc_do": 4, "dien_thoai": 912345678, '
        '"cha": {"ho_ten": "Kim Thị Hoa", "tuoi": 61}, "qua_trinh": [{"nguoi_xu_ly": "Sáu", "chuc_danh": "CV"}]}]}'
    )
    mappings: list[Any] = [mapping("one-stop-rest/dossier"), mapping("one-stop-rest/step")]
    shown = source_row(mappings, body.encode(), None, "page 1", 0, reveal=False)
    assert shown is not None
    text = shown.decode()
    assert all(value in text for value in ('"so_ho_so": "B-1"', '"muc_do": 4', '"chuc_danh": "CV"'))
    assert not any(value in text for value in ("912345678", "Hoa", "61", "Sáu"))
