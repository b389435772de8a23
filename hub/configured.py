"""A configuration read whole, as a running hub takes it: checked, compiled, with its version, and what is new in it.

    found = configured(Path("hub.yaml"), {})          # blocks; for a thread
    differ = differences(running, found)

Nothing is changed by it: a configuration with a problem raises, and whoever runs another one goes on with that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.check import check
from hub.ledger.values import Version
from hub.rulebook import Rulebook, rulebook
from hub.sections import Deployment, DestinationSection
from hub.version import files_of, version_of
from hub.yaml_lines import read
from schemas.errors import ConfigError, Problem

TRIES = 5
PAUSE_S = 0.2
"""Between two tries to read files that are being written."""

_MOVABLE = {"mappings": {}, "maintenance": [], "personal": "all"}
"""What may change of a destination while its loop goes on."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What can be run."""

    deployment: Deployment
    rules: Rulebook
    version: Version
    warnings: tuple[Problem, ...] = ()


def configured(file: Path, overrides: Mapping[str, str]) -> Configured:
    """Check a configuration as `hub check --offline` does, compile it, and name its version. Blocks.

    Files that are written meanwhile are read again, so that what is compiled is what the version says. Raises:
    ConfigError with every problem.
    """
    before = ""
    for _ in range(TRIES):
        began_ns = time.time_ns()
        findings = asyncio.run(check(file, overrides, offline=True))
        deployment = findings.must_run()
        rules = rulebook(deployment)
        version = version_of(deployment, rules)
        # What was read twice, with all of the reading in between, was the same all the time.
        if version.digest == before or not _written_since(files_of(deployment, rules), began_ns):
            return Configured(deployment, rules, version, findings.warnings)
        before = version.digest
        time.sleep(PAUSE_S)
    mend = "wait until all of them are written, then ask again"
    raise ConfigError([Problem("files-change", "its files change while they are read", mend, str(file), 1)])


def _written_since(files: Iterator[Path], began_ns: int) -> bool:
    try:
        return any(file.stat().st_mtime_ns >= began_ns for file in files)
    except FileNotFoundError:
        return True


def needs_restart(running: Deployment, wanted: Deployment) -> None:
    """Raises: ConfigError with everything that cannot change while a hub runs, each with its line."""
    document = read(wanted.file)
    mend = "restart the hub, or put it back and reload"
    pairs = {"ledger": (running.ledger, wanted.ledger), "bus": (running.bus, wanted.bus)}
    fixed = [
        (part, name)
        for part, (before, after) in pairs.items()
        for name in type(before).model_fields
        if getattr(before, name) != getattr(after, name)
    ]
    problems = [
        Problem("needs-restart", f"{'.'.join(one)} cannot change while the hub runs", mend, document.file,
                document.line(one))
        for one in fixed
    ]  # fmt: skip
    if problems:
        raise ConfigError(problems)


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of sources, or of destinations: each name stands in one of these, or goes on as it was."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Differences:
    """What a reload has to make, exchange and end."""

    sources: Change = field(default_factory=Change)
    destinations: Change = field(default_factory=Change)
    """`changed`: their loop is exchanged."""
    portals: tuple[str, ...] = ()
    """Of the destinations that changed, those whose adapter is made anew."""
    parts: tuple[str, ...] = ()
    """The texts that differ, for people: `mapping one-stop-rest/dossier`."""


def differences(running: Configured, wanted: Configured) -> Differences:
    """Compare what runs with what is to run. Pure."""
    old, new = running.deployment, wanted.deployment
    texts = {(part.role, part.name): part.digest for part in running.version.parts}
    others = {(part.role, part.name): part.digest for part in wanted.version.parts}
    parts = sorted(key for key in texts.keys() | others.keys() if texts.get(key) != others.get(key))
    tables = {name for role, name in parts if role == "answers"}
    portals = tuple(
        name
        for name, section in new.destinations.items()
        if name in old.destinations
        and (_portal(section) != _portal(old.destinations[name]) or _answers(section) in tables)
    )
    loops = tuple(
        name
        for name, section in new.destinations.items()
        if name in old.destinations and (name in portals or _loop(section) != _loop(old.destinations[name]))
    )
    same = {name for name in new.sources if _source(new, name) == _source(old, name)}
    return Differences(
        Change(
            tuple(name for name in new.sources if name not in old.sources),
            tuple(name for name in new.sources if name in old.sources and name not in same),
            tuple(name for name in old.sources if name not in new.sources),
        ),
        Change(
            tuple(name for name in new.destinations if name not in old.destinations),
            loops,
            tuple(name for name in old.destinations if name not in new.destinations),
        ),
        portals,
        tuple(f"{role} {name}" for role, name in parts),
    )


def _source(deployment: Deployment, name: str) -> object:
    """What the loop of a source is made of; its mappings are not."""
    section = deployment.sources.get(name)
    return None if section is None else section.model_copy(update={"mappings": [], "start_from": None, "samples": None})


def _portal(section: DestinationSection) -> object:
    return section.adapter, section.settings, _answers(section)


def _answers(section: DestinationSection) -> str:
    return section.answers or section.adapter


def _loop(section: DestinationSection) -> object:
    return section.model_copy(update=_MOVABLE)
