"""Operating a hub that owns its ledger alone, over its socket: answers, refusals, and nonsense that harms nothing."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from pydantic import TypeAdapter

from hub.control import ask, listening, socket_path
from hub.ledger import DestinationRules, Ledger
from hub.ledger.views import Decided, NotUnknown
from hub.operations import DecideUnknown, Pause, Place, Resume
from schemas.errors import OperationRefused


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[str, Ledger]]:
    """A ledger that is open, and listens."""
    url = f"sqlite:///{folder}/hub.db"
    ledger = Ledger(url, {"national": DestinationRules()})
    await ledger.open(take_over=True)
    try:
        async with listening(url, Place(ledger, folder / "hub.yaml")):
            yield url, ledger
    finally:
        await ledger.close()


def test_a_running_hub_does_what_it_is_asked_and_writes_down_who_and_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (url, ledger):
            pause = Pause(who="lan", why="bảo trì", destination="national")
            assert await ask(url, pause) == {"destination": "national", "state": "paused", "changed": True}
            assert (await ledger.gate("national")).state == "paused"
            assert await ask(url, pause) == {"destination": "national", "state": "paused", "changed": False}
            resumed = await ask(url, Resume(who="lan", destination="national"))
            assert resumed == {"destination": "national", "state": "open", "changed": True}
            done = await ledger.operations()
            assert [(one.who, one.what, one.subject, one.why) for one in done] == [
                ("lan", "pause", "national", "bảo trì"),
                ("lan", "resume", "national", ""),
            ]

    asyncio.run(main())


def test_what_is_decided_of_unknown_outcomes_comes_back_whole(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (url, _):
            decide = DecideUnknown(who="lan", why="hỏi cổng", ids=(7, 8), verdict="delivered")
            answer = await ask(url, decide)
            left = [NotUnknown(7, None), NotUnknown(8, None)]
            assert TypeAdapter(Decided).validate_python(answer) == Decided("delivered", 0, left)

    asyncio.run(main())


def test_a_refusal_reaches_who_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (url, _):
            with pytest.raises(OperationRefused, match="no destination 'nationl'; it knows: national"):
                await ask(url, Pause(who="lan", destination="nationl"))

    asyncio.run(main())


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"nonsense\n", b"[]\n", b'{"operation": "Pause"}\n', b'{"operation": "Erase", "arguments": {}}\n',
     b'{"operation": "Pause", "arguments": {"who": "", "destination": 1}}\n', b"\xff\xfe\n"],
)  # fmt: skip
def test_nonsense_is_refused_and_harms_nothing(tmp_path: Path, line: bytes) -> None:
    async def main() -> None:
        async with running(tmp_path) as (url, _):
            path = socket_path(url)
            assert path is not None
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(line)
            writer.write_eof()
            assert "does not know the operation" in orjson.loads(await reader.readline())["refused"]
            writer.close()
            await writer.wait_closed()
            assert await ask(url, Resume(who="lan", destination="national")) is not None

    asyncio.run(main())


def test_who_may_not_write_the_ledger_may_not_operate_it_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (url, _):
            path = socket_path(url)
            assert path is not None
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.exists()
        assert await ask(url, Resume(who="lan", destination="national")) is None

    asyncio.run(main())


def test_a_socket_that_a_kill_left_is_taken_over(tmp_path: Path) -> None:
    async def main() -> None:
        path = socket_path(f"sqlite:///{tmp_path}/hub.db")
        assert path is not None
        path.touch()
        async with running(tmp_path) as (url, _):
            assert await ask(url, Resume(who="lan", destination="national")) is not None

    asyncio.run(main())


def test_a_path_that_is_too_long_for_a_socket_has_a_stand_in(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    path = socket_path(f"sqlite:///{folder}/hub.db")
    assert path is not None
    assert len(str(path)) < 108
    assert path != socket_path(f"sqlite:///{folder}2/hub.db")


def test_postgresql_has_no_socket() -> None:
    assert socket_path("postgresql://hub@127.0.0.1/hub") is None
