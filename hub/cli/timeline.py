"""How a trace is shown: a tree of revisions, their dispatches, and what happened to each in the order of time.

Pure: from `hub.ledger.views.Trace` to something that rich prints, or to a JSON object. Personal data are masked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from itertools import chain
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hub.cli.changes import changes, said
from hub.cli.masking import Mask
from hub.cli.output import clock, lasted, moment
from hub.ledger.views import DispatchView, Event, Happened, ItemProblem, Revision, Trace
from schemas.local_time import LOCAL
from schemas.record import KINDS
from schemas.titles import noun

STATE_STYLES = {
    "delivered": "green",
    "superseded": "dim",
    "discarded": "dim",
    "dead": "bold red",
    "unknown": "magenta",
    "waiting": "yellow",
    "queued": "cyan",
    "sending": "cyan",
}
EVENT_STYLES = {
    Happened.CONFIRMED: "green",
    Happened.FAULT: "red",
    Happened.DEAD: "bold red",
    Happened.UNKNOWN: "magenta",
    Happened.WAITED: "yellow",
    Happened.GATE_CLOSED: "red",
    Happened.GATE_OPENED: "green",
    Happened.SUPERSEDED: "dim",
    Happened.REPLAYED: "cyan",
    Happened.CORRECTED: "cyan",
}

_ENDS_SHOWN = 7
"""Of a dispatch that was tried for a whole night, so many events from the beginning and from the end."""


def mask_of(trace: Trace, *, reveal: bool) -> Mask:
    """What hides the personal values of every record of the trace."""
    return Mask([(one.kind, one.content) for one in trace.revisions], reveal=reveal)


def as_object(trace: Trace, *, reveal: bool) -> dict[str, Any]:
    """The whole trace for machines: as `hub.ledger.views.Trace`, each revision with its `changes`."""
    mask = mask_of(trace, reveal=reveal)
    shown: dict[str, Any] = masked(asdict(trace), mask)
    before = _predecessors(trace.revisions)
    for revision, one in zip(shown["revisions"], trace.revisions, strict=True):
        revision["content"] = None if one.content is None else mask.record(one.kind, one.content)
        earlier = before.get(one.revision_id)
        known = one.content is not None and (earlier is None or earlier.content is not None)
        found = changes(one.kind, _content(earlier), one.content or {}, mask) if known else []
        revision["changes"] = [asdict(change) for change in found]
    for name in ("heads", "revisions", "dispatches", "problems"):
        for listed in shown[name]:
            if listed["key"] is not None:
                listed["key"] = mask.key(listed["kind"] or "", listed["key"])
    for problem, one_problem in zip(shown["problems"], trace.problems, strict=True):
        problem["value"] = mask.value(one_problem.kind, one_problem.field, one_problem.value)
        problem["came_right"] = not one_problem.mend
    return shown


def render(trace: Trace, *, reveal: bool) -> RenderableType:
    """The whole trace for people."""
    mask = mask_of(trace, reveal=reveal)
    before = _predecessors(trace.revisions)
    day = trace.revisions[0].read_at.astimezone(LOCAL).date() if trace.revisions else None
    tree = Tree(Text("What was read, and where it went", style="bold"), guide_style="dim")
    for revision in trace.revisions:
        node = tree.add(_revision(revision, before.get(revision.revision_id), mask))
        own = [e for e in trace.events if e.revision_id == revision.revision_id and e.dispatch_id is None]
        for event in own:
            if event.what is not Happened.READ:
                node.add(event_table([event], day, mask))
        for dispatch in trace.dispatches:
            if dispatch.revision_id == revision.revision_id:
                events = [e for e in trace.events if e.dispatch_id == dispatch.dispatch_id]
                replaced = [one.dispatch_id for one in trace.dispatches if one.superseded_by == dispatch.dispatch_id]
                node.add(Group(_dispatch(dispatch, events, replaced), event_table(events, day, mask)))
    parts: list[RenderableType] = [_header(trace), _standing(trace), Text(), tree]
    loose = [e for e in trace.events if e.dispatch_id is None and e.revision_id is None]
    if loose:
        parts += [Text(), Text("Beside it", style="bold"), Padding(event_table(loose, day, mask), (0, 0, 0, 2))]
    if trace.problems:
        parts += [Text(), Text("Refused rows", style="bold"), *(_refused(one, mask) for one in trace.problems)]
    return Group(*parts)


def _refused(one: ItemProblem, mask: Mask) -> RenderableType:
    if one.mend:
        return problem_lines(one, mask)
    return Group(problem_lines(one, mask), Padding(Text("came right since", style="green"), (0, 0, 0, 4)))


def problem_lines(one: ItemProblem, mask: Mask) -> RenderableType:
    """A refused row: when and where from, what was wrong, what to do."""
    row = "" if one.position[0] < 0 else f", row {one.position[0] + 1}"
    title = Text.assemble(
        ("  ● ", "red"),
        (f"{one.verdict} ", "bold red" if one.verdict == "rejected" else "bold yellow"),
        f"{moment(one.read_at)}  {one.source}, {one.arrival_label}{row}",
        (f"  {mask.key(one.kind or '', one.key)}" if one.key else "", "cyan"),
    )
    value = mask.value(one.kind, one.field, one.value)
    where = f" at {one.path}" if one.path else ""
    found = f" (found {value!r})" if value is not None else ""
    reason = one.reason if value == one.value else one.reason.replace(str(one.value), str(value))
    what = f"{one.field}: " if one.field and not one.reason.startswith(one.field) else ""
    known = [part for part in (where, found) if part.strip() not in reason]
    lines: list[RenderableType] = [title, Padding(Text(f"{what}{mask.text(reason)}{''.join(known)}"), (0, 0, 0, 4))]
    if one.mend:
        lines.append(Padding(Text(f"mend: {one.mend}", style="green"), (0, 0, 0, 4)))
    return Group(*lines)


_NAMED = ("procedure_name", "name", "type_name")
"""The fields that say, without naming a person, what a record is about."""


def _header(trace: Trace) -> Text:
    snapshots = [r for r in trace.revisions if r.kind in KINDS and not KINDS[r.kind].event]
    newest = next((r for r in reversed(snapshots) if r.content), None)
    what = noun(snapshots[-1].kind).en.capitalize() if snapshots else "Dossier"
    title = Text.assemble((f"{what} ", "bold"), (trace.lane, "bold cyan"))
    if newest is not None and newest.content is not None:
        status = newest.content.get("status")
        title.append(f"  now {said('status', status)}" if status is not None else "")
        name = next((newest.content[one] for one in _NAMED if newest.content.get(one)), None)
        title.append(f"\n{name}" if name else "", "dim")
        agency = newest.agency or newest.content.get("agency")
        title.append(f"\n{agency}, from {newest.source}" if agency else "", "dim")
    for number in trace.renumbered_to:
        title.append(f"\nrenumbered to {number}: hub trace {number} goes on", "yellow")
    for number in trace.renumbered_from:
        title.append(f"\nrenumbered from {number}: hub trace {number} has what was before", "yellow")
    return title


def _standing(trace: Trace) -> Table:
    """Per destination, how many dispatches stand how, and the last confirmation."""
    table = Table.grid(padding=(0, 2))
    for name in dict.fromkeys(one.destination for one in trace.dispatches):
        here = [one for one in trace.dispatches if one.destination == name]
        counts = Text(", ").join(
            Text(f"{len(listed)} {state}", style=style)
            for state, style in STATE_STYLES.items()
            if (listed := [one for one in here if one.state == state])
        )
        last = max((one.delivered_at for one in here if one.delivered_at), default=None)
        stuck = next((one.waits_for for one in here if one.waits_for), None)
        more = f"last confirmed {moment(last)}" if last else "nothing confirmed yet"
        table.add_row(Text(f"  {name}", style="bold"), counts, Text(more), Text(stuck or "", style="yellow"))
    return table


def _revision(one: Revision, before: Revision | None, mask: Mask) -> RenderableType:
    what = f"{one.kind} revision {one.number}"
    if one.kind.startswith("dossier-step") and one.content is not None:
        what = f"step of {said('at', one.content.get('at'))}"
    cause = "" if one.cause == "new" else f" ({one.cause})"
    title = Text.assemble((what, "bold"), (cause, "yellow"), ("  read ", "dim"), moment(one.read_at))
    title.append(f"  {one.source}, {one.arrival_label}", "dim")
    if one.configuration is not None:
        title.append(f"  configuration #{one.configuration}", "dim")
        title.append(f" of {moment(one.configured_at)}" if one.configured_at else "", "dim")
    parts: list[RenderableType] = [title]
    if one.source_time is not None and not one.kind.startswith("dossier-step"):
        parts.append(Text(f"source's own time {moment(one.source_time)}", style="dim"))
    if one.content is None or (before is not None and before.content is None):
        parts.append(Text("its content has been pruned", style="dim"))
        return Group(*parts)
    table = Table.grid(padding=(0, 2))
    for change in changes(one.kind, _content(before), one.content, mask):
        if change.field == "changed_at":  # told above, as the source's own time
            continue
        after = Text(said(change.field, change.after), style="cyan", overflow="fold")
        if before is not None:
            after = Text.assemble((said(change.field, change.before), "dim"), " → ", after)
        table.add_row(Text(change.field), after)
    return Group(*parts, table) if table.rows else Group(*parts)


def _dispatch(one: DispatchView, events: Sequence[Event], replaced: Sequence[int]) -> Text:
    """One destination's line; `replaced` are the dispatches that this one made needless."""
    text = Text.assemble((one.destination, "bold"), (f" #{one.dispatch_id}  ", "dim"))
    style = STATE_STYLES.get(one.state, "")
    if one.state == "superseded" and one.superseded_by is not None:
        text.append(f"superseded by #{one.superseded_by}", style)
    elif one.state == "delivered" and one.delivered_at is not None:
        calls = sum(event.what is Happened.SENT for event in events)
        said_calls = f", in {calls} calls" if calls > 1 else ""
        took = lasted(max(one.delivered_at - one.made_at, timedelta(0)))
        text.append(f"delivered {moment(one.delivered_at)}, {took} after it was read{said_calls}", style)
    else:
        text.append(one.state, style)
    if one.waits_for:
        text.append(f": {one.waits_for}", "yellow")
    if replaced:
        text.append(f", in place of {', '.join(f'#{number}' for number in replaced)}", style)
    if one.possibly_twice:
        text.append("  possibly twice", "magenta")
    return text


def event_table(events: Iterable[Event], day: date | None, mask: Mask) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    listed = list(events)
    left_out = len(listed) - 2 * _ENDS_SHOWN
    for number, event in enumerate(listed):
        if left_out > 1 and _ENDS_SHOWN <= number < len(listed) - _ENDS_SHOWN:
            if number == _ENDS_SHOWN:
                calls = sum(one.what is Happened.SENT for one in listed[_ENDS_SHOWN:-_ENDS_SHOWN])
                table.add_row("…", "", Text(f"{left_out} more, {calls} calls among them; --json has all", style="dim"))
            continue
        local = event.at.astimezone(LOCAL)
        at = clock(event.at) if local.date() == day else f"{local:%d/%m} {clock(event.at)}"
        what = event.what.value.replace("-", " ")
        table.add_row(at, Text(what, style=EVENT_STYLES.get(event.what, "")), Text(mask.text(_why(event))))
    return table


def _why(event: Event) -> str:
    """`as update, in a request of 100`, `35 ms`, `transient: … (code 17)`, `by #42`."""
    why = event.why.removeprefix(f"{event.what.value} ")
    parts = [
        event.destination if event.dispatch_id is None and event.destination else "",
        f"as {event.mode}" if event.mode and event.mode != "event" else "",
        f"in a request of {event.batch_size}" if event.batch_size and event.batch_size > 1 else "",
        lasted(timedelta(seconds=event.took_s)) if event.took_s is not None else "",
        why,
    ]
    code = f" (code {event.code})" if event.code and event.code not in why else ""
    return ", ".join(part for part in parts if part) + code


def _content(one: Revision | None) -> Mapping[str, Any] | None:
    return None if one is None else one.content


def _predecessors(revisions: Sequence[Revision]) -> dict[int, Revision]:
    """The revision before each one, of the same record."""
    found: dict[int, Revision] = {}
    newest: dict[tuple[str, str], Revision] = {}
    for one in revisions:
        if (one.kind, one.key) in newest:
            found[one.revision_id] = newest[one.kind, one.key]
        newest[one.kind, one.key] = one
    return found


def masked(value: Any, mask: Mask) -> Any:
    """Every text in a plain value, with the personal values hidden."""
    if isinstance(value, dict):
        return {key: masked(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return list(chain.from_iterable([masked(item, mask)] for item in value))
    return mask.text(value) if type(value) is str else value
