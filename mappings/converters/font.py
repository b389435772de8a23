"""`font`: Vietnamese text kept in the 8-bit codes of an old font, to Unicode (NFC).

font: tcvn3                         TCVN3, "ABC": the fonts .VnTime, .VnArial
font: {name: tcvn3, capitals: true} the fonts whose names end in H (.VnTimeH), which draw every letter as a capital
font: vni                           VNI for Windows: a letter, and after it a character for its tone

What such a system stores are the fonts' own codes, which everybody else reads as Western letters: `Hå s¬` is "Hồ sơ".
A text that holds Vietnamese letters of Unicode already is left as it is: systems that were converted once hold both.

Charts: TCVN 5712:1993, table VN3; VNI Software Company, "VNI character set for Windows".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any
from unicodedata import normalize

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import NEEDED, Entry, Option, Tried
from mappings.notation import Keys, Marked

TONES = ("", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323")
"""None, grave, hook, tilde, acute, dot below: the order in which both charts have them."""

_TCVN3 = {
    "a": "aµ¶·¸¹", "ă": "¨»¼½¾Æ", "â": "©ÇÈÉÊË", "e": "eÌÎÏÐÑ", "ê": "ªÒÓÔÕÖ", "i": "i×ØÜÝÞ",
    "o": "oßáâãä", "ô": "«åæçèé", "ơ": "¬êëìíî", "u": "uïñòóô", "ư": "\u00adõö÷øù", "y": "yúûüýþ",
}  # fmt: skip
"""Per vowel: itself, then with each tone."""
_TCVN3_SINGLE = {"®": "đ", "¡": "Ă", "¢": "Â", "£": "Ê", "¤": "Ô", "¥": "Ơ", "¦": "Ư", "§": "Đ"}

_VNI_TONES = ("", "ø", "û", "õ", "ù", "ï")
_VNI_BREVE = ("ê", "è", "ú", "ü", "é", "ë")
_VNI_HAT = ("â", "à", "å", "ã", "á", "ä")
_VNI_VOWELS = {
    "a": ("a", _VNI_TONES), "ă": ("a", _VNI_BREVE), "â": ("a", _VNI_HAT), "e": ("e", _VNI_TONES),
    "ê": ("e", _VNI_HAT), "o": ("o", _VNI_TONES), "ô": ("o", _VNI_HAT), "ơ": ("ô", _VNI_TONES),
    "u": ("u", _VNI_TONES), "ư": ("ö", _VNI_TONES), "y": ("y", _VNI_TONES),
}  # fmt: skip
_VNI_SINGLE = {"ñ": "đ", "ì": "ì", "æ": "ỉ", "ó": "ĩ", "í": "í", "ò": "ị", "î": "ỵ"}


def _toned(vowel: str) -> list[str]:
    return [normalize("NFC", vowel + tone) for tone in TONES]


def _tcvn3() -> Iterator[tuple[str, str]]:
    for vowel, codes in _TCVN3.items():
        yield from zip(codes, _toned(vowel), strict=True)
    yield from _TCVN3_SINGLE.items()


def _vni() -> Iterator[tuple[str, str]]:
    for vowel, (base, marks) in _VNI_VOWELS.items():
        for mark, letter in zip(marks, _toned(vowel), strict=True):
            if vowel == "y" and mark == _VNI_TONES[-1]:
                continue  # that letter has a code of its own
            for code in {base + mark, base + mark.upper()}:
                yield code, letter
                # A capital's mark stands as a capital, or as it is.
                yield code[0].upper() + code[1:], letter.upper()
    for code, letter in _VNI_SINGLE.items():
        yield from ((code, letter), (code.upper(), letter.upper()))


FONTS = {"tcvn3": dict(_tcvn3()), "vni": dict(_vni())}
"""Per font: what stands for each letter."""

_ALPHABET = frozenset(chain.from_iterable(_toned(vowel) for vowel in _TCVN3)) | {"đ"}
_UNICODE = re.compile(f"[{''.join(sorted(x for x in _ALPHABET | {y.upper() for y in _ALPHABET} if ord(x) > 0xFF))}]")
"""Vietnamese letters that no 8-bit font's code can be taken for."""


def build(options: Marked, setting: Setting) -> Compiled | None:
    if isinstance(options.value, str):
        options = Marked({"name": options}, options.line)
    keys = Keys(options, "font", setting.problems)
    if "name" not in keys:
        setting.problems.add(
            "font", options.line, f"font: which? {', '.join(FONTS)}", f"write font: {next(iter(FONTS))}"
        )
    name, capitals = keys.choice("name", tuple(FONTS), ""), keys.flag("capitals")
    keys.done()
    if name not in FONTS:
        return None
    codes = FONTS[name]
    # The longest first: in VNI a letter's code begins like that of the letter without a tone.
    pattern = re.compile("|".join(map(re.escape, sorted(codes, key=len, reverse=True))))

    def convert(value: Any, scope: Scope) -> str:
        text = text_in(value)
        if _UNICODE.search(text):
            return text
        text = normalize("NFC", pattern.sub(lambda found: codes[found[0]], text))
        return text.upper() if capitals else text

    return Compiled(convert, "text")


MANUAL = Entry(
    (
        Tried("font: tcvn3", "NguyÔn V¨n B×nh", "Nguyễn Văn Bình"),
        Tried("font: {name: tcvn3, capitals: true}", "Hå s¬", "HỒ SƠ"),
        Tried("font: vni", "Hoà sô ñaõ nhaän", "Hồ sơ đã nhận"),
        Tried("font: vni", "Hồ sơ đã nhận", "Hồ sơ đã nhận"),
    ),
    (
        Option("name", "`tcvn3`, `vni`", NEEDED, "whose codes they are: .VnTime and .VnArial, or VNI for Windows"),
        Option("capitals", "`true`, `false`", "`false`", "fonts that end in H draw every letter as a capital"),
    ),
    short="`font: vni` is `font: {name: vni}`",
    refuses=("nothing that is text",),
    notes=("A text that has letters of Unicode already stays as it is: systems that were converted once hold both.",),
)

CONVERTER = Converter(
    "font", "Vietnamese text in the codes of an old 8-bit font (TCVN3, VNI) to Unicode", build, MANUAL
)
