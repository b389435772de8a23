"""Where samples come from: files that are named, else a ledger, else the mappings' own tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.drill.multiply import template
from hub.drill.samples import NoSampleError, Sample, collect
from hub.ledger import tables as t
from hub.ledger.engine import migrate, open_engine
from hub.ledger.pages import pack
from hub.sections import SourceSection
from mappings.catalogue import load
from mappings.inbound import InboundMapping
from schemas.agency import AgencyRegister
from tests.unit.hub.drill.pages import AGENCIES, MAPPINGS, reader


def section(samples: str | None = None, agency_name: str | None = None) -> SourceSection:
    return SourceSection(adapter="files", mappings=MAPPINGS["csv"], samples=samples, agency_name=agency_name)


def found(folder: Path, wanted: SourceSection, ledger: str | None = None) -> list[Sample]:
    mappings = [mapping for mapping in map(load, wanted.mappings) if isinstance(mapping, InboundMapping)]
    return collect("a", wanted, mappings, folder, ledger, AGENCIES)


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """One that has read sources a and b: whole pages and one of which nothing came."""
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    engine = open_engine(url, writer=True)
    migrate(engine)
    rows = [("a", "big", 9), ("a", "small", 1), ("a", "empty", 0), ("b", "other", 1)]
    values = [
        {"uid": label, "source": source, "label": f"{label}.csv", "media": "csv", "received_us": 1, "poll_us": 1,
         "settled_us": 1, "digest": "", "body": pack(label.encode()), "state": "settled", "accepted": accepted}
        for source, label, accepted in rows
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(t.arrival), values)
    engine.dispose()
    return url


@pytest.mark.parametrize("pattern", ["recorded", "recorded/*.csv", "rec*/hoso-0?.csv"])
def test_files_are_a_folder_or_a_pattern(tmp_path: Path, pattern: str, ledger: str) -> None:
    (tmp_path / "recorded").mkdir()
    for name in ("hoso-02.csv", "hoso-01.csv", ".hidden"):
        (tmp_path / "recorded" / name).write_bytes(name.encode())
    samples = found(tmp_path, section(samples=pattern), ledger)
    assert [(one.label, one.body, one.media) for one in samples] == [
        ("hoso-01.csv", b"hoso-01.csv", "csv"),
        ("hoso-02.csv", b"hoso-02.csv", "csv"),
    ]
    absolute = found(Path("/"), section(samples=str(tmp_path / pattern)))
    assert [one.body for one in absolute] == [one.body for one in samples]


def test_a_ledger_gives_what_it_has_kept_of_that_source_small_pages_first(tmp_path: Path, ledger: str) -> None:
    assert [(one.body, one.origin) for one in found(tmp_path, section(), ledger)] == [
        (b"small", "arrival 2 of the ledger"),
        (b"big", "arrival 1 of the ledger"),
    ]


def test_tests_are_the_last_resort_at_home_in_the_configuration(tmp_path: Path) -> None:
    samples = found(tmp_path, section(agency_name="UBND huyện Cầu Ngang"), f"sqlite:///{tmp_path / 'none.db'}")
    assert samples[0].label == "hoso-0001.csv"
    made = template(samples[0], reader("csv"))
    assert made is not None
    assert made.numbers == {"000.00.31.H59-170320-0002": "000.00.31.H59-170320-0002"}


def test_an_agency_that_is_not_known_gives_way_to_the_one_of_that_name(tmp_path: Path) -> None:
    here = AgencyRegister.from_rows(
        [
            {"code": "H59.34", "name": "UBND huyện Trà Cú", "level": "district", "aliases": ["000.00.34.H59"]},
            {"code": "H59.35", "name": "UBND huyện Cầu Ngang", "level": "district", "aliases": ["000.00.35.H59"]},
        ]
    )
    mapping = load("one-stop-csv/dossier")
    assert isinstance(mapping, InboundMapping)
    wanted = section(agency_name="UBND huyện Cầu Ngang")
    (sample, *_) = collect("a", wanted, [mapping], tmp_path, None, here)
    assert b"000.00.35.H59-170320-0002" in sample.body


def test_nothing_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoSampleError, match=r"sources\.a\.samples: nowhere holds no file"):
        found(tmp_path, section(samples="nowhere"))
