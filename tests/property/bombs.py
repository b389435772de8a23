"""Documents that want to harm, each through its decoder and a mapping, in a process whose memory is limited.

    python -m tests.property.bombs MEGABYTES

Prints a line of JSON for each: its name, how it ended, and the seconds that took. Whatever is not an end (a
MemoryError, a crash) ends the process, so that the test sees it.
"""

from __future__ import annotations

import io
import json as stdlib_json
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from mappings import InboundMapping, ReadContext, RowOk, read_all
from mappings.catalogue import load
from schemas.agency import AgencyRegister
from schemas.errors import UndecodableError
from tests.support.workbook import archive, parts, workbook

DEEP, MANY = 200_000, 1_000_000
FIELDS = "{number: so, person: t, content: n, status: {const: 4}, at: {label: '.*', date: iso}}"
SOURCES = {
    "json": "{format: json}",
    "expression": "{format: json, within: '[?so]'}",
    "xml": "{format: xml, within: /a, each: r}",
    "csv": "{format: csv}",
    "xlsx": "{format: xlsx}",
    "dataset": "{format: xml, dataset: r}",
    "inside": "{format: xml, unwrap: {path: /a, holds: json, encoding: base64}}",
}


def entities(*declared: str, used: str) -> bytes:
    return f"<!DOCTYPE a [{''.join(declared)}]><a><r><so>{used}</so></r></a>".encode()


def sheet(content: str) -> bytes:
    return archive(parts({"A": content}))


def swollen() -> bytes:
    """A little that unpacks to more than is read."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts({"A": ""}).items():
            if name.endswith("sheet1.xml"):
                with made.open(name, "w", force_zip64=True) as sheet:
                    for _ in range(48):
                        sheet.write(b" " * (1 << 20))
            else:
                made.writestr(name, content)
    return out.getvalue()


def laughs() -> bytes:
    levels = [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)]
    return entities('<!ENTITY l0 "ha">', *levels, used="&l9;")


def bombs() -> dict[str, tuple[str, Callable[[], bytes]]]:
    """By name the source that reads it, and how it is made."""
    row = '{"so": %s, "t": "a", "n": "b"}'
    return {
        "brackets": ("json", lambda: b"[" * DEEP),
        "brackets that close": ("json", lambda: b"[" * DEEP + b"]" * DEEP),
        "objects in objects": ("json", lambda: b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        "an expression over brackets": ("expression", lambda: b"[" * DEEP + b"]" * DEEP),
        "elements in elements": ("xml", lambda: b"<a>" * DEEP + b"</a>" * DEEP),
        "elements that never close": ("xml", lambda: b"<a>" * DEEP),
        "billion laughs": ("xml", laughs),
        "quadratic blowup": ("xml", lambda: entities(f'<!ENTITY e "{"x" * 100_000}">', used="&e;" * 10_000)),
        "an entity from outside": ("xml", lambda: entities('<!ENTITY e SYSTEM "file:///etc/passwd">', used="&e;")),
        "parameter entities": ("xml", lambda: entities('<!ENTITY % p "<!ENTITY e SYSTEM \'x\'>">%p;', used="&e;")),
        "many attributes": ("xml", lambda: b"<a><r " + b" ".join(b'a%d=""' % n for n in range(MANY)) + b"/></a>"),
        "many namespaces": ("xml", lambda: b"<a " + b" ".join(b'xmlns:a%d="u"' % n for n in range(MANY // 20)) + b"/>"),
        "many elements": ("xml", lambda: b"<a>" + b"<x/>" * 1_900_000 + b"</a>"),
        "too many elements": ("xml", lambda: b"<a>" + b"<r/>" * 2_100_000 + b"</a>"),
        "one long text": ("xml", lambda: b"<a><r><so>" + b"x" * (30 << 20) + b"</so></r></a>"),
        "a long name": ("xml", lambda: b"<a><" + b"x" * (20 << 20) + b"/></a>"),
        "a comment that never ends": ("xml", lambda: b"<!--" + b"-" * (20 << 20)),
        "too many bytes": ("xml", lambda: b"<a>" + b" " * (33 << 20) + b"</a>"),
        "characters that are none": ("xml", lambda: b"<a><r><so>&#0;&#xD800;&#xFFFF;</so></r></a>"),
        "a huge number": ("json", lambda: f"[{row % '1e999999'}]".encode()),
        "a tiny number": ("json", lambda: f"[{row % '1e-999999'}]".encode()),
        "a number of a million digits": ("json", lambda: f"[{row % ('9' * MANY)}]".encode()),
        "a fraction of a million digits": ("json", lambda: f"[{row % ('0.' + '9' * MANY)}]".encode()),
        "a lone surrogate": ("json", lambda: b'[{"so": "\\ud800", "t": "a\\udfff", "n": "b"}]'),
        "a lone surrogate in bytes": ("json", lambda: b'[{"so": "\xed\xa0\x80"}]'),
        "a NUL": ("json", lambda: b'[{"so": "\\u0000", "t": "a", "n": "b"}]'),
        "a NUL in bytes": ("csv", lambda: b"so,t,n\nH-1,a\0,b\n"),
        "many members": ("json", lambda: b'{"x": [' + b"{}," * 990_000 + b"{}]}"),
        "a key twice, at the end of many": (
            "json", lambda: b'[{' + b",".join(b'"k%d": 1' % n for n in range(300_000)) + b', "k0": 2}]',
        ),
        "too many members": ("json", lambda: b"[" + b"1," * 2_100_000 + b"1]"),
        "rows of nothing": ("csv", lambda: b"so,t,x\n" + b",,\n" * 600_000),
        "a million columns": ("csv", lambda: ",".join(map(str, range(MANY))).encode() + b"\n1\n"),
        "a quote that never closes": ("csv", lambda: b'so,t,n\n"' + b"x\n" * (8 << 20)),
        "one long cell": ("csv", lambda: b"so,t,n\nH-1,a," + b"x" * (30 << 20)),
        "a workbook that swells": ("xlsx", swollen),
        "a sheet of laughs": ("xlsx", lambda: archive(parts({"A": ""}) | {"xl/worksheets/sheet1.xml": laughs()})),
        "a million merged cells": (
            "xlsx", lambda: sheet(
                "<sheetData>" + "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(1, 2000))
                + "</sheetData><mergeCells>" + '<mergeCell ref="A2:XFD1048576"/>' * 2000 + "</mergeCells>"
            ),
        ),
        "a cell at the end of the world": (
            "xlsx", lambda: sheet('<sheetData><row r="9999999"><c r="XFD9999999"><v>1</v></c></row></sheetData>'),
        ),
        "huge numbers in a sheet": ("xlsx", lambda: sheet(
            '<sheetData><row><c t="inlineStr"><is><t>so</t></is></c></row><row><c><v>1e9999</v></c></row>'
            f'<row><c><v>{"9" * 100_000}</v></c></row></sheetData>')),
        "ten thousand members": ("xlsx", lambda: archive({f"x{n}": b"" for n in range(11_000)}, packed=0)),
        "a workbook cut off": ("xlsx", lambda: workbook([["so"], ["1"]])[:-30]),
        "diffgrams in diffgrams": ("dataset", lambda: b"<diffgram>" * DEEP + b"</diffgram>" * DEEP),
        "a name of escapes": ("dataset", lambda: b"<diffgram><D><" + b"_x0041_" * 500_000 + b"/></D></diffgram>"),
        "base64 of nothing": ("inside", lambda: b"<a>" + b"A" * (4 << 20) + b"</a>"),
        "base64 that is none": ("inside", lambda: b"<a>" + b"=" * (4 << 20) + b"</a>"),
    }  # fmt: skip


def mapping(source: str, folder: Path) -> InboundMapping:
    file = folder / f"{source}.yaml"
    file.write_text(f"mapping: t/{source}\nfrom: {SOURCES[source]}\nto: dossier-step.v1\nfields: {FIELDS}\n", "utf-8")
    found = load(file)
    assert isinstance(found, InboundMapping)
    return found


def end(read: InboundMapping, body: bytes) -> str:
    try:
        rows = read_all([read], body, None, ReadContext(AgencyRegister.empty(), "2017-03-20"))
    except UndecodableError as error:
        return f"undecodable: {str(error)[:200]}"
    ends = sorted({"accepted" if isinstance(row, RowOk) else f"{row.verdict}: {str(row.error)[:200]}" for row in rows})
    return "; ".join(ends[:3]) or "no rows"


def main() -> None:
    made = {name: (source, make()) for name, (source, make) in bombs().items()}
    limit = int(sys.argv[1]) << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        read = {source: mapping(source, Path(folder)) for source in SOURCES}
        for name, (source, body) in made.items():
            began = time.process_time()
            told = end(read[source], body)
            print(
                stdlib_json.dumps({"name": name, "end": told, "s": round(time.process_time() - began, 2)}), flush=True
            )


if __name__ == "__main__":
    main()
