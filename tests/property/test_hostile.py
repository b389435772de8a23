"""Ten thousand hostile bodies through every decoder and every mapping that comes with the hub: read or refused, and
nothing else. A quick loop with a seed gives the number; tests/property/test_mappings.py looks closer, and shrinks."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from html import escape
from typing import Any

import orjson
import pytest
import yaml
from pydantic import ValidationError

from mappings import InboundMapping, OutboundMapping, ReadContext, RefusedRowError, RenderContext, RowOk, read_all
from mappings.catalogue import load, names
from mappings.decode import csv, json, xlsx, xml
from mappings.decode.source import SourceSpec, Unwrap
from mappings.document import decoder
from mappings.load import CATALOGUE
from schemas.agency import AgencyRegister
from schemas.errors import UndecodableError
from schemas.record import KINDS, Record
from tests.support import proof
from tests.support.workbook import workbook

BODIES = 10_000
SEED: int | None = None if proof.THOROUGH else 20170320
"""`make test` plays the same bodies each time, `make prove` others."""
LIMIT = 100_000
REGISTER = AgencyRegister.empty()
PIECES = [
    piece.encode("utf-8", "surrogatepass")
    for piece in (
        *("<a>", "</a>", "<a/>", "<HoSo>", "</HoSo>", "<Buoc/>", "<!DOCTYPE a [", "<!ENTITY e 'x'>", "]>", "&e;"),
        *("&#0;", "&#xD800;", "&#65;", "<![CDATA[", "]]>", "<!--", "-->", "<?x", "?>", " xmlns='u'", " a='1' a='1'"),
        *("{", "}", "[", "]", '"', ":", ",", "\\", "\\u0000", "\\ud800", "null", "true", "1e999999", "-1e-999", "-"),
        *("9" * 400, "0.1", "NaN", ";", "\t", "\n", "\r", "'", "ạ", "a\u0323", "\0", "\ud800", "\ufeff", "\u202e"),
        *("31/02/2017", "0001-01-01", "99999999999999", "/Date(1e9)/", "<SoHoSo>", "</SoHoSo>", '"so_ho_so":', "PK"),
    )
]
CHARSETS = [None, None, None, "utf-8", "utf-16", "iso-8859-1", "windows-1258", "utf-7", "\x00", "ạ", ""]


def samples() -> dict[tuple[InboundMapping, ...], list[bytes]]:
    """By the mappings of one source that read the same arrivals, short bodies of their own tests."""
    together: dict[tuple[str, str], list[InboundMapping]] = {}
    bodies: dict[tuple[str, str], list[bytes]] = {}
    for name in names():
        mapping, test = load(name), CATALOGUE / f"{name}_test.yaml"
        if not isinstance(mapping, InboundMapping):
            continue
        which = name.partition("/")[0], mapping.label
        together.setdefault(which, []).append(mapping)
        for case in yaml.safe_load(test.read_text(encoding="utf-8"))["cases"]:
            body = case["body"].encode() if "body" in case else (test.parent / case["file"]).read_bytes()
            bodies.setdefault(which, []).append(body)
    return {tuple(found): _short(tuple(found), bodies[which]) for which, found in together.items()}


def _short(mappings: tuple[InboundMapping, ...], bodies: Sequence[bytes]) -> list[bytes]:
    """The two shortest that have rows."""
    found = []
    for body in sorted(bodies, key=len):
        with suppress(UndecodableError):
            if read_all(mappings, body, None, _context(mappings)):
                found.append(body)
    return found[:2]


def _context(mappings: tuple[InboundMapping, ...]) -> ReadContext:
    return ReadContext(REGISTER, mappings[0].label.replace("*", "1") or "page 1")


SAMPLES = samples()


def hostile(valid: Sequence[bytes], chance: random.Random, count: int) -> Iterator[bytes]:
    """Arbitrary bytes, rows of pieces, and mutated valid bodies."""
    for number in range(count):
        match number % 8:
            case 0:
                yield chance.randbytes(int(120 * chance.random()))
            case 1:
                yield b"".join(chance.choices(PIECES, k=int(24 * chance.random())))
            case _:
                yield mutated(valid[number % len(valid)], chance)


def mutated(body: bytes, chance: random.Random) -> bytes:
    """A body with some of it changed, gone, twice, moved or cut off."""
    made, some = bytearray(body), chance.random
    for _ in range(1 + int(3 * some() * some())):
        at = int(len(made) * some())
        to = at + 1 + int(40 * some())
        match int(12 * some()):
            case 0 | 1:
                made[at:to] = b""
            case 2 | 3:
                made[at:at] = PIECES[int(len(PIECES) * some())]
            case 4 | 5:
                made[at:to] = PIECES[int(len(PIECES) * some())]
            case 6 | 7:
                made[at:at] = made[at:to] * 2
            case 8 | 9 | 10 if made:
                made[at] = int(256 * some())
            case _:
                del made[at:]
    return bytes(made)


def packed(content: bytes) -> bytes:
    """As text inside XML."""
    return b"<a><d>" + escape(content.decode("utf-8", "replace")).encode() + b"</d></a>"


def armoured(content: bytes) -> bytes:
    """In base64 inside JSON."""
    return b'{"d": "' + base64.b64encode(content) + b'"}'


XML = b'<?xml version="1.0" encoding="utf-8"?><DS xmlns="u"><Tong>1</Tong><HoSo a="1"><So>H-1</So><T>x</T></HoSo></DS>'
JSON = b'{"ma": "00", "ds": [{"so": "H-1", "n": [1, 2.5, null, true, {"k": "\\u1ea1"}]}, {"so": 7}]}'
CSV = 'SO;TEN;"GHI;CHU"\nH-1;Lê Thị Mai;"a ""b"""\nH-2;;\n'.encode()
XLSX = [workbook([["Số", "Ngày"], ["0001", 42814.5], [True, "#N/A"], [None, 3]])]
DIFFGRAM = (
    b'<r><diffgr:diffgram xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1"><DS><T diffgr:id="1"><So>1</So></T>'
    b'</DS><diffgr:before><T diffgr:id="2"><So>2</So></T></diffgr:before></diffgr:diffgram></r>'
)
INSIDE = (Unwrap("/a/d", "xml"),)
Read = Callable[[bytes, str | None], Any]
DECODERS: dict[str, tuple[Sequence[bytes], Read]] = {
    "xml": ([XML], lambda body, charset: xml.parse(body, charset, limit=LIMIT)),
    "json": ([JSON], lambda body, charset: json.parse(body, charset, limit=LIMIT)),
    "csv": ([CSV], lambda body, charset: csv.parse(body, charset, own="", delimiter=";", quote='"', limit=LIMIT)),
    "xlsx": (XLSX, lambda body, charset: xlsx.parse(body, sheet="", header=0, limit=LIMIT)),
    "dataset": ([DIFFGRAM], decoder(SourceSpec("xml", dataset="T", max_bytes=LIMIT))),
    "xml in xml": (
        [packed(XML)],
        decoder(SourceSpec("xml", unwrap=INSIDE, within="/DS", each="HoSo", beside=("Tong",), max_bytes=LIMIT)),
    ),
    "json in base64 in json": (
        [armoured(JSON)],
        decoder(SourceSpec("json", unwrap=(Unwrap("d", "json", base64=True),), within="ds", max_bytes=LIMIT)),
    ),
}
INNER = {"xml in xml": (packed, XML), "json in base64 in json": (armoured, JSON)}
"""How what is inside is packed, and what it is: half of the bodies are whole without and hostile within."""


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_reads_or_refuses_ten_thousand_bodies(name: str) -> None:
    valid, read = DECODERS[name]
    chance = random.Random(SEED)
    count = read_some = 0
    for body in hostile(valid, chance, BODIES):
        if name in INNER and count % 2:
            pack, content = INNER[name]
            body = pack(mutated(content, chance))
        count += 1
        with suppress(UndecodableError):
            read(body, chance.choice(CHARSETS))
            read_some += 1
    assert count == BODIES
    assert read_some > BODIES // 100, "most were refused at the door, so nothing was proved"


@pytest.mark.parametrize("mappings", SAMPLES, ids=lambda found: " and ".join(one.name for one in found))
def test_mappings_end_ten_thousand_bodies_as_accepted_rejected_or_parked(mappings: tuple[InboundMapping, ...]) -> None:
    chance = random.Random(SEED)
    context = _context(mappings)
    ends = dict.fromkeys(("accepted", "reject", "park", "undecodable"), 0)
    for body in hostile(SAMPLES[mappings], chance, BODIES):
        try:
            rows = read_all(mappings, body, chance.choice(CHARSETS[:4]), context)
        except UndecodableError:
            ends["undecodable"] += 1
            continue
        for row in rows:
            ends["accepted" if isinstance(row, RowOk) else row.verdict] += 1
            assert isinstance(row, RowOk) or (row.raw and all(str(one) for one in row.error.problems))
    assert ends["reject"], ends
    assert ends["undecodable"], ends
    assert ends["accepted"] or ends["park"], ends


@pytest.mark.parametrize("name", [name for name in names() if isinstance(load(name), OutboundMapping)])
def test_a_payload_is_written_or_refused_whatever_the_texts_are(name: str) -> None:
    mapping = load(name)
    assert isinstance(mapping, OutboundMapping)
    chance = random.Random(SEED)
    for values in records(mapping.kind, chance, BODIES // 10):
        with suppress(RefusedRowError):
            payload = mapping.render(values, RenderContext(REGISTER))
            mapping.body(payload)


@cache
def valid_records(kind: str) -> list[dict[str, Any]]:
    found = []
    for name in names():
        if isinstance(load(name), OutboundMapping) and load(name).kind == kind:
            cases = yaml.safe_load((CATALOGUE / f"{name}_test.yaml").read_text(encoding="utf-8"))["cases"]
            found += [case["record"] for case in cases if "record" in case]
    return found


def records(kind: str, chance: random.Random, count: int) -> Iterator[Record]:
    """Records of a kind of which one text is anything that the kind takes."""
    model = KINDS[kind]
    made = [model.from_json(orjson.dumps(one, default=str)) for one in valid_records(kind)]
    texts = [name for name, value in made[0].__dict__.items() if type(value) is str]
    for _ in range(count):
        text = b"".join(chance.choices(PIECES, k=2)).decode("utf-8", "surrogatepass")
        with suppress(ValidationError):
            yield model.model_validate(chance.choice(made).__dict__ | {chance.choice(texts): text})
