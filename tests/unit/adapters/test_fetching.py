"""One HTTP exchange: encodings, errors and what is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from adapters.fetching import CONNECT_ATTEMPTS, Fetched, client, fetch
from schemas.errors import SourceFault

URL = "https://ai:do@motcua.example.vn/api?token=bi-mat"


def ask(answer: Callable[[httpx.Request], httpx.Response], **changes: Any) -> Fetched:
    settings: dict[str, Any] = {"deadline_s": 2.0, "limit_bytes": 1000, "what": "ho-so", "mend": "see `url`"}

    async def main() -> Fetched:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await fetch(http, "GET", changes.pop("url", URL), **{**settings, **changes})

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/xml; charset=utf-8", "utf-8"),
        ('application/json; Charset="UTF-16LE"; x=1', "UTF-16LE"),
        ("text/xml", None),
        ("", None),
    ],
)
def test_the_declared_encoding(content_type: str, charset: str | None) -> None:
    assert Fetched(200, b"", content_type).charset == charset


def test_the_text_of_an_answer_in_an_unknown_encoding_is_still_shown() -> None:
    fetched = Fetched(500, "Lỗi \n hệ thống".encode(), "text/html; charset=tcvn3")
    assert fetched.text == "Lỗi \n hệ thống"
    assert fetched.excerpt == "Lỗi hệ thống"
    assert Fetched(500, b"", "").excerpt == "nothing more"


def test_a_refused_connection_is_tried_again_and_nothing_else_is() -> None:
    tried: list[int] = []

    def refuse_once(request: httpx.Request) -> httpx.Response:
        tried.append(1)
        if len(tried) == 1:
            raise httpx.ConnectError("Connection refused")
        return httpx.Response(200, content=b"ok")

    assert ask(refuse_once).body == b"ok"
    tried.clear()

    def refuse(request: httpx.Request) -> httpx.Response:
        tried.append(1)
        raise httpx.ConnectError("Connection refused")

    with pytest.raises(SourceFault) as fault:
        ask(refuse)
    assert fault.value.down
    assert len(tried) == CONNECT_ATTEMPTS
    tried.clear()

    def break_off(request: httpx.Request) -> httpx.Response:
        tried.append(1)
        raise httpx.ReadError("")

    with pytest.raises(SourceFault, match="broke off: ReadError"):
        ask(break_off)
    assert len(tried) == 1


def test_an_error_names_the_address_without_its_secrets() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    with pytest.raises(SourceFault) as fault:
        ask(refuse)
    assert str(fault.value) == (
        "ho-so: https://motcua.example.vn/api cannot be reached: Connection refused — see `url`"
    )


def test_an_address_that_is_none_is_said() -> None:
    with pytest.raises(SourceFault, match=r"the address .* cannot be used"):
        ask(lambda request: httpx.Response(200), url="http://example.vn:cong/")


def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    with pytest.raises(SourceFault, match="more than 1,000 bytes; ask for smaller pages or raise max_bytes"):
        ask(lambda request: httpx.Response(200, content=b"A" * 1001))


def test_a_redirect_is_not_followed_and_says_where_to() -> None:
    fetched = ask(lambda request: httpx.Response(302, headers={"Location": "https://elsewhere.example/"}))
    assert (fetched.status, fetched.elsewhere) == (302, " (it has moved to https://elsewhere.example/)")


def test_the_client_trusts_no_environment() -> None:
    async def main() -> None:
        async with client() as http:
            assert not http.trust_env
            assert not http.follow_redirects

    asyncio.run(main())
