"""Looks at a whole configuration before it runs: everything wrong with it at once, each with file, line and mend.

    findings = await check(Path("hub.yaml"))
    findings.problems, findings.warnings, findings.deployment

Beside the file itself (`hub.draft`): adapters and their settings, mappings, answer tables, routes, and, unless offline,
whether what is named can be reached. It changes nothing: no ledger is made, no queue declared.
"""

from __future__ import annotations

import os
from asyncio import to_thread, wait_for
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from hub import registry
from hub.answers import AnswerTable, load_answers
from hub.check_channels import channel_warnings
from hub.check_personal import personal_problems
from hub.check_registers import register_problems, register_warnings
from hub.check_routes import route_problems, route_warnings
from hub.check_samples import sample_warnings
from hub.check_secrets import written_secrets
from hub.check_times import time_warnings
from hub.draft import Draft, draft
from hub.probe import probe
from hub.registers.stored import registers_of
from hub.sections import Deployment, DestinationSection, SourceSection
from hub.unknown_codes import unknown_codes
from hub.validation import Place, secret_places, validate
from mappings.inbound import InboundMapping
from mappings.load import CATALOGUE, PLAIN, find, load, names
from mappings.notation import nearest
from mappings.outbound import OutboundMapping
from schemas.agency import AgencyRegister
from schemas.errors import CodeUnknownError, ConfigError, Problem
from schemas.local_time import LOCAL
from schemas.record import KINDS

_READS = {"soap": "xml", "rest": "json", "sql": "json"}
"""What the arrivals of an adapter are, where its settings do not say it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found. With a problem the configuration cannot be run; warnings are for people."""

    file: str
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    deployment: Deployment | None = field(default=None, repr=False)
    """What can be run; None where there is a problem."""

    def must_run(self) -> Deployment:
        """Raises: ConfigError with every problem."""
        if self.deployment is None:
            raise ConfigError(list(self.problems))
        return self.deployment


async def check(
    path: Path,
    overrides: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
    ledger: bool = False,
    samples: bool = False,
    timeout_s: float = 10.0,
    environment: Mapping[str, str] = os.environ,
) -> Findings:
    """Check a configuration file; never raises for what is wrong with it.

    Unless `offline`, every adapter that can be asked is asked, all at the same time, each for at most `timeout_s`. With
    `ledger` the ledger, where there is one, tells what portals answered that no answer table knows; with `samples` the
    recorded samples and the mappings' tests tell what the mappings make of them.
    """
    try:
        made = draft(path, overrides, environment=environment)
    except ConfigError as error:
        return Findings(str(path), tuple(error.problems))
    looked = _Check(made)
    looked.everything()
    if not offline:
        made.problems += await probe(made, looked.adapters, looked.answers, timeout_s)
    if samples:
        looked.warnings += await to_thread(sample_warnings, made, looked.inbound)
    problems = tuple(sorted(made.problems, key=_order))
    if ledger and made.ledger is not None:
        asked = to_thread(unknown_codes, made.ledger.url, looked.answers, offline=offline)
        with suppress(TimeoutError):
            looked.warnings += await wait_for(asked, timeout_s)
    warnings = tuple(sorted(looked.warnings, key=_order))
    return Findings(str(path), problems, warnings, None if problems else made.deployment())


def _order(problem: Problem) -> tuple[str, int]:
    return problem.file, problem.line


class _Check:
    """One pass over a draft; `everything` fills the public attributes and the draft's problems."""

    def __init__(self, made: Draft) -> None:
        self._draft = made
        self.warnings: list[Problem] = []
        self.adapters: dict[tuple[str, str], tuple[type[Any], BaseModel]] = {}
        """By (sources or destinations, name): the adapter's class and its valid settings."""
        self.answers: dict[str, AnswerTable] = {}
        """By destination."""
        self._produced: dict[str, dict[str, set[str]]] = {}
        """Kinds that each source's mappings make, and the labels of the arrivals that they make them of."""
        self._seen_mappings: dict[str, Any] = {}
        self.inbound: dict[str, list[tuple[str, InboundMapping]]] = {}
        """By source, with the names under which they are written; only sources of which all could be read."""
        self.outbound: dict[tuple[str, str], OutboundMapping] = {}
        """By destination and kind."""

    def everything(self) -> None:
        for name, source in self._draft.sources.items():
            self._adapter("source", name, source)
            self._starts(name, source)
            for index, mapping in enumerate(source.mappings):
                self._inbound(name, mapping, ("sources", name, "mappings", index))
            read = [(mapping, self._seen_mappings.get(mapping)) for mapping in source.mappings]
            good = [(mapping, one) for mapping, one in read if isinstance(one, InboundMapping)]
            if len(good) == len(read):
                self.inbound[name] = good
        for name, destination in self._draft.destinations.items():
            self._adapter("destination", name, destination)
            self._timeouts(name, destination)
            if destination.answers is not None or ("destinations", name) in self.adapters:
                self._answers(name, destination)
            for kind, mapping in destination.mappings.items():
                self._outbound(kind, mapping, ("destinations", name, "mappings", kind))
            self._unfit(name)
        self._routes()
        self._passwords_in_urls()
        self.warnings += channel_warnings(self._draft)
        self.warnings += time_warnings(self._draft, self.adapters)
        self._draft.problems += personal_problems(self._draft, self.outbound)
        self._draft.problems += register_problems(self._draft, self.adapters, self.inbound, self.outbound)
        self.warnings += register_warnings(self._draft, self.inbound)

    def _starts(self, name: str, source: SourceSection) -> None:
        if source.start_from is not None and source.start_from > datetime.now(LOCAL):
            said = f"sources.{name}: start_from ({source.start_from:%Y-%m-%d %H:%M}) lies in the future"
            mend = "nothing of this source is sent until then; correct the day where that is not meant"
            self._warn("future-start", said, mend, ("sources", name, "start_from"))

    # --- adapters -----------------------------------------------------------------------------------------------------

    def _adapter(
        self, role: Literal["source", "destination"], name: str, section: SourceSection | DestinationSection
    ) -> None:
        place: Place = (f"{role}s", name)
        try:
            found = registry.adapter(section.adapter, role)
        except ConfigError as error:
            self._relocate(error.problems, (*place, "adapter"))
            return
        made = self._draft
        at: Place = (*place, "settings")
        settings, problems = validate(
            found.Settings,
            section.settings,
            place=at,
            file=made.document.file,
            lines=made.document,
            ignore=made.unresolved,
        )
        made.problems += problems
        if settings is not None and not problems:
            self.adapters[f"{role}s", name] = (found, settings)
            self._adapters_own(settings, at)
        declared = list(secret_places(found.Settings, section.settings, at))
        for secret in declared:
            written = self._written(secret)
            if isinstance(written, str) and "${" not in written:
                self._plain_secret(".".join(map(str, secret)), secret)
        for secret in written_secrets(self._written(at), at, declared):
            self._plain_secret(".".join(map(str, secret)), secret)

    def _adapters_own(self, settings: BaseModel, place: Place) -> None:
        """What settings say of themselves: files that are not there, connections that are weaker than they need be."""
        where = ".".join(map(str, place[:2]))
        if (lacking := getattr(settings, "lacking", None)) is not None:
            found = [replace(one, message=f"{where}: {one.message}") for one in lacking(self._draft.folder)]
            self._relocate(found, place)
        if (cautions := getattr(settings, "cautions", None)) is not None:
            for one in cautions():
                self._warn(one.rule, f"{where}: {one.message}", one.mend, (*place, "tls"))

    def _timeouts(self, name: str, section: DestinationSection) -> None:
        """An adapter's own limit that is written and not below the limit of the whole request can never strike."""
        for key, value in section.settings.items():
            try:
                limit_s = float(value) if key.endswith("timeout_s") else 0.0
            except (TypeError, ValueError):
                continue
            if limit_s >= section.deadline_s:
                at: Place = ("destinations", name, "settings", key)
                said = f"destinations.{name}: {key} ({limit_s:g}) is not below deadline_s ({section.deadline_s:g})"
                self._draft.problem("contradicting-timeouts", said, "lower it, or raise deadline_s", at)

    def _answers(self, name: str, section: DestinationSection) -> None:
        try:
            self.answers[name] = load_answers(section.answers or section.adapter, self._draft.folder)
        except ConfigError as error:
            self._relocate(error.problems, ("destinations", name, "answers"))

    # --- mappings -----------------------------------------------------------------------------------------------------

    def _mapping(self, name: str, place: Place) -> Any | None:
        """Load a mapping once; its problems are told once, at the first place that names it."""
        if name not in self._seen_mappings:
            self._seen_mappings[name] = None
            folders = (self._draft.folder / "mappings", self._draft.folder)
            try:
                self._seen_mappings[name] = load(name, folders=folders)
            except ConfigError as error:
                self._relocate(error.problems, place)
        return self._seen_mappings[name]

    def _inbound(self, source: str, name: str, place: Place) -> None:
        mapping = self._mapping(name, place)
        if mapping is None:
            return
        if not isinstance(mapping, InboundMapping):
            said = f"sources.{source}: {name} leads from a record to a portal, not from a source to a record"
            self._draft.problem("wrong-direction", said, "name a mapping that has 'to: <kind>'", place)
            return
        self._format(source, name, mapping, place)
        made = self._produced.setdefault(source, {})
        if mapping.label in made.setdefault(mapping.kind, set()):
            said = f"sources.{source}: two mappings make {mapping.kind} of the same arrivals"
            self._draft.problem("same-kind-twice", said, "keep one of them, or give each its label", place)
        made[mapping.kind].add(mapping.label)

    def _format(self, source: str, name: str, mapping: InboundMapping, place: Place) -> None:
        """A mapping of another format would refuse every arrival, as if its sender were at fault."""
        adapter = self._draft.sources[source].adapter
        _, settings = self.adapters.get(("sources", source), (None, None))
        media = getattr(settings, "media", None)
        says = f"the source's settings say {media}" if media else f"the adapter {adapter} gives {_READS.get(adapter)}"
        expected = media or _READS.get(adapter, mapping.format)
        if mapping.format != expected:
            mend = f"name a mapping that reads {expected}{f', or write media: {mapping.format}' if media else ''}"
            said = f"sources.{source}: mapping {name} reads {mapping.format}, {says}"
            self._draft.problem("wrong-format", said, mend, place)

    def _outbound(self, kind: str, name: str, place: Place) -> None:
        if kind not in KINDS:
            where = ".".join(map(str, place[:-1]))
            self._draft.problem("unknown-kind", f"{where}: there is no kind {kind!r}", nearest(kind, KINDS), place)
        mapping = self._mapping(name, place)
        if mapping is None:
            return
        where = ".".join(map(str, place))
        if not isinstance(mapping, OutboundMapping):
            said = f"{where}: {name} leads from a source to a record, not from a record to a portal"
            self._draft.problem("wrong-direction", said, "name a mapping that has 'from: {record: …}'", place)
        elif mapping.kind != kind and kind in KINDS:
            said = f"{where}: {name} is for {mapping.kind}"
            self._draft.problem("wrong-kind", said, f"name a mapping for {kind}, or move it to {mapping.kind}", place)
        else:
            self.outbound[str(place[1]), kind] = mapping
            adapter, _ = self.adapters.get(("destinations", str(place[1])), (None, None))
            writes = getattr(adapter, "writes", ("json",))
            if adapter is not None and mapping.layout.portal not in writes:
                said = f"{where}: {name} makes {mapping.layout.portal}, the adapter sends {' or '.join(writes)}"
                self._draft.problem("wrong-format", said, f"write to: {{portal: {writes[0]}}} in the mapping", place)
            kinds = getattr(adapter, "kinds", None)
            if kinds is not None and kind not in kinds:
                said = f"{where}: the portal has no service for {kind}, only for {', '.join(kinds)}"
                self._draft.problem("unsupported-kind", said, f"take {kind} out, or name another adapter", place)
            self._portal(name, place)

    def _unfit(self, name: str) -> None:
        """What an adapter's settings say that the mappings of its destination do not bear out."""
        _, settings = self.adapters.get(("destinations", name), (None, None))
        if (unfit := getattr(settings, "unfit", None)) is None:
            return
        mappings = {kind: mapping for (where, kind), mapping in self.outbound.items() if where == name}
        for below, one in unfit(mappings):
            told = replace(one, message=f"destinations.{name}.settings.{one.message}")
            self._relocate([told], ("destinations", name, "settings", *below))

    def _portal(self, name: str, place: Place) -> None:
        """A shipped mapping makes what one portal takes; to another's adapter it is a mistake, or at least a doubt."""
        portals = {one.partition("/")[0] for one in names()}
        path, named = find(name, (self._draft.folder / "mappings", self._draft.folder))
        portal = named.partition("/")[0]
        destination = self._draft.destinations[str(place[1])]
        if portal == PLAIN or portal not in portals or not path.is_relative_to(CATALOGUE):
            return
        if portal in (destination.adapter, *([] if destination.adapter in portals else [destination.answers])):
            return
        said = f"{'.'.join(map(str, place))}: {name} makes what {portal} takes, the adapter is {destination.adapter}"
        if destination.adapter in portals:
            near = f"{destination.adapter}/{named.partition('/')[2]}"
            self._draft.problem("wrong-portal", said, f"write {near}" if near in names() else "correct it", place)
        elif ("destinations", str(place[1])) in self.adapters:
            self._warn("other-portal", said, f"see that it takes the same, or name answers: {portal}", place)

    # --- routes -------------------------------------------------------------------------------------------------------

    def _routes(self) -> None:
        made = self._draft
        for number, route in made.routes.items():
            for index, code in enumerate(route.agencies or []):
                self._agency(code, f"routes.{number}", ("routes", number, "agencies", index))
            for index, code in enumerate(route.only.agencies if route.only else ()):
                self._agency(code, f"routes.{number}.only", ("routes", number, "only", "agencies", index))
            for index, kind in enumerate(route.kinds if route.agencies else ()):
                if kind in KINDS and "agency" not in KINDS[kind].model_fields:
                    said = f"routes.{number}: {kind} names no agency, so a route with agencies would never take it"
                    mend = "narrow the route by sources, or give this kind a route of its own"
                    made.problem("unreachable-route", said, mend, ("routes", number, "kinds", index))
        for code in made.agency_files.mail if made.agency_files else ():
            if code not in made.sources:
                self._agency(code, "agency_files.mail", ("agency_files", "mail", code))
        made.problems += route_problems(made)
        kinds_of = {name: {one.kind for _, one in found} for name, found in self.inbound.items()}
        self.warnings += route_warnings(made, kinds_of, self._files())
        targets = {name for route in made.routes.values() for name in route.to}
        for name in made.destinations.keys() - targets:
            said = f"destinations.{name}: no route leads here"
            self._warn("unused-destination", said, "add it to a route, or remove it", ("destinations", name))
        for name, kinds in self._produced.items():
            routed = {k for route in made.routes.values() if name in (route.sources or [name]) for k in route.kinds}
            for kind in sorted(kinds.keys() - routed):
                said = f"sources.{name}: {kind} has no route; its records end as 'no-route'"
                self._warn("no-route", said, "add a route, or leave the mapping out", ("sources", name, "mappings"))

    def _files(self) -> list[Path] | None:
        """The files of every mapping that is named; None where one is not there, for it may be another's wrong name."""
        folders = (self._draft.folder / "mappings", self._draft.folder)
        try:
            return [find(name, folders)[0] for name in self._seen_mappings]
        except ConfigError:
            return None

    @cached_property
    def _register(self) -> AgencyRegister:
        """The agencies in force: those of the file and those that were taken over."""
        return registers_of(self._draft).agencies

    def _agency(self, code: str, where: str, place: Place) -> None:
        if self._draft.agencies is None:
            return
        section = self._draft.registers
        taken = section is not None and "agencies" in section.take
        try:
            found = self._register.resolve(code, datetime.now(LOCAL).date())
        except CodeUnknownError as error:
            if taken:
                # The portal may know it, and may not have been asked yet.
                mend = "take the register over (hub registers sync), or add it to the agencies file"
                self._warn("agency-not-taken", f"{where}: {error}", mend, place)
                return
            self._draft.problem("unknown-agency", f"{where}: {error}", "add it to the agencies file", place)
            return
        if found.code != code:
            said = f"{where}: {code!r} is an alias or a name, records carry the canonical code"
            self._draft.problem("alias-in-route", said, f"write {found.code}", place)

    # --- secrets ------------------------------------------------------------------------------------------------------

    def _passwords_in_urls(self) -> None:
        for section in (self._draft.ledger, self._draft.bus):
            if section is None:
                continue
            part = "ledger" if section is self._draft.ledger else "bus"
            written = self._written((part, "url"))
            if isinstance(written, str) and "${" not in written and section.shown != section.url == written:
                self._plain_secret(f"{part}.url", (part, "url"))

    def _plain_secret(self, name: str, place: Place) -> None:
        words = (place[0], "password") if place[-1] == "url" else [step for step in place[1:] if step != "settings"]
        variable = "HUB_" + "_".join(map(str, words)).upper().replace("-", "_")
        said = f"{name}: a secret stands in the file"
        self._warn("plain-secret", said, f"write ${{{variable}}} and set it in the environment", place)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _written(self, place: Place) -> Any:
        """The value as it stands in the file, before variables are replaced."""
        value = self._draft.document.data
        for step in place:
            if not (isinstance(value, dict) and step in value):
                return None
            value = value[step]
        return value

    def _relocate(self, problems: Iterable[Problem], place: Place) -> None:
        """Take over problems; those that name no file stand where the configuration names the thing."""
        document = self._draft.document
        file, line = document.file, document.line(place)
        self._draft.problems += [p if p.file else replace(p, file=file, line=line) for p in problems]

    def _warn(self, rule: str, message: str, mend: str, place: Place) -> None:
        document = self._draft.document
        self.warnings.append(Problem(rule, message, mend, document.file, document.line(place)))
