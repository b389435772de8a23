"""Reads the file of an answer table; the only part of the package that touches a disk."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from hub.answers.table import AnswerTable
from mappings.notation import composed, nearest
from schemas.errors import ConfigError, Problem

_QUICK: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BUILT_IN = Path(__file__).resolve().parents[2] / "config" / "answers"
GROUP = "hub.answers"
"""The entry points by which a package brings the table of its own adapter: each names a path."""


def find_answers(name_or_path: str, folder: Path | None = None) -> Path:
    """The file of a table: a path to a `.yaml` file (relative to `folder`), or the name of a built-in one.

    A file `answers/<name>.yaml` in `folder` goes before the one that an installed package brings, and that before the
    built-in one. Raises: ConfigError where there is none.
    """
    base = folder or Path()
    if name_or_path.endswith((".yaml", ".yml")):
        candidates = [base / name_or_path]
    else:
        brought = [_brought(point) for point in entry_points(group=GROUP, name=name_or_path)]
        candidates = [base / "answers" / f"{name_or_path}.yaml", *brought, BUILT_IN / f"{name_or_path}.yaml"]
    file = next((c for c in candidates if c.is_file()), None)
    if file is None:
        known = {p.stem for place in (BUILT_IN, base / "answers") for p in place.glob("*.yaml")}
        known |= {point.name for point in entry_points(group=GROUP)}
        looked = ", ".join(map(str, candidates))
        message, mend = (
            f"no answer table {name_or_path!r}: looked for {looked}",
            f"{nearest(name_or_path, known)}, or name a .yaml file",
        )
        raise ConfigError([Problem("answers-missing", message, mend)])
    return file


def load_answers(name_or_path: str, folder: Path | None = None) -> AnswerTable:
    """Read and compile a table, found as `find_answers` does. Raises: ConfigError."""
    file = find_answers(name_or_path, folder)
    try:
        text = file.read_text("utf-8")
        node = composed(text, quick=_QUICK, plain=yaml.SafeLoader)
        data = None if node is None else SafeConstructor().construct_document(node)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("answers-unreadable", str(error), "save it as UTF-8 text", str(file))]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = f"not YAML: {getattr(error, 'problem', None) or error}"
        line = mark.line + 1 if mark else 0
        raise ConfigError([Problem("answers-not-yaml", message, "mend the syntax", str(file), line)]) from error
    return AnswerTable.from_data(data, str(file), dict(_lines(node)))


def _brought(point: EntryPoint) -> Path:
    """Raises: ConfigError."""
    package = point.dist.name if point.dist is not None else "a package"
    try:
        return Path(point.load())
    except Exception as error:
        said = f"the answer table {point.name!r} of {package} ({point.value}) cannot be found: {error!r}"
        raise ConfigError([Problem("answers-missing", said, f"repair or reinstall {package}")]) from error


def _lines(node: yaml.Node | None, path: tuple[str | int, ...] = ()) -> Iterable[tuple[tuple[str | int, ...], int]]:
    if node is None:
        return
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index))
