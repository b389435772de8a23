"""A support bundle: what helps somebody who was not there, without personal data.

Written from an allow-list: counts, states, times, codes, names of the configuration. Of what others wrote (portals,
sources, operators) nothing is taken as it is. Keys are replaced by digests under a key that is made for one bundle and
forgotten, so that the same dossier can be told from another within it and from nothing outside; people are numbered.
"""

from __future__ import annotations

import io
import json
import platform
import re
import secrets
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from hub import registry
from hub.doctor.finding import Finding, Report
from hub.ledger import tables as t
from hub.ledger.engine import open_engine, sqlite_path
from hub.ledger.values import from_us
from hub.sections import without_password
from hub.settings import locate_ledger
from hub.validation import secret_places
from hub.yaml_lines import read
from schemas.errors import ConfigError, Problem

LAST = 200
"""Source problems, gate changes and operations that are told of."""

_SECRET = ("password", "secret", "token", "key", "bearer", "username", "client_id", "madonvi", "dstcode")
_SAFE_CODE = re.compile(r"[A-Za-z0-9_.\-/ ]{1,40}")


def write(file: Path, config: Path, ledger: str | None, report: Report) -> list[str]:
    """Write a bundle, as .zip or else as .tar.gz; returns the names in it. Raises: ConfigError where it cannot."""
    contents: dict[str, Any] = {
        "machine.json": _machine(),
        "configuration.json": _configuration(config),
        "doctor.json": [_finding(one) for one in report.findings],
        "ledger.json": _ledger(config, ledger),
    }
    packed = {
        name: json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=str).encode()
        for name, value in contents.items()
    }
    try:
        with file.open("xb") as opened:
            (_zip if file.suffix == ".zip" else _tar)(opened, packed)
    except FileExistsError as error:
        raise ConfigError([Problem("file-exists", "is there already", "name another file", str(file))]) from error
    except OSError as error:
        said = f"cannot be written: {error.strerror}"
        mend = "name a file in a folder that is there and may be written to"
        raise ConfigError([Problem("unwritable-file", said, mend, str(file))]) from error
    return sorted(packed)


def _zip(opened: Any, packed: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in packed.items():
            archive.writestr(name, content)


def _tar(opened: Any, packed: Mapping[str, bytes]) -> None:
    with tarfile.open(fileobj=opened, mode="w:gz") as archive:
        for name, content in packed.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mtime = int(datetime.now(UTC).timestamp())
            archive.addfile(entry, io.BytesIO(content))


def _machine() -> dict[str, Any]:
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {one.name: one.version for one in distributions()},
    }


def _finding(one: Finding) -> dict[str, Any]:
    subject = Path(one.subject).name if one.check == "database" else one.subject
    return {"check": one.check, "subject": subject, "level": one.level.value, "said": one.said, "mend": one.mend}


def _configuration(config: Path) -> Any:
    """The file as it is written, variables and all, with whatever is secret or somebody's address replaced."""
    try:
        data = read(config).data
    except ConfigError as error:
        return {"unreadable": [problem.rule for problem in error.problems]}
    secret: set[tuple[str | int, ...]] = set()
    for part in ("sources", "destinations"):
        below = data.get(part) if isinstance(data, dict) else None
        for name, section in below.items() if isinstance(below, dict) else ():
            settings = section.get("settings") if isinstance(section, dict) else None
            try:
                model = registry.adapter(str(section.get("adapter"))).Settings if isinstance(section, dict) else None
            except ConfigError:
                continue
            if model is not None and settings:
                secret |= set(secret_places(model, settings, (part, name, "settings")))
    return _without_secrets(data, (), secret)


def _without_secrets(value: Any, place: tuple[str | int, ...], secret: set[tuple[str | int, ...]]) -> Any:
    if place in secret or (place and any(word in str(place[-1]).lower() for word in _SECRET)):
        return "***" if not (isinstance(value, str) and value.startswith("${") and ":-" not in value) else value
    if isinstance(value, dict):
        return {key: _without_secrets(below, (*place, key), secret) for key, below in value.items()}
    if isinstance(value, list):
        return [_without_secrets(below, (*place, number), secret) for number, below in enumerate(value)]
    if not isinstance(value, str):
        return value
    if "://" in value and place[:2] == ("alerts", "webhooks"):
        # The path of a webhook is often what opens it.
        scheme, _, there = value.partition("://")
        return f"{scheme}://{re.split('[/?#]', there)[0].rpartition('@')[2]}"
    if "://" in value:
        return without_password(value).partition("?")[0]
    return "***" if "@" in value else value


def _ledger(config: Path, ledger: str | None) -> Any:
    try:
        url = locate_ledger(config, ledger)
    except ConfigError:
        return {"unknown": "the configuration does not say where it is"}
    file = sqlite_path(url)
    if file is not None and not file.exists():
        return {"missing": True}
    engine = open_engine(url, writer=False)
    try:
        with engine.connect() as connection:
            return _facts(connection)
    except sa.exc.DBAPIError as error:
        return {"unreadable": type(error.orig).__name__}
    finally:
        engine.dispose()


def _facts(connection: sa.Connection) -> dict[str, Any]:
    digest = _digester()
    people: dict[str, str] = {}
    i, d, f, o, g = t.item.c, t.dispatch.c, t.fault.c, t.operation.c, t.gate_change.c
    named = set(connection.execute(sa.select(t.gate.c.destination)).scalars())

    def counts(*columns: Any) -> list[list[Any]]:
        query = sa.select(*columns, sa.func.count()).group_by(*columns).order_by(*columns)
        return [list(row) for row in connection.execute(query)]

    faults = sa.select(d.destination, f.fault, f.code, sa.func.count())
    faults = faults.join_from(t.fault, t.dispatch, d.id == f.dispatch_id).group_by(d.destination, f.fault, f.code)
    changes = connection.execute(sa.select(t.gate_change).order_by(g.id.desc()).limit(LAST))
    deeds = connection.execute(sa.select(t.operation).order_by(o.id.desc()).limit(LAST))
    gates = connection.execute(sa.select(t.gate))
    return {
        "rows": {name: _size(connection, table) for name, table in t.metadata.tables.items()},
        "items": counts(i.kind, i.state),
        "dispatches": counts(d.destination, d.kind, d.state),
        "possibly_twice": counts(d.destination, d.possibly_twice),
        "faults": [[to, fault, _code(code, digest), many] for to, fault, code, many in connection.execute(faults)],
        "unknown_codes": [
            [row.destination, row.call, row.status, _code(row.code, digest), row.count]
            for row in connection.execute(sa.select(t.answer_code))
        ],
        "gates": [{"destination": x.destination, "state": x.state, "since": _time(x.since_us)} for x in gates],
        "gate_changes": [{"destination": x.destination, "state": x.state, "at": _time(x.at_us)} for x in changes],
        "operations": [
            {
                "at": _time(x.at_us),
                "who": people.setdefault(x.who, f"person {len(people) + 1}"),
                "what": x.what,
                "subject": x.subject if x.subject in named else digest(x.subject),
                "count": x.count,
            }
            for x in deeds
        ],
        "sources": [
            {
                "name": x.name,
                "polls": x.polls,
                "failures": x.failures,
                "succeeded": _time(x.succeeded_us),
                "polled": _time(x.polled_us),
            }
            for x in connection.execute(sa.select(t.source))
        ],
        "source_problems": _problems(connection, digest),
    }


def _problems(connection: sa.Connection, digest: Callable[[str], str]) -> list[dict[str, Any]]:
    """The newest refused items: which field of which mapping; no value, and no words about it."""
    i, a = t.item.c, t.arrival.c
    query = (
        sa.select(i.arrival_id, i.row, i.part, i.kind, i.state, i.key, i.problems, a.source, a.received_us)
        .join_from(t.item, t.arrival, a.id == i.arrival_id)
        .where(i.state.in_(("rejected", "parked")))
        .order_by(i.arrival_id.desc(), i.row, i.part)
        .limit(LAST)
    )
    found = []
    for row in connection.execute(query):
        problems = orjson.loads(row.problems) if row.problems else []
        told = [{name: one.get(name) for name in ("mapping", "field", "path", "verdict")} for one in problems]
        for one, kept in zip(told, problems, strict=True):
            one["value"] = _shape(kept.get("value"))
        about = {"source": row.source, "kind": row.kind, "state": row.state, "at": _time(row.received_us)}
        found.append(about | {"key": digest(row.key) if row.key else None, "problems": told})
    return found


def _shape(value: str | None) -> str | None:
    """What a value looks like: digits as 9, letters as a, at most so many."""
    if value is None:
        return None
    shape = "".join("9" if c.isdigit() else "a" if c.isalpha() else c if c in " .,:/-|" else "?" for c in value)
    return shape[:40]


def _code(code: str | None, digest: Callable[[str], str]) -> str | None:
    """A portal's code; one that is no code but a text is a digest."""
    if not code:
        return None
    return code if _SAFE_CODE.fullmatch(code) and not re.search(r"\d{6}", code) else digest(code)


def _digester() -> Callable[[str], str]:
    key = secrets.token_bytes(32)
    return lambda text: "#" + blake2b(text.encode(), key=key, digest_size=6).hexdigest()


def _size(connection: sa.Connection, table: sa.Table) -> int | None:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _time(at_us: int | None) -> str | None:
    return None if not at_us else from_us(at_us).isoformat(timespec="seconds")
