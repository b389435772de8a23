"""Which mappings a configuration names, and which lie in its folder: for commands that look at mappings alone.

Only the names are read, so that a file whose secrets or addresses are not there yet is good enough; what is wrong with
the rest `hub check` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.yaml_lines import Document, read
from mappings.load import find, names
from schemas.errors import ConfigError, Problem

DEFAULT_FILE = "hub.yaml"


@dataclass(frozen=True, slots=True)
class Named:
    """One mapping that a deployment has."""

    name: str
    file: Path


@dataclass(frozen=True, slots=True)
class Project:
    """A configuration file, or a folder that may have one."""

    folder: Path
    file: Path | None

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where a mapping is looked for before the shipped catalogue, as `Deployment.mapping_folders`."""
        return (self.folder / "mappings", self.folder)


def project(config: Path) -> Project:
    """What a command was given as CONFIG. Raises: ConfigError where there is neither a file nor a folder."""
    if config.is_dir():
        file = config / DEFAULT_FILE
        return Project(config, file if file.is_file() else None)
    if not config.is_file():
        said = "cannot be read: no such file or directory"
        raise ConfigError([Problem("unreadable-file", said, "check the path", str(config))])
    return Project(config.parent, config)


def of_project(made: Project) -> tuple[list[Named], list[Problem]]:
    """The mappings that the configuration names and those in its folder `mappings`, each once, and names that lead
    nowhere. Raises: ConfigError for a file that is no YAML."""
    found: dict[Path, Named] = {}
    problems: list[Problem] = []
    if made.file is not None:
        document = read(made.file)
        for name, place in _written(document):
            try:
                path, known = find(name, made.folders)
            except ConfigError as error:
                problems += [
                    Problem(one.rule, one.message, one.mend, document.file, document.line(place))
                    for one in error.problems
                ]
            else:
                found.setdefault(path.resolve(), Named(known, path))
    own = made.folder / "mappings"
    for name in names(own) if own.is_dir() else ():
        path = own / f"{name}.yaml"
        found.setdefault(path.resolve(), Named(name, path))
    return list(found.values()), list(dict.fromkeys(problems))


def by_source(document: Document) -> dict[str, list[str]]:
    """The inbound mappings of each source, as they are written."""
    sources = document.data.get("sources") if isinstance(document.data, dict) else None
    return {
        str(name): [str(one) for one in listed]
        for name, section in (sources.items() if isinstance(sources, dict) else ())
        if isinstance(section, dict) and isinstance(listed := section.get("mappings"), list)
    }


def _written(document: Document) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Every name of a mapping in a configuration with its place."""
    for source, listed in by_source(document).items():
        for number, name in enumerate(listed):
            yield name, ("sources", source, "mappings", number)
    destinations: Any = document.data.get("destinations") if isinstance(document.data, dict) else None
    for destination, section in destinations.items() if isinstance(destinations, dict) else ():
        written = section.get("mappings") if isinstance(section, dict) else None
        for kind, name in written.items() if isinstance(written, dict) else ():
            if isinstance(name, str):
                yield name, ("destinations", destination, "mappings", kind)
