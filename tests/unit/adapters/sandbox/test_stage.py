"""The stage with its real twins as processes; in the hub's place a client that polls every source and sends nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import pytest

from adapters.sandbox.stage import StageError, StageEvent
from adapters.sandbox.tra_vinh import Stage
from hub.ports import AdapterContext
from hub.sections import DestinationSection, SourceSection
from hub.settings import load

ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<LayDanhSachHoSo xmlns="http://motcua.gov.vn/dichvu"><tuNgay>{}</tuNgay><trang>1</trang>'
    "<kichThuoc>1000</kichThuoc></LayDanhSachHoSo></s:Body></s:Envelope>"
)
SOAP, REST = ("so-tttt", "so-tu-phap", "so-vhttdl", "so-tnmt"), ("so-y-te", "tp-tra-vinh")


class Quick(Stage):
    """Four ticks, the portal closed during the second and third, for a moment."""

    ticks = 4
    outage_ticks = (2, 3)
    closed_s = 0.3
    faulty_s = 0.2

    def prepare(self) -> tuple[Path, Path]:
        data, true = super().prepare()
        content = json.loads(data.read_text(encoding="utf-8"))
        for agency in content["agencies"].values():
            del agency["ticks"][self.ticks :]
        data.write_text(json.dumps(content), encoding="utf-8")
        return data, true


async def poll_forever(environment: dict[str, str]) -> None:
    """What a hub does to the sources: ask each for everything, take the files away."""
    async with httpx.AsyncClient(trust_env=False) as client:
        headers: dict[str, dict[str, str]] = {}
        while True:
            for slug in SOAP:
                url = f"{environment['DEMO_SOAP_URL']}/{slug}/MotCua.asmx"
                await client.post(url, content=ENVELOPE.format("01/01/2017 00:00:00"), headers={"SOAPAction": '""'})
            for slug in REST:
                url = f"{environment['DEMO_REST_URL']}/{slug}/api"
                if slug not in headers:
                    who = {"ten_dang_nhap": "tra-vinh", "mat_khau": environment["DEMO_PASSWORD"]}
                    token = (await client.post(f"{url}/dang-nhap", json=who)).json()["token"]
                    headers[slug] = {"Authorization": f"Bearer {token}"}
                asked = {"tu_ngay": "2017-01-01T00:00:00", "trang": "1", "kich_thuoc": "1000"}
                await client.get(f"{url}/ho-so", params=asked, headers=headers[slug])
            await asyncio.to_thread(take_files, Path(environment["DEMO_CSV_FOLDER"]))


def take_files(folder: Path) -> None:
    for file in folder.glob("*/*.csv"):
        file.unlink()


def on_stage(stage: Stage, act: Callable[[dict[str, str]], Awaitable[None]]) -> None:
    async def play() -> None:
        environment = await stage.start()
        try:
            await act(environment)
        finally:
            await stage.stop()

    asyncio.run(play())


def test_the_ticks_and_the_outage_are_played_in_order(tmp_path: Path) -> None:
    stage = Quick(tmp_path)
    events: list[StageEvent] = []
    seen: list[str] = []

    async def act(environment: dict[str, str]) -> None:
        def note(event: StageEvent) -> None:
            events.append(event)
            with suppress(httpx.HTTPError):
                seen.append(f"{event.what} {post(environment)}")
                return
            seen.append(f"{event.what} refused")

        polling = asyncio.create_task(poll_forever(environment))
        try:
            await stage.run(note)
        finally:
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling
        books = stage.books("sqlite:///nowhere.db")
        assert (books.returncode, "no such ledger" in books.stderr) == (2, True)

    on_stage(stage, act)
    assert [event.tick for event in events if event.what == "tick"] == [1, 2, 3, 4]
    assert [event.tick for event in events if event.what == "polled"] == [1, 2, 3, 4]
    order = [event.what for event in events]
    assert order.index("closed") < order.index("faulty") < order.index("healed") < order.index("end")
    assert order[:6] == ["tick", "polled", "closed", "tick", "polled", "tick"]
    assert "closed refused" in seen
    assert "faulty 200 no session" in seen
    assert "end 200 session" in seen
    assert stage.outage_seconds >= 0.3
    assert stage.faulty_seconds >= 0.2


def post(environment: dict[str, str]) -> str:
    who = {"username": "tra-vinh", "password": environment["DEMO_PASSWORD"]}
    header = {"dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider"}
    answer = httpx.post(f"{environment['DEMO_NATIONAL_URL']}/login", json=who, headers=header, trust_env=False)
    return f"{answer.status_code} {'session' if 'session' in answer.json() else 'no session'}"


def test_the_configuration_fits_the_twins(tmp_path: Path) -> None:
    """Every source can be polled and every portal logged in to, by the adapters that the configuration names."""
    stage = Quick(tmp_path)

    async def act(environment: dict[str, str]) -> None:
        deployment = load(stage.config, {"ledger.url": "sqlite:///unused.db"}, environment=environment)
        adapters = {point.name: point.load() for point in entry_points(group="hub.adapters")}
        sections: dict[str, SourceSection | DestinationSection] = {**deployment.sources, **deployment.destinations}
        assert len(deployment.sources) == 8
        for name, section in sections.items():
            adapter = adapters[section.adapter]
            made = adapter(adapter.Settings.model_validate(section.settings), AdapterContext(name, deployment.folder))
            if isinstance(section, DestinationSection):
                assert await made.probe() == [], name
            else:
                arrivals = [arrival async for arrival in made.arrivals({})]
                assert section.adapter == "files" or len(arrivals) == 1, name
            await made.close()

    on_stage(stage, act)


def test_a_tick_that_nobody_polls_is_named(tmp_path: Path) -> None:
    class Impatient(Quick):
        stall_s = 0.1

    stage = Impatient(tmp_path)

    async def act(environment: dict[str, str]) -> None:
        with pytest.raises(StageError, match=r"tick 1: so-tttt.*cau-ngang not polled to the end within 0\.1 s"):
            await stage.run()

    on_stage(stage, act)


def test_a_twin_that_does_not_start_is_named_with_what_it_said(tmp_path: Path) -> None:
    class Broken(Quick):
        def prepare(self) -> tuple[Path, Path]:
            data, true = super().prepare()
            data.write_text("{", encoding="utf-8")
            return data, true

    with pytest.raises(StageError, match=r"did not start: .*stage\.json"):
        asyncio.run(Broken(tmp_path).start())


def test_the_twins_die_with_whoever_started_them(tmp_path: Path) -> None:
    program = (
        "import asyncio, json, sys, time\n"
        "from pathlib import Path\n"
        "from adapters.sandbox.tra_vinh import Stage\n"
        "stage = Stage(Path(sys.argv[1]))\n"
        "environment = asyncio.run(stage.start())\n"
        "print(json.dumps([twin.process.pid for twin in stage._twins.values()]), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        twins = json.loads(parent.stdout.readline())
        parent.kill()
    assert len(twins) == 5

    give_up_at = time.monotonic() + 90
    while left := [twin for twin in twins if alive(twin)]:
        assert time.monotonic() < give_up_at, f"still there: {left}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process still runs: one that has ended but that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
