"""What only the SOAP source has: a WSDL, envelopes, faults."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from adapters.sandbox.soap_one_stop import NAMESPACE, WSDL
from adapters.soap import SoapSource
from hub.ports import AdapterContext
from mappings.decode import SourceSpec, Unwrap
from mappings.document import decoder
from schemas.errors import SourceFault
from tests.contract.sources.systems import SLUG, Make, dossiers, poll, polls

PAGE = SourceSpec(
    format="xml",
    unwrap=(Unwrap("//*[local-name()='LayDanhSachHoSoResult']", "xml"),),
    within="/DanhSachHoSo",
    each="HoSo",
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"within": "/DanhSach"}, "rows: /DanhSach is not there; the document is <DanhSachHoSo>.*mend `rows`"),
        ({"pages": "/DanhSachHoSo/@soTrang"}, "rows.pages: .*cannot be read at '/DanhSachHoSo/@soTrang'"),
        ({"changed": "Ngay"}, "rows.changed: none of 7 rows has a time at 'Ngay' .*it is not there"),
    ],
)
def test_rows_that_do_not_fit_the_answer_are_said_after_the_page(make: Make, change: dict[str, Any], said: str) -> None:
    system = make("soap", [dossiers(7)])
    system.tick(1)
    seen: list[Any] = []
    with system.source(rows={**system.settings().rows.model_dump(), **change}) as source:

        async def main() -> None:
            try:
                async for arrival in source.arrivals({}):
                    seen.append(arrival)
                    await source.settled(arrival, [], parked=False)
            finally:
                await source.close()

        with pytest.raises(SourceFault, match=said):
            asyncio.run(main())
    assert {arrival.cursor for arrival in seen} == {None}


@pytest.mark.parametrize("cdata", [[], [SLUG]])
def test_the_arrival_is_the_whole_envelope_and_needs_no_wsdl_to_be_read(make: Make, cdata: list[str]) -> None:
    system = make("soap", [dossiers(3)], cdata=cdata)
    system.tick(1)
    with system.source() as source:
        ((arrivals, _),) = polls(source, [{}])
    (arrival,) = arrivals
    assert arrival.body.startswith(b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope')
    assert arrival.label == "LayDanhSachHoSo page 1"
    assert arrival.charset == "utf-8"
    document = decoder(PAGE)(arrival.body, arrival.charset)
    assert [row.findtext("SoHoSo") for row in document.rows] == [row.number for row in dossiers(3)]
    assert document.rows[0].findtext("QuaTrinh/Buoc/NguoiXuLy") == "Trần Văn <Bình> & cộng sự"
    assert document.rows[0].find("_note") is None


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("fault", "the service answered a fault: Lỗi kết nối cơ sở dữ liệu: hết thời gian chờ"),
        ("fault-200", "the service answered a fault: Phiên làm việc đã hết hạn"),
    ],
)
def test_a_soap_fault_is_a_source_fault_whatever_the_http_status(make: Make, mode: str, said: str) -> None:
    system = make("soap", [dossiers(3)])
    system.tick(1)
    system.fault(mode, scope=SLUG)
    with system.source() as source, pytest.raises(SourceFault, match=said):
        polls(source, [{}])


def test_a_row_that_speaks_of_faults_is_none(make: Make) -> None:
    row = dossiers(1)[0]
    row.name = "<Fault>Công ty Fault</Fault>"
    system = make("soap", [[row]])
    system.tick(1)
    with system.source() as source:
        ((arrivals, _),) = polls(source, [{}])
    assert system.numbers(arrivals[0]) == [row.number]


def test_a_wsdl_that_comes_back_is_used_by_the_next_poll(make: Make) -> None:
    system = make("soap", [dossiers(3)])
    system.tick(1)
    with system.source(load_timeout_s=0.5) as source:

        async def main() -> None:
            for mode, said in (
                ("500", "is not there: HTTP 500"),
                ("garbage", "is a web page: .Máy chủ đang bảo trì"),
                ("hang", "no whole answer from http://.* within 0.[0-9] s"),
                ("drip", "no whole answer from http://.* within 0.[0-9] s"),
            ):
                system.fault(mode, scope=f"{SLUG}/wsdl")
                with pytest.raises(SourceFault, match=said):
                    await poll(source, {})
            system.fault("off")
            assert len((await poll(source, {}))[0]) == 1
            await source.close()

        asyncio.run(main())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wsdl": "http://127.0.0.1:9/MotCua.asmx?wsdl"}, "cannot be reached: .* — see that `wsdl` is right"),
        ({"wsdl": "absent.wsdl"}, "absent.wsdl cannot be read: No such file or directory — mend `wsdl`"),
        ({"operation": "LayHoSo"}, "has no operation 'LayHoSo'"),
        ({"service": "KhongCo"}, "the WSDL .* has no service 'KhongCo', it has MotCua"),
        ({"arguments": {"maTinh": "59"}}, "does not take these arguments: .*maTinh"),
        ({"endpoint": "http://127.0.0.1:9/"}, "LayDanhSachHoSo: http://127.0.0.1:9/ cannot be reached"),
        ({"username": "a", "password": "b", "endpoint": "ftp://x/"}, "LayDanhSachHoSo: ftp://x/"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said_at_the_poll(
    make: Make, change: dict[str, Any], said: str
) -> None:
    system = make("soap", [dossiers(1)])
    with system.source(**change) as source, pytest.raises(SourceFault, match=said):
        polls(source, [{}])


def test_a_wsdl_in_a_file_with_an_endpoint_of_its_own(make: Make, tmp_path: Path) -> None:
    system = make("soap", [dossiers(2)])
    system.tick(1)
    (tmp_path / "wsdl").mkdir()
    text = WSDL.format(namespace=NAMESPACE, address="http://old.example.vn/MotCua.asmx")
    (tmp_path / "wsdl" / "MotCua.wsdl").write_text(text, encoding="utf-8")
    with system.source(wsdl="wsdl/MotCua.wsdl", endpoint=f"{system.twin.url}/{SLUG}/MotCua.asmx") as source:
        ((arrivals, _),) = polls(source, [{}])
    assert len(system.numbers(arrivals[0])) == 2


@pytest.mark.parametrize(
    ("imported", "said"),
    [
        ('<wsdl:import namespace="urn:x" location="absent.wsdl"/>', "absent.wsdl cannot be read"),
        (
            '<wsdl:import namespace="urn:x" location="http://127.0.0.1:9/x.wsdl"/>',
            "http://127.0.0.1:9/x.wsdl, which lies on another host and is not fetched",
        ),
    ],
)
def test_a_wsdl_that_imports_what_is_not_there(make: Make, tmp_path: Path, imported: str, said: str) -> None:
    system = make("soap", [dossiers(2)])
    text = WSDL.format(namespace=NAMESPACE, address=system.twin.url).replace("<wsdl:types>", imported + "<wsdl:types>")
    (tmp_path / "MotCua.wsdl").write_text(text, encoding="utf-8")
    with system.source(wsdl="MotCua.wsdl") as source, pytest.raises(SourceFault, match=said):
        polls(source, [{}])


def test_a_wsdl_with_entities_is_refused(make: Make, tmp_path: Path) -> None:
    system = make("soap", [dossiers(2)])
    text = WSDL.format(namespace=NAMESPACE, address="&a;")
    bomb = '?><!DOCTYPE b [<!ENTITY a "http://example.vn/">]>'
    (tmp_path / "MotCua.wsdl").write_text(text.replace("?>", bomb, 1), encoding="utf-8")
    with system.source(wsdl="MotCua.wsdl") as source, pytest.raises(SourceFault, match="DTDForbidden"):
        polls(source, [{}])


def test_no_body_reaches_the_log_even_at_debug(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    system = make("soap", [dossiers(3)])
    system.tick(1)
    with caplog.at_level(logging.DEBUG), system.source() as source:
        polls(source, [{}])
    assert "Nguyễn" not in caplog.text
    assert "Envelope" not in caplog.text


def test_the_password_is_in_no_representation(make: Make) -> None:
    system = make("soap", [])
    settings = system.settings(username="hub", password="rat-bi-mat")
    assert "rat-bi-mat" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": {"each": "HoSo["}}, "is no XPath expression"),
        ({"rows": {}}, "give `each`, the element of one row, or `dataset`"),
        ({"rows": {"each": "HoSo"}}, "since needs `changed`"),
        ({"username": "hub"}, "give username and password, or neither"),
        ({"since": {"argument": "tuNgay", "format": "dd/mm/yyyy"}}, "lacks the month"),
        ({"operation_timeout_s": 0}, "greater than 0"),
        ({"operation_timeout_s": float("inf")}, "finite"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_mend(make: Make, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        make("soap", []).settings(**change)


def test_the_twin_refuses_in_vietnamese_what_makes_no_sense(make: Make) -> None:
    system = make("soap", [dossiers(1)])
    url = f"{system.twin.url}/{SLUG}/MotCua.asmx"
    call = '<a><LayDanhSachHoSo xmlns="' + NAMESPACE + '">{}</LayDanhSachHoSo></a>'
    for body, said in (
        ("<a>", "Yêu cầu không phải là XML"),
        ("<a/>", "Không có phương thức này"),
        (call.format("<trang>0</trang><kichThuoc>1</kichThuoc>"), "bắt đầu từ 1"),
        (call.format("<tuNgay>31/02/2017</tuNgay>"), "Từ ngày không hợp lệ: 31/02/2017"),
        (call.format(""), "Thiếu trang"),
    ):
        answer = httpx.post(url, content=body.encode())
        assert answer.status_code == 500
        assert said in answer.text
    assert httpx.get(f"{system.twin.url}/khac/MotCua.asmx?wsdl").status_code == 404


def test_one_answer_without_paging_or_since(make: Make, tmp_path: Path) -> None:
    system = make("soap", [dossiers(2)])
    system.tick(1)
    rows = {**system.settings().rows.model_dump(), "pages": None, "changed": None}
    settings = system.settings(since=None, page=None, rows=rows, arguments={"trang": 1, "kichThuoc": 50})
    source = SoapSource(settings, AdapterContext(name=SLUG, folder=tmp_path))
    ((arrivals, cursor), (again, _)) = polls(source, [{}, None])
    assert [system.numbers(one) for one in arrivals + again] == [[row.number for row in dossiers(2)]] * 2
    assert cursor == {}
