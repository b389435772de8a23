"""What an agency hears of its own rows: of one that the hub refused, of one that the national portal did."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from lxml import etree
from typer.testing import CliRunner

from adapters.sandbox import national_portal
from hub.cli import app
from hub.daily import Daily
from schemas.local_time import LOCAL
from tests.end_to_end import town as towns
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import Town, until

pytestmark = pytest.mark.usefixtures("impatient")

BAD_PHONE, PAPER = "0912-không-rõ", "084199001234"


class PhonePortal(national_portal.NationalPortal):
    """A national portal that looks at telephone numbers."""

    refused: ClassVar[list[str]] = []

    def _refusal(
        self, service: str, updating: bool | None, item: Any, number: str, added: set[str]
    ) -> dict[str, Any] | None:
        if item.get("SoDienThoai") == BAD_PHONE:
            return {"error_code": "12", "message": f"Dữ liệu không hợp lệ: SoDienThoai của {item['MaDoiTuong']}"}
        return super()._refusal(service, updating, item, number, added)


def configured(folder: Path) -> Callable[[dict[str, Any]], None]:
    """The portal's answers with a rule more, and the agencies' files every day at seven, with one mail address."""
    shipped = Path(__file__).parents[2] / "config" / "answers" / "dvcqg.yaml"
    table = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    rule = {"when": {"status": "200-299", "code": "12"}, "is": "data", "say": "Cổng từ chối dữ liệu"}
    table["rules"].insert(0, rule)
    (folder / "answers.yaml").write_text(yaml.safe_dump(table, allow_unicode=True), encoding="utf-8")

    def change(configuration: dict[str, Any]) -> None:
        configuration["destinations"]["national"]["answers"] = "answers.yaml"
        configuration["agency_files"] = {"folder": "files", "at": "07:00"}

    return change


@pytest.fixture
def town(make_town: MakeTown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Town:
    """Of five dossiers of one agency the second has a telephone that is none, the third a date that is none."""
    plain = towns._soap_row

    def row(number: str, tick: int) -> dict[str, Any]:
        wrong: Mapping[str, Any] = {
            "0002": {"DienThoai": BAD_PHONE, "SoGiayTo": PAPER},
            "0003": {"NgayHenTra": "31/02/2017 17:00:00", "SoGiayTo": PAPER},
        }.get(number[-4:], {})
        return {**plain(number, tick), **wrong}

    monkeypatch.setattr(towns, "_soap_row", row)
    monkeypatch.setattr(national_portal, "NationalPortal", PhonePortal)
    return make_town(dossiers=5, systems=("soap", "rest"), portals=("national",), ticks=1, changes=configured(tmp_path))


def refused(town: Town) -> bool:
    """Whether the one is dead, the other rejected, and everything else delivered."""
    states = dict(town.ask("SELECT state, count(*) FROM dispatch WHERE kind = 'dossier.v1' GROUP BY state"))
    return states == {"delivered": 8, "dead": 1} and town.one("SELECT count(*) FROM item WHERE state = 'rejected'") == 1


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), delimiter=";"))


def test_the_refusal_of_one_field_by_the_national_portal_in_the_agencys_own_file(
    town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    today = datetime.now(LOCAL).replace(hour=6, minute=0, second=0, microsecond=0)
    clock = {"now": today}
    monkeypatch.setattr("hub.daily.LOOK_S", 0.05)
    monkeypatch.setattr("hub.serving.Daily", partial(Daily, now=lambda: clock["now"]))
    folder = tmp_path / "files" / f"{today.date()}"

    async def main() -> None:
        async with town.hub():
            town.tick()
            await until(lambda: refused(town), show=town.standing)
            assert not folder.exists(), "it is not yet the next day's seven o'clock"
            clock["now"] = today + timedelta(days=1, hours=1)
            await until(folder.exists, show=town.standing)
            done = f'{{"done":"{clock["now"].date()}"}}'
            await until(lambda: town.one("SELECT value FROM meta WHERE name LIKE 'daily%'") == done)

    asyncio.run(main())
    assert sorted(path.name for path in folder.iterdir()) == ["H59.15.csv", "H59.15.html"]
    _, *found = rows(folder / "H59.15.csv")
    of_the_hub = next(row for row in found if row[0].endswith("0003"))
    of_the_portal = next(row for row in found if row[0].endswith("0002"))
    assert len(found) == 2
    assert of_the_hub[1:4] == ["NgayHenTra", "31/02/2017 17:00:00", "Ngày giờ không có trong lịch"]
    assert of_the_hub[6] == "Trục liên thông"
    assert of_the_portal[1:3] == ["DienThoai", BAD_PHONE]
    assert "Dữ liệu không hợp lệ: SoDienThoai" in of_the_portal[3]
    assert of_the_portal[4]
    assert of_the_portal[6] == "Cổng Dịch vụ công quốc gia"
    # The portal's sentence names the identity number of the applicant, which is not what is wrong.
    assert PAPER not in (folder / "H59.15.csv").read_text(encoding="utf-8-sig")
    assert "•••234" in of_the_portal[3]

    page = etree.fromstring((folder / "H59.15.html").read_bytes(), etree.HTMLParser(encoding="utf-8"))
    assert [[cell.text for cell in row] for row in page.findall(".//tbody/tr")] == found
    assert PAPER not in "".join(map(str, page.itertext()))

    arguments = ["agency-files", str(town.file), "--day", f"{today.date()}", "--out", str(tmp_path / "again"), "--json"]
    ran = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert [(one["agency"], one["errors"]) for one in told["agencies"]] == [("H59.15", 2)]
    for name in ("H59.15.csv", "H59.15.html"):
        again = tmp_path / "again" / f"{today.date()}" / name
        assert again.read_bytes() == (folder / name).read_bytes(), "the same state makes the same bytes"
    arguments[arguments.index("--out") + 1] = str(town.file)
    ran = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert (ran.exit_code, json.loads(ran.stdout)["problems"][0]["rule"]) == (1, "unwritable-folder")


def test_by_hand_a_day_is_asked_for_rightly(town: Town) -> None:
    def ran(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["agency-files", str(town.file), *arguments], catch_exceptions=False)
        return done.exit_code, done.output

    assert ran("--day", "21/11/2026")[0] == 2
    assert ran("--day", "2999-01-01")[0] == 2
    assert "there is no ledger here yet" in ran()[1]
    asyncio.run(started(town))
    for wrong in (town.file, town.file / "day"):
        status, said = ran("--out", str(wrong))
        assert (status, f"{town.file} is a file, no folder" in said) == (1, True), "though there is nothing to make"
    assert ran() == (0, f"no agency has anything to correct on {datetime.now(LOCAL) - timedelta(days=1):%d/%m/%Y}\n")


async def started(town: Town) -> None:
    """Let a hub make its ledger."""
    async with town.hub():
        pass
