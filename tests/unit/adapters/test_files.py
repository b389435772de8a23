from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.files import FilesSettings, FilesSource
from hub.ports import AdapterContext, Arrival
from schemas.errors import SourceFault


def test_a_refused_file_that_cannot_be_moved_does_not_end_the_poll_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hoso-1.csv").write_bytes(b"A\n" + b"1\n" * 100)
    (tmp_path / "hoso-2.csv").write_bytes(b"A\n1\n")
    (tmp_path / "hoso-3.csv").symlink_to(tmp_path / "hoso-2.csv")
    (tmp_path / "hoso-4.csv").write_bytes(b"A\n4\n")
    replace = os.replace

    def refuse(old: Any, new: Any) -> None:
        if "failed" in Path(new).parts:
            raise PermissionError(13, "Permission denied", str(new))
        replace(old, new)

    monkeypatch.setattr("adapters.files.os.replace", refuse)
    settings = FilesSettings(folder=tmp_path, pattern="*.csv", settle_s=0.0, max_bytes=100)
    source = FilesSource(settings, AdapterContext("s", tmp_path))
    seen: list[Arrival] = []

    async def main() -> None:
        async for arrival in source.arrivals({}):
            seen.append(arrival)
            await source.settled(arrival, [], parked=False)

    with pytest.raises(SourceFault) as told:
        asyncio.run(main())
    assert [arrival.label for arrival in seen] == ["hoso-2.csv", "hoso-4.csv"]
    assert "hoso-1.csv: 202 bytes, more than max_bytes (100)" in str(told.value)
    assert str(told.value).count("it cannot be moved: Permission denied") == 2
    assert (tmp_path / "hoso-1.csv").exists(), "it stays where it is"
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["hoso-2.csv", "hoso-4.csv"]
