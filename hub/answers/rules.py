"""Compiles the data of an answer table into rules, and says everything that is wrong with it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hub.answers.naming import Naming
from hub.answers.reading import fold
from hub.answers.shadow import codes_twice, covers
from hub.ports import FaultClass, Mode
from mappings.notation import nearest
from schemas.errors import ConfigError, Problem

Call: TypeAlias = Literal["log-in", "send", "look-up"]
FORMATS = ("json", "xml")
CALLS: tuple[Call, ...] = ("log-in", "send", "look-up")


@dataclass(frozen=True, slots=True)
class Items:
    """Where an answer holds a result per item (dotted paths): the list, and in each its key, code and message."""

    at: str
    key: str
    code: str
    message: str
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table; an empty pattern fits everything."""

    fault: FaultClass | None
    say: str = ""
    statuses: tuple[tuple[int, int], ...] = ()
    codes: tuple[tuple[type, Any], ...] = ()
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    calls: frozenset[str] = frozenset()
    modes: frozenset[str] = frozenset()
    naming: Naming | None = None
    """How it finds the refused field; None where it does not."""
    names_field: bool = False
    """Whether it fits only an answer in which it finds one."""
    assumed: bool = False
    """No public material says so: a guess that a province has to confirm with the portal."""
    line: int = 0

    @property
    def reads_body(self) -> bool:
        return bool(self.codes or self.contains or self.lacks or self.naming)


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the data of a table says, checked."""

    name: str
    title: str
    code: str
    message: str
    rules: tuple[Rule, ...]
    items: Items | None
    personal: bool
    format: str
    line: int
    """Of the rules."""


def compile_table(data: object, file: str, lines: Mapping[tuple[str | int, ...], int]) -> Compiled:
    """Raises: ConfigError with every problem of the table; `lines` gives the line of each path in `file`."""
    return _Compiler(file, lines).table(data)


_TABLE_KEYS = ("answers", "title", "code", "message", "format", "personal", "items", "rules")
_RULE_KEYS = ("when", "is", "say", "field", "assumed")
_WHEN_KEYS = ("status", "code", "message", "lacks", "call", "mode", "names_field")
_FIELD_KEYS = ("at", "in_message")
_ITEM_KEYS = ("at", "key", "code", "message", "assumed")
_OUTCOMES = ("success", *(str(f) for f in FaultClass))


class _Compiler:
    """Turns data into a table and collects everything wrong with it."""

    def __init__(self, file: str, lines: Mapping[tuple[str | int, ...], int]) -> None:
        self.file, self.lines = file, lines
        self.problems: list[Problem] = []

    def wrong(self, path: tuple[str | int, ...], message: str, mend: str, rule: str = "answers") -> None:
        at = path
        while at and at not in self.lines:
            at = at[:-1]
        shown = ".".join(map(str, path)) or "the table"
        self.problems.append(Problem(rule, f"{shown}: {message}", mend, self.file, self.lines.get(at, 0)))

    def table(self, data: object) -> Compiled:
        top = self.keys(data, (), _TABLE_KEYS, ("answers", "code", "message", "rules"))
        rules: list[Rule] = []
        listed = top.get("rules", [])
        if not isinstance(listed, list) or not listed:
            self.wrong(("rules",), "must be a list with at least one rule", "say at least what success is")
            listed = []
        for index, rule in enumerate(listed):
            rules.append(self.rule(rule, ("rules", index)))
        if rules and not any(rule.fault is None for rule in rules):
            self.wrong(("rules",), "no rule says what success is", "add a rule with `is: success`")
        items = None
        if top.get("items") is not None:
            entry = self.keys(top["items"], ("items",), _ITEM_KEYS, _ITEM_KEYS[:4])
            texts = {name: self.text(entry, ("items",), name) for name in _ITEM_KEYS[:4]}
            items = Items(**texts, assumed=self.flag(entry, ("items",)))
        name, title = self.text(top, (), "answers"), self.text(top, (), "title")
        code, message = self.text(top, (), "code"), self.text(top, (), "message")
        personal = self.flag(top, (), "personal")
        format_ = top.get("format", "json")
        if format_ not in FORMATS:
            self.wrong(("format",), f"unknown format {format_!r}", nearest(str(format_), FORMATS))
        for index, rule in enumerate(rules if format_ == "xml" else ()):
            for _, value in (pair for pair in rule.codes if pair[0] is int):
                mend = f'put it in quotes: "{value}"'
                self.wrong(("rules", index, "when", "code"), f"{value}: in XML every code is a text", mend)
        if not self.problems:
            self.unreachable(rules)
        if self.problems:
            raise ConfigError(self.problems)
        line = self.lines.get(("rules",), 0)
        return Compiled(name, title or name, code, message, tuple(rules), items, personal, format_, line)

    def unreachable(self, rules: Sequence[Rule]) -> None:
        """Rules, and codes of rules, that an earlier rule always takes first."""
        for index, later in enumerate(rules):
            path = ("rules", index)
            twice = [value for at, (kind, value) in enumerate(later.codes) if (kind, value) in later.codes[:at]]
            for value in twice:
                self.wrong((*path, "when", "code"), f"{value!r} stands here twice", "keep one", "answers-code-twice")
            for before, earlier in enumerate(rules[:index]):
                place = f"rules.{before} (line {earlier.line})" if earlier.line else f"rules.{before}"
                if covers(earlier, later):
                    mend = f"take this rule out, or put it before {place}"
                    said = f"can never fit: whatever it fits, {place} fits first"
                    self.wrong(path, said, mend, "answers-shadowed")
                    break
                shared = codes_twice(earlier, later)
                if shared:
                    listed = ", ".join(repr(value) for value in shared)
                    said = f"{listed}: {place} takes the same first"
                    self.wrong((*path, "when", "code"), said, "leave it to one of them", "answers-code-twice")
                    break

    def rule(self, data: object, path: tuple[str | int, ...]) -> Rule:
        entry = self.keys(data, path, _RULE_KEYS, ("when", "is"))
        when = self.keys(entry.get("when", {}), (*path, "when"), _WHEN_KEYS, ())
        outcome = entry.get("is", "success")
        if outcome not in _OUTCOMES:
            mend = nearest(str(outcome), _OUTCOMES)
            self.wrong((*path, "is"), f"unknown outcome {outcome!r}", mend, "answers-outcome")
            outcome = "success"
        if "when" in entry and not when:
            self.wrong((*path, "when"), "an empty pattern fits every answer", "name a status, a code or a message")
        at = (*path, "when")
        naming, names_field = self.naming(entry, path), self.flag(when, at, "names_field")
        if names_field and "field" not in entry:
            mend = "add field: payload, {at: …} or {in_message: …}"
            self.wrong((*at, "names_field"), "the rule does not say where a field is named", mend, "answers-field")
        return Rule(
            fault=None if outcome == "success" else FaultClass(outcome),
            say=self.text(entry, path, "say"),
            statuses=tuple(self.status(value, (*at, "status")) for value in _listed(when, "status")),
            codes=tuple(self.scalar(value, (*at, "code")) for value in _listed(when, "code")),
            contains=tuple(self.pattern(value, (*at, "message")) for value in _listed(when, "message")),
            lacks=tuple(self.pattern(value, (*at, "lacks")) for value in _listed(when, "lacks")),
            calls=self.words(when, at, "call", CALLS),
            modes=self.words(when, at, "mode", tuple(str(m) for m in Mode)),
            naming=naming,
            names_field=names_field,
            assumed=self.flag(entry, path),
            line=self.lines.get(path, 0),
        )

    def keys(
        self, data: object, path: tuple[str | int, ...], known: Sequence[str], needed: Sequence[str]
    ) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.wrong(path, f"must be a mapping, found {data!r}", f"with the keys {', '.join(known)}")
            return {}
        for key in data:
            if key not in known:
                self.wrong((*path, str(key)), "unknown key", nearest(str(key), known))
        for key in needed:
            if key not in data:
                self.wrong(path, f"{key} is missing", f"add `{key}:`")
        return data

    def text(self, entry: Mapping[str, Any], path: tuple[str | int, ...], key: str) -> str:
        value = entry.get(key, "")
        if isinstance(value, str):
            return unicodedata.normalize("NFC", value.strip())
        self.wrong((*path, key), f"must be text, found {value!r}", "put it in quotes")
        return ""

    def naming(self, entry: Mapping[str, Any], path: tuple[str | int, ...]) -> Naming | None:
        """`field: payload`, `field: {at: path}` or `field: {in_message: pattern}`."""
        written, at = entry.get("field"), (*path, "field")
        if written is None:
            return None
        if written == "payload":
            return Naming(payload=True)
        if not isinstance(written, dict):
            mend = "write field: payload, {at: …} or {in_message: …}"
            self.wrong(at, f"says not where the field is named, found {written!r}", mend, "answers-field")
            return None
        keys = self.keys(written, at, _FIELD_KEYS, ())
        if sum(key in keys for key in _FIELD_KEYS) != 1:
            self.wrong(at, "should have one of at and in_message", "keep the one that fits", "answers-field")
            return None
        if "at" in keys:
            place = self.text(keys, at, "at")
            if not place:
                self.wrong((*at, "at"), "is empty", "write the path of the field's name: error.field", "answers-field")
            return Naming(at=place)
        text = self.text(keys, at, "in_message")
        try:
            pattern = re.compile(text)
        except re.error as error:
            said = f"{text!r} is no regular expression: {error}"
            self.wrong((*at, "in_message"), said, "correct it", "answers-field")
            return None
        if "field" not in pattern.groupindex:
            said = f"{text!r} has no group named field"
            mend = r"write (?P<field>\w+) where the name stands"
            self.wrong((*at, "in_message"), said, mend, "answers-field")
            return None
        if set(pattern.groupindex) - {"field", "value"}:
            said = f"{text!r} has a group that is neither field nor value"
            self.wrong((*at, "in_message"), said, "name it field or value, or (?:…)", "answers-field")
        return Naming(in_message=pattern)

    def flag(self, entry: Mapping[str, Any], path: tuple[str | int, ...], key: str = "assumed") -> bool:
        value = entry.get(key, False)
        if not isinstance(value, bool):
            self.wrong((*path, key), f"must be true or false, found {value!r}", "write true or false")
        return value is True

    def status(self, value: object, path: tuple[str | int, ...]) -> tuple[int, int]:
        low, _, high = str(value).partition("-")
        if not isinstance(value, bool) and low.isdecimal() and (not high or high.isdecimal()):
            first, last = int(low), int(high or low)
            if 100 <= first <= last <= 599:
                return first, last
        self.wrong(path, f"not an HTTP status or a range of them: {value!r}", "write 503 or 200-299")
        return 0, 0

    def scalar(self, value: object, path: tuple[str | int, ...]) -> tuple[type, Any]:
        if value is None or isinstance(value, str | int):
            return type(value), value
        self.wrong(path, f"a code is text, a whole number or null, found {value!r}", "put it in quotes")
        return str, ""

    def pattern(self, value: object, path: tuple[str | int, ...]) -> str:
        if isinstance(value, str) and fold(value):
            return fold(value)
        self.wrong(path, f"must be a text to look for, found {value!r}", "put it in quotes")
        return "\0"

    def words(
        self, when: Mapping[str, Any], path: tuple[str | int, ...], key: str, known: Sequence[str]
    ) -> frozenset[str]:
        listed = _listed(when, key)
        for value in listed:
            if value not in known:
                self.wrong((*path, key), f"unknown {key} {value!r}", nearest(str(value), known))
        return frozenset(str(value) for value in listed)


def _listed(entry: Mapping[str, Any], key: str) -> list[Any]:
    if key not in entry:
        return []
    value = entry[key]
    return value if isinstance(value, list) else [value]
