"""Reads a log of JSON lines while somebody else writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson


def json_lines(path: Path) -> list[Any]:
    """The lines that are written to their end; one that is under way is left for the next look."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
