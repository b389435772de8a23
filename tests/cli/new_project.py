"""A fresh project for the tests of `hub new`, and what has to be true of it afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from mappings.testing import run


def start(hub: Any, folder: Path, monkeypatch: Any) -> Path:
    """A project in `folder`, which becomes the current one."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HUB_LEDGER_URL", raising=False)
    monkeypatch.setenv("PORTAL_URL", "http://127.0.0.1:9")
    assert hub("init", ".", "--name", "thu").status == 0
    return folder


def passes(hub: Any) -> dict[str, Any]:
    """The configuration's check; every mapping's test passes too."""
    told: dict[str, Any] = hub("check", "hub.yaml", "--offline", "--json").json
    for test in Path("mappings").rglob("*_test.yaml"):
        assert [result.problems for result in run(test) if not result.ok] == []
    return told


def know_agency(code: str = "000.00.15.H59") -> None:
    """Add the agency of the tests' samples to the project's register."""
    agencies = Path("agencies.yaml")
    row = f"- {{code: H59.15, name: Sở Thông tin, level: province, aliases: [{code}]}}\n"
    agencies.write_text(agencies.read_text(encoding="utf-8") + row, encoding="utf-8")


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on a thread of its own, for the length of a `with`."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)
