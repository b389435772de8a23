"""The destinations, each with the twin of its portal, as the contract of `hub.contract` sees them: one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from adapters.dvcqg import DvcqgDestination, DvcqgSettings
from adapters.http import HttpDestination
from adapters.http_settings import HttpSettings
from adapters.lgsp import LgspDestination, LgspSettings
from adapters.sandbox import national_portal, plain_portal, provincial_portal
from adapters.sandbox.twin import Create, Twin, running
from hub.contract.destination import Call
from hub.ports import AdapterContext, Destination, Mode, Outgoing
from tests.support.json_lines import json_lines

PLAIN = False
"""Orders to a twin go over plain HTTP on loopback; reading the certificates for it would cost 40 ms each time."""
DSTCODE, MADONVI = "VN:GOV:000.00.00.G22:vpcpdvcprovider", "H59"


@dataclass(frozen=True)
class Kind:
    """What differs between them."""

    name: str
    create: Create
    adapter: Callable[[Any, AdapterContext], Destination]
    checked: type[BaseModel]
    own: Mapping[str, Any]
    """Settings beside `url`."""
    dossiers: str
    steps: str
    number: str
    state: Mapping[str, str]
    scopes: Mapping[str, str]
    """By kind of call, how the twin's faults name it."""
    astray: Mapping[str, Any]
    stranger: Mapping[str, Any]


NATIONAL = Kind(
    "national",
    national_portal.create,
    DvcqgDestination,
    DvcqgSettings,
    {"username": "tra-vinh", "password": "mat-khau-thu", "dstcode": DSTCODE, "madonvi": MADONVI},
    "DongBoHoSoMC",
    "CapNhatTienDoHoSoMC",
    "MaHoSo",
    {"TrangThaiHoSo": "2", "TrangThai": "2"},
    {"send": "DongBoHoSoMC", "log-in": "login", "look-up": "TraCuuHoSo"},
    astray={"integration_path": "/khong-co"},
    stranger={"password": "khác"},
)
PROVINCIAL = Kind(
    "provincial",
    provincial_portal.create,
    LgspDestination,
    LgspSettings,
    {"client_id": "truc-lien-thong", "client_secret": "mat-khau-thu"},
    "SyncDocument",
    "UpdateDocumentTraces",
    "DocCode",
    {},
    {"send": "SyncDocument", "log-in": "token"},
    astray={"dossier_path": "/khong-co"},
    stranger={"client_secret": "khác"},
)


def plain_requests(dossiers: str) -> dict[str, Any]:
    update = {"method": "PUT", "path": "/ho-so/{MaHoSo}"}
    return {"dossier.v1": {"path": dossiers, "update": update}, "dossier-step.v1": {"path": "/buoc"}}


def plain_auth(password: str) -> dict[str, str]:
    client = {"username": "truc-lien-thong", "password": password}
    return {"type": "login", "path": "/dang-nhap", **client, "token": "token", "expires": "het_han"}


GENERIC = Kind(
    "plain",
    plain_portal.create,
    HttpDestination,
    HttpSettings,
    {
        "requests": plain_requests("/ho-so"),
        "look_up": {"path": "/ho-so/{number}"},
        "auth": plain_auth("mat-khau-thu"),
    },
    "dossier.v1",
    "dossier-step.v1",
    "MaHoSo",
    {},
    {"send": "dossier.v1", "log-in": "login", "look-up": "look-up"},
    astray={"requests": plain_requests("/khong-co")},
    stranger={"auth": plain_auth("khác")},
)


class Stand:
    """A portal's twin that runs, its log, and the destination that speaks to it; a `hub.contract.Portal`."""

    def __init__(self, kind: Kind, folder: Path, stack: ExitStack) -> None:
        self.kind, self.folder, self._stack = kind, folder, stack
        self.log_file = folder / f"{kind.name}.jsonl"
        self.astray, self.stranger = kind.astray, kind.stranger
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

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"url": self.twin.url, **self.kind.own}

    def destination(self, **settings: Any) -> Destination:
        checked = self.kind.checked.model_validate({**self.settings, **settings}, strict=False)
        return self.kind.adapter(checked, AdapterContext(self.kind.name, self.folder))

    def fault(self, mode: str, *, call: Call = "send", times: int | None = None) -> None:
        scope = "" if mode in ("refuse", "off") else self.kind.scopes[call]
        self.order(mode, scope=scope, for_requests=times, interval_s=0.5, retry_after_s=4)

    def taken(self) -> list[str]:
        return self.logged()

    def log_ins(self) -> int:
        return int(self.state()["log_ins"])

    def order(self, mode: str, **more: Any) -> None:
        answer = httpx.post(self.twin.control + "/_twin/fault", json={"mode": mode, **more}, verify=PLAIN)
        assert answer.status_code == 200, answer.text

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(self.twin.control + "/_twin/state", verify=PLAIN).json()
        return found

    def log(self) -> list[dict[str, Any]]:
        if not self.log_file.exists():
            return []
        return json_lines(self.log_file)

    def logged(self) -> list[str]:
        return [line["number"] for line in self.log()]

    def refused(self) -> list[dict[str, Any]]:
        file = self.log_file.with_name(self.log_file.name + ".refused")
        return json_lines(file)

    def record(self, n: int, mode: Mode = Mode.NEW) -> Outgoing:
        if mode is Mode.EVENT:
            return self.step(n)
        return replace(self.dossier(n, mode, GhiChu=mode), dispatch_id=n + (500 if mode is Mode.UPDATE else 0))

    def dossier(self, n: int, mode: Mode = Mode.NEW, **more: str) -> Outgoing:
        number = f"H59.12-170301-{n:04}"
        return Outgoing(n, "dossier.v1", number, number, mode, {self.kind.number: number, **self.kind.state, **more})

    def step(self, n: int, **more: str) -> Outgoing:
        number = f"H59.12-170301-{n:04}"
        payload = {self.kind.number: number, **self.kind.state, **more}
        return Outgoing(1000 + n, "dossier-step.v1", f"{number}|1", number, Mode.EVENT, payload)


@pytest.fixture(params=[NATIONAL, PROVINCIAL, GENERIC], ids=lambda kind: kind.name)
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


@pytest.fixture
def plain_stand(tmp_path: Path) -> Iterator[Stand]:
    with ExitStack() as stack:
        yield Stand(GENERIC, tmp_path, stack)
