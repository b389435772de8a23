"""The serve loop and the control plane, over real loopback HTTP."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.sandbox.faults import Faults, after_effect, common_answer, transport_of
from adapters.sandbox.twin import Twin, TwinOptions, running, twin_app

EFFECTS: list[str] = []


def create(options: TwinOptions) -> Starlette:
    faults = Faults("odd")
    ticks: list[int] = []

    async def hello(request: Request) -> Response:
        fault = faults.take("hello")
        if (answer := await common_answer(fault, request)) is not None:
            return answer
        EFFECTS.append(request.url.path)
        if fault is not None and fault.mode == "odd":
            return PlainTextResponse("odd")
        return after_effect(fault, PlainTextResponse("xin chào"))

    async def undelayed(request: Request) -> Response:
        connection = transport_of(request.scope).get_extra_info("socket")
        return PlainTextResponse(str(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

    async def tick(number: int) -> None:
        if number > 12:
            raise ValueError(f"there is no tick {number}")
        ticks.append(number)

    def state() -> dict[str, Any]:
        return {"ticks": ticks, "base_url": options.base_url}

    return twin_app([Route("/hello", hello), Route("/undelayed", undelayed)], faults=faults, state=state, tick=tick)


@pytest.fixture
def twin() -> Iterator[Twin]:
    EFFECTS.clear()
    with running(create) as twin:
        yield twin


def fault(twin: Twin, **order: Any) -> httpx.Response:
    return httpx.post(f"{twin.control}/_twin/fault", json=order)


def test_it_answers_and_knows_its_own_address(twin: Twin) -> None:
    assert httpx.get(f"{twin.url}/hello").text == "xin chào"
    assert httpx.get(f"{twin.url}/_twin/state").json()["base_url"] == twin.url


def test_small_answers_are_not_held_back(twin: Twin) -> None:
    assert httpx.get(f"{twin.url}/undelayed").text != "0"
    fault(twin, mode="refuse")
    fault(twin, mode="off")
    assert httpx.get(f"{twin.url}/undelayed").text != "0"


def test_refuse_really_closes_the_port_and_off_opens_it_again(twin: Twin) -> None:
    with httpx.Client() as kept:
        assert kept.get(f"{twin.url}/hello").text == "xin chào"
        assert fault(twin, mode="refuse").json()["faults"] == {"*": "refuse"}
        with pytest.raises(httpx.TransportError):
            kept.get(f"{twin.url}/hello")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{twin.url}/hello")
    fault(twin, mode="off")
    assert httpx.get(f"{twin.url}/hello").text == "xin chào"
    assert len(EFFECTS) == 2


def test_refuse_for_a_time_opens_the_port_by_itself(twin: Twin) -> None:
    httpx.post(f"{twin.url}/_twin/fault", json={"mode": "refuse", "for_s": 2.0})
    began = time.monotonic()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{twin.url}/hello")
    while True:
        try:
            assert httpx.get(f"{twin.url}/hello").text == "xin chào"
            break
        except httpx.ConnectError:
            assert time.monotonic() - began < 60


def test_down_cuts_the_line_before_the_effect_and_accept_drop_after_it(twin: Twin) -> None:
    fault(twin, mode="down")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{twin.url}/hello")
    assert EFFECTS == []
    fault(twin, mode="accept-drop", for_requests=1)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{twin.url}/hello")
    assert len(EFFECTS) == 1
    assert httpx.get(f"{twin.url}/hello").text == "xin chào"


def test_drip_answers_each_read_quickly_and_the_whole_slowly(twin: Twin) -> None:
    fault(twin, mode="drip", interval_s=0.02)
    began = time.monotonic()
    assert httpx.get(f"{twin.url}/hello", timeout=5).text == "xin chào"
    assert time.monotonic() - began > 0.02 * len("xin chào")


def test_hang_ends_with_the_client(twin: Twin) -> None:
    fault(twin, mode="hang")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{twin.url}/hello", timeout=httpx.Timeout(30, read=0.1))
    assert EFFECTS == []


@pytest.mark.parametrize(("mode", "status"), [("500", 500), ("http-503", 503), ("429", 429)])
def test_a_refusal_by_status_has_no_effect(twin: Twin, mode: str, status: int) -> None:
    fault(twin, mode=mode, retry_after_s=7)
    answer = httpx.get(f"{twin.url}/hello")
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("7" if mode == "429" else None)
    assert EFFECTS == []


def test_share_after_and_scope_choose_the_requests_deterministically(twin: Twin) -> None:
    fault(twin, mode="500", scope="hello", share=0.5, after=1, for_requests=2)
    assert [httpx.get(f"{twin.url}/hello").status_code for _ in range(7)] == [200, 200, 500, 200, 500, 200, 200]
    fault(twin, mode="odd", scope="elsewhere")
    assert httpx.get(f"{twin.url}/hello").text == "xin chào"


@pytest.mark.parametrize(
    ("path", "order", "said"),
    [
        ("fault", {"mode": "sulk"}, "unknown mode 'sulk'; known: off, 429"),
        ("fault", {"mode": "500", "share": -1}, "share must be a number that is not negative, found -1"),
        ("fault", {"mode": "500", "scope": 3}, "scope must be text, found 3"),
        ("tick", {"tick": 13}, "there is no tick 13"),
        ("tick", {"tick": "1"}, "tick must be a number"),
        ("tick", [], "tick must be a number"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(twin: Twin, path: str, order: Any, said: str) -> None:
    answer = httpx.post(f"{twin.url}/_twin/{path}", json=order)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_a_tick_is_released(twin: Twin) -> None:
    assert httpx.post(f"{twin.url}/_twin/tick", json={"tick": 3}).json()["ticks"] == [3]


@pytest.mark.parametrize("how", ["SIGTERM", "stop"])
def test_a_twin_runs_as_a_process_and_stops_when_told(tmp_path: Path, how: str) -> None:
    data = tmp_path / "ticks.json"
    data.write_text('{"agencies": {}}', encoding="utf-8")
    command = [sys.executable, "-m", "adapters.sandbox", "rest-one-stop", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        assert hello["twin"] == "rest-one-stop"
        assert httpx.get(f"{hello['url']}/_twin/state").json()["tick"] == 0
        if how == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        else:
            httpx.post(f"{hello['control']}/_twin/stop")
        assert process.wait(10) == 0


def test_data_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "adapters.sandbox", "rest-one-stop", "--data", str(tmp_path / "absent.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("python -m adapters.sandbox rest-one-stop: ")
    assert "absent.json" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "keys", "own"),
    [
        ("national-portal", {"username", "password", "dstcode", "madonvi"}, {"username": "khac"}),
        ("provincial-portal", {"client_id", "client_secret"}, {"client_id": "khac"}),
    ],
)
def test_the_start_line_says_what_a_client_logs_in_with(
    tmp_path: Path, name: str, keys: set[str], own: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "adapters.sandbox", name, "--log", str(tmp_path / "log.jsonl")]
    with subprocess.Popen([*command, "--options", json.dumps(own)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert hello.keys() == {"twin", "url", "control", *keys}
    assert own.items() <= hello.items()


def test_help_says_that_the_start_line_holds_test_credentials() -> None:
    command = [sys.executable, "-m", "adapters.sandbox", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert "test credentials" in " ".join(done.stdout.split())


def test_a_port_that_another_twin_has_is_not_shared(twin: Twin) -> None:
    port = twin.url.rpartition(":")[2]
    command = [sys.executable, "-m", "adapters.sandbox", "plain-portal", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {port} is in use; stop who listens there" in done.stderr
    assert len(done.stderr.splitlines()) == 1
