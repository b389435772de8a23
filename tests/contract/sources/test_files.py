"""What only the drop folder has: completeness, order, where files go, what is never followed or overwritten."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.files import FilesSettings, FilesSource
from hub.ports import AdapterContext, Arrival
from schemas.errors import SourceFault
from tests.contract.sources.systems import SLUG, Make, dossiers, poll, polls


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def source(folder: Path, **changes: Any) -> FilesSource:
    settings = FilesSettings.model_validate(
        {"folder": "drop", "pattern": ["hoso-*.csv", "buoc-*.csv"], "settle_s": 0.0} | changes
    )
    return FilesSource(settings, AdapterContext(name=SLUG, folder=folder.parent))


def take(
    made: FilesSource, problems: dict[str, list[str]] | None = None, parked: tuple[str, ...] = ()
) -> list[Arrival]:
    """One poll as the hub makes it, with what it found wrong per file."""

    async def main() -> list[Arrival]:
        seen = []
        async for arrival in made.arrivals({}):
            seen.append(arrival)
            wrong = (problems or {}).get(arrival.label, [])
            await made.settled(arrival, wrong, parked=arrival.label in parked)
        return seen

    return asyncio.run(main())


def labels(arrivals: list[Arrival]) -> list[str]:
    return [arrival.label for arrival in arrivals]


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_the_order_is_that_of_the_patterns_then_of_the_names_with_numbers_by_value(drop: Path) -> None:
    for name in ("buoc-0001.csv", "hoso-10.csv", "hoso-9.csv", "hoso-0002.csv", "khac.csv", ".hoso-1.csv.tmp"):
        (drop / name).write_bytes(b"A;B\n1;2\n")
    assert labels(take(source(drop))) == ["hoso-0002.csv", "hoso-9.csv", "hoso-10.csv", "buoc-0001.csv"]
    assert tree(drop) == [
        ".hoso-1.csv.tmp",
        "done/buoc-0001.csv",
        "done/hoso-0002.csv",
        "done/hoso-10.csv",
        "done/hoso-9.csv",
        "khac.csv",
    ]


def test_refused_rows_are_named_beside_the_file_in_done_and_an_unreadable_file_goes_to_failed(drop: Path) -> None:
    for number in (1, 2, 3):
        (drop / f"hoso-{number}.csv").write_bytes(b"A;B\n1;2\n")
    wrong = ["line 2: ngày hẹn trả không có thật\n(found '31/02/2017')", "line 3: thiếu số hồ sơ"]
    take(source(drop), {"hoso-1.csv": wrong, "hoso-2.csv": ["not CSV: line 1"]}, parked=("hoso-2.csv",))
    assert tree(drop) == [
        "done/hoso-1.csv",
        "done/hoso-1.csv.errors.txt",
        "done/hoso-3.csv",
        "failed/hoso-2.csv",
        "failed/hoso-2.csv.errors.txt",
    ]
    told = (drop / "done" / "hoso-1.csv.errors.txt").read_text(encoding="utf-8").splitlines()
    assert told[0].startswith("# 2 dòng bị từ chối, các dòng khác đã được nhận.")
    assert told[1].startswith("# 2 rows were refused, the others were taken.")
    assert told[2:] == ["line 2: ngày hẹn trả không có thật (found '31/02/2017')", "line 3: thiếu số hồ sơ"]
    told = (drop / "failed" / "hoso-2.csv.errors.txt").read_text(encoding="utf-8").splitlines()
    assert told[0].startswith("# Không đọc được tệp này")
    assert told[2:] == ["not CSV: line 1"]


def test_a_name_that_is_taken_in_done_is_never_overwritten(drop: Path) -> None:
    made = source(drop)
    for version in (b"A\n1\n", b"A\n2\n", b"A\n3\n"):
        (drop / "hoso-1.csv").write_bytes(version)
        take(made, {"hoso-1.csv": ["line 2: sai"]} if version == b"A\n2\n" else None)
    assert (drop / "done" / "hoso-1.csv").read_bytes() == b"A\n1\n"
    assert (drop / "done" / "hoso-1.2.csv").read_bytes() == b"A\n2\n"
    assert (drop / "done" / "hoso-1.2.csv.errors.txt").exists()
    assert (drop / "done" / "hoso-1.3.csv").read_bytes() == b"A\n3\n"


def test_a_file_is_taken_only_when_it_has_not_changed_for_the_settle_time(drop: Path) -> None:
    made = source(drop, settle_s=0.2)
    path = drop / "hoso-1.csv"
    path.write_bytes(b"A;B\n")

    async def main() -> list[Arrival]:
        async def write() -> None:
            for _ in range(6):
                await asyncio.sleep(0.05)
                with path.open("ab") as file:
                    file.write(b"1;2\n")

        writing = asyncio.create_task(write())
        first, _ = await poll(made, {})
        assert first == []
        await writing
        seen: list[Arrival] = []
        while not seen:
            seen, _ = await poll(made, {})
        return seen

    (arrival,) = asyncio.run(main())
    assert arrival.body == b"A;B\n" + b"1;2\n" * 6


def test_the_exporters_half_written_file_is_read_whole(make: Make) -> None:
    system = make("files", [dossiers(50)])
    system.fault("partial", rest_after_s=0.3)
    with system.source(settle_s=0.4) as made:
        system.tick(1)
        began = time.monotonic()
        seen: list[Arrival] = []

        async def main() -> None:
            while not seen:
                assert time.monotonic() - began < 10
                seen.extend((await poll(made, {}))[0])

        asyncio.run(main())
    assert len(system.numbers(seen[0])) == 50


def test_an_old_time_stamp_does_not_make_a_file_complete(drop: Path) -> None:
    path = drop / "hoso-1.csv"
    path.write_bytes(b"A\n1\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    began = time.monotonic()
    assert labels(take(source(drop, settle_s=0.2))) == ["hoso-1.csv"]
    assert time.monotonic() - began >= 0.2


def test_a_marker_says_when_a_file_is_complete(drop: Path) -> None:
    made = source(drop, ready=".ok", settle_s=3600)
    (drop / "hoso-1.csv").write_bytes(b"A\n1\n")
    (drop / "hoso-2.csv").write_bytes(b"A\n1\n")
    assert take(made) == []
    (drop / "hoso-2.csv.ok").touch()
    assert labels(take(made)) == ["hoso-2.csv"]
    assert tree(drop) == ["done/hoso-2.csv", "hoso-1.csv"]


def test_a_file_that_is_not_settled_is_read_again(drop: Path) -> None:
    made = source(drop)
    (drop / "hoso-1.csv").write_bytes(b"A\n1\n")

    async def main() -> tuple[list[Arrival], list[Arrival]]:
        first, _ = await poll(made, {}, settle=False)
        again, _ = await poll(made, {})
        await made.settled(first[0], [], parked=False)  # of an attempt that is over: nothing happens
        return first, again

    first, again = asyncio.run(main())
    assert first[0].body == again[0].body
    assert first[0].uid != again[0].uid
    assert tree(drop) == ["done/hoso-1.csv"]


def test_a_file_that_changed_or_vanished_since_it_was_read_is_left_alone(drop: Path) -> None:
    made = source(drop)
    for number in (1, 2):
        (drop / f"hoso-{number}.csv").write_bytes(b"A\n1\n")

    async def main() -> None:
        seen, _ = await poll(made, {}, settle=False)
        (drop / "hoso-1.csv").write_bytes(b"A\n1\n2\n")
        (drop / "hoso-2.csv").unlink()
        for arrival in seen:
            await made.settled(arrival, ["line 2: sai"], parked=False)
        assert tree(drop) == ["hoso-1.csv"]
        seen, _ = await poll(made, {})
        assert seen[0].body == b"A\n1\n2\n"

    asyncio.run(main())
    assert tree(drop) == ["done/hoso-1.csv"]


def test_links_and_pipes_are_never_opened_and_are_named(drop: Path) -> None:
    secret = drop.parent / "secret.csv"
    secret.write_bytes(b"A\nbi mat\n")
    (drop / "hoso-1.csv").symlink_to(secret)
    os.mkfifo(drop / "hoso-2.csv")
    (drop / "hoso-3.csv").mkdir()
    (drop / "hoso-4.csv").write_bytes(b"A\n1\n")
    seen: list[Arrival] = []

    async def main() -> None:
        made = source(drop)
        async for arrival in made.arrivals({}):
            seen.append(arrival)
            await made.settled(arrival, [], parked=False)

    with pytest.raises(SourceFault) as fault:
        asyncio.run(main())
    assert labels(seen) == ["hoso-4.csv"]
    assert "hoso-1.csv: a link, pipe or device, not a file; moved to failed/" in str(fault.value)
    assert "hoso-2.csv: a link, pipe or device, not a file; moved to failed/" in str(fault.value)
    assert secret.read_bytes() == b"A\nbi mat\n"
    assert (drop / "failed" / "hoso-1.csv").is_symlink()
    assert "link" in (drop / "failed" / "hoso-1.csv.errors.txt").read_text(encoding="utf-8")
    assert take(source(drop)) == []


def test_done_as_a_link_leads_nowhere(drop: Path) -> None:
    elsewhere = drop.parent / "elsewhere"
    elsewhere.mkdir()
    (drop / "done").symlink_to(elsewhere)
    (drop / "hoso-1.csv").write_bytes(b"A\n1\n")
    with pytest.raises(SourceFault, match="cannot be moved: is a link, not a folder"):
        take(source(drop))
    assert list(elsewhere.iterdir()) == []
    assert (drop / "hoso-1.csv").exists()


def test_a_file_that_is_too_large_is_moved_unread_and_the_others_go_on(drop: Path) -> None:
    (drop / "hoso-1.csv").write_bytes(b"A\n" + b"1\n" * 100)
    (drop / "hoso-2.csv").write_bytes(b"A\n1\n")
    with pytest.raises(SourceFault, match=r"hoso-1.csv: 202 bytes, more than max_bytes \(100\); split it"):
        take(source(drop, max_bytes=100))
    assert tree(drop) == ["done/hoso-2.csv", "failed/hoso-1.csv", "failed/hoso-1.csv.errors.txt"]


def test_an_empty_file_arrives_empty_for_the_hub_to_park(drop: Path) -> None:
    (drop / "hoso-1.csv").touch()
    (arrival,) = take(source(drop), {"hoso-1.csv": ["the body is empty"]}, parked=("hoso-1.csv",))
    assert arrival.body == b""
    assert tree(drop) == ["failed/hoso-1.csv", "failed/hoso-1.csv.errors.txt"]


def test_a_file_that_cannot_be_read_stays_and_the_others_go_on(drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        (drop / f"hoso-{number}.csv").write_bytes(b"A\n1\n")
    opened = os.open

    def refuse(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith("drop/hoso-1.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr("adapters.files.os.open", refuse)
    with pytest.raises(SourceFault, match=r"hoso-1.csv: Permission denied; it stays and is tried again"):
        take(source(drop))
    assert tree(drop) == ["done/hoso-2.csv", "hoso-1.csv"]


def test_a_folder_that_is_not_there_is_a_fault_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="cannot be read: No such file or directory; create it") as fault:
        take(source(tmp_path / "drop"))
    assert fault.value.down


def test_a_file_that_takes_the_name_during_the_move_goes_back_to_be_read(
    drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drop / "hoso-1.csv").write_bytes(b"A\nold\n")
    made = source(drop)
    replaced = os.replace

    def race(old: Any, new: Any) -> None:
        if b"old" in (drop / "hoso-1.csv").read_bytes():
            (drop / "new").write_bytes(b"A\nnewer\n")
            replaced(drop / "new", drop / "hoso-1.csv")
        replaced(old, new)

    monkeypatch.setattr("adapters.files.os.replace", race)
    take(made)
    assert tree(drop) == ["hoso-1.csv"]
    (arrival,) = take(made)
    assert arrival.body == b"A\nnewer\n"


def test_a_name_that_is_no_text_is_shown_and_moved(drop: Path) -> None:
    name = os.fsdecode(b"hoso-\xff.csv")
    (drop / name).write_bytes(b"A\n1\n")
    (arrival,) = take(source(drop))
    assert arrival.label == "hoso-\ufffd.csv"
    assert (drop / "done" / name).exists()


def test_xml_files_are_dropped_too(drop: Path) -> None:
    (drop / "hoso-1.xml").write_bytes(b"<DanhSachHoSo/>")
    (arrival,) = take(source(drop, pattern="*.xml", media="xml"))
    assert (arrival.media, arrival.body) == ("xml", b"<DanhSachHoSo/>")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pattern": "../*.csv"}, "without folders"),
        ({"pattern": []}, "give names like"),
        ({"ready": "/../ok"}, "give a suffix like .ok"),
        ({"settle_s": -1}, "greater than or equal to 0"),
        ({"media": "ods"}, "'xml', 'json', 'csv' or 'xlsx'"),
        ({"folders": "drop"}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_work_are_refused(drop: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        source(drop, **change)


def test_a_repeated_export_is_another_file(make: Make) -> None:
    system = make("files", [[*dossiers(2), {"buoc": {"SO_HO_SO": "1", "NOI_DUNG": 'có ; và "nháy"'}}]], repeat=1)
    system.tick(1)
    with system.source() as made:
        ((arrivals, _),) = polls(made, [{}])
    assert labels(arrivals) == ["hoso-0001.csv", "hoso-0001-lai.csv", "buoc-0001.csv"]
    assert arrivals[0].body == arrivals[1].body
    assert arrivals[2].body.decode("utf-8-sig").splitlines()[1] == '1;;;;;"có ; và ""nháy""";'


def test_r17_what_was_read_since_a_backup_is_put_back(drop: Path) -> None:
    (drop / "done").mkdir()
    for name in ("hoso-1.csv", "hoso-2.csv", "hoso-2.csv.errors.txt", "other.txt"):
        (drop / "done" / name).write_text(name, encoding="utf-8")
    (drop / "hoso-2.csv").write_text("newer", encoding="utf-8")
    reader = source(drop, ready=".ok")
    assert asyncio.run(reader.put_back(datetime.now(UTC) + timedelta(minutes=1))) == 0
    assert asyncio.run(reader.put_back(datetime.now(UTC) - timedelta(minutes=1))) == 1
    assert sorted(path.name for path in drop.iterdir()) == ["done", "hoso-1.csv", "hoso-1.csv.ok", "hoso-2.csv"]
    assert (drop / "hoso-2.csv").read_text(encoding="utf-8") == "newer", "a name that is taken stays in done/"
