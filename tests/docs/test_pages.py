"""What the pages say is so: links lead somewhere, and commands, options, targets and tests that they name exist."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hub.cli import app
from tests.docs.pages import LANGUAGES, ROOT, SHELL, anchors, blocks, inline, links, pages, project_files

NAME = re.compile(r"[a-z]+(?:-[a-z]+)*")
RULE = re.compile(r"^\| *(R\d+) .*\|([^|]*)\|$", re.MULTILINE)


_command = functools.cache(get_command)


@functools.cache
def help_of(*words: str) -> str | None:
    """What `hub <words> --help` prints, None where there is no such command."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.testing._get_command", _command)
        done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, [*words, "--help"])
    return done.stdout if done.exit_code == 0 else None


@functools.cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def problems_of(command: str) -> list[str]:
    """What a command line (of a block, or between back-ticks) names that is not there."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return []
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words or Path(words[0]).name not in ("hub", "make"):
        return []
    if words[0] == "make":
        named = [w for w in words[1:] if re.fullmatch(r"[a-z]+", w)]
        return [f"make has no target {name}" for name in named if name not in targets()]
    return _problems_of_hub([w for w in words[1:] if not w.startswith(("|", ">", "&", ";"))])


def _problems_of_hub(words: list[str]) -> list[str]:
    depth = 0
    for depth in (2, 1, 0):
        path = words[:depth]
        if len(path) == depth and all(NAME.fullmatch(w) for w in path) and help_of(*path) is not None:
            break
    if depth == 0 and words and not words[0].startswith("-"):
        return [f"hub has no command {words[0]}"]
    said = help_of(*words[:depth]) or ""
    options = [w.partition("=")[0] for w in words[depth:] if w.startswith("--")]
    return [f"hub {' '.join(words[:depth])} has no option {o}" for o in options if not re.search(rf"{o}\b", said)]


@pytest.mark.parametrize("page", pages())
def test_every_block_says_what_it_is(page: str) -> None:
    unknown = [f"{b}: {b.language or 'no language'}" for b in blocks(page) if b.language not in LANGUAGES]
    assert unknown == []


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for link in links(page):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (ROOT / page).parent / target if target else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", pages())
def test_commands_exist_with_their_options(page: str) -> None:
    commands = [c for b in blocks(page) if b.language in SHELL for c in b.commands]
    commands += [text for text in inline(page) if text.startswith(("hub ", "make ", ".venv/bin/hub "))]
    problems = [f"{command}: {problem}" for command in commands for problem in problems_of(command)]
    assert problems == []


def test_every_rule_in_the_architecture_names_tests_that_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = RULE.findall(text)
    assert [rule for rule, _ in rows] == [f"R{n}" for n in range(1, len(rows) + 1)]
    missing = []
    for rule, cell in rows:
        named = re.findall(r"`((?:tests|hub/contract)/[\w/.]+\.py)(?:::(\w+))?`", cell)
        if not named:
            missing.append(f"{rule} names no test")
        for file, test in named:
            path = ROOT / file
            if not path.is_file() or (test and f"def {test}(" not in path.read_text(encoding="utf-8")):
                missing.append(f"{rule}: there is no {file}::{test}")
    assert missing == []


ELSEWHERE = re.compile(
    "|".join(
        [
            r"(?<![\w.~}*-])/(?:work|root)/",
            r"(?<![\w.])/home/\w",
            r"(?<![\w.])/opt/(?:pypi|wheels)",
            *(re.escape(a + "." + b) for a, b in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")]),
            *(re.escape(a + "." + b) for a, b in [("deb.debian", "org"), ("proxy.golang", "org"), ("crates", "io")]),
        ]
    )
)


def test_no_file_names_a_machines_path_or_a_registrys_address() -> None:
    found = []
    for file in project_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        name = file.relative_to(ROOT)
        if name != Path(__file__).relative_to(ROOT):
            found += [f"{name}:{n}" for n, line in enumerate(text.splitlines(), 1) if ELSEWHERE.search(line)]
    assert found == []
