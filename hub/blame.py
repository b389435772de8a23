"""A portal's refusal translated back: to the field of the payload, the field of the record, the agency's own field.

The portal names a member of the payload (MaTTHC); the outbound mapping says which field of the record that is made of
(procedure_code); the inbound mapping of the source says from which path of the agency's row it was read (MaThuTuc);
the bytes that were kept say what stands there. A link that is not known is said to be unknown, and the rest is told.
What our own mapping could not render goes the same way, from the record's field on.

Pure. The values in a `Blame` are as they are: who shows it to people who may not see personal data gives `mask`, or
masks every text himself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hub.answers import AnswerTable
from hub.answers.naming import in_words
from hub.blame_words import Facts, Spot, english, vietnamese
from hub.ledger.views import DeadDetail
from hub.rulebook import Rulebook
from mappings.inbound import InboundMapping
from mappings.origins import Standing, members_of, of_field, of_member, values_at
from mappings.outbound import OutboundMapping
from schemas.record import KINDS, lane_of

NOT_SENT = "not-sent"
"""The code of a dead letter that our own mapping refused: it names the record's field, and no portal was asked."""


@dataclass(frozen=True, slots=True)
class BlamePlace:
    """One place in the agency's own row."""

    path: str
    """As the agency's system names it: `MaThuTuc`, `QuaTrinh/Buoc/NguoiXuLy`, `MA_TTHC`."""
    value: str | None
    """What stands there, at most 200 characters; None where nothing does, or where the bytes cannot be read."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Who has to mend what, in words for people."""

    payload_field: str | None
    """The member of the payload that the portal refused; None where it named none."""
    fields: tuple[str, ...]
    """The fields of the canonical record that it is made of."""
    places: tuple[BlamePlace, ...]
    """Where in the agency's row these are read from; empty where that is not known, or where no row has a part in
    it."""
    vietnamese: str
    english: str
    mend_vietnamese: str
    mend_english: str


class Hides(Protocol):
    """What hides personal values; `hub.cli.masking.Mask` does."""

    def value(self, kind: str | None, field: str | None, value: str | None) -> str | None:
        """A value of a field of a record; `field` None where nobody knows whose it is."""
        ...

    def text(self, text: str) -> str: ...


class _Nothing:
    """Hides nothing."""

    def value(self, kind: str | None, field: str | None, value: str | None) -> str | None:
        return value

    def text(self, text: str) -> str:
        return text


def blame(
    found: DeadDetail, rulebook: Rulebook | None, answers: AnswerTable | None, *, mask: Hides | None = None
) -> Blame:
    """Say why a dead letter died in the agency's own words. Never raises for what the bytes or the mappings hold.

    `rulebook` None (no configuration at hand) ends the chain at what the dead letter itself says; `answers` is the
    table of the destination. Every value passes through `mask` where one is given.
    """
    letter, hides = found.letter, mask or _Nothing()
    outbound = rulebook.outbound.get(letter.destination, {}).get(letter.kind) if rulebook else None
    member, fields = refused(letter.kind, letter.code, letter.path, letter.text, outbound, answers)
    made = of_member(outbound, member) if outbound and member else None
    mappings = rulebook.inbound.get(letter.source, ()) if rulebook else ()
    reader = reader_of(mappings, letter.kind, _label(found), found.mapping)
    raw = _values(found, rulebook, reader, fields)
    spots: list[Spot] = []
    places: list[BlamePlace] = []
    hidden: list[tuple[str | None, str | None]] = []
    for field in fields:
        place = of_field(reader, field) if reader else None
        standing = raw.get(field) if raw else None
        value = standing.value if standing else None
        shown = hides.value(letter.kind, field, value)
        hidden.append((value, shown))
        for path, there in standing.places if standing else [(path, None) for path in place.paths] if place else ():
            places.append(BlamePlace(path, hides.value(letter.kind, field, there)))
            hidden.append((there, places[-1].value))
        spots.append(
            Spot(
                field=field,
                paths=place.paths if place else (),
                value=shown,
                read=raw is not None,
                filled=place is not None or reader is None,
                coded=bool(place and {"table", "agency"} & {*place.made_by}),
                otherwise=None if place is None or place.otherwise is None else _plain(place.otherwise),
            )
        )
    sent = hides.value(letter.kind, fields[0] if fields else None, letter.value)
    hidden.append((letter.value, sent))
    text = letter.text
    for value, shown in hidden:
        if value and shown is not None and value != shown:
            text = text.replace(value, shown)
    facts = Facts(
        portal=answers.title if answers else letter.destination,
        kind=letter.kind,
        event=letter.kind in KINDS and KINDS[letter.kind].event,
        number=lane_of(letter.kind, letter.key),
        letter=letter.dispatch_id,
        unsent=letter.code == NOT_SENT,
        fault=letter.fault,
        attempts=letter.attempts,
        said=hides.text(text),
        member=member,
        sent=sent,
        constant=None if made is None or made.reads else _plain(made.otherwise),
        coded=bool(made and {"table", "agency"} & {*made.made_by}),
        spots=tuple(spots),
        configured=rulebook is not None,
        outbound=outbound.name if outbound else "",
        inbound=reader.name if reader else "",
        changed=bool(reader and found.mapping and reader.digest[: len(found.mapping)] != found.mapping),
    )
    what_vi, mend_vi = vietnamese(facts)
    what_en, mend_en = english(facts)
    return Blame(member, fields, tuple(places), what_vi, what_en, mend_vi, mend_en)


def refused(
    kind: str, code: str, path: str | None, text: str, outbound: OutboundMapping | None, answers: AnswerTable | None
) -> tuple[str | None, tuple[str, ...]]:
    """The member of the payload that was refused, and the fields of the record that it is made of.

    None and empty where they are not known; `code`, `path` and `text` are those of the fault.
    """
    model = KINDS.get(kind)
    if path and code == NOT_SENT:
        members = members_of(outbound, path) if outbound else ()
        named = in_words(text, members)
        member = members[0] if len(members) == 1 else None if named is None else named.field
        return member, (path,)
    if path:
        made = of_member(outbound, path) if outbound else None
        if made is not None:
            return made.name, (made.reads,) if made.reads else ()
        known = model is not None and path in model.model_fields
        return (None, (path,)) if known else (path, ())
    if outbound is None:
        return None, ()
    names = {one.name: "" for one in outbound.fields}
    name = answers.field_in(text, names) if answers else None
    if answers is None and (word := in_words(text, names)) is not None:
        name = word.field
    made = of_member(outbound, name) if name else None
    return name, (made.reads,) if made and made.reads else ()


def reader_of(mappings: Sequence[InboundMapping], kind: str, label: str, digest: str | None) -> InboundMapping | None:
    """The mapping of a source that read a record of that kind, or the one that would read it now."""
    able = [one for one in mappings if one.kind == kind and one.applies(label)]
    same = [one for one in able if digest and one.digest.startswith(digest)]
    return next(iter(same or able), None)


def _values(
    found: DeadDetail, rulebook: Rulebook | None, reader: InboundMapping | None, fields: tuple[str, ...]
) -> Mapping[str, Standing] | None:
    """What stands in the agency's row for these fields; None where the row cannot be read."""
    if rulebook is None or reader is None or found.original is None or found.row is None or not fields:
        return None
    mappings = rulebook.inbound[found.letter.source]
    return values_at(mappings, reader, found.original, found.charset, _label(found), found.row, fields)


def _label(found: DeadDetail) -> str:
    """Of the page or file that was read: a correction is an arrival with a label of its own."""
    return found.original_label or found.letter.arrival_label


def _plain(value: object) -> str:
    return str(getattr(value, "value", value))
