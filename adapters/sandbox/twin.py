"""What every twin stands on: its options, its control plane, and the loop that serves it.

A twin is a module with `create(options: TwinOptions) -> Starlette`, named by an entry point in `hub.sandboxes`:

    class Portal:
        def __init__(self, options: TwinOptions) -> None:
            self.faults = Faults("200-error", "expire-session")      # its own modes beside faults.COMMON_MODES

        async def take(self, request: Request) -> Response:
            fault = self.faults.take("login")                        # once per request; scopes are the twin's own words
            if (answer := await common_answer(fault, request)) is not None:
                return answer                                        # down, hang, 500, 429 …: nothing took effect
            if fault is not None and fault.mode == "200-error": …    # the twin's own modes
            …the effect, logged and flushed…
            return after_effect(fault, JSONResponse(…))              # drip, accept-drop: after the effect

        def state(self) -> dict[str, Any]: …                         # GET /_twin/state; "faults" and "struck" are added

    def create(options: TwinOptions) -> Starlette:
        portal = Portal(options)
        return twin_app([Route("/login", portal.take, methods=["POST"])], faults=portal.faults, state=portal.state)

As a process: `python -m adapters.sandbox national-portal --port 0 --log FILE --options '{…}'`. In a test, on a thread:
`with running(create, log=path, options={…}) as twin: httpx.post(twin.url + "/login")`.

The control plane (JSON): `GET /_twin/state`, `POST /_twin/tick {"tick": n}`, `POST /_twin/fault {"mode": …}`,
`POST /_twin/stop`. It answers at the twin's own address and at a second one, `control`, which stays open while the mode
`refuse` has really closed the first; so whoever orders `refuse` must lift it at `control` (or order it `"for_s": 4`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from asyncio import Transport
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.sandbox.faults import EXTENSION, Fault, Faults, transport_of


@dataclass(frozen=True, slots=True)
class TwinOptions:
    """What a twin is made from. `options` are its own; `base_url` is where it will answer, known before it is made."""

    base_url: str
    data: Path | None = None
    log: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Create(Protocol):
    """What an entry point of `hub.sandboxes` names."""

    def __call__(self, options: TwinOptions, /) -> Starlette: ...


def twin_app(
    routes: Sequence[BaseRoute],
    *,
    faults: Faults,
    state: Callable[[], Mapping[str, Any]],
    tick: Callable[[int], Awaitable[None]] | None = None,
    client: Mapping[str, str] | None = None,
) -> Starlette:
    """The application: the twin's own routes and the control plane. `client` is what a client has to be set up with.

    `tick` releases what the source has at tick n, where the twin has ticks; it raises ValueError for an unknown one.
    """

    async def show(request: Request) -> Response:
        struck = {mode: asdict(count) for mode, count in faults.struck.items()}
        return JSONResponse({**state(), "faults": faults.state(), "struck": struck})

    async def release(request: Request) -> Response:
        number = (await _order(request)).get("tick")
        if tick is None or isinstance(number, bool) or not isinstance(number, int):
            return JSONResponse({"error": "tick must be a number" if tick else "this twin has no ticks"}, 400)
        try:
            await tick(number)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        return await show(request)

    async def fault(request: Request) -> Response:
        try:
            ordered = faults.order(await _order(request))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        line: Line | None = getattr(request.app.state, "line", None)
        if line is not None:
            await line.open()
            if ordered is not None and ordered.mode == "refuse":
                line.refuse(ordered, keep=transport_of(request.scope))
                # The loop closes the sockets at its next turn; whoever gave the order finds them closed.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        return await show(request)

    async def stop(request: Request) -> Response:
        request.app.state.server.should_exit = True
        return JSONResponse({"stopping": True})

    control: list[BaseRoute] = [
        Route("/_twin/state", show),
        Route("/_twin/tick", release, methods=["POST"]),
        Route("/_twin/fault", fault, methods=["POST"]),
        Route("/_twin/stop", stop, methods=["POST"]),
    ]
    app = Starlette(routes=[*control, *routes])
    app.state.client = dict(client or {})
    return app


async def _order(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


class TwinProtocol(HttpToolsProtocol):
    """HTTP/1.1 that leaves its connection within the request's reach, so that a fault can cut it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}


class TwinServer(uvicorn.Server):
    """A server that says when it listens, and ends as soon as it is told to: uvicorn's own looks ten times a second,
    which a test pays each time that it makes a twin."""

    ready: Callable[[], None] | None = None
    _told = False
    _loop: asyncio.AbstractEventLoop | None = None
    _wake: asyncio.Event | None = None

    @property
    def should_exit(self) -> bool:
        return self._told

    @should_exit.setter
    def should_exit(self, told: bool) -> None:
        """May be set from another thread, or by a signal."""
        self._told = told
        if told and self._loop is not None and self._wake is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._wake.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        if self.ready is not None:
            self.ready()

    async def main_loop(self) -> None:
        assert self._wake is not None
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, let the answers that are being given end, for a second at most."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        state, loop = self.server_state, asyncio.get_running_loop()
        end = loop.time() + 1
        # Nothing tells when a connection has ended.
        while (state.connections or state.tasks) and not self.force_exit and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        for task in list(state.tasks):
            task.cancel()


class Line:
    """The twin's listening socket, which can really be closed and opened again at the same port.

    A second socket stays bound to the port without listening (`SO_REUSEPORT`), so that nobody else gets it meanwhile.
    """

    def __init__(self, server: uvicorn.Server, reserve: socket.socket) -> None:
        self._server, self._reserve = server, reserve
        self._port: int = reserve.getsockname()[1]
        self._lifting: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._closed = False

    def refuse(self, fault: Fault, *, keep: Transport) -> None:
        """Close the socket and its connections but `keep` (which carries the order); open again at `fault.until`.

        A request that is being answered gets its answer first: what the twin took, the other side knows. The modes that
        leave it in doubt are `down` and `accept-drop`.
        """
        self._server.servers[0].close()
        self._closed = True
        for connection in list(self._server.server_state.connections):
            transport = connection.transport
            if transport is not keep and transport.get_extra_info("sockname")[1] == self._port:
                connection.shutdown()
        if fault.until is not None:
            self._lifting = asyncio.get_running_loop().call_at(fault.until, self._lift)

    def _lift(self) -> None:
        self._opening = asyncio.get_running_loop().create_task(self.open())

    async def open(self) -> None:
        """Listen again, if it was closed."""
        if self._lifting is not None:
            self._lifting.cancel()
            self._lifting = None
        if not self._closed:
            return
        self._closed = False
        config, state = self._server.config, self._server.server_state
        self._server.servers[0] = await asyncio.get_running_loop().create_server(
            lambda: TwinProtocol(config=config, server_state=state, app_state={}), sock=_bound(self._port), backlog=512
        )


def _bound(port: int) -> socket.socket:
    # Only where the protocol is named does asyncio set TCP_NODELAY, without which each answer waits 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _refuse_taken(port: int) -> None:
    """Raises: OSError where somebody listens at the port: `SO_REUSEPORT` alone would let two twins share it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            said = f"port {port} is in use; stop who listens there, or take another by --port (0 takes a free one)"
            raise OSError(error.errno, said) if error.errno == errno.EADDRINUSE else error from None


class Twin:
    """A twin and its addresses, bound, not serving until `run`; `url` is the system's own, `control` never refuses."""

    def __init__(
        self,
        create: Create,
        *,
        data: Path | None = None,
        log: Path | None = None,
        options: Mapping[str, Any] | None = None,
        port: int = 0,
    ) -> None:
        """Raises: OSError when the port is taken; ValueError from `create` for data or options that cannot be used."""
        if port:
            _refuse_taken(port)
        self._reserve = _bound(port)
        address = self._reserve.getsockname()[1]
        self._sockets = [_bound(address), _bound(0)]
        self.url = f"http://127.0.0.1:{address}"
        self.control = f"http://127.0.0.1:{self._sockets[1].getsockname()[1]}"
        try:
            app = create(TwinOptions(base_url=self.url, data=data, log=log, options=options or {}))
        except BaseException:
            self.close()
            raise
        config = uvicorn.Config(
            app,
            http=TwinProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",
            server_header=False,
            backlog=512,
            timeout_keep_alive=60,
        )
        self.server = TwinServer(config)
        app.state.server = self.server
        self.client: dict[str, str] = getattr(app.state, "client", {})
        """What a client logs in with; test credentials."""
        app.state.line = Line(self.server, self._reserve)

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until told to stop (SIGTERM, SIGINT, `/_twin/stop`); `ready` is called once it listens."""
        try:
            self.server.ready = ready
            asyncio.run(self.server.serve(sockets=self._sockets))
        finally:
            self.close()

    def close(self) -> None:
        """Give the ports back."""
        for sock in (self._reserve, *self._sockets):
            sock.close()


@contextlib.contextmanager
def running(
    create: Create,
    *,
    data: Path | None = None,
    log: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Twin]:
    """Serve a twin on a thread of its own for the length of a `with`: real HTTP over loopback."""
    twin = Twin(create, data=data, log=log, options=options)
    listening = threading.Event()
    thread = threading.Thread(target=twin.run, args=(listening.set,), name=f"twin {twin.url}", daemon=True)
    thread.start()
    if not listening.wait(10):
        raise RuntimeError(f"the twin at {twin.url} did not start within 10 s")
    try:
        yield twin
    finally:
        twin.server.should_exit = True
        thread.join(10)
