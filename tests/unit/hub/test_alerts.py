"""What begins, what ends, what comes back: troubles judged by hand and over random stories."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.alert_rules import RULES, Trouble
from hub.alert_words import ended, lasted_en, lasted_vi, line, started, trial
from hub.alerts import Alert, DestinationSeen, Judgement, Observed, Sign, SourceSeen, Standing, judge, signs_of
from hub.sections import AlertsSection

SECOND = 1_000_000
LIMITS = AlertsSection(after_s=60, paused_after_s=300, waiting_after_s=200, source_after_s=120, settle_s=100)


@dataclass
class Book:
    """Keeps alerts as the ledger does, and what people are told."""

    limits: AlertsSection = LIMITS
    alerts: list[Alert] = field(default_factory=list)
    starts: Counter[int] = field(default_factory=Counter)
    due: dict[int, int] = field(default_factory=dict)
    """When the end of an alert is to be told."""
    ends: Counter[int] = field(default_factory=Counter)

    def look(self, observed: Observed, at_s: float) -> Judgement:
        now_us = int(at_s * SECOND)
        for id_, due_us in list(self.due.items()):
            if due_us <= now_us:
                del self.due[id_]
                self.ends[id_] += 1
        known = [replace(one, end_told=one.id in self.ends) for one in self.alerts]
        made = judge(observed, known, self.limits, now_us)
        for sign in made.opened:
            id_ = len(self.alerts) + 1
            self.alerts.append(Alert(id_, sign.subject, sign.trouble.value, sign.since_us, count=sign.count))
            self.starts[id_] += 1
        for alert in made.closed:
            assert self.alerts[alert.id - 1].closed_us is None
            self.alerts[alert.id - 1] = replace(alert, closed_us=now_us)
            self.due[alert.id] = now_us + int(self.limits.settle_s * SECOND)
        for alert in made.reopened:
            assert self.alerts[alert.id - 1].closed_us is not None
            del self.due[alert.id]
            self.alerts[alert.id - 1] = alert
        for alert in made.updated:
            assert self.alerts[alert.id - 1].closed_us is None
            self.alerts[alert.id - 1] = alert
        current = [(one.subject, one.trouble) for one in self.alerts if one.closed_us is None]
        assert len(current) == len(set(current)), "two alerts of one trouble are open"
        return made


def held(since_s: float, **more: object) -> Observed:
    return Observed([DestinationSeen("national", "held", int(since_s * SECOND), "down", "503")], **more)  # type: ignore[arg-type]


FINE = Observed([DestinationSeen("national")])


def troubles(signs: Sequence[Sign]) -> list[str]:
    return [sign.trouble.value for sign in signs]


def test_an_outage_is_told_once_at_its_start_and_once_at_its_end() -> None:
    book = Book()
    for at_s in range(0, 180, 5):
        made = book.look(held(0), at_s)
        assert troubles(made.opened) == (["held"] if at_s == 60 else [])
    assert len(book.look(FINE, 180).closed) == 1
    for at_s in range(185, 400, 5):
        assert not book.look(FINE, at_s)
    assert (book.starts, book.ends) == ({1: 1}, {1: 1})
    assert (book.alerts[0].opened_us, book.alerts[0].closed_us) == (0, 180 * SECOND)


def test_what_comes_back_before_its_end_was_told_goes_on_and_nobody_hears_of_it() -> None:
    book = Book()
    book.look(held(0), 60)
    for at_s in range(100, 1000, 80):
        assert book.look(FINE, at_s).closed
        # Held anew, for five seconds only: not long enough to be told, and yet it is the same trouble.
        assert book.look(held(at_s + 35), at_s + 40).reopened
    assert (book.starts, book.ends) == ({1: 1}, {})
    book.look(FINE, 1000)
    book.look(FINE, 1100)
    assert (book.starts, book.ends) == ({1: 1}, {1: 1})


def test_what_comes_back_later_is_told_anew() -> None:
    book = Book()
    book.look(held(0), 60)
    book.look(FINE, 70)
    book.look(FINE, 170)
    assert not book.look(held(165), 170)
    assert troubles(book.look(held(165), 225).opened) == ["held"]
    assert len(book.alerts) == 2


def test_where_an_end_may_have_been_told_a_return_is_told_anew() -> None:
    told = Alert(1, "national", "held", 0, closed_us=100 * SECOND, end_told=True)
    made = judge(held(0), [told], LIMITS, 120 * SECOND)
    assert (troubles(made.opened), made.reopened) == (["held"], ())


def test_in_maintenance_nothing_begins_and_nothing_ends() -> None:
    book = Book()
    book.look(held(0), 60)
    silent = DestinationSeen("national", "maintenance", 61 * SECOND, dead=3, unknown=1, oldest_us=0, late=4)
    for at_s in range(61, 2000, 10):
        assert not book.look(Observed([silent]), at_s)
    assert len(book.look(FINE, 2000).closed) == 1
    assert book.starts == {1: 1}


def test_a_pause_neither_ends_an_outage_nor_is_one_until_it_lasts() -> None:
    book = Book()
    book.look(held(0), 60)
    paused = Observed([DestinationSeen("national", "paused", 70 * SECOND)])
    assert not book.look(paused, 80)
    assert troubles(book.look(paused, 370).opened) == ["paused"]
    assert {one.trouble for one in book.look(FINE, 380).closed} == {"held", "paused"}


def test_dead_letters_are_one_alert_whose_count_grows_in_silence() -> None:
    book = Book()
    for at_s, count in enumerate((1, 500, 3418, 12)):
        book.look(Observed([DestinationSeen("national", dead=count)]), at_s)
    [closed] = book.look(FINE, 10).closed
    assert (closed.count, book.starts) == (3418, {1: 1})
    assert "3.418 lượt gửi hỏng" in ended("tra-vinh", closed, 10 * SECOND)["text"]


def test_a_backlog_that_a_gate_let_through_is_given_time() -> None:
    one = DestinationSeen("national", "open", 1000 * SECOND, oldest_us=0)
    assert troubles(judge(Observed([one]), (), LIMITS, 1199 * SECOND).opened) == []
    assert troubles(judge(Observed([one]), (), LIMITS, 1200 * SECOND).opened) == ["stalled"]


def test_every_other_trouble_is_judged() -> None:
    source = SourceSeen("so-tttt", failing_us=0, parked=2, unreadable=1)
    seen = Observed([DestinationSeen("national", unknown=2, late=7)], [source], bus_away_us=0, ledger_problem_us=0)
    early, later = (judge(seen, (), LIMITS, at_s * SECOND) for at_s in (59, 120))
    assert sorted(troubles(early.opened)) == ["late", "parked", "unknown-outcomes", "unreadable"]
    assert {"source-failing", "bus-away", "ledger"} <= set(troubles(later.opened))


def test_a_destination_that_is_gone_from_the_configuration_ends_its_alerts() -> None:
    book = Book()
    book.look(held(0), 60)
    assert len(book.look(Observed(), 61).closed) == 1


# --- any story --------------------------------------------------------------------------------------------------------

SEEN = st.builds(
    DestinationSeen,
    st.sampled_from(["a", "b"]),
    gate=st.sampled_from(["open", "held", "paused", "maintenance"]),
    gate_since_us=st.integers(0, 100).map(lambda s: s * SECOND),
    dead=st.integers(0, 2),
    unknown=st.integers(0, 1),
    oldest_us=st.none() | st.integers(0, 500).map(lambda s: s * SECOND),
)
LOOKS = st.lists(
    st.tuples(
        st.integers(1, 80),
        st.lists(SEEN, max_size=2, unique_by=lambda one: one.name),
        st.none() | st.integers(0, 300).map(lambda s: s * SECOND),
        st.integers(0, 1),
    ),
    max_size=25,
)


@given(LOOKS)
def test_whatever_is_seen_starts_and_ends_are_told_in_pairs(
    looks: list[tuple[int, list[DestinationSeen], int | None, int]],
) -> None:
    book, at_s = Book(), 0
    for step_s, destinations, failing_us, parked in looks:
        at_s += step_s
        before = {one.id: one for one in book.alerts}
        seen = Observed(destinations, [SourceSeen("s", failing_us, parked)], bus_away_us=failing_us)
        book.look(seen, at_s)
        muted = {one.name for one in destinations if one.gate == "maintenance"}
        for alert in book.alerts:
            if alert.subject in muted:
                assert before.get(alert.id) == alert, "something changed in maintenance"
    for alert in book.alerts:
        ended_now = alert.closed_us is not None and alert.id not in book.due
        assert book.starts[alert.id] == 1
        assert book.ends[alert.id] == int(ended_now)
    told = book.starts.total() + book.ends.total()
    assert told == len(book.alerts) + sum(one.closed_us is not None for one in book.alerts) - len(book.due)


@given(SEEN, st.integers(0, 2000))
def test_there_is_at_most_one_sign_of_each_trouble(seen: DestinationSeen, at_s: int) -> None:
    signs = [sign.trouble for sign in signs_of(Observed([seen]), LIMITS, at_s * SECOND)]
    assert len(signs) == len(set(signs))


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_trouble_has_a_rule_and_every_rule_its_setting() -> None:
    assert set(RULES) == set(Trouble)
    for rule in RULES.values():
        assert not rule.after or rule.after in AlertsSection.model_fields
        assert bool(rule.vi.counted) == bool(rule.en.counted)


@pytest.mark.parametrize("trouble", Trouble)
def test_every_message_speaks_vietnamese_first_then_english(trouble: Trouble) -> None:
    rule = RULES[trouble]
    sign = Sign("national", trouble, Standing.LASTS, 1_772_413_200 * SECOND, 1234, "down 503")
    content = started("tra-vinh", sign)
    assert content["subject"] == f"[hub tra-vinh] national: {rule.vi.title} / {rule.en.title}"
    assert content["text"].index(rule.vi.mend) < content["text"].index(rule.en.mend)
    assert "02/03/2026 08:00:00" in content["text"]
    assert (content["alert"]["state"], content["alert"]["trouble"]) == ("opened", trouble.value)
    assert content["alert"]["since"] == "2026-03-02T08:00:00+07:00"
    alert = Alert(1, "national", trouble.value, sign.since_us, count=1234)
    over = ended("tra-vinh", alert, sign.since_us + 180 * SECOND)
    assert re.search(r"3 phút[\s\S]*3 min", over["text"])
    assert (over["alert"]["state"], over["alert"]["until"]) == ("ended", "2026-03-02T08:03:00+07:00")
    assert line(trouble, sign.since_us, 1234).startswith(rule.en.title)


def test_what_a_portal_writes_is_not_passed_on() -> None:
    one = DestinationSeen("national", "held", 0, "session", "Nguyễn Thị Hạnh bị khoá")
    [sign] = judge(Observed([one]), (), LIMITS, 60 * SECOND).opened
    assert sign.detail == "session"
    [sign] = judge(held(0), (), LIMITS, 60 * SECOND).opened
    assert sign.detail == "down 503"
    assert "Lỗi: down 503" in started("x", sign)["text"]


def test_spans_and_a_trial() -> None:
    spans = (5, 65, 3 * 3600 + 300)
    assert [lasted_en(one * SECOND) for one in spans] == ["5 s", "1 min", "3 h 05 min"]
    assert [lasted_vi(one * SECOND) for one in spans] == ["5 giây", "1 phút", "3 giờ 05 phút"]
    made = trial("tra-vinh", 0)
    assert made["alert"]["vi"].startswith("Đây là tin thử")
    assert made["alert"]["en"].startswith("This is a test message of hub tra-vinh")
