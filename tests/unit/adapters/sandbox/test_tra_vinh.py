"""The year of the demo: the province's figures, and everything about it that the hub is meant to meet."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from unicodedata import is_normalized

from adapters.sandbox.tra_vinh import REPEATED_PAGE, Stage, generate
from adapters.sandbox.tra_vinh.agencies import AGENCIES, SPLIT_NOTE
from adapters.sandbox.tra_vinh.course import OUTAGE_TICKS, TICKS, Dossier, Year, tick_of
from adapters.sandbox.tra_vinh.dossiers import Course, make
from adapters.sandbox.tra_vinh.truth import stage_data, truth
from schemas.calendar import WorkingCalendar


@cache
def course() -> Course:
    return make()


@cache
def true() -> dict[str, Any]:
    return truth(course())


@cache
def data() -> dict[str, Any]:
    return stage_data(course(), TICKS, *REPEATED_PAGE)


def outcome(dossier: Dossier) -> str:
    due, finished = dossier.due_at.date(), dossier.finished_at.date()
    return "late" if finished > due else "early" if finished < due else "on"


def test_the_province_s_figures_come_out() -> None:
    assert Counter(map(outcome, course().dossiers)) == {"early": 1856, "on": 65, "late": 81}
    assert len({dossier.number for dossier in course().dossiers}) == 2002


def test_each_agency_has_its_share_and_the_split_is_said_to_be_invented() -> None:
    by_agency = Counter((dossier.agency.slug, outcome(dossier)) for dossier in course().dossiers)
    for agency in AGENCIES:
        assert by_agency[agency.slug, "late"] == agency.late
        assert by_agency[agency.slug, "on"] == agency.on_due_date
        assert by_agency[agency.slug, "early"] == agency.early
    assert Counter(agency.system for agency in AGENCIES) == {"soap": 4, "rest": 2, "csv": 1}
    assert true()["note"] == SPLIT_NOTE
    assert "invented" in SPLIT_NOTE


def test_due_dates_are_working_days_after_the_holidays_of_2017() -> None:
    calendar = WorkingCalendar()
    tet = {date(2017, 1, 26) + timedelta(days=n) for n in range(7)}
    for dossier in course().dossiers:
        assert dossier.due_at == calendar.due(dossier.received_at, dossier.procedure.days)
        for day in (dossier.received_at.date(), dossier.due_at.date(), dossier.finished_at.date()):
            assert calendar.is_working_day(day)
            assert day not in tet
    assert not any(day in Year(calendar).index for day in (date(2017, 4, 6), date(2017, 5, 1), date(2017, 9, 4)))


def test_the_year_is_2017_and_each_tick_is_later_than_the_ones_before() -> None:
    for dossier in course().dossiers:
        assert dossier.received_at.year == 2017
        assert dossier.received_at <= dossier.finished_at
        for version in dossier.versions:
            assert tick_of(version.changed_at.date()) == version.tick
        assert dossier.versions[-1].changed_at.date() <= date(2018, 1, 31)


def test_every_dossier_has_two_to_four_revisions_and_steps() -> None:
    for dossier in course().dossiers:
        versions = dossier.versions
        assert 2 <= len(versions) <= 4
        assert 2 <= sum(len(version.steps) for version in versions) <= 4
        assert all(a.tick < b.tick and a.changed_at < b.changed_at for a, b in pairwise(versions))
        assert versions[-1].status in (9, 10)
        assert versions[-1].finished_at == dossier.finished_at
        for version in versions:
            assert (version.finished_at is not None) == (version.status in (9, 10))
            assert all(step.at <= version.changed_at for step in version.steps)
        keys = {step["key"] for step in true()["dossiers"][dossier.number]["steps"]}
        assert len(keys) == sum(len(version.steps) for version in versions)


def test_every_revision_changes_what_both_portals_get() -> None:
    for dossier in true()["dossiers"].values():
        for before, after in pairwise(dossier["versions"]):
            assert before["national"] != after["national"]
            assert before["provincial"] != after["provincial"]


def test_what_the_portals_should_show_is_composed_unicode() -> None:
    for dossier in true()["dossiers"].values():
        for part in (*dossier["versions"], *dossier["steps"]):
            assert all(is_normalized("NFC", text) for text in (*part["national"], *part["provincial"]))


def test_many_dossiers_change_twice_without_a_step_while_the_portal_is_closed() -> None:
    met = [
        dossier
        for dossier in course().dossiers
        if {version.tick for version in dossier.versions} >= set(OUTAGE_TICKS)
        and next(version for version in dossier.versions if version.tick == OUTAGE_TICKS[0]).steps == ()
    ]
    # Those whose step comes with the second revision have it at that revision's time: the snapshot goes first.
    clean = [
        dossier
        for dossier in met
        if all(s.at >= v.changed_at for v in dossier.versions if v.tick == OUTAGE_TICKS[1] for s in v.steps)
    ]
    assert len([dossier for dossier in clean if dossier.agency.system != "csv"]) >= 300


def test_the_load_is_what_a_demo_of_a_minute_can_carry() -> None:
    revisions = sum(len(dossier.versions) for dossier in course().dossiers)
    steps = sum(len(version.steps) for dossier in course().dossiers for version in dossier.versions)
    assert 17_000 <= 2 * (revisions + steps) <= 20_000


def test_one_dossier_shows_again_what_it_showed_before() -> None:
    dossier = true()["dossiers"][course().flipped]
    *_, a, b, again = dossier["versions"]
    assert a["national"] == again["national"] != b["national"]
    assert a["provincial"] == again["provincial"] != b["provincial"]
    assert a["changed"] < b["changed"] < again["changed"]


def test_three_versions_are_broken_without_steps_and_mended_later() -> None:
    broken = {entry["trouble"]: entry for entry in true()["broken"]}
    assert {trouble: entry["state"] for trouble, entry in broken.items()} == {
        "unknown-status": "parked",
        "impossible-date": "rejected",
        "missing-number": "rejected",
    }
    assert len({entry["agency"] for entry in broken.values()}) == 1
    for entry in broken.values():
        ticks = data()["agencies"][entry["agency"]]["ticks"]
        shown = [row for row in ticks[entry["tick"] - 1] if entry["number"] in (row["SoHoSo"], row.get("_id"))]
        assert len(shown) == 1
        assert shown[0]["QuaTrinh"] == []
        assert shown[0][entry["field"]] == entry["value"]
        mended = [row for row in ticks[entry["mended_tick"] - 1] if row["SoHoSo"] == entry["number"]]
        assert len(mended) == 1
        assert entry["mended_tick"] > entry["tick"]
        assert entry["tick"] not in {version["tick"] for version in true()["dossiers"][entry["number"]]["versions"]}


def test_the_repeated_page_is_one_of_several() -> None:
    slug, tick = REPEATED_PAGE
    assert data()["repeat_page"] == {"agency": slug, "tick": tick}
    assert data()["agencies"][slug]["system"] in ("soap", "rest")
    assert len(data()["agencies"][slug]["ticks"][tick - 1]) > 50


def test_every_agency_shows_something_at_every_tick_in_its_own_way() -> None:
    forms = {"soap": "12/05/2017", "rest": "/Date(", "csv": "2017"}
    decomposed = 0
    for slug, agency in data()["agencies"].items():
        assert len(agency["ticks"]) == TICKS
        for tick in agency["ticks"]:
            assert tick, f"{slug} has an empty tick"
        text = json.dumps(agency, ensure_ascii=False)
        assert forms[agency["system"]] in text
        decomposed += not is_normalized("NFC", text)
    assert decomposed == 2


def test_the_same_seed_gives_the_same_year(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    for a, b in zip(generate(first), generate(second), strict=True):
        assert a.read_bytes() == b.read_bytes()
    assert make(seed=1).dossiers[0] != course().dossiers[0]


def test_the_configuration_of_the_demo_is_there_and_names_every_source(tmp_path: Path) -> None:
    text = Stage(tmp_path).config.read_text(encoding="utf-8")
    for agency in AGENCIES:
        assert f"\n  {agency.slug}" in text
