"""What every command prints with: one console, JSON, times in Viet Nam, one-line errors, progress on a terminal.

Results go to standard output, everything else (errors, warnings, progress) to standard error.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console
    from rich.progress import Progress, TaskID

    from schemas.errors import HubError, Problem

P = ParamSpec("P")
T = TypeVar("T")

_WIDTH = 100
"""Columns where the output is no terminal."""
_PATIENCE_S = 0.5
"""A progress bar appears after so long."""


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal (or COLUMNS); 100 columns of plain text where the output is no terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    known = stream.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(file=stream, width=None if known else _WIDTH, highlight=False)


def print_json(value: Any) -> None:
    """Print one JSON object: dataclasses as objects, times as ISO 8601 with their offset in Viet Nam."""
    typer.echo(json_text(value))


def json_text(value: Any) -> str:
    """What `print_json` prints."""
    return json.dumps(_plain(value), ensure_ascii=False, indent=2)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(local_zone()).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, Path) else value


# --- times ------------------------------------------------------------------------------------------------------------


def local_zone() -> ZoneInfo:
    """The zone that every time is shown in."""
    # Importing any part of `schemas` builds every record's model, which `hub --help` need not wait for.
    from schemas.local_time import LOCAL

    return LOCAL


def moment(at: datetime | None) -> str:
    """`03/02/2017 08:15:00` in Viet Nam; `–` for None."""
    return "–" if at is None else at.astimezone(local_zone()).strftime("%d/%m/%Y %H:%M:%S")


def clock(at: datetime) -> str:
    """`08:15:00.250` in Viet Nam."""
    local = at.astimezone(local_zone())
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def lasted(span: timedelta) -> str:
    """A span in the unit that suits it: `35 ms`, `4.2 s`, `12 min`, `3 h 05 min`, `2 days`."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"
    days = int(seconds // 86_400)
    return f"{days} day{'s' if days > 1 else ''}"


def counted(number: int, noun: str) -> str:
    """`1 refused row`, `1,200 refused rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# --- errors -----------------------------------------------------------------------------------------------------------


def guarded(command: Callable[P, T]) -> Callable[P, T]:
    """Turn what a user can mend into one-line errors and exit status 1; defects keep their traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        from schemas.errors import HubError

        try:
            return command(*args, **kwargs)
        except HubError as error:
            fail(error, as_json=bool(kwargs.get("as_json")))

    return run


def fail(error: HubError | Iterable[Problem], *, as_json: bool = False) -> NoReturn:
    """Say what is wrong, a line per problem on standard error (and as JSON on standard output); exit status 1."""
    from schemas.errors import ConfigError, HubError, Problem

    if isinstance(error, ConfigError):
        problems = error.problems
    elif isinstance(error, HubError):
        text, _, mend = str(error).partition(" — ")
        problems = [Problem(_rule(error), text, mend)]
    else:
        problems = list(error)
    if as_json:
        print_json({"ok": False, "problems": problems})
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(1)


def _rule(error: HubError) -> str:
    """`ledger-fault` of a LedgerFault: written as the rules of problems are."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()


def refuse(rule: str, message: str, mend: str, file: str = "", *, as_json: bool = False) -> NoReturn:
    """`fail` with one problem."""
    from schemas.errors import Problem

    fail([Problem(rule, message, mend, file)], as_json=as_json)


def warn(text: str) -> None:
    """Say something that does not stop the command."""
    typer.echo(f"warning: {text}", err=True)


# --- progress ---------------------------------------------------------------------------------------------------------


class Steps:
    """What a command tells its progress bar; without a terminal every call does nothing."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress, self._task = progress, task

    def say(self, text: str, done: float | None = None, total: float | None = None) -> None:
        """Show what is being done, and how much of how much is done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=text, completed=done, total=total)


@contextmanager
def progress(text: str) -> Iterator[Steps]:
    """A progress bar on standard error, if that is a terminal and it takes longer than a moment."""
    if not sys.stderr.isatty():
        yield Steps()
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    bar = Progress(*columns, console=console(stderr=True), transient=True)
    task = bar.add_task(text, total=None)
    timer = threading.Timer(_PATIENCE_S, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield Steps(bar, task)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
