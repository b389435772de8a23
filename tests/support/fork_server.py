"""Starts Python programs as processes of their own that need not import what this one has imported already.

    python -m tests.support.fork_server SOCKET      # until its standard input ends

Who connects sends a byte with the three standard files, then one line of JSON: the program ("module:function"), its
arguments, environment and folder. It is told the process id in a line, and in another the status when that process has
ended, negative for a signal. What closes its connection before has its process killed, so that nothing outlives a test.

The program is forked from here, where there is one thread and no event loop; of a program that was started in the usual
way it differs in nothing but that its modules are there.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

PRELOADED = (
    "alembic.command",
    "hub.app",
    "hub.check",
    "hub.cli.run",
    "hub.ledger.read",
    "hub.reloading",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    *(f"adapters.{name}" for name in ("dvcqg", "files", "http", "lgsp", "rest", "soap", "sql")),
)
"""What takes long to import and most programs need."""


def serve(address: str) -> None:
    """Fork a guardian for each connection, until standard input ends."""
    for name in PRELOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guardians are nobody's business
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        while True:
            ready, _, _ = select.select([listening.fileno(), sys.stdin.fileno()], [], [])
            if sys.stdin.fileno() in ready:
                return
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    _guard(connection)


def _guard(connection: socket.socket) -> NoReturn:
    """Fork the program and stay until it or the connection has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        _, files, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile("rb") as told:
            order = json.loads(told.readline())
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(files, **order)
        for file in files:
            os.close(file)
        connection.sendall(b"%d\n" % pid)
        program = os.pidfd_open(pid)
        ready, _, _ = select.select([program, connection.fileno()], [], [])
        if program not in ready:
            signal.pidfd_send_signal(program, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    except OSError:
        pass  # whoever asked is gone
    finally:
        os._exit(0)


def _become(files: list[int], program: str, arguments: list[str], environment: dict[str, str], folder: str) -> NoReturn:
    """What the interpreter does before and after a program."""
    status = 70
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace")
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
        if environment.get("HUB_KILL_AT"):
            _forget_our_own()  # kill points are armed when they are imported
        module, _, function = program.partition(":")
        sys.argv = arguments
        getattr(importlib.import_module(module), function)()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - whatever it is, the interpreter would print it and go
        traceback.print_exc()
        status = 1
    finally:
        try:
            sys.stdout.flush()
        finally:
            os._exit(status)


def _forget_our_own() -> None:
    """Let the project's modules be imported anew."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("hub", "adapters", "mappings", "schemas"):
            del sys.modules[name]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    serve(sys.argv[1])
