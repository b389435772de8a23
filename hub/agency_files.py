"""The daily error file of one agency: what is in it, how it looks as CSV and HTML, and how it gets into its folder.

An agency whose system is polled hears nothing from the hub, so each is given a file a day with its own rows: which
dossier, which field as its own system names it, what was found there, what is wrong, what to do. Building is pure and
gives the same bytes for the same rows; `hub.agency_errors` reads them from the ledger.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from pathlib import Path

from schemas.local_time import LOCAL

FILE_MODE, FOLDER_MODE = 0o640, 0o750

ROWS_SHOWN = 2000
"""Rows of the HTML page, which telephones have to open; the CSV has all."""

_UNFINISHED = ".part"
_SAFE = re.compile(r"[A-Za-z0-9.-]")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# Cells that a spreadsheet would compute instead of show, as they stand or behind blanks.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]")
_NUMBER_OF_A_PERSON = re.compile(r"(?<![\w.-])\+?\d(?:[ .]?\d){8,11}(?![\w-]|\.\d)")
"""An identity or telephone number in a sentence: nine to twelve digits that no code or time is written with."""


@dataclass(frozen=True, slots=True)
class Line:
    """One value that an agency has to correct."""

    dossier: str
    field: str
    """As the agency's own system names it; as the hub does where that is not known."""
    value: str
    wrong: str
    """What is wrong, in Vietnamese."""
    mend: str
    """What to do, in Vietnamese."""
    at: datetime
    refused_by: str
    """`Trục liên thông`, or the portal's name."""
    reference: str
    """The hub's own name of it, for a question: `412.3.0`, `#17`."""
    wrong_english: str = ""
    mend_english: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is."""

    code: str
    """The agency's canonical code; the source's name where no agency is known."""
    name: str
    """For people."""


HEADINGS: Sequence[tuple[str, str]] = (
    ("Số hồ sơ", "Dossier"),
    ("Trường", "Field"),
    ("Giá trị", "Value found"),
    ("Lỗi", "What is wrong"),
    ("Cách sửa", "The mend"),
    ("Thời điểm", "When"),
    ("Nơi từ chối", "Refused by"),
    ("Mã tra cứu", "Reference"),
)


def in_order(lines: Sequence[Line]) -> list[Line]:
    """The newest first, and always the same way."""
    return sorted(lines, key=lambda one: (-one.at.timestamp(), one.dossier, one.reference, one.field, one.wrong))


def as_csv(lines: Sequence[Line]) -> bytes:
    """What a Vietnamese Excel opens as a table: UTF-8 with BOM, semicolons, lines ended by CR LF, no formulas."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow([vietnamese for vietnamese, _ in HEADINGS])
    writer.writerows([[_cell(part) for part in _parts(line)] for line in in_order(lines)])
    return text.getvalue().encode("utf-8-sig")


def as_html(owner: Owner, day: date, lines: Sequence[Line]) -> bytes:
    """The same as one page without anything outside it, Vietnamese first, readable on a telephone."""
    ordered = in_order(lines)
    dossiers = len({line.dossier for line in ordered if line.dossier})
    shown = ordered[:ROWS_SHOWN]
    more = (
        f"<p>Trang này có {len(shown)} lỗi mới nhất; tệp CSV có đủ {len(ordered)} lỗi. "
        f'<span lang="en">The CSV file has all {len(ordered)}.</span></p>'
        if len(shown) < len(ordered)
        else ""
    )
    heads = "".join(f'<th scope="col">{vi}<span lang="en">{en}</span></th>' for vi, en in HEADINGS)
    page = _PAGE.format(
        title=escape(f"Hồ sơ lỗi ngày {day:%d/%m/%Y} – {owner.name}"),
        name=escape(owner.name),
        code=escape(owner.code),
        day=f"{day:%d/%m/%Y}",
        count=len(ordered),
        counted=f"{_some(len(ordered), 'error')} of {_some(dossiers, 'dossier')}",
        dossiers=dossiers,
        more=more,
        heads=heads,
        rows="\n".join(_row(line) for line in shown),
    )
    return page.encode()


def hide_numbers(text: str, but: Sequence[str]) -> str:
    """A text in which identity and telephone numbers show their last three digits, `but` those that are at fault."""
    kept = {_digits(value) for value in but}

    def hidden(found: re.Match[str]) -> str:
        digits = _digits(found[0])
        return found[0] if digits in kept else f"•••{digits[-3:]}"

    return _NUMBER_OF_A_PERSON.sub(hidden, text)


def file_name(code: str) -> str:
    """The name of an owner's files without its ending; different for different owners, and a name on every system."""
    safe = "".join(c if _SAFE.fullmatch(c) else "".join(f"_{byte:02x}" for byte in c.encode()) for c in code)
    return f"_2e{safe[1:]}" if safe.startswith(".") else safe


def files_of(day: date, reports: Mapping[Owner, Sequence[Line]]) -> dict[str, bytes]:
    """The files of a day by their names; an owner without a line has none."""
    made: dict[str, bytes] = {}
    for owner, lines in sorted(reports.items(), key=lambda one: one[0].code):
        if lines:
            name = file_name(owner.code)
            made[f"{name}.csv"] = as_csv(lines)
            made[f"{name}.html"] = as_html(owner, day, lines)
    return made


# --- the folder -------------------------------------------------------------------------------------------------------


def write(folder: Path, day: date, files: Mapping[str, bytes]) -> list[Path]:
    """Write the files of a day, each whole or not at all; those that the day does not have any more are removed.

    Returns their absolute paths. A file that is there already with these bytes is left alone. Raises: OSError.
    """
    place = folder.absolute() / day.isoformat()
    if not files and not place.is_dir():
        return []
    _make(place)
    for there in sorted(place.iterdir()):
        ended = there.suffix in (".csv", ".html") and there.name not in files
        if there.is_file() and (ended or there.suffix == _UNFINISHED):
            there.unlink()
    for name, content in files.items():
        path = place / name
        if not (path.is_file() and path.read_bytes() == content):
            _replace(path, content)
    if not any(place.iterdir()):
        place.rmdir()
    else:
        _sync_folder(place)
    return [place / name for name in files]


def remove_old(folder: Path, before: date) -> list[str]:
    """Remove the folders of days before `before`; nothing that is not a folder named by a day. Raises: OSError."""
    gone = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        day = _day(path.name)
        if day is not None and day < before and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            gone.append(path.name)
    return gone


def _day(name: str) -> date | None:
    if not _DAY.fullmatch(name):
        return None
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def kept_from(day: date, keep_days: int) -> date:
    """The first day whose folder is kept."""
    return day - timedelta(days=keep_days - 1)


def _make(place: Path) -> None:
    """Make a folder and those above it that are missing, each for its owner and group alone."""
    missing = [one for one in (place, *place.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        one.chmod(FOLDER_MODE)
        _sync_folder(one.parent)


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), FILE_MODE)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync_folder(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- looks ------------------------------------------------------------------------------------------------------------


def _parts(line: Line) -> tuple[str, ...]:
    at = f"{line.at.astimezone(LOCAL):%d/%m/%Y %H:%M}"
    return (line.dossier, line.field, line.value, line.wrong, line.mend, at, line.refused_by, line.reference)


def _cell(text: str) -> str:
    """One line of text that no spreadsheet computes."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"'{plain}" if _FORMULA.match(text) or _FORMULA.match(plain) else plain


def _row(line: Line) -> str:
    english = dict(zip(("Lỗi", "Cách sửa"), (line.wrong_english, line.mend_english), strict=True))
    cells: list[str] = []
    for (name, _), part in zip(HEADINGS, _parts(line), strict=True):
        second = english.get(name)
        below = f'<span lang="en">{_shown(second)}</span>' if second else ""
        kind = 'th scope="row"' if not cells else "td"
        cells.append(f'<{kind} data-label="{name}">{_shown(part)}{below}</{kind.split()[0]}>')
    return f"<tr>{''.join(cells)}</tr>"


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _shown(text: str) -> str:
    """Escaped; what cannot be shown (control characters, turned directions of writing) as `�`."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)) or "–"


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


_PAGE = """<!DOCTYPE html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
body {{ font: 16px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; margin: 1rem auto; max-width: 90rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }}
h1 {{ font-size: 1.35rem; margin: 0 0 .25rem; }}
table {{ border-collapse: collapse; width: 100%; }}
caption {{ text-align: left; padding: .5rem 0; }}
th, td {{ border: 1px solid #bbb; padding: .4rem .5rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }}
thead th {{ background: #eef2f7; overflow-wrap: normal; }}
[lang=en] {{ display: block; color: #595959; font-size: .85em; font-weight: normal; }}
@media (min-width: 50.01rem) {{
  tbody th {{ min-width: 9rem; }}
  td:nth-child(6) {{ white-space: nowrap; }}
}}
@media (max-width: 50rem) {{
  thead {{ position: absolute; left: -999rem; }}
  tr {{ display: block; border: 1px solid #bbb; border-radius: .4rem; margin: 0 0 .8rem; }}
  tbody th, td {{ display: block; border: 0; border-bottom: 1px solid #e3e3e3; }}
  tbody th::before, td::before {{ content: attr(data-label); display: block; color: #595959; font-size: .85em;
    font-weight: normal; }}
}}
</style>
</head>
<body>
<main>
<h1>Hồ sơ lỗi ngày {day} – {name}<span lang="en">Errors of {day}, {code}</span></h1>
<p>{count} lỗi của {dossiers} hồ sơ còn mở đến hết ngày {day}. Sửa trong phần mềm của đơn vị rồi lưu lại; trục
liên thông tự đọc lại và lỗi đã sửa sẽ không còn trong tệp của ngày sau.
<span lang="en">{counted}, open at the end of the day. Correct what is wrong in your own
system; what was corrected is not in the next day's file.</span></p>
{more}
<table>
<caption>Các giá trị cần sửa<span lang="en">Values to be corrected</span></caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</body>
</html>
"""
