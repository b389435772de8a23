"""Puts an alert into words: one line for the screen, a mail in Vietnamese and English, an object for machines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hub.alert_rules import RULES, Trouble, Words
from hub.alerts import Alert, Sign
from schemas.local_time import LOCAL

_SECOND_US = 1_000_000


def line(trouble: str, since_us: int, count: int = 0, detail: str = "") -> str:
    """One line for the screen, in English: `the portal takes nothing since 02/03/2026 08:00:00 (down 503)`."""
    words = RULES[Trouble(trouble)].en
    counted = f": {count:,} {words.counted}" if words.counted else ""
    return f"{words.title}{counted}, since {moment(since_us)}{f' ({detail})' if detail else ''}"


def end_line(alert: Alert, now_us: int) -> str:
    """One line for the screen: when it ended, after how long, and how many there were."""
    words = RULES[Trouble(alert.trouble)].en
    counted = f", at most {alert.count:,} {words.counted} at a time" if words.counted else ""
    return f"over since {moment(now_us)}, after {lasted_en(now_us - alert.opened_us)}{counted}"


def started(hub: str, sign: Sign) -> dict[str, Any]:
    """The content of the message that tells a start."""
    rule = RULES[sign.trouble]
    shown = {"vi": "", "en": ""}
    for language, words in (("vi", rule.vi), ("en", rule.en)):
        since, number, detail = _LABELS[language]
        lines = [f"{since}: {moment(sign.since_us)}"]
        lines += [f"{number}: {_grouped(sign.count, language)} {words.counted}"] if words.counted else []
        lines += [f"{detail}: {sign.detail}"] if sign.detail else []
        shown[language] = _paragraphs(sign.subject, words, lines)
    subject = f"[hub {hub}] {sign.subject}: {rule.vi.title} / {rule.en.title}"
    known = {"count": sign.count, "detail": sign.detail, "since": _iso(sign.since_us), "until": None}
    return _content(subject, shown, "opened", hub, sign.subject, sign.trouble, known)


def ended(hub: str, alert: Alert, now_us: int) -> dict[str, Any]:
    """The content of the message that tells an end."""
    rule = RULES[Trouble(alert.trouble)]
    took_us = now_us - alert.opened_us
    shown = {
        "vi": _over_vi(alert, rule.vi, now_us, took_us),
        "en": _over_en(alert, rule.en, now_us, took_us),
    }
    subject = f"[hub {hub}] {alert.subject}: đã hết: {rule.vi.title} / over: {rule.en.title}"
    known = {"count": alert.count, "detail": "", "since": _iso(alert.opened_us), "until": _iso(now_us)}
    return _content(subject, shown, "ended", hub, alert.subject, alert.trouble, known)


def trial(hub: str, now_us: int) -> dict[str, Any]:
    """The content of a message that only shows that a channel works."""
    at = moment(now_us)
    text = (
        f"Đây là tin thử của hub {hub}, gửi lúc {at}. Không có sự cố nào; kênh cảnh báo này hoạt động.\n\n---\n\n"
        f"This is a test message of hub {hub}, sent {at}. Nothing is wrong; this channel of its alerts works.\n"
    )
    known = {"state": "test", "hub": hub, "since": _iso(now_us), "vi": text.split("\n")[0], "en": text.split("\n")[-2]}
    return {"subject": f"[hub {hub}] tin thử / test message", "text": text, "alert": known}


def moment(at_us: int) -> str:
    """`02/03/2026 08:00:00` in Viet Nam."""
    return datetime.fromtimestamp(at_us // _SECOND_US, UTC).astimezone(LOCAL).strftime("%d/%m/%Y %H:%M:%S")


def lasted_en(span_us: int) -> str:
    """`42 s`, `12 min`, `3 h 05 min`."""
    return _lasted(span_us, "s", "min", "h")


def lasted_vi(span_us: int) -> str:
    """`42 giây`, `12 phút`, `3 giờ 05 phút`."""
    return _lasted(span_us, "giây", "phút", "giờ")


def _lasted(span_us: int, second: str, minute: str, hour: str) -> str:
    seconds = max(0, span_us) // _SECOND_US
    if seconds < 60:
        return f"{seconds} {second}"
    if seconds < 3600:
        return f"{seconds // 60} {minute}"
    return f"{seconds // 3600} {hour} {seconds % 3600 // 60:02} {minute}"


_LABELS = {"vi": ("Từ lúc", "Số lượng", "Lỗi"), "en": ("Since", "Number", "Fault")}


def _over_vi(alert: Alert, words: Words, now_us: int, took_us: int) -> str:
    counted = f"Nhiều nhất cùng lúc: {_grouped(alert.count, 'vi')} {words.counted}\n" if words.counted else ""
    return (
        f"{alert.subject}: đã hết: {words.title}\n\nTừ lúc: {moment(alert.opened_us)}\nĐến lúc: {moment(now_us)}\n"
        f"Kéo dài: {lasted_vi(took_us)}\n{counted}"
    )


def _over_en(alert: Alert, words: Words, now_us: int, took_us: int) -> str:
    counted = f"At most at one time: {_grouped(alert.count, 'en')} {words.counted}\n" if words.counted else ""
    return (
        f"{alert.subject}: over: {words.title}\n\nSince: {moment(alert.opened_us)}\nUntil: {moment(now_us)}\n"
        f"Lasted: {lasted_en(took_us)}\n{counted}"
    )


def _paragraphs(subject: str, words: Words, lines: list[str]) -> str:
    return f"{subject}: {words.title}\n\n" + "\n".join(lines) + f"\n\n{words.meaning}\n\n{words.mend}\n"


def _content(
    subject: str,
    shown: Mapping[str, str],
    state: str,
    hub: str,
    about: str,
    trouble: str,
    known: Mapping[str, Any],
) -> dict[str, Any]:
    alert = {"state": state, "hub": hub, "subject": about, "trouble": str(trouble), **known, **shown}
    return {"subject": subject, "text": f"{shown['vi']}\n---\n\n{shown['en']}", "alert": alert}


def _grouped(number: int, language: str) -> str:
    """3,418, in Vietnamese 3.418."""
    return f"{number:,}".replace(",", "." if language == "vi" else ",")


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // _SECOND_US, UTC).astimezone(LOCAL).isoformat()
