"""What `make prove` shows: tests record what they proved, this prints it as tables.

    record("fault", fault="broker stopped for 10 s", bus="rabbitmq", ledger="postgresql", recovered_s=0.8)

Without HUB_PROOF_FILE in the environment nothing is recorded; with HUB_PROVE set tests that come in two sizes run the
large one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

THOROUGH = bool(os.environ.get("HUB_PROVE"))
"""Whether tests that come in two sizes run the large one (`make prove`)."""

TITLES: Mapping[str, str] = {
    "crash": "Killed at every boundary, and at random",
    "schedule": "Random schedules against the model of the states",
    "several": "Several hubs at once",
    "fault": "Faults of broker and database",
    "outage": "A portal down for long, under load",
    "drill": "The drill: portals, broker and worker fail under a configuration as it will run",
    "durable": "What a commit costs the disk",
}
"""What may be recorded, in the order of the tables."""


def record(what: str, **facts: object) -> None:
    """Note one line of a table; every line of a table has the same facts. Raises: KeyError for an unknown table."""
    title = TITLES[what]
    assert title
    place = os.environ.get("HUB_PROOF_FILE")
    if not place:
        return
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"what": what, **facts}, ensure_ascii=False) + "\n")


def show(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print what was recorded, a table for each kind of proof."""
    for what, title in TITLES.items():
        mine = [{name: value for name, value in row.items() if name != "what"} for row in rows if row["what"] == what]
        if not mine:
            continue
        table = Table(title=title, title_justify="left", header_style="bold")
        names = list(dict.fromkeys(name for row in mine for name in row))
        for name in names:
            numeric = all(isinstance(row.get(name, 0), int | float) for row in mine)
            table.add_column(name.replace("_", " "), justify="right" if numeric else "left")
        for row in mine:
            table.add_row(*(_shown(row.get(name)) for name in names))
        console.print(table)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def main(path: Path) -> int:
    """Print the tables of a file of records; 1 where it holds none."""
    if not path.exists():
        print(f"{path}: nothing was recorded", file=sys.stderr)
        return 1
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    show(rows, Console(width=None if sys.stdout.isatty() else 160))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
