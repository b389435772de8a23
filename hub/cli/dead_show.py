"""What `hub dead show` tells of one dead letter, put together from the ledger and, where it can be read, the
configuration; personal data are masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from hub.answers import AnswerTable, load_answers
from hub.blame import Blame
from hub.cli.changes import said
from hub.cli.masking import Mask
from hub.cli.output import console, counted, lasted, moment
from hub.cli.source_row import source_row
from hub.cli.timeline import event_table, masked
from hub.ledger.views import DeadDetail
from hub.registers.stored import with_stored
from hub.rulebook import Rulebook, rulebook
from hub.settings import load
from mappings.outbound import OutboundMapping
from schemas.errors import ConfigError, RefusedValueError
from schemas.sensitivity import MASKED, Sensitivity, sensitivity


@dataclass(frozen=True, slots=True)
class Told:
    """One dead letter as it is shown; every value in it has passed the mask, but `mask` and `found`."""

    found: DeadDetail
    mask: Mask
    row: str | None
    """Its row in the page or file, as it came; None where `row_note` says why not."""
    row_note: str
    payload: Mapping[str, Any] | None
    """What would be sent now."""
    payload_note: str
    blame: Blame
    missing: str
    """What of the configuration cannot be read; empty where all can."""


def tell(found: DeadDetail, config: Path, *, reveal: bool) -> Told:
    """Put it together. Never raises for a configuration that cannot be read: what needs it says so instead."""
    from hub.blame import blame

    if found.content is None and not reveal:
        found = _wordless(found)
    letter = found.letter
    mask = Mask([(letter.kind, found.content)], reveal=reveal)
    rules, answers, missing = _rules(config, letter.destination)
    row, row_note = _row(found, rules, reveal=reveal)
    payload, payload_note = _payload(found, rules, mask, reveal=reveal)
    told = blame(found, rules, answers, mask=mask)
    return Told(found, mask, row, row_note, payload, payload_note, told, missing)


def _wordless(found: DeadDetail) -> DeadDetail:
    """Without its record nobody knows what is personal in the portal's words: none of them is shown."""
    return replace(
        found,
        letter=replace(found.letter, text=MASKED),
        calls=[replace(call, text=MASKED if call.text else "") for call in found.calls],
        events=[replace(event, why=MASKED if event.why else "") for event in found.events],
    )


def _rules(config: Path, destination: str) -> tuple[Rulebook | None, AnswerTable | None, str]:
    try:
        deployment = load(config)
        rules = rulebook(with_stored(deployment))
        section = deployment.destinations.get(destination)
        answers = load_answers(section.answers or section.adapter, deployment.folder) if section else None
    except ConfigError as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        return None, None, f"the configuration cannot be read: {error.problems[0]}{more}"
    missing = "" if section else f"the configuration has no destination {destination!r} any more"
    return rules, answers, missing


def _row(found: DeadDetail, rules: Rulebook | None, *, reveal: bool) -> tuple[str | None, str]:
    """The row that the record was made of; shown unmasked to nobody who did not ask for it."""
    whole = f"hub dead show {found.letter.dispatch_id} --original --reveal prints the whole page or file"
    if found.original is None:
        return None, "its bytes have been pruned"
    mappings = rules.inbound.get(found.letter.source, ()) if rules is not None else ()
    if not mappings:
        return None, f"without its mapping nobody knows what of it is personal; {whole}"
    if found.row is None:
        return None, f"its place there is not known; {whole}"
    shown = source_row(mappings, found.original, found.charset, found.original_label, found.row[0], reveal=reveal)
    if shown is None:
        return None, f"{found.original_label} cannot be read with the mapping now in force; {whole}"
    return shown.decode(), ""


def _payload(
    found: DeadDetail, rules: Rulebook | None, mask: Mask, *, reveal: bool
) -> tuple[Mapping[str, Any] | None, str]:
    letter = found.letter
    if found.content is None:
        return None, "its record has been pruned"
    if rules is None:
        return None, "it is made by a mapping of the configuration"
    mapping = rules.outbound.get(letter.destination, {}).get(letter.kind)
    if mapping is None:
        return None, f"{letter.destination} has no mapping for {letter.kind}"
    try:
        payload = mapping.render_body(orjson.dumps(found.content), rules.rendering)
    except RefusedValueError as error:
        return None, f"cannot be rendered: {_hidden(error, mask, letter.kind)}"
    except ValidationError as error:
        return None, f"cannot be rendered, its record is none of {letter.kind} as that is now: {error.error_count()}"
    note = _compared(found, mapping, payload)
    if reveal:
        return payload, note
    personal = {
        one.name
        for one in mapping.fields
        if one.reads and sensitivity(mapping.model, one.reads).rank > Sensitivity.INTERNAL.rank
    }
    shown = {
        name: MASKED if name in personal and value not in (None, "") else masked(value, mask)
        for name, value in mapping.members(payload).items()
    }
    return shown, note


def _hidden(error: RefusedValueError, mask: Mask, kind: str) -> str:
    value = mask.value(kind, error.field or None, error.value)
    text = str(error)
    return mask.text(text if error.value is None else text.replace(error.value, str(value)))


def _compared(found: DeadDetail, mapping: OutboundMapping, payload: Mapping[str, Any]) -> str:
    """How it stands to what was sent the last time, of which the ledger keeps the digest alone."""
    last = next((call for call in reversed(found.calls) if call.mapping), None)
    if last is None:
        return "nothing of it has been sent yet"
    if last.members == 1:
        digest = blake2b(orjson.dumps([payload]), digest_size=16).hexdigest()
        if digest == last.payload:
            return "the same as was sent the last time"
    if last.mapping != mapping.digest[:16]:
        return f"made by {mapping.name} as it is now; it has been changed since the last call"
    if last.members == 1:
        return "not the same as was sent the last time"
    return f"by the same mapping as the last time, when it went in a request of {last.members}"


# --- for machines -----------------------------------------------------------------------------------------------------


def as_object(told: Told) -> dict[str, Any]:
    """All of it as one JSON-able object."""
    found, mask = told.found, told.mask
    letter = found.letter
    shown: dict[str, Any] = masked(asdict(replace(found, original=None, content=None)), mask)
    del shown["original"]
    shown["letter"]["key"] = mask.key(letter.kind, letter.key)
    shown["letter"] |= _letter_texts(told)
    shown["content"] = None if found.content is None else mask.record(letter.kind, found.content)
    for one, follower in zip(shown["waiting"], found.waiting, strict=True):
        one["key"] = mask.key(follower.kind, follower.key)
    shown["place"] = {"original": found.original_label, "row": found.row and found.row[0] + 1}
    shown["row"] = {"text": told.row, "note": told.row_note}
    shown["payload"] = {"content": told.payload, "note": told.payload_note}
    shown["blame"] = asdict(told.blame)
    shown["missing"] = told.missing
    return shown


def _letter_texts(told: Told) -> dict[str, str | None]:
    letter = told.found.letter
    # What the value is of, the configuration knows; without it nobody does.
    field = told.blame.fields[0] if len(told.blame.fields) == 1 else None
    value = told.mask.value(letter.kind, field, letter.value)
    text = letter.text if not letter.value else letter.text.replace(letter.value, str(value))
    return {"value": value, "text": told.mask.text(text)}


# --- for people -------------------------------------------------------------------------------------------------------


def render(told: Told) -> None:
    """Print it."""
    found, mask, out = told.found, told.mask, console()
    letter = found.letter
    out.print(
        Text.assemble(("Dead letter ", "bold"), (f"#{letter.dispatch_id}", "bold red"), f" for {letter.destination}")
    )
    texts = _letter_texts(told)
    behind = f"{counted(found.followers, 'dispatch')}" if found.followers == 1 else f"{found.followers:,} dispatches"
    place = f", {found.original_label}" if found.original_label else ""
    out.print(
        _grid(
            {
                "record": f"{letter.kind} {mask.key(letter.kind, letter.key)}, revision {letter.revision}",
                "from": f"{letter.source}{place}" + (f", row {found.row[0] + 1}" if found.row else ""),
                "revision": "" if found.cause == "arrived" else letter.arrival_label,
                "agency": letter.agency or "–",
                "why": " ".join(filter(None, (letter.fault, letter.code))) + f": {texts['text']}",
                "where": letter.path or "",
                "found": texts["value"] or "",
                "tried": f"{counted(letter.attempts, 'time')}, the last {moment(letter.died_at)}",
                "behind it": f"{behind} of the same dossier wait" if found.followers else "",
                "newer": "" if letter.revision >= found.newest else f"revision {found.newest} has been read since",
            }
        )
    )
    _render_blame(told.blame)
    if told.missing:
        out.print(f"\n{told.missing}", style="yellow", markup=False)
    _render_calls(told)
    if found.events:
        out.print("\nWhat happened", style="bold")
        out.print(event_table(found.events, letter.died_at, mask))
    _part("The agency's row", told.row, told.row_note)
    if found.content is not None:
        out.print("\nThe record", style="bold")
        record = mask.record(letter.kind, found.content)
        out.print(_grid({name: said(name, item) for name, item in record.items() if item is not None}))
    out.print("\nWhat would be sent now", style="bold")
    if told.payload is not None:
        out.print(_grid({name: _plain(value) for name, value in told.payload.items()}))
    if told.payload_note:
        out.print(f"  {told.payload_note}", style="dim", markup=False)
    _render_followers(told)
    number = letter.dispatch_id
    out.print(f"\nmend the cause, then: hub dead replay {number}", markup=False, style="green")
    out.print(f"or: hub dead correct {number} --set FIELD=VALUE --why TEXT; hub dead discard {number} --why TEXT",
              markup=False, style="dim", soft_wrap=True)  # fmt: skip


def _grid(facts: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts.items():
        if text:
            table.add_row(Text(f"  {name}", style="dim"), Text(text))
    return table


def _part(title: str, text: str | None, note: str) -> None:
    out = console()
    out.print(f"\n{title}", style="bold")
    if text is not None:
        out.print(text, markup=False, soft_wrap=True)
    if note:
        out.print(f"  {note}", style="dim", markup=False, soft_wrap=True)


def _render_blame(told: Blame) -> None:
    out = console()
    out.print("\nWhat is wrong, in the agency's own words", style="bold")
    for place in told.places:
        found = "" if place.value is None else f" = {place.value}"
        out.print(f"  {place.path}{found}", style="cyan", markup=False, soft_wrap=True)
    for what, mend in ((told.vietnamese, told.mend_vietnamese), (told.english, told.mend_english)):
        for line in filter(None, (what, mend)):
            out.print(f"  {line}", markup=False, soft_wrap=True)


def _render_calls(told: Told) -> None:
    calls = told.found.calls
    if not calls:
        return
    out = console()
    out.print(f"\n{counted(len(calls), 'call')}", style="bold")
    table = Table.grid(padding=(0, 2))
    for number, call in enumerate(calls, 1):
        with_others = f"in a request of {call.members}" if call.members > 1 else "alone"
        took = "" if call.took_s is None else lasted(timedelta(seconds=max(call.took_s, 0)))
        came = " ".join(filter(None, (call.fault, call.code))) or "nobody knows"
        said_there = f"{came}: {told.mask.text(call.text)}" if call.text else came
        cells: Sequence[str] = (f"  {number}", moment(call.at), f"as {call.mode}", with_others, took, said_there)
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table)


def _render_followers(told: Told) -> None:
    found = told.found
    if not found.waiting:
        return
    out = console()
    out.print(f"\nBehind it {'waits' if found.followers == 1 else 'wait'}", style="bold")
    for one in found.waiting:
        key = told.mask.key(one.kind, one.key)
        out.print(f"  #{one.dispatch_id}  {one.kind}  {key}  since {moment(one.made_at)}", markup=False, soft_wrap=True)
    if found.followers > len(found.waiting):
        out.print(f"  and {found.followers - len(found.waiting):,} more", style="dim", markup=False)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
