"""Where the log lines of a command go, and which libraries are too talkative to be listened to."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

_TALKATIVE = ("alembic", "httpcore", "httpx", "pika", "zeep")
"""They log addresses, headers and whole bodies, which may hold personal data."""


class InVietNam(logging.Formatter):
    """Lines that begin with the time in Viet Nam: `2026-03-02 08:00:15.250+07:00`."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  as its base
        from hub.cli.output import local_zone

        return datetime.fromtimestamp(record.created, local_zone()).isoformat(" ", "milliseconds")


def log_to(file: Path | None = None, *, verbose: bool = False) -> None:
    """Log to a file, or to standard error: what is wrong, and with `verbose` what happens. Gates are always told of."""
    level = logging.INFO if verbose else logging.WARNING
    handler = logging.StreamHandler() if file is None else logging.FileHandler(file, encoding="utf-8", delay=True)
    handler.setFormatter(InVietNam("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("hub.gates").setLevel(logging.INFO)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
