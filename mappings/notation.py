"""The YAML that mappings are written in: text to a tree of marked nodes, with every problem's line. Pure: no files.

A strict subset of YAML, so that a mapping says what it seems to say: one document, no anchors, aliases or explicit
tags, no key twice; the keys of a mapping are the text as written (`01`, `yes` and `2017-01-01` stay text), and plain
scalars are `null`, `true`, `false`, whole decimal numbers or text, nothing else. It must not know what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias, cast

import yaml
from yaml.composer import Composer, ComposerError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from schemas.errors import ConfigError, Problem

MAX_DEPTH = 20
"""Nesting that no mapping needs and that no reader of one could follow."""

_MEND = "correct it there or a little above: brackets, quotes and indentation must match"

_LINES = "write 'name: value' lines, indented below it"

Scalar: TypeAlias = "str | int | bool | None"
_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_WORDS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Marked:
    """A value of a mapping file and the line where it stands; `keys` has the line of each key of a mapping."""

    value: Scalar | dict[str, Marked] | list[Marked]
    line: int

    @property
    def plain(self) -> Any:
        """The value without marks: dict, list or scalar."""
        if isinstance(self.value, dict):
            return {key: item.plain for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain for item in self.value]
        return self.value

    @property
    def shape(self) -> str:
        """What it is, for people."""
        names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number"}
        return names.get(type(self.value), "nothing")


class Problems:
    """Collects what is wrong with one file, so that all of it is told at once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, rule: str, line: int, message: str, mend: str = "", file: str = "") -> None:
        """Note a problem of this file, or of another one that belongs to it."""
        self.found.append(Problem(rule=rule, message=message, mend=mend, file=file or self.file, line=line))

    def stop(self) -> None:
        """Raises: ConfigError with everything found so far, in the order of lines; nothing if there is nothing."""
        if self.found:
            raise ConfigError(sorted(self.found, key=lambda problem: problem.line))


def nearest(word: str, known: Iterable[str]) -> str:
    """The mend for a word that is not known: the nearest that is, else all of them."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"use one of: {', '.join(names)}" if names else "there are none"


class _Strict(Composer):
    """PyYAML's composer for the subset; what it composes comes from a parser of events beside it."""

    _depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = cast(Any, self).peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ComposerError(None, None, "anchors and aliases are not part of the language", event.start_mark)
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise ComposerError(None, None, f"explicit tags are not part of the language: {tag}", event.start_mark)
        if self._depth >= MAX_DEPTH:
            raise ComposerError(None, None, f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Loader(Reader, Scanner, Parser, _Strict, BaseResolver):
    """PyYAML up to composed nodes, without its implicit types."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        _Strict.__init__(self)
        BaseResolver.__init__(self)


def _quickest() -> Callable[[str], Composer]:
    """The same on libyaml's parser, which takes a seventh of the time; not every build of PyYAML has it."""
    if not yaml.__with_libyaml__:
        return _Loader
    from yaml._yaml import CParser

    class QuickLoader(_Strict, CParser, BaseResolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Strict.__init__(self)
            BaseResolver.__init__(self)

    return QuickLoader


_quick = _quickest()


def composed(text: str, *, quick: Callable[[str], Composer], plain: Callable[[str], Composer]) -> Node | None:
    """The one document's node. What the quick loader refuses is read again by the plain one, whose words people see.

    Raises: yaml.YAMLError.
    """
    try:
        return quick(text).get_single_node()
    except yaml.YAMLError:
        return plain(text).get_single_node()


def parse(text: str, problems: Problems) -> Marked | None:
    """Read one YAML document; None, with the problem noted, where it cannot be read at all."""
    try:
        root = composed(text, quick=_quick, plain=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        problems.add("yaml", mark.line + 1 if mark else 1, f"not readable as YAML: {said}", _MEND)
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
        problems.add("yaml", line, f"not readable as YAML: {error.reason}", _MEND)
        return None
    if root is None:
        problems.add("yaml", 1, "the file is empty", "write a mapping; docs/mapping.md has examples")
        return None
    return _marked(root, problems)


def _marked(node: Node, problems: Problems) -> Marked:
    line = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        found: dict[str, Marked] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                problems.add("yaml", at, "a key should be one word, not a list or a mapping")
            elif key.value in found:
                problems.add("duplicate-key", at, f"the key {key.value!r} stands here twice", "keep one of them")
            else:
                item = _marked(value, problems)
                # A nested block starts on the line after its key; what is wrong with it is told where its key stands.
                found[key.value] = item if isinstance(value, ScalarNode) else Marked(item.value, at)
        return Marked(found, line)
    if isinstance(node, SequenceNode):
        return Marked([_marked(item, problems) for item in node.value], line)
    return Marked(_scalar(cast(ScalarNode, node)), line)


def _scalar(node: ScalarNode) -> Scalar:
    text: str = node.value
    if node.style:  # quoted, or a block: text whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if len(text) < 19 and _INT.fullmatch(text) else text


class Keys:
    """One mapping node, read key by key; what was not asked for is unknown and told as such by `done`."""

    def __init__(self, node: Marked, what: str, problems: Problems) -> None:
        self.what, self.problems, self.line = what, problems, node.line
        self._asked: set[str] = set()
        self._items: dict[str, Marked] = {}
        if isinstance(node.value, dict):
            self._items = node.value
        else:
            problems.add("shape", node.line, f"{what} should be a mapping, is {node.shape}", _LINES)

    def __iter__(self) -> Iterator[tuple[str, Marked]]:
        return iter(self._items.items())

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def left(self) -> list[tuple[str, Marked]]:
        """The keys that nobody asked for, in the order written."""
        return [(key, item) for key, item in self._items.items() if key not in self._asked]

    def get(self, key: str) -> Marked | None:
        self._asked.add(key)
        return self._items.get(key)

    def need(self, key: str, mend: str) -> Marked | None:
        item = self.get(key)
        if item is None:
            self.problems.add("missing-key", self.line, f"{self.what} lacks {key!r}", mend)
        return item

    def text(self, key: str, default: str = "") -> str:
        """The text at `key`; `default` where it is absent or (a problem) something else."""
        item = self.get(key)
        if item is None:
            return default
        return text_of(item, f"{key!r} of {self.what}", self.problems, default)

    def number(self, key: str, *, least: int = 0) -> int | None:
        item = self.get(key)
        if item is None:
            return None
        if type(item.value) is int and item.value >= least:
            return item.value
        self.problems.add(
            "shape", item.line, f"{key!r} of {self.what} should be a whole number from {least} on", "write a number"
        )
        return None

    def flag(self, key: str) -> bool:
        item = self.get(key)
        if item is None or isinstance(item.value, bool):
            return bool(item and item.value)
        self.problems.add(
            "shape",
            item.line,
            f"{key!r} of {self.what} should be true or false, is {item.plain!r}",
            "write true or false",
        )
        return False

    def choice(self, key: str, known: Iterable[str], default: str) -> str:
        item = self.get(key)
        if item is None:
            return default
        names = list(known)
        written = "null" if item.value is None else item.value
        if isinstance(written, str) and written in names:
            return written
        self.problems.add(
            "choice", item.line, f"{key!r} of {self.what} is {item.plain!r}", nearest(str(written), names)
        )
        return default

    def texts(self, key: str) -> list[str]:
        """One text, or a list of them."""
        item = self.get(key)
        if item is None:
            return []
        items = item.value if isinstance(item.value, list) else [item]
        return [text_of(one, f"{key!r} of {self.what}", self.problems) for one in items]

    def done(self, also: Iterable[str] = ()) -> None:
        """Tell every key that was not asked for; `also` are names worth suggesting beside those that were."""
        for key, item in self.left():
            known = self._asked.union(also)
            self.problems.add("unknown-key", item.line, f"{self.what} has an unknown key {key!r}", nearest(key, known))


def text_of(item: Marked, what: str, problems: Problems, default: str = "") -> str:
    """The text of a scalar; a number counts as the text it is written as."""
    if isinstance(item.value, str):
        return item.value
    if type(item.value) is int:
        return str(item.value)
    problems.add(
        "shape", item.line, f"{what} should be text, is {item.shape}", "write one text, in quotes where needed"
    )
    return default
