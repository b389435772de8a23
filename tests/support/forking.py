"""Programs as processes of their own, started in milliseconds by `tests.support.fork_server`.

Most of what a short-lived `hub` does is importing, about a second and a half of work; a suite starts it a thousand
times. Tests of how it is installed and started (tests/packaging, tests/cli) start it in the usual way.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
HUB = "hub.cli:main"
_STARTS_S = 120.0

_SHIM = """\
#!{python} -IS
# `{name}`, forked by {server} from a process that has imported it.
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    socket.send_fds(asked, [b"."], [0, 1, 2])
    order = {{"program": {program!r}, "arguments": sys.argv, "environment": dict(os.environ), "folder": os.getcwd()}}
    asked.sendall(json.dumps(order).encode() + b"\\n")
    told = asked.makefile("r")
    pid = int(told.readline())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    status = int(told.readline())
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if status != -signal.SIGKILL else None
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


class ForkServer:
    """The server of one test run (of one of its workers)."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fork-")
        self.address = str(Path(self._folder.name) / "socket")
        command = [sys.executable, "-m", "tests.support.fork_server", self.address]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def connect(self) -> socket.socket:
        """Raises: RuntimeError where it does not start."""
        for _ in range(int(_STARTS_S / 0.02)):
            made = socket.socket(socket.AF_UNIX)
            try:
                made.connect(self.address)
                return made
            except OSError:
                made.close()
            if self._process.poll() is not None:
                break
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
        raise RuntimeError("the fork server does not start: python -m tests.support.fork_server /tmp/socket")

    def shim(self, file: Path, program: str) -> None:
        """Write a command that runs the program as if it were installed there."""
        self.connect().close()
        text = _SHIM.format(
            python=sys.executable, name=file.name, server="tests/support/fork_server.py", address=self.address,
            program=program,
        )  # fmt: skip
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._folder.cleanup()


_servers: list[ForkServer] = []


def fork_server() -> ForkServer:
    """The one of this process, started when it is first asked for; `stop_fork_server` ends it."""
    if not _servers:
        _servers.append(ForkServer())
    return _servers[0]


def stop_fork_server() -> None:
    while _servers:
        _servers.pop().stop()


class Forked:
    """A running program; like a `subprocess.Popen` in what it has."""

    def __init__(self, program: str, arguments: Sequence[str], environment: Mapping[str, str], said: IO[bytes]) -> None:
        """`program` is "module:function"; what it says goes to `said`, and there is nothing to read for it."""
        self.returncode: int | None = None
        self._connection = fork_server().connect()
        with open(os.devnull, "rb") as nothing:
            files = [nothing.fileno(), said.fileno(), said.fileno()]
            socket.send_fds(self._connection, [b"."], files)
        order = {
            "program": program,
            "arguments": [program, *arguments],
            "environment": dict(environment),
            "folder": os.getcwd(),
        }
        self._connection.sendall(json.dumps(order).encode() + b"\n")
        self._told = self._connection.makefile("rb")
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Its status, negative for the signal that it died of; None while it runs."""
        with suppress(TimeoutError):
            self.wait(0)
        return self.returncode

    def wait(self, within_s: float | None = None) -> int:
        """Raises: TimeoutError."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], within_s)[0]:
                raise TimeoutError(f"process {self.pid} has not ended within {within_s} s")
            self.returncode = int(self._told.readline())
            self._told.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)
