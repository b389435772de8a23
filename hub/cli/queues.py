"""`hub queues`: what flows, what waits and which portal is down."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.options import DEFAULT_CONFIG, AsJson, BusOption, ConfigOption, LedgerOption, Reveal
from hub.cli.output import console, counted, guarded, lasted, moment, print_json, warn
from hub.cli.reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hub.forecast import Forecast
    from hub.ledger.configurations import Running
    from hub.ledger.views import QueueState, StrangeCode

EXAMPLE = "Example: hub queues --ledger sqlite:///var/hub.db"

_GATES = {"open": "green", "held": "red", "paused": "yellow", "maintenance": "yellow"}
_COUNTS = ("waiting", "queued", "sending", "unknown", "dead", "delivered", "superseded")
_ASK_S = 3.0
_CODES_SHOWN = 5
_ROOMY = 100
"""Columns that the whole table has room in."""


@guarded
def queues(
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    bus: BusOption = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Show every destination: its gate and why, what is open, delivered and dead, and since when the oldest waits.

    Below the table stands what is to be expected (when all is drained, and how many dossiers will pass their due date
    first), unknown outcomes, codes that a table of answers does not know (what the portal said with them is shown with
    --reveal, since it may name a person), and the alerts that are open. Where the bus is RabbitMQ, its queues are
    measured too. What is wrong with the ledger's database or its disk is said at the end.
    """
    with reading(config, ledger) as reader:
        found, alerts, runs = reader.queues(), reader.alerts(), reader.running()
    if not reveal:
        found = [_without_words(one) for one in found]
    problem = _problem(config, ledger)
    depths = _depths(config, bus, [one.destination for one in found])
    states = [replace(one, bus_depth=depths.get(one.destination, one.bus_depth)) for one in found]
    if as_json:
        print_json({"ledger_problem": problem, "queues": states, "alerts": alerts, "running": runs})
        return
    _show(states)
    for line in _running(runs):
        console().print(line, style="dim", markup=False, soft_wrap=True)
    for alert in alerts:
        said = f"alert since {moment(alert.opened_at)}: {alert.subject}: {alert.text}"
        console().print(said, style="bold red", markup=False)
    if problem is not None:
        console().print(f"ledger: {problem}", style="bold red", markup=False)


def _running(runs: Sequence[Running]) -> Iterator[str]:
    """`configuration #4 is in force since …`; where several processes run, how many run which."""
    for number in sorted({one.configuration for one in runs if one.configuration is not None}):
        mine = [one for one in runs if one.configuration == number]
        since = moment(min((one.since for one in mine if one.since), default=None))
        many = f" in {len(mine)} of {len(runs)} processes" if len(mine) < len(runs) else ""
        yield f"configuration #{number} is in force since {since}{many}"
    for one in runs:
        if one.refused:
            yield f"process {one.worker} did not take the newest configuration: {one.refused}"


def _without_words(one: QueueState) -> QueueState:
    """What a portal said with a code that nobody knows may name a person."""
    from schemas.sensitivity import MASKED

    codes = [replace(code, text=MASKED if code.text else "") for code in one.strange_codes]
    return replace(one, strange_codes=codes)


def _problem(config: Path, ledger: str | None) -> str | None:
    """What keeps the hub from writing, as it says itself or as the disk shows."""
    from hub.ledger.reserve import problem_of
    from hub.settings import locate_ledger, locate_reserve

    return problem_of(locate_ledger(config, ledger), locate_reserve(config))


def _depths(config: Path, bus: str | None, destinations: Sequence[str]) -> Mapping[str, int]:
    """Messages ready in the broker; empty where the bus is not RabbitMQ, or (with a warning) does not answer.

    Raises: ConfigError about a bus that was given.
    """
    from hub.settings import locate_bus
    from schemas.errors import BusFault, ConfigError

    try:
        section = locate_bus(config, bus)
    except ConfigError:
        if bus is not None:
            raise
        return {}
    if not section.url.startswith("amqp"):
        return {}
    import asyncio

    async def ask() -> Mapping[str, int]:
        from hub.bus import open_bus

        broker = open_bus(section.url, prefix=section.prefix, start_s=_ASK_S)
        try:
            await broker.start(destinations)
            return await broker.depths()
        finally:
            await broker.stop()

    try:
        return asyncio.run(ask())
    except BusFault as error:
        warn(f"how many messages wait in the broker is not known: {error}")
        return {}


def _show(states: Sequence[QueueState]) -> None:
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    out = console()
    table = Table(title="Queues", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Destination", no_wrap=True)
    table.add_column("Gate", no_wrap=True)
    # Where there is little room, what nobody has anything of is left out.
    shown = [name for name in _COUNTS if out.width >= _ROOMY or any(getattr(one, name) for one in states)]
    for name in shown:
        table.add_column(name.capitalize(), justify="right", no_wrap=True)
    if any(one.bus_depth is not None for one in states):
        table.add_column("On the bus", justify="right")
    for one in states:
        cells: list[str | Text] = [f"{getattr(one, name):,}" for name in shown]
        if one.undecided:
            cells[shown.index("unknown")] = Text(f"{one.unknown:,}", style="bold magenta")
        if one.dead:
            cells[shown.index("dead")] = Text(f"{one.dead:,}", style="bold red")
        depth = [] if one.bus_depth is None else [f"{one.bus_depth:,}"]
        table.add_row(one.destination, Text(one.gate, style=_GATES.get(one.gate, "")), *cells, *depth)
    out.print(table)
    for one in states:
        if lines := list(_why(one)):
            out.print(one.destination, style="bold", markup=False)
            out.print(Padding(Text("\n".join(lines)), (0, 0, 0, 2), expand=False))


def _why(one: QueueState) -> Iterator[str]:
    """What a table has no room for: why the gate is closed, what is to be expected, what asks for a person."""
    if one.gate != "open":
        since = f" since {moment(one.gate_since)}" if one.gate_since else ""
        yield f"{one.gate}{since}: {one.gate_reason or 'no reason given'}"
    if one.oldest_waiting_at is not None:
        waits = f"the oldest has waited {lasted(datetime.now(UTC) - one.oldest_waiting_at)}"
        yield f"{waits}, the next is due {moment(one.next_due_at)}" if one.next_due_at else waits
    if one.forecast is not None and one.forecast.dispatches:
        yield _expected(one.forecast)
    if one.urgent:
        dossiers = (
            "1 dossier is due soon and goes" if one.urgent == 1 else f"{one.urgent:,} dossiers are due soon and go"
        )
        yield f"{dossiers} before the others"
    if one.stuck:
        yield f"{one.stuck:,} more {_waits(one.stuck)} behind a dead letter, a missing dossier or an unknown outcome"
    if one.unknown:
        yield from _unknown(one)
    if one.dead:
        yield f"{counted(one.dead, 'dead letter')}: hub dead list --destination {one.destination}"
    if one.strange_codes:
        yield from _strange(one.strange_codes)
    if one.last_success_at is not None:
        yield f"last success {moment(one.last_success_at)}"


def _expected(expected: Forecast) -> str:
    """`drained in 12 min at the present 83 a second; 3 dossiers will pass their due date first`."""
    passing = expected.pass_due_date
    late = f"{counted(passing or 0, 'dossier')} will pass {'its' if passing == 1 else 'their'} due date"
    overdue = f"; {expected.overdue:,} {'is' if expected.overdue == 1 else 'are'} overdue already"
    said = "nothing came to its end in the last minute, so that nobody knows when all is drained"
    if expected.closed_until is not None:
        said = f"closed: {late} if it stays so until {moment(expected.closed_until)}"
    elif expected.drained_in_s is not None and expected.per_s is not None:
        took = lasted(timedelta(seconds=expected.drained_in_s))
        said = f"drained in {took} at the present {_rate(expected.per_s)}; {late} first"
    return said + (overdue if expected.overdue else "")


def _rate(per_s: float) -> str:
    if per_s >= 10:
        return f"{per_s:,.0f} a second"
    return f"{per_s:.1f} a second" if per_s >= 0.1 else f"{per_s * 3600:.0f} an hour"


def _unknown(one: QueueState) -> Iterator[str]:
    """How many have an unknown outcome, since when, and who has to do something."""
    since = f", the oldest sent {lasted(datetime.now(UTC) - one.unknown_since)} ago" if one.unknown_since else ""
    itself = "" if one.undecided else "; the hub asks the portal, or sends again, by itself"
    yield f"{counted(one.unknown, 'unknown outcome')}{since}{itself}"
    if one.undecided:
        where = f"hub unknown list --destination {one.destination}"
        yield f"{one.undecided:,} of them {_waits(one.undecided)} for your word: {where}"


def _waits(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _code(code: str) -> str:
    """As a table of answers writes it; what is no code is told in words."""
    from hub.answers import MISSING, OTHERS, UNREADABLE

    words = {"": "no code", MISSING: "no code", UNREADABLE: "an answer that cannot be read", OTHERS: "other codes"}
    return words.get(code, code)


def _strange(codes: Sequence[StrangeCode]) -> Iterator[str]:
    from schemas.sensitivity import MASKED

    yield "codes that its table of answers does not know:"
    for one in codes[:_CODES_SHOWN]:
        text = f": {one.text}" if one.text not in ("", MASKED) else ""
        times = "once" if one.count == 1 else f"{one.count:,} times"
        yield f"  {_code(one.code)} (HTTP {one.status}, {one.call}) {times}, last {moment(one.last_at)}{text}"
    if len(codes) > _CODES_SHOWN:
        yield f"  and {len(codes) - _CODES_SHOWN} more; --json has them"
