from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapters.sandbox.national_portal import create
from adapters.sandbox.twin import Twin, TwinOptions, running

HEADERS = {"dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider"}
ITEM = {"MaHoSo": "H59-1", "TrangThaiHoSo": "2"}


def log_in(twin: Twin) -> str:
    body = {"username": "tra-vinh", "password": "mat-khau-thu"}
    return str(httpx.post(twin.url + "/login", json=body, headers=HEADERS).json()["session"])


def send(twin: Twin, **body: Any) -> Any:
    asked = {"session": log_in(twin), "madonvi": "H59", "service": "DongBoHoSoMC", "isUpdating": "False", **body}
    return httpx.post(twin.url + "/integration", json=asked, headers=HEADERS).json()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"data": [ITEM], "session": "khac"}, "Phiên làm việc"),
        ({"data": [ITEM], "session": None}, "Phiên làm việc"),
        ({"data": [ITEM], "service": "LayThuTuc"}, "Không có dịch vụ"),
        ({"data": [ITEM], "isUpdating": True}, "isUpdating"),
        ({"data": []}, "data"),
        ({"data": ITEM}, "data"),
        ({"data": [{"TrangThaiHoSo": "2"}]}, "MaHoSo"),
        ({"data": ["H59-1"]}, "MaHoSo"),
        ({"data": [{**ITEM, "TrangThaiHoSo": 2}]}, "TrangThaiHoSo"),
        ({"data": [{**ITEM, "TrangThaiHoSo": "11"}]}, "TrangThaiHoSo"),
    ],
)
def test_what_it_refuses_it_refuses_in_words_without_a_code(body: dict[str, Any], said: str) -> None:
    with running(create) as twin:
        answer = send(twin, **body)
        assert said in answer["message"]
        assert "error_code" not in answer
        assert httpx.get(twin.url + "/_twin/state").json()["accepted"] == {}


def test_a_body_that_is_no_json_is_refused_in_words() -> None:
    with running(create) as twin:
        for path in ("/login", "/integration", "/share"):
            assert "message" in httpx.post(twin.url + path, content=b"[" * 100_000, headers=HEADERS).json()


def test_a_dossier_added_twice_in_one_request_exists() -> None:
    with running(create) as twin:
        assert "đã tồn tại" in send(twin, data=[ITEM, ITEM])["message"]
        assert send(twin, data=[ITEM])["error_code"] == "00"


def test_a_session_ends_after_its_time() -> None:
    with running(create, options={"session_s": 1e-9}) as twin:
        assert "hết hạn" in send(twin, data=[ITEM])["message"]


@pytest.mark.parametrize("options", [{"success_code": "01"}, {"exists_code": "9"}, {"surprise": 1}, {"max_batch": -1}])
def test_options_that_it_does_not_have_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        create(TwinOptions(base_url="http://x", options=options))


BAD = {**ITEM, "MaHoSo": "H59-2", "MaTTHC": "9.999999"}
REFUSE = {"field": "MaTTHC", "pattern": r"9\..*"}


@pytest.mark.parametrize("per_item", [True, False])
def test_items_with_a_value_are_refused_as_it_is_told_at_the_start(per_item: bool) -> None:
    with running(create, options={"refuse": [REFUSE], "per_item": per_item}) as twin:
        answer = send(twin, data=[ITEM, BAD])
        said = "MaTTHC không hợp lệ: 9.999999"
        if per_item:
            assert [one["message"] for one in answer["result"]] == ["Thành công", said]
        else:
            assert answer == {"message": said}
        assert send(twin, data=[{**ITEM, "MaHoSo": "H59-3"}])["error_code"] == "00"


def test_items_with_a_value_are_refused_for_as_long_as_it_is_ordered() -> None:
    with running(create) as twin:
        order = {"mode": "refuse-values", **REFUSE, "message": "Hồ sơ {number}: sai", "scope": "DongBoHoSoMC"}
        httpx.post(twin.control + "/_twin/fault", json=order)
        assert send(twin, data=[BAD]) == {"message": "Hồ sơ H59-2: sai"}
        assert send(twin, data=[ITEM])["error_code"] == "00"
        httpx.post(twin.control + "/_twin/fault", json={"mode": "off"})
        assert send(twin, data=[BAD])["error_code"] == "00"


@pytest.mark.parametrize(
    "order", [{}, {"field": "MaTTHC"}, {"field": "MaTTHC", "pattern": "("}, {"field": 1, "pattern": ""}]
)
def test_an_order_that_names_no_value_is_refused(order: dict[str, Any]) -> None:
    with running(create) as twin:
        answer = httpx.post(twin.control + "/_twin/fault", json={"mode": "refuse-values", **order})
        assert answer.status_code == 400
    with pytest.raises(ValueError, match="refuse"):
        create(TwinOptions(base_url="", options={"refuse": [order]}))
