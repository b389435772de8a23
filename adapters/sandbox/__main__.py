"""Run one twin as a process: `python -m adapters.sandbox soap-one-stop --data ticks.json --port 0`.

Prints one JSON line, `{"twin": …, "url": …, "control": …}`, once it listens, with what a client of a portal logs in
with (`username`, `password`, `dstcode`, `madonvi` or `client_id`, `client_secret`: test credentials, set by
`--options`); stops on SIGTERM or `POST /_twin/stop`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType
from typing import Any

from adapters.sandbox.twin import Create, Twin


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 after a stop that was asked for, 2 for arguments or data that cannot be used."""
    known = {point.name: point for point in entry_points(group="hub.sandboxes")}
    parser = argparse.ArgumentParser(
        "python -m adapters.sandbox",
        description="Run a twin of a legacy system or a portal. It prints one JSON line when it listens: its url, and, "
        "of a portal, the test credentials that a client logs in with; --options sets others.",
    )
    parser.add_argument("twin", choices=sorted(known), help="entry point in the group hub.sandboxes")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--data", type=Path, help="the file of what the system holds, where it has one")
    parser.add_argument("--log", type=Path, help="the file that every accepted effect is appended to, where it has one")
    parser.add_argument("--options", type=_options, default={}, help="the twin's own options, a JSON object")
    asked = parser.parse_args(arguments)
    create: Create = known[asked.twin].load()
    try:
        twin = Twin(create, data=asked.data, log=asked.log, options=asked.options, port=asked.port)
    except (OSError, ValueError) as error:
        print(f"python -m adapters.sandbox {asked.twin}: {error}", file=sys.stderr)
        return 2
    hello = json.dumps({"twin": asked.twin, "url": twin.url, "control": twin.control, **twin.client})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stopped)
    twin.run(lambda: print(hello, flush=True))
    return 0


def _stopped(number: int, frame: FrameType | None) -> None:
    """To be told to stop is no failure; uvicorn raises the signal again once it has shut down, and it lands here."""
    raise SystemExit(0)


def _options(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(options, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return options


if __name__ == "__main__":
    sys.exit(main())
