"""What a person's correction of a dead letter makes of its record. Pure; the ledger writes it (`hub.ledger.correct`).

Either fields are given other values, held to the same rules as what is read, or the row that the record was made of is
mapped again with the mapping now in force. Which record it is cannot be corrected: its key is what the source, the
portals and the ledger know it by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

import orjson
from pydantic import ValidationError

from hub.ledger.correct import Correction
from hub.ledger.values import Candidate, SourceLease, from_us
from hub.ledger.views import DeadDetail
from hub.ports import Arrival
from hub.process import candidate_of, process
from hub.rulebook import Rulebook
from mappings.notation import nearest
from mappings.rows import RowOk
from mappings.target import Target, targets
from schemas.errors import CodeUnknownError, OperationRefused
from schemas.local_time import LOCAL, local_date
from schemas.record import Record, kind, refusals

_FORMS = ("%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S")


def corrected(found: DeadDetail, changes: Mapping[str, str], rules: Rulebook, digest_key: bytes) -> Correction:
    """Give fields other values; an empty one takes the value away.

    Raises: OperationRefused that names every field and value that is not right.
    """
    content, model = _checked(found), kind(found.letter.kind)
    known = targets(model)
    problems: list[str] = []
    values = dict(content)
    for name, text in changes.items():
        if name not in known:
            problems.append(f"{model.kind} has no field {name!r}: {nearest(name, known)}")
            continue
        if name == model.time_field and not model.event:
            problems.append(f"{name} is the source's own time of change, by which revisions are ordered")
            continue
        try:
            values[name] = _value(known[name], text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    record = None
    if not problems:
        left = {name: value for name, value in values.items() if value is not None}
        try:
            record = model.from_json(orjson.dumps(left))
        except ValidationError as error:
            problems = [str(one) for one in refusals(error)]
    if problems or record is None:
        raise OperationRefused("the correction is not right: " + "; ".join(problems))
    _same_record(found, record)
    _known_agency(changes, record, rules)
    destinations = rules.route(found.letter.source, record.kind, getattr(record, "agency", None))
    made = candidate_of(RowOk((0, 0), record), destinations, "", {record.kind: ""}, digest_key, 0)
    return _correction(found, "corrected", made, content)


def remapped(found: DeadDetail, rules: Rulebook, digest_key: bytes) -> Correction:
    """Map the row that it was made of again. Raises: OperationRefused where no such record comes of it, or the same."""
    content, letter = _checked(found), found.letter
    if found.original is None:
        raise OperationRefused(f"the bytes of #{letter.dispatch_id} have been pruned: correct it with --set")
    if not rules.inbound.get(letter.source):
        raise OperationRefused(f"the configuration has no source {letter.source!r} any more")
    media: Any = found.media
    long_ago = from_us(0)
    arrival = Arrival("", letter.source, found.original, media, long_ago, long_ago, found.original_label,
                      charset=found.charset)  # fmt: skip
    page = process(arrival, rules, SourceLease(letter.source, 0, "{}", None, 0), digest_key)
    if page.undecodable:
        raise OperationRefused(f"{found.original_label} cannot be decoded with the mapping now in force: "
                               f"{page.undecodable}")  # fmt: skip
    mine = [one for one in page.candidates if (one.kind, one.key) == (letter.kind, letter.key)]
    if not mine:
        place = found.row or (-1, -1)
        why = [one.reason for one in page.refusals if one.key == letter.key or (one.row, one.part) == place]
        said = why[0] if why else "none of its rows makes this record"
        raise OperationRefused(f"mapped again, {found.original_label} does not make this record: {said}")
    at_its_place = [one for one in mine if (one.row, one.part) == found.row]
    return _correction(found, "remapped", (at_its_place or mine)[-1], content)


def _checked(found: DeadDetail) -> Mapping[str, Any]:
    letter = found.letter
    if found.content is None:
        raise OperationRefused(f"the record of #{letter.dispatch_id} has been pruned; the source has to show it again")
    if letter.revision != found.newest:
        raise OperationRefused(
            f"#{letter.dispatch_id} carries revision {letter.revision}, and revision {found.newest} has been read "
            "since: what has to be corrected is that one"
        )
    return found.content


def _value(target: Target, text: str) -> Any:
    """A value as it is written by hand, as JSON has it. Raises: ValueError that says what fits."""
    text = normalize("NFC", text).strip()
    if not text:
        if target.required:
            raise ValueError("is required, it cannot be taken away")
        return None
    if target.enum is not None:
        fitting = [member.value for member in target.enum if str(member.value) == text]
        if not fitting:
            raise ValueError(f"{text!r} is none of the codes {', '.join(target.members)}")
        return fitting[0]
    if issubclass(target.holds, bool):
        if text not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text == "true"
    if issubclass(target.holds, int):
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19):
            raise ValueError(f"{text!r} is no whole number")
        return int(text)
    return _moment(text) if issubclass(target.holds, datetime) else text


def _moment(text: str) -> str:
    at: datetime | None = None
    for form in _FORMS:
        try:
            at = datetime.strptime(text, form).replace(tzinfo=LOCAL)
        except ValueError:
            continue
    if at is None:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no time; write 2026-11-20 08:00 or 20/11/2026 08:00, Viet Nam") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=LOCAL)
    try:
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError(f"{text!r} is out of all time") from None


def _same_record(found: DeadDetail, record: Record) -> None:
    if record.key != found.letter.key:
        raise OperationRefused(
            "the correction would make another record of it: the key of "
            f"{'a step is made of its dossier, time, person and status' if record.event else 'a dossier is its number'}"
            "; discard this one, and let the agency correct its own row"
        )


def _known_agency(changes: Mapping[str, str], record: Record, rules: Rulebook) -> None:
    """An agency that is written by hand has to be in the register, by its own code."""
    code = getattr(record, "agency", None)
    if "agency" not in changes or code is None:
        return
    on = getattr(record, "received_at", None) or record.source_time
    try:
        own = rules.agencies.resolve(code, local_date(on)) if on is not None else rules.agencies.get(code)
    except CodeUnknownError as error:
        raise OperationRefused(f"the correction is not right: agency: {error}") from error
    if own is None or own.code != code:
        mend = "" if own is None else f": write {own.code!r}"
        raise OperationRefused(f"the correction is not right: agency: {code!r} is no code of the register{mend}")


def _correction(found: DeadDetail, cause: str, made: Candidate, before: Mapping[str, Any]) -> Correction:
    after = orjson.loads(made.body)
    fields: Sequence[str] = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    time_field = kind(made.kind).time_field
    if not [name for name in fields if name != time_field]:
        how = "the mapping now in force makes the same record" if cause == "remapped" else "nothing would change"
        raise OperationRefused(f"{how}: to send #{found.letter.dispatch_id} again as it is, replay it")
    return Correction(found.letter.dispatch_id, found.head_id, found.letter.revision, cause, made, fields)
