"""What of many samples a mapping reads, leaves aside on purpose or forgets, and how often it fills each field. Pure.

    counting = Coverage([mapping])
    counting.add(body, None, "hoso-0001.csv", register)     # as many as there are
    counting.sources(), counting.targets()

Memory grows with the number of places and fields, not with that of rows: at most MAX_PLACES are told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from lxml import etree

from mappings.converters import Scope
from mappings.document import Document
from mappings.explain import End, Views, fill, views
from mappings.inbound import InboundMapping, InField
from mappings.places import Parts, bare, leaves, names_in, parts, place_of, written
from mappings.refusal import RefusalError
from mappings.rows import NO_PROCEDURES, ReadContext, RowRefused
from mappings.target import targets
from schemas.agency import AgencyRegister
from schemas.procedure import ProcedureRegister

State: TypeAlias = Literal["mapped", "ignored", "forgotten"]

MAX_PLACES = 5000
"""Different places of a row that are told apart; a source with more has names that are data."""
_EXAMPLE = 60


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """One place of the source's rows over all samples."""

    path: str
    """From the beginning of the row, as `ignore` takes it."""
    state: State
    fields: tuple[str, ...]
    """The record's fields that are made of it; those of another mapping than the first with its name before."""
    reason: str
    """Why it is ignored."""
    rows: int
    """Rows of the source in which it stands."""
    valued: int
    """Of these, rows in which it has a value."""
    example: str | None
    """One value, shortened; as it stands in the sample."""


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field of a record over all samples. `filled + default + const + empty + refused` are the mapping's rows."""

    mapping: str
    field: str
    paths: tuple[str, ...]
    """Where it is read; empty for a constant, and where the mapping does not fill it."""
    mapped: bool
    line: int
    filled: int
    """With what stands in the row."""
    default: int
    const: int
    empty: int
    refused: int

    @property
    def never(self) -> bool:
        """Whether a field that is read got nothing of any row: its path may be wrong."""
        return bool(self.paths) and not self.filled and not self.refused and bool(self.default or self.empty)


@dataclass(slots=True)
class _Seen:
    rows: int = 0
    valued: int = 0
    example: str | None = None


@dataclass(frozen=True, slots=True)
class _Loose:
    """A field that is read by more than names."""

    told: str
    before: Parts
    names: frozenset[str]
    find: etree.XPath | None


@dataclass(slots=True)
class _Reading:
    """One mapping, and what its fields became so far."""

    mapping: InboundMapping
    ends: dict[str, Counter[End]]
    loose: list[tuple[InField, _Loose]] = field(default_factory=list)


class Coverage:
    """Counts over samples. All mappings have the same `from`, but for `inner` and `label`: they read the same rows."""

    def __init__(self, mappings: Sequence[InboundMapping]) -> None:
        """Raises: ValueError naming the mapping that reads other rows than the first."""
        odd = next((one for one in mappings if one.spec != mappings[0].spec), None)
        if odd is not None:
            raise ValueError(f"{odd.name} reads other rows than {mappings[0].name}: their `from` differ")
        self._holds = mappings[0].spec.holds
        self._seen: dict[Parts, _Seen] = {}
        self._exact: dict[Parts, dict[str, None]] = {}
        self._found: dict[Parts, dict[str, None]] = {}
        self._readings = [_Reading(one, {f.name: Counter() for f in one.fields}) for one in mappings]
        self.samples = self.rows = 0
        """Bodies, and the rows of the source in them."""
        self.records = self.refused = self.unread = 0
        """Records made, records refused, and of these the ones whose fields could not even be looked at."""
        self.places_left_out = 0
        """How often something stood at a place beyond MAX_PLACES."""
        for reading in self._readings:
            for one in reading.mapping.fields:
                self._note(reading, one)
            self._note_signs(reading.mapping)

    def _note_signs(self, mapping: InboundMapping) -> None:
        """What is read of a row to know that its dossier is deleted, or has another number."""
        signs = {"deleted": mapping.deleted.paths if mapping.deleted is not None else ()}
        signs["renumbered"] = (mapping.renumbered.path,) if mapping.renumbered is not None else ()
        for sign, paths in signs.items():
            for path in paths:
                place = parts(path, self._holds)
                if place is not None:
                    self._exact.setdefault(place, {})[sign] = None

    def _note(self, reading: _Reading, one: InField) -> None:
        mapping = reading.mapping
        before = parts(mapping.inner, self._holds) or () if mapping.inner and not one.outer else ()
        told = one.name if reading is self._readings[0] else f"{mapping.name}: {one.name}"
        for path in one.paths:
            place = parts(path, self._holds)
            if place is not None:
                self._exact.setdefault((*before, *place), {})[told] = None
                continue
            find = None
            if self._holds == "xml":
                # Unlike the mapping's own, this one has to know where in the row each value stands.
                names = dict(mapping.spec.namespaces) or None
                find = etree.XPath(path, namespaces=names, regexp=False, smart_strings=True)
            reading.loose.append((one, _Loose(told, before, names_in(path, self._holds), find)))

    def add(
        self,
        body: bytes,
        charset: str | None,
        label: str,
        agencies: AgencyRegister,
        procedures: ProcedureRegister = NO_PROCEDURES,
    ) -> None:
        """Count one sample. Raises: UndecodableError, and counts nothing then."""
        document = self._readings[0].mapping.decode(body, charset)
        for reading in self._readings[1:]:
            reading.mapping.check(document)
        self.samples += 1
        self.rows += len(document.rows)
        for column in document.columns or ():
            self._place((column,))
        for index, row in enumerate(document.rows):
            self._row(row, document, index)
        context = ReadContext(agencies, label, procedures)
        for reading in self._readings:
            self._count(reading, document, context)

    def _row(self, row: Any, document: Document, index: int) -> None:
        try:
            view = document.view(index)
        except RefusalError:
            return
        here: dict[Parts, str | None] = {}
        for leaf, value in leaves(row, view):
            here[leaf] = here.get(leaf) or value
        for leaf, value in here.items():
            seen = self._place(leaf)
            if seen is not None:
                seen.rows += 1
                seen.valued += value is not None
                if seen.example is None and value is not None:
                    told = " ".join(value.split())
                    seen.example = told if len(told) <= _EXAMPLE else f"{told[:_EXAMPLE]}…"

    def _place(self, leaf: Parts) -> _Seen | None:
        seen = self._seen.get(leaf)
        if seen is None:
            if len(self._seen) >= MAX_PLACES:
                self.places_left_out += 1
                return None
            seen = self._seen[leaf] = _Seen()
        return seen

    def _count(self, reading: _Reading, document: Document, context: ReadContext) -> None:
        mapping = reading.mapping
        of_row: dict[tuple[int, int], Views] = {one.position: one for one in views(mapping, document)}
        for index in range(len(document.rows)):
            for row in mapping.rows(document, index, context):
                wrong: set[str] = set()
                if isinstance(row, RowRefused):
                    self.refused += 1
                    wrong = {problem.field for problem in row.error.problems}
                else:
                    self.records += 1
                looked = of_row.get(row.position)
                if looked is None:
                    self.unread += 1
                    continue
                self._fields(reading, looked, wrong, Scope(context.agencies, {}, procedures=context.procedures))
                if reading.loose:
                    self._follow(reading, looked, document.rows[index])

    def _fields(self, reading: _Reading, row: Views, wrong: set[str], scope: Scope) -> None:
        values: dict[str, Any] = {}
        scope.values = values
        for one in reading.mapping.fields:
            end: End = "refused"
            if one.name not in wrong:
                try:
                    end, value = fill(one, row.outer if one.outer else row.view, scope)
                except RefusalError:
                    pass  # it waits for another field, which is told as refused
                else:
                    if value is not None:
                        values[one.name] = value
            reading.ends[one.name][end] += 1

    def _follow(self, reading: _Reading, row: Views, element: Any) -> None:
        for one, loose in reading.loose:
            if loose.find is None:
                continue
            found = loose.find((row.outer if one.outer else row.view)[""])
            for value in found if isinstance(found, list) else ():
                place = _whence(value, element)
                if place is not None:
                    self._found.setdefault(place, {})[loose.told] = None

    # --- what it comes to ---------------------------------------------------------------------------------------------

    def sources(self) -> list[SourcePlace]:
        """Every place of the rows, in the order in which they were met."""
        ignored = {
            place: reason
            for reading in self._readings
            for path, reason in reading.mapping.ignored.items()
            if (place := parts(path, self._holds)) is not None
        }
        holders = {leaf[:size] for leaf in self._seen for size in range(1, len(leaf))}
        told = []
        for leaf, seen in self._seen.items():
            if seen.valued == 0 and leaf in holders:
                continue  # an element or object that is empty here and not elsewhere: what it holds is told
            place = bare(leaf)
            users = self._users(place, empty=seen.valued == 0)
            reason = next((why for ahead, why in ignored.items() if place[: len(ahead)] == ahead), "")
            state: State = "mapped" if users else "ignored" if reason else "forgotten"
            path, why = written(leaf, self._holds), "" if users else reason
            told.append(SourcePlace(path, state, users, why, seen.rows, seen.valued, seen.example))
        return told

    def _users(self, place: Parts, *, empty: bool) -> tuple[str, ...]:
        users = dict(self._exact.get(place, {})) | self._found.get(place, {})
        for reading in self._readings:
            for _, loose in reading.loose:
                if place[: len(loose.before)] == loose.before and loose.names.issuperset(place[len(loose.before) :]):
                    users[loose.told] = None
        if empty and not users:
            # Where an empty list stands, the fields inside it are read as soon as there are any.
            users = {one: None for read, names in self._exact.items() if read[: len(place)] == place for one in names}
        return tuple(users)

    def targets(self) -> list[TargetField]:
        """Every field of every mapping's record, in the record's order."""
        told = []
        for reading in self._readings:
            by_name = {one.name: one for one in reading.mapping.fields}
            rows = sum(next(iter(reading.ends.values()), Counter[End]()).values())
            for name in targets(reading.mapping.model):
                one, ends = by_name.get(name), reading.ends.get(name, Counter[End](empty=rows))
                paths, line = (one.paths, one.line) if one is not None else ((), 0)
                counts = (ends["filled"], ends["default"], ends["const"], ends["empty"], ends["refused"])
                told.append(TargetField(reading.mapping.name, name, paths, one is not None, line, *counts))
        return told

    def hints(self, target: TargetField) -> list[str]:
        """Of each path of a field that was never filled, what is the matter with it: it is empty, or nowhere."""
        reading = next(one for one in self._readings if one.mapping.name == target.mapping)
        one = next(one for one in reading.mapping.fields if one.name == target.field)
        inner = reading.mapping.inner
        before = parts(inner, self._holds) or () if inner and not one.outer else ()
        known: Mapping[Parts, _Seen] = {bare(leaf): seen for leaf, seen in self._seen.items()}
        return [self._hint(path, before, known) for path in target.paths]

    def _hint(self, path: str, before: Parts, known: Mapping[Parts, _Seen]) -> str:
        place = parts(path, self._holds)
        if place is None:
            return f"{path} finds nothing"
        whole = (*before, *place)
        if whole in known:
            return f"{path} has values, but none comes of them" if known[whole].valued else f"{path} is always empty"
        beside = {written(leaf[len(before) :], self._holds): None for leaf in known if leaf[: len(before)] == before}
        folded = {name.casefold(): name for name in reversed(beside)}
        near = get_close_matches(path.casefold(), folded, 1)
        return f"{path} is nowhere" + (f", did you mean {folded[near[0]]}?" if near else "")


def _whence(value: Any, row: etree._Element) -> Parts | None:
    """Where in a row something stands that an XPath expression found."""
    if isinstance(value, etree._Element):
        return place_of(value, row)
    holder = value.getparent() if hasattr(value, "getparent") else None
    place = None if holder is None else place_of(holder, row)
    if place is None or not value.is_attribute:
        return place
    return (*place, f"@{str(value.attrname).rpartition('}')[2]}")
