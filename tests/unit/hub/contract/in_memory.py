"""A system and a portal in memory, adapters that speak to them rightly, and one adapter for each way of doing it wrong.

test_biting.py declares them by entry points in a run of pytest of its own.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from hub.contract import Row
from hub.contract.destination import Call
from hub.ports import (
    AdapterContext,
    Arrival,
    Cursor,
    Fault,
    FaultClass,
    Mode,
    Outgoing,
    Receipt,
    Result,
    Unknown,
)
from schemas.errors import DestinationFault, SourceFault

HELD: dict[str, Any] = {}
"""Where adapters find who is on the other side: by the name in their settings."""
PAGE = 3
MEASURE = 1000


class Faulty:
    """Goes wrong as it is told, by kind of call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orders: dict[str, tuple[str, int | None]] = {}
        HELD[str(folder)] = self

    def fault(self, mode: str, *, call: Call = "send", times: int | None = None) -> None:
        if mode == "off":
            self.orders.clear()
        for one in ("send", "log-in", "look-up") if mode == "refuse" else (call,):
            self.orders[one] = (mode, times)

    async def strike(self, call: Call) -> str:
        """The mode of this call; raises or hangs where it is one of the line's. Raises: OSError."""
        mode, times = self.orders.get(call, ("off", None))
        if times is not None:
            self.orders[call] = (mode if times > 1 else "off", times - 1)
        match mode:
            case "refuse":
                raise ConnectionRefusedError
            case "500" | "http-503" | "429":
                raise InterruptedError(mode)
            case "down":
                raise ConnectionResetError
            case "hang":
                await asyncio.sleep(3600)
        return mode


class MemorySystem(Faulty):
    """A hub.contract.System without a line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.settings = {"at": str(folder), "password": "mat-khau-thu"}
        self.hasty = {"timeout_s": 0.2}
        self.rows: dict[str, Row] = {}
        self.given: list[bytes] = []

    def put(self, rows: Sequence[Row]) -> None:
        self.rows |= {row.number: row for row in rows}

    def served(self) -> list[bytes]:
        return self.given

    def numbers(self, arrival: Arrival) -> list[str]:
        try:
            return [row["number"] for row in json.loads(arrival.body)]
        except ValueError:
            return []

    async def page(self, after: Sequence[str]) -> bytes:
        mode = await self.strike("send")
        if mode == "drip":
            await asyncio.sleep(3600)
        placed = sorted((row.changed.isoformat(), row.number, row.name) for row in self.rows.values())
        found = [place for place in placed if list(place[:2]) > list(after)][:PAGE]
        rows = [{"number": number, "changed": changed, "name": name} for changed, number, name in found]
        body = json.dumps(rows, ensure_ascii=False).encode()
        body = {"garbage": "<html>bảo trì".encode(), "huge": body + b" " * MEASURE}.get(mode, body)
        self.given.append(body)
        return body


class SourceSettings(BaseModel):
    """Settings of a source in memory."""

    model_config = ConfigDict(extra="forbid")

    at: str
    """Which system."""
    password: SecretStr = SecretStr("")
    """Of nobody."""
    timeout_s: float = 5.0
    """One page in all."""


class RightSource:
    """Reads a MemorySystem."""

    role: ClassVar[Literal["source"]] = "source"
    Settings: ClassVar[type[BaseModel]] = SourceSettings
    summary: ClassVar[str] = "a system in memory"

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        self.settings, self.name = settings, context.name
        self.system: MemorySystem = HELD[settings.at]

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        started, place = datetime.now(UTC), self.place(cursor)
        believed = place
        while True:
            body = await self.asked(place)
            try:
                rows = json.loads(body)
            except ValueError:
                yield self.arrival(body, started, self.after_garbage(), last=True)
                return
            for row in rows:
                place = [row["changed"], row["number"]]
                if self.believes(datetime.fromisoformat(row["changed"])):
                    believed = place
            last = len(rows) < PAGE
            yield self.arrival(body, started, self.cursor(believed) if believed else None, last=last)
            if last:
                return

    def place(self, cursor: Cursor) -> list[str]:
        place = cursor.get("after", [])
        if not isinstance(place, list) or len(place) not in (0, 2):
            raise SourceFault(f"the stored cursor {dict(cursor)!r} cannot be read; reset the cursor")
        return place

    async def asked(self, place: Sequence[str]) -> bytes:
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                body = await self.system.page(place)
        except TimeoutError:
            raise SourceFault("no whole page in time") from None
        except OSError as error:
            raise SourceFault(f"broke off: {error!r}", down=isinstance(error, ConnectionRefusedError)) from error
        if len(body) > MEASURE:
            raise SourceFault("an answer without measure")
        return body

    def believes(self, changed: datetime) -> bool:
        return changed <= datetime.now(UTC) + timedelta(minutes=10)

    def after_garbage(self) -> Cursor | None:
        return None

    def cursor(self, place: list[str]) -> Cursor:
        return {"after": place}

    def arrival(self, body: bytes, started: datetime, cursor: Cursor | None, *, last: bool) -> Arrival:
        at = datetime.now(UTC)
        return Arrival(uuid.uuid4().hex, self.name, body, "json", at, started, "page", cursor, last=last)

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """Nobody waits for it."""

    async def close(self) -> None:
        """Nothing is open."""


class LosesRows(RightSource):
    """Its cursor stands at the newest row that there is, not at the last one that was handed on."""

    def cursor(self, place: list[str]) -> Cursor:
        newest = max((row.changed.isoformat(), row.number) for row in self.system.rows.values())
        return {"after": list(newest)}


class ChangesBytes(RightSource):
    """Hands on what it read in its own hand."""

    def arrival(self, body: bytes, started: datetime, cursor: Cursor | None, *, last: bool) -> Arrival:
        tidy = body.replace("Nguyễn Thị".encode(), b"Nguyen Thi")
        return super().arrival(tidy, started, cursor, last=last)


class IgnoresTheDeadline(RightSource):
    """Waits for ever."""

    async def asked(self, place: Sequence[str]) -> bytes:
        return await self.system.page(place)


class StepsOverGarbage(RightSource):
    """Takes a page that it cannot read for the end."""

    def after_garbage(self) -> Cursor | None:
        return {"after": ["9999", ""]}


class BelievesEveryClock(RightSource):
    """Goes on from a change that lies in the future."""

    def believes(self, changed: datetime) -> bool:
        return True


class TakesAnyCursor(RightSource):
    """Fails somewhere, in Python's words."""

    def place(self, cursor: Cursor) -> list[str]:
        return [str(part) + "" for part in cursor["after"]] if cursor else []


class ReadsAllAgain(RightSource):
    """Has a cursor and does not use it."""

    def place(self, cursor: Cursor) -> list[str]:
        super().place(cursor)
        return []


class LaxSettings(BaseModel):
    """Takes whatever is written, and shows the password."""

    at: str
    password: str = ""
    timeout_s: float = 5.0


class IsLax(RightSource):
    """See its settings."""

    Settings = LaxSettings


# --- the other way ----------------------------------------------------------------------------------------------------


class MemoryPortal(Faulty):
    """A hub.contract.Portal without a line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.settings = {"at": str(folder), "password": "mat-khau-thu"}
        self.astray, self.stranger = {"path": "/khong-co"}, {"password": "khác"}
        self.held: list[str] = []
        self.sessions: set[str] = set()
        self.given = 0

    def record(self, n: int, mode: Mode = Mode.NEW) -> Outgoing:
        kind = "dossier-step.v1" if mode is Mode.EVENT else "dossier.v1"
        own = n + {Mode.NEW: 0, Mode.UPDATE: 500, Mode.EVENT: 1000}[mode]
        return Outgoing(own, kind, f"H-{n:04}", f"H-{n:04}", mode, {"MaHoSo": f"H-{n:04}", "GhiChu": str(mode)})

    def taken(self) -> list[str]:
        return self.held

    def log_ins(self) -> int:
        return self.given

    async def log_in(self, password: str) -> str:
        await self.strike("log-in")
        await asyncio.sleep(0.01)
        if password != "mat-khau-thu":
            raise PermissionError
        self.given += 1
        self.sessions.add(str(self.given))
        return str(self.given)

    async def take(self, session: str, path: str, numbers: Sequence[str]) -> str:
        mode = await self.strike("send")
        if mode == "expire-session":
            self.sessions.clear()
        if session not in self.sessions:
            raise PermissionError
        if path != "/":
            raise FileNotFoundError
        if mode == "200-error":
            return "LOI"
        self.held += numbers
        if mode == "accept-drop":
            raise ConnectionResetError
        if mode == "drip":
            await asyncio.sleep(3600)
        return "OK"

    async def has(self, number: str) -> bool:
        await self.strike("look-up")
        return number in self.held


class DestinationSettings(SourceSettings):
    """Settings of a destination in memory."""

    path: str = "/"
    """Where records are taken."""


class RightDestination:
    """Writes to a MemoryPortal."""

    role: ClassVar[Literal["destination"]] = "destination"
    Settings: ClassVar[type[BaseModel]] = DestinationSettings
    summary: ClassVar[str] = "a portal in memory"
    can_look_up = True
    largest = 2

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        self.settings = settings
        self.portal: MemoryPortal = HELD[settings.at]
        self.session: str | None = None
        self.one_at_a_time = asyncio.Lock()

    def batches(self, outgoing: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
        made: list[list[Outgoing]] = []
        for each in outgoing:
            last = made[-1] if made else []
            alike = last and (last[0].kind, last[0].mode) == (each.kind, each.mode)
            if alike and len(last) < min(one.batch_limit or self.largest for one in (*last, each)):
                last.append(each)
            else:
                made.append([each])
        return made

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        ids = [each.dispatch_id for each in batch]
        if not batch[0].kind.startswith("dossier"):
            return [Fault(id_, FaultClass.DATA, "unsupported-kind", "takes none of these") for id_ in ids]
        try:
            async with asyncio.timeout(self.limit_s(deadline_s)):
                return self.judged(ids, await self.sent(batch))
        except TimeoutError:
            return [Unknown(id_, "no answer in time") for id_ in ids]
        except ConnectionResetError:
            return [Unknown(id_, "the line was cut") for id_ in ids]
        except PermissionError:
            return [Fault(id_, FaultClass.SESSION, "401", "lets nobody in") for id_ in ids]
        except InterruptedError as error:
            return [self.troubled(id_, str(error)) for id_ in ids]
        except OSError:
            return [Fault(id_, FaultClass.DOWN, "not-sent", "nobody is there") for id_ in ids]

    def limit_s(self, deadline_s: float) -> float | None:
        return deadline_s

    def troubled(self, id_: int, code: str) -> Fault:
        kind = {"429": FaultClass.THROTTLED, "http-503": FaultClass.DOWN}.get(code, FaultClass.TRANSIENT)
        return Fault(id_, kind, code, "in trouble", retry_after_s=4 if code == "429" else None)

    def judged(self, ids: Sequence[int], answer: str) -> Sequence[Result]:
        if answer == "OK":
            return [Receipt(id_) for id_ in ids]
        return [Fault(id_, FaultClass.TRANSIENT, answer, "an error inside") for id_ in ids]

    async def sent(self, batch: Sequence[Outgoing]) -> str:
        numbers = [each.lane for each in batch]
        for last in (False, True):
            session = await self.logged_in()
            try:
                return await self.portal.take(session, self.settings.path, numbers)
            except PermissionError:
                self.session = None
                if last:
                    raise
        raise AssertionError("the second round ends")

    async def logged_in(self) -> str:
        async with self.one_at_a_time:
            if self.session is None:
                try:
                    self.session = await self.portal.log_in(self.settings.password.get_secret_value())
                except ConnectionResetError as error:
                    raise ConnectionRefusedError from error  # nothing of a record was sent
            return self.session

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        try:
            async with asyncio.timeout(deadline_s):
                return {key: await self.portal.has(key) for key in keys}
        except (TimeoutError, OSError) as error:
            raise DestinationFault("cannot be asked", down=isinstance(error, ConnectionRefusedError)) from error

    async def close(self) -> None:
        """Nothing is open."""


class AnswersTwice(RightDestination):
    """Has two results for each record."""

    def judged(self, ids: Sequence[int], answer: str) -> Sequence[Result]:
        return [result for result in super().judged(ids, answer) for _ in range(2)]


class BelievesEveryAnswer(RightDestination):
    """Takes HTTP 200 for a yes."""

    def judged(self, ids: Sequence[int], answer: str) -> Sequence[Result]:
        return [Receipt(id_) for id_ in ids]


class NeverEnds(RightDestination):
    """Waits for ever."""

    def limit_s(self, deadline_s: float) -> float | None:
        return None


class SendsAgain(RightDestination):
    """Repeats what may have been taken."""

    async def sent(self, batch: Sequence[Outgoing]) -> str:
        try:
            return await super().sent(batch)
        except ConnectionResetError:
            return await super().sent(batch)


class BlamesTheRecord(RightDestination):
    """Buries a dossier because its portal is ill."""

    def troubled(self, id_: int, code: str) -> Fault:
        return Fault(id_, FaultClass.DATA, code, "refused")


class SaysNo(RightDestination):
    """Takes a portal that cannot be asked for one that has nothing."""

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        try:
            return await super().look_up(keys, deadline_s)
        except DestinationFault:
            return dict.fromkeys(keys, False)


class LogsInEachTime(RightDestination):
    """Has no use for a session that it has."""

    async def logged_in(self) -> str:
        return await self.portal.log_in(self.settings.password.get_secret_value())


class MixesBatches(RightDestination):
    """Puts everything into one request."""

    def batches(self, outgoing: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
        return [outgoing]
