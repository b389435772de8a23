"""`hub run`: only what is right is run, with the roles asked for, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from hub.cli.logs import InVietNam
from hub.ledger.read import Tally
from hub.ledger.views import QueueState
from schemas.errors import LedgerFault
from tests.unit.hub.line import dossier, page

CONFIGURATION = """\
hub: {name: tra-vinh, province: H59}
ledger: {url: "postgresql://hub:${SECRET:-mật-khẩu}@db/hub"}
sources:
  a: {adapter: files, mappings: [one-stop-csv/dossier], settings: {folder: drop, pattern: "*.csv", media: csv}}
destinations:
  provincial:
    adapter: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings: {url: "http://127.0.0.1:9", client_id: hub, client_secret: "${SECRET:-x}"}
routes: [{kinds: [dossier.v1], to: [provincial]}]
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "hub.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return str(path)


@pytest.fixture
def ran_with(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the application was run with; it is ready at once, and ends when it is told to."""
    seen: list[dict[str, Any]] = []

    async def run(
        deployment: Any, *, roles: frozenset[str], once: bool = False, stop: asyncio.Event,
        on_ready: Callable[[], None], wait_s: float | None = None, overrides: dict[str, str] | None = None,
        hang_up: asyncio.Event | None = None,
    ) -> None:  # fmt: skip
        seen.append({"deployment": deployment, "roles": roles, "once": once, "wait_s": wait_s})
        on_ready()
        if not once:
            assert hang_up is not None
            os.kill(os.getpid(), signal.SIGHUP)
            await hang_up.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()

    monkeypatch.setattr("hub.app.run", run)
    return seen


def test_it_runs_until_a_signal_and_shows_no_password(hub: Any, config: str, ran_with: list[dict[str, Any]]) -> None:
    ran = hub("run", config)
    assert ran.status == 0
    assert ran.err == "hub tra-vinh runs: ledger postgresql://hub:***@db/hub, bus embedded:\n"
    assert ran_with[0]["roles"] == {"intake", "relay", "deliver"}


class Empty:
    """The read side of a ledger that holds nothing."""

    def tally(self, since_arrival: int = 0) -> Tally:
        return Tally()

    def queues(self) -> list[QueueState]:
        return []


def test_once_and_roles_and_addresses_are_passed_on(
    hub: Any, config: str, ran_with: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.ledger.read.open_reader", lambda url: nullcontext(Empty()))
    ran = hub(
        "run", config, "--once", "--roles", "relay, deliver", "--ledger", "sqlite:///x.db", "--wait-s", "4", "--json"
    )
    assert ran.status == 0
    assert ran_with[0]["wait_s"] == 4
    assert ran.json["roles"] == ["deliver", "relay"]
    assert ran_with[0]["once"] is True
    assert ran_with[0]["deployment"].ledger.url == "sqlite:///x.db"


@pytest.mark.parametrize("roles", ["", "sending", "relay,sending"])
def test_a_role_that_there_is_not_is_a_usage_error(
    hub: Any, config: str, ran_with: list[dict[str, Any]], roles: str
) -> None:
    ran = hub("run", config, "--roles", roles)
    assert ran.status == 2
    assert "the roles are intake, relay, deliver" in ran.err
    assert ran_with == []


def test_a_configuration_with_problems_is_not_run(hub: Any, config: str, ran_with: list[dict[str, Any]]) -> None:
    Path(config).write_text(CONFIGURATION.replace("adapter: files", "adapter: file"), encoding="utf-8")
    ran = hub("run", config)
    assert ran.status == 1
    assert f"error: {config}:4: there is no adapter 'file'" in ran.err
    assert ran_with == []


def test_a_ledger_that_cannot_be_used_is_one_line(hub: Any, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*args: object, **kwargs: object) -> None:
        raise LedgerFault("another process has the ledger")

    monkeypatch.setattr("hub.app.run", run)
    ran = hub("run", config)
    assert (ran.status, ran.err) == (1, "error: another process has the ledger [ledger-fault]\n")


# --- a run that ends by itself, with real sources


@pytest.fixture
def drop(config: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the source reads; nobody listens where the portal should be."""
    folder = Path(config).parent / "drop"
    folder.mkdir()
    text = CONFIGURATION.replace("media: csv}", "media: csv, settle_s: 0}")
    register = "- {code: H59.15, name: Sở Thông tin và Truyền thông, level: province, aliases: []}\n"
    (folder.parent / "agencies.yaml").write_text(register, encoding="utf-8")
    text = text.replace("sources:", "agencies: agencies.yaml\nsources:")
    text = text.replace('"postgresql://hub:${SECRET:-mật-khẩu}@db/hub"', '"sqlite:///hub.db"')
    Path(config).write_text(text, encoding="utf-8")
    return folder


def put(folder: Path, name: str, *rows: dict[str, str]) -> None:
    (folder / name).write_bytes(page(*rows).body)


def test_a_run_with_nothing_to_do_says_so(hub: Any, config: str, drop: Path) -> None:
    ran = hub("run", config, "--once")
    assert (ran.status, ran.out) == (
        0,
        "1 of 1 source read; 0 rows accepted, 0 duplicate; 0 delivered, 0 dead, 0 still open\n",
    )


def test_refused_rows_alone_are_named_and_no_failure(hub: Any, config: str, drop: Path) -> None:
    put(drop, "hoso-1.csv", dossier(TRANG_THAI="chờ"))
    ran = hub("run", config, "--once")
    assert ran.status == 0
    assert "1 refused (1 parked)" in ran.out
    assert ran.out.endswith("; hub items list tells why rows were refused\n")
    assert "hub dead list" not in ran.out
    assert len(ran.out.splitlines()) == 1


def test_what_could_not_be_decoded_is_a_failure(hub: Any, config: str, drop: Path) -> None:
    put(drop, "other.csv", dossier())
    ran = hub("run", config, "--once")
    assert ran.status == 1
    assert "0 of 1 source read" in ran.out
    assert "1 unreadable page or file" in ran.out
    assert "source a: other.csv: no mapping reads 'other.csv'" in ran.out
    listed = hub("dead", "list", "--config", config)
    assert "1 unreadable page or file" in listed.out
    assert "refused row" not in listed.out


def test_it_ends_where_a_portal_stays_away(hub: Any, config: str, drop: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(drop, "hoso-1.csv", dossier())
    ran = hub("run", config, "--once", "--wait-s", "0.2", "--json")
    assert ran.status == 1
    assert (ran.json["ok"], ran.json["still_open"], ran.json["rows"]["accepted"]) == (False, 1, 1)
    assert ran.json["closed_gates"]["provincial"].startswith("held: ")
    assert (ran.json["sources_read"], ran.json["sources"]) == (1, 1)
    again = hub("run", config, "--once", "--wait-s", "0.2")
    assert again.status == 1
    assert "0 rows accepted, 0 duplicate; 0 delivered, 0 dead, 1 still open; provincial held: " in again.out
    told = [one.getMessage() for one in caplog.records if one.name == "hub.gates"]
    assert any(one.startswith("provincial held: ") for one in told)


def test_log_lines_have_the_time_in_viet_nam() -> None:
    record = logging.LogRecord("hub", logging.INFO, "", 0, "said", (), None)
    record.created = 1_772_413_215.25
    assert InVietNam("%(asctime)s %(message)s").format(record) == "2026-03-02 08:00:15.250+07:00 said"
