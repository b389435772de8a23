"""The twins and the database of the tests, as the contract of `hub.contract` sees a legacy system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.sandbox import csv_exporter, rest_one_stop, soap_one_stop
from adapters.sandbox.twin import Create, TwinOptions, running
from hub.contract import Row
from hub.ports import Arrival
from tests.contract.sources.systems import (
    SLUG,
    Dossier,
    SqlSystem,
    System,
    csv_row,
    files_settings,
    rest_row,
    rest_settings,
    soap_row,
    soap_settings,
    sql_settings,
)

TWINS: dict[str, tuple[Create, str, Any]] = {
    "soap": (soap_one_stop.create, "soap", soap_row),
    "rest": (rest_one_stop.create, "rest", rest_row),
    "files": (csv_exporter.create, "csv", csv_row),
}
"""By adapter: its twin, the word for it in a data file of ticks, and how a row is put into its shape."""
SMALL = {"max_bytes": 65536}


class Recorder:
    """Keeps every body that an application gave out whole."""

    def __init__(self, app: ASGIApp, into: list[bytes]) -> None:
        self.app, self.into = app, into

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    self.into.append(bytes(body))
            await send(message)

        await self.app(scope, receive, sent)


@dataclass
class HeldTwin:
    """A twin that holds what a test puts into it."""

    kind: str
    system: System
    data: Path
    given: list[bytes]
    ticks: list[list[Any]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.system.folder

    @property
    def settings(self) -> Mapping[str, Any]:
        match self.kind:
            case "soap":
                return soap_settings(self.system.twin.url, **SMALL)
            case "rest":
                return rest_settings(self.system.twin.url, **SMALL)
            case _:
                return files_settings("drop", settle_s=0)

    @property
    def hasty(self) -> Mapping[str, Any]:
        return {"operation_timeout_s" if self.kind == "soap" else "timeout_s": 0.5}

    def put(self, rows: Sequence[Row]) -> None:
        shape = TWINS[self.kind][2]
        self.ticks.append([shape(Dossier(row.number, row.changed, row.name, row.status)) for row in rows])
        self.data.write_bytes(content(self.kind, self.ticks))
        self.system.tick(len(self.ticks))
        if self.kind == "files":
            self.given += [path.read_bytes() for path in (self.folder / "drop" / SLUG).glob("*.csv")]

    def numbers(self, arrival: Arrival) -> list[str]:
        try:
            return self.system.numbers(arrival)
        except (UnicodeDecodeError, ValueError, KeyError):
            return []

    def served(self) -> Sequence[bytes]:
        return self.given

    def fault(self, mode: str, *, times: int | None = None) -> None:
        scope = SLUG if mode not in ("refuse", "off") else ""
        self.system.fault(mode, for_requests=times, scope=scope, bytes=100_000, interval_s=0.5)


def content(kind: str, ticks: list[list[Any]], repeat: int | None = None) -> bytes:
    """A data file of ticks with one agency that speaks as `kind`, and another that does not."""
    return orjson.dumps(
        {
            "agencies": {
                SLUG: {
                    "name": "Sở Thông tin và Truyền thông",
                    "code": "H59.05",
                    "system": TWINS[kind][1],
                    "ticks": ticks,
                },
                "khac": {"name": "Hệ thống khác", "code": "H59.06", "system": "other", "ticks": []},
            },
            "repeat_page": {"agency": SLUG, "tick": repeat} if repeat else None,
        }
    )


@contextmanager
def held(kind: str, folder: Path) -> Iterator[HeldTwin]:
    """A running twin without a row."""
    given: list[bytes] = []

    def create(options: TwinOptions) -> Starlette:
        app = TWINS[kind][0](options)
        app.add_middleware(Recorder, into=given)
        return app

    data = folder / f"{kind}.json"
    data.write_bytes(content(kind, []))
    options = {"folder": str(folder / "drop")} if kind == "files" else {}
    with running(create, data=data, options=options) as twin:
        yield HeldTwin(kind, System(kind, twin, folder), data, given)


class HeldDatabase:
    """A database that holds what a test puts into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Mapping[str, Any] = sql_settings("sqlite:///motcua.db")
        self.hasty: Mapping[str, Any] = {"timeout_s": 0.5}
        self._system = SqlSystem(folder, [])

    def put(self, rows: Sequence[Row]) -> None:
        self._system.ticks.append([Dossier(row.number, row.changed, row.name, row.status) for row in rows])
        self._system.tick(len(self._system.ticks))

    def numbers(self, arrival: Arrival) -> list[str]:
        return self._system.numbers(arrival)

    def served(self) -> Sequence[bytes]:
        return []

    def fault(self, mode: str, *, times: int | None = None) -> None:
        raise NotImplementedError("what a database does wrong has tests of its own, test_sql.py")
