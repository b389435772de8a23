"""A receiver of webhooks for tests: real HTTP on loopback, which keeps what it is sent and answers as it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass
class Receiver:
    """`posted` holds each body with its headers. `status` is what it answers; 0 answers never."""

    status: int = 204
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts of all bodies."""
        return [orjson.loads(body)["alert"] for _, body in self.posted]

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        if not self.status:
            await asyncio.sleep(60)
        self.posted.append((dict(request.headers), body))
        return Response(status_code=self.status, headers={"Location": "/elsewhere"})


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver on a thread of its own, for the length of a `with`."""
    made = Receiver()
    app = Starlette(routes=[Route("/hook", made.receive, methods=["POST"])])
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    sock = config.bind_socket()
    made.url = f"http://127.0.0.1:{sock.getsockname()[1]}/hook"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="receiver", daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()
