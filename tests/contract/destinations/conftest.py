"""The two destinations, each with the twin of its portal, as the suite sees them: one shape for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from adapters.dvcqg import DvcqgDestination, DvcqgSettings
from adapters.lgsp import LgspDestination, LgspSettings
from adapters.sandbox import national_portal, provincial_portal
from adapters.sandbox.twin import Create, Twin, running
from hub.ports import AdapterContext, Destination, Mode, Outgoing

DSTCODE, MADONVI = "VN:GOV:000.00.00.G22:vpcpdvcprovider", "H59"


def national(url: str, **settings: Any) -> Destination:
    own = {"url": url, "username": "tra-vinh", "password": "mat-khau-thu", "dstcode": DSTCODE, "madonvi": MADONVI}
    return DvcqgDestination(DvcqgSettings(**{**own, **settings}), AdapterContext("national", Path()))


def provincial(url: str, **settings: Any) -> Destination:
    own = {"url": url, "client_id": "truc-lien-thong", "client_secret": "mat-khau-thu"}
    return LgspDestination(LgspSettings(**{**own, **settings}), AdapterContext("provincial", Path()))


@dataclass(frozen=True)
class Kind:
    """What differs between the two."""

    name: str
    create: Create
    destination: Callable[..., Destination]
    dossiers: str
    steps: str
    number: str
    state: dict[str, str]


NATIONAL = Kind(
    "national",
    national_portal.create,
    national,
    "DongBoHoSoMC",
    "CapNhatTienDoHoSoMC",
    "MaHoSo",
    {"TrangThaiHoSo": "2", "TrangThai": "2"},
)
PROVINCIAL = Kind(
    "provincial", provincial_portal.create, provincial, "SyncDocument", "UpdateDocumentTraces", "DocCode", {}
)


class Stand:
    """A portal's twin that runs, its log, and the destination that speaks to it."""

    def __init__(self, kind: Kind, folder: Path, stack: ExitStack) -> None:
        self.kind, self.log_file, self._stack = kind, folder / f"{kind.name}.jsonl", stack
        self._twin: Twin | None = None
        self.options: dict[str, Any] = {}

    @property
    def twin(self) -> Twin:
        if self._twin is None:
            self._twin = self._stack.enter_context(running(self.kind.create, log=self.log_file, options=self.options))
        return self._twin

    def again(self) -> None:
        """Let the next use start another twin on the same log."""
        self._twin = None

    def destination(self, **settings: Any) -> Destination:
        return self.kind.destination(self.twin.url, **settings)

    def fault(self, mode: str, **more: Any) -> None:
        answer = httpx.post(self.twin.control + "/_twin/fault", json={"mode": mode, **more})
        assert answer.status_code == 200, answer.text

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(self.twin.control + "/_twin/state").json()
        return found

    def log(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.log_file.read_bytes().splitlines()]

    def logged(self) -> list[str]:
        return [line["number"] for line in self.log()]

    def refused(self) -> list[dict[str, Any]]:
        file = self.log_file.with_name(self.log_file.name + ".refused")
        return [orjson.loads(line) for line in file.read_bytes().splitlines()]

    def dossier(self, n: int, mode: Mode = Mode.NEW, **more: str) -> Outgoing:
        number = f"H59.12-170301-{n:04}"
        return Outgoing(n, "dossier.v1", number, number, mode, {self.kind.number: number, **self.kind.state, **more})

    def step(self, n: int, **more: str) -> Outgoing:
        number = f"H59.12-170301-{n:04}"
        payload = {self.kind.number: number, **self.kind.state, **more}
        return Outgoing(1000 + n, "dossier-step.v1", f"{number}|1", number, Mode.EVENT, payload)


@pytest.fixture(params=[NATIONAL, PROVINCIAL], ids=lambda kind: kind.name)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """Either portal."""
    with ExitStack() as stack:
        yield Stand(request.param, tmp_path, stack)


@pytest.fixture
def national_stand(tmp_path: Path) -> Iterator[Stand]:
    with ExitStack() as stack:
        yield Stand(NATIONAL, tmp_path, stack)


@pytest.fixture
def provincial_stand(tmp_path: Path) -> Iterator[Stand]:
    with ExitStack() as stack:
        yield Stand(PROVINCIAL, tmp_path, stack)
