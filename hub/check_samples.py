"""Holds mappings against what their sources once sent: paths that lead nowhere, words that no table has, rows refused.

What is looked at are the files that a source's `samples` names, and the bodies of the `_test.yaml` beside each mapping.
Reads files, writes none, asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hub.draft import Draft
from hub.drill.samples import NoSampleError, Sample, recorded
from hub.registers import Registers
from hub.registers.stored import registers_of
from hub.sample_paths import Seen
from mappings.document import Document
from mappings.inbound import InboundMapping
from mappings.load import CATALOGUE, find
from mappings.load import read as read_text
from mappings.notation import Marked, Problems, parse
from mappings.refusal import RefusalError
from mappings.rows import ReadContext, RowRefused
from mappings.testing import inputs, place_of_test, run
from schemas.errors import ConfigError, Problem, RefusedValueError, UndecodableError
from schemas.sensitivity import MASKED, Sensitivity, sensitivity

MOST = 10
"""Of one kind of remark about one mapping, so that a wrong column does not bury all else."""
_NOT_IN_TABLE = re.compile(r"not in (?:the )?table '?(?P<name>[^';:]+)'?")

Inbound = Mapping[str, Sequence[tuple[str, InboundMapping]]]


def sample_warnings(made: Draft, inbound: Inbound) -> list[Problem]:
    """What the recorded samples say of the mappings, each remark once; `inbound` by source, with the written names."""
    found: dict[Problem, None] = {}
    seen: dict[str, tuple[InboundMapping, Seen]] = {}
    registers = registers_of(made)
    for name, mappings in inbound.items():
        section = made.sources[name]
        samples: list[Sample] = []
        if section.samples is not None:
            try:
                samples = recorded(name, section.samples, made.folder, [mapping for _, mapping in mappings])
            except NoSampleError as error:
                found[made.located("no-sample", str(error), error.mend, ("sources", name, "samples"))] = None
        for sample in samples:
            found |= dict.fromkeys(_sample(made, registers, name, sample, mappings, seen))
    for written, mapping in dict(one for mappings in inbound.values() for one in mappings).items():
        found |= dict.fromkeys(_tests(made, written, mapping, seen))
    for written, (mapping, looked) in seen.items():
        found |= dict.fromkeys(_nowhere(made, written, mapping, looked))
    return list(found)


def _sample(
    made: Draft,
    registers: Registers,
    name: str,
    sample: Sample,
    mappings: Sequence[tuple[str, InboundMapping]],
    seen: dict[str, tuple[InboundMapping, Seen]],
) -> Iterator[Problem]:
    place = ("sources", name, "samples")
    taking = [(written, mapping) for written, mapping in mappings if mapping.applies(sample.label)]
    if not taking:
        labels = " or ".join(mapping.label for _, mapping in mappings)
        said = f"sources.{name}: no mapping takes the sample {sample.origin}, they take {labels}"
        mend = "rename the sample as the system names its files, narrow `samples`, or correct the mapping's `label`"
        yield made.located("sample-not-taken", said, mend, place)
    for written, mapping in taking:
        context = ReadContext(registers.agencies, sample.label, registers.procedures)
        try:
            document = mapping.decode(sample.body, sample.charset)
        except UndecodableError as error:
            said = f"{written} cannot read the sample {sample.origin} of {name}: {error}"
            mend = "correct `from` and the paths of the mapping, or take the file out of the samples"
            yield _at(made, written, "sample-unreadable", said, mend, ("from",))
            continue
        looked = _looked(seen, written, mapping)
        _add(looked, mapping, document)
        looking_up = {field.name for field in mapping.fields if {"agency", "procedure"} & {*field.made_by}}
        rows = [row for index in range(len(document.rows)) for row in mapping.rows(document, index, context)]
        # Of one row alone its own remark says as much.
        if len(rows) > 1 and made.agencies is not None and all(isinstance(row, RowRefused) for row in rows):
            said = f"sources.{name}: 0 of {len(rows):,} rows of the sample {sample.origin} become a record"
            mend = "as it is, this source sends nothing on: mend what the remarks about its rows say"
            yield made.located("sample-none-accepted", said, mend, place)
        refused = (
            (row, problem)
            for row in rows
            if isinstance(row, RowRefused)
            for problem in row.error.problems
            # Where the agencies could not be read, enough has been said.
            if made.agencies is not None or problem.field not in looking_up
        )
        yield from _few(_refused(made, written, mapping, sample, row, problem) for row, problem in _once(refused))


def _once(found: Iterable[tuple[RowRefused, RefusedValueError]]) -> Iterator[tuple[RowRefused, RefusedValueError]]:
    """One value is one remark, in however many rows and fields (an agency and its level) it stands."""
    seen: set[tuple[str, str, str | None]] = set()
    for row, problem in found:
        if problem.value is None or (problem.path, problem.reason, problem.value) not in seen:
            seen.add((problem.path, problem.reason, problem.value))
            yield row, problem


def _refused(
    made: Draft, written: str, mapping: InboundMapping, sample: Sample, row: RowRefused, problem: RefusedValueError
) -> Problem:
    value = _masked(mapping, problem)
    table = _NOT_IN_TABLE.search(problem.reason)
    if table is not None:
        said = f"{written}: the table {table['name']!r} has no {value!r}, which stands in the sample {sample.origin}"
        near = f" ({problem.reason})" if "near" in problem.reason else ""
        mend = f"add {value!r} to the table{near}, or say `else` or `unknown` beside it"
        return _at(made, written, "table-uncovered", said, mend, ("tables", table["name"]))
    shown = f" (found {value!r})" if value is not None else ""
    at = f", {row.where}" if row.where else ""
    said = f"{written}: {problem.field or 'a row'} of the sample {sample.origin}{at} {problem.reason}{shown}"
    mend = "correct the field, or take the row out of the sample where the sender is at fault"
    if any(field.name == problem.field and "procedure" in field.made_by for field in mapping.fields):
        mend = "add the procedure to the register, or say `unknown` beside `procedure`"
    if any(field.name == problem.field and "agency" in field.made_by for field in mapping.fields):
        mend = "add the agency to the agencies file, or say `unknown` beside `agency`"
    return _at(made, written, "sample-refused", said, mend, ("fields", problem.field))


def _masked(mapping: InboundMapping, problem: RefusedValueError) -> str | None:
    if problem.value is None:
        return None
    known = problem.field in mapping.model.model_fields
    level = sensitivity(mapping.model, problem.field) if known else Sensitivity.SECRET
    return problem.value if level.rank < Sensitivity.PERSONAL.rank else MASKED


def _tests(
    made: Draft, written: str, mapping: InboundMapping, seen: dict[str, tuple[InboundMapping, Seen]]
) -> Iterator[Problem]:
    folders = (made.folder / "mappings", made.folder)
    file, _ = find(written, folders)
    test = place_of_test(file)
    if not test.is_file():
        return
    try:
        for one in inputs(test, folders=folders):
            try:
                _add(_looked(seen, written, mapping), mapping, mapping.decode(one.body, one.charset))
            except UndecodableError:
                continue
        # What comes with the hub has been tried with it.
        failed = [] if file.is_relative_to(CATALOGUE) else [one for one in run(test, folders=folders) if not one.ok]
    except (ConfigError, OSError, UnicodeError) as error:
        told = error.problems[0].message if isinstance(error, ConfigError) else str(error)
        line = error.problems[0].line if isinstance(error, ConfigError) else 0
        mend = "correct the test; docs/mapping.md says how it is written"
        yield Problem("broken-test", f"the test of {written} cannot be run: {told}", mend, str(test), line or 1)
        return
    except (TypeError, KeyError, AttributeError, ValueError):
        said = f"the test of {written} cannot be run: a case is not written as tests are"
        yield Problem("broken-test", said, "docs/mapping.md says how a case is written", str(test), 1)
        return
    for case in failed:
        said = f"the test {case.name!r} of {written} fails: {case.problems[0]}"
        yield Problem("failing-test", said, "correct the mapping, or what the test expects", str(test), case.line)


def _looked(seen: dict[str, tuple[InboundMapping, Seen]], written: str, mapping: InboundMapping) -> Seen:
    return seen.setdefault(written, (mapping, Seen(mapping)))[1]


def _add(looked: Seen, mapping: InboundMapping, document: Document) -> None:
    for index in range(len(document.rows)):
        try:
            looked.add(document.view(index))
        except RefusalError:
            continue


def _nowhere(made: Draft, written: str, mapping: InboundMapping, looked: Seen) -> Iterator[Problem]:
    for field, path, near in _few(looked.nowhere()):
        said = f"{written}: {field} reads {path}, which stands in none of the {looked.rows} rows of samples and tests"
        mend = near or "correct the path, or add a sample that has it"
        yield _at(made, written, "path-nowhere", said, mend, ("fields", field) if field != "inner" else ("from",))


def _few(found: Iterable[Any]) -> Iterator[Any]:
    """The first MOST that differ."""
    kept: dict[Any, None] = {}
    for one in found:
        if one not in kept:
            kept[one] = None
            yield one
        if len(kept) >= MOST:
            return


def _at(made: Draft, written: str, rule: str, said: str, mend: str, place: tuple[str, str] | tuple[str]) -> Problem:
    """Say something of a place in the file of a mapping; a table in a file of its own is meant where it stands."""
    file, _ = find(written, (made.folder / "mappings", made.folder))
    root = parse(read_text(file), Problems(str(file)))
    line, node = 1, root
    for step in place:
        below = node.value.get(step) if node is not None and isinstance(node.value, dict) else None
        if below is None:
            break
        line, node = below.line, below
    if place[0] == "tables" and isinstance(node, Marked) and isinstance(node.value, str):
        beside = file.parent / node.value
        if beside.is_file():
            return Problem(rule, said, mend, str(beside), 1)
    return Problem(rule, said, mend, str(file), line)
