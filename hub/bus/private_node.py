"""A RabbitMQ node of one's own: for the demo, the tests and the drills; it knows nothing of tickets or queues.

The node lives in one folder (data, log, cookie, configuration), listens on 127.0.0.1 only, on ports that were free,
and has its own name, cookie and port mapper (epmd), so that neither the machine's broker nor its epmd is used, needed
or disturbed. It starts as root and as an ordinary user, because RabbitMQ's own script is started and not Debian's
wrapper, which changes the user and drops the environment.

No process is left behind, also when the parent is killed with SIGKILL: the node, its epmd and a keeper (`/bin/sh`)
are one process group, and the keeper reads a pipe whose other end only the parent holds. When the parent is gone,
however that came about, the read ends and the keeper kills the group, itself included.

    PrivateNode
    ├── sh      keeper: waits for the pipe's end, then kills the group
    ├── epmd    port mapper on a port of its own
    └── sh      rabbitmq-server
        └── beam.smp
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from schemas.errors import BusFault

INSTALL = "apt-get install rabbitmq-server"
_DEBIAN = Path("/usr/lib/rabbitmq/lib")
_LOCALHOST = "127.0.0.1"
_USER = "hub"
_KEEPER = "read -r _; kill -KILL 0"
_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
log.console = false
log.file.level = warning
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 33554432
"""


def find_home(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of RabbitMQ that contains `sbin/rabbitmq-server`.

    Looks at `home`, else at the environment's HUB_RABBITMQ_HOME, else where Debian puts it (the newest version).
    Raises: BusFault, one line with the mend.
    """
    named = home if home is not None else os.environ.get("HUB_RABBITMQ_HOME")
    if named:
        if (Path(named) / "sbin" / "rabbitmq-server").is_file():
            return Path(named)
        raise BusFault(
            f"RabbitMQ: HUB_RABBITMQ_HOME is {os.fspath(named)!r}, where there is no sbin/rabbitmq-server — "
            f"unset it and install the broker: {INSTALL}",
            down=True,
        )
    found = [path.parent.parent for path in _DEBIAN.glob("rabbitmq_server-*/sbin/rabbitmq-server")]
    if not found:
        raise BusFault(f"RabbitMQ is not installed — {INSTALL}", down=True)
    return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)])


class PrivateNode:
    """One running node; made by `PrivateNode.start`, and a context manager that stops it."""

    def __init__(self, folder: Path, home: Path, timeout_s: float) -> None:
        """Prepare the folder and choose names and ports; starts nothing (see `start`)."""
        self._home, self._timeout_s = home, timeout_s
        self.folder = folder.resolve()
        self._port, self._dist_port, self._epmd_port = _free_ports(3)
        password = secrets.token_hex(12)
        self.amqp_url = f"amqp://{_USER}:{password}@{_LOCALHOST}:{self._port}/%2F"
        self._environment = self._prepare(password)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls, folder: str | os.PathLike[str], *, home: str | os.PathLike[str] | None = None, timeout_s: float = 60
    ) -> PrivateNode:
        """Start a node in `folder` (made if missing) and return once it answers AMQP, in about seven seconds.

        Blocks: from asyncio call it by `asyncio.to_thread`. Raises: BusFault where RabbitMQ is missing, or when the
        node does not come up within `timeout_s` (nothing is left running then).
        """
        node = cls(Path(folder), find_home(home), timeout_s)
        node._run()
        return node

    def __enter__(self) -> PrivateNode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the node's process is alive."""
        return self._server is not None and self._server.poll() is None

    @property
    def group(self) -> int | None:
        """The process group of everything that belongs to the node, None when it is stopped."""
        return None if self._keeper is None else self._keeper.pid

    def stop(self) -> None:
        """Shut the node down in good order (its data stay) and all that belongs to it; a second call does nothing."""
        if self._server is not None and self._server.poll() is None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(self._timeout_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL the node, its port mapper and its keeper, as a power cut would; a second call does nothing."""
        if self._keeper is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._keeper.pid, signal.SIGKILL)
        for process in (self._server, self._epmd, self._keeper):
            if process is not None:
                process.wait()
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        self._keeper = self._epmd = self._server = None

    def restart(self) -> None:
        """Stop the node if it runs and start it again: same folder, same ports, same `amqp_url`. Raises: BusFault."""
        self.stop()
        self._run()

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on this node and return what it printed. Raises: BusFault when it fails or hangs."""
        command = [str(self._home / "sbin" / "rabbitmqctl"), "--quiet", *arguments]
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                cwd=self.folder,
                capture_output=True,
                timeout=self._timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BusFault(f"rabbitmqctl {' '.join(arguments)}: no answer in {self._timeout_s:g} s") from None
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise BusFault(f"rabbitmqctl {' '.join(arguments)}: {said[0] if said else f'exit {done.returncode}'}")
        return done.stdout.decode(errors="replace")

    def _prepare(self, password: str) -> Mapping[str, str]:
        """Write the node's files and return the environment that its processes get."""
        folder, name = self.folder, f"hub-{secrets.token_hex(4)}@localhost"
        folder.mkdir(parents=True, exist_ok=True)
        cookie = folder / ".erlang.cookie"
        cookie.unlink(missing_ok=True)
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        configuration = folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_CONFIGURATION.format(port=self._port, user=_USER, password=password))
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "rabbitmq-env.conf").write_text("")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_", "NOTIFY_"))}
        return kept | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": _LOCALHOST,
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_NODE_IP_ADDRESS": _LOCALHOST,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _run(self) -> None:
        try:
            self._keeper = subprocess.Popen(["/bin/sh", "-c", _KEEPER], stdin=subprocess.PIPE, process_group=0)
            self._epmd = self._spawn(["epmd", "-port", str(self._epmd_port), "-address", _LOCALHOST])
            self._server = self._spawn([str(self._home / "sbin" / "rabbitmq-server")])
            self._wait_until_up(time.monotonic() + self._timeout_s)
        except BaseException:
            self.kill()
            raise

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        assert self._keeper is not None
        with (self.folder / "console.log").open("ab") as console:
            try:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                    env=self._environment,
                    cwd=self.folder,
                    process_group=self._keeper.pid,
                )
            except FileNotFoundError:
                raise BusFault(f"RabbitMQ: {command[0]} is missing — {INSTALL}", down=True) from None

    def _wait_until_up(self, deadline: float) -> None:
        """Raises: BusFault when the server ends, or does not answer AMQP before `deadline` (monotonic seconds)."""
        assert self._server is not None
        while not _answers_amqp(self._port):
            ended = self._server.poll()
            if ended is not None:
                raise BusFault(f"RabbitMQ ended while starting (exit {ended}): {self._last_words()}", down=True)
            if time.monotonic() > deadline:
                raise BusFault(f"RabbitMQ did not start in {self._timeout_s:g} s: {self._last_words()}", down=True)
            time.sleep(0.05)

    def _last_words(self) -> str:
        lines = (self.folder / "console.log").read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"{said[-1] if said else 'it said nothing'} (see {self.folder / 'console.log'})"


def _free_ports(count: int) -> list[int]:
    """Return ports that were free on 127.0.0.1 a moment ago; all are held open together, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_LOCALHOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _answers_amqp(port: int) -> bool:
    """Whether somebody on 127.0.0.1 answers a protocol header with a method frame (AMQP 0-9-1, section 4.2.2)."""
    try:
        with socket.create_connection((_LOCALHOST, port), timeout=2) as link:
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return link.recv(1) == b"\x01"
    except OSError:
        return False
