"""What a WSDL's description says of the source that is to be written; nothing is asked over any network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from adapters.fetching import Fetched
from adapters.scaffolding import WsdlService
from adapters.soap_settings import SoapSettings
from adapters.wsdl import Documents, Service, described
from schemas.errors import SourceFault
from tests.support.wsdls import wsdl

PHP = Path(__file__).parents[2] / "end_to_end" / "php"
ADDRESS = "http://10.0.0.5/motcua.php?wsdl"
KINDS = '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:kieu"/>'


def fetches(texts: Mapping[str, str]) -> Callable[[str], Fetched]:
    return lambda url: Fetched(200, texts[url].encode(), "text/xml")


def service(text: str, **more: str) -> WsdlService:
    documents = Documents(ADDRESS, fetches({ADDRESS: text, **more}), Path(), hosts=None)
    return WsdlService(described(documents).wsdl, documents, None)


def test_of_several_services_the_one_that_has_the_operation_is_named_and_found() -> None:
    text = (PHP / "encoded.wsdl").read_text(encoding="utf-8")
    made = service(text)
    assert [one.name for one in made.operations] == ["phienBan", "danhSachHoSo"]
    assert made.settings("danhSachHoSo") == {"service": "MotCua", "port": "MotCuaPort"}
    assert service(wsdl("http://10.0.0.5/Cong")).settings("Lay") == {}
    # A source that names neither finds it too.
    wanted = SoapSettings.model_validate({"wsdl": ADDRESS, "operation": "danhSachHoSo", "rows": {"each": "item"}})
    found = Service(wanted, Documents(ADDRESS, fetches({ADDRESS: text}), Path()))
    assert found.signature.startswith("danhSachHoSo(tuNgay: xsd:string, trangThai: xsd:int)")


def test_what_is_imported_from_another_host_is_named_in_the_source() -> None:
    address = "http://may-chu-cu.example/kieu.xsd"
    extra = f'<xsd:import namespace="urn:kieu" schemaLocation="{address}"/>'
    made = service(wsdl("http://10.0.0.5/Cong", extra=extra), **{address: KINDS})
    assert made.settings("Lay") == {"import_hosts": ["may-chu-cu.example"]}


@pytest.mark.parametrize(("address", "strange"), [("http://localhost/motcua", True), ("http://10.0.0.5/Cong", False)])
def test_an_address_that_is_this_machine_is_strange(address: str, strange: bool) -> None:
    caution = service(wsdl(address)).caution("Lay")
    assert (caution is not None) is strange
    assert caution is None or "the WSDL of 10.0.0.5 names http://localhost/motcua" in caution


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tuNgay": "x", "trang": "hai"}, r"trang takes a whole number \(int\) such as 1, not 'hai'"),
        ({"tuNgay": "x", "trnag": 1}, r"it takes tuNgay: string, trang: int; not 'trnag', near: 'trang'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(arguments: Mapping[str, object], said: str) -> None:
    settings = SoapSettings.model_validate({"wsdl": ADDRESS, "operation": "Lay", "rows": {"each": "item"}})
    made = Service(settings, Documents(ADDRESS, fetches({ADDRESS: wsdl("http://10.0.0.5/Cong")}), Path()))
    with pytest.raises(TypeError, match=said):
        made.request(arguments)


@pytest.mark.parametrize(
    ("body", "said"),
    [("<html><body>Đang bảo trì", "is a web page: 'Đang bảo trì' — mend `wsdl`"), (" ", "is empty — mend `wsdl`")],
)
def test_what_is_no_wsdl_is_said(body: str, said: str) -> None:
    with pytest.raises(SourceFault, match=said):
        service(body)
