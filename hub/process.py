"""What an arrival becomes: decode, split, translate, validate, route. Pure: no clock, no I/O; the ledger settles the
result.

Every row ends in a named state: a candidate (the ledger then decides whether it is new), a refusal with its reason,
or, where the bytes themselves cannot be read, the whole arrival as undecodable.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import orjson

from hub.ledger.left_out import before_start
from hub.ledger.pages import pack
from hub.ledger.renumbered import RENUMBERED, reason_of, told
from hub.ledger.states import ItemState
from hub.ledger.values import Candidate, Refusal, Renumbering, Settlement, SourceLease, to_us
from hub.nowhere import told_nowhere
from hub.ports import Arrival
from hub.rulebook import Rulebook
from mappings import read_all
from mappings.rows import ReadContext, RowOk, RowRefused
from schemas.errors import RefusedValueError, UndecodableError
from schemas.record import Record

DIGEST_BYTES = 16
DELETED = "deleted at its source"
"""Why the record of a row that says so goes to nobody."""
GONE = (DELETED, RENUMBERED)
"""How the reasons begin of what no route can change: the source itself says that it is no more."""
KEY_LIMIT = 300
"""Characters: no key of a record is longer, and an index of PostgreSQL takes no more than some thousand bytes."""


def process(arrival: Arrival, rules: Rulebook, lease: SourceLease, digest_key: bytes) -> Settlement:
    """Process one arrival. Never raises for what a sender sent: what cannot be decoded comes back as `undecodable`."""
    digest = _digest(arrival.body, digest_key)
    floor_us = lease.polled_us + 1
    packed = pack(arrival.body)
    mappings = rules.inbound[arrival.source]
    kinds = {mapping.name: mapping.kind for mapping in mappings}
    versions = {mapping.kind: mapping.digest[:16] for mapping in mappings}
    try:
        rows = read_all(
            mappings,
            arrival.body,
            charset=arrival.charset,
            context=ReadContext(rules.agencies, arrival.label, rules.procedures),
        )
    except UndecodableError as error:
        return Settlement(
            arrival, digest, packed, None, (), (), lease.epoch, lease.cursor, str(error), floor_us, rules.configuration
        )
    rows = told_nowhere(mappings, arrival.body, arrival.charset, rows)
    routed: dict[tuple[str, str | None], tuple[tuple[str, ...], str]] = {}
    candidates: list[Candidate] = []
    refusals: list[Refusal] = []
    bodies: list[bytes] = []
    offset = 0
    for row in rows:
        if isinstance(row, RowRefused):
            refusals.append(_refusal(row, kinds, digest_key))
            continue
        record = row.record
        way = record.kind, getattr(record, "agency", None)
        if way not in routed:
            to = rules.route(arrival.source, *way)
            routed[way] = to, "" if to else rules.no_route(arrival.source, *way)
        to, nobody = ((), DELETED) if row.deleted else routed[way]
        moved = row.renumbered
        if moved is not None and moved.old == record.lane:
            to, nobody = (), nobody if row.deleted else reason_of(moved.new)
        candidate = candidate_of(row, to, nobody, versions, digest_key, offset)
        if moved is not None and not record.event and not row.deleted:
            candidate.renumbered = Renumbering(moved.old, moved.new, told(moved.old, moved.new, digest_key))
        candidates.append(candidate)
        bodies.append(candidate.body)
        offset += len(candidate.body)
    records = pack(b"".join(bodies)) if bodies else None
    if arrival.source in rules.start_from_us:
        leave_out(candidates, rules.start_from_us[arrival.source])
    return Settlement(
        arrival, digest, packed, records, candidates, refusals, lease.epoch, lease.cursor, "", floor_us,
        rules.configuration,
    )  # fmt: skip


def leave_out(candidates: Sequence[Candidate], start_us: int) -> None:
    """Let what changed before `start_us` go to nobody, with that as the reason. What has no time of its own is let in.

    A dossier of which something else is let in is needed all the same; `hub.admission` lets it in then.
    """
    reason = before_start(start_us)
    for c in candidates:
        if c.changed_us is not None and c.changed_us < start_us and not c.no_route:
            c.destinations, c.no_route = (), reason


def candidate_of(
    row: RowOk, destinations: tuple[str, ...], no_route: str, versions: dict[str, str], digest_key: bytes, offset: int
) -> Candidate:
    """What a record is to the ledger; `versions` gives the mapping's digest of each kind."""
    record: Record = row.record
    changed_at = record.source_time
    facts = record.facts()
    return Candidate(
        row=row.position[0],
        part=row.position[1],
        kind=record.kind,
        key=record.key,
        lane=record.lane,
        event=record.event,
        changed_us=None if changed_at is None else to_us(changed_at),
        digest=_digest(facts, digest_key),
        offset_bytes=offset,
        body=record.to_json(facts),
        destinations=destinations,
        mapping=versions[record.kind],
        counted=record.counted(),
        no_route=no_route,
        agency=getattr(record, "agency", None),
    )


def _refusal(row: RowRefused, kinds: dict[str, str], digest_key: bytes) -> Refusal:
    kind = kinds.get(row.error.mapping, "")
    problems = [_problem(problem) for problem in row.error.problems]
    # Whose row it is goes with the first: of the few rows that are refused, agencies and people ask.
    about = {"agency": row.agency, "lane": _named(row.lane)}
    problems[0] |= {name: value for name, value in about.items() if value is not None}
    return Refusal(
        row=row.position[0],
        part=row.position[1],
        kind=kind,
        key=_named(row.key),
        state=ItemState.PARKED if row.verdict == "park" else ItemState.REJECTED,
        reason=str(row.error),
        problems=orjson.dumps(problems).decode(),
        raw_digest=_digest(kind.encode() + b"\0" + row.raw, digest_key),
    )


def _named(key: str | None) -> str | None:
    """The key of a refused row where it can be one: a value that was refused may be anything, of any length."""
    return key if key and len(key) <= KEY_LIMIT and key.isprintable() else None


def _problem(problem: RefusedValueError) -> dict[str, str | None]:
    return {
        "mapping": problem.mapping,
        "field": problem.field,
        "path": problem.path,
        "value": problem.value,
        "reason": problem.reason,
        "verdict": problem.verdict,
    }


def _digest(content: bytes, key: bytes) -> str:
    """A keyed digest: identity numbers are few enough to be guessed from a bare one (R16)."""
    return blake2b(content, key=key, digest_size=DIGEST_BYTES).hexdigest()
