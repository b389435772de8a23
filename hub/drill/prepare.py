"""All of a drill that can be found out before anything is started: what is drilled, with what samples and faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from hub import registry
from hub.answers import load_answers
from hub.draft import Draft, draft
from hub.drill.copying import LIMITS, deadline_of, environment, must_be_right
from hub.drill.known import known_of
from hub.drill.multiply import Reader, Template, template
from hub.drill.plan import FAULTS, OF_A_PORTAL
from hub.drill.report import NotApplicable, SourceUsed
from hub.drill.samples import NoSampleError, collect
from hub.drill.stand_ins import StandIn, reads, stand_in
from hub.rulebook import Rulebook
from hub.sections import DestinationSection, Route, SourceSection
from hub.settings import locate_ledger
from mappings.catalogue import load
from mappings.inbound import InboundMapping
from mappings.notation import nearest
from mappings.outbound import OutboundMapping
from mappings.rows import NO_PROCEDURES, ReadContext, RenderContext
from schemas.errors import ConfigError, Problem, RefusedValueError
from schemas.record import Record


@dataclass(slots=True)
class Prepared:
    """What will be drilled."""

    made: Draft
    """The user's configuration as it was read."""
    file: Path
    twins: dict[str, tuple[str, StandIn]]
    """Per destination that is drilled, the name of its twin and what that says of itself."""
    readers: dict[str, Reader] = field(default_factory=dict)
    templates: dict[str, list[Template]] = field(default_factory=dict)
    used: dict[str, SourceUsed] = field(default_factory=dict)
    orders: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Per destination and fault, what its twin is told."""
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per destination, what its twin is made with."""
    not_applicable: list[NotApplicable] = field(default_factory=list)

    @property
    def given(self) -> dict[str, Any]:
        """The file's own values, variables not replaced."""
        data: dict[str, Any] = self.made.document.data
        return data


def file_of(config: Path) -> Path:
    """A folder's configuration is its hub.yaml."""
    return config / "hub.yaml" if config.is_dir() else config


async def prepare(config: Path, skipped: Sequence[str], faults: Sequence[str]) -> Prepared:
    """Look at everything. `skipped` destinations are left out; of no `faults` every one is meant.

    Raises: ConfigError with every problem.
    """
    file = file_of(config)
    made = draft(file, environment=environment())
    problems: list[Problem] = []
    for rule, option, names, known in (
        ("unknown-destination", "--skip-destination", skipped, list(made.destinations)),
        ("unknown-fault", "--fault", faults, list(FAULTS)),
    ):
        strange = [name for name in names if name not in known]
        problems += [Problem(rule, f"{option}: there is no {one!r}", nearest(one, known), str(file)) for one in strange]
    twins: dict[str, tuple[str, StandIn]] = {}
    for name, section in made.destinations.items():
        if name not in skipped and section.adapter in registry.declared():
            try:
                line = made.document.line(("destinations", name, "adapter"))
                twins[name] = stand_in(section.adapter, name, str(file), line)
            except ConfigError as error:
                problems += error.problems
    try:
        await must_be_right(file, {name: twin for name, (_, twin) in twins.items()}, skipped)
    except ConfigError as error:
        problems = [*error.problems, *problems]
    if not problems and set(made.destinations) <= set(skipped):
        problems.append(Problem("nothing-to-drill", "every destination is skipped", "leave one in", str(file)))
    if problems:
        raise ConfigError(problems)
    prepared = Prepared(made, file, twins)
    _look_at_sources(prepared, problems)
    if problems:
        raise ConfigError(problems)
    _orders(prepared, faults)
    return prepared


def _orders(prepared: Prepared, faults: Sequence[str]) -> None:
    """What each twin is told, and what it cannot be told."""
    for name, (_, twin) in prepared.twins.items():
        section = prepared.made.destinations[name]
        said = dict(twin.faults(section.settings, deadline_of(prepared.given["destinations"][name])))
        prepared.options[name] = dict(twin.options(section.settings))
        if (learns := getattr(twin, "learns", None)) is not None:
            folder = prepared.file.parent
            table = load_answers(section.answers or section.adapter, folder)
            learned = learns(section.settings, known_of(_outbound(section, folder), table))
            prepared.options[name] |= learned.options
            said |= learned.cannot
        prepared.orders[name] = {}
        for fault, order in said.items():
            if not isinstance(order, str):
                prepared.orders[name][fault] = order
        for one in OF_A_PORTAL:
            if faults and one.name not in faults:
                prepared.orders[name].pop(one.name, None)
                continue
            why = said.get(one.name, "its twin does not say how it would have it")
            if isinstance(why, str):
                prepared.not_applicable.append(NotApplicable(one.name, name, why))


# --- sources ----------------------------------------------------------------------------------------------------------


def _look_at_sources(prepared: Prepared, problems: list[Problem]) -> None:
    made = prepared.made
    folder = prepared.file.parent
    ledger = _ledger_of(prepared.file)
    outbound = {name: _outbound(made.destinations[name], folder) for name in prepared.twins}
    for name, section in made.sources.items():
        reader = _reader(name, section, prepared, outbound)
        prepared.readers[name] = reader
        line = made.document.line(("sources", name, "samples" if section.samples else "mappings"))
        assert made.agencies is not None
        try:
            samples = collect(name, section, reader.mappings, folder, ledger, made.agencies)
        except NoSampleError as error:
            problems.append(Problem("no-samples", str(error), error.mend, str(prepared.file), line))
            continue
        found = [one for one in (template(sample, reader) for sample in samples) if one is not None]
        routed = [one for one in found if all(_goes(reader, record) for record in one.records if not record.event)]
        if not routed:
            said = f"sources.{name}: no record that a destination gets comes of its {len(samples)} samples"
            mend = "see what becomes of them: hub map MAPPING SAMPLE; and whether a route takes them"
            problems.append(Problem("no-records", said, mend, str(prepared.file), line))
            continue
        prepared.templates[name] = sorted(
            routed, key=lambda one: (bool(one.why), -min(one.revisions, 2), len(one.owned))
        )
        prepared.used[name] = SourceUsed(name, ", ".join(dict.fromkeys(one.sample.origin for one in routed[:4])))
    owners = any(one.owned for found in prepared.templates.values() for one in found)
    if prepared.templates and not owners and not problems:
        said = "no source shows a dossier, only steps of dossiers that nobody knows"
        problems.append(Problem("no-records", said, "give a source that has them its samples", str(prepared.file)))


def _ledger_of(file: Path) -> str | None:
    """The user's own ledger, None where the file does not say where it is as things stand."""
    try:
        return locate_ledger(file)
    except ConfigError:
        return None


def _outbound(section: DestinationSection, folder: Path) -> dict[str, OutboundMapping]:
    loaded = {kind: load(name, folders=(folder / "mappings", folder)) for kind, name in section.mappings.items()}
    return {kind: mapping for kind, mapping in loaded.items() if isinstance(mapping, OutboundMapping)}


def _reader(
    name: str, section: SourceSection, prepared: Prepared, outbound: Mapping[str, Mapping[str, OutboundMapping]]
) -> Reader:
    made, folder = prepared.made, prepared.file.parent
    loaded = [load(mapping, folders=(folder / "mappings", folder)) for mapping in section.mappings]
    inbound = [mapping for mapping in loaded if isinstance(mapping, InboundMapping)]
    assert made.agencies is not None
    context = ReadContext(made.agencies, procedures=made.procedures or NO_PROCEDURES)
    twins = {name: twin for name, (_, twin) in prepared.twins.items()}
    return Reader(inbound, context, seen_by(name, made, outbound, twins))


def seen_by(
    source: str,
    made: Draft,
    outbound: Mapping[str, Mapping[str, OutboundMapping]],
    twins: Mapping[str, StandIn],
) -> Callable[[Record], dict[str, str]]:
    """What each destination is shown of a record of a source, by the routes and with the mappings in force."""
    assert made.agencies is not None
    context = RenderContext(made.agencies, made.procedures or NO_PROCEDURES)
    limit = {LIMITS: None} if LIMITS in Route.model_fields else {}
    rules = Rulebook({}, outbound, [route.model_copy(update=limit) for route in made.routes.values()], made.agencies)

    def seen(record: Record) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in rules.route(source, record.kind, getattr(record, "agency", None)):
            if name in outbound and record.kind in outbound[name]:
                mapping = outbound[name][record.kind]
                try:
                    payload = mapping.render_body(record.to_json(), context)
                except RefusedValueError:
                    continue  # it dies as a dead letter, which the drill tells of
                found[name] = digest_of(_logged(mapping, payload, twins[name]))
        return found

    return seen


def _logged(mapping: OutboundMapping, payload: Mapping[str, Any], twin: StandIn) -> object:
    """How the twin's log has a payload."""
    read, form = reads(twin), mapping.layout.portal
    return payload if form == "json" or read is None else read(mapping.body(payload), form)


def _goes(reader: Reader, record: Record) -> bool:
    return bool(reader.seen(record))


def digest_of(payload: object) -> str:
    """The digest of a payload as JSON, whatever the order of its members."""
    plain = orjson.dumps(json.loads(orjson.dumps(payload)), option=orjson.OPT_SORT_KEYS)
    return blake2b(plain, digest_size=12).hexdigest()
