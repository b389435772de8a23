"""Runs all checks beside each other, each within its deadline."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from hub.check import check
from hub.doctor import ledger, network
from hub.doctor.finding import Finding, Level, Report
from hub.draft import draft
from hub.sections import Deployment
from schemas.errors import ConfigError

T = TypeVar("T")
log = logging.getLogger(__name__)
MARGIN_S = 2.0
"""Beyond what a check of many parts is given for each of them."""


async def examine(path: Path, overrides: Mapping[str, str], *, timeout_s: float = 10.0) -> Report:
    """Examine a deployment; never raises for what is wrong with it, and takes little longer than `timeout_s`."""
    asked: list[Awaitable[list[Finding]]] = [
        _within(timeout_s + MARGIN_S, "configuration", str(path), _configuration(path, overrides, timeout_s))
    ]
    deployment = _deployment(path, overrides)
    if deployment is not None:
        asked.append(_within(timeout_s, "database", "ledger", _in_thread(lambda: ledger.look(deployment))))
        asked += [
            _within(timeout_s, "server", str(endpoint), network.look(endpoint))
            for endpoint in network.endpoints(deployment)
        ]
        if deployment.bus.url.startswith("amqp"):
            asking = network.queues(deployment, timeout_s / 2)
            asked.append(_within(timeout_s, "broker", "queues", asking))
    return Report([one for found in await asyncio.gather(*asked) for one in found])


def _deployment(path: Path, overrides: Mapping[str, str]) -> Deployment | None:
    """What can be looked at beside the file; None where the file is not right, which `_configuration` says."""
    try:
        return draft(path, overrides).deployment()
    except ConfigError:
        return None


async def _configuration(path: Path, overrides: Mapping[str, str], timeout_s: float) -> list[Finding]:
    looked = await check(path, overrides, timeout_s=timeout_s)
    found = [
        Finding(
            "configuration", f"{Path(one.file or str(path)).name}:{one.line}", level, one.rule, one.mend, one.message
        )
        for level, listed in ((Level.PROBLEM, looked.problems), (Level.WARNING, looked.warnings))
        for one in listed
    ]
    return found or [Finding("configuration", path.name, Level.OK, "nothing is wrong with it")]


async def _within(limit_s: float, what: str, subject: str, asking: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(limit_s):
            return await asking
    except Exception as error:
        if not isinstance(error, TimeoutError):
            log.exception("the check of %s %s failed", what, subject)
            said = f"the check itself failed: {type(error).__name__}"
            return [Finding(what, subject, Level.PROBLEM, said, "a defect of the hub: report it with its log")]
        said = f"no answer within {limit_s:g} s"
        return [
            Finding(
                what, subject, Level.PROBLEM, said, "see whether it is overloaded or away; --timeout-s waits longer"
            )
        ]


def _in_thread(function: Callable[[], T]) -> Awaitable[T]:
    """Run in a thread that nobody waits for at the end: a database that never answers must not hold the command."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(function())
        except Exception as error:
            log.debug("a check failed", exc_info=True)
            done.set_exception(error)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return asyncio.wrap_future(done)
