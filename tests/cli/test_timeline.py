"""The tree of a trace in the cases that a story seldom has."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console, RenderableType

from hub.cli.timeline import as_object, render
from hub.ledger.views import Event, Happened, Trace


def shown(rendered: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=100).print(rendered)
    return out.getvalue()


def test_a_pruned_revision_says_so(story: Trace) -> None:
    pruned = replace(story, revisions=[replace(one, content=None) for one in story.revisions])
    assert shown(render(pruned, reveal=False)).count("its content has been pruned") == 4
    assert [one["changes"] for one in as_object(pruned, reveal=False)["revisions"]] == [[], [], [], []]


def test_a_night_of_attempts_is_shortened(story: Trace) -> None:
    at = story.events[0].at
    tries = [Event(at, Happened.SENT, f"try {number}", 1, 1, "national") for number in range(60)]
    text = shown(render(replace(story, events=tries), reveal=False))
    assert "try 0" in text
    assert "try 59" in text
    assert "try 30" not in text
    assert "46 more, 46 calls among them; --json has all" in text


def test_refused_rows_alone_are_a_trace(story: Trace) -> None:
    alone = Trace("x", "x", [], [], [], [], story.problems)
    assert "Refused rows" in shown(render(alone, reveal=False))


def test_the_cause_of_a_revision_is_named(story: Trace) -> None:
    tie = replace(story, revisions=[replace(story.revisions[0], cause="tie")])
    assert "revision 1 (tie)" in shown(render(tie, reveal=False))
