from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapters.sandbox.provincial_portal import create
from adapters.sandbox.twin import Twin, TwinOptions, running

FORM = {"grant_type": "client_credentials", "client_id": "truc-lien-thong", "client_secret": "mat-khau-thu"}


def bearer(twin: Twin) -> dict[str, str]:
    return {"Authorization": f"Bearer {httpx.post(twin.url + '/token', data=FORM).json()['access_token']}"}


def test_a_token_is_given_for_the_right_credentials_only() -> None:
    with running(create, options={"token_s": 90}) as twin:
        given = httpx.post(twin.url + "/token", data=FORM).json()
        assert (given["token_type"], given["expires_in"]) == ("Bearer", 90)
        for wrong in ({"client_secret": "x"}, {"grant_type": "password"}, {"client_id": ""}):
            assert httpx.post(twin.url + "/token", data={**FORM, **wrong}).status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer khac"}, {"Authorization": "Basic eDp5"}])
def test_without_a_living_token_nothing_is_taken(headers: dict[str, str]) -> None:
    with running(create) as twin:
        answer = httpx.post(twin.url + "/Document/SyncDocument", json={"DocCode": "a"}, headers=headers)
        assert answer.status_code == 401
        assert httpx.get(twin.url + "/_twin/state").json()["accepted"] == {}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"DocCode": 7}', b"[" * 100_000])
def test_what_names_no_dossier_is_refused(content: bytes) -> None:
    with running(create) as twin:
        answer = httpx.post(twin.url + "/Document/SyncDocument", content=content, headers=bearer(twin))
        assert answer.status_code == 400
        assert "DocCode" in answer.json()["message"]


@pytest.mark.parametrize(("policy", "status"), [("refuse", 400), ("take", 200)])
def test_a_step_of_an_unknown_dossier(policy: str, status: int) -> None:
    with running(create, options={"unknown_step": policy}) as twin:
        path = twin.url + "/Document/UpdateDocumentTraces"
        assert httpx.post(path, json={"DocCode": "a"}, headers=bearer(twin)).status_code == status


def test_an_error_inside_a_200_is_no_mode_here() -> None:
    with running(create) as twin:
        assert httpx.post(twin.control + "/_twin/fault", json={"mode": "200-error"}).status_code == 400


@pytest.mark.parametrize("options", [{"token_s": 0}, {"unknown_step": "hide"}, {"surprise": 1}])
def test_options_that_it_does_not_have_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        create(TwinOptions(base_url="http://x", options=options))
