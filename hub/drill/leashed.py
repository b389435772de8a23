"""The command `hub` on a leash: `python -m hub.drill.leashed run hub.yaml`. It ends when its standard input does.

So no hub that was started for a drill goes on where the drill was killed. Nothing else differs from `hub`.
"""

from __future__ import annotations

import os
import threading


def _hold() -> None:
    while os.read(0, 4096):
        pass
    os._exit(70)


if __name__ == "__main__":
    threading.Thread(target=_hold, name="leash", daemon=True).start()

    from hub.cli import main

    main()
