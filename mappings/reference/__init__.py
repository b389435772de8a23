"""docs/mapping-reference.md, made of what every construct says of itself. Pure; `hub schema reference` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mappings.converters import CONVERTERS
from mappings.manual import Entry, Example, Option, Shown, Tried, Written
from mappings.reference import fields, payload, source

_HEAD = """# Reference of the mapping language

Every construct with its options, what it refuses, and examples. This page is made from the code, by
`hub schema reference`, and each example on it is run by a test. [The mapping language](mapping.md) explains them, with
whole mappings.

An example in a table is one value: what is written beside the place of a field, what stands at that place, and what the
field gets. *Rejected* is the sender's fault, *parked* is ours: a mapping, a table or a register has to grow. A refusal
also says where the value stood and what was found.
"""


def entries() -> dict[str, list[Entry]]:
    """Every entry by its part of the page; those of converters named as their keys."""
    named = [
        Entry(
            **{name: getattr(one.manual, name) for name in ("examples", "options", "short", "refuses", "notes")},
            name=f"`{one.name}`",
            summary=f"{one.summary[:1].upper()}{one.summary[1:]}",
        )
        for one in CONVERTERS.values()
        if one.manual is not None
    ]
    return {
        "The mapping": [fields.FILE],
        "Reading: rows": list(source.ENTRIES),
        "Reading: where a value comes from": list(fields.ENTRIES),
        "Converters": named,
        "Tables": [fields.TABLES],
        "Writing": list(payload.ENTRIES),
    }


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, listed in entries().items():
        links = " · ".join(f"[{entry.name}](#{_anchor(entry.name)})" for entry in listed)
        parts.append(f"## {title}\n\n{links}\n" if len(listed) > 1 else f"## {title}\n")
        parts += ["\n".join(_entry(entry)) for entry in listed]
    return "\n".join(parts)


def _anchor(heading: str) -> str:
    kept = "".join(sign for sign in heading.lower() if sign.isalnum() or sign in "_- ")
    return kept.replace(" ", "-")


def _entry(entry: Entry) -> Iterator[str]:
    yield f"### {entry.name}\n"
    yield f"{entry.summary}.{f' {entry.short}.' if entry.short else ''}\n"
    if entry.options:
        yield from _table(("option", "takes", "otherwise", ""), [_option(option) for option in entry.options])
    for note in entry.notes:
        yield f"{note}\n"
    if entry.refuses:
        yield "Refused:\n\n" + "".join(f"- {one}\n" for one in entry.refuses)
    tried = [example for example in entry.examples if isinstance(example, Tried)]
    for writing in (False, True):
        rows = [_tried(example) for example in tried if example.writing is writing]
        if rows:
            heads = ("written", "the record has" if writing else "at the place", "it becomes")
            yield from _table(heads, rows)
    for name, text in {name: text for example in tried for name, text in example.files.items()}.items():
        if name.endswith(".py"):
            yield f"`{name}`:\n\n```python\n{text}```\n"
    for example in entry.examples:
        if not isinstance(example, Tried):
            yield from _whole(example)


def _option(option: Option) -> tuple[str, ...]:
    return code(option.name), option.takes, option.default, option.says


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    lines = [head, ["---"] * len(head), *rows]
    yield "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


def _tried(example: Tried) -> tuple[str, ...]:
    given = "nothing" if example.given is None else code(said(example.given))
    others = [f"{code(name)}: {code(said(value))}" for name, value in example.row.items()]
    tables = [code(f"tables: {{{example.tables}}}")] if example.tables else []
    tables += [f"{code(name)}: {code(text)}" for name, text in example.files.items() if not name.endswith(".py")]
    if example.refused:
        told = f"{'parked' if example.verdict == 'park' else 'rejected'}: {code(example.refused)}"
    else:
        told = "no value" if example.becomes is None else code(said(example.becomes))
    return ", ".join([code(example.written), *tables]), ", ".join([given, *others]), told


def _whole(example: Shown | Written) -> Iterator[str]:
    if example.says:
        yield f"{example.says[:1].upper()}{example.says[1:]}:\n"
    if isinstance(example, Written):
        yield f"```yaml\n{example.written}\n```\n"
        if example.refused:
            yield f"The record is refused: {code(example.refused)}\n"
        else:
            yield f"```text\n{example.body}\n```\n"
        return
    yield f"```yaml\n{example.written}\n```\n"
    for name, text in example.files.items():
        yield f"with {code(name)}:\n\n```text\n{text}```\n"
    if example.label:
        yield f"of {code(example.label)}:\n"
    if isinstance(example.body, str):
        if example.body:
            yield f"```text\n{example.body.rstrip(chr(10))}\n```\n"
    else:
        numbers = [str(number) for number in range(1, 1 + max(map(len, example.body)))]
        yield from _table(numbers, [_cells(example.body, number) for number in range(len(example.body))])
    yield from _outcome(example)


def _cells(rows: Sequence[Sequence[Any]], number: int) -> list[str]:
    width = max(map(len, rows))
    return [str(cell) for cell in rows[number]] + [""] * (width - len(rows[number]))


def _outcome(example: Shown) -> Iterator[str]:
    if example.problem:
        yield f"The mapping is refused: {code(example.problem)}\n"
    elif example.undecodable:
        yield f"The body is refused: {code(example.undecodable)}\n"
    else:
        lines = [one if isinstance(one, str) else said(one) for one in example.gives]
        yield "gives\n\n```text\n" + "".join(f"{line}\n" for line in lines or ["no rows"]) + "```\n"


def said(value: Any) -> str:
    """A value as JSON; a text bare, unless it needs its quotes to be seen."""
    if isinstance(value, str) and value == value.strip() and value and "\n" not in value:
        return value
    return json.dumps(value, ensure_ascii=False)


def code(text: str) -> str:
    """A text in back-ticks, on one line."""
    flat = text.replace("\n", "⏎")
    return f"`` {flat} ``" if "`" in flat else f"`{flat}`"


__all__ = ["Example", "entries", "page"]
