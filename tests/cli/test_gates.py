"""What is logged of gates by default, by the process that sends."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import cast

import pytest

from hub.gate_watch import watch_gate
from hub.ledger import Ledger
from hub.ledger.values import GateState


class OverError(Exception):
    """No more gates to show."""


def test_a_gate_that_closes_and_opens_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    held = GateState("held", "401 wrong password", 1_000_000)
    shown = iter([GateState("open", "", 0), held, held, GateState("open", "", 5_400_000)])

    async def gate(name: str) -> GateState:
        for one in shown:
            return one
        raise OverError

    monkeypatch.setattr("hub.gate_watch.LOOK_S", 0.0)
    caplog.set_level(logging.INFO, logger="hub.gates")
    ledger = cast(Ledger, SimpleNamespace(gate=gate))
    with pytest.raises(OverError):
        asyncio.run(watch_gate(ledger, "national"))
    assert [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "hub.gates"] == [
        ("WARNING", "national held: 401 wrong password"),
        ("INFO", "national open again after 4.4 s"),
    ]
