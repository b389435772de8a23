"""A mapping from a legacy shape to canonical records: compiled once to closures, then pure and thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from unicodedata import normalize

from pydantic import ValidationError

from mappings.around import Around
from mappings.converters import Convert, Scope
from mappings.decode import SourceSpec
from mappings.document import Document, decoder
from mappings.refusal import MootError, RefusalError
from mappings.renumbering import Renumbering
from mappings.rows import ReadContext, RefusedRowError, Row, RowOk, RowRefused, shown
from mappings.shapes import Getter, shape_of
from mappings.whence import Condition
from schemas.errors import RefusedValueError, UndecodableError
from schemas.record import Record

MAX_REFUSED = 20_000
"""Refused rows of one body beyond which the whole is refused: the mapping does not fit it, or somebody means harm."""

MAX_REFUSED_BYTES = 128 * 1024 * 1024
"""As MAX_REFUSED, of their bytes: each carries what the mapping reads of the row around it."""

Fill: TypeAlias = Callable[[Any, Scope], Any]
"""From the view of a row and the scope to the field's value, None for none. Raises: RefusalError."""


class Step(NamedTuple):
    """One converter of a field by itself."""

    name: str
    convert: Convert
    sees_none: bool


class Quick(NamedTuple):
    """How a field is filled from text that stands in the view itself, by one converter at most."""

    key: str
    convert: Convert | None
    wanted: bool
    """True where "no value" is a refusal or something else than no value; then `fill` says what."""


@dataclass(frozen=True, slots=True)
class InField:
    """One compiled field; `get` is the bare value at its path, for errors; `outer` reads the row around the row."""

    name: str
    path: str
    outer: bool
    get: Getter
    fill: Fill
    quick: Quick | None = None
    """Does what `fill` does, without a call; None where the way is longer."""
    made_by: tuple[str, ...] = ()
    """The names of its converters, in their order; for `mappings.origins`."""
    otherwise: Any = None
    """Its constant, or what stands for no value; None for none."""
    paths: tuple[str, ...] = ()
    """Every place of the row that is read to find the value; `path` names them for people."""
    chain: tuple[Step, ...] = ()
    """Its converters one by one, for `mappings.explain`; `fill` is what is run."""
    line: int = 0
    """Where it stands in the mapping's file."""
    around: Around | None = None
    """Finds the value around the rows, once for all of them; None for a field of the row."""


@dataclass(frozen=True, slots=True)
class InboundMapping:
    """Reads bodies of one shape into records of one kind. Make it with `mappings.catalogue.load`."""

    name: str
    kind: str
    digest: str
    """SHA-256 (hex) of the text of the mapping and of its tables."""
    summary: str
    spec: SourceSpec
    inner: str
    """The path of the rows inside a row; "" where the row itself is the record."""
    label: str
    """A glob pattern: the mapping reads only arrivals whose label fits, where several mappings read one source."""
    model: type[Record]
    fields: tuple[InField, ...]
    """In the order in which they are filled."""
    parts: Callable[[Any], Sequence[Any]] | None
    """`inner`, compiled: from the view of a row to the rows inside it; None where there is no `inner`."""
    deleted: Condition | None = None
    """By what a row of the page says that it is deleted at its source; None where it cannot."""
    renumbered: Renumbering | None = None
    """By what a row of the page says that its dossier got another number; None where it cannot."""
    ignored: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Places of the row that nobody reads on purpose, with the reason; for `mappings.coverage`."""
    requires: frozenset[str] = field(default=frozenset(), compare=False)
    """Registers without which it cannot do its work: `procedures`."""
    facts: str = field(default="", compare=False)
    """Where it is known from what the system says or takes, for people; "" where nobody wrote it down."""
    assumed: tuple[str, ...] = field(default=(), compare=False)
    """What of it nobody has seen: to be looked at before it goes to work."""
    files: tuple[Path, ...] = field(default=(), compare=False)
    """Its own file, then those of its tables."""
    around: tuple[InField, ...] = field(init=False)
    """The fields whose values stand around the rows."""
    steps: tuple[tuple[str, str | None, Convert | None, bool, bool, Fill], ...] = field(init=False)
    """Of each field its name, the parts of its quick way, outer and fill: what `_quickly` goes through."""

    def __post_init__(self) -> None:
        steps = ((f.name, *(f.quick or (None, None, True)), f.outer, f.fill) for f in self.fields)
        object.__setattr__(self, "steps", tuple(steps))
        object.__setattr__(self, "around", tuple(f for f in self.fields if f.around is not None))

    @property
    def format(self) -> str:
        return self.spec.format

    def applies(self, label: str) -> bool:
        """Whether an arrival of that label is for this mapping."""
        return not self.label or fnmatchcase(label.replace("\\", "/").rpartition("/")[2], self.label)

    def read(self, body: bytes, *, charset: str | None, context: ReadContext) -> Iterator[Row]:
        """The rows of a body, in order. Raises: UndecodableError, at once, for a body that is not of the shape."""
        document = self.decode(body, charset)
        return (row for index in range(len(document.rows)) for row in self.rows(document, index, context))

    def decode(self, body: bytes, charset: str | None) -> Document:
        """Decode for `rows`; every mapping with an equal `spec` can read the document. Raises: UndecodableError."""
        document = decoder(self.spec)(body, charset)
        self.check(document)
        return document

    def check(self, document: Document) -> None:
        """Raises: UndecodableError where the header of a table lacks a column that a field reads."""
        if document.columns is not None:
            # Once each: two fields may read one column.
            read = [path for f in self.fields for path in f.paths]
            read += self.deleted.paths if self.deleted is not None else ()
            read += [self.renumbered.path] if self.renumbered is not None else []
            lacking = list(dict.fromkeys(path for path in read if path not in document.columns))
            if lacking:
                has = shown(", ".join(document.columns))
                alike = {name.casefold() for name in document.columns}
                hint = " (small and capital letters differ)" if any(p.casefold() in alike for p in lacking) else ""
                raise UndecodableError(f"the header lacks {', '.join(lacking)}{hint}; its columns are {has}")

    def reread(self, raw: bytes, context: ReadContext) -> list[Row]:
        """Read a `RowRefused.raw` again, after the mend; positions start at (0, 0). Raises: UndecodableError."""
        shape = shape_of(self.spec)
        document = Document(shape, [shape.again(raw)], lambda index: "the kept row", None)
        return self.rows(document, 0, context)

    def rows(self, document: Document, index: int, context: ReadContext, first: int = 0) -> list[Row]:
        """The rows that one row of the page makes, at positions (index, first), (index, first + 1) and so on."""
        try:
            view = document.view(index)
            inside = self.parts(view) if self.parts is not None else ()
            deleted = self.deleted is not None and self.deleted.holds(view)
            around = self._around(document, context.label) if self.around else None
            scope = Scope(context.agencies, {}, around, context.procedures)
            other = None if self.renumbered is None else self.renumbered.other(view, scope)
        except RefusalError as error:
            return [self._unread(error, (index, first), self._place(document, index))]
        made = self._rows(document, index, view, inside, scope, first, deleted)
        if other is None or self.renumbered is None:
            return made
        told = self.renumbered
        return [replace(row, renumbered=told.of(row.record, other)) if isinstance(row, RowOk) else row for row in made]

    def _rows(
        self,
        document: Document,
        index: int,
        view: Any,
        inside: Sequence[Any],
        scope: Scope,
        first: int,
        deleted: bool,
    ) -> list[Row]:
        shape = document.shape
        if self.parts is None:
            record = self._quickly(view, view, scope)
            if record is not None:
                return [RowOk((index, first), record, deleted)]
            return [self._carefully(view, view, scope, (index, first), self._place(document, index), deleted)]
        made: list[Row] = []
        for number, part in enumerate(inside):
            position = index, first + number
            try:
                within = shape.view(part)
                record = self._quickly(within, view, scope)
                if record is not None:
                    made.append(RowOk(position, record, deleted))
                else:
                    place = self._inner_place(document, index, number, part)
                    made.append(self._carefully(within, view, scope, position, place, deleted))
            except RefusalError as error:
                made.append(self._unread(error, position, self._inner_place(document, index, number, part)))
        return made

    def _around(self, document: Document, label: str) -> dict[str, Any]:
        """The values around the rows by their fields, or why there is none; found once for a document."""
        found = {}
        for one in self.around:
            key = self.name, one.name, label
            if key not in document.around:
                try:
                    assert one.around is not None
                    value = one.around(document.roots, label)
                    document.around[key] = tidy(value) if type(value) is str else value
                except RefusalError as error:
                    document.around[key] = error
            found[one.name] = document.around[key]
        return found

    def _place(self, document: Document, index: int) -> _Place:
        return _Place(lambda: document.shape.canonical(document.rows[index]), lambda: document.place(index))

    def _inner_place(self, document: Document, index: int, number: int, part: Any) -> _Place:
        def raw() -> bytes:
            outer = [path for field in self.fields if field.outer for path in field.paths]
            return document.shape.canonical(document.shape.only(document.view(index), outer, self.inner, part))

        return _Place(raw, lambda: f"{document.place(index)}, {self.inner}[{number + 1}]")

    def _quickly(self, view: Any, outer: Any, scope: Scope) -> Record | None:
        """The record of a row, None where anything is refused: then `_carefully` finds every reason."""
        values: dict[str, Any] = {}
        scope.values = values
        get = view.get
        try:
            for name, key, convert, wanted, around, fill in self.steps:
                if key is not None:
                    value = outer.get(key) if around else get(key)
                    if type(value) is str:
                        # As in `tidy`, without a call.
                        value = (value if value.isascii() else normalize("NFC", value)).strip()
                        if value:
                            if convert is not None:
                                value = convert(value, scope)
                            if value is not None:
                                values[name] = value
                                continue
                        else:
                            value = None
                    if value is None and not wanted:
                        continue
                value = fill(outer if around else view, scope)
                if value is not None:
                    values[name] = value
            record: Record = self.model.__pydantic_validator__.validate_python(values)
        except (RefusalError, ValidationError):
            return None
        return record

    def _carefully(
        self,
        view: Any,
        outer: Any,
        scope: Scope,
        position: tuple[int, int],
        place: _Place,
        deleted: bool = False,
    ) -> Row:
        """The row, with every reason where it is refused."""
        values: dict[str, Any] = {}
        scope.values = values
        refused: list[tuple[InField, RefusalError]] = []
        for one in self.fields:
            try:
                value = one.fill(outer if one.outer else view, scope)
            except RefusalError as error:
                refused.append((one, error))
            else:
                if value is not None:
                    values[one.name] = value
        if not refused:
            try:
                return RowOk(position, self.model.model_validate(values), deleted)
            except ValidationError as error:
                refused = self._invalid(error)
        problems = [self._problem(field, error, outer if field.outer else view) for field, error in _telling(refused)]
        faulty = {field.name for field, _ in refused}
        # The key may be made of fields that are among those refused; then the row has none.
        partial = self.model.model_construct(
            None, **{name: value for name, value in values.items() if name not in faulty}
        )
        whole = RefusedRowError(problems)
        key, lane = _named(partial, "key"), _named(partial, "lane")
        agency = _named(partial, "agency") or _agency(refused, scope, view, outer)
        return RowRefused(position, whole.verdict, whole, key, place.raw(), lane, place.where(), agency)

    def _invalid(self, error: ValidationError) -> list[tuple[InField, RefusalError]]:
        found = []
        by_name = {field.name: field for field in self.fields}
        for detail in error.errors(include_url=False):
            name = str(detail["loc"][0]) if detail["loc"] else ""
            field = by_name.get(name) or InField(name, "", False, _nothing, _nothing_filled)
            said = "is required and empty" if detail["type"] == "missing" else detail["msg"]
            found.append((field, RefusalError(said)))
        return found

    def _problem(self, field: InField, error: RefusalError, view: Any) -> RefusedValueError:
        found = error.found
        if found is None:
            try:
                found = field.get(view)
            except RefusalError:
                found = None
        path = error.path or field.path
        if self.inner and path and not field.outer:
            path = f"{self.inner}{'/' if self.spec.holds == 'xml' else '.'}{path}"
        return RefusedValueError(
            error.reason,
            mapping=self.name,
            field=field.name,
            path=path,
            value=None if found is None else shown(found),
            verdict=error.verdict,
        )

    def _unread(self, error: RefusalError, position: tuple[int, int], place: _Place) -> RowRefused:
        value = None if error.found is None else shown(error.found)
        problem = RefusedValueError(
            error.reason, mapping=self.name, path=error.path, value=value, verdict=error.verdict
        )
        whole = RefusedRowError([problem])
        return RowRefused(position, whole.verdict, whole, None, place.raw(), None, place.where())


class _Place(NamedTuple):
    """Bytes and place of a row, made only for a row that is refused."""

    raw: Callable[[], bytes]
    where: Callable[[], str]


def _telling(refused: list[tuple[InField, RefusalError]]) -> list[tuple[InField, RefusalError]]:
    # What could not be judged because of another refusal would only repeat it.
    return [pair for pair in refused if not isinstance(pair[1], MootError)] or refused


def tidy(text: str) -> str | None:
    """A text as it is compared and kept, None for an empty one."""
    # NFC before trimming and comparing: legacy text comes decomposed.
    return (text if text.isascii() else normalize("NFC", text)).strip() or None


def _nothing(view: Any) -> Any:
    return None


def _nothing_filled(view: Any, scope: Scope) -> Any:
    return None


def _named(partial: Record, name: str) -> str | None:
    try:
        found = getattr(partial, name)
    except (AttributeError, TypeError, ValueError):
        return None
    return found if isinstance(found, str) else None


def _agency(refused: list[tuple[InField, RefusalError]], scope: Scope, view: Any, outer: Any) -> str | None:
    """Whose row it is, where the register could not be asked because the row lacks its day."""
    for one, error in refused:
        if one.name == "agency" and isinstance(error, MootError):
            try:
                text = tidy(str(one.get(outer if one.outer else view)))
            except RefusalError:
                return None
            found = scope.agencies.ever(text) if text else None
            return None if found is None else found.code
    return None


def read_all(mappings: Sequence[InboundMapping], body: bytes, charset: str | None, context: ReadContext) -> list[Row]:
    """Read one arrival with every mapping that applies to its label; bodies are decoded once per equal `from`.

    Rows come by the row of the page, in it snapshots first, then by the source's time; a refused row, having none,
    comes after those that have. Positions are unique and depend only on the body and on which mappings apply, so a
    row that is read again after a mend keeps its own. Raises: UndecodableError, also where no mapping applies.
    """
    applying = [mapping for mapping in mappings if mapping.applies(context.label)]
    if not applying:
        names = ", ".join(f"{mapping.name} (label {mapping.label!r})" for mapping in mappings) or "there is none"
        raise UndecodableError(f"no mapping reads {context.label!r}: {names}")
    documents: dict[SourceSpec, Document] = {}
    for mapping in applying:
        if mapping.spec not in documents:
            documents[mapping.spec] = decoder(mapping.spec)(body, charset)
        mapping.check(documents[mapping.spec])
    rows: list[Row] = []
    refused = refused_bytes = 0
    for index in range(max(len(document.rows) for document in documents.values())):
        made: list[tuple[bool, Row]] = []
        for mapping in applying:
            document = documents[mapping.spec]
            if index < len(document.rows):
                event = mapping.model.event
                for row in mapping.rows(document, index, context, len(made)):
                    made.append((event, row))
                    if type(row) is RowRefused:
                        refused += 1
                        refused_bytes += len(row.raw)
                        if refused_bytes > MAX_REFUSED_BYTES:
                            said = f"the rows that are refused have more than {MAX_REFUSED_BYTES:,} bytes"
                            raise UndecodableError(f"{said}, the first: {row.error}")
        if len(made) > 1:
            made.sort(key=_order)
        rows += [row for _, row in made]
        if refused > MAX_REFUSED:
            raise UndecodableError(f"more than {MAX_REFUSED:,} rows are refused, the first: {_first_refusal(rows)}")
    return rows


def _first_refusal(rows: Sequence[Row]) -> str:
    return next(str(row.error) for row in rows if isinstance(row, RowRefused))


def _order(made: tuple[bool, Row]) -> tuple[bool, float]:
    event, row = made
    at = row.record.source_time if isinstance(row, RowOk) else None
    return event, inf if at is None else at.timestamp()
