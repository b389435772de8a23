"""What every adapter owes the hub, as tests for whoever writes one: a pytest plug-in that is loaded by name.

    # tests/conftest.py
    pytest_plugins = ["hub.contract"]

    # tests/test_contract.py
    class TestChanges(SourceContract): …         # hub.contract.source says the rest, docs/adapter-package.md shows it

It needs pytest, which the hub itself does not: `pip install 'interop-hub[contract]'`. Being a plug-in gives its
assertions the details of any test's own, and ends a run by saying what was left out and why. It knows the ports and the
errors, and no adapter; the adapters that come with the hub are held against the same tests.
"""

from __future__ import annotations

try:
    import pytest
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("hub.contract needs pytest: pip install 'interop-hub[contract]'") from missing

from typing import Any

from hub.contract.destination import DestinationContract, Portal
from hub.contract.lacks import LEFT_OUT, needed, needs
from hub.contract.source import Row, SourceContract, System

__all__ = ["DestinationContract", "Portal", "Row", "SourceContract", "System", "needed", "needs", "portal", "system"]


@pytest.fixture
def system() -> Any:
    """The legacy system that a source is held against; a `SourceContract` gives its own. Fails."""
    pytest.fail(
        "write a fixture `system` that gives a hub.contract.System: a twin of what your source reads", pytrace=False
    )


@pytest.fixture
def portal() -> Any:
    """The portal that a destination is held against; a `DestinationContract` gives its own. Fails."""
    pytest.fail("write a fixture `portal` that gives a Portal: a twin of what you write to", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    for (name, word), why in sorted(LEFT_OUT.items()):
        terminalreporter.write_line(f"left out: {name}, {word}: {why}")
