"""Reads what each agency has to correct from the ledger: rejected rows, and what portals refused.

Parked rows are not told to agencies: they are the hub's own to mend. But for a procedure that the register does not
know: the agency may have used a code that is wrong, or one that has ended. A row belongs to the agency that it names
itself, else to the agency of its accepted record, else to that of its source; where none is known, to the source.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from hub.agency_files import Line, Owner, hide_numbers
from hub.answers import AnswerTable, load_answers
from hub.ledger.items import Item, ItemFilter
from hub.ledger.read import Reader
from hub.ledger.views import DeadDetail
from hub.refusals import explain, of_a_procedure
from hub.rulebook import Rulebook
from hub.sections import Deployment
from schemas.agency import AgencyRegister
from schemas.errors import CodeUnknownError, ConfigError
from schemas.local_time import LOCAL
from schemas.record import lane_of

log = logging.getLogger(__name__)

BY_THE_HUB = "Trục liên thông"
_NOT_SENT = "not-sent"
"""The code of a dead letter that our own mapping refused, so that no portal has seen it."""


def errors_of(reader: Reader, deployment: Deployment, rules: Rulebook | None, day: date) -> dict[Owner, Sequence[Line]]:
    """What each agency has to correct that was read or refused until the end of `day` (in Viet Nam) and is open now."""
    end = datetime.combine(day + timedelta(days=1), time(), LOCAL)
    owners = _Owners(deployment, deployment.agencies if rules is None else rules.agencies, day)
    found: dict[Owner, list[Line]] = defaultdict(list)
    for item in _newest(reader.each_item(ItemFilter(until=end))):
        if item.state == "rejected" or (item.state == "parked" and any(of_a_procedure(f.reason) for f in item.faults)):
            found[owners.of(item.agency, item.source)] += _of_item(item)
    answers = _answers(deployment)
    for one in reader.refused_by_portals(end):
        try:
            letter = reader.dead_letter(one.dispatch_id)
        except KeyError:  # replayed or discarded meanwhile
            continue
        source = letter.letter.source
        found[owners.of(one.agency, source)] += _of_letter(letter, rules, answers)
    return {owner: lines for owner, lines in found.items() if lines}


def _newest(items: Iterable[Item]) -> Iterable[Item]:
    """Of each record's refused rows the last one: what was wrong before it, the agency has changed since."""
    kept: dict[object, Item] = {}
    for item in items:
        kept[item.id if item.key is None else (item.source, item.kind, item.key)] = item
    return kept.values()


class _Owners:
    """Whose file a row belongs into."""

    def __init__(self, deployment: Deployment, register: AgencyRegister, day: date) -> None:
        self._register, self._sources = register, deployment.sources
        self._day = day
        self._of_source: dict[str, Owner] = {}

    def of(self, agency: str | None, source: str) -> Owner:
        """The agency where it is known, else that of the source, else the source itself."""
        if agency is not None:
            known = self._register.get(agency)
            return Owner(agency, known.name if known else agency)
        if source not in self._of_source:
            self._of_source[source] = self._sourced(source)
        return self._of_source[source]

    def _sourced(self, source: str) -> Owner:
        section = self._sources.get(source)
        name = section.agency_name if section else None
        if not name:
            return Owner(source, source)
        try:
            agency = self._register.resolve(name, self._day)
        except CodeUnknownError:
            return Owner(source, name)
        return Owner(agency.code, agency.name)


def _of_item(item: Item) -> Iterator[Line]:
    """A line per value that the agency has to correct; what only we can mend in the same row is not told."""
    at_fault = [fault.value for fault in item.faults if fault.value] + [item.dossier or ""]
    for fault in item.faults:
        if fault.verdict != "reject" and not of_a_procedure(fault.reason):
            continue
        said = explain(fault.reason, item.state)
        yield Line(
            dossier=item.dossier or "",
            field=fault.path or fault.field or "",
            value=fault.value or "",
            wrong=hide_numbers(said.vietnamese, at_fault),
            mend=said.mend_vietnamese,
            at=item.read_at,
            refused_by=BY_THE_HUB,
            reference=item.id,
            wrong_english=hide_numbers(said.english, at_fault),
            mend_english=said.mend_english,
        )


def _of_letter(found: DeadDetail, rules: Rulebook | None, answers: Mapping[str, AnswerTable]) -> Iterator[Line]:
    """A line per place in the agency's row; one that names the portal's field where the place is not known."""
    from hub.blame import blame

    letter = found.letter
    table = answers.get(letter.destination)
    said = blame(found, rules, table)
    unsent = letter.code == _NOT_SENT
    if unsent and not said.places:
        return  # ours: no value of the agency has a part in it
    dossier = lane_of(letter.kind, letter.key)
    at_fault = [dossier, letter.value or "", *(place.value or "" for place in said.places)]
    places = [(place.path, place.value or "") for place in said.places]
    for field, value in places or [(said.payload_field or "", letter.value or "")]:
        yield Line(
            dossier=dossier,
            field=field,
            value=value,
            wrong=hide_numbers(said.vietnamese, at_fault),
            mend=hide_numbers(said.mend_vietnamese, at_fault),
            at=letter.died_at,
            refused_by=BY_THE_HUB if unsent else table.title if table else letter.destination,
            reference=f"#{letter.dispatch_id}",
            wrong_english=hide_numbers(said.english, at_fault),
            mend_english=hide_numbers(said.mend_english, at_fault),
        )


def _answers(deployment: Deployment) -> dict[str, AnswerTable]:
    tables = {}
    for name, section in deployment.destinations.items():
        try:
            tables[name] = load_answers(section.answers or section.adapter, deployment.folder)
        except ConfigError as error:
            # What is wrong with it is told by `hub check`; agencies are told of their rows all the same.
            log.warning("the answers of %s cannot be read: %s", name, error)
    return tables
