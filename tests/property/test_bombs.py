"""Documents that want to harm end as any other, within fixed memory and time (see tests/property/bombs.py)."""

from __future__ import annotations

import json
import subprocess
import sys

from mappings.inbound import MAX_REFUSED, MAX_REFUSED_BYTES
from tests.docs.pages import ROOT
from tests.property.bombs import bombs

MEGABYTES = 2000
"""Of address space: for the interpreter, its libraries, all the documents at once, and what reading one takes."""
WALL_S = 1200
"""Generous: what is quadratic takes days."""
ENDS = ("undecodable: ", "reject: ", "park: ", "accepted", "no rows")
REFUSED_AT_THE_DOOR = (
    "laughs",
    "quadratic",
    "entity",
    "entities",
    "brackets",
    "elements in",
    "never close",
    "too many",
)


def test_every_hostile_document_ends_within_fixed_memory_and_time() -> None:
    command = [sys.executable, "-m", "tests.property.bombs", str(MEGABYTES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WALL_S, check=False)
    told = {one["name"]: one["end"] for one in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, f"after {list(told)[-1:]}: {done.stderr[-2000:]}"
    assert list(told) == list(bombs())
    assert {name: end for name, end in told.items() if not end.startswith(ENDS)} == {}
    for name, end in told.items():
        if any(word in name for word in REFUSED_AT_THE_DOOR):
            assert end.startswith("undecodable: "), (name, end)


def test_the_limits_are_those_that_the_pages_name() -> None:
    page = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    assert f"{MAX_REFUSED:,} rows" in page
    assert f"{MAX_REFUSED_BYTES >> 20} MiB" in page
