"""The source `recorded`: pages that somebody else writes, shown in order, each as long as it was not settled."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.recorded import PAGES, RecordedSettings, RecordedSource
from hub.ports import AdapterContext, Arrival
from schemas.errors import SourceFault


def show(folder: Path, name: str, body: bytes, end: str = "\n", **more: Any) -> None:
    """Show a page, as a drill does: its bytes, then its line."""
    (folder / name).write_bytes(body)
    with (folder / PAGES).open("a", encoding="utf-8") as pages:
        pages.write(json.dumps({"file": name, "label": name, "media": "csv", **more}) + end)


def poll(folder: Path, cursor: dict[str, Any]) -> list[Arrival]:
    source = RecordedSource(RecordedSettings(folder=Path("shown")), AdapterContext("a", folder))

    async def read() -> list[Arrival]:
        return [arrival async for arrival in source.arrivals(cursor)]

    return asyncio.run(read())


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    folder = tmp_path / "shown"
    folder.mkdir()
    return folder


def test_pages_come_in_order_with_where_the_source_stands(tmp_path: Path, shown: Path) -> None:
    assert poll(tmp_path, {}) == []
    show(shown, "one.csv", b"1")
    show(shown, "two.csv", b"\xef\xbb\xbf2", charset="utf-8", label="hoso-2.csv")
    read = poll(tmp_path, {})
    assert [(a.body, a.label, a.charset, a.cursor, a.last) for a in read] == [
        (b"1", "one.csv", None, {"pages": 1}, False),
        (b"\xef\xbb\xbf2", "hoso-2.csv", "utf-8", {"pages": 2}, True),
    ]
    assert poll(tmp_path, {"pages": 1})[0].body == read[1].body
    assert poll(tmp_path, {"pages": 2}) == []


def test_a_line_that_is_still_being_written_is_not_there_yet(tmp_path: Path, shown: Path) -> None:
    show(shown, "one.csv", b"1")
    show(shown, "two.csv", b"2", end="")
    assert len(poll(tmp_path, {})) == 1


@pytest.mark.parametrize(("line", "said"), [("[1", "not a list of pages"), ('{"file": "x"}', "not a list of pages")])
def test_a_list_that_is_none_is_named(tmp_path: Path, shown: Path, line: str, said: str) -> None:
    (shown / PAGES).write_text(line + "\n", encoding="utf-8")
    with pytest.raises(SourceFault, match=said):
        poll(tmp_path, {})


def test_a_page_that_is_gone_is_named(tmp_path: Path, shown: Path) -> None:
    show(shown, "one.csv", b"1")
    (shown / "one.csv").unlink()
    with pytest.raises(SourceFault, match=r"one\.csv: No such file"):
        poll(tmp_path, {})


def test_a_check_misses_its_folder(tmp_path: Path) -> None:
    source = RecordedSource(RecordedSettings(folder=Path("nowhere")), AdapterContext("a", tmp_path))
    assert [problem.rule for problem in asyncio.run(source.probe())] == ["folder"]
