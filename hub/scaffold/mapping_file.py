"""The text of a mapping file from guesses: a line for each field with why it is so; what was left out as comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.scaffold.guess import Code, Guess, Guesses
from hub.scaffold.sample import Column, Sample
from hub.scaffold.yaml_text import flow, key, scalar, shown
from mappings.decode import SourceSpec, Unwrap


def mapping_text(name: str, summary: str, sample: Sample, guesses: Guesses, *, head: str = "", label: str = "") -> str:
    """The mapping `name`; `head` is a comment line for editors, `label` the names of the files it reads."""
    lines = [head] if head else []
    lines += [
        "# Made from a recorded answer: each line says why it is so. Read it, correct it, then test it.",
        f"mapping: {scalar(name)}",
        f"summary: {scalar(summary)}",
        *from_lines(sample.place.spec, label),
        *(_inner(path, count) for path, count in sample.lists.items()),
        f"to: {guesses.kind}",
    ]
    if guesses.tables:
        lines.append("tables:")
        for table, codes in guesses.tables.items():
            lines += _table(table, codes)
    lines.append("fields:")
    lines += [_field(one) for one in guesses.fields]
    lines += [
        f"  # ? {field}: nothing in the sample looks like it, and the record needs it" for field in guesses.lacking
    ]
    if guesses.unmapped:
        lines.append("  # Not mapped:")
        lines += [f"  #   {shown(column.path)}{_example(column)}" for column in guesses.unmapped]
    return "\n".join(lines) + "\n"


def from_lines(spec: SourceSpec, label: str = "") -> list[str]:
    """The block `from` of a mapping."""
    lines = ["from:", f"  format: {spec.format}"]
    if label:
        lines.append(f"  label: {scalar(label)}")
    if spec.charset:
        lines.append(f"  charset: {scalar(spec.charset)}")
    if spec.format == "csv":
        if spec.delimiter != ",":
            lines.append(f"  delimiter: {scalar(spec.delimiter)}")
        return lines
    if spec.format == "xlsx":
        lines += [f"  sheet: {scalar(spec.sheet)}"] if spec.sheet else []
        lines += [f"  header: {spec.header}  # the row that names the columns"] if spec.header else []
        return lines
    if spec.unwrap:
        lines.append("  unwrap:  # a text that holds a document of its own")
        lines += [f"    - {flow(unwrap(one))}" for one in spec.unwrap]
    if spec.within:
        lines.append(f"  within: {scalar(spec.within)}")
    if spec.each:
        lines.append(f"  each: {scalar(spec.each)}")
    if spec.beside:
        lines.append(f"  beside: {flow(spec.beside)}  # what else may stand beside the rows")
    return lines


def unwrap(one: Unwrap) -> dict[str, Any]:
    """One place of `unwrap` as a mapping writes it."""
    written = {"path": one.path, "holds": one.holds}
    return written | ({"encoding": "base64"} if one.base64 else {})


def _inner(path: str, count: int) -> str:
    return f"  # {count} rows stand inside the rows; a mapping of its own reads them: inner: {scalar(shown(path, 200))}"


def _table(name: str, codes: Sequence[Code]) -> list[str]:
    sure = [one for one in codes if one.code is not None]
    # In block form without a word too: then a comment that loses its sign is an entry.
    lines = [f"  {name}:" if codes else f"  {name}: {{}}"]
    lines += [f"    {key(one.word)}: {scalar(one.code)}" for one in sure]
    lines += [
        f"    # ? {shown(one.word)}: what does it mean? {one.count} of the sample's rows wait until it is known"
        for one in codes
        if one.code is None
    ]
    return lines


def _field(one: Guess) -> str:
    spec: Mapping[str, Any] = one.spec
    written = scalar(spec["path"]) if set(spec) == {"path"} else flow(spec)
    doubt = f" — ? {shown(one.doubt, 120)}" if one.doubt else ""
    return f"  {one.field}: {written}  # {shown(one.why, 120)}{doubt}"


def _example(column: Column) -> str:
    filled = column.filled
    if not filled:
        return " (always empty)"
    # What nobody recognised may name a person: its shape says enough.
    return f" ({len(filled)} of {len(column.values)} rows have it)"
