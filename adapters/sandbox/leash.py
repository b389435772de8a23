"""Run a twin that ends when its parent ends: `python -m adapters.sandbox.leash <arguments of adapters.sandbox>`.

The parent keeps the other end of this process's standard input open and never writes. However the parent dies, kill -9
included, the kernel closes that end, and the twin stops as if it had been told to.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from adapters.sandbox.__main__ import main


def _wait_for_end() -> None:
    # Not sys.stdin: its buffer's lock would still be held by this thread when the interpreter shuts down.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_wait_for_end, name="leash", daemon=True).start()
    sys.exit(main(sys.argv[1:]))
