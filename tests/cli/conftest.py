"""What the command tests share: a runner, and a ledger's read side that holds what a test puts into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hub.cli import app
from hub.ledger.configurations import Running
from hub.ledger.views import (
    AgencyFigures,
    DeadFilter,
    DispatchView,
    Event,
    Happened,
    Head,
    ItemProblem,
    OpenAlert,
    QueueState,
    Revision,
    Trace,
    UnknownDetail,
    UnknownOutcome,
)
from tests.cli.dead_world import World

NUMBER = "000.00.15.H59-170302-0007"
BEGAN_AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after the story's beginning, 08:00 in Viet Nam."""
    return BEGAN_AT + timedelta(seconds=seconds)


@dataclass
class FakeReader:
    """A ledger's read side."""

    traces: dict[str, Trace] = field(default_factory=dict)
    states: list[QueueState] = field(default_factory=list)
    refused: list[ItemProblem] = field(default_factory=list)
    trouble: list[OpenAlert] = field(default_factory=list)
    outcomes: list[UnknownDetail] = field(default_factory=list)
    figures: list[AgencyFigures] = field(default_factory=list)
    runs: list[Running] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    today: date | None = None

    def trace(self, key: str) -> Trace:
        return self.traces[key]

    def queues(self) -> list[QueueState]:
        return self.states

    def running(self) -> list[Running]:
        return self.runs

    def alerts(self) -> list[OpenAlert]:
        return self.trouble

    def unknowns(
        self, destination: str | None = None, key: str | None = None, limit: int = 1000
    ) -> list[UnknownOutcome]:
        found = [one.outcome for one in self.outcomes]
        return [one for one in found if destination in (None, one.destination) and key in (None, one.key)][:limit]

    def unknown(self, dispatch_id: int) -> UnknownDetail:
        return {one.outcome.dispatch_id: one for one in self.outcomes}[dispatch_id]

    def names(self, what: str) -> list[str]:
        return [*(one.destination for one in self.states), "national", "provincial"] if what == "destination" else []

    def problems(self, wanted: DeadFilter) -> list[ItemProblem]:
        return self.refused

    def report(self, today: date) -> list[AgencyFigures]:
        self.today = today
        return self.figures


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    """What every command reads instead of a ledger."""
    fake = FakeReader()

    @contextmanager
    def open_reader(url: str) -> Iterator[FakeReader]:
        fake.urls.append(url)
        yield fake

    monkeypatch.setattr("hub.ledger.read.open_reader", open_reader)
    monkeypatch.setenv("HUB_LEDGER_URL", "sqlite:///fake.db")
    return fake


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Hub = Callable[..., Ran]
_command = cache(get_command)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Run `hub` with arguments, as a shell would where the output is no terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.setattr("typer.testing._get_command", _command)  # made anew each time, it takes longer than it runs

    def run(*arguments: str) -> Ran:
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        return Ran(done.exit_code, done.stdout, done.stderr)

    return run


def dossier(**changed: Any) -> dict[str, Any]:
    """A dossier's content as the ledger keeps it."""
    content = {
        "number": NUMBER,
        "procedure_code": "1.003560.000.00.00.H59",
        "procedure_name": "Cấp giấy phép bưu chính",
        "agency": "H59.15",
        "applicant_name": "Nguyễn Thị Hồng Đào",
        "applicant_phone": "0912345678",
        "status": 2,
        "received_at": "2017-03-02T01:00:00Z",
        "due_at": "2017-03-09T10:00:00Z",
        "finished_at": None,
    }
    return content | changed


@pytest.fixture
def story() -> Trace:
    """A dossier that met an outage: three revisions and a step, one dispatch superseded, one refused row."""
    kind = "dossier.v1"
    step_key = f"{NUMBER}|2017-03-02T02:00:00Z|Trần Văn Sáu|4"
    step = {
        "number": NUMBER,
        "at": "2017-03-02T02:00:00Z",
        "person": "Trần Văn Sáu",
        "content": "Thẩm định",
        "status": 4,
    }
    contents: Sequence[dict[str, Any]] = (
        dossier(),
        dossier(status=4, applicant_phone="0987654321"),
        dossier(status=9, finished_at="2017-03-08T03:00:00Z"),
    )
    revisions = [
        Revision(
            n,
            kind,
            NUMBER,
            n,
            "so-tttt",
            f"LayDanhSachHoSo page {n}",
            at(10 * n),
            at(10 * n - 5),
            content,
            agency="H59.15",
        )
        for n, content in enumerate(contents, 1)
    ]
    revisions.append(
        Revision(4, "dossier-step.v1", step_key, 1, "so-tttt", "LayDanhSachHoSo page 3", at(30), None, step)
    )
    closed = "gate held: the connection was refused"
    return Trace(
        key=NUMBER,
        lane=NUMBER,
        heads=[Head(kind, NUMBER, "so-tttt", 3, at(25))],
        revisions=revisions,
        dispatches=[
            DispatchView(1, "national", 1, kind, NUMBER, "delivered", at(10), 1, delivered_at=at(11)),
            DispatchView(2, "national", 2, kind, NUMBER, "superseded", at(20), superseded_by=3),
            DispatchView(
                3, "national", 3, kind, NUMBER, "delivered", at(30), 2, delivered_at=at(42), possibly_twice=True
            ),
            DispatchView(4, "national", 4, "dossier-step.v1", step_key, "waiting", at(30), waits_for="behind #3"),
        ],
        events=[
            Event(at(10), Happened.READ, "accepted", 1),
            Event(at(10.1), Happened.SENT, "", 1, 1, "national", 7, "new", 40),
            Event(at(11), Happened.CONFIRMED, "", 1, 1, "national", 7, took_s=0.9),
            Event(at(15), Happened.GATE_CLOSED, "held: the connection was refused", destination="national"),
            Event(at(20), Happened.WAITED, closed, 2, 2, "national"),
            Event(at(30), Happened.SUPERSEDED, "superseded by #3", 2, 2, "national"),
            Event(at(40), Happened.GATE_OPENED, "after 25.0 s", destination="national"),
            Event(at(41), Happened.FAULT, "transient: Nguyễn Thị Hồng Đào: bận", 3, 3, "national", 8, code="17"),
            Event(at(42), Happened.CONFIRMED, "", 3, 3, "national", 9, took_s=0.2),
        ],
        problems=[
            ItemProblem(
                item_id=1,
                verdict="parked",
                source="so-tttt",
                arrival_label="LayDanhSachHoSo page 2",
                position=(4, 0),
                read_at=at(15),
                reason="is not in the table 'status'",
                mapping="one-stop-soap/dossier",
                field="status",
                path="TrangThai",
                value="Chờ",
                key=NUMBER,
                kind=kind,
                mend="add it to the table",
            )
        ],
    )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A configuration and a SQLite ledger, which the commands find by themselves."""
    made = World(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
    monkeypatch.setenv("HUB_CONFIG", str(made.file))
    monkeypatch.setenv("HUB_WHO", "lan")
    yield made
    made.close()
