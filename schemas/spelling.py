"""Which known word a misspelt one was probably meant to be."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher, get_close_matches
from unicodedata import combining, normalize


def near(word: str, words: Sequence[str]) -> str | None:
    """The known word that an unknown one was probably meant to be; None where none is near.

    Diacritics count where they are written: what differs in them alone, or in capitals and blanks, is nearest of all
    ("dang xu li" is near "đang xử lý"), and of several such the one whose diacritics are nearest.
    """
    bare = _bare(word)
    spelt: dict[str, list[str]] = {}
    for one in words:
        spelt.setdefault(_bare(one), []).append(one)
    alike = spelt.get(bare)
    if alike is None:
        exact = get_close_matches(word, words, 1)
        if exact:
            return exact[0]
        close = get_close_matches(bare, spelt, 1)
        alike = spelt[close[0]] if close else []
    folded = word.casefold()
    return max(alike, key=lambda one: SequenceMatcher(None, folded, one.casefold()).ratio(), default=None)


def _bare(word: str) -> str:
    """A word without diacritics, capitals and superfluous blanks."""
    apart = normalize("NFD", word.casefold()).replace("đ", "d")
    return " ".join("".join(sign for sign in apart if not combining(sign)).split())
