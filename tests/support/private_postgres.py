"""A PostgreSQL cluster of the run's own: a temporary folder, a free port on the loopback, no socket file.

It is durable like a real one (fsync stays on), since the ledger's tests are about what survives.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import IO, Any, NamedTuple

import psycopg

MISSING = "PostgreSQL is not installed: apt-get install postgresql"
START_S = 120.0


class Identity(NamedTuple):
    """Whom a program runs as; all None is whoever runs the tests."""

    user: int | None = None
    group: int | None = None
    extra_groups: list[int] | None = None


class PostgresUnavailable(Exception):  # noqa: N818 - a statement about the machine, not about an error in the code
    """The cluster could not be started; the text says the mend or shows the server's log."""


class PrivatePostgres:
    """One running cluster, and databases in it that are cheap to make."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
        self._process, self._folder, self._port = process, folder, port
        self._numbers = count(1)
        self._templates: set[str] = set()

    @classmethod
    def start(cls) -> PrivatePostgres:
        """Make a cluster and wait until it answers (about two seconds). Raises: PostgresUnavailable."""
        folder = Path(tempfile.mkdtemp(prefix="interop-postgres-"))
        try:
            programs, identity = _programs(), _identity(folder)
            _init(programs, folder, identity)
            return _serve(programs, folder, identity)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def url(self, database: str) -> str:
        """The SQLAlchemy address of a database of this cluster."""
        return f"postgresql+psycopg://hub@127.0.0.1:{self._port}/{database}"

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """A database that `prepare(url)` fills once in the run (say, by the migrations), to be copied by `database`.

        `prepare` must have closed its connections when it returns: PostgreSQL copies no database that is in use.
        """
        if name not in self._templates:
            self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            prepare(self.url(name))
            self._templates.add(name)
        return name

    def database(self, template: str = "template0") -> str:
        """Make a fresh database as a copy of `template` (tens of milliseconds) and return its name."""
        name = f"test_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Drop a database, and the connections to it that a killed process left."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop_at_once(self) -> None:
        """`pg_ctl stop -m immediate`: what a power cut leaves, but for what the disk itself would lose."""
        command = [str(_programs() / "pg_ctl"), "-D", str(self._folder / "data"), "stop", "-m", "immediate"]
        with (self._folder / "log").open("ab") as log:
            _start(command, self._folder, log, self._identity()).wait(START_S)
            self._process.wait(START_S)

    def start_again(self) -> None:
        """Start a server that has ended on its port of before, and wait until it answers. Raises:
        PostgresUnavailable."""
        command = _server(_programs(), self._folder, self._port)
        with (self._folder / "log").open("ab") as log:
            self._process = _start(command, self._folder, log, self._identity())
        if not _answers(self._process, self._port):
            raise PostgresUnavailable(f"the server did not start again:\n{self.log()}")

    @property
    def running(self) -> bool:
        """Whether the server's process is there; it may still be recovering."""
        return self._process.poll() is None

    def log(self) -> str:
        """What the server has said."""
        return (self._folder / "log").read_text(errors="replace")

    def _identity(self) -> Identity:
        return _identity(self._folder)

    def stop(self) -> None:
        """Shut down, disconnecting whoever is there, and remove every trace."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _execute(self, statement: str) -> None:
        with _connect(self._port, autocommit=True) as connection:
            connection.execute(statement.encode())


def _connect(port: int, *, autocommit: bool = False) -> psycopg.Connection[Any]:
    return psycopg.connect(
        f"host=127.0.0.1 port={port} user=hub dbname=postgres connect_timeout=5", autocommit=autocommit
    )


def _programs() -> Path:
    """The folder of the newest server's programs, where Debian's packages put them."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not found:
        raise PostgresUnavailable(MISSING)
    return max(found, key=lambda p: [int(n) for n in p.parent.name.split(".")])


def _identity(folder: Path) -> Identity:
    """How to start a program that refuses to run as root: as Debian's user `postgres`, who then owns the folder."""
    if os.geteuid() != 0:
        return Identity()
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise PostgresUnavailable(
            f"the server refuses to run as root and there is no user postgres. {MISSING}"
        ) from None
    os.chown(folder, user.pw_uid, user.pw_gid)
    return Identity(user.pw_uid, user.pw_gid, [])


def _init(programs: Path, folder: Path, identity: Identity) -> None:
    command = [str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username=hub", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C.UTF-8"]
    with (folder / "log").open("wb") as log:
        status = _start(command, folder, log, identity).wait()
    if status != 0:
        raise PostgresUnavailable(f"initdb failed:\n{(folder / 'log').read_text(errors='replace')}")


def _serve(programs: Path, folder: Path, identity: Identity) -> PrivatePostgres:
    for _ in range(3):  # between asking for a free port and using it somebody else may take it
        port = _free_port()
        command = _server(programs, folder, port)
        with (folder / "log").open("wb") as log:
            process = _start(command, folder, log, identity)
        if _answers(process, port):
            return PrivatePostgres(process, folder, port)
        process.kill()
        process.wait()
    raise PostgresUnavailable(f"the server did not start:\n{(folder / 'log').read_text(errors='replace')}")


def _server(programs: Path, folder: Path, port: int) -> list[str]:
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port)]
    return [*command, "-c", "unix_socket_directories=", "-c", "shared_buffers=64MB", "-c", "jit=off"]


def _start(command: list[str], folder: Path, log: IO[bytes], identity: Identity) -> subprocess.Popen[bytes]:
    user, group, extra_groups = identity
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        user=user,
        group=group,
        extra_groups=extra_groups,
    )


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            _connect(port).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
