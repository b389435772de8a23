"""The command `hub` on a leash, with the patience of a test.

    python -m tests.prove.quick_hub run hub.yaml

It dies when its standard input ends, so that nothing runs on where a test was killed. With HURRY in the environment an
unknown outcome is looked at after a fifth of a second instead of a second, and what a worker without a heartbeat held
is taken over after three seconds instead of fifteen, by a hub that is as patient with its own heartbeat as ever (alone,
it need not fear for its claims). Nothing else differs.
"""

from __future__ import annotations

import os
import threading

QUICK_TTL_S = 3.0


def leash() -> None:
    """Die when nobody holds the other end of standard input any more."""

    def hold() -> None:
        while os.read(0, 4096):
            pass
        os._exit(70)

    threading.Thread(target=hold, name="leash", daemon=True).start()


def hurry() -> None:
    """Before anything has taken the values over."""
    from hub.ledger import ledger

    ledger.WORKER_TTL_S, ledger.HEARTBEAT_S = QUICK_TTL_S, 0.4
    ledger.Ledger.lease_source.__defaults__ = (QUICK_TTL_S,)

    from hub import app, deliver

    app.SURE_S = 9.0
    deliver.ASK_AGAIN_S = 0.2


if __name__ == "__main__":
    leash()
    if os.environ.get("HURRY"):
        hurry()

    from hub.cli import main

    main()
