"""The contract bites: adapters that are right pass all of it, and each wrong one turns the test red that is named."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hub.contract import DestinationContract, SourceContract, needs

HERE = Path(__file__).parent
IN_MEMORY = "tests.unit.hub.contract.in_memory"
WRONG = {
    "LosesRows": ("a_poll_goes_on_after_the_page_behind_which_it_was_killed", "rows were lost"),
    "ChangesBytes": ("bytes_are_kept_as_they_came", "the ledger keeps what the system said"),
    "IgnoresTheDeadline": ("r7_an_answer_that_never_ends_is_a_fault_when_the_time_is_over[hang]", "still at it after"),
    "StepsOverGarbage": ("garbage_is_kept_with_its_bytes_and_moves_no_cursor", "the hub parks it"),
    "BelievesEveryClock": ("r9_a_change_more_than_ten_minutes_ahead_hides_nothing", "a clock that is wrong"),
    "TakesAnyCursor": ("a_cursor_that_was_not_made_here_is_refused_in_words", "DID NOT RAISE"),
    "ReadsAllAgain": ("what_changes_comes_with_the_next_poll_also_after_a_restart", "all was read again"),
    "IsLax": ("settings_refuse_what_they_do_not_know", 'extra="forbid"'),
    "NobodyDeclaresIt": ("it_is_made_of_settings_and_a_context", "no installed package declares an adapter"),
    "AnswersTwice": ("each_record_is_answered_once_and_the_portal_has_them_in_order", "one result for each record"),
    "BelievesEveryAnswer": ("a_success_with_an_error_inside_is_none", "must never count as delivered"),
    "NeverEnds": ("r7_a_silent_portal_is_unknown_when_the_deadline_passes", "still at it after"),
    "SendsAgain": ("r8_a_portal_that_takes_and_then_drops_the_line_is_unknown", "not again by the adapter"),
    "BlamesTheRecord": (
        "a_portal_in_trouble_has_taken_nothing_and_blames_no_record[500]",
        "the record is not to blame",
    ),
    "SaysNo": ("r8_a_portal_that_cannot_be_asked_has_not_said_no[refuse]", "DID NOT RAISE"),
    "LogsInEachTime": ("many_at_a_time_share_one_log_in", "12 == 1"),
    "MixesBatches": ("batches_hold_each_record_once_and_like_with_like", "of one kind and one mode"),
}
"""By wrong adapter: the test that finds it, without its `test_`, and what that says."""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """By class and test, what was said of it; empty where it passed. One run of pytest over the right and the wrong."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    info = folder / "in_memory-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: in-memory\nVersion: 1.0\n")
    names = ["RightSource", "RightDestination", *(name for name in WRONG if name != "NobodyDeclaresIt")]
    lines = [f"{name} = {IN_MEMORY}:{name}" for name in names]
    (info / "entry_points.txt").write_text("\n".join(["[hub.adapters]", *lines, ""]))
    held = f"{HERE}/held.py"
    right = [f"{held}::TestRightSource", f"{held}::TestRightDestination"]
    wanted = [f"{held}::Test{name}::test_{test}" for name, (test, _) in WRONG.items()]
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "-c", "pytest.ini", "-p", "hub.contract"]
    done = subprocess.run(
        [*command, "--rootdir", str(folder), "--junitxml", "outcome.xml", *right, *wanted],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{HERE.parents[3]}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (folder / "outcome.xml").is_file(), done.stdout + done.stderr
    assert "left out: TestRightDestination, duplicate-answer: in memory there is no line" in done.stdout
    said: dict[tuple[str, str], str] = {}
    for case in ElementTree.parse(folder / "outcome.xml").iter("testcase"):
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        text = "" if failure is None else f"{failure.get('message')}\n{failure.text}"
        said[case.attrib["classname"].rpartition(".")[2], case.attrib["name"].removeprefix("test_")] = text
    return said


@pytest.mark.parametrize(("right", "contract"), [("Source", SourceContract), ("Destination", DestinationContract)])
def test_an_adapter_that_is_right_passes_all(
    outcome: dict[tuple[str, str], str], right: str, contract: type[SourceContract | DestinationContract]
) -> None:
    held = {test.partition("[")[0]: said for (name, test), said in outcome.items() if name == f"TestRight{right}"}
    assert {test: said for test, said in held.items() if said} == {}
    tests = {name.removeprefix("test_") for name, _ in inspect.getmembers(contract, inspect.isfunction)}
    assert tests & {test for test in tests if f"test_{test}" in dir(contract)} - held.keys() == (
        {"an_answer_given_twice_is_not_taken_for_the_next_ones"} if right == "Destination" else set()
    )


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_adapter_is_found_by_the_test_that_is_named(outcome: dict[tuple[str, str], str], name: str) -> None:
    test, said = WRONG[name]
    assert said in outcome[f"Test{name}", test]


def test_what_is_left_out_needs_a_word_that_a_test_needs_and_a_reason() -> None:
    with pytest.raises(TypeError, match="no test needs 'netwrok'; did you mean 'network'"):
        type("TestMine", (SourceContract,), {"lacks": {"netwrok": "a folder"}})
    with pytest.raises(TypeError, match="say why 'network' is lacking"):
        type("TestMine", (SourceContract,), {"lacks": {"network": " "}})


def test_a_test_of_ones_own_may_need_something_too() -> None:
    @needs("stamps")
    def test_it_is_stamped(self: object) -> None: ...

    mine = type("TestMine", (SourceContract,), {"test_it_is_stamped": test_it_is_stamped, "lacks": {"stamps": "none"}})
    assert mine.__dict__["test_it_is_stamped"] is None
