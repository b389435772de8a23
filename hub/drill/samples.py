"""What each source once sent: files that its section names, else what its ledger has kept, else its mappings' tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.engine import open_engine, sqlite_path
from hub.ledger.pages import unpack
from hub.ports import Media as Media
from hub.sections import SourceSection
from mappings.inbound import InboundMapping, read_all
from mappings.load import find
from mappings.rows import ReadContext, RowRefused
from mappings.testing import inputs, place_of_test
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, UndecodableError

MOST = 40
"""Samples of one source that are looked at; the smallest ones of a ledger."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One page, file or answer as it came from a system."""

    source: str
    body: bytes
    media: Media
    label: str
    charset: str | None = None
    origin: str = ""
    """Where it comes from, for people."""


class NoSampleError(Exception):
    """A source without a sample; says why, and what would mend it."""

    def __init__(self, message: str, mend: str) -> None:
        self.mend = mend
        super().__init__(message)


def collect(
    name: str,
    section: SourceSection,
    mappings: Sequence[InboundMapping],
    folder: Path,
    ledger: str | None,
    agencies: AgencyRegister,
) -> list[Sample]:
    """The samples of a source. `folder` is the configuration's, `ledger` the URL of its own ledger, only read.

    Raises: NoSampleError.
    """
    if section.samples is not None:
        return recorded(name, section.samples, folder, mappings)
    kept = _kept(name, ledger) if ledger is not None else []
    if kept:
        return kept
    tried = _of_tests(name, section, mappings, folder)
    if tried:
        return [_at_home(sample, mappings, agencies, section.agency_name) for sample in tried]
    said = (
        f"sources.{name}: there is nothing that it once sent: no `samples`, no ledger that has read it, no test of its"
    )
    raise NoSampleError(f"{said} mappings", f"write samples: FOLDER in sources.{name}, with files as they came from it")


def label_of(mapping: InboundMapping) -> str:
    """A label that the mapping reads."""
    return mapping.label.replace("*", "0001").replace("?", "1") if mapping.label else ""


def recorded(name: str, pattern: str, folder: Path, mappings: Sequence[InboundMapping]) -> list[Sample]:
    """The files that `samples` names. Raises: NoSampleError where there is none, or one cannot be read."""
    place = folder / pattern
    if place.is_dir():
        found = sorted(place.iterdir())
    elif Path(pattern).is_absolute():
        found = sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
    else:
        found = sorted(folder.glob(pattern))
    files = [path for path in found if path.is_file() and not path.name.startswith(".")][:MOST]
    if not files:
        mend = "put files there as they came from the system, or correct the path"
        raise NoSampleError(f"sources.{name}.samples: {pattern} holds no file", mend)
    try:
        return [Sample(name, path.read_bytes(), _media(mappings), path.name, None, path.name) for path in files]
    except OSError as error:
        said = f"sources.{name}.samples: {error.filename}: {error.strerror}"
        raise NoSampleError(said, "make it readable") from error


def _media(mappings: Sequence[InboundMapping]) -> Media:
    return cast(Media, mappings[0].format)


def _kept(name: str, url: str) -> list[Sample]:
    """What the ledger has kept of a source: of each label the arrivals with the fewest rows that were taken."""
    path = sqlite_path(url)
    if path is not None and not Path(path).exists():
        return []
    engine = open_engine(url, writer=False)
    a = t.arrival.c
    query = (
        sa.select(a.id, a.body, a.media, a.label, a.charset)
        .where(a.source == name, a.state == "settled", a.accepted > 0, a.body.isnot(None))
        .order_by(a.accepted, a.id)
        .limit(MOST)
    )
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("arrival"):
                return []
            rows: Sequence[Any] = connection.execute(query).all()
    except sa.exc.SQLAlchemyError:
        return []
    finally:
        engine.dispose()
    return [
        Sample(name, unpack(row.body), row.media, row.label, row.charset, f"arrival {row.id} of the ledger")
        for row in rows
    ]


def _of_tests(name: str, section: SourceSection, mappings: Sequence[InboundMapping], folder: Path) -> list[Sample]:
    folders = (folder / "mappings", folder)
    made: list[Sample] = []
    for written, mapping in zip(section.mappings, mappings, strict=True):
        try:
            path, _ = find(written, folders)
            tests = inputs(place_of_test(path), folders=folders)
        except ConfigError:
            continue
        made += [
            Sample(
                name, one.body, _media(mappings), one.label or label_of(mapping), one.charset, f"{mapping.name}, {one}"
            )
            for one in tests
        ]
    return made[:MOST]


def _at_home(sample: Sample, mappings: Sequence[InboundMapping], agencies: AgencyRegister, named: str | None) -> Sample:
    """A test brings agencies of its own: let one of the configuration's stand where its agency is not known."""
    known = sorted(agencies, key=lambda agency: agency.name != named)
    for strange in _strangers(sample, mappings, agencies)[:5]:
        codes = [code for agency in known for code in (agency.code, *(alias.code for alias in agency.aliases))]
        codes.sort(key=lambda code: _shape(code) != _shape(strange))  # stable: the agency of that name stays first
        if codes:
            sample = replace(sample, body=sample.body.replace(strange.encode(), codes[0].encode()))
    return sample


def _strangers(sample: Sample, mappings: Sequence[InboundMapping], agencies: AgencyRegister) -> list[str]:
    try:
        rows: Iterable[object] = read_all(
            mappings, sample.body, sample.charset, ReadContext(agencies=agencies, label=sample.label)
        )
    except UndecodableError:
        return []
    problems = [problem for row in rows if isinstance(row, RowRefused) for problem in row.error.problems]
    return list(dict.fromkeys(p.value for p in problems if p.field == "agency" and p.verdict == "park" and p.value))


def _shape(code: str) -> str:
    return "".join("0" if c.isdigit() else "A" if c.isalpha() else c for c in code)
