"""A source that answers garbage, changes shape, attacks, hangs or fails: parked with its bytes, shown, and read whole
later; no other source notices."""

from __future__ import annotations

import asyncio

import pytest

from adapters.sandbox.csv_exporter import content
from hub.ledger.pages import unpack
from hub.ledger.read import open_reader
from hub.ledger.views import DeadFilter
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import SLUGS, SOURCES, Town, until

pytestmark = pytest.mark.usefixtures("impatient")

KEPT = [
    ("soap", "garbage", "đang bảo trì".encode()),
    ("soap", "shape", b"KetQua"),
    ("soap", "bomb", b"<!DOCTYPE b"),
    ("rest", "garbage", "đang bảo trì".encode()),
    ("rest", "shape", b"ket_qua"),
    ("rest", "bomb", b"[" * 200_000),
    ("rest", "error-200", "Lỗi truy vấn".encode()),
]
NOTHING_KEPT = [
    ("soap", "hang", "no whole answer"),
    ("soap", "500", "HTTP 500"),
    ("soap", "fault", "Lỗi kết nối cơ sở dữ liệu"),
    ("soap", "fault-200", "Phiên làm việc đã hết hạn"),
    ("soap", "refuse", "cannot be reached"),
    ("rest", "down", "broke off"),
    ("rest", "500", "HTTP 500"),
    ("rest", "drip", "no whole answer"),
]


def pages(town: Town) -> list[str]:
    """The sources of the parked pages that `hub dead list` shows."""
    with open_reader(town.ledger) as reader:
        return [one.source for one in reader.problems(DeadFilter()) if one.position == (-1, -1)]


def waiting_steps(town: Town) -> bool:
    """Whether the steps of the CSV system's dossiers are all that has not ended."""
    left = town.ask("SELECT lane, kind, state FROM dispatch WHERE state IN ('waiting', 'queued', 'sending', 'unknown')")
    steps = {(number, "dossier-step.v1", "waiting") for number in town.numbers["csv"]}
    return {tuple(row) for row in left} == steps


@pytest.mark.parametrize(("system", "mode", "kept"), KEPT)
def test_an_answer_that_cannot_be_read_is_parked(make_town: MakeTown, system: str, mode: str, kept: bytes) -> None:
    town = make_town()
    (source,) = SOURCES[system]
    others = [one for one in town.systems if one != system]

    async def main() -> None:
        async with town.hub():
            town.tick()
            await town.all_arrived()
            town.fault(system, mode, scope=SLUGS[system])
            town.tick()
            await until(lambda: (town.one("SELECT max(reads) FROM arrival WHERE state = 'parked'") or 0) >= 2)
            await town.all_arrived(*others)
            # Read again and again, equal garbage is one row that counts up.
            rows = town.ask("SELECT id, source, body, reads, records FROM arrival WHERE state = 'parked'")
            assert [(row.source, row.records) for row in rows] == [(source, None)]
            assert kept in unpack(rows[0].body)
            assert f"its bytes are kept as arrival {rows[0].id}" in (town.problem(source) or "")
            assert pages(town) == [source]
            town.fault(system, "off")
            await town.all_arrived()
            await until(lambda: town.problem(source) is None)
        assert pages(town) == []
        assert [row[0] for row in town.ask("SELECT state FROM arrival WHERE id = :id", id=rows[0].id)] == ["reread"]

    asyncio.run(main())
    town.balance()


@pytest.mark.parametrize(("system", "mode", "said"), NOTHING_KEPT)
def test_a_source_that_gives_no_answer_is_shown(make_town: MakeTown, system: str, mode: str, said: str) -> None:
    town = make_town()
    (source,) = SOURCES[system]
    others = [one for one in town.systems if one != system]

    async def main() -> None:
        async with town.hub():
            town.fault(system, mode, **({} if mode == "refuse" else {"scope": SLUGS[system]}))
            town.tick()
            await until(lambda: said in (town.problem(source) or ""), show=lambda: town.problem(source))
            await town.all_arrived(*others)
            assert town.one("SELECT failures FROM source WHERE name = :name", name=source) >= 1
            assert not town.ask("SELECT id FROM arrival WHERE source = :name", name=source)
            assert [town.problem(name) for one in others for name in SOURCES[one]] == [None] * (len(others) + 1)
            town.fault(system, "off")
            await town.all_arrived()
            await until(lambda: town.problem(source) is None)

    asyncio.run(main())
    town.balance()


def test_garbage_of_a_source_that_has_nothing_yet_is_not_parked_for_ever(make_town: MakeTown) -> None:
    town = make_town(systems=("rest",), portals=("provincial",))

    async def main() -> None:
        town.fault("rest", "garbage", scope=SLUGS["rest"])
        async with town.hub():
            await until(lambda: pages(town) == ["so-y-te"])
            town.fault("rest", "off")
            await until(lambda: town.problem("so-y-te") is None)
            await until(lambda: pages(town) == [], show=town.standing)
            polls = town.one("SELECT polls FROM source")
            arrivals = town.one("SELECT count(*) FROM arrival")
            # What is empty, and was so the last time, makes no row.
            await until(lambda: town.one("SELECT polls FROM source") >= polls + 3)
            assert town.one("SELECT count(*) FROM arrival") == arrivals

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["garbage", "shape", "empty"])
def test_a_file_that_cannot_be_read_is_parked_until_it_is_dropped_mended(make_town: MakeTown, mode: str) -> None:
    town = make_town()
    folder = town.folder / "drop" / SLUGS["csv"]

    async def main() -> None:
        async with town.hub():
            town.fault("csv", mode, for_requests=1)
            town.tick()
            await until(lambda: pages(town) == ["cau-ngang-hoso"])
            # Of the other systems all arrives; of this one the steps were read, and wait for their dossiers by name.
            await until(lambda: town.read_whole("soap") and town.read_whole("rest") and waiting_steps(town))
            assert (folder / "failed" / "hoso-0001.csv").exists()
            assert (folder / "failed" / "hoso-0001.csv.errors.txt").read_text(encoding="utf-8").strip()
            held = [row["hoso"] for row in town.rows("csv", 1) if "hoso" in row]
            (folder / ".hoso.tmp").write_bytes(content("hoso", held))
            (folder / ".hoso.tmp").rename(folder / "hoso-0001.csv")
            await town.all_arrived()
        assert pages(town) == []

    asyncio.run(main())
    town.balance()
