"""What only the REST source has: log-in, tokens, query parameters, encodings."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from adapters.rest import RestSource
from schemas.errors import SourceFault
from tests.contract.sources.systems import SLUG, Make, dossiers, poll, polls

LOGIN = {
    "type": "login",
    "path": "dang-nhap",
    "username": "truclienthong",
    "password": "mat-khau-thu",
    "username_field": "ten_dang_nhap",
    "password_field": "mat_khau",
    "expires": "het_han",
}


def test_an_expired_session_is_renewed_once_and_no_page_is_lost(make: Make) -> None:
    system = make("rest", [dossiers(7)])
    system.tick(1)
    system.fault("expire-session", scope=SLUG, after=1, for_requests=1)
    with system.source() as source:
        ((arrivals, _),) = polls(source, [{}])
    assert [number for one in arrivals for number in system.numbers(one)] == [row.number for row in dossiers(7)]


def test_a_token_that_is_refused_again_and_again_ends_the_poll(make: Make) -> None:
    system = make("rest", [dossiers(1)])
    system.fault("expire-session", scope=SLUG)
    with system.source() as source, pytest.raises(SourceFault, match="its token is refused \\(HTTP 401\\)"):
        polls(source, [{}])


def test_a_token_is_renewed_before_it_ends(make: Make) -> None:
    system = make("rest", [dossiers(1)], token_s=0.0001)
    system.tick(1)
    with system.source() as source, pytest.raises(SourceFault, match="its token is refused"):
        polls(source, [{}])
    system = make("rest", [dossiers(7)], token_s=3600)
    system.tick(1)
    with system.source() as source:
        assert len(polls(source, [{}])[0][0]) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "sai-mat-khau"}, "log-in: 'truclienthong' was refused with HTTP 401: .*không đúng"),
        ({"path": "dang-nhap-cu"}, "log-in: 'truclienthong' was refused with HTTP 404"),
        ({"token": "access_token"}, "no token at 'access_token' in the answer, which has het_han, token"),
    ],
)
def test_a_log_in_that_fails_says_why_and_never_the_password(make: Make, change: dict[str, str], said: str) -> None:
    system = make("rest", [dossiers(1)])
    with system.source(auth=LOGIN | change) as source, pytest.raises(SourceFault, match=said) as fault:
        polls(source, [{}])
    assert "mat-khau" not in str(fault.value)
    assert "mat-khau" not in repr(system.settings())


def test_a_session_that_dies_inside_a_200_is_renewed_where_its_text_is_known(make: Make) -> None:
    system = make("rest", [dossiers(3)])
    system.tick(1)
    system.fault("error-200", scope=SLUG, for_requests=1)
    with system.source(auth=LOGIN | {"expired": "Lỗi truy vấn"}) as source:
        ((arrivals, _),) = polls(source, [{}])
    assert len(system.numbers(arrivals[0])) == 3
    row = dossiers(1)[0]
    row.name = "Lỗi truy vấn"
    system = make("rest", [[row]])
    system.tick(1)
    with system.source(auth=LOGIN | {"expired": "Lỗi truy vấn"}) as source:
        ((arrivals, _),) = polls(source, [{}])
    assert system.numbers(arrivals[0]) == [row.number]


def test_an_error_inside_a_200_is_kept_for_the_operator(make: Make) -> None:
    system = make("rest", [dossiers(3)])
    system.fault("error-200", scope=SLUG)
    with system.source() as source:
        ((arrivals, _),) = polls(source, [{}])
    assert arrivals[0].cursor is None
    assert "Lỗi truy vấn" in arrivals[0].body.decode()


def test_a_bearer_token(make: Make) -> None:
    system = make("rest", [dossiers(3)], token="co-dinh")
    system.tick(1)
    with system.source(auth={"type": "bearer", "token": "co-dinh"}) as source:
        assert len(polls(source, [{}])[0][0]) == 1
    with system.source(auth={"type": "bearer", "token": "sai"}) as source, pytest.raises(SourceFault, match="HTTP 401"):
        polls(source, [{}])
    with system.source(auth={"type": "none"}) as source, pytest.raises(SourceFault, match="HTTP 401"):
        polls(source, [{}])


def test_paging_by_the_sources_own_token(make: Make) -> None:
    page = {
        "style": "cursor",
        "parameter": "con_tro",
        "size_parameter": "kich_thuoc",
        "size": 3,
        "next": "tiep_theo",
    }
    system = make("rest", [dossiers(7)])
    system.tick(1)
    rows = {**system.settings().rows.model_dump(), "pages": None}
    with system.source(page=page, rows=rows) as source, system.source(page=page, rows=rows) as other:
        ((arrivals, end),) = polls(source, [{}])
        middle = dict(arrivals[0].cursor or {})
        dead = middle | {"next": "trang-het-han"}
        ((rest, again), (restarted, restart)) = polls(other, [middle, dead])
    assert middle["next"] == "trang-2"
    assert [system.numbers(one) for one in rest] == [system.numbers(one) for one in arrivals[1:]]
    assert [system.numbers(one) for one in restarted] == [system.numbers(one) for one in arrivals]
    assert end == again == restart == {"since": "2017-01-03T01:06:00+00:00"}


def test_the_declared_encoding_travels_with_the_arrival(make: Make) -> None:
    system = make("rest", [dossiers(2)], charset="utf-16-le")
    system.tick(1)
    with system.source() as source:
        ((arrivals, cursor),) = polls(source, [{}])
    assert arrivals[0].charset == "utf-16-le"
    assert "Nguyễn Thị Hạnh" in arrivals[0].body.decode("utf-16-le")
    assert set(cursor) == {"since"}


def test_an_unknown_change_time_moves_nothing(make: Make) -> None:
    rows: list[Any] = [
        {"so_ho_so": "a", "ngay_cap_nhat": "hôm qua"},
        {"so_ho_so": "b", "ngay_cap_nhat": {}},
        *dossiers(1),
    ]
    rows.append({"so_ho_so": None, "_id": 1, "ngay_cap_nhat": None})
    system = make("rest", [rows])
    system.tick(1)
    with system.source(page={"parameter": "trang", "size_parameter": "kich_thuoc", "size": 9}) as source:
        ((arrivals, cursor),) = polls(source, [{}])
    assert len(system.numbers(arrivals[0])) == 4
    assert cursor == {"since": "2017-01-03T01:00:00+00:00"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "motcua.example.vn"}, "give an address like"),
        ({"url": "https://motcua.example.vn/?a=1"}, "without a query"),
        ({"page": {"style": "cursor", "parameter": "con_tro"}}, "style: cursor needs it"),
        ({"rows": {"at": "du_lieu..hang"}}, "is no path"),
        ({"rows": {"at": "du_lieu"}}, "since needs `changed`"),
        ({"auth": {"type": "digest"}}, "does not match any of the expected tags"),
        ({"timeout_s": "soon"}, "valid number"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_mend(make: Make, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        make("rest", []).settings(**change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"at": "ket_qua"}, "rows.at: 'ket_qua' is not in the answer; it has the keys "),
        ({"pages": "so_trang"}, "rows.pages: how many pages there are cannot be read at 'so_trang'"),
        ({"changed": "ngay"}, "rows.changed: none of [0-9]+ rows has a time at 'ngay' that can be read; .*the keys "),
        ({"changed_format": "dd/MM/yyyy"}, "rows.changed: none of .* in the first row it is '"),
    ],
)
def test_rows_that_do_not_fit_the_answer_are_said_by_the_poll_and_by_the_check(
    make: Make, change: dict[str, Any], said: str
) -> None:
    system = make("rest", [dossiers(7)])
    system.tick(1)
    rows = {**system.settings().rows.model_dump(), **change}
    seen: list[Any] = []
    with system.source(rows=rows) as source:

        async def main() -> None:
            assert isinstance(source, RestSource)
            (problem,) = await source.probe()
            assert re.search(said, problem.message)
            assert problem.mend.startswith("mend `rows.")
            try:
                async for arrival in source.arrivals({}):
                    seen.append(arrival)
                    await source.settled(arrival, [], parked=False)
            finally:
                await source.close()

        with pytest.raises(SourceFault, match=said):
            asyncio.run(main())
    assert seen
    assert {arrival.cursor for arrival in seen} == {None}
    assert len(seen) == (3 if "changed" in said else 1)


def test_the_twin_refuses_what_makes_no_sense(make: Make) -> None:
    system = make("rest", [dossiers(1)], token="co-dinh")
    url = f"{system.twin.url}/{SLUG}/api/ho-so"
    for query in ("tu_ngay=hôm qua", "trang=0", "trang=một", "kich_thuoc=0"):
        answer = httpx.get(f"{url}?{query}", headers={"Authorization": "Bearer co-dinh"})
        assert answer.status_code == 400
        assert "Tham số không hợp lệ" in answer.json()["thong_bao"]
    assert httpx.post(f"{system.twin.url}/{SLUG}/api/dang-nhap", content=b"[").status_code == 401
    assert httpx.post(f"{system.twin.url}/khac/api/dang-nhap").status_code == 404
    assert httpx.get(f"{system.twin.url}/khac/api/ho-so").status_code == 404


def test_a_log_in_that_hangs_ends_with_the_deadline(make: Make) -> None:
    system = make("rest", [dossiers(1)])
    system.fault("hang", scope=f"{SLUG}/login")
    with system.source(timeout_s=0.3) as source:

        async def main() -> None:
            with pytest.raises(SourceFault, match=r"log-in: no whole answer from .* within 0\.3 s"):
                await poll(source, {})
            await source.close()

        asyncio.run(main())
