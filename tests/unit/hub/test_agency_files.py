"""The agencies' error files: what they hold, how they look, where they lie, when they are made, who gets them."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.agency_errors import errors_of
from hub.agency_files import (
    ROWS_SHOWN,
    Line,
    Owner,
    as_csv,
    as_html,
    file_name,
    files_of,
    hide_numbers,
    kept_from,
    remove_old,
    write,
)
from hub.answers import load_answers
from hub.daily import Daily, Made, due_on, messages, next_run
from hub.ledger import Ledger
from hub.ledger.audit import By
from hub.ledger.items import Item, ItemFault, ItemFilter
from hub.ledger.read import open_reader
from hub.ledger.states import ItemState
from hub.ledger.values import Refusal
from hub.refusals import explain
from hub.sections import AgencyFilesSection, Deployment
from hub.settings import load
from schemas.agency import AgencyRegister
from schemas.local_time import LOCAL
from schemas.record import Counted
from tests.contract.ledger.bench import Bench, dossier, sqlite_url, step

AT = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
DAY = date(2026, 11, 21)
SO = Owner("H59.15", "Sở Thông tin và Truyền thông")


def line(**changed: Any) -> Line:
    made = Line(
        dossier="000.00.15.H59-261120-0007", field="NgayHenTra", value="31/02/2026",
        wrong="Ngày giờ không có trong lịch", mend="Sửa giá trị này", at=AT, refused_by="Trục liên thông",
        reference="412.3.0", wrong_english="is no date of the calendar", mend_english="correct it",
    )  # fmt: skip
    return replace(made, **changed)


def cells(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def table(content: bytes) -> list[list[str]]:
    """The first language of every cell of the page's body."""
    page = etree.fromstring(content, etree.HTMLParser(encoding="utf-8"))
    rows = page.findall(".//tbody/tr")
    return [[cell.text or "" for cell in row] for row in rows]


# --- CSV --------------------------------------------------------------------------------------------------------------


def test_a_vietnamese_excel_opens_it_as_a_table() -> None:
    content = as_csv([line()])
    assert content.endswith(b"\r\n")
    assert cells(content) == [
        ["Số hồ sơ", "Trường", "Giá trị", "Lỗi", "Cách sửa", "Thời điểm", "Nơi từ chối", "Mã tra cứu"],
        ["000.00.15.H59-261120-0007", "NgayHenTra", "31/02/2026", "Ngày giờ không có trong lịch", "Sửa giá trị này",
         "21/11/2026 09:30", "Trục liên thông", "412.3.0"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    ["=HYPERLINK(1)", "+84912345678", "-1", "@SUM(A1)", "\t=1+1", "\r=1", " =1", "\u3000＝1", "＋1", "\n-2", "\x00=1"],
)
def test_no_cell_is_a_formula(value: str) -> None:
    [_, row] = cells(as_csv([line(value=value, dossier=value, field=value, wrong=value)]))
    for cell in (row[0], row[1], row[2], row[3]):
        assert cell.startswith("'")
        assert cell.isprintable()


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_whatever_was_found_stays_in_its_cell(values: list[str]) -> None:
    rows = cells(as_csv([line(value=value, reference=str(at)) for at, value in enumerate(values)]))
    assert [len(row) for row in rows] == [8] * (len(values) + 1)
    for row in rows[1:]:
        # What a spreadsheet would begin to compute stands behind an apostrophe.
        assert not row[2].lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row[2].isprintable()


# --- HTML -------------------------------------------------------------------------------------------------------------


def test_the_page_is_one_valid_document_in_vietnamese() -> None:
    content = as_html(SO, DAY, [line(), line(value="<script>alert(1)</script>", reference="#17")])
    page = etree.fromstring(content, etree.HTMLParser(encoding="utf-8"))
    assert content.startswith(b"<!DOCTYPE html>\n")
    assert page.get("lang") == "vi"
    assert page.find(".//meta[@name='viewport']") is not None
    assert page.findtext(".//title") == "Hồ sơ lỗi ngày 21/11/2026 – Sở Thông tin và Truyền thông"
    assert [one.get("scope") for one in page.findall(".//thead//th")] == ["col"] * 8
    assert [one.get("scope") for one in page.findall(".//tbody//th")] == ["row"] * 2
    assert page.find(".//caption") is not None
    assert page.find(".//script") is None
    outside = [one for one in page.iter() if one.get("src") or one.get("href")]
    assert outside == []
    assert table(content)[1] == cells(as_csv([line()]))[1]
    assert {one.text for one in page.findall(".//tbody//span[@lang='en']")} == {
        "is no date of the calendar",
        "correct it",
    }


def test_a_page_that_a_telephone_cannot_open_is_cut_short_and_says_so() -> None:
    many = [line(reference=f"1.{at}.0", at=AT + timedelta(seconds=at)) for at in range(ROWS_SHOWN + 5)]
    content = as_html(SO, DAY, many)
    assert len(table(content)) == ROWS_SHOWN
    assert f"tệp CSV có đủ {ROWS_SHOWN + 5} lỗi" in content.decode()
    assert table(content)[0][-1] == f"1.{ROWS_SHOWN + 4}.0", "the newest first"
    assert len(cells(as_csv(many))) == ROWS_SHOWN + 6


@given(st.text(max_size=60))
def test_no_value_leaves_its_place_in_the_page(value: str) -> None:
    content = as_html(SO, DAY, [line(value=value, dossier="A")])
    [row] = table(content)
    assert len(row) == 8
    assert row[0] == "A"


@given(st.permutations([line(reference=str(n), at=AT + timedelta(minutes=n % 2), field=f"F{n % 3}") for n in range(6)]))
def test_the_same_rows_make_the_same_bytes(lines: Sequence[Line]) -> None:
    ordered = sorted(lines, key=lambda one: one.reference)
    assert as_csv(lines) == as_csv(ordered)
    assert as_html(SO, DAY, lines) == as_html(SO, DAY, ordered)


# --- personal numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "but", "shown"),
    [
        ("CCCD 079123456789 không khớp", [], "CCCD •••789 không khớp"),
        ("gọi 0912 345 678.", [], "gọi •••678."),
        ("gọi +84912345678", [], "gọi •••678"),
        ("CCCD 079123456789 không khớp", ["079123456789"], "CCCD 079123456789 không khớp"),
        ("gọi 0912.345.678", ["0912345678"], "gọi 0912.345.678"),
        ("hồ sơ 000.00.15.H59-170302-0007", [], "hồ sơ 000.00.15.H59-170302-0007"),
        ("thủ tục 1.003560.000.00.00.H59", [], "thủ tục 1.003560.000.00.00.H59"),
        ("ngày 20170301083000 hoặc 20170301", [], "ngày 20170301083000 hoặc 20170301"),
        ("lúc 01/03/2017 08:30:00", [], "lúc 01/03/2017 08:30:00"),
    ],
)
def test_numbers_of_persons_show_three_digits_unless_they_are_at_fault(text: str, but: list[str], shown: str) -> None:
    assert hide_numbers(text, but) == shown


# --- the folder -------------------------------------------------------------------------------------------------------


def test_files_are_whole_for_their_owner_and_group_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths = write(tmp_path / "var" / "agencies", DAY, {"H59.15.csv": b"one", "H59.15.html": b"two"})
    finally:
        os.umask(before)
    place = tmp_path / "var" / "agencies" / "2026-11-21"
    assert paths == [place / "H59.15.csv", place / "H59.15.html"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o640}
    assert {stat.S_IMODE(one.stat().st_mode) for one in (place, place.parent, place.parent.parent)} == {0o750}
    assert [path.read_bytes() for path in paths] == [b"one", b"two"]


def test_made_again_only_what_changed_is_written_and_what_is_over_goes(tmp_path: Path) -> None:
    first = write(tmp_path, DAY, {"a.csv": b"1", "b.csv": b"2"})
    inode = first[0].stat().st_ino
    (tmp_path / "2026-11-21" / ".a.csv.x.part").write_bytes(b"left by a kill")
    (tmp_path / "2026-11-21" / "note.txt").write_bytes(b"somebody's own")
    write(tmp_path, DAY, {"a.csv": b"1", "c.csv": b"3"})
    assert sorted(one.name for one in (tmp_path / "2026-11-21").iterdir()) == ["a.csv", "c.csv", "note.txt"]
    assert first[0].stat().st_ino == inode
    (tmp_path / "2026-11-21" / "note.txt").unlink()
    assert write(tmp_path, DAY, {}) == []
    assert list(tmp_path.iterdir()) == [], "a day with nothing wrong has no folder"


def test_a_write_that_fails_leaves_the_file_before_and_no_half_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path] = write(tmp_path, DAY, {"a.csv": b"before"})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, DAY, {"a.csv": b"after"})
    assert [one.name for one in path.parent.iterdir()] == ["a.csv"]
    assert path.read_bytes() == b"before"


def test_only_folders_that_are_named_by_an_old_day_are_removed(tmp_path: Path) -> None:
    for name in ("2026-08-23", "2026-08-24", "2026-02-30", "2026-08-1", "keep", "20260101"):
        (tmp_path / name).mkdir()
    (tmp_path / "2020-01-01").write_text("a file", encoding="utf-8")
    (tmp_path / "2020-01-02").symlink_to(tmp_path / "keep")
    assert remove_old(tmp_path, kept_from(DAY, 90)) == ["2026-08-23"]
    assert len(list(tmp_path.iterdir())) == 7
    assert remove_old(tmp_path / "none", DAY) == []


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_every_owner_has_a_file_name_of_its_own(one: str, other: str) -> None:
    name = file_name(one)
    assert "/" not in name
    assert not name.startswith(".")
    assert name.isascii()
    assert (name == file_name(other)) == (one == other)


def test_an_agencys_code_is_its_files_name() -> None:
    assert [file_name(code) for code in ("H59.15", "000.00.15.H59", "so-tttt")] == [
        "H59.15",
        "000.00.15.H59",
        "so-tttt",
    ]


# --- whose ------------------------------------------------------------------------------------------------------------

CONFIG = """\
hub: {name: thu, province: H59}
ledger: {url: "sqlite:///hub.db"}
agencies: agencies.yaml
sources:
  s:
    adapter: files
    agency_name: Sở Ba
    mappings: [one-stop-csv/dossier]
    settings: {folder: drop, pattern: "hoso-*.csv", media: csv}
  other:
    adapter: files
    agency_name: Phòng chưa có mã
    mappings: [one-stop-csv/dossier]
    settings: {folder: drop, pattern: "hoso-*.csv", media: csv}
destinations:
  n:
    adapter: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings: {url: "http://127.0.0.1:9", client_id: a, client_secret: "${NONE:-x}"}
routes:
  - {kinds: [dossier.v1], to: [n]}
agency_files:
  mail: {H59.15: [vanthu@example.gov.vn, vanthu@example.gov.vn], other: [khac@example.gov.vn]}
mail: {host: mail.example.gov.vn, sender: hub@example.gov.vn}
"""
SERVER = "mail: {host: mail.example.gov.vn, sender: hub@example.gov.vn}\n"
AGENCIES = """\
- {code: H59.15, name: Sở Một, level: province}
- {code: H59.16, name: Sở Hai, level: province}
- {code: H59.17, name: Sở Ba, level: province}
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    (tmp_path / "hub.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "agencies.yaml").write_text(AGENCIES, encoding="utf-8")
    return load(tmp_path / "hub.yaml", environment={})


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    made = Bench(sqlite_url(tmp_path / "hub.db"))
    yield made
    made.close()


def wrong(row: int, raw: str, state: ItemState = ItemState.REJECTED, key: str | None = None, **first: Any) -> Refusal:
    problem = {"field": "due_at", "path": "NgayHenTra", "value": f"v-{raw}", "reason": "is no date", **first}
    kind = "dossier-step.v1" if key and "|" in key else "dossier.v1"
    return Refusal(row, 0, kind, key, state, "is no date", orjson.dumps([problem]).decode(), raw)


def counted(agency: str) -> Counted:
    return Counted(agency, "", 4, date(2017, 3, 20), None, None)


def told(bench: Bench, deployment: Deployment, day: date = date(2017, 3, 20)) -> Mapping[str, list[str]]:
    with open_reader(bench.url) as reader:
        found = errors_of(reader, deployment, None, day)
    return {owner.code: sorted(one.value or one.wrong for one in lines) for owner, lines in found.items()}


def test_a_row_goes_to_the_agency_that_it_names_else_its_records_else_its_sources(
    bench: Bench, deployment: Deployment
) -> None:
    bench.settle(dossier("K-1", counted=counted("H59.16")))
    bench.settle(
        refusals=[
            wrong(0, "named", agency="H59.15", lane="K-1"),
            wrong(1, "recorded", key="K-1"),
            wrong(2, "step", key="K-1|2017-03-20T00:00:00Z|An|4"),
            wrong(3, "sourced"),
            wrong(4, "parked", ItemState.PARKED, agency="H59.15"),
        ]
    )
    bench.settle(refusals=[wrong(0, "nobody's"), wrong(1, "another's", key="K-1")], source="other")
    assert told(bench, deployment) == {
        "H59.15": ["v-named"],
        "H59.16": ["v-recorded", "v-step"],
        "H59.17": ["v-sourced"],
        "other": ["v-another's", "v-nobody's"],
    }


def test_only_what_is_open_at_the_end_of_the_day_is_told(bench: Bench, deployment: Deployment) -> None:
    settled = bench.settle(refusals=[wrong(0, "corrected", key="K-1"), wrong(1, "dismissed"), wrong(2, "open")])
    bench.run(bench.ledger.dismiss([f"{settled.arrival_id}.1.0"], ItemFilter(), By("lan", "x")))
    bench.clock.tick(1)
    bench.settle(dossier("K-1"))
    bench.clock.tick(24 * 3600)
    bench.settle(refusals=[wrong(0, "tomorrow")])
    assert told(bench, deployment) == {"H59.17": ["v-open"]}
    assert told(bench, deployment, date(2017, 3, 21)) == {"H59.17": ["v-open", "v-tomorrow"]}


def test_of_a_row_that_was_refused_again_only_what_is_wrong_now_is_told(bench: Bench, deployment: Deployment) -> None:
    bench.settle(refusals=[wrong(0, "before", key="K-1"), wrong(1, "ours-now", key="K-2"), wrong(2, "nameless")])
    bench.clock.tick(1)
    bench.settle(refusals=[wrong(0, "now", key="K-1"), wrong(1, "parked", ItemState.PARKED, key="K-2")])
    assert told(bench, deployment) == {"H59.17": ["v-nameless", "v-now"]}


def test_of_dead_letters_those_that_the_agency_has_to_correct_are_told(bench: Bench, deployment: Deployment) -> None:
    def die(key: str, **fault: Any) -> int:
        call = bench.claim(bench.settle(dossier(key, counted=counted("H59.15"))).tickets)
        bench.finish(call, "dead", **fault)
        return call.ids[0]

    refusal = {"fault": "data", "code": "17", "text": "Sai mã của 079123456789"}
    first, corrected = die("K-1", **refusal), die("K-2", **refusal)
    die("K-3", fault="transient", text="hết lượt")
    die("K-4", fault="data", code="not-sent", text="status: is not in the table")
    bench.clock.tick(1)
    bench.settle(dossier("K-2", at=1, content="B", counted=counted("H59.15")))
    with open_reader(bench.url) as reader:
        [(owner, [found])] = errors_of(reader, deployment, None, date(2017, 3, 20)).items()
        dead = {one.dispatch_id for one in reader.refused_by_portals(datetime(2017, 3, 21, tzinfo=LOCAL))}
    assert (owner, found.dossier, found.reference) == (Owner("H59.15", "Sở Một"), "K-1", f"#{first}")
    assert corrected not in dead
    assert "•••789" in found.wrong
    assert "079123456789" not in found.wrong
    assert found.refused_by == load_answers("lgsp").title


def test_a_dead_step_goes_to_the_agency_of_its_dossier(bench: Bench, deployment: Deployment) -> None:
    bench.deliver(bench.settle(dossier("K-1", counted=counted("H59.16"))).tickets)
    bench.clock.tick(1)
    call = bench.claim(bench.settle(step("K-1")).tickets)
    bench.finish(call, "dead", fault="data", text="Sai người xử lý")
    assert list(told(bench, deployment)) == ["H59.16"]


AGENCY = st.sampled_from(["H59.15", "H59.16", "H59.17", None])


@given(st.lists(st.tuples(AGENCY, st.sampled_from(["s", "other", "gone"]), st.integers(1, 3)), max_size=12))
def test_no_row_of_one_agency_is_ever_in_the_file_of_another(rows: list[tuple[str | None, str, int]]) -> None:
    items = [
        Item(
            id=f"{at}.0.0", state="rejected", source=source, arrival_label="p", read_at=AT, kind="dossier.v1", key=None,
            dossier=None, agency=agency, dismissed=None,
            faults=tuple(ItemFault("due_at", f"F{n}", agency or source, "is no date") for n in range(faults)),
        )
        for at, (agency, source, faults) in enumerate(rows)
    ]  # fmt: skip
    reader: Any = SimpleNamespace(each_item=lambda _: iter(items), refused_by_portals=lambda _: [])
    files = files_of(DAY, errors_of(reader, OFFICES, None, DAY))
    for name, content in files.items():
        found = cells(content)[1:] if name.endswith(".csv") else table(content)
        assert {{"s": "H59.17"}.get(row[2], row[2]) for row in found} == {name.rpartition(".")[0]}
    told = [row[7] for name, content in files.items() if name.endswith(".csv") for row in cells(content)[1:]]
    assert Counter(told) == Counter({item.id: len(item.faults) for item in items})


OFFICES: Any = SimpleNamespace(
    agencies=AgencyRegister.from_rows([{"code": f"H59.{n}", "name": f"Sở {n}", "level": "province"} for n in (15, 17)]),
    sources={"s": SimpleNamespace(agency_name="Sở 17"), "other": SimpleNamespace(agency_name=None)},
    destinations={},
)
"""A deployment as far as owners are looked up in it."""


# --- when -------------------------------------------------------------------------------------------------------------

SEVEN = time(7)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=LOCAL)


@pytest.mark.parametrize(
    ("now", "last", "due"),
    [
        (local(21, 6), None, local(21, 7)),
        (local(21, 8), None, local(21, 7)),
        (local(21, 6), date(2026, 11, 20), local(21, 7)),
        (local(21, 7), date(2026, 11, 20), local(21, 7)),
        (local(21, 8), date(2026, 11, 21), local(22, 7)),
        (local(21, 6), date(2026, 11, 18), local(19, 7)),
        (local(21, 8), date(2027, 1, 1), local(22, 7)),
    ],
)
def test_when_the_files_are_made_next(now: datetime, last: date | None, due: datetime) -> None:
    assert next_run(SEVEN, now, last) == due
    assert next_run(SEVEN, now.astimezone(UTC), last) == due


@given(st.integers(0, 500_000), st.integers(0, 40), st.times())
def test_after_a_stop_the_latest_day_is_made_once(minutes: int, days_ago: int, at: time) -> None:
    here = local(1, 0) + timedelta(minutes=minutes)
    at = at.replace(second=0, microsecond=0)
    last = due_on(at, here) - timedelta(days=days_ago)
    assert (next_run(at, here, last) <= here) == (days_ago > 0)
    made = due_on(at, here)
    assert next_run(at, here, made) > here
    assert next_run(at, here, made) - here <= timedelta(days=1)


class Told:
    """In the place of the ledger's messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, Mapping[str, Any]]] = []

    async def __call__(self, channel: str, about: str, content: Mapping[str, Any]) -> bool:
        self.messages.append((channel, about, content))
        return True


def daily(ledger: Ledger, deployment: Deployment, tell: Told, now: datetime) -> Daily:
    section = deployment.agency_files
    assert section is not None
    rules: Any = None
    return Daily(ledger, deployment, section, rules, tell, now=lambda: now)


def test_yesterdays_files_are_made_and_mailed_once_a_day(bench: Bench, deployment: Deployment) -> None:
    bench.settle(refusals=[wrong(0, "a", agency="H59.15", value="079123456789"), wrong(1, "b")])
    tell = Told()
    early = datetime(2017, 3, 21, 6, 59, tzinfo=LOCAL)
    assert bench.run(daily(bench.ledger, deployment, tell, early).turn()) == 60
    assert tell.messages == []
    due = early + timedelta(minutes=1)
    bench.run(daily(bench.ledger, deployment, tell, due).turn())
    place = deployment.folder / "var" / "agencies" / "2017-03-20"
    assert sorted(one.name for one in place.iterdir()) == ["H59.15.csv", "H59.15.html", "H59.17.csv", "H59.17.html"]
    [(channel, about, content)] = tell.messages
    assert channel == "mail:vanthu@example.gov.vn"
    assert about == "agency-files 2017-03-20 H59.15 vanthu@example.gov.vn"
    assert content["attachments"] == [str(place / "H59.15.html"), str(place / "H59.15.csv")]
    assert "079123456789" not in str(content)
    assert content["subject"] == "Hồ sơ lỗi ngày 20/03/2017 – Sở Một: 1 lỗi"
    assert bench.run(daily(bench.ledger, deployment, tell, due).turn()) > 3600
    assert len(tell.messages) == 1


def test_a_folder_that_cannot_be_written_is_tried_again(
    bench: Bench, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    bench.settle(refusals=[wrong(0, "a")])
    (deployment.folder / "var").write_text("a file in the way", encoding="utf-8")
    tell, now = Told(), datetime(2017, 3, 21, 9, tzinfo=LOCAL)
    assert bench.run(daily(bench.ledger, deployment, tell, now).turn()) == 60
    assert "cannot be made" in caplog.text
    (deployment.folder / "var").unlink()
    bench.run(daily(bench.ledger, deployment, tell, now).turn())
    assert (deployment.folder / "var" / "agencies" / "2017-03-20" / "H59.17.csv").is_file()


def test_a_source_without_an_agency_has_its_mail_by_its_own_name() -> None:
    section = AgencyFilesSection(mail={"so-tttt": ["a@example.gov.vn"]})
    made = Made(DAY, {Owner("so-tttt", "so-tttt"): [line()]}, [Path("/x/so-tttt.csv"), Path("/x/so-tttt.html")])
    [(channel, _, content)] = messages(section, made)
    assert (channel, content["attachments"]) == ("mail:a@example.gov.vn", ["/x/so-tttt.html", "/x/so-tttt.csv"])


# --- the configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("agency_files: {at: '25:00'}", 'no time of day; write "07:00"'),
        ("agency_files: {mail: {H59.15: [vanthu]}}", "is no mail address"),
        ("agency_files: {mail: {H59.15: []}}", "at least 1"),
        ("agency_files: {mail: {H59.15: [a@b.vn]}}", "there is no 'mail' section"),
        ("agency_files: {keep_days: 0}", "keep_days"),
        ("agency_files: {folders: x}", "did you mean 'folder'"),
        ("agency_files: {mail: {H59.99: [a@b.vn]}}\n" + SERVER, "unknown agency 'H59.99'"),
    ],
)
def test_what_is_wrong_with_the_section_is_told(tmp_path: Path, written: str, said: str) -> None:
    from hub.check import check

    file = tmp_path / "hub.yaml"
    file.write_text(CONFIG[: CONFIG.index("agency_files")] + written + "\n", encoding="utf-8")
    (tmp_path / "agencies.yaml").write_text(AGENCIES, encoding="utf-8")
    findings = asyncio.run(check(file, offline=True, environment={}))
    [problem] = findings.problems
    assert said.lower() in str(problem).lower()
    assert problem.line == CONFIG[: CONFIG.index("agency_files")].count("\n") + 1


def test_without_the_section_no_files_are_made(tmp_path: Path) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text(CONFIG[: CONFIG.index("agency_files")], encoding="utf-8")
    (tmp_path / "agencies.yaml").write_text(AGENCIES, encoding="utf-8")
    assert load(file, environment={}).agency_files is None


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "vietnamese"),
    [
        ("is required and empty", "Thiếu giá trị bắt buộc"),
        ("is no date written as dd/MM/yyyy", "Ngày giờ không viết theo dạng dd/MM/yyyy"),
        (
            "is not in the table 'status'; near: 'Đang xử lý'",
            "Giá trị không có trong bảng mã “status”; giá trị gần nhất là “Đang xử lý”",
        ),
        ("unknown agency 'x'; near: 'H59.15'", "Không có đơn vị này trong danh mục; gần nhất là “H59.15”"),
        (
            "agency code '16' means nothing on 2017-03-01: it is H59.16 from 2020-01-01",
            "Mã đơn vị không có hiệu lực vào ngày 01/03/2017",
        ),
        (
            "agency code '16' means nothing on 2025-07-01: it is H59.16 until 2025-06-30; its successor is H61.16",
            "Mã đơn vị không có hiệu lực vào ngày 01/07/2025; mã thay thế là “H61.16”",
        ),
        ("unknown procedure '1.1'; near: '1.10.H59'", "Không có mã thủ tục này trong danh mục; gần nhất là “1.10.H59”"),
        ("unknown procedure '1.1'", "Không có mã thủ tục này trong danh mục"),
        (
            "procedure code '1.1' means nothing on 2025-07-01: it is 1.1 until 2025-06-30",
            "Mã thủ tục không có hiệu lực vào ngày 01/07/2025",
        ),
        ("has 2000 characters, at most 1000 are taken", "Quá dài: 2000 ký tự, chỉ nhận tối đa 1000 ký tự"),
        ("String should have at most 250 characters", "Quá dài: chỉ nhận tối đa 250 ký tự"),
        (
            "A dossier of status 9 (processed) needs its finish time",
            "Hồ sơ ở trạng thái 9 phải có ngày kết thúc xử lý",
        ),
        ("line 3 has 4 cells, the header 22", "Dòng 3 có 4 ô, trong khi dòng tiêu đề có 22 cột"),
        ("something that nobody foresaw", "Giá trị không hợp lệ (something that nobody foresaw)"),
        ("", "Giá trị không hợp lệ"),
    ],
)
def test_reasons_are_told_in_vietnamese(reason: str, vietnamese: str) -> None:
    said = explain(reason, "rejected")
    assert said.vietnamese == vietnamese
    assert said.mend_vietnamese
    assert said.mend_english


@given(st.text(max_size=50), st.sampled_from(["rejected", "parked", "unreadable", "no-route", "?"]))
def test_explaining_never_fails(reason: str, state: str) -> None:
    assert explain(reason, state).vietnamese
