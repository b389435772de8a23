"""The command `hub` with the patience of a test.

With HURRY in the environment an unknown outcome is looked at after a fifth of a second instead of a second, and what a
worker without a heartbeat held is taken over after three seconds instead of fifteen, by a hub that is as patient with
its own heartbeat as ever (alone, it need not fear for its claims). Nothing else differs.
"""

from __future__ import annotations

import os

QUICK_TTL_S = 3.0


def hurry() -> None:
    """Set the values wherever they were taken over."""
    from hub import app, deliver
    from hub.ledger import ledger

    ledger.WORKER_TTL_S = QUICK_TTL_S
    ledger.HEARTBEAT_S = 0.4
    vars(app).update(HEARTBEAT_S=0.4, SURE_S=9.0)  # which it made of the usual ones
    ledger.Ledger.lease_source.__defaults__ = (QUICK_TTL_S,)
    deliver.ASK_AGAIN_S = 0.2


def main() -> None:
    """What `tests.prove.crash` starts."""
    if os.environ.get("HURRY"):
        hurry()

    from hub.cli import main as run

    run()
