"""A ledger, a bus and a portal that the test answers for: what `hub.ingest`, `hub.publish` and `hub.deliver` stand
between.

The ledger is SQLite, the bus the embedded one, the mappings are those of the catalogue; only sources and portals are
played.
"""

from __future__ import annotations

import asyncio
import csv
import io
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from hub.bus import EmbeddedBus
from hub.deliver import Deliver
from hub.ledger import DestinationRules, Ledger
from hub.ledger.engine import open_engine
from hub.ledger.ledger import wall_us
from hub.ledger.unknowns import Open
from hub.ledger.values import Finished, Outcome, Settled, Settlement, SourceLease
from hub.ports import Arrival, Outgoing, Receipt, Result
from hub.process import process
from hub.publish import Relay
from hub.retry import RetryPolicy
from hub.rulebook import Rulebook
from hub.sections import Route
from mappings.catalogue import load
from mappings.inbound import InboundMapping
from mappings.outbound import OutboundMapping
from mappings.rows import RenderContext
from schemas.agency import AgencyRegister

BOTH = ["dossier.v1", "dossier-step.v1"]
AGENCIES = AgencyRegister.from_rows(
    [
        {"code": "H59.15", "name": "Sở Thông tin và Truyền thông", "level": "province"},
        {"code": "H59.34", "name": "UBND huyện Cầu Ngang", "level": "district"},
    ]
)
LEASE = SourceLease("s", 1, "{}", None, 0)
KEY = b"k" * 32
LONGEST_S = 120.0
"""What a test takes at most, so that one that waits for what never comes fails."""

# --- what a source shows


def dossier(number: str = "H59-1", note: str = "A", changed: str = "20170320090000", **cells: str) -> dict[str, str]:
    """One line of an exported file of dossiers; `changed=""` where the source tells no time."""
    return {
        "SO_HO_SO": number, "MA_TTHC": "2.002621.H59", "TEN_TTHC": "Cấp phiếu", "MA_LINH_VUC": "", "LINH_VUC": "",
        "MA_DON_VI": "H59.15", "LOAI_DOI_TUONG": "1", "HO_TEN": "Thạch Sang", "SO_GIAY_TO": "", "DIA_CHI": "",
        "DIEN_THOAI": "", "EMAIL": "", "TRICH_YEU": "", "KENH": "1", "MUC_DO": "", "TRANG_THAI": "4",
        "NGAY_TIEP_NHAN": "20170320080000", "NGAY_HEN_TRA": "", "NGAY_KET_THUC": "", "NGAY_TRA": "", "GHI_CHU": note,
        "NGAY_CAP_NHAT": changed, **cells,
    }  # fmt: skip


def step(number: str = "H59-1", content: str = "bước 1", at: str = "20170320100000") -> dict[str, str]:
    """One line of an exported file of steps."""
    return {
        "SO_HO_SO": number, "THOI_DIEM": at, "NGUOI_XU_LY": "Trần Văn Sáu", "CHUC_DANH": "", "PHONG_BAN": "",
        "NOI_DUNG": content, "TRANG_THAI": "4",
    }  # fmt: skip


def page(*rows: Mapping[str, str], name: str = "", **more: Any) -> Arrival:
    """An arrival that holds a file with these lines, all of dossiers or all of steps."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=";", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    label = name or ("hoso-1.csv" if "HO_TEN" in rows[0] else "buoc-1.csv")
    return arrival(text.getvalue().encode(), label=label, **more)


def arrival(body: bytes, label: str = "hoso-1.csv", **more: Any) -> Arrival:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {"received_at": now, "poll_started_at": now, **more}
    return Arrival(uid=uuid.uuid4().hex, source="s", body=body, media="csv", label=label, **fields)


@cache
def _mappings() -> tuple[list[InboundMapping], dict[str, OutboundMapping]]:
    inbound = [load("one-stop-csv/dossier"), load("one-stop-csv/step")]
    outbound = {"dossier.v1": load("dvcqg/dossier"), "dossier-step.v1": load("dvcqg/step")}
    return cast(list[InboundMapping], inbound), cast(dict[str, OutboundMapping], outbound)


def rules(*routes: Route) -> Rulebook:
    """Source `s` of dossiers and steps; without routes of the test's own all of it goes to `n`."""
    inbound, outbound = _mappings()
    return Rulebook({"s": inbound}, {"n": outbound}, routes or (Route(kinds=BOTH, to=["n"]),), AGENCIES)


# --- the portal


@dataclass
class Portal:
    """A destination: `answer` says what it answers for a record, `knows` what it shows of a dossier number."""

    answer: Callable[[Outgoing], Result] = lambda one: Receipt(one.dispatch_id)
    knows: Callable[[str], bool] = lambda _: False
    """May raise DestinationFault."""
    batch: int = 100
    can_look_up: bool = True
    sent: list[list[str]] = field(default_factory=list)
    """The dossier numbers of each request that reached it."""
    asked: list[list[str]] = field(default_factory=list)
    cancelled: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is cleared, requests hang."""

    def __post_init__(self) -> None:
        self.answers.set()

    @property
    def largest(self) -> int:
        return self.batch

    def batches(self, outgoing: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
        made: dict[tuple[str, str, int], list[list[Outgoing]]] = {}
        for one in outgoing:
            most = min(self.batch, one.batch_limit or self.batch)
            group = made.setdefault((one.kind, one.mode, most), [[]])
            if len(group[-1]) >= most:
                group.append([])
            group[-1].append(one)
        return [batch for group in made.values() for batch in group if batch]

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        self.sent.append([one.lane for one in batch])
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return [self.answer(one) for one in batch]

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        self.asked.append(list(keys))
        return {key: self.knows(key) for key in keys}

    async def close(self) -> None:
        """Nothing is held open."""


# --- the line


class WatchedLedger(Ledger):
    """A ledger that remembers what it was told of calls and of look-ups."""

    outcomes: list[Outcome]
    postponed: dict[str, list[float]]

    async def finish(
        self, destination: str, outcomes: Sequence[Outcome], *, down: str = "", probe_in_s: float = 1.0
    ) -> Finished:
        finished = await super().finish(destination, outcomes, down=down, probe_in_s=probe_in_s)
        self.outcomes += outcomes
        return finished

    async def postpone(self, opened: Sequence[Open], by_s: float, reason: str) -> None:
        for one in opened:
            self.postponed.setdefault(one.lane, []).append(by_s)
        await super().postpone(opened, by_s, reason)


@dataclass
class Line:
    """One ledger with its bus and its relay."""

    ledger: WatchedLedger
    bus: EmbeddedBus
    relay: Relay
    reader: sa.Engine

    async def settle(self, *rows: Mapping[str, str]) -> Settled:
        """Settle one page, and publish what was born due."""
        settled = await self.ledger.settle(await self.processed(page(*rows)))
        await self.relay.publish(settled.tickets)
        return settled

    async def delivers(self, number: str) -> None:
        """Settle one dossier and wait until the portal has it."""
        await self.settle(dossier(number))
        await until(lambda: self.state(number).state == "delivered")

    async def processed(self, arrived: Arrival) -> Settlement:
        lease = await self.ledger.lease_source("s")
        assert lease is not None
        return process(arrived, rules(), lease, self.ledger.digest_key)

    def ask(self, question: str, /, **values: Any) -> list[sa.Row[Any]]:
        with self.reader.connect() as connection:
            return list(connection.execute(sa.text(question), values))

    def states(self) -> list[str]:
        """The states of the dispatches in the order of their making."""
        return [row[0] for row in self.ask("SELECT state FROM dispatch ORDER BY id")]

    def state(self, number: str) -> sa.Row[Any]:
        """The newest dispatch of a dossier number."""
        return self.ask("SELECT * FROM dispatch WHERE lane = :lane ORDER BY id DESC", lane=number)[0]

    def gates(self) -> list[str]:
        """The states that the gate went through."""
        return [row[0] for row in self.ask("SELECT state FROM gate_change ORDER BY id")]

    def deliver(self, portal: Portal, **settings: Any) -> Deliver:
        made: dict[str, Any] = {
            "mappings": rules().outbound["n"],
            "policy": RetryPolicy(first_s=0.01, cap_s=0.05, limit=3, unknown_wait_s=0.0),
            "publish": self.relay.publish,
            "probe_every_s": 0.01,
            **settings,
        }
        return Deliver(
            name="n", destination=portal, ledger=self.ledger, bus=self.bus, context=RenderContext(AGENCIES),
            now_us=wall_us, **made,
        )  # fmt: skip

    @asynccontextmanager
    async def delivering(self, portal: Portal, **settings: Any) -> AsyncIterator[Deliver]:
        """A destination's loop and its relay, running; fails where one of them fails."""
        deliver = self.deliver(portal, **settings)
        loops = [asyncio.create_task(deliver.run()), asyncio.create_task(self.relay.run("n"))]
        try:
            yield deliver
        finally:
            for loop in loops:
                loop.cancel()
            ended = await asyncio.gather(*loops, return_exceptions=True)
        assert not [one for one in ended if isinstance(one, Exception)], ended


@asynccontextmanager
async def line(
    folder: Path, *, now_us: Callable[[], int] = wall_us, queued_s: float = 60.0, can_look_up: bool = True
) -> AsyncIterator[Line]:
    """A ledger of the test's own with the source `s` and the destination `n`, and a bus that runs."""
    url = f"sqlite:///{folder / 'hub.db'}"
    to = {"n": DestinationRules(queued_s=queued_s, can_look_up=can_look_up)}
    ledger = WatchedLedger(url, to, sources=["s"], now_us=now_us)
    ledger.outcomes, ledger.postponed = [], {}
    await ledger.open(take_over=True)
    bus = EmbeddedBus()
    await bus.start(["n"])
    reader = open_engine(url, writer=False)
    try:
        async with asyncio.timeout(LONGEST_S):
            yield Line(ledger, bus, Relay(ledger, bus, turn_s=0.01), reader)
    finally:
        reader.dispose()
        await bus.stop()
        await ledger.close()


async def until(holds: Callable[[], object], within_s: float = 90.0) -> None:
    """Wait for what no event tells: a state in the database, a loop's turn."""
    give_up_at = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_at, "waited in vain"
        await asyncio.sleep(0.005)
