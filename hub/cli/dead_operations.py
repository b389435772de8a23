"""`hub dead replay`, `discard` and `correct`: what a person decides about dead letters, with who and why."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from hub.cli import dead_filter as by
from hub.cli import names
from hub.cli.operating import Who, perform, person, reason
from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigOption, LedgerOption, number_of
from hub.cli.output import console, counted, guarded, print_json, progress, refuse, warn
from hub.cli.reading import reading

REPLAY_EXAMPLE = "Example: hub dead replay --destination national --code 17 --why 'the code list was mended'"
DISCARD_EXAMPLE = "Example: hub dead discard 17 18 --why 'entered at the portal by hand'"
CORRECT_EXAMPLE = "Example: hub dead correct 17 --set procedure_code=1.003560.000.00.00.H59 --why 'a misprint'"

AT_ONCE = 500
"""Dead letters per transaction."""
_LOOK_S = 0.1

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is kept with the operation.")]
Reason = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="The reason; it is kept with the operation.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Send also what the portal may have got already, unasked.")]


@guarded
def replay(
    ids: by.Ids = None,
    every: by.Every = False,
    destination: by.Destination = None,
    fault: by.Fault = None,
    code: by.Code = None,
    source: by.Source = None,
    agency: by.Agency = None,
    field: by.Field = None,
    text: by.Contained = None,
    since: by.Since = None,
    until: by.Until = None,
    key: by.Key = None,
    kind: by.Kind = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many, the oldest first.")
    ] = None,
    per_s: Annotated[
        int, typer.Option("--per-s", metavar="N", min=0, help="At most so many a second; 0 is all at once.")
    ] = 200,
    yes: Yes = False,
    why: Why = "",
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, in the order of their dossiers; the hub may be running.

    Each one shown is either enqueued, or superseded because a newer state has been delivered. Ctrl-C ends it after the
    batch under way; what was done stays done, and the rest stays dead.
    """
    from hub.ledger.views import ReplayResult
    from hub.operations import Replay

    narrowed = by.wanted(destination, fault, code, source, agency, field, text, since, until, key, kind, limit)
    with reading(config, ledger) as reader:
        narrowed = names.narrowed(reader, narrowed, config, as_json=as_json)
        letters = by.chosen(reader, ids, every, narrowed, as_json=as_json)
        doubtful = reader.doubtful(letters)
    _agree(doubtful, yes=yes, as_json=as_json)
    done = ReplayResult(0, 0, [], [])
    me = person(who)

    def one(batch: Sequence[int]) -> None:
        nonlocal done
        more = perform(Replay(who=me, why=why, ids=tuple(batch)), ReplayResult, config, ledger)
        done = ReplayResult(
            done.shown + more.shown,
            done.enqueued + more.enqueued,
            [*done.superseded, *more.superseded],
            [*done.pruned, *more.pruned],
        )

    def told(left: int) -> None:
        gone = len(letters) - left - done.shown - len(done.pruned)
        if as_json:
            print_json({"shown": done.shown, "enqueued": done.enqueued, "superseded": done.superseded,
                        "pruned": done.pruned, "gone": gone, "left": left})  # fmt: skip
            return
        out = console()
        numbers = f"{done.shown:,} shown = {done.enqueued:,} enqueued + {len(done.superseded):,} superseded"
        out.print(numbers, markup=False)
        for needless in done.superseded:
            named = (
                f"  #{needless.dispatch_id} is superseded by #{needless.by}: the portal has that one, or may have it"
            )
            out.print(named, markup=False, soft_wrap=True)
        for pruned in done.pruned:
            out.print(f"  #{pruned} was not shown: its record has been pruned", markup=False)
        if gone:
            out.print(f"  {gone:,} were dead no more", markup=False)

    _in_batches("replaying", letters, per_s, one, told)
    if done.pruned:
        raise typer.Exit(1)


@guarded
def discard(
    ids: by.Ids = None,
    every: by.Every = False,
    destination: by.Destination = None,
    fault: by.Fault = None,
    code: by.Code = None,
    source: by.Source = None,
    agency: by.Agency = None,
    field: by.Field = None,
    text: by.Contained = None,
    since: by.Since = None,
    until: by.Until = None,
    key: by.Key = None,
    kind: by.Kind = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many, the oldest first.")
    ] = None,
    why: Reason = "",
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Give dead letters up for good, with a reason: they are never sent, and what waited behind them goes.

    Where a dossier is discarded that the portal never got, its steps are sent all the same.
    """
    from hub.ledger.views import DiscardResult
    from hub.operations import Discard

    said_why = reason(why)
    narrowed = by.wanted(destination, fault, code, source, agency, field, text, since, until, key, kind, limit)
    with reading(config, ledger) as reader:
        narrowed = names.narrowed(reader, narrowed, config, as_json=as_json)
        letters = by.chosen(reader, ids, every, narrowed, as_json=as_json)
    done = DiscardResult(0, 0)
    me = person(who)

    def one(batch: Sequence[int]) -> None:
        nonlocal done
        more = perform(Discard(who=me, why=said_why, ids=tuple(batch)), DiscardResult, config, ledger)
        done = DiscardResult(done.discarded + more.discarded, done.released + more.released)

    def told(left: int) -> None:
        if as_json:
            print_json({"discarded": done.discarded, "released": done.released, "left": left})
            return
        freed = (
            f"; {done.released:,} that waited behind {'goes' if done.released == 1 else 'go'} now"
            if done.released
            else ""
        )
        console().print(f"{counted(done.discarded, 'dead letter')} discarded{freed}", markup=False)

    _in_batches("discarding", letters, 0, one, told)


@guarded
def correct(
    dispatch_id: Annotated[
        int,
        typer.Argument(metavar="ID", parser=number_of("hub dead list"), help="The number that `hub dead list` shows."),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field's right value, empty for none; several times."),
    ] = None,
    remap: Annotated[
        bool, typer.Option("--remap", help="Map the row that it was made of again, with the mapping now in force.")
    ] = False,
    yes: Yes = False,
    why: Reason = "",
    who: Who = None,
    config: ConfigOption = DEFAULT_CONFIG,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """Correct the record of a dead letter: a new revision, held to the same rules as what is read.

    It goes to every portal of its routes. A later change in the agency's own system overrides it, so the agency should
    correct its row too. Which record it is (a dossier's number, a step's time, person and status) cannot be corrected.
    """
    from hub.ledger.views import Corrected
    from hub.operations import Correct

    said_why = reason(why)
    if remap == bool(changes):
        raise typer.BadParameter("say what is right: --set field=value (several times), or --remap")
    with reading(config, ledger) as reader:
        (one,) = by.by_number(reader, [dispatch_id], as_json=as_json)
        event = reader.dead_letter(one).letter.kind.startswith("dossier-step")
        doubtful = reader.doubtful([one]) if event else 0
    _agree(doubtful, yes=yes, as_json=as_json)
    asked = Correct(who=person(who), why=said_why, dispatch_id=one, changes=_pairs(changes or []), remap=remap)
    done = perform(asked, Corrected, config, ledger)
    if as_json:
        print_json(done)
        return
    out = console()
    out.print(f"#{one} is {done.cause} as revision {done.revision}: {', '.join(done.fields)}", markup=False)
    sends = ", ".join(f"#{id_}" for id_ in done.sends)
    out.print(f"  {sends} {'carries' if len(done.sends) == 1 else 'carry'} it", markup=False)
    if done.superseded:
        out.print(f"  superseded by it: {', '.join(f'#{id_}' for id_ in done.superseded)}", markup=False)
    for name in done.sent_before:
        out.print(f"  {name} has the step as it was; it is not sent there twice", markup=False)
    if done.overridable:
        warn("this source tells no time of change: the old row, read again, overrides the correction")


def _pairs(changes: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in changes:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise typer.BadParameter(f"--set {text!r}: write field=value")
        if name.strip() in pairs:
            raise typer.BadParameter(f"--set {name.strip()}: given twice")
        pairs[name.strip()] = value
    return pairs


def _agree(doubtful: int, *, yes: bool, as_json: bool) -> None:
    """Ask before something is sent that a portal may have; without anybody to ask it is refused."""
    if not doubtful or yes:
        return
    many = "1 of them may have been" if doubtful == 1 else f"{doubtful:,} of them may have been"
    said = f"{many} taken by the portal already, in a call of which nobody knows the end"
    if as_json or not sys.stdin.isatty():
        mend = "look with `hub dead show`, then add --yes: an event that the portal has would be there twice"
        refuse("perhaps-twice", said, mend, as_json=as_json)
    warn(said)
    if not typer.confirm("send all the same?"):
        raise typer.Exit(1)


def _in_batches(
    what: str, ids: Sequence[int], per_s: int, one: Callable[[Sequence[int]], None], told: Callable[[int], None]
) -> None:
    """Do all in batches, at most `per_s` a second, until done or told to stop; `told` then hears how many are left.

    Exit status 1 where some are left. Raises: what a batch raises, after saying what was done before it.
    """
    size = min(AT_ONCE, per_s) if per_s else AT_ONCE
    done = 0
    with _stopped_by_signals() as stopped, progress(f"{what} {len(ids):,}") as steps:
        try:
            while done < len(ids) and not stopped():
                began_s = time.monotonic()
                batch = ids[done : done + size]
                one(batch)
                done += len(batch)
                steps.say(f"{what} {len(ids):,}", done, len(ids))
                until_s = began_s + (len(batch) / per_s if per_s and done < len(ids) else 0.0)
                while time.monotonic() < until_s and not stopped():
                    time.sleep(min(_LOOK_S, max(0.0, until_s - time.monotonic())))
        except BaseException:
            if done:
                warn(f"{done:,} of {len(ids):,} {'was' if done == 1 else 'were'} done before this")
            raise
    left = len(ids) - done
    told(left)
    if left:
        warn(f"stopped: {done:,} {_are(done)} done, {left:,} {_are(left)} left")
        raise typer.Exit(1)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


@contextmanager
def _stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has come since the block began; the second one ends the program as ever."""
    came = False
    before: dict[int, Any] = {}

    def handler(number: int, _: object) -> None:
        nonlocal came
        came = True
        signal.signal(number, before[number])

    for one in (signal.SIGINT, signal.SIGTERM):
        before[one] = signal.signal(one, handler)
    try:
        yield lambda: came
    finally:
        for number, old in before.items():
            signal.signal(number, old)
