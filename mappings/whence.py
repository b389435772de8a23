"""Where the value of a field comes from: one place, several places, or a place that depends on another one.

path: HoTen                                                one place
first: [NgayHenTra, NgayHen]                               the first of them that has a value
join: [Ho, TenDem, Ten]                                    the texts of all that have one, with blanks between
join: {parts: [SoKyHieu, CoQuan], with: "/"}
choose:                                                    the first whose condition holds
  - {when: {path: TrangThai, is: [Đã xong, Đã trả]}, path: NgayXong}
  - {when: {path: Kenh, empty: true}, const: counter}
  - {path: NgayTra}

A condition has one of `is`, `not` (texts, compared as they stand), `empty` (true or false) and `matches` (a regular
expression for the whole text). What a choice gives may itself be `path`, `first`, `join` or `const`. Compiled once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from unicodedata import normalize

from mappings.converters.converter import text_in
from mappings.notation import Keys, Marked, Problems, text_of
from mappings.refusal import RefusalError
from mappings.shapes import Getter, Shape
from mappings.shapes.path import PathError

WAYS = ("path", "first", "join", "choose")
"""The keys of which a field has one; `outer` is a path in the row around, `const` no place at all."""

_Test: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Whence:
    """How a value is found in a view of a row; `told` names the places for people, `paths` are all that are read."""

    get: Getter
    told: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A question to the view of a row, and the places that it reads. Raises: RefusalError where one is not certain."""

    holds: _Test
    paths: tuple[str, ...]


def compile_whence(keys: Keys, shape: Shape | None, problems: Problems) -> Whence | None:
    """Compile what a field says of its place; exactly one of WAYS is written. None where a problem was noted."""
    way = next(way for way in WAYS if way in keys)
    item = keys.get(way)
    assert item is not None
    match way:
        case "path":
            return _path(item, keys.what, shape, problems)
        case "first":
            return _first(item, keys.what, shape, problems)
        case "join":
            return _join(item, keys.what, shape, problems)
        case _:
            return _choose(item, keys.what, shape, problems)


def _path(item: Marked, what: str, shape: Shape | None, problems: Problems) -> Whence | None:
    path = text_of(item, f"'path' of {what}", problems)
    if not path:
        problems.add("missing-path", item.line, f"{what} should have one source", "write path: …")
    return whence(path, item.line, what, shape, problems)


def whence(path: str, line: int, what: str, shape: Shape | None, problems: Problems) -> Whence | None:
    """One place."""
    if shape is None or not path:
        return None
    try:
        return Whence(shape.getter(path), path, (path,))
    except PathError as error:
        problems.add("path", line, f"{what}: {error}", error.mend)
        return None


def _places(item: Marked, what: str, shape: Shape | None, problems: Problems) -> list[Whence] | None:
    """The places that a list names. None where a problem was noted."""
    if not isinstance(item.value, list) or len(item.value) < 2:
        problems.add("shape", item.line, f"{what} should be a list of two paths or more", "write [HoTen, TenGoi]")
        return None
    found = [_path(one, what, shape, problems) for one in item.value]
    good = [one for one in found if one is not None]
    return good if len(good) == len(found) else None


def _first(item: Marked, what: str, shape: Shape | None, problems: Problems) -> Whence | None:
    places = _places(item, f"'first' of {what}", shape, problems)
    if places is None:
        return None
    gets = [place.get for place in places]

    def get(view: Any) -> Any:
        for one in gets:
            value = _bare(one(view))
            if value is not None:
                return value
        return None

    return Whence(get, " or ".join(place.told for place in places), _all(places))


def _join(item: Marked, what: str, shape: Shape | None, problems: Problems) -> Whence | None:
    between = " "
    if isinstance(item.value, dict):
        keys = Keys(item, f"'join' of {what}", problems)
        between = keys.text("with", " ")
        parts = keys.need("parts", "write parts: [Ho, Ten]")
        keys.done()
        if parts is None:
            return None
        item = parts
    places = _places(item, f"'join' of {what}", shape, problems)
    if places is None:
        return None
    gets = [place.get for place in places]

    def get(view: Any) -> str | None:
        values = [(_bare(one(view)), place) for one, place in zip(gets, places, strict=True)]
        return between.join(_joined(value, place) for value, place in values if value is not None) or None

    return Whence(get, " + ".join(place.told for place in places), _all(places))


def _joined(value: Any, place: Whence) -> str:
    """The text of a part. Raises: RefusalError that names the part, not the whole."""
    try:
        return text_in(value)
    except RefusalError as error:
        error.found, error.path = value, place.told
        raise


def _choose(item: Marked, what: str, shape: Shape | None, problems: Problems) -> Whence | None:
    if not isinstance(item.value, list) or not item.value:
        problems.add("shape", item.line, f"'choose' of {what} should be a list", "write - {when: {…}, path: …}")
        return None
    before = len(problems.found)
    ways: list[tuple[_Test, Getter]] = []
    told: list[str] = []
    places: list[Whence] = []
    for number, one in enumerate(item.value):
        keys = Keys(one, f"choice {number + 1} of {what}", problems)
        when = keys.get("when")
        if when is None and number < len(item.value) - 1:
            mend = "give it a `when`, or put it last"
            problems.add("choose", one.line, f"{keys.what} has no condition, what stands after it is never taken", mend)
        test, asked = _condition(when, f"'when' of {keys.what}", shape, problems) if when else (_always, None)
        place = _chosen(keys, one, shape, problems)
        keys.done(also=("when", "path", "first", "join", "const"))
        if test is not None and place is not None:
            ways.append((test, place.get))
            told.append(place.told)
            places += [place] if asked is None else [asked, place]
    if len(problems.found) > before:
        return None

    def get(view: Any) -> Any:
        for holds, one in ways:
            if holds(view):
                return one(view)
        return None

    return Whence(get, " or ".join(dict.fromkeys(name for name in told if name)), _all(places))


def _chosen(keys: Keys, one: Marked, shape: Shape | None, problems: Problems) -> Whence | None:
    written = [way for way in ("path", "first", "join", "const") if way in keys]
    if len(written) != 1:
        problems.add("missing-path", one.line, f"{keys.what} should have one source", "write path: …, or const: …")
        return None
    if written == ["const"]:
        const = keys.get("const")
        value = None if const is None else const.plain
        return Whence(lambda view: value, "", ())
    return compile_whence(keys, shape, problems)


def condition(written: Marked, what: str, shape: Shape | None, problems: Problems) -> Condition | None:
    """A condition as `choose` has them. None where a problem was noted."""
    test, place = _condition(written, what, shape, problems)
    return None if test is None or place is None else Condition(test, place.paths)


def _condition(when: Marked, what: str, shape: Shape | None, problems: Problems) -> tuple[_Test | None, Whence | None]:
    keys = Keys(when, what, problems)
    place = whence(keys.text("path"), when.line, keys.what, shape, problems)
    if "path" not in keys:
        problems.add("missing-key", when.line, f"{keys.what} lacks 'path'", "write {path: TrangThai, is: …}")
    written = [name for name in ("is", "not", "empty", "matches") if name in keys]
    test = _test(written[0], keys, problems) if len(written) == 1 else None
    if len(written) != 1:
        problems.add("choose", when.line, f"{keys.what} should have one of is, not, empty and matches")
    keys.done(also=("path", "is", "not", "empty", "matches"))
    if test is None or place is None:
        return None, None
    get, judge = place.get, test
    return lambda view: judge(_bare(get(view))), place


def _test(name: str, keys: Keys, problems: Problems) -> _Test | None:
    """A test of the bare value, None for none."""
    if name == "empty":
        wanted = keys.flag("empty")
        return lambda value: (value is None) is wanted
    if name == "matches":
        item, written = keys.get("matches"), keys.text("matches")
        try:
            pattern = re.compile(written)
        except re.error as error:
            line = keys.line if item is None else item.line
            problems.add("match", line, f"{written!r} is no regular expression: {error}")
            return None
        return lambda value: value is not None and pattern.fullmatch(_text(value)) is not None
    words = frozenset(normalize("NFC", word).strip() for word in keys.texts(name))
    among = name == "is"
    return lambda value: (value is not None and _text(value) in words) is among


def _text(value: Any) -> str:
    """A value as a condition compares it; true and false as they are written in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _bare(value: Any) -> Any:
    """A text composed and trimmed, None for an empty one; anything else as it is."""
    if type(value) is not str:
        return value
    return (value if value.isascii() else normalize("NFC", value)).strip() or None


def _always(view: Any) -> bool:
    return True


def _all(places: Sequence[Whence]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for place in places for path in place.paths))
