"""A new source as files and a section of the configuration, made from a recorded answer and proven on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

from hub.scaffold import shapes
from hub.scaffold.anonymise import anonymous
from hub.scaffold.editors import head
from hub.scaffold.guess import Guesses
from hub.scaffold.mapping_file import mapping_text
from hub.scaffold.sample import Sample
from hub.scaffold.yaml_text import flow, scalar, shown
from mappings.inbound import InboundMapping
from mappings.load import load
from mappings.rows import ReadContext, Row, RowOk
from schemas.agency import Agency, AgencyRegister, fold
from schemas.errors import CodeUnknownError, ConfigError
from schemas.local_time import LOCAL

STEMS = {"dossier.v1": "dossier", "dossier-step.v1": "step"}
"""The file of a mapping, by the kind of record that it makes."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What `hub new source` proposes."""

    name: str
    mapping: str
    section: str
    """The entry of `sources`, indented by two."""
    files: Mapping[str, bytes]
    """By their path below the configuration's folder."""
    rows: tuple[Row, ...] = field(repr=False)
    """What the mapping makes of the anonymised sample."""
    unknown_agencies: tuple[str, ...] = ()
    """Values of the sample that the register does not know: their rows wait."""

    @property
    def accepted(self) -> int:
        return sum(isinstance(row, RowOk) for row in self.rows)


def mapping_name(name: str, kind: str) -> str:
    """`so-y-te/dossier`."""
    return f"{name}/{STEMS.get(kind, kind.partition('.')[0])}"


def proposed_mapping(name: str, summary: str, sample: Sample, guesses: Guesses) -> str:
    """The text of the mapping, also where fields are lacking."""
    return mapping_text(mapping_name(name, guesses.kind), summary, sample, guesses, head=head("mapping"))


def propose(
    name: str,
    body: bytes,
    sample: Sample,
    guesses: Guesses,
    *,
    section: str,
    summary: str,
    agencies: AgencyRegister,
    province: str,
    rows: int = 5,
) -> Draft:
    """Make everything of a new source from guesses that lack nothing; writes only into a temporary folder.

    `section` is the entry of `sources`, `province` the code of the deployment's. Raises: ConfigError.
    """
    kind = guesses.kind
    mapping = mapping_name(name, kind)
    made_of = {one.column.path: one.field for one in guesses.fields if one.column is not None}
    recorded = anonymous(body, sample, made_of, kind, rows=rows)
    text = proposed_mapping(name, summary, sample, guesses)
    suffix = sample.place.spec.format
    stem = mapping.rpartition("/")[2]
    beside = f"samples/{name}-1.{suffix}" if stem == "dossier" else f"samples/{name}-{stem}-1.{suffix}"
    with tempfile.TemporaryDirectory(prefix="hub-new-") as folder:
        file = Path(folder) / f"{stem}.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            compiled = load(file)
        except ConfigError as error:
            # The file that a person will have, not the one that is gone already.
            meant = f"mappings/{mapping}.yaml"
            raise ConfigError([replace(one, file=meant) for one in error.problems]) from None
    assert isinstance(compiled, InboundMapping)
    label = Path(beside).name

    def tried(register: AgencyRegister) -> tuple[Row, ...]:
        return tuple(compiled.read(recorded, charset=None, context=ReadContext(register, label)))

    found = tried(agencies)
    unknown = tuple(_unknown_agencies(agencies, found))
    invented: set[str] = set()
    if unknown:
        # For the test alone they get invented codes, so that it proves the rest of the mapping.
        made = _invented(unknown, province)
        invented = {agency.code for agency in made}
        agencies = AgencyRegister([*agencies, *made])
        found = tried(agencies)
    used = [agency for agency in agencies if agency.code in invented or _used(agency, found)]
    files = {
        f"mappings/{mapping}.yaml": text.encode(),
        f"mappings/{mapping}_test.yaml": test_text(f"../../{beside}", found, used).encode(),
        beside: recorded,
    }
    return Draft(name, mapping, section, files, found, unknown)


def _unknown_agencies(agencies: AgencyRegister, rows: Iterable[Row]) -> list[str]:
    """Values that are the only thing in the way of some row: their agency is not in the register."""
    values = (
        normalize("NFC", str(problem.value))
        for row in rows
        if not isinstance(row, RowOk)
        for problem in row.error.problems
        if problem.field == "agency" and problem.value is not None
    )
    return [value for value in dict.fromkeys(values) if not _resolves(agencies, value)]


def _invented(names: Iterable[str], province: str) -> list[Agency]:
    made = []
    # Two spellings of one name are one agency.
    spelt: dict[str, str] = {}
    for name in names:
        spelt.setdefault(fold(name), name)
    for number, name in enumerate(spelt.values(), 1):
        code = name if shapes.is_agency([name]) else f"{province}.T{number}"
        made.append(Agency.model_validate({"code": code, "name": shown(name, 249), "level": "province"}))
    return made


def _used(agency: Agency, rows: Iterable[Row]) -> bool:
    of = (getattr(row.record, "agency", None) if isinstance(row, RowOk) else row.agency for row in rows)
    return agency.code in of


def _resolves(agencies: AgencyRegister, text: str) -> bool:
    try:
        agencies.resolve(text, datetime.now(LOCAL).date())
    except CodeUnknownError:
        return False
    return True


def test_text(file: str, rows: Iterable[Row], agencies: Iterable[Agency]) -> str:
    """The test of a mapping: what it makes of the recorded sample today."""
    listed = [_agency(agency) for agency in agencies]
    lines = [
        head("mapping-test"),
        "# What the mapping makes of the recorded sample today. Look at each value: from now on it is expected.",
        "agencies:" if listed else "agencies: []",
        *(f"  - {flow(agency)}" for agency in listed),
        "cases:",
        "  - name: the recorded sample",
        f"    file: {scalar(file)}",
    ]
    found = list(rows)
    lines.append("    rows:" if found else "    rows: []")
    for row in found:
        lines += _row(row)
    return "\n".join(lines) + "\n"


def _agency(agency: Agency) -> dict[str, Any]:
    made = agency.model_dump(mode="json", exclude_none=True)
    if not made.get("aliases"):
        made.pop("aliases", None)
    return made


def _row(row: Row) -> list[str]:
    if isinstance(row, RowOk):
        record = row.record.model_dump(mode="json", exclude_none=True)
        return ["      - record:", *(f"          {name}: {scalar(value)}" for name, value in record.items())]
    lines = [f"      - refused: {row.verdict}", "        problems:"]
    for problem in row.error.problems:
        value = problem.value and normalize("NFC", problem.value)
        told = {"field": problem.field, "path": problem.path, "value": value}
        lines.append(f"          - {flow({key: value for key, value in told.items() if value})}")
    return lines


def files_section(name: str, mapping: str, media: str, *, agency_name: str = "") -> str:
    """A drop folder."""
    return "\n".join(
        [
            f"  {name}:",
            "    adapter: files  # a drop folder: each file is taken when it is complete, then moved to done/",
            *people(agency_name),
            "    every_s: 60  # from the end of one look to the start of the next",
            f"    mappings: [{mapping}]",
            f"    samples: samples/{name}-*.{media}  # the recorded sample, without the people in it",
            "    settings:",
            f"      folder: drop/{name}  # where the system drops its files; beside this configuration",
            f'      pattern: "*.{media}"',
            f"      media: {media}",
            "      settle_s: 2  # a file is complete when it has not changed for so long",
        ]
    )


def rest_section(name: str, mapping: str, url: str, sample: Sample, guesses: Guesses, *, agency_name: str = "") -> str:
    """A JSON address."""
    base, path = split_url(url)
    rows: dict[str, Any] = {"at": sample.place.spec.within} if sample.place.spec.within else {}
    changed = changed_at(guesses)
    rows |= changed
    return "\n".join(
        [
            f"  {name}:",
            "    adapter: rest  # an address that answers JSON",
            *people(agency_name),
            "    every_s: 60  # from the end of one poll to the start of the next",
            f"    mappings: [{mapping}]",
            f"    samples: samples/{name}-*.json  # the recorded sample, without the people in it",
            "    settings:",
            f"      url: {scalar(base)}",
            f"      path: {scalar(path)}",
            f"      rows: {flow(rows)}  # where the rows are, and when each changed",
            *([] if changed else ["      # ? no column tells when a row changed, so every poll reads everything"]),
            "      # Where the address can be asked for what changed since, and page by page, write as it wants it:",
            "      # since: {parameter: tu_ngay, format: iso, overlap_s: 60}",
            "      # page: {style: page, parameter: trang, size_parameter: kich_thuoc, size: 200}",
            f'      # auth: {{type: bearer, token: "${{{variable(name)}_TOKEN}}"}}',
            "      timeout_s: 30",
        ]
    )


def soap_section(
    name: str,
    mapping: str,
    service: Mapping[str, Any],
    sample: Sample,
    guesses: Guesses,
    *,
    agency_name: str = "",
) -> str:
    """An operation of a WSDL; `service`: wsdl, operation, and what is known of log-in, arguments, since, page."""
    spec = sample.place.spec
    rows: list[str] = []
    if spec.unwrap:
        rows.append("        unwrap:")
        rows += [
            f"          - {flow({'path': one.path, 'holds': one.holds} | ({'base64': True} if one.base64 else {}))}"
            for one in spec.unwrap
        ]
    rows += [f"        within: {scalar(spec.within)}"] if spec.within else []
    rows.append(f"        each: {scalar(spec.each)}")
    rows += [f"        beside: {flow(spec.beside)}"] if spec.beside else []
    changed = changed_at(guesses)
    rows += [f"        {key}: {flow(value)}" for key, value in changed.items()]
    written = ("wsdl", "import_hosts", "operation", "service", "port", "endpoint")
    settings = [f"      {key}: {flow(service[key])}" for key in written if key in service]
    settings += [f"      {key}: {scalar(service[key])}" for key in ("username", "password") if key in service]
    if service.get("arguments"):
        settings.append(f"      arguments: {flow(service['arguments'])}  # sent with each call")
    if service.get("since") and changed:
        settings.append(f"      since: {flow(service['since'])}  # ? by name: asks for what changed since")
    if service.get("page"):
        settings.append(f"      page: {flow(service['page'])}  # ? by name: asks page by page")
    return "\n".join(
        [
            f"  {name}:",
            "    adapter: soap  # an operation of a WSDL",
            *people(agency_name),
            "    every_s: 60  # from the end of one poll to the start of the next",
            f"    mappings: [{mapping}]",
            f"    samples: samples/{name}-*.xml  # the recorded answer, without the people in it",
            "    settings:",
            *settings,
            "      rows:  # where the rows are, as in the mapping",
            *rows,
            "      operation_timeout_s: 30",
        ]
    )


def variable(name: str) -> str:
    """The beginning of the names of a source's variables: `so-y-te` has SO_Y_TE_PASSWORD."""
    return name.upper().replace("-", "_")


def split_url(url: str) -> tuple[str, str]:
    """Base and path of an address."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", f"/{path}" if slash else "/"


def people(agency_name: str) -> list[str]:
    return [f"    agency_name: {scalar(agency_name)}"] if agency_name else []


def changed_at(guesses: Guesses) -> dict[str, Any]:
    """How a source tells when a row changed, where the mapping found it."""
    for one in guesses.fields:
        if one.field == "changed_at" and "path" in one.spec:
            written = one.spec["date"]
            return {
                "changed": one.spec["path"],
                "changed_format": written["format"] if isinstance(written, dict) else written,
            }
    return {}
