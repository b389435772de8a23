"""What `hub new source` says of what it made of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.cli.output import console, counted, print_json, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample
    from hub.scaffold.source_files import Draft
    from mappings.rows import Row


def tell(
    draft: Draft,
    sample: Sample,
    guesses: Guesses,
    written: Sequence[Path],
    others: Sequence[str],
    *,
    into: Path,
    added: bool,
    dry_run: bool,
    unseen: str = "",
) -> None:
    """Say all of it; `unseen` names an answer that nobody has recorded."""
    out = console()

    def say(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    say(f"{sample.rows:,} rows at {sample.place.path}, {counted(len(sample.columns), 'column')}")
    for other in others:
        say(f"  other rows: {other}; --each chooses them")
    if dry_run:
        say(draft.files[f"mappings/{draft.mapping}.yaml"].decode())
    for path in written:
        say(f"wrote {path}" if path != into else f"added sources.{draft.name} to {path}")
    doubts = [one for one in guesses.fields if one.doubt]
    for one in doubts:
        say(f"  ? {one.field}: {one.doubt}")
    if guesses.unmapped:
        say(f"  not mapped: {', '.join(column.path for column in guesses.unmapped)}")
    if unseen:
        say(f"  ? the sample is {unseen}: record a real one before this goes live")
    if not added:
        say(f"\nPaste this below 'sources:' in {into}, or let --write do it:\n\n{draft.section}\n")
    _show_rows(draft.rows, out)
    say(
        f"{draft.accepted} of {len(draft.rows)} rows of the sample become {guesses.kind}, "
        f"{len(guesses.fields)} fields, {counted(len(doubts), 'doubt')}"
    )
    for value in draft.unknown_agencies[:10]:
        warn(
            f"the agencies file knows no {value!r}, so its rows will wait; "
            f"add a line like - {{code: …, name: …, level: …, aliases: [{value!r}]}}"
        )


def _show_rows(rows: Sequence[Row], out: Any) -> None:
    from rich.table import Table

    from mappings.rows import RowOk

    if rows and isinstance(rows[0], RowOk):
        table = Table.grid(padding=(0, 2))
        for field, value in rows[0].record.model_dump(mode="json", exclude_none=True).items():
            table.add_row(f"  {field}", str(value))
        out.print("The first row becomes:", markup=False)
        out.print(table)
    for row in rows:
        if not isinstance(row, RowOk):
            told = "; ".join(f"{one.field}: {one.reason} (found {one.value!r})" for one in row.error.problems)
            out.print(f"  row {row.position[0] + 1} {row.verdict}: {told}", markup=False, soft_wrap=True)


def tell_json(draft: Draft, sample: Sample, guesses: Guesses, written: Sequence[Path], made_of: str = "") -> None:
    print_json(
        {
            "ok": True,
            "name": draft.name,
            "mapping": draft.mapping,
            "rows_at": sample.place.path,
            "rows": sample.rows,
            "fields": {one.field: {"is": one.spec, "why": one.why, "doubt": one.doubt} for one in guesses.fields},
            "not_mapped": [column.path for column in guesses.unmapped],
            "section": draft.section,
            "written": list(written),
            "accepted": draft.accepted,
            "refused": len(draft.rows) - draft.accepted,
            "unknown_agencies": draft.unknown_agencies,
            "sample_made_of": made_of,
        }
    )
