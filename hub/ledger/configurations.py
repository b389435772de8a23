"""Versions of the configuration: what each was made of, since when it is known, and who runs which one.

A version is known by its digest and told by its number. Its texts are kept once each, so that an operator can see what
differed; whoever gives them has taken out what is secret (`hub.version`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx, insert_many
from hub.ledger.pages import pack, unpack
from hub.ledger.sources import database_now_us
from hub.ledger.values import REGISTER, SECOND_US, Version, from_us

_ASKED = "reload"
"""The name in `meta` of what all processes were last asked to run."""


@dataclass(frozen=True, slots=True)
class PartView:
    """One text that a configuration is made of."""

    role: str
    """configuration, agencies, procedures, mapping, table, answers, register or program."""
    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ConfigurationView:
    """One version of the configuration, for people."""

    number: int
    digest: str
    first_at: datetime
    file: str
    host: str
    parts: Sequence[PartView]
    running: int = 0
    """How many processes run it."""


@dataclass(frozen=True, slots=True)
class Running:
    """What one process runs."""

    worker: str
    configuration: int | None
    since: datetime | None
    heard: int = 0
    """The last request to reload that it dealt with."""
    refused: str = ""
    """Why it does not run what it was asked to."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to all processes to run another version."""

    request: int
    configuration: int


def remember(tx: Tx, version: Version) -> int:
    """Return the number of a version, a new one where the ledger has not seen it before."""
    c = t.configuration.c
    known = tx.execute(sa.select(c.id).where(c.digest == version.digest)).scalar()
    if known is not None:
        return int(known)
    # Two processes that come at once collide on the number, and the second runs again (R5).
    number = int(tx.execute(sa.select(sa.func.coalesce(sa.func.max(c.id), 0))).scalar_one()) + 1
    parts = [{"role": p.role, "name": p.name, "digest": p.digest, "size_bytes": p.size_bytes} for p in version.parts]
    tx.execute(
        sa.insert(t.configuration).values(
            id=number, digest=version.digest, first_us=tx.now_us, file=version.file, host=version.host,
            parts=json.dumps(parts, ensure_ascii=False),
        )
    )  # fmt: skip
    kept = {p.digest: p.text for p in version.parts if p.text is not None}
    rows = [(digest, pack(text.encode())) for digest, text in sorted(kept.items())]
    insert_many(tx, t.configuration_text, ("digest", "text"), rows, ignore=True)
    return number


def runs(tx: Tx, worker: str, number: int, heard: int) -> None:
    """Write down what a process runs from now on, and up to which request it has listened."""
    values = {"configuration": number, "configured_us": tx.now_us, "heard": heard, "refused": None}
    tx.execute(sa.update(t.worker).where(t.worker.c.id == worker).values(**values))


def refuses(tx: Tx, worker: str, heard: int, why: str) -> None:
    """Write down why a process goes on with what it runs."""
    tx.execute(sa.update(t.worker).where(t.worker.c.id == worker).values(heard=heard, refused=why[:4000]))


def ask_all(tx: Tx, number: int, by: By) -> int:
    """Ask all processes to run a version; returns the number of the request. A running process hears it with its next
    heartbeat."""
    m = t.meta.c
    insert_many(tx, t.meta, ("name", "value"), [(_ASKED, "0 0")], ignore=True)
    before = _asked(tx.execute(tx.lock(sa.select(m.value).where(m.name == _ASKED))).scalar_one())
    request = before.request + 1
    tx.execute(sa.update(t.meta).where(m.name == _ASKED).values(value=f"{request} {number}"))
    note(tx, by, "reload", f"configuration #{number}")
    return request


def asked(tx: Tx) -> Asked:
    """Read what all processes were last asked to run; request 0 where nobody ever asked."""
    return _asked(tx.execute(sa.select(t.meta.c.value).where(t.meta.c.name == _ASKED)).scalar() or "0 0")


def _asked(text: str) -> Asked:
    request, number = text.split()
    return Asked(int(request), int(number))


def running(tx: Tx, ttl_s: float) -> list[Running]:
    """Read what the hubs that are alive run; commands that open the ledger for a moment run nothing."""
    w = t.worker.c
    alive = w.ended_us.is_(None) & (w.beat_us > database_now_us(tx) - int(ttl_s * SECOND_US))
    rows = tx.execute(sa.select(t.worker).where(alive, w.configuration.isnot(None)).order_by(w.started_us, w.id))
    return [
        Running(
            row.id, row.configuration, None if row.configured_us is None else from_us(row.configured_us), row.heard,
            row.refused or "",
        )
        for row in rows
    ]  # fmt: skip


def digest_of(tx: Tx, number: int) -> str | None:
    """The digest of the version of that number."""
    found: str | None = tx.execute(sa.select(t.configuration.c.digest).where(t.configuration.c.id == number)).scalar()
    return found


def in_files(tx: Tx, number: int) -> frozenset[tuple[str, str, str]] | None:
    """Role, name and digest of what stands in files of the version of that number; see `Version.in_files`."""
    found = tx.execute(sa.select(t.configuration.c.parts).where(t.configuration.c.id == number)).scalar()
    if found is None:
        return None
    parts = [PartView(**part) for part in json.loads(found)]
    return frozenset((part.role, part.name, part.digest) for part in parts if part.role != REGISTER)


def configurations(tx: Tx, ttl_s: float) -> list[ConfigurationView]:
    """Read every version, the oldest first."""
    in_use = [one.configuration for one in running(tx, ttl_s)]
    rows = tx.execute(sa.select(t.configuration).order_by(t.configuration.c.id))
    return [_view(row, in_use.count(row.id)) for row in rows]


def texts(tx: Tx, digests: Sequence[str]) -> dict[str, str]:
    """Read the texts of parts, by their digests; what was too large to be kept is left out."""
    x = t.configuration_text.c
    rows = tx.execute(sa.select(x.digest, x.text).where(x.digest.in_(digests)))
    return {row.digest: unpack(row.text).decode() for row in rows}


def _view(row: Any, in_use: int) -> ConfigurationView:
    parts = [PartView(**part) for part in json.loads(row.parts)]
    return ConfigurationView(row.id, row.digest, from_us(row.first_us), row.file, row.host, parts, running=in_use)
