"""An event that SIGINT and SIGTERM set, for commands that come to a clean end when they are interrupted."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def stopping() -> asyncio.Event:
    """Return the event; of the running loop. Outside the main thread no signal arrives, and nothing sets it."""
    import asyncio

    stop = asyncio.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
