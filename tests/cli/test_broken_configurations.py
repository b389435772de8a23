"""Everything is linted before it runs: each mistake has a rule of its own, is told with file, line and mend, and
the mend mends it. The same mistakes are the examples of docs/checks.md."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.answers import BUILT_IN
from tests.cli.broken import project
from tests.cli.broken.cases import CASES, ENVIRONMENT, HUB, READS, TEST, Case

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/checks.md"
RULE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
SAYERS = {
    "Problem": 0,
    "problem": 0,
    "located": 0,
    "add": 0,
    "_warn": 0,
    "_warning": 1,
    "_at": 2,
    "_refused": 0,
    "refused": 2,
    "wrong": 3,
}
"""The functions that make a problem, and which of their arguments is its rule."""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return project.write(tmp_path)


def change(file: Path, before: str, after: str) -> None:
    if not file.exists():
        file.write_text(after, encoding="utf-8")
        return
    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    assert text.count(before) == 1, f"{file}: {before!r} stands there {text.count(before)} times"
    file.write_text(text.replace(before, after), encoding="utf-8", errors="surrogateescape")


def undo(folder: Path, file: str) -> None:
    if file in project.FILES:
        (folder / file).write_text(project.FILES[file], encoding="utf-8")
    else:
        (folder / file).unlink()


def look(hub: Any, config: Path) -> tuple[int, dict[str, Any]]:
    ran = hub("check", str(config), "--offline", "--json", "--strict")
    return ran.status, ran.json


def row(said: dict[str, Any], level: str, folder: Path) -> str:
    """The line of docs/checks.md that shows a problem."""
    message = said["message"].replace(f"{folder}/", "").replace(str(BUILT_IN), "config/answers")
    return f"| `{said['rule']}` | {level} | {_cell(message)} | {_cell(said['mend'])} |"


def _cell(text: str) -> str:
    return re.sub(r"([|<>*])", r"\\\1", text)


def test_the_project_itself_is_right(hub: Any, config: Path) -> None:
    status, said = look(hub, config)
    assert (status, said["problems"], said["warnings"]) == (0, [], [])


def test_every_case_has_a_rule_of_its_own() -> None:
    rules = [case.rule for case in CASES]
    assert len(set(rules)) == len(rules) >= 40


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_mistake_is_told_with_its_place_and_the_mend_mends_it(hub: Any, config: Path, case: Case) -> None:
    folder = config.parent
    for before, after in case.broken:
        change(folder / case.file, before, after)

    status, said = look(hub, config)
    assert status == 1
    told = [(level, one) for level in ("problems", "warnings") for one in said[level]]
    [(level, mine)] = [(level, one) for level, one in told if one["rule"] == case.rule]
    assert sorted({one["rule"] for _, one in told} - {case.rule}) == sorted(case.also)
    assert (mine["file"], mine["line"]) == (str(folder / (case.told_in or case.file)), case.line)
    assert [words for words in case.says if words not in mine["mend"]] == []
    shown = row(mine, "refused" if level == "problems" else "warning", folder)
    assert shown in PAGE.read_text(encoding="utf-8"), f"docs/checks.md lacks this line:\n{shown}"

    for file, before, after in case.mended:
        change(folder / file, before, after)
    if not case.mended:
        undo(folder, case.file)
    status, said = look(hub, config)
    assert (status, said["problems"], said["warnings"]) == (0, [], [])


def test_what_people_read_has_place_rule_and_mend(hub: Any, config: Path) -> None:
    change(config, "adapter: files", "adapter: file")
    ran = hub("check", str(config), "--offline")
    assert ran.status == 1
    assert f"{config}:5: there is no adapter 'file' [unknown-adapter] — did you mean 'files'?" in ran.out


def test_all_mistakes_of_a_file_are_told_at_once(hub: Any, config: Path) -> None:
    folder = config.parent
    for before, after in (("adapter: files", "adapter: file"), ("cap_s: 60", "cap_s: 0.5"), ("lgsp/step", "lgsp/stop")):
        change(config, before, after)
    for before, after in (
        ("  note:", "  notes:"),
        ("DN: enterprise", "DN: enterprize"),
        ("dd/MM/yyyy}\n  f", "DD}\n  f"),
    ):
        change(folder / READS, before, after)
    status, said = look(hub, config)
    assert status == 1
    told = [(Path(one["file"]).name, one["line"], one["rule"]) for one in said["problems"]]
    assert told == [
        ("hub.yaml", 5, "unknown-adapter"),
        ("hub.yaml", 24, "unknown-mapping"),
        ("hub.yaml", 34, "retry-cap"),
        ("ho-so.yaml", 10, "table-value"),
        ("ho-so.yaml", 23, "date"),
        ("ho-so.yaml", 25, "unknown-field"),
    ]
    assert all(one["mend"] for one in said["problems"])


def test_a_warning_stops_nobody_unless_it_is_asked_to(hub: Any, config: Path) -> None:
    change(config.parent / TEST, "          status: 4", "          status: 2")
    loose, strict = hub("check", str(config), "--offline"), hub("check", str(config), "--offline", "--strict")
    assert (loose.status, strict.status) == (0, 1)
    assert "ready to run" in loose.out
    assert "0 problems, 1 warning" in strict.out


def test_secrets_are_found_in_headers_and_addresses_too(hub: Any, config: Path) -> None:
    change(config, "headers: {X-Client: tra-vinh}", "headers: {X-Api-Key: abc, X-Client: tra-vinh}")
    change(
        config, "      url: http://127.0.0.1:9\n      path", "      url: http://tra-vinh:abc@127.0.0.1:9\n      path"
    )
    _, said = look(hub, config)
    assert [(one["line"], one["rule"]) for one in said["warnings"]] == [(16, "plain-secret"), (18, "plain-secret")]
    assert "abc" not in str(said["warnings"])
    assert HUB in said["file"]


def test_what_a_sample_says_of_people_is_masked(hub: Any, config: Path) -> None:
    change(config.parent / READS, 'match: "([0-9]+)", default: "0"', 'match: "([a-z]+)"')
    _, said = look(hub, config)
    [told] = [one["message"] for one in said["warnings"] if one["rule"] == "sample-refused"]
    assert "•••" in told
    assert "0294" not in told


@functools.cache
def printed_rules() -> dict[str, str]:
    """Every rule that stands in the code, and where."""
    return dict(_printed())


def _printed() -> Iterator[tuple[str, str]]:
    for package in ("schemas", "mappings", "hub", "adapters"):
        for file in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            named = {
                target.id: node.value
                for node in tree.body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for node in ast.walk(tree):
                for rule in _rules(node, named):
                    yield rule, f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def _rules(node: ast.AST, named: dict[str, ast.expr]) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    position = SAYERS.get(name)
    if position is None or (name == "add" and len(node.args) < 3):
        return
    given = node.args[position] if len(node.args) > position else None
    for keyword in node.keywords:
        given = keyword.value if keyword.arg == "rule" else given
    parts = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
    for part in parts:
        part = named.get(part.id, part) if isinstance(part, ast.Name) else part
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and RULE.fullmatch(part.value):
            yield part.value


def test_every_rule_that_the_code_can_print_stands_in_the_page() -> None:
    found = printed_rules()
    assert len(found) > 80
    page = PAGE.read_text(encoding="utf-8")
    lacking = {rule: place for rule, place in found.items() if f"| `{rule}` |" not in page}
    assert lacking == {}


def test_the_page_names_no_rule_twice_and_none_that_is_gone() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(set(listed)) == len(listed)
    known = set(printed_rules()) | {case.rule for case in CASES}
    assert set(listed) - known == set()
