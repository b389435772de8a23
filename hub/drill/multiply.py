"""One recorded page to many: other numbers of the same shape, later times, changed texts, all in the page's own bytes.

What stands where is found through the source's own mappings: they are run on the page, the texts of key, time and one
or more other fields are replaced wherever they stand in it, and the mappings are run again on the result, which counts
only if exactly the records that were meant come out. So it is the user's decoding and mapping that is drilled. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from hub.drill.samples import Sample
from mappings.inbound import InboundMapping, InField, read_all
from mappings.refusal import RefusalError
from mappings.rows import ReadContext, Row, RowOk
from schemas.errors import UndecodableError
from schemas.record import Record

REVISIONS = 3
"""States of each dossier, so that an older one after a newer one would show."""
_RUN = re.compile(r"[0-9]+")
_SHORTEST = 3
"""Characters of a text that may be replaced wherever it stands."""
_NEAR = timedelta(hours=1)

Texts: TypeAlias = Mapping[str, str]
Seen: TypeAlias = Callable[[Record], Mapping[str, str]]
"""Of a record, the digest of what each destination is shown of it; empty where it goes nowhere."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads pages of one source as the hub would."""

    mappings: Sequence[InboundMapping]
    context: ReadContext
    seen: Seen

    def rows(self, body: bytes, sample: Sample) -> list[Row]:
        """Raises: UndecodableError."""
        context = replace(self.context, label=sample.label)
        return read_all(self.mappings, body, sample.charset, context)


@dataclass(slots=True)
class Numbers:
    """Gives out numbers of the shape of another, each once."""

    taken: set[str] = field(default_factory=set)
    _next: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def fresh(self, text: str) -> str:
        """A number like `text` (`000.00.05.H59-170320-0002`), its last digits others; longer where they do not do."""
        runs = list(_RUN.finditer(text))
        at = runs[-1] if runs else None
        before, after = (text[: at.start()], text[at.end() :]) if at is not None else (f"{text}-", "")
        width = len(at[0]) if at is not None else 1
        while True:
            place = before, after, width
            number = self._next.get(place, 0) + 1
            self._next[place] = number
            if len(str(number)) > width:
                width += 1
                continue
            made = f"{before}{number:0{width}d}{after}"
            if made not in self.taken:
                self.taken.add(made)
                return made


@dataclass(slots=True)
class Template:
    """A page that was read, and what in it may be replaced."""

    sample: Sample
    records: list[Record]
    numbers: dict[str, str]
    """Of each lane in it, the text that it is written as."""
    owned: frozenset[str]
    """The lanes whose snapshot the page holds."""
    changes: list[dict[str, str]] = field(default_factory=list)
    """Of each revision after the first, the texts that differ from the page."""
    why: str = ""
    """Why it can be used once only; empty where it can be multiplied."""
    encoding: str = "utf-8"

    @property
    def revisions(self) -> int:
        return 1 + len(self.changes)

    def page(self, numbers: Texts, revision: int) -> bytes:
        """The bytes with other numbers, by the text of each in the page, as revision 1, 2, …"""
        texts = {**(self.changes[revision - 2] if revision > 1 else {}), **numbers}
        return replaced(self.sample.body, texts, self.encoding) if texts else self.sample.body


def template(sample: Sample, reader: Reader) -> Template | None:
    """Look at a sample; None where no record comes of it."""
    try:
        rows = reader.rows(sample.body, sample)
    except UndecodableError:
        return None
    records = [row.record for row in rows if isinstance(row, RowOk)]
    if not records:
        return None
    found = list(_texts(sample, reader))
    numbers = {record.lane: text for record, text in _numbers(found)}
    owned = frozenset(record.lane for record in records if not record.event)
    made = Template(sample, records, numbers, owned, encoding=_encoding(sample, numbers.values()))
    keys = [(record.kind, record.key) for record in records]
    if len(set(keys)) < len(keys):
        made.why = "it holds a record twice"
    elif {record.lane for record in records} - numbers.keys():
        made.why = "no field holds the number as it is"
    else:
        probe = Numbers(set(numbers.values()))
        if not _multiplies(made, rows, reader, {text: probe.fresh(text) for text in numbers.values()}):
            made.why = "its numbers cannot be replaced in its bytes"
    if not made.why:
        _revise(made, rows, reader, found)
    return made


def check(made: Template, rows: Sequence[Row], numbers: Texts) -> bool:
    """Whether the rows of a page made by `Template.page` are exactly those that were meant."""
    records = [row.record for row in rows if isinstance(row, RowOk)]
    if len(records) != len(made.records):
        return False
    lanes: dict[str, str] = {}
    for was, now in zip(made.records, records, strict=True):
        if was.kind != now.kind or lanes.setdefault(was.lane, now.lane) != now.lane:
            return False
        text = made.numbers.get(was.lane, was.lane)
        if text == was.lane and now.lane != numbers.get(text, text):
            return False
    return len(set(lanes.values())) == len(lanes)


# --- texts in bytes ---------------------------------------------------------------------------------------------------


def replaced(body: bytes, texts: Texts, encoding: str) -> bytes:
    """Replace texts wherever they stand, in one pass, as they are and as XML (once or twice) and JSON escape them."""
    forms: dict[str, str] = {}
    for old, new in texts.items():
        for one in _FORMS:
            forms.setdefault(one(old), one(new))
    ordered = sorted(forms, key=len, reverse=True)
    if not ordered:
        return body
    pattern = re.compile("|".join(map(re.escape, ordered)))
    return pattern.sub(lambda found: forms[found[0]], body.decode(encoding)).encode(encoding)


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _json_ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


_FORMS: tuple[Callable[[str], str], ...] = (
    str,
    escape,
    lambda text: escape(escape(text)),
    _json,
    _json_ascii,
    lambda text: _json(text).replace("/", "\\/"),
    lambda text: _json_ascii(text).replace("/", "\\/"),
)


def _stands(body: str, text: str) -> bool:
    return any(form(text) in body for form in _FORMS)


def _encoding(sample: Sample, texts: Iterable[str]) -> str:
    """An encoding that the body can be read in, with the texts in it, and written back unchanged."""
    wanted = list(texts)
    for encoding in (sample.charset, "utf-8", "utf-16"):
        try:
            body = sample.body.decode(encoding or "utf-8")
            if body.encode(encoding or "utf-8") == sample.body and all(_stands(body, text) for text in wanted):
                return encoding or "utf-8"
        except (LookupError, UnicodeError):
            continue
    return "latin-1"  # any bytes, of which only what is ASCII will be found


# --- what the mappings read -------------------------------------------------------------------------------------------

_Found: TypeAlias = tuple[Record, InboundMapping, Mapping[str, str]]
"""A record, its mapping, and the bare text at the path of each field."""


def _texts(sample: Sample, reader: Reader) -> Iterator[_Found]:
    context = replace(reader.context, label=sample.label)
    for mapping in reader.mappings:
        if not mapping.applies(sample.label):
            continue
        document = mapping.decode(sample.body, sample.charset)
        for index in range(len(document.rows)):
            rows = mapping.rows(document, index, context)
            try:
                outer = document.view(index)
                parts = [outer] if mapping.parts is None else [document.shape.view(p) for p in mapping.parts(outer)]
            except RefusalError:
                continue
            for row, part in zip(rows, parts, strict=False):
                if isinstance(row, RowOk):
                    values = {one.name: _bare(one, outer if one.outer else part) for one in mapping.fields}
                    yield row.record, mapping, {name: text for name, text in values.items() if text}


def _bare(one: InField, view: Any) -> str:
    try:
        value = one.get(view)
    except RefusalError:
        return ""
    return "" if value is None or isinstance(value, bool | dict | list) else str(value)


def _numbers(found: Iterable[_Found]) -> Iterator[tuple[Record, str]]:
    for record, _, texts in found:
        text = next((texts[name] for name in texts if getattr(record, name) == record.lane), "")
        if len(text.strip()) >= _SHORTEST:
            yield record, text.strip()


# --- revisions --------------------------------------------------------------------------------------------------------


def _multiplies(made: Template, rows: Sequence[Row], reader: Reader, numbers: Texts) -> bool:
    again = _read(made, replaced(made.sample.body, numbers, made.encoding), reader)
    return len(again) == len(rows) and check(made, again, numbers)


def _read(made: Template, body: bytes, reader: Reader) -> list[Row]:
    try:
        return reader.rows(body, made.sample)
    except UndecodableError:
        return []


def _revise(made: Template, rows: Sequence[Row], reader: Reader, found: Sequence[_Found]) -> None:
    """Find what later revisions of the page differ in: as many as are newer, and look other, everywhere."""
    before = [made.records]
    times: dict[str, str] = {}
    for revision in range(2, REVISIONS + 1):
        moved = _moved(made, reader, found, times)
        if moved is None:
            return
        chosen = None
        for steps_too in (True, False):
            later = {text: new for text, new in moved.items() if steps_too or text in _times(found, event=False)}
            chosen = _changed(made, rows, reader, found, later, before, revision)
            if chosen is not None:
                break
        if chosen is None:
            return
        change, records = chosen
        before.append(records)
        made.changes.append(change)
        times = {text: change.get(text, text) for text in moved}


def _times(found: Sequence[_Found], *, event: bool) -> list[str]:
    named = [(record, texts.get(record.time_field or "", "")) for record, _, texts in found]
    return list(dict.fromkeys(text for record, text in named if text and record.event is event))


def _moved(made: Template, reader: Reader, found: Sequence[_Found], times: Texts) -> dict[str, str] | None:
    """Of each text of a time in the page, that of a later time; None where a snapshot's cannot be moved."""
    moved: dict[str, str] = {}
    for event in (False, True):
        for text in _times(found, event=event):
            if text in moved:
                continue
            now = times.get(text, text)
            later = _later(made, reader, found, text, now)
            if later is not None:
                moved[text] = later
            elif not event:
                return None
    return moved


def _later(made: Template, reader: Reader, found: Sequence[_Found], text: str, now: str) -> str | None:
    """Try the numbers in a text until the mapping reads a time a little later in its place."""
    places = [at for at, (record, _, texts) in enumerate(found) if texts.get(record.time_field or "") == text]
    was = _time_at(made, reader, text, now, places)
    best: tuple[timedelta, str] | None = None
    if was is None:
        return None
    for candidate in _bumped(now):
        at = _time_at(made, reader, text, candidate, places)
        if at is None or at - was < timedelta(seconds=1):
            continue
        if best is None or at - was < best[0]:
            best = at - was, candidate
        if best[0] <= _NEAR:
            break
    return None if best is None else best[1]


def _time_at(made: Template, reader: Reader, text: str, written: str, places: Sequence[int]) -> datetime | None:
    body = replaced(made.sample.body, {text: written}, made.encoding)
    sample = Sample(made.sample.source, body, made.sample.media, made.sample.label, made.sample.charset)
    try:
        found = list(_texts(sample, reader))
    except UndecodableError:
        return None
    if len(found) != len(made.records):
        return None
    return found[places[0]][0].source_time


def _bumped(text: str) -> Iterator[str]:
    """The text with one of its numbers a little greater, the last number first, small steps first."""
    for run in reversed(list(_RUN.finditer(text))):
        for power in range(len(run[0])):
            number = str(int(run[0]) + 10**power).zfill(len(run[0]))
            yield f"{text[: run.start()]}{number}{text[run.end() :]}"


def _changed(
    made: Template,
    rows: Sequence[Row],
    reader: Reader,
    found: Sequence[_Found],
    later: Texts,
    before: Sequence[Sequence[Record]],
    revision: int,
) -> tuple[dict[str, str], list[Record]] | None:
    """The texts that make the next revision visible at every destination, and its records; long texts first."""
    body = made.sample.body.decode(made.encoding)
    chosen: dict[str, str] = {}
    # What tells the time of its change, and events alone, show it by that.
    records = _holds(made, rows, reader, later, before) if later else None
    if records is not None and _shows(reader, before, records):
        return dict(later), records
    for texts in sorted(_values(found), key=lambda texts: -max(map(len, texts))):
        wanted = texts - {*made.numbers.values(), *later, *chosen}
        if not wanted or not all(_stands(body, text) for text in wanted):
            continue
        for altered in _altered(revision):
            attempt = {**chosen, **{text: altered(text) for text in wanted}}
            records = _holds(made, rows, reader, {**later, **attempt}, before)
            if records is None:
                continue
            if _shows(reader, before, records):
                return {**later, **attempt}, records
            if _shows_something(reader, before, records):
                chosen = attempt
            break
    return None


def _values(found: Sequence[_Found]) -> list[set[str]]:
    """The texts of each field of the snapshots, where they are long enough to be found."""
    fields: dict[tuple[str, str], set[str]] = {}
    for record, mapping, texts in found:
        for name, text in texts.items():
            if not record.event and len(text.strip()) >= _SHORTEST:
                fields.setdefault((mapping.name, name), set()).add(text.strip())
    return list(fields.values())


def _altered(revision: int) -> tuple[Callable[[str], str], ...]:
    return (lambda text: f"{text} ({revision})", lambda text: f"{text}{revision}", lambda text: f"{revision}{text[1:]}")


def _holds(
    made: Template, rows: Sequence[Row], reader: Reader, texts: Texts, before: Sequence[Sequence[Record]]
) -> list[Record] | None:
    """The records of a revision, None where it is not the same rows, or not later, or an event of before is other."""
    again = _read(made, replaced(made.sample.body, texts, made.encoding), reader)
    if len(again) != len(rows) or not check(made, again, {}):
        return None
    records = [row.record for row in again if isinstance(row, RowOk)]
    events = {(one.kind, one.key): one.facts() for earlier in before for one in earlier if one.event}
    for was, now in zip(before[-1], records, strict=True):
        if now.event:
            if events.get((now.kind, now.key), now.facts()) != now.facts():
                return None
        elif was.source_time is not None and (now.source_time is None or now.source_time <= was.source_time):
            return None
    if len({(one.kind, one.key) for one in records}) < len(records):
        return None
    return records


def _shows(reader: Reader, before: Sequence[Sequence[Record]], records: Sequence[Record]) -> bool:
    """Whether every destination sees the snapshots as they never were before, or, of events alone, new ones."""
    if all(one.event for one in records):
        known = {(one.kind, one.key) for earlier in before for one in earlier}
        return known.isdisjoint((one.kind, one.key) for one in records)
    return all(_differ(reader, earlier, records, all) for earlier in before)


def _shows_something(reader: Reader, before: Sequence[Sequence[Record]], records: Sequence[Record]) -> bool:
    return all(_differ(reader, earlier, records, any) for earlier in before)


def _differ(reader: Reader, was: Sequence[Record], now: Sequence[Record], of: Callable[[Iterable[bool]], bool]) -> bool:
    pairs = [(reader.seen(a), reader.seen(b)) for a, b in zip(was, now, strict=True) if not b.event]
    return of(a.keys() == b.keys() and all(a[name] != b[name] for name in b) for a, b in pairs)
