"""Counts what a run collected against what it executed, and looks for processes that it left behind.

A skipped test is a failure: what a test needs and does not find, it has to say. In continuous integration (`CI` set) a
test that was collected and not executed is one too. A process that the run started and left behind is one everywhere.
With pytest-xdist each worker looks for its own processes, and the run's controller counts.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

MARK = "INTEROP_TEST_RUN"
"""Set in the environment of every process that the run starts, so that one that changed its parent is still known."""
COMPLAINTS = "census_complaints"
"""Under this name a worker's complaints travel to the controller."""
GRACE_S = 5.0


class Census:
    """A pytest plug-in; registered as an object, since a conftest's hooks see only the tests below its folder."""

    def __init__(self) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.collected = 0
        self.executed = 0
        self.skipped: list[str] = []
        self.complaints: list[str] = []
        os.environ[MARK] = self.mark

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self.collected += 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Every worker collects all of them."""
        self.collected = max(self.collected, len(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker has ended, with what it has to complain of; one that was lost has already failed the run."""
        self.complaints += getattr(node, "workeroutput", {}).get(COMPLAINTS, [])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        expected_failure = hasattr(report, "wasxfail")
        if report.skipped and not expected_failure:
            self.skipped.append(report.nodeid)
        elif report.when == "call":
            self.executed += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Runs after the session's fixtures are gone."""
        if session.config.option.collectonly:
            return
        if hasattr(session.config, "workeroutput"):
            self._end_leftovers()
            session.config.workeroutput[COMPLAINTS] = self.complaints
            return
        self.complaints += [f"skipped: {nodeid}" for nodeid in self.skipped]
        if os.environ.get("CI") and self.executed != self.collected:
            self.complaints.append(f"{self.collected - self.executed} collected tests were not executed")
        self._end_leftovers()
        if self.complaints and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _end_leftovers(self) -> None:
        for pid, command in leftovers(self.mark):
            self.complaints.append(f"still running: {pid} {command}")
            os.kill(pid, signal.SIGKILL)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if config.option.collectonly:
            return
        for complaint in self.complaints:
            terminalreporter.write_line(f"FAILED RUN {complaint}", red=True)
        terminalreporter.write_line(f"collected {self.collected}, executed {self.executed}")


def leftovers(mark: str) -> list[tuple[int, str]]:
    """Processes (id, command line) started by this run that do not end by themselves within `GRACE_S`."""
    deadline = time.monotonic() + GRACE_S
    while (found := sorted(_running(mark))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _running(mark: str) -> Iterator[tuple[int, str]]:
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # gone meanwhile, or somebody else's
        if wanted in environ.split(b"\0"):
            yield int(entry.name), command
