"""Twins to read, made per test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.sandbox.twin import running
from tests.contract.sources.held import TWINS, content
from tests.contract.sources.systems import Dossier, Make, SqlSystem, System


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes a running twin: `make("soap", [[…], …], repeat=…, **options)`."""
    with ExitStack() as stack:

        def make(kind: str, ticks: list[list[Any]], *, repeat: int | None = None, **options: Any) -> System:
            if kind == "sql":
                return cast(System, SqlSystem(tmp_path, ticks))  # the same face, without a twin
            create, _, shape = TWINS[kind]
            rows = [[shape(row) if isinstance(row, Dossier) else row for row in tick] for tick in ticks]
            data = tmp_path / f"{kind}.json"
            data.write_bytes(content(kind, rows, repeat))
            if kind == "files":
                options.setdefault("folder", str(tmp_path / "drop"))
            twin = stack.enter_context(running(create, data=data, options=options))
            return System(kind, twin, tmp_path)

        yield make
