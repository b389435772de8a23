"""`hub drill` over real processes: a small configuration in which every fault can happen, at length the demo's own.

Sources of all three kinds of pages, a portal that answers for each item of a request and one that takes one record at a
time. In the long run also over RabbitMQ, whose restart is part of the script, and on PostgreSQL.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.drill.plan import FAULTS, OF_A_PORTAL, OF_THE_HUB
from tests.support import proof

DEMO = Path(__file__).parents[2] / "config" / "demo"
SOURCES = ("so-tttt", "so-y-te", "cau-ngang-hoso", "cau-ngang-buoc")
SOME = ("timeout-after-accept", "200-with-error", "expired-session", "result-missing", "down-for-long", "worker-kill")
"""What is drilled where there is little time: a fault of every sort."""
WANTED = tuple(FAULTS) if proof.THOROUGH else SOME
NAMES = ("lost", "doubled", "regressed", "altered", "dead", "open")


def small(folder: Path) -> Path:
    """The demo's configuration with fewer sources, and a national portal that answers for each item."""
    shutil.copytree(DEMO / "samples", folder / "samples")
    shutil.copy(DEMO / "agencies.yaml", folder)
    said = yaml.safe_load((DEMO / "hub.yaml").read_text(encoding="utf-8"))
    said["sources"] = {name: said["sources"][name] for name in SOURCES}
    said["destinations"]["national"]["settings"]["per_item"] = True
    return written(folder, said)


def written(folder: Path, said: dict[str, Any]) -> Path:
    file = folder / "hub.yaml"
    file.write_text(yaml.safe_dump(said, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def drill(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and what was told. The configuration's variables are not set, as before a system goes live."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "DEMO_"))}
    command = [sys.executable, "-c", "from hub.cli import main; main()", "drill", *arguments, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, told


def cases() -> Iterator[tuple[str, str, str]]:
    """Configuration, bus and ledger."""
    yield "small", "embedded", "sqlite"
    if proof.THOROUGH:
        yield "demo", "embedded", "sqlite"
        yield "demo", "rabbitmq", "sqlite"
        yield "small", "rabbitmq", "postgresql"
        yield "small", "a broker that goes on", "sqlite"


@pytest.mark.parametrize(("which", "bus", "ledger"), [pytest.param(*case, id="-".join(case)) for case in cases()])
def test_nothing_is_lost_doubled_or_older_after_newer(
    which: str, bus: str, ledger: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    config = DEMO if which == "demo" else small(tmp_path)
    database = [] if ledger == "sqlite" else ["--ledger", request.getfixturevalue("postgres_url")]
    node = request.getfixturevalue("rabbitmq") if bus not in ("embedded", "rabbitmq") else None
    bus_url = bus if node is None else node.amqp_url
    size = [] if which == "demo" else ["--dossiers", "40"]
    faults = [] if proof.THOROUGH else [word for name in SOME for word in ("--fault", name)]
    status, told = drill(str(config), "--bus", bus_url, *size, *database, *faults)
    assert {name: told[name] for name in NAMES} == dict.fromkeys(NAMES, 0), told["findings"] + told["problems"]
    assert [one for one in told["faults"] if not one["exercised"] or one["recovered_after_s"] is None] == []
    assert (status, told["ok"]) == (0, True), told["problems"]
    reasons = {(one["fault"], one["destination"]): one["reason"] for one in told["not_applicable"]}
    missing: set[tuple[str, str | None]] = {("200-with-error", "provincial"), ("result-missing", "provincial")}
    missing |= {("result-missing", "national")} if which == "demo" else set()
    missing |= {("broker-restart", None)} if bus != "rabbitmq" and proof.THOROUGH else set()
    assert reasons.keys() == missing
    whole: set[tuple[str, str | None]] = {(fault.name, None) for fault in OF_THE_HUB if fault.name in WANTED}
    each = {(fault.name, to) for fault in OF_A_PORTAL if fault.name in WANTED for to in ("national", "provincial")}
    assert {(one["fault"], one["destination"]) for one in told["faults"]} == (each | whole) - missing
    assert told["dossiers"] >= (400 if which == "demo" else 40)
    assert told["snapshots"] == told["dossiers"] * 2 * 3
    if node is not None:
        assert "drill-" not in node.ctl("list_queues", "name") + node.ctl("list_exchanges", "name")
        assert node.amqp_url not in json.dumps(told)
    for one in told["faults"]:
        proof.record("drill", **one, configuration=which, bus=bus, ledger=ledger)
    print(f"{which} on {bus} and {ledger}: {told['seconds']} s, possibly twice {told['possibly_twice']}")


def test_what_dies_of_a_storm_fails_the_drill(tmp_path: Path) -> None:
    """A configuration that gives up after one attempt: newer revisions take the place of the dead, but they died."""
    file = small(tmp_path)
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    said["sources"] = {"cau-ngang-hoso": said["sources"]["cau-ngang-hoso"]}
    said["destinations"]["provincial"]["retry"]["limit"] = 1
    arguments = ("--skip-destination", "national", "--fault", "500-storm", "--dossiers", "6")
    status, told = drill(str(written(tmp_path, said)), *arguments)
    assert (status, told["ok"]) == (1, False)
    assert told["dead"] > 0
    assert (told["lost"], told["doubled"], told["regressed"]) == (0, 0, 0)
    assert "raise destinations.provincial.retry.limit" in told["problems"][0]
