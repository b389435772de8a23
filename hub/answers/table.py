"""The compiled table of one portal: classifies answers, and counts the codes that no rule knows."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from hub.answers.excerpt import excerpt
from hub.answers.naming import Named, Sent, in_words, named
from hub.answers.reading import MISSING, UNREADABLE, Answer, at_path, fold
from hub.answers.rules import CALLS, Call, Items, Rule, compile_table
from hub.answers.unknown import UnknownCodes, code_text, shape
from hub.ports import FaultClass, Mode

_LOG = logging.getLogger(__name__)
_MESSAGE_LIMIT = 300
_ABSENT: Any = object()
MALFORMED = "malformed"
"""The code of an answer whose code is no word."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means."""

    fault: FaultClass | None
    """None is success."""
    code: str
    """The portal's own code as text; `missing` or `unreadable` where there is none; `http-200` where none was asked."""
    text: str
    """One line for people: what the table says of it (`say`) and, in brackets, what the portal said itself."""
    known: bool
    """Whether a rule of the table said so, or only the HTTP class."""
    retry_after_s: float | None = None
    named: Named | None = None
    """The field that the portal refuses, where a rule of the table finds it."""


@dataclass(slots=True)
class AnswerTable:
    """The compiled table of one portal. Immutable but for `unknown`."""

    name: str
    title: str
    code: str
    message: str
    rules: tuple[Rule, ...]
    items: Items | None = None
    file: str = ""
    personal: bool = False
    """Whether the portal's messages name persons: then no text is kept with an unknown code."""
    line: int = 0
    """Where the rules stand in the file."""
    format: str = "json"
    """What the portal's answers are; `xml`: some are XML."""
    unknown: UnknownCodes = field(default_factory=UnknownCodes)
    """How often each code came that no rule knows; bounded."""

    @classmethod
    def from_data(
        cls, data: object, file: str, lines: Mapping[tuple[str | int, ...], int] | None = None
    ) -> AnswerTable:
        """Compile. `lines` gives the line of each path in `file`, e.g. `("rules", 0, "is")`.

        Raises: ConfigError with every problem of the table.
        """
        parts = compile_table(data, file, lines or {})
        return cls(
            parts.name, parts.title, parts.code, parts.message, parts.rules, parts.items, file, parts.personal,
            parts.line, parts.format,
        )  # fmt: skip

    def classify(self, answer: Answer, *, call: Call = "send", mode: Mode | None = None, sent: Sent = ()) -> Verdict:
        """Say what an answer to a whole request means; `sent` are its payloads. Never raises."""
        return self._classify(answer, _ABSENT, self.code, self.message, call, mode, sent)

    def classify_item(self, item: object, answer: Answer, *, mode: Mode | None = None, sent: Sent = ()) -> Verdict:
        """Say what the result of one item inside an answer means; `sent` is its payload. Never raises."""
        items = self.items or Items("", "", self.code, self.message)
        return self._classify(answer, item, items.code, items.message, "send", mode, sent)

    def listed(self, answer: Answer) -> list[object] | None:
        """The results of the items inside an answer; None where there is no list of them."""
        if self.items is None:
            return None
        if self.format == "xml":
            answer.read_xml()
        found = at_path(answer.body, self.items.at)
        if isinstance(found, Mapping) and self.format == "xml":  # one element is no list
            return [found]
        return found if isinstance(found, list) else None

    def knows(self, call: str, status: int, code: str, text: str) -> bool:
        """Whether a rule fits such an answer now; `code` and `text` as `SeenCode` has them."""
        modes: tuple[Mode | None, ...] = (None,) if call in ("log-in", "look-up") else tuple(Mode)
        value: Any = None
        if code.startswith('"'):
            value = code.strip('"')
        elif code.removeprefix("-").isdecimal():
            value = int(code)
        elif code not in (MISSING, UNREADABLE):
            return False
        if call not in CALLS:
            return False
        return any(
            _applies(rule, status, call, mode) and _reads(rule, value, fold(text))
            for rule in self.rules
            for mode in modes
            if not rule.names_field
        )

    def field_in(self, text: str, names: Mapping[str, Any]) -> str | None:
        """The member of a payload that a text names as a word; for texts of which nothing else is known."""
        found = in_words(text, names, self.items.key if self.items else "")
        return None if found is None else found.field

    def _classify(
        self, answer: Answer, body: Any, code_at: str, message_at: str, call: Call, mode: Mode | None, sent: Sent
    ) -> Verdict:
        if self.format == "xml":
            answer.read_xml()
        code: Any = _ABSENT
        said = folded = ""
        read = False
        for rule in self.rules:
            if not _applies(rule, answer.status, call, mode):
                continue
            found = None
            if rule.reads_body or (call == "log-in" and answer.status >= 400):
                if not read:
                    body = answer.body if body is _ABSENT else body
                    (code, said), read = _told(body, code_at, message_at, call), True
                    folded = fold(said)
                if not _reads(rule, code, folded):
                    continue
                if rule.naming is not None:
                    found = named(rule.naming, body, said, sent, self.items.key if self.items else "")
                    if found is None and rule.names_field:
                        continue
            shown = _shown_code(code, answer) if read else f"http-{answer.status}"
            wait_s = answer.retry_after_s if rule.fault is not FaultClass.DATA else None
            say = _refusal(rule.say, shown, answer) if call == "log-in" and rule.fault is not None else rule.say
            return Verdict(rule.fault, shown, _line(say, said), True, wait_s, found)
        if not read:
            body = answer.body if body is _ABSENT else body
            code, said = _told(body, code_at, message_at, call)
        return self._unknown(answer, code, said, call, sent)

    def _unknown(self, answer: Answer, code: object, said: str, call: Call, sent: Sent) -> Verdict:
        fault = by_http_class(answer.status, retry_after=answer.retry_after_s is not None)
        shown = _shown_code(code, answer)
        if answer.problem:
            said = answer.problem
        elif not answer.readable:
            said = excerpt(answer.content, answer.charset) or "không có nội dung"
        key = code_text(shown, text=isinstance(code, str) and shown != MALFORMED)  # "0" and 0 are two codes
        if self.unknown.note(call, answer.status, key, said, sent, personal=self.personal):
            told = f"{answer.status}/{key}"
            _LOG.warning("%s answered %s, which no rule of its answer table knows: taken as %s", self.name, told, fault)
        say = f"HTTP {answer.status}, mã trả lời không có trong bảng: {shown}"
        if call == "log-in" and answer.status >= 400:
            say = _refusal("", shown, answer)
        return Verdict(fault, shown, _line(say, said), False, answer.retry_after_s)


def _applies(rule: Rule, status: int, call: str, mode: Mode | None) -> bool:
    if rule.statuses and not any(low <= status <= high for low, high in rule.statuses):
        return False
    return not (rule.calls and call not in rule.calls) and not (rule.modes and mode not in rule.modes)


def _reads(rule: Rule, code: object, folded: str) -> bool:
    if rule.codes and (type(code), code) not in rule.codes:
        return False
    if rule.contains and not any(text in folded for text in rule.contains):
        return False
    return not any(text in folded for text in rule.lacks)


def by_http_class(status: int, *, retry_after: bool = False) -> FaultClass:
    """The class of an answer that no rule knows (the table in the module's docstring)."""
    if status in (408, 429):
        return FaultClass.THROTTLED
    if status in (401, 403):
        return FaultClass.SESSION
    if status in (502, 503, 504):
        return FaultClass.THROTTLED if retry_after else FaultClass.DOWN
    return FaultClass.DATA if 400 <= status <= 499 else FaultClass.TRANSIENT


def _told(body: object, code_at: str, message_at: str, call: Call) -> tuple[Any, str]:
    """Code and message of a body; of a refused log-in also as OAuth 2.0 writes them (RFC 6749, 5.2)."""
    code, message = at_path(body, code_at), at_path(body, message_at)
    if call == "log-in":
        code = at_path(body, "error") if code is None else code
        message = at_path(body, "error_description") if message in (None, "") else message
    return code, _message(message)


def _refusal(say: str, shown: str, answer: Answer) -> str:
    status = f"HTTP {answer.status}" if shown in (MISSING, UNREADABLE) else f"HTTP {answer.status} {shown}"
    return f"{status}: {say}" if say else status


def _message(value: object) -> str:
    if value is None or value == "":
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return unicodedata.normalize("NFC", text)


def _line(say: str, said: str) -> str:
    said = " ".join("".join(c if c.isprintable() else " " for c in said[: 2 * _MESSAGE_LIMIT]).split())
    if len(said) > _MESSAGE_LIMIT:
        said = said[:_MESSAGE_LIMIT] + "…"
    return f"{say} ({said})" if say and said else say or said


def _shown_code(code: object, answer: Answer) -> str:
    if code is None or code is _ABSENT:
        return MISSING if answer.readable else UNREADABLE
    text = code if isinstance(code, str) else orjson.dumps(code, default=str).decode()
    return shape(text) or MALFORMED
