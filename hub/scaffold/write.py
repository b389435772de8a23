"""Files of a scaffold: all of them or none, and never over anything that is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hub.yaml_lines import parse
from schemas.errors import ConfigError, Problem


def write_all(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files by their path below `folder`, and return where they are.

    Raises: ConfigError, before anything is written, that names each one that is there already, and for a disk that
    does not take them.
    """
    places = {folder / name: body for name, body in files.items()}
    there = [path for path in places if path.exists() or path.is_symlink()]
    if there:
        mend = "take another name, or move it away first; nothing is ever overwritten"
        raise ConfigError([Problem("file-exists", "is there already", mend, str(path)) for path in there])
    for path, body in places.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(body)
        except OSError as error:
            said = f"cannot be written: {(error.strerror or 'an error').lower()}"
            raise ConfigError([Problem("unwritable-file", said, "choose another folder", str(path))]) from error
    return list(places)


def with_entry(text: str, part: str, name: str, entry: str, file: str) -> str:
    """The text of a configuration with one more entry at the end of its block `part`; every other byte as it was.

    `entry` is written as below a key at the margin, indented by two. Raises: ConfigError where the block is not there,
    is written on one line, or has the name already: then a person pastes it.
    """
    before = parse(text, file).data
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if re.match(rf"{part}:[ \t]*(?:#.*)?$", line.rstrip())), None)
    block = before.get(part) if isinstance(before, dict) else None
    if start is None or not isinstance(block, dict):
        said = f"has no block {part!r} with an entry on a line of its own, so nothing can be added to it safely"
        raise ConfigError([Problem("no-block", said, "paste the section that is printed without --write", file)])
    if name in block:
        said = f"{part}.{name} is there already"
        raise ConfigError([Problem("name-taken", said, "take another name", file)])
    stop, indent = start + 1, ""
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith((" ", "\t")):
            break
        indent = indent or line[: len(line) - len(line.lstrip())]
        stop = number + 1
    written = [f"{indent}{line[2:]}" if line.strip() else line for line in entry.splitlines()]
    last = "" if lines[stop - 1].endswith(("\n", "\r")) else end
    made = "".join([*lines[:stop], last, *(line + end for line in written), *lines[stop:]])
    after = parse(made, file).data
    if {**after, part: {k: v for k, v in after[part].items() if k != name}} != before or name not in after[part]:
        said = f"cannot be added to the block {part!r} without changing something else"
        raise ConfigError([Problem("no-block", said, "paste the section that is printed without --write", file)])
    return made
