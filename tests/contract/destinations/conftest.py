"""The destinations, each with the twin of its portal, as the suite sees them: one shape for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from adapters.dvcqg import DvcqgDestination, DvcqgSettings
from adapters.http import HttpDestination
from adapters.http_settings import HttpSettings
from adapters.lgsp import LgspDestination, LgspSettings
from adapters.sandbox import national_portal, plain_portal, provincial_portal
from adapters.sandbox.twin import Create, Twin, running
from hub.ports import AdapterContext, Destination, Mode, Outgoing

DSTCODE, MADONVI = "VN:GOV:000.00.00.G22:vpcpdvcprovider", "H59"


def national(url: str, **settings: Any) -> Destination:
    own = {"url": url, "username": "tra-vinh", "password": "mat-khau-thu", "dstcode": DSTCODE, "madonvi": MADONVI}
    return DvcqgDestination(DvcqgSettings(**{**own, **settings}), AdapterContext("national", Path()))


def provincial(url: str, **settings: Any) -> Destination:
    own = {"url": url, "client_id": "truc-lien-thong", "client_secret": "mat-khau-thu"}
    return LgspDestination(LgspSettings(**{**own, **settings}), AdapterContext("provincial", Path()))


def plain_auth(password: str) -> dict[str, str]:
    client = {"username": "truc-lien-thong", "password": password}
    return {"type": "login", "path": "/dang-nhap", **client, "token": "token", "expires": "het_han"}


def plain(url: str, *, dossier_path: str = "/ho-so", **settings: Any) -> Destination:
    own = {
        "url": url,
        "requests": {
            "dossier.v1": {"path": dossier_path, "update": {"method": "PUT", "path": "/ho-so/{MaHoSo}"}},
            "dossier-step.v1": {"path": "/buoc"},
        },
        "look_up": {"path": "/ho-so/{number}"},
        "auth": plain_auth("mat-khau-thu"),
    }
    made = HttpSettings.model_validate({**own, **settings}, strict=False)
    return HttpDestination(made, AdapterContext("plain", Path()))


@dataclass(frozen=True)
class Kind:
    """What differs between them."""

    name: str
    create: Create
    destination: Callable[..., Destination]
    dossiers: str
    steps: str
    number: str
    state: dict[str, str]
    log_in: str
    """The scope of its log-in, for faults."""
    stranger: dict[str, Any] = field(default_factory=dict)
    """Settings with a wrong password."""
    astray: dict[str, Any] = field(default_factory=dict)
    """Settings that lead dossiers to where nothing is."""


NATIONAL = Kind(
    "national",
    national_portal.create,
    national,
    "DongBoHoSoMC",
    "CapNhatTienDoHoSoMC",
    "MaHoSo",
    {"TrangThaiHoSo": "2", "TrangThai": "2"},
    "login",
    {"password": "khác"},
    {"integration_path": "/khong-co"},
)
PROVINCIAL = Kind(
    "provincial",
    provincial_portal.create,
    provincial,
    "SyncDocument",
    "UpdateDocumentTraces",
    "DocCode",
    {},
    "token",
    {"client_secret": "khác"},
    {"dossier_path": "/khong-co"},
)
PLAIN = Kind(
    "plain",
    plain_portal.create,
    plain,
    "dossier.v1",
    "dossier-step.v1",
    "MaHoSo",
    {},
    "login",
    {"auth": plain_auth("khác")},
    {"dossier_path": "/khong-co"},
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


@pytest.fixture(params=[NATIONAL, PROVINCIAL, PLAIN], ids=lambda kind: kind.name)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """Each portal."""
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
