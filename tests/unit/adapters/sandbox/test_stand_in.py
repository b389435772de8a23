"""What the portals' twins say of themselves fits the adapters that they stand for, and themselves."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from adapters.dvcqg import DvcqgSettings
from adapters.lgsp import LgspSettings
from adapters.sandbox import national_portal, provincial_portal
from adapters.sandbox.stand_in import StandIn
from adapters.sandbox.twin import running

GIVEN: dict[str, dict[str, Any]] = {
    "dvcqg": {"url": "${NATIONAL}", "username": "u", "password": "${P}", "dstcode": "d", "madonvi": "H1", "batch": 7},
    "lgsp": {"url": "https://lgsp.example.vn", "client_id": "u", "client_secret": "${S}", "token_path": "/x/token"},
}
MODELS: dict[str, type[BaseModel]] = {"dvcqg": DvcqgSettings, "lgsp": LgspSettings}
PORTALS = {"national": national_portal, "provincial": provincial_portal}


@pytest.mark.parametrize("portal", PORTALS)
def test_the_settings_lead_to_the_twin_and_hold_no_secret_of_the_user(portal: str) -> None:
    module = PORTALS[portal]
    stand_in: StandIn = module.STAND_IN
    given = GIVEN[stand_in.adapter]
    made = stand_in.settings(given, "http://127.0.0.1:1")
    MODELS[stand_in.adapter].model_validate(made)
    assert made["url"] == "http://127.0.0.1:1"
    assert "$" not in str(made)
    assert {name for name in given if made[name] != given[name]} <= set(stand_in.replaces)
    assert made.get("batch") == given.get("batch")


@pytest.mark.parametrize("portal", PORTALS)
def test_the_twin_takes_every_order(portal: str) -> None:
    module = PORTALS[portal]
    stand_in: StandIn = module.STAND_IN
    orders = stand_in.faults({"per_item": "true"}, 1.0)
    with running(module.create, options=stand_in.options({"per_item": "true"})) as twin:
        for order in orders.values():
            if not isinstance(order, str):
                said = httpx.post(f"{twin.control}/_twin/fault", json=dict(order))
                assert said.status_code == 200, said.text
                httpx.post(f"{twin.control}/_twin/fault", json={"mode": "off"})
    assert import_module(module.__name__).STAND_IN is stand_in


def test_what_a_portal_cannot_have_is_said() -> None:
    assert national_portal.STAND_IN.faults({}, 1.0)["result-missing"] == (
        "one answer stands for the whole request (per_item is not set)"
    )
    assert {name for name, order in provincial_portal.STAND_IN.faults({}, 1.0).items() if isinstance(order, str)} == {
        "200-with-error",
        "result-missing",
    }


def test_a_result_that_is_missing_is_that_of_the_last_item() -> None:
    options = {"per_item": True}
    with running(national_portal.create, options=options) as twin:
        who = {"dstcode": national_portal.Options().dstcode}
        known = {"username": "tra-vinh", "password": "mat-khau-thu"}
        session = httpx.post(f"{twin.url}/login", json=known, headers=who).json()["session"]
        httpx.post(f"{twin.url}/_twin/fault", json={"mode": "missing-result"})
        items = [{"MaHoSo": number, "TrangThaiHoSo": "2"} for number in ("a", "b")]
        body = {"session": session, "madonvi": "H59", "service": "DongBoHoSoMC", "isUpdating": "False", "data": items}
        said = httpx.post(f"{twin.url}/integration", json=body, headers=who).json()
        assert [one["MaHoSo"] for one in said["result"]] == ["a"]
        state = httpx.get(f"{twin.url}/_twin/state").json()
    assert state["struck"] == {"missing-result": {"requests": 1, "messages": 2}}
    assert state["accepted"] == {"DongBoHoSoMC": 2}


def test_an_effect_without_an_answer_and_an_answer_that_is_late() -> None:
    with running(provincial_portal.create) as twin:
        form = {"grant_type": "client_credentials", "client_id": "truc-lien-thong", "client_secret": "mat-khau-thu"}
        token = httpx.post(f"{twin.url}/token", data=form).json()["access_token"]
        who = {"Authorization": f"Bearer {token}"}
        httpx.post(f"{twin.url}/_twin/fault", json={"mode": "accept-hang"})
        soon = httpx.Timeout(30, read=0.2)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{twin.url}/Document/SyncDocument", json={"DocCode": "a"}, headers=who, timeout=soon)
        httpx.post(f"{twin.url}/_twin/fault", json={"mode": "linger", "interval_s": 0.05})
        said = httpx.post(f"{twin.url}/Document/SyncDocument", json={"DocCode": "b"}, headers=who)
        assert said.json() == {"message": "OK"}
        state = httpx.get(f"{twin.url}/_twin/state").json()
    assert state["accepted"] == {"SyncDocument": 2}
    assert state["struck"]["accept-hang"] == {"requests": 1, "messages": 1}
