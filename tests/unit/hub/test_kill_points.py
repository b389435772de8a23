"""Kill points: unarmed they do nothing; armed the process dies there, by its own hand, and has said so before."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub import kill_points
from hub.kill_points import BESIDE, POINTS, Plan, plan_of
from schemas.errors import ConfigError

ROOT = Path(kill_points.__file__).resolve().parents[1]
LINE = """\
from hub.kill_points import kill_point
for call in (7, 8, 9):
    kill_point("before-claim", [call])
    kill_point("after-claim", [call] if call != 8 else [])
    kill_point("before-send")
    kill_point("before-finish", [call])
    kill_point("after-finish", [call])
print("alive")
"""


def run(folder: Path, **order: str) -> tuple[int, str, list[dict[str, Any]]]:
    """Status, output and log of a process that passes a few points."""
    log = folder / "kills.jsonl"
    environment = {**os.environ, "HUB_KILL_LOG": str(log), **order}
    done = subprocess.run([sys.executable, "-c", LINE], env=environment, cwd=ROOT, capture_output=True, text=True)
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return done.returncode, done.stdout, [json.loads(line) for line in lines]


def test_unarmed_nothing_happens(tmp_path: Path) -> None:
    assert run(tmp_path) == (0, "alive\n", [])
    assert not kill_points.ARMED


def test_it_dies_at_the_passage_ordered_and_says_which_calls_were_open(tmp_path: Path) -> None:
    status, output, [line] = run(tmp_path, HUB_KILL_AT="before-finish:3")
    assert (status, output) == (-signal.SIGKILL, "")
    assert (line["point"], line["passage"], line["about"]) == ("before-finish", 3, [9])
    # A claim that took nothing stays among those of which it is not known.
    assert (line["calls"], line["deciding"]) == ([9], [])


def test_a_claim_on_its_way_is_not_said_to_be_open(tmp_path: Path) -> None:
    plan = Plan("after-finish", 2)
    plan.pass_by("before-claim", [1, 2])
    assert (plan.open, plan.deciding) == (set(), {1, 2})
    plan.pass_by("after-claim", [1])
    assert (plan.open, plan.deciding) == ({1}, {2})
    plan.pass_by("before-finish", [1])
    assert (plan.open, plan.deciding) == (set(), {1, 2})
    plan.pass_by("after-finish", [1])
    assert (plan.open, plan.deciding, plan.passages) == (set(), {2}, 1)


def test_a_passage_about_nothing_is_none(tmp_path: Path) -> None:
    [line] = run(tmp_path, HUB_KILL_AT="after-claim:2")[2]
    assert (line["about"], line["calls"]) == ([9], [9])


def test_passages_count_from_when_the_file_is_there(tmp_path: Path) -> None:
    when = tmp_path / "armed"
    assert run(tmp_path, HUB_KILL_AT="before-send", HUB_KILL_WHEN=str(when))[:2] == (0, "alive\n")
    when.touch()
    assert run(tmp_path, HUB_KILL_AT="before-send", HUB_KILL_WHEN=str(when))[0] == -signal.SIGKILL


@pytest.mark.parametrize(
    ("order", "said"),
    [("befor-claim", "'befor-claim'"), ("claim", "'claim'"), ("after-claim:0", "'0'"), ("after-claim:x", "'x'")],
)
def test_an_order_that_cannot_be_carried_out_is_refused(order: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        plan_of({"HUB_KILL_AT": order})


def test_a_hub_does_not_start_with_an_unknown_point(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(
        "hub: {name: thu, province: H59}\n"
        "sources: {a: {adapter: files, mappings: [one-stop-csv/dossier], "
        'settings: {folder: drop, pattern: "*.csv", media: csv}}}\n'
        "destinations: {provincial: {adapter: lgsp, mappings: {dossier.v1: lgsp/dossier}, "
        'settings: {url: "http://127.0.0.1:9", client_id: hub, client_secret: x}}}\n'
        "routes: [{kinds: [dossier.v1], to: [provincial]}]\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-c", "from hub.cli import main; main()", "run", str(tmp_path / "hub.yaml")]
    command += ["--ledger", f"sqlite:///{tmp_path / 'hub.db'}", "--bus", "embedded:"]
    environment = {**os.environ, "HUB_KILL_AT": "after-lunch"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "HUB_KILL_AT: there is no kill point 'after-lunch'" in done.stderr
    assert "before-read" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_point_stands_in_the_line() -> None:
    found: Counter[str] = Counter()
    for folder in ("hub", "adapters"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "kill_point":
                    [point, *_] = node.args
                    assert isinstance(point, ast.Constant)
                    found[str(point.value)] += 1
    assert found.keys() == {*POINTS, *BESIDE}
    # What is published is with the bus, and each bus has its own way.
    assert {point for point, times in found.items() if times > 1} == {"after-publish"}
