"""Twins to read, made per test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from adapters.sandbox import csv_exporter, rest_one_stop, soap_one_stop
from adapters.sandbox.twin import Create, running
from tests.contract.sources.systems import SLUG, Dossier, Make, SqlSystem, System, csv_row, rest_row, soap_row


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes a running twin: `make("soap", [[…], …], repeat=…, **options)`."""
    creates: dict[str, tuple[Create, str, Any]] = {
        "soap": (soap_one_stop.create, "soap", soap_row),
        "rest": (rest_one_stop.create, "rest", rest_row),
        "files": (csv_exporter.create, "csv", csv_row),
    }
    with ExitStack() as stack:

        def make(kind: str, ticks: list[list[Any]], *, repeat: int | None = None, **options: Any) -> System:
            if kind == "sql":
                return cast(System, SqlSystem(tmp_path, ticks))  # the same face, without a twin
            create, system, shape = creates[kind]
            rows = [[shape(row) if isinstance(row, Dossier) else row for row in tick] for tick in ticks]
            content = {
                "agencies": {
                    SLUG: {"name": "Sở Thông tin và Truyền thông", "code": "H59.05", "system": system, "ticks": rows},
                    "khac": {"name": "Hệ thống khác", "code": "H59.06", "system": "other", "ticks": []},
                },
                "repeat_page": {"agency": SLUG, "tick": repeat} if repeat else None,
            }
            data = tmp_path / f"{kind}.json"
            data.write_bytes(orjson.dumps(content))
            if kind == "files":
                options.setdefault("folder", str(tmp_path / "drop"))
            twin = stack.enter_context(running(create, data=data, options=options))
            return System(kind, twin, tmp_path)

        yield make
