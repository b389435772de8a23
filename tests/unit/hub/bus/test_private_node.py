"""Starting and ending a private node, with a stand-in for RabbitMQ; the real one is in tests/contract/bus.

The stand-ins hold a FIFO open for writing: when its reading end comes to an end, all of them are gone.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.bus.private_node import PrivateNode, find_home
from schemas.errors import BusFault

ANSWERS = """\
import os, socket
door = socket.create_server(("127.0.0.1", int(os.environ["RABBITMQ_NODE_PORT"])))
while True:
    guest, _ = door.accept()
    guest.recv(8)
    guest.sendall(bytes([1]))
    guest.close()
"""
STUBBORN = "trap '' TERM; exec 9>\"$HOME/alive\"; while :; do sleep 0.05; done"


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RabbitMQ that answers AMQP's first frame and no more, and a port mapper that ignores SIGTERM."""
    script(tmp_path / "home/sbin/rabbitmq-server", f"exec 9>\"$HOME/alive\"\nexec {sys.executable} -c '{ANSWERS}'")
    script(
        tmp_path / "home/sbin/rabbitmqctl", '[ "$2" = list ] && echo "$RABBITMQ_NODENAME" || { echo no >&2; exit 64; }'
    )
    script(tmp_path / "bin/epmd", STUBBORN)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return tmp_path / "home"


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[int]:
    """The reading end of the FIFO that every stand-in holds open."""
    (tmp_path / "node").mkdir()
    os.mkfifo(tmp_path / "node/alive")
    reading = os.open(tmp_path / "node/alive", os.O_RDONLY | os.O_NONBLOCK)
    yield reading
    os.close(reading)


def all_gone(reading: int) -> bool:
    """Wait, ten seconds at most, until nobody holds the FIFO open any longer."""
    try:
        return os.read(reading, 1) == b""
    except BlockingIOError:  # somebody holds it open
        ready, _, _ = select.select([reading], [], [], 10)
        return bool(ready) and os.read(reading, 1) == b""


def test_stop_leaves_nothing_also_of_what_does_not_want_to_end(home: Path, alive: int, tmp_path: Path) -> None:
    with PrivateNode.start(tmp_path / "node", home=home, timeout_s=10) as node:
        assert (node.running, node.group is None) == (True, False)
        assert node.amqp_url.startswith("amqp://hub:")
        assert node.ctl("list").startswith("hub-")
        with pytest.raises(BusFault, match="rabbitmqctl no-such-thing: no"):
            node.ctl("no-such-thing")
    assert all_gone(alive)
    assert (node.running, node.group) == (False, None)
    node.stop()


def test_kill_and_restart_keep_the_address(home: Path, alive: int, tmp_path: Path) -> None:
    node = PrivateNode.start(tmp_path / "node", home=home, timeout_s=10)
    before = node.amqp_url
    node.kill()
    assert all_gone(alive)
    node.restart()
    assert (node.running, node.amqp_url) == (True, before)
    node.stop()


def test_a_parent_that_is_killed_leaves_nothing(home: Path, alive: int, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from hub.bus.private_node import PrivateNode\n"
        "node = PrivateNode.start(sys.argv[1], home=sys.argv[2], timeout_s=10)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", program, str(tmp_path / "node"), str(home)], check=False)
    assert parent.returncode == -signal.SIGKILL
    assert all_gone(alive)


def test_a_server_that_ends_is_quoted_and_nothing_is_left(home: Path, alive: int, tmp_path: Path) -> None:
    script(home / "sbin/rabbitmq-server", "echo 'BOOT FAILED: eaddrinuse'; exit 3")
    with pytest.raises(
        BusFault, match=r"ended while starting \(exit 3\): BOOT FAILED: eaddrinuse \(see .*console\.log\)"
    ):
        PrivateNode.start(tmp_path / "node", home=home, timeout_s=10)
    assert all_gone(alive)


def test_a_server_that_never_answers_is_given_up_and_nothing_is_left(home: Path, alive: int, tmp_path: Path) -> None:
    script(home / "sbin/rabbitmq-server", STUBBORN)
    with pytest.raises(BusFault, match=r"did not start in 0\.3 s: it said nothing"):
        PrivateNode.start(tmp_path / "node", home=home, timeout_s=0.3)
    assert all_gone(alive)


def test_without_erlang_the_mend_is_said(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(BusFault, match="epmd is missing — apt-get install rabbitmq-server"):
        PrivateNode.start(tmp_path / "node", home=home, timeout_s=1)


def test_a_home_that_points_nowhere_is_said_and_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_RABBITMQ_HOME", "/nonexistent")
    with pytest.raises(
        BusFault, match=r"HUB_RABBITMQ_HOME is '/nonexistent', where .* apt-get install rabbitmq-server$"
    ):
        find_home()


def test_the_newest_installed_version_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_RABBITMQ_HOME", raising=False)
    monkeypatch.setattr("hub.bus.private_node._DEBIAN", tmp_path)
    with pytest.raises(BusFault, match=r"^RabbitMQ is not installed — apt-get install rabbitmq-server$"):
        find_home()
    for version in ("3.9.13", "3.10.8", "3.10.12"):
        script(tmp_path / f"rabbitmq_server-{version}/sbin/rabbitmq-server", "")
    assert find_home().name == "rabbitmq_server-3.10.12"
