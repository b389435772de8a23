"""Reading a configuration as far as it goes: every problem noted, what is right kept, so that more can be looked at.

Knows the file, the environment's variables and the agencies file beside it; no adapter, no mapping, no network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from hub.maintenance import overlaps
from hub.procedures_file import read_procedures
from hub.sections import (
    NAME,
    AgencyFilesSection,
    AlertsSection,
    BusSection,
    Deployment,
    DestinationSection,
    HubSection,
    LedgerSection,
    MailSection,
    RegistersSection,
    Route,
    Section,
    SourceSection,
)
from hub.validation import Place, validate
from hub.yaml_lines import Document, read
from mappings.notation import nearest
from schemas.agency import Agency, AgencyRegister
from schemas.errors import ConfigError, Problem
from schemas.procedure import ProcedureRegister
from schemas.record import KINDS

ENVIRONMENT_OVERRIDES = {"ledger.url": "HUB_LEDGER_URL", "bus.url": "HUB_BUS_URL"}
"""Settings that the environment may override, and the variable that does."""

_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{(?P<bad>[^}]*)\}?")
_SQLITE_FILE = re.compile(r"^(sqlite(?:\+\w+)?:///)(?!/|:memory:)(.+)$")

AnySection = TypeVar("AnySection", bound=Section)
Register = TypeVar("Register")


@dataclass(slots=True)
class Draft:
    """As much of a configuration as could be read, and what is wrong with it; what failed is None or absent."""

    document: Document
    problems: list[Problem]
    hub: HubSection | None = None
    ledger: LedgerSection | None = None
    bus: BusSection | None = None
    agencies: AgencyRegister | None = None
    sources: dict[str, SourceSection] = field(default_factory=dict)
    destinations: dict[str, DestinationSection] = field(default_factory=dict)
    routes: dict[int, Route] = field(default_factory=dict)
    """By their index in the file."""
    mail: MailSection | None = None
    alerts: AlertsSection | None = None
    agency_files: AgencyFilesSection | None = None
    procedures: ProcedureRegister | None = None
    registers: RegistersSection | None = None
    agencies_file: Path | None = None
    procedures_file: Path | None = None
    unresolved: list[Place] = field(default_factory=list)
    """Values with a variable that is not set: nothing more is said about them."""

    @property
    def folder(self) -> Path:
        """Relative paths in the file are relative to this."""
        return Path(self.document.file).parent

    def problem(self, rule: str, message: str, mend: str, place: Place) -> None:
        """Add what is wrong with the value at `place`."""
        self.problems.append(self.located(rule, message, mend, place))

    def located(self, rule: str, message: str, mend: str, place: Place) -> Problem:
        """Say something of the value at `place`."""
        return Problem(rule, message, mend, self.document.file, self.document.line(place))

    def deployment(self) -> Deployment:
        """Raises: ConfigError with every problem found."""
        if self.problems or self.hub is None or self.ledger is None or self.bus is None or self.agencies is None:
            raise ConfigError(sorted(self.problems, key=lambda p: (p.file, p.line)))
        return Deployment(
            file=Path(self.document.file),
            hub=self.hub,
            ledger=self.ledger,
            bus=self.bus,
            agencies=self.agencies,
            sources=self.sources,
            destinations=self.destinations,
            routes=tuple(self.routes.values()),
            mail=self.mail,
            alerts=self.alerts or AlertsSection(),
            agency_files=self.agency_files,
            procedures=self.procedures or ProcedureRegister.empty(),
            registers=self.registers,
            agencies_file=self.agencies_file,
            procedures_file=self.procedures_file,
        )


def draft(
    path: Path, overrides: Mapping[str, str] | None = None, *, environment: Mapping[str, str] = os.environ
) -> Draft:
    """Read as much as can be read. Raises: ConfigError only when the file is no YAML mapping at all."""
    document = read(path)
    if not isinstance(document.data, dict):
        raise ConfigError(
            [
                Problem(
                    "not-a-mapping",
                    "the file does not hold 'name: value' lines",
                    "see docs/configuration.md",
                    str(path),
                    1,
                )
            ]
        )
    made = Draft(document, [])
    given = {
        tuple(name.split(".")): value
        for name, variable in ENVIRONMENT_OVERRIDES.items()
        if (value := (overrides or {}).get(name) or environment.get(variable))
    }
    # What is overridden is taken out first: a variable that only the file's value needs may then be unset.
    root = substitute(_without(document.data, given), (), made, environment)
    for (part, key), value in given.items():
        if isinstance(root.setdefault(part, {}), dict):
            root[part][key] = value
    for key in root.keys() - _TOP.keys():
        made.problem("unknown-key", f"{key} is not a setting", nearest(str(key), _TOP), (key,))
    made.hub = read_section(HubSection, root, "hub", made)
    made.ledger = read_section(LedgerSection, {"ledger": {}} | root, "ledger", made)
    made.bus = read_section(BusSection, {"bus": {}} | root, "bus", made)
    if made.ledger is not None and ("ledger", "url") not in given:
        made.ledger = made.ledger.model_copy(update={"url": beside(made.ledger.url, made.folder)})
    made.sources = dict(_named(SourceSection, root, "sources", made))
    made.destinations = dict(_named(DestinationSection, root, "destinations", made))
    _maintenance(made)
    made.routes = dict(_routes(root, made))
    made.agencies = _beside("agencies", root.get("agencies"), AgencyRegister.empty(), read_agencies, made)
    made.procedures = _beside("procedures", root.get("procedures"), ProcedureRegister.empty(), read_procedures, made)
    if "registers" in root:
        made.registers = read_section(RegistersSection, root, "registers", made)
    read_channels(root, made)
    if "agency_files" in root:
        made.agency_files = read_section(AgencyFilesSection, root, "agency_files", made)
        if made.agency_files is not None and made.agency_files.mail:
            _needs_mail(root, "agency_files", made)
    _references(root, made)
    return made


_TOP = {
    "hub": True,
    "ledger": False,
    "bus": False,
    "agencies": False,
    "sources": True,
    "destinations": True,
    "routes": True,
    "mail": False,
    "alerts": False,
    "agency_files": False,
    "procedures": False,
    "registers": False,
}
"""Top-level keys, and whether the file must have them."""


def _without(data: Mapping[str, Any], places: Collection[tuple[str, ...]]) -> dict[str, Any]:
    """A copy of the file without the values at `places` (section, key)."""
    return {
        part: {key: value for key, value in below.items() if (part, key) not in places}
        if isinstance(below, dict)
        else below
        for part, below in data.items()
    }


def substitute(value: Any, place: Place, made: Draft, environment: Mapping[str, str]) -> Any:
    """A copy of a document's part with the variables in its texts replaced; `$${` stands for `${`."""
    if isinstance(value, dict):
        return {key: substitute(item, (*place, key), made, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, (*place, number), made, environment) for number, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(found: re.Match[str]) -> str:
        name: str | None = found["name"]
        default: str | None = found["default"]
        if name is None and found["bad"] is None:
            return "${"
        if name is None:
            said = f"{found[0]!r} is not a variable"
            made.problem("bad-variable", said, "write ${NAME} or ${NAME:-default}; $${ for a plain ${", place)
        elif (known := environment.get(name, default)) is not None:
            return known
        else:
            said = f"{'.'.join(map(str, place))}: the environment variable {name} is not set"
            made.problem("undefined-variable", said, f"set {name}, or write ${{{name}:-default}}", place)
        made.unresolved.append(place)
        return ""

    return _VARIABLE.sub(replace, value)


def read_section(model: type[AnySection], root: Mapping[str, Any], key: str, made: Draft) -> AnySection | None:
    """Validate the section `key` of the file."""
    if key not in root:
        made.problem("missing-key", f"{key} is missing", f"add a '{key}:' section; see docs/configuration.md", ())
        return None
    return _validated(model, root[key], (key,), made)


def read_channels(root: Mapping[str, Any], made: Draft) -> None:
    """Read `mail` and `alerts`, which a file may leave out."""
    made.mail = read_section(MailSection, root, "mail", made) if "mail" in root else None
    made.alerts = read_section(AlertsSection, {"alerts": {}, **root}, "alerts", made)
    if made.alerts is not None and made.alerts.mail:
        _needs_mail(root, "alerts", made)
    if made.mail is not None and made.mail.ca_file is not None:
        file = made.folder / made.mail.ca_file
        made.mail = made.mail.model_copy(update={"ca_file": str(file)})
        if not file.is_file():
            said = f"mail.ca_file: there is no file {file}"
            made.problem("missing-file", said, "correct the path; it is relative to this file", ("mail", "ca_file"))


def _needs_mail(root: Mapping[str, Any], part: str, made: Draft) -> None:
    """Say where a section names addresses and there is no server to give mails to."""
    if "mail" not in root:
        mend = "add 'mail: {host: …, sender: …}', the server that mails are given to"
        made.problem("no-mail-server", f"{part}.mail: there is no 'mail' section", mend, (part, "mail"))


def _validated(model: type[AnySection], data: Any, place: Place, made: Draft) -> AnySection | None:
    found, problems = validate(
        model, data, place=place, file=made.document.file, lines=made.document, ignore=made.unresolved
    )
    made.problems += problems
    return found


def _named(model: type[AnySection], root: Mapping[str, Any], key: str, made: Draft) -> Iterator[tuple[str, AnySection]]:
    """The sections below `key`, by name."""
    below = root.get(key)
    if not isinstance(below, dict) or not below:
        mend = f"add '{key}:' with at least one name below it; see docs/configuration.md"
        made.problem("missing-key" if below is None else "wrong-value", f"{key}: none is declared", mend, (key,))
        return
    for name, data in below.items():
        if not NAME.fullmatch(name):
            said = f"{key}.{name}: the name does not fit"
            made.problem("bad-name", said, "write small letters, digits and '-', at most 40", (key, name))
        section = _validated(model, data, (key, name), made)
        if section is not None:
            yield name, section


def _maintenance(made: Draft) -> None:
    """Windows of one destination that overlap: it could not be said which of them ends."""
    for name, destination in made.destinations.items():
        place = ("destinations", name, "maintenance")
        windows = [section.announced() for section in destination.maintenance]
        for first, second, when in overlaps(windows):
            line = made.document.line((*place, first))
            said = (
                f"destinations.{name}.maintenance.{second}: it overlaps the one of line {line} at {when:%Y-%m-%d %H:%M}"
            )
            made.problem("maintenance-overlap", said, "let one end before the other begins", (*place, second))


def _routes(root: Mapping[str, Any], made: Draft) -> Iterator[tuple[int, Route]]:
    below = root.get("routes")
    if not isinstance(below, list) or not below:
        mend = "add 'routes:' with '- {kinds: [dossier.v1], to: [national]}' lines"
        made.problem("missing-key" if below is None else "wrong-value", "routes: none is declared", mend, ("routes",))
        return
    for number, data in enumerate(below):
        section = _validated(Route, data, ("routes", number), made)
        if section is not None:
            yield number, section


def _references(root: Mapping[str, Any], made: Draft) -> None:
    """Names inside the file that must be declared in the file."""
    for list_name, declared in (("to", "destinations"), ("sources", "sources")):
        below = root.get(declared)
        known = set(below) if isinstance(below, dict) else set()
        for number, route in made.routes.items():
            for index, name in enumerate(getattr(route, list_name) or []):
                if name not in known:
                    said = f"routes.{number}.{list_name}: {name!r} is not among the {declared}"
                    made.problem(
                        f"unknown-{declared[:-1]}", said, nearest(name, known), ("routes", number, list_name, index)
                    )
    if made.registers is not None and made.registers.source not in (root.get("destinations") or ()):
        said = f"registers.from: {made.registers.source!r} is not among the destinations"
        mend = nearest(made.registers.source, root.get("destinations") or ())
        made.problem("unknown-destination", said, mend, ("registers", "from"))
    for number, route in made.routes.items():
        for index, kind in enumerate(route.kinds):
            if kind not in KINDS:
                said = f"routes.{number}: there is no kind {kind!r}"
                made.problem("unknown-kind", said, nearest(kind, KINDS), ("routes", number, "kinds", index))
        for name in route.to:
            destination = made.destinations.get(name)
            for index, kind in enumerate(route.kinds):
                if kind in KINDS and destination is not None and kind not in destination.mappings:
                    said = f"routes.{number}: {kind} goes to {name!r}, which has no mapping for it"
                    mend = f"add '{kind}: …' to destinations.{name}.mappings (line {_line(made, name)})"
                    made.problem("no-mapping", said, mend, ("routes", number, "kinds", index))


def _line(made: Draft, destination: str) -> int:
    return made.document.line(("destinations", destination, "mappings"))


def _beside(part: str, named: Any, empty: Register, reader: Callable[[Path], Register], made: Draft) -> Register | None:
    """Read the file that `part` names; without one the register is empty and every code is kept as it is."""
    if named is None:
        return empty
    if not isinstance(named, str):
        made.problem("wrong-value", f"{part}: is not a file name", f"write {part}: {part}.yaml", (part,))
        return None
    file = made.folder / named
    if part == "agencies":
        made.agencies_file = file
    else:
        made.procedures_file = file
    try:
        return reader(file)
    except ConfigError as error:
        if error.problems[0].rule == "unreadable-file":
            where = made.document.line((part,))
            said = f"{part}: {named} {error.problems[0].message}"
            error.problems[0] = replace(error.problems[0], message=said, file=made.document.file, line=where)
        made.problems += error.problems
        return None


def read_agencies(path: Path) -> AgencyRegister:
    """Read an agencies file, a list of rows as `AgencyRegister.from_rows` takes them.

    Raises: ConfigError with every problem of every row, each with its line.
    """
    document = read(path)
    if not isinstance(document.data, list):
        mend = "write a list of rows: '- {code: H59.12, name: …, level: province}'"
        raise ConfigError([Problem("wrong-value", "does not hold a list of agencies", mend, str(path), 1)])
    agencies: list[Agency] = []
    problems: list[Problem] = []
    for number, row in enumerate(document.data):
        agency, wrong = validate(Agency, row, place=(number,), file=str(path), lines=document)
        problems += wrong
        agencies += [] if agency is None else [agency]
    if problems:
        # Clashes are looked for only among rows that are right in themselves.
        raise ConfigError(problems)
    try:
        return AgencyRegister(agencies)
    except ConfigError as error:
        raise ConfigError([_located(problem, document.data, document) for problem in error.problems]) from error


def _located(problem: Problem, rows: list[Any], document: Document) -> Problem:
    """Say in which row the first agency stands that a problem of the register names."""
    words = problem.message.replace(":", " ").split()
    named = [n for n, row in enumerate(rows) if isinstance(row, dict) and str(row.get("code")) in words]
    return replace(problem, file=document.file, line=document.line((named[-1], "code") if named else ()))


def beside(url: str, folder: Path) -> str:
    """A relative SQLite file in the configuration lies relative to the configuration, not to the current folder."""
    found = _SQLITE_FILE.match(url)
    return url if found is None else f"{found[1]}{(folder / found[2]).resolve()}"
