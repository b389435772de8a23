"""Old systems on PHP's own SOAP server: `php -S` on a free port of the loopback, with the scripts of a folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "end_to_end" / "php"
MISSING = "PHP's SOAP server is not installed: apt-get install php-cli php-soap"
START_S = 30.0
_LOADED = 'exit(extension_loaded("soap") ? 0 : 1);'


class PhpUnavailable(Exception):  # noqa: N818 - a statement about the machine, not about an error in the code
    """The server could not be started; the text says the mend or shows what it wrote."""


@dataclass
class PhpServer:
    """A running server. `trouble` is the file that says what is to go wrong, see the script."""

    url: str
    trouble: Path
    process: subprocess.Popen[bytes]

    def goes_wrong(self, word: str) -> None:
        """From now on; an empty word ends it."""
        self.trouble.write_text(word, encoding="utf-8")


@contextmanager
def php_server(folder: Path) -> Iterator[PhpServer]:
    """Serve the systems for the length of a `with`; `folder` keeps what it writes. Raises: PhpUnavailable."""
    program = shutil.which("php")
    if program is None or subprocess.run([program, "-r", _LOADED], check=False, capture_output=True).returncode != 0:
        raise PhpUnavailable(MISSING)
    trouble, said = folder / "trouble", folder / "php.log"
    environment = os.environ | {"TROUBLE": str(trouble)}
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with said.open("wb") as out:
            # Whatever this machine's own settings say: what PHP warns of belongs into no answer.
            command = [program, "-d", "display_errors=0", "-S", f"127.0.0.1:{port}", "index.php"]
            process = subprocess.Popen(
                command, cwd=SCRIPTS, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            if _listens(process, port):
                yield PhpServer(f"http://127.0.0.1:{port}", trouble, process)
                return
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(START_S)
    raise PhpUnavailable(f"PHP's server did not start: {said.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it answers; False where it ended, as on a port that somebody took meanwhile."""
    give_up_at = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process.poll() is None
    return False
