"""The version of a configuration: the texts that decide what a record becomes, and one digest over all of them.

These are the configuration file as it is written, the files of agencies and of procedures, every mapping that is named
with its tables, the answer tables, registers that were synchronised, and the program itself. What is secret is replaced
before anything is digested or kept: another password is no other version.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub import registry
from hub.answers.loading import find_answers
from hub.check_secrets import written_secrets
from hub.ledger.configurations import remember
from hub.ledger.values import Part, Version
from hub.validation import Place, secret_places
from hub.yaml_lines import Document, parse
from mappings.load import Mapping_
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from hub.ledger import Ledger
    from hub.rulebook import Rulebook
    from hub.sections import Deployment

KEPT_BYTES = 2_000_000
"""Of a larger text only the digest is kept."""

HIDDEN = "***"


def part(role: str, name: str, text: str) -> Part:
    """Make a part of a text."""
    body = text.encode()
    return Part(role, name, text if len(body) <= KEPT_BYTES else None, sha256(body).hexdigest(), len(body))


def version_of(deployment: Deployment, rules: Rulebook, more: Sequence[Part] = ()) -> Version:
    """Read the texts of a configuration that was compiled to `rules`; `more` are parts that stand in no file.

    Reads files; for a thread. A file that is gone meanwhile counts as empty.
    """
    parts = [_written(deployment), part("program", "interop-hub", _program())]
    parts += [_file(role, name, file) for role, name, file in _beside(deployment, rules)]
    return Version(str(deployment.file.resolve()), socket.gethostname(), (*parts, *more))


def files_of(deployment: Deployment, rules: Rulebook) -> Iterator[Path]:
    """Every file that `version_of` reads."""
    yield deployment.file
    yield from (file for _, _, file in _beside(deployment, rules))


def _beside(deployment: Deployment, rules: Rulebook) -> Iterator[tuple[str, str, Path]]:
    """Role, name and file of everything but the configuration file itself."""
    if deployment.agencies_file is not None:
        yield "agencies", _named(deployment.agencies_file, deployment), deployment.agencies_file
    if deployment.procedures_file is not None:
        yield "procedures", _named(deployment.procedures_file, deployment), deployment.procedures_file
    mappings: list[Mapping_] = [one for found in rules.inbound.values() for one in found]
    mappings += [one for found in rules.outbound.values() for one in found.values()]
    for name, files in {one.name: one.files for one in mappings}.items():
        for number, file in enumerate(files):
            yield "table" if number else "mapping", f"{name}: {file.name}" if number else name, file
    for name in sorted({section.answers or section.adapter for section in deployment.destinations.values()}):
        try:
            yield "answers", name, find_answers(name, deployment.folder)
        except ConfigError:
            continue  # an adapter without answers of its own


async def numbered(rules: Rulebook, deployment: Deployment, ledger: Ledger, more: Sequence[Part] = ()) -> Rulebook:
    """The same rules, with the number of their configuration, which the ledger writes down where it is a new one."""
    version = await asyncio.to_thread(version_of, deployment, rules, more)
    return replace(rules, configuration=await ledger.commit(partial(remember, version=version)))


def _program() -> str:
    try:
        return version_installed("interop-hub")
    except PackageNotFoundError:
        return "not installed"


def _named(file: Path, deployment: Deployment) -> str:
    """The same on every machine where it lies below the configuration."""
    try:
        return file.resolve().relative_to(deployment.folder.resolve()).as_posix()
    except ValueError:
        return str(file)


def _file(role: str, name: str, file: Path) -> Part:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        text = ""
    return part(role, name, text)


def _written(deployment: Deployment) -> Part:
    found = _file("configuration", "hub.yaml", deployment.file)
    return part("configuration", found.name, without_secrets(found.text or "", str(deployment.file)))


# --- what is secret in the file ---------------------------------------------------------------------------------------

_IN_URL = re.compile(r"(?P<user>[a-z][a-z0-9+.-]*://[^:/@\s]*):(?!\$\{[A-Za-z_][A-Za-z0-9_]*\}@)[^@/\s\"']*@")
_DEFAULT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):-[^}]*\}")
_ALONE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_TOP: tuple[Place, ...] = (("mail", "password"),)
_OF_WEBHOOKS = ("url", "bearer", "secret")


def without_secrets(text: str, file: str = "hub.yaml") -> str:
    """The text of a configuration with its secrets' values replaced; names of variables stay, so do its lines."""
    try:
        document = parse(text, file)
    except ConfigError:
        return ""
    lines = text.split("\n")
    for place in sorted(set(_secrets(document.data)), key=str):
        value = _value(document.data, place)
        if isinstance(value, str | int | float) and not _ALONE.fullmatch(str(value)):
            _hide(lines, document, place, str(value))
    return _IN_URL.sub(rf"\g<user>:{HIDDEN}@", "\n".join(lines))


def _hide(lines: list[str], document: Document, place: Place, value: str) -> None:
    """Replace a value on its own line; where it is not found as it is, everything that belongs to its key."""
    hidden = _DEFAULT.sub(rf"${{\1:-{HIDDEN}}}", value) if "${" in value else HIDDEN
    hidden = hidden if hidden != value else HIDDEN
    at = document.line(place) - 1
    key = re.escape(str(place[-1]))
    found, count = re.subn(
        rf"({key}['\"]?\s*:\s*['\"]?){re.escape(value)}", lambda m: m[1] + hidden, lines[at], count=1
    )
    if count:
        lines[at] = found
        return
    indent = len(lines[at]) - len(lines[at].lstrip())
    lines[at] = f"{lines[at].partition(':')[0]}: {HIDDEN}"
    for below in range(at + 1, len(lines)):
        if lines[below].strip() and len(lines[below]) - len(lines[below].lstrip()) <= indent:
            break
        lines[below] = ""


def _secrets(data: Any) -> Iterator[Place]:
    if not isinstance(data, dict):
        return
    yield from _TOP
    webhooks = data.get("alerts", {}).get("webhooks") if isinstance(data.get("alerts"), dict) else None
    for number, _ in enumerate(webhooks if isinstance(webhooks, list) else ()):
        yield from (("alerts", "webhooks", number, name) for name in _OF_WEBHOOKS)
    for role in ("sources", "destinations"):
        below = data.get(role)
        for name, section in below.items() if isinstance(below, dict) else ():
            settings = section.get("settings") if isinstance(section, dict) else None
            if not isinstance(settings, dict):
                continue
            place: Place = (role, name, "settings")
            try:
                model = registry.adapter(str(section.get("adapter"))).Settings
            except ConfigError:
                continue
            known = list(secret_places(model, settings, place))
            yield from known
            yield from written_secrets(settings, place, known)


def _value(data: Any, place: Place) -> Any:
    for step in place:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
