"""ZIP archives in the drop folder: what is opened, what is refused whole, and when an archive is moved."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path
from typing import Any

import pytest

from adapters.files import FilesSettings, FilesSource
from hub.ports import AdapterContext, Arrival
from schemas.errors import SourceFault
from tests.contract.sources.systems import SLUG
from tests.support.workbook import archive, workbook

ROWS = b"A;B\n1;2\n"


def source(folder: Path, **changes: Any) -> FilesSource:
    given = {"folder": folder, "pattern": ["hoso-*.csv", "buoc-*.csv"], "archives": "*.zip", "settle_s": 0.0} | changes
    return FilesSource(FilesSettings.model_validate(given), AdapterContext(name=SLUG, folder=folder))


def take(made: FilesSource, wrong: dict[str, list[str]] | None = None, parked: tuple[str, ...] = ()) -> list[Arrival]:
    async def main() -> list[Arrival]:
        seen = []
        async for arrival in made.arrivals({}):
            seen.append(arrival)
            await made.settled(arrival, (wrong or {}).get(arrival.label, []), parked=arrival.label in parked)
        return seen

    return asyncio.run(main())


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


MEMBERS = {"ngày 3/buoc-1.csv": b"C\n", "ngày 3/hoso-10.csv": b"B\n", "hoso-9.csv": ROWS, "doc.txt": b"x", "a/": b""}


def test_each_file_of_an_archive_is_an_arrival_in_the_order_of_the_patterns(tmp_path: Path) -> None:
    (tmp_path / "goi-1.zip").write_bytes(archive({**MEMBERS, "__MACOSX/hoso-9.csv": b"mac", "x/._hoso-9.csv": b"mac"}))
    (tmp_path / "hoso-1.csv").write_bytes(ROWS)
    seen = take(source(tmp_path))
    assert [(one.label, one.body) for one in seen] == [
        ("hoso-1.csv", ROWS),
        ("goi-1.zip/hoso-9.csv", ROWS),
        ("goi-1.zip/ngày 3/hoso-10.csv", b"B\n"),
        ("goi-1.zip/ngày 3/buoc-1.csv", b"C\n"),
    ]
    assert tree(tmp_path) == ["done/goi-1.zip", "done/hoso-1.csv"]


def test_without_the_setting_no_archive_is_opened(tmp_path: Path) -> None:
    (tmp_path / "goi-1.zip").write_bytes(archive(MEMBERS))
    assert take(source(tmp_path, archives=[])) == []
    assert tree(tmp_path) == ["goi-1.zip"]


def test_workbooks_in_an_archive_are_files_not_archives(tmp_path: Path) -> None:
    (tmp_path / "goi.zip").write_bytes(archive({"hoso.xlsx": workbook([["A"], [1]])}))
    (one,) = take(source(tmp_path, pattern="*.xlsx", media="xlsx"))
    assert (one.label, one.media) == ("goi.zip/hoso.xlsx", "xlsx")


def test_an_archive_is_moved_when_all_is_settled_and_read_again_where_that_never_came(tmp_path: Path) -> None:
    (tmp_path / "goi.zip").write_bytes(archive(MEMBERS))
    made = source(tmp_path)

    async def main() -> None:
        poll = made.arrivals({})
        first = await anext(poll)
        await made.settled(first, [], parked=False)
        await anext(poll)
        await poll.aclose()  # type: ignore[attr-defined]
        assert tree(tmp_path) == ["goi.zip"]
        again = [one async for one in made.arrivals({})]
        assert again[0].label == first.label
        for one in again[:-1]:
            await made.settled(one, [], parked=False)
        await made.settled(first, [], parked=False)
        assert tree(tmp_path) == ["goi.zip"]
        await made.settled(again[-1], [], parked=False)
        assert tree(tmp_path) == ["done/goi.zip"]

    asyncio.run(main())


def test_what_was_wrong_in_which_file_stands_beside_the_archive(tmp_path: Path) -> None:
    (tmp_path / "goi.zip").write_bytes(archive(MEMBERS))
    take(source(tmp_path), {"goi.zip/hoso-9.csv": ["line 2: number: is required"]})
    assert tree(tmp_path) == ["done/goi.zip", "done/goi.zip.errors.txt"]
    told = (tmp_path / "done" / "goi.zip.errors.txt").read_text()
    assert "# 1 row was refused, the others were taken." in told
    assert "hoso-9.csv: line 2: number: is required" in told


def test_an_archive_with_a_file_that_cannot_be_decoded_goes_to_failed(tmp_path: Path) -> None:
    (tmp_path / "goi.zip").write_bytes(archive(MEMBERS))
    (tmp_path / "het.zip").write_bytes(archive({"hoso-1.csv": ROWS}))
    take(source(tmp_path), parked=("goi.zip/ngày 3/buoc-1.csv", "het.zip/hoso-1.csv"))
    told = (tmp_path / "failed" / "goi.zip.errors.txt").read_text()
    assert "các tệp khác đã được nhận" in told
    assert "ngày 3/buoc-1.csv: it could not be read" in told
    assert "chưa nhận dòng nào" in (tmp_path / "failed" / "het.zip.errors.txt").read_text()


def broken() -> bytes:
    body = bytearray(archive({"hoso-1.csv": ROWS * 50, "hoso-2.csv": ROWS}, packed=zipfile.ZIP_STORED))
    body[body.find(b"1;2")] = 0x39
    return bytes(body)


def locked() -> bytes:
    body = bytearray(archive({"hoso-1.csv": ROWS}))
    body[body.find(b"PK\x01\x02") + 8] |= 1
    return bytes(body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"PK", "the archive cannot be read"),
        (archive(MEMBERS)[:-40], "the archive cannot be read"),
        (broken(), "hoso-1.csv cannot be unpacked: Bad CRC-32"),
        (locked(), "hoso-1.csv is locked with a password"),
        (archive({"doc.txt": b"x"}), "no file in it has a name that fits `pattern`; it holds doc.txt"),
        (archive({}), "it holds nothing"),
        (
            archive({"hoso-1.csv": ROWS, "trong/cu.ZIP": b"PK"}),
            "trong/cu.ZIP: an archive inside an archive is not opened",
        ),
        (archive({"hoso-1.csv": b"0" * 5001}), "hoso-1.csv has more than 5,000 bytes when it is unpacked"),
        (archive({f"hoso-{n}.csv": b"0" * 4000 for n in range(4)}), "more than 15,000 bytes in all when unpacked"),
    ],
)
def test_an_archive_that_cannot_be_read_is_refused_whole(tmp_path: Path, body: bytes, said: str) -> None:
    (tmp_path / "goi.zip").write_bytes(body)
    (tmp_path / "hoso-1.csv").write_bytes(ROWS)
    with pytest.raises(SourceFault, match="moved to failed/") as told:
        take(source(tmp_path, max_bytes=5000, max_unpacked_bytes=15_000))
    assert said in str(told.value)
    assert tree(tmp_path) == ["done/hoso-1.csv", "failed/goi.zip", "failed/goi.zip.errors.txt"]
    assert "chưa nhận dòng nào" in (tmp_path / "failed" / "goi.zip.errors.txt").read_text()


def test_names_that_lead_out_of_the_folder_are_names_and_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "drop"
    folder.mkdir(parents=True)
    names = ["../../hoso-1.csv", "/etc/hoso-2.csv", "C:\\x\\hoso-3.csv", "hoso-4\n.csv", "../hoso-5.zip.csv"]
    (folder / "goi.zip").write_bytes(archive(dict.fromkeys(names, ROWS)))
    assert sorted(one.label for one in take(source(folder))) == [
        "goi.zip/../../hoso-1.csv",
        "goi.zip/../hoso-5.zip.csv",
        "goi.zip//etc/hoso-2.csv",
        "goi.zip/C:/x/hoso-3.csv",
        "goi.zip/hoso-4\ufffd.csv",
    ]
    assert tree(tmp_path) == ["a/drop/done/goi.zip"]


def test_names_without_a_mark_are_utf_8_or_those_of_old_windows(tmp_path: Path) -> None:
    made = bytearray(archive({"hoso-ngày.csv": ROWS, "hoso-2.csv": ROWS, "hoso-3?.csv": ROWS}))
    for start, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = made.find(start)
        while at >= 0:
            made[at + flags + 1] &= 0xF7  # nothing says that the name is UTF-8
            at = made.find(start, at + 4)
    (tmp_path / "goi.zip").write_bytes(bytes(made).replace(b"hoso-3?", b"hoso-3\x82"))
    assert [one.label for one in take(source(tmp_path))] == [
        "goi.zip/hoso-2.csv",
        "goi.zip/hoso-3é.csv",
        "goi.zip/hoso-ngày.csv",
    ]


def test_a_marker_makes_an_archive_complete(tmp_path: Path) -> None:
    (tmp_path / "goi.zip").write_bytes(archive({"hoso-1.csv": ROWS}))
    made = source(tmp_path, ready=".ok")
    assert take(made) == []
    (tmp_path / "goi.zip.ok").touch()
    assert [one.label for one in take(made)] == ["goi.zip/hoso-1.csv"]
    assert tree(tmp_path) == ["done/goi.zip"]
