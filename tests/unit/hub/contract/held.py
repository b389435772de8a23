"""The contract, held against each adapter of in_memory.py, in a run that test_biting.py starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.contract import DestinationContract, Portal, SourceContract, System
from tests.unit.hub.contract.in_memory import MemoryPortal, MemorySystem


@pytest.fixture
def system(tmp_path: Path) -> System:
    return MemorySystem(tmp_path)


@pytest.fixture
def portal(tmp_path: Path) -> Portal:
    return MemoryPortal(tmp_path)


class TestRightSource(SourceContract):
    adapter = "RightSource"


class TestRightDestination(DestinationContract):
    adapter = "RightDestination"
    lacks: ClassVar[dict[str, str]] = {"duplicate-answer": "in memory there is no line"}


def _held(contract: type[Any], *names: str) -> dict[str, type[Any]]:
    return {f"Test{name}": type(f"Test{name}", (contract,), {"adapter": name, "patience_s": 0.6}) for name in names}


globals().update(
    _held(
        SourceContract,
        "LosesRows",
        "ChangesBytes",
        "IgnoresTheDeadline",
        "StepsOverGarbage",
        "BelievesEveryClock",
        "TakesAnyCursor",
        "ReadsAllAgain",
        "IsLax",
        "NobodyDeclaresIt",
    )
)
globals().update(
    _held(
        DestinationContract,
        "AnswersTwice",
        "BelievesEveryAnswer",
        "NeverEnds",
        "SendsAgain",
        "BlamesTheRecord",
        "SaysNo",
        "LogsInEachTime",
        "MixesBatches",
    )
)
