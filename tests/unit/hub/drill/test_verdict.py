"""The verdict of a drill: what was served against a portal's log, with planted wrongs told by their names."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hub.drill.verdict import Effect, Key, Served, Verdict, judge

D, S = "dossier.v1", "dossier-step.v1"


def served(revisions: dict[str, int], steps: dict[str, int] | None = None) -> Served:
    """Dossiers with so many revisions and steps; digests are `a/1`, `a/2`, …, those of steps `a!1`, …."""
    made = Served()
    for name, count in revisions.items():
        made.snapshots[D, name] = [f"{name}/{n}" for n in range(1, count + 1)]
        made.lanes[D, name] = name
    for name, count in (steps or {}).items():
        for n in range(1, count + 1):
            made.events[S, f"{name}!{n}"] = f"{name}!{n}"
            made.lanes[S, f"{name}!{n}"] = name
    return made


def effects(*digests: str) -> list[Effect]:
    return [Effect(S if "!" in digest else D, digest, digest[0]) for digest in digests]


def wrongs(verdict: Verdict) -> dict[str, int]:
    return dict(Counter(finding.what for finding in verdict.findings))


def found(log: list[str], was: Served, twice: dict[Key, int] | None = None) -> dict[str, int]:
    return wrongs(judge("national", was, effects(*log), twice or {}))


def test_revisions_may_be_left_out_but_not_the_last() -> None:
    was = served({"a": 3})
    assert found(["a/1", "a/2", "a/3"], was) == {}
    assert found(["a/3"], was) == {}
    assert found(["a/1", "a/2"], was) == {"lost": 1}
    assert found([], was) == {"lost": 1}


def test_twice_in_a_row_is_doubled_unless_it_was_announced() -> None:
    was, log = served({"a": 2}), ["a/1", "a/2", "a/2"]
    assert found(log, was) == {"doubled": 1}
    assert found(log, was, {(D, "b"): 1}) == {"doubled": 1}
    verdict = judge("national", was, effects(*log), {(D, "a"): 1})
    assert (verdict.right, verdict.possibly_twice) == (True, 1)
    assert found([*log, "a/2"], was, {(D, "a"): 1}) == {"doubled": 1}


def test_an_older_one_after_a_newer_one_is_regressed_whatever_was_announced() -> None:
    was = served({"a": 3})
    assert found(["a/1", "a/3", "a/2"], was, {(D, "a"): 9}) == {"regressed": 1}
    verdict = judge("national", was, effects("a/2", "a/1", "a/3"), {})
    assert [finding.text for finding in verdict.findings] == ["revision 1 after revision 2"]


def test_a_step_is_there_once_after_its_dossier() -> None:
    was = served({"a": 1}, {"a": 2})
    assert found(["a/1", "a!1", "a!2"], was) == {}
    assert found(["a!1", "a/1", "a!2"], was) == {"regressed": 1}
    assert found(["a/1", "a!1"], was) == {"lost": 1}
    assert found(["a/1", "a!1", "a!2", "a!1"], was) == {"doubled": 1}
    assert found(["a/1", "a!1", "a!2", "a!1"], was, {(S, "a!1"): 1}) == {}


def test_what_was_never_served_is_altered() -> None:
    assert found(["a/1", "x/1"], served({"a": 1})) == {"altered": 1}


def test_steps_that_look_the_same_account_for_one_effect_each() -> None:
    was = served({"a": 1})
    was.events = {(S, "one"): "a!", (S, "two"): "a!"}
    was.lanes |= {(S, "one"): "a", (S, "two"): "a"}
    assert found(["a/1", "a!", "a!"], was) == {}
    assert found(["a/1", "a!"], was) == {"lost": 1}
    assert found(["a/1", "a!", "a!", "a!"], was) == {"doubled": 1}


def test_revisions_that_a_portal_cannot_tell_apart_are_no_wrong() -> None:
    was = Served({(D, "a"): ["x", "x", "y"]}, {}, {(D, "a"): "a"})
    assert wrongs(judge("national", was, [Effect(D, "x"), Effect(D, "x"), Effect(D, "y")], {})) == {}


logs = st.dictionaries(st.sampled_from("abcd"), st.integers(2, 5), min_size=1)


@st.composite
def right(draw: st.DrawFn) -> tuple[Served, list[str]]:
    """What was served, and a log that is right: the last revision of each, any others before it, steps after it began,
    dossiers mixed."""
    counts = draw(logs)
    was = served(counts, {name: draw(st.integers(0, 2)) for name in counts})
    lines = []
    for name, count in counts.items():
        kept = [*sorted(draw(st.sets(st.integers(1, count - 1)))), count]
        line = [f"{name}/{n}" for n in kept]
        for (_, key), digest in was.events.items():
            if key.startswith(name):
                line.insert(draw(st.integers(1, len(line))), digest)
        lines.append(line)
    mixed: list[str] = []
    while any(lines):
        line = draw(st.sampled_from([one for one in lines if one]))
        mixed.append(line.pop(0))
    return was, mixed


@given(right())
def test_a_right_log_is_right_however_its_lanes_are_mixed(told: tuple[Served, list[str]]) -> None:
    was, log = told
    assert found(log, was) == {}


@given(right(), st.data())
def test_a_planted_wrong_is_told_by_its_name(told: tuple[Served, list[str]], data: st.DataObject) -> None:
    was, log = told
    snapshots = [at for at, digest in enumerate(log) if "/" in digest]
    at = data.draw(st.sampled_from(snapshots))
    name = log[at][0]
    last = max(n for n in snapshots if log[n][0] == name)
    match data.draw(st.sampled_from(["lost", "doubled", "regressed"])):
        case "lost":
            assert found([*log[:last], *log[last + 1 :]], was)["lost"] >= 1
        case "doubled":
            assert found([*log[: at + 1], log[at], *log[at + 1 :]], was) == {"doubled": 1}
        case _:
            assert found([*log, f"{name}/1"], was) == {"regressed": 1}
