"""Mapping files: finding, reading and compiling them. The only module of the language that reads files.

A name (`one-stop-soap/dossier`) is looked for in the folders given, in their order, then in the catalogue that comes
with the hub; a path (ending in .yaml or .yml) is that file. A table may be a file of its own beside the mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from mappings.code_table import Words, from_csv
from mappings.compile_inbound import compile_inbound
from mappings.compile_outbound import compile_outbound
from mappings.converters.table import words
from mappings.inbound import InboundMapping
from mappings.notation import Keys, Marked, Problems, nearest, parse
from mappings.outbound import OutboundMapping
from schemas.errors import ConfigError, Problem

CATALOGUE = Path(__file__).parent / "catalogue"
"""The mappings that come with the hub."""
PLAIN = "plain"
"""The system of the mappings that write a record under the hub's own names, for whoever takes that: no portal's."""
TABLES = "tables"
"""The name of folders that hold tables, not mappings."""

Mapping_: TypeAlias = InboundMapping | OutboundMapping

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9][A-Za-z0-9_-]*)*")
_LARGEST = 1024 * 1024


def names(folder: Path = CATALOGUE) -> list[str]:
    """The names of all mappings of a folder; what is a test or a table is none."""
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.rglob("*.yaml")
        if not path.stem.endswith("_test") and TABLES not in path.relative_to(folder).parts[:-1]
    )


def load(name_or_path: str | Path, *, folders: Sequence[Path] = ()) -> Mapping_:
    """Read and compile one mapping. Raises: ConfigError with every problem, each with file, line and mend."""
    path, name = find(name_or_path, folders)
    text = read(path)
    problems = Problems(str(path))
    root = parse(text, problems)
    if root is None:
        raise ConfigError(problems.found)
    keys = Keys(root, "the mapping", problems)
    own = keys.text("mapping") if keys.need("mapping", f"write mapping: {name}") else ""
    if own and not isinstance(name_or_path, Path) and own != name and "." not in str(name_or_path):
        problems.add(
            "name",
            root.line,
            f"the mapping in this file is {own!r}, its name here is {name!r}",
            f"write mapping: {name}",
        )
    digest = sha256(text.encode())
    files = [path]
    tables = _tables(keys, path, problems, digest.update, files)
    facts, assumed = keys.text("facts"), tuple(keys.texts("assumed"))
    used: set[str] = set()
    made = _compile(keys, own or name, digest.hexdigest(), tables, problems, used)
    keys.done(also=("mapping", "summary", "facts", "assumed", "from", "to", "tables", "fields"))
    if made is not None:
        for table in sorted(tables.keys() - used):
            written = keys.get("tables")
            known = written.value if written is not None and isinstance(written.value, dict) else {}
            line = known[table].line if table in known else keys.line
            problems.add("unused-table", line, f"no field uses the table {table!r}", "leave it out")
    problems.stop()
    if made is None:
        raise ConfigError([Problem("mapping", "the mapping cannot be compiled", file=str(path), line=keys.line)])
    return replace(made, facts=facts, assumed=assumed, files=tuple(files))


def find(name_or_path: str | Path, folders: Sequence[Path]) -> tuple[Path, str]:
    """The file and the name of a mapping. Raises: ConfigError where there is none."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if not path.is_file():
            raise ConfigError([Problem("no-file", "there is no such mapping file", file=text)])
        return path, _name_of(path, folders)
    places = [*folders, CATALOGUE]
    if _NAME.fullmatch(text):
        for folder in places:
            path = folder / f"{text}.yaml"
            if path.is_file():
                return path, text
    # A folder given may be anything, a home for one; only what could have been meant is looked at.
    known = {f"{path.parent.name}/{path.stem}" for folder in folders for path in folder.glob("*/*.yaml")}
    raise ConfigError(
        [Problem("unknown-mapping", f"there is no mapping {text!r}", nearest(text, known.union(names())))]
    )


def _name_of(path: Path, folders: Sequence[Path]) -> str:
    for folder in (*folders, CATALOGUE):
        if path.resolve().is_relative_to(folder.resolve()):
            return path.resolve().relative_to(folder.resolve()).with_suffix("").as_posix()
    return f"{path.resolve().parent.name}/{path.stem}"


def read(path: Path) -> str:
    """The text of a mapping file. Raises: ConfigError where it cannot be read as UTF-8."""
    try:
        body = path.read_bytes()
    except OSError as error:
        mend = "give the path of a readable file"
        raise ConfigError([Problem("no-file", f"cannot be read: {error.strerror}", mend, str(path))]) from None
    if len(body) > _LARGEST:
        raise ConfigError([Problem("size", f"has {len(body):,} bytes, at most {_LARGEST:,} are read", file=str(path))])
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem("charset", "is not UTF-8", "save the file as UTF-8", str(path), line)]) from None


def _tables(
    keys: Keys, path: Path, problems: Problems, digest: Callable[[bytes], None], files: list[Path]
) -> dict[str, Mapping[str, Marked]]:
    node = keys.get("tables")
    if node is None:
        return {}
    found: dict[str, Mapping[str, Marked]] = {}
    for name, item in Keys(node, "'tables'", problems):
        if item.value is None:
            found[name] = {}  # a block whose words are all comments still: each one waits
            continue
        if not isinstance(item.value, str):
            found[name] = words(item, name, problems)
            continue
        found[name] = {}
        beside = path.parent / item.value
        if Path(item.value).is_absolute() or not beside.is_file():
            mend = f"a table's file is named relative to {path.name}: {TABLES}/{name}.yaml, or .csv"
            there = (one for one in (path.parent / TABLES).glob("*") if one.suffix in (".yaml", ".csv"))
            near = nearest(item.value, [f"{TABLES}/{one.name}" for one in there])
            mend = near if near.startswith("did you mean") else mend
            problems.add("no-file", item.line, f"the table {name!r}: there is no file {item.value!r}", mend)
            continue
        text = read(beside)
        digest(b"\0" + text.encode())
        files.append(beside)
        elsewhere = Problems(str(beside))
        if beside.suffix.casefold() == ".csv":
            found[name] = from_csv(text, name, elsewhere)
        else:
            table = parse(text, elsewhere)
            if table is not None:
                found[name] = Words(words(table, name, elsewhere), str(beside))
        problems.found += elsewhere.found
    return found


def _compile(
    keys: Keys,
    name: str,
    digest: str,
    tables: Mapping[str, Mapping[str, Marked]],
    problems: Problems,
    used: set[str],
) -> Mapping_ | None:
    source = keys.need("from", "write from: {format: …} for reading, from: {record: …} for writing")
    keys.need("to", "write to: <kind of record> for reading, to: {portal: json} for writing")
    if source is not None and isinstance(source.value, dict) and "record" in source.value:
        return compile_outbound(keys, name, digest, tables, problems, used)
    return compile_inbound(keys, name, digest, tables, problems, used)
