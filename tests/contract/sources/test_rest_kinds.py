"""Every way to page, to log in and to sign that a REST source knows, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from pydantic import ValidationError

from adapters.rest import RestSettings, RestSource
from hub.ports import AdapterContext
from schemas.errors import SourceFault
from tests.contract.sources.systems import poll
from tests.support.http_twin import Asked, HttpTwin, Told, http_twin

T0 = datetime(2017, 1, 1, tzinfo=UTC)


def settings(url: str, /, **changes: Any) -> RestSettings:
    made: dict[str, Any] = {"url": url, "path": "ho-so", "rows": {"at": "rows", "changed": "at"}, "timeout_s": 5.0}
    return RestSettings.model_validate(made | changes)


def rows_of(made: RestSettings, times: int = 1, cursor: Any = None) -> tuple[list[str], dict[str, Any]]:
    """The numbers of all rows of so many polls, and the last cursor."""

    async def main() -> tuple[list[str], dict[str, Any]]:
        source = RestSource(made, AdapterContext("mot-cua", Path()))
        seen: list[str] = []
        at: Any = cursor or {}
        try:
            for _ in range(times):
                arrivals, at = await poll(source, at)
                seen += [row["so"] for arrival in arrivals for row in orjson.loads(arrival.body)["rows"]]
        finally:
            await source.close()
        return seen, dict(at)

    return asyncio.run(main())


def row(number: int, minutes: float | None = None) -> dict[str, Any]:
    return {"so": str(number), "at": (T0 + timedelta(minutes=number if minutes is None else minutes)).isoformat()}


def told(rows: list[Any], **more: Any) -> Told:
    headers = more.pop("headers", {})
    return Told(orjson.dumps({"rows": rows, **more}), headers={"Content-Type": "application/json", **headers})


def bearer(asked: Asked) -> str:
    return asked.headers.get("authorization", "")


def test_basic() -> None:
    with http_twin(lambda asked: told([row(1)])) as twin:
        made = settings(twin.url, auth={"type": "basic", "username": "hub", "password": "mật"})
        assert "mật" not in repr(made)
        rows_of(made)
        assert bearer(twin.asked[0]) == "Basic " + base64.b64encode("hub:mật".encode()).decode()


@pytest.mark.parametrize("send", ["basic", "body"])
def test_client_credentials_are_renewed_before_they_end_and_once_when_refused(send: str) -> None:
    state = {"tokens": 0, "good": True}

    def answer(asked: Asked) -> Told:
        if asked.path == "/oauth/token":
            form = dict(parse_qsl(asked.body.decode()))
            if send == "basic":
                assert bearer(asked) == "Basic " + base64.b64encode(b"hub:bi-mat").decode()
            else:
                assert (form["client_id"], form["client_secret"]) == ("hub", "bi-mat")
            assert (form["grant_type"], form["scope"], form["audience"]) == ("client_credentials", "doc", "x")
            state["tokens"] += 1
            return Told(orjson.dumps({"access_token": f"t{state['tokens']}", "expires_in": "3600"}))
        if not state["good"] or bearer(asked) != f"Bearer t{state['tokens']}":
            return Told(b"no", 401)
        return told([row(1)])

    auth = {
        "type": "oauth2",
        "token_url": "oauth/token",
        "client_id": "hub",
        "client_secret": "bi-mat",
        "scope": "doc",
        "send": send,
        "body": {"audience": "x"},
    }
    with http_twin(answer) as twin:

        async def main() -> None:
            source = RestSource(settings(twin.url, auth=auth), AdapterContext("mot-cua", Path()))
            await poll(source, {})
            await poll(source, {})
            assert state["tokens"] == 1
            source._session._renew_at = 0.0  # its life is nearly over
            await poll(source, {})
            assert state["tokens"] == 2
            state["tokens"] = 7  # the server has forgotten the one that was given
            await poll(source, {})
            assert state["tokens"] == 8
            state["good"] = False
            with pytest.raises(SourceFault, match=r"the log-in of 'hub' was taken, but its token is refused"):
                await poll(source, {})
            await source.close()

        asyncio.run(main())
        twin.answer = lambda asked: Told(b"none", 404)
        with pytest.raises(SourceFault, match=r"token: 'hub' was refused with HTTP 404") as fault:
            rows_of(settings(twin.url, auth=auth | {"token_url": f"{twin.url}/khac"}))
        assert "bi-mat" not in str(fault.value)


SIGN: dict[str, Any] = {
    "secret": "khoa",
    "headers": {
        "XroadVnpt-timestamp": "{time}",
        "XroadVnpt-systemid": "tra-vinh",
        "XroadVnpt-sign-header-key": "{names}",
        "XroadVnpt-sign-header": "{json}",
        "XroadVnpt-hash-header": "{signature}",
        "XroadVnpt-version": "1.0",
    },
    "signed": ["XroadVnpt-timestamp", "XroadVnpt-systemid"],
    "text": "{json}",
    "time_format": "ddMMyyyy'T'HHmmssZ",
}


def test_headers_that_sign_the_request() -> None:
    with http_twin(lambda asked: told([row(1)])) as twin:
        rows_of(settings(twin.url, sign=SIGN))
        headers = twin.asked[-1].headers
        assert headers["xroadvnpt-sign-header-key"] == "XroadVnpt-timestamp;XroadVnpt-systemid"
        signed = headers["xroadvnpt-sign-header"]
        assert orjson.loads(signed) == {
            "XroadVnpt-timestamp": headers["xroadvnpt-timestamp"],
            "XroadVnpt-systemid": "tra-vinh",
        }
        assert headers["xroadvnpt-hash-header"] == hmac.new(b"khoa", signed.encode(), "sha256").hexdigest()
        other = {
            "secret": "6b686f61",
            "secret_is": "hex",
            "algorithm": "sha512",
            "written": "base64",
            "headers": {"X-Time": "{nonce}", "Authorization": "HMAC {signature}"},
            "text": "{method}\n{path}\n{query}\n{body_sha256}\n{header:X-Time}",
        }
        rows_of(settings(twin.url, sign=other, query={"q": "a b"}))
        asked = twin.asked[-1]
        query = asked.target.partition("?")[2]
        text = f"GET\n/ho-so\n{query}\n{hashlib.sha256(b'').hexdigest()}\n{asked.headers['x-time']}"
        mac = base64.b64encode(hmac.new(b"khoa", text.encode(), "sha512").digest()).decode()
        assert bearer(asked) == f"HMAC {mac}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": "{tim}"}, r"text: there is no \{tim\}"),
        ({"text": "{signature}"}, "text: what is signed cannot hold"),
        ({"text": "{header:X-No}"}, "is none of `headers`"),
        ({"signed": ["XroadVnpt-sign-header"]}, "cannot be signed|can be signed"),
        ({"headers": {"A": "{time}"}, "signed": []}, "none of them holds"),
        ({"secret_is": "hex"}, "secret: is no hex"),
    ],
)
def test_a_signature_that_cannot_be_made_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as error:
        settings("http://x", sign=SIGN | change)
    assert "khoa" not in str(error.value)


def link_answer(twin: Callable[[], HttpTwin], elsewhere: str = "") -> Callable[[Asked], Told]:
    def answer(asked: Asked) -> Told:
        page = int(asked.query.get("p", "1"))
        if page == 3:
            return told([row(3)], headers={"Link": f'<{twin().url}/ho-so?p=1>; rel="prev first"'})
        link = f'<{twin().url}/x>; rel=prev, <{elsewhere}/ho-so?p={page + 1}>; title="a, b"; rel="next"'
        return told([row(page)], headers={"Link": link})

    return answer


def test_links_are_followed_on_the_same_host_only() -> None:
    with http_twin(lambda asked: Told()) as twin:
        twin.answer = link_answer(lambda: twin)
        made = settings(twin.url, page={"style": "link", "size_parameter": "n", "size": 5}, query={"k": "v"})
        assert rows_of(made)[0] == ["1", "2", "3"]
        assert [asked.target for asked in twin.asked] == ["/ho-so?k=v&n=5", "/ho-so?p=2", "/ho-so?p=3"]
        twin.answer = link_answer(lambda: twin, "http://ke-khac.example")
        with pytest.raises(SourceFault, match=r"the next page is linked at http://ke-khac.example, another host"):
            rows_of(made)


def test_pages_by_offset_step_back_where_rows_have_moved() -> None:
    held = [row(number) for number in range(25)]

    def answer(asked: Asked) -> Told:
        start = int(asked.query["o"])
        found = held[start : start + 10]
        if start == 8 and len(held) == 25:
            del held[:5]  # five rows change while the poll runs, and everything behind them moves up
            held.extend(row(number, 1000) for number in range(5))
            found = held[start : start + 10]
        return told(found)

    page = {"style": "offset", "parameter": "o", "size_parameter": "n", "size": 10, "overlap": 2}
    with http_twin(answer) as twin:
        seen, _ = rows_of(settings(twin.url, page=page))
        assert {asked.query["n"] for asked in twin.asked} == {"10"}
    assert {int(number) for number in seen} == set(range(25))
    with pytest.raises(ValidationError, match=r"overlap \(10\) must be below size \(10\)"):
        settings("http://x", page=page | {"overlap": 10})


def test_time_windows_are_cut_until_each_is_one_page() -> None:
    held = [row(number, number * 37) for number in range(60)]
    now = datetime.now(UTC)
    start = now - timedelta(hours=60)
    for number, one in enumerate(held):
        one["at"] = (start + timedelta(minutes=number * 37)).isoformat()
    spans: list[float] = []

    def answer(asked: Asked) -> Told:
        begin, end = (datetime.fromisoformat(asked.query[name]) for name in ("tu", "den"))
        spans.append((end - begin).total_seconds() / 3600)
        found = [one for one in held if begin <= datetime.fromisoformat(one["at"]) <= end]
        number = int(asked.query["p"])
        return told(found[(number - 1) * 10 : number * 10], pages=(len(found) + 9) // 10)

    since = {"parameter": "tu", "until": "den", "window_h": 24.0, "start": start.isoformat(), "overlap_s": 60.0}
    rows = {"at": "rows", "changed": "at", "pages": "pages"}
    page = {"parameter": "p", "size": 10}
    with http_twin(answer) as twin:
        seen, cursor = rows_of(settings(twin.url, since=since, page=page, rows=rows))
        again, _ = rows_of(settings(twin.url, since=since, page=page, rows=rows), cursor=cursor)
    assert {int(number) for number in seen} == set(range(60))
    assert max(spans) <= 24.01
    assert set(cursor) == {"since"}
    assert len(again) <= 1
    assert {asked.query["p"] for asked in twin.asked} == {"1"}
    for wrong, said in (({"until": None}, "window_h needs `until`"), ({"overlap_s": 50_000.0}, "at most half")):
        with pytest.raises(ValidationError, match=said):
            settings("http://x", since=since | wrong, rows=rows)


def test_a_wrong_path_of_the_next_page_is_said() -> None:
    page = {"style": "cursor", "parameter": "c", "size_parameter": "n", "size": 2, "next": "tiep"}
    with http_twin(lambda asked: told([row(1), row(2)], tiep_theo="x")) as twin:
        said = r"page.next: 'tiep' is not in the answer, whose 2 rows may not be all; it has the keys rows, tiep_theo"
        with pytest.raises(SourceFault, match=said):
            rows_of_read(settings(twin.url, page=page))
        assert rows_of(settings(twin.url, page=page | {"next_absent": True}))[0] == ["1", "2"]
        twin.answer = lambda asked: told([row(1)])
        assert rows_of(settings(twin.url, page=page))[0] == ["1"]
        twin.answer = lambda asked: told([row(1), row(2)], **({} if asked.query["c"] else {"tiep": "2"}))
        assert rows_of(settings(twin.url, page=page))[0] == ["1", "2", "1", "2"]


def rows_of_read(made: RestSettings) -> None:
    async def main() -> None:
        source = RestSource(made, AdapterContext("mot-cua", Path()))
        try:
            async for arrival in source.arrivals({}):
                assert arrival.cursor is None
                await source.settled(arrival, [], parked=False)
        finally:
            await source.close()

    asyncio.run(main())


def test_a_source_that_asks_for_patience_gets_it() -> None:
    left = [1]

    def answer(asked: Asked) -> Told:
        if left[0]:
            left[0] -= 1
            return Told(b"", 503, {"Retry-After": "0"})
        return told([row(1)])

    with http_twin(answer) as twin:
        assert rows_of(settings(twin.url))[0] == ["1"]
        left[0] = 99
        with pytest.raises(SourceFault, match=r"HTTP 503 .*and still after 0.1 s"):
            rows_of(settings(twin.url, retry_after_cap_s=0.1))
