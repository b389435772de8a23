"""`hub topology`: what a broker has to hold, and making it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BusFault

CONFIGURATION = """\
hub: {name: tra-vinh, province: H59}
bus: {url: "amqp://hub:mật-khẩu@mq.invalid/hub", prefix: thu}
sources: {a: {adapter: files, mappings: [one-stop-csv/dossier]}}
destinations:
  national: {adapter: dvcqg, mappings: {dossier.v1: dvcqg/dossier}}
  provincial: {adapter: lgsp, mappings: {dossier.v1: lgsp/dossier}}
routes: [{kinds: [dossier.v1], to: [national, provincial]}]
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "hub.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return str(path)


def test_one_exchange_and_a_queue_per_destination(hub: Any, config: str) -> None:
    ran = hub("topology", config, "--json")
    assert ran.status == 0
    assert [row["name"] for row in ran.json["topology"]] == ["thu", "thu.national", "thu.provincial"]
    assert ran.json["declared"] is False
    text = hub("topology", config).out
    assert "thu.national" in text
    assert "mật-khẩu" not in text + ran.out


def test_declaring_asks_the_broker(hub: Any, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str], str]] = []

    async def declare(url: str, destinations: list[str], *, prefix: str) -> None:
        asked.append((url, destinations, prefix))

    monkeypatch.setattr("hub.bus.declare", declare)
    ran = hub("topology", config, "--declare")
    assert ran.status == 0
    assert "all of it is there now" in ran.out
    assert asked == [("amqp://hub:mật-khẩu@mq.invalid/hub", ["national", "provincial"], "thu")]


def test_a_broker_that_refuses_is_one_line(hub: Any, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def declare(url: str, destinations: list[str], *, prefix: str) -> None:
        raise BusFault("the queue is of another type")

    monkeypatch.setattr("hub.bus.declare", declare)
    ran = hub("topology", config, "--declare")
    assert (ran.status, ran.err) == (1, "error: the queue is of another type [bus-fault]\n")


def test_the_embedded_bus_has_nothing_to_declare(hub: Any, config: str) -> None:
    assert "nothing has to be declared" in hub("topology", config, "--bus", "embedded:").out
    ran = hub("topology", config, "--bus", "embedded:", "--declare")
    assert ran.status == 1
    assert "name one: --bus amqp" in ran.err
